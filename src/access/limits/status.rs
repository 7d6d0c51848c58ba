//! How it is with rate limits: the table, what each tier allows, and whom today's pages keep count of.
//!
//! Changes nothing, and makes no table where there is none. Who is in the table nobody can say, as it keeps nothing but digests:
//! a limit that is asked with a cost of 0 tells of one client.

use std::io;
use std::path::Path;

use super::super::record::stamp;
use super::clean;
use super::file::{self, Place};
use super::legacy;
use crate::clock;
use crate::config::Config;
use crate::durable::{self, Reading};
use crate::error::Result;
use crate::page::Page;
use crate::report::{RateClient, RateFileStatus, RateStatusReport, RateTableStatus, RateTier, SCHEMA};

/// So many clients are told of unless told.
const CLIENTS: usize = 100;
/// Longer names of clients are cut (characters).
const MAX_KEY: usize = 256;
/// A longer file is none that pages would read (bytes).
const MAX_FILE: u64 = 64 << 20;

/// Says how full the table is, what the tiers allow, and who is in `api_rate_limits.json`: of that a part, 100 unless told.
///
/// # Errors
/// [`crate::ErrorKind::Config`] where the root is not there. What cannot be read is told in the report.
pub fn status(config: &Config, page: Page) -> Result<RateStatusReport> {
    durable::root_directory(&config.root)?;
    let tiers = config.access.tiers.iter().map(|(name, tier)| {
        let (limit, period_seconds, burst) = (tier.limit, tier.period_seconds, tier.burst);
        (name.clone(), RateTier { limit, period_seconds, burst })
    });
    Ok(RateStatusReport {
        schema: SCHEMA,
        table: table(config),
        tiers: tiers.collect(),
        legacy: legacy(config, Page { limit: page.limit.or(Some(CLIENTS)), ..page }),
    })
}

fn table(config: &Config) -> RateTableStatus {
    let place = Place {
        root: config.root.clone(),
        ownership: config.ownership.clone(),
        clients: config.access.clients,
    };
    let mut table = RateTableStatus {
        path: place.path().to_string_lossy().into_owned(),
        exists: false,
        clients: config.access.clients,
        slots: 0,
        in_use: 0,
        problem: None,
    };
    match file::used(&place, clock::boot_nanos()) {
        Ok(Some((slots, in_use))) => (table.exists, table.slots, table.in_use) = (true, slots, in_use),
        Ok(None) => {}
        Err(error) => table.problem = Some(error.in_words()),
    }
    table
}

fn legacy(config: &Config, page: Page) -> RateFileStatus {
    let path = &config.access.rate_limits;
    let mut told = RateFileStatus {
        path: path.to_string_lossy().into_owned(),
        clients: Vec::new(),
        total: 0,
        problem: None,
    };
    let document = match read(path) {
        Reading::Missing => return told,
        Reading::Broken(reason) => {
            told.problem = Some(reason);
            return told;
        }
        Reading::Whole(document) => document,
    };
    let now = clock::now().timestamp();
    let Some(clients) = legacy::clients(&document, now, clean::window(config)) else {
        told.problem = Some("it is no object of clients".to_owned());
        return told;
    };
    told.total = clients.len();
    told.clients = page
        .of(clients)
        .map(|client| RateClient {
            key: client.key.chars().take(MAX_KEY).collect(),
            requests: client.requests,
            blocked_until: client.blocked_until.map(stamp),
        })
        .collect();
    told
}

/// What the file says; pages may be writing it.
fn read(path: &Path) -> Reading {
    match durable::settled(path, MAX_FILE) {
        Ok(bytes) => Reading::of(&bytes),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Reading::Missing,
        Err(cause) => Reading::Broken(format!("it cannot be read: {cause}")),
    }
}
