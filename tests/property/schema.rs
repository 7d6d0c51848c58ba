//! The tables of a case: how they are declared and what the configuration says about them.
//!
//! Apart from `edits`, which fills them. Columns are kept in the order of their names, as dumps are. Column names
//! must never look like secrets, or reports would hide their values.

use serde_json::{Map, Value, json};

use super::rng::Rng;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Policy {
    Prefer,
    Sum,
    Max,
    Min,
    MinNonzero,
    Newest,
    Hold,
}

impl Policy {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Policy::Prefer => "prefer",
            Policy::Sum => "sum",
            Policy::Max => "max",
            Policy::Min => "min",
            Policy::MinNonzero => "min_nonzero",
            Policy::Newest => "newest",
            Policy::Hold => "hold",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Coll {
    Binary,
    NoCase,
    RTrim,
}

impl Coll {
    pub(crate) fn sql(self) -> &'static str {
        match self {
            Coll::Binary => "",
            Coll::NoCase => " COLLATE NOCASE",
            Coll::RTrim => " COLLATE RTRIM",
        }
    }
}

/// What values a column takes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Domain {
    /// The integer primary key.
    Id,
    /// Part of the row's key.
    Key,
    /// A text that no other edit writes: it tells rows apart when ids move.
    Body,
    /// A few values of every type.
    Any,
    /// Small whole numbers, rarely something else.
    Count,
    /// A point in time.
    Stamp,
    /// The id of a row of this table.
    Ref(String),
    /// A value that is unique in the table, or NULL.
    Unique,
}

#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) coll: Coll,
    pub(crate) domain: Domain,
    pub(crate) policy: Option<Policy>,
}

/// How rows are told apart, as indexes into the columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// A key without a surrogate. A row with NULL in it has no identity.
    Key(Vec<usize>),
    /// A natural key beside an integer that may change.
    Natural { id: usize, key: Vec<usize> },
    /// The integer alone.
    Id(usize),
    /// Only the content.
    Bag,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Orphan {
    Keep,
    Delete,
    Hold,
}

#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) sql: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) identity: Identity,
    /// The identity comes from the configuration.
    pub(crate) configured: bool,
    pub(crate) autoincrement: bool,
    pub(crate) newest_by: Option<usize>,
    pub(crate) on_delete_update: Orphan,
    pub(crate) append_only: bool,
    pub(crate) exclude: bool,
    pub(crate) rekey: bool,
    /// References are declared as foreign keys, not configured.
    pub(crate) declared: bool,
    /// Another table points here.
    pub(crate) referenced: bool,
}

impl Table {
    pub(crate) fn at(&self, name: &str) -> usize {
        self.columns.iter().position(|column| column.name == name).unwrap()
    }

    pub(crate) fn key(&self) -> &[usize] {
        match &self.identity {
            Identity::Key(key) | Identity::Natural { key, .. } => key,
            _ => &[],
        }
    }

    pub(crate) fn id(&self) -> Option<usize> {
        match &self.identity {
            Identity::Natural { id, .. } | Identity::Id(id) => Some(*id),
            _ => None,
        }
    }

    /// The policy that applies to a cell that clashes.
    pub(crate) fn policy(&self, at: usize) -> Policy {
        let column = &self.columns[at];
        match column.policy {
            Some(policy) => policy,
            None if self.newest_by.is_some() => Policy::Newest,
            None => Policy::Prefer,
        }
    }

    /// The columns that an edit may set: not the id, not the key.
    pub(crate) fn payload(&self) -> Vec<usize> {
        (0..self.columns.len()).filter(|at| Some(*at) != self.id() && !self.key().contains(at)).collect()
    }

    /// This table in the configuration; `None` when nothing needs saying.
    pub(crate) fn json(&self) -> Option<Value> {
        let mut all = Map::new();
        if self.configured {
            let names: Vec<&str> = self.key().iter().map(|at| self.columns[*at].name.as_str()).collect();
            all.insert("identity".into(), json!(names));
        }
        let columns: Map<String, Value> = self
            .columns
            .iter()
            .filter_map(|column| column.policy.map(|policy| (column.name.clone(), json!(policy.word()))))
            .collect();
        if !columns.is_empty() {
            all.insert("columns".into(), Value::Object(columns));
        }
        if let Some(at) = self.newest_by {
            all.insert("newest_by".into(), json!(self.columns[at].name));
        }
        match self.on_delete_update {
            Orphan::Keep => {}
            Orphan::Delete => drop(all.insert("on_delete_update".into(), json!("delete"))),
            Orphan::Hold => drop(all.insert("on_delete_update".into(), json!("hold"))),
        }
        for (name, on) in [("append_only", self.append_only), ("exclude", self.exclude)] {
            if on {
                all.insert(name.into(), json!(true));
            }
        }
        if !self.rekey {
            all.insert("rekey".into(), json!(false));
        }
        if !self.declared {
            let references: Map<String, Value> = self
                .columns
                .iter()
                .filter_map(|column| match &column.domain {
                    Domain::Ref(parent) => Some((column.name.clone(), json!(format!("{parent}.id")))),
                    _ => None,
                })
                .collect();
            if !references.is_empty() {
                all.insert("references".into(), Value::Object(references));
            }
        }
        (!all.is_empty()).then_some(Value::Object(all))
    }
}

