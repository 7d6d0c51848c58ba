//! Values travel by type and bytes, both ways, whatever SQL thinks of them.
//!
//! Apart from `decisions`: nothing clashes here. Each value is inserted on one side and arrives by update on the other.

use crate::common::{Val, World, assert_converged, assert_settled, options};

/// An expression and what SQLite stores for it.
fn strange() -> Vec<(&'static str, Val)> {
    vec![
        ("NULL", Val::Null),
        ("0", Val::Int(0)),
        ("9223372036854775807", Val::Int(i64::MAX)),
        ("-9223372036854775807 - 1", Val::Int(i64::MIN)),
        ("1.0", Val::real(1.0)),
        ("-0.0 * 1", Val::real(-0.0)),
        ("0.1 + 0.2", Val::real(0.1 + 0.2)),
        ("5e-324", Val::real(5e-324)),
        ("9e999", Val::real(f64::INFINITY)),
        ("-9e999", Val::real(f64::NEG_INFINITY)),
        ("'1'", Val::text("1")),
        ("''", Val::text("")),
        ("'trailing  '", Val::text("trailing  ")),
        ("CAST(x'610062' AS TEXT)", Val::Text(b"a\0b".to_vec())),
        ("CAST(x'00' AS TEXT)", Val::Text(b"\0".to_vec())),
        ("CAST(x'61ff62' AS TEXT)", Val::Text(b"a\xffb".to_vec())),
        ("CAST(x'c0afeda080' AS TEXT)", Val::Text(b"\xc0\xaf\xed\xa0\x80".to_vec())),
        ("char(0x1F600) || char(10)", Val::text("\u{1F600}\n")),
        ("x''", Val::Blob(Vec::new())),
        ("x'00ff'", Val::Blob(vec![0, 255])),
    ]
}

#[test]
fn strange_values_travel_both_ways() {
    let world = World::two().start(
        "CREATE TABLE t(k TEXT PRIMARY KEY, x); CREATE TABLE bag(x); CREATE TABLE w(k TEXT PRIMARY KEY, x) WITHOUT ROWID;
         INSERT INTO t VALUES('bot', 'old'), ('central', 'old')",
    );
    for (sql, value) in strange() {
        for (from, to) in [("bot", "central"), ("central", "bot")] {
            let name = sql.replace('\'', "''");
            world.edit(
                from,
                &format!(
                    "UPDATE t SET x = {sql} WHERE k = '{from}'; INSERT INTO t VALUES('{from} {name}', {sql});
                     INSERT INTO w VALUES('{from} {name}', {sql}); INSERT INTO bag VALUES({sql})"
                ),
            );
            let report = world.sync();
            assert_eq!(report["conflicts"], 0, "{sql}: {report:#}");
            let there = world.query(to, &format!("SELECT x FROM t WHERE k IN ('{from}', '{from} {name}')"));
            assert_eq!(there.rows, [[value.clone()], [value.clone()]], "{sql} from {from} to {to}");
            assert_converged(&world);
        }
    }
    assert_settled(&world);
}

#[test]
fn strange_values_are_keys_too() {
    let world = World::two().start("CREATE TABLE t(k PRIMARY KEY, who TEXT) WITHOUT ROWID");
    for (n, (sql, _)) in strange().into_iter().enumerate() {
        if !["NULL", "-0.0 * 1"].contains(&sql) {
            world.edit(
                if n % 2 == 0 { "bot" } else { "central" },
                &format!("INSERT INTO t VALUES({sql}, {n})"),
            );
        }
    }
    assert_eq!(world.sync()["conflicts"], 0);
    assert_converged(&world);
    world.edit("bot", "UPDATE t SET who = 'bot'");
    world.edit("central", "DELETE FROM t WHERE typeof(k) = 'integer'");
    world.sync();
    assert_converged(&world);
    assert_settled(&world);
}

