//! A wall clock that is an hour ahead or behind lets nobody in who has to wait, and locks nobody out.
//!
//! Real processes with a wall clock of their own, which share one table: a library that is loaded before the C library
//! answers them. Where there is no C compiler to make it, the test says so and passes.

use std::fs;
use std::path::Path;
use std::process::Command;

use cr0sync::Config;
use cr0sync::access::limits::{self, Check, Policy, Rule};
use cr0sync::access::{Permission, keys};

use super::world::{World, key};

/// Says to the child which configuration it is about.
const CHILD: &str = "CR0SYNC_ACCESS_CLOCK";
const CLOCK: &str = r#"
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *to)
{
    const char *step = getenv("CLOCK_STEP");
    int failed = (int) syscall(SYS_clock_gettime, id, to);
    if (failed == 0 && step != NULL && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        to->tv_sec += atol(step);
    }
    return failed;
}
"#;

pub(crate) fn child() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let config = Config::load(Some(Path::new(&path)), None).unwrap();
    let policy = Policy::new(5, 7 * 86_400, 5).unwrap();
    let check = Check { client: b"a", rule: Rule::Policy(policy), cost: 1 };
    let said = limits::rate_limit(&config, &[check]).unwrap().verdict;
    // What our own clock says, that nobody may take the step for granted.
    let issued = keys::issue(&config, &key()).unwrap();
    let known = keys::verify(&config, issued.key.as_bytes(), Permission::Read).unwrap().key.unwrap();
    let hours = said.retry_after_ms.map_or(0, |wait| wait.div_ceil(3_600_000));
    println!("\nsaid {} {} {hours} at {}", said.allowed, said.remaining, known.created_at.unwrap());
}

/// The shared object; `None` where none can be made.
fn made(directory: &Path) -> Option<std::path::PathBuf> {
    let (source, object) = (directory.join("clock.c"), directory.join("clock.so"));
    fs::write(&source, CLOCK).unwrap();
    let run = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&object).arg(&source).status();
    run.is_ok_and(|status| status.success()).then_some(object)
}

#[test]
fn whatever_the_wall_clock_says_a_limit_lets_in_as_often() {
    let world = World::new();
    let Some(object) = made(world.root()) else {
        println!("skipped: there is no C compiler");
        return;
    };
    let ask = |step: i64| {
        let out = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "clock", "--nocapture", "--test-threads=1"])
            .env(CHILD, world.config_file())
            .env("LD_PRELOAD", &object)
            .env("CLOCK_STEP", step.to_string())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let line = text.lines().find_map(|line| line.strip_prefix("said ")).unwrap_or_else(|| {
            panic!("{text}{}", String::from_utf8_lossy(&out.stderr));
        });
        let (said, at) = line.split_once(" at ").unwrap();
        let at = chrono::DateTime::parse_from_rfc3339(at).unwrap().timestamp();
        let off = (at - chrono::Utc::now().timestamp() + 1_800).div_euclid(3_600);
        assert_eq!(off, step / 3_600, "the child's clock was to be another one");
        said.to_owned()
    };
    let said: Vec<String> =
        [0, 3_600, -3_600, 3_600, 0, 3_600, -3_600, 720 * 3_600, 0].into_iter().map(ask).collect();
    // A request more every 33.6 hours.
    let refused = "false 0 34";
    let expected =
        ["true 4 0", "true 3 0", "true 2 0", "true 1 0", "true 0 0", refused, refused, refused, refused];
    assert_eq!(said, expected);
}
