//! Stopping a run at the system calls that write: to kill it there, or to let the call fail.
//!
//! Apart from the tests, which say what must be so afterwards. The child is this program again. A seccomp filter, put
//! in by the child itself, stops it at calls that write and at no others, so that it runs at full speed in between.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use cr0sync::Config;
use nix::sys::ptrace::{self, Event};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
use serde::Serialize;

/// Tells the child which configuration to run.
pub(crate) const CHILD: &str = "CR0SYNC_CRASH_CONFIG";

/// Calls that change what a disk holds, or promise that it does; the number of the argument that is a path, if one is.
const WRITING: &[(libc::c_long, Option<usize>)] = &[
    (libc::SYS_write, None),
    (libc::SYS_pwrite64, None),
    (libc::SYS_writev, None),
    (libc::SYS_pwritev, None),
    (libc::SYS_fsync, None),
    (libc::SYS_fdatasync, None),
    (libc::SYS_ftruncate, None),
    (libc::SYS_fallocate, None),
    (libc::SYS_fchmod, None),
    (libc::SYS_fchown, None),
    (libc::SYS_utimensat, None),
    (libc::SYS_unlinkat, Some(1)),
    (libc::SYS_symlinkat, Some(2)),
    (libc::SYS_mkdirat, Some(1)),
    (libc::SYS_renameat2, Some(3)),
    (libc::SYS_renameat, Some(3)),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_unlink, Some(0)),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_symlink, Some(1)),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_mkdir, Some(0)),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_rename, Some(1)),
];

/// What happens to the run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Blow {
    /// It is killed before the call.
    Death,
    /// The call writes up to a page of the file, where a kernel stops, and then it is killed. One that writes no page's
    /// end, or does not write, is its death.
    #[allow(dead_code, reason = "databases are written page by page")]
    Torn,
    /// The call fails with this error, the later ones do not.
    Once(i32),
    /// The call fails with this error, and so does each later one that would need the disk.
    FromThenOn(i32),
}

/// How a run ended.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// It came to its call. The file that the call was about.
    Struck(String),
    /// It had fewer calls than that.
    Finished,
    /// This machine does not let us trace.
    NotAllowed,
}

/// Whose run it is.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) groups: Vec<u32>,
}

impl User {
    /// A program that runs as this user.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        // std cannot set supplementary groups.
        let mut command = Command::new("setpriv");
        let groups: Vec<String> = self.groups.iter().map(u32::to_string).collect();
        command
            .arg(format!("--reuid={}", self.uid))
            .arg(format!("--regid={}", self.gid))
            .arg(format!("--groups={}", groups.join(",")))
            .arg("--")
            .arg(program);
        command
    }
}

/// What the child does with its configuration; on its own it does nothing.
pub(crate) fn child<R: Serialize>(run: impl FnOnce(&Config) -> cr0sync::Result<R>) {
    let Some(config) = std::env::var_os(CHILD) else { return };
    let config = Config::load(Some(Path::new(&config)), None).unwrap();
    // Whoever traces this thread must know it, and says when to go on.
    println!("\nthread {}", std::fs::read_link("/proc/thread-self").unwrap().display());
    std::io::stdin().lock().read_line(&mut String::new()).unwrap();
    seccompiler::apply_filter(&filter()).unwrap();
    match run(&config) {
        Ok(report) => println!("\nreport {}", serde_json::to_string(&report).unwrap()),
        Err(error) => println!("\nerror {:?} {error}", error.kind()),
    }
}

fn filter() -> BpfProgram {
    let mut rules: std::collections::BTreeMap<i64, Vec<SeccompRule>> =
        WRITING.iter().map(|(call, _)| (*call, Vec::new())).collect();
    let creates = u64::from(libc::O_CREAT.unsigned_abs());
    let creating =
        SeccompCondition::new(2, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(creates), creates);
    rules.insert(libc::SYS_openat, vec![SeccompRule::new(vec![creating.unwrap()]).unwrap()]);
    let arch = std::env::consts::ARCH.try_into().unwrap();
    SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Trace(0), arch)
        .unwrap()
        .try_into()
        .unwrap()
}

