//! What this thread has read, spilled and reserved lately: added where it happens, taken by the meter
//! of whatever operator the thread is at, so that deep inside an operator nobody needs to know its name.
//!
//! A plain cell of the thread: an addition costs about a nanosecond, whether anybody looks or not.

use std::cell::Cell;
use std::time::Duration;

thread_local! {
    static TALLY: Tally = const { Tally {
        read: Cell::new(0),
        rows: Cell::new(0),
        spilled: Cell::new(0),
        reserved: Cell::new(0),
        high: Cell::new(0),
        idle: Cell::new(0),
    } };
}

struct Tally {
    read: Cell<u64>,
    rows: Cell<u64>,
    spilled: Cell<u64>,
    reserved: Cell<i64>,
    high: Cell<i64>,
    idle: Cell<u64>,
}

/// What a thread added up since it was taken last.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Taken {
    /// Bytes written to spill files.
    pub spilled: u64,
    /// Bytes reserved, less those given back.
    pub reserved: i64,
    /// The most that `reserved` was on the way.
    pub high: i64,
    /// Nanoseconds spent waiting for others.
    pub idle: u64,
}

/// Bytes read from input files.
pub fn read(bytes: u64) {
    TALLY.with(|t| t.read.set(t.read.get() + bytes));
}

/// Rows read from input files, before filters.
pub fn rows(n: u64) {
    TALLY.with(|t| t.rows.set(t.rows.get() + n));
}

/// Bytes written to spill files.
pub fn spilled(bytes: u64) {
    TALLY.with(|t| t.spilled.set(t.spilled.get() + bytes));
}

/// Bytes reserved.
pub fn reserved(bytes: usize) {
    TALLY.with(|t| {
        t.reserved.set(t.reserved.get() + bytes as i64);
        t.high.set(t.high.get().max(t.reserved.get()));
    });
}

/// Reserved bytes that were given back.
pub fn returned(bytes: usize) {
    TALLY.with(|t| t.reserved.set(t.reserved.get() - bytes as i64));
}

/// Time that the thread waited for others, which is nobody's work.
pub fn idle(time: Duration) {
    TALLY.with(|t| t.idle.set(t.idle.get() + time.as_nanos() as u64));
}

/// Bytes that this thread has read from input files, ever: differences count.
pub fn bytes_read() -> u64 {
    TALLY.with(|t| t.read.get())
}

/// Rows that this thread has read from input files, ever: differences count.
pub fn rows_read() -> u64 {
    TALLY.with(|t| t.rows.get())
}

/// Takes what was added up.
pub fn take() -> Taken {
    TALLY.with(|t| Taken {
        spilled: t.spilled.take(),
        reserved: t.reserved.take(),
        high: t.high.take(),
        idle: t.idle.take(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_taken_once() {
        take();
        reserved(100);
        returned(70);
        reserved(20);
        spilled(7);
        let before = bytes_read();
        read(5);
        let taken = take();
        assert_eq!((taken.spilled, taken.reserved, taken.high), (7, 50, 100));
        assert_eq!(take(), Taken::default());
        assert_eq!(bytes_read() - before, 5);
    }
}
