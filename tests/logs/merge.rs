//! Merges the logs of a configuration again and again, for tests whose other programs are not in Rust: `merge-logs CONFIG`.
//!
//! Goes on every 30 ms until its input ends, then until all is quiet. Its last line is how many runs there were. A failed run
//! ends it.

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use cr0sync::Config;
use cr0sync::logs::{self, Options};
use cr0sync::report::LogState;

/// So many runs in a row find nothing, and there is no more to come: a rotated file is watched for some.
const QUIET: u32 = 5;

#[allow(clippy::print_stdout, reason = "that is how it talks")]
fn main() -> ExitCode {
    match work() {
        Ok(runs) => {
            println!("{runs} runs");
            ExitCode::SUCCESS
        }
        Err(why) => {
            println!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn work() -> Result<u32, String> {
    let path = std::env::args_os().nth(1).ok_or("usage: merge-logs CONFIG")?;
    let config = Config::load(Some(Path::new(&path)), None).map_err(|error| error.to_string())?;
    let (tell, ended) = channel::<()>();
    std::thread::spawn(move || {
        let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
        drop(tell);
    });
    let (mut runs, mut quiet) = (0, 0);
    while quiet < QUIET {
        let report = logs::merge(&config, &Options::default()).map_err(|error| error.to_string())?;
        if !report.ok {
            return Err(format!("{report:#?}"));
        }
        runs += 1;
        let is_over = ended.recv_timeout(Duration::from_millis(30)) == Err(RecvTimeoutError::Disconnected);
        let is_quiet = report.logs.values().all(|log| log.state == LogState::Unchanged);
        quiet = if is_over && is_quiet { quiet + 1 } else { 0 };
    }
    Ok(runs)
}
