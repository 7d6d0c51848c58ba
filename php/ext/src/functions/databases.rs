//! The functions over databases.

use cr0sync::database::{self, Request, Take, Target};
use cr0sync::{Error, ErrorKind};
use serde_json::to_value;

use super::Function;
use crate::arguments::{Arguments, Kind, Parameter};
use crate::call::Answer;
use crate::exceptions::Failure;
use crate::options::{Given, Key, config};
use crate::values;

/// `cr0_db_status`: what is known of every side.
pub(crate) struct Status;

impl Function for Status {
    const NAME: &'static str = "cr0_db_status";
    const PARAMETERS: &'static [Parameter] = &[Parameter::options()];

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let given = Given::read(&arguments, 0, &[Key::Config, Key::Root, Key::Database, Key::Explain])?;
        let report = database::status(&config(&given)?, &given.options(), given.detail())?;
        Answer::new(to_value(&report), report.exit_code())
    }
}

/// What every function knows that changes databases.
const CHANGES: [Key; 6] = [Key::Config, Key::Root, Key::Database, Key::DryRun, Key::Force, Key::Progress];

/// `cr0_db_sync`: merges all sides.
pub(crate) struct Sync;

impl Function for Sync {
    const NAME: &'static str = "cr0_db_sync";
    const PARAMETERS: &'static [Parameter] = &[Parameter::options()];

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let mut keys = CHANGES.to_vec();
        keys.push(Key::Verify);
        let mut given = Given::read(&arguments, 0, &keys)?;
        let (config, mut listener) = (config(&given)?, given.listener());
        let outcome = database::sync_with(&config, &given.options(), &mut |progress| listener.hear(progress));
        let report = listener.outcome(outcome)?;
        Answer::new(to_value(&report), report.exit_code())
    }
}

/// `cr0_db_force_sync`: makes the hub equal to one side.
pub(crate) struct ForceSync;

impl Function for ForceSync {
    const NAME: &'static str = "cr0_db_force_sync";
    const PARAMETERS: &'static [Parameter] = &[Parameter::required("side", Kind::Text), Parameter::options()];

    fn run(mut arguments: Arguments) -> Result<Answer, Failure> {
        let side = arguments.text(0)?;
        let mut given = Given::read(&arguments, 1, &CHANGES)?;
        let (config, mut listener) = (config(&given)?, given.listener());
        let mut tell = |progress: &database::Progress<'_>| listener.hear(progress);
        let outcome = database::sync_from_with(&config, &side, &given.options(), &mut tell);
        let report = listener.outcome(outcome)?;
        Answer::new(to_value(&report), report.exit_code())
    }
}

/// `cr0_db_conflicts`: the conflicts on record.
pub(crate) struct Conflicts;

impl Function for Conflicts {
    const NAME: &'static str = "cr0_db_conflicts";
    const PARAMETERS: &'static [Parameter] = &[Parameter::options()];

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let keys = [
            Key::Config,
            Key::Root,
            Key::Database,
            Key::ShowSecrets,
            Key::Status,
            Key::Ids,
            Key::Skip,
            Key::Limit,
        ];
        let given = Given::read(&arguments, 0, &keys)?;
        let report = database::conflicts_of(&config(&given)?, &given.options(), &given.selection())?;
        Answer::new(to_value(&report), report.exit_code())
    }
}

/// `cr0_db_resolve`: decides a conflict differently.
pub(crate) struct Resolve;

impl Function for Resolve {
    const NAME: &'static str = "cr0_db_resolve";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::required("id", Kind::Text),
        Parameter::required("take", Kind::Text),
        Parameter::options(),
    ];

    fn run(mut arguments: Arguments) -> Result<Answer, Failure> {
        let id = arguments.text(0)?;
        let take = Take::from(arguments.text(1)?.as_str());
        let given = Given::read(&arguments, 2, &[Key::Config, Key::Root, Key::DryRun, Key::Force])?;
        let report = database::resolve(&config(&given)?, &id, take, &given.options())?;
        Answer::new(to_value(&report), report.exit_code())
    }
}

/// `cr0_db_acknowledge`: marks conflicts as seen.
pub(crate) struct Acknowledge;

impl Function for Acknowledge {
    const NAME: &'static str = "cr0_db_acknowledge";
    const PARAMETERS: &'static [Parameter] = &[Parameter::required("ids", Kind::Array), Parameter::options()];

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let ids = arguments.texts(0)?;
        let given = Given::read(&arguments, 1, &[Key::Config, Key::Root, Key::DryRun])?;
        let report = database::acknowledge(&config(&given)?, &ids, given.options().mode)?;
        Answer::new(to_value(&report), report.exit_code())
    }
}

/// `cr0_db_history`: the runs that did something.
pub(crate) struct History;

impl Function for History {
    const NAME: &'static str = "cr0_db_history";
    const PARAMETERS: &'static [Parameter] = &[Parameter::options()];

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let given = Given::read(&arguments, 0, &[Key::Config, Key::Root, Key::Database, Key::Limit])?;
        let report = database::history(&config(&given)?, &given.options(), given.limit())?;
        Answer::new(to_value(&report), report.exit_code())
    }
}

