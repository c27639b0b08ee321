//! Arrow IPC: the file format in files, the stream format in pipes. Text is written as plain
//! `Utf8`, which every reader understands.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::writer::{FileWriter, StreamWriter};

use super::destination::Destination;
use crate::error::Result;
use crate::kernel::{Batch, Width, types};

/// The schema of the file for a result's schema.
pub(super) fn written_schema(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(|f| {
        let logical = match Width::of_field(f) {
            Some(width) => width.stored(f.data_type()),
            None => f.data_type().clone(),
        };
        let ty = match &logical {
            DataType::Utf8View => DataType::Utf8,
            DataType::BinaryView => DataType::Binary,
            DataType::Dictionary(_, v) if matches!(**v, DataType::Utf8 | DataType::Utf8View) => {
                DataType::Utf8
            }
            other => other.clone(),
        };
        let field = Field::new(f.name(), ty, true);
        match *f.data_type() == types::UUID {
            true => types::noted_uuid(field),
            false => field,
        }
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The batch in the types of `schema`.
pub(super) fn record_batch(batch: &Batch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch
        .columns
        .iter()
        .zip(schema.fields())
        .map(|(c, f)| match c.data_type() == f.data_type() {
            true => Ok(c.clone()),
            false => cast(c, f.data_type()),
        })
        .collect::<Result<Vec<ArrayRef>, _>>()?;
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.rows));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &rows)?)
}

/// A writer of either kind.
pub(super) enum IpcWriter {
    File(Box<FileWriter<Destination>>),
    Stream(Box<StreamWriter<Destination>>),
}

impl IpcWriter {
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        match self {
            IpcWriter::File(w) => w.write(batch),
            IpcWriter::Stream(w) => w.write(batch),
        }
    }

    pub(super) fn finish(self) -> Result<Destination, ArrowError> {
        match self {
            IpcWriter::File(w) => w.into_inner(),
            IpcWriter::Stream(w) => w.into_inner(),
        }
    }
}
