//! One value of a logical type: literals, bounds, statistics.

use arrow::datatypes::DataType;
use serde::{Deserialize, Serialize};

use super::types;

/// One value of one of the logical types of [`crate::kernel::types`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Scalar {
    /// No value.
    Null,
    /// A truth value.
    Bool(bool),
    /// `int64`.
    Int(i64),
    /// `float64`.
    Float(f64),
    /// `decimal(precision, scale)`: the value times ten to the scale.
    Decimal(i128, u8, i8),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970-01-01T00:00:00; true where it is in UTC, false where naive.
    Timestamp(i64, bool),
    /// A span of time: months, days, microseconds.
    Interval(i32, i32, i64),
    /// Text.
    Text(String),
    /// A value of another type that has no parts, as its text: a UUID, bytes, a time.
    Other(String, DataType),
}

impl Scalar {
    /// Its logical type.
    pub fn data_type(&self) -> DataType {
        match self {
            Scalar::Null => DataType::Null,
            Scalar::Bool(_) => DataType::Boolean,
            Scalar::Int(_) => DataType::Int64,
            Scalar::Float(_) => DataType::Float64,
            Scalar::Decimal(_, p, s) => DataType::Decimal128(*p, *s),
            Scalar::Date(_) => DataType::Date32,
            Scalar::Timestamp(_, false) => types::timestamp(),
            Scalar::Timestamp(_, true) => types::timestamp_utc(),
            Scalar::Interval(..) => types::INTERVAL,
            Scalar::Text(_) => types::TEXT,
            Scalar::Other(_, ty) => ty.clone(),
        }
    }
}
