//! Futures: tasks that start as soon as what they depend on is there, and handles to their results.
//!
//! ```
//! use ddf::graph::{Pool, as_completed};
//! let pool = Pool::new(2)?;
//! let a = pool.submit("inc", |()| 1 + 1, ());
//! let b = pool.submit("inc", |()| 10 + 1, ());
//! let sum = pool.submit("add", |(a, b)| a + b, (a.clone(), b.clone()));
//! assert_eq!(sum.result()?, 13);
//!
//! let mut seen = Vec::new();
//! for handle in as_completed([a, b]) {
//!     seen.push(handle.result()?);
//! }
//! seen.sort();
//! assert_eq!(seen, [2, 11]);
//! # Ok::<(), ddf::Error>(())
//! ```
//!
//! A [`TaskGraph`](super::TaskGraph) knows all tasks before the first runs, and so keeps few results; a
//! pool starts at once, and keeps a result as long as somebody holds its handle.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::AcqRel};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use super::inputs::{Inputs, World};
use super::run::panicked;
use super::{Cancel, failure};
use crate::error::{Error, Kind, Result};

/// Runs tasks as they are submitted.
#[derive(Clone)]
pub struct Pool {
    threads: Option<Arc<rayon::ThreadPool>>,
    retries: u32,
    backoff: Duration,
}

/// What a submitted task is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It waits for its inputs, or for a thread.
    Waiting,
    /// A thread is at work on it.
    Running,
    /// Its result is there.
    Finished,
    /// It, or something it depends on, failed.
    Failed,
    /// It was cancelled before it ran, or something it depends on was.
    Cancelled,
}

/// The result that a submitted task has, or will have. Clones are the same task.
pub struct Handle<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    name: Box<str>,
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    step: Step<T>,
    /// To be called once it is over.
    then: Vec<Box<dyn FnOnce() + Send>>,
}

enum Step<T> {
    Waiting,
    Running,
    Over(Result<Arc<T>>),
}

/// The handles of a [`Pool`].
#[derive(Debug)]
pub struct InPool;

impl World for InPool {
    type Values<'g> = ();
    type Key = Box<dyn Dependency>;
}

/// Something that a submitted task waits for.
#[doc(hidden)]
pub trait Dependency: Send {
    /// Calls `then` once it is over, at once if it is.
    fn when_over(&self, then: Box<dyn FnOnce() + Send>);
    /// Why there will be no result, if so.
    fn failure(&self) -> Option<Error>;
}

impl<T: Send + Sync + 'static> Dependency for Handle<T> {
    fn when_over(&self, then: Box<dyn FnOnce() + Send>) {
        let mut state = self.shared.lock();
        match state.step {
            Step::Over(_) => {
                drop(state);
                then();
            }
            Step::Waiting | Step::Running => state.then.push(then),
        }
    }

    fn failure(&self) -> Option<Error> {
        match &self.shared.lock().step {
            Step::Over(Err(e)) => Some(e.clone()),
            _ => None,
        }
    }
}

impl<T: Send + Sync + 'static> Inputs<InPool> for Handle<T> {
    type Refs<'a> = &'a T;
    type Held<'a> = Arc<T>;
    fn each(&self, take: &mut dyn FnMut(Box<dyn Dependency>)) {
        take(Box::new(self.clone()));
    }
    fn hold(&self, _values: &()) -> Option<Arc<T>> {
        match &self.shared.lock().step {
            Step::Over(Ok(v)) => Some(v.clone()),
            _ => None,
        }
    }
    fn refs(held: &Arc<T>) -> Option<&T> {
        Some(held)
    }
}

