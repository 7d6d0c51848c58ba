//! The house rules that a machine can check, checked over every file of the repository.
//!
//! Apart from the compiler's lints because these rules are about this project: who may use whom, where time, chance,
//! `unsafe` and renames may live. It reads files as text and never builds anything. A rule that finds nothing wrong
//! anywhere proves little, so each one is also shown a text that breaks it.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Modules of the library by layer: a module uses those of lower layers, never of higher ones.
const LAYERS: [&[&str]; 7] = [
    &["clock", "error", "interrupt"],
    &["config", "durable", "report"],
    &["access", "backup", "database", "events", "integrity", "logs", "schedule"],
    &["security"],
    &["status"],
    &["alerts", "doctor", "metrics"],
    &["ffi"],
];
/// The layer whose modules do not use each other,
const DOMAINS: usize = 2;
/// with these exceptions.
const DOMAIN_EDGES: [(&str, &str); 5] = [
    ("database", "backup"),
    ("database", "events"),
    ("integrity", "events"),
    ("access", "events"),
    ("access", "integrity"),
];

/// Where `unsafe` may stand.
const UNSAFE_HOMES: [&str; 8] = [
    "src/access/limits/mapping.rs",
    "src/clock/boot.rs",
    "src/database/native.rs",
    "src/database/bytes.rs",
    "src/durable/lease.rs",
    "src/interrupt/deaf.rs",
    "src/ffi/",
    "php/ext/",
];

/// Text that must not stand anywhere: it would tie the project to one machine or one mirror.
/// Written in pieces, so that this file passes its own test.
const FORBIDDEN: [&str; 8] = [
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("packagist", ".org"),
    concat!("registry.npmjs", ".org"),
    concat!("proxy.golang", ".org"),
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/tmp/", "target"),
];

#[derive(PartialEq, Eq)]
struct Finding {
    file: String,
    line: usize,
    rule: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.rule)
    }
}

#[test]
fn every_file_keeps_the_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = files(root);
    assert!(files.contains(&PathBuf::from("src/lib.rs")), "the list of files is wrong: {files:?}");
    let mut findings = Vec::new();
    for file in files {
        // Files that are not text, and files that git still lists though they are gone, have nothing to say.
        if let Ok(text) = std::fs::read_to_string(root.join(&file)) {
            findings.extend(check(&file.to_string_lossy(), &text));
        }
    }
    let list: Vec<String> = findings.iter().map(Finding::to_string).collect();
    assert!(list.is_empty(), "{} places break a rule:\n{}\n", list.len(), list.join("\n"));
}

#[test]
fn every_place_names_the_same_rust() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let named = |file: &str, before: &str| -> Vec<String> {
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        let version =
            |rest: &str| rest.chars().take_while(|one| one.is_ascii_digit() || *one == '.').collect();
        text.match_indices(before).map(|(at, _)| version(&text[at + before.len()..])).collect()
    };
    let needed = named("Cargo.toml", "rust-version = \"");
    assert_eq!(needed.len(), 1, "{needed:?}");
    for file in ["README.md", "php/README.md", ".ci/packages", "php/ext/config.m4"] {
        let versions = named(file, " Rust ").into_iter().filter(|version| !version.is_empty());
        let versions: BTreeSet<String> = versions.collect();
        assert!(versions.iter().eq(&needed), "{file} names Rust {versions:?}, needed is {needed:?}");
    }
}

