//! JSON: one array of objects, or one object a line. NaN and infinities, which JSON lacks, are
//! null; int64 and decimals are numbers with all their digits; nested columns nest.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field};

use super::cells::Column;
use crate::error::Result;
use crate::kernel::types;

/// Appends each row as an object after `before`, followed by `after`.
pub(super) fn rows(
    keys: &[Vec<u8>],
    columns: &[Column],
    rows: usize,
    (before, after): (&[u8], &[u8]),
    out: &mut Vec<u8>,
) -> Result<()> {
    for row in 0..rows {
        out.extend_from_slice(before);
        out.push(b'{');
        for (i, (key, column)) in keys.iter().zip(columns).enumerate() {
            if i > 0 {
                out.push(b',');
            }
            out.extend_from_slice(key);
            value(column, row, out)?;
        }
        out.push(b'}');
        out.extend_from_slice(after);
    }
    Ok(())
}

/// `"name":`, ready to be copied.
pub(super) fn key(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    string(name, &mut out);
    out.push(b':');
    out
}

fn value(column: &Column, row: usize, out: &mut Vec<u8>) -> Result<()> {
    if column.is_null(row) || column.is_not_finite(row) {
        out.extend_from_slice(b"null");
    } else if let Some(text) = column.text(row) {
        string(text, out);
    } else if column.is_json_literal(row) {
        column.write(row, out)?;
    } else if let Some(array) = column.other() {
        nested(array, row, out)?;
    } else {
        out.push(b'"');
        column.write(row, out)?;
        out.push(b'"');
    }
    Ok(())
}

/// Appends a value of a nested type, or of another that is not in a column of its own.
pub(super) fn nested(array: &ArrayRef, row: usize, out: &mut Vec<u8>) -> Result<()> {
    let list = match array.data_type() {
        DataType::Struct(fields) => {
            let children = array.as_struct();
            for (i, (field, child)) in fields.iter().zip(children.columns()).enumerate() {
                out.push(if i > 0 { b',' } else { b'{' });
                out.extend_from_slice(&key(field.name()));
                let child = as_noted(&child.slice(row, 1), field)?;
                value(&Column::new(&child, None)?, 0, out)?;
            }
            if fields.is_empty() {
                out.push(b'{');
            }
            out.push(b'}');
            return Ok(());
        }
        DataType::List(f) => as_noted(&array.as_list::<i32>().value(row), f)?,
        DataType::LargeList(f) => as_noted(&array.as_list::<i64>().value(row), f)?,
        DataType::FixedSizeList(f, _) => as_noted(&array.as_fixed_size_list().value(row), f)?,
        DataType::Map(..) => return map(array, row, out),
        _ => {
            let mut text = Vec::new();
            Column::new(array, None)?.write(row, &mut text)?;
            string(&String::from_utf8_lossy(&text), out);
            return Ok(());
        }
    };
    let items = Column::new(&list, None)?;
    out.push(b'[');
    for i in 0..list.len() {
        if i > 0 {
            out.push(b',');
        }
        value(&items, i, out)?;
    }
    out.push(b']');
    Ok(())
}

/// Sixteen bytes are a UUID only where the field says so.
fn as_noted(array: &ArrayRef, field: &Field) -> Result<ArrayRef> {
    match *array.data_type() == types::UUID && !types::is_uuid(field) {
        true => Ok(cast(array, &DataType::Binary)?),
        false => Ok(array.clone()),
    }
}

/// A map is an object; its keys are written as text.
fn map(array: &ArrayRef, row: usize, out: &mut Vec<u8>) -> Result<()> {
    let entries = array.as_map().value(row);
    let fields = entries.fields();
    let keys = Column::new(&as_noted(entries.column(0), &fields[0])?, None)?;
    let values = Column::new(&as_noted(entries.column(1), &fields[1])?, None)?;
    out.push(b'{');
    for i in 0..entries.len() {
        if i > 0 {
            out.push(b',');
        }
        let mut text = Vec::new();
        keys.write(i, &mut text)?;
        out.extend_from_slice(&key(&String::from_utf8_lossy(&text)));
        value(&values, i, out)?;
    }
    out.push(b'}');
    Ok(())
}

/// Appends `text` quoted, with what RFC 8259 wants escaped.
pub(super) fn string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut done = 0;
    for (i, &b) in bytes.iter().enumerate() {
        if b >= 0x20 && b != b'"' && b != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[done..i]);
        done = i + 1;
        match b {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => out.extend_from_slice(format!("\\u{b:04x}").as_bytes()),
        }
    }
    out.extend_from_slice(&bytes[done..]);
    out.push(b'"');
}
