//! Full-text search and R-Tree: rows travel, the index of every side finds them, and what cannot be read is left alone.
//!
//! Apart from `schema`, which is about ordinary tables. Every story ends with what a search finds on each side, and
//! with the module's own check of its index.

use serde_json::json;

use crate::common::{
    World, assert_converged, assert_settled, check, check_side, conflict_lines, differences, is_empty_run,
    state,
};

/// The full-text modules, with the statement that makes `f` out of two columns.
const FULL_TEXT: [&str; 3] = [
    "CREATE VIRTUAL TABLE f USING fts5(title, body UNINDEXED, tokenize='porter')",
    "CREATE VIRTUAL TABLE f USING fts4(title, body)",
    "CREATE VIRTUAL TABLE f USING fts3(title TEXT, body)",
];

/// The index of a full-text table says what its rows say, on every side.
fn intact(world: &World, table: &str) {
    for side in &world.sides {
        world.edit(side, &format!("INSERT INTO {table}({table}) VALUES('integrity-check')"));
    }
}

/// What a search finds on every side, in rows of this kind.
fn finds(world: &World, table: &str, word: &str, expect: &[&str]) {
    for side in &world.sides {
        check_side(
            world,
            side,
            &format!("SELECT rowid, title FROM {table} WHERE {table} MATCH '{word}'"),
            expect,
        );
    }
}

#[test]
fn rows_of_full_text_tables_travel_both_ways() {
    for module in FULL_TEXT {
        let world = World::three().start(&format!(
            "{module}; INSERT INTO f(rowid, title, body) VALUES(1, 'old tree', 1), (2, 'small house', x'00ff'), (3, 'gone', NULL)"
        ));
        world.edit("bot", "INSERT INTO f(rowid, title, body) VALUES(7, 'green tree', 1.5); UPDATE f SET body = 'seen' WHERE rowid = 1");
        world.edit(
            "website",
            "UPDATE f SET title = 'old oak tree' WHERE rowid = 1; DELETE FROM f WHERE rowid = 3",
        );
        let report = world.sync();
        assert_eq!((&report["ok"], &report["conflicts"]), (&json!(true), &json!(0)), "{module}: {report:#}");
        assert_eq!(report["databases"]["d"]["warnings"], json!([]), "{module}");
        check(
            &world,
            "SELECT rowid, title, body FROM f",
            &["1 'old oak tree' 'seen'", "2 'small house' x'00ff'", "7 'green tree' 1.5"],
        );
        finds(&world, "f", "tree", &["1 'old oak tree'", "7 'green tree'"]);
        finds(&world, "f", "oak", &["1 'old oak tree'"]);
        finds(&world, "f", "gone", &[]);
        intact(&world, "f");
        assert_settled(&world);
        world.edit("central", "DELETE FROM f WHERE rowid = 7");
        world.sync();
        finds(&world, "f", "tree", &["1 'old oak tree'"]);
        intact(&world, "f");
    }
}

#[test]
fn two_texts_under_one_new_rowid_are_both_kept() {
    for module in FULL_TEXT {
        let world = World::two().start(&format!("{module}; INSERT INTO f(rowid, title) VALUES(1, 'first')"));
        world.edit("bot", "INSERT INTO f(title, body) VALUES('word of the bot', 'b')");
        world.edit("central", "INSERT INTO f(title, body) VALUES('word of central', 'c')");
        assert_eq!(world.sync()["conflicts"], 0, "{module}: {:?}", world.conflicts());
        check(
            &world,
            "SELECT rowid, title FROM f",
            &["1 'first'", "2 'word of central'", "3 'word of the bot'"],
        );
        finds(&world, "f", "word", &["2 'word of central'", "3 'word of the bot'"]);
        intact(&world, "f");
    }
}

/// The rule of integer keys: one id and one content are one row, and two ids are two.
#[test]
fn equal_texts_are_one_row_under_one_rowid_and_two_under_two() {
    for module in FULL_TEXT {
        let world = World::two().start(module);
        for (side, rowid) in [("bot", 7), ("central", 9)] {
            world.edit(
                side,
                &format!(
                    "INSERT INTO f(rowid, title) VALUES(1, 'same word'); INSERT INTO f(rowid, title) VALUES({rowid}, 'other word')"
                ),
            );
        }
        assert_eq!(world.sync()["conflicts"], 0, "{module}: {:?}", world.conflicts());
        finds(&world, "f", "word", &["1 'same word'", "7 'other word'", "9 'other word'"]);
        intact(&world, "f");
    }
}

