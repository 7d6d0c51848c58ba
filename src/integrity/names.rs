//! Names of files as text that can do nothing to whoever reads it, and what a name says about a file.
//!
//! Pure. A name may hold any byte but `/` and NUL: newlines, what turns the direction of text around, what is no UTF-8.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What a web server may run as code, or takes as its own configuration.
const CODE: [&str; 9] = ["php", "phtml", "phar", "pht", "php3", "php4", "php5", "php7", "php8"];
/// What browsers show or run.
const PAGE: [&str; 7] = ["html", "htm", "xhtml", "shtml", "js", "mjs", "svg"];
/// What SQLite appends to the name of a database.
const BESIDE: [&[u8]; 3] = [b"-journal", b"-wal", b"-shm"];
/// What a web server runs, by the whole name.
const CODE_NAMES: [&str; 2] = [".htaccess", ".user.ini"];

/// A path as text: control characters, what hides or turns text around, and bytes that are no UTF-8, as `\xHH`.
///
/// With the path itself in base64 where the text is not the path.
pub(super) fn shown(path: &[u8]) -> (String, Option<String>) {
    let mut text = String::with_capacity(path.len());
    let mut is_lossy = false;
    for chunk in path.utf8_chunks() {
        for c in chunk.valid().chars() {
            if is_plain(c) {
                text.push(c);
            } else {
                is_lossy = true;
                let mut bytes = [0; 4];
                c.encode_utf8(&mut bytes).bytes().for_each(|byte| escape(byte, &mut text));
            }
        }
        for byte in chunk.invalid() {
            is_lossy = true;
            escape(*byte, &mut text);
        }
    }
    (text, is_lossy.then(|| STANDARD.encode(path)))
}

/// What may be shown as this path is, and is another one; nothing where only that path itself is.
pub(super) fn unshown(text: &[u8]) -> Option<Vec<u8>> {
    let mut path = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let escaped = match rest {
            [b'\\', b'x', high, low, ..] => digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        let (byte, next) = escaped.map_or((*first, after), |byte| (byte, rest.get(4..).unwrap_or_default()));
        path.push(byte);
        rest = next;
    }
    (path != text && shown(&path).0.as_bytes() == text).then_some(path)
}

fn digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// A path as it is, of how it is shown and of its base64 where that was told.
pub(super) fn exact(shown: &str, base64: Option<&str>) -> Vec<u8> {
    base64.and_then(|text| STANDARD.decode(text).ok()).unwrap_or_else(|| shown.as_bytes().to_vec())
}

fn escape(byte: u8, text: &mut String) {
    text.push_str(&format!("\\x{byte:02x}"));
}

fn is_plain(c: char) -> bool {
    let hides = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
        | '\u{61c}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    !c.is_control() && !hides
}

/// The last part of a path.
pub(super) fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

/// Whether a web server may run what has this name, or be configured by it.
///
/// Some run what has such an extension anywhere (`a.php.txt`), or before what they leave out (`a.php `, `a.php.`).
pub(super) fn is_code(name: &[u8]) -> bool {
    let plain = name.trim_ascii();
    let is_whole = CODE_NAMES.iter().any(|code| plain.eq_ignore_ascii_case(code.as_bytes()));
    let is_one =
        |part: &[u8]| CODE.iter().any(|code| part.trim_ascii().eq_ignore_ascii_case(code.as_bytes()));
    is_whole || name.split(|byte| *byte == b'.').skip(1).any(is_one)
}

/// Whether what follows the name of a file that is known makes code of it.
pub(super) fn makes_code(rest: &[u8]) -> bool {
    is_code(&[b".", rest].concat())
}

/// Whether a name is that of something which makes a page: what the server runs, and what browsers do.
pub(super) fn is_page_code(name: &[u8]) -> bool {
    is_code(name) || has_extension(name, &PAGE)
}

fn has_extension(name: &[u8], extensions: &[&str]) -> bool {
    let lower = name.to_ascii_lowercase();
    let extension = lower.rsplit(|byte| *byte == b'.').next().filter(|end| end.len() < lower.len());
    extension.is_some_and(|end| extensions.iter().any(|known| known.as_bytes() == end))
}

/// Whether a path lies where people upload, or data is kept: nothing there is to be run.
pub(super) fn is_data(path: &[u8]) -> bool {
    let directory = path.get(..path.len().saturating_sub(file_name(path).len())).unwrap_or_default();
    directory.split(|byte| *byte == b'/').any(|part| {
        let part = part.to_ascii_lowercase();
        part == b"data" || part.starts_with(b"upload")
    })
}

/// Whether a name is that of an SQLite database or of a file beside one.
pub(super) fn is_database(name: &[u8]) -> bool {
    let lower = name.to_ascii_lowercase();
    let has = |what: &[u8]| lower.windows(what.len()).any(|part| part == what);
    (has(b".db") || has(b".sqlite")) && !is_code(name)
}

/// Whether a name is that of a file which SQLite makes beside a database and removes again.
pub(super) fn is_beside_database(name: &[u8]) -> bool {
    is_database(name) && BESIDE.iter().any(|end| name.ends_with(end))
}

