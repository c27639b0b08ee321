//! Files that are no CSV, whatever they are called: known by their first bytes, then by their names.
//!
//! What would be read as one column of nonsense, with a count of rows that nobody meant, is refused with
//! its name and a way out. A format that is asked for by name (`--input-format csv`) is not looked at.

use std::path::Path;

use crate::error::{Error, Result};

/// A format, how its files begin, and what to do with one.
struct Foreign {
    name: &'static str,
    /// Where the mark stands, and the mark.
    mark: (usize, &'static [u8]),
    help: &'static str,
}

const TO_PARQUET: &str = "convert it to CSV or Parquet first, with the program that made it";
const UNPACK: &str = "unpack it, and name the files within";
const SAVE: &str = "save the sheet as CSV, in the program that made it";

const MARKS: &[Foreign] = &[
    foreign(
        "an Arrow IPC file",
        0,
        b"ARROW1",
        "convert it first: pyarrow.feather.read_table('x.arrow'), then pyarrow.parquet.write_table",
    ),
    foreign(
        "an Arrow IPC stream",
        0,
        b"\xff\xff\xff\xff",
        "convert it first: pyarrow.ipc.open_stream('x.arrows').read_all(), then pyarrow.parquet.write_table",
    ),
    foreign(
        "a Feather file",
        0,
        b"FEA1",
        "convert it first: pyarrow.feather.read_table('x.feather'), then pyarrow.parquet.write_table",
    ),
    foreign("an Avro file", 0, b"Obj\x01", TO_PARQUET),
    foreign(
        "a SQLite database",
        0,
        b"SQLite format 3\0",
        "take a table out of it: sqlite3 -header -csv x.db 'select * from t' > t.csv",
    ),
    foreign(
        "a DuckDB database",
        8,
        b"DUCK",
        "take a table out of it: COPY t TO 't.parquet' in duckdb",
    ),
    foreign(
        "an Excel file (.xls)",
        0,
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        SAVE,
    ),
    foreign("a 7z archive", 0, b"7z\xbc\xaf\x27\x1c", UNPACK),
    foreign("a RAR archive", 0, b"Rar!\x1a\x07", UNPACK),
    foreign(
        "a file of compress (.Z)",
        0,
        b"\x1f\x9d",
        "unpack it: uncompress -c x.csv.Z | ddf query -",
    ),
    foreign("a tar archive", 257, b"ustar", UNPACK),
    foreign("an HDF5 file", 0, b"\x89HDF\r\n\x1a\n", TO_PARQUET),
    foreign("a PDF document", 0, b"%PDF-", "take the table out of it first"),
    foreign("an image", 0, b"\x89PNG\r\n\x1a\n", "name a file of data"),
    foreign("an image", 0, b"\xff\xd8\xff", "name a file of data"),
    foreign("a program", 0, b"\x7fELF", "name a file of data"),
    foreign(
        "a file of R",
        0,
        b"RDX2\n",
        "write it as CSV in R: write.csv(x, 'x.csv', row.names = FALSE)",
    ),
    foreign(
        "a file of R",
        0,
        b"RDX3\n",
        "write it as CSV in R: write.csv(x, 'x.csv', row.names = FALSE)",
    ),
    foreign(
        "a Python pickle",
        0,
        b"\x80\x04\x95",
        "write it as Parquet in Python: df.to_parquet('x.parquet')",
    ),
    foreign(
        "a NumPy array",
        0,
        b"\x93NUMPY",
        "write it as CSV in Python: numpy.savetxt('x.csv', a, delimiter=',')",
    ),
    foreign("a Stata file", 0, b"<stata_dta>", TO_PARQUET),
];

const fn foreign(name: &'static str, at: usize, mark: &'static [u8], help: &'static str) -> Foreign {
    Foreign {
        name,
        mark: (at, mark),
        help,
    }
}

/// Names that say what a file is, where its first bytes do not contradict.
const ENDINGS: &[(&[&str], &str, &str)] = &[
    (&["json", "jsonl", "ndjson", "geojson"], JSON, JSON_HELP),
    (&["orc"], ORC, TO_PARQUET),
    (&["avro"], "an Avro file", TO_PARQUET),
    (&["xlsx", "xlsm", "xlsb", "xls"], "an Excel file", SAVE),
    (&["ods"], "an OpenDocument spreadsheet", SAVE),
];

const JSON: &str = "JSON";
const JSON_HELP: &str =
    "convert it first, as in: jq -r '[.id, .name] | @csv' x.jsonl | ddf query - -H --names id,name";
const ORC: &str = "an ORC file";
const PARQUET_MARKS: [&[u8]; 2] = [b"PAR1", b"PARE"];

/// Whether a file begins as Parquet does.
pub(super) fn is_parquet(head: &[u8]) -> bool {
    PARQUET_MARKS.iter().any(|mark| head.starts_with(mark))
}

/// An error where the first (unpacked) bytes of a file, or its name, are those of another format.
pub(super) fn check(path: &Path, head: &[u8]) -> Result<()> {
    match of(path, head) {
        None => Ok(()),
        Some((name, help)) => {
            let help = format!("{help}; if it is CSV after all, --input-format csv says so");
            Err(match path.as_os_str() == "-" {
                true => Error::input(format!("standard input is {name}, not CSV")).help(help),
                false => Error::input(format!("{} is {name}, not CSV", path.display())).help(help),
            })
        }
    }
}

fn of(path: &Path, head: &[u8]) -> Option<(&'static str, &'static str)> {
    let at = |from: usize, mark: &[u8]| head.get(from..).is_some_and(|rest| rest.starts_with(mark));
    if is_parquet(head) {
        return Some((
            "Parquet",
            "name the file itself, unpacked, instead of standard input",
        ));
    }
    if let Some(found) = MARKS.iter().find(|f| at(f.mark.0, f.mark.1)) {
        return Some((found.name, found.help));
    }
    if at(0, b"PK\x03\x04") || at(0, b"PK\x05\x06") {
        return Some(zipped(head));
    }
    // a header may begin with these letters too
    if at(0, b"ORC") && !is_text(head) {
        return Some((ORC, TO_PARQUET));
    }
    if is_markup(head) {
        return Some(("HTML or XML", "look at it: a download may have failed"));
    }
    if is_json(head) {
        return Some((JSON, JSON_HELP));
    }
    let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
    let ending = ending(Path::new(super::glob::unpacked(&name)))?;
    let found = ENDINGS.iter().find(|(all, ..)| all.contains(&ending.as_str()))?;
    (!head.is_empty()).then_some((found.1, found.2))
}

/// What a zip archive holds.
fn zipped(head: &[u8]) -> (&'static str, &'static str) {
    let has = |name: &[u8]| memchr::memmem::find(head, name).is_some();
    if has(b"application/vnd.oasis.opendocument.spreadsheet") {
        ("an OpenDocument spreadsheet", SAVE)
    } else if has(b"[Content_Types].xml") || has(b"xl/") {
        ("an Excel file", SAVE)
    } else {
        (
            "a zip archive",
            "unpack it, or: unzip -p x.zip x.csv | ddf query -",
        )
    }
}

/// Whether the bytes are those of a text.
fn is_text(head: &[u8]) -> bool {
    !head.contains(&0) && simdutf8::compat::from_utf8(head).map_or_else(|e| e.error_len().is_none(), |_| true)
}

fn is_markup(head: &[u8]) -> bool {
    let text = unmarked(head);
    let lower: Vec<u8> = text.iter().take(32).map(u8::to_ascii_lowercase).collect();
    [&b"<!doctype"[..], b"<html", b"<?xml"]
        .iter()
        .any(|m| lower.starts_with(m))
}

/// Whether the first value is an object, or a list of such, and nothing of it is CSV.
fn is_json(head: &[u8]) -> bool {
    let text = unmarked(head);
    let inner = match text.first() {
        Some(b'[') => text[1..].trim_ascii_start(),
        _ => text,
    };
    if inner.first() != Some(&b'{') {
        return false;
    }
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<serde_json::Value>();
    match values.next() {
        Some(Ok(_)) => {
            let rest = text.get(values.byte_offset()..).unwrap_or_default();
            rest.trim_ascii_start()
                .first()
                .is_none_or(|b| matches!(b, b'{' | b'['))
        }
        // longer than the first bytes
        Some(Err(e)) => e.is_eof(),
        None => false,
    }
}

/// Without a mark of UTF-8 and blanks.
fn unmarked(head: &[u8]) -> &[u8] {
    head.strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(head)
        .trim_ascii_start()
}

/// The ending of a name.
pub(super) fn ending(path: &Path) -> Option<String> {
    Some(path.extension()?.to_string_lossy().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, head: &[u8]) -> Option<&'static str> {
        of(Path::new(name), head).map(|f| f.0)
    }

