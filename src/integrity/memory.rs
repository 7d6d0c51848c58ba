//! What is remembered from check to check: what was read when, and which findings are open.
//!
//! The cron user's lies in the private directory. Whoever may not look there, as a web page, has a memory of its own, which
//! says nothing to the cron user's checks.

use std::collections::BTreeSet;

use super::private::{Kept, Private};
use crate::config::Config;
use crate::durable::{Content, Folder};
use crate::error::Result;
use crate::report::IntegrityFinding;

/// Nothing is larger (bytes).
const MAX_FILE: u64 = 1 << 30;
const SEEN: &str = "integrity.seen";
const OPEN: &str = "integrity.open";
/// What the list of open findings begins with; the number is its version.
const OPEN_FORMAT: &str = "cr0sync-open-findings-1";

/// Where it is remembered.
#[derive(Debug)]
pub(super) enum Memory<'a> {
    Private(&'a Private),
    Own(Folder),
}

impl Memory<'_> {
    /// The memory of this user.
    pub(super) fn of<'a>(config: &Config, private: Option<&'a Private>) -> Result<Memory<'a>> {
        match private {
            Some(private) => Ok(Memory::Private(private)),
            None => {
                let name = format!("integrity-{}", rustix::process::geteuid().as_raw());
                Folder::create(&config.root.join("sync_state").join(name)).map(Memory::Own)
            }
        }
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        match self {
            Memory::Private(private) => private.read(name).map(Kept::bytes),
            Memory::Own(folder) => Ok(match folder.read(name, MAX_FILE)? {
                Content::Bytes(bytes) => Some(bytes),
                Content::Missing | Content::Refused(_) | Content::Other => None,
            }),
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        match self {
            Memory::Private(private) => private.write(name, bytes),
            Memory::Own(folder) => folder.put(name, bytes),
        }
    }

    pub(super) fn seen(&self) -> Result<Option<Vec<u8>>> {
        self.read(SEEN)
    }

    pub(super) fn set_seen(&self, bytes: &[u8]) -> Result<()> {
        self.write(SEEN, bytes)
    }

    /// The findings that are open.
    pub(super) fn open(&self) -> Result<BTreeSet<String>> {
        let text = String::from_utf8(self.read(OPEN)?.unwrap_or_default()).unwrap_or_default();
        let mut lines = text.lines();
        Ok(match lines.next() {
            Some(OPEN_FORMAT) => lines.map(str::to_owned).collect(),
            _ => BTreeSet::new(),
        })
    }

    pub(super) fn set_open(&self, open: &BTreeSet<String>) -> Result<()> {
        let mut text = format!("{OPEN_FORMAT}\n");
        for line in open {
            text.push_str(line);
            text.push('\n');
        }
        self.write(OPEN, text.as_bytes())
    }
}

/// What a finding is known by: the same one does not alert again. Its path comes first, without control characters.
pub(super) fn mark(finding: &IntegrityFinding) -> String {
    let exact = finding.path_b64.as_deref().unwrap_or_default();
    let from = finding.from.as_deref().unwrap_or_default();
    let changes = finding.changes.join(",");
    format!("{}\t{exact}\t{:?}\t{from}\t{changes}", finding.path, finding.kind)
}

/// The path, as it is shown, that such a mark is about.
pub(super) fn path_of(mark: &str) -> &str {
    mark.split('\t').next().unwrap_or_default()
}
