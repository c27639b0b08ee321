//! The budget and the reservations that are granted from it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::error::{Error, Result};
use crate::observe::tally;

/// The memory a run may use, in bytes. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    limit: usize,
    used: AtomicUsize,
    /// The most since [`Budget::take_peak`], and before.
    peak: AtomicUsize,
    past_peak: AtomicUsize,
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Budget(Arc::new(Pool {
            limit,
            used: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            past_peak: AtomicUsize::new(0),
        }))
    }

    /// An empty reservation in the name of `who` (for error messages).
    pub fn reservation(&self, who: &'static str) -> Reservation {
        Reservation {
            pool: self.0.clone(),
            who,
            bytes: 0,
        }
    }

    /// A reservation of `bytes`; fails when the budget has not that much left.
    pub fn reserve(&self, who: &'static str, bytes: usize) -> Result<Reservation> {
        let mut r = self.reservation(who);
        r.try_grow(bytes)?;
        Ok(r)
    }

    /// The limit in bytes.
    pub fn limit(&self) -> usize {
        self.0.limit
    }
    /// Bytes now reserved.
    pub fn used(&self) -> usize {
        self.0.used.load(Relaxed)
    }
    /// The most bytes that were reserved at once.
    pub fn peak(&self) -> usize {
        self.0.peak.load(Relaxed).max(self.0.past_peak.load(Relaxed))
    }
    /// The most bytes that were reserved at once since this was asked last, while nothing runs.
    pub fn take_peak(&self) -> usize {
        let peak = self.0.peak.swap(self.used(), Relaxed);
        self.0.past_peak.fetch_max(peak, Relaxed);
        peak
    }
    /// Bytes left.
    pub fn available(&self) -> usize {
        self.limit().saturating_sub(self.used())
    }
}

/// Bytes granted from a [`Budget`]; given back when dropped.
#[derive(Debug)]
pub struct Reservation {
    pool: Arc<Pool>,
    who: &'static str,
    bytes: usize,
}

impl Reservation {
    /// Asks for `more` bytes on top; refused (an [`Error`] of kind `Limit`) when the budget has
    /// not that much left. Never waits. Nothing more is never refused, also where others took more than
    /// there is.
    pub fn try_grow(&mut self, more: usize) -> Result<()> {
        self.try_grow_over(more, 0)
    }

    /// As [`Reservation::try_grow`], but up to `over` bytes beyond the budget: for what is held for a
    /// moment only, where others that hold all of the budget are refused, and spill, next.
    pub fn try_grow_over(&mut self, more: usize, over: usize) -> Result<()> {
        if more == 0 {
            return Ok(());
        }
        let before = self.pool.used.fetch_add(more, Relaxed);
        let now = before.saturating_add(more);
        if now > self.pool.limit.saturating_add(over) {
            self.pool.used.fetch_sub(more, Relaxed);
            return Err(self.refusal(more));
        }
        self.pool.peak.fetch_max(now, Relaxed);
        self.bytes += more;
        tally::reserved(more);
        Ok(())
    }

    /// Grows whatever the budget says: for what must be held to make any progress at all (one
    /// batch, one block). Counted, so that others are refused earlier.
    pub fn grow_anyway(&mut self, more: usize) {
        let now = self.pool.used.fetch_add(more, Relaxed) + more;
        self.pool.peak.fetch_max(now, Relaxed);
        self.bytes += more;
        tally::reserved(more);
    }

    /// Asks for `more`; if refused, calls `spill`, which should shrink this reservation, and asks
    /// again.
    pub fn grow_or_spill(&mut self, more: usize, spill: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        if self.try_grow(more).is_ok() {
            return Ok(());
        }
        spill(self)?;
        self.try_grow(more)
    }

    /// Makes the reservation exactly `bytes`; growing may be refused.
    pub fn try_resize(&mut self, bytes: usize) -> Result<()> {
        match bytes.checked_sub(self.bytes) {
            Some(more) => self.try_grow(more),
            None => {
                self.shrink(self.bytes - bytes);
                Ok(())
            }
        }
    }

    /// Makes the reservation exactly `bytes`, whatever the budget says.
    pub fn resize_anyway(&mut self, bytes: usize) {
        match bytes.checked_sub(self.bytes) {
            Some(more) => self.grow_anyway(more),
            None => self.shrink(self.bytes - bytes),
        }
    }

    /// Gives `less` bytes back.
    pub fn shrink(&mut self, less: usize) {
        let less = less.min(self.bytes);
        self.pool.used.fetch_sub(less, Relaxed);
        self.bytes -= less;
        tally::returned(less);
    }

    /// Gives everything back.
    pub fn free(&mut self) {
        self.shrink(self.bytes);
    }

    /// Splits `bytes` off into a reservation of its own.
    pub fn split(&mut self, bytes: usize) -> Reservation {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Reservation {
            pool: self.pool.clone(),
            who: self.who,
            bytes,
        }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn refusal(&self, more: usize) -> Error {
        let mib = |b: usize| b.div_ceil(1 << 20);
        Error::limit(format!(
            "{} needs {} MiB more memory, but {} of {} MiB are taken",
            self.who,
            mib(more),
            mib(self.pool.used.load(Relaxed)),
            mib(self.pool.limit)
        ))
        .help("give it more with --memory, or fewer threads with --threads")
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.free();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_until_the_limit_and_gives_back() {
        let budget = Budget::new(100);
        let mut a = budget.reserve("a", 60).unwrap();
        assert!(budget.reserve("b", 50).is_err());
        a.grow_or_spill(50, |r| {
            r.shrink(20);
            Ok(())
        })
        .unwrap();
        assert_eq!((budget.used(), budget.peak()), (90, 90));
        drop(a);
        assert_eq!(budget.used(), 0);
        let (mut small, mut large) = (
            budget.reserve("small", 10).unwrap(),
            budget.reserve("large", 0).unwrap(),
        );
        large.grow_anyway(200);
        small.try_resize(10).unwrap();
        assert!(small.try_grow(1).is_err());
    }
}
