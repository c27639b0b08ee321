//! Exact sums of integers by group, in 64 bits where they fit.
//!
//! With many groups each row touches another cache line of every state, so that eight bytes instead of
//! sixteen count. What would overflow moves to 128 bits beside; those cannot overflow, since that takes
//! 2^64 rows.

use std::collections::HashMap;

/// The sums of all groups.
#[derive(Debug, Default)]
pub struct IntSums {
    /// The sum less what is in `more`.
    sums: Vec<i64>,
    more: HashMap<u32, i128>,
}

impl IntSums {
    /// Makes it `groups` groups long.
    pub fn resize(&mut self, groups: usize) {
        self.sums.resize(groups, 0);
    }

    /// Bytes held besides eight for each group.
    pub fn bytes_besides(&self) -> usize {
        self.more.capacity() * 32
    }

    /// Forgets what did not fit, when the groups are gone.
    pub fn clear_besides(&mut self) {
        self.more.clear();
    }

    /// Adds a value to a group's sum.
    #[inline(always)]
    pub fn add(&mut self, group: u32, x: i64) {
        let sum = &mut self.sums[group as usize];
        match sum.checked_add(x) {
            Some(new) => *sum = new,
            None => self.add_wide(group, i128::from(x)),
        }
    }

    /// Adds another sum to a group's.
    pub fn merge(&mut self, group: u32, x: i128) {
        match i64::try_from(x) {
            Ok(x) => self.add(group, x),
            Err(_) => self.add_wide(group, x),
        }
    }

    #[cold]
    #[inline(never)]
    fn add_wide(&mut self, group: u32, x: i128) {
        let narrow = std::mem::take(&mut self.sums[group as usize]);
        *self.more.entry(group).or_default() += x + i128::from(narrow);
    }

    /// A group's sum.
    #[inline]
    pub fn get(&self, group: usize) -> i128 {
        let narrow = i128::from(self.sums[group]);
        match self.more.is_empty() {
            true => narrow,
            false => narrow + self.more.get(&(group as u32)).copied().unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sums_are_those_of_128_bits(
            rows in prop::collection::vec((0u32..3, prop_oneof![any::<i64>(), -9i64..9, Just(i64::MAX), Just(i64::MIN)], any::<bool>()), 0..200),
        ) {
            let (mut sums, mut other, mut expected) = (IntSums::default(), IntSums::default(), [0i128; 3]);
            sums.resize(3);
            other.resize(3);
            for (group, x, elsewhere) in rows {
                if elsewhere { other.add(group, x) } else { sums.add(group, x) }
                expected[group as usize] += i128::from(x);
            }
            (0..3).for_each(|g| sums.merge(g, other.get(g as usize)));
            prop_assert_eq!([0, 1, 2].map(|g| sums.get(g)), expected);
        }
    }
}
