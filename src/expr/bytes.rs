//! Functions of bytes: as text, hexadecimal, base64.

use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::DataType;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::eval::Value;
use super::functions::Func;
use crate::error::{Error, Result};
use crate::kernel::{Scalar, show};

/// The bytes of each row: of bytes, UUIDs or text.
struct Bytes<'a>(&'a Value);

impl<'a> Bytes<'a> {
    fn get(&self, row: usize) -> Option<&'a [u8]> {
        let (a, i) = (self.0.array(), self.0.at(row));
        if a.is_null(i) {
            return None;
        }
        Some(match a.data_type() {
            DataType::Binary => a.as_binary::<i32>().value(i),
            DataType::FixedSizeBinary(_) => a.as_fixed_size_binary().value(i),
            _ => a.as_string_view().value(i).as_bytes(),
        })
    }
}

/// The functions of this module; none for others.
pub(super) fn call(func: Func, args: &[Value], rows: usize) -> Result<Option<ArrayRef>> {
    let texts = |f: &dyn Fn(&[u8]) -> Result<String>| -> Result<Option<ArrayRef>> {
        let bytes = Bytes(&args[0]);
        let out = (0..rows).map(|i| bytes.get(i).map(f).transpose());
        Ok(Some(Arc::new(out.collect::<Result<StringViewArray>>()?)))
    };
    let binary = |f: &dyn Fn(&[u8]) -> Result<Vec<u8>>| -> Result<Option<ArrayRef>> {
        let bytes = Bytes(&args[0]);
        let out = (0..rows).map(|i| bytes.get(i).map(f).transpose());
        Ok(Some(Arc::new(out.collect::<Result<BinaryArray>>()?)))
    };
    match func {
        Func::Decode => texts(&|b| decode(b).map(str::to_string)),
        Func::Hex => texts(&|b| Ok(b.iter().map(|b| format!("{b:02X}")).collect())),
        Func::Base64 => texts(&|b| Ok(STANDARD.encode(b))),
        Func::Encode => binary(&|b| Ok(b.to_vec())),
        Func::Unhex => binary(&|b| from_hex(b).ok_or_else(|| refused(b, "hexadecimal text"))),
        Func::FromBase64 => binary(&|b| STANDARD.decode(b.trim_ascii()).map_err(|_| refused(b, "base64"))),
        Func::OctetLength => {
            let bytes = Bytes(&args[0]);
            let out = (0..rows).map(|i| bytes.get(i).map(|b| b.len() as i64));
            Ok(Some(Arc::new(out.collect::<Int64Array>())))
        }
        _ => Ok(None),
    }
}

fn shown(b: &[u8]) -> String {
    let mut out = Vec::new();
    show::bytes(&b[..b.len().min(60)], &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn refused(b: &[u8], what: &str) -> Error {
    Error::query(format!("'{}' is no {what}", shown(b)))
}

/// Bytes that are text.
fn decode(b: &[u8]) -> Result<&str> {
    std::str::from_utf8(b).map_err(|_| {
        refused(b, "UTF-8 text").help("cast(x AS text) writes other bytes as \\xNN, hex(x) all of them")
    })
}

/// The bytes that `x'00ff'` stands for.
pub(super) fn literal(digits: &str) -> Result<Scalar> {
    let bytes = from_hex(digits.as_bytes()).ok_or_else(|| refused(digits.as_bytes(), "hexadecimal text"))?;
    let mut text = Vec::new();
    show::bytes(&bytes, &mut text);
    Ok(Scalar::Other(
        String::from_utf8_lossy(&text).into_owned(),
        DataType::Binary,
    ))
}

fn from_hex(b: &[u8]) -> Option<Vec<u8>> {
    let pairs = b.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    pairs.map(|p| show::hex_byte(p[0], p[1])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_come_in_pairs() {
        assert_eq!(from_hex(b"00fF"), Some(vec![0, 255]));
        assert_eq!(from_hex(b"0g"), None);
        assert_eq!(from_hex(b"0"), None);
    }
}
