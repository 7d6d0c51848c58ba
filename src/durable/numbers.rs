//! Numbers of a document that no type of ours holds, kept digit by digit.
//!
//! Pure but for the mark. Larger integers than ours, and reals with more digits than a double has, would come back as other
//! numbers. So each stands in the value as a text that begins with a mark, which nobody outside can know, and is written as
//! the number that it was.

use std::borrow::Cow;
use std::sync::OnceLock;

use serde_json::Value;

use crate::clock;

/// A double holds so many digits of any real.
const SAFE_DIGITS: usize = 15;

/// What such a text begins with: another one in every process.
fn mark() -> Option<&'static str> {
    static MARK: OnceLock<Option<String>> = OnceLock::new();
    MARK.get_or_init(|| clock::chance().ok().map(|chance| format!("\u{10ffff}{chance} "))).as_deref()
}

/// The same document, in which numbers that would not come back are texts.
pub(super) fn hide(bytes: &[u8]) -> Cow<'_, [u8]> {
    let Some(mark) = mark() else { return Cow::Borrowed(bytes) };
    let (mut out, mut copied, mut at) = (Vec::new(), 0, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = end_of_string(bytes, at),
            b'-' | b'0'..=b'9' => {
                let end = end_of_number(bytes, at);
                let number = bytes.get(at..end).and_then(|number| std::str::from_utf8(number).ok());
                if let Some(number) = number.filter(|number| is_number(number) && !is_held(number)) {
                    out.extend_from_slice(bytes.get(copied..at).unwrap_or_default());
                    out.extend_from_slice(format!("\"{mark}{number}\"").as_bytes());
                    copied = end;
                }
                at = end;
            }
            _ => at = at.saturating_add(1),
        }
    }
    if copied == 0 {
        return Cow::Borrowed(bytes);
    }
    out.extend_from_slice(bytes.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

/// The digits of a number that is hidden in a text; `None` for any other text.
pub(super) fn hidden(text: &str) -> Option<&str> {
    text.strip_prefix(mark()?).filter(|number| is_number(number))
}

/// The same value as people may see it: a number that no type holds is a text of its digits.
pub(crate) fn shown(value: Value) -> Value {
    match value {
        Value::String(text) => match hidden(&text) {
            Some(number) => Value::String(number.to_owned()),
            None => Value::String(text),
        },
        Value::Array(items) => Value::Array(items.into_iter().map(shown).collect()),
        Value::Object(members) => {
            Value::Object(members.into_iter().map(|(name, member)| (name, shown(member))).collect())
        }
        other => other,
    }
}

fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start.saturating_add(1);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at.saturating_add(1),
            b'\\' => at = at.saturating_add(2),
            _ => at = at.saturating_add(1),
        }
    }
    bytes.len()
}

fn end_of_number(bytes: &[u8], start: usize) -> usize {
    let rest = bytes.get(start..).unwrap_or_default();
    let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    start.saturating_add(rest.iter().take_while(|byte| is_part(byte)).count())
}

/// Whether it is a number as JSON has them.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = text.split_once(['e', 'E']).map_or((text, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(w, f)| (w, Some(f)));
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)))
}

/// Whether a type of ours holds it.
fn is_held(number: &str) -> bool {
    if !number.contains(['.', 'e', 'E']) {
        return number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok();
    }
    let Ok(real) = number.parse::<f64>() else { return false };
    let mantissa = number.split(['e', 'E']).next().unwrap_or_default();
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0').count();
    let is_lost = !real.is_finite() || (real == 0.0 && digits > 0);
    !is_lost && (digits <= SAFE_DIGITS || serde_json::to_string(&real).is_ok_and(|text| text == number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_no_type_holds_come_back_as_they_were() {
        for (number, is_kept) in [
            ("0", true),
            ("-0", true),
            ("9223372036854775807", true),
            ("-9223372036854775808", true),
            ("18446744073709551615", true),
            ("18446744073709551616", false),
            ("-9223372036854775809", false),
            ("123456789012345678901234567890", false),
            ("0.1", true),
            ("1.0e+25", true),
            ("0.1234567890123456789", false),
            ("0.30000000000000004", true),
            ("1e400", false),
            ("-1E-400", false),
            ("0e400", true),
        ] {
            let text = format!("[{number},{{\"a\":{number}}}]");
            let hidden_text = hide(text.as_bytes());
            assert_eq!(hidden_text == text.as_bytes(), is_kept, "{number}");
            let value: Value = serde_json::from_slice(&hidden_text).unwrap();
            if !is_kept {
                assert_eq!(value[0].as_str().and_then(hidden), Some(number));
                assert_eq!(shown(value), serde_json::json!([number, {"a": number}]));
            }
        }
    }

    #[test]
    fn nothing_else_is_touched() {
        for text in [
            r#"["18446744073709551616", "\"1e400", "a\\", 1]"#,
            r#"{"18446744073709551616": "-"}"#,
            "[018446744073709551616]",
            "[18446744073709551616.]",
            "[--1e400, 1e, +1]",
            "\"18446744073709551616",
            "",
        ] {
            assert_eq!(hide(text.as_bytes()), text.as_bytes(), "{text}");
        }
        assert_eq!(hidden("18446744073709551616"), None);
        assert_eq!(hidden("\u{10ffff}0123 18446744073709551616"), None, "nobody else knows the mark");
    }
}
