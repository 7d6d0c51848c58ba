//! One world: sides with their owners, runs between them that may die at any step, and its end, when all is quiet.
//!
//! Apart from `owners`, who know nothing of a sync, and from `judge`, who looks at the end. The runs are the real ones,
//! on real files; only who stands at the boundaries between their steps is not.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tempfile::TempDir;

use crate::config::Config;
use crate::database::record;
use crate::database::run::{self, Job};
use crate::database::steps::{Mutant, Step, Steps, plant};
use crate::database::store::Store;
use crate::database::{Continue, Options, over};
use crate::report::{DatabaseReport, SideReport, State};

use super::judge::{self, Verdict};
use super::owners::{Owners, SCHEMA};
use super::rng::Rng;

/// The database that all worlds have.
pub(crate) const NAME: &str = "d";
const NAMES: [&str; 5] = ["bot", "central", "website", "backup", "mirror"];

/// What the process leaves behind where it dies. Nothing of ours catches it, so no error is handled on the way; what
/// is open is closed, which is all that the kernel does after a kill.
struct Death;

/// A world while it goes on.
pub(crate) struct World {
    dir: TempDir,
    pub(crate) names: Vec<String>,
    pub(crate) config: Config,
    pub(crate) owners: RefCell<Owners>,
    mutant: Option<Mutant>,
    /// How often owners write at a boundary, in percent.
    chatter: Cell<usize>,
    /// After how many more boundaries the process dies.
    dies_in: Cell<Option<usize>>,
    /// What the world has seen.
    pub(crate) seen: RefCell<Seen>,
}

/// Figures of one or many worlds.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) worlds: usize,
    pub(crate) runs: usize,
    pub(crate) boundaries: usize,
    /// How often the process died, by the step that was just done.
    pub(crate) deaths: BTreeMap<String, usize>,
    /// How often an owner was kept waiting.
    pub(crate) waited: usize,
    /// Worlds in which something was reported as uncertain.
    pub(crate) uncertain: usize,
}

impl Seen {
    pub(crate) fn add(&mut self, other: &Seen) {
        self.worlds += other.worlds;
        self.runs += other.runs;
        self.boundaries += other.boundaries;
        self.waited += other.waited;
        self.uncertain += other.uncertain;
        for (step, deaths) in &other.deaths {
            *self.deaths.entry(step.clone()).or_default() += deaths;
        }
    }
}

/// Lives through one world: nothing when it kept every promise, else all that there is to know of it.
pub(crate) fn live(seed: u64, mutant: Option<Mutant>) -> (Seen, Result<(), String>) {
    plant(mutant);
    let world = World::new(seed, mutant);
    let verdict = world.history().and_then(|()| judge::judge(&world));
    plant(None);
    let told = verdict.map_err(|wrong| {
        let script = world.owners.borrow().script.join("\n  ");
        format!("CR0SYNC_SEED={seed}: {}\n  {script}\n{}", wrong.join("\n"), wrong.join("\n"))
    });
    let mut seen = world.seen.take();
    seen.worlds = 1;
    seen.waited = world.owners.borrow().waited;
    (seen, told)
}

