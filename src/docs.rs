//! The documents that lie beside the code, as pages of its documentation.
//!
//! Apart from the comments of modules, as each is about several of them, and for people who never read code.

#[doc = include_str!("docs/merge.md")]
pub mod merge {}

#[doc = include_str!("docs/crash.md")]
pub mod crash {}

#[doc = include_str!("docs/formats.md")]
pub mod formats {}

#[doc = include_str!("docs/security.md")]
pub mod security {}

#[doc = include_str!("docs/troubleshooting.md")]
pub mod troubleshooting {}
