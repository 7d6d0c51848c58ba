//! The baseline on disk: what of it can be believed, and how a new one is put in place.
//!
//! It lies in `sync_state/integrity/`, where the website may write, so it is believed for its signature only. What the last
//! one was, is remembered in the private directory: an older one that is put back has a good signature and is still found.
//! A baseline that is bad is told and never made anew by itself.
//!
//! Invariant: whatever a crash leaves is either the last baseline or one that follows it. The baseline is put in place
//! first, then its export, then it is remembered.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::codec::{self, Baseline, Flaw};
use super::compare;
use super::export;
use super::model::Digest;
use super::private::{self, Absent, HEAD, Head, KEY, Key, Private};
use super::published::{self, PUBLIC_KEY, export_flaws, public_flaw, public_key};
use super::scope::Scope;
use crate::config::Config;
use crate::durable::{self, Content, Folder, Stamp};
use crate::error::{Error, ErrorKind, Result};
use crate::report::{FindingKind, IntegrityFinding};

/// A larger baseline, or export of one, is none (bytes).
const MAX_FILE: u64 = 1 << 30;
pub(super) const BASELINE: &str = "baseline";
/// What was watched when it was made, which it knows the digest of.
const SCOPE: &str = "scope";

/// A baseline that can be believed.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) baseline: Arc<Baseline>,
    pub(super) digest: Digest,
    /// None for users who may not look there; they take the public key that lies beside the baseline.
    pub(super) private: Option<Private>,
    /// Whether others may know the key.
    pub(super) exposed: Secrecy,
    /// What is wrong with its export and with what lies beside the key.
    pub(super) flaws: Vec<Broken>,
}

/// Something that cannot be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) path: PathBuf,
    pub(super) reason: String,
    pub(super) is_missing: bool,
}

impl Broken {
    pub(super) fn new(path: &Path, reason: impl Into<String>) -> Broken {
        Broken { path: path.to_path_buf(), reason: reason.into(), is_missing: false }
    }

    pub(super) fn missing(path: &Path, reason: impl Into<String>) -> Broken {
        Broken { is_missing: true, ..Broken::new(path, reason) }
    }

    /// As a finding.
    pub(super) fn finding(&self) -> IntegrityFinding {
        let path = self.path.as_os_str().as_bytes();
        let change = if self.is_missing { "missing" } else { "untrusted" };
        compare::finding(
            FindingKind::Baseline,
            path,
            None,
            vec![change.to_owned()],
            Some(self.reason.clone()),
        )
    }
}

/// Where the website may look.
pub(super) fn place(config: &Config) -> PathBuf {
    config.root.join("sync_state").join("integrity")
}

/// The last baseline that was believed, so that whoever checks again and again need not read it each time.
///
/// It is in memory since it was verified, so that nobody changes it. Which baseline is the last one is asked each time; the
/// file itself is read again when it, or the list beside it, does not look as it did.
#[derive(Debug, Default)]
pub(super) struct Cache(Option<Cached>);

#[derive(Debug)]
struct Cached {
    stamps: Option<[Stamp; 3]>,
    public: [u8; 32],
    head: Option<Head>,
    baseline: Arc<Baseline>,
    digest: Digest,
    /// What is wrong with its export.
    flaws: Vec<Broken>,
}

/// How the baseline, its list and the signature of that look; none while a change of them need not show.
fn stamps(config: &Config) -> Option<[Stamp; 3]> {
    let look = |path: &Path| Stamp::look(path).and_then(|(stamp, is_certain)| is_certain.then_some(stamp));
    let list = &config.integrity.baseline;
    Some([look(&place(config).join(BASELINE))?, look(list)?, look(&published::signature_path(config))?])
}

/// Reads the baseline.
///
/// # Errors
/// When the disk fails. That it cannot be believed is a value.
pub(super) fn load(config: &Config) -> Result<std::result::Result<Loaded, Broken>> {
    load_again(config, &mut Cache::default())
}