/// Which freedoms a family leaves to chance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Policies {
    /// Every column and table policy.
    All,
    /// Those whose outcome is one value, for cases where one side lags behind.
    Plain,
}

/// Random columns beside the key: a body, one or two more, sometimes a time.
pub(crate) fn payload(rng: &mut Rng, policies: Policies) -> Vec<Column> {
    let mut columns = vec![column("body", Domain::Body, None)];
    for name in ["n", "v", "w"].into_iter().take(1 + rng.below(3)) {
        let all = [
            Policy::Prefer,
            Policy::Sum,
            Policy::Max,
            Policy::Min,
            Policy::MinNonzero,
            Policy::Hold,
            Policy::Newest,
        ];
        let plain = [Policy::Prefer, Policy::Sum, Policy::Max, Policy::Min];
        let policy = match policies {
            _ if rng.chance(35) => None,
            Policies::All => Some(*rng.pick(&all)),
            Policies::Plain => Some(*rng.pick(&plain)),
        };
        let domain = match policy {
            Some(Policy::Sum) => Domain::Count,
            Some(Policy::Max | Policy::Min) if policies == Policies::Plain => Domain::Count,
            _ if rng.chance(50) => Domain::Count,
            _ => Domain::Any,
        };
        columns.push(column(name, domain, policy));
    }
    let needs_time = columns.iter().any(|column| column.policy == Some(Policy::Newest));
    if needs_time || (policies == Policies::All && rng.chance(15)) {
        columns.push(column("at", Domain::Stamp, None));
    }
    columns
}

pub(crate) fn column(name: &str, domain: Domain, policy: Option<Policy>) -> Column {
    Column { name: name.into(), coll: Coll::Binary, domain, policy }
}

/// Puts columns and identity together; `declare` writes the CREATE statement from the columns' SQL.
pub(crate) fn table(
    name: &str,
    mut columns: Vec<Column>,
    key: &[&str],
    declare: impl FnOnce(&str, &str) -> String,
) -> Table {
    let body: Vec<String> = columns
        .iter()
        .filter(|column| {
            !key.contains(&column.name.as_str()) && !matches!(column.domain, Domain::Id | Domain::Ref(_))
        })
        .map(|column| match column.domain {
            Domain::Body => format!("{} TEXT", column.name),
            Domain::Unique => format!("{} TEXT{} UNIQUE", column.name, column.coll.sql()),
            _ => column.name.clone(),
        })
        .collect();
    let sql = declare(name, &body.join(", "));
    columns.sort_by(|a, b| a.name.cmp(&b.name));
    let place = |name: &str| columns.iter().position(|column| column.name == name).unwrap();
    let key: Vec<usize> = key.iter().map(|name| place(name)).collect();
    let id = columns.iter().position(|column| column.domain == Domain::Id);
    let identity = match (id, key.is_empty()) {
        (Some(id), true) => Identity::Id(id),
        (Some(id), false) => Identity::Natural { id, key },
        (None, false) => Identity::Key(key),
        (None, true) => Identity::Bag,
    };
    let newest_by = columns.iter().position(|column| column.domain == Domain::Stamp);
    Table {
        name: name.into(),
        autoincrement: sql.contains("AUTOINCREMENT"),
        sql,
        columns,
        identity,
        configured: false,
        newest_by,
        on_delete_update: Orphan::Keep,
        append_only: false,
        exclude: false,
        rekey: true,
        declared: true,
        referenced: false,
    }
}

/// Table policies by chance. Few tables are excluded or append-only: those say little.
pub(crate) fn policies(rng: &mut Rng, table: &mut Table) {
    table.on_delete_update = *rng.pick(&[Orphan::Keep, Orphan::Keep, Orphan::Delete, Orphan::Hold]);
    table.append_only = rng.chance(6) && (table.id().is_none() || table.autoincrement);
    table.exclude = rng.chance(2);
    table.rekey = !matches!(table.identity, Identity::Id(_)) || rng.chance(80);
}

