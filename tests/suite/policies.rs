//! Column and table policies, a row of a table each.
//!
//! Apart from `decisions`, which tells the table without policies. Every case starts from one row on three sides.

use serde_json::{Value, json};

use crate::common::{World, assert_converged, assert_settled, check, check_side, conflict_lines};

const HELD: &str = "held";

/// `policy`, the ancestor, what bot, central and website make of it (`-` for nothing), the outcome, the conflict.
#[rustfmt::skip]
const COLUMNS: &[(&str, &str, [&str; 3], &str, &str)] = &[
    ("sum", "10", ["x + 5", "x + 5", "-"], "20", ""),
    ("sum", "10", ["x + 5", "x - 2", "x + 1"], "14", ""),
    ("sum", "10", ["x + 5", "-", "-"], "15", ""),
    ("sum", "10", ["x + 0.5", "x + 1", "-"], "11.5", ""),
    ("sum", "10", ["'ten'", "-", "-"], "'ten'", ""),
    ("sum", "10", ["'ten'", "12", "-"], "12", "update_update [x] central open"),
    ("sum", "NULL", ["3", "4", "-"], "4", "update_update [x] central open"),
    ("max", "10", ["15", "12", "-"], "15", ""),
    ("max", "10", ["5", "7", "-"], "7", ""),
    ("max", "10", ["5", "-", "-"], "5", ""),
    ("max", "10", ["NULL", "7", "-"], "7", ""),
    ("max", "10", ["'a'", "99", "x'00'"], "x'00'", ""),
    ("min", "10", ["5", "7", "-"], "5", ""),
    ("min", "10", ["NULL", "7", "-"], "7", ""),
    ("min", "10", ["'a'", "99", "x'00'"], "99", ""),
    ("min_nonzero", "10", ["5", "0", "-"], "5", ""),
    ("min_nonzero", "0", ["30", "20", "NULL"], "20", ""),
    ("min_nonzero", "10", ["0", "-", "-"], "0", ""),
    ("prefer", "10", ["5", "7", "-"], "7", "update_update [x] central open"),
    ("prefer", "10", ["5", "-", "7"], "7", "update_update [x] website open"),
    ("prefer", "10", ["5", "5", "-"], "5", ""),
    ("hold", "10", ["5", "7", "-"], HELD, "update_update [x] none held"),
    ("hold", "10", ["5", "-", "-"], "5", ""),
    ("hold", "10", ["5", "5", "-"], "5", ""),
];

#[test]
fn column_policies() {
    for (policy, base, edits, want, conflict) in COLUMNS {
        let told = format!("{policy} {base} {edits:?}");
        let world = World::three()
            .prefer(&["website", "central"])
            .tables(json!({ "t": { "columns": { "x": policy } } }))
            .start(&format!(
                "CREATE TABLE t(k TEXT PRIMARY KEY, x, y); INSERT INTO t VALUES('k', {base}, 0)"
            ));
        for (side, edit) in ["bot", "central", "website"].iter().zip(edits) {
            if *edit != "-" {
                world.edit(side, &format!("UPDATE t SET x = {edit}"));
            }
        }
        world.edit("bot", "UPDATE t SET y = 1");
        world.sync();
        let lines = conflict_lines(&world);
        let wanted: Vec<String> =
            [conflict].iter().filter(|c| !c.is_empty()).map(|c| format!("t {c}")).collect();
        assert_eq!(lines, wanted, "{told}");
        if *want == HELD {
            for (side, x) in [("bot", "5"), ("central", "7"), ("website", "10")] {
                check_side(&world, side, "SELECT x, y FROM t", &[&format!("{x} 1")]);
            }
        } else {
            for side in &world.sides {
                assert_eq!(
                    world.lines(side, "SELECT x, y FROM t"),
                    [format!("{want} 1")],
                    "{told} on {side}"
                );
            }
            assert_converged(&world);
        }
        assert_settled(&world);
    }
}

