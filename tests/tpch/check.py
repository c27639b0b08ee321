"""Runs the 22 TPC-H queries with ddf and with DuckDB on the same Parquet files and compares the rows.

    python tests/tpch/check.py FOLDER DDF DUCKDB [flags of ddf sql …]

FOLDER holds the eight tables as NAME.parquet (tpchgen-cli parquet -s 0.01). Integers, texts,
dates and decimals must be equal to the last digit; floats may differ by 1e-12 of their size.
"""

import csv
import io
import pathlib
import subprocess
import sys

TABLES = "customer lineitem nation orders part partsupp region supplier".split()


def same(a, b):
    if a == b:
        return True
    try:
        x, y = float(a), float(b)
    except ValueError:
        return False
    if "." not in a + b and "e" not in (a + b).lower():
        return x == y
    return abs(x - y) <= 1e-12 * max(abs(x), abs(y))


def main():
    folder, ddf, duckdb, *flags = sys.argv[1:]
    tables = [f for t in TABLES for f in ("-t", f"{t}={folder}/{t}.parquet")]
    views = "".join(f"create view {t} as from '{folder}/{t}.parquet';" for t in TABLES)
    failed = 0
    for path in sorted(pathlib.Path(__file__).parent.glob("q*.sql")):
        sql = path.read_text()
        ours = subprocess.run([ddf, "sql", *tables, "--csv", *flags, sql], capture_output=True, text=True)
        theirs = subprocess.run([duckdb, "-csv", "-nullvalue", "", "-c", views + sql], capture_output=True, text=True)
        if ours.returncode or theirs.returncode:
            print(path.name, "FAILED:", (ours.stderr or theirs.stderr).strip())
            failed += 1
            continue
        a, b = ([x or [""] for x in csv.reader(io.StringIO(r.stdout))][1:] for r in (ours, theirs))
        good = len(a) == len(b) and all(
            len(x) == len(y) and all(map(same, x, y)) for x, y in zip(a, b)
        )
        failed += not good
        print(path.name, f"{len(a)} rows", "agree" if good else f"DIFFER:\n  {a[:3]}\n  {b[:3]}")
    sys.exit(failed > 0)


main()
