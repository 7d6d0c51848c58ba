//! Reports as PHP values.
//!
//! Objects and lists both become arrays, as `json_decode` makes them; integers stay integers, real numbers real ones.
//! Nothing is read back from PHP here.

use ext_php_rs::error::Result;
use ext_php_rs::types::{ZendHashTable, Zval};
use serde_json::Value as Json;

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