#[test]
fn a_sum_counts_what_both_sides_insert() {
    let world = World::three()
        .tables(json!({ "t": { "columns": { "x": "sum" } } }))
        .start("CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, k TEXT NOT NULL UNIQUE, x)");
    world.edit("bot", "INSERT INTO t(k, x) VALUES('a', 5), ('b', 1)");
    world.edit("central", "INSERT INTO t(k, x) VALUES('b', 2), ('a', 5)");
    world.sync();
    check(&world, "SELECT k, x FROM t", &["'a' 10", "'b' 3"]);
    world.edit("bot", "UPDATE t SET x = x + 1");
    world.edit("website", "UPDATE t SET x = x + 1");
    world.sync();
    check(&world, "SELECT k, x FROM t", &["'a' 12", "'b' 5"]);
    assert_eq!(conflict_lines(&world), Vec::<String>::new());
}

#[test]
fn the_newest_row_wins_its_clashes() {
    let cases = [
        ("'2024-05-01 10:00:00'", "'2024-05-02 09:00:00'", "'bot'"),
        ("'2024-05-02 10:00:00'", "'2024-05-01 11:00:00'", "'central'"),
        ("1714000000", "1714000001", "'bot'"),
        ("2460400.25", "2460400.5", "'bot'"),
        ("'2024-05-01T10:00:00'", "'2024-05-01 09:59:59'", "'central'"),
        ("NULL", "'2024-05-01 10:00:00'", "'bot'"),
        // A clock that runs a day ahead does not win.
        ("'2024-05-01 10:00:00'", "'2999-01-01 00:00:00'", "'central'"),
        ("1714000000", "32472144000", "'central'"),
    ];
    for (central, bot, want) in cases {
        let world = World::two()
            .tables(json!({ "t": { "newest_by": "at", "columns": { "p": "prefer" } } }))
            .start("CREATE TABLE t(k TEXT PRIMARY KEY, x, p, at); INSERT INTO t VALUES('k', 0, 0, NULL)");
        world.edit("central", &format!("UPDATE t SET x = 'central', p = 'central', at = {central}"));
        world.edit("bot", &format!("UPDATE t SET x = 'bot', p = 'bot', at = {bot}"));
        world.sync();
        let told = format!("central {central}, bot {bot}");
        for side in ["bot", "central"] {
            assert_eq!(world.lines(side, "SELECT x, p FROM t"), [format!("{want} 'central'")], "{told}");
        }
        assert_eq!(world.conflicts().len(), 1, "{told}");
        assert_eq!(world.conflicts()[0]["columns"], json!(["x", "p"]), "{told}");
        assert_converged(&world);
        assert_settled(&world);
    }
}

#[test]
fn on_delete_update() {
    let cases = [
        ("keep", ["7", "7", "7"], "t update_delete [] bot open"),
        ("delete", ["", "", ""], "t update_delete [] central open"),
        ("hold", ["7", "", "0"], "t update_delete [] none held"),
    ];
    for (policy, want, conflict) in cases {
        let world = World::three()
            .tables(json!({ "t": { "on_delete_update": policy } }))
            .start("CREATE TABLE t(k TEXT PRIMARY KEY, x); INSERT INTO t VALUES('k', 0), ('other', 0)");
        world.edit("bot", "UPDATE t SET x = 7 WHERE k = 'k'");
        world.edit("central", "DELETE FROM t WHERE k = 'k'");
        world.sync();
        for (side, want) in world.sides.iter().zip(want) {
            let want: Vec<&str> = Some(want).into_iter().filter(|want| !want.is_empty()).collect();
            check_side(&world, side, "SELECT x FROM t WHERE k = 'k'", &want);
        }
        assert_eq!(conflict_lines(&world), [conflict], "{policy}");
        assert_settled(&world);
    }
}

