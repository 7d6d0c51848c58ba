//! JSON as PHP writes it with `JSON_PRETTY_PRINT`, so that a file which both write differs only where its content does.
//!
//! Pure. Four spaces, `\/`, and everything that is not ASCII escaped.

use serde_json::Value;

/// The text of a value.
pub(super) fn text(value: &Value) -> String {
    let mut text = String::new();
    put(value, 0, &mut text);
    text
}

fn put(value: &Value, depth: usize, to: &mut String) {
    match value {
        Value::String(string) => match super::numbers::hidden(string) {
            Some(number) => to.push_str(number),
            None => put_string(string, to),
        },
        Value::Array(items) if !items.is_empty() => {
            to.push('[');
            for (number, item) in items.iter().enumerate() {
                begin_line(number, depth + 1, to);
                put(item, depth + 1, to);
            }
            end_line(depth, to);
            to.push(']');
        }
        Value::Object(members) if !members.is_empty() => {
            to.push('{');
            for (number, (name, member)) in members.iter().enumerate() {
                begin_line(number, depth + 1, to);
                put_string(name, to);
                to.push_str(": ");
                put(member, depth + 1, to);
            }
            end_line(depth, to);
            to.push('}');
        }
        other => to.push_str(&other.to_string()),
    }
}

fn begin_line(number: usize, depth: usize, to: &mut String) {
    if number > 0 {
        to.push(',');
    }
    end_line(depth, to);
}

fn end_line(depth: usize, to: &mut String) {
    to.push('\n');
    for _ in 0..depth {
        to.push_str("    ");
    }
}

fn put_string(string: &str, to: &mut String) {
    to.push('"');
    let mut units = [0; 2];
    for c in string.chars() {
        match c {
            '"' => to.push_str("\\\""),
            '\\' => to.push_str("\\\\"),
            '/' => to.push_str("\\/"),
            '\u{8}' => to.push_str("\\b"),
            '\u{c}' => to.push_str("\\f"),
            '\n' => to.push_str("\\n"),
            '\r' => to.push_str("\\r"),
            '\t' => to.push_str("\\t"),
            ' '..='\u{7f}' => to.push(c),
            _ => {
                for unit in c.encode_utf16(&mut units) {
                    to.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    to.push('"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_is_what_php_writes() {
        // The output of json_encode($value, JSON_PRETTY_PRINT) of PHP 8.2.
        let value = json!({
            "a/b": [1, -2, 0.5, true, null, "x"], "empty": [], "none": {}, "\u{e9}\u{1f600}": "\u{1}\u{7f}\t\"\\/",
            "in": { "in": [[1]] },
        });
        assert_eq!(
            text(&value),
            r#"{
    "a\/b": [
        1,
        -2,
        0.5,
        true,
        null,
        "x"
    ],
    "empty": [],
    "none": {},
    "\u00e9\ud83d\ude00": "\u0001DEL\t\"\\\/",
    "in": {
        "in": [
            [
                1
            ]
        ]
    }
}"#
            .replace("DEL", "\u{7f}")
        );
        assert_eq!(serde_json::from_str::<Value>(&text(&value)).ok(), Some(value));
    }
}
