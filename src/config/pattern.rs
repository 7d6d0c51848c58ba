//! Name patterns of the configuration: `*` stands for any characters, `?` for exactly one.
//!
//! Apart from the parser because lookups and the engines need them too. SQL names do not tell cases apart in ASCII,
//! so neither do patterns. Order in a file never decides: of several patterns that fit, the most specific one does.

use std::cmp::Reverse;

/// Whether `name` fits `pattern`; ASCII letters match in either case.
///
/// Runs in at most `pattern` times `name` steps: a hostile pattern cannot make it explode.
#[must_use]
pub(crate) fn glob(pattern: &str, name: &str) -> bool {
    let mut left = pattern.chars();
    let mut right = name.chars();
    // Where to go on when the characters after the last `*` do not fit: let that `*` take one more.
    let mut retry: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let unread = right.clone();
        let fits = match (left.next(), right.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                right = unread.clone();
                retry = Some((left.clone(), unread));
                true
            }
            (Some('?'), Some(_)) => true,
            (Some(wanted), Some(found)) => wanted.eq_ignore_ascii_case(&found),
            (None, Some(_)) | (Some(_), None) => false,
        };
        if fits {
            continue;
        }
        let Some((pattern_there, mut name_there)) = retry.take() else {
            return false;
        };
        if name_there.next().is_none() {
            return false;
        }
        left = pattern_there.clone();
        right = name_there.clone();
        retry = Some((pattern_there, name_there));
    }
}

/// Whether the text holds a wildcard at all.
pub(super) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// A sort key that puts the most specific pattern first: exact names, then the longer fixed beginning, then more
/// fixed characters, then by text. `avg_*` thus beats `*_cards_played`.
pub(super) fn specificity(pattern: &str) -> (bool, Reverse<usize>, Reverse<usize>, &str) {
    let beginning = pattern.find(['*', '?']).unwrap_or(pattern.len());
    let fixed = pattern.chars().filter(|c| !matches!(c, '*' | '?')).count();
    (is_pattern(pattern), Reverse(beginning), Reverse(fixed), pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_names() {
        let table = [
            ("users", "users", true),
            ("users", "USERS", true),
            ("users", "user", false),
            ("user", "users", false),
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "anything", true),
            ("?", "", false),
            ("?", "ü", true),
            ("Ü", "ü", false),
            ("cache_*", "cache_", true),
            ("cache_*", "cach", false),
            ("*_played", "wild_cards_played", true),
            ("*_played", "played", false),
            ("*a*b", "xaxbxb", true),
            ("*a*b", "xaxbx", false),
            ("a*b?c", "a123bxbyc", true),
            ("**", "x", true),
            ("*a*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ];
        for (pattern, name, fits) in table {
            assert_eq!(glob(pattern, name), fits, "{pattern} against {name}");
        }
    }

    #[test]
    fn the_most_specific_comes_first() {
        let mut patterns = ["*", "*_played", "*_cards_played", "avg_*", "score", "avg_?", "?"];
        patterns.sort_by(|a, b| specificity(a).cmp(&specificity(b)));
        assert_eq!(patterns, ["score", "avg_*", "avg_?", "*_cards_played", "*_played", "*", "?"]);
    }
}
