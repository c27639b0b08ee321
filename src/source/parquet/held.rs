//! Memory that the decoders of a scan hold: what pages become is asked for before they are read.
//!
//! A page header says how many bytes the page has once it is decompressed, and a few bytes may become
//! gigabytes. So whoever reads headers asks the budget first ([`Checked`](super::checked::Checked)), and a
//! refused page is never allocated. Sinks may hold all of the budget, and give some back only when they
//! are refused themselves; therefore pages may exceed it by [`OVER`] bytes, which refuses sinks next.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Error;
use crate::memory::{Budget, Reservation};

/// By how much pages may exceed the budget, all scans of a run together.
const OVER: usize = 16 << 20;

/// What the decoders of one task hold.
#[derive(Debug)]
pub(super) struct Held {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    reservation: Reservation,
    /// The last refusal, and what was asked for: decoders of others cannot hand it on.
    refusal: Option<(Error, usize)>,
}

impl Held {
    pub(super) fn new(budget: &Budget) -> Arc<Held> {
        let reservation = budget.reservation("a page of a Parquet file");
        Arc::new(Held {
            state: Mutex::new(State {
                reservation,
                refusal: None,
            }),
        })
    }

    /// A part of it, nothing at first.
    pub(super) fn slot(self: &Arc<Held>) -> Slot {
        Slot {
            held: self.clone(),
            page: AtomicUsize::new(0),
            dictionary: AtomicUsize::new(0),
        }
    }

    /// Why the last read failed, if it was for memory.
    pub(super) fn take_refusal(&self) -> Option<(Error, usize)> {
        self.with(|s| s.refusal.take())
    }

    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        // counters only, which a panic leaves whole
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn resize(&self, from: usize, to: usize) -> bool {
        self.with(|s| match to.checked_sub(from) {
            Some(more) => match s.reservation.try_grow_over(more, OVER) {
                Ok(()) => true,
                Err(e) => {
                    s.refusal = Some((e, more));
                    false
                }
            },
            None => {
                s.reservation.shrink(from - to);
                true
            }
        })
    }
}

/// What one column holds.
#[derive(Debug)]
pub(super) struct Slot {
    held: Arc<Held>,
    page: AtomicUsize,
    dictionary: AtomicUsize,
}

/// The error inside a decoder that was refused memory; the true one lies in [`Held`].
pub(super) const REFUSED: &str = "there is not enough memory for a page";

impl Slot {
    /// Makes the page in hand one of so many bytes; false if they are refused.
    #[must_use]
    pub(super) fn page(&self, bytes: usize) -> bool {
        let fits = self.held.resize(self.page.load(Relaxed), bytes);
        if fits {
            self.page.store(bytes, Relaxed);
        }
        fits
    }

    /// As [`Slot::page`], of the dictionary.
    #[must_use]
    pub(super) fn dictionary(&self, bytes: usize) -> bool {
        let fits = self.held.resize(self.dictionary.load(Relaxed), bytes);
        if fits {
            self.dictionary.store(bytes, Relaxed);
        }
        fits
    }

    /// Gives the page back.
    pub(super) fn free_page(&self) -> usize {
        let bytes = self.page.swap(0, Relaxed);
        self.held.resize(bytes, 0);
        bytes
    }

    /// Counts what is held in any case.
    pub(super) fn hold_anyway(&self, bytes: usize) {
        let before = self.page.swap(bytes, Relaxed);
        self.held.with(|s| match bytes.checked_sub(before) {
            Some(more) => s.reservation.grow_anyway(more),
            None => s.reservation.shrink(before - bytes),
        });
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.free_page();
        let bytes = self.dictionary.swap(0, Relaxed);
        self.held.resize(bytes, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_is_not_counted_and_told_once() {
        let budget = Budget::new(1 << 20);
        let held = Held::new(&budget);
        let (a, b) = (held.slot(), held.slot());
        assert!(a.page(OVER) && b.dictionary(1 << 20));
        assert!(!b.page(1));
        let (refusal, asked) = held.take_refusal().unwrap();
        assert_eq!((refusal.exit_status(), asked), (4, 1));
        assert!(held.take_refusal().is_none());
        assert_eq!(a.free_page(), OVER);
        assert!(b.page(1));
        assert_eq!(budget.used(), (1 << 20) + 1);
        drop((a, b));
        assert_eq!(budget.used(), 0);
    }
}
