//! The report of the last whole check, as `status` shows it, with what is known since.
//!
//! The cron user's lies in the private directory, and a copy for pages beside the baseline. Only a check of everything makes
//! one; what is looked at or accepted after that ends or adds findings of it.

use serde_json::{Value, json};

use super::memory::{self, Memory};
use super::names;
use super::private::Private;
use super::store;
use crate::clock;
use crate::config::Config;
use crate::durable::{Content, Folder};
use crate::error::Result;
use crate::report::{FindingKind, IntegrityFinding, IntegrityReport};

/// The copy of the cron user's, for who may not read his own.
const REPORT: &str = "report.json";
/// A longer report is none (bytes).
const MAX_REPORT: u64 = 256 << 20;
const KINDS: [FindingKind; 7] = [
    FindingKind::Added,
    FindingKind::Removed,
    FindingKind::Modified,
    FindingKind::Moved,
    FindingKind::Unreadable,
    FindingKind::Unstable,
    FindingKind::Baseline,
];

/// A finding of that report.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) path: Vec<u8>,
    pub(super) kind: FindingKind,
}

/// Remembers the report of a whole check. Only of the cron user's is there a copy for the site.
pub(super) fn keep(config: &Config, private: Option<&Private>, report: &IntegrityReport) -> Result<()> {
    let mut value = json!({ "at": clock::stamp(clock::now()) });
    if let (Some(members), Ok(Value::Object(all))) = (value.as_object_mut(), serde_json::to_value(report)) {
        members.extend(all);
    }
    put(config, private, &value)
}

fn put(config: &Config, private: Option<&Private>, report: &Value) -> Result<()> {
    let text = report.to_string();
    let kept = Memory::of(config, private).and_then(|memory| memory.set_report(text.as_bytes()));
    if let (Some(_), Ok(folder)) = (private, Folder::create_for_readers(&store::place(config))) {
        // Pages can do without, and others may have put something in the way.
        let _ = folder.put(REPORT, text.as_bytes());
    }
    kept
}

/// Takes out of it what is over, and adds what was found since.
///
/// # Errors
/// When that cannot be written: it is as it was, then.
pub(super) fn amend(
    config: &Config,
    private: Option<&Private>,
    is_over: &dyn Fn(&Known) -> bool,
    found: &[IntegrityFinding],
) -> Result<()> {
    let memory = Memory::of(config, private)?;
    let Some(mut report) = memory.report()?.and_then(read) else { return Ok(()) };
    let Some(members) = report.as_object_mut() else { return Ok(()) };
    let mut findings = match members.remove("findings") {
        Some(Value::Array(findings)) => findings,
        _ => Vec::new(),
    };
    let before = findings.clone();
    findings.retain(|finding| known(finding).is_none_or(|known| !is_over(&known)));
    findings.extend(found.iter().filter_map(|finding| serde_json::to_value(finding).ok()));
    if findings == before {
        return Ok(());
    }
    let bits = findings.iter().filter_map(known).fold(0, |bits, known| bits | known.kind.bit());
    members.insert("ok".to_owned(), Value::from(findings.is_empty()));
    members.insert("exit_bits".to_owned(), Value::from(bits));
    members.insert("findings".to_owned(), Value::from(findings));
    members.insert("amended".to_owned(), Value::from(clock::stamp(clock::now())));
    put(config, private, &report)
}

/// What one of its findings is about; nothing where that makes no sense.
fn known(finding: &Value) -> Option<Known> {
    let text = |name: &str| finding.get(name).and_then(Value::as_str);
    let is_it = |kind: &FindingKind| serde_json::to_value(kind).ok().as_ref() == finding.get("kind");
    let kind = KINDS.into_iter().find(is_it)?;
    Some(Known { path: names::exact(text("path")?, text("path_b64")), kind })
}

fn read(bytes: Vec<u8>) -> Option<Value> {
    serde_json::from_slice::<Value>(&bytes).ok().filter(Value::is_object)
}

/// The report of the last whole check. With where it is from: `private` is what only the cron user can have written; whoever may
/// not look there gets the copy for the `site`, or that of his `own` last check where it is later, and others may have written
/// both.
pub(super) fn kept(config: &Config) -> Value {
    let from = |source: &str, mut report: Value| {
        if let Some(members) = report.as_object_mut() {
            members.insert("source".to_owned(), Value::from(source));
        }
        report
    };
    if let Ok(private) = Private::open(config) {
        let report = Memory::Private(&private).report().ok().flatten().and_then(read);
        return report.map_or(Value::Null, |report| from("private", report));
    }
    let folder = Folder::open(&store::place(config)).ok().flatten();
    let site = match folder.and_then(|folder| folder.read(REPORT, MAX_REPORT).ok()) {
        Some(Content::Bytes(bytes)) => read(bytes).map(|report| from("site", report)),
        _ => None,
    };
    let own = memory::own(config).and_then(|own| own.report().ok().flatten()).and_then(read);
    let all = site.into_iter().chain(own.map(|report| from("own", report)));
    let at = |report: &Value| report.get("at").and_then(Value::as_str).map(str::to_owned);
    all.max_by_key(at).unwrap_or(Value::Null)
}