#[test]
fn one_cell_changed_on_two_sides_is_a_conflict() {
    let world = World::two().start(&format!("{}; INSERT INTO f VALUES('a', 'x')", FULL_TEXT[0]));
    world.edit("bot", "UPDATE f SET title = 'by the bot'");
    world.edit("central", "UPDATE f SET title = 'by central'");
    world.sync();
    assert_eq!(conflict_lines(&world), ["f update_update [title] central open"]);
    finds(&world, "f", "by", &["1 'by central'"]);
    intact(&world, "f");
}

/// The row id of a search row is often the id of another table: said so, it follows.
#[test]
fn a_search_row_follows_the_row_it_is_about() {
    for policy in [
        json!({ "f": { "references": { "rowid": "notes.id" } } }),
        json!({ "f": { "references": { "rowid": "notes.id" }, "identity": ["rowid"] } }),
    ] {
        let world = World::two().tables(policy).start(&format!(
            "CREATE TABLE notes(id INTEGER PRIMARY KEY, text); {}; INSERT INTO notes VALUES(1, 'a')",
            FULL_TEXT[0]
        ));
        for side in ["bot", "central"] {
            world.edit(
                side,
                &format!(
                    "INSERT INTO notes VALUES(2, 'note of {side}');
                     INSERT INTO f(rowid, title) VALUES(2, 'note of {side}')"
                ),
            );
        }
        // Without a search row of its own, this one moves the ids of both tables apart.
        world.edit("bot", "INSERT INTO notes VALUES(9, 'no search')");
        assert_eq!(world.sync()["conflicts"], 0, "{:?}", world.conflicts());
        check(
            &world,
            "SELECT text FROM notes JOIN f ON f.rowid = notes.id AND title = text",
            &["'note of bot'", "'note of central'"],
        );
        intact(&world, "f");
    }
}

#[test]
fn an_index_over_another_table_is_rebuilt_where_we_write() {
    for (create, triggers) in [
        (
            "CREATE VIRTUAL TABLE f USING fts5(title, content='t', content_rowid='id')",
            "CREATE TRIGGER t_i AFTER INSERT ON t BEGIN INSERT INTO f(rowid, title) VALUES(new.id, new.title); END;
             CREATE TRIGGER t_d AFTER DELETE ON t BEGIN INSERT INTO f(f, rowid, title) VALUES('delete', old.id, old.title); END;",
        ),
        (
            "CREATE VIRTUAL TABLE f USING fts4(content=\"t\", title)",
            "CREATE TRIGGER t_i AFTER INSERT ON t BEGIN INSERT INTO f(docid, title) VALUES(new.id, new.title); END;
             CREATE TRIGGER t_d BEFORE DELETE ON t BEGIN DELETE FROM f WHERE docid = old.id; END;",
        ),
    ] {
        let world = World::two().start(&format!(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, title TEXT); {create}; {triggers}
             INSERT INTO t VALUES(1, 'old tree'), (2, 'gone')"
        ));
        world.edit("bot", "INSERT INTO t(title) VALUES('tree of the bot')");
        world.edit("central", "INSERT INTO t(title) VALUES('tree of central'); DELETE FROM t WHERE id = 2");
        let report = world.sync();
        assert_eq!(report["databases"]["d"]["warnings"], json!([]), "{create}");
        check(&world, "SELECT id, title FROM t", &["1 'old tree'", "3 'tree of central'", "4 'tree of the bot'"]);
        finds(&world, "f", "tree", &["1 'old tree'", "3 'tree of central'", "4 'tree of the bot'"]);
        finds(&world, "f", "gone", &[]);
        intact(&world, "f");
        assert_settled(&world);
    }
}

