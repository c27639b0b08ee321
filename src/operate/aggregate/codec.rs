//! States as bytes: what lies between the partial aggregation and the merge.
//!
//! ```text
//!   count: varint │ sum: zigzag varint, varint carry │ min, max: 8 bytes │ text: varint (0 none, 1 + length), bytes │ …
//! ```

use super::exact::ExactSum;
use super::moments::ExactMoments;
use super::pairs::ExactPairs;
use super::powers::ExactPowers;
use super::products::WideProduct;
use super::state::{State, Value, add_carry, keep_edge, null_count, text_extreme};

/// Appends a number, seven bits a byte, lowest first.
pub fn put_varint(out: &mut Vec<u8>, mut v: u128) {
    while v >= 0x80 {
        out.push(v as u8 | 0x80);
        v >>= 7;
    }
    out.push(v as u8);
}

/// Appends a signed number.
pub fn put_signed(out: &mut Vec<u8>, v: i128) {
    put_varint(out, ((v << 1) ^ (v >> 127)) as u128);
}

/// Reads a number from the front of `bytes`.
#[inline]
pub fn varint(bytes: &mut &[u8]) -> Option<u128> {
    let (&first, rest) = bytes.split_first()?;
    *bytes = rest;
    if first < 0x80 {
        return Some(first as u128);
    }
    let mut v = (first & 0x7f) as u128;
    let mut shift = 7;
    loop {
        let (&b, rest) = bytes.split_first()?;
        *bytes = rest;
        v |= ((b & 0x7f) as u128).checked_shl(shift)?;
        shift += 7;
        if b < 0x80 {
            return Some(v);
        }
    }
}

/// Reads a signed number.
#[inline]
pub fn signed(bytes: &mut &[u8]) -> Option<i128> {
    let z = varint(bytes)?;
    Some((z >> 1) as i128 ^ -((z & 1) as i128))
}

/// Takes `n` bytes off the front.
pub fn take<'a>(bytes: &mut &'a [u8], n: usize) -> Option<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(n)?;
    *bytes = rest;
    Some(head)
}

fn fixed<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*head)
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Int(v) => {
            out.push(0);
            out.extend_from_slice(&v.to_le_bytes());
        }
        Value::Dec(v) => {
            out.push(1);
            out.extend_from_slice(&v.to_le_bytes());
        }
        Value::Text(t) => {
            out.push(2);
            put_varint(out, t.len() as u128);
            out.extend_from_slice(t);
        }
        Value::Null => out.push(3),
    }
}

fn value(bytes: &mut &[u8]) -> Option<Value> {
    Some(match fixed::<1>(bytes)?[0] {
        0 => Value::Int(i64::from_le_bytes(fixed(bytes)?)),
        1 => Value::Dec(i128::from_le_bytes(fixed(bytes)?)),
        2 => {
            let n = varint(bytes)? as usize;
            Value::Text(take(bytes, n)?.into())
        }
        _ => Value::Null,
    })
}

impl State {
    /// Appends the state of one group.
    pub fn encode(&self, group: u32, out: &mut Vec<u8>) {
        let g = group as usize;
        match self {
            State::Rows(v) => put_varint(out, v[g] as u128),
            State::Nulls(v) => put_varint(out, v.get(g).copied().unwrap_or(0) as u128),
            State::Ints(v) => put_signed(out, v.get(g)),
            State::Sum(v, carry) => {
                put_signed(out, v[g]);
                put_signed(out, carry.get(&group).copied().unwrap_or(0) as i128);
            }
            State::Squares(v, carry) => {
                put_varint(out, v[g]);
                put_varint(out, carry.get(&group).copied().unwrap_or(0) as u128);
            }
            State::Float(v) => v.encode(g, out),
            State::Moments(v, _) => v[g].encode(out),
            State::Powers(v, _) => v[g].encode(out),
            State::Product(v) => v[g].encode(out),
            State::Pairs(v, _) => v[g].encode(out),
            State::Min(v) | State::Max(v) => out.extend_from_slice(&v[g].to_le_bytes()),
            State::MinDec(v) | State::MaxDec(v) => out.extend_from_slice(&v[g].to_le_bytes()),
            State::Text(v, ..) => match &v[g] {
                None => out.push(0),
                Some(t) => {
                    put_varint(out, t.len() as u128 + 1);
                    out.extend_from_slice(t);
                }
            },
            State::Edge(v, ..) => match &v[g] {
                None => out.push(0),
                Some((at, held)) => {
                    out.push(1);
                    out.extend_from_slice(&at.to_le_bytes());
                    put_value(out, held);
                }
            },
            State::Texts(v, _) => {
                put_varint(out, v[g].len() as u128);
                out.extend_from_slice(&v[g]);
            }
        }
    }

