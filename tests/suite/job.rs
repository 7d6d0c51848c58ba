//! The 50,000-user job: about 1,700 edits a side of every kind at once.
//!
//! Apart from the other stories because it is the one that is compared with other tools. The 270 real conflicts are:
//! 100 same cells, 2 x 50 deletes against edits, 20 nicks taken twice, 50 seen rows written twice.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};
use serde_json::json;

use crate::common::{Val, World, assert_converged, assert_settled, query};

const USERS: i64 = 50_000;

const SCHEMA: &str = "
    CREATE TABLE users(id INTEGER PRIMARY KEY AUTOINCREMENT, nick TEXT NOT NULL UNIQUE COLLATE NOCASE,
                       email TEXT, points INTEGER NOT NULL DEFAULT 0);
    CREATE TABLE notes(id INTEGER PRIMARY KEY AUTOINCREMENT, uid INTEGER NOT NULL REFERENCES users(id), body TEXT);
    CREATE TABLE seen(nick TEXT PRIMARY KEY, channel TEXT, at INTEGER);
    CREATE TABLE score(nick TEXT, game TEXT, points INTEGER);
    CREATE TABLE kv(network TEXT, name TEXT, value TEXT, PRIMARY KEY(network, name)) WITHOUT ROWID;";

fn fill(db: &Connection) {
    db.execute_batch(SCHEMA).unwrap();
    db.execute_batch("BEGIN").unwrap();
    let mut user = db.prepare("INSERT INTO users(nick, email, points) VALUES(?, ?, ?)").unwrap();
    for n in 1..=USERS {
        user.execute(params![format!("user{n}"), format!("user{n}@example.org"), n % 100]).unwrap();
    }
    let mut note = db.prepare("INSERT INTO notes(uid, body) VALUES(?, ?)").unwrap();
    for n in 2_001..=4_000 {
        note.execute(params![n, format!("note {n}")]).unwrap();
    }
    let mut seen = db.prepare("INSERT INTO seen VALUES(?, '#main', ?)").unwrap();
    let mut score = db.prepare("INSERT INTO score VALUES(?, 'uno', ?)").unwrap();
    let mut kv = db.prepare("INSERT INTO kv VALUES('libera', ?, ?)").unwrap();
    for n in 1..=1_000 {
        seen.execute(params![format!("user{n}"), n]).unwrap();
        score.execute(params![format!("user{}", n % 50), n % 7]).unwrap();
        kv.execute(params![format!("setting{n}"), format!("value {n}")]).unwrap();
    }
    db.execute_batch("COMMIT").unwrap();
}

/// What one side does; `other` is the other side's name, `first` says which half of the rows is its own.
fn diverge(db: &Connection, side: &str, first: bool) {
    let own = |left: i64, right: i64| if first { left } else { right };
    db.execute_batch("BEGIN").unwrap();
    let email = |from: i64, to: i64| {
        db.execute(
            "UPDATE users SET email = ? || id || '@example.net' WHERE id BETWEEN ? AND ?",
            params![side, from, to],
        )
        .unwrap();
    };
    // 500 rows alone, 200 in different cells, 100 in the same cell.
    email(own(1, 501), own(500, 1_000));
    if first {
        email(1_001, 1_200);
    } else {
        db.execute("UPDATE users SET points = points + 1000 WHERE id BETWEEN 1001 AND 1200", []).unwrap();
    }
    email(1_201, 1_300);
    // 50 deleted that the other side edits, in each direction.
    email(own(1_351, 1_301), own(1_400, 1_350));
    let gone = params![own(1_301, 1_351), own(1_350, 1_400)];
    db.execute("DELETE FROM users WHERE id BETWEEN ? AND ?", gone).unwrap();
    // 100 new users under the same new ids, each with a note; 20 identical; 20 nicks taken twice.
    let mut user = db.prepare("INSERT INTO users(nick, email, points) VALUES(?, ?, 0)").unwrap();
    let mut note = db.prepare("INSERT INTO notes(uid, body) VALUES(last_insert_rowid(), ?)").unwrap();
    for n in 1..=100 {
        user.execute(params![format!("{side}-new{n}"), format!("{side}{n}")]).unwrap();
        note.execute(params![format!("note of {side}-new{n}")]).unwrap();
    }
    for n in 1..=20 {
        user.execute(params![format!("same{n}"), "same"]).unwrap();
    }
    for n in 1..=20 {
        let nick = if first { format!("Taken{n}") } else { format!("TAKEN{n}") };
        user.execute(params![nick, side]).unwrap();
    }
    // 100 rows without a key, 100 + 50 seen rows (50 clash), 100 settings.
    for n in 1..=100 {
        db.execute("INSERT INTO score VALUES(?, 'uno', ?)", params![format!("{side}{}", n % 10), n]).unwrap();
        db.execute("INSERT INTO seen VALUES(?, '#main', ?)", params![format!("{side}-seen{n}"), n]).unwrap();
        let setting = own(n, 100 + n);
        let value = format!("{side} {n}");
        db.execute("UPDATE kv SET value = ? WHERE name = 'setting' || ?", params![value, setting]).unwrap();
    }
    for n in 1..=50 {
        db.execute("INSERT INTO seen VALUES(?, ?, 1)", params![format!("both{n}"), format!("#{side}")])
            .unwrap();
    }
    db.execute_batch("COMMIT").unwrap();
}

