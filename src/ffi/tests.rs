//! What is counted in a report, and which options count. What a C program sees is tried in tests/abi.
#![expect(unsafe_code, reason = "options of C programs")]

use super::report::{
    CR0_COUNT_BREAKS, CR0_COUNT_CHANGED, CR0_COUNT_CONFLICTS, CR0_COUNT_DELETED, CR0_COUNT_INSERTED,
    CR0_COUNT_LINES, CR0_COUNT_NEW_FINDINGS, CR0_COUNT_WARNINGS, OF_DATABASES, OF_LOGS, OF_MERGES, Report,
};
use serde_json::{Value as Json, json};

#[test]
fn counts_are_summed_where_the_document_has_them() {
    let side = |inserted| json!({ "inserted": inserted, "updated": 0, "deleted": 0 });
    let document = json!({
        "conflicts": 2,
        "warnings": ["one"],
        "databases": {
            "a": { "sides": { "bot": side(3), "hub": side(4) }, "warnings": ["two", "three"] },
            "b": { "sides": {}, "warnings": [] },
        },
    });
    let report = Report::new(&document, 1).unwrap();
    let counts = [CR0_COUNT_CONFLICTS, CR0_COUNT_INSERTED, CR0_COUNT_WARNINGS, CR0_COUNT_LINES, 99];
    assert_eq!(counts.map(|what| report.count(what)), [Some(2), Some(7), Some(3), None, None]);
    let list = Report::new(&json!({ "conflicts": [{}, {}, {}] }), 0).unwrap();
    assert_eq!(list.count(CR0_COUNT_CONFLICTS), Some(3));
    let run =
        Report::new(&json!({ "new_findings": 4, "breaks": 1, "changed_count": 2000, "changed": [] }), 0)
            .unwrap();
    let counts = [CR0_COUNT_NEW_FINDINGS, CR0_COUNT_BREAKS, CR0_COUNT_CHANGED];
    assert_eq!(counts.map(|what| run.count(what)), [Some(4), Some(1), Some(2000)]);
}

#[test]
fn what_a_report_cannot_tell_is_not_nothing() {
    let told = |document: Json, counts: &'static [i32]| {
        let report = Report::new(&document, 0).unwrap().counting(counts);
        let asked = [CR0_COUNT_INSERTED, CR0_COUNT_DELETED, CR0_COUNT_LINES, CR0_COUNT_WARNINGS];
        asked.map(|what| report.count(what))
    };
    // A status counts no rows and no lines, whatever it lists.
    let side = json!({ "exists": true, "lag": 0 });
    let listed = json!({ "databases": { "a": { "sides": { "bot": side, "hub": side } } } });
    assert_eq!(told(listed, &[]), [None; 4]);
    assert_eq!(told(json!({ "logs": { "a": { "sides": { "bot": side } } } }), &[]), [None; 4]);
    assert_eq!(told(json!({ "databases": {} }), &[]), [None; 4]);
    // A run does, also where it was about no database, or reached no side.
    let nothing = [Some(0), Some(0), None, Some(0)];
    assert_eq!(told(json!({ "databases": {} }), OF_DATABASES), nothing);
    assert_eq!(told(json!({ "databases": { "a": { "sides": {}, "warnings": [] } } }), OF_DATABASES), nothing);
    assert_eq!(told(json!({ "logs": {} }), OF_MERGES), [None, None, Some(0), Some(0)]);
    assert_eq!(told(json!({ "logs": {} }), OF_LOGS), [None, None, None, Some(0)]);
}

#[test]
fn what_was_set_to_nothing_is_not_asked_for() {
    let options = super::options::cr0_options_new();
    let name = c"d".as_ptr();
    // SAFETY: options that were just made, and a text that ends.
    let refused = unsafe {
        use super::options::*;
        let known = |known| (*options).only("f", known).err().map(|error| error.message().to_owned());
        assert_eq!(cr0_options_set_dry_run(options, 1), 0);
        assert_eq!(known(&[]).as_deref(), Some("f does not know the option dry_run"));
        cr0_options_set_dry_run(options, 0);
        cr0_options_set_force(options, 0);
        cr0_options_set_progress(options, None, std::ptr::null_mut());
        assert_eq!(known(&[]), None);
        cr0_options_add_database(options, name);
        let refused = known(&["dry_run"]);
        cr0_options_free(options);
        refused
    };
    assert_eq!(refused.as_deref(), Some("f does not know the option database"));
}