/// Runs the child as a user, and strikes at its `n`th writing call, counted from 1. What it said is given back as well.
pub(crate) fn run_until(config: &Path, user: Option<&User>, n: usize, blow: Blow) -> (End, String) {
    let program = std::env::current_exe().unwrap();
    let mut command = user.map_or_else(|| Command::new(&program), |user| user.command(&program));
    let mut child = command
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(CHILD, config)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut words = BufReader::new(child.stdout.take().unwrap());
    let end = trace(&mut child, &mut words, n, blow);
    let is_deadly = matches!(blow, Blow::Death | Blow::Torn);
    let killed = is_deadly && end != End::Finished || end == End::NotAllowed;
    let mut said = String::new();
    if killed {
        let _ = child.kill();
    } else {
        // Let it say its last words, and end by itself.
        words.read_to_string(&mut said).unwrap();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    }
    let status = child.wait().unwrap();
    assert!(killed || status.success(), "the run died by itself: {status}\n{said}");
    (end, said)
}

fn trace(child: &mut Child, words: &mut impl BufRead, n: usize, blow: Blow) -> End {
    let mut line = String::new();
    let thread = loop {
        line.clear();
        assert!(words.read_line(&mut line).unwrap() > 0, "the child says nothing");
        if let Some(link) = line.trim_end().strip_prefix("thread ") {
            break Pid::from_raw(link.rsplit('/').next().unwrap().parse().unwrap());
        }
    };
    if ptrace::seize(thread, ptrace::Options::PTRACE_O_TRACESECCOMP).is_err() {
        return End::NotAllowed;
    }
    child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    let (mut calls, mut struck) = (0, None);
    loop {
        let signal = match waitpid(thread, Some(WaitPidFlag::__WALL)) {
            Ok(WaitStatus::PtraceEvent(_, _, event)) if event == Event::PTRACE_EVENT_SECCOMP as i32 => {
                let call = Call::of(thread);
                if !call.is_talk() {
                    calls += 1;
                }
                let error = match blow {
                    Blow::Once(error) if calls == n => Some(error),
                    Blow::FromThenOn(error) if calls >= n && call.needs_room() => Some(error),
                    _ => None,
                };
                if !call.is_talk() && calls >= n {
                    let file = struck.get_or_insert_with(|| call.file.clone());
                    let is_over = match blow {
                        Blow::Death => true,
                        Blow::Torn => calls > n || !cut(&call, thread),
                        Blow::Once(_) | Blow::FromThenOn(_) => false,
                    };
                    if is_over {
                        child.kill().unwrap();
                        // A traced thread is gone only when its tracer has seen that.
                        while matches!(waitpid(thread, Some(WaitPidFlag::__WALL)), Ok(status) if !is_end(status))
                        {
                        }
                        return End::Struck(std::mem::take(file));
                    }
                }
                if let Some(error) = error.filter(|_| !call.is_talk()) {
                    fail(thread, error);
                }
                None
            }
            Ok(status) if is_end(status) => break,
            Err(_) => break,
            Ok(WaitStatus::Stopped(_, Signal::SIGTRAP)) => None,
            Ok(WaitStatus::Stopped(_, signal)) => Some(signal),
            Ok(_) => None,
        };
        if ptrace::cont(thread, signal).is_err() {
            break;
        }
    }
    struck.map_or(End::Finished, End::Struck)
}

fn is_end(status: WaitStatus) -> bool {
    matches!(status, WaitStatus::Exited(..) | WaitStatus::Signaled(..))
}

/// Whether calls can be made to fail here.
pub(crate) const CAN_FAIL: bool = cfg!(target_arch = "x86_64");

/// Lets the call that a thread is about to make fail.
#[cfg(target_arch = "x86_64")]
fn fail(thread: Pid, error: i32) {
    let mut registers = ptrace::getregs(thread).unwrap();
    registers.orig_rax = u64::MAX;
    registers.rax = u64::from_ne_bytes(i64::from(-error).to_ne_bytes());
    ptrace::setregs(thread, registers).unwrap();
}

