//! What each thread takes next.
//!
//! ```text
//!   cursor ──► ranks, in order, in chunks: one thread's chunk is another's to share
//!              a task whose inputs are not all there is passed over
//!   ready  ──► tasks that were passed over and can run now, the lowest rank first
//! ```
//!
//! Passing a task over counts as one of the things it waits for, so whoever brings its counter to zero,
//! the thread that passes it or the one that makes its last input, knows that it is to run it. A thread
//! that makes several tasks ready keeps one and leaves the others to all.
//!
//! How much is held: a task starts only while fewer results wait than one thread alone would need, and
//! some for each thread; or, so that things go on, when no other thread is at work, and then the first
//! task in order. Run one by one in that order they need no more than one thread would. So the results that
//! wait are at most twice those that one thread needs, and a few for each thread.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Condvar, Mutex};

/// Shares the tasks of a run among its threads.
pub(super) struct Queue {
    tasks: usize,
    state: Mutex<State>,
    changed: Condvar,
    /// Threads that wait for something to do.
    sleeping: AtomicUsize,
    /// Each thread's chunk of ranks: first and end, in one word, so that both change at once.
    chunks: Vec<Chunk>,
    /// Results that wait for readers.
    live: AtomicI64,
    most_live: i64,
    stopped: AtomicBool,
}

/// On a cache line of its own.
#[repr(align(128))]
#[derive(Default)]
struct Chunk(AtomicU64);

struct State {
    cursor: usize,
    ready: BinaryHeap<Reverse<u32>>,
    working: usize,
    over: bool,
}

/// What a thread is given.
pub(super) enum Next {
    /// This task, all inputs of which are there.
    Ready(u32),
    /// Its chunk has ranks.
    Chunk,
    /// There is nothing left to do.
    Over,
}

impl Queue {
    /// For `tasks` tasks and `threads` threads, with room for `most_live` results that wait.
    pub fn new(tasks: usize, threads: usize, most_live: usize) -> Queue {
        Queue {
            tasks,
            state: Mutex::new(State {
                cursor: 0,
                ready: BinaryHeap::new(),
                working: threads,
                over: false,
            }),
            changed: Condvar::new(),
            sleeping: AtomicUsize::new(0),
            chunks: (0..threads).map(|_| Chunk::default()).collect(),
            live: AtomicI64::new(0),
            most_live: i64::try_from(most_live).unwrap_or(i64::MAX),
            stopped: AtomicBool::new(false),
        }
    }

    /// Ends the run: nothing more is given out.
    pub fn stop(&self) {
        self.stopped.store(true, Relaxed);
        let state = self.lock();
        drop(state);
        self.changed.notify_all();
    }

    pub fn stopped(&self) -> bool {
        self.stopped.load(Relaxed)
    }

    /// Notes that a thread could not be started.
    pub fn absent(&self) {
        self.lock().working -= 1;
    }

    /// Notes that so many more results wait.
    pub fn add_live(&self, more: i64) {
        if more != 0 {
            self.live.fetch_add(more, Relaxed);
        }
    }

    /// Whether a further task may start beside others.
    pub fn has_room(&self) -> bool {
        self.live.load(Relaxed) < self.most_live
    }

    /// Whether a thread waits for something to do.
    pub fn anyone_idle(&self) -> bool {
        self.sleeping.load(Relaxed) > 0
    }

    /// Leaves tasks to whoever comes first.
    pub fn share(&self, ranks: impl IntoIterator<Item = u32>) {
        let mut state = self.lock();
        state.ready.extend(ranks.into_iter().map(Reverse));
        drop(state);
        if self.anyone_idle() {
            self.changed.notify_all();
        }
    }

    /// Wakes idle threads if there may be something for them.
    pub fn poke(&self) {
        let state = self.lock();
        let in_chunks = || self.chunks.iter().any(|c| !unpack(c.0.load(Relaxed)).is_empty());
        let some = !state.ready.is_empty() || state.cursor < self.tasks || in_chunks();
        drop(state);
        if some && self.has_room() {
            self.changed.notify_all();
        }
    }

    /// The next rank of the thread's chunk.
    pub fn next_of_chunk(&self, thread: usize) -> Option<u32> {
        let chunk = &self.chunks[thread].0;
        let mut now = chunk.load(Relaxed);
        loop {
            let range = unpack(now);
            if range.is_empty() {
                return None;
            }
            let rest = pack(range.start + 1..range.end);
            match chunk.compare_exchange_weak(now, rest, Relaxed, Relaxed) {
                Ok(_) => return Some(range.start),
                Err(other) => now = other,
            }
        }
    }

    /// Waits for something to do; a chunk has up to `wanted` ranks.
    pub fn next(&self, thread: usize, wanted: usize) -> Next {
        let mut state = self.lock();
        loop {
            if state.over || self.stopped() {
                return Next::Over;
            }
            let alone = state.working == 1;
            if alone || self.has_room() {
                if let Some(Reverse(rank)) = state.ready.pop() {
                    return Next::Ready(rank);
                }
                if self.steal(thread) {
                    return Next::Chunk;
                }
                let left = self.tasks - state.cursor;
                if left > 0 {
                    let fair = (left / (4 * self.chunks.len())).max(1);
                    let n = if self.has_room() { wanted.min(fair) } else { 1 };
                    let first = state.cursor as u32;
                    state.cursor += n;
                    self.chunks[thread]
                        .0
                        .store(pack(first..first + n as u32), Relaxed);
                    return Next::Chunk;
                }
            }
            state.working -= 1;
            if state.working == 0 {
                // nobody works, and nothing was there for the last one: all is done
                state.over = true;
                drop(state);
                self.changed.notify_all();
                return Next::Over;
            }
            self.sleeping.fetch_add(1, Relaxed);
            state = self.changed.wait(state).unwrap_or_else(|e| e.into_inner());
            self.sleeping.fetch_sub(1, Relaxed);
            state.working += 1;
        }
    }

    /// Takes the second half of another thread's chunk; called under the lock, so that one thief is at work.
    fn steal(&self, thread: usize) -> bool {
        let others = self.chunks.iter().enumerate().filter(|(i, _)| *i != thread);
        for (_, chunk) in others {
            let mut now = chunk.0.load(Relaxed);
            loop {
                let range = unpack(now);
                if range.is_empty() {
                    break;
                }
                let half = range.start + (range.end - range.start) / 2;
                let kept = pack(range.start..half);
                match chunk.0.compare_exchange_weak(now, kept, Relaxed, Relaxed) {
                    Ok(_) => {
                        self.chunks[thread].0.store(pack(half..range.end), Relaxed);
                        return true;
                    }
                    Err(changed) => now = changed,
                }
            }
        }
        false
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }
}

fn pack(range: Range<u32>) -> u64 {
    u64::from(range.start) << 32 | u64::from(range.end)
}

fn unpack(word: u64) -> Range<u32> {
    (word >> 32) as u32..word as u32
}
