//! Files that are damaged, or made to harm: no panic, no endless run, and nothing of the damage reaches the other sides.
//!
//! Apart from `input`, whose files are merely odd. Damage is drawn from seeds; `CR0SYNC_DAMAGES` sets how many files are
//! damaged (300). What SQLite itself cannot see, a letter that is another in the middle of a text, is an edit like any
//! other; what its check finds must not travel.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use cr0sync::database::{self, Detail};
use rustix::fs::{CWD, FileType, Mode};
use serde_json::{Value, json};

use crate::common::{
    Dump, World, assert_converged, assert_settled, check, check_side, open, options, scratch, seen, state,
};

/// How long a run over so small a file may take before it counts as endless.
const PATIENCE: Duration = Duration::from_secs(60);

/// Numbers that are the same on every machine (xorshift).
struct Dice(u64);

impl Dice {
    fn of(seed: u64) -> Dice {
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        for _ in 0..8 {
            dice.next();
        }
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n.max(1)).unwrap()).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}

const SCHEMA: &str = "PRAGMA page_size = 512;
    CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, nick TEXT UNIQUE, note TEXT);
    CREATE TABLE kv(k TEXT PRIMARY KEY, v) WITHOUT ROWID; CREATE TABLE log(what TEXT, n INTEGER);
    CREATE INDEX notes ON t(note);
    WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT 60)
    INSERT INTO t(nick, note) SELECT 'nick' || n, hex(zeroblob(n * 7)) FROM n;
    INSERT INTO kv SELECT nick, note FROM t; INSERT INTO log SELECT nick, id FROM t";

/// What must come to an end, in a thread of its own.
fn bounded<T: Send + 'static>(told: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, told_by) = mpsc::channel();
    std::thread::spawn(move || {
        let _ = tell.send(work());
    });
    match told_by.recv_timeout(PATIENCE) {
        Ok(outcome) => outcome,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{told}: no end is found"),
        Err(mpsc::RecvTimeoutError::Disconnected) => panic!("{told}: there was a panic"),
    }
}

/// One run, whose failure is a report too.
fn run(world: &World, told: &str) -> Value {
    let config = world.config();
    let outcome = bounded(told, move || {
        database::sync(&config, &options()).map(seen).map_err(|error| error.to_string())
    });
    outcome.unwrap_or_else(|error| json!({ "error": error }))
}

/// Damages the bytes of a database, and says how.
fn damage(bytes: &mut Vec<u8>, dice: &mut Dice) -> String {
    let pages = bytes.len() / 512;
    match dice.below(8) {
        0 => {
            let length = dice.below(bytes.len());
            bytes.truncate(length);
            format!("truncated to {length}")
        }
        1 => {
            let page = dice.below(pages);
            bytes.truncate(page * 512);
            format!("truncated to {page} pages")
        }
        2 => {
            let page = dice.below(pages);
            bytes[page * 512..(page + 1) * 512].fill(0);
            format!("page {} is all zero", page + 1)
        }
        3 => {
            let (from, to) = (dice.below(pages), dice.below(pages));
            bytes.copy_within(from * 512..(from + 1) * 512, to * 512);
            format!("page {} is page {}", to + 1, from + 1)
        }
        4 => {
            let at = 16 + dice.below(80);
            let value = [0, 1, 0x7f, 0x80, 0xff][dice.below(5)];
            bytes[at] = value;
            format!("byte {at} of the header is {value}")
        }
        5 => {
            // The header of a page: its kind, its first free block, how many cells it has, where they begin.
            let at = (1 + dice.below(pages - 1)) * 512 + dice.below(12);
            let value = [0, 1, 2, 5, 10, 13, 0x7f, 0xff][dice.below(8)];
            bytes[at] = value;
            format!("byte {at}, in the header of a page, is {value}")
        }
        _ => {
            let times = 1 + dice.below(8);
            let mut places = Vec::new();
            for _ in 0..times {
                let at = dice.below(bytes.len());
                bytes[at] = dice.byte();
                places.push(at);
            }
            format!("random bytes at {places:?}")
        }
    }
}

/// What a file may come to before it counts as unsound: a journal makes one of terabytes out of nothing, and a copy
/// of that fills the memory.
const AT_MOST: u64 = 4 << 20;