#[cfg(not(target_arch = "x86_64"))]
fn fail(_: Pid, _: i32) {
    unreachable!("asked for only where CAN_FAIL");
}

/// Lets the write that a thread is about to make stop at the end of a page of its file, near the middle; whether it can.
#[cfg(target_arch = "x86_64")]
fn cut(call: &Call, thread: Pid) -> bool {
    const PAGE: u64 = 4096;
    let mut registers = ptrace::getregs(thread).unwrap();
    let start = match call.number {
        libc::SYS_pwrite64 => registers.r10,
        libc::SYS_write => call.position,
        _ => return false,
    };
    let middle = start + registers.rdx / 2;
    let ends = [middle.next_multiple_of(PAGE), middle / PAGE * PAGE];
    let Some(end) = ends.into_iter().find(|end| *end > start && *end < start + registers.rdx) else {
        return false;
    };
    registers.rdx = end - start;
    ptrace::setregs(thread, registers).is_ok()
}

#[cfg(not(target_arch = "x86_64"))]
fn cut(_: &Call, _: Pid) -> bool {
    false
}

/// A call that a thread is about to make.
struct Call {
    number: libc::c_long,
    descriptor: u64,
    file: String,
    /// Where in its file it would write; 0 where it has a path.
    position: u64,
}

impl Call {
    fn of(thread: Pid) -> Call {
        // The kernel's own words: the number of the call and its arguments.
        let text = std::fs::read_to_string(format!("/proc/{thread}/syscall")).unwrap();
        let mut words = text.split_ascii_whitespace();
        let number: libc::c_long = words.next().unwrap().parse().unwrap();
        let arguments: Vec<u64> =
            words.map(|word| u64::from_str_radix(word.trim_start_matches("0x"), 16).unwrap()).collect();
        let path = match number {
            libc::SYS_openat => Some(1),
            _ => WRITING.iter().find(|(call, _)| *call == number).and_then(|(_, path)| *path),
        };
        let file = match path {
            Some(argument) => string_at(thread, arguments[argument]),
            None => std::fs::read_link(format!("/proc/{thread}/fd/{}", arguments[0]))
                .map(|file| file.display().to_string())
                .unwrap_or_default(),
        };
        let position = if path.is_none() { position(thread, arguments[0]) } else { 0 };
        Call { number, descriptor: arguments[0], file, position }
    }

    /// What the child says to us is none of a disk's business.
    fn is_talk(&self) -> bool {
        matches!(self.number, libc::SYS_write | libc::SYS_writev) && matches!(self.descriptor, 1 | 2)
    }

    /// Whether a full disk lets the call fail.
    fn needs_room(&self) -> bool {
        #[cfg(target_arch = "x86_64")]
        if self.number == libc::SYS_unlink {
            return false;
        }
        !matches!(self.number, libc::SYS_unlinkat | libc::SYS_fchmod | libc::SYS_fchown | libc::SYS_utimensat)
    }
}

/// Where a descriptor of a thread writes next: at its file's end, where it was opened for that.
fn position(thread: Pid, descriptor: u64) -> u64 {
    let about = std::fs::read_to_string(format!("/proc/{thread}/fdinfo/{descriptor}")).unwrap_or_default();
    let word = |name: &str| about.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let flags = word("flags:").and_then(|flags| i32::from_str_radix(flags, 8).ok()).unwrap_or(0);
    if flags & libc::O_APPEND != 0 {
        return std::fs::metadata(format!("/proc/{thread}/fd/{descriptor}")).map_or(0, |file| file.len());
    }
    word("pos:").and_then(|at| at.parse().ok()).unwrap_or(0)
}

fn string_at(thread: Pid, address: u64) -> String {
    let mut bytes = vec![0; 4096];
    let memory = std::fs::File::open(format!("/proc/{thread}/mem")).unwrap();
    let length = memory.read_at(&mut bytes, address).unwrap_or(0);
    let end = bytes[..length].iter().position(|byte| *byte == 0).unwrap_or(length);
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
