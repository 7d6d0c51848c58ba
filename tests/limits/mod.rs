//! Rate limits as a whole: many processes, deaths, floods, and other people's limiters, by a clock of the tests.
//!
//! Compiled into the library, since nobody outside may choose the time.
