//! What a key or token looks like, and its digest.
//!
//! Pure. `crk_`, the 16 hexadecimal digits of its id, 40 letters and digits that nobody can guess (238 bits), and the CRC-32
//! of all that in 8 hexadecimal digits: so that a typing mistake, or a scanner of somebody's sources, is told without
//! looking anything up. What the site's pages gave out before has 64 hexadecimal digits. Tokens of sessions begin with
//! `crs_`.

use sha2::{Digest as _, Sha256};

use super::grant::Digest;

/// What those who are issued begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prefix {
    Key,
    Session,
}

impl Prefix {
    const fn text(self) -> &'static str {
        match self {
            Prefix::Key => "crk_",
            Prefix::Session => "crs_",
        }
    }
}

/// Letters and digits of a secret.
const SECRET: usize = 40;
/// Digits of an id.
const ID: usize = 16;
/// Digits of the checksum.
const SUM: usize = 8;
/// Digits of an old one.
const OLD: usize = 64;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The letters and digits that random bytes stand for; `None` when too many of them stand for none.
pub(super) fn secret(random: &[u8]) -> Option<String> {
    // Whoever took all bytes would take some letters more often than others.
    let fair = random.iter().filter(|byte| **byte < 248).map(|byte| usize::from(*byte) % ALPHABET.len());
    let text: String =
        fair.take(SECRET).filter_map(|n| ALPHABET.get(n)).map(|byte| char::from(*byte)).collect();
    (text.len() == SECRET).then_some(text)
}

/// One of an id (16 hexadecimal digits) and a secret.
pub(super) fn compose(prefix: Prefix, id: &str, secret: &str) -> String {
    let text = format!("{}{id}{secret}", prefix.text());
    let sum = checksum(text.as_bytes());
    format!("{text}{sum:08x}")
}

/// The digest of what may be one; `None` for what cannot.
pub(super) fn recognise(prefix: Prefix, text: &[u8]) -> Option<Digest> {
    (is_new(prefix, text) || is_old(text)).then(|| digest(text))
}

/// The digest of a text.
pub(super) fn digest(text: &[u8]) -> Digest {
    Sha256::digest(text).into()
}

