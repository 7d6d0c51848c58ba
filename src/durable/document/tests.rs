//! What others do to a document while it is changed.

use std::cell::Cell;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::json;

use super::super::aside::Fate;
use super::*;

type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

struct Place {
    directory: tempfile::TempDir,
    path: PathBuf,
    ownership: Ownership,
}

impl Place {
    fn new() -> std::io::Result<Place> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("shared/a.json");
        fs::create_dir(directory.path().join("shared"))?;
        let ownership = crate::durable::of_nobody();
        Ok(Place { directory, path, ownership })
    }

    fn document(&self) -> Document<'_> {
        Document {
            path: &self.path,
            root: self.directory.path(),
            lock: "a",
            ownership: &self.ownership,
            wait_ms: 2_000,
        }
    }

    fn value(&self) -> std::result::Result<Value, Box<dyn std::error::Error>> {
        Ok(serde_json::from_slice(&fs::read(&self.path)?)?)
    }

    fn names(&self) -> std::io::Result<Vec<String>> {
        let entries = fs::read_dir(self.directory.path().join("shared"))?;
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }
}

fn quiet(_: &Broken) {}

fn push(value: &mut Value, item: Value) -> Result<Altered<()>> {
    if let Value::Array(items) = value {
        items.push(item);
    }
    Ok(Altered::Yes(()))
}

#[test]
fn it_is_made_and_changed_and_what_it_had_stays() -> Outcome {
    let place = Place::new()?;
    place.document().change(quiet, |_| Ok(Altered::No(())))?;
    assert!(!place.path.exists(), "nothing is written where nothing changes");
    place.document().change(quiet, |value| push(value, json!({"z": 1, "a": 2})))?;
    let made = fs::metadata(&place.path)?;
    assert_eq!(made.mode() & 0o777, 0o664);
    fs::set_permissions(&place.path, fs::Permissions::from_mode(0o640))?;
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&place.path, Some(4001), Some(4002))?;
    }
    let before = fs::metadata(&place.path)?;
    place.document().change(quiet, |value| push(value, json!("x/y")))?;
    let after = fs::metadata(&place.path)?;
    assert_eq!(
        (after.mode(), after.uid(), after.gid()),
        (before.mode(), before.uid(), before.gid()),
        "owner, group and mode"
    );
    let text = "[\n    {\n        \"z\": 1,\n        \"a\": 2\n    },\n    \"x\\/y\"\n]";
    assert_eq!(fs::read_to_string(&place.path)?, text);
    assert_eq!(place.names()?, ["a.json"]);
    Ok(())
}

#[test]
fn what_somebody_writes_in_between_is_kept() -> Outcome {
    let place = Place::new()?;
    for replaces in [false, true] {
        fs::write(&place.path, "[1]")?;
        let times = Cell::new(0);
        place.document().change(quiet, |value| {
            times.set(times.get() + 1);
            if times.get() == 1 {
                // Of the same length, and in the same moment.
                let target = if replaces { place.path.with_extension("theirs") } else { place.path.clone() };
                let written = fs::write(&target, "[2]").and_then(|()| fs::rename(&target, &place.path));
                assert!(written.is_ok());
            }
            push(value, json!("ours"))
        })?;
        assert_eq!((place.value()?, times.get()), (json!([2, "ours"]), 2), "replaces: {replaces}");
    }
    // Where there was nothing.
    fs::remove_file(&place.path)?;
    place.document().change(quiet, |value| {
        if !place.path.exists() {
            assert!(fs::write(&place.path, "[3]").is_ok());
        }
        push(value, json!("ours"))
    })?;
    assert_eq!(place.value()?, json!([3, "ours"]));
    Ok(())
}

