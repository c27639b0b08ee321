//! Reads that fail for a moment are tried again: networks drop, disks stumble.
//!
//! ```text
//!   read ──► EIO ──pause──► read ──► ETIMEDOUT ──twice the pause──► read ──► bytes
//! ```
//!
//! Only errors that may pass are tried again; a file that is not there, or is a folder, stays so.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::plain_io;
use crate::observe::Warning;

/// Before the first retry.
const PAUSE: Duration = Duration::from_millis(50);
/// Pauses double up to this.
const LONGEST: Duration = Duration::from_secs(2);

/// How often a read is tried again, and how often that has happened. Clones count together; as plain
/// data it is the number of retries.
#[derive(Clone)]
pub struct Retries(Arc<Inner>);

struct Inner {
    times: u32,
    pause: Duration,
    made: AtomicU64,
    /// What was tried again first, and why.
    first: Mutex<Option<String>>,
    fault: Option<Arc<Fault>>,
}

/// An error in place of the read at an offset, for tests.
type Fault = dyn Fn(u64) -> Option<io::Error> + Send + Sync;

impl Retries {
    /// As many retries as there are if nobody asks for another number.
    pub const USUAL: u32 = 3;

    /// Each read is tried again up to `times` times.
    pub fn new(times: u32) -> Retries {
        Retries(Arc::new(Inner {
            times,
            pause: PAUSE,
            made: AtomicU64::new(0),
            first: Mutex::new(None),
            fault: None,
        }))
    }

    /// The same with reads that fail when `fault` says so, given their offset, and hardly a pause: for
    /// tests of what retries do.
    #[doc(hidden)]
    pub fn with_faults(
        times: u32,
        fault: impl Fn(u64) -> Option<io::Error> + Send + Sync + 'static,
    ) -> Retries {
        Retries(Arc::new(Inner {
            times,
            pause: Duration::from_micros(1),
            made: AtomicU64::new(0),
            first: Mutex::new(None),
            fault: Some(Arc::new(fault)),
        }))
    }

    /// The same, with a count of its own.
    pub fn fresh(&self) -> Retries {
        Retries(Arc::new(Inner {
            made: AtomicU64::new(0),
            first: Mutex::new(None),
            fault: self.0.fault.clone(),
            ..*self.0
        }))
    }

    /// How often reads were tried again so far.
    pub fn made(&self) -> u64 {
        self.0.made.load(Relaxed)
    }

    /// Calls `read` until it succeeds, fails for good, or has failed too often. `offset` is where it
    /// reads, `what` from what, for the user.
    ///
    /// # Errors
    /// The last error of `read`.
    pub fn read<T>(
        &self,
        what: impl Fn() -> String,
        offset: u64,
        mut read: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        let (mut left, mut pause) = (self.0.times, self.0.pause);
        loop {
            let outcome = match self.0.fault.as_ref().and_then(|f| f(offset)) {
                Some(e) => Err(e),
                None => read(),
            };
            match outcome {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {} // a signal: nothing has failed
                Err(e) if left > 0 && is_transient(&e) => {
                    left -= 1;
                    self.note(|| format!("{} at byte {offset}: {}", what(), plain_io(&e)));
                    std::thread::sleep(pause);
                    pause = (2 * pause).min(LONGEST);
                }
                other => return other,
            }
        }
    }

    fn note(&self, text: impl Fn() -> String) {
        self.0.made.fetch_add(1, Relaxed);
        if let Ok(mut first) = self.0.first.lock() {
            first.get_or_insert_with(text);
        }
    }

    /// What to tell the user, if anything was tried again.
    pub fn warning(&self) -> Option<Warning> {
        let first = self.0.first.lock().ok()?.clone()?;
        let text = match self.made() {
            1 => format!("a read was tried again: {first}"),
            n => format!("{n} reads were tried again, the first of {first}"),
        };
        Some(Warning {
            key: "retries".into(),
            text,
        })
    }
}

/// Whether the same read may succeed a moment later.
pub fn is_transient(e: &io::Error) -> bool {
    const PASSING: [i32; 12] = [
        libc::EAGAIN,
        libc::EBUSY,
        libc::ECONNABORTED,
        libc::ECONNREFUSED,
        libc::ECONNRESET,
        libc::EHOSTUNREACH,
        libc::EINTR,
        libc::EIO,
        libc::ENETDOWN,
        libc::ENETUNREACH,
        libc::ESTALE,
        libc::ETIMEDOUT,
    ];
    e.raw_os_error().is_some_and(|code| PASSING.contains(&code))
}

impl Default for Retries {
    fn default() -> Self {
        Retries::new(Retries::USUAL)
    }
}

impl PartialEq for Retries {
    fn eq(&self, other: &Self) -> bool {
        self.0.times == other.0.times
    }
}

impl std::fmt::Debug for Retries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} retries", self.0.times)
    }
}

impl Serialize for Retries {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u32(self.0.times)
    }
}

impl<'de> Deserialize<'de> for Retries {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        u32::deserialize(from).map(Retries::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing(times: usize, code: i32) -> impl FnMut() -> io::Result<usize> {
        let mut calls = 0;
        move || {
            calls += 1;
            match calls > times {
                true => Ok(calls),
                false => Err(io::Error::from_raw_os_error(code)),
            }
        }
    }

    #[test]
    fn what_passes_is_tried_again_and_told() {
        let three = Retries::with_faults(3, |_| None);
        let what = || "a.csv".to_string();
        assert_eq!(three.read(what, 7, failing(3, libc::EIO)).unwrap(), 4);
        assert_eq!(three.made(), 3);
        let text = three.warning().unwrap().text;
        assert_eq!(
            text,
            "3 reads were tried again, the first of a.csv at byte 7: input/output error"
        );
        let e = three.read(what, 7, failing(4, libc::ESTALE)).unwrap_err();
        assert_eq!(e.raw_os_error(), Some(libc::ESTALE));
        // signals are no failures
        let none = Retries::with_faults(0, |_| None);
        assert_eq!(none.read(what, 0, failing(9, libc::EINTR)).unwrap(), 10);
        assert_eq!((none.made(), none.warning()), (0, None));
    }

    #[test]
    fn what_stays_is_not() {
        let retries = Retries::with_faults(3, |_| None);
        let e = retries
            .read(String::new, 0, failing(1, libc::EISDIR))
            .unwrap_err();
        assert_eq!((e.raw_os_error(), retries.made()), (Some(libc::EISDIR), 0));
        assert!(!is_transient(&io::Error::other("no code")));
    }
}
