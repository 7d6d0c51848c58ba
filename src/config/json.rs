//! JSON as it was written: every key in its order, doubled ones included, each value knowing its path.
//!
//! Apart from `serde_json::Value` because that keeps the last of two equal keys without a word, and because a
//! person who gets an error needs to know where. It knows nothing of what the keys mean.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// What is wrong with a configuration, where, and how to mend it.
#[derive(Debug)]
pub(super) struct Problem {
    /// The JSON path; empty for the document itself.
    pub(super) path: String,
    /// What is wrong there.
    pub(super) text: String,
    /// What to do about it.
    pub(super) hint: Option<String>,
}

impl Problem {
    pub(super) fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Problem { path: path.into(), text: text.into(), hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.text),
            path => write!(f, "{path}: {}", self.text),
        }
    }
}

impl std::error::Error for Problem {}

/// One JSON value.
#[derive(Debug)]
pub(super) enum Node {
    Null,
    Bool(bool),
    /// A whole number that is not negative.
    Whole(u64),
    /// Any other number, as text for messages.
    Other(String),
    Text(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

/// What to do about text that is no JSON.
const NO_JSON: &str = "it is no JSON there: correct that line (python3 -m json.tool FILE finds it as well)";

impl Node {
    /// The document in `json`, without doubled keys.
    pub(super) fn read(json: &[u8]) -> Result<Node, Problem> {
        let node: Node = serde_json::from_slice(json)
            .map_err(|error| Problem::new("", format!("{error}")).hint(NO_JSON))?;
        refuse_doubled_keys(&Place { path: String::new(), node: &node })?;
        Ok(node)
    }

    /// The value in words, for "expected X, found Y".
    fn found(&self) -> String {
        match self {
            Node::Null => "null".to_owned(),
            Node::Bool(value) => format!("{value}"),
            Node::Whole(value) => format!("the number {value}"),
            Node::Other(value) => format!("the number {value}"),
            Node::Text(value) => format!("the text \"{value}\""),
            Node::List(_) => "a list".to_owned(),
            Node::Object(_) => "an object".to_owned(),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Node;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }
            fn visit_unit<E>(self) -> Result<Node, E> {
                Ok(Node::Null)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
                Ok(Node::Bool(value))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
                Ok(Node::Whole(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
                Ok(u64::try_from(value).map_or_else(|_| Node::Other(value.to_string()), Node::Whole))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
                Ok(Node::Other(value.to_string()))
            }
            fn visit_str<E>(self, value: &str) -> Result<Node, E> {
                Ok(Node::Text(value.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(Node::List(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Node, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = object.next_entry()? {
                    entries.push(entry);
                }
                Ok(Node::Object(entries))
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

/// A value together with the path that leads to it.
#[derive(Debug, Clone)]
pub(super) struct Place<'a> {
    pub(super) path: String,
    pub(super) node: &'a Node,
}

impl<'a> Place<'a> {
    /// The document itself.
    pub(super) fn top(node: &'a Node) -> Self {
        Place { path: String::new(), node }
    }

    /// Something wrong with this value.
    pub(super) fn wrong(&self, text: impl Into<String>) -> Problem {
        Problem::new(self.path.clone(), text)
    }

    fn expected(&self, what: &str) -> Problem {
        self.wrong(format!("expected {what}, found {}", self.node.found()))
    }

    fn below(&self, key: &str, node: &'a Node) -> Place<'a> {
        Place { path: join(&self.path, key), node }
    }

    /// Every entry of an object.
    pub(super) fn entries(&self) -> Result<Vec<(&'a str, Place<'a>)>, Problem> {
        match self.node {
            Node::Object(entries) => {
                Ok(entries.iter().map(|(key, node)| (key.as_str(), self.below(key, node))).collect())
            }
            _ => Err(self.expected("an object")),
        }
    }

    /// The entries of an object that may hold only the `known` keys, in their order.
    pub(super) fn fields<const N: usize>(&self, known: [&str; N]) -> Result<[Option<Place<'a>>; N], Problem> {
        let mut fields = [const { None }; N];
        for (key, place) in self.entries()? {
            let slot = known.iter().position(|name| *name == key).and_then(|index| fields.get_mut(index));
            match slot {
                Some(slot) => *slot = Some(place),
                None => return Err(unknown(&place.path, "unknown key", key, &known)),
            }
        }
        Ok(fields)
    }

    /// The items of a list.
    pub(super) fn items(&self) -> Result<Vec<Place<'a>>, Problem> {
        match self.node {
            Node::List(items) => Ok(items
                .iter()
                .enumerate()
                .map(|(index, node)| Place { path: format!("{}[{index}]", self.path), node })
                .collect()),
            _ => Err(self.expected("a list")),
        }
    }

    /// A text that is not empty and holds no NUL.
    pub(super) fn text(&self) -> Result<&'a str, Problem> {
        match self.node {
            Node::Text(text) if text.is_empty() => Err(self.wrong("must not be empty")),
            Node::Text(text) if text.contains('\0') => Err(self.wrong("must not hold a NUL character")),
            Node::Text(text) => Ok(text),
            _ => Err(self.expected("a text")),
        }
    }

    /// True or false.
    pub(super) fn boolean(&self) -> Result<bool, Problem> {
        match self.node {
            Node::Bool(value) => Ok(*value),
            _ => Err(self.expected("true or false")),
        }
    }

    /// A whole number from 0 to `most`.
    pub(super) fn whole(&self, most: u64) -> Result<u64, Problem> {
        self.whole_from(0, most)
    }

    /// A whole number from `least` to `most`.
    pub(super) fn whole_from(&self, least: u64, most: u64) -> Result<u64, Problem> {
        match self.node {
            Node::Whole(value) if (least..=most).contains(value) => Ok(*value),
            _ => Err(self.expected(&format!("a whole number from {least} to {most}"))),
        }
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&self, words: &[(&str, T)]) -> Result<T, Problem> {
        let text = self.text()?;
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        words
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, value)| *value)
            .ok_or_else(|| unknown(&self.path, "unknown value", text, &names))
    }
}

/// A path with one more key; keys that would be unclear are quoted.
pub(super) fn join(path: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "_-*?".contains(c));
    match (path, plain) {
        ("", true) => key.to_owned(),
        (_, true) => format!("{path}.{key}"),
        (_, false) => format!("{path}[{key:?}]"),
    }
}

/// A name nobody knows, with the nearest one that somebody does.
pub(super) fn unknown(path: &str, what: &str, name: &str, known: &[&str]) -> Problem {
    let problem = Problem::new(path, format!("{what} {name:?}"));
    match nearest(name, known) {
        Some(candidate) => problem.hint(format!("did you mean {candidate:?}?")),
        None if known.is_empty() => problem,
        None => problem.hint(format!("known are: {}", known.join(", "))),
    }
}

/// The name that somebody most likely meant; none where all are quite others.
pub(crate) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let length = name.chars().count();
    let most = 1 + length / 4;
    // What differs more than that in length alone is not looked at: a long name and many others would take for ever.
    let near = known.iter().filter(|candidate| candidate.chars().count().abs_diff(length) <= most);
    let (steps, candidate) = near.map(|candidate| (distance(name, candidate), *candidate)).min()?;
    (steps <= most).then_some(candidate)
}

/// How many letters must be changed, added or taken away to turn one word into the other.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, a) in left.to_lowercase().chars().enumerate() {
        let mut next = vec![above + 1];
        for (pair, b) in row.windows(2).zip(&right) {
            let ([diagonal, upper], Some(before)) = (pair, next.last()) else {
                continue;
            };
            next.push((diagonal + usize::from(a != *b)).min(upper + 1).min(before + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

/// Refuses an object that says the same key twice, anywhere in the document.
fn refuse_doubled_keys(place: &Place<'_>) -> Result<(), Problem> {
    match place.node {
        Node::Object(_) => {
            let mut seen = BTreeSet::new();
            for (key, below) in place.entries()? {
                if !seen.insert(key) {
                    return Err(below.wrong("is given twice").hint("keep one of the two"));
                }
                refuse_doubled_keys(&below)?;
            }
        }
        Node::List(_) => {
            for below in place.items()? {
                refuse_doubled_keys(&below)?;
            }
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_look_alike_are_near() {
        for (left, right, steps) in
            [("", "", 0), ("a", "", 1), ("prefer", "perfer", 2), ("Sum", "sum", 0), ("hub", "hug", 1)]
        {
            assert_eq!(distance(left, right), steps, "{left} {right}");
        }
    }

    #[test]
    fn a_name_of_another_length_is_not_compared() {
        let hint = |name: &str| unknown("", "unknown side", name, &["bot", "website"]).hint;
        assert_eq!(hint("websit").as_deref(), Some("did you mean \"website\"?"));
        assert_eq!(hint(&"w".repeat(4 << 20)).as_deref(), Some("known are: bot, website"));
        assert_eq!(unknown("", "unknown side", "a", &[]).hint, None);
    }

    #[test]
    fn paths_stay_readable() {
        for (path, key, joined) in [
            ("", "hub", "hub"),
            ("databases", "users", "databases.users"),
            ("databases", "my.db", "databases[\"my.db\"]"),
            ("tables", "cache_*", "tables.cache_*"),
            ("tables", "", "tables[\"\"]"),
        ] {
            assert_eq!(join(path, key), joined);
        }
    }
}
