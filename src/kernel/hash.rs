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
#[inline]
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    let mut state = S0 ^ bytes.len() as u64;
    let mut rest = bytes;
    while let Some((head, tail)) = rest.split_first_chunk::<16>() {
        if tail.is_empty() {
            break;
        }
        let (a, b) = words(head);
        state = mix(a ^ state, b ^ S1);
        rest = tail;
    }
    // the last 1 to 16 bytes: two words that overlap where there are fewer than 16
    let (a, b) = match (rest.first_chunk::<8>(), rest.last_chunk::<8>()) {
        (Some(a), Some(b)) => (u64::from_le_bytes(*a), u64::from_le_bytes(*b)),
        _ => match (rest.first_chunk::<4>(), rest.last_chunk::<4>()) {
            (Some(a), Some(b)) => (u32::from_le_bytes(*a) as u64, u32::from_le_bytes(*b) as u64),
            _ => (rest.iter().fold(0, |w, &b| w << 8 | b as u64), 0),
        },
    };
    mix(mix(a ^ state, b ^ S1), S2)
}

fn words(bytes: &[u8; 16]) -> (u64, u64) {
    let both = u128::from_le_bytes(*bytes);
    (both as u64, (both >> 64) as u64)
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
