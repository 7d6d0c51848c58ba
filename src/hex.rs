//! Bytes as hexadecimal digits, and digests back from them.
//!
//! Pure.

use std::fmt::Write;

/// In small digits, two for each byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len().saturating_mul(2)), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The digest of exactly 64 digits, large or small.
pub(crate) fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    for (to, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
        let mut value = 0;
        for digit in pair {
            value = value * 16 + char::from(*digit).to_digit(16)?;
        }
        *to = u8::try_from(value).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_bytes_and_back() {
        let digest: [u8; 32] = std::array::from_fn(|n| u8::try_from(n * 8 + 7).unwrap_or(0));
        let text = hex(&digest);
        assert!(text.starts_with("070f171f") && text.ends_with("f7ff"), "{text}");
        assert_eq!(hex(&[]), "");
        assert_eq!(unhex(&text), Some(digest));
        assert_eq!(unhex(&text.to_uppercase()), Some(digest));
        for wrong in
            ["", &text[1..], &format!("{text}00"), &text.replace("07", "0g"), &text.replace("07", "+7")]
        {
            assert_eq!(unhex(wrong), None, "{wrong}");
        }
        assert_eq!(unhex(&"\u{e9}".repeat(32)), None);
    }
}
