//! What the fuzzers start from: sound inputs, made by the writers whose readers are tested.
//!
//! `seed.rs` puts them into the corpus. The other files there, named by their hash, were found by fuzzing and chosen so
//! that few of them reach what all of them reached.

use rusqlite::Connection;

use crate::database::codec::Encoder;
use crate::database::log::Position;
use crate::database::model::{Slot, Write};
use crate::database::native;
use crate::database::record::{Intent, Statement, TableWrites};
use crate::database::store::{self, Bounce, ConflictRows, Ids, Overlay, OverlayEntry, StoredConflict};
use crate::database::undo::Touched;
use crate::database::value::{Row, Value};

use super::state::spell;

/// Inputs by the name of their file, for one of the targets.
pub fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let found = match target {
        "page" => pages().unwrap(),
        "trees" => trees().unwrap(),
        "record" => records(),
        "state" => blobs(),
        "config" => configurations(),
        "request" => requests(),
        "schema" => statements(),
        "files" => mishaps(),
        other => panic!("there is no target {other}"),
    };
    found.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect()
}

type Seeds = Vec<(&'static str, Vec<u8>)>;

fn pages() -> rusqlite::Result<Seeds> {
    let directory = std::env::temp_dir().join(format!("cr0sync-seed-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let connection = Connection::open(directory.join("a.db"))?;
    connection.execute_batch(
        "PRAGMA page_size = 512; CREATE TABLE t(a, b); CREATE TABLE w(k PRIMARY KEY, v) WITHOUT ROWID;
         CREATE INDEX i ON t(b);
         INSERT INTO t VALUES (1, 'x'), (NULL, 2.5), (x'00', -70000), (300, hex(zeroblob(200)));
         INSERT INTO w VALUES ('k', 1), ('l', NULL);
         INSERT INTO t WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT 40) SELECT n, n FROM n;
         DELETE FROM t WHERE rowid = -1; UPDATE t SET rowid = 9223372036854775807 WHERE rowid = 3",
    )?;
    let page = |number: i64| {
        let mut bytes = vec![0; 512];
        native::read_database(&connection, number * 512, &mut bytes).unwrap();
        bytes
    };
    let names = ["header", "page2", "page3", "page4", "page5", "page6"];
    let mut seeds: Seeds = names.into_iter().zip(0..).map(|(name, number)| (name, page(number))).collect();
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    connection.execute_batch("BEGIN; INSERT INTO t VALUES (1, 1); COMMIT; BEGIN; SELECT * FROM t")?;
    seeds.push(("index", native::index_header(&connection).unwrap().to_vec()));
    drop(connection);
    std::fs::remove_dir_all(directory).unwrap();
    Ok(seeds)
}

fn trees() -> rusqlite::Result<Seeds> {
    let directory = std::env::temp_dir().join(format!("cr0sync-seed-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("a.db");
    let connection = Connection::open(&path)?;
    connection.execute_batch(
        "PRAGMA page_size = 512;
         CREATE TABLE t(id INTEGER PRIMARY KEY, b); CREATE TABLE w(k, n, v, PRIMARY KEY (k, n)) WITHOUT ROWID;
         INSERT INTO t WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT 60)
         SELECT n, 'row ' || n FROM n;
         INSERT INTO t VALUES (100, zeroblob(1200)), (101, zeroblob(600));
         INSERT INTO w SELECT 'k' || id, id, b FROM t",
    )?;
    let roots = ["t", "w"].map(|table| {
        let sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?";
        connection.query_row(sql, [table], |row| row.get::<_, u8>(0)).unwrap()
    });
    let before = std::fs::read(&path).unwrap();
    connection.execute_batch(
        "UPDATE t SET b = 'other' WHERE id = 7; UPDATE t SET b = CAST(zeroblob(1100) || 'x' AS BLOB) WHERE id = 100;
         DELETE FROM t WHERE id BETWEEN 30 AND 50; UPDATE w SET v = 1 WHERE n = 40; DELETE FROM w WHERE n < 10",
    )?;
    let mut after = std::fs::read(&path).unwrap();
    after.resize(before.len(), 0);
    drop(connection);
    std::fs::remove_dir_all(directory).unwrap();
    let of = |root: u8, by_key: u8| [&[0, root, root, by_key], before.as_slice(), after.as_slice()].concat();
    Ok(vec![("rowids", of(roots[0], 0)), ("keys", of(roots[1], 1))])
}

fn row(values: &[Value]) -> Row {
    values.into()
}

fn texts(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn text(text: &str) -> Value {
    Value::Text(text.as_bytes().into())
}

fn real(number: f64) -> Value {
    Value::Real(number.to_bits())
}

fn blob(bytes: &[u8]) -> Value {
    Value::Blob(bytes.into())
}

fn rows() -> [(&'static str, Row); 5] {
    [
        ("empty", row(&[])),
        (
            "numbers",
            row(&[
                Value::Integer(-1),
                Value::Integer(300),
                Value::Integer(1 << 40),
                real(2.5),
                Value::Integer(i64::MIN),
                real(-0.0),
            ]),
        ),
        ("texts", row(&[text("a"), Value::Null, text("é"), Value::Null, text("12"), text("1e3")])),
        (
            "blobs",
            row(&[
                blob(&[0; 60]),
                Value::Integer(i64::MAX),
                blob(b"b"),
                real(f64::INFINITY),
                blob(b""),
                blob(&[255; 100]),
            ]),
        ),
        ("held", row(&[Value::Held, Value::Integer(7), Value::Text([0xff, 0].as_slice().into())])),
    ]
}

fn spelled(row: &Row) -> Vec<u8> {
    let mut encoder = Encoder::new();
    encoder.row(row);
    encoder.finish()
}

fn after(kind: u8, blob: &[u8]) -> Vec<u8> {
    [&[kind], blob].concat()
}

fn records() -> Seeds {
    let all = rows().into_iter().zip(0..);
    all.map(|((name, row), size)| (name, after(size, &spelled(&row)))).collect()
}

fn write() -> Write {
    let cells = |last: i64| row(&[Value::Integer(1), text("same"), Value::Integer(last)]);
    Write { old: Some((Slot::Rowid(1), cells(1))), new: Some((Slot::Key(vec![text("k")]), cells(2))) }
}

fn overlays() -> [Overlay; 2] {
    let columns = texts(&["id", "name"]);
    let cells = |name: &str| Some(row(&[Value::Integer(1), text(name)]));
    let entry = OverlayEntry::Row {
        ancestor: cells("before"),
        mirror: cells("base").map(|row| (Slot::Rowid(1), row)),
        merged: cells("after"),
        ids: Ids::Translated,
    };
    let content = OverlayEntry::Content { row: row(&[Value::Null, text("x")]), count: -2 };
    [entry, content].map(|entry| Overlay { table: "users".to_owned(), columns: columns.clone(), entry })
}

fn conflict_rows() -> ConflictRows {
    let cells = |note: &str| Some(row(&[Value::Integer(1), text(note), text("secret")]));
    ConflictRows {
        columns: texts(&["id", "note", "password"]).into(),
        key: texts(&["id"]).into(),
        clashing: texts(&["note"]).into(),
        identity: cells("x"),
        base: cells("x"),
        values: vec![("bot".into(), cells("bot")), ("website".into(), None)],
        merged: cells("bot"),
        both: true,
    }
}

fn touched() -> Touched {
    let cells = |n: i64| Some(row(&[Value::Integer(n), text("same")]));
    Touched {
        table: "users".to_owned(),
        columns: texts(&["id", "name"]),
        rows: vec![(cells(1), cells(2)), (None, cells(3)), (cells(4), None)],
        contents: 3,
    }
}

/// An intent that says something in each of its fields.
fn intent() -> Intent {
    let statement = |table: &str, sql: &str| Statement { table: table.to_owned(), sql: sql.to_owned() };
    let writes = TableWrites {
        table: "users".to_owned(),
        columns: texts(&["id", "name", "score"]),
        summed: vec![2],
        writes: vec![write()],
    };
    let [overlay, content] = overlays();
    let word = |word: &str| word.into();
    let conflict = StoredConflict {
        number: 0,
        database: word("d"),
        table: word("users"),
        kind: word("cell"),
        winner: word("bot"),
        reason: word("preferred"),
        status: word("open"),
        run: word("3"),
        at: word("2025-07-14T09:31:02.000Z"),
        rows: conflict_rows(),
    };
    Intent {
        database: "d".to_owned(),
        side: "central".to_owned(),
        base: "base.db".to_owned(),
        old_epoch: 1,
        new_epoch: 2,
        base_statements: texts(&["CREATE TABLE more(a)"]),
        observed: vec![writes.clone()],
        fresh: false,
        statements: vec![statement("users", "ALTER TABLE users ADD COLUMN more TEXT")],
        raised: vec![("users".to_owned(), 9)],
        writes: vec![writes],
        tables: texts(&["users", "log"]),
        overlay: vec![overlay.clone()],
        overlay_unwritten: vec![content],
        merged_overlay: vec![overlay],
        conflicts: vec![conflict.into()],
        sides: texts(&["bot", "central", "website"]),
        run: 3,
        bounces: vec![Bounce {
            table: "users".to_owned(),
            key: vec![1],
            column: "note".to_owned(),
            before: spelled(&row(&[Value::Null])),
            times: 1,
        }],
        bouncing: vec![("users".to_owned(), vec![1], "note".to_owned())],
        touched: vec![touched()],
        counter: Some(5),
        log: Some(Position { salts: *b"saltsalt", frames: 7 }),
        mirrors: vec![statement("f", "CREATE TABLE f(a)")],
        companions: vec![statement("view v", "CREATE VIEW v AS SELECT 1")],
        remembered: Some(texts(&["view v"])),
        resolved: Some(1),
    }
}

fn blobs() -> Seeds {
    let mut encoder = Encoder::new();
    encoder.write(&write());
    let [overlay, content] = overlays().map(|overlay| store::encode_overlay(&overlay));
    let mut seeds = vec![
        ("intent", after(0, &spell(&intent()))),
        ("intent_empty", after(0, &spell(&Intent::default()))),
        ("overlay", after(1, &overlay)),
        ("overlay_content", after(1, &content)),
        ("conflict", after(2, &store::encode_conflict_rows(&conflict_rows()))),
        ("touched", after(3, &store::encode_touched(&touched()))),
        ("write", after(5, &encoder.finish())),
    ];
    seeds.extend(rows().into_iter().map(|(name, row)| (name, after(4, &spelled(&row)))));
    seeds
}

fn configurations() -> Seeds {
    let full = r#"{"version":1,"root":"/data//x/.","hub":"central","databases":{"d":{"replicas":{"central":"databases/d.db",
"website":"/w/d.db","bot":"/b/d.db"},"prefer":["website"],"schema":"all","tables":{"cache_*":{"exclude":true},"*":{"rekey":false},
"t":{"identity":["a","b"],"columns":{"n":"sum","t":"newest","*_at":"max","m":"min","z":"min_nonzero","h":"hold","p":"prefer"},
"newest_by":"t","references":{"r":"other.id"},"on_delete_update":"delete","append_only":true}}}},"logs":{"x":{"copies":{}}},
"integrity":{},"backups":{"directory":"saved/./here","keep_within_hours":1,"keep_hourly":2,"keep_daily":0,"keep_weekly":3,
"keep_min":4,"max_total_bytes":5000000000,"every_minutes":0},"guards":{"max_delete_percent":0,"max_lock_ms":1,
"busy_timeout_ms":10,"min_free_percent":1},"secrets":["*api_secret*"],"ownership":{"user":"u","group":"g","dir_mode":"0750",
"file_mode":"600"}}"#;
    [
        ("empty", "{}"),
        ("full", full),
        ("doubled", r#"{"hub":"a","hub":"b"}"#),
        ("nested", r#"{"logs":{"a":[{"x":1.5e300,"y":[null,true,-9223372036854775808]}]}}"#),
        ("near", r#"{"hubb":"\ud83d\ude00","databases":null}"#),
        ("root", r#"{"root":"../below","hub":"website"}"#),
        ("bad_mode", r#"{"ownership":{"dir_mode":"0788"}}"#),
        ("two", r#"{"databases":{"d":{"replicas":{"central":"a","b":"b"},"tables":{"a*":{},"a?":{},"ab":{"rekey":true}}}}}"#),
        ("null", r#"{"backups":{"directory":null,"max_total_bytes":null}}"#),
    ]
    .map(|(name, json)| (name, json.as_bytes().to_vec()))
    .into()
}

fn requests() -> Seeds {
    let id = "20250714T093102000000000Z-0123456789abcdef";
    let whole = |fields: &str| {
        format!(r#"{{"version":1,"id":"{id}",{fields},"by":"ann","at":"2025-07-14T11:31:02+02:00"}}"#)
            .into_bytes()
    };
    let finished = format!(
        r#"{{"version":1,"request":{{"id":"{id}","action":"backup","arguments":{{}},"by":"ann","at":"2025-07-14T09:31:02.000Z",
"state":"failed","result":null,"error":{{"kind":"Io"}},"finished_at":"2025-07-14T09:31:03.000Z"}}}}"#
    );
    vec![
        ("resolve", whole(r#""action":"resolve","conflict":"12","take":"base","force":true"#)),
        ("acknowledge", whole(r#""action":"acknowledge","conflicts":["1","2"]"#)),
        (
            "restore",
            whole(r#""action":"restore","backup":"users:website:2025-07-14_09-31-02","all_sides":true"#),
        ),
        ("restore_side", whole(r#""action":"restore","backup":"b","side":"bot","force":true"#)),
        ("force", whole(r#""action":"force","database":"users""#)),
        ("sync_from", whole(r#""action":"sync-from","side":"bot","database":"users""#)),
        ("backup", whole(r#""action":"backup""#)),
        ("clean_backups", whole(r#""action":"clean-backups","database":"users""#)),
        ("verify", whole(r#""action":"verify","database":"users""#)),
        ("undo", whole(r#""action":"undo","run":"7","database":"users""#)),
        ("begun", whole(r#""action":"backup","attempt":2"#)),
        ("finished", finished.into_bytes()),
    ]
}

fn statements() -> Seeds {
    [
        ("table", "CREATE TABLE \"a(b\" (id INTEGER PRIMARY KEY AUTOINCREMENT, -- x, y\n nick TEXT NOT NULL COLLATE NOCASE,\n [odd name] TEXT DEFAULT 'a,b)' CHECK (length([odd name]) > (0)), p DECIMAL(10, 2) /* , */ DEFAULT 0)"),
        ("keyed", "CREATE TABLE if not exists `w`(k, v, g AS (v || 'x') STORED, CONSTRAINT \"k\"\"\" PRIMARY KEY (k DESC), FOREIGN KEY (v) REFERENCES w(k)) WITHOUT ROWID, STRICT"),
        ("index", "CREATE UNIQUE INDEX i ON t(a COLLATE NOCASE, lower(b)) WHERE a > 0"),
        ("column", "ALTER TABLE [t t] ADD COLUMN é REAL DEFAULT (1 + 2)"),
        ("virtual", "CREATE VIRTUAL TABLE f USING fts5(a, b UNINDEXED, content=\"t t\", tokenize='x (,) y')"),
        ("trigger", "CREATE TEMP TRIGGER \"insert\" BEFORE DELETE ON t WHEN old.a BEGIN INSERT INTO u VALUES(1); END"),
        ("view", "CREATE VIEW v(a) AS SELECT 1 UNION SELECT '/*' -- */"),
    ]
    .map(|(name, sql)| (name, sql.as_bytes().to_vec()))
    .into()
}

fn mishaps() -> Seeds {
    let left = |side: u8, progress: u8, intent: &Intent| {
        let blob = spell(intent);
        let length = u16::try_from(blob.len()).unwrap().to_le_bytes();
        [&[4, side, progress], &length[..], &blob].concat()
    };
    let mut seeds = vec![
        ("none", Vec::new()),
        ("overwritten", vec![0, 0, 1, 8, 0, 4, 255, 255, 255, 255]),
        ("header", vec![0, 1, 0, 16, 0, 2, 1, 0]),
        ("cut", vec![1, 0, 9]),
        ("emptied", vec![1, 2, 0, 1, 3, 0]),
        ("intent", left(1, 0, &intent())),
        ("intent_decided", left(1, 2, &intent())),
        ("intent_unwritten", left(0, 3, &Intent { side: "bot".to_owned(), ..intent() })),
    ];
    // A cell of each table that is far out, and all of them.
    let names = ["cell0", "cell1", "cell2", "cell3", "cell4", "cell5", "cell6", "cell7"];
    seeds.extend(names.into_iter().zip(0..).map(|(name, column)| {
        (name, (0..16).flat_map(|table| [2, table, column, 0, 4, column % 2, 0]).collect())
    }));
    // `epoch` of the second of `replicas`.
    let epochs = ["epoch_high", "epoch_low"].into_iter().zip(0..);
    seeds.extend(epochs.map(|(name, sign)| (name, vec![2, 9, 1, 1, 4, sign, 0])));
    seeds
}
