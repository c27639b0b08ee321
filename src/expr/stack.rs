//! Room on the stack for the parser's own trees: a chain of thousands of operators leans left in them, and
//! what walks, prints, copies or drops one recurses. Ours stay shallow ([`mod@super::chain`]).

use crate::error::{Error, Result};

/// What the longest chain that is accepted may take.
const ROOM: usize = 128 << 20;

/// Does something that may recurse as deeply as the longest chain that is accepted.
pub fn deep<T>(f: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(ROOM, ROOM + (1 << 20), f)
}

/// Something that may be deep: it is copied and dropped with room on the stack.
#[derive(Debug)]
pub struct Deep<T>(Option<T>);

impl<T> Deep<T> {
    /// Holds it.
    pub fn new(held: T) -> Self {
        Deep(Some(held))
    }

    /// What is held.
    ///
    /// # Errors
    /// None: it is held until it is dropped.
    pub fn get(&self) -> Result<&T> {
        self.0
            .as_ref()
            .ok_or_else(|| Error::defect("a tree that was dropped"))
    }
}

impl<T: Clone> Clone for Deep<T> {
    fn clone(&self) -> Self {
        Deep(deep(|| self.0.clone()))
    }
}

impl<T> Drop for Deep<T> {
    fn drop(&mut self) {
        let held = self.0.take();
        deep(|| drop(held));
    }
}
