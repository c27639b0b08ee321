//! How a file keeps what the engine computes with in a wider type: an `int16` is an `int64` here, and
//! an `int16` again in the file that it is written to.
//!
//! The engine's types are few ([`super::types`]), so that its loops are. What a column was before is
//! noted with its field, goes along with values that nobody changed (grouped, sorted, joined, the least
//! of some), and is used where values leave: a file gets the type back, and a float prints as the
//! shortest text of its own width. A note that gets lost costs no value, only the narrow type.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Float64Type, TimeUnit};
use half::f16;
use serde::{Deserialize, Serialize};

use crate::error::Result;

/// The name of a column's type: that of its file, where it has one of its own.
pub fn name_of(field: &Field) -> String {
    let logical = super::types::name(field.data_type());
    match Width::of_field(field) {
        Some(unit @ (Width::Seconds | Width::Millis)) => format!("{logical} ({})", unit.note()),
        Some(Width::Fixed(n)) => format!("{logical}({n})"),
        Some(width) => width.note(),
        None => logical,
    }
}

/// Where a field keeps its note.
const NOTE: &str = "ddf.width";

/// The type of a column in its file, where it is not that of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Width {
    /// 8 bits with a sign.
    Int8,
    /// 16 bits with a sign.
    Int16,
    /// 32 bits with a sign.
    Int32,
    /// 8 bits.
    UInt8,
    /// 16 bits.
    UInt16,
    /// 32 bits.
    UInt32,
    /// 64 bits, in the engine a decimal.
    UInt64,
    /// Half a float.
    Float16,
    /// A short float.
    Float32,
    /// Times that count seconds.
    Seconds,
    /// Times that count milliseconds.
    Millis,
    /// So many bytes each.
    Fixed(i32),
}

impl Width {
    /// What must be noted of a column of that type in a file.
    pub fn of(ty: &DataType) -> Option<Width> {
        use DataType as D;
        Some(match ty {
            D::Int8 => Width::Int8,
            D::Int16 => Width::Int16,
            D::Int32 => Width::Int32,
            D::UInt8 => Width::UInt8,
            D::UInt16 => Width::UInt16,
            D::UInt32 => Width::UInt32,
            D::UInt64 => Width::UInt64,
            D::Float16 => Width::Float16,
            D::Float32 => Width::Float32,
            D::Timestamp(TimeUnit::Second, _)
            | D::Time32(TimeUnit::Second)
            | D::Duration(TimeUnit::Second) => Width::Seconds,
            D::Timestamp(TimeUnit::Millisecond, _)
            | D::Time32(TimeUnit::Millisecond)
            | D::Duration(TimeUnit::Millisecond) => Width::Millis,
            D::FixedSizeBinary(n) => Width::Fixed(*n),
            D::Dictionary(_, value) => return Width::of(value),
            _ => return None,
        })
    }

    /// What is noted with a field.
    pub fn of_field(field: &Field) -> Option<Width> {
        let note = field.metadata().get(NOTE)?;
        Some(match note.as_str() {
            "int8" => Width::Int8,
            "int16" => Width::Int16,
            "int32" => Width::Int32,
            "uint8" => Width::UInt8,
            "uint16" => Width::UInt16,
            "uint32" => Width::UInt32,
            "uint64" => Width::UInt64,
            "float16" => Width::Float16,
            "float32" => Width::Float32,
            "s" => Width::Seconds,
            "ms" => Width::Millis,
            fixed => Width::Fixed(fixed.strip_prefix("fixed")?.parse().ok()?),
        })
    }

    fn note(self) -> String {
        match self {
            Width::Int8 => "int8".into(),
            Width::Int16 => "int16".into(),
            Width::Int32 => "int32".into(),
            Width::UInt8 => "uint8".into(),
            Width::UInt16 => "uint16".into(),
            Width::UInt32 => "uint32".into(),
            Width::UInt64 => "uint64".into(),
            Width::Float16 => "float16".into(),
            Width::Float32 => "float32".into(),
            Width::Seconds => "s".into(),
            Width::Millis => "ms".into(),
            Width::Fixed(n) => format!("fixed{n}"),
        }
    }

    /// The field with the note, or without any.
    pub fn noted(width: Option<Width>, field: Field) -> Field {
        let mut notes = field.metadata().clone();
        match width {
            Some(w) => notes.insert(NOTE.to_string(), w.note()),
            None => notes.remove(NOTE),
        };
        field.with_metadata(notes)
    }

    /// The type that a column of type `logical` has in a file.
    pub fn stored(self, logical: &DataType) -> DataType {
        use DataType as D;
        match (self, logical) {
            (Width::Int8, D::Int64) => D::Int8,
            (Width::Int16, D::Int64) => D::Int16,
            (Width::Int32, D::Int64) => D::Int32,
            (Width::UInt8, D::Int64) => D::UInt8,
            (Width::UInt16, D::Int64) => D::UInt16,
            (Width::UInt32, D::Int64) => D::UInt32,
            (Width::UInt64, D::Decimal128(..)) => D::UInt64,
            (Width::Float16, D::Float64) => D::Float16,
            (Width::Float32, D::Float64) => D::Float32,
            (Width::Seconds, D::Timestamp(_, z)) => D::Timestamp(TimeUnit::Second, z.clone()),
            (Width::Seconds, D::Time64(_)) => D::Time32(TimeUnit::Second),
            (Width::Seconds, D::Duration(_)) => D::Duration(TimeUnit::Second),
            (Width::Millis, D::Timestamp(_, z)) => D::Timestamp(TimeUnit::Millisecond, z.clone()),
            (Width::Millis, D::Time64(_)) => D::Time32(TimeUnit::Millisecond),
            (Width::Millis, D::Duration(_)) => D::Duration(TimeUnit::Millisecond),
            (Width::Fixed(n), D::Binary) => D::FixedSizeBinary(n),
            _ => logical.clone(),
        }
    }

