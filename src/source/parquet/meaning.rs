//! What a file says of columns that Arrow alone does not show: which bytes are UUIDs, spans of time
//! with months, moments of 96 bits.

use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ARROW_SCHEMA_META_KEY;
use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::errors::ParquetError;
use parquet::file::metadata::{FileMetaData, ParquetMetaData};
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor, Type};

use crate::kernel::types;

/// Bytes of an interval: months, days and milliseconds.
pub(super) const INTERVAL_BYTES: i32 = 12;

/// A footer and the two schemas of its top-level columns: as the decoder has them, and as they are
/// meant.
pub(super) struct Meaning {
    pub metadata: Arc<ParquetMetaData>,
    pub decoded: SchemaRef,
    pub schema: SchemaRef,
}

/// Looks at the leaf of each flat top-level column, and for UUIDs at those of nested ones.
pub(super) fn of(
    metadata: &Arc<ParquetMetaData>,
    decoded: &SchemaRef,
    leaves: &[Range<usize>],
) -> Result<Meaning, ParquetError> {
    let descr = metadata.file_metadata().schema_descr();
    let leaf = |root: usize| {
        let range = leaves.get(root).filter(|r| r.len() == 1)?;
        let leaf = descr.column(range.start);
        (leaf.max_rep_level() == 0 && leaf.path().parts().len() == 1).then_some(leaf)
    };
    let notes = metadata.file_metadata().key_value_metadata();
    let noted = notes.is_some_and(|all| all.iter().any(|n| n.key == ARROW_SCHEMA_META_KEY));
    let spans: Vec<bool> = (0..leaves.len())
        .map(|root| leaf(root).is_some_and(|l| is_interval(&l)))
        .collect();
    let mut meant = Vec::new();
    let mut raw = Vec::new();
    for (root, field) in decoded.fields().iter().enumerate() {
        let field = field.as_ref().clone();
        let span = spans.get(root) == Some(&true);
        raw.push(match span {
            true => field
                .clone()
                .with_data_type(DataType::FixedSizeBinary(INTERVAL_BYTES)),
            false => field.clone(),
        });
        meant.push(match leaf(root) {
            Some(l) => meaning(field, &l, (span, noted)),
            None => {
                let uuids: Vec<bool> = (leaves.get(root).cloned().unwrap_or_default())
                    .map(|leaf| is_uuid(&descr.column(leaf)))
                    .collect();
                types::noted_uuids(field, &mut uuids.into_iter())
            }
        });
    }
    let schema = |fields: Vec<Field>| Arc::new(Schema::new_with_metadata(fields, decoded.metadata().clone()));
    Ok(Meaning {
        metadata: match spans.contains(&true) {
            true => Arc::new(without_intervals(metadata, &spans)?),
            false => metadata.clone(),
        },
        decoded: schema(raw),
        schema: schema(meant),
    })
}

fn is_interval(leaf: &ColumnDescriptor) -> bool {
    leaf.converted_type() == ConvertedType::INTERVAL && leaf.type_length() == INTERVAL_BYTES
}

fn is_uuid(leaf: &ColumnDescriptor) -> bool {
    leaf.logical_type_ref() == Some(&LogicalType::Uuid)
}

fn meaning(field: Field, leaf: &ColumnDescriptor, (span, noted): (bool, bool)) -> Field {
    if span {
        return field.with_data_type(types::INTERVAL);
    }
    match (leaf.physical_type(), field.data_type()) {
        (Physical::INT96, DataType::Timestamp(unit, zone)) => {
            let ty = match (unit, zone.is_some()) {
                // made of nanoseconds, as Arrow's writers note; else these could overflow, before 1677 and after 2262
                (TimeUnit::Nanosecond, utc) if noted => types::timestamp_nanos(utc),
                (_, true) if noted => types::timestamp_utc(),
                _ => types::timestamp(),
            };
            field.with_data_type(ty)
        }
        (_, DataType::FixedSizeBinary(16)) if is_uuid(leaf) => types::noted_uuid(field),
        _ => field,
    }
}

/// The footer with plain bytes instead of intervals, of which the decoder would leave out the months.
fn without_intervals(metadata: &ParquetMetaData, spans: &[bool]) -> Result<ParquetMetaData, ParquetError> {
    let file = metadata.file_metadata();
    let root = file.schema_descr().root_schema();
    let mut fields = Vec::new();
    for (i, field) in root.get_fields().iter().enumerate() {
        fields.push(match spans.get(i) {
            Some(true) => {
                let info = field.get_basic_info();
                let repetition = match info.has_repetition() {
                    true => info.repetition(),
                    false => Repetition::OPTIONAL,
                };
                let plain = Type::primitive_type_builder(field.name(), Physical::FIXED_LEN_BYTE_ARRAY);
                Arc::new(
                    plain
                        .with_length(INTERVAL_BYTES)
                        .with_repetition(repetition)
                        .build()?,
                )
            }
            _ => field.clone(),
        });
    }
    let root = Type::group_type_builder(root.name())
        .with_fields(fields)
        .build()?;
    let descr = Arc::new(SchemaDescriptor::new(Arc::new(root)));
    let file = FileMetaData::new(
        file.version(),
        file.num_rows(),
        file.created_by().map(str::to_string),
        file.key_value_metadata().cloned(),
        descr,
        file.column_orders().cloned(),
    );
    Ok(ParquetMetaData::new(file, metadata.row_groups().to_vec()))
}
