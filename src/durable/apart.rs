//! Whether a directory can be given to the users of an installation. One that has other things, as the pages of a website, would
//! hand them all of those: who may make files in a directory may put another in the place of each that is there.

use std::fs;
use std::path::{Path, PathBuf};

use super::mend;
use crate::config::Config;

/// What a directory is called that has nothing but files of an installation.
const NAME: &str = "cr0sync-data";

/// Whether all that lies in a directory is the installation's: it is below the root, or has nothing but files that the
/// configuration names, with what belongs to them.
pub(crate) fn may_be_given(config: &Config, directory: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let (directory, root) = (real(directory), real(&config.root));
    if directory != root && directory.starts_with(&root) {
        return true;
    }
    let Ok(all) = fs::read_dir(&directory) else { return false };
    let names: Vec<String> = named(config)
        .filter_map(|path| {
            let above = path.parent().map(real);
            let place = fs::canonicalize(path).ok().or_else(|| Some(above?.join(path.file_name()?)))?;
            let name = place.file_name()?.to_str()?.to_owned();
            (place.parent() == Some(&directory)).then_some(name)
        })
        .collect();
    all.into_iter().all(|entry| {
        entry.is_ok_and(|entry| {
            entry.file_type().is_ok_and(|kind| !kind.is_dir())
                && entry.file_name().to_str().is_some_and(|name| names.iter().any(|one| is_of(name, one)))
        })
    })
}

/// All files that the configuration names.
fn named(config: &Config) -> impl Iterator<Item = &PathBuf> {
    let replicas = config.databases.values().flat_map(|database| database.replicas.values());
    let copies = config.logs.values().flat_map(|log| log.copies.values());
    replicas.chain(copies).chain([&config.events.log])
}

/// Whether a name is that of a file, of what SQLite keeps beside it, of one in the making, or of a rotated log.
fn is_of(name: &str, file: &str) -> bool {
    let Some(rest) = name.strip_prefix(file) else { return false };
    let is_number = |rest: &str| {
        rest.starts_with(|c: char| c.is_ascii_digit())
            && !rest.contains(|c: char| !c.is_ascii_digit() && c != '-' && c != '_')
    };
    let is_rotated = rest.strip_prefix(['.', '-']).is_some_and(|rest| {
        is_number(rest.strip_suffix(".gz").or_else(|| rest.strip_suffix(".zst")).unwrap_or(rest))
    });
    let is_being_made = rest.strip_prefix(".new-").is_some_and(|tag| !tag.contains('.'));
    ["", "-wal", "-shm", "-journal"].contains(&rest) || is_being_made || is_rotated
}

/// What to do with files in a directory that cannot be given.
pub(crate) fn instead(config: &Config, directory: &Path, files: &[&Path]) -> String {
    let ownership = &config.ownership;
    let place = directory.join(NAME);
    let names: Vec<_> = files.iter().filter_map(|path| path.file_name()).collect();
    let listed = |each: &dyn Fn(&Path) -> PathBuf| {
        let all: Vec<String> = names.iter().map(|name| mend::quoted(&each(Path::new(name)))).collect();
        all.join(" and ")
    };
    format!(
        "{} has other things too, which are not to be given away with it, so move {} into a directory of its own, as root: {}; \
         then, while no program has it open, move it there with what is called -wal and -journal beside it, and name {} in \
         cr0sync.json and to whatever uses it",
        mend::quoted(directory),
        listed(&Path::to_path_buf),
        mend::mkdir(&format!("{}:{}", ownership.user, ownership.group), "2775", &place),
        listed(&|name| place.join(name)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_the_installation_s_alone_can_be_given() {
        let place = tempfile::tempdir().unwrap();
        let top = place.path();
        let (root, site) = (top.join("root"), top.join("site"));
        let json = format!(
            r#"{{"version": 1, "databases": {{"users": {{"replicas":
               {{"central": "databases/users.db", "website": "{}/users.db"}}}}}}}}"#,
            site.display()
        );
        for directory in [&root, &site, &root.join("databases")] {
            fs::create_dir(directory).unwrap();
        }
        let config = Config::parse(json.as_bytes(), &root, None).unwrap();
        let may = |directory: &Path| may_be_given(&config, directory);
        assert!(may(&root.join("databases")), "below the root");
        fs::write(root.join("cr0sync.json"), "").unwrap();
        assert!(!may(&root), "the root itself has more than files that are named");
        assert!(may(&site), "nothing is there");
        for name in ["users.db", "users.db-wal", "users.db-shm", "users.db-journal"] {
            fs::write(site.join(name), "").unwrap();
        }
        assert!(may(&site), "a database");
        for name in ["index.html", "users.db.php", "users.db-wal.php", "users"] {
            fs::write(site.join(name), "").unwrap();
            assert!(!may(&site), "{name}");
            fs::remove_file(site.join(name)).unwrap();
        }
        fs::create_dir(site.join("users.db-1")).unwrap();
        assert!(!may(&site), "a directory");
        fs::remove_dir(site.join("users.db-1")).unwrap();
        assert!(may(&site), "as before");
        assert!(!may(&top.join("nowhere")), "nobody can say");
    }
}
