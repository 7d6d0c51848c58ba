//! What only the cron user may read and write: `sync_state/private/` (0700), with the key that signs baselines, and what is
//! remembered of the last one.
//!
//! Everything else below `sync_state` may be written by the website's group, which could also move this directory away and
//! make another. So it is opened each time, and whose it is, is asked of what was opened: one that is not ours, or that others
//! may look into, is refused. So is one in a directory of somebody else's, who may put an older one of ours in its place. Its files are named below that descriptor, whatever has its name meanwhile. So is a file in it
//! that others could have written: it may have come in while the directory was open to them.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use rustix::fs::{AtFlags, Dir, Mode, OFlags};
use rustix::io::Errno;

use super::codec::SIGNATURE;
use super::model::Digest;
use crate::clock;
use crate::config::Config;
use crate::durable::{self, Nascent};
use crate::error::{Error, ErrorKind, Result};
pub(super) use crate::hex::{hex, unhex as from_hex};

/// What the key's file begins with; the number is its version.
const KEY_FORMAT: &str = "cr0sync-signing-key-1";
/// The same for what is remembered of the last baseline.
const HEAD_FORMAT: &str = "cr0sync-baseline-head-1";
/// Before the digest in what is signed, so that no signature of something else fits.
const CONTEXT: &[u8] = b"cr0sync baseline\0";
/// A longer key is none (bytes).
const MAX_KEY: u64 = 4096;
/// Nothing here is larger (bytes): a hundred bytes for each of some million files.
const MAX_FILE: u64 = 1 << 30;

/// The key that signs.
pub(super) const KEY: &str = "integrity.key";
/// What is remembered of the last baseline.
pub(super) const HEAD: &str = "integrity.head";
/// The public part of a key that others could read, so that narrowing its mode does not make it a secret again.
const EXPOSED: &str = "integrity.exposed";

/// The directory, which is ours.
#[derive(Debug)]
pub(crate) struct Private {
    directory: File,
    path: PathBuf,
    owner: fs::Metadata,
}

/// Why there is none.
#[derive(Debug)]
pub(super) enum Absent {
    /// It was never made, or moved away.
    Missing,
    /// It is there, and not for this user.
    NotOurs,
    /// It is there, and not what we made.
    Refused(String),
}

/// What is remembered of the last baseline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) generation: u64,
    pub(super) digest: Digest,
    /// Of the export for the site's pages.
    pub(super) export: Digest,
}

/// What lies under a name of it.
#[derive(Debug)]
pub(crate) enum Kept {
    Missing,
    Bytes(Vec<u8>),
    /// It cannot be believed, and why.
    Refused(String),
}

impl Kept {
    /// What is refused counts for nothing; the next check tells of it.
    pub(crate) fn bytes(self) -> Option<Vec<u8>> {
        match self {
            Kept::Bytes(bytes) => Some(bytes),
            Kept::Missing | Kept::Refused(_) => None,
        }
    }
}

impl Private {
    fn place(config: &Config) -> PathBuf {
        config.root.join("sync_state").join("private")
    }

    /// Opens it.
    pub(super) fn open(config: &Config) -> std::result::Result<Private, Absent> {
        let path = Private::place(config);
        if let Some(foreign) = durable::foreign(&config.root, &config.ownership) {
            return Err(Absent::Refused(foreign.why()));
        }
        // Nothing but where it is, which needs no right to look into it.
        let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW;
        let directory = match File::options().read(true).custom_flags(flags).open(&path) {
            Ok(directory) => directory,
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Err(Absent::Missing),
            Err(cause) if cause.kind() == std::io::ErrorKind::PermissionDenied => {
                return Err(Private::of_others(config, &config.root.join("sync_state")));
            }
            Err(cause) if cause.raw_os_error() == Some(libc::ENOTDIR) => {
                return Err(Absent::Refused("it is no directory".to_owned()));
            }
            Err(cause) => return Err(Absent::Refused(cause.to_string())),
        };
        let owner = directory.metadata().map_err(|cause| Absent::Refused(cause.to_string()))?;
        let user = rustix::process::geteuid();
        let its = durable::trusted(&config.root, &config.ownership);
        let (uid, mode) = (owner.uid(), owner.mode() & 0o7777);
        let is_ours = user.is_root() || uid == user.as_raw();
        let private = Private { directory, path, owner };
        if mode & 0o077 != 0 || !its.contains(&uid) {
            let mut why = format!("it is not the cron user's alone (user {uid}, mode {mode:o})");
            if is_ours && its.contains(&uid) && private.has_shown_its_key() {
                why.push_str(", and others could read the key in it: a new baseline makes another");
            }
            return Err(Absent::Refused(why));
        }
        if is_ours { Ok(private) } else { Err(Private::of_others(config, &private.path)) }
    }