#[test]
fn the_fifty_thousand_user_job() {
    let world = World::two();
    fill(&world.open("bot"));
    fill(&world.open("central"));
    let first = world.sync();
    assert_eq!(first["conflicts"], json!(0), "{first:#}");
    diverge(&world.open("bot"), "bot", true);
    diverge(&world.open("central"), "central", false);

    let report = world.sync();
    assert_eq!(report["ok"], json!(true), "{report:#}");
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for conflict in world.conflicts() {
        let word = |name: &str| conflict[name].as_str().unwrap().to_owned();
        *kinds.entry(format!("{} {}", word("table"), word("kind"))).or_default() += 1;
    }
    let want = [
        ("seen insert_insert", 50),
        ("users insert_insert", 20),
        ("users update_delete", 100),
        ("users update_update", 100),
    ];
    assert_eq!(kinds, want.map(|(kind, n)| (kind.to_owned(), n)).into());
    assert_eq!(report["conflicts"], json!(270));
    assert_converged(&world);

    let facts = [
        // Nothing is blended or lost: people on the same new id, their notes, rows without a key.
        ("SELECT count(*) FROM users WHERE nick GLOB '*-new*' AND email = replace(nick, '-new', '')", 200),
        (
            "SELECT count(*) FROM notes JOIN users ON uid = users.id \
             WHERE nick GLOB '*-new*' AND body = 'note of ' || nick",
            200,
        ),
        ("SELECT count(*) FROM score WHERE nick GLOB 'bot*' OR nick GLOB 'central*'", 200),
        ("SELECT count(*) FROM score", 1_200),
        ("SELECT count(*) FROM users", USERS + 200 + 20 + 20),
        ("SELECT count(*) FROM notes", 2_200),
        ("SELECT count(*) FROM users WHERE nick GLOB 'same*'", 20),
        ("SELECT count(*) FROM users WHERE nick LIKE 'taken%' AND email = 'central'", 20),
        ("SELECT count(*) FROM users WHERE id <= 500 AND email = 'bot' || id || '@example.net'", 500),
        ("SELECT count(*) FROM users WHERE id BETWEEN 501 AND 1000 AND email GLOB 'central*'", 500),
        (
            "SELECT count(*) FROM users WHERE id BETWEEN 1001 AND 1200 AND email GLOB 'bot*' AND points >= 1000",
            200,
        ),
        ("SELECT count(*) FROM users WHERE id BETWEEN 1201 AND 1300 AND email GLOB 'central*'", 100),
        ("SELECT count(*) FROM users WHERE id BETWEEN 1301 AND 1350 AND email GLOB 'central*'", 50),
        ("SELECT count(*) FROM users WHERE id BETWEEN 1351 AND 1400 AND email GLOB 'bot*'", 50),
        ("SELECT count(*) FROM seen", 1_250),
        ("SELECT count(*) FROM seen WHERE nick GLOB 'both*' AND channel = '#central'", 50),
        ("SELECT count(*) FROM kv WHERE value GLOB 'bot *' OR value GLOB 'central *'", 200),
    ];
    for side in &world.sides {
        let db = world.open(side);
        for (sql, want) in facts {
            assert_eq!(query(&db, sql).rows, [[Val::Int(want)]], "{side}: {sql}");
        }
        for pragma in ["foreign_key_check", "quick_check"] {
            let rows = query(&db, &format!("PRAGMA {pragma}")).rows;
            assert!(rows.is_empty() || rows == [[Val::text("ok")]], "{side}: {pragma}: {rows:?}");
        }
    }
    assert_settled(&world);
}