/// Whether SQLite finds nothing wrong with a file.
fn is_sound(path: &Path) -> bool {
    if fs::metadata(path).unwrap().len() > AT_MOST {
        return false;
    }
    let directory = scratch();
    let copy = directory.path().join("copy.db");
    fs::copy(path, &copy).unwrap();
    rusqlite::Connection::open(&copy).is_ok_and(|db| {
        db.query_row("PRAGMA quick_check", [], |row| row.get::<_, String>(0)).is_ok_and(|said| said == "ok")
    })
}

/// What the others have when a side is damaged: nothing is waiting, or an edit, which the damaged side would get.
const EDITS: [&str; 2] =
    ["SELECT 1", "INSERT INTO log VALUES('website', 1); UPDATE kv SET v = 'website' WHERE k = 'nick3'"];
/// What its owner did to that side before it was damaged.
const OWN: [&str; 2] =
    ["SELECT 1", "UPDATE log SET n = n + 100 WHERE n % 9 = 1; DELETE FROM log WHERE n = 50"];

#[test]
fn damage_stays_where_it_is() {
    let count: u64 = std::env::var("CR0SYNC_DAMAGES").map_or(300, |count| count.parse().unwrap());
    let first: u64 = std::env::var("CR0SYNC_SEED").map_or(1, |seed| seed.parse().unwrap());
    let template = World::three().start(SCHEMA);
    // All rows of all sides are compared by that, so that from now on pages tell what changed.
    template.sync();
    let waiting = "SELECT count(*) FROM replicas WHERE compared IS NULL";
    let remembered = open(&template.root().join("sync_state/state.db"));
    assert_eq!(remembered.query_row(waiting, [], |row| row.get(0)), Ok(0));
    let before = template.dump("central");
    let after = EDITS.map(|edit| {
        OWN.map(|own| {
            let healthy = template.copy();
            healthy.edit("website", edit);
            healthy.edit("bot", own);
            healthy.sync();
            healthy.dump("central")
        })
    });
    let (mut quarantined, mut unsound, mut spread) = (0, 0, Vec::new());
    for seed in first..first + count {
        let mut dice = Dice::of(seed);
        let world = template.copy();
        let (edit, own) = (dice.below(2), dice.below(2));
        world.edit("website", EDITS[edit]);
        world.edit("bot", OWN[own]);
        let path = world.path("bot");
        let mut bytes = fs::read(&path).unwrap();
        let how = damage(&mut bytes, &mut dice);
        fs::write(&path, &bytes).unwrap();
        let told = format!("CR0SYNC_SEED={seed}: {how}");
        let sound = is_sound(&path);
        let report = run(&world, &told);
        quarantined += usize::from(state(&report) == "quarantined");
        if sound {
            continue;
        }
        unsound += 1;
        // The other two have their own edits, of which the hub may not know yet, what the owner of the damaged side did, where all
        // of it shows, and nothing else.
        let dumps: [Dump; 2] = [world.dump("central"), world.dump("website")];
        let all = &after[edit][own];
        if ![[&after[edit][0], &after[edit][0]], [&before, &after[edit][0]], [all, all]]
            .contains(&[&dumps[0], &dumps[1]])
        {
            spread.push(format!("{told}, edit {edit}, own {own}\n{report:#}"));
        }
        if state(&report) != "synced" {
            assert_eq!(fs::read(&path).unwrap(), bytes, "{told}: what is damaged was written to: {report:#}");
        }
    }
    println!("{count} damaged files: {unsound} unsound, {quarantined} quarantined, {} spread", spread.len());
    assert!(spread.is_empty(), "{} of {unsound} spread:\n{}", spread.len(), spread.join("\n"));
    assert!(count < 100 || quarantined * 4 > unsound, "{quarantined} of {unsound}");
}

