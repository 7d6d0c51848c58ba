//! What keeps people out who should come in, for `status`.
//!
//! Looks only: nothing is mended, moved or told to the event log; whoever asks for a key, and the cleanup each hour, do that.

use super::shelf::{self, Kind, State};
use super::withdrawn::{self, Standing};
use crate::config::Config;
use crate::durable;
use crate::report::StatusProblem;

/// What the command is after that.
const NEXT: &str = "cleanup";

/// All that is wrong with the files of keys and sessions, and with the record of what was withdrawn.
pub(crate) fn problems(config: &Config) -> Vec<StatusProblem> {
    [Kind::Keys, Kind::Sessions].into_iter().flat_map(|kind| of(config, kind)).collect()
}

fn of(config: &Config, kind: Kind) -> Vec<StatusProblem> {
    let path = kind.path(config).display().to_string();
    let say = |problem, first: String| StatusProblem { problem, first: Some(first), next: NEXT };
    let mut all = Vec::new();
    match withdrawn::ask(config, kind, |state| state.standing()) {
        Ok(Standing::Whole | Standing::Uneven | Standing::Hurt) => {}
        Ok(Standing::Lost) => {
            let [why, help] = withdrawn::lost(config, kind);
            all.push(say(why, help));
        }
        Ok(Standing::Newer) => {
            let error = withdrawn::newer(config, kind);
            all.push(say(error.to_string(), error.hint_text().unwrap_or_default().to_owned()));
        }
        Err(error) => all.push(say(error.in_words(), "see who may read it".to_owned())),
    }
    let broken = shelf::ask(config, kind, |state| match state {
        State::Known(_) => None,
        State::Broken(reason) => Some(reason.clone()),
    });
    if let Some(reason) = broken.unwrap_or_else(|error| Some(error.in_words())) {
        let problem = format!("{path} lets nobody in: {reason}");
        all.push(say(problem, "find out who did that, and put a good copy in its place".to_owned()));
    }
    if kind == Kind::Keys {
        all.extend(durable::lying_aside(kind.path(config)).into_iter().map(|aside| {
            let problem = format!(
                "{path} made no sense, and was put aside as {}: the keys in that let nobody in",
                aside.display()
            );
            say(problem, "take over from there what is missing, and move it away".to_owned())
        }));
    }
    all
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

    /// All names below a directory.
    fn names(path: &Path) -> Vec<String> {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        let mut all: Vec<String> = entries
            .flat_map(|entry| {
                let path = entry.path();
                let mut below = if path.is_dir() { names(&path) } else { Vec::new() };
                below.push(path.display().to_string());
                below
            })
            .collect();
        all.sort();
        all
    }

    #[test]
    fn whatever_lets_nobody_in_is_a_problem_and_looking_changes_nothing() -> Outcome {
        type Case = (&'static str, fn(&Config) -> std::io::Result<()>, &'static [&'static str]);
        let cases: [Case; 7] = [
            ("nothing", |_| Ok(()), &[]),
            (
                "sound files",
                |config| {
                    fs::write(&config.access.keys, "[]")?;
                    fs::write(&config.access.sessions, "{}")
                },
                &[],
            ),
            ("broken keys", |config| fs::write(&config.access.keys, "{"), &["api_keys.json lets nobody in"]),
            ("a directory", |config| fs::create_dir(&config.access.keys), &["api_keys.json lets nobody in"]),
            (
                "broken sessions",
                |config| fs::write(&config.access.sessions, "x"),
                &["api_sessions.json lets nobody in"],
            ),
            (
                "removed copies",
                |config| {
                    fs::create_dir_all(config.events.log.with_file_name(""))?;
                    fs::write(format!("{}.keys-withdrawn", config.events.log.display()), "")
                },
                &["nobody can say which API keys"],
            ),
            (
                "keys put aside",
                |config| {
                    fs::write(
                        config.access.keys.with_file_name("api_keys.json.corrupt-20260102T030405Z"),
                        "{",
                    )
                },
                &["was put aside as"],
            ),
        ];
        for (name, damage, expected) in cases {
            let directory = tempfile::tempdir()?;
            let config = Config::parse(br#"{"version": 1}"#, directory.path(), None)?;
            fs::create_dir(directory.path().join("shared_storage"))?;
            damage(&config)?;
            let before = names(directory.path());
            let found = problems(&config);
            assert_eq!(found.len(), expected.len(), "{name}: {found:?}");
            for (one, expected) in found.iter().zip(expected) {
                assert!(one.problem.contains(expected), "{name}: {one:?}");
                assert!(one.first.as_ref().is_some_and(|first| !first.is_empty()), "{name}: {one:?}");
            }
            assert_eq!(names(directory.path()), before, "{name}");
        }
        Ok(())
    }
}
