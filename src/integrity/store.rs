//! The baseline on disk: what of it can be believed, and how a new one is put in place.
//!
//! It lies twice: in the private directory, where only the cron user writes, and for everybody in `sync_state/integrity/`,
//! where the website may write. Whoever may look into the private directory compares with that copy, whatever became of the
//! other; that something did is told. Both are believed for their signature only, and what the last one was, is remembered
//! in the private directory: an older one that is put back has a good signature and is still found. Where neither can be
//! believed that is told, and none is made anew by itself.
//!
//! Invariant: whatever a crash leaves is either the last baseline or one that follows it (`copies` writes in that order).

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::codec::{self, Baseline, Flaw};
use super::compare;
use super::model::Digest;
use super::private::{self, Absent, HEAD, Head, KEY, Kept, Private};
use super::published::{self, PUBLIC_KEY, export_flaws, public_flaw, public_key};
use crate::config::Config;
use crate::durable::{Content, Folder, Stamp};
use crate::error::{Error, ErrorKind, Result};
use crate::report::{FindingKind, IntegrityFinding};

/// A larger baseline, or export of one, is none (bytes).
const MAX_FILE: u64 = 1 << 30;
pub(super) const BASELINE: &str = "baseline";
/// The cron user's own copy, in the private directory.
pub(super) const COPY: &str = "integrity.baseline";
/// What was watched when it was made, which it knows the digest of.
pub(super) const SCOPE: &str = "scope";

const NO_COPY: &str = "the copy that is only the cron user's is not the last one";

/// A baseline that can be believed.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) baseline: Arc<Baseline>,
    pub(super) digest: Digest,
    /// None for users who may not look there; they take the public key that lies beside the baseline.
    pub(super) private: Option<Private>,
    /// Whether others may know the key.
    pub(super) exposed: Secrecy,
    /// What is wrong with its export, with what everybody sees of it and with what lies beside the key.
    pub(super) flaws: Vec<Broken>,
    pub(super) state: State,
}

/// How far it was put in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Everywhere, as far as nothing is wrong with it.
    Whole,
    /// The cron user has no copy of it: it was made by a version that made none, or that copy is no good.
    Uncopied,
    /// It follows the one that is remembered as the last: whoever made it was ended before all was written.
    Unfinished,
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

    /// With why the cron user's copy is no help.
    fn and(self, doubt: Option<&str>) -> Broken {
        let Some(doubt) = doubt else { return self };
        Broken { reason: format!("{}; and {NO_COPY}: {doubt}", self.reason), ..self }
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
    state: State,
    /// What is wrong with its export, and with one of the two that it lies in.
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
    let (folder, refused) = match Folder::open(&directory) {
        Ok(folder) => (folder, None),
        Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Access) => {
            (None, Some(Broken::new(&directory, error.to_string())))
        }
        Err(error) => return Err(error),
    };
    let Trust { private, public, head, exposed, mut flaws } = match trust(config, folder.as_ref())? {
        Ok(trust) => trust,
        Err(broken) => return Ok(Err(refused.unwrap_or(broken))),
    };
    let stamps = stamps(config);
    let is_same = |cached: &Cached| {
        stamps.is_some() && cached.stamps == stamps && cached.public == public && cached.head == head
    };
    let cached = match cache.0.take().filter(is_same) {
        Some(cached) => cached,
        None => {
            let source = Source { directory: &directory, folder: folder.as_ref(), refused };
            let found = match &private {
                Some(private) => source.ours(private, &public, head.as_ref(), exposed)?,
                None => source.everybodys(&public)?,
            };
            let Chosen { baseline, digest, state, mut flaws } = match found {
                Ok(chosen) => chosen,
                Err(broken) => return Ok(Err(broken)),
            };
            // Of what was not written to its end nobody knows what of it was; it is written again.
            if state != State::Unfinished {
                flaws.extend(export_flaws(config, &public, head.as_ref())?);
            }
            Cached { stamps, public, head, baseline: Arc::new(baseline), digest, state, flaws }
        }
    };
    if private.is_some()
        && let Err(reason) = follows(&cached.baseline, &cached.digest, cached.head.as_ref(), exposed)
    {
        return Ok(Err(Broken::new(&directory.join(BASELINE), reason)));
    }
    flaws.extend(cached.flaws.iter().cloned());
    let (baseline, digest, state) = (Arc::clone(&cached.baseline), cached.digest, cached.state);
    cache.0 = Some(cached);
    Ok(Ok(Loaded { baseline, digest, private, exposed, flaws, state }))
}

/// Where a baseline is read from.
struct Source<'a> {
    directory: &'a Path,
    folder: Option<&'a Folder>,
    /// Why that directory is not looked into.
    refused: Option<Broken>,
}

/// What is believed of what was read.
struct Chosen {
    baseline: Baseline,
    digest: Digest,
    state: State,
    flaws: Vec<Broken>,
}

