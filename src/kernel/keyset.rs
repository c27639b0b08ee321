//! A set of integers to leave rows out by: whether a value may be in it.
//!
//! ```text
//!   values close together   one bit for each value from the least to the greatest     exact
//!   others                  blocks of 64 bits, of which a value sets two              may say yes in vain
//! ```
//!
//! A text is in the set by the hash of its bytes ([`of_text`]).
//!
//! The second form is a Bloom filter whose bits for a value lie in one word (Putze, Sanders and
//! Singler, "Cache-, hash- and space-efficient Bloom filters", 2007).

use arrow::buffer::NullBuffer;

use super::hash::{hash_bytes, mix};

/// Values are kept as bits of their own if these take at most so many times those of the other form,
const SPARSE: u64 = 4;
/// or at most so many bits.
const FEW_BITS: u64 = 1 << 16;
/// Bits for each value of the second form.
const BLOOM_BITS: u64 = 16;
/// No set takes more bytes than this.
const MOST_BYTES: u64 = 8 << 20;

/// Which integers occurred.
#[derive(Debug)]
pub struct KeySet {
    least: i64,
    most: i64,
    count: u64,
    members: Members,
}

#[derive(Debug)]
enum Members {
    /// Bit `v - least`.
    Each(Vec<u64>),
    /// As many blocks as a power of two; two bits of a value's block.
    Hashed(Vec<u64>),
    /// All from the least to the greatest may be there.
    Range,
}

/// Values and which of them are there.
pub type Values<'a> = (&'a [i64], Option<&'a NullBuffer>);

impl KeySet {
    /// The set of all values that are not null.
    pub fn new(columns: &[Values]) -> KeySet {
        let (mut least, mut most, mut count) = (i64::MAX, i64::MIN, 0u64);
        each(columns, |v| {
            (least, most) = (least.min(v), most.max(v));
            count += 1;
        });
        let span = match count {
            0 => 0,
            _ => most.abs_diff(least).saturating_add(1),
        };
        let hashed = (count * BLOOM_BITS).next_power_of_two().max(64);
        let members = if span <= hashed.saturating_mul(SPARSE).max(FEW_BITS) && span / 8 <= MOST_BYTES {
            let mut bits = vec![0u64; (span as usize).div_ceil(64)];
            each(columns, |v| {
                let at = v.abs_diff(least) as usize;
                bits[at / 64] |= 1 << (at % 64);
            });
            Members::Each(bits)
        } else if hashed / 8 <= MOST_BYTES {
            let mut blocks = vec![0u64; (hashed / 64) as usize];
            let mask = blocks.len() - 1;
            each(columns, |v| {
                let (at, bits) = place(v);
                blocks[at & mask] |= bits;
            });
            Members::Hashed(blocks)
        } else {
            Members::Range
        };
        KeySet {
            least,
            most,
            count,
            members,
        }
    }

    /// The least and the greatest value; none where the set is empty.
    pub fn range(&self) -> Option<(i64, i64)> {
        (self.least <= self.most).then_some((self.least, self.most))
    }

    /// The number of values it was made of, repeated ones counted each time.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Bytes it takes.
    pub fn bytes(&self) -> usize {
        match &self.members {
            Members::Each(words) | Members::Hashed(words) => words.len() * 8,
            Members::Range => 0,
        }
    }

    /// False only where the value is not in the set.
    #[inline(always)]
    pub fn may_have(&self, v: i64) -> bool {
        match &self.members {
            Members::Each(bits) => {
                let at = v.wrapping_sub(self.least) as u64;
                let word = bits.get((at / 64) as usize).copied().unwrap_or(0);
                word >> (at % 64) & 1 == 1
            }
            Members::Hashed(blocks) => {
                let (at, bits) = place(v);
                let block = blocks.get(at & (blocks.len() - 1)).copied().unwrap_or(0);
                block & bits == bits
            }
            Members::Range => (self.least..=self.most).contains(&v),
        }
    }
}

/// The integer that stands for a text; others may share it, so what is there with it may not be there.
#[inline(always)]
pub fn of_text(text: &[u8]) -> i64 {
    hash_bytes(text) as i64
}

/// The block of a value and its bits there.
#[inline(always)]
fn place(v: i64) -> (usize, u64) {
    let h = mix(v as u64 ^ 0x9e37_79b9_7f4a_7c15, 0xd6e8_feb8_6659_fd93);
    ((h >> 12) as usize, 1 << (h & 63) | 1 << (h >> 6 & 63))
}

fn each(columns: &[Values], mut see: impl FnMut(i64)) {
    for (values, nulls) in columns {
        match nulls {
            None => values.iter().for_each(|&v| see(v)),
            Some(nulls) => nulls.valid_indices().for_each(|i| see(values[i])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// What is in the set is found; close values are told apart exactly, others nearly always.
        #[test]
        fn nothing_is_lost(
            close in any::<bool>(),
            seeds in prop::collection::vec((any::<i64>(), prop::bool::weighted(0.8)), 0..300),
            probes in prop::collection::vec(any::<i64>(), 200),
        ) {
            let squeeze = |v: i64| if close { v % 500 } else { v };
            let values: Vec<i64> = seeds.iter().map(|(v, _)| squeeze(*v)).collect();
            let nulls = NullBuffer::from(seeds.iter().map(|(_, n)| *n).collect::<Vec<_>>());
            let set = KeySet::new(&[(&values, Some(&nulls)), (&[7, i64::MAX][..usize::from(!close)], None)]);
            let mut there: Vec<i64> = seeds.iter().filter(|s| s.1).map(|s| squeeze(s.0)).collect();
            there.extend((!close).then_some(7));
            prop_assert!(there.iter().all(|v| set.may_have(*v)));
            prop_assert_eq!(set.count(), there.len() as u64);
            prop_assert_eq!(set.range(), there.iter().min().copied().zip(there.iter().max().copied()));
            let wrong = probes.iter().map(|v| squeeze(*v)).filter(|v| !there.contains(v) && set.may_have(*v));
            let most = if close { 0 } else { 40 };
            prop_assert!(wrong.count() <= most);
        }
    }
}
