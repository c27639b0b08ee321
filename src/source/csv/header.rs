//! The names of a file's columns: its header, or what stands for it, and what is odd about it.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::Path;

use super::exact::{self, Marks};
use super::infer;
use super::values::{Kinds, int};
use crate::source::ReadOptions;

/// A header as it was found.
pub(super) struct Header<'a> {
    /// The first bytes of the file.
    pub head: &'a [u8],
    /// Where in them the first record lies; empty where there is none.
    pub record: Range<usize>,
    pub path: &'a Path,
    pub marks: &'a Marks,
    pub options: &'a ReadOptions,
}

/// The columns of a file.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub names: Vec<String>,
    pub notes: Vec<Note>,
    /// So many lines stand before what looks more like a header.
    pub lines_before_header: Option<u64>,
}

/// Something to tell of a file.
#[derive(Debug)]
pub(crate) struct Note {
    /// Of several files one note of a kind is enough.
    pub kind: String,
    pub text: String,
}

impl Note {
    pub(crate) fn new(kind: impl Into<String>, text: String) -> Note {
        Note {
            kind: kind.into(),
            text,
        }
    }
}

/// Records that are looked at first; where all of them have as many fields as the header, nothing is odd.
const FIRST: usize = 16;

/// The record of a sample, for what its number of fields and its texts tell.
struct Seen {
    start: usize,
    fields: usize,
    /// It has no number but years, no date, and something in most fields.
    texts: bool,
    /// Fields up to the last that is not empty.
    filled: usize,
}

impl Header<'_> {
    /// The names, given where in the first bytes the records lie.
    pub(super) fn names(&self, records: Range<usize>) -> Names {
        let mut found = Names::default();
        let fields = split(&self.head[self.record.clone()], self.marks);
        if let Some(names) = &self.options.names {
            found.names = unique(names.clone(), self.path, &mut found.notes);
            return found;
        }
        if self.record.is_empty() {
            return found;
        }
        if self.options.header == Some(false) {
            found.names = (1..=fields.len()).map(|i| format!("column_{i}")).collect();
            return found;
        }
        let seen = self.odd_rows(records, fields.len());
        let file = self.path.display();
        let mut fields = fields;
        if has_row_names(&seen, fields.len()) {
            let text = "the header has one name less than each row, so the first column holds the names of the rows \
                        and is called 'column_1'";
            found
                .notes
                .push(Note::new("row names", format!("{file}: {text}")));
            fields.insert(0, String::new());
        } else if let Some(better) = better_header(&seen, fields.len()) {
            let lines = self.lines_before(better);
            found.lines_before_header = Some(lines);
            found
                .notes
                .push(Note::new("header", better_line(self.path, lines)));
        } else if is_data(&fields) {
            let text = format!("{file}: {}", self.data_in_header(fields.len()));
            found.notes.push(Note::new("data in header", text));
        }
        found.names = unique(fields, self.path, &mut found.notes);
        found
    }

    /// The records of the sample, if the first of them have another number of fields than the header.
    fn odd_rows(&self, records: Range<usize>, names: usize) -> Vec<Seen> {
        let sample = &self.head[records.clone()];
        let mut ends = memchr::memchr2_iter(b'\n', b'\r', sample);
        let first = ends.nth(FIRST - 1).map_or(sample.len(), |i| i + 1);
        let mut odd = false;
        infer::records(&sample[..first], self.marks, |record| {
            odd |= record.len() != names
        });
        match odd {
            true => self.seen(records),
            false => Vec::new(),
        }
    }

    fn seen(&self, records: Range<usize>) -> Vec<Seen> {
        let sample = &self.head[records.clone()];
        let mut seen = Vec::new();
        infer::records(sample, self.marks, |record| {
            let text = |&(from, to): &(u32, u32)| unquoted(&sample[from as usize..to as usize], self.marks);
            let all: Vec<Vec<u8>> = record.iter().map(text).collect();
            let empty = all.iter().filter(|t| t.is_empty()).count();
            let texts = all
                .iter()
                .all(|t| t.is_empty() || Kinds::of(t).has_text() || is_year(t));
            seen.push(Seen {
                start: records.start + record.first().map_or(0, |s| s.0 as usize),
                fields: record.len(),
                texts: texts && empty * 2 < all.len(),
                filled: all.iter().rposition(|t| !t.is_empty()).map_or(0, |i| i + 1),
            });
        });
        seen
    }

    /// Lines before the one in which an offset lies.
    fn lines_before(&self, offset: usize) -> u64 {
        let before = &self.head[..offset];
        let mut lines = 0;
        for i in memchr::memchr2_iter(b'\n', b'\r', before) {
            lines += u64::from(before[i] == b'\n' || before.get(i + 1) != Some(&b'\n'));
        }
        lines
    }

    /// What to say where the header looks like data.
    fn data_in_header(&self, fields: usize) -> String {
        let what = "the header looks like data";
        let before = &self.head[..self.record.start];
        let before = before.strip_suffix(b"\n").unwrap_or(before);
        let before = before.strip_suffix(b"\r").unwrap_or(before);
        let start = memchr::memrchr2(b'\n', b'\r', before).map_or(0, |i| i + 1);
        let line = &before[start..];
        let plain = Marks {
            comment: None,
            ..*self.marks
        };
        let Some(prefix) = self
            .options
            .comment
            .as_ref()
            .filter(|_| self.marks.is_comment(line))
        else {
            return format!("{what}: if the file has none, use -H");
        };
        match split(&[line, b"\n"].concat(), &plain).len() == fields {
            true => format!(
                "{what}, and line {}, a comment, like the header: --comment '{prefix}{prefix}' would leave it",
                self.lines_before(start) + 1
            ),
            false => format!("{what}: if the file has none, use -H"),
        }
    }
}

