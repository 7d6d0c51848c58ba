//! Reports as PHP values, and arrays of PHP as JSON.
//!
//! Objects and lists both become arrays, as `json_decode` makes them; integers stay integers, real numbers real ones.
//! What comes back is only turned into JSON here; what it means is for the library to say.

use ext_php_rs::error::Result;
use ext_php_rs::types::{ZendHashTable, Zval};
use serde_json::{Map, Value as Json};

use crate::engine;

/// An array as JSON, a list where its keys are those of one; `None` when it holds an object, a real number, text that
/// is not UTF-8, or arrays deeper than that.
pub(crate) fn json(array: &ZendHashTable, depth: usize) -> Option<Json> {
    walk::<Exact>(array, depth)
}

/// An array as JSON, whatever is in it: text that is not UTF-8 with a mark in the place of what is not, and what JSON has
/// nothing for in a word; objects as `json_encode` writes them. For what must never fail, as it is said by somebody else.
pub(crate) fn lossy(array: &ZendHashTable, depth: usize) -> Json {
    walk::<Lossy>(array, depth).unwrap_or_default()
}

/// The keys and values of an array, whatever bytes its keys have: the engine's wrapper has others only of those in UTF-8.
pub(crate) fn entries(array: &ZendHashTable) -> impl Iterator<Item = (Zval, &Zval)> {
    let mut iterator = array.iter();
    std::iter::from_fn(move || iterator.next_zval())
}

/// Whether the keys of an array are those of a list: 0, 1, 2 and so on.
pub(crate) fn is_list(array: &ZendHashTable) -> bool {
    (0..).zip(entries(array)).all(|(number, (key, _))| key.long() == Some(number))
}

/// Whether the texts of an array are UTF-8, without those in arrays in it.
pub(crate) fn is_utf8(array: &ZendHashTable) -> bool {
    entries(array).all(|(_, value)| {
        value.dereference().zend_str().is_none_or(|text| std::str::from_utf8(text.as_bytes()).is_ok())
    })
}

/// What becomes of what JSON has no form for; `None` gives all of it up.
trait Reading {
    /// What an array without elements is, of which nobody can say whether it is a list.
    const EMPTY: fn() -> Json;

    fn text(bytes: &[u8]) -> Option<String>;

    fn real(number: f64) -> Option<Json>;

    /// An object, or what else PHP has.
    fn other(value: &Zval) -> Option<Json>;

    /// An array that lies too deep.
    fn deeper() -> Option<Json>;
}

/// Nothing is lost.
struct Exact;

impl Reading for Exact {
    const EMPTY: fn() -> Json = || Json::Array(Vec::new());

    fn text(bytes: &[u8]) -> Option<String> {
        String::from_utf8(bytes.to_vec()).ok()
    }

    fn real(_: f64) -> Option<Json> {
        None
    }

    fn other(_: &Zval) -> Option<Json> {
        None
    }

    fn deeper() -> Option<Json> {
        None
    }
}

/// Nothing is given up.
struct Lossy;

impl Reading for Lossy {
    const EMPTY: fn() -> Json = || Json::Object(Map::new());

    fn text(bytes: &[u8]) -> Option<String> {
        Some(String::from_utf8_lossy(bytes).into_owned())
    }

    fn real(number: f64) -> Option<Json> {
        Some(serde_json::Number::from_f64(number).map_or_else(|| number.to_string().into(), Json::Number))
    }

    fn other(value: &Zval) -> Option<Json> {
        let Some(class) = engine::class_name(value) else { return Some("(resource)".into()) };
        let text = engine::object_as_json(value);
        let document = text.and_then(|text| serde_json::from_slice(&text).ok());
        Some(document.unwrap_or_else(|| format!("(object of {class})").into()))
    }

    fn deeper() -> Option<Json> {
        Some("(left out)".into())
    }
}

fn walk<R: Reading>(array: &ZendHashTable, depth: usize) -> Option<Json> {
    let Some(depth) = depth.checked_sub(1) else { return R::deeper() };
    if array.is_empty() {
        return Some(R::EMPTY());
    }
    if is_list(array) {
        return entries(array)
            .map(|(_, value)| member::<R>(value, depth))
            .collect::<Option<Vec<Json>>>()
            .map(Json::Array);
    }
    let mut map = Map::new();
    for (name, value) in entries(array) {
        let name = match name.zend_str() {
            Some(name) => R::text(name.as_bytes())?,
            None => name.long().unwrap_or_default().to_string(),
        };
        map.insert(name, member::<R>(value, depth)?);
    }
    Some(Json::Object(map))
}

fn member<R: Reading>(value: &Zval, depth: usize) -> Option<Json> {
    let value = value.dereference();
    if value.is_null() {
        Some(Json::Null)
    } else if let Some(flag) = value.bool() {
        Some(Json::Bool(flag))
    } else if let Some(integer) = value.long() {
        Some(integer.into())
    } else if let Some(number) = value.double() {
        R::real(number)
    } else if let Some(text) = value.zend_str() {
        R::text(text.as_bytes()).map(Json::String)
    } else {
        value.array().map_or_else(|| R::other(value), |array| walk::<R>(array, depth))
    }
}

/// A document as a PHP value.
///
/// # Errors
/// When the engine refuses a value.
pub(crate) fn zval(json: &Json) -> Result<Zval> {
    let mut zval = Zval::new();
    match json {
        Json::Null => zval.set_null(),
        Json::Bool(flag) => zval.set_bool(*flag),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => zval.set_long(integer),
            // What is left are real numbers, and counts that no real file reaches.
            None => zval.set_double(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => zval.set_string(text, false)?,
        Json::Array(list) => {
            let mut table = ZendHashTable::new();
            for value in list {
                table.push(self::zval(value)?)?;
            }
            zval.set_hashtable(table);
        }
        Json::Object(map) => {
            let mut table = ZendHashTable::new();
            for (key, value) in map {
                table.insert(key.as_str(), self::zval(value)?)?;
            }
            zval.set_hashtable(table);
        }
    }
    Ok(zval)
}
