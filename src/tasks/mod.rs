//! Your own task graphs: functions, what they depend on, and a scheduler that runs them on all threads.
//! Programs know this room as [`ddf::graph`](crate::graph).
//!
//! ```
//! use ddf::graph::TaskGraph;
//! let mut g = TaskGraph::new();
//! let one = g.value(1);
//! let a = g.delayed("inc", |x| x + 1, one);
//! let b = g.delayed("inc", |x| x + 2, one);
//! let sum = g.delayed("add", |(a, b)| a + b, (a, b));
//! assert_eq!(g.compute(sum)?, 5);
//! # Ok::<(), ddf::Error>(())
//! ```
//!
//! Nothing runs before [`TaskGraph::compute`]; then each task runs at most once, however many read its
//! result or are asked for:
//!
//! ```
//! # use ddf::graph::TaskGraph;
//! let mut g = TaskGraph::new();
//! let numbers = g.values(0..10);
//! let squares = g.map("square", |x: &i64| x * x, &numbers);
//! let negative = g.map("neg", |x: &i64| -x, &squares);
//! let total = g.delayed("sum", |all| all.into_iter().sum::<i64>(), negative);
//! let most = g.delayed("max", |all| all.into_iter().copied().max(), squares);
//! assert_eq!(g.compute((total, most))?, (-285, Some(81)));
//! # Ok::<(), ddf::Error>(())
//! ```
//!
//! A tree of tasks holds a result for each of its levels, not for each of its leaves:
//!
//! ```
//! # use ddf::graph::TaskGraph;
//! let mut g = TaskGraph::new();
//! let loads: Vec<_> = (0..1000u64).map(|i| g.delayed("load", move |()| vec![i; 100], ())).collect();
//! let sums = g.map("sum", |block: &Vec<u64>| block.iter().sum::<u64>(), &loads);
//! let total = g.tree_reduce("add", 8, |some: Vec<&u64>| some.into_iter().sum(), &sums);
//! assert_eq!(g.compute(total)?, 49_950_000);
//! # Ok::<(), ddf::Error>(())
//! ```
//!
//! Inside:
//!
//! ```text
//!   inputs.rs  handles and the shapes that tasks read      order.rs  which task first (memory!)
//!   run.rs     one run: results, failures, retries         queue.rs  what each thread takes next
//!   pool.rs    futures: tasks that start at once           show.rs   txt, dot, svg, json
//! ```
//!
//! A graph is a few flat lists: nodes, and one list of inputs for all. A run adds a counter of missing
//! inputs and a counter of readers for each task. Memory: a result is dropped when its last reader is
//! done; no order of the tasks that is planned holds more than it must by [`order`]; and threads run ahead
//! of that order only while few results wait for it ([`RunOptions::ahead`]).

mod inputs;
mod order;
mod pool;
mod queue;
mod run;
mod show;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use crate::error::{Error, Kind, Result};
use inputs::{Value, Values};

pub use inputs::{Delayed, InGraph, Inputs, Outputs, World};
pub use pool::{AsCompleted, Handle, InPool, Pool, Status, as_completed};
pub use run::RunOptions;
pub(crate) use run::Scope;

/// Who runs the tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scheduler {
    /// As many threads as the run has.
    #[default]
    Threads,
    /// The calling thread alone, task after task: for debugging and profiles.
    Sync,
}

/// Stops runs: give it to one in [`RunOptions`] and call [`Cancel::cancel`] from anywhere.
#[derive(Debug, Clone, Default)]
pub struct Cancel(pub(crate) Arc<AtomicBool>);

impl Cancel {
    /// One that nobody has called yet.
    pub fn new() -> Cancel {
        Cancel::default()
    }
    /// One that a flag calls, such as a handler of signals sets.
    pub(crate) fn by(flag: Arc<AtomicBool>) -> Cancel {
        Cancel(flag)
    }
    /// Asks the runs to stop: no further task starts, and frames stop within a batch.
    pub fn cancel(&self) {
        self.0.store(true, Relaxed);
    }
    /// Whether somebody has asked.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Relaxed)
    }
    fn error() -> Error {
        Error::new(Kind::Interrupted, "cancelled")
    }
}