/// What to say where another line looks like the header.
pub(super) fn better_line(path: &Path, lines: u64) -> String {
    format!(
        "line {} of {} looks like the header: --skip-rows {lines} begins there",
        lines + 1,
        path.display()
    )
}

/// Whether each row has one field more than the header has names, as R writes the names of rows.
fn has_row_names(seen: &[Seen], names: usize) -> bool {
    names > 1
        && !seen.is_empty()
        && seen.iter().all(|r| r.fields == names + 1)
        && seen.iter().any(|r| r.filled > names)
        // texts above numbers are a header of their own
        && !(seen[0].texts && seen.iter().any(|r| !r.texts))
}

/// Where a record begins that is more of a header: the first of as many fields as most have, which is not as many
/// as the first line has, and of texts.
fn better_header(seen: &[Seen], names: usize) -> Option<usize> {
    let mut counts = std::collections::BTreeMap::new();
    for record in seen {
        *counts.entry(record.fields).or_insert(0usize) += 1;
    }
    let (&usual, &n) = counts.iter().max_by_key(|(_, n)| **n)?;
    let first = seen.iter().position(|r| r.fields == usual)?;
    // surplus empty fields are none
    let other = usual < names || seen.iter().any(|r| r.fields == usual && r.filled > names);
    let many = n > 1 && n * 2 > seen.len();
    (usual != names && usual > 1 && many && other && seen[first].texts).then(|| seen[first].start)
}

/// Whether the cells of a header are what rows hold: numbers and dates. A year, or any number behind the texts of a
/// wide table, is a name like others.
fn is_data(fields: &[String]) -> bool {
    let kinds: Vec<Option<bool>> = fields
        .iter()
        .map(|f| (!f.is_empty()).then(|| !Kinds::of(f.as_bytes()).has_text()))
        .collect();
    let valued = |k: &Option<bool>| *k == Some(true);
    if kinds.iter().any(valued) && kinds.iter().flatten().all(|data| *data) {
        return true;
    }
    let last_text = kinds.iter().rposition(|k| *k == Some(false)).unwrap_or(0);
    (0..last_text).any(|i| valued(&kinds[i]) && !is_year(fields[i].as_bytes()))
}

/// Whether a cell may as well be the name of a column of a wide table.
fn is_year(cell: &[u8]) -> bool {
    int(cell).is_some_and(|y| (1800..2200).contains(&y))
}

fn unquoted(field: &[u8], marks: &Marks) -> Vec<u8> {
    let mut out = Vec::new();
    exact::unquote(field, marks, &mut out);
    out
}