/// What every function knows that only makes, checks or removes backups.
const KEEPS: [Key; 4] = [Key::Config, Key::Root, Key::Database, Key::DryRun];

/// `cr0_db_backup`: a backup of every side.
pub(crate) struct Backup;

impl Function for Backup {
    const NAME: &'static str = "cr0_db_backup";
    const PARAMETERS: &'static [Parameter] = &[Parameter::options()];

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let given = Given::read(&arguments, 0, &KEEPS)?;
        let report = database::backup(&config(&given)?, &given.options())?;
        Answer::new(to_value(&report), report.exit_code())
    }
}

/// `cr0_db_backups`: the backups there are.
pub(crate) struct Backups;

impl Function for Backups {
    const NAME: &'static str = "cr0_db_backups";
    const PARAMETERS: &'static [Parameter] = &[Parameter::options()];

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let given = Given::read(&arguments, 0, &[Key::Config, Key::Root, Key::Database])?;
        let report = database::backups(&config(&given)?, &given.options())?;
        Answer::new(to_value(&report), report.exit_code())
    }
}

/// `cr0_db_restore`: writes a backup into live files.
pub(crate) struct Restore;

impl Function for Restore {
    const NAME: &'static str = "cr0_db_restore";
    const PARAMETERS: &'static [Parameter] =
        &[Parameter::required("backup", Kind::Text), Parameter::options()];

    fn run(mut arguments: Arguments) -> Result<Answer, Failure> {
        let backup = arguments.path(0)?;
        let mut keys = CHANGES.to_vec();
        keys.extend([Key::Side, Key::AllSides]);
        let given = Given::read(&arguments, 1, &keys)?;
        let target = match given.target() {
            (Some(_), true) => {
                let what = "must not have both \"side\" and \"all_sides\"";
                return Err(arguments.wrong_value(1, what));
            }
            (Some(side), false) => Target::Side(side),
            (None, true) => Target::AllSides,
            (None, false) => Target::Own,
        };
        let report = database::restore(&config(&given)?, &backup, &target, &given.options())?;
        Answer::new(to_value(&report), report.exit_code())
    }
}

/// `cr0_db_clean_backups`: removes what no rule keeps.
pub(crate) struct CleanBackups;

impl Function for CleanBackups {
    const NAME: &'static str = "cr0_db_clean_backups";
    const PARAMETERS: &'static [Parameter] = &[Parameter::options()];

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let given = Given::read(&arguments, 0, &KEEPS)?;
        let report = database::clean_backups(&config(&given)?, &given.options())?;
        Answer::new(to_value(&report), report.exit_code())
    }
}

/// `cr0_db_verify`: checks the newest backups.
pub(crate) struct Verify;

impl Function for Verify {
    const NAME: &'static str = "cr0_db_verify";
    const PARAMETERS: &'static [Parameter] = &[Parameter::options()];

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let given = Given::read(&arguments, 0, &KEEPS)?;
        let report = database::verify(&config(&given)?, &given.options())?;
        Answer::new(to_value(&report), report.exit_code())
    }
}

/// `cr0_db_undo`: takes a run back.
pub(crate) struct Undo;

impl Function for Undo {
    const NAME: &'static str = "cr0_db_undo";
    const PARAMETERS: &'static [Parameter] = &[Parameter::required("run", Kind::Text), Parameter::options()];

    fn run(mut arguments: Arguments) -> Result<Answer, Failure> {
        let run = arguments.text(0)?;
        let given = Given::read(&arguments, 1, &[Key::Config, Key::Root, Key::Database, Key::DryRun])?;
        let report = database::undo(&config(&given)?, &run, &given.options())?;
        Answer::new(to_value(&report), report.exit_code())
    }
}

/// `cr0_db_enqueue`: asks for something, for the user who runs the sync to do.
pub(crate) struct Enqueue;

impl Function for Enqueue {
    const NAME: &'static str = "cr0_db_enqueue";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::required("action", Kind::Text),
        Parameter::required("arguments", Kind::Array),
        Parameter::options(),
    ];

    fn run(mut arguments: Arguments) -> Result<Answer, Failure> {
        let action = arguments.text(0)?;
        // What people name on the command line may be a path of any bytes; the file of a request is JSON.
        if arguments.array(1)?.is_some_and(|given| !values::is_utf8(given)) {
            let error = Error::new(ErrorKind::Usage, "a request takes nothing but text in UTF-8");
            return Err(error
                .hint("name a backup by its id, as `backups` lists it; the queue takes no path")
                .into());
        }
        let what = arguments.object(1)?;
        let given = Given::read(&arguments, 2, &[Key::Config, Key::Root, Key::By])?;
        let request = Request::new(&action, what, given.by())?;
        let report = database::enqueue(&config(&given)?, &request)?;
        Answer::new(to_value(&report), report.exit_code())
    }
}

/// `cr0_db_queue`: what was asked for, and what came of it.
pub(crate) struct Queue;

impl Function for Queue {
    const NAME: &'static str = "cr0_db_queue";
    const PARAMETERS: &'static [Parameter] = &[Parameter::options()];

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let given = Given::read(&arguments, 0, &[Key::Config, Key::Root])?;
        let report = database::queue(&config(&given)?)?;
        Answer::new(to_value(&report), report.exit_code())
    }
}
