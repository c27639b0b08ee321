//! Asking the processor for memory that will be needed soon.
//!
//! Loops over random places of a large table are as fast as their cache misses overlap. A short loop
//! has many under way by itself; one whose body is long has few of its turns in the processor at a
//! time, and must ask ahead.

/// Begins to bring the cache line where `slice[index]` begins nearer; nothing happens where there is
/// none.
#[inline(always)]
pub fn prefetch<T>(slice: &[T], index: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let at = slice.as_ptr().wrapping_add(index);
        // SAFETY: the instruction is a hint that reads nothing and never faults, whatever the address;
        // it is part of every x86-64. The address is computed without the promise to lie in bounds.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (slice, index);
}
