//! What we ship: the databases, sides and table policies of the CR0 Bot infrastructure.
//!
//! Apart from the parser because this is data, and the part that changes when the bots change. Policies apply only
//! as far as a table has the columns, and never where a user wrote a policy for that table. A column whose meaning
//! we do not know has no policy here: a clash is then reported, not guessed away.

use std::collections::BTreeMap;
use std::path::Path;

use super::ColumnPolicy::{self, Max, Min, MinNonzero, Prefer, Sum};
use super::pattern::glob;
use super::{Backups, DatabaseConfig, Guards, LogConfig, Ownership, PolicyOrigin, SchemaPolicy, TablePolicy};

/// Where the infrastructure lives unless told otherwise.
pub(super) const ROOT: &str = "/data/cr0_system";
/// The hub unless told otherwise.
pub(super) const HUB: &str = "central";
/// The configuration's name below the root.
pub(super) const FILE_NAME: &str = "cr0sync.json";

const BOT_DIRECTORY: &str = "/home/cr0/cr0bot";
const CENTRAL_DIRECTORY: &str = "databases";
const WEBSITE_DIRECTORY: &str = "/var/www/html/data";
const CENTRAL_LOGS: &str = "logs/irc_networks";
/// The logs of each bot; a mirror of them is on the website.
const BOT_LOGS: [&str; 3] = ["bot", "errors", "startup"];
const NETWORKS: [&str; 2] = ["rizon", "libera"];
/// What people edit on the website is most deliberate, what the bot writes is most replaceable.
const PREFER: [&str; 3] = ["website", "central", "bot"];

const WITH_BOT: [&str; 2] = ["rizon_bot", "libera_bot"];
const WITHOUT_BOT: [&str; 7] = [
    "users",
    "breakout_scores",
    "breakout_completionists",
    "breakout_settings",
    "game_sessions",
    "secure_sessions",
    "sso_federated_identities",
];

pub(super) fn backups() -> Backups {
    Backups {
        directory: None,
        keep_within_hours: 24,
        keep_hourly: 48,
        keep_daily: 14,
        keep_weekly: 8,
        keep_min: 3,
        max_total_bytes: None,
        every_minutes: 15,
    }
}

pub(super) fn guards() -> Guards {
    Guards { max_delete_percent: 50, max_lock_ms: 250, busy_timeout_ms: 5000, min_free_percent: 5 }
}

pub(super) fn ownership() -> Ownership {
    Ownership {
        user: "cr0".to_owned(),
        group: "www-data".to_owned(),
        website_user: "www-data".to_owned(),
        dir_mode: 0o775,
        file_mode: 0o664,
    }
}

/// The databases that exist where nobody configured any.
pub(super) fn databases(root: &Path) -> BTreeMap<String, DatabaseConfig> {
    let database = |name: &str, sides: &[&str]| {
        let file = format!("{name}.db");
        let path = |side: &str| match side {
            "bot" => Path::new(BOT_DIRECTORY).join(&file),
            "website" => Path::new(WEBSITE_DIRECTORY).join(&file),
            _ => root.join(CENTRAL_DIRECTORY).join(&file),
        };
        let config = DatabaseConfig {
            replicas: sides.iter().map(|side| ((*side).to_owned(), path(side))).collect(),
            prefer: PREFER
                .iter()
                .filter(|side| sides.contains(side))
                .map(|side| (*side).to_owned())
                .collect(),
            schema: SchemaPolicy::default(),
            tables: Vec::new(),
        };
        (name.to_owned(), config)
    };
    let three = WITH_BOT.iter().map(|name| database(name, &["bot", "central", "website"]));
    let two = WITHOUT_BOT.iter().map(|name| database(name, &["central", "website"]));
    three.chain(two).collect()
}

/// The logs that exist where nobody configured any.
pub(super) fn logs(root: &Path) -> BTreeMap<String, LogConfig> {
    let log = |network: &str, kind: &str| {
        let name = format!("{network}_{kind}");
        let file = format!("{name}.log");
        let copies = [
            ("bot", Path::new(BOT_DIRECTORY).join("logs").join(&file)),
            ("central", root.join(CENTRAL_LOGS).join(network).join(&file)),
            ("website", Path::new(WEBSITE_DIRECTORY).join("logs").join(&file)),
        ];
        let config = LogConfig {
            copies: copies.into_iter().map(|(side, path)| (side.to_owned(), path)).collect(),
            mirrors: ["website".to_owned()].into(),
            ..LogConfig::default()
        };
        (name, config)
    };
    NETWORKS.iter().flat_map(|network| BOT_LOGS.iter().map(move |kind| log(network, kind))).collect()
}

/// The shipped policy of a table, if there is one.
pub(super) fn table(database: &str, table: &str) -> Option<TablePolicy> {
    let shipped =
        TABLES.iter().find(|shipped| glob(shipped.database, database) && glob(shipped.table, table))?;
    let name = |text: &&str| (*text).to_owned();
    Some(TablePolicy {
        identity: (!shipped.identity.is_empty()).then(|| shipped.identity.iter().map(name).collect()),
        columns: shipped
            .columns
            .iter()
            .flat_map(|list| list.iter())
            .map(|(column, rule)| (name(column), *rule))
            .collect(),
        references: shipped
            .references
            .iter()
            .map(|(column, table, key)| (name(column), (name(table), name(key))))
            .collect(),
        origin: PolicyOrigin::Shipped,
        ..TablePolicy::default()
    })
}

