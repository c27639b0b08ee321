#!/usr/bin/env python3
"""Makes testdata/nycflights/2013-01.csv ... 2013-12.csv and the same twelve tables as .parquet.

The input is `flights.csv` (or `flights.csv.gz`) of nycflights13: the 336,776 flights that left New
York's three airports in 2013, with the times as the US Bureau of Transportation Statistics published
them. No value is invented; a column is a real one under its classic airline on-time name, or follows
from real ones by the rule given here.

Sample
    Rows stay in the order of the input. Of each month the rows 0, 9, 18, ... are kept (every 9th), so
    that all of it is small enough to commit. Nothing is drawn at random.

Columns, in this order
    Year, Month, DayofMonth     year, month, day
    DayOfWeek                   from the date; 1 is Monday
    DepTime, CRSDepTime         dep_time, sched_dep_time: local time as hhmm (2400 occurs in DepTime)
    ArrTime, CRSArrTime         arr_time, sched_arr_time: local time at the destination as hhmm
    UniqueCarrier, FlightNum    carrier, flight
    TailNum                     tailnum
    AirTime                     air_time
    ArrDelay, DepDelay          arr_delay, dep_delay
    Origin, Dest, Distance      origin, dest, distance
    Cancelled                   1 where dep_time is missing, else 0
    Diverted                    1 where the flight departed but arr_delay is missing, else 0

    ActualElapsedTime and CRSElapsedTime are left out: arrival is in the destination's local time, and
    nycflights13 has no time zone for four of the destinations (BQN, PSE, SJU, STT), so they could only
    be guessed. TaxiIn and TaxiOut are left out because nycflights13 does not have them.

Missing values
    CSV: `NA`, in text columns as well. Parquet: null.

Parquet
    Integers are int32, text is string. zstd, row groups of 1,300 rows (three a file).

Usage: make_nycflights.py FLIGHTS_CSV [OUTPUT_FOLDER]
Needs: pyarrow. The same input and the same pyarrow give the same bytes.
"""

import datetime
import pathlib
import sys

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

KEEP_EVERY = 9
ROWS_PER_GROUP = 1_300
NA = "NA"

RENAMED = {
    "Year": "year", "Month": "month", "DayofMonth": "day",
    "DepTime": "dep_time", "CRSDepTime": "sched_dep_time",
    "ArrTime": "arr_time", "CRSArrTime": "sched_arr_time",
    "UniqueCarrier": "carrier", "FlightNum": "flight", "TailNum": "tailnum",
    "AirTime": "air_time", "ArrDelay": "arr_delay", "DepDelay": "dep_delay",
    "Origin": "origin", "Dest": "dest", "Distance": "distance",
}
TEXT = ("UniqueCarrier", "TailNum", "Origin", "Dest")
ORDER = (
    "Year", "Month", "DayofMonth", "DayOfWeek", "DepTime", "CRSDepTime", "ArrTime", "CRSArrTime",
    "UniqueCarrier", "FlightNum", "TailNum", "AirTime", "ArrDelay", "DepDelay", "Origin", "Dest",
    "Distance", "Cancelled", "Diverted",
)


def read(path):
    """The input's columns under their new names, NA as null, integers as int32."""
    types = {old: pa.string() if new in TEXT else pa.int32() for new, old in RENAMED.items()}
    table = pyarrow.csv.read_csv(
        path,
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=types,
            include_columns=list(types),
            null_values=[NA, ""],
            strings_can_be_null=True,
        ),
    )
    return table.rename_columns(list(RENAMED))


def derive(table):
    """Adds DayOfWeek, Cancelled and Diverted, and puts the columns in order."""
    dates = zip(*(table[name].to_pylist() for name in ("Year", "Month", "DayofMonth")))
    columns = {name: table[name] for name in table.column_names}
    columns["DayOfWeek"] = pa.array((datetime.date(*d).isoweekday() for d in dates), pa.int32())
    cancelled = pc.is_null(table["DepTime"])
    diverted = pc.and_not(pc.is_null(table["ArrDelay"]), cancelled)
    columns["Cancelled"] = cancelled.cast(pa.int32())
    columns["Diverted"] = diverted.cast(pa.int32())
    return pa.table({name: columns[name] for name in ORDER})


def write_csv(table, path):
    columns = (table[name].cast(pa.string()).fill_null(NA).to_pylist() for name in ORDER)
    with open(path, "w", encoding="utf-8", newline="") as out:
        for row in (ORDER, *zip(*columns)):
            out.write(",".join(row) + "\n")


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: make_nycflights.py FLIGHTS_CSV [OUTPUT_FOLDER]")
    here = pathlib.Path(__file__).resolve().parent
    out = pathlib.Path(sys.argv[2]) if len(sys.argv) == 3 else here / "nycflights"
    out.mkdir(parents=True, exist_ok=True)

    flights = derive(read(sys.argv[1]))
    total = 0
    for month in range(1, 13):
        rows = flights.filter(pc.equal(flights["Month"], month))
        rows = rows.take(pa.array(range(0, len(rows), KEEP_EVERY))).combine_chunks()
        write_csv(rows, out / f"2013-{month:02}.csv")
        pq.write_table(
            rows, out / f"2013-{month:02}.parquet",
            compression="zstd", compression_level=9, row_group_size=ROWS_PER_GROUP,
        )
        total += len(rows)
    print(f"{total} rows of {len(flights)} in {out}", file=sys.stderr)


if __name__ == "__main__":
    main()
