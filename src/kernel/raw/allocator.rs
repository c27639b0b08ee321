//! How the allocator and the system treat memory that was freed.
//!
//! As a rule freed memory stays with the process for a second, in case it is wanted again, and
//! large areas are backed by pages of 2 MiB. Both are fast, and both make a process larger than
//! what it holds: with a limit of 64 MiB by 70 to 140 MiB (seen at a sort and a group-by).
//!
//! A question of a small file is answered in milliseconds, of which filling five pages of 2 MiB with
//! zeros took a fifth, and giving all memory back at the end a tenth. So the program starts with
//! small pages until there is much to read, and leaves without tidying up.

use std::ffi::c_long;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use libmimalloc_sys::{mi_collect, mi_option_get, mi_option_set, mi_option_t};

/// mimalloc's `mi_option_purge_delay`, in versions 2 and 3: the milliseconds after which freed
/// memory goes back to the system.
const PURGE_DELAY: mi_option_t = 15;
/// The allocator's own choice for it.
const USUAL_DELAY: c_long = 1000;
/// Limits, and the milliseconds after which freed memory goes back below them. What is given back at once is
/// often wanted at once again, and pages of the system are dear: with no delay a join of 10⁷ rows in 512 MB took
/// 12.5 s, with 20 ms 8.4. But what was freed in one burst stays that long or longer, so little memory needs
/// short delays: these keep the process within a tenth and 40 MB of the limit.
const DELAYS: [(usize, c_long); 4] = [(96 << 20, 2), (192 << 20, 5), (384 << 20, 10), (usize::MAX, 20)];

/// From now on memory goes back to the system soon after it was freed, as soon as a memory limit of so many
/// bytes asks for, and is taken in small pages. Meant for the program, which owns the process, and for the time
/// before it starts threads.
pub fn return_memory_early(limit: usize) {
    let delay = DELAYS.iter().find(|(below, _)| limit < *below);
    // SAFETY: the first two only read and write the allocator's table of options, whose indices they check, and
    // the third gives back what nobody holds; no other thread runs yet.
    unsafe {
        if mi_option_get(PURGE_DELAY) == USUAL_DELAY {
            mi_option_set(PURGE_DELAY, delay.map_or(0, |d| d.1)); // unless the environment chose otherwise
            // what was freed so far waits by the old delay, and all that is freed later would wait with it
            mi_collect(true);
        }
    }
    UNTIL_LARGE.store(false, Relaxed);
    small_pages(true);
}

/// Whether pages are small only as long as there is little to read.
static UNTIL_LARGE: AtomicBool = AtomicBool::new(false);

/// Memory is taken in small pages until [`expect_much`]. Meant for the program, before it allocates.
pub fn expect_little() {
    UNTIL_LARGE.store(true, Relaxed);
    small_pages(true);
}

/// Ends what [`expect_little`] began, if it did. Tables of millions of groups are a seventh faster in
/// large pages.
pub fn expect_much() {
    if UNTIL_LARGE.swap(false, Relaxed) {
        small_pages(false);
    }
}

#[cfg(target_os = "linux")]
fn small_pages(only: bool) {
    // SAFETY: a flag of this process, without pointers. A refusal changes nothing.
    unsafe {
        libc::prctl(libc::PR_SET_THP_DISABLE, libc::c_ulong::from(only), 0, 0, 0);
    }
}

#[cfg(not(target_os = "linux"))]
fn small_pages(_only: bool) {}

/// Ends the process without giving its memory back piece by piece. Meant for the program, when all of
/// its own is closed and removed.
pub fn leave(status: u8) -> ! {
    // what cannot be written any more has been reported by whoever wrote it
    let _ = std::io::stdout().flush();
    // SAFETY: nothing of this process runs after it; the system closes files and frees memory.
    unsafe { libc::_exit(i32::from(status)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_is_still_the_one_that_is_meant() {
        // SAFETY: as above.
        let delay = unsafe { mi_option_get(PURGE_DELAY) };
        let chosen = std::env::var("MIMALLOC_PURGE_DELAY").ok();
        assert!(chosen.is_some() || delay == USUAL_DELAY, "{delay}");
    }
}
