//! A well-known sample database, diverged on two sides: foreign keys stay intact.
//!
//! Apart from `job`, which is made for measuring: this one is somebody else's schema, self-reference included. The
//! file is looked for beside the project and never copied into it; without it the test says so and passes.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::common::{World, assert_converged, assert_settled, check_side, conflict_lines};

fn sample() -> Option<PathBuf> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/chinook.sqlite");
    if !file.is_file() {
        println!("skipped: no sample database at {}", file.display());
        return None;
    }
    Some(file)
}

#[test]
fn chinook_diverges_and_comes_together() {
    let Some(file) = sample() else { return };
    let world = World::two();
    std::fs::copy(&file, world.path("central")).unwrap();
    let mut permissions = std::fs::metadata(world.path("central")).unwrap().permissions();
    #[expect(clippy::permissions_set_readonly_false, reason = "a scratch copy of a read-only file")]
    permissions.set_readonly(false);
    std::fs::set_permissions(world.path("central"), permissions).unwrap();
    let first = world.sync();
    assert_eq!(first["conflicts"], json!(0), "{first:#}");
    assert_converged(&world);

    let album = |artist: &str, title: &str, track: &str| {
        format!(
            "INSERT INTO Artist(Name) VALUES('{artist}');
             INSERT INTO Album(Title, ArtistId) VALUES('{title}', last_insert_rowid());
             INSERT INTO Track(Name, AlbumId, MediaTypeId, GenreId, Composer, Milliseconds, Bytes, UnitPrice)
                 SELECT '{track}', AlbumId, 1, 1, NULL, 1000, 10, 0.99 FROM Album WHERE Title = '{title}';
             INSERT INTO PlaylistTrack(PlaylistId, TrackId)
                 SELECT 1, TrackId FROM Track WHERE Name = '{track}';"
        )
    };
    world.edit("bot", &album("Bot Artist", "Bot Album", "Bot Track"));
    world.edit("central", &album("Central Artist", "Central Album", "Central Track"));
    world.edit(
        "bot",
        "UPDATE Customer SET Email = 'bot@example.org' WHERE CustomerId <= 10;
         UPDATE Employee SET Title = 'Manager' WHERE EmployeeId = 3;
         INSERT INTO Employee(LastName, FirstName, ReportsTo) VALUES('Bot', 'New', 3);
         DELETE FROM InvoiceLine WHERE InvoiceId = 5; DELETE FROM Invoice WHERE InvoiceId = 5;
         UPDATE Track SET Composer = 'bot' WHERE TrackId BETWEEN 1 AND 20;",
    );
    world.edit(
        "central",
        "UPDATE Customer SET Phone = '+1' WHERE CustomerId <= 10;
         UPDATE Employee SET City = 'Oslo' WHERE EmployeeId = 3;
         INSERT INTO Employee(LastName, FirstName, ReportsTo) VALUES('Central', 'New', 3);
         INSERT INTO Employee(LastName, FirstName, ReportsTo) VALUES('Central', 'Junior', last_insert_rowid());
         DELETE FROM PlaylistTrack WHERE PlaylistId = 3;
         UPDATE Track SET Composer = 'central' WHERE TrackId BETWEEN 16 AND 25;
         UPDATE InvoiceLine SET Quantity = 9 WHERE InvoiceLineId = 25;",
    );
    let report = world.sync();
    assert_eq!(report["ok"], json!(true), "{report:#}");
    let lines = conflict_lines(&world);
    assert_eq!(
        lines.iter().filter(|line| line.starts_with("Track update_update [Composer]")).count(),
        5,
        "{lines:#?}"
    );
    assert_converged(&world);
    for side in ["bot", "central"] {
        check_side(&world, side, "PRAGMA foreign_key_check", &[]);
        check_side(
            &world,
            side,
            "SELECT Artist.Name, Title, Track.Name, PlaylistId FROM Artist JOIN Album USING(ArtistId) \
             JOIN Track USING(AlbumId) JOIN PlaylistTrack USING(TrackId) \
             WHERE Title IN ('Bot Album', 'Central Album')",
            &["'Bot Artist' 'Bot Album' 'Bot Track' 1", "'Central Artist' 'Central Album' 'Central Track' 1"],
        );
        check_side(
            &world,
            side,
            "SELECT e.LastName, e.FirstName, boss.LastName FROM Employee e \
             JOIN Employee boss ON boss.EmployeeId = e.ReportsTo WHERE e.FirstName IN ('New', 'Junior')",
            &["'Bot' 'New' 'Peacock'", "'Central' 'Junior' 'Central'", "'Central' 'New' 'Peacock'"],
        );
        // The line that central works on survives, and its invoice comes back for it.
        check_side(
            &world,
            side,
            "SELECT InvoiceId, InvoiceLineId, Quantity FROM Invoice JOIN InvoiceLine USING(InvoiceId) WHERE InvoiceId = 5",
            &["5 25 9"],
        );
        check_side(
            &world,
            side,
            "SELECT Title, City FROM Employee WHERE EmployeeId = 3",
            &["'Manager' 'Oslo'"],
        );
        check_side(
            &world,
            side,
            "SELECT count(*) FROM Customer WHERE Email = 'bot@example.org' AND Phone = '+1'",
            &["10"],
        );
        check_side(&world, side, "SELECT count(*) FROM PlaylistTrack WHERE PlaylistId = 3", &["0"]);
        check_side(
            &world,
            side,
            "SELECT Composer, count(*) FROM Track WHERE TrackId <= 25 AND Composer IN ('bot', 'central') GROUP BY 1",
            &["'bot' 15", "'central' 10"],
        );
    }
    assert_settled(&world);
}