    /// Whether it is of floats.
    pub fn is_float(self) -> bool {
        matches!(self, Width::Float16 | Width::Float32)
    }

    /// Whether a whole number is a value of it.
    pub fn holds(self, v: i64) -> bool {
        match self {
            Width::Int8 => i8::try_from(v).is_ok(),
            Width::Int16 => i16::try_from(v).is_ok(),
            Width::Int32 => i32::try_from(v).is_ok(),
            Width::UInt8 => u8::try_from(v).is_ok(),
            Width::UInt16 => u16::try_from(v).is_ok(),
            Width::UInt32 => u32::try_from(v).is_ok(),
            Width::UInt64 => v >= 0,
            Width::Float16 | Width::Float32 => self.nearest(v as f64) == v as f64,
            Width::Seconds | Width::Millis | Width::Fixed(_) => false,
        }
    }

    /// The value of a width of floats that is nearest to a float.
    pub fn nearest(self, x: f64) -> f64 {
        match self {
            Width::Float16 => f16::from_f64(x).to_f64(),
            Width::Float32 => f64::from(x as f32),
            _ => x,
        }
    }

    /// What a constant is beside floats of this width: the nearest of them, or itself where it is beyond all of them.
    pub fn of_constant(self, x: f64) -> f64 {
        match self.spans(x) {
            true => self.nearest(x),
            false => x,
        }
    }

    /// Whether a float is not beyond all that are finite in this width.
    pub fn spans(self, x: f64) -> bool {
        self.nearest(x).is_finite() || !x.is_finite()
    }

    /// The shortest text of a float of this width, read as a float of 64 bits: what it prints as.
    pub fn shortest(self, x: f64) -> f64 {
        if !x.is_finite() {
            return x;
        }
        let text = match self {
            Width::Float32 => (x as f32).to_string(),
            Width::Float16 => {
                let same = |digits: &usize| {
                    let text = format!("{x:.digits$e}");
                    text.parse().is_ok_and(|y: f64| f16::from_f64(y).to_f64() == x)
                };
                let digits = (0..8).find(same).unwrap_or(16);
                format!("{x:.digits$e}")
            }
            _ => return x,
        };
        text.parse().unwrap_or(x)
    }

    /// A column of the engine as a file has it.
    ///
    /// # Errors
    /// A value that the narrow type does not hold.
    pub fn narrowed(self, column: &ArrayRef) -> Result<ArrayRef> {
        let to = self.stored(column.data_type());
        let strict = CastOptions {
            safe: false,
            ..CastOptions::default()
        };
        Ok(cast_with_options(column, &to, &strict)?)
    }

    /// A column of floats as those that print like it.
    pub fn printed(self, column: &ArrayRef) -> ArrayRef {
        self.each_float(column, |x| self.shortest(x))
    }

    /// A column of floats as the nearest of this width.
    pub fn rounded(self, column: &ArrayRef) -> ArrayRef {
        self.each_float(column, |x| self.nearest(x))
    }

    fn each_float(self, column: &ArrayRef, f: impl Fn(f64) -> f64) -> ArrayRef {
        match column.as_primitive_opt::<Float64Type>() {
            Some(floats) if self.is_float() => Arc::new(floats.unary::<_, Float64Type>(f)),
            _ => column.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_comes_back() {
        use DataType as D;
        let types = [
            D::Int8,
            D::Int16,
            D::Int32,
            D::UInt8,
            D::UInt16,
            D::UInt32,
            D::UInt64,
            D::Float16,
            D::Float32,
            D::Timestamp(TimeUnit::Second, None),
            D::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
            D::Time32(TimeUnit::Millisecond),
            D::Duration(TimeUnit::Second),
            D::FixedSizeBinary(3),
        ];
        for ty in types {
            let logical = super::super::types::logical(&ty);
            let field = Field::new("x", logical.clone(), true);
            let field = Width::noted(Width::of(&ty), field);
            assert_eq!(Width::of_field(&field).map(|w| w.stored(&logical)), Some(ty));
        }
    }

    #[test]
    fn short_floats_print_short() {
        for (x, want) in [
            (0.1f32, 0.1),
            (16_777_216.0, 16_777_216.0),
            (1e-45, 1e-45),
            (3.4e38, 3.4e38),
        ] {
            assert_eq!(Width::Float32.shortest(f64::from(x)), want);
        }
        let half = f16::from_f64(0.1).to_f64();
        assert_ne!(half, 0.1);
        assert_eq!(Width::Float16.shortest(half), 0.1);
        assert!(Width::Float32.shortest(f64::NAN).is_nan());
        assert_eq!(Width::Float32.nearest(0.1), f64::from(0.1f32));
    }
}