    /// Merges encoded states: row `i` goes to `groups[i]` and is read at `at[i]`, which moves on.
    /// `None` where the bytes are broken.
    pub fn merge(&mut self, groups: &[u32], at: &mut [u32], bytes: &[u8]) -> Option<()> {
        for (&group, at) in groups.iter().zip(at) {
            let all = bytes.get(*at as usize..)?;
            let mut b = all;
            self.merge_one(group, &mut b)?;
            *at += (all.len() - b.len()) as u32;
        }
        Some(())
    }

    #[inline(always)]
    fn merge_one(&mut self, group: u32, b: &mut &[u8]) -> Option<()> {
        let g = group as usize;
        match self {
            State::Rows(v) => v[g] += varint(b)? as u64,
            State::Nulls(v) => match varint(b)? {
                0 => {}
                n => *null_count(v, group) += n as u64,
            },
            State::Ints(v) => v.merge(group, signed(b)?),
            State::Sum(v, carry) => {
                add_carry(&mut v[g], carry, group, signed(b)?);
                let more = signed(b)? as i64;
                if more != 0 {
                    *carry.entry(group).or_default() += more;
                }
            }
            State::Squares(v, carry) => {
                let (sum, over) = v[g].overflowing_add(varint(b)?);
                v[g] = sum;
                let more = varint(b)? as u64 + over as u64;
                if more != 0 {
                    *carry.entry(group).or_default() += more;
                }
            }
            State::Float(v) => v.merge(g, &ExactSum::decode(b)?),
            State::Moments(v, owned) => {
                let other = ExactMoments::decode(b)?;
                v[g].grow(owned, |all| all.merge(&other));
            }
            State::Powers(v, owned) => {
                let other = ExactPowers::decode(b)?;
                v[g].grow(owned, |all| all.merge(&other));
            }
            State::Product(v) => v[g].merge(&WideProduct::decode(b)?),
            State::Pairs(v, owned) => {
                let other = ExactPairs::decode(b)?;
                v[g].grow(owned, |all| all.merge(&other));
            }
            State::Min(v) => v[g] = v[g].min(i64::from_le_bytes(fixed(b)?)),
            State::Max(v) => v[g] = v[g].max(i64::from_le_bytes(fixed(b)?)),
            State::MinDec(v) => v[g] = v[g].min(i128::from_le_bytes(fixed(b)?)),
            State::MaxDec(v) => v[g] = v[g].max(i128::from_le_bytes(fixed(b)?)),
            State::Text(v, max, owned) => {
                let n = varint(b)? as usize;
                if n > 0 {
                    text_extreme(&mut v[g], take(b, n - 1)?, *max, owned);
                }
            }
            State::Edge(v, end, owned) => {
                if fixed::<1>(b)?[0] == 1 {
                    let at = u64::from_le_bytes(fixed(b)?);
                    let held = value(b)?;
                    keep_edge(&mut v[g], at, end.last, owned, || held);
                }
            }
            State::Texts(v, owned) => {
                let n = varint(b)? as usize;
                v[g].extend_from_slice(take(b, n)?);
                *owned += n;
            }
        }
        Some(())
    }
}