/// Whether a name is that of a file which SQLite makes beside this database, whatever that is called.
pub(super) fn is_beside(database: &[u8], name: &[u8]) -> bool {
    name.strip_prefix(database).is_some_and(|end| BESIDE.contains(&end))
}

/// Whether a name fits a pattern, in which `*` is any number of bytes and `?` one.
///
/// Takes at most `pattern` times `name` steps.
pub(super) fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut left, mut right) = (pattern, name);
    // Where to go on when what follows the last `*` does not fit: that takes one more.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        match (left, right) {
            ([], []) => return true,
            ([b'*', rest @ ..], _) => {
                retry = Some((rest, right));
                left = rest;
                continue;
            }
            ([wanted, rest @ ..], [found, others @ ..]) if *wanted == b'?' || wanted == found => {
                (left, right) = (rest, others);
                continue;
            }
            _ => {}
        }
        let Some((after, [_, rest @ ..])) = retry else { return false };
        (left, right) = (after, rest);
        retry = Some((after, rest));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_shown_harmlessly_and_told_exactly() {
        let plain = |path: &[u8], text: &str| assert_eq!(shown(path), (text.to_owned(), None));
        plain(b"/a b/\xc3\xa9\"'", "/a b/\u{e9}\"'");
        for (path, text) in [
            (&b"/a\nb"[..], "/a\\x0ab"),
            (b"/\xff\xfe", "/\\xff\\xfe"),
            (b"/a\x1b[31m", "/a\\x1b[31m"),
            ("/a\u{202e}gpj.php".as_bytes(), "/a\\xe2\\x80\\xaegpj.php"),
            (b"/\xc3", "/\\xc3"),
        ] {
            let (shown, exact) = shown(path);
            assert_eq!(shown, text);
            assert_eq!(exact.and_then(|exact| STANDARD.decode(exact).ok()).as_deref(), Some(path));
        }
    }

    #[test]
    fn a_path_is_found_again_by_how_it_is_shown() {
        for path in [&b"/a\nb"[..], b"/\xff\xfe", "/a\u{202e}gpj.php".as_bytes(), b"/\x1b[2J"] {
            assert_eq!(unshown(shown(path).0.as_bytes()).as_deref(), Some(path));
        }
        // Nothing is shown like these but themselves.
        for path in [&b"/a"[..], b"/\\x41", b"/\\x0A", b"/\\x", b"/\\xzz", b"/\\x0", b"\\"] {
            assert_eq!(unshown(path), None);
        }
    }

    #[test]
    fn names_say_what_they_are() {
        for name in [
            "a.php",
            "A.PHP",
            "x.jpg.php",
            "a.phtml",
            "a.phar",
            ".htaccess",
            ".user.ini",
            "a.php5",
            "a.php.txt",
            "a.php.tmp",
            "a.php.db-wal",
            "a.php.db",
            "a.php.log",
            "b.php ",
            "c.php.",
            "d.PHP .x",
            ".htaccess ",
        ] {
            assert!(is_code(name.as_bytes()), "{name}");
        }
        for name in ["php", "a.phpx", "php.tmp", "a.tmp", "a.php-x", "htaccess", "user.ini", "a"] {
            assert!(!is_code(name.as_bytes()), "{name}");
        }
        for name in ["index.html", "A.JS", "a.php"] {
            assert!(is_page_code(name.as_bytes()), "{name}");
        }
        assert!(!is_page_code(b"html") && !is_page_code(b"a.css") && !is_page_code(b"a.html.png"));
        assert!(
            makes_code(b"php") && makes_code(b".1.php") && !makes_code(b".1") && !makes_code(b"-20260101.gz")
        );
        for path in ["/var/www/html/data/a", "/x/uploads/a/b", "/DATA/b", "/upload/a"] {
            assert!(is_data(path.as_bytes()), "{path}");
        }
        for path in ["/var/www/html/data", "/var/www/database/a", "/a"] {
            assert!(!is_data(path.as_bytes()), "{path}");
        }
        assert!(is_database(b"users.db") && is_database(b"a.sqlite3") && is_database(b"a.db.backup.latest"));
        assert!(!is_database(b"a.db.php") && !is_database(b"db") && !is_database(b"adb"));
        assert!(
            is_beside_database(b"a.db-wal") && !is_beside_database(b"a-wal") && !is_beside_database(b"a.db")
        );
        assert!(!is_beside_database(b"a.php.db-wal") && !is_beside_database(b"a.php.db-journal"));
        assert!(is_beside(b"a.php.db", b"a.php.db-wal") && !is_beside(b"a.db", b"a.db-wal.php"));
    }

    #[test]
    fn patterns_fit_names() {
        for (pattern, name) in
            [("*.log", "a.log"), ("*", ""), ("a?c", "abc"), ("*a*b", "xaayb"), ("/x/*", "/x/y/z")]
        {
            assert!(fits(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
        for (pattern, name) in
            [("*.log", "a.logs"), ("a?c", "ac"), ("*.log", "a.LOG"), ("", "a"), ("*a*b", "b")]
        {
            assert!(!fits(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
        assert!(fits(b"*", b"\xff\n") && fits(b"?x", b"\xffx"));
    }
}
