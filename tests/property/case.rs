//! A case: tables, sides, preference, and edits in rounds. One function per kind of identity makes random ones.
//!
//! Apart from `runner`, which carries cases out. A case is plain data made from its seed alone; it can be printed,
//! and any subset of its edits is a case too.

use super::edits::{Editor, Freedom};
use super::rng::Rng;
use super::schema::{
    Coll, Column, Domain, Identity, Orphan, Policies, Policy, Table, bag, child, column, keyed, natural,
    numbered, payload, policies, table,
};

/// How a side is kept from taking part in a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lock {
    /// Nobody can read it.
    Exclusive,
    /// Nobody can write it.
    Immediate,
}

/// The name of the table that keeps every database from becoming empty.
pub(crate) const ANCHOR: &str = "zz_anchor";

#[derive(Clone, Debug, Default)]
pub(crate) struct Round {
    pub(crate) busy: Option<(usize, Lock)>,
    /// What was remembered of earlier runs is gone.
    pub(crate) forget: bool,
    pub(crate) edits: Vec<(usize, String)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) seed: u64,
    pub(crate) sides: usize,
    pub(crate) hub: usize,
    /// Sides from most to least preferred; may name only some.
    pub(crate) prefer: Vec<usize>,
    pub(crate) tables: Vec<Table>,
    /// Rows that every side starts with.
    pub(crate) seed_rows: Vec<String>,
    /// The first run finds all sides filled, or only the hub.
    pub(crate) filled: bool,
    pub(crate) rounds: Vec<Round>,
    /// Only that nothing is lost is checked.
    pub(crate) loose: bool,
    /// Also run under other names and in another order.
    pub(crate) mirror: bool,
}

/// The kinds of identity, a test each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Family {
    Keyed,
    Natural,
    Numbered,
    Bags,
    References,
    Unique,
    Late,
    Adoption,
    Wild,
}

pub(crate) fn case(family: Family, seed: u64) -> Case {
    let mut rng = Rng::new(seed);
    rng.next();
    let sides = 2 + usize::from(rng.chance(40));
    let hub = rng.below(sides);
    let mut prefer = rng.shuffled(sides);
    prefer.truncate(rng.below(sides + 1));
    let mut free = Freedom::USUAL;
    let tables = match family {
        Family::Keyed => one(&mut rng, |rng| keyed(rng, "t", Policies::All)),
        Family::Natural => one(&mut rng, |rng| natural(rng, "t", Policies::All)),
        Family::Numbered => one(&mut rng, |rng| numbered(rng, "t", Policies::All)),
        Family::Bags => bags(&mut rng),
        Family::References => family_tree(&mut rng, Policies::All, &mut free),
        Family::Unique => unique(&mut rng, &mut free),
        Family::Late => late_tables(&mut rng, &mut free),
        Family::Adoption => adoption(&mut rng, &mut free),
        Family::Wild => wild(&mut rng, &mut free),
    };
    let mut editor = Editor::new(rng.clone());
    rng.next();
    let mut case = Case {
        seed,
        sides,
        hub,
        prefer,
        seed_rows: editor.seed(&tables),
        filled: rng.chance(60),
        tables,
        rounds: Vec::new(),
        loose: family == Family::Wild,
        mirror: rng.chance(7),
    };
    rounds(&mut case, family, &mut rng, &mut editor, free);
    if case.tables.iter().any(|table| table.append_only && table.identity == Identity::Bag) {
        // Whether a row that was deleted and comes back counts as new is left open.
        case.rounds.truncate(1);
    }
    case
}

fn rounds(case: &mut Case, family: Family, rng: &mut Rng, editor: &mut Editor, free: Freedom) {
    let mut late = false;
    for n in 0..1 + rng.below(2) + usize::from(family == Family::Late) {
        let mut round = Round::default();
        for _ in 0..2 + rng.below(7) {
            let (sql, together) = editor.edit(&case.tables, free);
            if together {
                round.edits.extend((0..case.sides).map(|side| (side, sql.clone())));
            } else {
                round.edits.push((rng.below(case.sides), sql));
            }
        }
        let spoke = (case.hub + 1 + rng.below(case.sides - 1)) % case.sides;
        let lock = if rng.chance(70) || family == Family::Late { Lock::Exclusive } else { Lock::Immediate };
        if matches!(family, Family::Late | Family::Wild) && !late && rng.chance(60) {
            round.busy = Some((spoke, lock));
        }
        late = round.busy.is_some();
        round.forget = family == Family::Adoption && n == 0;
        case.rounds.push(round);
    }
    if late {
        case.rounds.push(Round::default());
    }
}

