//! The baseline on disk: what of it can be believed, and how a new one is put in place.
//!
//! It lies in `sync_state/integrity/`, where the website may write, so it is believed for its signature only. What the last
//! one was, is remembered in the private directory: an older one that is put back has a good signature and is still found.
//! A baseline that is bad is told and never made anew by itself.
//!
//! Invariant: whatever a crash leaves is either the last baseline or one that follows it. The baseline is put in place
//! first, then its export, then it is remembered.

use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::codec::{self, Baseline, Flaw};
use super::compare;
use super::export;
use super::model::Digest;
use super::private::{self, Absent, HEAD, Head, KEY, Key, Private};
use crate::config::Config;
use crate::durable::{self, Content, Folder};
use crate::error::{Error, ErrorKind, Result};
use crate::report::{FindingKind, IntegrityFinding};

/// A larger baseline, or export of one, is none (bytes).
const MAX_FILE: u64 = 1 << 30;
/// Read at once of what is not held in memory (bytes).
const CHUNK: usize = 256 << 10;
const BASELINE: &str = "baseline";
const PUBLIC_KEY: &str = "public_key";

/// A baseline that can be believed.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) baseline: Baseline,
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
    fn new(path: &Path, reason: impl Into<String>) -> Broken {
        Broken { path: path.to_path_buf(), reason: reason.into(), is_missing: false }
    }

    fn missing(path: &Path, reason: impl Into<String>) -> Broken {
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

/// Reads the baseline.
///
/// # Errors
/// When the disk fails. That it cannot be believed is a value.
pub(super) fn load(config: &Config) -> Result<std::result::Result<Loaded, Broken>> {
    let directory = place(config);
    let path = directory.join(BASELINE);
    let folder = match Folder::open(&directory) {
        Ok(folder) => folder,
        Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Access) => {
            return Ok(Err(Broken::new(&directory, error.to_string())));
        }
        Err(error) => return Err(error),
    };
    let content = folder.as_ref().map_or(Ok(Content::Missing), |folder| folder.read(BASELINE, MAX_FILE))?;
    let Trust { private, public, head, exposed, mut flaws } = match trust(config, folder.as_ref(), &content)?
    {
        Ok(trust) => trust,
        Err(broken) => return Ok(Err(broken)),
    };
    let bytes = match content {
        Content::Bytes(bytes) => bytes,
        Content::Missing => return Ok(Err(gone(&path, head.as_ref()))),
        Content::Refused(why) => {
            return Ok(Err(Broken::new(&path, format!("the baseline is not read: {why}"))));
        }
        Content::Other => return Ok(Err(Broken::new(&path, "the baseline is no regular file"))),
    };
    let (baseline, digest) = match verified(&bytes, &public) {
        Ok(verified) => verified,
        Err(reason) => return Ok(Err(Broken::new(&path, reason))),
    };
    if private.is_some() {
        if let Err(reason) = follows(&baseline, &digest, head.as_ref(), exposed) {
            return Ok(Err(Broken::new(&path, reason)));
        }
    }
    flaws.extend(export_flaws(config, &public, head.as_ref())?);
    Ok(Ok(Loaded { baseline, digest, private, exposed, flaws }))
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

fn trust(
    config: &Config,
    folder: Option<&Folder>,
    content: &Content,
) -> Result<std::result::Result<Trust, Broken>> {
    let path = place(config).join(BASELINE);
    let place = config.root.join("sync_state").join("private");
    let private = match Private::open(config) {
        Ok(private) => private,
        Err(Absent::Missing) if matches!(content, Content::Missing) => return Ok(Err(never(&path))),
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
        Ok(None) if matches!(content, Content::Missing) => return Ok(Err(never(&path))),
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
        None => Err(Broken::missing(&place(config).join(PUBLIC_KEY), "the public key is missing")),
    })
}