/// A copy of what is damaged is damaged too, and no reason to make another one.
#[test]
fn what_is_damaged_is_adopted_once() {
    let rows = "PRAGMA page_size = 512; CREATE TABLE t(id INTEGER PRIMARY KEY, v);
                WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT 500) INSERT INTO t SELECT n, 'row ' || n FROM n";
    let spoil = |path: &Path| {
        let mut bytes = fs::read(path).unwrap();
        bytes[9 * 512..10 * 512].fill(0x77);
        fs::write(path, &bytes).unwrap();
    };
    // At first, and where what was remembered is damaged as well.
    for known in [false, true] {
        let world = World::two();
        world.edit_all(rows);
        if known {
            world.sync();
            spoil(&world.root().join("sync_state/bases/d@bot@1.db"));
        }
        spoil(&world.path("bot"));
        world.edit("central", "UPDATE t SET v = 'edit' WHERE id = 3");
        for _ in 0..2 {
            let report = run(&world, "a damaged page");
            assert_eq!(state(&report), "quarantined", "{report:#}");
            let warnings = report["databases"]["d"]["warnings"].as_array().unwrap();
            assert!(warnings.len() <= 1, "{report:#}");
        }
        check_side(&world, "central", "SELECT count(*), sum(v = 'edit') FROM t", &["500 1"]);
        // Nor is there an end to be waited for where it is the one to be followed.
        let config = world.config();
        let outcome = bounded("from what is damaged", move || {
            database::sync_from(&config, "bot", &options()).map(seen).map_err(|error| error.to_string())
        });
        assert!(outcome.is_err() || outcome.is_ok_and(|report| report["ok"] == json!(false)));
        check_side(&world, "central", "SELECT count(*), sum(v = 'edit') FROM t", &["500 1"]);
    }
    let world = World::two();
    world.edit_all(rows);
    world.sync();
    spoil(&world.path("central"));
    let config = world.config();
    let outcome = bounded("a damaged hub", move || {
        database::sync_from(&config, "bot", &options()).map(seen).map_err(|error| error.to_string())
    });
    let told = outcome.map_or_else(|error| error, |report| report.to_string());
    assert!(told.contains("damaged"), "{told}");
}

#[test]
fn schemas_that_are_made_to_harm_harm_nobody() {
    let views = "CREATE VIEW a AS SELECT * FROM b; CREATE VIEW b AS SELECT * FROM a";
    let many: String = (0..2_000).map(|n| format!("CREATE TABLE many{n}(x);")).collect();
    let wide =
        format!("CREATE TABLE wide({})", (0..1_990).map(|n| format!("c{n}")).collect::<Vec<_>>().join(","));
    let deep = format!("CREATE TABLE deep(x CHECK({}x > 0{}))", "(".repeat(90), ")".repeat(90));
    let odd =
        "CREATE TABLE \"it's \"\"odd\"\"\n;--\"(\"a\nb\" TEXT PRIMARY KEY, \"select\" DEFAULT ('\"'), \"\");
               INSERT INTO \"it's \"\"odd\"\"\n;--\" VALUES('x', 'y', 'z')";
    let ours =
        "CREATE TABLE \"cr0sync old t\"(x); CREATE TABLE base(x); CREATE TABLE \"base.t\"(x PRIMARY KEY)";
    let functions = "CREATE TABLE f(x, y AS (abs(x)), CHECK (length(x) < 100)); CREATE INDEX fi ON f(abs(x)) WHERE x > 1;
                     CREATE TRIGGER ft AFTER INSERT ON f BEGIN SELECT nosuchfunction(1); DELETE FROM t; END; INSERT INTO f VALUES(-1)";
    let recursive =
        "CREATE VIEW forever AS WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n FROM n) SELECT * FROM n";
    for (told, sql) in [
        ("views that need each other", views),
        ("two thousand tables", &many),
        ("two thousand columns", &wide),
        ("a deep expression", &deep),
        ("odd names", odd),
        ("names of ours", ours),
        ("functions and triggers", functions),
        ("a view without end", recursive),
    ] {
        for schema in ["additive", "all"] {
            let mut world = World::two();
            world.json["databases"]["d"]["schema"] = json!(schema);
            let world = world.start("CREATE TABLE t(k TEXT PRIMARY KEY, x); INSERT INTO t VALUES('a', 1)");
            let db = open(&world.path("bot"));
            // A trigger of the owner's that fails is the owner's affair.
            let _ = db.execute_batch(sql);
            drop(db);
            world.edit("bot", "UPDATE t SET x = 2");
            let report = run(&world, told);
            assert_eq!(report["ok"], json!(true), "{told}, {schema}: {report:#}");
            check(&world, "SELECT * FROM t", &["'a' 2"]);
            let again = run(&world, told);
            assert_eq!(again["ok"], json!(true), "{told}, {schema}: {again:#}");
        }
    }
}