fn one(rng: &mut Rng, make: impl Fn(&mut Rng) -> Table) -> Vec<Table> {
    let mut table = make(rng);
    policies(rng, &mut table);
    vec![table]
}

fn bags(rng: &mut Rng) -> Vec<Table> {
    let mut first = bag(rng, "t");
    first.append_only = rng.chance(10);
    if rng.chance(50) {
        return vec![first];
    }
    // A declared primary key that may be NULL: such rows have no identity, the others do.
    let mut columns = payload(rng, Policies::All);
    columns.push(column("k", Domain::Key, None));
    let second =
        table("s", columns, &["k"], |t, body| format!("CREATE TABLE {t}(k TEXT PRIMARY KEY, {body})"));
    vec![first, second]
}

fn family_tree(rng: &mut Rng, which: Policies, free: &mut Freedom) -> Vec<Table> {
    free.same = false;
    let mut parent = if rng.chance(60) { natural(rng, "p", which) } else { numbered(rng, "p", which) };
    let mut kid = child(rng, "c", "p", which);
    parent.referenced = true;
    for table in [&mut parent, &mut kid] {
        table.on_delete_update = *rng.pick(&[Orphan::Keep, Orphan::Keep, Orphan::Delete]);
    }
    if !kid.declared {
        // Without a declared key a row may point at nothing; such cases say little.
        parent.on_delete_update = Orphan::Keep;
    }
    vec![parent, kid]
}

fn unique(rng: &mut Rng, free: &mut Freedom) -> Vec<Table> {
    free.clash = rng.chance(40);
    let mut columns = payload(rng, Policies::Plain);
    let coll = *rng.pick(&[Coll::Binary, Coll::NoCase]);
    columns.push(Column { coll, ..column("u", Domain::Unique, None) });
    columns.push(column("k", Domain::Key, None));
    let made = if rng.chance(50) {
        columns.push(column("id", Domain::Id, None));
        table("t", columns, &["k"], |t, body| {
            format!("CREATE TABLE {t}(id INTEGER PRIMARY KEY, k TEXT NOT NULL UNIQUE, {body})")
        })
    } else {
        table("t", columns, &["k"], |t, body| {
            format!("CREATE TABLE {t}(k TEXT NOT NULL PRIMARY KEY, {body})")
        })
    };
    vec![made]
}

fn late_tables(rng: &mut Rng, free: &mut Freedom) -> Vec<Table> {
    *free = Freedom::PLAIN;
    let mut made = match rng.below(5) {
        0 => keyed(rng, "t", Policies::Plain),
        1 => natural(rng, "t", Policies::Plain),
        2 => numbered(rng, "t", Policies::Plain),
        3 => bag(rng, "t"),
        _ => return family_tree(rng, Policies::Plain, free),
    };
    made.on_delete_update = *rng.pick(&[Orphan::Keep, Orphan::Delete]);
    vec![made]
}

fn adoption(rng: &mut Rng, free: &mut Freedom) -> Vec<Table> {
    free.rename = false;
    free.renumber = false;
    let mut made = match rng.below(4) {
        0 => bag(rng, "t"),
        1 | 2 => keyed(rng, "t", Policies::All),
        _ => natural(rng, "t", Policies::All),
    };
    for column in &mut made.columns {
        if column.policy == Some(Policy::Hold) {
            column.policy = None;
        }
    }
    if matches!(made.identity, Identity::Natural { .. }) {
        free.same = true;
    }
    vec![made]
}

fn wild(rng: &mut Rng, free: &mut Freedom) -> Vec<Table> {
    *free = Freedom::WILD;
    let mut tables = match rng.below(5) {
        0 => unique(rng, free),
        1 => family_tree(rng, Policies::All, free),
        2 => one(rng, |rng| natural(rng, "t", Policies::All)),
        3 => one(rng, |rng| numbered(rng, "t", Policies::All)),
        _ => one(rng, |rng| keyed(rng, "t", Policies::All)),
    };
    free.clash = true;
    for table in &mut tables {
        // What stays on its own side on purpose has its own families.
        table.append_only = false;
        table.exclude = false;
        for column in &mut table.columns {
            if matches!(column.policy, Some(Policy::Hold)) {
                column.policy = None;
            }
        }
        if table.on_delete_update == Orphan::Hold {
            table.on_delete_update = Orphan::Keep;
        }
    }
    tables
}
