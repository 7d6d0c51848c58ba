//! Acting as the owner of a file while SQLite may make files beside it.
//!
//! As root, SQLite makes a journal or a log as root's and gives it away afterwards. Killed in between, a run would leave a
//! file that the owner of the database can neither open nor pass over, and so lock him out of his own database. What the
//! owner makes is the owner's from the start. Apart from the rest of `durable` because nothing is written here.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::rc::Rc;

use rustix::fs::{Access, AtFlags, CWD, Gid, Uid};
use rustix::process::{getegid, geteuid};
use rustix::thread::{set_thread_res_gid, set_thread_res_uid};

use crate::interrupt::{self, Guise, Worn};

/// While it lives, this thread has the rights of a file's owner and no others. Only root can, and only for files of
/// somebody else; everybody else stays who he is, as does root where the owner may not write beside the file himself.
#[must_use = "the rights go back when it is dropped"]
pub(crate) struct AsOwner {
    acting: Option<Rc<Acting>>,
    /// Whoever is asked meanwhile whether a run goes on is who he was.
    _worn: Option<Worn>,
}

struct Acting {
    before: (Uid, Gid),
    owner: (Uid, Gid),
}

impl Guise for Acting {
    fn put_off(&self) {
        give_back(self.before.0, self.before.1);
    }

    fn put_on(&self) {
        // What was possible once is possible again.
        let _ = set_thread_res_gid(None, Some(self.owner.1), None);
        let _ = set_thread_res_uid(None, Some(self.owner.0), None);
    }
}

impl AsOwner {
    /// Becomes the owner of a file.
    pub(crate) fn of(path: &Path) -> AsOwner {
        let acting = become_owner(path).map(Rc::new);
        AsOwner { _worn: acting.clone().map(|acting| interrupt::worn(acting)), acting }
    }
}

fn become_owner(path: &Path) -> Option<Acting> {
    let (uid, gid) = (geteuid(), getegid());
    let path = std::fs::canonicalize(path).ok()?;
    let file = std::fs::metadata(&path).ok()?;
    if !uid.is_root() || file.uid() == 0 {
        return None;
    }
    set_thread_res_gid(None, Some(Gid::from_raw(file.gid())), None).ok()?;
    if set_thread_res_uid(None, Some(Uid::from_raw(file.uid())), None).is_err() {
        give_back(uid, gid);
        return None;
    }
    let may = |path: &Path, what| rustix::fs::accessat(CWD, path, what, AtFlags::EACCESS).is_ok();
    let beside = path.parent().is_some_and(|parent| may(parent, Access::WRITE_OK | Access::EXEC_OK));
    if beside && may(&path, Access::READ_OK | Access::WRITE_OK) {
        let owner = (Uid::from_raw(file.uid()), Gid::from_raw(file.gid()));
        return Some(Acting { before: (uid, gid), owner });
    }
    give_back(uid, gid);
    None
}

/// Root can always come back: its real and saved ids have stayed.
fn give_back(uid: Uid, gid: Gid) {
    let _ = set_thread_res_uid(None, Some(uid), None);
    let _ = set_thread_res_gid(None, Some(gid), None);
}

impl Drop for AsOwner {
    fn drop(&mut self) {
        if let Some(acting) = &self.acting {
            acting.put_off();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, chown};

    use super::*;

    #[test]
    fn root_is_the_owner_for_a_while() -> Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("file");
        std::fs::write(&path, "")?;
        if !geteuid().is_root() {
            let acting = AsOwner::of(&path);
            assert!(acting.acting.is_none(), "nobody but root can become somebody else");
            return Ok(());
        }
        chown(&path, Some(4001), Some(4001))?;
        {
            let _owner = AsOwner::of(&path);
            assert!(geteuid().is_root(), "the owner cannot write beside the file");
        }
        chown(directory.path(), Some(4001), Some(4001))?;
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o700))?;
        {
            let _owner = AsOwner::of(&path);
            assert_eq!((geteuid().as_raw(), getegid().as_raw()), (4001, 4001));
            std::fs::write(directory.path().join("beside"), "")?;
        }
        let beside = std::fs::metadata(directory.path().join("beside"))?;
        assert_eq!((beside.uid(), beside.gid()), (4001, 4001));
        assert!(geteuid().is_root());
        std::fs::write(directory.path().join("of root"), "")?;
        assert_eq!(std::fs::metadata(directory.path().join("of root"))?.uid(), 0);
        Ok(())
    }
}
