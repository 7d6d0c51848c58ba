//! Random edits, as plain SQL that means something on any content.
//!
//! Apart from `case`, which arranges edits in rounds. A statement finds its rows by key from a small pool, so that
//! any subset of the edits of a case is a case too: that is what makes shrinking possible. It must never read a
//! database.

use super::rng::Rng;
use super::schema::{Coll, Domain, Identity, Table};

/// What the edits of one round may do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Freedom {
    /// Keys may change.
    pub(crate) rename: bool,
    /// Surrogate ids may change.
    pub(crate) renumber: bool,
    /// Two sides may insert the very same row.
    pub(crate) same: bool,
    /// Unique values may be taken on two sides.
    pub(crate) clash: bool,
    /// Anything goes: renames onto taken keys, ids given by hand, keys set to NULL.
    pub(crate) wild: bool,
}

impl Freedom {
    pub(crate) const USUAL: Freedom =
        Freedom { rename: true, renumber: true, same: true, clash: false, wild: false };
    pub(crate) const PLAIN: Freedom =
        Freedom { rename: false, renumber: true, same: false, clash: false, wild: false };
    pub(crate) const WILD: Freedom =
        Freedom { rename: true, renumber: true, same: true, clash: true, wild: true };
}

/// Makes edits; counts so that fresh values are fresh in the whole case.
pub(crate) struct Editor {
    pub(crate) rng: Rng,
    fresh: usize,
    /// Parents that were replaced: only once may their children not be told.
    replaced: Vec<String>,
    /// How this case writes points in time.
    stamp: usize,
}

const KEYS: usize = 6;

impl Editor {
    pub(crate) fn new(mut rng: Rng) -> Editor {
        let stamp = rng.below(3);
        Editor { rng, fresh: 0, replaced: Vec::new(), stamp }
    }

    fn fresh(&mut self) -> usize {
        self.fresh += 1;
        self.fresh
    }

    fn value(&mut self, table: &Table, at: usize) -> String {
        match &table.columns[at].domain {
            Domain::Id => "NULL".into(),
            Domain::Key => unreachable!("keys come from the pool"),
            Domain::Body => format!("'b{}'", self.fresh()),
            Domain::Any => (*self.rng.pick(&[
                "NULL",
                "0",
                "1",
                "1.0",
                "2",
                "-0.5",
                "'x'",
                "'X'",
                "'x '",
                "'1'",
                "''",
                "x''",
                "x'00ff'",
                "CAST(x'61ff' AS TEXT)",
                "CAST(x'610062' AS TEXT)",
                "9e999",
                "-9e999",
                "9223372036854775807",
            ]))
            .into(),
            Domain::Count => match self.rng.below(12) {
                0 => "'n/a'".into(),
                1 => "NULL".into(),
                _ => (self.rng.below(9)).to_string(),
            },
            Domain::Stamp => {
                let day = 1 + self.rng.below(28);
                match (self.rng.below(12), self.stamp) {
                    (0, _) => "NULL".into(),
                    (1, 0) => "'2999-01-01 00:00:00'".into(),
                    (1, 1) => "32472144000".into(),
                    (_, 0) => format!("'2024-05-{day:02} 10:00:00'"),
                    (_, 1) => (1_714_000_000 + day).to_string(),
                    _ => format!("{}.5", 2_460_400 + day),
                }
            }
            Domain::Ref(_) => unreachable!("references are written by their own edits"),
            Domain::Unique => match self.rng.below(8) {
                0 => "NULL".into(),
                _ => format!("'u{}'", self.fresh()),
            },
        }
    }

    /// A key from the pool: one literal per key column.
    fn key(&mut self, table: &Table) -> Vec<String> {
        let n = self.rng.below(KEYS);
        self.key_at(table, n)
    }

    fn key_at(&mut self, table: &Table, n: usize) -> Vec<String> {
        let key = table.key();
        key.iter()
            .enumerate()
            .map(|(place, at)| {
                let n = if key.len() == 1 {
                    n
                } else if place == 0 {
                    n % 2
                } else {
                    n / 2
                };
                let plain = format!("k{n}");
                match table.columns[*at].coll {
                    Coll::NoCase if self.rng.chance(20) => format!("'{}'", plain.to_uppercase()),
                    Coll::RTrim if self.rng.chance(20) => format!("'{plain} '"),
                    _ => format!("'{plain}'"),
                }
            })
            .collect()
    }