/// Schemas as no statement makes them.
#[test]
fn schemas_that_were_forged_harm_nobody() {
    for (told, sql) in [
        (
            "a NUL in a name",
            "INSERT INTO sqlite_schema VALUES('table', 'a' || char(0) || 'b', 'c', 0, 'CREATE TABLE x(y)')",
        ),
        ("no statement", "UPDATE sqlite_schema SET sql = NULL WHERE name = 't'"),
        ("another statement", "UPDATE sqlite_schema SET sql = 'CREATE TABLE t(k, x, y, z)' WHERE name = 't'"),
        ("a statement that is none", "UPDATE sqlite_schema SET sql = 'DROP TABLE t' WHERE name = 't'"),
        ("a root page that is not there", "UPDATE sqlite_schema SET rootpage = 999999 WHERE name = 't'"),
        ("the root page of the schema", "UPDATE sqlite_schema SET rootpage = 1 WHERE name = 't'"),
        ("invalid text", "UPDATE sqlite_schema SET sql = CAST(x'ff00fe' AS TEXT) WHERE name = 't'"),
        (
            "the root page of another table",
            "UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'u') WHERE name = 't'",
        ),
        (
            "two of one name",
            "INSERT INTO sqlite_schema SELECT type, 'T', 'T', rootpage, sql FROM sqlite_schema WHERE name = 't'",
        ),
    ] {
        let world = World::three().start("CREATE TABLE t(k TEXT PRIMARY KEY, x); CREATE TABLE u(k TEXT PRIMARY KEY); INSERT INTO t VALUES('a', 1)");
        let db = open(&world.path("bot"));
        db.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_DEFENSIVE, false).unwrap();
        let _ =
            db.execute_batch(&format!("PRAGMA writable_schema = ON; {sql}; PRAGMA writable_schema = RESET"));
        drop(db);
        let forged = fs::read(world.path("bot")).unwrap();
        // Once where it has nothing to get, and once where it has.
        for x in [1, 2] {
            world.edit("website", &format!("UPDATE t SET x = {x}"));
            let report = run(&world, told);
            assert_eq!(state(&report), "quarantined", "{told}: {report:#}");
            for side in ["central", "website"] {
                assert_eq!(world.lines(side, "SELECT * FROM t"), [format!("'a' {x}")], "{told}: {report:#}");
            }
            assert_eq!(world.dump("central"), world.dump("website"), "{told}: {report:#}");
            assert_eq!(fs::read(world.path("bot")).unwrap(), forged, "{told}: it was written to");
        }
    }
}

/// How a journal begins (SQLite file format, section 3).
const MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// The header of a journal over so many pages, of a file that had so many before.
fn journal(records: u32, pages: u32) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    for field in [records, 7, pages, 512, 512] {
        bytes.extend_from_slice(&field.to_be_bytes());
    }
    bytes.resize(512, 0);
    bytes
}

/// What was on a page before, as SQLite believes it: the checksum is right (SQLite file format, section 3).
fn record(page: u32, content: &[u8; 512]) -> Vec<u8> {
    let sum = 7 + u32::from(content[312]) + u32::from(content[112]);
    [&page.to_be_bytes()[..], content, &sum.to_be_bytes()].concat()
}

/// What makes a journal one of several files that are written together: the name of the file that lists them.
fn of_list(mut journal: Vec<u8>, list: &Path) -> Vec<u8> {
    let name = list.to_str().unwrap().as_bytes();
    let sum: u32 = name.iter().copied().map(u32::from).sum();
    journal.extend_from_slice(&[0; 4]);
    journal.extend_from_slice(name);
    journal.extend_from_slice(&u32::try_from(name.len()).unwrap().to_be_bytes());
    journal.extend_from_slice(&sum.to_be_bytes());
    journal.extend_from_slice(&MAGIC);
    journal
}

