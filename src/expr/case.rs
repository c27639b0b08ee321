//! CASE: by masks over all rows where nothing can fail and values are numbers, else row by row.
//!
//! ```text
//!   case when c then x else 0   mask of c ─► 64 rows at once: bit ? x : 0
//!   case when c then x          x itself, its nulls and where c is not true
//! ```

use std::ops::{BitAnd, BitXor, Neg};
use std::sync::Arc;

use arrow::array::*;
use arrow::buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow::compute;
use arrow::datatypes::*;

use super::cast;
use super::eval::{Node, Value, take_rows};
use super::functions::Func;
use super::tree::Expr;
use crate::error::{Error, Result};
use crate::kernel::Batch;

/// The value of a CASE for each row; `columns` are those it looks at.
pub(super) fn case(
    branches: &[(Node, Node)],
    otherwise: &Node,
    ty: &DataType,
    columns: &[usize],
    batch: &Batch,
) -> Result<ArrayRef> {
    let eager = branches.iter().all(|(c, v)| !c.can_fail() && is_flat(v)) && is_flat(otherwise);
    if eager && let Some(done) = by_masks(branches, otherwise, ty, batch)? {
        return Ok(done);
    }
    by_rows(branches, otherwise, ty, columns, batch)
}

/// Whether a value is at hand, or computed in less time than it takes to find its rows.
fn is_flat(node: &Node) -> bool {
    match node {
        Node::Column(_) | Node::Const(_) | Node::Held => true,
        Node::Cast { node, .. } => matches!(**node, Node::Const(_)),
        Node::Short(node, _) => is_flat(node),
        Node::Arith { l, r, .. } => !node.can_fail() && is_flat(l) && is_flat(r),
        _ => false,
    }
}

/// All branches for all rows; none where that needs more than masks.
fn by_masks(
    branches: &[(Node, Node)],
    otherwise: &Node,
    ty: &DataType,
    batch: &Batch,
) -> Result<Option<ArrayRef>> {
    let filters = branches.len() == 1 && is_null(otherwise);
    if !filters && !is_chosen(ty) {
        return Ok(None);
    }
    let value = |node: &Node| -> Result<Option<Value>> {
        // what cannot be cast must be reached to be an error
        let Ok(value) = node.eval(batch) else {
            return Ok(None);
        };
        let plain = value.plain()?;
        Ok((plain.data_type() == ty).then_some(plain))
    };
    if filters && let [(condition, node)] = branches {
        let mask = mask_of(condition, batch)?;
        let all = value(node)?.map(|v| v.spread(batch.rows)).transpose()?;
        return all.map(|a| only_where(&a, mask)).transpose();
    }
    let Some(mut out) = value(otherwise)? else {
        return Ok(None);
    };
    // from the last to the first, which counts where several hold
    for (condition, node) in branches.iter().rev() {
        let Some(new) = value(node)? else {
            return Ok(None);
        };
        let mask = mask_of(condition, batch)?;
        let chosen = choose(&mask, &new, &out, ty);
        out = Value::Array(chosen.ok_or_else(|| Error::defect(format!("a CASE of {ty} by masks")))?);
    }
    Ok(Some(out.spread(batch.rows)?))
}

fn is_null(node: &Node) -> bool {
    match node {
        Node::Const(a) => a.logical_null_count() == a.len(),
        Node::Cast { node, .. } => is_null(node),
        _ => false,
    }
}

/// Where a condition is true.
fn mask_of(condition: &Node, batch: &Batch) -> Result<BooleanBuffer> {
    let mask = condition.eval(batch)?.spread(batch.rows)?;
    if *mask.data_type() == DataType::Null {
        return Ok(BooleanBuffer::new_unset(batch.rows));
    }
    let mask = mask.as_boolean();
    Ok(match mask.nulls() {
        None => mask.values().clone(),
        Some(nulls) => mask.values() & nulls.inner(),
    })
}

/// The values, null where the mask is not set.
fn only_where(values: &ArrayRef, mask: BooleanBuffer) -> Result<ArrayRef> {
    if *values.data_type() == DataType::Null {
        return Ok(values.clone());
    }
    Ok(compute::nullif(values, &BooleanArray::new(!&mask, None))?)
}

/// Whether values of a type are chosen by masks.
fn is_chosen(ty: &DataType) -> bool {
    let none = Value::Array(new_empty_array(ty));
    choose(&BooleanBuffer::new_unset(0), &none, &none, ty).is_some()
}

