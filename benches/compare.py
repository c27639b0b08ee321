#!/usr/bin/env python3
"""Measures `ddf` beside DuckDB, Polars, DataFusion and ClickHouse on the same files, and checks that they agree.

Every measurement is a fresh process with two threads that writes its answer to a file; the inputs are
read once before, so they come from the page cache. The engines take turns, and the median of n is
printed with its processor time, peak resident memory, and wall time relative to the fastest peer.

    compare.py                                         all tasks on CSV, three turns
    compare.py --tasks F1,B1 --format csv,parquet -n 5
    compare.py --tasks F8,G10 --memory 512             with a limit of 512 MiB, as each engine offers it

See README.md for what the tasks are and what to keep in mind when reading the numbers.
"""

import argparse
import csv
import glob
import importlib.metadata
import importlib.util
import json
import math
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile

from tasks import TASKS, files, pattern, place

HERE = pathlib.Path(__file__).resolve().parent
PEERS = {"duckdb": "duckdb-cli", "polars": "polars", "datafusion": "datafusion", "clickhouse": "chdb"}  # their packages
RELATIVE, ABSOLUTE = 1e-9, 1e-9       # how far floats may differ: peers add them in different orders
FOREIGN_NOISE = 0.15                  # of one core used by other processes makes a run doubtful


# ---- the engines ------------------------------------------------------------------------------------

def find_duckdb():
    """The command-line program: of the Python environment if it has one, else on the path."""
    packaged = os.path.join(sysconfig.get_path("purelib"), "duckdb_cli", "duckdb")
    return packaged if os.access(packaged, os.X_OK) else shutil.which("duckdb")


def available(args):
    """The engines that can run here, with what to call them in the heading; the others get a note."""
    found = {}
    for name in args.engines.split(","):
        if name == "ddf":
            path = shutil.which(args.ddf)
            version = path and subprocess.run([path, "--version"], capture_output=True, text=True).stdout.strip()
        elif name == "duckdb":
            path = find_duckdb()
            version = path and subprocess.run([path, "--version"], capture_output=True, text=True).stdout.split()[0]
        else:
            path = importlib.util.find_spec(PEERS[name])
            version = path and importlib.metadata.version(PEERS[name])
        if path:
            found[name] = version or "?"
        else:
            print(f"note: {name} is skipped: " + (f"no {args.ddf}" if name == "ddf" else f"{PEERS[name]} is not installed"))
    return found


def command(engine, task, fmt, out, spill, args):
    if engine == "ddf" and TASKS[task].by_sql:
        line = [shutil.which(args.ddf), "sql", TASKS[task].sql.format(T=f"'{pattern(task, fmt, args.data)}'"),
                "-j", str(args.threads)]
        if args.memory:
            line += ["--memory", f"{args.memory}MiB", "--spill-dir", spill]
        return [*line, "-o", out]
    if engine == "ddf":
        line = [shutil.which(args.ddf), "query", pattern(task, fmt, args.data), "-j", str(args.threads)]
        joined = TASKS[task].joined
        other = place(joined, fmt, args.data) if joined else ""
        line += [word.replace("{U}", other) for word in shlex.split(TASKS[task].ddf)]
        if args.memory:
            line += ["--memory", f"{args.memory}MiB", "--spill-dir", spill]
        return [*line, "-o", out]
    if engine == "duckdb":
        from peers import duckdb_sql
        return [find_duckdb(), "-c", duckdb_sql(task, fmt, args.data, out, args.threads, args.memory, spill)]
    return [sys.executable, str(HERE / "peers.py"), engine, task, fmt, args.data, out,
            str(args.threads), str(args.memory), spill]


# ---- one measurement --------------------------------------------------------------------------------

def measure(line, folder, timeout):
    """Runs one process to its end. `error` is the last line it complained with, if it failed."""
    with tempfile.TemporaryFile("w+") as stderr:
        helper = [sys.executable, "-I", "-S", str(HERE / "measure.py"), str(timeout), folder, *line]
        ran = subprocess.run(helper, stdout=subprocess.PIPE, stderr=stderr, text=True)
        stderr.seek(0)
        complaint = [text for text in stderr.read().splitlines() if text.strip()]
    last = (complaint or ["no message"])[-1][:200]
    if ran.returncode:
        return {"error": last}
    run = json.loads(ran.stdout)
    run["rss"] /= 1024
    run["error"] = ""
    if run["timed_out"]:
        run["error"] = f"stopped after {timeout} s"
    elif run["code"]:
        run["error"] = f"{last} (status {run['code']})"
    return run


def remove(path):
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.exists(path):
        os.remove(path)


# ---- do the answers agree? --------------------------------------------------------------------------
# Summaries are made in a process of their own, so that the memory they take is given back.

def value(text):
    if text in ("", "NA", "NaN", "nan", "NULL", "\\N"):
        return None
    try:
        return float(text)
    except ValueError:
        return text


