//! The types that values are cast to, by name.

use arrow::datatypes::{DataType, TimeUnit};
use serde::{Deserialize, Serialize};

use crate::kernel::types;

/// The types that can be cast to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CastType {
    /// `bool`
    Bool,
    /// `int64`
    Int,
    /// `float64`
    Float,
    /// `decimal(precision, scale)`
    Decimal(u8, i8),
    /// `date`
    Date,
    /// `timestamp`, without a zone
    Timestamp,
    /// `timestamptz`, in UTC
    TimestampUtc,
    /// `timestamp_ns`, in nanoseconds; true in UTC
    TimestampNanos(bool),
    /// `time` of day; true in nanoseconds
    Time(bool),
    /// A number of ticks; true in nanoseconds
    Duration(bool),
    /// Months, days and nanoseconds
    Interval,
    /// Bytes
    Binary,
    /// `uuid`
    Uuid,
    /// `text`
    Text,
}

impl CastType {
    /// The logical type it stands for.
    pub fn data_type(self) -> DataType {
        match self {
            CastType::Bool => DataType::Boolean,
            CastType::Int => DataType::Int64,
            CastType::Float => DataType::Float64,
            CastType::Decimal(p, s) if p > 38 => DataType::Decimal256(p, s),
            CastType::Decimal(p, s) => DataType::Decimal128(p, s),
            CastType::Date => DataType::Date32,
            CastType::Timestamp => types::timestamp(),
            CastType::TimestampUtc => types::timestamp_utc(),
            CastType::TimestampNanos(utc) => types::timestamp_nanos(utc),
            CastType::Time(nanos) => DataType::Time64(unit(nanos)),
            CastType::Duration(nanos) => DataType::Duration(unit(nanos)),
            CastType::Interval => types::INTERVAL,
            CastType::Binary => DataType::Binary,
            CastType::Uuid => types::UUID,
            CastType::Text => types::TEXT,
        }
    }

    /// The cast to a logical type, if there is one.
    pub fn of(ty: &DataType) -> Option<CastType> {
        use DataType as D;
        Some(match ty {
            D::Boolean => CastType::Bool,
            D::Int64 => CastType::Int,
            D::Float64 => CastType::Float,
            D::Decimal128(p, s) | D::Decimal256(p, s) => CastType::Decimal(*p, *s),
            D::Date32 => CastType::Date,
            D::Timestamp(TimeUnit::Nanosecond, zone) => CastType::TimestampNanos(zone.is_some()),
            D::Timestamp(_, None) => CastType::Timestamp,
            D::Timestamp(_, Some(_)) => CastType::TimestampUtc,
            D::Time64(unit) => CastType::Time(*unit == TimeUnit::Nanosecond),
            D::Duration(unit) => CastType::Duration(*unit == TimeUnit::Nanosecond),
            D::Interval(_) => CastType::Interval,
            D::Binary => CastType::Binary,
            t if *t == types::UUID => CastType::Uuid,
            t if *t == types::TEXT => CastType::Text,
            _ => return None,
        })
    }
}

fn unit(nanos: bool) -> TimeUnit {
    match nanos {
        true => TimeUnit::Nanosecond,
        false => TimeUnit::Microsecond,
    }
}