/// Such an index follows its table anyway; saying so is no mistake, and saying more means nothing.
#[test]
fn what_an_index_over_another_table_points_at_may_be_said() {
    for (create, policy, warns) in [
        ("fts5(title, content='t', content_rowid='id')", json!({ "references": { "rowid": "t.id" } }), false),
        ("fts4(content=\"t\", title)", json!({ "references": { "docid": "T.id" } }), false),
        ("fts5(title, content='t', content_rowid='id')", json!({ "references": { "rowid": "s.id" } }), true),
        ("fts5(title, content='t', content_rowid='id')", json!({ "append_only": true }), true),
    ] {
        let world = World::two().tables(json!({ "F": policy })).start(&format!(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, title TEXT); CREATE TABLE s(id INTEGER PRIMARY KEY);
             CREATE VIRTUAL TABLE f USING {create}"
        ));
        world.edit("bot", "INSERT INTO t VALUES(1, 'tree of the bot')");
        world.edit("central", "INSERT INTO t VALUES(1, 'tree of central')");
        let warnings = world.sync()["databases"]["d"]["warnings"].to_string();
        let said = warnings.contains(
            "the configuration has rules for F, which has no rows of its own but indexes those of t",
        );
        assert_eq!((said, warnings == "[]"), (warns, !warns), "{create} {policy}: {warnings}");
        finds(&world, "f", "tree", &["1 'tree of central'", "2 'tree of the bot'"]);
        intact(&world, "f");
    }
}

#[test]
fn a_new_index_over_another_table_is_made_and_filled() {
    let world = World::two()
        .start("CREATE TABLE t(id INTEGER PRIMARY KEY, title TEXT); INSERT INTO t VALUES(1, 'old tree')");
    world.edit("bot", "CREATE VIRTUAL TABLE f USING fts5(title, content='t', content_rowid='id'); INSERT INTO f(f) VALUES('rebuild')");
    world.sync();
    finds(&world, "f", "tree", &["1 'old tree'"]);
    assert_settled(&world);
    // Dropped on one side, it is not brought back there.
    world.edit("central", "DROP TABLE f");
    world.edit("bot", "INSERT INTO t VALUES(2, 'new tree')");
    assert_eq!(world.sync()["ok"], true);
    check_side(&world, "central", "SELECT name FROM sqlite_schema WHERE name = 'f'", &[]);
    check_side(&world, "central", "SELECT id FROM t", &["1", "2"]);
}

#[test]
fn an_index_without_text_is_left_alone() {
    for create in [
        "CREATE VIRTUAL TABLE f USING fts5(title, content='')",
        "CREATE VIRTUAL TABLE f USING fts4(title, content=\"\")",
    ] {
        let world = World::two().start(&format!("CREATE TABLE t(k TEXT PRIMARY KEY); {create}"));
        world.edit("bot", "INSERT INTO f(rowid, title) VALUES(1, 'tree'); INSERT INTO t VALUES('a')");
        let report = world.sync();
        let told = report["databases"]["d"]["warnings"].to_string();
        assert!(told.contains("f is left alone: it keeps an index without the text"), "{told}");
        check_side(&world, "central", "SELECT k FROM t", &["'a'"]);
        check_side(&world, "central", "SELECT count(*) FROM f WHERE f MATCH 'tree'", &["0"]);
        check_side(&world, "bot", "SELECT count(*) FROM f WHERE f MATCH 'tree'", &["1"]);
        assert!(is_empty_run(&world.sync()));
    }
}

#[test]
fn boxes_travel_both_ways_and_do_not_wander() {
    for (create, first, second) in [
        ("rtree(id, x0, x1, +name)", "0.1, 0.3, 'a'", "1e30, 1.5e30, x'01'"),
        ("rtree_i32(id, x0, x1, +name)", "-5, 5, 'a'", "100, 200, NULL"),
    ] {
        let world = World::two()
            .start(&format!("CREATE VIRTUAL TABLE r USING {create}; INSERT INTO r VALUES(1, {first})"));
        world
            .edit("bot", &format!("INSERT INTO r VALUES(2, {second}); UPDATE r SET name = 'b' WHERE id = 1"));
        world.edit("central", "INSERT INTO r VALUES(3, 7, 8, 'c'); UPDATE r SET x1 = 6.7 WHERE id = 1");
        assert_eq!(world.sync()["conflicts"], 0, "{:?}", world.conflicts());
        assert_converged(&world);
        assert_settled(&world);
        check(&world, "SELECT id FROM r WHERE x0 >= 6 AND x1 <= 9", &["3"]);
        check(&world, "SELECT id, name FROM r WHERE x0 < 1", &["1 'b'"]);
        check(&world, "SELECT rtreecheck('r')", &["'ok'"]);
        world.edit("central", "DELETE FROM r WHERE id = 2; UPDATE r SET id = 5 WHERE id = 3");
        world.sync();
        check(&world, "SELECT id, name FROM r", &["1 'b'", "5 'c'"]);
        check(&world, "SELECT rtreecheck('r')", &["'ok'"]);
    }
}

