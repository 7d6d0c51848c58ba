//! What was written, and whether an archive has it: every line as often as it was written, none that was not, those of one
//! file in their order.
//!
//! Pure, and apart from `world`, so that the judge can be judged.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

/// A line with its end.
pub(crate) type Line = Vec<u8>;

/// What was written, by whom and in which file, in order.
#[derive(Default, Clone)]
pub(crate) struct Written(pub(crate) BTreeMap<String, Vec<Line>>);

/// How an archive differs from what was written.
#[derive(Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) lost: usize,
    pub(crate) twice: usize,
    /// Lines that nobody wrote.
    pub(crate) torn: usize,
    /// Files whose lines are not in their order.
    pub(crate) disordered: Vec<String>,
    /// Some of those lines.
    examples: Vec<String>,
}

impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict { lost, twice, torn, disordered, examples } = self;
        write!(f, "{lost} lost, {twice} twice, {torn} torn, out of order: {disordered:?}; {examples:#?}")
    }
}

/// The lines of a file; the last one may have no end.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n')
}

impl Written {
    pub(crate) fn note(&mut self, key: &str, line: impl Into<Line>) {
        self.0.entry(key.to_owned()).or_default().push(line.into());
    }

    pub(crate) fn count(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// Compares with an archive.
    pub(crate) fn judge(&self, archive: &[u8]) -> Verdict {
        let mut verdict = Verdict::default();
        // How often it was written, and how often that has to be taken from what is there.
        let mut all: HashMap<&[u8], (i64, i64)> = HashMap::new();
        for line in self.0.values().flatten() {
            all.entry(line).or_default().0 += 1;
        }
        let say = |what: &str, line: &[u8], examples: &mut Vec<String>| {
            if examples.len() < 8 {
                let line = &line[..line.len().min(160)];
                examples.push(format!("{what} {:?}", String::from_utf8_lossy(line)));
            }
        };
        for line in lines(archive) {
            let found = all.entry(line).or_default();
            found.1 += 1;
            if found.0 == 0 {
                verdict.torn += 1;
                say("torn", line, &mut verdict.examples);
            } else if found.1 > found.0 {
                verdict.twice += 1;
                say("twice", line, &mut verdict.examples);
            }
        }
        for (line, (written, found)) in all {
            if found < written {
                verdict.lost += usize::try_from(written - found).unwrap();
                say("lost", line, &mut verdict.examples);
            }
        }
        for (key, wanted) in &self.0 {
            let mut rest = lines(archive);
            if !wanted.iter().all(|line| rest.any(|found| found == line)) {
                verdict.disordered.push(key.clone());
            }
        }
        verdict
    }
}

#[test]
fn the_judge_sees_what_is_wrong() {
    let mut written = Written::default();
    for line in ["a\n", "b\n", "lol\n", "lol\n"] {
        written.note("bot", line);
    }
    written.note("other", "c\n");
    for (archive, lost, twice, torn, disordered) in [
        ("a\nb\nlol\nlol\nc\n", 0, 0, 0, 0),
        ("a\nb\nlol\nc\nlol\n", 0, 0, 0, 0),
        ("a\nb\nlol\nc\n", 1, 0, 0, 1),
        ("a\nb\nlol\nlol\nlol\nc\n", 0, 1, 0, 0),
        ("b\na\nlol\nlol\nc\n", 0, 0, 0, 1),
        ("a\nb\nlol\nlol\nc", 1, 0, 1, 1),
        ("ac\n\nb\nlol\nlol\n", 2, 0, 2, 2),
        ("", 5, 0, 0, 2),
    ] {
        let found = written.judge(archive.as_bytes());
        let sums = (found.lost, found.twice, found.torn, found.disordered.len());
        assert_eq!(sums, (lost, twice, torn, disordered), "{archive:?}: {found:?}");
    }
}
