//! The PHP extension `cr0sync`: the library's operations as PHP functions.
//!
//! A thin shell. It finds the configuration, turns arguments into the library's types, and reports into arrays; what is
//! done and how it is decided is in the library alone.
//!
//! # Code map
//!
//! - `functions`: what PHP can call, one entry each; `call` is how a call runs and how it ends.
//! - `arguments`, `options`: from PHP's values to ours. `values`: back again.
//! - `progress`: PHP code that runs in the middle of a run. `interrupts`: signal handlers and time limits in any call.
//! - `exceptions`: the classes, made from the library's table of errors.
//! - `ini`, `info`: settings, and what `php --ri cr0sync` shows.
//! - `engine`: the few functions of PHP and SQLite that nobody else wraps.
//!
//! # Invariants
//!
//! - The library has returned, and closed every database and log, before the first PHP value of an answer is made: a
//!   fatal error in there jumps over our frames, and must find nothing open. `progress` and `interrupts` alone call PHP
//!   earlier, and let nothing jump.
//! - Nothing happens at startup but registration: no thread, no file, no look at the configuration.
//! - A panic becomes an `Error` in PHP. Nothing here aborts the process.
//! - SQLite is the system's, the copy that PDO uses.

#![expect(unsafe_code, reason = "the entry points that PHP calls")]
#![cfg_attr(debug_assertions, expect(missing_docs, reason = "the macro makes a public function of its own"))]

mod arguments;
mod call;
mod engine;
mod exceptions;
mod functions;
mod info;
mod ini;
mod interrupts;
mod kept;
mod options;
mod progress;
mod values;

use ext_php_rs::internal::startup_guard;
use ext_php_rs::prelude::*;

/// What PHP asks for when it loads the file.
#[php_module]
pub fn get_module(module: ModuleBuilder<'_>) -> ModuleBuilder<'_> {
    functions::builders()
        .into_iter()
        .fold(module, ModuleBuilder::function)
        .name("cr0sync")
        .startup_function(startup)
        .shutdown_function(shutdown)
        .info_function(info::show)
}

/// # Safety
/// For PHP's module startup only.
unsafe extern "C" fn startup(_kind: i32, module: i32) -> i32 {
    startup_guard(|| {
        ini::register(module);
        functions::hide_secrets();
        functions::open();
        exceptions::register()
    })
}

/// # Safety
/// For PHP's module shutdown only.
unsafe extern "C" fn shutdown(kind: i32, module: i32) -> i32 {
    functions::close();
    ini::unregister(module, kind);
    0
}
