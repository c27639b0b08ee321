//! CSV, TSV and PSV: RFC 4180 with LF, quoted only where needed.
//!
//! Null is the null token (empty by default), and a text that reads like it is quoted, so `""` is
//! the empty string and an empty field is null. A null in a table of one column is therefore an
//! empty line, which `ddf` reads back as null.

use super::cells::Column;
use crate::error::Result;

/// How fields are separated and nulls written.
#[derive(Debug, Clone)]
pub(super) struct Dialect {
    pub delimiter: u8,
    pub null: String,
    pub no_header: bool,
}

/// How a value gets to its field.
enum Way {
    /// A text without anything that asks for quotes.
    Text,
    /// Never in need of quotes.
    Plain,
    /// Looked at, and quoted where needed.
    Looked,
}

impl Dialect {
    /// The line of names.
    pub(super) fn header(&self, names: &[String], out: &mut Vec<u8>) {
        if self.no_header || names.is_empty() {
            return;
        }
        for (i, name) in names.iter().enumerate() {
            if i > 0 {
                out.push(self.delimiter);
            }
            self.field(name.as_bytes(), out);
        }
        out.push(b'\n');
    }

    pub(super) fn rows(&self, columns: &[Column], rows: usize, out: &mut Vec<u8>) -> Result<()> {
        let ways: Vec<Way> = columns.iter().map(|c| self.way(c)).collect();
        let mut scratch = Vec::new();
        for row in 0..rows {
            for (i, (column, way)) in columns.iter().zip(&ways).enumerate() {
                if i > 0 {
                    out.push(self.delimiter);
                }
                if column.is_null(row) {
                    out.extend_from_slice(self.null.as_bytes());
                    continue;
                }
                match way {
                    Way::Text => column.write_text(row, out),
                    Way::Plain => column.write(row, out)?,
                    Way::Looked => match column.text(row) {
                        Some(text) => self.field(text.as_bytes(), out),
                        None => {
                            scratch.clear();
                            column.write(row, &mut scratch)?;
                            self.field(&scratch, out);
                        }
                    },
                }
            }
            out.push(b'\n');
        }
        Ok(())
    }

    /// How the values of a column are written.
    fn way(&self, column: &Column) -> Way {
        let special = [self.delimiter, b'"', b'\n', b'\r'];
        match self.null.is_empty() {
            true if column.is_plain() => Way::Plain,
            true if self.delimiter != 0 && column.has_none_of(special) => Way::Text,
            _ => Way::Looked,
        }
    }

    fn field(&self, text: &[u8], out: &mut Vec<u8>) {
        let special = |b: &u8| *b == self.delimiter || matches!(*b, b'"' | b'\n' | b'\r');
        if text != self.null.as_bytes() && !text.is_empty() && !text.iter().any(special) {
            out.extend_from_slice(text);
            return;
        }
        out.push(b'"');
        let mut rest = text;
        while let Some(quote) = memchr::memchr(b'"', rest) {
            out.extend_from_slice(&rest[..=quote]);
            out.push(b'"');
            rest = &rest[quote + 1..];
        }
        out.extend_from_slice(rest);
        out.push(b'"');
    }
}