/// The texts of one record's fields.
fn split(record: &[u8], marks: &Marks) -> Vec<String> {
    let mut record = record.to_vec();
    if let Some(last @ b'\r') = record.last_mut() {
        *last = b'\n'; // to the scanner, a CR at the very end might be half of a CRLF
    }
    let mut ends = Vec::new();
    exact::scan(&record, 0, marks, &mut ends);
    let mut start = 0;
    let mut fields = Vec::new();
    for end in ends {
        let end = end as usize;
        let mut text = &record[start..end];
        if record[end] == b'\n' {
            text = text.strip_suffix(b"\r").unwrap_or(text);
        }
        let (from, to) = marks.trimmed(text, (0, text.len() as u32));
        let text = &text[from as usize..to as usize];
        fields.push(String::from_utf8_lossy(&unquoted(text, marks)).into_owned());
        start = end + 1;
    }
    fields
}

/// Names made unique: `x`, `x_2`; an empty one is `column_2`.
fn unique(fields: Vec<String>, path: &Path, notes: &mut Vec<Note>) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(fields.len());
    let mut taken: HashSet<String> = fields.iter().cloned().collect();
    let mut seen = HashSet::new();
    // the last number that a name was given
    let mut numbers: HashMap<String, usize> = HashMap::new();
    for (i, field) in fields.into_iter().enumerate() {
        let wanted = if field.is_empty() {
            format!("column_{}", i + 1)
        } else {
            field
        };
        let mut name = wanted.clone();
        let before = numbers.get(&wanted).copied();
        let mut k = before.unwrap_or(1);
        while seen.contains(&name) || (k > 1 && taken.contains(&name)) {
            k += 1;
            name = format!("{wanted}_{k}");
        }
        if k > 1 {
            numbers.insert(wanted.clone(), k);
        }
        if k > 1 && before.is_none() {
            let text = format!(
                "{}: the second column '{wanted}' is called '{name}'",
                path.display()
            );
            notes.push(Note::new(format!("second {wanted}"), text));
        }
        seen.insert(name.clone());
        taken.insert(name.clone());
        names.push(name);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_unique() {
        let fields = ["x", "", "x", "x_2", "x"].map(String::from).to_vec();
        let mut notes = vec![];
        assert_eq!(
            unique(fields, Path::new("f"), &mut notes),
            ["x", "column_2", "x_3", "x_2", "x_4"]
        );
        assert_eq!(notes.len(), 1);
    }

    fn names(text: &str) -> Names {
        let end = text.find('\n').map_or(text.len(), |i| i + 1);
        let options = ReadOptions::default();
        let header = Header {
            head: text.as_bytes(),
            record: 0..end,
            path: Path::new("f"),
            marks: &super::super::sniff::marks(&options, b','),
            options: &options,
        };
        header.names(end..text.len())
    }

    #[test]
    fn rows_may_have_names() {
        assert_eq!(
            names("x,y,v\n1,a,1,10\n2,a,3,20\n").names,
            ["column_1", "x", "y", "v"]
        );
        // surplus empty fields, a row that has none, a title
        assert_eq!(names("x,\n1,2,3\n4,5,6\n").names, ["column_1", "x", "column_3"]);
        for no in [
            "x,y\n1,2,\n3,4,\n",
            "x,y\n1,2,3\n4,5\n",
            "title\n1,2\n3,4\n",
            "x,y\n",
        ] {
            let names = names(no);
            assert_ne!(names.names[0], "column_1", "{no}");
        }
    }

    #[test]
    fn a_header_further_down_is_seen() {
        assert_eq!(
            names("made,by hand\n\nx,y,z\n1,2,3\n4,5,6\n").lines_before_header,
            Some(2)
        );
        assert_eq!(
            names("made,by\n\nx,y,z,\n1,2,3,\n4,5,6,\n").lines_before_header,
            Some(2)
        );
        assert_eq!(names("a,b,c,d\nx,y\n1,2\n3,4\n").lines_before_header, Some(1));
        assert_eq!(names("a,b\nx,y,,\n1,2,,\n").lines_before_header, None);
        assert_eq!(names("a,b\n1,2\n3,4,5\n").lines_before_header, None);
        assert_eq!(names("a,b\n1,2,3\n3,4,5\n").lines_before_header, None);
    }

    #[test]
    fn data_is_no_header() {
        for (header, data) in [
            ("1,2.5,2024-01-01", true),
            ("5,John,3.2", true),
            ("country,2019,2020", false),
            ("2019,2020,total", false),
            ("id,v1,true", false),
            ("a,,b", false),
            ("1,,", true),
        ] {
            let fields: Vec<String> = header.split(',').map(String::from).collect();
            assert_eq!(is_data(&fields), data, "{header}");
        }
    }
}
