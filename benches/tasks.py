"""What is measured: the tasks as SQL and as `ddf` flags, and where the data lies below the data folder."""

import dataclasses
import glob
import os


@dataclasses.dataclass(frozen=True)
class Task:
    table: str          # key of TABLES
    sql: str            # {T} is the table, {U} what it is joined with
    ddf: str            # flags of `ddf query FILES`, as a shell would read them; {U} as above
    keys: int = 0       # leading columns by which the rows of the answer are sorted before comparing
    big: bool = False   # the answer is written as Parquet and compared by counts and sums
    order: tuple = ()   # (column, descending) pairs in which a big answer must come
    joined: str = ""    # the table that it is joined with
    by_sql: bool = False  # `ddf` is asked in SQL too: there are no flags for it

    @property
    def extension(self):
        return "parquet" if self.big else "csv"


# csv and Parquet patterns; airlines exist as CSV only
TABLES = {
    "flights": ("flights/*.csv", "flights_parquet/*.parquet"),
    "groupby": ("h2o/G1_*.csv", "h2o/G1_*.parquet"),
    "jx": ("h2o/J1_*/x.csv", "h2o/J1_*/x.parquet"),
    "jsmall": ("h2o/J1_*/small.csv", "h2o/J1_*/small.parquet"),
    "jmedium": ("h2o/J1_*/medium.csv", "h2o/J1_*/medium.parquet"),
    "jbig": ("h2o/J1_*/big.csv", "h2o/J1_*/big.parquet"),
    "brc": ("brc/measurements_*.csv", "brc/measurements_*.parquet"),
    "events": ("events/events_*.csv", "events/events_*.parquet"),
    "airlines": ("nyc13/airlines.csv", None),
}
DELIMITER = {"brc": ";"}
# flights has text in these columns, integers in the others
FLIGHTS_TEXT = {"UniqueCarrier", "TailNum", "Origin", "Dest"}



def join(left, on, other, how="inner"):
    """A join question: the benchmark asks for all rows, and checks their number and these sums."""
    kind = "LEFT JOIN" if how == "left" else "JOIN"
    sql = f"SELECT count(*) AS n, sum(x.v1) AS v1, sum(y.v2) AS v2 FROM {{T}} AS x {kind} {{U}} AS y ON x.{on} = y.{on}"
    return Task(left, sql, f"--join {{U}} --on {on} --how {how} --count --sum v1,v2", joined=other)


def asked(table, sql, **more):
    """A question that `ddf` is asked in SQL as the others are."""
    return Task(table, sql, "", by_sql=True, **more)


