//! What `php --ri cr0sync` and `phpinfo()` show: versions, the SQLite in use, and which configuration is in force.
//!
//! It reads the configuration and opens no database.

use std::panic::AssertUnwindSafe;

use ext_php_rs::zend::{ModuleEntry, run_handler};
use ext_php_rs::{info_table_end, info_table_row, info_table_start};

use crate::engine;
use crate::options::{self, Given};

/// PHP's info function of this module.
pub(crate) extern "C" fn show(module: *mut ModuleEntry) {
    run_handler(AssertUnwindSafe(|| {
        info_table_start!();
        for (name, value) in rows() {
            // C strings: a NUL cannot be shown.
            let value = value.replace('\0', "");
            info_table_row!(name, value);
        }
        info_table_end!();
        engine::show_ini(module);
    }));
}

fn rows() -> Vec<(&'static str, String)> {
    let mut rows = vec![
        ("cr0sync", "enabled".to_owned()),
        ("Version", env!("CARGO_PKG_VERSION").to_owned()),
        ("SQLite version", engine::sqlite_version()),
        ("SQLite library", engine::sqlite_library().unwrap_or_else(|| "unknown".to_owned())),
    ];
    match options::config(&Given::default()) {
        Ok(config) => {
            let source = config.source.as_ref().map(|path| path.display().to_string());
            rows.push(("Configuration", source.unwrap_or_else(|| "as shipped".to_owned())));
            rows.push(("Root", config.root.display().to_string()));
            rows.push(("Databases", config.databases.keys().cloned().collect::<Vec<_>>().join(", ")));
            rows.push(("Logs", config.logs.keys().cloned().collect::<Vec<_>>().join(", ")));
        }
        Err(error) => rows.push(("Configuration", error.to_string())),
    }
    rows
}
