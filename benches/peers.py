"""Runs one task in one peer and exits: peers.py PEER TASK FORMAT DATA OUT THREADS MEMORY_MIB SPILL_FOLDER

Each peer is told what a user who knows it would tell it: the thread count, that NA is null in flights,
and its own memory limit and spill folder where a limit is asked for. Imports are part of the time,
as they are for that user; DuckDB is measured through its own command-line program instead.
"""

import csv
import glob
import itertools
import os
import sys

from tasks import DELIMITER, FLIGHTS_TEXT, TASKS, files, pattern, place


def flights_columns(data):
    with open(files("F1", "csv", data)[0], newline="") as f:
        return next(csv.reader(f))


def duckdb_sql(task, fmt, data, out, threads, memory, spill):
    """The script for DuckDB's command line."""
    t = TASKS[task]
    path = pattern(task, fmt, data)
    if fmt == "parquet":
        source = f"read_parquet('{path}')"
    else:
        source = f"read_csv('{path}'" + (", nullstr=['NA','']" if t.table == "flights" else "") + ")"
    settings = [f"SET threads={threads}", f"SET temp_directory='{spill}/duckdb'"]
    if memory:
        settings += [f"SET memory_limit='{memory}MiB'", "SET preserve_insertion_order=false"]
    kind = "(FORMAT parquet)" if t.big else "(FORMAT csv, HEADER)"
    other = f"read_{fmt}('{place(t.joined, fmt, data)}')" if t.joined else ""
    return ";\n".join([*settings, f"COPY ({t.sql.format(T=source, U=other)}) TO '{out}' {kind}"]) + ";"


