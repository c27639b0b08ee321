//! The innermost loops, one by one: `cargo bench --bench kernels`.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ddf::kernel::parse::{Column, Validity, floats, ints, views};
use ddf::kernel::scan::{Dialect, Isa, count_with, scan_with};

/// 256 KiB of airline-like rows: what the scanner looks at at once.
fn window() -> Vec<u8> {
    let mut text = Vec::new();
    let mut i = 0u32;
    while text.len() < 256 << 10 {
        let (delay, air) = (i.wrapping_mul(7919) % 300, i.wrapping_mul(31) % 400);
        text.extend(
            format!(
                "2013,{},{},JFK,N{}AA,{delay},{}.{},{air}\n",
                i % 12 + 1,
                i % 28 + 1,
                i % 4000,
                i % 90,
                i % 10
            )
            .bytes(),
        );
        i += 1;
    }
    text
}

const FIELDS: usize = 8;

fn scanning(c: &mut Criterion) {
    let text = window();
    let mut group = c.benchmark_group("scan");
    group.throughput(Throughput::Bytes(text.len() as u64));
    for isa in Isa::available() {
        let mut ends = Vec::new();
        group.bench_function(format!("fields {isa:?}"), |b| {
            b.iter(|| {
                ends.clear();
                scan_with(isa, &text, 0, &Dialect::default(), false, &mut ends)
            })
        });
        group.bench_function(format!("count {isa:?}"), |b| {
            b.iter(|| count_with(isa, &text, &Dialect::default(), false))
        });
    }
    group.finish();
}

fn parsing(c: &mut Criterion) {
    let text = window();
    let mut ends = Vec::new();
    scan_with(Isa::best(), &text, 0, &Dialect::default(), false, &mut ends);
    let rows = ends.len() / FIELDS;
    let column = |i| Column::new(&text, &ends, 0, FIELDS, i);
    let mut group = c.benchmark_group("parse");
    group.throughput(Throughput::Elements(rows as u64));
    group.bench_function("ints", |b| {
        b.iter(|| {
            let (mut out, mut valid, mut misfits) = (Vec::with_capacity(rows), Validity::default(), vec![]);
            ints(&text, &column(5), Some(b'"'), &mut out, &mut valid, &mut misfits);
            out
        })
    });
    group.bench_function("floats", |b| {
        b.iter(|| {
            let (mut out, mut valid, mut misfits) = (Vec::with_capacity(rows), Validity::default(), vec![]);
            floats(&text, &column(6), Some(b'"'), &mut out, &mut valid, &mut misfits);
            out
        })
    });
    group.bench_function("text views", |b| {
        b.iter(|| {
            let (mut out, mut valid, mut escaped) = (Vec::with_capacity(rows), Validity::default(), vec![]);
            views(
                &text,
                &column(3),
                Some(b'"'),
                (0, 0),
                &mut out,
                &mut valid,
                &mut escaped,
            );
            out
        })
    });
    group.finish();
}

criterion_group!(benches, scanning, parsing);
criterion_main!(benches);