/// `mask ? yes : no`; none for types whose values are no numbers in memory.
fn choose(mask: &BooleanBuffer, yes: &Value, no: &Value, ty: &DataType) -> Option<ArrayRef> {
    // values are chosen as the whole numbers of their bits
    macro_rules! of {
        ($t:ty, $bits:ty) => {{
            let bits = |v: &Value| -> Option<PrimitiveArray<$bits>> {
                Some(with_bits_of(v.array().as_primitive_opt::<$t>()?))
            };
            let chosen = choose_numbers::<$bits>(mask, (yes, &bits(yes)?), (no, &bits(no)?));
            let chosen = with_bits_of::<$bits, $t>(&chosen);
            Some(Arc::new(chosen.with_data_type(ty.clone())) as ArrayRef)
        }};
    }
    match ty {
        DataType::Int64 => of!(Int64Type, Int64Type),
        DataType::Float64 => of!(Float64Type, Int64Type),
        DataType::Decimal128(..) => of!(Decimal128Type, Decimal128Type),
        DataType::Date32 => of!(Date32Type, Int32Type),
        DataType::Timestamp(TimeUnit::Microsecond, _) => of!(TimestampMicrosecondType, Int64Type),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => of!(TimestampNanosecondType, Int64Type),
        DataType::Time64(TimeUnit::Microsecond) => of!(Time64MicrosecondType, Int64Type),
        DataType::Time64(TimeUnit::Nanosecond) => of!(Time64NanosecondType, Int64Type),
        _ => None,
    }
}

/// The same bits as values of another type, which takes as many.
fn with_bits_of<T: ArrowPrimitiveType, U: ArrowPrimitiveType>(a: &PrimitiveArray<T>) -> PrimitiveArray<U> {
    let values = ScalarBuffer::new(a.values().inner().clone(), 0, a.len());
    PrimitiveArray::new(values, a.nulls().cloned())
}

fn choose_numbers<T: ArrowPrimitiveType>(
    mask: &BooleanBuffer,
    (yes, a): (&Value, &PrimitiveArray<T>),
    (no, b): (&Value, &PrimitiveArray<T>),
) -> PrimitiveArray<T>
where
    T::Native: Bits,
{
    let rows = mask.len();
    let (x, y) = (&a.values()[..], &b.values()[..]);
    let values = match (yes, no) {
        (Value::Array(_), Value::Array(_)) => by_bits(mask, x, y),
        (Value::Array(_), Value::Scalar(_)) => by_bits(mask, x, Same(y[0])),
        (Value::Scalar(_), Value::Array(_)) => by_bits(mask, Same(x[0]), y),
        (Value::Scalar(_), Value::Scalar(_)) => by_bits(mask, Same(x[0]), Same(y[0])),
    };
    let valid = |v: &Value| match v {
        Value::Array(a) => a.nulls().map(|n| n.inner().clone()),
        Value::Scalar(a) if a.is_null(0) => Some(BooleanBuffer::new_unset(rows)),
        Value::Scalar(_) => None,
    };
    let nulls = match (valid(yes), valid(no)) {
        (None, None) => None,
        (yes, no) => {
            let all = || BooleanBuffer::new_set(rows);
            let (yes, no) = (yes.unwrap_or_else(all), no.unwrap_or_else(all));
            Some(NullBuffer::new(&(mask & &yes) | &(&!mask & &no)))
        }
    };
    PrimitiveArray::new(values, nulls)
}

/// Values by row, handed out in parts of one length: without a look at bounds for each.
trait Choice<T>: Copy {
    fn part(self, from: usize, to: usize) -> impl Iterator<Item = T>;
}

impl<T: Copy> Choice<T> for &[T] {
    fn part(self, from: usize, to: usize) -> impl Iterator<Item = T> {
        self[from..to].iter().copied()
    }
}

/// The same value for all rows.
#[derive(Clone, Copy)]
struct Same<T>(T);

impl<T: Copy> Choice<T> for Same<T> {
    fn part(self, from: usize, to: usize) -> impl Iterator<Item = T> {
        std::iter::repeat_n(self.0, to - from)
    }
}

/// Whole numbers that are chosen from without a branch, which nobody could foresee.
trait Bits:
    ArrowNativeType + From<bool> + Neg<Output = Self> + BitXor<Output = Self> + BitAnd<Output = Self>
{
}

impl<T> Bits for T where
    T: ArrowNativeType + From<bool> + Neg<Output = Self> + BitXor<Output = Self> + BitAnd<Output = Self>
{
}

/// One value or the other for each bit.
fn by_bits<T: Bits>(mask: &BooleanBuffer, yes: impl Choice<T>, no: impl Choice<T>) -> ScalarBuffer<T> {
    let mut out = vec![T::default(); mask.len()];
    let words = mask.bit_chunks();
    for (k, (to, word)) in out.chunks_mut(64).zip(words.iter_padded()).enumerate() {
        let (from, end) = (64 * k, 64 * k + to.len());
        let values = yes.part(from, end).zip(no.part(from, end));
        for ((i, out), (yes, no)) in to.iter_mut().enumerate().zip(values) {
            let all_ones = -T::from(word >> i & 1 == 1);
            *out = no ^ (yes ^ no) & all_ones;
        }
    }
    out.into()
}

