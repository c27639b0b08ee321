#!/usr/bin/env python3
"""Writes testdata/nycflights/expected.json: answers to six questions about the CSV files beside it.

DuckDB computes them, so they are a second opinion on ours. Each entry has the SQL that was asked, the
names of the columns, and the rows in a definite order. Floats are written as the shortest text that
reads back the same; compare them with a tolerance, since DuckDB's last digits depend on how it adds.

Usage: make_expected.py [FOLDER]
Needs: duckdb.
"""

import json
import pathlib
import sys

import duckdb

QUERIES = {
    "mean_depdelay_by_origin": """
        SELECT Origin, avg(DepDelay) AS DepDelay_mean
        FROM flights GROUP BY Origin ORDER BY Origin""",
    "count": """
        SELECT count(*) AS count FROM flights""",
    "max_depdelay_not_cancelled": """
        SELECT max(DepDelay) AS DepDelay_max FROM flights WHERE Cancelled = 0""",
    "count_not_cancelled_by_origin": """
        SELECT Origin, count(*) AS count
        FROM flights WHERE Cancelled = 0 GROUP BY Origin ORDER BY Origin""",
    # isodow counts from Monday = 1
    "mean_depdelay_by_day_of_week": """
        SELECT isodow(make_date(Year, Month, DayofMonth)) - 1 AS day, avg(DepDelay) AS DepDelay_mean
        FROM flights GROUP BY day ORDER BY day""",
    "arrdelay_by_carrier_and_dest": """
        SELECT UniqueCarrier, Dest, count(*) AS count, avg(ArrDelay) AS ArrDelay_mean,
               stddev_samp(ArrDelay) AS ArrDelay_std
        FROM flights GROUP BY UniqueCarrier, Dest
        ORDER BY count DESC, UniqueCarrier, Dest LIMIT 10""",
}


def as_json(name, answer):
    """One entry, with one line for each row so that a change is easy to see in a diff."""
    rows = ",\n".join("      " + json.dumps(row) for row in answer["rows"])
    return (
        f'  {json.dumps(name)}: {{\n    "sql": {json.dumps(answer["sql"])},\n'
        f'    "columns": {json.dumps(answer["columns"])},\n    "rows": [\n{rows}\n    ]\n  }}'
    )


def main():
    here = pathlib.Path(__file__).resolve().parent
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here / "nycflights"
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    connection.read_csv(str(folder / "*.csv"), na_values=["NA"]).create_view("flights")

    answers = {}
    for name, sql in QUERIES.items():
        result = connection.execute(sql)
        columns = [column[0] for column in result.description]
        answers[name] = {
            "sql": " ".join(sql.split()),
            "columns": columns,
            "rows": [list(row) for row in result.fetchall()],
        }
    entries = ",\n".join(as_json(name, answer) for name, answer in answers.items())
    (folder / "expected.json").write_text("{\n" + entries + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
