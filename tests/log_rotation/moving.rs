//! Names that move while they are looked at: somebody renames or packs rotated files at this very moment.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::{World, temporary};
use crate::logs::around::Around;
use crate::logs::file::Access;
use crate::logs::find::{Shelf, shelf};
use crate::logs::plan::Stop;

/// As if nothing had changed in a directory for long.
fn age(directory: &Path) {
    let then = SystemTime::UNIX_EPOCH + Duration::new(1_750_000_000, 123_456_789);
    File::open(directory).unwrap().set_modified(then).unwrap();
}

fn names(shelf: &Shelf) -> Vec<String> {
    let all = shelf.rotated.iter().chain(&shelf.live);
    all.map(|file| file.path.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

#[test]
fn what_was_listed_and_has_another_name_by_now_is_found() {
    for packed in [false, true] {
        let world = World::new(&temporary(), &["bot"], json!({}));
        let (path, directory) = (world.path("bot"), world.dir.path().join("bot"));
        let at = |end: &str| directory.join(format!("x.log{end}"));
        world.append("bot", "live\n");
        fs::write(at(".1"), "older\n").unwrap();
        let around = Around::of(&world.config);
        age(&directory);
        around.names(&directory).unwrap();
        let expected = if packed {
            let file = File::create(at(".1.gz")).unwrap();
            let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
            std::io::Write::write_all(&mut encoder, b"older\n").unwrap();
            encoder.finish().unwrap();
            fs::remove_file(at(".1")).unwrap();
            ["x.log.1.gz", "x.log"]
        } else {
            fs::rename(at(".1"), at(".2")).unwrap();
            ["x.log.2", "x.log"]
        };
        // The clock of the file system stands still.
        age(&directory);
        let found = shelf(&path, Access::Read, &around).unwrap();
        assert_eq!(names(&found), expected);
    }
}

/// How many files there are beside the live one.
const FILES: usize = 6;
const LOOKS: usize = 3000;

/// Each file holds a number, one more than that of the one before.
fn shift(directory: &Path, number: usize) {
    let at = |n: usize| directory.join(format!("x.log.{n}"));
    let _ = fs::remove_file(at(FILES));
    for n in (1..FILES).rev() {
        let _ = fs::rename(at(n), at(n + 1));
    }
    let _ = fs::rename(directory.join("x.log"), at(1));
    fs::write(directory.join("made"), format!("{number}\n")).unwrap();
    fs::rename(directory.join("made"), directory.join("x.log")).unwrap();
}

#[test]
fn while_files_are_shifted_none_is_found_twice_or_missed() {
    let world = World::new(&temporary(), &["bot"], json!({}));
    let (path, directory) = (world.path("bot"), world.dir.path().join("bot"));
    (0..=FILES).for_each(|number| shift(&directory, number));
    let done = AtomicBool::new(false);
    let (found, waited) = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = FILES + 1;
            while !done.load(Ordering::Relaxed) {
                shift(&directory, number);
                number += 1;
                std::thread::yield_now();
            }
        });
        let around = Around::of(&world.config);
        let (mut found, mut waited) = (Vec::new(), 0);
        for _ in 0..LOOKS {
            match shelf(&path, Access::Read, &around) {
                Ok(shelf) => found.push(
                    shelf
                        .rotated
                        .iter()
                        .chain(&shelf.live)
                        .map(|file| {
                            let mut text = String::new();
                            file.reader(0).unwrap().read_to_string(&mut text).unwrap();
                            text.trim().parse::<usize>().unwrap()
                        })
                        .collect::<Vec<_>>(),
                ),
                Err(Stop::Wait(_)) => waited += 1,
                Err(why) => panic!("{why:?}"),
            }
        }
        done.store(true, Ordering::Relaxed);
        (found, waited)
    });
    println!("{} looks, {waited} of them in vain", found.len() + waited);
    for numbers in found {
        let is_whole = numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]);
        assert!(is_whole && numbers.len() + 2 > FILES, "{numbers:?}");
    }
}

#[test]
fn a_source_may_have_its_rotated_files_elsewhere() {
    let mut world = World::new(&temporary(), &["bot", "website"], json!({}));
    let old = world.dir.path().join("old");
    world.config.logs.get_mut("x").unwrap().olddirs.insert("bot".to_owned(), old.clone());
    fs::create_dir(&old).unwrap();
    world.append("bot", "1\n2\n");
    world.merge();
    for n in 0..3 {
        world.append("bot", &format!("late {n}\n"));
        fs::rename(world.path("bot"), old.join(format!("x.log-2031071{n}"))).unwrap();
        world.append("bot", &format!("new {n}\n"));
        if n != 1 {
            world.merge();
        }
    }
    let all = "1\n2\nlate 0\nnew 0\nlate 1\nnew 1\nlate 2\nnew 2\n";
    assert_eq!((world.archive().as_str(), world.read("website").as_str()), (all, all));

    // Not mounted: nothing in it is taken for gone.
    world.append("bot", "last of it\n");
    fs::rename(world.path("bot"), old.join("x.log-20310714")).unwrap();
    world.append("bot", "3\n");
    let away = world.dir.path().join("away");
    fs::rename(&old, &away).unwrap();
    let report = crate::logs::merge(&world.config, &crate::logs::Options::default()).unwrap();
    let told = report.logs["x"].warnings.join("\n");
    assert!(told.contains("bot is passed over") && told.contains(old.to_str().unwrap()), "{told}");
    let status = crate::logs::status(&world.config, &crate::logs::Options::default()).unwrap();
    let problem = status.logs["x"].sides["bot"].problem.clone().unwrap();
    assert!(problem.contains("a mount may be missing"), "{problem}");
    fs::rename(&away, &old).unwrap();
    world.merge();
    let all = format!("{all}last of it\n3\n");
    assert_eq!((world.archive(), world.read("website")), (all.clone(), all));
}