/// The same, for whoever has read it before.
pub(super) fn load_again(config: &Config, cache: &mut Cache) -> Result<std::result::Result<Loaded, Broken>> {
    let directory = place(config);
    let folder = match Folder::open(&directory) {
        Ok(folder) => folder,
        Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Access) => {
            return Ok(Err(Broken::new(&directory, error.to_string())));
        }
        Err(error) => return Err(error),
    };
    let Trust { private, public, head, exposed, mut flaws } = match trust(config, folder.as_ref())? {
        Ok(trust) => trust,
        Err(broken) => return Ok(Err(broken)),
    };
    let stamps = stamps(config);
    let is_same = |cached: &Cached| {
        stamps.is_some() && cached.stamps == stamps && cached.public == public && cached.head == head
    };
    let cached = match cache.0.take().filter(is_same) {
        Some(cached) => cached,
        None => {
            let signer = if private.is_some() { Signer::Ours } else { Signer::Published };
            let (baseline, digest) = match read(&directory, folder.as_ref(), &public, signer, head.as_ref())?
            {
                Ok((baseline, digest)) => (Arc::new(baseline), digest),
                Err(broken) => return Ok(Err(broken)),
            };
            let flaws = export_flaws(config, &public, head.as_ref())?;
            Cached { stamps, public, head, baseline, digest, flaws }
        }
    };
    if private.is_some() {
        if let Err(reason) = follows(&cached.baseline, &cached.digest, cached.head.as_ref(), exposed) {
            return Ok(Err(Broken::new(&directory.join(BASELINE), reason)));
        }
    }
    flaws.extend(cached.flaws.iter().cloned());
    let (baseline, digest) = (Arc::clone(&cached.baseline), cached.digest);
    cache.0 = Some(cached);
    Ok(Ok(Loaded { baseline, digest, private, exposed, flaws }))
}

/// Reads it and verifies its signature.
fn read(
    directory: &Path,
    folder: Option<&Folder>,
    public: &[u8; 32],
    signer: Signer,
    head: Option<&Head>,
) -> Result<std::result::Result<(Baseline, Digest), Broken>> {
    let path = directory.join(BASELINE);
    Ok(match folder.map_or(Ok(Content::Missing), |folder| folder.read(BASELINE, MAX_FILE))? {
        Content::Bytes(bytes) => {
            verified(&bytes, public, signer).map_err(|reason| Broken::new(&path, reason))
        }
        Content::Missing => Err(gone(&path, head)),
        Content::Refused(why) => Err(Broken::new(&path, format!("the baseline is not read: {why}"))),
        Content::Other => Err(Broken::new(&path, "the baseline is no regular file")),
    })
}

/// Whose public key a baseline is verified with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signer {
    /// That of the key that signs.
    Ours,
    /// What lies beside the baseline, where the website may write.
    Published,
}

/// What a baseline is believed by.
struct Trust {
    private: Option<Private>,
    public: [u8; 32],
    head: Option<Head>,
    exposed: Secrecy,
    flaws: Vec<Broken>,
}

/// Whether others may know the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrecy {
    Kept,
    Lost,
}

fn trust(config: &Config, folder: Option<&Folder>) -> Result<std::result::Result<Trust, Broken>> {
    let is_missing = !folder.is_some_and(|folder| folder.has(BASELINE));
    let path = place(config).join(BASELINE);
    let place = config.root.join("sync_state").join("private");
    let private = match Private::open(config) {
        Ok(private) => private,
        Err(Absent::Missing) if is_missing => return Ok(Err(never(&path))),
        Err(Absent::Missing) => {
            let reason = "the directory with the key that signed the baseline is gone";
            return Ok(Err(Broken::missing(&place, reason)));
        }
        Err(Absent::Refused(why)) => {
            let reason = format!("the private directory cannot be believed: {why}");
            return Ok(Err(Broken::new(&place, reason)));
        }
        Err(Absent::NotOurs) => return by_public_key(config, folder),
    };
    let key = match private.key() {
        Ok(Some(key)) => key,
        Ok(None) if is_missing => return Ok(Err(never(&path))),
        Ok(None) => {
            let reason = "the key that signed the baseline is gone";
            return Ok(Err(Broken::missing(private.path(), reason)));
        }
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            return Ok(Err(Broken::new(&private.path().join(KEY), words(&error))));
        }
        Err(error) => return Err(error),
    };
    let head = match private.head()? {
        Ok(head) => head,
        Err(why) => {
            let reason = format!(
                "what is remembered of the last baseline is not believed: {why}; find out who did that, and make a new baseline"
            );
            return Ok(Err(Broken::new(&private.path().join(HEAD), reason)));
        }
    };
    let mut flaws = Vec::new();
    let exposed = if key.exposed.is_some() { Secrecy::Lost } else { Secrecy::Kept };
    if let Some(why) = &key.exposed {
        private.expose(&key)?;
        let reason = format!(
            "others may know the key that signs baselines: {why}; find out who read it, and make a new baseline, which \
             makes a new key"
        );
        flaws.push(Broken::new(&private.path().join(KEY), reason));
    }
    for (path, why) in private.doubtful()? {
        let reason = format!("what is remembered here is not believed, and is written anew: {why}");
        flaws.push(Broken::new(&path, reason));
    }
    let public = key.public();
    flaws.extend(public_flaw(config, folder, &public)?);
    Ok(Ok(Trust { private: Some(private), public, head, exposed, flaws }))
}

