//! Whoever waits for a call is looked after while it works: signals and time limits, for instance, that have to be served.
//!
//! At the bottom, as any long loop may look. A shell gives a hook for the duration of a call ([`watched`]); loops and waits
//! call `check`, which asks the hook from time to time, on this thread only. Other threads have none: whoever waits for them
//! looks for them. The hook may run any code of anybody's, so it is never asked while something is locked for writing or half
//! written that others use (`quiet`), and what the thread has put on for its work (an owner's rights) is put off
//! meanwhile (`Guise`). Without a hook nothing is asked, and nothing stops.

mod deaf;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::Read;
use std::marker::PhantomData;
use std::rc::Rc;
use std::time::Duration;

use crate::clock::{self, Stopwatch};
use crate::error::{Error, ErrorKind, Result};
pub(crate) use deaf::deaf;

/// What whoever waits for a long call says when he is asked, or told how far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Continue {
    /// It goes on.
    Yes,
    /// It stops where it is. What was done of a database or log that it is at is as if that had not begun, or is finished by
    /// the next run.
    Stop,
}

/// So long nobody is asked after somebody was (milliseconds). In tests everybody is asked at each look.
const EVERY_MS: u64 = 50;
/// After so many small steps the time is looked at.
const STEPS: u32 = if cfg!(test) { 7 } else { 256 };
/// After so many instructions of its own SQLite looks.
const INSTRUCTIONS: i32 = if cfg!(test) { 500 } else { 20_000 };

/// Asks whoever waits.
type Hook = Box<dyn FnMut() -> Continue>;

/// What a call has: each its own, also one that a hook makes.
#[derive(Default)]
struct Watch {
    /// None while it is asked.
    hook: Option<Hook>,
    asked: Option<Stopwatch>,
    is_stopped: bool,
    quiet: usize,
    /// How long what is locked is waited for, and since when it is.
    patience: Duration,
    waiting: Option<Stopwatch>,
    guises: Vec<Rc<dyn Guise>>,
}

thread_local! {
    /// Whether there is a hook at all: one look where there is none.
    static IS_WATCHED: Cell<bool> = const { Cell::new(false) };
    static STEP: Cell<u32> = const { Cell::new(0) };
    static WATCH: RefCell<Watch> = RefCell::new(Watch::default());
}

/// Runs `work`, and asks `hook` on the way, about twenty times a second, whether it goes on. When it does not, the call ends
/// as soon as nothing is half done, with [`ErrorKind::Cancelled`] unless it was done by then. Calls within calls have
/// their own hook or none.
pub fn watched<T>(hook: impl FnMut() -> Continue + 'static, work: impl FnOnce() -> T) -> T {
    /// Also when `work` panics.
    struct Before(Option<Watch>, bool);
    impl Drop for Before {
        fn drop(&mut self) {
            IS_WATCHED.set(self.1);
            let ended = WATCH.replace(self.0.take().unwrap_or_default());
            // After the cell was given back, as a hook may hold anything.
            drop(ended);
        }
    }
    let watch = Watch { hook: Some(Box::new(hook)), asked: Some(clock::start()), ..Watch::default() };
    let _before = Before(Some(WATCH.replace(watch)), IS_WATCHED.replace(true));
    work()
}

/// Whether the call is to end.
pub(crate) fn is_stopped() -> bool {
    IS_WATCHED.get() && WATCH.with_borrow(|watch| watch.is_stopped)
}

/// Asks whoever waits, if that is due.
///
/// # Errors
/// [`ErrorKind::Cancelled`] from the moment on that the call is to end, but for what is quiet.
pub(crate) fn check() -> Result<()> {
    if IS_WATCHED.get() && ask() == Continue::Stop { Err(cancelled()) } else { Ok(()) }
}

/// [`check`] for loops whose steps are so small that looking at the time would be felt.
pub(crate) fn check_often() -> Result<()> {
    if is_worth_a_look() { check() } else { Ok(()) }
}

/// [`check_often`] where nothing can be given up: the next look hears of a stop.
pub(crate) fn serve_often() {
    // It stays said.
    let _ = check_often();
}

/// Whether so many small steps were made that the time is worth a look.
pub(crate) fn is_worth_a_look() -> bool {
    let step = STEP.get().wrapping_add(1);
    STEP.set(step);
    step.is_multiple_of(STEPS)
}

/// [`check`] in the midst of reading and writing files.
pub(crate) fn check_io() -> std::io::Result<()> {
    check().map_err(|_| std::io::Error::other(Stopped))
}

/// Reads, and looks on the way.
#[derive(Debug)]
pub(crate) struct Looking<R>(pub(crate) R);

impl<R: Read> Read for Looking<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        check_io()?;
        self.0.read(into)
    }
}