    #[test]
    fn by_first_bytes_then_by_name() {
        assert_eq!(
            found("x.csv", b"{\"a\":1,\"b\":2}\n{\"a\":3,\"b\":4}\n"),
            Some(JSON)
        );
        assert_eq!(found("x.csv", b"[\n  {\"a\": 1},\n  {\"a\":"), Some(JSON));
        assert_eq!(found("x.csv", b"\xef\xbb\xbf{\"a\": {\"b\""), Some(JSON));
        assert_eq!(found("x.jsonl", b"1\n2\n"), Some(JSON));
        assert_eq!(found("x.json.gz", b"1\n2\n"), Some(JSON));
        assert_eq!(
            found("x.csv", b"PK\x03\x04....[Content_Types].xml"),
            Some("an Excel file")
        );
        assert_eq!(found("x.csv", b"PK\x03\x04....a.csv"), Some("a zip archive"));
        assert_eq!(found("x.csv", b"ORC\n\x03\0\0"), Some(ORC));
        assert_eq!(
            found("x.csv", b"SQLite format 3\0\x10"),
            Some("a SQLite database")
        );
        assert_eq!(found("x.csv", b"<!DOCTYPE html>"), Some("HTML or XML"));
        for csv in [
            &b"ORCID,name\n1,x\n"[..],
            b"ORC\n1\n2\n",
            b"ORC,b\n1,2\n",
            b"{a},{b}\n1,2\n",
            b"{},b\n1,2\n",
            b"[id],name\n1,x\n",
            b"PK,name\n1,x\n",
            b"<x>,y\n1,2\n",
            b"",
        ] {
            assert_eq!(found("x.csv", csv), None, "{}", String::from_utf8_lossy(csv));
        }
        assert_eq!(found("x.json", b""), None);
    }
}
