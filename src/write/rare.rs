//! What Parquet says of columns that Arrow's converter does not: UUIDs, spans of time.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeBinaryArray};
use arrow::datatypes::{
    DataType, Field, IntervalMonthDayNano, IntervalMonthDayNanoType, Schema, SchemaRef, TimeUnit,
};
use parquet::arrow::{ARROW_SCHEMA_META_KEY, ArrowSchemaConverter, encode_arrow_schema};
use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::schema::types::{SchemaDescriptor, Type};

use crate::error::{Error, Result};
use crate::kernel::{show, types};

/// Bytes of an interval: months, days and milliseconds.
const INTERVAL_BYTES: i32 = 12;

/// The types of arrays as they are written, and the schema of the file.
pub(super) fn described(schema: &SchemaRef) -> Result<(SchemaRef, SchemaDescriptor), ParquetError> {
    let written = Arc::new(Schema::new(
        schema.fields().iter().map(|f| written(f)).collect::<Vec<_>>(),
    ));
    let plain = ArrowSchemaConverter::new().convert(&written)?;
    let special =
        |f: &Arc<Field>| matches!(f.data_type(), DataType::Interval(_)) || types::uuids_of(f).contains(&true);
    if !schema.fields().iter().any(special) {
        return Ok((written, plain));
    }
    let root = plain.root_schema();
    let columns = root.get_fields().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| match field.data_type() {
        DataType::Interval(_) => fixed(field, INTERVAL_BYTES, |b| {
            b.with_converted_type(ConvertedType::INTERVAL)
        }),
        _ if types::is_uuid(field) => fixed(field, 16, |b| b.with_logical_type(Some(LogicalType::Uuid))),
        ty if ty.is_nested() => with_uuids(column, &mut types::uuids_of(field).into_iter()),
        _ => Ok(column.clone()),
    });
    let columns = columns.collect::<Result<Vec<_>, ParquetError>>()?;
    let root = Type::group_type_builder(root.name())
        .with_fields(columns)
        .build()?;
    Ok((written, SchemaDescriptor::new(Arc::new(root))))
}

/// Whether lists, structs or maps of that type hold intervals, of which the writer knows none.
pub(super) fn has_spans_within(ty: &DataType) -> bool {
    let span = |f: &Field| matches!(f.data_type(), DataType::Interval(_)) || has_spans_within(f.data_type());
    match ty {
        DataType::List(f) | DataType::LargeList(f) | DataType::FixedSizeList(f, _) | DataType::Map(f, _) => {
            span(f)
        }
        DataType::Struct(fields) => fields.iter().any(|f| span(f)),
        _ => false,
    }
}

type Builder<'a> = parquet::schema::types::PrimitiveTypeBuilder<'a>;

fn fixed<'a>(
    field: &'a Field,
    bytes: i32,
    what: impl FnOnce(Builder<'a>) -> Builder<'a>,
) -> Result<Arc<Type>, ParquetError> {
    let plain = Type::primitive_type_builder(field.name(), Physical::FIXED_LEN_BYTE_ARRAY)
        .with_length(bytes)
        .with_repetition(Repetition::OPTIONAL);
    Ok(Arc::new(what(plain).build()?))
}

/// A nested column with those of its leaves as UUIDs of which `uuids` says so.
fn with_uuids(column: &Arc<Type>, uuids: &mut dyn Iterator<Item = bool>) -> Result<Arc<Type>, ParquetError> {
    let info = column.get_basic_info();
    if column.is_primitive() {
        return Ok(match uuids.next() {
            Some(true) => {
                let plain = Type::primitive_type_builder(column.name(), Physical::FIXED_LEN_BYTE_ARRAY);
                let uuid = plain.with_length(16).with_logical_type(Some(LogicalType::Uuid));
                Arc::new(uuid.with_repetition(info.repetition()).build()?)
            }
            _ => column.clone(),
        });
    }
    let fields = column.get_fields().iter().map(|f| with_uuids(f, uuids));
    let group = Type::group_type_builder(column.name())
        .with_fields(fields.collect::<Result<_, _>>()?)
        .with_repetition(info.repetition())
        .with_converted_type(info.converted_type())
        .with_logical_type(info.logical_type_ref().cloned());
    Ok(Arc::new(group.build()?))
}

/// Parquet counts milliseconds at least, and has no type for intervals of nanoseconds.
fn written(field: &Field) -> Field {
    use DataType as D;
    let ty = match field.data_type() {
        D::Timestamp(TimeUnit::Second, zone) => D::Timestamp(TimeUnit::Millisecond, zone.clone()),
        D::Time32(_) => D::Time32(TimeUnit::Millisecond),
        D::Interval(_) => D::FixedSizeBinary(INTERVAL_BYTES),
        other => other.clone(),
    };
    field.clone().with_data_type(ty)
}

/// What a reader must be told of types that Parquet lacks, as Arrow's own writers do.
pub(super) fn notes(schema: &SchemaRef) -> Option<Vec<KeyValue>> {
    let lacking = |f: &Arc<Field>| matches!(f.data_type(), DataType::Duration(_));
    let all = Schema::new(schema.fields().iter().map(|f| written(f)).collect::<Vec<_>>());
    let note = || KeyValue::new(ARROW_SCHEMA_META_KEY.to_string(), encode_arrow_schema(&all));
    schema.fields().iter().any(lacking).then(|| vec![note()])
}

/// Intervals as Parquet has them.
///
/// # Errors
/// One is negative, or of parts of a millisecond.
pub(super) fn intervals(column: &ArrayRef) -> Result<ArrayRef> {
    let spans = column.as_primitive::<IntervalMonthDayNanoType>();
    let bytes = |v: IntervalMonthDayNano| -> Option<[u8; 12]> {
        let millis = (v.nanoseconds % 1_000_000 == 0).then_some(v.nanoseconds / 1_000_000)?;
        let mut out = [0; 12];
        let parts = [i64::from(v.months), i64::from(v.days), millis];
        for (to, n) in out.chunks_exact_mut(4).zip(parts) {
            to.copy_from_slice(&u32::try_from(n).ok()?.to_le_bytes());
        }
        Some(out)
    };
    let one = |i: usize| match spans.is_valid(i) {
        false => Ok(None),
        true => bytes(spans.value(i)).map(Some).ok_or_else(|| {
            let what = format!("the intervals of Parquet cannot hold '{}'", show::text(spans, i));
            Error::query(what).help("they have no sign and whole milliseconds: cast the column to text")
        }),
    };
    let all = (0..spans.len()).map(one).collect::<Result<Vec<_>>>()?;
    let size = INTERVAL_BYTES;
    Ok(Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(
        all.into_iter(),
        size,
    )?))
}
