//! Rows as text that sorts as they are to be ordered: how `first(x ORDER BY y)` is the least of
//! something, and `string_agg` a list that any thread may add to.
//!
//! ```text
//!   __pack('ad|f', y, place, x)   6-bit digits of y and place, a space, then x: the least text is
//!                                 that of the first row; __unpack takes x out of it again
//!   __pack('ad|r', y, place, x)   the same with x as it is, null where x is null
//! ```
//!
//! The plan's operators then need nothing new: minima of text merge, spill and come out the same
//! whatever the threads did.

use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType,
};

use super::eval::Value;
use super::functions::Func;
use super::tree::Expr;
use crate::error::{Error, Result};
use crate::kernel::{Scalar, types};

/// What `__ordered` says of one key: ascending or descending, nulls first or last.
const ASCENDING: u8 = b'a';
const DESCENDING: u8 = b'd';
const FIRST: u8 = b'f';
const LAST: u8 = b'l';

/// A key of the order within an aggregate.
pub(super) struct Term {
    pub expr: Expr,
    pub descending: bool,
    pub nulls_first: bool,
}

/// `x ORDER BY terms` as the argument of an aggregate.
pub(super) fn ordered(x: Expr, terms: Vec<Term>) -> Expr {
    let flags = terms.iter().flat_map(|t| {
        let direction = if t.descending { DESCENDING } else { ASCENDING };
        let nulls = if t.nulls_first { FIRST } else { LAST };
        [char::from(direction), char::from(nulls)]
    });
    let flags = Expr::Literal(Scalar::Text(flags.collect()));
    let keys = terms.into_iter().map(|t| t.expr);
    Expr::Function {
        func: Func::Ordered,
        args: [x, flags].into_iter().chain(keys).collect(),
    }
}

/// `x ORDER BY keys` as the argument of [`super::AggFunc::First`] and the like; each key with whether
/// it descends and whether its nulls come first.
pub fn ordered_by(x: Expr, keys: impl IntoIterator<Item = (Expr, bool, bool)>) -> Expr {
    let term = |(expr, descending, nulls_first)| Term {
        expr,
        descending,
        nulls_first,
    };
    ordered(x, keys.into_iter().map(term).collect())
}

/// An argument with an order, as it is written: `x ORDER BY y DESC`.
pub(super) fn shown(args: &[Expr]) -> String {
    let [x, Expr::Literal(Scalar::Text(flags)), keys @ ..] = args else {
        return String::new();
    };
    let keys = keys.iter().zip(flags.as_bytes().chunks(2)).map(|(k, f)| {
        let direction = if f.first() == Some(&DESCENDING) {
            " DESC"
        } else {
            ""
        };
        let nulls = if f.last() == Some(&FIRST) {
            " NULLS FIRST"
        } else {
            ""
        };
        format!("{k}{direction}{nulls}")
    });
    let keys: Vec<String> = keys.collect();
    match keys.is_empty() {
        true => x.to_string(),
        false => format!("{x} ORDER BY {}", keys.join(", ")),
    }
}

/// An argument of an aggregate, taken apart into its value and what orders it.
pub struct Ordering {
    flags: String,
    keys: Vec<Expr>,
}

impl Ordering {
    /// The value and its order, if the argument has one; rows that compare equal keep the order of
    /// the input.
    pub fn of(arg: &Expr) -> Option<(Expr, Ordering)> {
        let Expr::Function {
            func: Func::Ordered,
            args,
        } = arg
        else {
            return None;
        };
        let [x, Expr::Literal(Scalar::Text(flags)), keys @ ..] = args.as_slice() else {
            return None;
        };
        let mut order = Ordering::by_place();
        order.flags.insert_str(0, flags);
        order.keys.splice(0..0, keys.iter().cloned());
        Some((x.clone(), order))
    }

    /// The order of the input.
    pub fn by_place() -> Ordering {
        Ordering {
            flags: [char::from(ASCENDING), char::from(LAST)].iter().collect(),
            keys: vec![Expr::Place],
        }
    }

    /// The same with other expressions for its keys, which are in the same order.
    ///
    /// # Errors
    /// Those of `f`.
    pub fn map(mut self, f: impl Fn(&Expr) -> Result<Expr>) -> Result<Ordering> {
        self.keys = self.keys.iter().map(f).collect::<Result<_>>()?;
        Ok(self)
    }

