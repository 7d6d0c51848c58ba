//! The baseline as the site's pages read and write it: `file_hashes.json`.
//!
//! Apart from `store` because its shape is theirs. It holds regular files only, and of those only names that are UTF-8: JSON
//! has no others. The rest is in the baseline itself.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use chrono::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::ser::{PrettyFormatter, Serializer};

use super::codec::Baseline;
use super::model::{Entry, Kind, Known, Look, Stamp, Stat, order};
use super::private::{from_hex, hex};
use crate::config::Config;
use crate::durable::{self, Nascent};
use crate::error::{Error, ErrorKind, Result};

#[derive(Serialize)]
struct List<'a> {
    created: String,
    files_count: usize,
    hashes: BTreeMap<&'a str, Hash>,
}

#[derive(Serialize)]
struct Hash {
    sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    md5: Option<String>,
    size: u64,
    modified: i64,
    permissions: String,
    calculated_at: String,
}

/// The list as bytes.
pub(super) fn write(baseline: &Baseline) -> Result<Vec<u8>> {
    let mut hashes = BTreeMap::new();
    for entry in &baseline.entries {
        let (Some(content), Ok(path)) = (&entry.content, std::str::from_utf8(&entry.path)) else { continue };
        let hash = Hash {
            sha256: hex(content),
            md5: entry.md5.map(|md5| hex(&md5)),
            size: entry.stat.size,
            modified: entry.stat.mtime.seconds,
            permissions: format!("{:03o}", entry.stat.mode & 0o777),
            calculated_at: time(entry.read_at.div_euclid(1000)),
        };
        hashes.insert(path, hash);
    }
    pretty(&List { created: time(baseline.created), files_count: hashes.len(), hashes })
}

/// A time as the site's pages write it.
pub(super) fn time(seconds: i64) -> String {
    DateTime::from_timestamp(seconds, 0).unwrap_or_default().format("%Y-%m-%d %H:%M:%S").to_string()
}

/// JSON as PHP indents it.
pub(super) fn pretty(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let formatter = PrettyFormatter::with_indent(b"    ");
    value
        .serialize(&mut Serializer::with_formatter(&mut bytes, formatter))
        .map_err(|cause| Error::new(ErrorKind::Internal, "cannot write JSON").because(cause))?;
    Ok(bytes)
}

/// Puts a file that the site's pages read in its place; its owner and mode stay.
pub(super) fn put(config: &Config, path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(directory) = path.parent() {
        durable::owned_directory(directory, &config.ownership)?;
    }
    let nascent = match fs::symlink_metadata(path) {
        Ok(there) if there.is_file() => Nascent::like(path, "integrity", &there)?,
        _ => Nascent::beside(path, "integrity", &config.ownership)?.0,
    };
    nascent.file().write_all(bytes).map_err(|cause| Error::io("write", path, cause))?;
    nascent.supersede().map(drop)
}

#[derive(Deserialize)]
struct Foreign {
    sha256: String,
    size: u64,
    modified: i64,
    permissions: String,
}

/// Reads a list that the site's pages wrote. What they did not write down is not known.
///
/// # Errors
/// [`ErrorKind::Corrupt`] when it is none.
pub(super) fn read(bytes: &[u8], path: &Path) -> Result<Vec<Entry>> {
    let wrong = |what: String| {
        Error::new(ErrorKind::Corrupt, format!("it is no list of hashes, {what}:"))
            .at(path)
            .hint("name a file_hashes.json that the site's pages wrote")
    };
    let mut value: Value = serde_json::from_slice(bytes).map_err(|cause| wrong(cause.to_string()))?;
    let members = match value.get_mut("hashes").map(Value::take) {
        Some(Value::Object(members)) => members,
        // PHP writes an empty list so.
        Some(Value::Array(items)) if items.is_empty() => serde_json::Map::new(),
        _ => return Err(wrong("it has no member \"hashes\"".to_owned())),
    };
    let mut entries = Vec::with_capacity(members.len());
    for (name, hash) in members {
        let hash: Foreign =
            serde_json::from_value(hash).map_err(|cause| wrong(format!("at {name}: {cause}")))?;
        let mode = u32::from_str_radix(&hash.permissions, 8).ok().filter(|mode| *mode <= 0o7777);
        let (Some(mode), Some(content)) = (mode, from_hex(&hash.sha256)) else {
            return Err(wrong(format!("at {name}")));
        };
        entries.push(entry(name.into_bytes(), mode, content, &hash));
    }
    entries.sort_by(|left, right| order(&left.path, &right.path));
    Ok(entries)
}

fn entry(path: Vec<u8>, mode: u32, content: [u8; 32], hash: &Foreign) -> Entry {
    let stat = Stat {
        kind: Kind::File,
        mode,
        uid: 0,
        gid: 0,
        nlink: 0,
        inode: 0,
        size: hash.size,
        mtime: Stamp { seconds: hash.modified, nanos: 0 },
        ctime: Stamp::default(),
        is_mount: false,
        device: 0,
    };
    Entry {
        path,
        stat,
        look: Look::Whole,
        known: Known::Legacy,
        target: None,
        content: Some(content),
        md5: None,
        xattrs: None,
        read_at: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::codec::tests::file;
    use super::*;

    #[test]
    fn the_list_has_the_shape_of_the_site() {
        let mut odd = file("/w/\u{e9}\n", 2);
        odd.md5 = Some([0x0a; 16]);
        let mut bytes = file("/w/x", 3);
        bytes.path.push(0xff);
        let mut directory = file("/w", 4);
        directory.content = None;
        let entries = vec![directory, file("/w/a.php", 1), odd, bytes];
        let baseline = Baseline { generation: 1, created: 0, previous: [0; 32], scope: [0; 32], entries };
        let text = String::from_utf8(write(&baseline).unwrap()).unwrap();
        let hash = "07".repeat(32);
        let expected = format!(
            r#"{{
    "created": "1970-01-01 00:00:00",
    "files_count": 2,
    "hashes": {{
        "/w/a.php": {{
            "sha256": "{hash}",
            "size": 10,
            "modified": 1700000000,
            "permissions": "644",
            "calculated_at": "2023-11-14 22:30:00"
        }},
        "/w/é\n": {{
            "sha256": "{hash}",
            "md5": "{}",
            "size": 10,
            "modified": 1700000000,
            "permissions": "644",
            "calculated_at": "2023-11-14 22:30:00"
        }}
    }}
}}"#,
            "0a".repeat(16)
        );
        assert_eq!(text, expected);
        let back = read(text.as_bytes(), Path::new("x")).unwrap();
        assert_eq!(back.len(), 2);
        assert_eq!((back[0].stat.size, back[0].stat.mode, back[0].content), (10, 0o644, Some([7; 32])));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in [
            "",
            "[]",
            "{}",
            "{\"hashes\": 1}",
            "{\"hashes\": {\"/a\": {}}}",
            "{\"hashes\": {\"/a\": {\"sha256\": \"x\", \"size\": 1, \"modified\": 1, \"permissions\": \"644\"}}}",
        ] {
            assert_eq!(
                read(text.as_bytes(), Path::new("x")).unwrap_err().kind(),
                ErrorKind::Corrupt,
                "{text}"
            );
        }
        assert_eq!(read(b"{\"hashes\": []}", Path::new("x")).unwrap(), []);
    }
}