    fn fresh_key(&mut self, table: &Table) -> Vec<String> {
        table.key().to_vec().iter().map(|_| format!("'r{}'", self.fresh())).collect()
    }

    fn matching(table: &Table, key: &[String]) -> String {
        let parts: Vec<String> = table
            .key()
            .iter()
            .zip(key)
            .map(|(at, value)| format!("{} = {value}", table.columns[*at].name))
            .collect();
        parts.join(" AND ")
    }

    /// Where a row of this table is.
    fn place(&mut self, table: &Table) -> String {
        match &table.identity {
            Identity::Key(_) | Identity::Natural { .. } => {
                let key = self.key(table);
                Editor::matching(table, &key)
            }
            Identity::Id(_) => format!("id = {}", 1 + self.rng.below(8)),
            Identity::Bag => {
                let (b, n) = (self.value(table, 1), &table.name);
                format!("rowid = (SELECT min(rowid) FROM {n} WHERE b IS {b})")
            }
        }
    }

    fn insert(&mut self, verb: &str, table: &Table, key: Option<Vec<String>>) -> String {
        let key = key.unwrap_or_else(|| self.key(table));
        let mut names = Vec::new();
        let mut values = Vec::new();
        let mut from = String::new();
        for at in 0..table.columns.len() {
            let column = &table.columns[at];
            let value = match &column.domain {
                Domain::Id => continue,
                Domain::Key => key[table.key().iter().position(|k| *k == at).unwrap()].clone(),
                Domain::Ref(_) => continue,
                _ => self.value(table, at),
            };
            names.push(column.name.clone());
            values.push(value);
        }
        if table.configured {
            // Nothing but the configuration keeps these keys unique: the writer has to.
            from = format!(
                " WHERE NOT EXISTS (SELECT 1 FROM {} WHERE {})",
                table.name,
                Editor::matching(table, &key)
            );
        }
        format!("{verb} INTO {}({}) SELECT {}{from}", table.name, names.join(", "), values.join(", "))
    }

    fn update(&mut self, table: &Table) -> String {
        let payload = table.payload();
        let mut sets = Vec::new();
        for _ in 0..1 + self.rng.below(2) {
            let at = *self.rng.pick(&payload);
            let name = table.columns[at].name.clone();
            if matches!(table.columns[at].domain, Domain::Ref(_)) || sets.iter().any(|(n, _)| *n == name) {
                continue;
            }
            let value = if table.columns[at].domain == Domain::Count && self.rng.chance(50) {
                format!("{name} + {}", 1 + self.rng.below(4))
            } else {
                self.value(table, at)
            };
            sets.push((name, value));
        }
        if sets.is_empty() {
            sets.push(("body".into(), format!("'b{}'", self.fresh())));
        }
        let sets: Vec<String> = sets.into_iter().map(|(name, value)| format!("{name} = {value}")).collect();
        let place = self.place(table);
        format!("UPDATE {} SET {} WHERE {place}", table.name, sets.join(", "))
    }

    fn delete(&mut self, table: &Table) -> String {
        let place = self.place(table);
        format!("DELETE FROM {} WHERE {place}", table.name)
    }

    /// The rows that a case starts with.
    pub(crate) fn seed(&mut self, tables: &[Table]) -> Vec<String> {
        let mut sql = Vec::new();
        for table in tables {
            let parent = table.columns.iter().find_map(|column| match &column.domain {
                Domain::Ref(parent) => Some(parent.clone()),
                _ => None,
            });
            for n in 0..KEYS {
                if !self.rng.chance(80) {
                    continue;
                }
                let key = self.key_at(table, n);
                sql.push(match &parent {
                    Some(parent) => self.child_row(
                        "INSERT",
                        table,
                        key,
                        &format!(
                            "SELECT id FROM {parent} ORDER BY id LIMIT 1 OFFSET {}",
                            self.rng.clone().below(3)
                        ),
                    ),
                    None => self.insert("INSERT", table, Some(key)),
                });
                if self.rng.chance(20) && table.identity == Identity::Bag {
                    sql.push(sql[sql.len() - 1].clone());
                }
            }
        }
        sql
    }