impl World {
    fn new(seed: u64, mutant: Option<Mutant>) -> World {
        let mut rng = Rng::new(seed);
        let dir = scratch();
        let count = *rng.pick(&[2, 2, 3, 3, 4, 5]);
        let names: Vec<String> =
            rng.shuffled(NAMES.len())[..count].iter().map(|at| NAMES[*at].to_owned()).collect();
        let chatter = *rng.pick(&[0, 5, 20, 50]);
        let mut owners = Owners::new(rng);
        owners.script.push(format!("hub {}, owners write at {chatter}% of all boundaries", names[0]));
        let mut replicas = serde_json::Map::new();
        for name in &names {
            let path = file(dir.path(), name);
            std::fs::create_dir(path.parent().unwrap()).unwrap();
            std::fs::write(&path, template()).unwrap();
            owners.join(name, path.clone());
            replicas.insert(name.clone(), json!(path));
        }
        let json = json!({
            "version": 1,
            "hub": names[0],
            "databases": { NAME: {
                "replicas": replicas,
                "tables": { "counters": { "columns": { "n": "sum", "m": "sum" } } }
            } },
            // Nobody who is in our way goes away while we wait: nothing moves here but at boundaries.
            "guards": { "busy_timeout_ms": 1, "min_free_percent": 0 }
        });
        let config = Config::parse(json.to_string().as_bytes(), dir.path(), None).unwrap();
        World {
            dir,
            names,
            config,
            owners: RefCell::new(owners),
            mutant,
            chatter: Cell::new(chatter),
            dies_in: Cell::new(None),
            seen: RefCell::default(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        file(self.dir.path(), name)
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.dir.path().join("sync_state")
    }

    fn roll<T>(&self, ask: impl FnOnce(&mut Rng) -> T) -> T {
        ask(&mut self.owners.borrow_mut().rng)
    }

    fn say(&self, line: String) {
        self.owners.borrow_mut().script.push(line);
    }

    /// Everything that happens, to the last quiet run.
    fn history(&self) -> Verdict {
        // They meet before anybody writes: what differs then is for a person, by design.
        let chatter = self.chatter.replace(0);
        self.run()?;
        self.chatter.set(chatter);
        for _ in 0..self.roll(|rng| 2 + rng.below(3)) {
            for _ in 0..self.roll(|rng| rng.below(6)) {
                self.owners.borrow_mut().act(100);
            }
            self.round()?;
        }
        self.chatter.set(0);
        self.say("all is quiet".into());
        self.owners.borrow_mut().calm();
        // One run finishes and merges all that there is; the next must find nothing to do.
        self.run()?;
        match self.run()? {
            Some(last) if last.sides.values().any(|side| rows(side) > 0) => {
                Err(vec![format!("the last run still had something to do: {last:?}")])
            }
            _ => Ok(()),
        }
    }

    /// One run with whatever comes in its way.
    fn round(&self) -> Verdict {
        if self.roll(|rng| rng.chance(60)) {
            // Where there is something to be finished, that may be interrupted too.
            let again = !self.waiting().is_empty() && self.roll(|rng| rng.chance(50));
            let boundaries = if again { 5 } else { 7 + 6 * self.names.len() };
            self.dies_in.set(Some(self.roll(|rng| rng.below(boundaries))));
        }
        if self.roll(|rng| rng.chance(6)) {
            self.owners.borrow_mut().linger();
        }
        let away = self
            .roll(|rng| rng.chance(10).then_some(()))
            .map(|()| self.roll(|rng| rng.below(self.names.len())));
        let hidden = self.dir.path().join("away");
        if let Some(side) = away {
            self.say(format!("{} is out of reach", self.names[side]));
            self.owners.borrow_mut().set_away(side, true);
            std::fs::rename(self.dir.path().join(&self.names[side]), &hidden).unwrap();
        }
        let ran = self.run();
        if let Some(side) = away {
            std::fs::rename(&hidden, self.dir.path().join(&self.names[side])).unwrap();
            self.owners.borrow_mut().set_away(side, false);
        }
        self.dies_in.set(None);
        ran.map(drop)
    }

    /// One run; nothing where it died.
    fn run(&self) -> Result<Option<DatabaseReport>, Vec<String>> {
        self.seen.borrow_mut().runs += 1;
        if self.mutant == Some(Mutant::TrustfulEvidence) {
            self.spoil("UPDATE intents SET decided = 2");
        }
        self.say("a run".into());
        let chosen: Vec<_> =
            self.config.databases.iter().map(|(name, database)| (name.as_str(), database)).collect();
        let ended = catch_unwind(AssertUnwindSafe(|| {
            over(
                &self.config,
                &Options::default(),
                "bidirectional",
                &chosen,
                &mut |_| Continue::Yes,
                |job, name, database| run::sync(&Job { steps: self, ..*job }, name, database),
            )
        }));
        let report = match ended {
            Err(cause) => return died(&*cause).map(|()| None),
            Ok(Err(error)) => return Err(vec![format!("a run failed: {error}")]),
            Ok(Ok(report)) => report.databases.into_values().next(),
        };
        if let Some(report) = &report {
            self.say(format!("it ends: {:?} {:?} {:?}", report.state, report.reason, report.warnings));
            if matches!(report.state, State::Failed | State::Held | State::Quarantined) {
                return Err(vec![format!("a run ends as {:?}: {:?}", report.state, report.reason)]);
            }
            // Pages and rows come to the same, whatever owners do and wherever runs die.
            if report.warnings.iter().any(|warning| warning.starts_with("CRITICAL")) {
                return Err(vec![format!("pages and rows differ: {:?}", report.warnings)]);
            }
        }
        Ok(report)
    }

    /// Sides of which it is not on record yet what became of them.
    fn waiting(&self) -> Vec<String> {
        let store = Store::open_existing(&self.state()).unwrap();
        store.map(|store| record::waiting(&store, NAME).unwrap()).unwrap_or_default()
    }

    /// Changes what we remember behind the run's back.
    fn spoil(&self, sql: &str) {
        let path = self.state().join("state.db");
        if path.is_file() {
            Connection::open(path).unwrap().execute_batch(sql).unwrap();
        }
    }
}

fn rows(side: &SideReport) -> usize {
    side.inserted + side.updated + side.deleted + side.rekeyed
}

/// A death is no failure; whatever else unwinds is.
fn died(cause: &(dyn Any + Send)) -> Verdict {
    let text = cause.downcast_ref::<String>().map(String::as_str);
    if cause.is::<Death>() { Ok(()) } else { Err(vec![format!("a panic: {}", text.unwrap_or_default())]) }
}

impl Steps for World {
    fn at(&self, step: Step, side: &str) {
        self.seen.borrow_mut().boundaries += 1;
        // Mistakes that can be made from outside, so that the code has no branch for them.
        match (self.mutant, step) {
            (Some(Mutant::NoIntent), Step::Declared) => {
                self.spoil("DELETE FROM intents; DELETE FROM intent_parts");
            }
            // What is noted as written is what a run that died is finished by: the bases run ahead of the commits.
            (Some(Mutant::EarlyBase), Step::Declared) => self.spoil("UPDATE intents SET decided = 2"),
            _ => {}
        }
        self.owners.borrow_mut().act(self.chatter.get());
        match self.dies_in.get() {
            Some(0) => {
                self.dies_in.set(None);
                self.say(format!("the run dies: {step:?} {side}"));
                *self.seen.borrow_mut().deaths.entry(format!("{step:?}")).or_default() += 1;
                resume_unwind(Box::new(Death));
            }
            more => self.dies_in.set(more.map(|more| more - 1)),
        }
    }
}

fn file(dir: &Path, name: &str) -> PathBuf {
    dir.join(name).join("d.db")
}

/// A database as all sides have it at first.
fn template() -> &'static [u8] {
    static TEMPLATE: OnceLock<Vec<u8>> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let dir = scratch();
        let path = dir.path().join("d.db");
        let db = Connection::open(&path).unwrap();
        db.execute_batch(SCHEMA).unwrap();
        drop(db);
        std::fs::read(path).unwrap()
    })
}

/// A directory in memory where there is such a thing.
fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    let within = tempfile::Builder::new().prefix("cr0sync-test-").tempdir_in(memory);
    within.or_else(|_| tempfile::tempdir()).unwrap()
}
