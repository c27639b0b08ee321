//! Reads that fail for a moment: the faults come out of the layer that reads, and the answers do not change.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::io::Error;
use std::sync::Mutex;

use ddf::Frame;
use ddf::frame::{Rows, Settings};
use ddf::source::{ReadOptions, Retries};

const FILES: [&str; 2] = ["testdata/nycflights/*.csv", "testdata/nycflights/*.parquet"];

fn ask(input: &str, retries: Retries) -> ddf::Result<Rows> {
    let options = ReadOptions {
        retries,
        blocksize: Some(100_000),
        ..ReadOptions::default()
    };
    let settings = Settings {
        threads: 2,
        ..Settings::default()
    };
    Frame::read_with([input], &options, settings)?
        .filter("Cancelled = 0")?
        .groupby(["UniqueCarrier"])?
        .agg(["count()", "mean(ArrDelay)"])?
        .collect()
}

/// Errors that may pass, one after the other; at each offset `times` reads in a row fail.
fn passing(times: usize) -> impl Fn(u64) -> Option<Error> + Send + Sync {
    let codes = [
        libc::EIO,
        libc::ETIMEDOUT,
        libc::ESTALE,
        libc::EAGAIN,
        libc::ECONNRESET,
    ];
    let seen: Mutex<HashMap<u64, usize>> = Mutex::default();
    move |offset| {
        let mut seen = seen.lock().unwrap();
        let n = seen.entry(offset).or_default();
        *n += 1;
        (!n.is_multiple_of(times + 1)).then(|| Error::from_raw_os_error(codes[*n % codes.len()]))
    }
}

#[test]
fn answers_are_the_same_and_retries_are_told() {
    for input in FILES {
        let plain = ask(input, Retries::default()).unwrap();
        assert_eq!(plain.report.retries, 0);
        let rough = ask(input, Retries::with_faults(6, passing(1))).unwrap();
        assert_eq!(plain.batches, rough.batches);
        assert!(rough.report.retries > 20, "{}", rough.report.retries);
        let warning = rough.report.warnings.iter().find(|w| w.key == "retries").unwrap();
        assert!(
            warning.text.contains("reads were tried again, the first of "),
            "{}",
            warning.text
        );
    }
}

#[test]
fn what_does_not_pass_is_an_error_that_names_the_flag() {
    for input in FILES {
        // headers and footers can be read, what lies in the middle of a CSV file cannot
        let fault =
            |offset| (offset > 150_000 && offset < 350_000).then(|| Error::from_raw_os_error(libc::EIO));
        let footers_too = |_| Some(Error::from_raw_os_error(libc::EIO));
        for retries in [
            Retries::with_faults(2, footers_too),
            Retries::with_faults(0, fault),
        ] {
            let Err(e) = ask(input, retries) else {
                assert!(input.ends_with("parquet"), "no read began there");
                continue;
            };
            assert!(e.to_string().contains("input/output error"), "{e}");
            assert!(e.to_string().contains("nycflights"), "{e}");
        }
    }
}

#[test]
fn packed_files_are_read_again_where_they_broke() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv.zst");
    let text: String = (0..300_000u64)
        .map(|i| format!("{i},{}\n", i * 7919 % 100_003))
        .collect();
    std::fs::write(
        &path,
        zstd::encode_all(format!("a,b\n{text}").as_bytes(), 1).unwrap(),
    )
    .unwrap();
    let sum = |retries| {
        let options = ReadOptions {
            retries,
            ..ReadOptions::default()
        };
        let frame = Frame::read_with([path.to_str().unwrap()], &options, Settings::default()).unwrap();
        frame.agg(["sum(a)", "sum(b)"]).unwrap().collect().unwrap()
    };
    let (plain, rough) = (sum(Retries::default()), sum(Retries::with_faults(3, passing(2))));
    assert_eq!(plain.batches, rough.batches);
    assert!(rough.report.retries > 4);
}