/// Edits that SQL's own `=` does not see.
#[test]
fn changes_that_compare_equal_are_changes() {
    let cases = [
        ("x TEXT COLLATE NOCASE", "'abc'", "'ABC'"),
        ("x TEXT COLLATE RTRIM", "'abc'", "'abc  '"),
        ("x", "1", "1.0"),
        ("x", "1.0", "1"),
        ("x", "'1'", "1"),
        ("x", "'ab'", "x'6162'"),
        ("x", "0.0", "0"),
        ("x BLOB", "CAST(x'6100' AS TEXT)", "'a'"),
        ("x", "''", "NULL"),
    ];
    for (column, before, after) in cases {
        let world = World::two().start(&format!(
            "CREATE TABLE t(k TEXT PRIMARY KEY, {column}); CREATE TABLE bag({column});
             INSERT INTO t VALUES('bot', {before}), ('central', {before}); INSERT INTO bag VALUES({before}), ({before})"
        ));
        for side in ["bot", "central"] {
            let sql = format!("UPDATE t SET x = {after} WHERE k = '{side}'");
            world.edit(side, &sql);
        }
        world.edit("bot", &format!("UPDATE bag SET x = {after} WHERE rowid = 1"));
        let was = world.query("bot", "SELECT x FROM t WHERE k = 'bot'");
        assert_eq!(world.sync()["conflicts"], 0);
        assert_eq!(
            world.query("central", "SELECT x FROM t WHERE k = 'bot'"),
            was,
            "{column} {before} {after}"
        );
        assert_eq!(
            world.query("bot", "SELECT x FROM t WHERE k = 'central'"),
            was,
            "{column} {before} {after}"
        );
        assert_converged(&world);
        assert_settled(&world);
    }
}

/// A key that changes only in case is the same row.
#[test]
fn a_key_that_changes_in_case_stays_one_row() {
    let tables = [
        "CREATE TABLE t(k TEXT COLLATE NOCASE PRIMARY KEY, x)",
        "CREATE TABLE t(k TEXT COLLATE NOCASE PRIMARY KEY, x) WITHOUT ROWID",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, k TEXT COLLATE NOCASE NOT NULL UNIQUE, x)",
        "CREATE TABLE t(k TEXT, x, PRIMARY KEY(k COLLATE NOCASE))",
    ];
    for sql in tables {
        let world = World::two().start(&format!("{sql}; INSERT INTO t(k, x) VALUES('ann', 1), ('bob', 1)"));
        world.edit("bot", "UPDATE t SET k = 'ANN' WHERE k = 'ann'");
        world.edit("central", "UPDATE t SET x = 2 WHERE k = 'ann'");
        assert_eq!(world.sync()["conflicts"], 0, "{sql}");
        for side in ["bot", "central"] {
            assert_eq!(world.lines(side, "SELECT k, x FROM t"), ["'ANN' 2", "'bob' 1"], "{sql}");
        }
        assert_settled(&world);
    }
}

#[test]
fn ten_megabytes_travel_both_ways() {
    let world = World::two().start("CREATE TABLE t(k TEXT PRIMARY KEY, x)");
    let size = 10 * 1024 * 1024;
    for (side, what) in [("bot", "BLOB"), ("central", "TEXT")] {
        let db = world.open(side);
        let bytes: Vec<u8> = (0..size).map(|n: usize| (n * 31 % 251) as u8).collect();
        db.execute(&format!("INSERT INTO t VALUES(?, CAST(? AS {what}))"), rusqlite::params![side, bytes])
            .unwrap();
    }
    let report = world.run(&options()).unwrap();
    assert_eq!(report["ok"], true, "{report:#}");
    assert_converged(&world);
    assert_eq!(
        world.lines("bot", "SELECT k, length(CAST(x AS BLOB)) FROM t"),
        ["'bot' 10485760", "'central' 10485760"]
    );
    world.edit("bot", "UPDATE t SET x = x || 'end' WHERE k = 'central'");
    assert_eq!(world.sync()["conflicts"], 0);
    assert_converged(&world);
    assert_settled(&world);
}

/// Reports give values losslessly.
#[test]
fn reports_keep_values_whole() {
    let world = World::two().start("CREATE TABLE t(k TEXT PRIMARY KEY, a, b, c, d, e)");
    world.edit(
        "bot",
        "INSERT INTO t VALUES('x', 9223372036854775807, x'00ff', CAST(x'61ff' AS TEXT), 9e999, 0.1)",
    );
    world.edit("central", "INSERT INTO t VALUES('x', -9223372036854775807 - 1, x'', 'plain', -9e999, NULL)");
    world.sync();
    let conflict = world.conflicts()[0].clone();
    let want = serde_json::json!({
        "bot": {
            "k": "x", "a": i64::MAX, "b": { "blob_base64": "AP8=" }, "c": { "text_base64": "Yf8=" },
            "d": { "real": "inf" }, "e": 0.1
        },
        "central": {
            "k": "x", "a": i64::MIN, "b": { "blob_base64": "" }, "c": "plain", "d": { "real": "-inf" }, "e": null
        }
    });
    assert_eq!(conflict["values"], want, "{conflict:#}");
    assert_eq!(conflict["winner"], "central");
    assert_converged(&world);
}