def summarize_rows(task, path):
    """All rows of a small answer, sorted by its keys."""
    part = next(iter(sorted(glob.glob(path + "/*.csv"))), path) if os.path.isdir(path) else path
    with open(part, newline="", encoding="utf-8") as f:
        rows = [[value(x) for x in row] for row in csv.reader(f)][1:]
    rows.sort(key=lambda row: [str(x) for x in row[:TASKS[task].keys]])
    return {"rows": rows}


def summarize_columns(task, path):
    """Row count and per column the nulls and the sum (of text: its bytes); and whether the order is right."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    parts = sorted(glob.glob(path + "/**/*.parquet", recursive=True)) if os.path.isdir(path) else [path]
    count, nulls, sums, misplaced, last = 0, {}, {}, 0, None
    for part in parts:
        for batch in pq.ParquetFile(part).iter_batches(batch_size=1 << 17):
            count += len(batch)
            for name, column in zip(batch.schema.names, batch.columns):
                nulls[name] = nulls.get(name, 0) + column.null_count
                if pa.types.is_dictionary(column.type):
                    column = column.dictionary_decode()
                if pa.types.is_string_view(column.type) or pa.types.is_binary_view(column.type):
                    column = column.cast(pa.large_binary())
                if pa.types.is_timestamp(column.type):
                    column = column.cast(pa.timestamp("us")).cast(pa.int64())
                numbers = column if pa.types.is_integer(column.type) or pa.types.is_floating(column.type) \
                    else pc.binary_length(column)
                sums.setdefault(name, []).append(pc.sum(numbers.cast(pa.float64())).as_py() or 0.0)
            if TASKS[task].order:
                last, bad = check_order(batch, TASKS[task].order, last)
                misplaced += bad
    return {"count": count, "nulls": nulls, "sums": {k: math.fsum(v) for k, v in sums.items()}, "misplaced": misplaced}


def check_order(batch, order, last):
    """How many rows of the batch come before their predecessor; nulls are last. Gives the last row's keys too."""
    import numpy as np
    import pyarrow as pa

    keys = []
    for i, (name, descending) in enumerate(order):
        column = batch.column(name)
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("us")).cast("int64")
        column = column.cast("float64").to_numpy(zero_copy_only=False)   # nulls become NaN
        column = np.where(np.isnan(column), np.inf, -column if descending else column)
        keys.append(column if last is None else np.concatenate([[last[i]], column]))
    wrong, equal = np.zeros(len(keys[0]) - 1, bool), np.ones(len(keys[0]) - 1, bool)
    for key in keys:
        wrong |= equal & (key[:-1] > key[1:])
        equal &= key[:-1] == key[1:]
    return [float(key[-1]) for key in keys], int(wrong.sum())


def summary(task, path):
    """The summary, or a text that says why there is none."""
    line = [sys.executable, str(HERE / "compare.py"), "--summarize", task, path]
    result = subprocess.run(line, capture_output=True, text=True)
    if result.returncode:
        return "unreadable answer: " + (result.stderr.strip().splitlines() or ["?"])[-1][:150]
    return json.loads(result.stdout)