    /// The other way round.
    pub fn reversed(mut self) -> Ordering {
        let other = |c| match c {
            'a' => 'd',
            'd' => 'a',
            'f' => 'l',
            _ => 'f',
        };
        self.flags = self.flags.chars().map(other).collect();
        self
    }

    /// Text whose order is this one, with `values` behind it for [`Ordering::field`].
    pub fn pack(&self, values: &[Expr]) -> Expr {
        self.packed("|f", values)
    }

    /// As [`Ordering::pack`] with one value as it is; null where that is null.
    pub fn pack_text(&self, value: &Expr) -> Expr {
        self.packed("|r", std::slice::from_ref(value))
    }

    fn packed(&self, kind: &str, values: &[Expr]) -> Expr {
        let flags = Expr::Literal(Scalar::Text(format!("{}{kind}", self.flags)));
        let text = |e: &Expr| Expr::Cast {
            expr: Box::new(e.clone()),
            to: super::tree::CastType::Text,
            try_: false,
        };
        let keys = self.keys.iter().cloned();
        Expr::Function {
            func: Func::Pack,
            args: (std::iter::once(flags).chain(keys))
                .chain(values.iter().map(text))
                .collect(),
        }
    }

    /// Value number `i` of a packed column, of type `ty`.
    ///
    /// # Errors
    /// Nothing is cast to that type.
    pub fn field(packed: Expr, i: usize, ty: &DataType) -> Result<Expr> {
        let text = Expr::Function {
            func: Func::Unpack,
            args: vec![packed, Expr::Literal(Scalar::Int(i as i64))],
        };
        match ty {
            DataType::Null => Ok(Expr::Literal(Scalar::Null)),
            ty if *ty == types::TEXT => Ok(text),
            ty => text.cast_to(ty),
        }
    }

    /// What tells two orders apart.
    pub fn same(&self, other: &Ordering) -> bool {
        self.flags == other.flags && self.keys == other.keys
    }
}

/// What follows the key in a text packed by [`Ordering::pack_text`].
pub fn packed_text(bytes: &[u8]) -> &[u8] {
    let at = bytes.iter().position(|&b| b == b' ');
    at.map_or(&[], |at| &bytes[at + 1..])
}

/// The functions of this module; none for others.
pub(super) fn call(func: Func, values: &[Value], rows: usize) -> Result<Option<ArrayRef>> {
    match func {
        Func::Pack => pack(values, rows).map(Some),
        Func::Unpack => Ok(Some(unpack(values, rows))),
        Func::Ordered => Err(Error::defect("an order outside of an aggregate")),
        _ => Ok(None),
    }
}

fn pack(values: &[Value], rows: usize) -> Result<ArrayRef> {
    let bad = || Error::query("__pack is for plans alone");
    let flags = values.first().map(|v| v.array().clone()).ok_or_else(bad)?;
    let flags = flags
        .as_string_view_opt()
        .filter(|f| f.len() > 0 && f.is_valid(0));
    let flags = flags.map(|f| f.value(0).to_string()).ok_or_else(bad)?;
    let (order, kind) = flags.split_once('|').ok_or_else(bad)?;
    let order: Vec<&[u8]> = order.as_bytes().chunks(2).collect();
    let raw = kind == "r";
    if values.len() < 1 + order.len() + usize::from(raw) || order.iter().any(|f| f.len() != 2) {
        return Err(bad());
    }
    let (keys, fields) = values[1..].split_at(order.len());
    let fields: Vec<(&StringViewArray, &Value)> = fields
        .iter()
        .map(|v| Ok((v.array().as_string_view_opt().ok_or_else(bad)?, v)))
        .collect::<Result<_>>()?;
    let field = |f: &(&StringViewArray, &Value), row: usize| {
        let at = f.1.at(row);
        f.0.is_valid(at).then_some(at)
    };
    let mut out = StringViewBuilder::with_capacity(rows);
    let (mut bytes, mut text) = (Vec::new(), String::new());
    for row in 0..rows {
        if raw && field(&fields[0], row).is_none() {
            out.append_null();
            continue;
        }
        bytes.clear();
        text.clear();
        for (key, flags) in keys.iter().zip(&order) {
            put_key(
                &mut bytes,
                key.array(),
                key.at(row),
                flags[0] == DESCENDING,
                flags[1] == FIRST,
            )?;
        }
        put_digits(&mut text, &bytes);
        text.push(' ');
        for f in &fields {
            match field(f, row).map(|at| f.0.value(at)) {
                Some(t) if raw => text.push_str(t),
                Some(t) => {
                    text.push_str(&t.len().to_string());
                    text.push(':');
                    text.push_str(t);
                }
                None => text.push('N'),
            }
        }
        out.append_value(&text);
    }
    Ok(Arc::new(out.finish()))
}