def polars(task, fmt, data, out, threads, memory, spill):
    os.environ["POLARS_MAX_THREADS"] = str(threads)
    if memory:
        os.environ["POLARS_OOC_MEMORY_BUDGET_MB"] = str(memory)
        os.environ["POLARS_OOC_SPILL_DIR"] = os.environ["POLARS_TEMP_DIR"] = spill
    import polars as pl
    from polars import col as c

    t = TASKS[task]
    path = pattern(task, fmt, data)
    if fmt == "parquet":
        scan = pl.scan_parquet(path)
    else:
        nulls = ["NA", ""] if t.table == "flights" else None
        scan = pl.scan_csv(path, null_values=nulls, separator=DELIMITER.get(t.table, ","),
                           try_parse_dates=t.table == "events")
    delay, measured = c("ArrDelay"), c("measurement")

    def join(on, how="inner"):
        other = place(t.joined, fmt, data)
        other = pl.scan_parquet(other) if fmt == "parquet" else pl.scan_csv(other)
        both = scan.join(other, on=on, how=how)
        return both.select(pl.len().alias("n"), c("v1").sum(), c("v2").sum())

    def sets(keys, masks, *aggs):
        """The groups of several sets of keys, other keys null."""
        types = scan.collect_schema()
        parts = []
        for mask in masks:
            own = [k for k, wanted in zip(keys, mask) if wanted]
            part = scan.group_by(own).agg(*aggs) if own else scan.select(*aggs)
            parts.append(part.select(*(c(k) if k in own else pl.lit(None, types[k]).alias(k) for k in keys),
                                     pl.exclude(own)))
        return pl.concat(parts)

    def parts():
        return [pl.when(c("v2") == i).then(c("v3")).otherwise(0).sum().alias(f"c{i}") for i in range(1, 8)]

    frame = {
        "F1": lambda: scan.group_by("Origin").agg(c("DepDelay").mean()),
        "F6": lambda: scan.group_by("UniqueCarrier", "Dest").agg(
            delay.count().alias("n"), delay.mean().alias("m"), delay.min().alias("mn"),
            delay.max().alias("mx"), delay.std().alias("sd")),
        "F7": lambda: scan.group_by("TailNum").agg(c("Dest").n_unique().alias("nd"), delay.median().alias("md")),
        "F8": lambda: scan.sort(["DepDelay", "FlightNum"], descending=[True, False], nulls_last=True),
        "F9": lambda: scan,
        "F10": lambda: scan.select(pl.len().alias("n")),
        "G1": lambda: scan.group_by("id1").agg(c("v1").sum()),
        "G2": lambda: scan.group_by("id1", "id2").agg(c("v1").sum()),
        "G3": lambda: scan.group_by("id3").agg(c("v1").sum(), c("v3").mean()),
        "G4": lambda: scan.group_by("id4").agg(c("v1").mean(), c("v2").mean(), c("v3").mean()),
        "G5": lambda: scan.group_by("id6").agg(c("v1").sum(), c("v2").sum(), c("v3").sum()),
        "G6": lambda: scan.group_by("id4", "id5").agg(c("v3").median().alias("md"), c("v3").std().alias("sd")),
        "G7": lambda: scan.group_by("id3").agg((c("v1").max() - c("v2").min()).alias("spread")),
        "G8": lambda: scan.drop_nulls("v3").group_by("id6").agg(c("v3").top_k(2)).explode("v3"),
        "G9": lambda: scan.group_by("id2", "id4").agg((pl.corr("v1", "v2") ** 2).alias("r2")),
        "J1": lambda: join("id1"),
        "J2": lambda: join("id2"),
        "J3": lambda: join("id2", "left"),
        "J4": lambda: join("id5"),
        "J5": lambda: join("id3"),
        "G10": lambda: scan.group_by("id1", "id2", "id3", "id4", "id5", "id6").agg(
            c("v3").sum(), pl.len().alias("n")),
        "B1": lambda: scan.group_by("station").agg(
            measured.min().alias("mn"), measured.mean().alias("m"), measured.max().alias("mx")).sort("station"),
        "K1": lambda: scan.select("usr", "item", "at", "price").sort("usr", "item", "at"),
        "K2": lambda: scan.select("usr", "at", "price").sort("at", "usr", descending=[True, False]).head(100),
        "K3": lambda: scan.group_by("usr", "item").agg(c("at").max()),
        "D1": lambda: scan.select(c("usr").n_unique().alias("n")),
        "D2": lambda: scan.group_by("status").agg(
            c("usr").n_unique().alias("u"), c("item").n_unique().alias("i"), c("price").mean().alias("p")),
        "R1": lambda: sets(("id1", "id2"), ((1, 1), (1, 0), (0, 0)),
                           c("v3").mean().alias("m"), c("v3").std().alias("sd"), pl.len().alias("n")),
        "R2": lambda: sets(("v1", "v2", "id4"), itertools.product((1, 0), repeat=3),
                           c("v3").sum().alias("s"), c("v1").mean().alias("m")),
        "C1": lambda: scan.group_by("id4").agg(
            c("v3").filter(c("v1") == 1).sum().alias("a"), c("v1").filter(c("v2") > 7).sum().alias("b")),
        "C2": lambda: scan.select(*parts()),
        "C3": lambda: scan.group_by("id4").agg(*parts()),
        "S1": lambda: scan.group_by("carrier").agg(pl.len().alias("n")),
    }[task]()
    if t.big:
        frame.sink_parquet(out, compression="snappy")
    else:
        frame.sink_csv(out)