def close(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    return a == b


def difference(reference, got):
    """What differs between two summaries, in a few words; empty where nothing does."""
    if isinstance(got, str):
        return got
    if "rows" in reference:
        a, b = reference["rows"], got["rows"]
        if len(a) != len(b):
            return f"{len(b)} rows, not {len(a)}"
        wrong = [(x, y) for x, y in zip(a, b) if len(x) != len(y) or not all(map(close, x, y))]
        return f"{len(wrong)} rows differ, first {wrong[0][1]}, not {wrong[0][0]}" if wrong else ""
    if got["count"] != reference["count"]:
        return f"{got['count']} rows, not {reference['count']}"
    # columns by position: engines name aggregates differently
    for part in ("nulls", "sums"):
        a, b = reference[part], got[part]
        if len(a) != len(b):
            return f"{len(b)} columns, not {len(a)}"
        for (name, x), (other, y) in zip(a.items(), b.items()):
            if not close(float(x), float(y)):
                return f"{part} of {other}: {y!r}, not {x!r} ({name})"
    return f"{got['misplaced']} rows out of order" if got["misplaced"] else ""


# ---- the comparison ---------------------------------------------------------------------------------

def compare(task, fmt, engines, args, scratch):
    """Runs the engines in turn; a result for each: its median run, or its error."""
    for path in files(task, fmt, args.data):      # into the page cache
        with open(path, "rb", buffering=0) as f:
            while f.read(1 << 20):
                pass
    runs, failed, checked = {e: [] for e in engines}, {}, {}
    for turn in range(args.n):
        for engine in engines:
            if engine in failed:
                continue
            out = os.path.join(scratch, f"{engine}.{TASKS[task].extension}")
            spill = os.path.join(scratch, "spill")
            remove(out)
            remove(spill)
            os.mkdir(spill)
            run = measure(command(engine, task, fmt, out, spill, args), scratch, args.timeout)
            if run["error"]:
                failed[engine] = run["error"]
            else:
                runs[engine].append(run)
                if turn == 0:
                    checked[engine] = summary(task, out)
            remove(out)
            remove(spill)
    # the reference is the first peer with a readable answer: ddf is what is being checked
    order = sorted(checked, key=lambda e: e == "ddf")
    reference = next((e for e in order if not isinstance(checked[e], str)), None)
    results = {}
    for engine in engines:
        if engine in failed:
            results[engine] = {"error": failed[engine]}
            continue
        median = dict(sorted(runs[engine], key=lambda r: r["wall"])[(len(runs[engine]) - 1) // 2])
        median["rss"] = max(r["rss"] for r in runs[engine])
        median["spread"] = max(r["wall"] for r in runs[engine]) - min(r["wall"] for r in runs[engine])
        if reference is None:
            median["differs"] = checked[engine]
        elif found := difference(checked[reference], checked[engine]):
            median["differs"] = f"{found} (as {reference} has)"
        results[engine] = median
    return results


def show(title, results):
    peers = [r["wall"] for e, r in results.items() if e != "ddf" and not r.get("error")]
    fastest = min(peers, default=None)
    print(f"\n{title}\n  {'engine':12s} {'wall s':>8s} {'± s':>6s} {'cpu s':>8s} {'peak MiB':>9s} {'/ fastest peer':>15s}")
    for engine, r in sorted(results.items(), key=lambda x: x[1].get("wall", math.inf)):
        if r.get("error"):
            print(f"  {engine:12s} failed: {r['error']}")
            continue
        ratio = f"{r['wall'] / fastest:.2f}" if fastest else "-"
        notes = (f"  noise {r['foreign']:.2f}" if r["foreign"] > FOREIGN_NOISE else "") + \
                (f"  DIFFERS: {r['differs']}" if r.get("differs") else "")
        print(f"  {engine:12s} {r['wall']:8.2f} {r['spread'] / 2:6.2f} {r['cpu']:8.2f} {r['rss']:9.0f} {ratio:>15s}{notes}")
    sys.stdout.flush()


def main():
    if sys.argv[1:2] == ["--summarize"]:
        task, path = sys.argv[2:]
        return json.dump((summarize_columns if TASKS[task].big else summarize_rows)(task, path), sys.stdout)

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--ddf", default=str(HERE.parent / "target" / "release" / "ddf"), help="the program to measure")
    add("--engines", default=",".join(["ddf", *PEERS]))
    add("--tasks", default=",".join(TASKS))
    add("--format", default="csv", help="csv, parquet, or both with a comma")
    add("--data", default=str(HERE / "data"), help="where the data is, or is to be made")
    add("--scale", type=float, default=1.0, help="size of the data, if it has to be made")
    add("-n", type=int, default=3, help="turns")
    add("--threads", type=int, default=2)
    add("--memory", type=int, default=0, metavar="MiB", help="memory limit, 0 for none")
    add("--timeout", type=float, default=600, metavar="SECONDS")
    add("--save", metavar="FILE", help="also write the results as JSON")
    args = parser.parse_args()
    args.data = os.path.abspath(args.data)
    names = args.tasks.split(",")
    if unknown := [x for x in names if x not in TASKS]:
        parser.error(f"no task {', '.join(unknown)}; there are {', '.join(TASKS)}")
    if unknown := set(args.engines.split(",")) - {"ddf", *PEERS}:
        parser.error(f"no engine {', '.join(sorted(unknown))}")
    if args.n < 1:
        parser.error("-n must be at least 1")

    missing = {"joins" if TASKS[t].joined else TASKS[t].table for t in names if not files(t, "csv", args.data)}
    if missing:
        line = [sys.executable, str(HERE / "make_data.py"), args.data, "--scale", str(args.scale), "--only",
                ",".join(sorted(missing))]
        subprocess.run(line, check=True)

    engines = available(args)
    print("  ".join(f"{name} {version}" for name, version in engines.items()) +
          f"\n{args.threads} threads, warm page cache, median of {args.n}" +
          (f", memory limit {args.memory} MiB" if args.memory else ""))
    saved = {}
    with tempfile.TemporaryDirectory(prefix="compare-", dir=args.data) as scratch:
        for task in names:
            for fmt in args.format.split(","):
                if not files(task, fmt, args.data):
                    print(f"\n{task} {fmt}: there is no such input")
                    continue
                saved[f"{task}/{fmt}"] = results = compare(task, fmt, list(engines), args, scratch)
                show(f"{task} {fmt}", results)
    if args.save:
        pathlib.Path(args.save).write_text(json.dumps(saved, indent=1) + "\n")
    wrong = any(r.get("error") or r.get("differs") for results in saved.values() for r in results.values())
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