    fn child_row(&mut self, verb: &str, table: &Table, key: Vec<String>, parent: &str) -> String {
        let mut names = vec!["uid".to_owned()];
        let mut values = vec!["p.id".to_owned()];
        for at in 0..table.columns.len() {
            let column = &table.columns[at];
            match &column.domain {
                Domain::Id | Domain::Ref(_) => continue,
                Domain::Key => values.push(key[0].clone()),
                _ => values.push(self.value(table, at)),
            }
            names.push(column.name.clone());
        }
        format!(
            "{verb} INTO {}({}) SELECT {} FROM ({parent}) AS p",
            table.name,
            names.join(", "),
            values.join(", ")
        )
    }

    /// One edit of one table; the second value says that every side of the round makes it.
    pub(crate) fn edit(&mut self, tables: &[Table], free: Freedom) -> (String, bool) {
        let table = &tables[self.rng.below(tables.len())];
        let together = free.same && self.rng.chance(8);
        if let Some(parent) = table.columns.iter().find_map(|column| match &column.domain {
            Domain::Ref(parent) => tables.iter().find(|t| t.name == *parent),
            _ => None,
        }) {
            return (self.child_edit(parent, table), false);
        }
        if table.referenced {
            let child =
                tables.iter().find(|t| t.columns.iter().any(|c| c.domain == Domain::Ref(table.name.clone())));
            return (self.parent_edit(table, child.unwrap(), free), false);
        }
        let sql = match (&table.identity, self.rng.below(100)) {
            (Identity::Bag, 0..=44) => self.insert("INSERT", table, Some(Vec::new())),
            (Identity::Bag, 45..=69) => {
                let (b, place) = (self.value(table, 1), self.place(table));
                format!("UPDATE {} SET b = {b} WHERE {place}", table.name)
            }
            (Identity::Bag, _) => self.delete(table),
            (_, 0..=24) => self.insert("INSERT", table, None),
            (_, 25..=54) => self.update(table),
            (_, 55..=69) => self.delete(table),
            (Identity::Key(_), 70..=79) if !table.configured => self.insert("INSERT OR REPLACE", table, None),
            (Identity::Natural { .. }, 70..=84)
                if !table.configured && free.renumber && !table.append_only =>
            {
                self.insert("INSERT OR REPLACE", table, None)
            }
            (Identity::Natural { .. }, 85..=89) if free.renumber && !table.append_only => {
                let (place, body, id) = (self.place(table), self.fresh(), 1000 + self.fresh());
                format!("UPDATE {} SET id = {id}, body = 'b{body}' WHERE {place}", table.name)
            }
            (Identity::Key(_) | Identity::Natural { .. }, 90..=99) if free.rename && !table.append_only => {
                self.rename(table, free)
            }
            (Identity::Key(_) | Identity::Natural { .. }, 80..=84) => self.recase(table),
            (Identity::Id(_), 70..=79) => {
                let id = 1 + self.rng.below(9);
                let verb = if self.rng.chance(50) { "INSERT OR REPLACE" } else { "INSERT" };
                self.insert(verb, table, None).replacen('(', "(id, ", 1).replacen(
                    "SELECT ",
                    &format!("SELECT {id}, "),
                    1,
                )
            }
            (_, 85..=89) if table.columns.iter().any(|c| c.domain == Domain::Unique) => self.swap(table),
            (_, 90..=94) if free.clash && table.columns.iter().any(|c| c.domain == Domain::Unique) => {
                let (place, n) = (self.place(table), self.rng.below(3));
                format!("UPDATE {} SET u = 'p{n}' WHERE {place}", table.name)
            }
            _ => self.update(table),
        };
        (sql, together)
    }

    fn rename(&mut self, table: &Table, free: Freedom) -> String {
        let place = self.place(table);
        let key = if free.wild && !table.configured && self.rng.chance(50) {
            self.key(table)
        } else {
            self.fresh_key(table)
        };
        let at = self.rng.below(key.len());
        let name = &table.columns[table.key()[at]].name;
        format!("UPDATE {} SET {name} = {} WHERE {place}", table.name, key[at])
    }