/// Of users who may not look at the key.
fn by_public_key(config: &Config, folder: Option<&Folder>) -> Result<std::result::Result<Trust, Broken>> {
    Ok(match folder.map(public_key).transpose()?.flatten() {
        Some(public) => {
            Ok(Trust { private: None, public, head: None, exposed: Secrecy::Kept, flaws: Vec::new() })
        }
        None if folder.is_some_and(|folder| folder.has(PUBLIC_KEY)) => Err(Broken::new(
            &place(config).join(PUBLIC_KEY),
            "what lies there is no public key: somebody has put it in the place of the one that verifies the baseline; accept and \
             baseline write that again",
        )),
        None => Err(Broken::missing(&place(config).join(PUBLIC_KEY), "the public key is missing")),
    })
}

/// An error as a reason: what is wrong, and what to do.
fn words(error: &Error) -> String {
    let hint = error.hint_text().map(|hint| format!("; {hint}")).unwrap_or_default();
    format!("{error}{hint}")
}

fn never(path: &Path) -> Broken {
    Broken::missing(path, "there is no baseline, make one")
}

fn gone(path: &Path, head: Option<&Head>) -> Broken {
    match head {
        Some(head) => Broken::missing(
            path,
            format!("the baseline is gone; the last one was number {}", head.generation),
        ),
        None => never(path),
    }
}

/// A baseline whose signature is good; else why there is none, in words.
fn verified(
    bytes: &[u8],
    public: &[u8; 32],
    signer: Signer,
) -> std::result::Result<(Baseline, Digest), String> {
    let flaw = |flaw: Flaw| match flaw {
        Flaw::NotOne => "it is no baseline of ours".to_owned(),
        Flaw::Damaged => "the baseline is truncated or damaged".to_owned(),
        Flaw::Newer(version) => {
            format!("the baseline has version {version}, which this program is too old for")
        }
    };
    let Some((unsigned, signature)) = codec::split(bytes) else { return Err(flaw(Flaw::Damaged)) };
    let digest = codec::digest(unsigned);
    if private::is_signed(public, &digest, signature) {
        return codec::decode(unsigned).map(|baseline| (baseline, digest)).map_err(flaw);
    }
    if codec::decode(bytes).is_ok() || signature.iter().all(|byte| *byte == 0) {
        return Err("the baseline is not signed".to_owned());
    }
    Err(match (codec::decode(unsigned), signer) {
        (Ok(_), Signer::Ours) => "the baseline is forged: its signature is not ours".to_owned(),
        (Ok(_), Signer::Published) => {
            "the baseline is not signed by the public key beside it: one of the two was replaced; a \
                                       check by the cron user says which"
                .to_owned()
        }
        (Err(error), _) => flaw(error),
    })
}

/// Whether it is the last baseline, or follows that. Whoever knows the key can sign one that follows.
fn follows(
    baseline: &Baseline,
    digest: &Digest,
    head: Option<&Head>,
    exposed: Secrecy,
) -> std::result::Result<(), String> {
    let Some(head) = head else {
        return Err("what is remembered of the last baseline is gone".to_owned());
    };
    let (ours, last) = (baseline.generation, head.generation);
    if ours < last {
        return Err(format!(
            "the baseline was rolled back: it is number {ours}, and the last one was {last}"
        ));
    }
    let is_last = ours == last && *digest == head.digest;
    // Whoever made it was killed before that was remembered.
    let is_next = Some(ours) == last.checked_add(1) && baseline.previous == head.digest;
    if is_last || is_next && exposed == Secrecy::Kept {
        Ok(())
    } else if is_next {
        Err(format!("others may have signed the baseline, which follows the last one, number {last}"))
    } else {
        Err(format!("the baseline does not follow the last one, number {last}"))
    }
}

