//! The sections `integrity`, `access` and `events`: where the files of these lie, and how much is kept and allowed.
//!
//! Apart from `parse` because nobody else needs them to understand the rest. The paths are those of the deployment, so
//! most people never write any of these sections.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::json::Place;
use super::names::{path_text, plain};
use super::parse::Read;

/// More files than this are not hashed at once, whatever the machine has (threads).
const MAX_THREADS: u64 = 64;
/// A century is a mistake (days, or hours of about eleven years).
const MAX_KEPT: u64 = 100_000;
/// A week is the longest that a limit counts over, and a session lives without being renewed (minutes).
const MAX_MINUTES: u64 = 7 * 24 * 60;
/// More in one period is no limit.
const MAX_LIMIT: u64 = 1_000_000_000;
/// A burst that takes longer to come back is a mistake (seconds; a year).
const MAX_FILL_SECONDS: u64 = 366 * 24 * 3600;
/// The table of limits takes 64 bytes for each of so many clients at once.
const MAX_CLIENTS: u64 = 1 << 24;

/// Which files are watched over, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Integrity {
    /// What is watched over: `integrity_config.json`, as the site's pages write it.
    pub config: PathBuf,
    /// The signed baseline as the site's pages read it: `file_hashes.json`.
    pub baseline: PathBuf,
    /// Findings as the site's pages read them: `integrity_alerts.json`.
    pub alerts: PathBuf,
    /// Whether `baseline` has MD5 digests, too, for pages that still compare them.
    pub legacy_md5: bool,
    /// Whether extended attributes and capabilities are compared.
    pub xattrs: bool,
    /// Within so many hours every file is read again, whatever its times say.
    pub reread_hours: u32,
    /// So often a check is due (minutes).
    pub every_minutes: u32,
    /// So many files are read at once; 0 lets the machine decide.
    pub threads: u32,
}

/// API keys, sessions and rate limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// `api_keys.json`.
    pub keys: PathBuf,
    /// `api_sessions.json`.
    pub sessions: PathBuf,
    /// `api_rate_limits.json`, which only the site's own pages fill; it is pruned.
    pub rate_limits: PathBuf,
    /// So long a session lives (minutes).
    pub session_minutes: u32,
    /// Limits by name.
    pub tiers: BTreeMap<String, Tier>,
    /// So many clients are remembered at once.
    pub clients: u32,
}

/// One rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tier {
    /// So many requests in each period; 0 lets nobody in.
    pub limit: u32,
    /// The period (seconds).
    pub period_seconds: u32,
    /// So many at once, from somebody who asked for nothing for a while.
    pub burst: u32,
}

/// The security event log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Events {
    /// One JSON object a line: `security_events.json`.
    pub log: PathBuf,
    /// Where older lines go.
    pub archive: PathBuf,
    /// Archives older than this are removed (days); `None` keeps all.
    pub keep_days: Option<u32>,
}

impl Integrity {
    pub(super) fn shipped(root: &Path) -> Integrity {
        Integrity {
            config: root.join("shared_storage/integrity_config.json"),
            baseline: root.join("shared_storage/file_hashes.json"),
            alerts: root.join("logs/integrity/integrity_alerts.json"),
            legacy_md5: false,
            xattrs: false,
            reread_hours: 24,
            every_minutes: 5,
            threads: 0,
        }
    }

    pub(super) fn read(place: &Place<'_>, root: &Path) -> Read<Integrity> {
        let default = Integrity::shipped(root);
        let [config, baseline, alerts, legacy_md5, xattrs, reread_hours, every_minutes, threads] = place
            .fields([
                "config",
                "baseline",
                "alerts",
                "legacy_md5",
                "xattrs",
                "reread_hours",
                "every_minutes",
                "threads",
            ])?;
        Ok(Integrity {
            config: path(config, root, default.config)?,
            baseline: path(baseline, root, default.baseline)?,
            alerts: path(alerts, root, default.alerts)?,
            legacy_md5: flag(legacy_md5, default.legacy_md5)?,
            xattrs: flag(xattrs, default.xattrs)?,
            reread_hours: number(reread_hours, MAX_KEPT, 1, default.reread_hours)?,
            every_minutes: number(every_minutes, MAX_MINUTES, 1, default.every_minutes)?,
            threads: number(threads, MAX_THREADS, 0, default.threads)?,
        })
    }

    pub(super) fn written(&self) -> Value {
        json!({
            "config": text(&self.config),
            "baseline": text(&self.baseline),
            "alerts": text(&self.alerts),
            "legacy_md5": self.legacy_md5,
            "xattrs": self.xattrs,
            "reread_hours": self.reread_hours,
            "every_minutes": self.every_minutes,
            "threads": self.threads,
        })
    }
}