/// [`check`] in the midst of work with SQLite, as the error for work that somebody interrupted.
pub(crate) fn check_sql() -> rusqlite::Result<()> {
    check().map_err(|_| interrupted())
}

/// The error of SQLite for work that somebody interrupted.
pub(crate) fn interrupted() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_INTERRUPT), None)
}

/// Has a connection look while it works.
pub(crate) fn attend(connection: &rusqlite::Connection) -> rusqlite::Result<()> {
    connection.progress_handler(INSTRUCTIONS, Some(|| check().is_err()))
}

/// Has a connection wait so long for what others have locked, and look meanwhile.
pub(crate) fn patience(connection: &rusqlite::Connection, wait: Duration) -> rusqlite::Result<()> {
    if !IS_WATCHED.get() {
        return connection.busy_timeout(wait);
    }
    WATCH.with_borrow_mut(|watch| watch.patience = wait);
    connection.busy_handler(Some(is_waited_for))
}

/// Waits once more, as SQLite itself does, unless it was waited for long enough or the call is to end.
fn is_waited_for(times: i32) -> bool {
    const PAUSES_MS: [u64; 9] = [1, 2, 5, 10, 15, 20, 25, 25, 50];
    let (since, patience) = WATCH.with_borrow_mut(|watch| {
        if times == 0 {
            watch.waiting = None;
        }
        (*watch.waiting.get_or_insert_with(clock::start), watch.patience)
    });
    let left = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX).saturating_sub(since.millis());
    if left == 0 || check().is_err() {
        return false;
    }
    let pause = usize::try_from(times).ok().and_then(|times| PAUSES_MS.get(times)).copied().unwrap_or(50);
    clock::pause(pause.min(left));
    true
}

fn ask() -> Continue {
    let due = WATCH.with_borrow_mut(|watch| {
        if watch.quiet > 0 {
            return Err(Continue::Yes);
        }
        if watch.is_stopped {
            return Err(Continue::Stop);
        }
        let is_due = |asked: Stopwatch| cfg!(test) || asked.millis() >= EVERY_MS;
        if !watch.asked.is_none_or(is_due) {
            return Err(Continue::Yes);
        }
        let hook = watch.hook.take().ok_or(Continue::Yes)?;
        Ok((hook, watch.guises.clone()))
    });
    let (hook, guises) = match due {
        Ok(due) => due,
        Err(answer) => return answer,
    };
    let mut asking = Asking { hook: Some(hook), guises };
    asking.guises.iter().rev().for_each(|guise| guise.put_off());
    let answer = asking.hook.as_mut().map_or(Continue::Yes, |hook| hook());
    drop(asking);
    WATCH.with_borrow_mut(|watch| watch.is_stopped |= answer == Continue::Stop);
    answer
}

/// While somebody is asked; afterwards all is as before, also when he panics.
struct Asking {
    hook: Option<Hook>,
    guises: Vec<Rc<dyn Guise>>,
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.guises.iter().for_each(|guise| guise.put_on());
        WATCH.with_borrow_mut(|watch| {
            watch.hook = self.hook.take();
            watch.asked = Some(clock::start());
        });
    }
}

/// What a thread has put on for its work, and whoever is asked must not have.
pub(crate) trait Guise {
    /// As it was before.
    fn put_off(&self);
    /// For the work again.
    fn put_on(&self);
}

/// Somebody has put something on, for as long as this lives.
#[must_use = "it is put off when this is dropped"]
pub(crate) struct Worn(Rc<dyn Guise>);

/// Puts something off while somebody is asked. What is put on last goes first.
pub(crate) fn worn(guise: Rc<dyn Guise>) -> Worn {
    WATCH.with_borrow_mut(|watch| watch.guises.push(Rc::clone(&guise)));
    Worn(guise)
}

impl Drop for Worn {
    fn drop(&mut self) {
        WATCH.with_borrow_mut(|watch| watch.guises.retain(|guise| !Rc::ptr_eq(guise, &self.0)));
    }
}

/// Nobody is asked while this lives, and nothing ends.
#[must_use = "somebody is asked again when this is dropped"]
#[derive(Debug)]
pub(crate) struct Quiet(PhantomData<*const ()>);

/// For the time that something is locked for writing, or half written.
pub(crate) fn quiet() -> Quiet {
    WATCH.with_borrow_mut(|watch| watch.quiet += 1);
    Quiet(PhantomData)
}

impl Drop for Quiet {
    fn drop(&mut self) {
        WATCH.with_borrow_mut(|watch| watch.quiet = watch.quiet.saturating_sub(1));
    }
}

/// The error of a call that was stopped.
pub(crate) fn cancelled() -> Error {
    Error::new(ErrorKind::Cancelled, "the run was stopped")
        .hint("nothing is half done or lost: the next run does what is left")
}

