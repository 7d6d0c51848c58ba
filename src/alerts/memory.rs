//! What was told: a file in the directory of the cron user alone, `sync_state/private/alerts`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::integrity::{Kept, Private};

/// Its name there.
const FILE: &str = "alerts";
/// What it is; the number is its version.
const FORMAT: &str = "cr0sync-alerts-1";

/// What was handed out and is not told yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Offered {
    pub(super) token: String,
    pub(super) at: i64,
    pub(super) names: Vec<String>,
    /// Whether that was all there was.
    #[serde(default = "yes")]
    pub(super) whole: bool,
}

/// What an older version handed out counted for all.
fn yes() -> bool {
    true
}

/// What is known; times in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    format: String,
    /// Everything up to here was told.
    pub(super) asked: Option<i64>,
    /// What of the time since was told, too.
    pub(super) told: BTreeSet<String>,
    /// When something was delivered.
    pub(super) sent: Vec<i64>,
    pub(super) offered: Option<Offered>,
}

impl Known {
    fn nothing() -> Known {
        Known {
            format: FORMAT.to_owned(),
            asked: None,
            told: BTreeSet::new(),
            sent: Vec::new(),
            offered: None,
        }
    }
}

/// It, and where it lies.
#[derive(Debug)]
pub(super) struct Memory {
    private: Private,
    before: Option<Known>,
    pub(super) known: Known,
}

/// What is known, for who may look and changes nothing; nothing where that cannot be believed.
pub(super) fn look(config: &Config) -> Option<Known> {
    let known: Known = serde_json::from_slice(&Private::look(config)?.read(FILE).ok()?.bytes()?).ok()?;
    (known.format == FORMAT).then_some(known)
}

impl Memory {
    /// Reads it. What cannot be believed counts for nothing, and the second is why: then events are told again.
    pub(super) fn open(config: &Config) -> Result<(Memory, Option<String>)> {
        let private = Private::create(config)?;
        let path = config.root.join("sync_state").join("private").join(FILE);
        let doubt = |why: &str| {
            format!("what was told is not believed, as {why}, and is told again: {}", path.display())
        };
        let (known, doubt) = match private.read(FILE)? {
            Kept::Missing => (None, None),
            Kept::Refused(why) => (None, Some(doubt(&why))),
            Kept::Bytes(bytes) => match serde_json::from_slice::<Known>(&bytes) {
                Ok(known) if known.format == FORMAT => (Some(known), None),
                Ok(known) => {
                    let message = format!("cannot read what was told, of the format {:?}:", known.format);
                    return Err(Error::new(ErrorKind::Corrupt, message)
                        .at(path)
                        .hint("install a newer cr0sync"));
                }
                Err(_) => (None, Some(doubt("it is damaged"))),
            },
        };
        let before = known.clone();
        Ok((Memory { private, before, known: known.unwrap_or_else(Known::nothing) }, doubt))
    }

    /// Writes it down, unless nothing but the time is new.
    pub(super) fn write(&self) -> Result<()> {
        let is_known = |before: &Known| {
            let asked = before.asked.zip(self.known.asked);
            let is_near = asked.is_some_and(|(before, now)| (0..600).contains(&now.saturating_sub(before)));
            is_near && Known { asked: self.known.asked, ..before.clone() } == self.known
        };
        if self.before.as_ref().is_some_and(is_known) {
            return Ok(());
        }
        let text = serde_json::to_vec(&self.known).map_err(|cause| {
            Error::new(ErrorKind::Internal, "cannot write down what was told").because(cause)
        })?;
        self.private.write(FILE, &text)
    }
}
