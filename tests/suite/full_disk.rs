//! A disk that is really full: of the state, of one side, of the backups. The run says so, nothing is lost, and the next one
//! goes on when there is room again.
//!
//! Apart from the crash tests, which let single calls fail. Where nothing can be mounted this is skipped.

use std::fs;

use cr0sync::database;
use serde_json::{Value, json};

use crate::common::disk::Disk;
use crate::common::{World, assert_converged, assert_settled, check, options, seen};

#[test]
fn whatever_disk_is_full_nothing_is_lost() {
    let mut refusals = 0;
    for journal in ["delete", "wal"] {
        for place in ["state", "bot", "central", "backups"] {
            for left in [0, 4_096, 20_000, 60_000, 120_000] {
                let mut world = World::two().tables(json!({ "t": { "columns": { "n": "sum" } } }));
                world.json["guards"]["min_free_percent"] = json!(0);
                world.edit_all(&format!("PRAGMA journal_mode = {journal}"));
                let world =
                    world.start("CREATE TABLE t(k TEXT PRIMARY KEY, n, x); INSERT INTO t VALUES('a', 0, '')");
                let at = match place {
                    "state" => world.root().join("sync_state"),
                    "backups" => world.root().join("databases"),
                    side => world.path(side).parent().unwrap().to_path_buf(),
                };
                fs::create_dir_all(&at).unwrap();
                world.edit(
                    "bot",
                    "UPDATE t SET n = n + 5; INSERT INTO t VALUES('bot', 1, hex(randomblob(20000)))",
                );
                world.edit(
                    "central",
                    "UPDATE t SET n = n + 7; INSERT INTO t VALUES('central', 1, hex(randomblob(20000)))",
                );
                let Some(disk) = Disk::mount(&at, 3 << 20) else { return };
                disk.fill(left);
                let told = format!("{journal}, {place} with {left} bytes left");
                match database::sync(&world.config(), &options()) {
                    Err(error) => {
                        refusals += 1;
                        assert!(
                            error.to_string().contains('/') || error.to_string().contains("state"),
                            "{told}: {error}"
                        );
                    }
                    Ok(report) => {
                        let report: Value = seen(report);
                        let full = report.to_string().contains("full");
                        refusals += usize::from(full);
                        assert!(full || report["ok"] == true, "{told}: {report:#}");
                    }
                }
                disk.make_room();
                let report = world.sync();
                assert_eq!(report["ok"], true, "{told}: {report:#}");
                assert_converged(&world);
                assert_settled(&world);
                check(
                    &world,
                    "SELECT k, n, length(x) FROM t ORDER BY k",
                    &["'a' 12 0", "'bot' 1 40000", "'central' 1 40000"],
                );
                assert_eq!(world.conflicts().len(), 0, "{told}");
            }
        }
    }
    println!("{refusals} runs found no room");
    assert!(refusals > 10, "{refusals}");
}
