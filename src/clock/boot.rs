//! The clock that has run since the machine was started, asleep or not, and that nobody can set. std does not offer it.
//!
//! Read through the C library: what reads the kernel's page of clocks by itself ends a process in which there is no such
//! page, as under a memory checker.
#![expect(unsafe_code, reason = "std has no such clock")]

/// Nanoseconds since then.
pub(super) fn nanoseconds() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call fills the structure that it is given, which is ours and lives.
    let done = unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut now) };
    if done != 0 {
        // There is no Linux without it.
        return 0;
    }
    let (seconds, rest) = (u64::try_from(now.tv_sec).unwrap_or(0), u64::try_from(now.tv_nsec).unwrap_or(0));
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}
