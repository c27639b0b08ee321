//! Proofs, from statistics, that a row group holds no row that a filter keeps.
//!
//! A wrong proof loses rows in silence, so everything doubtful proves nothing:
//! - NaN is greater than every number but never part of min and max: `>`, `>=` and `<>` on floats
//!   need a NaN count of zero;
//! - minima and maxima of text may be cut, which still bounds the values, but proves no equality;
//! - statistics without a defined order, of the old kind, with min > max, or with NaN are ignored;
//! - a missing null count is not zero, and only writers that are known to count right are believed.

use std::cmp::Ordering;

use arrow::datatypes::{DataType, TimeUnit};
use parquet::basic::{ColumnOrder, SortOrder};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::statistics::Statistics;

use super::ParquetDataset;
use super::layout::ColumnFrom;
use crate::kernel::{Scalar, types};
use crate::source::{AnyOf, Bound, Compare};

/// What is known of the values of a column in a row group or page.
#[derive(Debug)]
pub(super) struct Known {
    /// Bounds of the values that are neither null nor NaN.
    range: Option<(Scalar, Scalar)>,
    /// The bounds occur as values.
    exact: bool,
    nulls: Option<u64>,
    /// Whether NaN may occur.
    nan: bool,
    rows: u64,
}

/// Whether statistics prove that no row of the group satisfies all of `bounds`.
pub(super) fn group_is_empty(
    dataset: &ParquetDataset,
    (file, group): (usize, usize),
    bounds: &[Bound],
) -> bool {
    bounds.iter().any(|bound| {
        let known = match dataset.column(file, bound.column) {
            ColumnFrom::Constant(value) => Some(of_constant(value, dataset.files[file].rows(group))),
            ColumnFrom::File(root) => {
                let footer = &dataset.files[file];
                let chunk = footer
                    .metadata
                    .row_group(group)
                    .columns()
                    .get(footer.leaves[*root].start);
                let statistics = chunk.and_then(ColumnChunkMetaData::statistics);
                let rows = footer.rows(group);
                known(dataset, (file, group), (*root, bound.column), statistics, rows)
            }
        };
        known.is_some_and(|k| disproves(&k, bound))
    })
}

/// Row groups whose statistics are looked at for the range of a column: more would only take time.
const RANGED_GROUPS: usize = 4096;

/// The least and the greatest value of a column, as far as all row groups tell.
pub(super) fn range_of_all(dataset: &ParquetDataset, column: usize) -> Option<(Scalar, Scalar)> {
    let groups = dataset.files.iter().enumerate();
    let groups = groups.flat_map(|(f, file)| (0..file.metadata.num_row_groups()).map(move |g| (f, g)));
    let mut all: Option<(Scalar, Scalar)> = None;
    for (i, (file, group)) in groups.enumerate() {
        if i == RANGED_GROUPS {
            return None;
        }
        let ColumnFrom::File(root) = dataset.column(file, column) else {
            return None;
        };
        let footer = &dataset.files[file];
        let leaf = footer.leaves[*root].start;
        let chunk = footer.metadata.row_group(group).columns().get(leaf)?;
        let (statistics, rows) = (chunk.statistics(), footer.rows(group));
        let known = known(dataset, (file, group), (*root, column), statistics, rows)?;
        if rows == 0 || known.nulls == Some(rows) {
            continue;
        }
        let (min, max) = known.range?;
        all = Some(match all {
            None => (min, max),
            Some((a, b)) => (
                if compare(&min, &a)? == Ordering::Less {
                    min
                } else {
                    a
                },
                if compare(&max, &b)? == Ordering::Greater {
                    max
                } else {
                    b
                },
            ),
        });
    }
    all
}

/// Whether statistics prove for one of `lists` that no row of the group has any of its values.
pub(super) fn group_lacks(dataset: &ParquetDataset, at: (usize, usize), lists: &[AnyOf]) -> bool {
    lists.iter().any(|list| {
        list.values.iter().all(|value| {
            let bound = Bound {
                column: list.column,
                op: Compare::Eq,
                value: value.clone(),
            };
            group_is_empty(dataset, at, &[bound])
        })
    })
}

fn of_constant(value: &Scalar, rows: u64) -> Known {
    let null = *value == Scalar::Null;
    Known {
        range: (!null).then(|| (value.clone(), value.clone())),
        exact: true,
        nulls: Some(if null { rows } else { 0 }),
        nan: matches!(value, Scalar::Float(_)),
        rows,
    }
}

/// What `statistics` of `rows` rows, of a row group or a page of it, say of the column that is
/// `root` in the file and `column` in the dataset; `None` for nested ones.
pub(super) fn known(
    dataset: &ParquetDataset,
    (file, group): (usize, usize),
    (root, column): (usize, usize),
    statistics: Option<&Statistics>,
    rows: u64,
) -> Option<Known> {
    let footer = &dataset.files[file];
    let leaves = &footer.leaves[root];
    let row_group = footer.metadata.row_group(group);
    let chunk = row_group.columns().get(leaves.start)?;
    let flat = leaves.len() == 1
        && chunk.column_descr().max_rep_level() == 0
        && chunk.column_descr().max_def_level() <= 1;
    if !flat {
        return None;
    }
    let required = chunk.column_descr().max_def_level() == 0;
    let ty = footer.schema.field(root).data_type();
    let united = dataset.layout.schema.field(column).data_type();
    let order = footer.metadata.file_metadata().column_order(leaves.start);
    let range = statistics.and_then(|s| range(s, ty, order));
    // A column that is united to a wider type keeps its order only from int to float.
    let same = types::logical(ty) == *united;
    let widened = types::logical(ty) == DataType::Int64 && *united == DataType::Float64;
    let float = matches!(ty, DataType::Float16 | DataType::Float32 | DataType::Float64);
    // nothing but nulls has no bounds
    let bounded = |s: &Statistics| s.min_bytes_opt().is_some() || s.max_bytes_opt().is_some();
    let possible = |s: &Statistics, nulls: u64| nulls < rows || (nulls == rows && !bounded(s));
    let counted = statistics.and_then(|s| s.null_count_opt().filter(|n| possible(s, *n)));
    Some(Known {
        range: range.filter(|_| same || widened),
        exact: statistics.is_some_and(|s| s.min_is_exact() && s.max_is_exact()),
        nulls: match required {
            true => Some(0),
            false => counted.filter(|_| footer.writer.counts_nulls()),
        },
        nan: float && statistics.and_then(Statistics::nan_count_opt) != Some(0),
        rows,
    })
}

