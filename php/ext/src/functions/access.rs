//! The functions over API keys and sessions.
//!
//! What a client sends (a key, a token, its address and name) may be any bytes, and must never make a call fail.

use cr0sync::access::{Permission, keys, sessions};
use serde_json::to_value;

use super::Function;
use crate::arguments::{Arguments, Kind, Parameter};
use crate::call::Answer;
use crate::exceptions::Failure;
use crate::kept;
use crate::options::{Given, Key, config};

/// What every function knows.
const BASIC: [Key; 2] = [Key::Config, Key::Root];

/// An old key counts for so many seconds more unless told.
const GRACE: u64 = 86_400;

fn permissions(arguments: &Arguments, index: usize) -> Result<Vec<Permission>, Failure> {
    let words = arguments.texts(index)?;
    words.iter().map(|word| Permission::named(word).map_err(Failure::from)).collect()
}

/// `cr0_api_key_issue`: a new key.
pub(crate) struct KeyIssue;

impl Function for KeyIssue {
    const NAME: &'static str = "cr0_api_key_issue";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::required("user_id", Kind::Text),
        Parameter::required("name", Kind::Text),
        Parameter::required("permissions", Kind::Array),
        Parameter::options(),
    ];

    fn run(mut arguments: Arguments) -> Result<Answer, Failure> {
        let given = Given::read(&arguments, 3, &[Key::Config, Key::Root, Key::ExpiresIn])?;
        let request = keys::Request {
            user_id: arguments.text(0)?,
            name: arguments.text(1)?,
            permissions: permissions(&arguments, 2)?,
            expires_in: given.expires_in,
        };
        Answer::new(to_value(keys::issue(&config(&given)?, &request)?), 0)
    }
}

/// `cr0_api_key_verify`: whether a key may do something.
pub(crate) struct KeyVerify;

impl Function for KeyVerify {
    const NAME: &'static str = "cr0_api_key_verify";
    const PARAMETERS: &'static [Parameter] =
        &[Parameter::secret("key"), Parameter::required("permission", Kind::Text), Parameter::options()];

    fn run(mut arguments: Arguments) -> Result<Answer, Failure> {
        let given = Given::read(&arguments, 2, &BASIC)?;
        let (key, permission) = (arguments.bytes(0)?, Permission::named(&arguments.text(1)?)?);
        let report = keys::verify(&*kept::config(&given)?, &key, permission)?;
        let exit_code = i32::from(!report.granted);
        Answer::new(to_value(&report), exit_code)
    }
}

/// `cr0_api_key_revoke`: takes a key back.
pub(crate) struct KeyRevoke;

impl Function for KeyRevoke {
    const NAME: &'static str = "cr0_api_key_revoke";
    const PARAMETERS: &'static [Parameter] = &[Parameter::secret("id"), Parameter::options()];

    fn run(mut arguments: Arguments) -> Result<Answer, Failure> {
        let given = Given::read(&arguments, 1, &BASIC)?;
        let id = arguments.text(0)?;
        Answer::new(to_value(keys::revoke(&config(&given)?, &id)?), 0)
    }
}

/// `cr0_api_key_rotate`: a new key in place of another.
pub(crate) struct KeyRotate;

impl Function for KeyRotate {
    const NAME: &'static str = "cr0_api_key_rotate";
    const PARAMETERS: &'static [Parameter] = &[Parameter::secret("id"), Parameter::options()];

    fn run(mut arguments: Arguments) -> Result<Answer, Failure> {
        let known = [Key::Config, Key::Root, Key::Grace, Key::ExpiresIn];
        let given = Given::read(&arguments, 1, &known)?;
        let id = arguments.text(0)?;
        let grace = given.grace.unwrap_or(GRACE);
        Answer::new(to_value(keys::rotate(&config(&given)?, &id, grace, given.expires_in)?), 0)
    }
}

/// `cr0_api_key_list`: all keys.
pub(crate) struct KeyList;

