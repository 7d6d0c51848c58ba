//! Writers that leave no room for what others write: they write at a place of their own, or out of a buffer in the middle
//! of lines. What others write goes into a file beside theirs, and theirs stays as it is.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use super::world::{Logs, append, read};

fn beside(logs: &Logs, side: &str) -> PathBuf {
    let mut name = logs.path(side).into_os_string();
    name.push(".merged");
    PathBuf::from(name)
}

fn warnings(report: &serde_json::Value) -> String {
    report["logs"]["x"]["warnings"].to_string()
}

#[test]
fn who_does_not_append_is_not_written_over() {
    let logs = Logs::new(&["bot", "other"]);
    logs.merge();
    let mut writer = File::create(logs.path("bot")).unwrap();
    logs.write(&writer, "bot", 5);
    logs.add("other", 5);
    let told = warnings(&logs.merge());
    assert!(told.contains("does not append") && told.contains("x.log.merged"), "{told}");
    for _ in 0..3 {
        logs.write(&writer, "bot", 5);
        logs.add("other", 5);
        logs.merge();
    }
    writer.flush().unwrap();
    logs.settle();
    logs.judge("beside");
    let written = logs.written.borrow();
    assert_eq!(
        written.judge(&[read(&logs.path("bot")), read(&beside(&logs, "bot"))].concat()),
        Default::default()
    );
    assert_eq!(written.0["bot"].concat(), read(&logs.path("bot")), "its own file is its own");
    assert_eq!(written.0["other"].concat(), read(&beside(&logs, "bot")));
}

#[test]
fn who_often_is_in_the_middle_of_a_line_is_not_waited_for() {
    let logs = Logs::new(&["bot", "other"]);
    logs.merge();
    let mut writer = append(&logs.path("bot"));
    logs.write(&writer, "bot", 2);
    writer.write_all(b"half of ").unwrap();
    logs.add("other", 5);
    let lag = |report: &serde_json::Value| report["logs"]["x"]["sides"]["bot"]["lag_bytes"].as_u64().unwrap();
    for _ in 0..3 {
        assert!(lag(&logs.merge()) > 0);
    }
    assert_eq!(lag(&logs.merge()), 0);
    writer.write_all(b"a line\n").unwrap();
    logs.note("bot", b"half of a line\n");
    logs.settle();
    logs.judge("beside");
    let written = logs.written.borrow();
    assert_eq!(written.0["bot"].concat(), read(&logs.path("bot")));
    assert_eq!(written.0["other"].concat(), read(&beside(&logs, "bot")));
}
