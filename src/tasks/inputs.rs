//! Handles, and how tasks get at the results that they depend on.
//!
//! ```text
//!   (a, vec![b, c]) : Inputs      hold ─► guards of the values, while the task runs
//!                                 refs ─► (&A, Vec<&B>), what the closure gets
//! ```
//!
//! The same shapes (nothing, one, tuples, lists) serve graphs and pools: a [`World`] says what a handle
//! looks its value up in, so that a graph's handles cannot be given to a pool, nor the reverse.

use std::any::Any;
use std::marker::PhantomData;
use std::sync::atomic::{
    AtomicU32,
    Ordering::{AcqRel, Relaxed},
};
use std::sync::{RwLock, RwLockReadGuard};

use super::{Scope, TaskGraph, Work};

/// A result whose type only its task and its readers know.
pub(super) type Value = Box<dyn Any + Send + Sync>;

/// The result that a task of a [`TaskGraph`] will have: a place in the graph, as cheap to copy as a number.
pub struct Delayed<T> {
    pub(super) graph: u32,
    pub(super) id: u32,
    of: PhantomData<fn() -> T>,
}

impl<T> Delayed<T> {
    pub(super) fn new(graph: u32, id: u32) -> Self {
        Delayed {
            graph,
            id,
            of: PhantomData,
        }
    }

    /// The number of the task in its graph, as texts and drawings show it.
    pub fn number(&self) -> usize {
        self.id as usize
    }
}

impl<T> Clone for Delayed<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Delayed<T> {}

impl<T> std::fmt::Debug for Delayed<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "task {}", self.id)
    }
}

/// Where handles are from, and what their values are looked up in.
pub trait World: 'static {
    /// What holds the values while tasks run.
    type Values<'g>: Sync;
    /// What a task needs to know of one of its inputs.
    type Key;
}

/// The handles of a [`TaskGraph`].
#[derive(Debug)]
pub struct InGraph;

impl World for InGraph {
    type Values<'g> = Values<'g>;
    type Key = (u32, u32);
}

/// What a task depends on: `()`, a handle, a tuple, a list or an array of these, in any nesting.
pub trait Inputs<W: World>: Send + Sync + 'static {
    /// What the task's function gets.
    type Refs<'a>;
    /// Keeps the values where they are while the function runs.
    #[doc(hidden)]
    type Held<'a>;
    /// Names every handle.
    #[doc(hidden)]
    fn each(&self, take: &mut dyn FnMut(W::Key));
    /// The values; none where one is not there.
    #[doc(hidden)]
    fn hold<'a>(&self, values: &'a W::Values<'_>) -> Option<Self::Held<'a>>;
    /// References to them.
    #[doc(hidden)]
    fn refs<'a>(held: &'a Self::Held<'_>) -> Option<Self::Refs<'a>>;
}

impl<W: World> Inputs<W> for () {
    type Refs<'a> = ();
    type Held<'a> = ();
    fn each(&self, _take: &mut dyn FnMut(W::Key)) {}
    fn hold(&self, _values: &W::Values<'_>) -> Option<()> {
        Some(())
    }
    fn refs(_held: &()) -> Option<()> {
        Some(())
    }
}

impl<W: World, I: Inputs<W>> Inputs<W> for Vec<I> {
    type Refs<'a> = Vec<I::Refs<'a>>;
    type Held<'a> = Vec<I::Held<'a>>;
    fn each(&self, take: &mut dyn FnMut(W::Key)) {
        self.iter().for_each(|i| i.each(take));
    }
    fn hold<'a>(&self, values: &'a W::Values<'_>) -> Option<Self::Held<'a>> {
        self.iter().map(|i| i.hold(values)).collect()
    }
    fn refs<'a>(held: &'a Self::Held<'_>) -> Option<Self::Refs<'a>> {
        held.iter().map(|h| I::refs(h)).collect()
    }
}

impl<W: World, I: Inputs<W>, const N: usize> Inputs<W> for [I; N] {
    type Refs<'a> = [I::Refs<'a>; N];
    type Held<'a> = Vec<I::Held<'a>>;
    fn each(&self, take: &mut dyn FnMut(W::Key)) {
        self.iter().for_each(|i| i.each(take));
    }
    fn hold<'a>(&self, values: &'a W::Values<'_>) -> Option<Self::Held<'a>> {
        self.iter().map(|i| i.hold(values)).collect()
    }
    fn refs<'a>(held: &'a Self::Held<'_>) -> Option<Self::Refs<'a>> {
        let refs: Option<Vec<I::Refs<'a>>> = held.iter().map(|h| I::refs(h)).collect();
        refs?.try_into().ok()
    }
}

macro_rules! tuples {
    ($($name:ident $at:tt),+) => {
        impl<W: World, $($name: Inputs<W>),+> Inputs<W> for ($($name,)+) {
            type Refs<'a> = ($($name::Refs<'a>,)+);
            type Held<'a> = ($($name::Held<'a>,)+);
            fn each(&self, take: &mut dyn FnMut(W::Key)) {
                $(self.$at.each(take);)+
            }
            fn hold<'a>(&self, values: &'a W::Values<'_>) -> Option<Self::Held<'a>> {
                Some(($(self.$at.hold(values)?,)+))
            }
            fn refs<'a>(held: &'a Self::Held<'_>) -> Option<Self::Refs<'a>> {
                Some(($($name::refs(&held.$at)?,)+))
            }
        }
        impl<$($name: Outputs),+> Outputs for ($($name,)+) {
            type Results = ($($name::Results,)+);
            fn each(&self, take: &mut dyn FnMut((u32, u32))) {
                $(self.$at.each(take);)+
            }
            fn take(&self, values: &mut Values<'_>) -> Option<Self::Results> {
                Some(($(self.$at.take(values)?,)+))
            }
        }
    };
}
tuples!(A 0);
tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);
tuples!(A 0, B 1, C 2, D 3);
tuples!(A 0, B 1, C 2, D 3, E 4);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);