impl Function for KeyList {
    const NAME: &'static str = "cr0_api_key_list";
    const PARAMETERS: &'static [Parameter] = &[Parameter::options()];

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let given = Given::read(&arguments, 0, &[Key::Config, Key::Root, Key::UserId])?;
        let report = keys::list(&config(&given)?, given.user_id.as_deref())?;
        let exit_code = i32::from(!report.warnings.is_empty());
        Answer::new(to_value(&report), exit_code)
    }
}

/// `cr0_session_open`: a new session.
pub(crate) struct SessionOpen;

impl Function for SessionOpen {
    const NAME: &'static str = "cr0_session_open";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::required("user_id", Kind::Text),
        Parameter::required("permissions", Kind::Array),
        Parameter::options(),
    ];

    fn run(mut arguments: Arguments) -> Result<Answer, Failure> {
        let known = [Key::Config, Key::Root, Key::Minutes, Key::Ip, Key::UserAgent];
        let given = Given::read(&arguments, 2, &known)?;
        let request = sessions::Request {
            user_id: arguments.text(0)?,
            permissions: permissions(&arguments, 1)?,
            ip: given.ip.clone(),
            user_agent: given.user_agent.clone(),
            minutes: given.minutes.map(|minutes| u32::try_from(minutes).unwrap_or(u32::MAX)),
        };
        Answer::new(to_value(sessions::open(&*kept::config(&given)?, &request)?), 0)
    }
}

/// `cr0_session_verify`: whether a token may do something.
pub(crate) struct SessionVerify;

impl Function for SessionVerify {
    const NAME: &'static str = "cr0_session_verify";
    const PARAMETERS: &'static [Parameter] =
        &[Parameter::secret("token"), Parameter::required("permission", Kind::Text), Parameter::options()];

    fn run(mut arguments: Arguments) -> Result<Answer, Failure> {
        let given = Given::read(&arguments, 2, &BASIC)?;
        let (token, permission) = (arguments.bytes(0)?, Permission::named(&arguments.text(1)?)?);
        let report = sessions::verify(&*kept::config(&given)?, &token, permission)?;
        let exit_code = i32::from(!report.granted);
        Answer::new(to_value(&report), exit_code)
    }
}

/// `cr0_session_close`: ends a session.
pub(crate) struct SessionClose;

impl Function for SessionClose {
    const NAME: &'static str = "cr0_session_close";
    const PARAMETERS: &'static [Parameter] = &[Parameter::secret("session"), Parameter::options()];

    fn run(mut arguments: Arguments) -> Result<Answer, Failure> {
        let given = Given::read(&arguments, 1, &BASIC)?;
        let session = arguments.bytes(0)?;
        Answer::new(to_value(sessions::close(&*kept::config(&given)?, &session)?), 0)
    }
}

/// `cr0_session_list`: the sessions in the file.
pub(crate) struct SessionList;

impl Function for SessionList {
    const NAME: &'static str = "cr0_session_list";
    const PARAMETERS: &'static [Parameter] = &[Parameter::options()];

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let known = [Key::Config, Key::Root, Key::UserId, Key::Skip, Key::Limit];
        let given = Given::read(&arguments, 0, &known)?;
        let report = sessions::list(&config(&given)?, given.user_id.as_deref(), given.page())?;
        let exit_code = i32::from(!report.warnings.is_empty());
        Answer::new(to_value(&report), exit_code)
    }
}

/// `cr0_session_cleanup`: removes the sessions whose time is over.
pub(crate) struct SessionCleanup;

impl Function for SessionCleanup {
    const NAME: &'static str = "cr0_session_cleanup";
    const PARAMETERS: &'static [Parameter] = &[Parameter::options()];

    fn run(arguments: Arguments) -> Result<Answer, Failure> {
        let given = Given::read(&arguments, 0, &BASIC)?;
        let report = sessions::cleanup(&config(&given)?)?;
        Answer::new(to_value(&report), report.exit_code())
    }
}
