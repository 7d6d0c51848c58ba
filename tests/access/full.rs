//! No room on the disk of the files: what is there stays as it is, the error says what to do, and with room all goes on.

use std::fs;
use std::io::Write;

use cr0sync::access::{Permission, keys, sessions};
use serde_json::Value;

use super::world::{ACTS, KEYS, LIMITS, SESSIONS, World, is_done, key, perform, session};
use crate::common::disk::Disk;

const FREE: &str = "free some space there";

/// What was said of the lack of room.
fn judge(said: cr0sync::Result<Value>, act: &str, file: &str, told: &str) {
    match said {
        // Nobody is kept out because his use cannot be written down.
        Ok(report) if act == "use" => {
            let is_told = report["warnings"].to_string().contains("No space left");
            assert!(report["granted"] == true && is_told, "{told}: {report}");
        }
        Ok(report) if act == "limits" => {
            let problem = report["legacy"]["problem"].as_str().unwrap_or_default();
            assert!(problem.contains("No space left") && problem.ends_with(FREE), "{told}: {report}");
            assert_eq!(report["ok"], false);
        }
        // One copy in our own directory is enough.
        Ok(report) if act == "revoke" || act == "close" => {
            let warnings = report["warnings"].to_string();
            let is_told =
                warnings.contains(&format!("{file} does not say so yet")) && warnings.contains(FREE);
            assert!(report["revoked"] == true || report["closed"] == true, "{told}: {report}");
            assert!(warnings.contains("No space left") && is_told, "{told}: {report}");
        }
        Ok(report) => panic!("{told}: {report}"),
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains(file) && text.contains("No space left"), "{told}: {text}");
            assert_eq!(error.hint_text(), Some(FREE), "{told}: {text}");
        }
    }
}

#[test]
fn a_full_disk_leaves_every_file_as_it_was() {
    for (act, file) in ACTS {
        let told = format!("{act} on a full disk");
        let world = World::new();
        let Some(disk) = Disk::mount(&world.root().join("shared_storage"), 1 << 20) else { return };
        world.give();
        disk.fill(0);
        // A page or two may be left, which is enough for a file in the making.
        let rest = world.shared("rest");
        let mut filler = fs::File::create(&rest).unwrap();
        while filler.write_all(&[7; 4_096]).is_ok() {}
        let config = world.config();
        let state = || {
            [KEYS, SESSIONS, LIMITS].map(|name| (fs::read(world.shared(name)).unwrap(), world.owner(name)))
        };
        let names = || -> Vec<String> {
            let names = fs::read_dir(world.root().join("shared_storage")).unwrap();
            let mut names: Vec<String> =
                names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            // That is small enough for what is left, and as good as the one in our own directory.
            names.retain(|name| !name.ends_with(".withdrawn"));
            names.sort();
            names
        };
        let before = (state(), names());
        judge(perform(&config, act), act, file, &told);
        assert!(before == (state(), names()), "{told}: {:?}", names());
        drop(filler);
        fs::remove_file(rest).unwrap();
        disk.make_room();
        let issued = keys::issue(&config, &key()).unwrap();
        assert!(keys::verify(&config, issued.key.as_bytes(), Permission::Read).unwrap().granted, "{told}");
        let opened = sessions::open(&config, &session()).unwrap();
        let said = sessions::verify(&config, opened.token.as_bytes(), Permission::Read).unwrap();
        assert!(said.granted, "{told}");
        perform(&config, "limits").unwrap();
        assert!(is_done("limits", &world.value(LIMITS)), "{told}");
    }
}
