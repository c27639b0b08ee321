//! Who wrote a file, by the footer's own words, and what is known of that writer.

/// A program and its version, as `parquet-mr version 1.10.1 (build …)` names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Writer {
    name: String,
    /// Major, minor, patch; what is missing is 0.
    version: [u32; 3],
}

/// Writers whose counts of nulls hold, from that version on. Of others values decide: parquet-cpp-arrow
/// before 5.0 writes 0 for columns that it was given as dictionaries (ARROW-12513), and what nobody has
/// looked at may do so, too.
const NULLS_COUNTED: [(&str, [u32; 3]); 8] = [
    ("parquet-cpp-arrow", [5, 0, 0]),
    ("parquet-mr", [1, 8, 0]),
    ("parquet-rs", [1, 0, 0]),
    ("impala", [2, 9, 0]),
    ("DuckDB", [0, 0, 0]),
    ("Polars", [0, 0, 0]),
    ("Trino", [0, 0, 0]),
    ("fastparquet-python", [0, 0, 0]),
];

/// The first parquet-mr that counts a dictionary's page header as part of its chunk (PARQUET-816).
const CHUNKS_WHOLE: [u32; 3] = [1, 2, 9];

impl Writer {
    /// From the field `created_by`.
    pub(super) fn of(created_by: Option<&str>) -> Writer {
        let text = created_by.unwrap_or_default().trim();
        let (name, rest) = match text.split_once(" version ") {
            Some((name, rest)) => (name, rest.trim_start()),
            None => {
                let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
                (name, rest)
            }
        };
        let mut numbers = rest
            .trim_start_matches('v')
            .split(|c: char| !c.is_ascii_digit())
            .map(|n| n.parse().unwrap_or(0));
        Writer {
            name: name.trim().to_string(),
            version: std::array::from_fn(|_| numbers.next().unwrap_or(0)),
        }
    }

    /// Whether its counts of nulls can be taken for the truth.
    pub(super) fn counts_nulls(&self) -> bool {
        let named = |(name, _): &&(&str, [u32; 3])| name.eq_ignore_ascii_case(&self.name);
        let known = NULLS_COUNTED.iter().find(named);
        known.is_some_and(|(_, since)| self.version >= *since)
    }

    /// Whether the size of a chunk may leave out the header of its dictionary.
    pub(super) fn cuts_chunks(&self) -> bool {
        self.name == "parquet-mr" && self.version < CHUNKS_WHOLE
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::sync::Arc;

    use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch};
    use arrow::datatypes::Int64Type;
    use parquet::file::metadata::{ParquetMetaDataReader, ParquetMetaDataWriter};
    use parquet::file::properties::WriterProperties;
    use parquet::file::statistics::Statistics;

    use super::*;
    use crate::error::Result;
    use crate::kernel::Batch;
    use crate::source::parquet::tests::{open, read, write};
    use crate::source::{Bound, Compare, RowFilter, ScanRequest};

    /// `x IS NULL`.
    struct IsNull([Bound; 1]);

    impl RowFilter for IsNull {
        fn columns(&self) -> &[usize] {
            &[0]
        }
        fn mask(&self, batch: &Batch) -> Result<BooleanArray> {
            let nulls = (0..batch.rows).map(|i| Some(batch.columns[0].is_null(i)));
            Ok(nulls.collect())
        }
        fn bounds(&self) -> &[Bound] {
            &self.0
        }
    }

    /// A file of three values and two nulls whose statistics say that no value is null, or all are.
    fn lying(path: &Path, by: &str, nulls: u64) {
        let x: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(2), None, Some(3)]));
        let rows = RecordBatch::try_from_iter_with_nullable([("x", x, true)]).unwrap();
        let properties = WriterProperties::builder().set_created_by(by.to_string());
        write(path, &[rows], properties.build());
        let bytes = fs::read(path).unwrap();
        let (data, tail) = bytes.split_at(bytes.len() - 8);
        let length = u32::from_le_bytes(tail[..4].try_into().unwrap()) as usize;
        let (data, footer) = data.split_at(data.len() - length);
        let footer = ParquetMetaDataReader::decode_metadata(footer).unwrap();
        let group = footer.row_group(0).clone();
        let lie = Statistics::int64(Some(1), Some(3), None, Some(nulls), false);
        let column = group.column(0).clone().into_builder().set_statistics(lie);
        let column = column.set_column_index_offset(None).set_column_index_length(None);
        let group = group
            .into_builder()
            .set_column_metadata(vec![column.build().unwrap()]);
        let footer = footer
            .into_builder()
            .set_row_groups(vec![group.build().unwrap()])
            .build();
        let mut out = data.to_vec();
        ParquetMetaDataWriter::new(&mut out, &footer).finish().unwrap();
        fs::write(path, out).unwrap();
    }

    #[test]
    fn values_decide_for_nulls_where_the_writer_may_lie() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.parquet");
        let count = |by: &str, nulls: u64, op: Compare| {
            lying(&path, by, nulls);
            let dataset = open(std::slice::from_ref(&path)).unwrap();
            let value = crate::kernel::Scalar::Null;
            let bound = Bound { column: 0, op, value };
            let request = ScanRequest {
                columns: vec![0],
                filter: (op == Compare::IsNull).then(|| Arc::new(IsNull([bound])) as Arc<dyn RowFilter>),
                ..ScanRequest::default()
            };
            let rows = read(&dataset, &request).unwrap();
            let x = rows[0].as_primitive::<Int64Type>();
            (x.len(), x.null_count())
        };
        for liar in ["parquet-cpp-arrow version 4.0.1", "nobody", ""] {
            assert_eq!(count(liar, 0, Compare::IsNull), (2, 2), "{liar}");
        }
        // who counts right is believed, so that nothing is read
        assert_eq!(count("parquet-mr version 1.13.1", 0, Compare::IsNull), (0, 0));
        // nobody is believed that there are bounds of nothing but nulls
        assert_eq!(count("parquet-mr version 1.13.1", 5, Compare::IsNotNull), (5, 2));
    }

    #[test]
    fn names_and_versions() {
        let w = |text| Writer::of(Some(text));
        let arrow = w("parquet-cpp-arrow version 4.0.1");
        assert_eq!(
            (arrow.name.as_str(), arrow.version),
            ("parquet-cpp-arrow", [4, 0, 1])
        );
        assert_eq!(w("parquet-mr version 1.12.0-2018 (build ab)").version, [1, 12, 0]);
        assert_eq!(w("impala version 1.2-INTERNAL (build 7)").version, [1, 2, 0]);
        assert_eq!(w("parquet-mr").version, [0, 0, 0]);
        assert_eq!(w("DuckDB version v1.5.5 (build 08e34c447b)").version, [1, 5, 5]);
    }

    #[test]
    fn who_is_believed() {
        let counts = |text| Writer::of(text).counts_nulls();
        for liar in [None, Some(""), Some("parquet-cpp version 1.5.1-SNAPSHOT")] {
            assert!(!counts(liar));
        }
        assert!(!counts(Some("parquet-cpp-arrow version 4.0.1")));
        assert!(counts(Some("parquet-cpp-arrow version 21.0.0")));
        assert!(counts(Some("parquet-rs version 60.1.0")));
    }

    #[test]
    fn chunks_of_the_first_writers_are_cut() {
        assert!(Writer::of(Some("parquet-mr")).cuts_chunks());
        assert!(Writer::of(Some("parquet-mr version 1.2.8")).cuts_chunks());
        assert!(!Writer::of(Some("parquet-mr version 1.10.0")).cuts_chunks());
        assert!(!Writer::of(None).cuts_chunks());
    }
}
