//! Whose bucket it is: the name of a client and of a limit as 128 bits.
//!
//! The digest is keyed with a secret of the table, so that nobody outside can choose names that share a set, and wide
//! enough that no two names ever share a bucket by accident. Pure.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

use sha2::{Digest, Sha256};

use super::gcra::Policy;
use super::table::Key;

/// Bytes of the secret.
pub(super) const SECRET: usize = 32;

/// What a request is measured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule<'a> {
    /// A tier of the configuration. Its bucket stays when its numbers change.
    Tier(&'a str),
    /// Numbers of the caller's. Other numbers are another bucket.
    Policy(Policy),
}

/// The beginning of all digests: one block, worked out once.
#[derive(Debug, Clone)]
pub(super) struct Hasher(Sha256);

impl Hasher {
    pub(super) fn new(secret: &[u8; SECRET]) -> Hasher {
        let mut start = Sha256::new();
        start.update(secret);
        start.update([0; 64 - SECRET]);
        Hasher(start)
    }

    /// The key of a client under a rule.
    pub(super) fn key(&self, rule: &Rule<'_>, client: &[u8]) -> Key {
        let mut digest = self.0.clone();
        // The length of what varies comes before it, so that no two pairs are the same bytes.
        match rule {
            Rule::Tier(name) => {
                digest.update([0]);
                digest.update(u64::try_from(name.len()).unwrap_or(u64::MAX).to_le_bytes());
                digest.update(name.as_bytes());
            }
            Rule::Policy(policy) => {
                digest.update([1]);
                digest.update(policy.limit().to_le_bytes());
                digest.update(policy.burst().to_le_bytes());
                digest.update(policy.price(1).to_le_bytes());
            }
        }
        digest.update(canonical(client));
        let digest: [u8; 32] = digest.finalize().into();
        let [high, low, ..] = words(&digest);
        Key { high, low }
    }
}

fn words(digest: &[u8; 32]) -> [u64; 2] {
    let word = |from: usize| {
        digest.get(from..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u64::from_le_bytes(*bytes))
    };
    [word(0), word(8)]
}

/// A name in which addresses of one client are one: of an IPv6 address the first 64 bits, which are what a provider gives
/// to one customer; an IPv4 address in an IPv6 one as itself. A `_` and what follows it stays, as in `ADDRESS_ENDPOINT`.
fn canonical(client: &[u8]) -> Cow<'_, [u8]> {
    // Only IPv6 addresses have more than one form here.
    if !client.contains(&b':') {
        return Cow::Borrowed(client);
    }
    let end = client.iter().position(|byte| *byte == b'_').unwrap_or(client.len());
    let (address, rest) = client.split_at_checked(end).unwrap_or((client, &[]));
    let Some(IpAddr::V6(parsed)) = std::str::from_utf8(address).ok().and_then(|text| text.parse().ok())
    else {
        return Cow::Borrowed(client);
    };
    let mut name = match parsed.to_ipv4_mapped() {
        Some(address) => address.to_string(),
        None => {
            let network = u128::from(parsed) & !u128::from(u64::MAX);
            format!("{}/64", Ipv6Addr::from(network))
        }
    }
    .into_bytes();
    name.extend_from_slice(rest);
    Cow::Owned(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(client: &str) -> String {
        String::from_utf8(canonical(client.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn addresses_of_one_client_are_one_name() {
        for (client, expected) in [
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7_/api/v1", "192.0.2.7_/api/v1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:DB8:1:2::9", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::9_search_users", "2001:db8:1:2::/64_search_users"),
            ("2001:db8:1:3::9", "2001:db8:1:3::/64"),
            ("::ffff:192.0.2.7_login", "192.0.2.7_login"),
            ("::1", "::/64"),
            ("user:17", "user:17"),
            ("a:b_c:d", "a:b_c:d"),
            ("", ""),
            ("_", "_"),
            (":_", ":_"),
        ] {
            assert_eq!(name(client), expected, "{client}");
        }
        assert_eq!(canonical(b"\xff:1").as_ref(), b"\xff:1");
    }

    #[test]
    fn another_secret_rule_or_client_is_another_key() {
        let hasher = Hasher::new(&[7; SECRET]);
        let policy = |limit| Rule::Policy(Policy::new(limit, 60, 5).unwrap());
        let keys = [
            hasher.key(&Rule::Tier("default"), b"a"),
            hasher.key(&Rule::Tier("default"), b"b"),
            hasher.key(&Rule::Tier("defaul"), b"ta"),
            hasher.key(&Rule::Tier("admin"), b"a"),
            hasher.key(&policy(1), b"a"),
            hasher.key(&policy(2), b"a"),
            Hasher::new(&[8; SECRET]).key(&Rule::Tier("default"), b"a"),
        ];
        for (index, key) in keys.iter().enumerate() {
            assert!(!keys[..index].contains(key), "{index}");
        }
        assert_eq!(keys[0], hasher.key(&Rule::Tier("default"), b"a"));
    }

    #[test]
    fn the_digest_is_the_one_that_the_format_says() {
        // SHA-256 over 32 bytes of the secret, 32 zeros, 0, the length of the tier in 8 bytes, the tier, the client.
        let mut bytes = vec![7; 32];
        bytes.extend([0; 32]);
        bytes.push(0);
        bytes.extend(5_u64.to_le_bytes());
        bytes.extend(b"admin192.0.2.7");
        let expected: [u8; 32] = Sha256::digest(&bytes).into();
        let [high, low] = words(&expected);
        let key = Hasher::new(&[7; SECRET]).key(&Rule::Tier("admin"), b"192.0.2.7");
        assert_eq!(key, Key { high, low });
        assert_eq!(high.to_le_bytes(), expected[..8]);
    }
}
