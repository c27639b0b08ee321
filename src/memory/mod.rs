//! Memory as a promise: a budget, reservations against it, and spill files for what exceeds it.
//!
//! ```text
//!   Budget (--memory) ◄── try_grow ── Reservation (one for each buffer-holding sink or source)
//!      │ refused                                   │
//!      └──► the refused one spills *itself* ──► SpillFile (unlinked, checksummed, block by block)
//! ```
//!
//! Nobody waits for memory and nobody is asked to give up theirs, so there is nothing to deadlock.
//! Reserve before allocating. What a sink needs in order to spill (one block, one batch) it keeps
//! reserved from its birth.

mod budget;
mod copies;
mod live;
mod retry;
mod spill;

pub use budget::{Budget, Reservation};
pub use copies::{Copied, Copies, CopyDir};
pub use live::{Again, Live, Stop, Waits};
pub use retry::{Retries, is_transient};
pub use spill::{SpillBlock, SpillDir, SpillFile, SpillParts, SpillWriter};
