//! Digests and signatures are those of the standards: digests from the file on disk to the list that is exported.

use ed25519_dalek::{Signature, Signer, SigningKey};
use serde_json::{Value, json};

use super::world::World;

/// RFC 1321, appendix A.5; FIPS 180-4 and NIST's examples.
const VECTORS: [(&str, &str, &str); 7] = [
    (
        "",
        "d41d8cd98f00b204e9800998ecf8427e",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ),
    (
        "abc",
        "900150983cd24fb0d6963f7d28e17f72",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    ),
    ("a", "0cc175b9c0f1b6a831c399e269772661", ""),
    ("message digest", "f96b697d7cb7938d525a2f31aaf161d0", ""),
    ("abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b", ""),
    (
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
        "d174ab98d277d9f5a5611c2c9f419d9f",
        "",
    ),
    (
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ),
];

#[test]
fn the_digests_of_files_are_those_of_the_standards() {
    let world = World::with(json!({ "legacy_md5": true }));
    let eighty = "12345678901234567890".repeat(4);
    let million = "a".repeat(1_000_000);
    let mut vectors = VECTORS.to_vec();
    vectors.push((&eighty, "57edf4a22be3c955ac49da2e2107b67a", ""));
    vectors.push((&million, "", "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"));
    for (number, (text, _, _)) in vectors.iter().enumerate() {
        world.write(&format!("web/vector-{number}.php"), text);
    }
    world.baseline();
    let bytes = std::fs::read(&world.config.integrity.baseline).unwrap();
    let list: Value = serde_json::from_slice(&bytes).unwrap();
    for (number, (text, md5, sha256)) in vectors.iter().enumerate() {
        let path = world.path(&format!("web/vector-{number}.php"));
        let listed = &list["hashes"][path.to_str().unwrap()];
        let told = format!("{} bytes: {listed}", text.len());
        assert!(md5.is_empty() || listed["md5"] == *md5, "{told}");
        assert!(sha256.is_empty() || listed["sha256"] == *sha256, "{told}");
        assert_eq!(listed["sha256"].as_str().map(str::len), Some(64), "{told}");
    }
}

/// RFC 8032, section 7.1: tests 1 to 3, and that of a digest.
#[test]
fn signatures_are_those_of_the_standard() {
    let bytes = |text: &str| -> Vec<u8> {
        let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
        (0..text.len()).step_by(2).map(byte).collect()
    };
    for (seed, public, text, signature) in [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155\
             5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac\
             18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
        (
            "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
            "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589\
             09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
        ),
    ] {
        let key = SigningKey::from_bytes(&bytes(seed).try_into().unwrap());
        assert_eq!(key.verifying_key().to_bytes().to_vec(), bytes(public));
        let mut text = bytes(text);
        assert_eq!(key.sign(&text).to_bytes().to_vec(), bytes(signature));
        let signature = Signature::from_slice(&bytes(signature)).unwrap();
        assert!(key.verifying_key().verify_strict(&text, &signature).is_ok());
        text.push(0);
        assert!(key.verifying_key().verify_strict(&text, &signature).is_err());
    }
}
