//! Parquet that others wrote: read as they meant it, or an error that says what stands in the way.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::common::{Folder, ask, query, run, testdata};

fn at(name: &str) -> String {
    testdata("parquet").join(name).to_str().unwrap().to_string()
}

#[test]
fn a_dictionary_at_the_place_of_the_magic_is_none() {
    let file = at("dict-page-offset-zero.parquet");
    assert_eq!(
        query(&file, "--count --min l_partkey --max l_partkey"),
        "count,l_partkey_min,l_partkey_max\n39,1552,1552\n"
    );
    assert_eq!(query(&file, "-w l_partkey=1552 --count"), "count\n39\n");
}

#[test]
fn rows_are_those_of_the_row_groups_where_the_footer_counts_none() {
    let file = at("repeated_no_annotation.parquet");
    assert_eq!(query(&file, "--count --sum id"), "count,id_sum\n6,21\n");
    assert_eq!(query(&file, "-w id>=5 -s id"), "id\n5\n6\n");
    let all = query(&file, "-w id>=5");
    assert!(all.contains("3333333333") && all.contains("mobile"), "{all}");
}

#[test]
fn chunks_that_leave_out_the_header_of_their_dictionary_are_read_to_the_end() {
    let file = at("nation.dict-malformed.parquet");
    for flags in ["-j 1", "-j 4"] {
        assert_eq!(
            query(
                &file,
                &format!("{flags} --count --sum nation_key --sum region_key")
            ),
            "count,nation_key_sum,region_key_sum\n25,300,50\n"
        );
    }
    assert_eq!(
        query(&file, "-w nation_key=24 -s nation_key,region_key"),
        "nation_key,region_key\n24,1\n"
    );
}

#[test]
fn what_is_encrypted_is_called_so() {
    let whole = at("uniform_encryption.parquet.encrypted");
    let ran = ask(&whole, "-i parquet --count").failed(1);
    let ran = ran.says(&["encrypted", "uniform_encryption"]);
    assert!(!ran.err.contains("damaged"), "{}", ran.err);

    // the other columns of this one can be read
    let some = at("encrypt_columns_plaintext_footer.parquet.encrypted");
    assert_eq!(query(&some, "-i parquet -w boolean_field --count"), "count\n25\n");
    let ran = ask(&some, "-i parquet --sum float_field").failed(1);
    let ran = ran.says(&["float_field", "encrypted", "the other columns"]);
    assert!(!ran.err.contains("damaged"), "{}", ran.err);
}

#[test]
fn an_unknown_logical_type_hides_nothing() {
    let file = at("unknown-logical-type.parquet");
    assert_eq!(query(&file, "--count"), "count\n3\n");
    assert_eq!(query(&file, "").lines().count(), 4);
}

#[test]
fn damage_is_told_with_file_row_group_and_column() {
    for (name, parts) in [
        (
            "ARROW-RS-GH-6229-LEVELS.parquet",
            ["column outer", "row group 0", "levels"],
        ),
        (
            "ARROW-GH-47662.parquet",
            ["column flba_field", "row group 0", "expected 400 bytes"],
        ),
        ("PARQUET-1481.parquet", ["footer", "Type -7", "damaged"]),
    ] {
        let ran = ask(&at(name), "").failed(1).says(&parts).says(&[name]);
        assert_eq!(ran.text(), "", "{name}");
    }
}

/// A Parquet file of one column of bytes that are not said to be text, and one of integers.
fn bytes(f: &Folder, name: &str, values: &[Option<&[u8]>]) -> String {
    let path = f.at(name);
    let url: ArrayRef = Arc::new(BinaryArray::from(values.to_vec()));
    let n: ArrayRef = Arc::new(Int64Array::from_iter_values(0..values.len() as i64));
    let rows = RecordBatch::try_from_iter_with_nullable([("url", url, true), ("n", n, true)]).unwrap();
    let file = std::fs::File::create(&path).unwrap();
    let mut writer = ArrowWriter::try_new(file, rows.schema(), None).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    path
}