/// The results of a run, where they are kept until their last reader is done.
pub struct Values<'g> {
    pub(super) graph: &'g TaskGraph,
    pub(super) cells: Vec<Cell>,
    pub(super) scope: &'g Scope,
}

/// The place of one result.
#[derive(Default)]
pub(super) struct Cell {
    /// Never waited for: it is written before anyone may read, and emptied when all have read.
    value: RwLock<Option<Value>>,
    /// Readers to come: tasks, and the caller who asked for it.
    pub uses: AtomicU32,
}

/// Readers of a value that the graph keeps: they are not counted.
const KEPT: u32 = u32::MAX;

impl Cell {
    /// Of a value that the graph keeps.
    pub fn kept() -> Cell {
        Cell {
            value: RwLock::default(),
            uses: AtomicU32::new(KEPT),
        }
    }

    pub fn put(&self, value: Value) {
        *self.value.write().unwrap_or_else(|e| e.into_inner()) = Some(value);
    }

    /// Notes that a reader is done; true if it was the last, whose result is then dropped.
    pub fn release(&self) -> bool {
        let last = self.uses.load(Relaxed) != KEPT && self.uses.fetch_sub(1, AcqRel) == 1;
        if last {
            drop(self.empty());
        }
        last
    }

    fn empty(&self) -> Option<Value> {
        self.value.write().unwrap_or_else(|e| e.into_inner()).take()
    }
}

/// A value that a running task reads.
#[doc(hidden)]
pub enum Held<'a> {
    /// One that the graph was given.
    Leaf(&'a (dyn Any + Send + Sync)),
    /// The result of a task.
    Made(RwLockReadGuard<'a, Option<Value>>),
}

impl<'g> Values<'g> {
    fn leaf(&self, id: u32) -> Option<&'g (dyn Any + Send + Sync)> {
        if *self.graph.is_task.get(id as usize)? {
            return None;
        }
        match &self.graph.work[id as usize] {
            Work::Value(v) => Some(v.as_ref()),
            Work::Task(_) | Work::Foreign => None,
        }
    }
}

impl<T: Send + Sync + 'static> Inputs<InGraph> for Delayed<T> {
    type Refs<'a> = &'a T;
    type Held<'a> = Held<'a>;
    fn each(&self, take: &mut dyn FnMut((u32, u32))) {
        take((self.graph, self.id));
    }
    fn hold<'a>(&self, values: &'a Values<'_>) -> Option<Held<'a>> {
        if let Some(leaf) = values.leaf(self.id) {
            return Some(Held::Leaf(leaf));
        }
        values
            .cells
            .get(self.id as usize)?
            .value
            .try_read()
            .ok()
            .map(Held::Made)
    }
    fn refs<'a>(held: &'a Held<'_>) -> Option<&'a T> {
        match held {
            Held::Leaf(v) => v.downcast_ref(),
            Held::Made(v) => v.as_ref()?.downcast_ref(),
        }
    }
}

/// What can be computed together: a handle, a tuple, a list or an array of these. Results are handed
/// over, not copied, unless the same is asked for twice or is a value that the graph keeps.
pub trait Outputs {
    /// The results, in the same shape.
    type Results;
    #[doc(hidden)]
    fn each(&self, take: &mut dyn FnMut((u32, u32)));
    #[doc(hidden)]
    fn take(&self, values: &mut Values<'_>) -> Option<Self::Results>;
}

impl<T: Clone + Send + Sync + 'static> Outputs for Delayed<T> {
    type Results = T;
    fn each(&self, take: &mut dyn FnMut((u32, u32))) {
        take((self.graph, self.id));
    }
    fn take(&self, values: &mut Values<'_>) -> Option<T> {
        if let Some(leaf) = values.leaf(self.id) {
            return leaf.downcast_ref::<T>().cloned();
        }
        let cell = values.cells.get(self.id as usize)?;
        if cell.uses.fetch_sub(1, AcqRel) == 1 {
            return cell.empty()?.downcast::<T>().ok().map(|v| *v);
        }
        let value = cell.value.try_read().ok()?;
        value.as_ref()?.downcast_ref::<T>().cloned()
    }
}

impl<O: Outputs> Outputs for Vec<O> {
    type Results = Vec<O::Results>;
    fn each(&self, take: &mut dyn FnMut((u32, u32))) {
        self.iter().for_each(|o| o.each(take));
    }
    fn take(&self, values: &mut Values<'_>) -> Option<Self::Results> {
        self.iter().map(|o| o.take(values)).collect()
    }
}

impl<O: Outputs, const N: usize> Outputs for [O; N] {
    type Results = [O::Results; N];
    fn each(&self, take: &mut dyn FnMut((u32, u32))) {
        self.iter().for_each(|o| o.each(take));
    }
    fn take(&self, values: &mut Values<'_>) -> Option<Self::Results> {
        let all: Option<Vec<_>> = self.iter().map(|o| o.take(values)).collect();
        all?.try_into().ok()
    }
}