impl Source<'_> {
    /// The file that everybody may read, as it is.
    fn bytes(&self, head: Option<&Head>) -> Result<std::result::Result<Vec<u8>, Broken>> {
        if let Some(refused) = &self.refused {
            return Ok(Err(refused.clone()));
        }
        let path = self.directory.join(BASELINE);
        Ok(match self.folder.map_or(Ok(Content::Missing), |folder| folder.read(BASELINE, MAX_FILE))? {
            Content::Bytes(bytes) => Ok(bytes),
            Content::Missing => Err(gone(&path, head)),
            Content::Refused(why) => Err(Broken::new(&path, format!("the baseline is not read: {why}"))),
            Content::Other => Err(Broken::new(&path, "the baseline is no regular file")),
        })
    }

    /// For whoever may not look at the cron user's copy.
    fn everybodys(&self, public: &[u8; 32]) -> Result<std::result::Result<Chosen, Broken>> {
        let bytes = match self.bytes(None)? {
            Ok(bytes) => bytes,
            Err(broken) => return Ok(Err(broken)),
        };
        let chosen = |(baseline, digest)| Chosen { baseline, digest, state: State::Whole, flaws: Vec::new() };
        let path = self.directory.join(BASELINE);
        Ok(verified(&bytes, public, Signer::Published)
            .map(chosen)
            .map_err(|reason| Broken::new(&path, reason)))
    }

    /// The later one of the copy and of what everybody may read, of those that can be believed; with what is wrong with the
    /// other.
    fn ours(
        &self,
        private: &Private,
        public: &[u8; 32],
        head: Option<&Head>,
        exposed: Secrecy,
    ) -> Result<std::result::Result<Chosen, Broken>> {
        let path = self.directory.join(BASELINE);
        let believed = |bytes: &[u8]| {
            let (baseline, digest) = verified(bytes, public, Signer::Ours)?;
            follows(&baseline, &digest, head, exposed).map(|()| (baseline, digest))
        };
        let state_of = |digest: &Digest, state| {
            if head.is_some_and(|head| head.digest == *digest) { state } else { State::Unfinished }
        };
        let kept = private.read(COPY)?;
        let copy = match &kept {
            Kept::Bytes(bytes) => Some(believed(bytes)),
            // What is refused is told already.
            Kept::Missing | Kept::Refused(_) => None,
        };
        let theirs = self.bytes(head)?;
        let Some(Ok((baseline, digest))) = copy else {
            let doubt = copy.and_then(std::result::Result::err);
            let found = theirs.and_then(|bytes| believed(&bytes).map_err(|why| Broken::new(&path, why)));
            let (baseline, digest) = match found {
                Ok(found) => found,
                Err(broken) => return Ok(Err(broken.and(doubt.as_deref()))),
            };
            let say = |why: String| {
                let reason = format!("{NO_COPY}: {why}; it is written again");
                Broken::new(&private.path().join(COPY), reason)
            };
            let flaws = doubt.map(say).into_iter().collect();
            let state = state_of(&digest, State::Uncopied);
            return Ok(Ok(Chosen { baseline, digest, state, flaws }));
        };
        let state = state_of(&digest, State::Whole);
        let is_same = |theirs: &[u8]| matches!(&kept, Kept::Bytes(ours) if ours == theirs);
        let wrong = match theirs {
            Ok(bytes) if is_same(&bytes) => None,
            Ok(bytes) => match believed(&bytes) {
                Ok((other, its)) if other.generation > baseline.generation => {
                    let state = state_of(&its, State::Uncopied);
                    return Ok(Ok(Chosen { baseline: other, digest: its, state, flaws: Vec::new() }));
                }
                // Whoever made the one after it was ended before it was put here.
                Ok(_) => None,
                Err(reason) => Some(Broken::new(&path, reason)),
            },
            Err(broken) => Some(broken),
        };
        let flaws = wrong.map(instead).into_iter().collect();
        Ok(Ok(Chosen { baseline, digest, state, flaws }))
    }
}

/// What is wrong with the one for everybody, where the cron user has his own.
fn instead(broken: Broken) -> Broken {
    let reason = format!(
        "{}; the copy that only the cron user can write is whole, and was compared with: find out who did that",
        broken.reason
    );
    Broken { reason, ..broken }
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
    let is_gone = !folder.is_some_and(|folder| folder.has(BASELINE));
    let path = place(config).join(BASELINE);
    let place = config.root.join("sync_state").join("private");
    let private = match Private::open(config) {
        Ok(private) => private,
        Err(Absent::Missing) if is_gone => return Ok(Err(never(&path))),
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
        Ok(None) if is_gone && matches!(private.read(COPY)?, Kept::Missing) => return Ok(Err(never(&path))),
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
            "what lies there is no public key: somebody has put it in the place of the one that verifies the baseline; a check by \
             the cron user writes that again",
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
    let has_copy = |private: Private| !matches!(private.read(COPY), Ok(Kept::Missing));
    is_there(&place(config).join(BASELINE))
        || is_there(&published::signature_path(config))
        || Private::open(config).is_ok_and(has_copy)
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
