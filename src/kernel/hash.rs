//! Hashes of keys: 64×64→128 bit multiply, folded.
//!
//! The seeds are constants, because every task (also in another process) must put a key into the
//! same bucket. The low 32 bits choose buckets (8 bits a level), the high 32 bits the slot in a
//! hash table: the two uses stay independent.

const S0: u64 = 0x9e37_79b9_7f4a_7c15;
const S1: u64 = 0xd6e8_feb8_6659_fd93;
const S2: u64 = 0xa076_1d64_78bd_642f;

/// Multiplies and folds the two halves of the product.
#[inline(always)]
pub fn mix(a: u64, b: u64) -> u64 {
    let r = (a as u128) * (b as u128);
    (r as u64) ^ ((r >> 64) as u64)
}

/// The hash of a 16-byte key.
#[inline(always)]
pub fn hash_u128(key: u128) -> u64 {
    let m = mix(key as u64 ^ S0, (key >> 64) as u64 ^ S1);
    mix(m, S2)
}

/// The hash of some bytes.
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    let word = |b: &[u8]| {
        let mut w = [0; 8];
        w[..b.len()].copy_from_slice(b);
        u64::from_le_bytes(w)
    };
    let mut state = S0 ^ bytes.len() as u64;
    let mut chunks = bytes.chunks_exact(16);
    for c in &mut chunks {
        state = mix(word(&c[..8]) ^ state, word(&c[8..]) ^ S1);
    }
    let rest = chunks.remainder();
    let (a, b) = rest.split_at(rest.len().min(8));
    mix(mix(word(a) ^ state, word(b) ^ S1), S2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_spread_in_both_halves() {
        let n = 1 << 16;
        for shift in [8, 64] {
            let hashes: Vec<u64> = (0..n).map(|i| hash_u128((i as u128) << shift)).collect();
            for take in [|h: u64| h as usize & 255, |h: u64| (h >> 56) as usize] {
                let mut counts = [0; 256];
                hashes.iter().for_each(|&h| counts[take(h)] += 1);
                assert!(counts.iter().all(|&c| (128..512).contains(&c)), "{counts:?}");
            }
        }
        assert_ne!(hash_bytes(b"a"), hash_bytes(b"a\0"));
    }
}
