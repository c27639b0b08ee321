//! The logical types of the engine, a small set of Arrow's, and how two of them unite.
//!
//! `Null` (no value seen yet), `Boolean`, `Int64`, `Float64`, `Decimal128(p, s)`, `Date32`,
//! `Timestamp(Microsecond, None | "UTC")` and `Utf8View` for text. A source turns what it reads
//! into these; nested and binary columns pass through untouched.

use arrow::datatypes::{DataType, Schema, TimeUnit};

/// The names of the columns, in their order.
pub fn names_of(schema: &Schema) -> Vec<String> {
    schema.fields().iter().map(|f| f.name().clone()).collect()
}

/// The type of text columns.
pub const TEXT: DataType = DataType::Utf8View;

/// A timestamp without a zone, in microseconds.
pub fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, None)
}

/// A timestamp in UTC, in microseconds.
pub fn timestamp_utc() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The logical type that stands for what a file holds (`Int32` is read as `Int64`, `Utf8` and
/// dictionaries of text as text); nested and binary types stand for themselves.
pub fn logical(ty: &DataType) -> DataType {
    use DataType::*;
    match ty {
        Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 => Int64,
        UInt64 => Decimal128(20, 0),
        Float16 | Float32 | Float64 => Float64,
        Utf8 | LargeUtf8 | Utf8View => TEXT,
        Dictionary(_, value) => logical(value),
        Date32 | Date64 => Date32,
        Timestamp(_, None) => timestamp(),
        Timestamp(_, Some(_)) => timestamp_utc(),
        Decimal32(p, s) | Decimal64(p, s) | Decimal128(p, s) => Decimal128(*p, *s),
        other => other.clone(),
    }
}

/// The narrowest logical type that holds the values of both, by the widening rules of the
/// scanner: null unites with all, int with float, date with timestamp, anything else is text.
pub fn unite(a: &DataType, b: &DataType) -> DataType {
    use DataType::*;
    match (a, b) {
        _ if a == b => a.clone(),
        (Null, x) | (x, Null) => x.clone(),
        (Int64, Float64) | (Float64, Int64) => Float64,
        (Decimal128(..), Float64) | (Float64, Decimal128(..)) => Float64,
        (Int64, Decimal128(p, s)) | (Decimal128(p, s), Int64) => {
            Decimal128((*p).max((19 + (*s).max(0) as u8).min(38)), *s)
        }
        (Decimal128(p, s), Decimal128(q, t)) => {
            let scale = (*s).max(*t);
            let whole = (*p as i16 - *s as i16).max(*q as i16 - *t as i16);
            Decimal128((whole + scale as i16).clamp(1, 38) as u8, scale)
        }
        (Date32, Timestamp(..)) => b.clone(),
        (Timestamp(..), Date32) => a.clone(),
        _ => TEXT,
    }
}

/// The name people know a type by: `int64`, `text`, `timestamp`, …
pub fn name(ty: &DataType) -> String {
    use DataType::*;
    match ty {
        Null => "null".into(),
        Boolean => "bool".into(),
        Int64 => "int64".into(),
        Float64 => "float64".into(),
        Decimal128(p, s) => format!("decimal({p},{s})"),
        Date32 => "date".into(),
        Timestamp(_, None) => "timestamp".into(),
        Timestamp(_, Some(_)) => "timestamp (UTC)".into(),
        Utf8View => "text".into(),
        other => other.to_string().to_lowercase(),
    }
}

/// Whether sums and means make sense of it.
pub fn is_numeric(ty: &DataType) -> bool {
    matches!(
        ty,
        DataType::Int64 | DataType::Float64 | DataType::Decimal128(..) | DataType::Null
    )
}
