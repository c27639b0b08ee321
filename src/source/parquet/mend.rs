//! Footers that the decoder refuses as a whole for a detail: rewritten without the detail.
//!
//! A footer is one Thrift structure in the compact protocol. A value of an enumeration that a newer
//! format added (a converted type, an encoding), a field of a writer's own under a number that the
//! format has given to another type since, or integers of a list written in another width (all widths
//! have the same bytes), make the decoder give up all columns of the file. Copied field by field, such
//! a field is left out, and the width of a list is what the format says; so only what hangs on the
//! value is lost. The same walk tells which columns are encrypted.

/// What a walk over a footer found.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// The footer, rewritten.
    pub bytes: Vec<u8>,
    /// Whether that is not what it was.
    pub changed: bool,
    /// Encrypted column chunks: row group and leaf.
    pub encrypted: Vec<(usize, usize)>,
}

/// Walks over a footer; `None` if it is no Thrift structure. What follows it is left out.
pub(super) fn walk(footer: &[u8]) -> Option<Walked> {
    let mut walker = Walker {
        from: footer,
        at: 0,
        out: Walked::default(),
        group: 0,
        leaf: 0,
        unknown: false,
    };
    walker.structure(Place::File, 0)?;
    Some(walker.out)
}

/// Structures of the format that have something to look at.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    File,
    SchemaElement,
    RowGroup,
    ColumnChunk,
    ColumnMeta,
    PageEncodingStats,
    SizeStatistics,
    GeoStatistics,
    Other,
}

/// What a field is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Rule {
    /// Copied as it is, and a structure within it is this one.
    Copy(Place),
    /// A value of an enumeration: from 0 to this.
    Enumeration(i64),
    Encoding,
    /// A list of integers of this type.
    Integers(u8),
    Encodings,
}

// types of the compact protocol
const I16: u8 = 4;
const I32: u8 = 5;
const I64: u8 = 6;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

const LAST_CONVERTED_TYPE: i64 = 21; // INTERVAL
const LAST_PAGE_TYPE: i64 = 3;
const DEEPEST: usize = 64;

/// Whether all values of either type can be read as the other.
fn alike(a: u8, b: u8) -> bool {
    let integer = |t| (I16..=I64).contains(&t);
    a == b || (integer(a) && integer(b))
}

impl Place {
    /// The types of its fields, from field 1 on.
    fn types(self) -> &'static [u8] {
        use Place::*;
        match self {
            File => &[I32, LIST, I64, LIST, LIST, BINARY, LIST, STRUCT, BINARY],
            SchemaElement => &[I32, I32, I32, BINARY, I32, I32, I32, I32, I32, STRUCT],
            RowGroup => &[LIST, I64, I64, LIST, I64, I64, I16],
            ColumnChunk => &[BINARY, I64, STRUCT, I64, I32, I64, I32, STRUCT, BINARY],
            ColumnMeta => &[
                I32, LIST, LIST, I32, I64, I64, I64, LIST, I64, I64, I64, STRUCT, LIST, I64, I32, STRUCT,
                STRUCT,
            ],
            PageEncodingStats => &[I32, I32, I32],
            SizeStatistics => &[I64, LIST, LIST],
            GeoStatistics => &[STRUCT, LIST],
            Other => &[],
        }
    }

    /// Whether a field of this type is the format's field of that number, or one it has not.
    fn has(self, field: i16, kind: u8) -> bool {
        let at = usize::try_from(field).ok().and_then(|f| f.checked_sub(1));
        let wanted = at.and_then(|at| self.types().get(at));
        wanted.is_none_or(|wanted| alike(*wanted, kind))
    }

    fn rule(self, field: i16) -> Rule {
        use Place::*;
        match (self, field) {
            (File, 2) => Rule::Copy(SchemaElement),
            (File, 4) => Rule::Copy(RowGroup),
            (SchemaElement, 6) => Rule::Enumeration(LAST_CONVERTED_TYPE),
            (RowGroup, 1) => Rule::Copy(ColumnChunk),
            (ColumnChunk, 3) => Rule::Copy(ColumnMeta),
            (ColumnMeta, 2) => Rule::Encodings,
            (ColumnMeta, 13) => Rule::Copy(PageEncodingStats),
            (ColumnMeta, 16) => Rule::Copy(SizeStatistics),
            (ColumnMeta, 17) => Rule::Copy(GeoStatistics),
            (PageEncodingStats, 1) => Rule::Enumeration(LAST_PAGE_TYPE),
            (PageEncodingStats, 2) => Rule::Encoding,
            (SizeStatistics, 2 | 3) => Rule::Integers(I64),
            (GeoStatistics, 2) => Rule::Integers(I32),
            _ => Rule::Copy(Other),
        }
    }
}

