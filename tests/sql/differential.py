"""Random tables and random queries, the answers of `ddf sql` against DuckDB's.

    python tests/sql/differential.py target/release/ddf            2,000 queries; needs the duckdb module
    python tests/sql/differential.py DDF --queries 10000 --seed 7
    python tests/sql/differential.py DDF --only 1234               one query again, told in full

Every query is run in one of several settings that must not change its answer: Parquet or CSV, one
thread or two, a small memory limit, tiny blocks. Rows are compared as a multiset (as a list where the
order is total), floats to twelve digits. What is known to differ by decision (SEMANTICS) is not
generated: the order of NaN in unions of types, sums beyond int64, text as numbers.
"""

import argparse
import collections
import datetime
import decimal
import math
import pathlib
import random
import subprocess
import sys
import tempfile

import duckdb

INTS = ["i", "j", "k"]
COLUMNS = {"i": "int", "j": "int", "k": "int", "x": "float", "t": "text", "u": "text", "d": "date", "b": "bool", "m": "dec", "r": "id"}
SQL_TYPES = {"int": "BIGINT", "float": "DOUBLE", "text": "VARCHAR", "date": "DATE", "bool": "BOOLEAN", "dec": "DECIMAL(12,2)", "id": "BIGINT"}
PATTERNS = ["'%'", "''", "'_%'", "'%_'", "'__'", "'%a%b%'", "'a_b'", "'é%'", "'%本'", "'\\%' ESCAPE '\\'", "'!_' ESCAPE '!'", "'long%twelve%s'", "'%''%'"]
REGEX = ["'^a'", "'b$'", "'^$'", "'[a-c]+'", "'(?i)A'", "'.'", "'^.$'", "'\\s'", "'a|é'", "'^[^a]*$'"]
KINDS = ["int", "float", "text", "date", "bool", "dec"]
TEXTS = ["", "a", "b", "ab", "ba", "é", "日本", "A", "a b", "%", "_", "x'y", 'q"r', "long text that is more than twelve bytes", "long text that is more than twelve letters"]


def make_table(r, name, rows):
    """A table in DuckDB's memory: few values for keys, some nulls, NaN and extremes."""
    span = r.choice([2, 5, 30, 1000])
    null = r.choice([0, 0, 0.1, 0.5])

    def maybe(v):
        return None if r.random() < null else v

    def value(kind, c):
        if kind == "int":
            if c == "k" and r.random() < 0.02:
                return r.choice([2**53 + 1, -(2**53) - 1, 2**31, -(2**31)])
            return r.randint(-2, span)
        if kind == "float":
            return r.choice([0.0, -0.0, 0.5, -1.25, 1e10, 1e-7, 3.0, float(r.randint(-9, span)), r.random(), math.nan if nan else 2.0])
        if kind == "text":
            return r.choice(TEXTS)
        if kind == "date":
            return datetime.date(2020, 2, 20) + datetime.timedelta(days=r.randint(-400, span))
        if kind == "bool":
            return r.random() < 0.5
        return decimal.Decimal(r.randint(-500, 100 * span)) / 100

    nan = r.random() < 0.2  # not in CSV, where the text nan is null
    data = [[n if kind == "id" else maybe(value(kind, c)) for c, kind in COLUMNS.items()] for n in range(rows)]
    duckdb.execute(f"CREATE OR REPLACE TABLE {name} ({', '.join(f'{c} {SQL_TYPES[k]}' for c, k in COLUMNS.items())})")
    if data:
        marks = ", ".join("?" * len(COLUMNS))
        duckdb.executemany(f"INSERT INTO {name} VALUES ({marks})", data)
    return nan


