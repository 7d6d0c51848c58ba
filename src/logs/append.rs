//! Appends to one file.
//!
//! Whatever others append meanwhile stays whole: every write goes to the end, and ends with a line wherever it can.

use std::io::{self, Seek, Write};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use sha2::{Digest, Sha256};

use super::file::{BLOCK, LogFile, to_size};
use super::stream::{Stream, fill};
use super::writeback::Writeback;
use crate::hex::hex;
use crate::interrupt;

/// From so many bytes on digests are made beside the writing, by another thread.
const LARGE: u64 = 8 << 20;
/// So many blocks may wait for it.
const WAITING: usize = 4;

/// Whether digests of what is appended are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Digests,
    Nothing,
}

/// How much was appended.
#[derive(Default)]
pub(crate) struct Appended {
    pub(crate) bytes: u64,
    pub(crate) lines: u64,
}

/// One piece that was appended, without anything of others in it.
pub(crate) struct Run {
    /// Where in the file.
    pub(crate) start: u64,
    pub(crate) length: u64,
    /// How far behind the place that was asked for.
    pub(crate) place: u64,
    /// Empty where nobody wants to know.
    pub(crate) sha256: String,
}

/// Appends what a stream has behind a place. Whatever others append meanwhile stays whole: every write goes to the end,
/// and ends with a line wherever it can. `each` hears of every block: where in the file it begins, how long it is, and how
/// far behind the place that was asked for.
pub(crate) fn append(
    live: &LogFile,
    stream: &Stream,
    from: u64,
    digests: Wanted,
    runs: &mut Vec<Run>,
    written: &mut Appended,
    each: &mut dyn FnMut(u64, u64, u64) -> io::Result<()>,
) -> io::Result<u64> {
    let mut reader = stream.reader(from)?;
    let file = live.file();
    // What there is may be less than a block.
    let all = stream.length().saturating_sub(from);
    let mut digests = Digests::of(digests, all);
    let mut writeback = Writeback::of(file, all);
    let size = BLOCK.min(to_size(all));
    let mut block = vec![0; size];
    let (mut held, mut total) = (0, 0_u64);
    let first = runs.len();
    loop {
        held += fill(&mut reader, block.get_mut(held..).unwrap_or_default())?;
        let is_last = held < BLOCK;
        let cut = cut(block.get(..held).unwrap_or_default());
        let part = block.get(..cut).unwrap_or_default();
        if part.is_empty() {
            break;
        }
        let start = write_all(file, part, written)?;
        let length = u64::try_from(cut).unwrap_or(0);
        if let Some(writeback) = &mut writeback {
            writeback.appended(length);
        }
        each(start, length, total)?;
        written.lines += lines(part);
        match runs.get_mut(first..).and_then(<[Run]>::last_mut) {
            Some(run) if run.start + run.length == start => run.length += length,
            last => {
                if last.is_some() {
                    digests.close();
                }
                runs.push(Run { start, length, place: total, sha256: String::new() });
            }
        }
        total += length;
        let rest = block.get(cut..held).unwrap_or_default().to_vec();
        block = digests.take(block, cut, size);
        held = rest.len();
        block.get_mut(..held).unwrap_or_default().copy_from_slice(&rest);
        if is_last {
            break;
        }
    }
    writeback.map_or(Ok(()), Writeback::finish)?;
    for (run, digest) in runs.iter_mut().skip(first).zip(digests.finish()) {
        run.sha256 = digest;
    }
    Ok(total)
}

/// Writes a block; returns where it begins.
fn write_all(mut file: &std::fs::File, block: &[u8], written: &mut Appended) -> io::Result<u64> {
    let mut start = None;
    let mut rest = block;
    while !rest.is_empty() {
        let count = match file.write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => count,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
            Err(cause) => return Err(cause),
        };
        let length = u64::try_from(count).unwrap_or(0);
        written.bytes += length;
        // Where an append ends is where the file's own place is now.
        let begin = file.stream_position()? - length;
        start.get_or_insert(begin);
        rest = rest.get(count..).unwrap_or_default();
    }
    Ok(start.unwrap_or(0))
}

/// How many lines end in these bytes.
pub(crate) fn lines(bytes: &[u8]) -> u64 {
    u64::try_from(memchr::memchr_iter(b'\n', bytes).count()).unwrap_or(0)
}

/// How much of what was read for a block is written at once.
fn cut(read: &[u8]) -> usize {
    match memchr::memrchr(b'\n', read) {
        Some(at) if read.len() == BLOCK => at + 1,
        _ => read.len(),
    }
}

/// How long the block is that `append` writes at a place of a stream.
pub(crate) fn block_length(stream: &Stream, from: u64) -> io::Result<u64> {
    let mut block = vec![0; BLOCK.min(to_size(stream.length().saturating_sub(from)))];
    let had = fill(&mut stream.reader(from)?, &mut block)?;
    Ok(u64::try_from(cut(block.get(..had).unwrap_or_default())).unwrap_or(0))
}

/// Digests in the making.
enum Digests {
    None,
    Here(Box<Sha256>, Vec<String>),
    /// Made by a thread, which ends when nothing more can come.
    There(SyncSender<Message>, JoinHandle<Vec<String>>),
}

enum Message {
    Block(Vec<u8>, usize),
    Close,
}

impl Digests {
    fn of(wanted: Wanted, bytes: u64) -> Digests {
        match wanted {
            Wanted::Nothing => Digests::None,
            Wanted::Digests if bytes < LARGE => Digests::Here(Box::default(), Vec::new()),
            Wanted::Digests => {
                let (sender, messages) = sync_channel(WAITING);
                let made = move || {
                    let (mut digest, mut all) = (Sha256::new(), Vec::new());
                    for message in messages {
                        match message {
                            Message::Block(block, length) => {
                                digest.update(block.get(..length).unwrap_or_default())
                            }
                            Message::Close => all.push(hex(&std::mem::take(&mut digest).finalize())),
                        }
                    }
                    all.push(hex(&digest.finalize()));
                    all
                };
                let _deaf = interrupt::deaf();
                match std::thread::Builder::new().spawn(made) {
                    Ok(thread) => Digests::There(sender, thread),
                    // Where there can be no thread, it takes longer.
                    Err(_) => Digests::Here(Box::default(), Vec::new()),
                }
            }
        }
    }

    /// Takes the first bytes of a block in; returns a block to read into.
    fn take(&mut self, block: Vec<u8>, length: usize, size: usize) -> Vec<u8> {
        match self {
            Digests::None => block,
            Digests::Here(digest, _) => {
                digest.update(block.get(..length).unwrap_or_default());
                block
            }
            Digests::There(sender, _) => {
                // Fails only where the thread has died; then its digests are missing in the end.
                let _ = sender.send(Message::Block(block, length));
                vec![0; size]
            }
        }
    }

    /// One piece is complete.
    fn close(&mut self) {
        match self {
            Digests::None => {}
            Digests::Here(digest, all) => all.push(hex(&std::mem::take(&mut **digest).finalize())),
            Digests::There(sender, _) => drop(sender.send(Message::Close)),
        }
    }

    fn finish(self) -> Vec<String> {
        match self {
            Digests::None => Vec::new(),
            Digests::Here(digest, mut all) => {
                all.push(hex(&digest.finalize()));
                all
            }
            Digests::There(sender, thread) => {
                drop(sender);
                thread.join().unwrap_or_default()
            }
        }
    }
}