fn known_encoding(value: i64) -> bool {
    matches!(value, 0 | 2..=9)
}

fn zigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

struct Walker<'a> {
    from: &'a [u8],
    at: usize,
    out: Walked,
    /// The row group and the leaf that the walk is in.
    group: usize,
    leaf: usize,
    /// Whether the statistics of pages in hand name something unknown.
    unknown: bool,
}

impl Walker<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.from.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn varint(&mut self) -> Option<u64> {
        let (mut value, mut shift) = (0u64, 0u32);
        loop {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            shift += 7;
            if byte < 0x80 {
                return Some(value);
            }
        }
    }

    fn put_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.bytes.push(value as u8);
    }

    fn copy(&mut self, bytes: usize) -> Option<()> {
        let end = self.at.checked_add(bytes)?;
        self.out.bytes.extend_from_slice(self.from.get(self.at..end)?);
        self.at = end;
        Some(())
    }

    fn structure(&mut self, place: Place, depth: usize) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        let (mut last, mut last_out) = (0i16, 0i16);
        loop {
            let head = self.byte()?;
            let kind = head & 0x0f;
            if kind == 0 {
                self.out.bytes.push(0);
                return Some(());
            }
            last = match head >> 4 {
                0 => i16::try_from(zigzag(self.varint()?)).ok()?,
                delta => last.checked_add(i16::from(delta))?,
            };
            if (place, last, kind) == (Place::ColumnChunk, 8, STRUCT) {
                self.out.encrypted.push((self.group, self.leaf));
            }
            let before = self.out.bytes.len();
            match last.checked_sub(last_out) {
                Some(delta @ 1..=15) => self.out.bytes.push((delta as u8) << 4 | kind),
                _ => {
                    self.out.bytes.push(kind);
                    self.put_varint(((last << 1) ^ (last >> 15)) as u16 as u64);
                }
            }
            let ours = place.has(last, kind);
            let rule = match ours {
                true => place.rule(last),
                false => Rule::Copy(Place::Other),
            };
            match self.value(kind, rule, depth)? && ours {
                true => last_out = last,
                false => {
                    self.out.bytes.truncate(before);
                    self.out.changed = true;
                }
            }
        }
    }

    /// Copies a value; false if it is to be left out.
    fn value(&mut self, kind: u8, rule: Rule, depth: usize) -> Option<bool> {
        match kind {
            1 | 2 => {}
            3 => self.copy(1)?,
            I16 | I32 | I64 => {
                let value = self.varint()?;
                self.put_varint(value);
                let value = zigzag(value);
                match rule {
                    Rule::Enumeration(last) if !(0..=last).contains(&value) => {
                        self.unknown = true;
                        return Some(false);
                    }
                    Rule::Encoding => self.unknown |= !known_encoding(value),
                    _ => {}
                }
            }
            7 => self.copy(8)?,
            BINARY => {
                let length = self.varint()?;
                self.put_varint(length);
                self.copy(usize::try_from(length).ok()?)?;
            }
            LIST | 10 => return self.list(rule, depth),
            11 => self.map(depth)?,
            STRUCT => {
                let inside = match rule {
                    Rule::Copy(place) => place,
                    _ => Place::Other,
                };
                self.structure(inside, depth + 1)?;
            }
            13 => self.copy(16)?,
            _ => return None,
        }
        Some(true)
    }

    fn list(&mut self, rule: Rule, depth: usize) -> Option<bool> {
        if depth > DEEPEST {
            return None;
        }
        let head = self.byte()?;
        let kind = head & 0x0f;
        let count = match head >> 4 {
            15 => self.varint()?,
            few => u64::from(few),
        };
        if matches!(rule, Rule::Encodings) && (I16..=I64).contains(&kind) {
            return self.encodings(kind, count).map(|()| true);
        }
        let written = match rule {
            Rule::Integers(wanted) if (I16..=I64).contains(&kind) => wanted,
            _ => kind,
        };
        self.out.changed |= written != kind;
        self.list_head(written, count);
        let outer = std::mem::take(&mut self.unknown);
        for i in 0..count {
            match rule {
                Rule::Copy(Place::RowGroup) => self.group = i as usize,
                Rule::Copy(Place::ColumnChunk) => self.leaf = i as usize,
                _ => {}
            }
            match kind {
                1 | 2 => self.copy(1)?, // truth values have bytes in lists only
                kind => {
                    self.value(kind, rule, depth + 1)?;
                }
            }
        }
        let unknown = std::mem::replace(&mut self.unknown, outer);
        Some(!(unknown && rule == Rule::Copy(Place::PageEncodingStats)))
    }

    fn list_head(&mut self, kind: u8, count: u64) {
        match u8::try_from(count) {
            Ok(few @ 0..15) => self.out.bytes.push(few << 4 | kind),
            _ => {
                self.out.bytes.push(0xf0 | kind);
                self.put_varint(count);
            }
        }
    }

    /// The encodings of a column, of those that are known.
    fn encodings(&mut self, kind: u8, count: u64) -> Option<()> {
        let mut known = Vec::new();
        for _ in 0..count {
            let value = self.varint()?;
            match known_encoding(zigzag(value)) {
                true => known.push(value),
                false => self.out.changed = true,
            }
        }
        self.out.changed |= kind != I32;
        self.list_head(I32, known.len() as u64);
        known.into_iter().for_each(|v| self.put_varint(v));
        Some(())
    }

    fn map(&mut self, depth: usize) -> Option<()> {
        let count = self.varint()?;
        self.put_varint(count);
        if count == 0 {
            return Some(());
        }
        let kinds = self.byte()?;
        self.out.bytes.push(kinds);
        for _ in 0..count {
            for kind in [kinds >> 4, kinds & 0x0f] {
                match kind {
                    1 | 2 => self.copy(1)?,
                    kind => {
                        self.value(kind, Rule::Copy(Place::Other), depth + 1)?;
                    }
                }
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// version 1; two schema elements: the root, and an INT32 column of a converted type; no rows; no
    /// row groups; who wrote it.
    fn footer(converted: u8) -> Vec<u8> {
        let mut bytes = vec![0x15, 2, 0x19, 0x2c];
        bytes.extend([0x48, 1, b'r', 0x15, 2, 0]);
        bytes.extend([0x15, 2, 0x25, 0, 0x18, 1, b'x', 0x25, converted << 1, 0x65, 8, 0]);
        bytes.extend([0x16, 0, 0x19, 0x0c, 0x28, 2, b'm', b'e', 0]);
        bytes
    }

    #[test]
    fn what_is_known_stays_byte_for_byte() {
        let known = footer(15);
        let walked = walk(&known).unwrap();
        assert!(!walked.changed);
        assert_eq!(walked.bytes, known);
    }

    #[test]
    fn an_unknown_converted_type_is_left_out_and_the_next_field_keeps_its_number() {
        let walked = walk(&footer(24)).unwrap();
        assert!(walked.changed);
        let without: Vec<u8> = footer(24);
        let at = without.windows(2).position(|w| w == [0x25, 48]).unwrap();
        // field 12 now follows field 4
        let expected = [&without[..at], &[0x85, 8], &without[at + 4..]].concat();
        assert_eq!(walked.bytes, expected);
        // the decoder takes it then
        let decode = parquet::file::metadata::ParquetMetaDataReader::decode_metadata;
        assert!(decode(&footer(24)).is_err());
        let read = decode(&walked.bytes).unwrap();
        assert_eq!(read.file_metadata().schema_descr().column(0).name(), "x");
    }

    #[test]
    fn what_is_no_structure_is_told() {
        let whole = footer(15);
        for end in 0..whole.len() {
            assert!(walk(&whole[..end]).is_none(), "{end}");
        }
        assert!(walk(&[0xfe; 100]).is_none());
    }

    #[test]
    fn lists_of_narrow_integers_get_the_width_of_the_format() {
        // one row group, one column, whose encodings are a list of i16: PLAIN, 77, RLE
        let group = |list: &[u8]| {
            let mut bytes = vec![0x49, 0x1c, 0x19, 0x1c, 0x26, 0, 0x1c, 0x29];
            bytes.extend(list);
            bytes.extend([0, 0, 0, 0]);
            bytes
        };
        let walked = walk(&group(&[0x34, 0, 0x9a, 0x01, 6])).unwrap();
        assert!(walked.changed);
        assert_eq!(walked.bytes, group(&[0x25, 0, 6]));
        assert!(walked.encrypted.is_empty());
    }

    #[test]
    fn fields_of_another_type_than_the_formats_are_left_out() {
        // a column whose field 15 is a list, as Dremio wrote them, and whose field 16 is no structure
        let group = |more: &[u8]| [&[0x49, 0x1c, 0x19, 0x1c, 0x26, 0, 0x1c, 0x15, 2], more, &[0; 4]].concat();
        let walked = walk(&group(&[0xe9, 0x15, 6, 0x15, 8])).unwrap();
        assert!(walked.changed);
        assert_eq!(walked.bytes, group(&[]));
    }

    #[test]
    fn encrypted_columns_are_found() {
        // the second column of the row group has field 8
        let bytes = [
            0x49, 0x1c, 0x19, 0x2c, 0x26, 0, 0, 0x26, 0, 0x6c, 0x1c, 0, 0, 0, 0, 0,
        ];
        assert_eq!(walk(&bytes).unwrap().encrypted, [(0, 1)]);
    }
}