/// Bytes whose order is that of the values.
fn put_key(out: &mut Vec<u8>, a: &ArrayRef, i: usize, descending: bool, nulls_first: bool) -> Result<()> {
    if a.is_null(i) || *a.data_type() == DataType::Null {
        out.push(if nulls_first { 0 } else { 2 });
        return Ok(());
    }
    out.push(1);
    let from = out.len();
    let int = |v: i64| ((v as u64) ^ 1 << 63).to_be_bytes();
    match a.data_type() {
        DataType::Boolean => out.push(a.as_boolean().value(i).into()),
        DataType::Int64 => out.extend(int(a.as_primitive::<Int64Type>().value(i))),
        DataType::Date32 => out.extend(int(a.as_primitive::<Date32Type>().value(i).into())),
        DataType::Timestamp(..) => out.extend(int(a.as_primitive::<TimestampMicrosecondType>().value(i))),
        DataType::Float64 => {
            let v = a.as_primitive::<Float64Type>().value(i);
            // one zero, one NaN, and that above all
            let v = match v {
                v if v.is_nan() => f64::NAN.copysign(1.0),
                v => v + 0.0,
            };
            let bits = v.to_bits() as i64;
            out.extend(int(bits ^ (((bits >> 63) as u64) >> 1) as i64));
        }
        DataType::Decimal128(..) => {
            let v = a.as_primitive::<Decimal128Type>().value(i);
            out.extend(((v as u128) ^ 1 << 127).to_be_bytes());
        }
        DataType::Utf8View => {
            for &b in a.as_string_view().value(i).as_bytes() {
                out.push(b);
                if b == 0 {
                    out.push(0xff);
                }
            }
            out.extend([0, 0]);
        }
        other => {
            let what = format!("{} cannot be ordered", types::name(other));
            return Err(Error::query(what));
        }
    }
    if descending {
        out[from..].iter_mut().for_each(|b| *b = !*b);
    }
    Ok(())
}

/// Six bits a character, so that what comes out is text in the order of the bytes.
fn put_digits(out: &mut String, bytes: &[u8]) {
    let (mut bits, mut held) = (0u32, 0);
    let digit = |v: u32| char::from(b'0' + (v & 63) as u8);
    for &b in bytes {
        bits = bits << 8 | u32::from(b);
        held += 8;
        while held >= 6 {
            held -= 6;
            out.push(digit(bits >> held));
        }
    }
    if held > 0 {
        out.push(digit(bits << (6 - held)));
    }
}

fn unpack(values: &[Value], rows: usize) -> ArrayRef {
    let mut out = StringViewBuilder::with_capacity(rows);
    let packed = super::text::Text::of(&values[0]);
    let at = values[1].array().as_primitive::<Int64Type>();
    for row in 0..rows {
        let wanted = at.value(values[1].at(row)).max(0) as usize;
        out.append_option(packed.get(row).and_then(|t| field(t, wanted)));
    }
    Arc::new(out.finish())
}

