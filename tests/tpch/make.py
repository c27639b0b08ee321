"""Makes the small TPC-H tables in testdata/tpch and the answers to the 22 queries over them.

    python tests/tpch/make.py TPCHGEN_CLI DUCKDB

TPCHGEN_CLI is the generator of that name (PyPI or crates.io), DUCKDB the oracle's command line program.
Tables are at scale factor 0.01, in several row groups. Answers go to tests/tpch/answers/qNN.csv, with a
line of names; null is empty. tests/tpch.rs runs the queries and compares.
"""

import pathlib
import subprocess
import sys

TABLES = "customer lineitem nation orders part partsupp region supplier".split()
HERE = pathlib.Path(__file__).resolve().parent


def main():
    generator, duckdb = sys.argv[1:]
    data = HERE.parent.parent / "testdata" / "tpch"
    how = ["-s", "0.01", "--compression", "ZSTD(19)", "--row-group-bytes=1MB"]
    subprocess.run([generator, "parquet", *how, "--output-dir", str(data)], check=True)
    (HERE / "answers").mkdir(exist_ok=True)
    views = "".join(f"create view {t} as from '{data}/{t}.parquet';" for t in TABLES)
    for path in sorted(HERE.glob("q*.sql")):
        command = [duckdb, "-csv", "-nullvalue", "", "-c", views + path.read_text()]
        answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        answer = answer.replace("\r\n", "\n")
        (HERE / "answers" / f"{path.stem}.csv").write_text(answer)
        print(path.stem, answer.count("\n") - 1, "rows")


main()