struct Shipped {
    database: &'static str,
    table: &'static str,
    identity: &'static [&'static str],
    columns: &'static [Columns],
    references: &'static [(&'static str, &'static str, &'static str)],
}

type Columns = &'static [(&'static str, ColumnPolicy)];

const fn bot(table: &'static str, identity: &'static [&'static str], columns: &'static [Columns]) -> Shipped {
    Shipped { database: "*_bot", table, identity, columns, references: &[] }
}

/// A row of someone's that must keep pointing at that someone when two people got the same id.
const fn of_a_user(table: &'static str) -> Shipped {
    Shipped {
        database: "users",
        table,
        identity: &[],
        columns: &[],
        references: &[("user_id", "users", "id")],
    }
}

/// Names that only counters have in these tables.
const COUNTERS: Columns = &[
    ("*_called", Sum),
    ("*_completed", Sum),
    ("*_count", Sum),
    ("*_drawn", Sum),
    ("*_lost", Sum),
    ("*_played", Sum),
    ("*_rolled", Sum),
    ("*_sent", Sum),
    ("*_used", Sum),
    ("*_won", Sum),
    ("busts", Sum),
    ("games_*", Sum),
    ("losses", Sum),
    ("times_*", Sum),
    ("total_*", Sum),
    ("wins", Sum),
];

/// Records: the best of both sides holds.
const RECORDS: Columns = &[
    ("best_*", Max),
    ("biggest_*", Max),
    ("fastest_*", MinNonzero),
    ("highest_*", Max),
    ("largest_*", Max),
    ("longest_*", Max),
    ("most_*", Max),
    ("shortest_*", MinNonzero),
];

/// Times of the first and the last of something.
const TIMES: Columns = &[("first_*", Min), ("last_*", Max)];

/// Not counters, whatever else their name says: these cannot be added up.
const DERIVED: Columns = &[
    ("average_*", Prefer),
    ("avg_*", Prefer),
    ("current_*", Prefer),
    ("favorite_*", Prefer),
    ("favourite_*", Prefer),
    ("most_used_*", Prefer),
    ("total_avg_*", Prefer),
];

static TABLES: &[Shipped] = &[
    bot("links", &["url"], &[]),
    bot(
        "user_scores",
        &["user", "game_type"],
        &[&[("score", Sum), ("best_score", Max), ("games_played", Sum), ("last_played", Max)]],
    ),
    bot("bot_stats", &["stat_name"], &[&[("last_updated", Max)]]),
    bot("uno_leaderboard", &["user"], &[COUNTERS, RECORDS, TIMES, DERIVED]),
    bot("pigs_leaderboard", &["user"], &[COUNTERS, RECORDS, TIMES, DERIVED]),
    bot("reminders", &[], &[&[("completed", Max)]]),
    bot("memos", &[], &[&[("delivered", Max)]]),
    bot("pigs_games", &["channel"], &[&[("last_activity", Max)]]),
    bot("user_analytics", &["user"], &[COUNTERS, TIMES, DERIVED]),
    bot("channel_analytics", &["channel"], &[COUNTERS, TIMES, DERIVED]),
    bot("bot_config", &["network", "setting_name"], &[&[("updated_at", Max)]]),
    bot("bean_images", &["url"], &[&[("view_count", Sum), ("last_viewed", Max)]]),
    of_a_user("sso_user_mappings"),
    of_a_user("sso_auth_sessions"),
    of_a_user("sso_security_events"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_the_shipped_tables_behave() {
        for (database, name, column, rule) in [
            ("rizon_bot", "user_scores", "score", Some(Sum)),
            ("libera_bot", "USER_SCORES", "Best_Score", Some(Max)),
            ("rizon_bot", "user_scores", "user", None),
            ("rizon_bot", "uno_leaderboard", "wins", Some(Sum)),
            ("rizon_bot", "uno_leaderboard", "wild_cards_played", Some(Sum)),
            ("rizon_bot", "uno_leaderboard", "avg_cards_played", Some(Prefer)),
            ("rizon_bot", "uno_leaderboard", "longest_games_played", Some(Max)),
            ("rizon_bot", "uno_leaderboard", "largest_hand_size", Some(Max)),
            ("rizon_bot", "uno_leaderboard", "fastest_game_seconds", Some(MinNonzero)),
            ("rizon_bot", "uno_leaderboard", "last_game", Some(Max)),
            ("rizon_bot", "uno_leaderboard", "user", None),
            ("rizon_bot", "pigs_leaderboard", "highest_turn", Some(Max)),
            ("rizon_bot", "user_analytics", "first_seen", Some(Min)),
            ("rizon_bot", "user_analytics", "favourite_game", Some(Prefer)),
            ("rizon_bot", "channel_analytics", "last_activity", Some(Max)),
            ("rizon_bot", "bean_images", "view_count", Some(Sum)),
            ("rizon_bot", "bot_stats", "stat_value", None),
        ] {
            let policy = table(database, name).unwrap_or_default();
            assert_eq!(policy.column(column), rule, "{database}.{name}.{column}");
            assert_eq!(policy.origin, PolicyOrigin::Shipped);
        }
    }

    #[test]
    fn policies_stay_with_their_databases() {
        assert!(table("users", "user_scores").is_none());
        assert!(table("rizon_bot", "sso_user_mappings").is_none());
        assert!(table("rizon_bot", "command_usage").is_none());
        let mapping = table("users", "sso_user_mappings").unwrap_or_default();
        assert_eq!(mapping.references.get("user_id"), Some(&("users".to_owned(), "id".to_owned())));
    }
}
