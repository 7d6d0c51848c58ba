//! What we write ourselves in places that are watched: exactly that is left out, and nothing that somebody could hide by a name.

use std::os::unix::fs::symlink;

use serde_json::json;

use super::world::World;

/// Watches everything below the root, where our outputs lie.
fn world() -> World {
    let world = World::new();
    world.watch(&json!({ "monitored_files": [], "monitored_directories": [world.path("root")] }));
    world.baseline();
    assert_eq!(world.lines(&world.check()), "");
    world
}

#[test]
fn what_our_outputs_are_called_while_they_are_written_is_no_finding() {
    let world = world();
    let config = &world.config;
    let outputs = [
        &config.integrity.baseline,
        &config.integrity.baseline.with_file_name("file_hashes.json.sig"),
        &config.integrity.alerts,
        &config.events.log,
        &config.events.log.with_file_name("security_events.json.before"),
        &config.access.keys,
        &config.access.keys.with_file_name("api_keys.json.withdrawn"),
        &config.access.sessions,
        &config.access.sessions.with_file_name("api_sessions.json.withdrawn"),
        &config.access.rate_limits,
    ];
    let mut directories = std::collections::BTreeSet::new();
    for output in outputs {
        let directory = output.parent().unwrap();
        std::fs::create_dir_all(directory).unwrap();
        directories.insert(directory.to_path_buf());
    }
    world.baseline();
    for output in outputs {
        for end in ["", ".new-copy", ".new-cut", ".new-integrity", ".new-json", ".new-log"] {
            let mut path = output.clone().into_os_string();
            path.push(end);
            if end.is_empty() && std::path::Path::new(&path).exists() {
                continue;
            }
            std::fs::write(&path, "half of it").unwrap();
        }
    }
    let report = world.check();
    let added: Vec<_> = report.findings.iter().filter(|finding| finding.changes.is_empty()).collect();
    assert!(added.is_empty(), "{added:?}");
    let excluded = |text: &str| report.excluded.iter().any(|excluded| excluded.path.contains(text));
    assert!(excluded("security_events.json.new-cut"), "{:?}", report.excluded);
}

#[test]
fn nothing_else_hides_by_such_a_name() {
    let world = world();
    let log = world.config.events.log.clone();
    let directory = log.parent().unwrap();
    std::fs::create_dir_all(directory).unwrap();
    world.baseline();
    let name = |end: &str| directory.join(format!("security_events.json{end}"));
    for end in [".new-", ".new-x", ".new-cut2", ".new-cut.php", ".php", ".new-log.php", "2.new-cut"] {
        std::fs::write(name(end), "<?php").unwrap();
    }
    std::fs::write(directory.join("x.new-cut"), "<?php").unwrap();
    // Another place.
    std::fs::write(world.path("root/security_events.json.new-cut"), "<?php").unwrap();
    // What could hold anything.
    std::fs::create_dir(name(".new-cut")).unwrap();
    std::fs::write(name(".new-cut").join("shell.php"), "<?php").unwrap();
    symlink("/etc/passwd", name(".new-json")).unwrap();
    let _ = std::fs::remove_file(&world.config.access.keys);
    std::fs::create_dir_all(world.config.access.keys.join("below")).unwrap();
    let lines = world.lines(&world.check());
    let told: Vec<&str> = lines.lines().map(|line| line.rsplit('/').next().unwrap_or(line)).collect();
    for expected in [
        "security_events.json.new-",
        "security_events.json.new-x",
        "security_events.json.new-cut2",
        "security_events.json.new-cut.php",
        "security_events.json.php",
        "security_events.json.new-log.php",
        "security_events.json2.new-cut",
        "x.new-cut",
        "security_events.json.new-cut",
        "shell.php",
        "security_events.json.new-json",
        "below",
    ] {
        assert!(told.contains(&expected), "{expected}: {lines}");
    }
    assert_eq!(told.iter().filter(|name| **name == "security_events.json.new-cut").count(), 2, "{lines}");
}