#[test]
fn bytes_are_text_where_the_user_says_so() {
    let f = Folder::new();
    let file = bytes(
        &f,
        "a.parquet",
        &[
            Some(b"http://b"),
            None,
            Some(b"http://a"),
            Some(b""),
            Some(b"http://a"),
        ],
    );
    let groups = "url,count\n\"\",1\nhttp://a,2\nhttp://b,1\n,1\n";
    for flags in ["--types url=text", "--binary-as-text", "--binary-as-text -j 4"] {
        assert_eq!(
            query(&file, &format!("{flags} -g url --count")),
            groups,
            "{flags}"
        );
        let some = format!("{flags} -w url='http://a' -s n");
        assert_eq!(query(&file, &some), "n\n2\n4\n", "{flags}");
        let some = format!("{flags} -w url>'http://b' --count");
        assert_eq!(query(&file, &some), "count\n0\n", "{flags}");
        let like = format!("{flags} -w substr(url,8)='b' -s n,length(url)");
        assert_eq!(query(&file, &like).lines().nth(1), Some("0,8"), "{flags}");
    }
    for reader in ["binary_as_text = true", "types = {'url': 'text'}"] {
        let sql = format!("select max(url) m from read_parquet('{file}', {reader})");
        assert_eq!(
            run(["sql", "-q", &sql]).done().text(),
            "m\nhttp://b\n",
            "{reader}"
        );
    }
    // what is written is text then
    let out = f.at("out.parquet");
    run(["query", &file, "--binary-as-text", "-o", &out]).done();
    assert_eq!(query(&out, "-w url='http://b' -s n"), "n\n0\n");
}

#[test]
fn bytes_that_are_no_text_are_an_error_where_they_must_be() {
    let f = Folder::new();
    let file = bytes(&f, "a.parquet", &[Some(b"fine"), Some(b"\xff\xfe")]);
    for flag in ["--binary-as-text", "--types=url=text"] {
        ask(&file, &format!("{flag} -g url --count")).failed(1).says(&[
            "column url",
            "row group 0",
            "UTF-8",
            "--binary-as-text",
            "a.parquet",
        ]);
        assert_eq!(query(&file, &format!("{flag} --sum n")), "n_sum\n1\n");
    }
}

#[test]
fn types_are_law_for_parquet_too() {
    let f = Folder::new();
    let (csv, file) = (f.file("a.csv", "k,x\n007,1.5\n12,2\n"), f.at("a.parquet"));
    run(["query", &csv, "--types", "k=text", "-o", &file]).done();
    assert_eq!(query(&file, "--types k=int64 --sum k"), "k_sum\n19\n");
    assert_eq!(query(&file, "--types k=int64 -w k=7 -s x"), "x\n1.5\n");
    assert_eq!(query(&file, "--types x=text -s x"), "x\n1.5\n2.0\n");
    assert_eq!(query(&file, "--types x=decimal(5,2) -s x"), "x\n1.50\n2.00\n");
    ask(&file, "--types k=date -s k")
        .failed(1)
        .says(&["column k", "007", "date", "--types", "a.parquet"]);
    ask(&file, "--types nobody=text --count")
        .failed(1)
        .says(&["\"nobody\""]);
    ask(&file, "--types k=colour --count").failed(2).says(&["colour"]);
}

#[test]
fn a_page_that_does_not_fit_is_refused_before_it_is_taken() {
    let f = Folder::new();
    let path = f.at("bomb.parquet");
    let text = "a".repeat(96 << 20);
    let column: ArrayRef = Arc::new(StringArray::from(vec![text.as_str()]));
    let rows = RecordBatch::try_from_iter([("x", column)]).unwrap();
    let zstd = Compression::ZSTD(ZstdLevel::default());
    let properties = WriterProperties::builder().set_compression(zstd);
    let properties = properties.set_dictionary_enabled(false).build();
    let file = std::fs::File::create(&path).unwrap();
    let mut writer = ArrowWriter::try_new(file, rows.schema(), Some(properties)).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    assert!(std::fs::metadata(&path).unwrap().len() < 100_000);
    for flags in ["--max x", "-w length(x)>5 --count", "-s length(x)"] {
        ask(&path, &format!("-m 64MiB {flags}")).failed(4).says(&[
            "page",
            "97 MiB",
            "bomb.parquet",
            "--memory",
        ]);
    }
    assert_eq!(query(&path, "-m 1GiB -s n=length(x)"), "n\n100663296\n");
    // what is not read is not asked for
    assert_eq!(query(&path, "-m 64MiB --count"), "count\n1\n");
}
