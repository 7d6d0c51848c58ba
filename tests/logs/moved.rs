//! Files that are back where they were, and files that cannot be read for a while: neither is taken for new or for gone.

use std::fs;

use super::world::Logs;

#[test]
fn a_file_that_is_moved_back_is_read_on() {
    for is_begun_anew in [false, true] {
        let logs = Logs::new(&["bot", "other"]);
        logs.open("other");
        logs.add("bot", 10);
        logs.settle();
        logs.add("other", 5);
        logs.settle();
        logs.rename("bot", ".1");
        if is_begun_anew {
            logs.open("bot");
        }
        logs.settle();
        fs::rename(logs.rotated_path("bot", ".1"), logs.path("bot")).unwrap();
        logs.add("bot", 5);
        logs.add("other", 5);
        logs.settle();
        logs.judge("moved back");
        logs.judge_sources("moved back");
    }
}

#[test]
fn a_rotated_file_that_cannot_be_read_now_is_read_later() {
    let logs = Logs::new(&["bot", "other"]);
    logs.open("other");
    logs.add("bot", 10);
    logs.settle();
    logs.add("bot", 5);
    logs.rename("bot", ".1");
    let link = logs.root().join("link");
    fs::hard_link(logs.rotated_path("bot", ".1"), &link).unwrap();
    logs.add("bot", 5);
    let told = logs.run()["logs"]["x"]["warnings"].to_string();
    assert!(told.contains("passed over") && told.contains("x.log.1"), "{told}");
    fs::remove_file(link).unwrap();
    logs.settle();
    logs.judge("linked");
    logs.judge_sources("linked");
}

#[test]
fn an_archive_whose_segment_cannot_be_read_now_is_not_made_anew() {
    let logs = Logs::new(&["bot"]);
    logs.add("bot", 10);
    logs.settle();
    logs.rename("central", ".1");
    let link = logs.root().join("link");
    fs::hard_link(logs.rotated_path("central", ".1"), &link).unwrap();
    logs.add("bot", 5);
    let report = logs.run();
    assert_eq!(report["logs"]["x"]["state"], "failed", "{report:#}");
    assert!(report["logs"]["x"]["reason"].to_string().contains("x.log.1"), "{report:#}");
    fs::remove_file(link).unwrap();
    logs.settle();
    logs.judge("linked");
}
