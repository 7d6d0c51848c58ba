//! What stands beside the tables: views, triggers, and full-text indexes over other tables. They hold no rows.
//!
//! A companion that a side never had is made there in its owner's words, as far as the policy lets it travel. What a
//! side has of its own under that name stays; what a side had and dropped is not brought back. Apart from `shape`,
//! which brings tables together, since nothing here can pause one. Decides only; `accompany` writes.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use crate::config::SchemaPolicy;

use super::model::SideIndex;
use super::sql::{Made, made_by, normalised, quote};

/// What a companion is, in the order in which they can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A view.
    View,
    /// A full-text index whose text is in another table.
    Index,
    /// A trigger.
    Trigger,
}

/// One companion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Companion {
    /// What it is.
    pub(crate) kind: Kind,
    /// Its name as written.
    pub(crate) name: String,
    /// The table, or view, that it belongs to; a view belongs to itself.
    pub(crate) of: String,
    /// The statement that created it, in the owner's words.
    pub(crate) sql: String,
}

impl Companion {
    /// What it is called in the state and in messages.
    pub(crate) fn title(&self) -> String {
        let kind = match self.kind {
            Kind::View => "view",
            Kind::Index => "full-text index",
            Kind::Trigger => "trigger",
        };
        format!("{kind} {}", self.name.to_ascii_lowercase())
    }
}

/// The views and triggers of an attached database.
pub(crate) fn read(connection: &Connection, database: &str) -> rusqlite::Result<Vec<Companion>> {
    let mut statement = connection.prepare(&format!(
        "SELECT name, tbl_name, sql FROM {}.sqlite_schema WHERE type IN ('view', 'trigger') ORDER BY rowid",
        quote(database)
    ))?;
    let mut rows = statement.query([])?;
    let mut companions = Vec::new();
    while let Some(row) = rows.next()? {
        let (name, of, sql): (String, String, Option<String>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let sql = sql.unwrap_or_default();
        let (kind, made) = match made_by(&sql) {
            Some(Made::View(made)) => (Kind::View, made),
            Some(Made::Trigger(made)) => (Kind::Trigger, made),
            _ => continue,
        };
        if made.eq_ignore_ascii_case(&name) {
            companions.push(Companion { kind, name, of, sql });
        }
    }
    Ok(companions)
}

/// The companions of one side.
pub(crate) struct Beside<'a> {
    /// The side.
    pub(crate) side: &'a str,
    /// What it has.
    pub(crate) now: &'a [Companion],
    /// Titles of what it had when it was last merged, or was brought then.
    pub(crate) had: BTreeSet<String>,
}

/// What becomes of companions.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// What is to be made, by side.
    pub(crate) missing: Vec<Vec<Companion>>,
    /// Titles to remember of a side in any case, by side.
    pub(crate) have: Vec<BTreeSet<String>>,
    /// What people should know.
    pub(crate) warnings: Vec<String>,
}