/// The cause of an error of input or output that is none.
#[derive(Debug)]
pub(crate) struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the run was stopped")
    }
}

impl std::error::Error for Stopped {}

/// Whether that is all that was wrong.
pub(crate) fn is_stop(cause: &std::io::Error) -> bool {
    cause.get_ref().is_some_and(|cause| cause.is::<Stopped>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting(stop_at: usize) -> (Rc<Cell<usize>>, impl FnMut() -> Continue + 'static) {
        let count = Rc::new(Cell::new(0));
        let own = Rc::clone(&count);
        let hook = move || {
            own.set(own.get() + 1);
            if own.get() == stop_at { Continue::Stop } else { Continue::Yes }
        };
        (count, hook)
    }

    #[test]
    fn a_stop_is_final_and_nobody_is_asked_after_it() {
        let (count, hook) = counting(2);
        assert!(check().is_ok());
        watched(hook, || {
            assert!(check().is_ok());
            let stopped = check().map_err(|error| error.kind());
            assert_eq!(stopped, Err(ErrorKind::Cancelled));
            assert!(is_stopped() && check().is_err() && check_io().is_err_and(|cause| is_stop(&cause)));
            let cause = check_io().err().map(|cause| Error::io("read", "/x", cause).kind());
            assert_eq!(cause, Some(ErrorKind::Cancelled));
        });
        assert_eq!(count.get(), 2);
        assert!(check().is_ok() && !is_stopped(), "nobody waits any more");
    }

    #[test]
    fn nobody_is_asked_while_it_is_quiet() {
        let (count, hook) = counting(1);
        watched(hook, || {
            let quiet = quiet();
            assert!(check().is_ok());
            assert_eq!(count.get(), 0);
            drop(quiet);
            assert!(check().is_err());
            let _quiet = super::quiet();
            assert!(check().is_ok(), "what is half written is written");
        });
    }

    #[test]
    fn each_call_has_its_own_hook_also_within_a_hook() {
        let (inner, own) = counting(1);
        let mut own = Some(own);
        let outer = move || {
            let Some(own) = own.take() else { return Continue::Yes };
            watched(own, || assert!(check().is_err()));
            Continue::Yes
        };
        watched(outer, || {
            let _quiet_afterwards = check().map(|()| quiet());
            assert_eq!(inner.get(), 1);
            assert!(!is_stopped());
        });
    }

    #[test]
    fn what_is_worn_is_put_off_while_somebody_is_asked() {
        struct Coat(Rc<RefCell<String>>);
        impl Guise for Coat {
            fn put_off(&self) {
                self.0.borrow_mut().push_str("off ");
            }
            fn put_on(&self) {
                self.0.borrow_mut().push_str("on ");
            }
        }
        let said = Rc::new(RefCell::new(String::new()));
        let own = Rc::clone(&said);
        let hook = move || {
            own.borrow_mut().push_str("asked ");
            Continue::Yes
        };
        watched(hook, || {
            let coat = worn(Rc::new(Coat(Rc::clone(&said))));
            assert!(check().is_ok());
            drop(coat);
            assert!(check().is_ok());
        });
        assert_eq!(*said.borrow(), "off asked on asked ");
    }

    #[test]
    fn a_panic_leaves_nothing_behind() {
        let (count, hook) = counting(1);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            watched(hook, || {
                let _quiet = quiet();
                panic!("in the midst of it");
            });
        }));
        assert!(panicked.is_err() && check().is_ok());
        let (asked, mut bad) = (Rc::new(Cell::new(0)), true);
        let own = Rc::clone(&asked);
        let hook = move || {
            own.set(own.get() + 1);
            if std::mem::take(&mut bad) {
                panic!("a hook may");
            }
            Continue::Yes
        };
        watched(hook, || {
            let panicked = std::panic::catch_unwind(check);
            assert!(panicked.is_err() && check().is_ok());
        });
        assert_eq!((count.get(), asked.get()), (0, 2));
    }

    #[test]
    fn sqlite_looks_while_it_works() -> rusqlite::Result<()> {
        let connection = rusqlite::Connection::open_in_memory()?;
        attend(&connection)?;
        let long = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 300000) SELECT sum(x) FROM n";
        let sum = |hook: fn() -> Continue| {
            watched(hook, || connection.query_row(long, [], |row| row.get::<_, i64>(0)))
        };
        assert_eq!(sum(|| Continue::Yes), Ok(45_000_150_000));
        let code = sum(|| Continue::Stop).map_err(|cause| cause.sqlite_error_code());
        assert_eq!(code, Err(Some(rusqlite::ErrorCode::OperationInterrupted)));
        Ok(())
    }
}