def sums_of(condition, values):
    """Seven sums over parts of the rows."""
    return ", ".join(condition.format(i=i) + f" AS c{i}" for i in values)


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
    "G1": Task("groupby", "SELECT id1, sum(v1) AS v1 FROM {T} GROUP BY id1", "--groupby id1 --sum v1", keys=1),
    "G2": Task("groupby", "SELECT id1, id2, sum(v1) AS v1 FROM {T} GROUP BY id1, id2",
               "--groupby id1,id2 --sum v1", keys=2),
    "G3": Task("groupby", "SELECT id3, sum(v1) AS v1, avg(v3) AS v3 FROM {T} GROUP BY id3",
               "--groupby id3 --sum v1 --mean v3", keys=1),
    "G4": Task("groupby", "SELECT id4, avg(v1) AS v1, avg(v2) AS v2, avg(v3) AS v3 FROM {T} GROUP BY id4",
               "--groupby id4 --mean v1,v2,v3", keys=1),
    "G5": Task("groupby", "SELECT id6, sum(v1) AS v1, sum(v2) AS v2, sum(v3) AS v3 FROM {T} GROUP BY id6",
               "--groupby id6 --sum v1,v2,v3", keys=1),
    "G6": Task("groupby", "SELECT id4, id5, median(v3) AS md, stddev_samp(v3) AS sd FROM {T} GROUP BY id4, id5",
               "--groupby id4,id5 --median v3 --std v3", keys=2),
    "G7": Task("groupby", "SELECT id3, max(v1) - min(v2) AS spread FROM {T} GROUP BY id3",
               "--groupby id3 --agg 'spread = max(v1) - min(v2)'", keys=1),
    "G8": Task("groupby",
               "SELECT id6, v3 AS largest2_v3 FROM (SELECT id6, v3, row_number() OVER (PARTITION BY id6 ORDER BY v3 DESC)"
               " AS o FROM {T} WHERE v3 IS NOT NULL) AS s WHERE o <= 2",
               "--with 'o = row_number() OVER (PARTITION BY id6 ORDER BY v3 DESC)' --where 'o <= 2 AND v3 IS NOT NULL'"
               " --select id6,v3", big=True),
    "G9": Task("groupby", "SELECT id2, id4, power(corr(v1, v2), 2) AS r2 FROM {T} GROUP BY id2, id4",
               "--groupby id2,id4 --agg 'r2 = pow(corr(v1, v2), 2)'", keys=2),
    "G10": Task("groupby",
                "SELECT id1, id2, id3, id4, id5, id6, sum(v3) AS v3, count(*) AS n FROM {T}"
                " GROUP BY id1, id2, id3, id4, id5, id6",
                "--groupby id1,id2,id3,id4,id5,id6 --sum v3 --count", big=True),
    "J1": join("jx", "id1", "jsmall"),
    "J2": join("jx", "id2", "jmedium"),
    "J3": join("jx", "id2", "jmedium", "left"),
    "J4": join("jx", "id5", "jmedium"),
    "J5": join("jx", "id3", "jbig"),
    "B1": Task("brc",
               "SELECT station, min(measurement) AS mn, avg(measurement) AS m, max(measurement) AS mx"
               " FROM {T} GROUP BY station ORDER BY station",
               "--groupby station --min measurement --mean measurement --max measurement", keys=1),
    "K1": asked("events", 'SELECT usr, item, "at", price FROM {T} ORDER BY usr, item, "at"', big=True,
                order=(("usr", False), ("item", False), ("at", False))),
    "K2": asked("events", 'SELECT usr, "at", price FROM {T} ORDER BY "at" DESC, usr LIMIT 100', big=True,
                order=(("at", True), ("usr", False))),
    "K3": asked("events",
                "SELECT usr, item, \"at\" FROM (SELECT usr, item, \"at\", row_number() OVER (PARTITION BY usr, item"
                " ORDER BY \"at\" DESC) AS o FROM {T}) AS s WHERE o <= 1", big=True),
    "D1": asked("events", "SELECT count(DISTINCT usr) AS n FROM {T}"),
    "D2": asked("events", "SELECT status, count(DISTINCT usr) AS u, count(DISTINCT item) AS i, avg(price) AS p FROM {T}"
                " GROUP BY status", keys=1),
    "R1": asked("groupby", "SELECT id1, id2, avg(v3) AS m, stddev_samp(v3) AS sd, count(*) AS n FROM {T}"
                " GROUP BY ROLLUP (id1, id2)", keys=2),
    "R2": asked("groupby", "SELECT v1, v2, id4, sum(v3) AS s, avg(v1) AS m FROM {T} GROUP BY CUBE (v1, v2, id4)", keys=3),
    "C1": asked("groupby", "SELECT id4, sum(v3) FILTER (WHERE v1 = 1) AS a, sum(v1) FILTER (WHERE v2 > 7) AS b FROM {T}"
                " GROUP BY id4", keys=1),
    "C2": asked("groupby", "SELECT " + sums_of("sum(CASE WHEN v2 = {i} THEN v3 ELSE 0 END)", range(1, 8)) + " FROM {T}"),
    "C3": asked("groupby", "SELECT id4, " + sums_of("sum(CASE WHEN v2 = {i} THEN v3 ELSE 0 END)", range(1, 8))
                + " FROM {T} GROUP BY id4", keys=1),
    "S1": Task("airlines", "SELECT carrier, count(*) AS n FROM {T} GROUP BY carrier",
               "--groupby carrier --count", keys=1),
}


def pattern(task, fmt, data):
    """The glob of a task's input, or None where the task does not exist in that format."""
    if task == "F9" and fmt == "parquet":
        return None
    return place(TASKS[task].table, fmt, data)


def place(table, fmt, data):
    """The glob of a table, or None where it does not exist in that format."""
    relative = TABLES[table][("csv", "parquet").index(fmt)]
    return None if relative is None else os.path.join(data, relative)


def files(task, fmt, data):
    """The input files of a task: what must be there, and is read into the page cache."""
    tables = [t for t in (TASKS[task].table, TASKS[task].joined) if t]
    patterns = [p for p in (place(t, fmt, data) for t in tables) if p and pattern(task, fmt, data)]
    found = [sorted(glob.glob(p)) for p in patterns]
    return [f for part in found for f in part] if all(found) else []