/// What a new baseline follows: the number and digest of the last one, however that is.
pub(super) fn last(private: &Private, loaded: Option<&Loaded>) -> Result<(u64, Digest)> {
    let head = private.head()?.ok().flatten();
    let known = loaded.map(|loaded| (loaded.baseline.generation, loaded.digest));
    let head = head.map(|head| (head.generation, head.digest));
    Ok(known.into_iter().chain(head).max_by_key(|(generation, _)| *generation).unwrap_or((0, [0; 32])))
}

/// What was watched when a baseline was made, of which it knows the digest; none where that is not there, or was changed.
pub(super) fn accepted_scope(config: &Config, digest: &Digest) -> Option<Vec<u8>> {
    let folder = Folder::open(&place(config)).ok().flatten()?;
    match folder.read(SCOPE, MAX_FILE) {
        Ok(Content::Bytes(bytes)) if Digest::from(Sha256::digest(&bytes)) == *digest => Some(bytes),
        _ => None,
    }
}

/// Whether there is anything that a baseline leaves behind.
pub(super) fn has_traces(config: &Config) -> bool {
    let is_there = |path: &Path| std::fs::symlink_metadata(path).is_ok();
    is_there(&place(config).join(BASELINE)) || is_there(&published::signature_path(config))
}

/// Signs a baseline and puts it in place, with its export.
pub(super) fn save(
    config: &Config,
    private: &Private,
    key: &Key,
    scope: &Scope,
    baseline: &Baseline,
) -> Result<Digest> {
    let mut bytes = codec::encode(baseline);
    let digest = codec::digest(&bytes);
    bytes.extend_from_slice(&key.sign(&digest));
    durable::state_directory(&config.root.join("sync_state"), &config.ownership)?;
    let folder = Folder::create(&place(config))?;
    folder.put(PUBLIC_KEY, format!("{}\n", STANDARD.encode(key.public())).as_bytes())?;
    folder.put(BASELINE, &bytes)?;
    if scope.digest() == baseline.scope {
        folder.put(SCOPE, &scope.text())?;
    }
    let list = export::write(baseline)?;
    let signature = format!("{}\n", STANDARD.encode(key.sign_plain(&list)));
    export::put(config, &config.integrity.baseline, &list)?;
    export::put(config, &published::signature_path(config), signature.as_bytes())?;
    let export = published::export_digest(&Sha256::digest(&list).into(), signature.as_bytes());
    private.set_head(&Head { generation: baseline.generation, digest, export })?;
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use super::super::codec::tests::file;
    use super::*;

    fn baseline(generation: u64, previous: Digest) -> Baseline {
        Baseline { generation, created: 1, previous, scope: [0; 32], entries: vec![file("/a", 1)] }
    }

    #[test]
    fn only_the_last_baseline_or_the_next_is_one() {
        let head = Head { generation: 5, digest: [5; 32], export: [0; 32] };
        for (generation, previous, digest, expected) in [
            (5, [4; 32], [5; 32], None),
            (6, [5; 32], [6; 32], None),
            (4, [3; 32], [4; 32], Some("rolled back")),
            (5, [4; 32], [9; 32], Some("does not follow")),
            (6, [4; 32], [6; 32], Some("does not follow")),
            (7, [5; 32], [7; 32], Some("does not follow")),
        ] {
            let found = follows(&baseline(generation, previous), &digest, Some(&head), Secrecy::Kept);
            match expected {
                None => assert_eq!(found, Ok(()), "{generation}"),
                Some(word) => {
                    assert!(found.clone().is_err_and(|why| why.contains(word)), "{generation} {found:?}")
                }
            }
        }
        assert!(follows(&baseline(1, [0; 32]), &[1; 32], None, Secrecy::Kept).is_err());
        // Whoever knows the key signs what follows, and not what was remembered.
        assert_eq!(follows(&baseline(5, [4; 32]), &[5; 32], Some(&head), Secrecy::Lost), Ok(()));
        assert!(follows(&baseline(6, [5; 32]), &[6; 32], Some(&head), Secrecy::Lost).is_err());
    }
}
