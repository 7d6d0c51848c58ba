//! Every lock that anything takes is made by the cron user's runs, so that nobody else makes one first and keeps it to himself.

use std::fs;

use cr0sync::access::{keys, limits, sessions};
use cr0sync::{integrity, security};
use serde_json::json;

use super::world::{World, key, session};

fn locks(world: &World) -> Vec<String> {
    let all = fs::read_dir(world.root().join("sync_state/locks")).unwrap();
    let mut all: Vec<String> = all.map(|one| one.unwrap().file_name().into_string().unwrap()).collect();
    all.sort();
    all
}

#[test]
fn the_cron_user_makes_every_lock_that_there_is() {
    let world = World::new();
    let config = world.config();
    fs::create_dir(world.root().join("web")).unwrap();
    let list = json!({ "monitored_files": [], "monitored_directories": [world.root().join("web")] });
    fs::write(world.shared("integrity_config.json"), list.to_string()).unwrap();
    integrity::baseline(&config, None).unwrap();
    let made = locks(&world);
    assert!(made.len() > 10, "{made:?}");
    fs::write(world.root().join("web/new.php"), "<?php").unwrap();
    keys::revoke(&config, &keys::issue(&config, &key()).unwrap().id).unwrap();
    let opened = sessions::open(&config, &session()).unwrap();
    sessions::close(&config, opened.token.as_bytes()).unwrap();
    limits::cleanup(&config).unwrap();
    security::run(&config).unwrap();
    let options = integrity::WatchOptions { seconds: Some(0), ..integrity::WatchOptions::default() };
    integrity::watch(&config, options, &mut |_| integrity::Continue::Yes).unwrap();
    assert_eq!(locks(&world), made, "there is one that is not made");
}
