//! Runs what a person has configured to make a writer open its file again.
//!
//! Apart from `rotate` because a program of somebody else's runs here. No shell takes part and no text of a log ever reaches
//! it; it gets no input and so much time.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};

use crate::clock;

/// How long it may take (milliseconds).
const MOST_MS: u64 = 30_000;
/// How often it is looked at (milliseconds).
const PAUSE_MS: u64 = 10;
/// So much of what it said is told (bytes).
const MOST_SAID: u64 = 2000;
/// What to do where it did not do its work.
const BY_HAND: &str = "the log is rotated all the same: see to that program, and run it once by hand";

/// Runs a program with its arguments.
///
/// # Errors
/// In words, with what it said, when it cannot be run, fails, or takes too long; then it and its group are ended.
pub(crate) fn run(command: &[String]) -> Result<(), String> {
    run_for(command, MOST_MS)
}

fn run_for(command: &[String], most_ms: u64) -> Result<(), String> {
    let Some((program, arguments)) = command.split_first() else { return Ok(()) };
    let fail = |cause: io::Error| format!("postrotate: cannot run {program}: {cause}; {BY_HAND}");
    let mut said = File::from(
        rustix::fs::memfd_create("postrotate", rustix::fs::MemfdFlags::CLOEXEC)
            .map_err(|cause| fail(cause.into()))?,
    );
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(said.try_clone().map_err(fail)?)
        .stderr(said.try_clone().map_err(fail)?)
        .process_group(0)
        .spawn()
        .map_err(fail)?;
    let ended = wait(&mut child, most_ms).map_err(fail)?;
    let why = match ended {
        Some(status) if status.success() => return Ok(()),
        Some(status) => format!("failed ({status})"),
        None => format!("was not done within {} seconds, and was ended", most_ms / 1000),
    };
    let mut text = Vec::new();
    let told = said.rewind().and_then(|()| said.take(MOST_SAID).read_to_end(&mut text));
    let text = String::from_utf8_lossy(&text);
    match told {
        Ok(_) if !text.trim().is_empty() => {
            Err(format!("postrotate: {program} {why}: {}; {BY_HAND}", text.trim()))
        }
        _ => Err(format!("postrotate: {program} {why}; {BY_HAND}")),
    }
}

/// How it ended; `None` when it took too long.
fn wait(child: &mut Child, most_ms: u64) -> io::Result<Option<ExitStatus>> {
    let began = clock::start();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if began.millis() >= most_ms {
            if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
                // It may have ended in this moment.
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        clock::pause(PAUSE_MS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn what_goes_wrong_is_told() {
        assert_eq!(run(&[]), Ok(()));
        assert_eq!(run(&words(&["/bin/true", "$(x)"])), Ok(()));
        for (command, expected) in [
            (
                &["/bin/false"][..],
                "postrotate: /bin/false failed (exit status: 1); the log is rotated all the same: see to that program, and run it once by hand",
            ),
            (
                &["/nowhere/x"],
                "postrotate: cannot run /nowhere/x: No such file or directory (os error 2); the log is rotated all the same: see to that program, and run it once by hand",
            ),
            (
                &["/bin/sh", "-c", "echo no such process >&2; exit 3"],
                "postrotate: /bin/sh failed (exit status: 3): no such process; the log is rotated all the same: see to that program, and run it once by hand",
            ),
        ] {
            assert_eq!(run(&words(command)), Err(expected.to_owned()));
        }
        let slow = run_for(&words(&["/bin/sh", "-c", "echo waiting; sleep 1000 & wait"]), 100);
        assert!(slow.is_err_and(
            |why| why.contains("was not done within") && why.contains("ended: waiting; the log is")
        ));
    }
}