impl Pool {
    /// A pool of so many threads; zero means one for each processor.
    ///
    /// # Errors
    /// The system gives no threads.
    pub fn new(threads: usize) -> Result<Pool> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("task-{i}"))
            .build()
            .map_err(|e| Error::new(Kind::Environment, format!("cannot start {threads} threads: {e}")))?;
        Ok(Pool {
            threads: Some(Arc::new(pool)),
            ..Pool::sync()
        })
    }

    /// A pool without threads: tasks run where they are submitted, one after the other.
    pub fn sync() -> Pool {
        Pool {
            threads: None,
            retries: 0,
            backoff: Duration::ZERO,
        }
    }

    /// The same threads; tasks that fail are tried `retries` times again, first after `backoff`, then
    /// after twice as long, and so on.
    pub fn with_retries(&self, retries: u32, backoff: Duration) -> Pool {
        Pool {
            retries,
            backoff,
            ..self.clone()
        }
    }

    /// A task: `f` of what `inputs` will be, run as soon as they are there.
    pub fn submit<D, R, F>(&self, name: &str, f: F, inputs: D) -> Handle<R>
    where
        D: Inputs<InPool>,
        R: Send + Sync + 'static,
        F: for<'a> Fn(<D as Inputs<InPool>>::Refs<'a>) -> R + Send + Sync + 'static,
    {
        self.start(name, inputs, move |refs| Ok(f(refs)))
    }

    /// A task that can fail, with any error.
    pub fn try_submit<D, R, E, F>(&self, name: &str, f: F, inputs: D) -> Handle<R>
    where
        D: Inputs<InPool>,
        R: Send + Sync + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
        F: for<'a> Fn(<D as Inputs<InPool>>::Refs<'a>) -> Result<R, E> + Send + Sync + 'static,
    {
        self.start(name, inputs, move |refs| f(refs).map_err(failure))
    }

    fn start<D, R, F>(&self, name: &str, inputs: D, f: F) -> Handle<R>
    where
        D: Inputs<InPool>,
        R: Send + Sync + 'static,
        F: for<'a> Fn(<D as Inputs<InPool>>::Refs<'a>) -> Result<R> + Send + Sync + 'static,
    {
        let handle = Handle {
            shared: Arc::new(Shared {
                name: name.into(),
                state: Mutex::new(State {
                    step: Step::Waiting,
                    then: Vec::new(),
                }),
                changed: Condvar::new(),
            }),
        };
        let mut waits: Vec<Box<dyn Dependency>> = Vec::new();
        inputs.each(&mut |d| waits.push(d));
        // one more, so that nothing starts before all are asked
        let missing = AtomicUsize::new(waits.len() + 1);
        let (pool, own) = (self.clone(), handle.clone());
        let job = Mutex::new(Some(move || pool.run(&own, &inputs, &f)));
        let threads = self.threads.clone();
        let arrive = Arc::new(move || {
            if missing.fetch_sub(1, AcqRel) > 1 {
                return;
            }
            let job = job.lock().unwrap_or_else(|e| e.into_inner()).take();
            match (&threads, job) {
                (Some(pool), Some(job)) => pool.spawn(job),
                (None, Some(job)) => job(),
                (_, None) => {}
            }
        });
        for wait in waits {
            let arrive = arrive.clone();
            wait.when_over(Box::new(move || arrive()));
        }
        arrive();
        handle
    }

    fn run<D, R>(
        &self,
        handle: &Handle<R>,
        inputs: &D,
        f: &(impl for<'a> Fn(<D as Inputs<InPool>>::Refs<'a>) -> Result<R> + Send + Sync + 'static),
    ) where
        D: Inputs<InPool>,
        R: Send + Sync + 'static,
    {
        {
            let mut state = handle.shared.lock();
            match state.step {
                Step::Waiting => state.step = Step::Running,
                Step::Running | Step::Over(_) => return, // cancelled
            }
        }
        let mut failed = None;
        inputs.each(&mut |d| failed = failed.take().or_else(|| d.failure()));
        let outcome = match failed {
            Some(e) => Err(e),
            None => self.attempts(&handle.shared.name, inputs, f),
        };
        handle.shared.finish(outcome.map(Arc::new));
    }

    fn attempts<D: Inputs<InPool>, R>(
        &self,
        name: &str,
        inputs: &D,
        f: &impl for<'a> Fn(<D as Inputs<InPool>>::Refs<'a>) -> Result<R>,
    ) -> Result<R> {
        let missing = || Error::defect("an input was not there");
        let held = inputs.hold(&()).ok_or_else(missing)?;
        let mut pause = self.backoff;
        let mut left = self.retries;
        loop {
            let refs = D::refs(&held).ok_or_else(missing)?;
            match catch_unwind(AssertUnwindSafe(|| f(refs))) {
                Ok(Ok(v)) => return Ok(v),
                Ok(Err(e)) if left == 0 => return Err(e.context(format!("task {name}"))),
                Ok(Err(_)) => {}
                Err(panic) => return Err(panicked(&format!("task {name}"), &*panic)),
            }
            left -= 1;
            std::thread::sleep(pause);
            pause = pause.saturating_mul(2);
        }
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn finish(&self, outcome: Result<Arc<T>>) {
        let mut state = self.lock();
        state.step = Step::Over(outcome);
        let then = std::mem::take(&mut state.then);
        drop(state);
        self.changed.notify_all();
        then.into_iter().for_each(|f| f());
    }
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        Handle {
            shared: self.shared.clone(),
        }
    }
}

