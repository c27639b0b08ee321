"""What is measured: the tasks as SQL and as `ddf` flags, and where the data lies below the data folder."""

import dataclasses
import glob
import os


@dataclasses.dataclass(frozen=True)
class Task:
    table: str          # key of TABLES
    sql: str            # {T} is the table
    ddf: str            # flags of `ddf query FILES`, as a shell would read them
    keys: int = 0       # leading columns by which the rows of the answer are sorted before comparing
    big: bool = False   # the answer is written as Parquet and compared by counts and sums
    order: tuple = ()   # (column, descending) pairs in which a big answer must come

    @property
    def extension(self):
        return "parquet" if self.big else "csv"


# csv and Parquet patterns; airlines exist as CSV only
TABLES = {
    "flights": ("flights/*.csv", "flights_parquet/*.parquet"),
    "groupby": ("h2o/G1_*.csv", "h2o/G1_*.parquet"),
    "brc": ("brc/measurements_*.csv", "brc/measurements_*.parquet"),
    "airlines": ("nyc13/airlines.csv", None),
}
DELIMITER = {"brc": ";"}
# flights has text in these columns, integers in the others
FLIGHTS_TEXT = {"UniqueCarrier", "TailNum", "Origin", "Dest"}

TASKS = {
    "F1": Task("flights", "SELECT Origin, avg(DepDelay) AS m FROM {T} GROUP BY Origin",
               "--groupby Origin --mean DepDelay", keys=1),
    "F6": Task("flights",
               "SELECT UniqueCarrier, Dest, count(ArrDelay) AS n, avg(ArrDelay) AS m, min(ArrDelay) AS mn,"
               " max(ArrDelay) AS mx, stddev_samp(ArrDelay) AS sd FROM {T} GROUP BY UniqueCarrier, Dest",
               "--groupby UniqueCarrier,Dest --agg 'n=count(ArrDelay)' --agg 'm=avg(ArrDelay)'"
               " --agg 'mn=min(ArrDelay)' --agg 'mx=max(ArrDelay)' --agg 'sd=stddev_samp(ArrDelay)'", keys=2),
    "F7": Task("flights",
               "SELECT TailNum, count(DISTINCT Dest) AS nd, median(CAST(ArrDelay AS DOUBLE)) AS md"
               " FROM {T} GROUP BY TailNum",
               "--groupby TailNum --nunique Dest --median ArrDelay", keys=1),
    "F8": Task("flights", "SELECT * FROM {T} ORDER BY DepDelay DESC NULLS LAST, FlightNum ASC NULLS LAST",
               "--sort DepDelay:desc,FlightNum", big=True, order=(("DepDelay", True), ("FlightNum", False))),
    "F9": Task("flights", "SELECT * FROM {T}", "", big=True),
    "F10": Task("flights", "SELECT count(*) AS n FROM {T}", "--count"),
    "G3": Task("groupby", "SELECT id3, sum(v1) AS v1, avg(v3) AS v3 FROM {T} GROUP BY id3",
               "--groupby id3 --sum v1 --mean v3", keys=1),
    "G10": Task("groupby",
                "SELECT id1, id2, id3, id4, id5, id6, sum(v3) AS v3, count(*) AS n FROM {T}"
                " GROUP BY id1, id2, id3, id4, id5, id6",
                "--groupby id1,id2,id3,id4,id5,id6 --sum v3 --count", big=True),
    "B1": Task("brc",
               "SELECT station, min(measurement) AS mn, avg(measurement) AS m, max(measurement) AS mx"
               " FROM {T} GROUP BY station ORDER BY station",
               "--groupby station --min measurement --mean measurement --max measurement", keys=1),
    "S1": Task("airlines", "SELECT carrier, count(*) AS n FROM {T} GROUP BY carrier",
               "--groupby carrier --count", keys=1),
}


def pattern(task, fmt, data):
    """The glob of a task's input, or None where the task does not exist in that format."""
    relative = TABLES[TASKS[task].table][("csv", "parquet").index(fmt)]
    if relative is None or (task == "F9" and fmt == "parquet"):
        return None
    return os.path.join(data, relative)


def files(task, fmt, data):
    return sorted(glob.glob(pattern(task, fmt, data) or ""))
