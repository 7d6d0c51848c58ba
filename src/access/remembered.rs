//! A third copy of what is withdrawn, where only the cron user may write; and who was taken off record, as far as anything
//! says so.
//!
//! Apart from `withdrawn`, whose two copies count at every call: both lie where pages write, so a page may remove them, with what
//! says that they were there. This one brings back whom they had.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::grant::Digest;
use super::ledger::{Copied, Entries};
use super::shelf::{self, Kind, State};
use super::withdrawn;
use crate::config::Config;
use crate::durable::Reading;
use crate::events::{self, Filter};
use crate::hex::hex;
use crate::integrity::{Kept, Private};

/// So many events are looked through.
const MOST: usize = 10_000;
/// So much of a digest stands for a key that the site's file does not have (digits).
const SHORT: usize = 16;

/// The copy of a user who may look.
pub(super) struct Remembered {
    private: Private,
    name: &'static str,
    entries: Entries,
}

impl Remembered {
    /// None for everybody else, and where a newer version wrote it.
    pub(super) fn look(config: &Config, kind: Kind) -> Option<Remembered> {
        let private = Private::look(config)?;
        let name = match kind {
            Kind::Keys => "withdrawn.keys",
            Kind::Sessions => "withdrawn.sessions",
        };
        let mut entries = Entries::new();
        // One that is damaged, or that others could have written, is written anew; the check tells of the latter.
        if let Kept::Bytes(bytes) = private.read(name).ok()? {
            match Copied::of(Reading::of(&bytes)) {
                Copied::Newer(_) => return None,
                copy => copy.add_to(&mut entries),
            }
        }
        Some(Remembered { private, name, entries })
    }

    /// Those in it that others lack, and that somebody could bring back.
    pub(super) fn lacking(&self, others: &Entries, now: i64) -> Entries {
        let is_lacking = |digest, entry| !others.contains_key(digest) && !withdrawn::is_over(entry, now);
        let all = self.entries.iter().filter(|(digest, entry)| is_lacking(*digest, *entry));
        all.map(|(digest, entry)| (*digest, *entry)).collect()
    }

    /// Has it say what the two copies say. Says what went wrong.
    pub(super) fn keep(&self, text: &str) -> Option<String> {
        let is_same =
            matches!(self.private.read(self.name), Ok(Kept::Bytes(bytes)) if bytes == text.as_bytes());
        let put = if is_same { Ok(()) } else { self.private.write(self.name, text.as_bytes()) };
        put.err().map(|error| {
            format!("what was revoked is not kept in the private directory: {}", error.in_words())
        })
    }
}

/// What they are called, or the beginning of their digests.
pub(super) fn ids(config: &Config, kind: Kind, entries: &Entries) -> Vec<String> {
    let mut called = BTreeMap::new();
    // Where that cannot be read, digests say who they are.
    let _ = shelf::ask(config, kind, |state| {
        if let State::Known(known) = state {
            called.extend(known.index.each().map(|(digest, record)| (*digest, record.id.clone())));
        }
    });
    let short = |digest: &Digest| hex(digest).chars().take(SHORT).collect::<String>();
    let id =
        |digest: &Digest| called.remove(digest).unwrap_or_else(|| format!("SHA-256 {}...", short(digest)));
    entries.keys().map(id).collect()
}