    /// Why this user may not look: he need not, or he is who should and somebody else has put it there.
    fn of_others(config: &Config, place: &Path) -> Absent {
        let user = rustix::process::geteuid().as_raw();
        if durable::user(&config.ownership) != Some(user) {
            return Absent::NotOurs;
        }
        let owner = fs::metadata(place)
            .map_or_else(|_| "somebody else".to_owned(), |found| durable::whose(found.uid()));
        Absent::Refused(format!(
            "{} belongs to {owner}, so that {} may not look into it",
            place.display(),
            config.ownership.user
        ))
    }

    /// Whether others could read the key in it. That is remembered at once, as whoever mends the directory mends the key as well.
    fn has_shown_its_key(&self) -> bool {
        let Ok(Some(key)) = self.key() else { return false };
        key.exposed.is_some() && {
            // Where this fails it is tried again by the next look.
            let _ = self.expose(&key);
            true
        }
    }

    /// Opens it where it is, for who may look.
    pub(crate) fn look(config: &Config) -> Option<Private> {
        Private::open(config).ok()
    }

    /// Opens it, and makes it first where there is none.
    ///
    /// # Errors
    /// [`ErrorKind::Access`] for everybody but the cron user and root.
    pub(crate) fn create(config: &Config) -> Result<Private> {
        let path = Private::place(config);
        let user = rustix::process::geteuid();
        let cron = durable::user(&config.ownership);
        if cron.is_some_and(|cron| !user.is_root() && user.as_raw() != cron) {
            let message = format!("this is for {} alone, who can write to", config.ownership.user);
            return Err(Error::new(ErrorKind::Access, message)
                .at(&path)
                .hint("run it on the command line as the user of the cron jobs"));
        }
        let help = || {
            let moved = || "look who made it, and move it away; a new key is made then".to_owned();
            durable::remedy(&config.root, &config.ownership).unwrap_or_else(moved)
        };
        let refused = |why: Absent| match why {
            Absent::Missing => Error::new(ErrorKind::Io, "the private directory is gone again:").at(&path),
            Absent::NotOurs => Error::new(ErrorKind::Access, "cannot look into somebody else's").at(&path),
            Absent::Refused(why) => {
                Error::new(ErrorKind::Corrupt, format!("refused a private directory, as {why}:"))
                    .at(&path)
                    .hint(help())
            }
        };
        if durable::foreign(&config.root, &config.ownership).is_none() {
            durable::prepare(&config.root, &config.ownership);
        }
        match Private::open(config) {
            Ok(private) => return Ok(private),
            Err(Absent::Missing) => {}
            Err(why) => return Err(refused(why)),
        }
        durable::state_directory(&config.root.join("sync_state"), &config.ownership)?;
        let fail = |cause| Error::io("create the private directory", &path, cause);
        fs::DirBuilder::new().mode(0o700).create(&path).map_err(fail)?;
        if let (true, Some(cron)) = (user.is_root(), cron) {
            std::os::unix::fs::chown(&path, Some(cron), None).map_err(fail)?;
        }
        // Without the bit that it was handed down.
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o700)).map_err(fail)?;
        Private::open(config).map_err(refused)
    }

    /// A file of it.
    pub(crate) fn read(&self, name: &str) -> Result<Kept> {
        Ok(match self.open_file(name)? {
            Opened::Missing => Kept::Missing,
            Opened::Refused(why) => Kept::Refused(why),
            Opened::File(file, _) => {
                let mut bytes = Vec::new();
                let read = file.take(MAX_FILE).read_to_end(&mut bytes);
                read.map_err(|cause| Error::io("read", self.path.join(name), cause))?;
                Kept::Bytes(bytes)
            }
        })
    }

    fn open_file(&self, name: &str) -> Result<Opened> {
        let fail = |cause: Errno| Error::io("read", self.path.join(name), cause.into());
        // Opening what is no file can do things, so it is looked at before.
        match self.doubt(name).map_err(fail)? {
            Some(Doubt::Missing) => return Ok(Opened::Missing),
            Some(Doubt::Because(why)) => return Ok(Opened::Refused(why)),
            None => {}
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.directory, name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => return Ok(Opened::Missing),
            Err(cause @ (Errno::ACCESS | Errno::LOOP | Errno::NXIO)) => {
                return Ok(Opened::Refused(format!("it cannot be opened ({})", std::io::Error::from(cause))));
            }
            Err(cause) => return Err(fail(cause)),
        };
        let found = rustix::fs::fstat(&file).map_err(fail)?;
        Ok(match self.doubt_of(&found) {
            Some(why) => Opened::Refused(why),
            None => Opened::File(file, found.st_mode & 0o7777),
        })
    }

    fn doubt(&self, name: &str) -> rustix::io::Result<Option<Doubt>> {
        match rustix::fs::statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(self.doubt_of(&found).map(Doubt::Because)),
            Err(Errno::NOENT) => Ok(Some(Doubt::Missing)),
            Err(cause) => Err(cause),
        }
    }

    /// Why a file of it cannot be believed: others wrote it, or could have.
    fn doubt_of(&self, found: &rustix::fs::Stat) -> Option<String> {
        if rustix::fs::FileType::from_raw_mode(found.st_mode) != rustix::fs::FileType::RegularFile {
            return Some("it is no regular file".to_owned());
        }
        if ![self.owner.uid(), 0].contains(&found.st_uid) {
            return Some(format!("it belongs to another user (number {})", found.st_uid));
        }
        let mode = found.st_mode & 0o7777;
        (mode & 0o022 != 0).then(|| format!("others may write to it (mode {mode:o})"))
    }

    /// The files of it that cannot be believed, with why.
    pub(super) fn doubtful(&self) -> Result<Vec<(PathBuf, String)>> {
        let fail = |cause: Errno| Error::io("look into", &self.path, cause.into());
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let listed = rustix::fs::openat(&self.directory, ".", flags, Mode::empty()).map_err(fail)?;
        let mut all = Vec::new();
        for entry in Dir::new(listed).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if matches!(name.as_str(), "." | "..") {
                continue;
            }
            if let Some(Doubt::Because(why)) = self.doubt(&name).map_err(fail)? {
                all.push((self.path.join(name), why));
            }
        }
        all.sort();
        Ok(all)
    }

    /// Replaces a file of it, whole or not at all.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path.join(name);
        let below = PathBuf::from(format!("/proc/self/fd/{}", self.directory.as_raw_fd())).join(name);
        let put = || {
            let nascent = Nascent::of_owner(&below, "private", &self.owner)?;
            let mut file = nascent.file();
            file.write_all(bytes).map_err(|cause| Error::io("write", &path, cause))?;
            nascent.supersede().map(drop)
        };
        put().map_err(|error: Error| error.at(&path))
    }

    /// The key; none where there is none.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] when it is damaged, or others could have put it there.
    pub(super) fn key(&self) -> Result<Option<Key>> {
        let path = self.path.join(KEY);
        let (file, mode) = match self.open_file(KEY)? {
            Opened::Missing => return Ok(None),
            Opened::File(file, mode) => (file, mode),
            Opened::Refused(why) => {
                let message = format!("the key that signs baselines is not believed, as {why}:");
                return Err(Error::new(ErrorKind::Corrupt, message)
                    .at(path)
                    .hint("find out who did that; then move it away and make a new baseline"));
            }
        };
        let mut text = String::new();
        let read = file.take(MAX_KEY).read_to_string(&mut text);
        let seed = read.ok().and_then(|_| text.trim().strip_prefix(KEY_FORMAT));
        let Some(seed) = seed.and_then(|rest| from_hex(rest.trim())) else {
            return Err(Error::new(ErrorKind::Corrupt, "the key that signs baselines is damaged:")
                .at(path)
                .hint("move it away and make a new baseline"));
        };
        let mut key = Key { signing: SigningKey::from_bytes(&seed), exposed: None };
        if mode & 0o044 != 0 {
            key.exposed = Some(format!("others can read it (mode {mode:o})"));
        } else {
            key.exposed = self.exposed_before(&key)?;
        }
        Ok(Some(key))
    }

    /// Remembers that others could read a key.
    pub(super) fn expose(&self, key: &Key) -> Result<()> {
        if self.exposed_before(key)?.is_some() {
            return Ok(());
        }
        self.set_exposed(key)
    }

    fn set_exposed(&self, key: &Key) -> Result<()> {
        self.write(EXPOSED, format!("{}\n", hex(&key.public())).as_bytes())
    }

    /// Why others may know a key that nobody can read now.
    fn exposed_before(&self, key: &Key) -> Result<Option<String>> {
        Ok(match self.read(EXPOSED)? {
            Kept::Bytes(known) if known.trim_ascii() == hex(&key.public()).as_bytes() => {
                Some("others could read it before".to_owned())
            }
            Kept::Bytes(_) | Kept::Missing => None,
            // Whoever wrote there could have had it forgotten.
            Kept::Refused(why) => {
                Some(format!("whether they could read it is not known, as of {EXPOSED} {why}"))
            }
        })
    }

    /// The key, which is made where there is none, or where others could read it; and whether it was.
    ///
    /// Until the baseline that it signs is in place, the one before is told as forged.
    pub(super) fn key_or_new(&self) -> Result<(Key, Made)> {
        let made = match self.key()? {
            Some(key) => match &key.exposed {
                Some(why) => {
                    self.set_exposed(&key)?;
                    Made::Instead(why.clone())
                }
                None => return Ok((key, Made::Before)),
            },
            None => Made::Now,
        };
        let mut text = String::new();
        for _ in 0..4 {
            text.push_str(&clock::chance()?);
        }
        self.write(KEY, format!("{KEY_FORMAT} {text}\n").as_bytes())?;
        let key = self.key()?;
        key.map(|key| (key, made)).ok_or_else(|| Error::new(ErrorKind::Internal, "a key is gone"))
    }

    /// What is remembered of the last baseline; none where there is none, or where it makes no sense. Else why it is not
    /// believed.
    pub(super) fn head(&self) -> Result<std::result::Result<Option<Head>, String>> {
        let bytes = match self.read(HEAD)? {
            Kept::Bytes(bytes) => bytes,
            Kept::Missing => return Ok(Ok(None)),
            Kept::Refused(why) => return Ok(Err(why)),
        };
        let text = String::from_utf8(bytes).unwrap_or_default();
        let mut words = text.split_whitespace();
        if words.next() != Some(HEAD_FORMAT) {
            return Ok(Ok(None));
        }
        let generation = words.next().and_then(|word| word.parse().ok());
        let mut next = || words.next().and_then(from_hex);
        Ok(Ok(match (generation, next(), next()) {
            (Some(generation), Some(digest), Some(export)) => Some(Head { generation, digest, export }),
            _ => None,
        }))
    }

    pub(super) fn set_head(&self, head: &Head) -> Result<()> {
        let (digest, export) = (hex(&head.digest), hex(&head.export));
        let text = format!("{HEAD_FORMAT} {} {digest} {export}\n", head.generation);
        self.write(HEAD, text.as_bytes())
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// A file of it, with its mode.
enum Opened {
    Missing,
    File(File, u32),
    Refused(String),
}

/// Why there is nothing to believe under a name.
enum Doubt {
    Missing,
    Because(String),
}

/// Whether something was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Made {
    Now,
    /// Instead of one that others may know, and why.
    Instead(String),
    Before,
}

