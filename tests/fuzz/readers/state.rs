//! The blobs of the state database, as somebody may have broken them.
//!
//! Apart from `files`, which breaks the files that they lie in.

use std::path::Path;

use crate::Config;
use crate::database::Secrets;
use crate::database::codec::{Decoder, Encoder};
use crate::database::json;
use crate::database::record::{self, Intent};
use crate::database::store::{self, ConflictRows, StoredConflict};
use crate::database::value::Value;

/// The first byte says which reader is meant.
pub fn state(bytes: &[u8]) {
    let Some((kind, blob)) = bytes.split_first() else { return };
    match kind % 6 {
        0 => intent(blob),
        1 => overlay(blob),
        2 => conflict(blob),
        3 => touched(blob),
        4 => row(blob),
        _ => write(blob),
    }
}

pub(super) fn spell(intent: &Intent) -> Vec<u8> {
    let mut blob = Vec::new();
    record::encode(intent, &mut |part| blob.extend_from_slice(part));
    blob
}

fn intent(blob: &[u8]) {
    let Ok(intent) = record::decode(blob) else { return };
    let _ = intent.writes_anything();
    assert_eq!(record::decode(&spell(&intent)).as_ref(), Ok(&intent));
}

fn overlay(blob: &[u8]) {
    let Ok(overlay) = store::decode_overlay("t".to_owned(), blob) else { return };
    let again = store::decode_overlay("t".to_owned(), &store::encode_overlay(&overlay));
    assert_eq!(again.as_ref(), Ok(&overlay));
}

fn conflict(blob: &[u8]) {
    let Ok(rows) = store::decode_conflict_rows(blob) else { return };
    assert_eq!(store::decode_conflict_rows(&store::encode_conflict_rows(&rows)).as_ref(), Ok(&rows));
    shown(rows);
}

/// What a person sees of a conflict.
fn shown(rows: ConflictRows) {
    let word = || "word".into();
    let conflict = StoredConflict {
        number: 1,
        database: word(),
        table: word(),
        kind: word(),
        winner: word(),
        reason: word(),
        status: word(),
        run: word(),
        at: word(),
        rows,
    };
    let config = Config::parse(b"{}", Path::new("/srv"), None).expect("the shipped configuration");
    for secrets in [Secrets::Redact, Secrets::Show] {
        let shown = json::conflict(conflict.clone(), &json::Secrecy::new(&config, secrets));
        serde_json::to_string(&shown).expect("a report is JSON");
    }
}

fn touched(blob: &[u8]) {
    let Ok(touched) = store::decode_touched(blob) else { return };
    assert_eq!(store::decode_touched(&store::encode_touched(&touched)).as_ref(), Ok(&touched));
}

fn row(blob: &[u8]) {
    let Ok(row) = Decoder::new(blob).and_then(|mut decoder| decoder.row()) else { return };
    let mut encoder = Encoder::new();
    encoder.row(&row);
    assert_eq!(Decoder::new(&encoder.finish()).and_then(|mut decoder| decoder.row()).as_ref(), Ok(&row));
    for pair in row.windows(2) {
        ordered(&pair[0], &pair[1]);
    }
}

/// The orders that sorting relies on.
fn ordered(a: &Value, b: &Value) {
    assert_eq!(a.sql_cmp(b), b.sql_cmp(a).reverse(), "{a:?} {b:?}");
    assert_eq!(a.sql_cmp(b).is_eq(), a == b, "{a:?} {b:?}");
}

fn write(blob: &[u8]) {
    let Ok(write) = Decoder::new(blob).and_then(|mut decoder| decoder.write()) else { return };
    let mut encoder = Encoder::new();
    encoder.write(&write);
    let again = Decoder::new(&encoder.finish()).and_then(|mut decoder| decoder.write());
    assert_eq!(again.as_ref(), Ok(&write));
}
