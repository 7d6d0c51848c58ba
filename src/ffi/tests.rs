//! What is counted in a report. What a C program sees is tried in tests/abi.

use super::report::{
    CR0_COUNT_BREAKS, CR0_COUNT_CHANGED, CR0_COUNT_CONFLICTS, CR0_COUNT_INSERTED, CR0_COUNT_LINES,
    CR0_COUNT_NEW_FINDINGS, CR0_COUNT_WARNINGS, Report,
};
use serde_json::json;

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