#[test]
fn every_rule_finds_what_breaks_it() {
    for (file, text, expected) in [
        ("src/error.rs", "use std::fmt;\n", "1: opens without a `//!` header"),
        ("src/a.rs", "//! x\nfn f() { unsafe { g() } }\n", "2: `unsafe` has its homes"),
        ("src/clock.rs", "//! x\nuse crate::report::R;\n", "2: `clock` must not use `report`"),
        ("src/config/parse.rs", "//! x\nuse crate::database;\n", "2: `config` must not use `database`"),
        ("src/logs.rs", "//! x\nuse crate::{error::E, database::D};\n", "2: `logs` must not use `database`"),
        ("src/report.rs", "//! x\nuse super::database::Plan;\n", "2: `report` must not use `database`"),
        (
            "src/database/decide/merge.rs",
            "//! x\nuse rusqlite::Connection;\n",
            "2: decisions must not know `rusqlite`",
        ),
        ("src/database/decide.rs", "//! x\nuse std::fs;\n", "2: decisions must not know `std::fs`"),
        (
            "src/database/decide.rs",
            "//! x\nuse std::{fmt, fs::File};\n",
            "2: decisions must not know `std::fs`",
        ),
        ("src/database/decide.rs", "//! x\nuse crate::clock;\n", "2: decisions must not know `crate::clock`"),
        ("src/report.rs", "//! x\nlet t = Instant::now();\n", "2: `Instant::now` belongs in src/clock.rs"),
        ("src/report.rs", "//! x\nstd::fs::rename(a, b)?;\n", "2: only src/durable renames files"),
        ("src/report.rs", "//! x\nlet h = std::env::var(\"HOME\");\n", "2: the library has no `std::env`"),
        ("src/report.rs", "//! x\n\nprintln!(\"x\");\n", "3: the library has no `println!`"),
        ("src/report.rs", "//! x\nlet y = z.unwrap();\n", "2: no `.unwrap()` outside tests"),
        ("src/report.rs", "//! x\n#[allow(dead_code)]\nfn f() {}\n", "2: a lint exception gives its reason"),
        ("tests/a.rs", "//! x\n#[test]\n#[ignore]\nfn f() {}\n", "3: an ignored test gives its reason"),
        ("php/src/A.php", "<?php\nnamespace A;\n", "1: has no `declare(strict_types=1);`"),
        ("tests/a.sh", "#!/bin/sh\nset -eu\n", "1: opens without a comment that says what it is for"),
        ("README.md", concat!("see /ro", "ot/x\n"), concat!("1: names `/ro", "ot/`")),
    ] {
        let found: Vec<String> = check(file, text).iter().map(Finding::to_string).collect();
        assert_eq!(found, [format!("{file}:{expected}")], "{text}");
    }
}

#[test]
fn what_is_allowed_is_not_found() {
    for (file, text) in [
        ("src/lib.rs", "//! x\nmod config;\npub use crate::database::sync;\n"),
        (
            "src/database/apply.rs",
            "//! x\n// unsafe, Instant::now, println!\nlet s = \"unsafe\"; let c = '\"';\n",
        ),
        (
            "src/database/apply.rs",
            "//! x\nuse crate::{backup, clock, config::Config, durable, error::Result};\n",
        ),
        (
            "src/database/apply.rs",
            "//! x\nlet s = r#\"std::env \" unsafe\"#; /* a /* unsafe */ b */ fn f<'a>() {}\n",
        ),
        ("src/database/native.rs", "//! x\nunsafe { f() }\n"),
        ("src/clock.rs", "//! x\nlet t = SystemTime::now();\n"),
        ("src/report.rs", "//! x\nfn f() {}\n#[cfg(test)]\nmod tests {\n    fn g() { x.unwrap(); }\n}\n"),
        ("src/report.rs", "//! x\n#[expect(dead_code, reason = \"later\")]\nfn f() {}\n"),
        ("src/report/tests.rs", "//! x\nfn f() { x.unwrap(); }\n"),
        ("tests/a.rs", "//! x\nlet t = Instant::now();\n#[ignore = \"slow\"]\nlet y = z.unwrap();\n"),
        ("php/src/A.php", "<?php\n\ndeclare(strict_types=1);\n"),
        ("tests/a.sh", "#!/bin/sh\n# What for.\nset -eu\n"),
    ] {
        let found: Vec<String> = check(file, text).iter().map(Finding::to_string).collect();
        assert_eq!(found, [""; 0], "{text}");
    }
}

/// Every file that is or may become part of the repository; relative to `root`.
fn files(root: &Path) -> BTreeSet<PathBuf> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output();
    match listed {
        Ok(output) if output.status.success() && !output.stdout.is_empty() => {
            String::from_utf8_lossy(&output.stdout)
                .split('\0')
                .filter(|name| !name.is_empty())
                .map(PathBuf::from)
                .collect()
        }
        _ => {
            let mut files = BTreeSet::new();
            walk(root, Path::new(""), &mut files);
            files
        }
    }
}

/// The same for a checkout without git: everything but what we build.
fn walk(root: &Path, below: &Path, files: &mut BTreeSet<PathBuf>) {
    for entry in std::fs::read_dir(root.join(below)).into_iter().flatten().flatten() {
        let path = below.join(entry.file_name());
        let built = [".git", "target", "build", "demo"].iter().any(|name| path == Path::new(name));
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && !built => walk(root, &path, files),
            Ok(kind) if kind.is_file() => {
                files.insert(path);
            }
            _ => {}
        }
    }
}

/// Everything that is wrong with one file.
fn check(file: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |line: usize, rule: String| findings.push(Finding { file: file.to_owned(), line, rule });

    // A lock file names where each crate comes from; that is its job.
    if !file.ends_with("Cargo.lock") {
        for word in FORBIDDEN {
            for line in lines_with(text, word) {
                find(line, format!("names `{word}`"));
            }
        }
    }
    match file.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "rs" => rust(file, text, &mut find),
        // A stub declares signatures for tools and is never run.
        "php" if !file.ends_with(".stub.php") && !text.contains("declare(strict_types=1);") => {
            find(1, "has no `declare(strict_types=1);`".to_owned());
        }
        "sh" if !text.lines().nth(1).is_some_and(|line| line.starts_with("# ")) => {
            find(1, "opens without a comment that says what it is for".to_owned());
        }
        _ => {}
    }
    findings
}