/// What pages verify with must be what signs, or they believe whoever put another one there.
fn public_flaw(config: &Config, folder: Option<&Folder>, public: &[u8; 32]) -> Result<Option<Broken>> {
    let path = place(config).join(PUBLIC_KEY);
    let Some(folder) = folder else { return Ok(None) };
    if !folder.has(PUBLIC_KEY) {
        let reason = "the public key that pages verify with is gone; baseline and accept write it again";
        return Ok(Some(Broken::missing(&path, reason)));
    }
    if public_key(folder)? == Some(*public) {
        return Ok(None);
    }
    let reason = "the public key that pages verify with is not that of the key that signs: whoever put it there can have them \
                  believe his own list; find out who did that, and write it again with accept or baseline";
    Ok(Some(Broken::new(&path, reason)))
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

fn public_key(folder: &Folder) -> Result<Option<[u8; 32]>> {
    let Content::Bytes(bytes) = folder.read(PUBLIC_KEY, 1024)? else { return Ok(None) };
    Ok(STANDARD.decode(bytes.trim_ascii()).ok().and_then(|bytes| bytes.try_into().ok()))
}

/// A baseline whose signature is good; else why there is none, in words.
fn verified(bytes: &[u8], public: &[u8; 32]) -> std::result::Result<(Baseline, Digest), String> {
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
    Err(match codec::decode(unsigned) {
        Ok(_) => "the baseline is forged: its signature is not ours".to_owned(),
        Err(error) => flaw(error),
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

/// What stands for an export, of which this is the digest, and its signature together.
fn export_digest(export: &Digest, signature: &[u8]) -> Digest {
    let mut hash = Sha256::new();
    hash.update(export);
    hash.update(signature);
    hash.finalize().into()
}

fn signature_path(config: &Config) -> PathBuf {
    let mut path = config.integrity.baseline.as_os_str().to_owned();
    path.push(".sig");
    PathBuf::from(path)
}

/// What is wrong with the export. That it may not be read is told like everything else, and stops no check.
fn export_flaws(config: &Config, public: &[u8; 32], head: Option<&Head>) -> Result<Vec<Broken>> {
    match flaws_of_export(config, public, head) {
        Err(error) if error.kind() == ErrorKind::Access => {
            let reason = format!("the signed list of hashes may not be read: {error}");
            Ok(vec![Broken::new(&config.integrity.baseline, reason)])
        }
        result => result,
    }
}

fn flaws_of_export(config: &Config, public: &[u8; 32], head: Option<&Head>) -> Result<Vec<Broken>> {
    let (path, beside) = (&config.integrity.baseline, signature_path(config));
    let signature = small_file(&beside)?;
    let signed = signature.as_deref().unwrap_or_default();
    let is_good = match head {
        Some(head) => digest_of(path)?.map(|export| export_digest(&export, signed) == head.export),
        None => small_file(path)?.map(|export| is_plainly_signed(public, &export, signed)),
    };
    let wrong = "the list of hashes is not what was signed; it is written again by baseline and accept";
    Ok(match (is_good, &signature) {
        (None, _) => vec![Broken::missing(path, "the signed list of hashes is gone")],
        (_, None) => {
            vec![Broken::missing(&beside, "the list of hashes is not signed: its signature is gone")]
        }
        (Some(true), _) => Vec::new(),
        (Some(false), _) => vec![Broken::new(path, wrong)],
    })
}

fn is_plainly_signed(public: &[u8; 32], export: &[u8], signature: &[u8]) -> bool {
    let plain: Option<[u8; 64]> =
        STANDARD.decode(signature.trim_ascii()).ok().and_then(|bytes| bytes.try_into().ok());
    plain.is_some_and(|plain| private::is_signed_plain(public, export, &plain))
}

/// What is at a path that others may write to.
enum Others {
    Missing,
    File(File),
    /// A symlink, or a pipe: whatever it is, it is not ours.
    Foreign,
}

fn others(path: &Path) -> Result<Others> {
    let fail = |cause| Error::io("read", path, cause);
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    match File::options().read(true).custom_flags(flags).open(path) {
        Ok(file) if file.metadata().map_err(fail)?.is_file() => Ok(Others::File(file)),
        Ok(_) => Ok(Others::Foreign),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(Others::Missing),
        Err(cause) if matches!(cause.raw_os_error(), Some(libc::ELOOP | libc::ENXIO | libc::ENOTDIR)) => {
            Ok(Others::Foreign)
        }
        Err(cause) => Err(fail(cause)),
    }
}

/// A regular file of others; none where there is none, and nothing where it is something else.
pub(super) fn small_file(path: &Path) -> Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    match others(path)? {
        Others::Missing => return Ok(None),
        Others::Foreign => {}
        Others::File(file) => {
            file.take(MAX_FILE).read_to_end(&mut bytes).map_err(|cause| Error::io("read", path, cause))?;
        }
    }
    Ok(Some(bytes))
}

/// The digest of the same, which is not held in memory for that.
fn digest_of(path: &Path) -> Result<Option<Digest>> {
    let mut hash = Sha256::new();
    match others(path)? {
        Others::Missing => return Ok(None),
        Others::Foreign => {}
        Others::File(file) => {
            let mut file = file.take(MAX_FILE);
            let mut buffer = vec![0; CHUNK];
            loop {
                match file.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(count) => hash.update(buffer.get(..count).unwrap_or_default()),
                    Err(cause) if cause.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(cause) => return Err(Error::io("read", path, cause)),
                }
            }
        }
    }
    Ok(Some(hash.finalize().into()))
}

/// What a new baseline follows: the number and digest of the last one, however that is.
pub(super) fn last(private: &Private, loaded: Option<&Loaded>) -> Result<(u64, Digest)> {
    let head = private.head()?.ok().flatten();
    let known = loaded.map(|loaded| (loaded.baseline.generation, loaded.digest));
    let head = head.map(|head| (head.generation, head.digest));
    Ok(known.into_iter().chain(head).max_by_key(|(generation, _)| *generation).unwrap_or((0, [0; 32])))
}

/// Signs a baseline and puts it in place, with its export.
pub(super) fn save(config: &Config, private: &Private, key: &Key, baseline: &Baseline) -> Result<Digest> {
    let mut bytes = codec::encode(baseline);
    let digest = codec::digest(&bytes);
    bytes.extend_from_slice(&key.sign(&digest));
    durable::state_directory(&config.root.join("sync_state"), &config.ownership)?;
    let folder = Folder::create(&place(config))?;
    folder.put(PUBLIC_KEY, format!("{}\n", STANDARD.encode(key.public())).as_bytes())?;
    folder.put(BASELINE, &bytes)?;
    let list = export::write(baseline)?;
    let signature = format!("{}\n", STANDARD.encode(key.sign_plain(&list)));
    export::put(config, &config.integrity.baseline, &list)?;
    export::put(config, &signature_path(config), signature.as_bytes())?;
    let export = export_digest(&Sha256::digest(&list).into(), signature.as_bytes());
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