    /// Changes a key only in bytes, where its collation allows that.
    fn recase(&mut self, table: &Table) -> String {
        let Some(at) = table.key().iter().find(|at| table.columns[**at].coll != Coll::Binary) else {
            return self.update(table);
        };
        let column = &table.columns[*at];
        let (name, place) = (&column.name, self.place(table));
        let to = match column.coll {
            Coll::NoCase => *self.rng.pick(&["upper(?)", "lower(?)"]),
            _ => *self.rng.pick(&["trim(?)", "? || ' '"]),
        };
        format!("UPDATE {} SET {name} = {} WHERE {place}", table.name, to.replace('?', name))
    }

    fn swap(&mut self, table: &Table) -> String {
        let (a, b) = (self.place(table), self.place(table));
        let t = &table.name;
        let key = &table.columns[table.key()[0]].name;
        format!(
            "CREATE TEMP TABLE x AS SELECT {key} AS k, u FROM {t} WHERE ({a}) OR ({b}); \
             UPDATE {t} SET u = NULL WHERE ({a}) OR ({b}); \
             UPDATE {t} SET u = coalesce((SELECT x.u FROM x WHERE x.k <> {t}.{key}), (SELECT x.u FROM x)) \
             WHERE ({a}) OR ({b}); DROP TABLE x"
        )
    }

    fn parent_edit(&mut self, parent: &Table, child: &Table, free: Freedom) -> String {
        let (p, c) = (&parent.name, &child.name);
        match self.rng.below(100) {
            0..=29 => {
                // A new row with something that belongs to it: the children must stay with their own parent.
                let insert = self.insert("INSERT", parent, None);
                let key = self.key(child);
                let kid = self.child_row(
                    "INSERT",
                    child,
                    key,
                    &format!("SELECT id FROM {p} WHERE id = last_insert_rowid()"),
                );
                format!("{insert}; {kid}")
            }
            30..=39 => self.insert("INSERT", parent, None),
            40..=64 => self.update(parent),
            65..=79 if !(parent.append_only) => {
                let place = self.place(parent);
                format!(
                    "DELETE FROM {c} WHERE uid = (SELECT id FROM {p} WHERE {place}); DELETE FROM {p} WHERE {place}"
                )
            }
            80..=89
                if matches!(parent.identity, Identity::Natural { .. })
                    && !parent.configured
                    && free.renumber =>
            {
                let key = self.key(parent);
                let place = Editor::matching(parent, &key);
                let replace = self.insert("INSERT OR REPLACE", parent, Some(key));
                let first = !self.replaced.contains(&place.to_lowercase());
                self.replaced.push(place.to_lowercase());
                if first && self.rng.chance(50) {
                    replace
                } else {
                    format!(
                        "UPDATE {c} SET uid = -1 WHERE uid = (SELECT id FROM {p} WHERE {place}); {replace}; \
                         UPDATE {c} SET uid = (SELECT id FROM {p} WHERE {place}) WHERE uid = -1"
                    )
                }
            }
            90..=99 if matches!(parent.identity, Identity::Natural { .. }) && free.rename => {
                self.rename(parent, free)
            }
            _ => self.update(parent),
        }
    }

    fn child_edit(&mut self, parent: &Table, child: &Table) -> String {
        let p = &parent.name;
        match self.rng.below(100) {
            0..=34 => {
                let (place, key) = (self.place(parent), self.key(child));
                self.child_row("INSERT", child, key, &format!("SELECT id FROM {p} WHERE {place}"))
            }
            35..=54 => self.update(child),
            55..=69 => self.delete(child),
            70..=89 => {
                let (place, row) = (self.place(parent), self.place(child));
                format!(
                    "UPDATE {} SET uid = coalesce((SELECT id FROM {p} WHERE {place}), uid) WHERE {row}",
                    child.name
                )
            }
            _ => {
                let row = self.place(child);
                format!("UPDATE {} SET uid = NULL WHERE {row}", child.name)
            }
        }
    }
}