/// Minimum and maximum as values of the logical type.
fn range(s: &Statistics, ty: &DataType, order: ColumnOrder) -> Option<(Scalar, Scalar)> {
    if s.is_min_max_deprecated() || matches!(order, ColumnOrder::UNKNOWN) {
        return None;
    }
    let ty = match ty {
        DataType::Dictionary(_, value) => value,
        other => other,
    };
    let (min, max) = match s {
        Statistics::Int32(s) => {
            let read = |v: &i32| whole(unsigned32(*v, ty), ty);
            (read(s.min_opt()?)?, read(s.max_opt()?)?)
        }
        Statistics::Int64(s) => {
            let read = |v: &i64| whole(*v, ty);
            (read(s.min_opt()?)?, read(s.max_opt()?)?)
        }
        Statistics::Float(s) => (
            Scalar::Float(*s.min_opt()? as f64),
            Scalar::Float(*s.max_opt()? as f64),
        ),
        Statistics::Double(s) => (Scalar::Float(*s.min_opt()?), Scalar::Float(*s.max_opt()?)),
        Statistics::ByteArray(s) if types::logical(ty) == types::TEXT => {
            let unsigned = ColumnOrder::TYPE_DEFINED_ORDER(SortOrder::UNSIGNED);
            if order != unsigned {
                return None;
            }
            (text(s.min_opt()?.data())?, text(s.max_opt()?.data())?)
        }
        _ => return None,
    };
    // refuses NaN, too
    matches!(compare(&min, &max)?, Ordering::Less | Ordering::Equal).then_some((min, max))
}

/// A bound of text that was cut within a character is no text; then nothing is known.
fn text(bytes: &[u8]) -> Option<Scalar> {
    std::str::from_utf8(bytes)
        .ok()
        .map(|t| Scalar::Text(t.to_string()))
}

fn unsigned32(v: i32, ty: &DataType) -> i64 {
    match ty {
        DataType::UInt32 => v as u32 as i64,
        _ => v as i64,
    }
}

/// A stored integer as the value that the source makes of it.
fn whole(v: i64, ty: &DataType) -> Option<Scalar> {
    use DataType::*;
    Some(match ty {
        Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 => Scalar::Int(v),
        Date32 => Scalar::Date(i32::try_from(v).ok()?),
        Timestamp(unit, zone) => {
            let micros = match unit {
                TimeUnit::Second => v.checked_mul(1_000_000)?,
                TimeUnit::Millisecond => v.checked_mul(1000)?,
                TimeUnit::Microsecond => v,
                // either rounding of the source lies between these
                TimeUnit::Nanosecond => return None,
            };
            Scalar::Timestamp(micros, zone.is_some())
        }
        Decimal128(p, s) => Scalar::Decimal(v as i128, *p, *s),
        _ => return None,
    })
}

/// Whether what is known denies that any row passes.
pub(super) fn disproves(known: &Known, bound: &Bound) -> bool {
    match bound.op {
        Compare::IsNull => return known.nulls == Some(0),
        Compare::IsNotNull => return known.nulls == Some(known.rows),
        _ if known.nulls == Some(known.rows) => return true,
        _ => {}
    }
    let Some((min, max)) = &known.range else {
        return false;
    };
    let (Some(low), Some(high)) = (compare(min, &bound.value), compare(max, &bound.value)) else {
        return false;
    };
    use Ordering::*;
    match bound.op {
        Compare::Eq => low == Greater || high == Less,
        Compare::NotEq => low == Equal && high == Equal && known.exact && !known.nan,
        Compare::Lt => low != Less,
        Compare::LtEq => low == Greater,
        Compare::Gt => high != Greater && !known.nan,
        Compare::GtEq => high == Less && !known.nan,
        Compare::IsNull | Compare::IsNotNull => false,
    }
}

/// Integers beyond this are not all floats: comparing them as floats may lie.
const EXACT_FLOAT: i64 = 1 << 53;

/// The order of two values, where it is beyond doubt.
fn compare(a: &Scalar, b: &Scalar) -> Option<Ordering> {
    use Scalar::*;
    match (a, b) {
        (Int(a), Int(b)) => Some(a.cmp(b)),
        (Float(a), Float(b)) => a.partial_cmp(b),
        (Int(a), Float(b)) if a.abs_diff(0) < EXACT_FLOAT as u64 => (*a as f64).partial_cmp(b),
        (Float(a), Int(b)) if b.abs_diff(0) < EXACT_FLOAT as u64 => a.partial_cmp(&(*b as f64)),
        (Date(a), Date(b)) => Some(a.cmp(b)),
        (Timestamp(a, x), Timestamp(b, y)) if x == y => Some(a.cmp(b)),
        (Decimal(a, _, s), Decimal(b, _, t)) if s == t => Some(a.cmp(b)),
        (Decimal(a, _, 0), Int(b)) => Some(a.cmp(&(*b as i128))),
        (Text(a), Text(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
        _ => None,
    }
}