fn rust(file: &str, text: &str, find: &mut dyn FnMut(usize, String)) {
    if !text.starts_with("//!") {
        find(1, "opens without a `//!` header".to_owned());
    }
    let code = code_of(text);
    if !UNSAFE_HOMES.iter().any(|home| file.starts_with(home)) {
        for line in lines_with_word(&code, "unsafe") {
            find(line, "`unsafe` has its homes".to_owned());
        }
    }
    for line in lines_with(&code, "#[ignore]") {
        find(line, "an ignored test gives its reason".to_owned());
    }
    lint_exceptions(&code, find);

    let library = file.starts_with("src/");
    if library || file.starts_with("php/ext/src/") {
        outside_tests(file, &code, find);
        if file != "src/clock.rs" && !file.starts_with("src/clock/") {
            for door in [
                "SystemTime::now",
                "Instant::now",
                "Utc::now",
                "Local::now",
                "clock_gettime",
                "rand::",
                "getrandom",
                "RandomState",
            ] {
                for line in lines_with_word(&code, door) {
                    find(line, format!("`{}` belongs in src/clock.rs", door.trim_end_matches(':')));
                }
            }
        }
    }
    // A shell is told by its environment where its configuration is.
    if library && file != "src/ffi/system.rs" {
        for word in ["std::env", "process::exit", "println!", "eprintln!", "print!", "eprint!", "dbg!"] {
            for line in lines_with_word(&code, word) {
                find(line, format!("the library has no `{word}`"));
            }
        }
    }
    if library {
        if !file.starts_with("src/durable") {
            for word in ["rename(", "renameat", "renameat_with", "renameat2"] {
                for line in lines_with_word(before_tests(file, &code), word) {
                    find(line, "only src/durable renames files".to_owned());
                }
            }
        }
        if let Some(module) = module_of(file) {
            directions(file, module, &code, find);
        }
        if file.starts_with("src/database/decide") {
            decisions(&code, find);
        }
    }
}

/// The module of the library that a file belongs to; none for its root.
fn module_of(file: &str) -> Option<&str> {
    let below = file.strip_prefix("src/")?;
    let name = below.split(['/', '.']).next()?;
    (name != "lib").then_some(name)
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// Who uses whom.
fn directions(file: &str, module: &str, code: &str, find: &mut dyn FnMut(usize, String)) {
    let Some(own) = layer_of(module) else { return };
    let mut roots: Vec<(usize, String)> = paths_below(code, "crate::");
    // `super` once more than the file is deep is the root too.
    let depth = file.split('/').count() - 1 - usize::from(file.ends_with("/mod.rs"));
    roots.extend(paths_below(code, &"super::".repeat(depth)));
    for (line, path) in roots {
        let used = path.split("::").next().unwrap_or_default();
        let Some(theirs) = layer_of(used) else { continue };
        let between_domains =
            own == DOMAINS && theirs == DOMAINS && used != module && !DOMAIN_EDGES.contains(&(module, used));
        if theirs > own || between_domains {
            find(line, format!("`{module}` must not use `{used}`"));
        }
    }
}

/// What pure modules must not know: files, databases, time, chance, other processes.
fn decisions(code: &str, find: &mut dyn FnMut(usize, String)) {
    for (start, forbidden) in [
        ("std::", ["fs", "env", "io", "net", "process", "thread", "time"].as_slice()),
        ("crate::", ["clock", "durable"].as_slice()),
    ] {
        for (line, path) in paths_below(code, start) {
            let used = path.split("::").next().unwrap_or_default();
            if forbidden.contains(&used) {
                find(line, format!("decisions must not know `{start}{used}`"));
            }
        }
    }
    for name in ["rusqlite", "rustix", "rand", "fs2"] {
        for line in lines_with_word(code, &format!("{name}::")) {
            find(line, format!("decisions must not know `{name}`"));
        }
    }
}

/// Panics take the host process with them, so they stay in tests; those come last in a file.
fn outside_tests(file: &str, code: &str, find: &mut dyn FnMut(usize, String)) {
    let shipped = before_tests(file, code);
    for word in
        [".unwrap()", ".expect(", ".unwrap_err()", "panic!(", "todo!(", "unimplemented!(", "unreachable!("]
    {
        for line in lines_with(shipped, word) {
            find(line, format!("no `{word}` outside tests"));
        }
    }
}

fn before_tests<'a>(file: &str, code: &'a str) -> &'a str {
    if file.ends_with("/tests.rs") || file.contains("/tests/") {
        return "";
    }
    code.split("#[cfg(test)]\nmod ").next().unwrap_or(code)
}