#[test]
fn new_boxes_under_one_id_are_both_kept() {
    let world = World::two().start("CREATE VIRTUAL TABLE r USING rtree(id, x0, x1)");
    world.edit("bot", "INSERT INTO r VALUES(1, 10, 11)");
    world.edit("central", "INSERT INTO r VALUES(1, 20, 21)");
    assert_eq!(world.sync()["conflicts"], 0);
    check(&world, "SELECT id, x0 FROM r", &["1 20.0", "2 10.0"]);
}

/// What one side makes, the others get, with its rows.
#[test]
fn new_virtual_tables_travel() {
    let world = World::three().start("CREATE TABLE t(k TEXT PRIMARY KEY)");
    world.edit("website", &format!("{}; INSERT INTO f VALUES('some words', 1)", FULL_TEXT[0]));
    world.edit("bot", "CREATE VIRTUAL TABLE r USING rtree(id, x0, x1); INSERT INTO r VALUES(4, 0, 1)");
    assert_eq!(world.sync()["ok"], true);
    check(&world, "SELECT id, x1 FROM r", &["4 1.0"]);
    finds(&world, "f", "words", &["1 'some words'"]);
    intact(&world, "f");
    world.edit("central", "INSERT INTO f VALUES('other words', 2); DELETE FROM r");
    world.sync();
    check(&world, "SELECT id FROM r", &[]);
    finds(&world, "f", "words", &["1 'some words'", "2 'other words'"]);
}

#[test]
fn nothing_travels_with_schema_none() {
    let mut world = World::two();
    world.json["databases"]["d"]["schema"] = json!("none");
    let world = world.start("CREATE TABLE t(k TEXT PRIMARY KEY)");
    world.edit("bot", &format!("{}; INSERT INTO t VALUES('a')", FULL_TEXT[1]));
    let report = world.sync();
    assert!(report["databases"]["d"]["warnings"].to_string().contains("schema is none"), "{report:#}");
    check_side(&world, "central", "SELECT name FROM sqlite_schema WHERE name LIKE 'f%'", &[]);
    check_side(&world, "central", "SELECT k FROM t", &["'a'"]);
}

/// Each side has its own table of the name: what one side calls a column the other does not know.
#[test]
fn virtual_tables_that_differ_are_left_alone() {
    for (bot, central, reason) in [
        (
            "VIRTUAL TABLE f USING fts5(a, b)",
            "VIRTUAL TABLE f USING fts5(a, c)",
            "its columns are not the same",
        ),
        ("VIRTUAL TABLE f USING fts5(a, b)", "VIRTUAL TABLE f USING fts4(a, b)", "a virtual table of fts4"),
        ("VIRTUAL TABLE f USING fts5(a, b)", "TABLE f(a, b)", "an ordinary table"),
    ] {
        let world = World::two();
        world.edit(
            "bot",
            &format!("CREATE TABLE t(k TEXT PRIMARY KEY); CREATE {bot}; INSERT INTO f(a) VALUES('x')"),
        );
        world.edit(
            "central",
            &format!("CREATE TABLE t(k TEXT PRIMARY KEY); CREATE {central}; INSERT INTO t VALUES('a')"),
        );
        let report = world.sync();
        let told = report["databases"]["d"]["warnings"].to_string();
        assert!(told.contains(reason), "{told}");
        check_side(&world, "bot", "SELECT k FROM t", &["'a'"]);
        check_side(&world, "bot", "SELECT a FROM f", &["'x'"]);
    }
}

