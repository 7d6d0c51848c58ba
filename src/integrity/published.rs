//! What pages read of a baseline: the list of hashes, its signature and the public key; and whether these are what was
//! written.
//!
//! Apart from `store`, as nothing here decides what is believed: whatever is wrong is told, and the check goes on.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::model::Digest;
use super::private::{self, Head, Private};
use super::store::{BASELINE, Broken, place};
use crate::config::Config;
use crate::durable::{Content, Folder};
use crate::error::{Error, ErrorKind, Result};

/// A larger list is none (bytes).
const MAX_FILE: u64 = 1 << 30;
/// Read at once of what is not held in memory (bytes).
const CHUNK: usize = 256 << 10;
/// Beside the baseline.
pub(super) const PUBLIC_KEY: &str = "public_key";

/// What stands for an export, of which this is the digest, and its signature together.
pub(super) fn export_digest(export: &Digest, signature: &[u8]) -> Digest {
    let mut hash = Sha256::new();
    hash.update(export);
    hash.update(signature);
    hash.finalize().into()
}

pub(super) fn signature_path(config: &Config) -> PathBuf {
    let mut path = config.integrity.baseline.as_os_str().to_owned();
    path.push(".sig");
    PathBuf::from(path)
}

/// What is written for everybody of a baseline.
pub(super) fn paths(config: &Config) -> [PathBuf; 4] {
    let place = place(config);
    [place.join(BASELINE), place.join(PUBLIC_KEY), config.integrity.baseline.clone(), signature_path(config)]
}

/// Whether the list of hashes is the one that was signed last; where nobody remembers which one that is, one that was signed.
pub(super) fn is_list_good(config: &Config, private: &Private) -> bool {
    let is_good = || -> Result<bool> {
        let key = private.key()?.filter(|key| key.exposed.is_none());
        let (Some(key), Ok(head)) = (key, private.head()?) else { return Ok(false) };
        flaws_of_export(config, &key.public(), head.as_ref()).map(|flaws| flaws.is_empty())
    };
    // What cannot be looked at is no help.
    is_good().unwrap_or(false)
}

/// What is wrong with the export. That it may not be read is told like everything else, and stops no check.
pub(super) fn export_flaws(config: &Config, public: &[u8; 32], head: Option<&Head>) -> Result<Vec<Broken>> {
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
    let wrong = format!(
        "the list of hashes is not what was signed; it is written again by baseline and accept, as by: accept {}",
        path.display()
    );
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

/// What pages verify with must be what signs, or they believe whoever put another one there.
pub(super) fn public_flaw(
    config: &Config,
    folder: Option<&Folder>,
    public: &[u8; 32],
) -> Result<Option<Broken>> {
    let path = place(config).join(PUBLIC_KEY);
    let Some(folder) = folder else { return Ok(None) };
    if !folder.has(PUBLIC_KEY) {
        let reason = "the public key that pages verify with is gone; a check of everything by the cron user writes it again";
        return Ok(Some(Broken::missing(&path, reason)));
    }
    if public_key(folder)? == Some(*public) {
        return Ok(None);
    }
    let reason = "the public key that pages verify with is not that of the key that signs: whoever put it there can have them \
                  believe his own list; find out who did that; a check of everything by the cron user writes it again";
    Ok(Some(Broken::new(&path, reason)))
}

/// The public key that lies there; none where that makes no sense.
pub(super) fn public_key(folder: &Folder) -> Result<Option<[u8; 32]>> {
    let Content::Bytes(bytes) = folder.read(PUBLIC_KEY, 1024)? else { return Ok(None) };
    Ok(STANDARD.decode(bytes.trim_ascii()).ok().and_then(|bytes| bytes.try_into().ok()))
}