/// Each branch is evaluated for just the rows that reach it.
fn by_rows(
    branches: &[(Node, Node)],
    otherwise: &Node,
    ty: &DataType,
    columns: &[usize],
    batch: &Batch,
) -> Result<ArrayRef> {
    let mut results: Vec<ArrayRef> = vec![new_null_array(ty, 1)];
    let mut index = vec![(0_usize, 0_usize); batch.rows];
    let mut open: Vec<u32> = (0..batch.rows as u32).collect();
    let part = |open: &[u32]| {
        if open.len() == batch.rows {
            Ok(batch.clone())
        } else {
            take_rows(batch, open, columns)
        }
    };
    let mut give = |node: &Node, rows: &[u32]| -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        for (j, &i) in rows.iter().enumerate() {
            index[i as usize] = (results.len(), j);
        }
        results.push(cast::plain(&node.eval(&part(rows)?)?.spread(rows.len())?)?);
        Ok(())
    };
    for (condition, result) in branches {
        if open.is_empty() {
            break;
        }
        let mask = condition.eval(&part(&open)?)?.spread(open.len())?;
        let mask = mask.as_boolean();
        let (mut hit, mut rest) = (vec![], vec![]);
        for (j, &i) in open.iter().enumerate() {
            if mask.is_valid(j) && mask.value(j) {
                hit.push(i)
            } else {
                rest.push(i)
            }
        }
        give(result, &hit)?;
        open = rest;
    }
    give(otherwise, &open)?;
    if let [_, only] = results.as_slice()
        && only.len() == batch.rows
    {
        return Ok(only.clone());
    }
    let arrays: Vec<&dyn Array> = results.iter().map(|a| a.as_ref()).collect();
    Ok(compute::interleave(&arrays, &index)?)
}