/// What a task does: reads values, makes one.
type Call = Box<dyn Fn(&Values<'_>) -> Result<Value> + Send + Sync>;

/// What a node of the graph is.
enum Work {
    /// A value that was given.
    Value(Value),
    /// A function.
    Task(Call),
    /// A task that was given a handle of another graph; it cannot run.
    Foreign,
}

/// Functions and what they depend on; see the [module's examples](self).
#[derive(Default)]
pub struct TaskGraph {
    /// Tells handles of one graph from those of another.
    id: u32,
    /// What each node is. What planning looks at has lists of its own, so that it stays in the caches.
    work: Vec<Work>,
    is_task: Vec<bool>,
    /// Where the inputs of each node end in the list of all inputs.
    ends: Vec<u32>,
    inputs: Vec<u32>,
    name_of: Vec<u32>,
    names: Vec<Arc<str>>,
    known_names: HashMap<Arc<str>, u32>,
}

static GRAPHS: AtomicU32 = AtomicU32::new(1);

impl TaskGraph {
    /// An empty graph.
    pub fn new() -> TaskGraph {
        TaskGraph {
            id: GRAPHS.fetch_add(1, Relaxed),
            ..TaskGraph::default()
        }
    }

    /// A value that tasks can depend on. The graph keeps it.
    pub fn value<T: Send + Sync + 'static>(&mut self, value: T) -> Delayed<T> {
        self.add("value", Work::Value(Box::new(value)), |_| {})
    }

    /// A handle for each of many values.
    pub fn values<T: Send + Sync + 'static>(
        &mut self,
        values: impl IntoIterator<Item = T>,
    ) -> Vec<Delayed<T>> {
        values.into_iter().map(|v| self.value(v)).collect()
    }

    /// A task: `f` of what `inputs` will be. `name` is for messages and drawings and need not be unique.
    ///
    /// ```
    /// # use ddf::graph::TaskGraph;
    /// let mut g = TaskGraph::new();
    /// let words = g.delayed("words", |()| vec!["a", "b"], ());
    /// let n = g.delayed("count", |words| words.len(), words);
    /// let line = g.delayed("line", |(words, n)| format!("{n}: {}", words.join(" ")), (words, n));
    /// assert_eq!(g.compute(line)?, "2: a b");
    /// # Ok::<(), ddf::Error>(())
    /// ```
    pub fn delayed<D, R, F>(&mut self, name: &str, f: F, inputs: D) -> Delayed<R>
    where
        D: Inputs<InGraph>,
        R: Send + Sync + 'static,
        F: for<'a> Fn(<D as Inputs<InGraph>>::Refs<'a>) -> R + Send + Sync + 'static,
    {
        self.task(name, inputs, move |refs, _| Ok(f(refs)))
    }

    /// A task that can fail, with any error: it then fails all that depends on it, after as many retries
    /// as [`RunOptions::retries`] allows.
    ///
    /// ```
    /// # use ddf::graph::TaskGraph;
    /// let mut g = TaskGraph::new();
    /// let text = g.value("12x");
    /// let number = g.try_delayed("parse", |t| t.parse::<i32>(), text);
    /// let error = g.compute(number).unwrap_err();
    /// assert_eq!(error.what(), "task parse (number 1): invalid digit found in string");
    /// ```
    pub fn try_delayed<D, R, E, F>(&mut self, name: &str, f: F, inputs: D) -> Delayed<R>
    where
        D: Inputs<InGraph>,
        R: Send + Sync + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
        F: for<'a> Fn(<D as Inputs<InGraph>>::Refs<'a>) -> Result<R, E> + Send + Sync + 'static,
    {
        self.task(name, inputs, move |refs, _| f(refs).map_err(failure))
    }

    /// A task that knows of its run.
    pub(crate) fn task<D, R, F>(&mut self, name: &str, inputs: D, f: F) -> Delayed<R>
    where
        D: Inputs<InGraph>,
        R: Send + Sync + 'static,
        F: for<'a> Fn(<D as Inputs<InGraph>>::Refs<'a>, &Scope) -> Result<R> + Send + Sync + 'static,
    {
        let mut keys: Keys = Keys::default();
        inputs.each(&mut |key| keys.push(key));
        let missing = || Error::defect("an input was not there");
        let call: Call = Box::new(move |values| {
            let held = inputs.hold(values).ok_or_else(missing)?;
            let refs = D::refs(&held).ok_or_else(missing)?;
            Ok(Box::new(f(refs, values.scope)?))
        });
        let own = keys
            .all()
            .iter()
            .all(|(graph, id)| *graph == self.id && (*id as usize) < self.len());
        if !own {
            return self.add(name, Work::Foreign, |_| {});
        }
        self.add(name, Work::Task(call), |all| {
            all.extend(keys.all().iter().map(|(_, id)| *id))
        })
    }

    /// A task for each handle.
    pub fn map<T, R, F>(&mut self, name: &str, f: F, items: &[Delayed<T>]) -> Vec<Delayed<R>>
    where
        T: Send + Sync + 'static,
        R: Send + Sync + 'static,
        F: Fn(&T) -> R + Send + Sync + 'static,
    {
        let f = Arc::new(f);
        let one = |item: &Delayed<T>| {
            let f = f.clone();
            self.delayed(name, move |x| f(x), *item)
        };
        items.iter().map(one).collect()
    }

    /// One task after the other: `f(…f(f(first, items[0]), items[1])…)`. Each takes its item as soon as
    /// it is there; for `f` that may be grouped otherwise, [`TaskGraph::tree_reduce`] runs in parallel.
    ///
    /// ```
    /// # use ddf::graph::TaskGraph;
    /// let mut g = TaskGraph::new();
    /// let letters = g.values(["a", "b", "c"]);
    /// let word = g.reduce("append", String::new(), |word, letter| format!("{word}{letter}"), &letters);
    /// assert_eq!(g.compute(word)?, "abc");
    /// # Ok::<(), ddf::Error>(())
    /// ```
    pub fn reduce<T, A, F>(&mut self, name: &str, first: A, f: F, items: &[Delayed<T>]) -> Delayed<A>
    where
        T: Send + Sync + 'static,
        A: Send + Sync + 'static,
        F: Fn(&A, &T) -> A + Send + Sync + 'static,
    {
        let f = Arc::new(f);
        let mut so_far = self.value(first);
        for item in items {
            let f = f.clone();
            so_far = self.delayed(name, move |(a, x)| f(a, x), (so_far, *item));
        }
        so_far
    }

    /// A tree of tasks that each unite up to `fan_in` neighbours (at least two), until one result is
    /// left. Of no items it is `f` of an empty list.
    pub fn tree_reduce<T, F>(&mut self, name: &str, fan_in: usize, f: F, items: &[Delayed<T>]) -> Delayed<T>
    where
        T: Send + Sync + 'static,
        F: Fn(Vec<&T>) -> T + Send + Sync + 'static,
    {
        let f = Arc::new(f);
        let mut unite = |some: &[Delayed<T>]| {
            let f = f.clone();
            self.delayed(name, move |all| f(all), some.to_vec())
        };
        let mut level = items.to_vec();
        loop {
            match level.as_slice() {
                [] => return unite(&[]),
                [one] => return *one,
                many => level = many.chunks(fan_in.max(2)).map(&mut unite).collect(),
            }
        }
    }

    /// The number of nodes: tasks and values.
    pub fn len(&self) -> usize {
        self.work.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.work.is_empty()
    }

    fn add<T>(&mut self, name: &str, work: Work, inputs: impl FnOnce(&mut Vec<u32>)) -> Delayed<T> {
        let id = self.len() as u32;
        let name = self.name_number(name);
        inputs(&mut self.inputs);
        self.is_task.push(!matches!(work, Work::Value(_)));
        self.work.push(work);
        self.ends.push(self.inputs.len() as u32);
        self.name_of.push(name);
        Delayed::new(self.id, id)
    }

    fn name_number(&mut self, name: &str) -> u32 {
        if let Some(&last) = self.name_of.last()
            && *self.names[last as usize] == *name
        {
            return last;
        }
        if let Some(&n) = self.known_names.get(name) {
            return n;
        }
        let (text, n): (Arc<str>, _) = (name.into(), self.names.len() as u32);
        self.names.push(text.clone());
        self.known_names.insert(text, n);
        n
    }

    /// The inputs of a node, in the order in which its function gets them.
    fn inputs(&self, id: usize) -> &[u32] {
        let start = id.checked_sub(1).map_or(0, |i| self.ends[i]);
        &self.inputs[start as usize..self.ends[id] as usize]
    }

    fn name(&self, id: usize) -> &Arc<str> {
        &self.names[self.name_of[id] as usize]
    }
}

/// The inputs of one task; a few need no memory of their own.
#[derive(Default)]
struct Keys {
    few: [(u32, u32); 4],
    len: usize,
    many: Vec<(u32, u32)>,
}

impl Keys {
    fn push(&mut self, key: (u32, u32)) {
        if self.len < self.few.len() {
            self.few[self.len] = key;
        } else {
            if self.len == self.few.len() {
                self.many.extend(self.few);
            }
            self.many.push(key);
        }
        self.len += 1;
    }
    fn all(&self) -> &[(u32, u32)] {
        match self.len <= self.few.len() {
            true => &self.few[..self.len],
            false => &self.many,
        }
    }
}

/// The error of a user's function: one of ours keeps what it knows.
fn failure<E: Into<Box<dyn std::error::Error + Send + Sync>>>(e: E) -> Error {
    match e.into().downcast::<Error>() {
        Ok(own) => *own,
        Err(other) => Error::new(Kind::Task, other.to_string()),
    }
}
