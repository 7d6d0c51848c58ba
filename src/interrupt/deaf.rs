//! Threads of ours take no signals. The kernel gives a signal to any thread that takes it, and a handler of somebody's, as
//! PHP's, works on what belongs to the thread that he thinks he is in.

#![expect(unsafe_code, reason = "the mask of a thread")]

use std::mem::MaybeUninit;
use std::ptr;

use libc::{SIG_BLOCK, SIG_SETMASK, c_int, sigset_t};

/// What a thread does to itself is not kept from it.
const OWN: [c_int; 7] =
    [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS, libc::SIGABRT];

/// Signals that come while this lives wait for the thread that made it; threads that it starts meanwhile never take any.
#[must_use = "signals are taken again when this is dropped"]
pub(crate) struct Deaf(sigset_t);

/// For the moment in which threads are started.
pub(crate) fn deaf() -> Deaf {
    let (mut all, mut before) = (MaybeUninit::<sigset_t>::uninit(), MaybeUninit::<sigset_t>::zeroed());
    // SAFETY: both sets are ours and live; the first is filled before it is changed or read, the second is one of nothing until
    // it is filled. Every number is one of a signal.
    let before = unsafe {
        libc::sigfillset(all.as_mut_ptr());
        for signal in OWN {
            libc::sigdelset(all.as_mut_ptr(), signal);
        }
        libc::pthread_sigmask(SIG_BLOCK, all.as_ptr(), before.as_mut_ptr());
        before.assume_init()
    };
    Deaf(before)
}

impl Drop for Deaf {
    fn drop(&mut self) {
        // SAFETY: the set is live and was filled by the system.
        unsafe { libc::pthread_sigmask(SIG_SETMASK, &raw const self.0, ptr::null_mut()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether this thread takes a signal.
    fn takes(signal: c_int) -> bool {
        let mut mask = MaybeUninit::<sigset_t>::zeroed();
        // SAFETY: without a set nothing is changed, and the mask is filled.
        unsafe {
            libc::pthread_sigmask(SIG_BLOCK, ptr::null(), mask.as_mut_ptr());
            libc::sigismember(mask.as_ptr(), signal) == 0
        }
    }

    #[test]
    fn threads_take_no_signals_and_who_starts_them_does() {
        let asked = [libc::SIGTERM, libc::SIGALRM, libc::SIGPROF, libc::SIGSEGV];
        std::thread::scope(|threads| {
            let deaf = deaf();
            let inside = threads.spawn(move || asked.map(takes));
            drop(deaf);
            assert_eq!(inside.join().unwrap(), [false, false, false, true]);
        });
        assert_eq!(asked.map(takes), [true; 4]);
    }
}