/// A table of a module that nobody here knows, and what may be its parts, stay as they are.
#[test]
fn an_unknown_module_is_left_alone() {
    let world = World::two().start("CREATE TABLE t(k TEXT PRIMARY KEY)");
    world.edit(
        "bot",
        "CREATE TABLE s_words(a); INSERT INTO s_words VALUES('part'); INSERT INTO t VALUES('a'); PRAGMA writable_schema = ON;
         INSERT INTO sqlite_schema VALUES('table', 's', 's', 0, 'CREATE VIRTUAL TABLE s USING spellfix1')",
    );
    world.edit("central", "INSERT INTO t VALUES('b'); ALTER TABLE t ADD COLUMN x");
    let report = world.sync();
    assert_eq!(report["ok"], true, "{report:#}");
    let told = report["databases"]["d"]["warnings"].to_string();
    assert!(told.contains("s is left alone: its module spellfix1 is not known here (on bot)"), "{told}");
    assert!(told.contains("s_words is left alone: it may be a part of s"), "{told}");
    check_side(&world, "bot", "SELECT k FROM t", &["'a'", "'b'"]);
    check_side(&world, "central", "SELECT k FROM t", &["'a'", "'b'"]);
    check_side(
        &world,
        "central",
        "SELECT name FROM sqlite_schema WHERE name LIKE 's%' AND name NOT LIKE 'sqlite%'",
        &[],
    );
    world.edit("bot", "ALTER TABLE t DROP COLUMN x");
    world.edit("central", "ALTER TABLE t DROP COLUMN x; INSERT INTO t VALUES('c')");
    assert_eq!(world.sync()["ok"], true);
    check_side(&world, "bot", "SELECT k FROM t", &["'a'", "'b'", "'c'"]);
    assert!(is_empty_run(&world.sync()));
}

/// An owner's tokenizer is not here, so the table cannot be used here.
#[test]
fn an_unknown_tokenizer_or_function_leaves_its_table_alone() {
    for create in [
        "CREATE VIRTUAL TABLE s USING fts5(a, tokenize = own)",
        "CREATE VIRTUAL TABLE s USING fts4(a, tokenize = own)",
        "CREATE VIRTUAL TABLE s USING geopoly(a)",
        "CREATE VIRTUAL TABLE s USING fts4(a, compress=pack, uncompress=unpack)",
        "CREATE VIRTUAL TABLE s USING fts5(a, con = t)",
        "CREATE VIRTUAL TABLE s USING fts5vocab(t, row)",
    ] {
        let world = World::two().start("CREATE TABLE t(k TEXT PRIMARY KEY)");
        world.edit(
            "bot",
            &format!(
                "INSERT INTO t VALUES('a'); PRAGMA writable_schema = ON;
                 INSERT INTO sqlite_schema VALUES('table', 's', 's', 0, '{create}')"
            ),
        );
        let report = world.sync();
        assert_eq!(report["ok"], true, "{report:#}");
        assert!(report["databases"]["d"]["warnings"].to_string().contains("s is left alone: "), "{report:#}");
        check_side(&world, "central", "SELECT k FROM t", &["'a'"]);
    }
}

#[test]
fn full_text_in_wal_mode_and_in_utf_16() {
    for setting in ["PRAGMA journal_mode = WAL", "PRAGMA encoding = 'UTF-16le'"] {
        let world =
            World::two().start(&format!("{setting}; {}; INSERT INTO f VALUES('ein Bär', 1)", FULL_TEXT[0]));
        world.edit("bot", "INSERT INTO f VALUES('zwei Bär', 2)");
        world.edit("central", "UPDATE f SET body = 3");
        world.sync();
        check(&world, "SELECT title, body FROM f", &["'ein B\\xc3\\xa4r' 3", "'zwei B\\xc3\\xa4r' 2"]);
        intact(&world, "f");
    }
}

/// Made anew with other columns everywhere, it is united as with a new side.
#[test]
fn a_table_made_anew_everywhere_goes_on() {
    let world = World::two().start(&format!("{}; INSERT INTO f VALUES('old', 1)", FULL_TEXT[0]));
    world.edit_all("DROP TABLE f; CREATE VIRTUAL TABLE f USING fts5(title, body, more UNINDEXED)");
    world.edit("bot", "INSERT INTO f VALUES('word of the bot', '5', '6')");
    assert_eq!(world.sync()["ok"], true);
    check(&world, "SELECT title, body, more FROM f", &["'word of the bot' '5' '6'"]);
    world.edit("central", "DELETE FROM f");
    world.sync();
    check(&world, "SELECT title FROM f", &[]);
    intact(&world, "f");
}

