//! What the fuzzers drive: one function for each reader of bytes that somebody else may have written or broken.
//!
//! It lies with the other tests and is compiled into the library, since most of what it drives is private; a build
//! without `--cfg fuzzing` has nothing of it. No reader may panic, overflow, hang or ask for more memory than its bytes
//! are worth, and what has a writer too must read what it wrote. Whatever breaks that is kept below `tests/fuzz/found`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a fuzz target fails by panicking"
)]

mod files;
mod input;
mod record;
mod schema;
mod seeds;
mod state;
mod trees;

use std::path::Path;

use serde_json::Value as Json;

use crate::Config;

use super::queue::finished;
use super::queue::request::Filed;
use super::{log, page};

pub use files::files;
pub use record::record;
pub use schema::schema;
pub use seeds::seeds;
pub use state::state;
pub use trees::trees;

/// A page of a database, and the header of a wal-index: `page` and `log`.
pub fn page(bytes: &[u8]) {
    let cells = page::cells(bytes);
    assert!(cells.len() <= usize::from(u16::MAX));
    assert!(cells.iter().map(|cell| cell.record.len()).sum::<usize>() <= bytes.len());
    for cell in &cells {
        assert!(cell.record.len() <= page::inline_at_most(bytes.len()), "{cell:?}");
    }
    if let Some((number, next)) = page::varint(bytes, 0) {
        assert!((1..=9).contains(&next));
        // Lengths are what is written here: below eight bytes of seven bits.
        if let Some(length) = usize::try_from(number).ok().filter(|length| *length < 1 << 56) {
            let mut written = Vec::new();
            page::put_varint(&mut written, length);
            assert_eq!(page::varint(&written, 0), Some((number, written.len())));
        }
    }
    if let Some(header) = log::parse(bytes) {
        assert!(matches!(header.page_size, 0 | 512..=65_536), "{header:?}");
    }
    // Two copies that are equal, as they nearly always are.
    if let Some(half) = bytes.get(..48) {
        let header = log::parse(&half.repeat(2));
        assert!(header.is_none_or(|header| header.page_size.count_ones() <= 1), "{header:?}");
    }
}

/// The configuration file.
pub fn config(bytes: &[u8]) {
    let read =
        |bytes: &[u8]| Config::parse(bytes, Path::new("/srv"), Some(Path::new("/etc/cr0/cr0sync.json")));
    let config = match read(bytes) {
        Ok(config) => config,
        Err(error) => {
            // It is shown to a person.
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let written = config.to_json().to_string();
    assert_eq!(read(written.as_bytes()).expect("what was written is read"), config);
    for (name, database) in &config.databases {
        assert_eq!(database.ranked_sides(&config.hub).len(), database.replicas.len());
        for (pattern, policy) in &database.tables {
            let found = database.table_policy(name, pattern);
            assert!(pattern.contains(['*', '?']) || found == *policy, "a name fits itself first");
        }
    }
}

/// The files of requests that web pages made, and of what came of them.
pub fn request(bytes: &[u8]) {
    const ID: &str = "20250714T093102000000000Z-0123456789abcdef";
    if let Ok(filed) = Filed::parse(bytes, ID) {
        // Times are written to the millisecond, so it is what was written that must not change.
        let written = Json::Object(filed.to_json()).to_string();
        let again = Filed::parse(written.as_bytes(), ID).expect("what was written is read");
        assert_eq!(again.request, filed.request);
        let begun = Json::Object(again.begun(7)).to_string();
        assert_eq!(Filed::parse_begun(begun.as_bytes(), ID).expect("what was begun is read"), (again, 7));
    }
    let _ = Filed::parse_begun(bytes, ID);
    let _ = finished(bytes, ID);
}
