//! A vector of bits that grows by words, for validity and truth values.

use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};

/// Bits, lowest first; those after the last one are zero.
#[derive(Debug, Default, Clone)]
pub struct BitVec {
    words: Vec<u64>,
    len: usize,
}

/// The lowest `n` (at most 64) bits set.
#[inline(always)]
pub fn low(n: usize) -> u64 {
    if n >= 64 { u64::MAX } else { (1 << n) - 1 }
}

impl BitVec {
    /// No bits, with room for `bits`.
    pub fn with_capacity(bits: usize) -> BitVec {
        BitVec {
            words: Vec::with_capacity(bits.div_ceil(64)),
            len: 0,
        }
    }
    /// The number of bits.
    pub fn len(&self) -> usize {
        self.len
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
    /// Forgets all bits.
    pub fn clear(&mut self) {
        self.words.clear();
        self.len = 0;
    }
    /// Appends the lowest `n` (at most 64) bits of `bits`.
    #[inline]
    pub fn push(&mut self, bits: u64, n: usize) {
        if n == 0 {
            return;
        }
        let bits = bits & low(n);
        let at = self.len % 64;
        match self.words.last_mut() {
            Some(last) if at > 0 => {
                *last |= bits << at;
                if at + n > 64 {
                    self.words.push(bits >> (64 - at));
                }
            }
            _ => self.words.push(bits),
        }
        self.len += n;
    }
    /// Appends `n` times the same bit.
    pub fn fill(&mut self, bit: bool, mut n: usize) {
        let word = if bit { u64::MAX } else { 0 };
        while n > 0 {
            let now = n.min(64 - self.len % 64);
            self.push(word, now);
            n -= now;
        }
    }
    /// Up to 64 bits from bit `at`; zeros beyond the end.
    #[inline]
    pub fn word(&self, at: usize) -> u64 {
        let get = |i: usize| self.words.get(i).copied().unwrap_or(0);
        match at % 64 {
            0 => get(at / 64),
            shift => get(at / 64) >> shift | get(at / 64 + 1) << (64 - shift),
        }
    }
    /// One bit; false beyond the end.
    #[inline]
    pub fn get(&self, at: usize) -> bool {
        self.words.get(at / 64).is_some_and(|w| w >> (at % 64) & 1 == 1)
    }
    /// As an Arrow buffer.
    pub fn finish(self) -> BooleanBuffer {
        BooleanBuffer::new(Buffer::from_vec(self.words), 0, self.len)
    }
    /// As validity; `None` where all bits are set.
    pub fn nulls(self) -> Option<NullBuffer> {
        let nulls = NullBuffer::new(self.finish());
        (nulls.null_count() > 0).then_some(nulls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Pieces of any length give the same bits as one by one.
        #[test]
        fn pieces_join(pieces in prop::collection::vec((any::<u64>(), 0usize..65, any::<bool>()), 0..20)) {
            let mut bits = BitVec::default();
            let mut want = Vec::new();
            for (word, n, fill) in pieces {
                match fill {
                    true => {
                        bits.fill(word & 1 == 1, n * 3);
                        want.extend(std::iter::repeat_n(word & 1 == 1, n * 3));
                    }
                    false => {
                        bits.push(word, n);
                        want.extend((0..n).map(|i| word >> i & 1 == 1));
                    }
                }
            }
            prop_assert_eq!(bits.len(), want.len());
            for at in 0..want.len() + 70 {
                let word = (0..64).map(|i| (want.get(at + i) == Some(&true)) as u64).enumerate();
                prop_assert_eq!(bits.word(at), word.fold(0, |w, (i, b)| w | b << i));
                prop_assert_eq!(bits.get(at), want.get(at) == Some(&true));
            }
            let all = want.iter().all(|b| *b);
            prop_assert_eq!(bits.clone().nulls().is_none(), all);
            prop_assert_eq!(bits.finish().iter().collect::<Vec<_>>(), want);
        }
    }
}
