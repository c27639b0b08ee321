//! What `now()` and `current_date` mean: one moment for a whole run, in UTC.
//!
//! The expressions hold it as a constant, so that every task of a query, wherever it runs, has the same; a run can
//! be repeated by giving the moment (`--now`).

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use super::temporal::DAY_US;
use crate::kernel::Scalar;

/// No moment yet.
const UNKNOWN: i64 = i64::MIN;

static GIVEN: AtomicI64 = AtomicI64::new(UNKNOWN);
static NOW: AtomicI64 = AtomicI64::new(UNKNOWN);

/// Makes `now()` a moment, in microseconds since 1970, for all runs of the process.
pub fn set(us: i64) {
    GIVEN.store(us, Ordering::Relaxed);
    begin();
}

/// Begins a run: `now()` is the moment that was given, or the next time that somebody asks.
pub fn begin() {
    NOW.store(GIVEN.load(Ordering::Relaxed), Ordering::Relaxed);
}

fn moment() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let us = since.map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX));
    match NOW.compare_exchange(UNKNOWN, us, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => us,
        Err(earlier) => earlier,
    }
}

/// The value of a function of the clock, by its name.
pub(super) fn value(name: &str) -> Option<Scalar> {
    Some(match name {
        "now" | "current_timestamp" | "transaction_timestamp" | "get_current_timestamp" => {
            Scalar::Timestamp(moment(), true)
        }
        "localtimestamp" | "current_localtimestamp" => Scalar::Timestamp(moment(), false),
        "current_date" | "today" => Scalar::Date(moment().div_euclid(DAY_US) as i32),
        _ => return None,
    })
}
