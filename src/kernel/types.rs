//! The logical types of the engine, a small set of Arrow's, and how two of them unite.
//!
//! ```text
//!   computed with                      Boolean, Int64, Float64, Decimal128(p, s), Date32, Utf8View,
//!                                      Timestamp(Microsecond, None | "UTC"), and Null: no value seen yet
//!   carried by one of these as a key   Timestamp(Nanosecond, …), Time64(µs | ns), Duration(µs | ns),
//!   (see [`super::carry`])             Interval(MonthDayNano), Binary, UUID = FixedSizeBinary(16),
//!                                      Decimal256(p > 38, s); lists, structs and maps as they are
//! ```
//!
//! A source turns what it reads into these, and notes what was narrower ([`super::width`]).

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, IntervalUnit, Schema, TimeUnit};

/// The names of the columns, in their order.
pub fn names_of(schema: &Schema) -> Vec<String> {
    schema.fields().iter().map(|f| f.name().clone()).collect()
}

/// The beginning of names for columns that plans add and nobody asked for: `mark`, so often that none of the names
/// that are there begins with it. Files may have columns of any name.
pub fn hidden<'a>(mark: char, names: impl IntoIterator<Item = &'a String>) -> String {
    let marks = |n: &String| n.chars().take_while(|c| *c == mark).count();
    let most = names.into_iter().map(marks).max().unwrap_or(0);
    mark.to_string().repeat(most + 1)
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

/// A timestamp in nanoseconds, in UTC or without a zone.
pub fn timestamp_nanos(utc: bool) -> DataType {
    DataType::Timestamp(TimeUnit::Nanosecond, utc.then(|| "UTC".into()))
}

/// The type of UUIDs.
pub const UUID: DataType = DataType::FixedSizeBinary(16);

/// The type of spans of months, days and nanoseconds.
pub const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

/// The key of a field's note that says what a column of bytes means, and what it says of UUIDs.
const EXTENSION: (&str, &str) = ("ARROW:extension:name", "arrow.uuid");

/// Whether a file says of a column that its bytes are UUIDs.
pub fn is_uuid(field: &Field) -> bool {
    *field.data_type() == UUID
        && field
            .metadata()
            .get(EXTENSION.0)
            .is_some_and(|e| e == EXTENSION.1)
}

/// The field of a column of UUIDs, with the note that says so.
pub fn noted_uuid(field: Field) -> Field {
    let mut notes = field.metadata().clone();
    notes.insert(EXTENSION.0.to_string(), EXTENSION.1.to_string());
    field.with_metadata(notes)
}

/// The field with that note at those of its leaves, in order, of which `uuids` says so: within lists, structs and maps.
pub fn noted_uuids(field: Field, uuids: &mut dyn Iterator<Item = bool>) -> Field {
    match within(field.data_type(), &mut |f| noted_uuids(f.clone(), uuids)) {
        Some(nested) => field.with_data_type(nested),
        None => match uuids.next() {
            Some(true) if *field.data_type() == UUID => noted_uuid(field),
            _ => field,
        },
    }
}

/// Whether each leaf of a field is a UUID, in order.
pub fn uuids_of(field: &Field) -> Vec<bool> {
    let mut all = Vec::new();
    let nested = within(field.data_type(), &mut |f| {
        all.extend(uuids_of(f));
        f.clone()
    });
    match nested {
        Some(_) => all,
        None => vec![is_uuid(field)],
    }
}

/// A nested type without notes at the fields within it.
pub fn without_notes(ty: &DataType) -> DataType {
    let plain = |f: &Field| {
        let ty = without_notes(f.data_type());
        f.clone().with_metadata(HashMap::new()).with_data_type(ty)
    };
    within(ty, &mut |f| plain(f)).unwrap_or_else(|| ty.clone())
}

/// A nested type with other fields; none for types that have no fields.
fn within(ty: &DataType, each: &mut dyn FnMut(&Field) -> Field) -> Option<DataType> {
    use DataType::*;
    let mut one = |f: &Field| Arc::new(each(f));
    Some(match ty {
        List(f) => List(one(f)),
        LargeList(f) => LargeList(one(f)),
        FixedSizeList(f, n) => FixedSizeList(one(f), *n),
        Map(f, sorted) => Map(one(f), *sorted),
        Struct(fields) => Struct(fields.iter().map(|f| one(f)).collect()),
        _ => return None,
    })
}

/// The logical type of a column of a file. Sixteen bytes are a UUID only where the file says so.
pub fn logical_of(field: &Field) -> DataType {
    match field.data_type() {
        DataType::FixedSizeBinary(_) if !is_uuid(field) => DataType::Binary,
        ty => logical(ty),
    }
}

/// The logical type that stands for what a file holds (`Int32` is read as `Int64`, `Utf8` and
/// dictionaries of text as text); nested types stand for themselves.
pub fn logical(ty: &DataType) -> DataType {
    use DataType::*;
    let fine = |unit: &TimeUnit| match unit {
        TimeUnit::Nanosecond => TimeUnit::Nanosecond,
        _ => TimeUnit::Microsecond,
    };
    match ty {
        Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 => Int64,
        UInt64 => Decimal128(20, 0),
        Float16 | Float32 | Float64 => Float64,
        Utf8 | LargeUtf8 | Utf8View => TEXT,
        Dictionary(_, value) => logical(value),
        Date32 | Date64 => Date32,
        Timestamp(unit, zone) => Timestamp(fine(unit), zone.as_ref().map(|_| "UTC".into())),
        Time32(_) => Time64(TimeUnit::Microsecond),
        Duration(unit) => Duration(fine(unit)),
        Interval(_) => INTERVAL,
        Binary | LargeBinary | BinaryView => Binary,
        FixedSizeBinary(n) if *n != 16 => Binary,
        Decimal32(p, s) | Decimal64(p, s) | Decimal128(p, s) => Decimal128(*p, *s),
        Decimal256(p, s) if *p <= 38 => Decimal128(*p, *s),
        other => other.clone(),
    }
}

/// The precision and scale that hold the digits of both, of at most `most`.
fn digits((p, s): (u8, i8), (q, t): (u8, i8), most: i16) -> (u8, i8) {
    let scale = s.max(t);
    let whole = (p as i16 - s as i16).max(q as i16 - t as i16);
    ((whole + scale as i16).clamp(1, most) as u8, scale)
}

/// The narrowest logical type that holds the values of both, by the widening rules of the
/// scanner: null unites with all, int with float, date with timestamp, a coarse time with a fine one,
/// anything else is text.
pub fn unite(a: &DataType, b: &DataType) -> DataType {
    use DataType::*;
    match (a, b) {
        _ if a == b => a.clone(),
        // what is a UUID in one file only is bytes
        _ if a.is_nested() && without_notes(a) == without_notes(b) => without_notes(a),
        (Null, x) | (x, Null) => x.clone(),
        (Int64, Float64) | (Float64, Int64) => Float64,
        (Decimal128(..) | Decimal256(..), Float64) | (Float64, Decimal128(..) | Decimal256(..)) => Float64,
        (Int64, Decimal128(p, s)) | (Decimal128(p, s), Int64) => {
            Decimal128((*p).max((19 + (*s).max(0) as u8).min(38)), *s)
        }
        (Decimal128(p, s), Decimal128(q, t)) => {
            let (p, s) = digits((*p, *s), (*q, *t), 38);
            Decimal128(p, s)
        }
        (Decimal256(p, s), Int64) | (Int64, Decimal256(p, s)) => {
            let (p, s) = digits((*p, *s), (19, 0), 76);
            Decimal256(p, s)
        }
        (Decimal256(p, s), Decimal128(q, t) | Decimal256(q, t)) | (Decimal128(q, t), Decimal256(p, s)) => {
            let (p, s) = digits((*p, *s), (*q, *t), 76);
            Decimal256(p, s)
        }
        (Date32, Timestamp(..)) => b.clone(),
        (Timestamp(..), Date32) => a.clone(),
        (Timestamp(_, x), Timestamp(_, y)) if x.is_some() == y.is_some() => timestamp_nanos(x.is_some()),
        (Time64(_), Time64(_)) => Time64(TimeUnit::Nanosecond),
        (Duration(_), Duration(_)) => Duration(TimeUnit::Nanosecond),
        (Duration(_), Interval(_)) | (Interval(_), Duration(_)) => INTERVAL,
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
        Timestamp(TimeUnit::Nanosecond, None) => "timestamp (ns)".into(),
        Timestamp(TimeUnit::Nanosecond, Some(_)) => "timestamp (UTC, ns)".into(),
        Timestamp(_, None) => "timestamp".into(),
        Timestamp(_, Some(_)) => "timestamp (UTC)".into(),
        Time64(TimeUnit::Nanosecond) => "time (ns)".into(),
        Time64(_) => "time".into(),
        Duration(TimeUnit::Nanosecond) => "duration (ns)".into(),
        Duration(_) => "duration".into(),
        Interval(_) => "interval".into(),
        Binary => "binary".into(),
        FixedSizeBinary(16) => "uuid".into(),
        Decimal256(p, s) => format!("decimal({p},{s})"),
        Utf8View => "text".into(),
        other => other.to_string().to_lowercase(),
    }
}

/// The rarer type of that [`name`]; none for those that `--types` knows.
pub fn rare_of_name(text: &str) -> Option<DataType> {
    use DataType::*;
    let wide = || {
        let (p, s) = text
            .strip_prefix("decimal(")?
            .strip_suffix(')')?
            .split_once(',')?;
        let (p, s) = (p.parse().ok()?, s.parse().ok()?);
        (39..=76).contains(&p).then_some(Decimal256(p, s))
    };
    let units = [TimeUnit::Microsecond, TimeUnit::Nanosecond];
    let of_unit = units.into_iter().flat_map(|u| [Time64(u), Duration(u)]);
    [
        timestamp_nanos(false),
        timestamp_nanos(true),
        INTERVAL,
        Binary,
        UUID,
    ]
    .into_iter()
    .chain(of_unit)
    .find(|ty| name(ty) == text)
    .or_else(wide)
}

/// Whether sums and means make sense of it.
pub fn is_numeric(ty: &DataType) -> bool {
    matches!(
        ty,
        DataType::Int64 | DataType::Float64 | DataType::Decimal128(..) | DataType::Null
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logical_types_stand_for_themselves() {
        use DataType::*;
        let types = [
            Int8,
            UInt64,
            Float16,
            LargeUtf8,
            Date64,
            Timestamp(TimeUnit::Second, Some("Asia/Tokyo".into())),
            Timestamp(TimeUnit::Nanosecond, None),
            Time32(TimeUnit::Second),
            Duration(TimeUnit::Millisecond),
            Interval(IntervalUnit::DayTime),
            BinaryView,
            FixedSizeBinary(16),
            FixedSizeBinary(3),
            Decimal256(38, 2),
            Decimal256(60, 2),
        ];
        for ty in types {
            let once = logical(&ty);
            assert_eq!(logical(&once), once, "{ty}");
        }
        let sixteen = Field::new("x", FixedSizeBinary(16), true);
        assert_eq!(logical_of(&sixteen), Binary);
        assert_eq!(logical_of(&noted_uuid(sixteen)), UUID);
    }

    #[test]
    fn the_finer_and_the_wider_win() {
        use DataType::*;
        assert_eq!(
            unite(&timestamp(), &timestamp_nanos(false)),
            timestamp_nanos(false)
        );
        assert_eq!(unite(&timestamp(), &timestamp_nanos(true)), TEXT);
        assert_eq!(unite(&Decimal256(50, 3), &Int64), Decimal256(50, 3));
        assert_eq!(unite(&Decimal128(38, 10), &Decimal256(40, 2)), Decimal256(48, 10));
    }
}