/// Compares the companions of all sides. `tables` are the tables that are synced.
pub(crate) fn settle(policy: SchemaPolicy, tables: &[&str], sides: &[Beside<'_>], hub: SideIndex) -> Settled {
    let mut models: BTreeMap<(Kind, String), (&str, &Companion)> = BTreeMap::new();
    for side in sides.iter().skip(hub).take(1).chain(sides) {
        for companion in side.now {
            models.entry((companion.kind, companion.title())).or_insert((side.side, companion));
        }
    }
    let mut settled = Settled { missing: vec![Vec::new(); sides.len()], ..Settled::default() };
    for ((kind, title), (from, model)) in &models {
        for (side, missing) in sides.iter().zip(&mut settled.missing) {
            let own = side.now.iter().find(|own| own.title() == *title);
            match own {
                Some(own) if policy == SchemaPolicy::All && *kind != Kind::Index => {
                    if normalised(&own.sql) != normalised(&model.sql) {
                        settled.warnings.push(format!(
                            "{title} is not the same on {from} and {}; each keeps its own",
                            side.side
                        ));
                    }
                }
                Some(_) => {}
                None => {
                    let stands = has_ground(model, tables, side.now, missing);
                    if travels(*kind, policy) && stands && !side.had.contains(title) {
                        missing.push((*model).clone());
                    }
                }
            }
        }
    }
    let everywhere: BTreeSet<&String> = models.keys().map(|(_, title)| title).collect();
    for side in sides {
        // What nobody has any more is forgotten, so that one of that name is new.
        let had = side.had.iter().filter(|title| everywhere.contains(title)).cloned();
        settled.have.push(side.now.iter().map(Companion::title).chain(had).collect());
    }
    settled
}

/// Views and triggers are code, and run in the connections of whoever owns the file.
fn travels(kind: Kind, policy: SchemaPolicy) -> bool {
    match policy {
        SchemaPolicy::None => false,
        SchemaPolicy::Additive => kind == Kind::Index,
        SchemaPolicy::All => true,
    }
}

/// Whether what it belongs to is, or will be, on the side.
fn has_ground(model: &Companion, tables: &[&str], now: &[Companion], coming: &[Companion]) -> bool {
    let view = |other: &&Companion| other.kind == Kind::View && other.name.eq_ignore_ascii_case(&model.of);
    model.kind == Kind::View
        || tables.iter().any(|table| table.eq_ignore_ascii_case(&model.of))
        || now.iter().chain(coming).find(view).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(name: &str, sql: &str) -> Companion {
        Companion {
            kind: Kind::View,
            name: name.into(),
            of: name.into(),
            sql: format!("CREATE VIEW {name} AS {sql}"),
        }
    }

    fn trigger(name: &str, of: &str) -> Companion {
        Companion { kind: Kind::Trigger, name: name.into(), of: of.into(), sql: String::new() }
    }

    /// What the second side gets, and what it remembers.
    fn check(
        policy: SchemaPolicy,
        first: &[Companion],
        second: &[Companion],
        had: &[&str],
        gets: &[&str],
    ) -> Settled {
        let had = had.iter().map(|title| (*title).to_owned()).collect();
        let sides =
            [Beside { side: "a", now: first, had: BTreeSet::new() }, Beside { side: "b", now: second, had }];
        let settled = settle(policy, &["t"], &sides, 0);
        let found: Vec<String> = settled.missing.iter().skip(1).flatten().map(Companion::title).collect();
        assert_eq!(found, gets);
        settled
    }

    #[test]
    fn what_a_side_never_had_travels_as_far_as_the_policy_lets_it() {
        let all = [trigger("on_v", "v"), trigger("on_t", "t"), trigger("on_x", "x"), view("v", "SELECT 1")];
        check(SchemaPolicy::All, &all, &[], &[], &["view v", "trigger on_t", "trigger on_v"]);
        check(SchemaPolicy::Additive, &all, &[], &[], &[]);
        check(SchemaPolicy::None, &all, &[], &[], &[]);
        let index = Companion { kind: Kind::Index, ..trigger("f", "t") };
        check(SchemaPolicy::Additive, std::slice::from_ref(&index), &[], &[], &["full-text index f"]);
        check(SchemaPolicy::None, &[index], &[], &[], &[]);
    }

    #[test]
    fn what_a_side_dropped_stays_away_until_nobody_has_it() {
        let v = [view("v", "SELECT 1")];
        let settled = check(SchemaPolicy::All, &v, &[], &["view v"], &[]);
        assert!(settled.have.iter().all(|have| have.contains("view v")), "{settled:?}");
        let settled = check(SchemaPolicy::All, &[], &[], &["view v"], &[]);
        assert!(settled.have.iter().all(BTreeSet::is_empty), "{settled:?}");
    }

    #[test]
    fn each_side_keeps_its_own() {
        let settled = check(SchemaPolicy::All, &[view("v", "SELECT 1")], &[view("v", "SELECT 2")], &[], &[]);
        assert_eq!(settled.warnings, ["view v is not the same on a and b; each keeps its own"]);
        let settled = check(SchemaPolicy::All, &[view("v", "SELECT 1")], &[view("V", "select  1")], &[], &[]);
        assert!(settled.warnings.is_empty(), "{settled:?}");
    }
}