#[test]
fn append_only_takes_inserts_alone() {
    let world = World::three()
        .tables(json!({ "log": { "append_only": true } }))
        .start("CREATE TABLE log(id INTEGER PRIMARY KEY AUTOINCREMENT, x); INSERT INTO log(x) VALUES('a'), ('b'), ('c')");
    world.edit("bot", "DELETE FROM log WHERE x = 'a'; UPDATE log SET x = 'B' WHERE x = 'b'; INSERT INTO log(x) VALUES('bot')");
    world.edit("central", "INSERT INTO log(x) VALUES('central')");
    let report = world.sync();
    assert_eq!(report["conflicts"], 0, "{report:#}");
    let warnings = report["databases"]["d"]["warnings"].to_string();
    assert!(warnings.contains("log") && warnings.contains('2'), "{warnings}");
    check_side(&world, "bot", "SELECT x FROM log", &["'B'", "'bot'", "'c'", "'central'"]);
    for side in ["central", "website"] {
        check_side(&world, side, "SELECT x FROM log", &["'a'", "'b'", "'bot'", "'c'", "'central'"]);
    }
    assert_settled(&world);
    world.edit("website", "INSERT INTO log(x) VALUES('website')");
    world.sync();
    check_side(&world, "bot", "SELECT x FROM log", &["'B'", "'bot'", "'c'", "'central'", "'website'"]);
}

#[test]
fn an_excluded_table_is_left_alone() {
    let world = World::two()
        .tables(json!({ "cache_*": { "exclude": true } }))
        .start("CREATE TABLE cache_x(k TEXT PRIMARY KEY, x); CREATE TABLE t(k TEXT PRIMARY KEY, x)");
    world.edit("bot", "INSERT INTO cache_x VALUES('k', 'bot'); INSERT INTO t VALUES('k', 1)");
    world.edit("central", "INSERT INTO cache_x VALUES('k', 'central')");
    assert_eq!(world.sync()["conflicts"], 0);
    check_side(&world, "bot", "SELECT x FROM cache_x", &["'bot'"]);
    check_side(&world, "central", "SELECT x FROM cache_x", &["'central'"]);
    check_side(&world, "central", "SELECT x FROM t", &["1"]);
    assert_settled(&world);
}

/// Held cells wait; the rest of the row goes on; equal values end the wait.
#[test]
fn a_held_cell_waits_for_a_person() {
    let world = World::two()
        .tables(json!({ "t": { "columns": { "x": "hold" } } }))
        .start("CREATE TABLE t(k TEXT PRIMARY KEY, x, y); INSERT INTO t VALUES('k', 0, 0)");
    world.edit("bot", "UPDATE t SET x = 1");
    world.edit("central", "UPDATE t SET x = 2");
    assert_eq!(world.sync()["conflicts"], 1);
    world.edit("bot", "UPDATE t SET y = 5");
    assert_eq!(world.sync()["conflicts"], 0);
    check_side(&world, "bot", "SELECT x, y FROM t", &["1 5"]);
    check_side(&world, "central", "SELECT x, y FROM t", &["2 5"]);
    assert_settled(&world);
    world.edit("bot", "UPDATE t SET x = 2");
    world.sync();
    check(&world, "SELECT x, y FROM t", &["2 5"]);
    world.edit("bot", "UPDATE t SET x = 3");
    assert_eq!(world.sync()["conflicts"], 0);
    check(&world, "SELECT x, y FROM t", &["3 5"]);
}

/// The order in the file, in `prefer` and on disk: only `prefer` counts.
#[test]
fn preference_is_what_was_configured() {
    let cases: [(&[&str], &str); 6] = [
        (&[], "'central'"),
        (&["bot"], "'bot'"),
        (&["website", "central", "bot"], "'website'"),
        (&["website"], "'website'"),
        (&["bot", "website", "central"], "'bot'"),
        (&["central"], "'central'"),
    ];
    for (prefer, want) in cases {
        let world = World::three()
            .prefer(prefer)
            .start("CREATE TABLE t(k TEXT PRIMARY KEY, x); INSERT INTO t VALUES('k', 0)");
        for side in ["website", "bot", "central"] {
            world.edit(side, &format!("UPDATE t SET x = '{side}'"));
        }
        assert_eq!(world.sync()["conflicts"], 1);
        let all: Vec<Value> = world.conflicts();
        assert_eq!(format!("'{}'", all[0]["winner"].as_str().unwrap()), want, "{prefer:?}");
        check(&world, "SELECT x FROM t", &[want]);
    }
}