/// A table with a key and no surrogate, in one of the ways to declare that.
pub(crate) fn keyed(rng: &mut Rng, name: &str, policies: Policies) -> Table {
    let mut columns = payload(rng, policies);
    let kind = rng.below(9);
    let key = |coll: Coll, name: &str| Column { coll, ..column(name, Domain::Key, None) };
    let coll = *rng.pick(&[Coll::Binary, Coll::NoCase, Coll::RTrim]);
    let c = coll.sql();
    match kind {
        0..=5 => {
            columns.push(key(if kind == 5 { Coll::Binary } else { coll }, "k"));
            let mut table = table(name, columns, &["k"], |t, body| match kind {
                0 => format!("CREATE TABLE {t}(k TEXT{c} PRIMARY KEY, {body})"),
                1 => format!("CREATE TABLE {t}(k TEXT{c} NOT NULL PRIMARY KEY, {body}) WITHOUT ROWID"),
                2 => format!("CREATE TABLE {t}(k TEXT{c} NOT NULL UNIQUE, {body})"),
                3 => format!("CREATE TABLE {t}({body}, k TEXT{c} NOT NULL, UNIQUE(k))"),
                4 => format!("CREATE TABLE {t}({body}, k VARCHAR(20){c} PRIMARY KEY NOT NULL)"),
                _ => format!("CREATE TABLE {t}(k TEXT NOT NULL, {body})"),
            });
            table.configured = kind == 5;
            table
        }
        _ => {
            columns.push(key(Coll::Binary, "k"));
            columns.push(key(coll, "l"));
            let mut table = table(name, columns, &["k", "l"], |t, body| match kind {
                6 => format!("CREATE TABLE {t}(k TEXT, {body}, l TEXT{c}, PRIMARY KEY(k, l))"),
                7 => format!("CREATE TABLE {t}(k TEXT, l TEXT{c}, {body}, PRIMARY KEY(l, k)) WITHOUT ROWID"),
                _ => format!("CREATE TABLE {t}(k TEXT NOT NULL, l TEXT{c} NOT NULL, {body})"),
            });
            table.configured = kind == 8;
            if table.configured {
                let at = table.at("l");
                table.columns[at].coll = coll;
            }
            table
        }
    }
}

/// A table with an integer primary key and a natural key beside it.
pub(crate) fn natural(rng: &mut Rng, name: &str, policies: Policies) -> Table {
    let mut columns = payload(rng, policies);
    columns.push(column("id", Domain::Id, None));
    let coll = *rng.pick(&[Coll::Binary, Coll::NoCase, Coll::NoCase]);
    let auto = if rng.chance(50) { " AUTOINCREMENT" } else { "" };
    let c = coll.sql();
    let kind = rng.below(4);
    columns.push(Column { coll, ..column("k", Domain::Key, None) });
    match kind {
        0 => {
            columns.push(column("l", Domain::Key, None));
            table(name, columns, &["k", "l"], |t, body| {
                format!(
                    "CREATE TABLE {t}(id INTEGER PRIMARY KEY{auto}, k TEXT{c} NOT NULL, l TEXT NOT NULL, {body}, UNIQUE(k, l))"
                )
            })
        }
        1 => {
            let mut table = table(name, columns, &["k"], |t, body| {
                format!("CREATE TABLE {t}(id INTEGER PRIMARY KEY{auto}, k TEXT{c} NOT NULL, {body})")
            });
            table.configured = true;
            table
        }
        2 => table(name, columns, &["k"], |t, body| {
            format!("CREATE TABLE {t}(k TEXT{c} NOT NULL UNIQUE, {body}, id INTEGER PRIMARY KEY{auto})")
        }),
        _ => table(name, columns, &["k"], |t, body| {
            format!("CREATE TABLE {t}(id INTEGER PRIMARY KEY{auto}, k TEXT{c} NOT NULL UNIQUE, {body})")
        }),
    }
}

/// A table with an integer primary key alone.
pub(crate) fn numbered(rng: &mut Rng, name: &str, policies: Policies) -> Table {
    let mut columns = payload(rng, policies);
    columns.push(column("id", Domain::Id, None));
    let auto = if policies == Policies::Plain || rng.chance(50) { " AUTOINCREMENT" } else { "" };
    table(name, columns, &[], |t, body| format!("CREATE TABLE {t}(id INTEGER PRIMARY KEY{auto}, {body})"))
}

/// A table without a key.
pub(crate) fn bag(_rng: &mut Rng, name: &str) -> Table {
    let columns = vec![column("a", Domain::Any, None), column("b", Domain::Count, None)];
    table(name, columns, &[], |t, body| format!("CREATE TABLE {t}({body})"))
}

/// A table whose rows point at `parent`.
pub(crate) fn child(rng: &mut Rng, name: &str, parent: &str, policies: Policies) -> Table {
    let mut columns = vec![column("body", Domain::Body, None), column("v", Domain::Count, None)];
    columns.push(column("uid", Domain::Ref(parent.into()), None));
    let declared = rng.chance(60);
    let uid = if declared { format!("uid REFERENCES {parent}(id)") } else { "uid INTEGER".to_owned() };
    let mut table = if rng.chance(60) {
        columns.push(column("id", Domain::Id, None));
        let auto = if policies == Policies::Plain || rng.chance(50) { " AUTOINCREMENT" } else { "" };
        table(name, columns, &[], |t, body| {
            format!("CREATE TABLE {t}(id INTEGER PRIMARY KEY{auto}, {uid}, {body})")
        })
    } else {
        columns.push(column("k", Domain::Key, None));
        table(name, columns, &["k"], |t, body| {
            format!("CREATE TABLE {t}(k TEXT NOT NULL PRIMARY KEY, {body}, {uid})")
        })
    };
    table.declared = declared;
    table
}
