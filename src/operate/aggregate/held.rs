//! The state of a group of few values: the values themselves. Most groups of a fine grouping have one row, and exact
//! sums of a value's powers take several times as many bits as the value.

use super::codec::take;

/// What sums are made of.
pub trait Value: Copy + Default {
    /// Whether it is the same, bit by bit.
    fn is(&self, other: &Self) -> bool;
    /// Appends it.
    fn put(&self, out: &mut Vec<u8>);
    /// Reads it from the front of `bytes`.
    fn get(bytes: &mut &[u8]) -> Option<Self>;
}

impl Value for f64 {
    fn is(&self, other: &f64) -> bool {
        self.to_bits() == other.to_bits()
    }
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }
    fn get(bytes: &mut &[u8]) -> Option<f64> {
        Some(f64::from_le_bytes(take(bytes, 8)?.try_into().ok()?))
    }
}

impl Value for (f64, f64) {
    fn is(&self, other: &(f64, f64)) -> bool {
        self.0.is(&other.0) && self.1.is(&other.1)
    }
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }
    fn get(bytes: &mut &[u8]) -> Option<(f64, f64)> {
        Some((f64::get(bytes)?, f64::get(bytes)?))
    }
}

/// Exact sums, from which what was added can be taken away again.
pub trait Sums: Default + Clone {
    /// What is added.
    type Value: Value;
    /// Adds a value where that takes no more memory; false, and nothing is done, elsewhere.
    fn add_in_place(&mut self, _: Self::Value) -> bool {
        false
    }
    /// Adds a value.
    fn add(&mut self, x: Self::Value);
    /// Takes a value away that was added.
    fn remove(&mut self, x: Self::Value);
    /// Adds other sums.
    fn merge(&mut self, other: &Self);
    /// Appends the sums.
    fn encode(&self, out: &mut Vec<u8>);
    /// Reads sums from the front of `bytes`.
    fn decode(bytes: &mut &[u8]) -> Option<Self>;
    /// Bytes held besides itself.
    fn bytes(&self) -> usize;
}

/// Up to `N` values, or the sums of more.
#[derive(Debug, Clone)]
pub enum Held<S: Sums, const N: usize> {
    /// So many values.
    Few(u8, [S::Value; N]),
    /// The sums of all.
    Many(S),
}

impl<S: Sums, const N: usize> Default for Held<S, N> {
    fn default() -> Self {
        Held::Few(0, [S::Value::default(); N])
    }
}

/// Begins the sums of many where they are written; else the number of values does.
const MANY: u8 = 255;

impl<S: Sums, const N: usize> Held<S, N> {
    /// Adds a value.
    #[inline(always)]
    pub fn add(&mut self, x: S::Value) {
        if !self.add_in_place(x) {
            self.add_anyway(x);
        }
    }

    /// Adds a value, and to `owned` the bytes by which what it holds besides itself grew.
    #[inline(always)]
    pub fn add_owning(&mut self, owned: &mut usize, x: S::Value) {
        if !self.add_in_place(x) {
            self.grow(owned, |all| all.add_anyway(x));
        }
    }

    /// Adds a value where that takes no more memory; false, and nothing is done, elsewhere.
    #[inline(always)]
    fn add_in_place(&mut self, x: S::Value) -> bool {
        match self {
            Held::Many(sums) => sums.add_in_place(x),
            Held::Few(n, values) if usize::from(*n) < N => {
                values[usize::from(*n)] = x;
                *n += 1;
                true
            }
            Held::Few(..) => false,
        }
    }

    #[inline(never)]
    fn add_anyway(&mut self, x: S::Value) {
        if let Held::Few(..) = self {
            *self = Held::Many(self.look(S::clone));
        }
        if let Held::Many(sums) = self {
            sums.add(x);
        }
    }

    /// Takes a value away that was added.
    pub fn remove(&mut self, x: S::Value) {
        match self {
            Held::Many(sums) => sums.remove(x),
            Held::Few(n, values) => {
                let all = &mut values[..usize::from(*n)];
                if let Some(at) = all.iter().position(|v| v.is(&x)) {
                    let last = all.len() - 1;
                    all.swap(at, last);
                    *n -= 1;
                }
            }
        }
    }

    /// Adds another state.
    pub fn merge(&mut self, other: &Self) {
        match (&mut *self, other) {
            (_, Held::Few(n, values)) => values[..usize::from(*n)].iter().for_each(|&x| self.add(x)),
            (Held::Many(own), Held::Many(other)) => own.merge(other),
            (Held::Few(..), Held::Many(other)) => {
                let mut all = other.clone();
                let Held::Few(n, values) = self else { return };
                values[..usize::from(*n)].iter().for_each(|&x| all.add(x));
                *self = Held::Many(all);
            }
        }
    }

    /// Appends the state.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Held::Few(n, values) => {
                out.push(*n);
                values[..usize::from(*n)].iter().for_each(|x| x.put(out));
            }
            Held::Many(sums) => {
                out.push(MANY);
                sums.encode(out);
            }
        }
    }

    /// Reads a state from the front of `bytes`.
    pub fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let n = take(bytes, 1)?[0];
        if n == MANY {
            return Some(Held::Many(S::decode(bytes)?));
        }
        let mut values = [S::Value::default(); N];
        for value in values.get_mut(..usize::from(n))? {
            *value = S::Value::get(bytes)?;
        }
        Some(Held::Few(n, values))
    }

    /// What a function makes of the sums.
    pub fn look<R>(&self, at: impl FnOnce(&S) -> R) -> R {
        match self {
            Held::Many(sums) => at(sums),
            Held::Few(n, values) => {
                let mut sums = S::default();
                values[..usize::from(*n)].iter().for_each(|&x| sums.add(x));
                at(&sums)
            }
        }
    }

    /// Changes it, and adds to `owned` the bytes by which what it holds besides itself grew.
    pub fn grow(&mut self, owned: &mut usize, change: impl FnOnce(&mut Self)) {
        let before = self.bytes();
        change(self);
        *owned += self.bytes().saturating_sub(before);
    }

    /// Bytes held besides itself.
    pub fn bytes(&self) -> usize {
        match self {
            Held::Few(..) => 0,
            Held::Many(sums) => sums.bytes(),
        }
    }
}