/// The 16 digits of the id that a text carries which is a key, or was meant as one; empty where it is a secret without.
/// `None` for a text that may be shown to anybody.
pub(super) fn id_of_secret(text: &str) -> Option<&str> {
    let new = [Prefix::Key, Prefix::Session].iter().find_map(|prefix| text.strip_prefix(prefix.text()));
    match new {
        Some(rest) if rest.len() > ID => Some(rest.get(..ID).unwrap_or_default()),
        Some(_) => None,
        None => (text.len() >= OLD && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(""),
    }
}

fn is_new(prefix: Prefix, text: &[u8]) -> bool {
    let prefix = prefix.text().as_bytes();
    let Some(rest) = text.strip_prefix(prefix).filter(|rest| rest.len() == ID + SECRET + SUM) else {
        return false;
    };
    let (Some((id, rest)), Some((body, sum))) = (rest.split_at_checked(ID), text.split_last_chunk::<SUM>())
    else {
        return false;
    };
    let is_lower_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    id.iter().all(is_lower_hex)
        && rest.iter().all(u8::is_ascii_alphanumeric)
        && format!("{:08x}", checksum(body)).as_bytes() == sum
}

fn is_old(text: &[u8]) -> bool {
    text.len() == OLD && text.iter().all(u8::is_ascii_hexdigit)
}

fn checksum(text: &[u8]) -> u32 {
    let mut sum = flate2::Crc::new();
    sum.update(text);
    sum.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex::{hex, unhex};

    #[test]
    fn what_is_composed_is_recognised_and_nothing_beside_it() {
        let secret = secret(&(0..=255).rev().collect::<Vec<u8>>()).unwrap();
        let key = compose(Prefix::Key, "0123456789abcdef", &secret);
        assert_eq!(key.len(), 68);
        assert_eq!(recognise(Prefix::Key, key.as_bytes()), Some(digest(key.as_bytes())));
        assert_eq!(recognise(Prefix::Session, key.as_bytes()), None);
        for at in 0..key.len() {
            for byte in 0..=255 {
                let mut other = key.clone().into_bytes();
                if other[at] != byte {
                    other[at] = byte;
                    assert_eq!(recognise(Prefix::Key, &other), None, "{at} {byte}");
                }
            }
            assert_eq!(recognise(Prefix::Key, &key.as_bytes()[..at]), None, "{at}");
        }
        for other in [format!("{key}\n"), format!(" {key}"), key.to_uppercase(), String::new()] {
            assert_eq!(recognise(Prefix::Key, other.as_bytes()), None, "{other:?}");
        }
    }

    #[test]
    fn a_secret_in_the_place_of_an_id_is_known_as_one() {
        let key = compose(Prefix::Key, "0123456789abcdef", &"x".repeat(40));
        for (text, expected) in [
            (key.as_str(), Some("0123456789abcdef")),
            (&key[..60], Some("0123456789abcdef")),
            (&key.replacen("crk_", "crs_", 1), Some("0123456789abcdef")),
            (&"a".repeat(64), Some("")),
            ("key_0123456789abcdef", None),
            ("crk_0123456789abcdef", None),
            ("crk_0123456789abcde\u{e9}\u{e9}", Some("")),
            ("", None),
        ] {
            assert_eq!(id_of_secret(text), expected, "{text}");
        }
    }

    #[test]
    fn old_ones_have_64_hexadecimal_digits() {
        for (text, expected) in [
            ("0123456789abcdefABCDEF".repeat(3)[..64].to_owned(), true),
            ("0".repeat(63), false),
            ("0".repeat(65), false),
            (format!("{}g", "0".repeat(63)), false),
        ] {
            assert_eq!(recognise(Prefix::Key, text.as_bytes()).is_some(), expected, "{text}");
        }
    }

    #[test]
    fn a_secret_takes_every_letter_as_often_and_never_too_few() {
        assert_eq!(secret(&[255; 200]), None);
        assert_eq!(secret(&[0; 39]), None);
        let mut counts = std::collections::BTreeMap::new();
        for byte in 0..=255_u8 {
            if let Some(text) = secret(&[byte; 40]) {
                *counts.entry(text).or_insert(0) += 1;
            }
        }
        assert_eq!((counts.len(), counts.values().all(|count| *count == 4)), (62, true));
    }

    #[test]
    fn the_checksum_is_the_one_everybody_knows() {
        // The check value of CRC-32/ISO-HDLC.
        assert_eq!(checksum(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn the_digest_is_sha_256() {
        // FIPS 180-4 examples and NIST CAVP (SHA256ShortMsg, SHA256LongMsg); RFC 6234, section 8.5 has tests 1 to 4 too.
        let million = "a".repeat(1_000_000);
        let eights = "01234567".repeat(80);
        for (text, expected) in [
            (&b""[..], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
            ),
            (million.as_bytes(), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
            (eights.as_bytes(), "594847328451bdfa85056225462cc1d867d877fb388df0ce35f25ab5562bfbb5"),
            (b"\xd3", "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1"),
            (b"\x74\xba\x25\x21", "b16aa56be3880d18cd41e68384cf1ec8c17680c45a02b1575dc1518923ae8b0e"),
            (b"\x19", "68aa2e2ee5dff96e3355e6c7ee373e3d6a4e17f75f9518d843709c0c9bc3e3d4"),
        ] {
            assert_eq!(hex(&digest(text)), expected);
            assert_eq!(unhex(expected), Some(digest(text)));
        }
        for wrong in ["", "zz", &"g".repeat(64), &"0".repeat(66), &"\u{e9}".repeat(32)] {
            assert_eq!(unhex(wrong), None);
        }
    }
}
