//! Puts a baseline in place: as the cron user's copy, and where everybody reads it; and puts the latter right where others made
//! something else of it.
//!
//! Invariant: what the cron user's copy says counts as soon as it is written, and nothing before that. Everything else is made
//! from it, and what was accepted last is remembered at the end. So whoever dies in between leaves the last baseline, or one
//! that follows it and that the next check finishes; and whoever dies before that check is followed by one that remembers first
//! what it follows. What cannot be written for everybody is said, and undoes nothing.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::codec::{self, Baseline};
use super::export;
use super::model::Digest;
use super::private::{Head, Key, Private};
use super::published::{self, PUBLIC_KEY};
use super::scope::Scope;
use super::store::{BASELINE, COPY, Loaded, SCOPE, State, place};
use crate::config::Config;
use crate::durable::{self, Folder};
use crate::error::{Error, Result};

/// What became of a baseline that counts.
#[derive(Debug)]
pub(super) struct Saved {
    pub(super) digest: Digest,
    /// What could not be written for everybody, in words.
    pub(super) unwritten: Vec<String>,
}

/// Signs a baseline and puts it in place, with its export.
///
/// # Errors
/// When the cron user's copy cannot be written: then the last baseline is as it was.
pub(super) fn save(
    config: &Config,
    private: &Private,
    key: &Key,
    scope: &Scope,
    baseline: &Baseline,
) -> Result<Saved> {
    let all = Signed::of(key, baseline)?;
    let head = private.head()?.ok().flatten();
    let generation = baseline.generation.saturating_sub(1);
    if let Some(head) = head.as_ref().filter(|head| head.digest != baseline.previous) {
        private.set_head(&Head { generation, digest: baseline.previous, export: head.export })?;
    }
    private.write(COPY, &all.bytes).map_err(|error| in_the_way(&private.path().join(COPY), error))?;
    let mut unwritten = all.publish(config, scope, baseline);
    match private.set_head(&all.head(baseline)) {
        Ok(()) => {}
        // Nothing says what the first one would follow.
        Err(error) if head.is_none() => return Err(error),
        Err(error) => unwritten
            .push(format!("it counts, and the next check writes down that it does: {}", error.in_words())),
    }
    Ok(Saved { digest: all.digest, unwritten })
}

/// Writes again what is not what was written, of what nobody but us writes; what there is to say of that.
///
/// The list of hashes stays: pages may have written a new one, which somebody wants to import.
pub(super) fn mend(config: &Config, scope: &Scope, loaded: &Loaded) -> Vec<String> {
    mended(config, scope, loaded)
        .unwrap_or_else(|error| vec![format!("could not write the baseline again: {}", error.in_words())])
}

fn mended(config: &Config, scope: &Scope, loaded: &Loaded) -> Result<Vec<String>> {
    let place = place(config);
    let (baseline, key) = (place.join(BASELINE), place.join(PUBLIC_KEY));
    let has = |path: &Path| loaded.flaws.iter().any(|flaw| flaw.path == path);
    let (has_baseline, has_key) = (has(&baseline), has(&key));
    if loaded.state == State::Whole && !has_baseline && !has_key {
        return Ok(Vec::new());
    }
    let Some(private) = &loaded.private else { return Ok(Vec::new()) };
    let Some(signing) = private.key()? else { return Ok(Vec::new()) };
    let all = Signed::of(&signing, &loaded.baseline)?;
    let mut said = Vec::new();
    if loaded.state != State::Whole {
        private.write(COPY, &all.bytes).map_err(|error| in_the_way(&private.path().join(COPY), error))?;
    }
    if loaded.state == State::Unfinished {
        let number = loaded.baseline.generation;
        said.push(format!(
            "whoever made the last baseline, number {number}, was ended before all of it was written; it is written now"
        ));
        said.extend(all.publish(config, scope, &loaded.baseline));
        private.set_head(&all.head(&loaded.baseline))?;
        return Ok(said);
    }
    let mut again = |path: &Path, name: &str, bytes: &[u8]| match put(config, name, bytes) {
        Ok(()) => said.push(format!("{} was written again, as it should be", path.display())),
        Err(error) => said.push(unwritten(path, error, AGAIN)),
    };
    if has_baseline {
        again(&baseline, BASELINE, &all.bytes);
    }
    if has_key {
        again(&key, PUBLIC_KEY, &all.public);
    }
    Ok(said)
}

const AGAIN: &str = "the next check tries again";

/// All that is written of a baseline.
struct Signed {
    /// The baseline with its signature.
    bytes: Vec<u8>,
    digest: Digest,
    public: Vec<u8>,
    list: Vec<u8>,
    signature: Vec<u8>,
}

impl Signed {
    fn of(key: &Key, baseline: &Baseline) -> Result<Signed> {
        let mut bytes = codec::encode(baseline);
        let digest = codec::digest(&bytes);
        bytes.extend_from_slice(&key.sign(&digest));
        let list = export::write(baseline)?;
        let line = |bytes: &[u8]| format!("{}\n", STANDARD.encode(bytes)).into_bytes();
        let signature = line(&key.sign_plain(&list));
        Ok(Signed { bytes, digest, public: line(&key.public()), list, signature })
    }

    fn head(&self, baseline: &Baseline) -> Head {
        let export = published::export_digest(&Sha256::digest(&self.list).into(), &self.signature);
        Head { generation: baseline.generation, digest: self.digest, export }
    }

    /// Writes it for everybody; what could not be written, in words.
    fn publish(&self, config: &Config, scope: &Scope, baseline: &Baseline) -> Vec<String> {
        let place = place(config);
        let mut said = Vec::new();
        let mut note = |path: PathBuf, done: Result<()>, next: &str| {
            said.extend(done.err().map(|error| unwritten(&path, error, next)));
        };
        note(place.join(PUBLIC_KEY), put(config, PUBLIC_KEY, &self.public), AGAIN);
        note(place.join(BASELINE), put(config, BASELINE, &self.bytes), AGAIN);
        if scope.digest() == baseline.scope {
            note(place.join(SCOPE), put(config, SCOPE, &scope.text()), "it only says what else was watched");
        }
        let list = &config.integrity.baseline;
        let next = format!("then write it with accept {}", list.display());
        note(list.clone(), export::put(config, list, &self.list), &next);
        let beside = published::signature_path(config);
        note(beside.clone(), export::put(config, &beside, &self.signature), &next);
        said
    }
}

fn put(config: &Config, name: &str, bytes: &[u8]) -> Result<()> {
    durable::state_directory(&config.root.join("sync_state"), &config.ownership)?;
    Folder::create_for_readers(&place(config))?.put(name, bytes)
}

fn unwritten(path: &Path, error: Error, next: &str) -> String {
    format!("{} could not be written: {}; {next}", path.display(), in_the_way(path, error).in_words())
}

/// An error with what to do where a directory has the name of a file of ours.
fn in_the_way(path: &Path, error: Error) -> Error {
    if is_in_the_way(path) { error.hint("a directory lies there: move it away") } else { error }
}

/// Whether a directory has that name.
pub(super) fn is_in_the_way(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
}
