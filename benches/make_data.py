#!/usr/bin/env python3
"""Makes the data that compare.py measures on. Seeded: the same arguments give the same rows.

    flights/YEAR.csv, flights_parquet/YEAR.parquet   the real flights of testdata/nycflights, resampled
                                                     with replacement, in date order within each file
    h2o/G1_ROWS.csv, .parquet                        the group-by table of the h2o.ai benchmark, 100 groups
    h2o/J1_ROWS/{x,small,medium,big}.csv, .parquet   the join tables of the h2o.ai benchmark
    brc/measurements_ROWS.csv, .parquet              station;measurement, as in the one billion row challenge
    events/events_ROWS.csv, .parquet                 users and items by numbers beyond 2^41, moments, prices
    nyc13/airlines.csv                               sixteen rows, for the cost of starting

Usage: make_data.py [DIR] [--scale 1.0] [--only flights,groupby,joins,brc,events,airlines]
Scale 1 is 24 million flights, 10 million group-by and join rows, 100 million measurements and 20 million
events: about 9 GB.
Needs: polars, numpy.
"""

import argparse
import pathlib

import numpy as np
import polars as pl

HERE = pathlib.Path(__file__).resolve().parent
FILES, FLIGHTS, GROUPBY, BRC, EVENTS = 10, 24_000_000, 10_000_000, 100_000_000, 20_000_000
GROUPS, STATIONS = 100, 413
CHUNK = 2_000_000
AIRLINES = {
    "9E": "Endeavor Air Inc.", "AA": "American Airlines Inc.", "AS": "Alaska Airlines Inc.",
    "B6": "JetBlue Airways", "DL": "Delta Air Lines Inc.", "EV": "ExpressJet Airlines Inc.",
    "F9": "Frontier Airlines Inc.", "FL": "AirTran Airways Corporation", "HA": "Hawaiian Airlines Inc.",
    "MQ": "Envoy Air", "OO": "SkyWest Airlines Inc.", "UA": "United Air Lines Inc.",
    "US": "US Airways Inc.", "VX": "Virgin America", "WN": "Southwest Airlines Co.", "YV": "Mesa Airlines Inc.",
}


def random(*stream):
    return np.random.Generator(np.random.PCG64([2013, *stream]))


def write_chunks(chunks, csv, parquet, separator=","):
    """Appends frames to one CSV file, then streams that into Parquet, so that memory stays small."""
    csv.parent.mkdir(parents=True, exist_ok=True)
    schema = None
    with open(csv, "wb") as out:
        for chunk in chunks:
            chunk.write_csv(out, include_header=schema is None, separator=separator)
            schema = chunk.schema
    pl.scan_csv(csv, schema=schema, separator=separator).sink_parquet(
        parquet, compression="snappy", row_group_size=1_000_000)