fn lint_exceptions(code: &str, find: &mut dyn FnMut(usize, String)) {
    for start in ["#[allow(", "#![allow(", "#[expect(", "#![expect("] {
        for (at, _) in code.match_indices(start) {
            let rest = code.get(at..).unwrap_or_default();
            let attribute = rest.split(")]").next().unwrap_or_default();
            if !attribute.contains("reason") {
                find(line_at(code, at), "a lint exception gives its reason".to_owned());
            }
        }
    }
}

/// The paths that follow `start`, groups taken apart: `crate::{a::b, c}` gives `a` and `c`.
fn paths_below(code: &str, start: &str) -> Vec<(usize, String)> {
    let mut paths = Vec::new();
    for (at, _) in code.match_indices(start) {
        let before = code.get(..at).and_then(|text| text.chars().next_back());
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let rest = code.get(at + start.len()..).unwrap_or_default();
        let mut names = vec![String::new()];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => names.push(String::new()),
                    c if depth == 0 && !c.is_whitespace() => {
                        names.iter_mut().last().into_iter().for_each(|name| name.push(c))
                    }
                    _ => {}
                }
            }
        } else {
            names =
                vec![rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == ':').collect()];
        }
        paths.extend(names.into_iter().filter(|name| !name.is_empty()).map(|name| (line_at(code, at), name)));
    }
    paths
}

fn line_at(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

fn lines_with(text: &str, what: &str) -> Vec<usize> {
    let lines = text.lines().enumerate();
    lines.filter(|(_, line)| line.contains(what)).map(|(index, _)| index + 1).collect()
}

/// Lines where `what` stands as a word of its own.
fn lines_with_word(text: &str, what: &str) -> Vec<usize> {
    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let whole = |line: &str| {
        line.match_indices(what).any(|(at, _)| {
            let before = line.get(..at).and_then(|text| text.chars().next_back());
            let after = line.get(at + what.len()..).and_then(|text| text.chars().next());
            let open_end = what.ends_with(|c: char| !c.is_alphanumeric());
            !part(before) && (open_end || !part(after))
        })
    };
    text.lines().enumerate().filter(|(_, line)| whole(line)).map(|(index, _)| index + 1).collect()
}

/// The source without comments and without what stands in quotes; lines stay where they are.
fn code_of(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let at = |index: usize| chars.get(index).copied().unwrap_or('\0');
    let mut code = String::with_capacity(source.len());
    let mut index = 0;
    while index < chars.len() {
        let start = index;
        let end = match (at(index), at(index + 1)) {
            ('/', '/') => find_from(&chars, index, |rest| rest.starts_with(&['\n'])),
            ('/', '*') => {
                let mut depth = 0;
                let mut end = index;
                loop {
                    match (at(end), at(end + 1)) {
                        ('/', '*') => (depth, end) = (depth + 1, end + 2),
                        ('*', '/') => (depth, end) = (depth - 1, end + 2),
                        _ => end += 1,
                    }
                    if depth == 0 || end >= chars.len() {
                        break end;
                    }
                }
            }
            ('r', '"' | '#')
                if !at(index.wrapping_sub(1)).is_alphanumeric() && raw_string(&chars, index).is_some() =>
            {
                raw_string(&chars, index).unwrap_or(index + 1)
            }
            ('"', _) => {
                let mut end = index + 1;
                while end < chars.len() && at(end) != '"' {
                    end += if at(end) == '\\' { 2 } else { 1 };
                }
                end + 1
            }
            ('\'', '\\') => find_from(&chars, index + 3, |rest| rest.starts_with(&['\''])) + 1,
            ('\'', _) if at(index + 2) == '\'' => index + 3,
            _ => {
                code.push(at(index));
                index += 1;
                continue;
            }
        };
        index = end.min(chars.len());
        code.extend(
            chars.get(start..index).into_iter().flatten().map(|c| if *c == '\n' { '\n' } else { ' ' }),
        );
    }
    code
}

/// Where the raw string that starts at `index` ends; none if there is none.
fn raw_string(chars: &[char], index: usize) -> Option<usize> {
    let hashes = chars.iter().skip(index + 1).take_while(|c| **c == '#').count();
    let open = index + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return None;
    }
    let close: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    Some(find_from(chars, open + 1, |rest| rest.starts_with(&close)) + close.len())
}

fn find_from(chars: &[char], from: usize, found: impl Fn(&[char]) -> bool) -> usize {
    (from..chars.len()).find(|index| chars.get(*index..).is_some_and(&found)).unwrap_or(chars.len())
}