/// What signs.
#[derive(Debug)]
pub(super) struct Key {
    signing: SigningKey,
    /// Why others may know it.
    pub(super) exposed: Option<String>,
}

impl Key {
    /// Over the digest of a baseline.
    pub(super) fn sign(&self, digest: &Digest) -> [u8; SIGNATURE] {
        self.signing.sign(&[CONTEXT, digest].concat()).to_bytes()
    }

    /// Over bytes as they are, for PHP's `sodium_crypto_sign_verify_detached`.
    pub(super) fn sign_plain(&self, bytes: &[u8]) -> [u8; SIGNATURE] {
        self.signing.sign(bytes).to_bytes()
    }

    pub(super) fn public(&self) -> [u8; 32] {
        self.signing.verifying_key().to_bytes()
    }
}

/// Whether a signature over the digest of a baseline is that of a key.
pub(super) fn is_signed(public: &[u8; 32], digest: &Digest, signature: &[u8; SIGNATURE]) -> bool {
    is_signed_plain(public, &[CONTEXT, digest].concat(), signature)
}

/// The same over bytes as they are.
pub(super) fn is_signed_plain(public: &[u8; 32], bytes: &[u8], signature: &[u8; SIGNATURE]) -> bool {
    VerifyingKey::from_bytes(public)
        .is_ok_and(|key| key.verify_strict(bytes, &Signature::from_bytes(signature)).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_seed(seed: &[u8; 32]) -> Key {
        Key { signing: SigningKey::from_bytes(seed), exposed: None }
    }

    /// RFC 8032, section 7.1, test 2.
    #[test]
    fn signatures_are_those_of_the_standard() {
        let seed = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
        let key = of_seed(&from_hex(seed).unwrap());
        assert_eq!(hex(&key.public()), "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        let signature = key.sign_plain(&[0x72]);
        assert_eq!(
            hex(&signature),
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        );
        assert!(is_signed_plain(&key.public(), &[0x72], &signature));
        assert!(!is_signed_plain(&key.public(), &[0x73], &signature));
    }

    /// As the website's group may do at any moment.
    #[test]
    fn one_that_takes_its_place_is_neither_read_nor_written()
    -> std::result::Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let config = Config::parse(br#"{"version": 1}"#, directory.path(), None)?;
        let place = Private::place(&config);
        let ours = Private::create(&config)?;
        ours.write("head", b"ours")?;
        fs::rename(&place, directory.path().join("away"))?;
        fs::create_dir(&place)?;
        fs::write(place.join("head"), "theirs")?;
        assert_eq!(ours.read("head")?.bytes().as_deref(), Some(&b"ours"[..]));
        ours.write("head", b"ours again")?;
        assert_eq!(fs::read(place.join("head"))?, b"theirs");
        assert_eq!(fs::read(directory.path().join("away/head"))?, b"ours again");
        assert!(matches!(Private::open(&config), Err(Absent::Refused(_))));
        fs::remove_dir_all(&place)?;
        std::os::unix::fs::symlink(directory.path().join("away"), &place)?;
        assert!(matches!(Private::open(&config), Err(Absent::Refused(why)) if why == "it is no directory"));
        Ok(())
    }

    #[test]
    fn a_signature_fits_one_digest_and_one_key() {
        let (key, other) = (of_seed(&[1; 32]), of_seed(&[2; 32]));
        let signature = key.sign(&[5; 32]);
        assert!(is_signed(&key.public(), &[5; 32], &signature));
        assert!(!is_signed(&key.public(), &[6; 32], &signature));
        assert!(!is_signed(&other.public(), &[5; 32], &signature));
        assert!(!is_signed_plain(&key.public(), &[5; 32], &signature), "the context is signed as well");
    }
}