#[test]
fn a_lost_hub_and_a_lost_spoke_come_back_with_their_search() {
    let world = World::two().start(&format!(
        "{}; CREATE TABLE t(id INTEGER PRIMARY KEY, title); CREATE VIRTUAL TABLE g USING fts5(title, content='t', content_rowid='id');
         CREATE TRIGGER t_i AFTER INSERT ON t BEGIN INSERT INTO g(rowid, title) VALUES(new.id, new.title); END;
         INSERT INTO f VALUES('some words', 1); INSERT INTO t VALUES(1, 'other words')",
        FULL_TEXT[0]
    ));
    for lost in ["central", "bot", "central"] {
        std::fs::remove_file(world.path(lost)).unwrap();
        let report = world.sync();
        assert_eq!(report["ok"], true, "{report:#}");
        check(&world, "SELECT rowid, title, body FROM f", &["1 'some words' 1"]);
        finds(&world, "f", "words", &["1 'some words'"]);
        finds(&world, "g", "words", &["1 'other words'"]);
        intact(&world, "f");
    }
    world.edit("bot", "INSERT INTO f VALUES('more words', 2)");
    world.sync();
    finds(&world, "f", "words", &["1 'some words'", "2 'more words'"]);
}

/// Nothing but rows comes to an owner's file.
#[test]
fn a_look_changes_nothing() {
    let world = World::two().start(&format!("{}; INSERT INTO f VALUES('some words', 1)", FULL_TEXT[0]));
    let before = world.dump("bot");
    let parts = "SELECT name, sql FROM sqlite_schema";
    let schema = world.lines("bot", parts);
    world.dry_run();
    world.edit("central", "UPDATE f SET body = 2");
    world.sync();
    assert_eq!(world.lines("bot", parts), schema);
    assert!(!differences("before", &before, "after", &world.dump("bot")).is_empty());
}

/// An index that is damaged says nothing about the rows of other tables.
#[test]
fn a_damaged_index_leaves_its_table_alone() {
    for (create, damage) in [
        (
            FULL_TEXT[0],
            "UPDATE f_data SET block = x'ffffffffffff' WHERE id > 1; DELETE FROM f_data WHERE id = 10",
        ),
        (
            "CREATE VIRTUAL TABLE f USING rtree(title, x0, x1)",
            "UPDATE f_node SET data = x'0000ffff' || zeroblob(length(data) - 4)",
        ),
    ] {
        let world = World::two().start(&format!(
            "{create}; CREATE TABLE t(k TEXT PRIMARY KEY); INSERT INTO f(rowid, title) VALUES(1, 1), (2, 2), (3, 3)"
        ));
        world.edit("bot", &format!("{damage}; INSERT INTO t VALUES('bot')"));
        world.edit("central", "INSERT INTO t VALUES('central'); UPDATE f SET title = 5 WHERE rowid = 2; DELETE FROM f WHERE rowid = 3");
        let report = world.sync();
        assert_eq!(state(&report), "synced", "{report:#}");
        let told = report["databases"]["d"]["warnings"].to_string();
        assert!(told.contains("f is left alone: "), "{create}: {told}");
        for side in ["bot", "central"] {
            check_side(&world, side, "SELECT k FROM t", &["'bot'", "'central'"]);
        }
    }
}

/// Two edits that only make sense apart: the module does not take what they make together.
#[test]
fn a_box_that_would_be_inside_out_is_held() {
    let world = World::two()
        .start("CREATE VIRTUAL TABLE r USING rtree(id, x0, x1); INSERT INTO r VALUES(1, 2, 3), (2, 2, 3)");
    world.edit("bot", "UPDATE r SET x0 = 8, x1 = 9 WHERE id = 1; UPDATE r SET x1 = 5 WHERE id = 2");
    world.edit("central", "UPDATE r SET x1 = 4 WHERE id = 1; UPDATE r SET x0 = 1 WHERE id = 2");
    world.sync();
    assert_eq!(conflict_lines(&world), ["r schema [] none held"]);
    check_side(&world, "bot", "SELECT id, x0, x1 FROM r", &["1 8.0 9.0", "2 1.0 5.0"]);
    check_side(&world, "central", "SELECT id, x0, x1 FROM r", &["1 2.0 4.0", "2 1.0 5.0"]);
    assert_settled(&world);
}

#[test]
fn cells_that_are_rounded_are_not_summed() {
    let world = World::two().tables(json!({ "r": { "columns": { "x0": "sum" } } }));
    world.edit_all("CREATE VIRTUAL TABLE r USING rtree(id, x0, x1)");
    let report = world.sync();
    assert_eq!(state(&report), "failed", "{report:#}");
    assert!(
        report["databases"]["d"]["reason"].to_string().contains("cells of an R-Tree cannot be summed"),
        "{report:#}"
    );
}