class Query:
    """Grows one query; `tables` are the aliases in scope."""

    def __init__(self, r, tables):
        self.r, self.names, self.alias = r, tables, 0

    def pick(self, *of):
        return self.r.choice(of)

    def chance(self, p):
        return self.r.random() < p

    def fresh(self):
        self.alias += 1
        return f"a{self.alias}"

    def column(self, scope, kind):
        table = self.r.choice(scope)
        return f"{table}.{self.r.choice([c for c, k in COLUMNS.items() if k == kind])}"

    def literal(self, kind):
        r = self.r
        return {
            "int": lambda: str(r.choice([0, 1, 2, 3, -1, 7, 29])),
            "float": lambda: r.choice(["0.5::double", "0.0::double", "3.0::double", "-1.25::double"]),
            "text": lambda: "'" + r.choice(TEXTS).replace("'", "''") + "'",
            "date": lambda: r.choice(["DATE '2020-02-20'", "DATE '2020-01-31'", "DATE '2019-12-31'"]),
            "bool": lambda: r.choice(["true", "false"]),
            "dec": lambda: r.choice(["1.50", "0.25", "-3.10"]),
        }[kind]()

    def expr(self, scope, kind, depth=2):
        """An expression of a kind over the columns in scope."""
        if depth == 0 or self.chance(0.35):
            return self.column(scope, kind) if self.chance(0.8) else self.literal(kind)
        e = lambda k: self.expr(scope, k, depth - 1)
        if self.chance(0.12):
            return f"CASE WHEN {self.condition(scope, depth - 1)} THEN {e(kind)} ELSE {e(kind)} END"
        if self.chance(0.1):
            return f"coalesce({e(kind)}, {e(kind)})"
        if self.chance(0.05):
            return f"nullif({e(kind)}, {e(kind)})"
        if kind == "int":
            return self.pick(
                lambda: f"({e('int')} {self.pick('+', '-')} {e('int')})",
                lambda: f"({self.column(scope, 'int')} % {self.pick('2', '3', '7')})",
                lambda: f"({self.column(scope, 'int')} // {self.pick('2', '3')})",
                lambda: f"length({e('text')})",
                lambda: f"extract({self.pick('year', 'month', 'day')} FROM {e('date')})",
                lambda: f"abs({self.column(scope, 'int')})",
                lambda: f"greatest({e('int')}, {e('int')})",
                lambda: f"least({e('int')}, {e('int')})",
                lambda: f"({e('date')} - {e('date')})",
                lambda: f"CAST({e('bool')} AS BIGINT)",
                lambda: f"TRY_CAST({e('text')} AS BIGINT)",
                lambda: f"strpos({e('text')}, {self.pick(chr(39) + 'a' + chr(39), chr(39) + 'b' + chr(39))})",
                lambda: f"CAST(trunc({self.column(scope, 'dec')}) AS BIGINT)",
                lambda: f"sign({e('int')})",
                lambda: f"datediff('{self.pick('day', 'month', 'year', 'quarter')}', {e('date')}, {e('date')})",
                lambda: f"extract({self.pick('dow', 'isodow', 'doy', 'week', 'quarter')} FROM {e('date')})",
            )()
        if kind == "float":
            return self.pick(
                lambda: f"({e('float')} {self.pick('+', '-', '*')} {e('float')})",
                lambda: f"CAST({e('int')} AS DOUBLE)",
                lambda: f"abs({e('float')})",
                lambda: f"CAST({e('dec')} AS DOUBLE)",
                lambda: f"({e('int')} / {self.pick('2', '4', self.column(scope, 'int'))})",
                lambda: f"round({e('float')}, {self.pick('1', '2')})",
                lambda: f"floor({e('float')})",
                lambda: f"CASE WHEN {self.column(scope, 'float')} > 0 THEN ln({self.column(scope, 'float')}) END",
            )()
        if kind == "text":
            return self.pick(
                lambda: f"upper({e('text')})",
                lambda: f"lower({e('text')})",
                lambda: f"({e('text')} || {e('text')})",
                lambda: f"substr({e('text')}, {self.pick('1', '2')}, {self.pick('1', '3')})",
                lambda: f"replace({e('text')}, 'a', 'bb')",
                lambda: f"trim({e('text')})",
                lambda: f"reverse({e('text')})",
                lambda: f"left({e('text')}, {self.pick('1', '2', '-1', '0')})",
                lambda: f"right({e('text')}, {self.pick('1', '2', '-1', '0')})",
                lambda: f"lpad({e('text')}, 4, 'xé')",
                lambda: f"repeat({self.column(scope, 'text')}, 2)",
                lambda: f"split_part({e('text')}, 'a', {self.pick('1', '2', '-1')})",
                lambda: f"regexp_replace({e('text')}, '[ab]+', '<\\0>'{self.pick('', ', ' + chr(39) + 'g' + chr(39))})",
                lambda: f"CAST({e('date')} AS VARCHAR)",
                lambda: f"CAST({e('bool')} AS VARCHAR)",
                lambda: f"CAST({self.column(scope, 'dec')} AS VARCHAR)",
                lambda: f"concat({e('text')}, {e('int')}, {e('text')})",
                lambda: f"CAST({e('int')} AS VARCHAR)",
            )()
        if kind == "date":
            return self.pick(
                lambda: self.column(scope, "date"),
                lambda: f"CAST(date_trunc('{self.pick('month', 'year', 'week', 'quarter')}', {e('date')}) AS DATE)",
                lambda: f"CAST({e('date')} {self.pick('+', '-')} INTERVAL '{self.pick('1 month', '3 days', '1 year', '13 months')}' AS DATE)",
                lambda: f"({self.column(scope, 'date')} {self.pick('+', '-')} {self.pick('1', '31')})",
                lambda: f"last_day({e('date')})",
            )()
        if kind == "bool":
            return f"({self.condition(scope, depth - 1)})"
        return self.pick(
            lambda: f"({self.column(scope, 'dec')} {self.pick('+', '-')} {self.literal('dec')})",
            lambda: self.column(scope, "dec"),
        )()

    def condition(self, scope, depth=2, subqueries=False):
        kind = self.pick("int", "float", "text", "date", "dec")
        e = lambda: self.expr(scope, kind, max(depth - 1, 0))
        known = lambda k=None: f"coalesce({self.column(scope, k or kind)}, {self.literal(k or kind)})"
        ways = [
            lambda: f"{e()} {self.pick('=', '<>', '<', '<=', '>', '>=')} {e()}",
            lambda: f"{e()} {self.pick('=', '<', '>=')} {self.literal(kind)}",
            lambda: f"{e()} IS {self.pick('', 'NOT ')}NULL",
            lambda: f"{e()} BETWEEN {self.literal(kind)} AND {e()}",
            lambda: f"{e()} {self.pick('', 'NOT ')}IN ({self.literal(kind)}, {self.literal(kind)}, {self.pick('NULL', self.literal(kind))})",
            lambda: f"{self.expr(scope, 'text', 1)} {self.pick('LIKE', 'NOT LIKE', 'ILIKE')} {self.pick(chr(39) + 'a%' + chr(39), chr(39) + '%b' + chr(39), chr(39) + '_' + chr(39), chr(39) + '%long%' + chr(39))}",
            lambda: f"{e()} IS {self.pick('', 'NOT ')}DISTINCT FROM {e()}",
            lambda: f"{self.expr(scope, 'text', 1)} {self.pick('', 'NOT ')}LIKE {self.pick(*PATTERNS)}",
            lambda: f"regexp_matches({self.expr(scope, 'text', 1)}, {self.pick(*REGEX)})",
            lambda: f"starts_with({self.expr(scope, 'text', 1)}, {self.literal('text')})",
            lambda: f"contains({self.expr(scope, 'text', 1)}, {self.literal('text')})",
            lambda: f"({e()} {self.pick('=', '<', '>')} {e()}) IS {self.pick('', 'NOT ')}{self.pick('TRUE', 'FALSE', 'NULL')}",
            lambda: self.column(scope, "bool"),
            lambda: f"{e()} {self.pick('', 'NOT ')}IN ({e()}, {self.literal(kind)}, {self.pick(e, lambda: 'NULL')()})",
            lambda: f"{e()} {self.pick('', 'NOT ')}BETWEEN {e()} AND {e()}",
            # rows without nulls: to DuckDB (NULL, 1) = (NULL, 1) is true, by the standard it is null
            lambda: f"({known()}, {known('int')}) {self.pick('=', '<>', '<', '>=')} ({known()}, {known('int')})",
            lambda: f"({known()}, {known('int')}) {self.pick('', 'NOT ')}IN (({known()}, 1), ({self.literal(kind)}, {known('int')}))",
            lambda: f"{self.column(scope, kind)} {self.pick('=', '<', '>=', '<>')} {self.quoted(kind)}",
            lambda: f"{self.column(scope, kind)} IN ({self.quoted(kind)}, {self.quoted(kind)})",
            lambda: f"if({self.column(scope, 'int')} = {self.pick('0', '1', '2')}, {e()} = {e()}, {e()} < {e()})",
            lambda: f"CASE {e()} WHEN {self.literal(kind)} THEN true WHEN {e()} THEN false END",
        ]
        if depth > 0:
            ways += [
                lambda: f"({self.condition(scope, depth - 1)} {self.pick('AND', 'OR')} {self.condition(scope, depth - 1)})",
                lambda: f"NOT ({self.condition(scope, depth - 1)})",
            ]
        if subqueries:
            ways += [lambda: self.subquery(scope)] * 3
        return self.r.choice(ways)()

    def quoted(self, kind):
        """A literal in quotes, which takes the type of what it meets."""
        r = self.r
        return {
            "int": lambda: f"'{r.choice([0, 1, 2, -1, 7])}'",
            "float": lambda: f"'{r.choice(['0.5', '3', '-1.25', '1e10'])}'",
            "text": lambda: self.literal("text"),
            "date": lambda: f"'{r.choice(['2020-02-20', '2020-1-31', '2019-12-1'])}'",
            "dec": lambda: f"'{r.choice(['1.50', '0.25', '-3.1', '2'])}'",
        }[kind]()

    def subquery(self, scope):
        """A condition with a subquery, correlated or not."""
        t, a = self.r.choice(self.names), self.fresh()
        key = self.r.choice(INTS)
        kind = self.pick("int", "text", "date")
        looks = [a, self.r.choice(scope)] if self.chance(0.3) else [a]
        deeper = self.chance(0.15) and len(scope) < 5
        inner = f"FROM {t} {a} WHERE {self.condition(looks, 1)}"
        if deeper:
            inner += f" AND {self.subquery([a] + scope)}"
        op = self.pick("=", "=", "=", "<", ">=", "<>", "IS NOT DISTINCT FROM")
        tie = f" AND {a}.{key} {op} {self.column(scope, 'int')}"
        correlated = tie if self.chance(0.6) else ""
        return self.pick(
            lambda: f"{'' if self.chance(0.5) else 'NOT '}EXISTS (SELECT 1 {inner}{correlated})",
            lambda: f"{self.expr(scope, kind, 1)} {self.pick('', 'NOT ')}IN (SELECT {self.expr([a], kind, 1)} {inner}{correlated})",
            lambda: f"{self.expr(scope, 'int', 1)} {self.pick('<', '=', '>=')} (SELECT {self.pick('max', 'min', 'count')}({a}.{key}) {inner}{correlated})",
            lambda: f"{self.expr(scope, 'int', 1)} {self.pick('= ANY', '<> ALL', '> ALL', '< ANY')} (SELECT {a}.{key} {inner}{correlated})",
            lambda: f"{self.expr(scope, 'int', 1)} {self.pick('<', '=', '>=')} (SELECT {a}.{key} {inner}{correlated} ORDER BY 1 {self.pick('', 'DESC')} LIMIT 1)",
            lambda: f"({self.condition(scope, 0)} OR {'' if self.chance(0.5) else 'NOT '}EXISTS (SELECT 1 {inner}{correlated}))",
            lambda: f"(SELECT {self.pick('max', 'min', 'count')}({a}.{key}) {inner}{correlated}) {self.pick('', 'NOT ')}BETWEEN {self.column(scope, 'int')} AND {self.pick('1', '3', self.column(scope, 'int'))}",
            lambda: f"{self.column(scope, 'int')} {self.pick('', 'NOT ')}IN ({self.column(scope, 'int')}, (SELECT {self.pick('max', 'min')}({a}.{key}) {inner}{correlated}), 7)",
            lambda: f"coalesce((SELECT {self.pick('max', 'min')}({a}.{key}) {inner}{correlated}), {self.column(scope, 'int')}) {self.pick('=', '<')} {self.column(scope, 'int')}",
            lambda: f"CASE WHEN EXISTS (SELECT 1 {inner}{correlated}) THEN {self.condition(scope, 0)} ELSE {self.condition(scope, 0)} END",
            lambda: f"({self.column(scope, 'int')}, {self.column(scope, 'int')}) IN (SELECT {a}.{key}, {a}.{self.r.choice(INTS)} FROM {t} {a} WHERE {self.condition([a], 1)})",
            lambda: f"EXISTS (SELECT 1 FROM (SELECT {a}.* {inner}{correlated}) {a}x {self.pick('LEFT', 'RIGHT', 'RIGHT')} JOIN {self.r.choice(self.names)} {a}y ON {a}x.{key} = {a}y.{self.r.choice(INTS)} WHERE {a}y.{key} IN ({self.column(scope, 'int')}, 1))",
            lambda: f"{self.expr(scope, kind, 1)} {self.pick('', 'NOT ')}IN (SELECT {self.expr([a], kind, 1)} {inner}{correlated} {self.pick('UNION', 'EXCEPT', 'INTERSECT')} SELECT {self.expr(looks, kind, 0).replace(a + '.', scope[0] + '.')})",
        )()

    def scalar(self, scope):
        """A subquery that stands for one value."""
        a, key = self.fresh(), self.r.choice(INTS)
        inner = f"FROM {self.r.choice(self.names)} {a} WHERE {self.condition([a, self.r.choice(scope)], 1)}"
        if self.chance(0.6):
            inner += f" AND {a}.{key} {self.pick('=', '=', '<')} {self.column(scope, 'int')}"
        return self.pick(
            lambda: f"(SELECT {self.aggregate([a])} {inner})",
            lambda: f"(SELECT {a}.{key} {inner} ORDER BY 1 NULLS LAST LIMIT 1)",
            lambda: f"EXISTS (SELECT 1 {inner})",
            lambda: f"(SELECT count(*) FROM (SELECT DISTINCT {a}.{key} {inner}) q)",
            lambda: f"(SELECT count(*) FROM (SELECT {a}.* {inner}) {a}x {self.pick('LEFT', 'RIGHT')} JOIN {self.r.choice(self.names)} {a}y ON {a}x.{key} = {a}y.{self.r.choice(INTS)})",
            lambda: f"(SELECT max(v) FROM (VALUES ({self.column(scope, 'int')}), (3)) q(v))",
            lambda: f"(WITH q AS (SELECT {a}.{key} {inner}) SELECT sum({key}) FROM q)",
        )()

    def lateral(self, scope):
        """A table that looks at those before it."""
        a = self.fresh()
        text = f"SELECT {self.pick('', 'DISTINCT ')}{a}.* FROM {self.r.choice(self.names)} {a} WHERE {self.condition([a, self.r.choice(scope)], 1)}"
        if self.chance(0.6):
            text += f" AND {a}.{self.r.choice(INTS)} {self.pick('=', '<')} {self.column(scope, 'int')}"
        if self.chance(0.4):
            text += f" ORDER BY ALL LIMIT {self.pick(1, 2)}"
        return f"({text})"

    def nearest(self, scope, b):
        """ASOF JOIN with a table that has no ties."""
        t = self.r.choice(self.names)
        rest = "max(j) AS j, max(k) AS k, max(x) AS x, max(t) AS t, max(u) AS u, bool_or(b) AS b, max(m) AS m, max(r) AS r"
        # to DuckDB a null is near a null
        table = f"(SELECT i, d, {rest} FROM {t} WHERE d IS NOT NULL GROUP BY i, d) {b}"
        a = self.r.choice(scope)
        return f" ASOF {self.pick('', 'LEFT ')}JOIN {table} ON {a}.i = {b}.i AND {a}.d {self.pick('>=', '>', '<=', '<')} {b}.d"

    def source(self):
        """FROM with joins; answers the text and the aliases."""
        a = self.fresh()
        text, scope = f"{self.relation()} {a}", [a]
        while len(scope) < 3 and "," not in text and self.chance(0.45):
            b = self.fresh()
            if self.chance(0.15):
                text += self.pick(
                    lambda: self.nearest(scope, b),
                    lambda: f" {self.pick('CROSS JOIN', 'JOIN', 'LEFT JOIN')} LATERAL {self.lateral(scope)} {b} ON true".replace("CROSS JOIN LATERAL", "JOIN LATERAL"),
                )()
                scope.append(b)
                continue
            kind = self.pick("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "JOIN", *([","] if len(scope) == 1 else []))
            on = f"{self.column(scope, 'int')} = {b}.{self.r.choice(INTS)}"
            if self.chance(0.3):
                on += f" AND {self.column(scope, 'text')} = {b}.{self.pick('t', 'u')}"
            if self.chance(0.3) and kind != "FULL JOIN":
                on += f" AND {self.condition(scope + [b], 1)}"
            if kind == ",":
                text, self.where = f"{text}, {self.relation()} {b}", self.where + [on]
            else:
                text += f" {kind} {self.relation()} {b} ON {on}"
            scope.append(b)
        return text, scope

    def relation(self):
        t = self.r.choice(self.names)
        if self.chance(0.12):
            a = self.fresh()
            return f"(SELECT * FROM {t} {a} WHERE {self.condition([a], 1)})"
        return t

    def aggregate(self, scope):
        kind = self.pick("int", "float", "text", "date", "dec", "bool")
        e = self.expr(scope, kind, 1)
        plain = ["count({})", "min({})", "max({})", "count(DISTINCT {})"]
        if kind in ("int", "dec"):
            plain += ["sum({})", "avg({})", "sum(DISTINCT {})"]
        if kind == "float":
            plain += ["sum({})", "avg({})", "median({})", "stddev({})"]
        if kind == "bool":
            plain = ["bool_and({})", "bool_or({})", "count({})"]
        if kind == "int" and self.chance(0.2):
            c = self.column(scope, "int")
            plain = [f"{f}({c} = {self.pick('1', '2')})" for f in ("sum", "bool_or", "count", "max")]
        if kind in ("int", "dec", "float", "date"):
            plain += ["arg_max({}, Q)", "arg_min({}, Q)", "first({} ORDER BY Q)", "last({} ORDER BY Q DESC)"]
        if kind == "text":
            plain += ["string_agg({}, ',' ORDER BY Q)", "string_agg(DISTINCT {}, ';' ORDER BY {})", "arg_max({}, Q)", "last({} ORDER BY Q)"]
        if kind == "int":
            plain += ["median({})", "quantile_cont({}, 0.3)", "avg(DISTINCT {})", "stddev({})", "var_pop({})", "corr({}, R)", "covar_samp({}, R)"]
        call = self.r.choice(plain).replace("{}", e)
        total = ", ".join(a + ".r" for a in scope)
        if "arg_m" in call and len(scope) > 1:
            call = f"min({e})"  # more than one row has the greatest
        call = call.replace("ORDER BY Q DESC", "ORDER BY " + total.replace(",", " DESC,") + " DESC").replace("ORDER BY Q", "ORDER BY " + total).replace(", Q)", f", {scope[0]}.r)").replace(", R)", f", {self.column(scope, 'int')})")
        if self.chance(0.1):
            call = "count(*)"
        if self.chance(0.15) and ("DISTINCT" not in call or "string_agg" not in call):
            call += f" FILTER (WHERE {self.condition(scope, 1)})"
        return call

    def window(self, scope):
        """A window call whose answer does not hang on the order of peers."""
        part = self.partition(scope) if self.chance(0.7) else ""
        order = ", ".join(f"{self.expr(scope, k, 0)}{self.pick('', ' DESC', ' NULLS FIRST', ' DESC NULLS LAST')}" for k in self.r.sample(["int", "date", "dec", "text"], self.pick(1, 2)))
        kind = self.pick("int", "dec")
        e = self.expr(scope, kind, 1)
        agg = self.pick("sum({})", "count({})", "min({})", "max({})", "avg({})").format(e)
        peers = self.pick("", "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW", "RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
                          "GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING", "RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE GROUP",
                          "GROUPS BETWEEN 2 PRECEDING AND CURRENT ROW EXCLUDE CURRENT ROW" if agg.startswith("count(*") else "GROUPS BETWEEN CURRENT ROW AND 1 FOLLOWING")
        return self.pick(
            lambda: f"{self.pick('rank()', 'dense_rank()', 'percent_rank()', 'cume_dist()')} OVER ({part}ORDER BY {order})",
            lambda: f"{agg} OVER ({part}ORDER BY {order} {peers})",
            lambda: f"{agg} OVER ({part.strip()})",
        )()

    def partition(self, scope):
        """Keys of partitions, sometimes one of them twice."""
        keys = [self.expr(scope, self.pick("int", "text", "bool"), self.pick(0, 1)) for _ in range(self.pick(1, 1, 2))]
        if self.chance(0.25):
            keys.append(self.r.choice(keys))
        return f"PARTITION BY {', '.join(keys)} "

    def total(self, scope):
        """An order without ties."""
        return ", ".join(f"{a}.r{self.pick('', ' DESC')}" for a in scope)

    def unique_window(self, scope):
        """A window call whose order has no ties."""
        part = self.partition(scope) if self.chance(0.7) else ""
        first = f"{self.expr(scope, self.pick(*KINDS), 0)}{self.pick('', ' DESC', ' NULLS FIRST', ' DESC NULLS LAST')}, " if self.chance(0.5) else ""
        over = f"{part}ORDER BY {first}{self.total(scope)}"
        kind = self.pick(*KINDS)
        e = self.expr(scope, kind, 1)
        n = self.pick("1", "2", "5")
        low = self.pick("UNBOUNDED PRECEDING", f"{n} PRECEDING", "CURRENT ROW", f"{n} FOLLOWING")
        high = self.pick(*{"C": ["CURRENT ROW", "3 FOLLOWING", "UNBOUNDED FOLLOWING"], "F": ["7 FOLLOWING", "UNBOUNDED FOLLOWING"]}.get("C" if low[0] == "C" else "F" if "FOLL" in low else "", ["1 PRECEDING", "CURRENT ROW", "1 FOLLOWING", "UNBOUNDED FOLLOWING"]))
        frame = f" ROWS BETWEEN {low} AND {high}{self.pick('', '', ' EXCLUDE CURRENT ROW', ' EXCLUDE GROUP', ' EXCLUDE TIES', ' EXCLUDE NO OTHERS')}"
        aggs = ["count({})", "min({})", "max({})"]
        if kind in ("int", "dec"):
            aggs += ["sum({})", "avg({})"]
        if kind == "bool":
            aggs = ["bool_and({})", "bool_or({})", "count({})"]
        filt = f" FILTER (WHERE {self.condition(scope, 1)})" if self.chance(0.2) else ""
        return self.pick(
            lambda: f"row_number() OVER ({over})",
            lambda: f"ntile({self.pick(2, 3, 10)}) OVER ({over})",
            lambda: f"{self.pick('lag', 'lead')}({e}{self.pick('', ', 1', ', 2', ', 3, ' + self.literal(kind))}{self.pick('', ' IGNORE NULLS')}) OVER ({over})",
            lambda: f"{self.pick('first_value', 'last_value')}({e}{self.pick('', ' IGNORE NULLS')}) OVER ({over}{frame})",
            lambda: f"nth_value({e}, {self.pick(1, 2, 4)}{self.pick('', ' IGNORE NULLS')}) OVER ({over}{frame})",
            lambda: f"{self.pick(*aggs).format(e)}{filt} OVER ({over}{frame})",
            lambda: f"{self.pick(*aggs).format(e)}{filt} OVER ({part}ORDER BY {self.column(scope, 'int')}{self.pick('', ' DESC')} RANGE BETWEEN {self.pick('1 PRECEDING', 'CURRENT ROW', '3 PRECEDING')} AND {self.pick('2 FOLLOWING', 'CURRENT ROW', 'UNBOUNDED FOLLOWING')}{self.pick('', ' EXCLUDE CURRENT ROW', ' EXCLUDE GROUP', ' EXCLUDE TIES')})",
            lambda: f"{self.pick(*aggs).format(e)} OVER ({part}ORDER BY {self.column(scope, 'date')}{self.pick('', ' DESC')} RANGE BETWEEN INTERVAL {self.pick(chr(39) + '3 days' + chr(39), chr(39) + '1 month' + chr(39))} PRECEDING AND {self.pick('CURRENT ROW', 'INTERVAL 1 DAY FOLLOWING')})",
        )()

    def recursive(self):
        """A recursive query that ends."""
        t, c = self.r.choice(self.names), self.r.choice(INTS)
        top = self.pick("3", "5", "9")
        kind = self.pick("UNION", "UNION ALL")
        return self.pick(
            lambda: f"WITH RECURSIVE w(n, p) AS (SELECT 0, {self.literal('int')} {kind} SELECT n + 1, p + n FROM w WHERE n < {top}) SELECT w.n AS c0, w.p AS c1, q.{c} AS c2 FROM w {self.pick('JOIN', 'LEFT JOIN')} {t} q ON q.{c} = w.n",
            lambda: f"WITH RECURSIVE w(n, p) AS (SELECT q.i, 0 FROM {t} q WHERE {self.condition(['q'], 1)} UNION SELECT q.j, p + 1 FROM w JOIN {self.r.choice(self.names)} q ON q.i = w.n WHERE p < {self.pick(2, 3)}) SELECT n AS c0, p AS c1, 1 AS c2 FROM w",
            lambda: f"WITH RECURSIVE w AS (SELECT DISTINCT q.i, q.t FROM {t} q WHERE {self.condition(['q'], 1)} UNION SELECT q.k, q.u FROM w JOIN {self.r.choice(self.names)} q ON q.i = w.i) SELECT i AS c0, count(*) AS c1, max(t) AS c2 FROM w GROUP BY i",
        )()

    def select(self, ways):
        self.where = []
        source, scope = self.source()
        where = self.where + ([self.condition(scope, 2, True)] if self.chance(0.6) else [])
        tail = f" WHERE {' AND '.join(where)}" if where else ""
        way = self.r.choice(ways)
        if way == "plain":
            kinds = [self.r.choice(KINDS) for _ in range(self.pick(1, 2, 3))]
            items = [self.scalar(scope) if self.chance(0.15) else self.expr(scope, k) for k in kinds]
            head = "SELECT DISTINCT " if self.chance(0.3) else "SELECT "
        elif way == "unique":
            items = [self.expr(scope, "int", 0), self.unique_window(scope)] + ([self.unique_window(scope)] if self.chance(0.4) else [])
            head = "SELECT "
            if self.chance(0.25):
                tail += f" QUALIFY {self.pick('row_number()', 'row_number()', 'count(*)')} OVER (PARTITION BY {self.expr(scope, self.pick('int', 'text'), 0)} ORDER BY {self.total(scope)}) {self.pick('= 1', '<= 2', '% 2 = 0')}"
        elif way == "window":
            items = [self.expr(scope, "int", 0), self.window(scope)] + ([self.window(scope)] if self.chance(0.3) else [])
            head = "SELECT "
        else:
            keys = [self.expr(scope, self.pick("int", "text", "date", "bool", "float"), 1) for _ in range(self.pick(0, 1, 1, 2))]
            # a number would be the place of a column, and systems differ where a key stands twice in a set
            keys = list(dict.fromkeys(f"({k} + 0)" if k.lstrip("-").isdigit() else k for k in keys))
            if way == "group" and self.chance(0.2):
                keys.append(self.pick(lambda: self.literal("text"), lambda: self.scalar(scope), lambda: self.r.choice(keys or ["'x'"]))())
            items = keys + [self.aggregate(scope) for _ in range(self.pick(1, 2))]
            head = "SELECT "
            if way == "group" and keys and self.chance(0.3):
                # by aliases, or by all there is
                by = self.pick("ALL", ", ".join(f"c{i}" for i in range(len(keys))))
                tail += f" GROUP BY {by}"
                keys = []
            if keys:
                ordinals = ", ".join(str(i + 1) for i in range(len(keys)))
                group = self.pick("ROLLUP ({})", "CUBE ({})", "GROUPING SETS (({}), ())", f"GROUPING SETS (({keys[0]}), ({{}}))", "{}") if way == "sets" else "{}"
                if "{}" != group and self.chance(0.4):
                    items.append(f"grouping({keys[-1]})")
                tail += " GROUP BY " + group.format(ordinals if group == "{}" else ", ".join(keys))
                if self.chance(0.25):
                    tail += f" HAVING count(*) {self.pick('> 1', '< 3', '= 1')}"
        names = ", ".join(f"{e} AS c{i}" for i, e in enumerate(items))
        return f"{head}{names} FROM {source}{tail}", len(items)

    def query(self, ways):
        if "unique" in ways and self.chance(0.04):
            return self.recursive(), False
        if self.chance(0.12):
            kinds = [self.r.choice(KINDS) for _ in range(2)]
            part = lambda: "SELECT {} FROM {} q".format(", ".join(f"{self.expr(['q'], k, 1)} AS c{i}" for i, k in enumerate(kinds)), self.r.choice(self.names))
            op = self.pick("UNION", "UNION ALL", "UNION ALL BY NAME", "INTERSECT", "EXCEPT", *(["INTERSECT ALL", "EXCEPT ALL"] if "sets" in ways else []))
            return f"{part()} {op} {part()}", False
        text, width = self.select(ways)
        if self.chance(0.1):
            both = "SELECT * FROM w UNION ALL SELECT * FROM w WHERE c0 IS NULL"
            some = "SELECT * FROM w WHERE c0 IS NOT NULL AND EXISTS (SELECT 1 FROM w v WHERE v.c0 <> w.c0)"
            text = f"WITH w AS {self.pick('', '', 'MATERIALIZED ', 'NOT MATERIALIZED ')}({text}) " + self.pick("SELECT * FROM w", "SELECT * FROM w WHERE c0 IS NOT NULL", both, some)
            if text.endswith(both):
                text = f"SELECT * FROM ({text}) z"
        ordered = self.chance(0.3)
        if ordered:
            text += " ORDER BY " + ", ".join(f"{i + 1}{self.pick('', ' DESC', ' NULLS FIRST')}" for i in range(width))
            if self.chance(0.5):
                text += f" LIMIT {self.pick(0, 1, 5, 20)}" + (f" OFFSET {self.pick(1, 3)}" if self.chance(0.4) else "")
        return text, ordered


def plain(v):
    """A value in the form that both give it."""
    if isinstance(v, (float, decimal.Decimal)):
        v = float(v)
        return "nan" if math.isnan(v) else v if math.isinf(v) else float(f"{v:.11e}") + 0.0
    if isinstance(v, bool) or v is None:
        return str(v)
    if isinstance(v, int):
        return float(f"{v:.11e}") if abs(v) > 2**52 else float(v)
    if isinstance(v, datetime.datetime) and v.time() == datetime.time():
        return v.date().isoformat()
    return v.isoformat() if isinstance(v, (datetime.date, datetime.datetime)) else v


def close(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return a == b or math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)
    return a == b


def same(ours, theirs, ordered):
    if len(ours) != len(theirs):
        return False
    if not ordered:
        if collections.Counter(ours) == collections.Counter(theirs):
            return True
        key = lambda row: [(str(type(v)), v if not isinstance(v, float) else round(v, 6)) for v in row]
        ours, theirs = sorted(ours, key=key), sorted(theirs, key=key)
    return all(len(a) == len(b) and all(close(x, y) for x, y in zip(a, b)) for a, b in zip(ours, theirs))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("ddf")
    p.add_argument("--queries", type=int, default=2000)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--only", type=int)
    p.add_argument("--without", default="", help="ways to leave out: window,sets,unique")
    p.add_argument("--most", type=int, default=20, help="stop after so many disagreements")
    o = p.parse_args()
    ways = [w for w in ("plain", "group", "window", "sets", "unique") if w not in o.without.split(",")]
    held = tempfile.TemporaryDirectory()
    folder = pathlib.Path(held.name)
    wrong, refused, done = 0, collections.Counter(), 0
    tables = ["s", "l", "e"]
    for n in range(o.queries):
        if n % 50 == 0:
            r = random.Random(f"{o.seed} tables {n}")
            if o.only is None or o.only // 50 == n // 50:
                nan = False
                for t, rows in zip(tables, [r.choice([3, 8]), r.choice([40, 300]), r.choice([0, 1])]):
                    nan |= make_table(r, t, rows)
                    duckdb.execute(f"COPY {t} TO '{folder}/{t}.parquet' (ROW_GROUP_SIZE 64)")
                    duckdb.execute(f"COPY {t} TO '{folder}/{t}.csv' (HEADER, FORCE_QUOTE (t, u))")
        if o.only is not None and o.only != n:
            continue
        r = random.Random(f"{o.seed} query {n}")
        text, ordered = Query(r, tables).query(ways)
        form = r.choice(["parquet", "parquet", "parquet" if nan else "csv"])
        setting = r.choice([[], ["-j", "1"], ["-j", "2", "--memory", "64MiB"], ["-j", "2", "--blocksize", "64"]])
        if form == "csv":
            types = {"int": "int", "float": "float", "text": "text", "date": "date", "bool": "bool", "dec": "decimal(12,2)", "id": "int"}
            setting = setting + ["--types", ",".join(f"{c}={types[k]}" for c, k in COLUMNS.items())]
        # a name of its own: DuckDB keeps what it has read of a file
        out = folder / f"out{n}.parquet"
        command = [o.ddf, "sql", *setting, "-o", str(out)]
        for t in tables:
            command += ["-t", f"{t}={folder}/{t}.{form}"]
        command.append(text)
        try:
            theirs = [tuple(map(plain, row)) for row in duckdb.execute(text).fetchall()]
        except (duckdb.Error, RecursionError) as e:
            refused["DuckDB: " + str(e).split("\n")[0][:70]] += 1
            continue
        try:
            ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
        except subprocess.TimeoutExpired:
            ran = None
        if ran is None or ran.returncode != 0:
            why = "it hangs" if ran is None else ran.stderr.strip().split("\n")[0]
            refused["ddf: " + why[:90]] += 1
            if ran is None or "panick" in ran.stderr or o.only is not None:
                wrong += 1
                print(f"\n#{n} {why}\n{text}\n{ran.stderr if ran else ''}")
            elif refused["ddf: " + why[:90]] == 1:
                print(f"\n#{n} refused: {why}\n{text}")
            continue
        try:
            ours = [tuple(map(plain, row)) for row in duckdb.execute(f"SELECT * FROM '{out}'").fetchall()]
        except duckdb.Error as e:
            wrong += 1
            print(f"\n#{n} [{form} {' '.join(setting)}] our file cannot be read: {e}\n{text}")
            continue
        out.unlink()
        done += 1
        if not same(ours, theirs, ordered):
            wrong += 1
            print(f"\n#{n} [{form} {' '.join(setting)}] differs: {len(ours)} rows, DuckDB has {len(theirs)}\n{text}")
            a, b = collections.Counter(ours), collections.Counter(theirs)
            print("  ours only:   ", list((a - b).items())[:4])
            print("  DuckDB only: ", list((b - a).items())[:4])
            if o.only is not None:
                print(" ".join(command[:-1]), f'"{text}"')
            if wrong >= o.most:
                break
    print(f"\n{done} answers compared, {wrong} wrong")
    for why, count in refused.most_common(25):
        print(f"{count:6} {why}")
    sys.exit(wrong > 0)


main()