/// A transaction that was killed half-way: the file with what it wrote, and the journal to take that back.
fn killed(path: &Path) -> (Vec<u8>, Vec<u8>) {
    let db = open(path);
    db.execute_batch("PRAGMA cache_size = 2; BEGIN; UPDATE t SET note = 'half'; UPDATE kv SET v = 'half'")
        .unwrap();
    let half = (fs::read(path).unwrap(), fs::read(beside(path, "-journal")).unwrap());
    db.execute_batch("ROLLBACK").unwrap();
    half
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Who a journal is to be put beside: a side of a world with an edit waiting elsewhere, and a file of somebody else.
struct Victim {
    world: World,
    path: PathBuf,
    journal: PathBuf,
    bystander: PathBuf,
}

impl Victim {
    fn new() -> Victim {
        let world = World::three().start(SCHEMA);
        world.edit("website", "UPDATE kv SET v = 'website' WHERE k = 'nick3'");
        let path = world.path("bot");
        let bystander = world.root().join("bystander");
        fs::write(&bystander, "content").unwrap();
        Victim { journal: beside(&path, "-journal"), path, bystander, world }
    }

    fn put(&self, bytes: impl AsRef<[u8]>) {
        fs::write(&self.journal, bytes).unwrap();
    }

    /// A run by which the others become one, and in which nobody else loses anything.
    fn run(&self, told: &str) -> Value {
        let report = run(&self.world, told);
        for side in ["central", "website"] {
            let lines = self.world.lines(side, "SELECT count(*), sum(v = 'website') FROM kv");
            assert_eq!(lines, ["60 1"], "{told}: {side}: {report:#}");
        }
        assert_eq!(self.world.dump("central"), self.world.dump("website"), "{told}: {report:#}");
        assert_eq!(fs::read(&self.bystander).unwrap(), b"content", "{told}: {report:#}");
        report
    }

    /// The side takes part, as SQLite makes nothing of the journal, or what it should.
    fn is_synced(&self, told: &str) {
        let report = self.run(told);
        assert_eq!(state(&report), "synced", "{told}: {report:#}");
        assert_converged(&self.world);
        assert_settled(&self.world);
    }

    /// The side is left alone.
    fn is_set_aside(&self, told: &str, because: &str) {
        let before = fs::read(&self.path).unwrap();
        let report = self.run(told);
        assert_eq!(state(&report), "quarantined", "{told}: {report:#}");
        let reason = report["databases"]["d"]["reason"].as_str().unwrap();
        assert!(reason.contains(because), "{told}: {reason}");
        assert_eq!(fs::read(&self.path).unwrap(), before, "{told}: it was written to");
        let (config, word) = (self.world.config(), told.to_owned());
        let status = bounded(told, move || {
            seen(
                database::status(&config, &options(), Detail::Summary)
                    .unwrap_or_else(|e| panic!("{word}: {e}")),
            )
        });
        assert_eq!(status["databases"]["d"]["state"], "problem", "{told}: {status:#}");
        // Once it is gone, all is as if it had never been.
        match fs::symlink_metadata(&self.journal).unwrap().is_dir() {
            true => fs::remove_dir(&self.journal).unwrap(),
            false => fs::remove_file(&self.journal).unwrap(),
        }
        self.is_synced(told);
    }
}

#[test]
fn journals_that_mean_nothing_are_passed_over() {
    for (told, bytes) in [
        ("empty", Vec::new()),
        ("a piece of a header", MAGIC[..5].to_vec()),
        ("noise", (0..20_000_u32).map(|n| (n * 37 % 251).to_le_bytes()[0] | 1).collect()),
        ("a header that was taken back", vec![0; 2_000]),
    ] {
        let victim = Victim::new();
        victim.put(bytes);
        victim.is_synced(told);
    }
}

/// SQLite makes the file that large, of nothing: whoever reads all of it reads without end.
#[test]
fn a_journal_that_makes_a_file_huge_costs_nothing() {
    let victim = Victim::new();
    let garbage: Vec<u8> = (0..5_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    victim.put([journal(u32::MAX, u32::MAX), garbage].concat());
    victim.is_synced("huge");
    assert!(fs::metadata(&victim.path).unwrap().len() > 1 << 40);
}

/// And where the header no longer says how much of it is in use, all of it is.
#[test]
fn a_huge_file_is_not_copied() {
    let mut victim = Victim::new();
    // However large the disk is.
    victim.world.json["guards"]["min_free_percent"] = json!(100);
    let mut bytes = fs::read(&victim.path).unwrap();
    bytes[92] ^= 1;
    fs::write(&victim.path, bytes).unwrap();
    fs::File::options().write(true).open(&victim.path).unwrap().set_len(512 << 31).unwrap();
    let report = victim.run("huge");
    let said = report.to_string();
    assert!(said.contains("1048576 MiB would leave less than"), "{said}");
}

#[test]
fn a_journal_that_takes_pages_away_sets_its_side_aside() {
    let noise: [u8; 512] = std::array::from_fn(|at| (at * 37 % 251).to_le_bytes()[0]);
    let pages: Vec<u8> = (2..40).flat_map(|page| record(page, &noise)).collect();
    for (told, bytes) in [
        ("one page is left", journal(0, 1)),
        ("pages of noise", [journal(38, 228), pages].concat()),
        ("pages of nothing", [journal(1, 228), record(1, &[0; 512])].concat()),
    ] {
        let victim = Victim::new();
        victim.put(bytes);
        let report = victim.run(told);
        assert_eq!(state(&report), "quarantined", "{told}: {report:#}");
    }
}

#[test]
fn a_journal_that_a_killed_writer_left_is_rolled_back() {
    let victim = Victim::new();
    let (half, journal) = killed(&victim.path);
    fs::write(&victim.path, half).unwrap();
    victim.put(journal);
    victim.is_synced("killed");
    // The same over several files: where the list is there, none of them is done.
    let victim = Victim::new();
    let (half, journal) = killed(&victim.path);
    let list = beside(&victim.path, "-mj0123AB9CD");
    fs::write(&victim.path, half).unwrap();
    fs::write(&list, [victim.journal.as_os_str().as_encoded_bytes(), &[0]].concat()).unwrap();
    victim.put(of_list(journal, &list));
    victim.is_synced("killed, over several files");
    assert!(!list.exists());
}

/// It would take back what was merged since, on the side that it lies beside.
#[test]
fn a_journal_of_long_ago_takes_nothing_back() {
    let victim = Victim::new();
    let (_, journal) = killed(&victim.path);
    victim.is_synced("before");
    victim.world.edit("bot", "UPDATE kv SET v = 'bot' WHERE k = 'nick4'");
    victim.is_synced("before");
    victim.put(journal);
    let report = victim.run("old");
    assert_eq!(state(&report), "held", "{report:#}");
    let lines = victim.world.lines("central", "SELECT v FROM kv WHERE k = 'nick4'");
    assert_eq!(lines, ["'bot'"], "{report:#}");
}

/// SQLite would remove the file that it calls a super-journal.
#[test]
fn a_journal_has_no_file_of_others_removed() {
    let victim = Victim::new();
    victim.put(of_list(journal(0, 228), &victim.bystander));
    victim.is_set_aside("a file of somebody else", "bystander removed");
    let victim = Victim::new();
    let hidden = format!("{}\0/d.db-mj0123AB9CD", victim.bystander.display());
    victim.put(of_list(journal(0, 228), Path::new(&hidden)));
    victim.is_set_aside("a name behind a zero byte", "bystander removed");
}

/// Whoever opens a pipe waits until somebody writes to it.
#[test]
fn nothing_beside_a_file_is_waited_for() {
    let pipe = |path: &Path| {
        rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    };
    let victim = Victim::new();
    pipe(&victim.journal);
    victim.is_set_aside("a pipe", "is not a regular file");
    let victim = Victim::new();
    fs::create_dir(&victim.journal).unwrap();
    victim.is_set_aside("a directory", "is not a regular file");
    let victim = Victim::new();
    std::os::unix::fs::symlink(&victim.bystander, &victim.journal).unwrap();
    victim.is_set_aside("a link", "is not a regular file");
    let victim = Victim::new();
    let list = beside(&victim.path, "-mj0123AB9CD");
    pipe(&list);
    victim.put(of_list(journal(0, 228), &list));
    victim.is_set_aside("a list that is a pipe", "removed");
    let victim = Victim::new();
    let (list, member) = (beside(&victim.path, "-mj0123AB9CD"), beside(&victim.path, "-pipe"));
    pipe(&member);
    fs::write(&list, [member.as_os_str().as_encoded_bytes(), &[0]].concat()).unwrap();
    victim.put(of_list(journal(0, 228), &list));
    victim.is_set_aside("a list that names a pipe", "is not a regular file");
}