/// Field number `wanted` of a packed text; none where it is null.
fn field(packed: &str, wanted: usize) -> Option<&str> {
    let (_, mut rest) = packed.split_once(' ')?;
    for _ in 0..wanted {
        rest = match rest.strip_prefix('N') {
            Some(r) => r,
            None => {
                let (len, r) = rest.split_once(':')?;
                r.get(len.parse().ok()?..)?
            }
        };
    }
    if rest.starts_with('N') {
        return None;
    }
    let (len, r) = rest.split_once(':')?;
    r.get(..len.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::Evaluator;
    use proptest::prelude::*;

    /// Evaluates over two columns `k` and `v`.
    fn run(e: &Expr, k: ArrayRef, v: ArrayRef) -> StringViewArray {
        let field = |n: &str, a: &ArrayRef| arrow::datatypes::Field::new(n, a.data_type().clone(), true);
        let schema = arrow::datatypes::Schema::new(vec![field("k", &k), field("v", &v)]);
        let rows = k.len();
        let batch = crate::kernel::Batch::new(vec![k, v], rows, 0);
        Evaluator::bind(e, &schema)
            .unwrap()
            .eval(&batch)
            .unwrap()
            .as_string_view()
            .clone()
    }

    fn compare_cells(a: &ArrayRef, i: usize, j: usize) -> std::cmp::Ordering {
        match a.data_type() {
            DataType::Int64 => {
                let a = a.as_primitive::<Int64Type>();
                a.value(i).cmp(&a.value(j))
            }
            DataType::Float64 => {
                let a = a.as_primitive::<Float64Type>();
                let (x, y) = (a.value(i), a.value(j));
                match (x.is_nan(), y.is_nan()) {
                    (false, false) => x.partial_cmp(&y).unwrap(),
                    (a, b) => a.cmp(&b),
                }
            }
            DataType::Utf8View => a.as_string_view().value(i).cmp(a.as_string_view().value(j)),
            _ => {
                let a = a.as_primitive::<Decimal128Type>();
                a.value(i).cmp(&a.value(j))
            }
        }
    }

    fn check(k: ArrayRef, descending: bool, nulls_first: bool, values: &[Option<String>]) {
        let term = Term {
            expr: Expr::column("k"),
            descending,
            nulls_first,
        };
        let (x, order) = Ordering::of(&ordered(Expr::column("v"), vec![term])).unwrap();
        let v: ArrayRef = Arc::new(StringViewArray::from_iter(values.iter().cloned()));
        let packed = run(&order.pack(&[x.clone(), x]), k.clone(), v.clone());
        for i in 0..k.len() {
            for j in 0..k.len() {
                let (a, b) = (k.is_null(i), k.is_null(j));
                let want = match (a, b) {
                    (true, true) => i.cmp(&j),
                    (true, false) | (false, true) => match a == nulls_first {
                        true => std::cmp::Ordering::Less,
                        false => std::cmp::Ordering::Greater,
                    },
                    _ => {
                        let o = compare_cells(&k, i, j);
                        let o = if descending { o.reverse() } else { o };
                        o.then(i.cmp(&j))
                    }
                };
                assert_eq!(packed.value(i).cmp(packed.value(j)), want, "{i} {j} of {k:?}");
            }
        }
        for (i, v) in values.iter().enumerate() {
            for at in 0..2 {
                assert_eq!(field(packed.value(i), at), v.as_deref());
            }
        }
        let raw = run(&order.pack_text(&Expr::column("v")), k, v);
        for (i, v) in values.iter().enumerate() {
            let got = raw.is_valid(i).then(|| packed_text(raw.value(i).as_bytes()));
            assert_eq!(got, v.as_deref().map(str::as_bytes));
        }
    }

    proptest! {
        #[test]
        fn packed_text_sorts_as_its_rows(
            ints in prop::collection::vec(prop::option::of(any::<i64>()), 8),
            floats in prop::collection::vec(prop::option::of(any::<f64>()), 8),
            texts in prop::collection::vec(prop::option::of("[\u{0}a-c\u{e9}N: ]{0,4}"), 8),
            decimals in prop::collection::vec(prop::option::of(any::<i64>()), 8),
            descending: bool, nulls_first: bool,
        ) {
            let floats = floats.into_iter().chain([Some(0.0), Some(f64::NAN), Some(f64::INFINITY)]);
            let floats: Float64Array = floats.take(8).collect();
            let decimals: Vec<_> = decimals.into_iter().map(|d| d.map(i128::from)).collect();
            let keys: [ArrayRef; 4] = [
                Arc::new(Int64Array::from(ints)),
                Arc::new(floats),
                Arc::new(StringViewArray::from_iter(texts.iter().cloned())),
                Arc::new(Decimal128Array::from(decimals)),
            ];
            for k in keys {
                check(k, descending, nulls_first, &texts);
            }
        }
    }
}