impl Access {
    pub(super) fn shipped(root: &Path) -> Access {
        let hourly = |limit| Tier { limit, period_seconds: 3600, burst: limit };
        let tiers = [("default", 100), ("authenticated", 500), ("admin", 1000), ("critical", 10)];
        Access {
            keys: root.join("shared_storage/api_keys.json"),
            sessions: root.join("shared_storage/api_sessions.json"),
            rate_limits: root.join("shared_storage/api_rate_limits.json"),
            session_minutes: 60,
            tiers: tiers.into_iter().map(|(name, limit)| (name.to_owned(), hourly(limit))).collect(),
            clients: 1 << 16,
        }
    }

    pub(super) fn read(place: &Place<'_>, root: &Path) -> Read<Access> {
        let default = Access::shipped(root);
        let [keys, sessions, rate_limits, session_minutes, tiers, clients] =
            place.fields(["keys", "sessions", "rate_limits", "session_minutes", "tiers", "clients"])?;
        // Those that are not named stay as they are.
        let mut all = default.tiers;
        for (name, place) in tiers.map_or_else(|| Ok(Vec::new()), |place| place.entries())? {
            all.insert(name.to_owned(), Tier::read(&place)?);
        }
        Ok(Access {
            keys: path(keys, root, default.keys)?,
            sessions: path(sessions, root, default.sessions)?,
            rate_limits: path(rate_limits, root, default.rate_limits)?,
            session_minutes: number(session_minutes, MAX_MINUTES, 1, default.session_minutes)?,
            tiers: all,
            clients: number(clients, MAX_CLIENTS, 64, default.clients)?,
        })
    }

    pub(super) fn written(&self) -> Value {
        let tiers: Map<String, Value> =
            self.tiers.iter().map(|(name, tier)| (name.clone(), tier.written())).collect();
        json!({
            "keys": text(&self.keys),
            "sessions": text(&self.sessions),
            "rate_limits": text(&self.rate_limits),
            "session_minutes": self.session_minutes,
            "tiers": tiers,
            "clients": self.clients,
        })
    }
}

impl Tier {
    fn read(place: &Place<'_>) -> Read<Tier> {
        let [limit, period, burst] = place.fields(["limit", "period_seconds", "burst"])?;
        let limit = match limit {
            Some(limit) => number(Some(limit), MAX_LIMIT, 0, 0)?,
            None => return Err(place.wrong("a tier needs a limit").hint("write {\"limit\": 100}")),
        };
        let period_seconds = number(period, MAX_MINUTES * 60, 1, 3600)?;
        let burst = number(burst, MAX_LIMIT, 1, limit.max(1))?;
        let fills_in = u64::from(burst).saturating_mul(u64::from(period_seconds));
        if fills_in > u64::from(limit).max(1).saturating_mul(MAX_FILL_SECONDS) {
            return Err(place
                .wrong("takes more than a year to let so many in at once again")
                .hint("allow a smaller burst, or a larger limit"));
        }
        Ok(Tier { limit, period_seconds, burst })
    }

    fn written(&self) -> Value {
        json!({ "limit": self.limit, "period_seconds": self.period_seconds, "burst": self.burst })
    }
}

impl Events {
    pub(super) fn shipped(root: &Path) -> Events {
        Events {
            log: root.join("logs/security/security_events.json"),
            archive: root.join("logs/security/archive"),
            keep_days: Some(365),
        }
    }

    pub(super) fn read(place: &Place<'_>, root: &Path) -> Read<Events> {
        let default = Events::shipped(root);
        let [log, archive, keep_days] = place.fields(["log", "archive", "keep_days"])?;
        Ok(Events {
            log: path(log, root, default.log)?,
            archive: path(archive, root, default.archive)?,
            keep_days: match keep_days {
                None => default.keep_days,
                place => super::parse::unless_null(place)
                    .map(|place| number(Some(place), MAX_KEPT, 1, 0))
                    .transpose()?,
            },
        })
    }

    pub(super) fn written(&self) -> Value {
        json!({ "log": text(&self.log), "archive": text(&self.archive), "keep_days": self.keep_days })
    }
}

fn path(place: Option<Place<'_>>, root: &Path, default: PathBuf) -> Read<PathBuf> {
    place.map_or(Ok(default), |place| Ok(plain(&root.join(path_text(&place)?))))
}

fn flag(place: Option<Place<'_>>, default: bool) -> Read<bool> {
    place.map_or(Ok(default), |place| place.boolean())
}

fn number(place: Option<Place<'_>>, most: u64, least: u64, default: u32) -> Read<u32> {
    let Some(place) = place else { return Ok(default) };
    let value = place.whole_from(least, most)?;
    Ok(u32::try_from(value).unwrap_or(default))
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
