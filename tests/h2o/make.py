"""Makes small tables of the h2o.ai benchmark in testdata/h2o and the answers to its questions over them.

    python tests/h2o/make.py DUCKDB

DUCKDB is the oracle's command line program. The tables are drawn as the benchmark draws its own (its
`groupby-datagen.R` and `join-datagen.R` describe how), with the missing values of its variant: one in
twenty of a column of `groupby`. Each is there as CSV and as Parquet. Answers go to tests/h2o/answers/NAME.csv,
with a line of names; null is empty. tests/h2o.rs asks and compares. Seeded: it always makes the same.
"""

import pathlib
import random
import subprocess
import sys

ROWS, GROUPS, MISSING = 2000, 10, 0.05
HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE.parent.parent / "testdata" / "h2o"


def groupby(r):
    """Ten groups in id1, id2, id4 and id5, ROWS / GROUPS in id3 and id6."""
    many = ROWS // GROUPS
    columns = {
        "id1": [f"id{r.randint(1, GROUPS):03}" for _ in range(ROWS)],
        "id2": [f"id{r.randint(1, GROUPS):03}" for _ in range(ROWS)],
        "id3": [f"id{r.randint(1, many):010}" for _ in range(ROWS)],
        "id4": [r.randint(1, GROUPS) for _ in range(ROWS)],
        "id5": [r.randint(1, GROUPS) for _ in range(ROWS)],
        "id6": [r.randint(1, many) for _ in range(ROWS)],
        "v1": [r.randint(1, 5) for _ in range(ROWS)],
        "v2": [r.randint(1, 15) for _ in range(ROWS)],
        "v3": [f"{r.randint(0, 100_000_000) / 1e6:.6f}" for _ in range(ROWS)],
    }
    for values in columns.values():
        for i in range(ROWS):
            if r.random() < MISSING:
                values[i] = ""
    return columns


def keys(r, n):
    """Keys of the left and of the right table: nine in ten are common to both."""
    all_ = list(range(1, n + (n + 9) // 10 + 1))
    r.shuffle(all_)
    common = n * 9 // 10
    return all_[:n], all_[:common] + all_[n:]


def drawn(r, values, n):
    """Every value at least once, in any order."""
    out = values + [r.choice(values) for _ in range(n - len(values))]
    r.shuffle(out)
    return out


def join_table(r, n, ids, value):
    columns = {f"id{i}": drawn(r, values, n) for i, values in ids.items()}
    columns |= {f"id{i + 3}": [f"id{k}" for k in columns[f"id{i}"]] for i in ids}
    return columns | {value: [f"{r.randint(0, 100_000_000) / 1e6:.6f}" for _ in range(n)]}


def write(name, columns):
    lines = [",".join(columns)] + [",".join(map(str, row)) for row in zip(*columns.values())]
    (DATA / f"{name}.csv").write_text("\n".join(lines) + "\n")


def main():
    (duckdb,) = sys.argv[1:]
    DATA.mkdir(parents=True, exist_ok=True)
    (HERE / "answers").mkdir(exist_ok=True)
    r = random.Random(2014)
    write("groupby", groupby(r))
    (l1, r1), (l2, r2), (l3, r3) = keys(r, 5), keys(r, 30), keys(r, ROWS // 4)
    write("x", join_table(r, ROWS // 4, {1: l1, 2: l2, 3: l3}, "v1"))
    write("small", join_table(r, 5, {1: r1}, "v2"))
    write("medium", join_table(r, 30, {1: r1, 2: r2}, "v2"))
    write("big", join_table(r, ROWS // 4, {1: r1, 2: r2, 3: r3}, "v2"))

    def ask(script):
        out = subprocess.run([duckdb, "-csv", "-nullvalue", "", "-c", script], check=True, capture_output=True, text=True)
        return out.stdout.replace("\r\n", "\n")

    tables = "groupby x small medium big".split()
    for t in tables:
        ask(f"COPY (FROM '{DATA}/{t}.csv') TO '{DATA}/{t}.parquet' (COMPRESSION zstd, ROW_GROUP_SIZE 2048)")
    views = "".join(f"create view {t} as from '{DATA}/{t}.csv';" for t in tables)
    for path in sorted(HERE.glob("*.sql")):
        answer = ask(views + path.read_text())
        (HERE / "answers" / f"{path.stem}.csv").write_text(answer)
        print(path.stem, answer.count("\n") - 1, "rows")


main()