/// The values of which `coalesce` gives the first that is not null, those of a `coalesce` within it in its place: each is
/// bound twice, which would double with each level.
pub(super) fn first_of_all(args: &[Expr]) -> Vec<Expr> {
    let (mut out, mut open) = (Vec::new(), args.iter().rev().collect::<Vec<_>>());
    while let Some(e) = open.pop() {
        match e {
            Expr::Function {
                func: Func::Coalesce | Func::IfNull,
                args,
            } if !args.is_empty() => open.extend(args.iter().rev()),
            e => out.push(e.clone()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::bind::bind;
    use crate::expr::parse;
    use crate::kernel::types;
    use proptest::prelude::*;

    fn batch(rows: &[(Option<i64>, Option<i64>)]) -> (Schema, Batch) {
        let field = |n: &str, t: DataType| Field::new(n, t, true);
        let schema = Schema::new(vec![
            field("a", DataType::Int64),
            field("b", DataType::Int64),
            field("f", DataType::Float64),
            field("t", types::TEXT),
            field("n", types::timestamp_nanos(true)),
            field("s", types::INTERVAL),
        ]);
        let floats = rows.iter().map(|r| r.1.map(|x| x as f64 / 4.0));
        let texts: Vec<Option<String>> = rows.iter().map(|r| r.0.map(|x| format!("t{x}"))).collect();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(rows.iter().map(|r| r.0).collect::<Int64Array>()),
            Arc::new(rows.iter().map(|r| r.1).collect::<Int64Array>()),
            Arc::new(floats.collect::<Float64Array>()),
            Arc::new(texts.iter().map(|t| t.as_deref()).collect::<StringViewArray>()),
            Arc::new(TimestampNanosecondArray::from_iter(rows.iter().map(|r| r.1)).with_timezone("UTC")),
            Arc::new(IntervalMonthDayNanoArray::from_iter(rows.iter().map(|r| {
                let days = i32::try_from(r.1?).ok()?;
                Some(IntervalMonthDayNano::new(1, days, 2))
            }))),
        ];
        (schema, Batch::new(columns, rows.len(), 0))
    }

    /// By masks, if it can be done, and row by row.
    fn both(text: &str, rows: &[(Option<i64>, Option<i64>)]) -> (Option<ArrayRef>, ArrayRef) {
        let (schema, batch) = batch(rows);
        let (node, _) = bind(&parse(text).unwrap(), &schema).unwrap();
        let Node::Case {
            branches,
            otherwise,
            ty,
            columns,
        } = &node
        else {
            panic!("{text} is no case");
        };
        let masks = case(branches, otherwise, ty, columns, &batch).unwrap();
        let rows = by_rows(branches, otherwise, ty, columns, &batch).unwrap();
        assert_eq!(masks.to_data(), rows.to_data(), "{text}");
        (by_masks(branches, otherwise, ty, &batch).unwrap(), rows)
    }

    proptest! {
        #[test]
        fn masks_and_rows_agree(
            rows in prop::collection::vec((prop::option::of(-3i64..4), prop::option::of(-3i64..4)), 1..200),
            which in 0usize..15,
        ) {
            let text = [
                "case when a = 1 then b end",
                "case when a = 1 then f end",
                "case when a = 1 then t end",
                "case when a = 1 then f else 0 end",
                "case when a > b then a else b end",
                "case when a > 1 then 1 when b > 1 then 2 when a = b then a end",
                "case when t = 't1' then f * 2 else f + 1 end",
                "case when a is null then 1.5 else null end",
                "case a when 1 then 10 when 2 then b else 0 end",
                "case when a = 1 then null else b end",
                "case when null then a else b end",
                "case when a = 1 or b = 2 then true end",
                "case when a = 1 then n when a = 2 then null else n end",
                "case when a = 1 then s when a = 2 then null else s end",
                "case when a = 1 then s end",
            ][which];
            both(text, &rows);
        }
    }

    proptest! {
        /// What is computed once is what it would be in each of its places.
        #[test]
        fn computed_once_or_in_each_place(
            rows in prop::collection::vec((prop::option::of(-3i64..4), prop::option::of(-3i64..4)), 1..100),
            which in 0usize..10,
        ) {
            let (short, long) = [
                ("coalesce(a + 1, b, a - b, 0)", "case when a + 1 is not null then a + 1 when b is not null then b else 0 end"),
                ("coalesce(a, b + 1, 7)", "case when a is not null then a when b + 1 is not null then b + 1 else 7 end"),
                ("coalesce(b + f, a, 0.5)", "case when b + f is not null then b + f when a is not null then a else 0.5 end"),
                ("nullif(a + b, b)", "case when a + b = b then null else a + b end"),
                ("nullif(nullif(a + b, 1), 2)", "case when a + b in (1, 2) then null else a + b end"),
                (
                    "case a + b when 1 then coalesce(t || 'x', 'n') when b then t else 'z' end",
                    "case when a + b = 1 then case when t is null then 'n' else t || 'x' end \
                     when a + b = b then t else 'z' end",
                ),
                ("(a + b) in (b, 1, null)", "a + b = b or a + b = 1 or a + b = null"),
                ("(a + b) not in (b, a)", "not (a + b = b or a + b = a)"),
                // the half of AND that few rows come to, and branches that few come to
                ("a = 3 and coalesce(b + 1, 2) = 2", "a = 3 and (b + 1 = 2 or b is null)"),
                (
                    "case when a = 2 then nullif(coalesce(b * 2, a + 5), 4) else -1 end",
                    "case when a = 2 then case when b = 2 then null when b is null then a + 5 else b * 2 end else -1 end",
                ),
            ][which];
            let (schema, batch) = batch(&rows);
            let value = |text: &str| {
                let (node, ty) = bind(&parse(text).unwrap(), &schema).unwrap();
                let value = node.eval(&batch).unwrap().spread(batch.rows).unwrap();
                (ty, cast::plain(&value).unwrap())
            };
            prop_assert_eq!(value(short), value(long), "{}", short);
        }
    }

    /// What stands in several places is not bound in each: that would double with each level.
    #[test]
    fn levels_do_not_multiply() {
        let (schema, batch) = batch(&[(Some(1), Some(2))]);
        for level in [
            "nullif(X, 9)",
            "coalesce(X + 1, 9)",
            "case X when 1 then 2 else 3 end",
            "if(X in (1, b), 5, 6)",
        ] {
            let mut text = "a".to_string();
            for _ in 0..40 {
                text = level.replace('X', &text);
            }
            let (node, _) = bind(&parse(&text).unwrap(), &schema).unwrap();
            assert!(node.eval(&batch).is_ok(), "{level}");
        }
    }

    #[test]
    fn numbers_and_filters_go_by_masks() {
        let rows = [(Some(1), Some(2)), (None, Some(3)), (Some(2), None)];
        for text in [
            "case when a = 1 then f else 0 end",
            "case when a = 1 then t end",
            "case when a = 1 then n when a = 2 then n else null end",
        ] {
            assert!(both(text, &rows).0.is_some(), "{text}");
        }
        for text in [
            "case when a = 1 then t else 'x' end",
            "case when a = 1 then s else s end",
        ] {
            assert!(both(text, &rows).0.is_none(), "{text}");
        }
    }

    /// What fails where it is not reached does not fail.
    #[test]
    fn a_branch_that_no_row_reaches_cannot_fail() {
        let rows = [(Some(i64::MAX), Some(0)), (Some(1), Some(1))];
        both("case when b = 1 then a + 1 else 0 end", &rows);
        both("case when b = 9 then cast('x' as int) else 0 end", &rows);
    }
}