/// The keys that the event log calls revoked, and that are on record no longer.
pub(super) fn forgotten(config: &Config, kind: Kind, entries: &Entries) -> Vec<String> {
    if kind != Kind::Keys {
        return Vec::new();
    }
    let filter = Filter { kinds: vec!["API_KEY_REVOKED".to_owned()], limit: MOST, ..Filter::default() };
    let Ok(found) = events::query(config, &filter) else { return Vec::new() };
    let id = |event: &serde_json::Map<String, Value>| {
        event.get("details").and_then(|details| details.get("id")).and_then(Value::as_str).map(str::to_owned)
    };
    let mut revoked: BTreeSet<String> = found.events.iter().filter_map(id).collect();
    for known in ids(config, kind, entries) {
        revoked.remove(&known);
    }
    revoked.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;
    use crate::access::{Permission, keys, sessions};
    use crate::report::KeyIssued;

    type Outcome<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

    /// A key that was revoked, after which the file from before that was put back.
    struct Revoked {
        config: Config,
        key: KeyIssued,
        /// The two copies, and what says that they were there.
        files: [PathBuf; 3],
        _directory: tempfile::TempDir,
    }

    impl Revoked {
        fn new(prepare: fn(&Config) -> Outcome) -> Outcome<Revoked> {
            let directory = tempfile::tempdir()?;
            let config = Config::parse(br#"{"version": 1}"#, directory.path(), None)?;
            prepare(&config)?;
            let request = keys::Request {
                user_id: "7".to_owned(),
                name: "a bot".to_owned(),
                permissions: vec![Permission::Read],
                expires_in: None,
            };
            let key = keys::issue(&config, &request)?;
            let stale = fs::read(&config.access.keys)?;
            keys::revoke(&config, &key.id)?;
            fs::write(&config.access.keys, stale)?;
            let files = [
                config.root.join("sync_state/access/keys"),
                PathBuf::from(format!("{}.withdrawn", config.access.keys.display())),
                PathBuf::from(format!("{}.keys-withdrawn", config.events.log.display())),
            ];
            Ok(Revoked { config, key, files, _directory: directory })
        }

        fn said(&self) -> Outcome<&'static str> {
            let said = keys::verify(&self.config, self.key.key.as_bytes(), Permission::Read)?;
            Ok(said.reason.unwrap_or("granted"))
        }

        fn events(&self, kind: &str) -> Outcome<Vec<String>> {
            let text = fs::read_to_string(&self.config.events.log)?;
            Ok(text.lines().filter(|line| line.contains(kind)).map(str::to_owned).collect())
        }
    }

    fn with_cron(config: &Config) -> Outcome {
        Private::create(config)?;
        Ok(())
    }

    #[test]
    fn who_was_taken_off_record_everywhere_is_put_back_by_the_cron_user() -> Outcome {
        let world = Revoked::new(with_cron)?;
        for _ in 0..2 {
            world.files.iter().try_for_each(fs::remove_file)?;
            // At the first call of this user that changes something, at the latest.
            let _ = sessions::cleanup(&world.config)?;
            assert_eq!(world.said()?, "revoked");
        }
        let told = world.events("WITHDRAWN_PUT_BACK")?;
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(
            told.iter().all(|line| line.contains(&world.key.id) && line.contains("CRITICAL")),
            "{told:?}"
        );
        assert!(sessions::cleanup(&world.config)?.ok, "it is told once");
        Ok(())
    }

    #[test]
    fn who_has_it_begin_anew_brings_back_nobody_whom_the_cron_user_knows_and_all_others_are_named() -> Outcome
    {
        for (prepare, expected, put_back, forgotten) in
            [(with_cron as fn(&Config) -> Outcome, "revoked", 1, false), (|_| Ok(()), "granted", 0, true)]
        {
            let world = Revoked::new(prepare)?;
            fs::remove_file(&world.files[0])?;
            fs::write(&world.files[1], "[\"begin anew\"]\n")?;
            let _ = world.said()?;
            assert_eq!(world.said()?, expected);
            assert_eq!(world.events("WITHDRAWN_PUT_BACK")?.len(), put_back);
            let told = world.events("WITHDRAWN_BEGUN_ANEW")?;
            let [line] = told.as_slice() else { return Err(format!("{told:?}").into()) };
            assert_eq!(line.contains(&world.key.id), forgotten, "{line}");
            assert!(line.contains("CRITICAL"), "{line}");
        }
        Ok(())
    }
}