impl<T> std::fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "task {}: {:?}", self.shared.name, self.status())
    }
}

impl<T> Handle<T> {
    /// What the task is called.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// What it is doing now.
    pub fn status(&self) -> Status {
        match &self.shared.lock().step {
            Step::Waiting => Status::Waiting,
            Step::Running => Status::Running,
            Step::Over(Ok(_)) => Status::Finished,
            Step::Over(Err(e)) if e.kind() == Kind::Interrupted => Status::Cancelled,
            Step::Over(Err(_)) => Status::Failed,
        }
    }

    /// Whether it is over, well or not.
    pub fn is_over(&self) -> bool {
        matches!(self.shared.lock().step, Step::Over(_))
    }

    /// Waits until it is over. The result stays with the handle. A task takes other tasks as inputs instead: its
    /// thread would run nothing while it waits, and a pool whose threads all wait for each other's tasks stands.
    ///
    /// # Errors
    /// That of the task, with its name; of kind `Interrupted` where it was cancelled.
    pub fn wait(&self) -> Result<Arc<T>> {
        let mut state = self.shared.lock();
        loop {
            if let Step::Over(outcome) = &state.step {
                return outcome.clone();
            }
            state = (self.shared.changed.wait(state)).unwrap_or_else(|e| e.into_inner());
        }
    }

    /// Waits until it is over and answers a copy of the result.
    ///
    /// # Errors
    /// As [`Handle::wait`].
    pub fn result(&self) -> Result<T>
    where
        T: Clone,
    {
        self.wait().map(|v| (*v).clone())
    }

    /// Sees that it does not run, and what depends on it neither; true if it had not begun. A task that
    /// runs already goes on.
    pub fn cancel(&self) -> bool {
        {
            let mut state = self.shared.lock();
            match state.step {
                Step::Waiting => state.step = Step::Running, // nobody else will take it
                Step::Running | Step::Over(_) => return false,
            }
        }
        self.shared.finish(Err(Cancel::error()));
        true
    }
}

/// Handles in the order in which their tasks end. The tasks must be of one type.
pub fn as_completed<T: Send + Sync + 'static>(
    handles: impl IntoIterator<Item = Handle<T>>,
) -> AsCompleted<T> {
    let (send, receive) = channel();
    let mut left = 0;
    for handle in handles {
        left += 1;
        let (own, send) = (handle.clone(), send.clone());
        // nobody may listen any more
        handle.when_over(Box::new(move || drop(send.send(own))));
    }
    AsCompleted { receive, left }
}

/// The iterator of [`as_completed`].
#[derive(Debug)]
pub struct AsCompleted<T> {
    receive: Receiver<Handle<T>>,
    left: usize,
}

impl<T> Iterator for AsCompleted<T> {
    type Item = Handle<T>;

    fn next(&mut self) -> Option<Handle<T>> {
        self.left = self.left.checked_sub(1)?;
        self.receive.recv().ok()
    }
}