def datafusion(task, fmt, data, out, threads, memory, spill):
    from datafusion import RuntimeEnvBuilder, SessionConfig, SessionContext

    runtime = RuntimeEnvBuilder()
    if memory:
        runtime = runtime.with_disk_manager_specified(spill).with_fair_spill_pool(memory << 20)
    config = SessionConfig().with_target_partitions(threads)
    config = config.set("datafusion.sql_parser.enable_ident_normalization", "false")
    context = SessionContext(config, runtime)

    t = TASKS[task]
    path = pattern(task, fmt, data)
    if t.table == "flights":
        path = os.path.dirname(path) + "/"
    else:
        path = glob.glob(path)[0]     # it takes no pattern with a folder's name in it
    source = "t"
    if fmt == "parquet":
        create = f"CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '{path}'"
    else:
        columns = ""
        if t.table == "flights":      # its CSV scan fails on NA in a number, so read text and cast
            names = flights_columns(data)
            columns = "(" + ", ".join(f'"{n}" VARCHAR' for n in names) + ")"
            casts = (n if n in FLIGHTS_TEXT else f"CAST(NULLIF({n}, 'NA') AS INT) AS {n}" for n in names)
            source = "(SELECT " + ", ".join(casts) + " FROM t)"
        options = "'format.has_header' 'true'"
        if t.table in DELIMITER:
            options += f", 'format.delimiter' '{DELIMITER[t.table]}'"
        create = f"CREATE EXTERNAL TABLE t {columns} STORED AS CSV LOCATION '{path}' OPTIONS ({options})"
    context.sql(create).collect()
    if t.joined:
        stored = "PARQUET" if fmt == "parquet" else "CSV"
        extra = "" if fmt == "parquet" else " OPTIONS ('format.has_header' 'true')"
        where = glob.glob(place(t.joined, fmt, data))[0]
        context.sql(f"CREATE EXTERNAL TABLE u STORED AS {stored} LOCATION '{where}'{extra}").collect()
    kind = "STORED AS PARQUET" if t.big else "STORED AS CSV OPTIONS ('format.has_header' 'true')"
    context.sql(f"COPY ({t.sql.format(T=source, U='u')}) TO '{out}' {kind}").collect()


def clickhouse(task, fmt, data, out, threads, memory, spill):
    t = TASKS[task]
    path = pattern(task, fmt, data)
    if fmt == "parquet":
        source = f"file('{path}', Parquet)"
    elif t.table == "flights":        # NA defeats its inference, so it gets the schema
        types = (f"{n} Nullable({'String' if n in FLIGHTS_TEXT else 'Int32'})" for n in flights_columns(data))
        source = f"file('{path}', CSVWithNames, '{', '.join(types)}')"
    else:
        source = f"file('{path}', CSVWithNames)"
    settings = {"max_threads": threads, "format_csv_null_representation": "'NA'"}
    if t.table in DELIMITER:
        settings["format_csv_delimiter"] = f"'{DELIMITER[t.table]}'"
    if memory:
        limit = memory << 20
        settings |= {
            "max_memory_usage": limit, "max_bytes_before_external_group_by": limit // 2,
            "max_bytes_before_external_sort": limit // 2, "max_block_size": 8192,
            "max_insert_block_size": 65536, "min_insert_block_size_rows": 65536,
        }
    sql = t.sql.replace("stddev_samp", "stddevSamp")
    if task == "F7":
        sql = ("SELECT TailNum, uniqExact(Dest) AS nd, quantileExactInclusive(0.5)(ArrDelay) AS md"
               " FROM {T} GROUP BY TailNum")
    if task == "G6":
        sql = sql.replace("median(v3)", "quantileExactInclusive(0.5)(v3)")
    kind = "Parquet" if fmt == "parquet" else "CSVWithNames"
    other = f"file('{place(t.joined, fmt, data)}', {kind})" if t.joined else ""
    sql = sql.format(T=source, U=other) + " SETTINGS " + ", ".join(f"{k}={v}" for k, v in settings.items())
    if memory:
        from chdb.session import Session
        query = Session(f"{spill}/clickhouse").query
    else:
        from chdb import query
    if t.big:
        query(f"INSERT INTO FUNCTION file('{out}', 'Parquet') {sql}")
    else:
        tabs = query(sql, "TSVRawWithNames").bytes().decode().splitlines()
        with open(out, "w", newline="") as f:
            csv.writer(f).writerows(line.split("\t") for line in tabs)


if __name__ == "__main__":
    peer, task, fmt, data, out, threads, memory, spill = sys.argv[1:]
    globals()[peer](task, fmt, data, out, int(threads), int(memory), spill)
