//! Right where others are wrong: the cases in which widely used tools were seen to give a wrong answer
//! in silence, fall over, or lose a file. One subject a module; every test drives the real binary.

#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

mod bad_input;
mod columns;
mod distinct;
mod ending;
mod flags_name_columns;
mod foreign;
mod formats;
mod joins;
mod kinds;
mod long_records;
mod messages;
mod notes;
mod numbers;
mod pipes;
mod reading;
mod safe_output;
mod same_bytes;
mod shown;
mod splitting;
mod statements;
mod thin;
mod types;
mod untouched;
mod values;
