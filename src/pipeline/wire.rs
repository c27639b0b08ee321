//! Partitions on their way to another process: Arrow IPC, whatever they hold.
//!
//! ```text
//!   one Arrow IPC stream, a row for each batch or spilled block:
//!     bucket: uint32 │ kind: 0 batch, 1 block │ position, rows: uint64 │ payload: binary
//! ```
//!
//! A batch's payload is an Arrow IPC stream of its own; a spilled block's are its bytes, which go
//! into a spill file again at the other end.

use std::io::{Read, Write};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, RecordBatch, RecordBatchOptions, UInt8Array, UInt32Array,
    UInt64Array,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt8Type, UInt32Type, UInt64Type};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

use super::{Bucket, Partition};
use crate::error::{Error, Result};
use crate::kernel::Batch;
use crate::memory::SpillDir;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("bucket", DataType::UInt32, false),
        Field::new("kind", DataType::UInt8, false),
        Field::new("position", DataType::UInt64, false),
        Field::new("rows", DataType::UInt64, false),
        Field::new("payload", DataType::Binary, false),
    ]))
}

/// Writes a partition.
///
/// # Errors
/// `to` cannot be written, or a spill file cannot be read.
pub fn write_partition(partition: &Partition, to: impl Write) -> Result<()> {
    let schema = schema();
    let mut out = StreamWriter::try_new(to, &schema)?;
    // The number of buckets matters also where they are empty.
    let last = partition.buckets.len().saturating_sub(1);
    out.write(&row(&schema, last, 2, (0, 0), &[])?)?;
    for (b, bucket) in partition.buckets.iter().enumerate() {
        for batch in &bucket.batches {
            let payload = batch_bytes(batch)?;
            out.write(&row(
                &schema,
                b,
                0,
                (batch.position, batch.rows as u64),
                &payload,
            )?)?;
        }
        for (file, block) in &bucket.spilled {
            let payload = file.read_bytes(block)?;
            out.write(&row(&schema, b, 1, (0, block.rows as u64), &payload)?)?;
        }
    }
    Ok(out.finish()?)
}

fn row(
    schema: &SchemaRef,
    bucket: usize,
    kind: u8,
    place: (u64, u64),
    payload: &[u8],
) -> Result<RecordBatch> {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(UInt32Array::from(vec![bucket as u32])),
        Arc::new(UInt8Array::from(vec![kind])),
        Arc::new(UInt64Array::from(vec![place.0])),
        Arc::new(UInt64Array::from(vec![place.1])),
        Arc::new(BinaryArray::from(vec![payload])),
    ];
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}

fn batch_bytes(batch: &Batch) -> Result<Vec<u8>> {
    let fields: Vec<Field> = batch
        .columns
        .iter()
        .enumerate()
        .map(|(i, c)| Field::new(format!("c{i}"), c.data_type().clone(), true))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let options = RecordBatchOptions::new().with_row_count(Some(batch.rows));
    let record = RecordBatch::try_new_with_options(schema.clone(), batch.columns.clone(), &options)?;
    let mut w = StreamWriter::try_new(Vec::new(), &schema)?;
    w.write(&record)?;
    Ok(w.into_inner()?)
}

/// Reads what [`write_partition`] wrote.
///
/// # Errors
/// `from` holds something else, or a spill file cannot be written.
pub fn read_partition(from: impl Read, spill: &Arc<SpillDir>) -> Result<Partition> {
    let wrong = || Error::input("this is no partition of a task");
    let mut out = Partition::default();
    let mut writer = None;
    for record in StreamReader::try_new(from, None)? {
        let record = record?;
        if record.num_columns() != 5 || record.num_rows() != 1 {
            return Err(wrong());
        }
        let number = |i: usize| {
            record
                .column(i)
                .as_primitive_opt::<UInt64Type>()
                .map(|a| a.value(0))
        };
        let b = record
            .column(0)
            .as_primitive_opt::<UInt32Type>()
            .ok_or_else(wrong)?
            .value(0) as usize;
        let kind = record
            .column(1)
            .as_primitive_opt::<UInt8Type>()
            .ok_or_else(wrong)?
            .value(0);
        let (position, rows) = number(2).zip(number(3)).ok_or_else(wrong)?;
        let payload = record
            .column(4)
            .as_binary_opt::<i32>()
            .filter(|p| p.len() == 1)
            .ok_or_else(wrong)?
            .value(0);
        if out.buckets.len() <= b {
            out.buckets.resize_with(b + 1, Bucket::default);
        }
        let bucket = &mut out.buckets[b];
        match kind {
            0 => {
                let inner = StreamReader::try_new(payload, None)?.next().ok_or_else(wrong)??;
                bucket
                    .batches
                    .push(Batch::new(inner.columns().to_vec(), rows as usize, position));
            }
            1 => {
                let w = match &mut writer {
                    Some(w) => w,
                    none => none.insert(spill.create()?),
                };
                let block = w.write_bytes(payload, rows as u32)?;
                bucket.spilled.push((w.file(), block));
            }
            _ => continue,
        }
        bucket.rows += rows;
        bucket.bytes += payload.len() as u64;
        out.rows += rows;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Int64Array;

    #[test]
    fn partitions_travel() {
        let spill = SpillDir::new(std::env::temp_dir(), 1 << 20, Arc::default());
        let mut w = spill.create().unwrap();
        let block = w.write_bytes(b"a block", 3).unwrap();
        let batch = Batch::new(vec![Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef], 2, 77);
        let mut p = Partition::in_memory(vec![batch.clone(), Batch::new(vec![], 5, 80)]);
        p.buckets.push(Bucket {
            spilled: vec![(w.file(), block)],
            rows: 3,
            bytes: 7,
            ..Bucket::default()
        });
        p.buckets.push(Bucket::default());
        let mut bytes = Vec::new();
        write_partition(&p, &mut bytes).unwrap();
        let q = read_partition(bytes.as_slice(), &spill).unwrap();
        assert_eq!((q.buckets.len(), q.rows), (3, 10));
        assert_eq!(q.buckets[0].batches[0].columns, batch.columns);
        assert_eq!(
            (q.buckets[0].batches[0].position, q.buckets[0].batches[1].rows),
            (77, 5)
        );
        let (file, block) = &q.buckets[1].spilled[0];
        assert_eq!(file.read_bytes(block).unwrap(), b"a block");
        assert!(read_partition(&b"nonsense"[..], &spill).is_err());
    }
}
