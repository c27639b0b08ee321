//! How many rows a set of inputs has when they are joined, whatever the order.
//!
//! ```text
//!   |a ⋈ b ⋈ c| = |a| · |b| · |c| / distinct values        a.x = b.x, b.x = c.x: of x, twice, not three times
//!                                                          a.x = b.x, a.y = b.y: of (x, y), at most |a| or |b|
//! ```

use std::cell::RefCell;
use std::collections::HashMap;

/// Inputs by their numbers: a bit each.
pub(super) type Set = u64;

/// What is guessed of an input.
#[derive(Debug, Clone)]
pub(super) struct Input {
    pub rows: f64,
    /// Those before any were left out.
    pub all: f64,
}

/// A side of an equality.
#[derive(Debug, Clone, Copy)]
pub(super) struct Side {
    pub input: usize,
    /// Numbers expressions: the same of one input have the same number.
    pub value: usize,
    /// How many different ones it has.
    pub distinct: f64,
}

/// An equality between two inputs.
#[derive(Debug, Clone)]
pub(super) struct Equality {
    pub sides: [Side; 2],
}

/// The part of the rows for which a further condition holds.
const CONDITION: f64 = 0.25;

/// The guesses for all sets of some inputs.
pub(super) struct JoinRows {
    pub inputs: Vec<Input>,
    /// Equalities between the same two inputs, together.
    pairs: Vec<(Set, Vec<Equality>)>,
    /// The inputs that each further condition looks at.
    conditions: Vec<Set>,
    /// The inputs that an equality connects with each.
    neighbours: Vec<Set>,
    known: RefCell<HashMap<Set, f64>>,
}

impl JoinRows {
    pub(super) fn new(inputs: Vec<Input>, equalities: Vec<Equality>, conditions: Vec<Set>) -> Self {
        let mut pairs: Vec<(Set, Vec<Equality>)> = Vec::new();
        let mut neighbours = vec![0; inputs.len()];
        for e in equalities {
            let [a, b] = e.sides.map(|s| s.input);
            neighbours[a] |= 1 << b;
            neighbours[b] |= 1 << a;
            let both = 1 << a | 1 << b;
            match pairs.iter_mut().find(|(set, _)| *set == both) {
                Some((_, all)) => all.push(e),
                None => pairs.push((both, vec![e])),
            }
        }
        JoinRows {
            inputs,
            pairs,
            conditions,
            neighbours,
            known: RefCell::default(),
        }
    }

    /// The inputs that are connected with any of a set.
    pub(super) fn neighbours(&self, set: Set) -> Set {
        let mut all = 0;
        for (i, next) in self.neighbours.iter().enumerate() {
            all |= if set >> i & 1 == 1 { *next } else { 0 };
        }
        all & !set
    }

    /// About how many rows these inputs have, joined.
    pub(super) fn of(&self, set: Set) -> f64 {
        if let Some(known) = self.known.borrow().get(&set) {
            return *known;
        }
        let rows = self.guess(set);
        self.known.borrow_mut().insert(set, rows);
        rows
    }

    fn guess(&self, set: Set) -> f64 {
        let within = |of: Set| of & !set == 0;
        let rows = self.inputs.iter().enumerate().filter(|(i, _)| set >> i & 1 == 1);
        let rows: f64 = rows.map(|(_, input)| input.rows.max(1.0)).product();
        let mut values = Values::default();
        let shares = self.pairs.iter().filter(|(both, _)| within(*both));
        let shares: f64 = shares.map(|(_, all)| self.share(all, &mut values)).product();
        let asked = self
            .conditions
            .iter()
            .filter(|of| **of != 0 && within(**of))
            .count();
        (rows * shares * CONDITION.powi(asked as i32)).max(1.0)
    }

    /// The part of all pairs of rows of two inputs that meet.
    fn share(&self, equalities: &[Equality], values: &mut Values) -> f64 {
        let (mut left, mut right, mut new) = (1.0f64, 1.0f64, false);
        let Some([a, b]) = equalities.first().map(|e| e.sides.map(|s| s.input)) else {
            return 1.0;
        };
        for e in equalities {
            let of = |input| e.sides.iter().find(|s| s.input == input);
            let (Some(l), Some(r)) = (of(a), of(b)) else {
                continue;
            };
            // what follows from others says nothing new
            if let Some((x, y)) = values.unite(l, r) {
                (left, right, new) = (left * x, right * y, true);
            }
        }
        let most = |together: f64, input: usize| together.min(self.inputs[input].all.max(1.0));
        match new {
            true => 1.0 / most(left, a).max(most(right, b)).max(1.0),
            false => 1.0,
        }
    }
}

/// Expressions that are equal, found out equality by equality, and how many different values those have that
/// were united.
#[derive(Default)]
struct Values {
    /// A representative and its distinct values, by the number of an expression.
    of: HashMap<usize, (usize, f64)>,
}

impl Values {
    fn root(&self, value: usize, distinct: f64) -> (usize, f64) {
        let mut at = (value, distinct);
        while let Some(&(next, distinct)) = self.of.get(&at.0) {
            match next == at.0 {
                true => return (next, distinct),
                false => at = (next, distinct),
            }
        }
        at
    }

    /// The distinct values of both, unless they were equal already.
    fn unite(&mut self, a: &Side, b: &Side) -> Option<(f64, f64)> {
        let (a, b) = (self.root(a.value, a.distinct), self.root(b.value, b.distinct));
        if a.0 == b.0 {
            return None;
        }
        // a value that the one lacks is left out
        let left = a.1.min(b.1);
        self.of.insert(a.0, (a.0, left));
        self.of.insert(b.0, (a.0, left));
        Some((a.1.max(1.0), b.1.max(1.0)))
    }
}