#[test]
fn what_a_program_writes_that_waited_for_the_old_file_is_kept() -> Outcome {
    let place = Place::new()?;
    fs::write(&place.path, "[1]")?;
    let file = fs::OpenOptions::new().write(true).open(&place.path)?;
    let inode = file.metadata()?;
    std::thread::scope(|scope| -> Outcome {
        let started = Cell::new(false);
        place.document().change(quiet, |value| {
            if !started.replace(true) {
                // As file_put_contents() with LOCK_EX does it.
                let mut file = file.try_clone().map_err(|cause| Error::io("x", "", cause))?;
                scope.spawn(move || {
                    let _ = fs2::FileExt::lock_exclusive(&file);
                    let _ = file.set_len(0).and_then(|()| file.write_all(b"[\"theirs\"]"));
                    let _ = fs2::FileExt::unlock(&file);
                });
                while !is_waited_for(&inode) {
                    clock::pause(1);
                }
            }
            push(value, json!("ours"))
        })?;
        Ok(())
    })?;
    assert_eq!(place.value()?, json!(["theirs", "ours"]));
    Ok(())
}

#[test]
fn what_is_just_being_written_is_waited_for() -> Outcome {
    let place = Place::new()?;
    fs::write(&place.path, "[1, ")?;
    std::thread::scope(|scope| -> Outcome {
        scope.spawn(|| {
            clock::pause(100);
            let _ = fs::write(&place.path, "[1, 2]");
        });
        let mut told = Vec::new();
        place.document().change(|broken| told.push(broken.clone()), |value| push(value, json!(3)))?;
        assert_eq!(told, []);
        Ok(())
    })?;
    assert_eq!(place.value()?, json!([1, 2, 3]));
    Ok(())
}

#[test]
fn what_makes_no_sense_is_moved_aside_as_it_is() -> Outcome {
    for text in ["", "{\"half\": ", "null", "\u{fffd}", "[1] trailing"] {
        let place = Place::new()?;
        fs::write(&place.path, text)?;
        let mut told = Vec::new();
        place.document().change(
            |broken| {
                assert!(place.path.exists(), "it is told before it is moved");
                told.push(broken.clone());
            },
            |value| push(value, json!(1)),
        )?;
        let [broken] = told.as_slice() else { return Err(format!("{told:?}").into()) };
        assert_eq!(fs::read_to_string(&broken.moved_to)?, text);
        let name = broken.moved_to.file_name().unwrap_or_default().to_string_lossy().into_owned();
        assert!(name.starts_with("a.json.corrupt-2"), "{name}");
        assert_eq!(place.value()?, json!([1]));
    }
    Ok(())
}

#[test]
fn a_good_file_that_came_in_between_is_never_moved_aside() -> Outcome {
    for replaces in [false, true] {
        let place = Place::new()?;
        fs::write(&place.path, "{half")?;
        let mut told = Vec::new();
        place.document().change(
            |broken| {
                if told.is_empty() {
                    let target =
                        if replaces { place.path.with_extension("good") } else { place.path.clone() };
                    let put =
                        fs::write(&target, "[\"good\"]").and_then(|()| fs::rename(&target, &place.path));
                    assert!(put.is_ok());
                }
                told.push(broken.fate);
            },
            |value| push(value, json!("ours")),
        )?;
        assert_eq!(place.value()?, json!(["good", "ours"]), "replaces: {replaces}");
        assert_eq!(told, [Fate::Goes, Fate::Replaced], "replaces: {replaces}");
        assert_eq!(place.names()?, ["a.json"], "replaces: {replaces}");
    }
    Ok(())
}

#[test]
fn what_is_no_file_is_left_alone() -> Outcome {
    let place = Place::new()?;
    let target = place.path.with_extension("target");
    fs::write(&target, "[1]")?;
    std::os::unix::fs::symlink(&target, &place.path)?;
    assert!(place.document().change(quiet, |value| push(value, json!(2))).is_err());
    assert_eq!(fs::read_to_string(&target)?, "[1]");
    Ok(())
}

#[test]
fn who_holds_the_file_is_waited_for_and_then_named() -> Outcome {
    let place = Place::new()?;
    fs::write(&place.path, "[1]")?;
    let file = File::open(&place.path)?;
    fs2::FileExt::lock_exclusive(&file)?;
    let document = Document { wait_ms: 20, ..place.document() };
    let refused = document.change(quiet, |value| push(value, json!(2)));
    assert_eq!(refused.map_err(|error| error.kind()), Err(ErrorKind::Locked));
    assert_eq!(place.value()?, json!([1]));
    Ok(())
}