def flights(out, scale):
    """Missing numbers are NA and missing tail numbers are empty: both spellings occur in the wild."""
    real = pl.read_parquet(HERE.parent / "testdata" / "nycflights" / "*.parquet")
    numbers = [name for name, kind in real.schema.items() if kind != pl.String]
    for folder in ("flights", "flights_parquet"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    for i in range(FILES):
        year = 1990 + i
        rows = np.sort(random(1, i).integers(0, len(real), int(FLIGHTS * scale / FILES)))
        # the calendar of 2013 with another year's number: the day of week stays that of the real flight
        table = real[rows].with_columns(pl.lit(year, pl.Int32).alias("Year"))
        table.write_parquet(out / f"flights_parquet/{year}.parquet", compression="snappy", row_group_size=1_000_000)
        table.with_columns(pl.col(numbers).cast(pl.String).fill_null("NA")).write_csv(out / f"flights/{year}.csv")


def groupby(out, scale):
    total = int(GROUPBY * scale)
    many = max(1, total // GROUPS)

    def chunk(start):
        r, n = random(2, start), min(CHUNK, total - start)

        def draw(k):
            return pl.Series(r.integers(1, k + 1, n, dtype=np.int32))

        def ids(k, width):
            return pl.select(pl.lit("id") + draw(k).cast(pl.String).str.zfill(width)).to_series()

        return pl.DataFrame({
            "id1": ids(GROUPS, 3), "id2": ids(GROUPS, 3), "id3": ids(many, 10),
            "id4": draw(GROUPS), "id5": draw(GROUPS), "id6": draw(many),
            "v1": draw(5), "v2": draw(15), "v3": r.integers(0, 100_000_001, n) / 1e6,
        })

    name = out / "h2o" / f"G1_{total}"
    write_chunks((chunk(s) for s in range(0, total, CHUNK)), name.with_suffix(".csv"), name.with_suffix(".parquet"))


def joins(out, scale):
    """As the benchmark draws them: nine in ten keys of either side are common to both, and every key is there."""
    total = int(GROUPBY * scale)
    folder = out / "h2o" / f"J1_{total}"
    r = random(5)

    def sides(n):
        n = max(n, 10)
        keys = r.permutation(np.arange(1, n + (n + 9) // 10 + 1, dtype=np.int32))
        return keys[:n], np.concatenate([keys[:n * 9 // 10], keys[n:]])

    def table(name, ids, value, n):
        n = max(n, 10)
        drawn = {k: r.permutation(np.concatenate([v[:n], r.choice(v, max(0, n - len(v)))])) for k, v in ids.items()}
        columns = {f"id{k}": v for k, v in drawn.items()}
        columns |= {f"id{k + 3}": pl.Series(v).cast(pl.String) for k, v in drawn.items()}
        frame = pl.DataFrame(columns | {value: r.integers(0, 100_000_001, n) / 1e6})
        frame = frame.with_columns((pl.lit("id") + pl.col(f"id{k + 3}")).alias(f"id{k + 3}") for k in drawn)
        write_chunks([frame], folder / f"{name}.csv", folder / f"{name}.parquet")

    (l1, r1), (l2, r2), (l3, r3) = sides(total // 1_000_000), sides(total // 1000), sides(total)
    table("x", {1: l1, 2: l2, 3: l3}, "v1", total)
    table("small", {1: r1}, "v2", total // 1_000_000)
    table("medium", {1: r1, 2: r2}, "v2", total // 1000)
    table("big", {1: r1, 2: r2, 3: r3}, "v2", total)


def brc(out, scale):
    total = int(BRC * scale)
    r = random(3)
    # made-up stations: names of 3 to 26 letters, some outside ASCII, and a mean temperature each
    syllables = ["ba", "den", "fjor", "gó", "kra", "lim", "mos", "nu", "ör", "pe", "san", "tál", "vi", "York "]
    names = set()
    while len(names) < STATIONS:
        names.add("".join(r.choice(syllables, r.integers(2, 7))).strip().capitalize())
    names = pl.Series(sorted(names))
    means = r.uniform(-15, 32, STATIONS)

    def chunk(start):
        r, n = random(4, start), min(CHUNK, total - start)
        station = r.integers(0, STATIONS, n)
        degrees = np.clip(r.normal(means[station], 10), -99.9, 99.9).round(1) + 0.0     # no -0.0
        return pl.DataFrame({"station": names[station], "measurement": degrees})

    name = out / "brc" / f"measurements_{total}"
    write_chunks((chunk(s) for s in range(0, total, CHUNK)),
                 name.with_suffix(".csv"), name.with_suffix(".parquet"), separator=";")


def events(out, scale):
    """Keys as they are in the wild: ids that a service hands out, and moments to the microsecond."""
    total = int(EVENTS * scale)
    start, span = 1_640_995_200_000_000, 63_072_000_000_000      # the years 2022 and 2023

    def chunk(first):
        r, n = random(6, first), min(CHUNK, total - first)
        return pl.DataFrame({
            "usr": 4_000_000_000_000 + r.integers(0, max(1, total // 4), n) * 100_003,
            "item": 5_000_000_000_000 + r.integers(0, 50_000, n) * 7919,
            "at": pl.Series(start + r.integers(0, span, n)).cast(pl.Datetime("us")),
            "price": r.integers(1, 10_000, n) / 100,
            "status": r.integers(0, 6, n),
        })

    name = out / "events" / f"events_{total}"
    write_chunks((chunk(s) for s in range(0, total, CHUNK)), name.with_suffix(".csv"), name.with_suffix(".parquet"))


def airlines(out, _scale):
    (out / "nyc13").mkdir(parents=True, exist_ok=True)
    lines = (f"{code},{name}\n" for code, name in AIRLINES.items())
    (out / "nyc13" / "airlines.csv").write_text("carrier,name\n" + "".join(lines))


TABLES = {"flights": flights, "groupby": groupby, "joins": joins, "brc": brc, "events": events, "airlines": airlines}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dir", nargs="?", type=pathlib.Path, default=HERE / "data")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--only", default=",".join(TABLES))
    args = parser.parse_args()
    for name in args.only.split(","):
        print(f"making {name} in {args.dir}", flush=True)
        TABLES[name](args.dir, args.scale)


if __name__ == "__main__":
    main()
