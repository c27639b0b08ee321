"""Writes the .slt files beside it: questions by topic, answers by DuckDB.

    python tests/sql/make.py            run at the root of the repository, with the duckdb module
    python tests/sql/make.py binding    writes only the files of these topics
    python tests/sql/make.py --check    says which answers of DuckDB differ from the files

Questions are written out below, or put together from lists where every combination should hold.
`DIFFERS` names the few whose answer is ours on purpose, each with the reason. Numbers are written
without trailing zeros and floats with twelve digits, by the runner in tests/sql.rs as well.
"""

import datetime
import decimal
import itertools
import math
import pathlib
import sys

import duckdb

import alike
import binding
import dependent
import nasty
import windows

HERE = pathlib.Path(__file__).parent
DATA = "tests/sql/data"
TABLES = {t: f"'{DATA}/{t}.csv'" for t in ("emp", "dept", "sales", "nums", "trades", "quotes")}
TOPICS = {}


def topic(name):
    def register(f):
        TOPICS[name] = list(dict.fromkeys(f()))
        return f

    return register


topic("alike")(alike.questions)
topic("binding")(binding.questions)
topic("window")(windows.questions)
topic("foremost")(windows.foremost)
topic("dependent")(dependent.questions)
topic("recursive")(dependent.recursive)
topic("pairs")(dependent.pairs)
topic("nasty")(nasty.questions)


@topic("select")
def _():
    yield from [
        "SELECT 1",
        "SELECT 1 AS a, 'x' AS b, NULL AS c, true AS d",
        "SELECT 1 + 2 * 3, (1 + 2) * 3, 7 // 2, 7 % 3, -7 % 3, 1 / 2",
        "SELECT 'a' || 'b' || 1",
        "SELECT 1 WHERE false",
        "SELECT 1 WHERE 2 > 1",
        "SELECT * FROM emp",
        "SELECT emp.* FROM emp",
        "SELECT e.* FROM emp e",
        "SELECT e.name, e.id FROM emp AS e",
        "SELECT * EXCLUDE (boss) FROM emp",
        "SELECT * EXCLUDE (boss, hired, salary) FROM emp",
        "SELECT * REPLACE (upper(name) AS name) FROM emp",
        "SELECT * EXCLUDE (hired) REPLACE (salary * 2 AS salary) FROM emp",
        "SELECT e.* EXCLUDE (name) FROM emp e",
        "SELECT id, id FROM emp",
        "SELECT id AS a, id + 1 AS a FROM emp",
        "SELECT NAME, Id FROM emp",
        "SELECT \"name\" FROM emp",
        "SELECT id AS x, x + 1 AS y, y * 2 FROM emp",
        "SELECT DISTINCT dept FROM emp",
        "SELECT DISTINCT dept, boss FROM emp",
        "SELECT DISTINCT dept IS NULL FROM emp",
        "SELECT ALL dept FROM emp",
        "SELECT DISTINCT salary > 4000 FROM emp",
        "FROM emp SELECT name",
        "FROM emp",
        "SELECT CASE WHEN salary > 4000 THEN 'much' WHEN salary IS NULL THEN 'none' ELSE 'little' END FROM emp",
        "SELECT CASE dept WHEN 10 THEN 'ten' WHEN 20 THEN 'twenty' END FROM emp",
        "SELECT coalesce(boss, 0), nullif(dept, 10), ifnull(salary, -1) FROM emp",
        "SELECT greatest(id, dept), least(id, dept) FROM emp",
        "SELECT cast(salary AS int), cast(id AS text), cast('12' AS int) + 1 FROM emp WHERE id < 3",
        "SELECT try_cast('x' AS int), try_cast('5' AS int)",
        "SELECT length(name), upper(name), lower(name), substr(name, 2, 2) FROM emp",
        "SELECT name FROM emp WHERE name LIKE '%a%'",
        "SELECT name FROM emp WHERE name ILIKE '%A%'",
        "SELECT name FROM emp WHERE name NOT LIKE '_e%'",
        "SELECT name FROM emp WHERE name LIKE 'O''N%'",
        "SELECT abs(-2.5), ceil(1.2), floor(-1.2), round(2.345, 2), sqrt(16.0)",
        "SELECT 0.1 + 0.2 = 0.3",
        "SELECT 1.10 * 2.20, 1.5 - 0.25, 3.00 + 1",
        "SELECT 1e3, 2.5e-3, 1.5::double",
        "SELECT 'it''s', ''",
        "SELECT id FROM emp LIMIT 3",
        "SELECT id FROM emp LIMIT 3 OFFSET 8",
        "SELECT id FROM emp OFFSET 7",
        "SELECT id FROM emp LIMIT 0",
        "SELECT id FROM emp LIMIT 1 + 1",
        "SELECT count(*) FROM read_csv('tests/sql/data/emp.csv')",
        "SELECT count(*) FROM read_csv('tests/sql/data/emp.csv', header = true, delim = ',')",
        "SELECT name FROM 'tests/sql/data/emp.csv' WHERE id = 3",
        "SELECT emp.name FROM 'tests/sql/data/emp.csv' WHERE emp.id = 3",
        "SELECT \"emp\".name FROM \"tests/sql/data/emp.csv\" AS emp WHERE id = 3",
        "SELECT -i, +i, - -i FROM nums",
        "SELECT NOT b, b IS TRUE, b IS NOT FALSE, b IS NULL FROM nums",
        "SELECT i IS DISTINCT FROM x, i IS NOT DISTINCT FROM x FROM nums",
        "SELECT position('e' IN name), strpos(name, 'a'), replace(name, 'a', 'o') FROM emp",
        "SELECT trim('  x  '), ltrim('  x'), rtrim('x  '), trim(LEADING 'x' FROM 'xxa')",
        "SELECT substring(name FROM 1 FOR 2) FROM emp",
        "SELECT concat(name, '-', id), concat_ws('/', id, dept) FROM emp",
    ]


@topic("where")
def _():
    conditions = [
        "dept = 10", "dept <> 10", "dept != 10", "dept < 30", "dept >= 20", "dept IS NULL", "dept IS NOT NULL",
        "salary > 3900", "salary BETWEEN 2800 AND 4100.25", "salary NOT BETWEEN 2800 AND 4100.25",
        "dept IN (10, 30)", "dept NOT IN (10, 30)", "dept IN (10, NULL)", "dept NOT IN (10, NULL)",
        "name = 'Ada'", "name > 'E'", "name LIKE '%e%'", "hired > '2016-01-01'", "hired < DATE '2016-07-16'",
        "hired IS NULL", "boss = id - 1", "salary = 4100.25", "NOT (dept = 10)", "id % 2 = 0", "length(name) = 3",
        "coalesce(dept, 0) = 0", "extract(year FROM hired) = 2016", "true", "false", "NULL",
    ]
    for c in conditions:
        yield f"SELECT id FROM emp WHERE {c}"
        yield f"SELECT count(*) FROM emp WHERE NOT ({c})"
    for a, b in itertools.combinations(conditions[:20], 2):
        yield f"SELECT id FROM emp WHERE {a} AND {b}"
        yield f"SELECT count(*), sum(id) FROM emp WHERE {a} OR {b}"
    for c in ["i > 0", "x > 0", "x = 1.5", "i = x", "b", "NOT b", "b AND i > 0", "t = 'seven'", "x < i", "x IS NULL",
              "x + i > 0", "i // 2 = 0", "t IN ('one', 'two')", "i IN (1, 2, 3, 7, 100)", "i NOT IN (1, 2, 3, 7, 100)",
              "x BETWEEN -2 AND 2", "i BETWEEN 0 AND 10", "t LIKE '%e%' OR t IS NULL"]:
        yield f"SELECT * FROM nums WHERE {c}"


@topic("aggregate")
def _():
    aggs = ["count(*)", "count(salary)", "sum(salary)", "avg(salary)", "min(salary)", "max(salary)", "median(salary)",
            "stddev(salary)", "variance(salary)", "count(DISTINCT salary)", "sum(DISTINCT salary)", "min(name)", "max(name)",
            "min(hired)", "max(hired)", "sum(id)", "avg(id)", "count(*) FILTER (WHERE salary > 4000)",
            "sum(salary) FILTER (WHERE boss IS NULL)", "sum(CASE WHEN salary > 3000 THEN 1 ELSE 0 END)",
            "max(salary) - min(salary)", "sum(salary) / count(*)", "stddev_pop(salary)", "var_pop(salary)",
            "quantile_cont(salary, 0.25)", "bool_and(salary > 2000)", "bool_or(salary > 6000)", "count(boss) + 1",
            "round(avg(salary), 2)", "coalesce(sum(boss), 0)", "sum(salary * 2)", "sum(id + dept)",
            "count(DISTINCT dept)", "sum(salary) > 5000", "count(DISTINCT boss), count(DISTINCT dept), sum(id)",
            "count(DISTINCT name), count(DISTINCT hired), count(DISTINCT salary), avg(salary / 3.0), count(*), stddev(id)",
            "count(DISTINCT dept) FILTER (WHERE salary > 3000), count(DISTINCT dept), count(boss) FILTER (WHERE id > 105)",
            "sum(DISTINCT dept), avg(DISTINCT salary), count(DISTINCT name), max(name)", "count(DISTINCT dept), median(salary)",
            "sum(CASE WHEN dept = 10 THEN salary END), sum(CASE WHEN dept = 20 THEN salary / 3.0 ELSE 0 END), max(CASE WHEN id > 105 THEN name END)"]
    keys = [None, "dept", "boss", "dept IS NULL", "length(name)", "extract(year FROM hired)", "salary > 4000"]
    for a, k in itertools.product(aggs, keys):
        if k is None:
            yield f"SELECT {a} FROM emp"
            yield f"SELECT {a} FROM emp WHERE false"
        else:
            yield f"SELECT {k}, {a} FROM emp GROUP BY {k}"
    yield from [
        "SELECT dept, count(*) FROM emp GROUP BY 1",
        "SELECT dept AS d, count(*) FROM emp GROUP BY d",
        "SELECT dept + 1 AS d, count(*) FROM emp GROUP BY d",
        "SELECT dept + 1, count(*) FROM emp GROUP BY dept + 1",
        "SELECT dept + 1, count(*) FROM emp GROUP BY dept",
        "SELECT count(*) FROM emp GROUP BY dept",
        "SELECT dept, boss, count(*) FROM emp GROUP BY ALL",
        "SELECT dept, count(*) FROM emp GROUP BY ALL",
        "SELECT dept, boss, sum(salary) FROM emp GROUP BY dept, boss",
        "SELECT dept FROM emp GROUP BY dept",
        "SELECT dept FROM emp GROUP BY dept HAVING count(*) > 1",
        "SELECT dept, count(*) AS n FROM emp GROUP BY dept HAVING n > 1",
        "SELECT dept, sum(salary) FROM emp GROUP BY dept HAVING sum(salary) > 5000 AND count(*) < 5",
        "SELECT dept FROM emp GROUP BY dept HAVING max(salary) IS NULL",
        "SELECT count(*) FROM emp HAVING count(*) > 5",
        "SELECT count(*) FROM emp HAVING count(*) > 50",
        "SELECT sum(salary) FROM emp HAVING min(id) = 1",
        "SELECT dept, count(*) FROM emp GROUP BY dept ORDER BY count(*) DESC, dept",
        "SELECT dept, count(*) AS n FROM emp GROUP BY dept ORDER BY n DESC, dept NULLS FIRST",
        "SELECT dept FROM emp GROUP BY dept ORDER BY sum(salary) DESC NULLS LAST, dept",
        "SELECT dept, avg(salary) FROM emp GROUP BY dept ORDER BY 2 NULLS FIRST LIMIT 2",
        "SELECT upper(name), dept FROM emp GROUP BY upper(name), dept ORDER BY 1",
        "SELECT dept * 2 + 1 FROM emp GROUP BY dept ORDER BY 1",
        "SELECT DISTINCT count(*) FROM emp GROUP BY dept",
        "SELECT sum(n) FROM (SELECT dept, count(*) AS n FROM emp GROUP BY dept)",
        "SELECT max(n) - min(n) FROM (SELECT count(*) n FROM emp GROUP BY dept) t",
        "SELECT item, sum(qty * price) FROM sales GROUP BY item",
        "SELECT item, sum(qty * price) AS total FROM sales GROUP BY item ORDER BY total DESC NULLS LAST, item",
        "SELECT extract(month FROM day) AS m, count(*), sum(qty) FROM sales GROUP BY m ORDER BY m",
        "SELECT date_trunc('month', day) AS m, sum(qty) FROM sales GROUP BY 1 ORDER BY 1",
        "SELECT count(*), count(i), count(x), count(t), count(b) FROM nums",
        "SELECT sum(i), avg(i), min(i), max(i) FROM nums",
        "SELECT min(x), max(x), min(t), max(t) FROM nums",
        "SELECT b, count(*), sum(i) FROM nums GROUP BY b",
        "SELECT i > 0 AS p, b, count(*) FROM nums GROUP BY p, b",
    ]


@topic("grouping")
def _():
    sets = ["ROLLUP (dept)", "ROLLUP (dept, boss)", "CUBE (dept, boss)", "GROUPING SETS ((dept, boss), (dept), ())",
            "GROUPING SETS ((dept), (boss))", "GROUPING SETS ((dept), (dept), ())", "GROUPING SETS ((), ())",
            "dept, ROLLUP (boss)", "ROLLUP (dept), ROLLUP (boss)", "ROLLUP ((dept, boss))", "boss, CUBE (dept)",
            "GROUPING SETS (ROLLUP (dept, boss), CUBE (dept), (boss))", "ROLLUP (dept), CUBE (boss)"]
    aggs = ["count(*)", "count(salary)", "sum(id)", "sum(salary)", "avg(salary)", "min(name)", "max(hired)", "count(DISTINCT boss)",
            "sum(DISTINCT dept)", "median(salary)", "count(*) FILTER (WHERE salary > 4000)", "bool_or(salary > 6000)",
            "sum(dept), sum(boss)", "stddev(salary)", "count(*) + sum(id)", "sum(DISTINCT salary), count(*)",
            "sum(1), count(1), sum(coalesce(salary, 0))", "sum(salary / 3.0), avg(salary / 3.0), var_pop(id)",
            "round(corr(id, salary), 9), product(dept), regr_count(id, salary)",
            "count(DISTINCT boss), count(DISTINCT salary), sum(id), count(*)",
            "count(DISTINCT name) FILTER (WHERE id > 105), avg(salary), min(hired)",
            "sum(salary) FILTER (WHERE boss = 1), avg(CASE WHEN id > 105 THEN salary ELSE 0 END)"]
    for s, a in itertools.product(sets, aggs):
        yield f"SELECT {a} FROM emp GROUP BY {s}"
        yield f"SELECT {a} FROM emp WHERE id > 100 GROUP BY {s}"
    for s in sets:
        if "dept" in s and "boss" in s:
            yield f"SELECT dept, boss, count(*), grouping(dept), grouping(boss), grouping(dept, boss), grouping_id(boss, dept) FROM emp GROUP BY {s}"
            yield f"SELECT dept, boss, count(*) FROM emp WHERE false GROUP BY {s}"
            yield f"SELECT dept + 1, boss * 2, dept + boss, sum(salary) FROM emp GROUP BY {s} HAVING count(*) > 1"
            yield f"SELECT dept, sum(id) FROM emp GROUP BY {s} HAVING dept = 10"
            yield f"SELECT dept, sum(id) FROM emp GROUP BY {s} HAVING grouping(dept) = 1"
            yield f"SELECT sum(dept), sum(boss), max(dept), count(dept) FROM emp GROUP BY {s}"
            yield f"SELECT DISTINCT dept FROM emp GROUP BY {s}"
            yield f"SELECT dept, first(name) FROM (SELECT * FROM emp ORDER BY id) GROUP BY {s} HAVING count(*) = 1"
    yield from [
        "!SELECT dept, boss, count(*) FROM emp GROUP BY ROLLUP (dept, boss) ORDER BY grouping(dept), dept, grouping(boss), boss",
        "!SELECT dept, sum(salary) s FROM emp GROUP BY ROLLUP (dept) ORDER BY s DESC NULLS LAST, dept NULLS FIRST LIMIT 3",
        "!SELECT CASE WHEN grouping(dept) = 1 THEN 'all' ELSE coalesce(dept::text, 'none') END AS d, count(*) FROM emp GROUP BY ROLLUP (dept) ORDER BY 2 DESC, 1",
        "SELECT dept AS d, length(name) AS n, count(*) FROM emp GROUP BY ROLLUP (d, n)",
        "SELECT dept, boss, count(*) FROM emp GROUP BY ROLLUP (1, 2)",
        "SELECT dept, boss, count(*) FROM emp GROUP BY CUBE (1, 2)",
        "SELECT extract(year FROM hired) AS y, dept, count(*) FROM emp GROUP BY ROLLUP (y, dept)",
        "SELECT extract(year FROM hired), count(*) FROM emp GROUP BY ROLLUP (extract(year FROM hired))",
        "SELECT salary > 4000, boss IS NULL, count(*), sum(salary) FROM emp GROUP BY CUBE (salary > 4000, boss IS NULL)",
        "SELECT item, extract(month FROM day) m, sum(qty), sum(qty * price), avg(price) FROM sales GROUP BY CUBE (item, m)",
        "SELECT item, emp, day, count(*) FROM sales GROUP BY CUBE (item, emp, day)",
        "SELECT item, emp, day, sum(qty) FROM sales GROUP BY ROLLUP (item, emp, day)",
        "SELECT item, emp, grouping(day), sum(qty) FROM sales GROUP BY item, ROLLUP (emp, day)",
        "SELECT d.title, e.boss, count(*) FROM emp e LEFT JOIN dept d ON e.dept = d.dept GROUP BY ROLLUP (d.title, e.boss)",
        "SELECT * FROM (SELECT dept, count(*) n FROM emp GROUP BY ROLLUP (dept)) WHERE dept IS NULL",
        "SELECT * FROM (SELECT dept, count(*) n FROM emp GROUP BY ROLLUP (dept)) WHERE dept = 10",
        "SELECT * FROM (SELECT dept, grouping(dept) g, count(*) n FROM emp GROUP BY ROLLUP (dept)) WHERE g = 1",
        "SELECT a.dept, a.n, b.n FROM (SELECT dept, count(*) n FROM emp GROUP BY ROLLUP (dept)) a JOIN (SELECT dept, count(*) n FROM dept GROUP BY CUBE (dept)) b ON a.dept = b.dept",
        "SELECT dept, (SELECT count(*) FROM dept) FROM emp GROUP BY ROLLUP (dept)",
        "SELECT dept, count(*) FROM emp GROUP BY ROLLUP (dept) HAVING count(*) > (SELECT avg(id) - 3 FROM emp)",
        "SELECT grouping(dept), count(*) FROM emp GROUP BY dept",
        "SELECT b, i > 0 AS p, count(*), sum(x), min(t) FROM nums GROUP BY CUBE (b, p)",
        "SELECT b, count(*), avg(i), sum(i) FROM nums WHERE i IS NULL GROUP BY ROLLUP (b)",
        "SELECT t, b, i, x, count(*) FROM nums GROUP BY GROUPING SETS ((t), (b), (i), (x))",
        "SELECT v, count(*) FROM (VALUES ('é'), ('e'), (NULL), ('')) t(v) GROUP BY ROLLUP (v)",
        "SELECT v, sum(w) FROM (VALUES (1.10, 2.5), (1.1, 0.05), (NULL, 1)) t(v, w) GROUP BY ROLLUP (v)",
        "SELECT count(*), sum(x) FROM (SELECT 1 AS x WHERE false) GROUP BY GROUPING SETS ((), (), (x))",
        "SELECT x, y FROM (SELECT 1 AS x, 2 AS y) GROUP BY CUBE (x, y)",
        "SELECT dept, boss, id, count(*) FROM emp GROUP BY ROLLUP ((dept, boss), id)",
        "SELECT dept FROM emp GROUP BY ROLLUP (dept) UNION ALL SELECT dept FROM dept",
    ]


@topic("ordered")
def _():
    keys = ["id", "id DESC", "salary, id", "salary DESC, id DESC", "salary NULLS FIRST, id", "name DESC", "hired DESC NULLS FIRST, id",
            "boss, dept, id DESC", "length(name), name", "dept DESC NULLS LAST, id"]
    for k, by in itertools.product(keys, [None, "dept", "boss", "dept IS NULL"]):
        group = f" GROUP BY {by}" if by else ""
        head = f"{by}, " if by else ""
        for a in ["name", "salary", "boss", "hired"]:
            yield f"SELECT {head}first({a} ORDER BY {k}), last({a} ORDER BY {k}) FROM emp{group}"
        yield f"SELECT {head}string_agg(name, ', ' ORDER BY {k}) FROM emp{group}"
        yield f"SELECT {head}string_agg(name, '' ORDER BY {k}), string_agg(dept, '-' ORDER BY {k}), count(*) FROM emp{group}"
        yield f"SELECT {head}any_value(salary ORDER BY {k}), sum(id ORDER BY {k}) FROM emp{group}"
    for x, y in itertools.product(["id", "name", "salary", "hired", "boss"], ["id", "name", "salary * 10 + id", "boss * 100 + id", "-id"]):
        yield f"SELECT arg_min({x}, {y}), arg_max({x}, {y}), min_by({x}, {y}), max_by({x}, {y}) FROM emp"
        yield f"SELECT dept, arg_min({x}, {y}), arg_max({x}, {y}) FROM emp GROUP BY dept"
        yield f"SELECT arg_min({x}, {y}) FILTER (WHERE dept = 10), arg_max({x}, {y}) FROM emp WHERE id > 2"
    for t in ["i", "x", "t", "b"]:
        yield f"SELECT first({t} ORDER BY i), last({t} ORDER BY i), first({t} ORDER BY x DESC), arg_max({t}, x), arg_min({t}, i) FROM nums"
        yield f"SELECT string_agg({t}, '|' ORDER BY i NULLS FIRST) FROM nums"
    yield from [
        "SELECT string_agg(name, ',') FROM (SELECT name FROM emp WHERE id = 3)",
        "SELECT string_agg(name, ',') FROM emp WHERE false",
        "SELECT string_agg(name) FROM emp WHERE id = 1",
        "SELECT string_agg(NULL, ','), string_agg(name, ',') FROM emp WHERE id = 2",
        "SELECT dept, string_agg(name, ',' ORDER BY name) FROM emp WHERE salary IS NULL GROUP BY dept",
        "SELECT string_agg(DISTINCT boss, ',' ORDER BY boss) FROM emp",
        "SELECT string_agg(DISTINCT boss::text, '' ORDER BY boss::text DESC) FROM emp",
        "SELECT listagg(name, ';' ORDER BY id) FROM emp",
        "SELECT group_concat(name, ';' ORDER BY id) FROM emp",
        "SELECT string_agg(name, ', ' ORDER BY id) FILTER (WHERE dept = 10) FROM emp",
        "SELECT dept, string_agg(name, ', ' ORDER BY id) AS names FROM emp GROUP BY dept HAVING names LIKE '%e%'",
        "SELECT dept, upper(string_agg(name, 'é' ORDER BY name)), length(string_agg(name, 'é' ORDER BY name)) FROM emp GROUP BY dept",
        "SELECT string_agg(v, '→' ORDER BY v) FROM (VALUES ('ü'), ('u'), ('z'), (''), (NULL), ('日本')) t(v)",
        "SELECT string_agg(v, ',' ORDER BY v DESC) FROM (VALUES (1.50), (-2.25), (10.00)) t(v)",
        "SELECT string_agg(v, ',' ORDER BY v) FROM (VALUES (DATE '2024-05-06'), (DATE '1999-01-01'), (NULL)) t(v)",
        "SELECT first(v ORDER BY v), last(v ORDER BY v) FROM (VALUES (1.50), (-2.25), (10.00)) t(v)",
        "SELECT first(v ORDER BY v), last(v ORDER BY v) FROM (VALUES (TIMESTAMP '2024-05-06 10:00:00'), (TIMESTAMP '1969-01-01 00:00:00')) t(v)",
        "SELECT first(v ORDER BY v), last(v ORDER BY v) FROM (VALUES (1e300), (-1e-300), ('nan'::double), ('inf'::double)) t(v)",
        "SELECT first(v ORDER BY v DESC NULLS FIRST) FROM (VALUES (1), (NULL), (3)) t(v)",
        "SELECT first(v ORDER BY w), last(v ORDER BY w) FROM (VALUES (NULL, 1), (2, 2), (NULL, 3)) t(v, w)",
        "SELECT any_value(v ORDER BY w) FROM (VALUES (NULL, 1), (2, 2), (NULL, 3)) t(v, w)",
        "SELECT arg_max(v, w) FROM (VALUES (NULL, 9), (2, 2), (1, NULL)) t(v, w)",
        "SELECT count_if(salary > 4000), count_if(salary IS NULL), countif(false) FROM emp",
        "SELECT dept, count_if(salary > 4000) FROM emp GROUP BY dept",
        "SELECT count_if(id > 3) FILTER (WHERE dept = 20) FROM emp",
        "SELECT any_value(dept) FROM emp WHERE dept = 20",
        "SELECT any_value(dept) FROM emp WHERE dept IS NULL",
        "SELECT dept, any_value(title) FROM dept GROUP BY dept",
        "SELECT dept, arg_max(name, salary), max(salary), string_agg(name, ',' ORDER BY salary DESC, id) FROM emp GROUP BY ROLLUP (dept)",
        "SELECT d.title, string_agg(e.name, ',' ORDER BY e.id) FROM emp e JOIN dept d ON e.dept = d.dept GROUP BY d.title",
        "!SELECT item, first(price ORDER BY day, qty), last(price ORDER BY day, qty) FROM sales GROUP BY item ORDER BY first(price ORDER BY day, qty) DESC, item",
        "SELECT percentile_cont(0.25) WITHIN GROUP (ORDER BY salary) FROM emp",
        "SELECT dept, percentile_cont(0.25) WITHIN GROUP (ORDER BY salary DESC) FROM emp GROUP BY dept",
    ]
    for d, by in itertools.product([None, "dept", "boss IS NULL", "ROLLUP (dept)", "CUBE (dept, boss)"],
                                   ["sum(DISTINCT dept), count(DISTINCT boss)", "avg(DISTINCT salary), sum(DISTINCT boss), count(*)",
                                    "avg(id), sum(DISTINCT dept)", "median(salary), avg(DISTINCT boss), stddev(id), min(name)",
                                    "sum(DISTINCT salary) FILTER (WHERE id > 3), sum(DISTINCT salary), count(DISTINCT dept) FILTER (WHERE id > 3)",
                                    "first(name ORDER BY id), sum(DISTINCT dept), avg(DISTINCT id % 3), string_agg(name, ',' ORDER BY id)",
                                    "stddev(DISTINCT dept), var_pop(DISTINCT boss), max(DISTINCT id), bool_or(salary > 4000)"]):
        group = f" GROUP BY {d}" if d else ""
        yield f"SELECT {by} FROM emp{group}"
        yield f"SELECT {by} FROM emp WHERE false{group}"
    yield from [
        "SELECT sum(DISTINCT i), avg(DISTINCT x), count(DISTINCT t), count(DISTINCT b) FROM nums",
        "SELECT b, sum(DISTINCT i), avg(DISTINCT x), count(i) FROM nums GROUP BY b",
        "SELECT item, sum(DISTINCT price), sum(price), avg(qty), count(DISTINCT day) FROM sales GROUP BY item",
    ]
    for k in ["dept", "boss", "dept, boss", "dept IS NULL", "length(name)", "extract(year FROM hired)"]:
        yield f"!SELECT DISTINCT ON ({k}) id, name FROM emp ORDER BY id"
        yield f"!SELECT DISTINCT ON ({k}) * FROM emp ORDER BY salary DESC, id"
        yield f"!SELECT DISTINCT ON ({k}) name, salary FROM emp ORDER BY salary NULLS FIRST, id DESC LIMIT 3"
        yield f"!SELECT DISTINCT ON ({k}) name AS n, id + 1 AS x FROM emp ORDER BY x DESC"
        yield f"SELECT count(*), sum(id) FROM (SELECT DISTINCT ON ({k}) id FROM emp ORDER BY hired, id)"
    yield from [
        "!SELECT DISTINCT ON (1) dept, name FROM emp ORDER BY dept, name",
        "!SELECT DISTINCT ON (d) dept AS d, name FROM emp ORDER BY d NULLS FIRST, name DESC",
        "!SELECT DISTINCT ON (n) dept, count(*) AS n FROM emp GROUP BY dept ORDER BY n, dept",
        "!SELECT DISTINCT ON (d.city) d.city, e.name FROM emp e JOIN dept d ON e.dept = d.dept ORDER BY d.city, e.salary DESC NULLS LAST, e.id",
        "!SELECT DISTINCT ON (item) item, day, qty, price FROM sales ORDER BY item, day DESC, qty",
        "!SELECT DISTINCT ON (item) * EXCLUDE (emp) FROM sales ORDER BY qty DESC NULLS LAST, day, item",
        "SELECT DISTINCT ON (dept) dept FROM emp WHERE false",
        "!SELECT DISTINCT ON (b) b, i, x, t FROM nums ORDER BY b, i NULLS FIRST",
    ]


@topic("lateral")
def _():
    subs = ["SELECT s.item, s.qty FROM sales s WHERE s.emp = e.id", "SELECT s.qty + e.id AS q FROM sales s WHERE s.emp = e.id AND s.qty > e.id",
            "SELECT e.id * 2 AS double", "SELECT count(*) AS n, sum(s.qty) AS q FROM sales s WHERE s.emp = e.id",
            "SELECT count(*) + 1 AS n, max(s.item) AS m, e.id AS i FROM sales s WHERE s.emp = e.id" if False else
            "SELECT count(*) + 1 AS n, max(s.item) AS m FROM sales s WHERE s.emp = e.id",
            "SELECT s.item, count(*) AS n FROM sales s WHERE s.emp = e.id GROUP BY s.item",
            "SELECT s.item, sum(s.qty) AS n FROM sales s WHERE s.emp = e.id GROUP BY s.item HAVING count(*) > 1",
            "SELECT b.name AS boss, 'x' AS x, coalesce(b.salary, 0) AS s FROM emp b WHERE b.id = e.boss",
            "SELECT d.title FROM dept d WHERE d.dept = e.dept AND d.city = 'Bern'", "SELECT title FROM dept", "SELECT count(*) AS n FROM dept"]
    for sub in subs:
        yield f"SELECT * FROM emp e, LATERAL ({sub}) l"
        yield f"SELECT e.name, l.* FROM emp e CROSS JOIN LATERAL ({sub}) l"
        yield f"SELECT e.name, l.* FROM emp e LEFT JOIN LATERAL ({sub}) l ON true"
        yield f"SELECT count(*) FROM emp e JOIN LATERAL ({sub}) l ON true WHERE e.dept = 10"
    yield from [
        "SELECT e.id, l.q, d.title FROM emp e, LATERAL (SELECT sum(qty) AS q FROM sales s WHERE s.emp = e.id) l, dept d WHERE d.dept = e.dept",
        "SELECT * FROM (VALUES (1), (2)) t(x), LATERAL (SELECT x + 1) u(y), LATERAL (SELECT y * 10) v(z)",
        "SELECT t.x, l.n FROM (VALUES (10), (20), (99), (NULL)) t(x), LATERAL (SELECT count(*) FROM emp WHERE dept = x) l(n)",
    ]
    for op, what in itertools.product(["=", "<>", "<", "<=", ">", ">="], ["ANY", "ALL"]):
        for values in ["SELECT boss FROM emp", "SELECT boss FROM emp WHERE boss IS NOT NULL", "SELECT boss FROM emp WHERE false",
                       "SELECT 3", "SELECT NULL::int", "SELECT boss FROM emp WHERE boss = 5"]:
            yield f"SELECT id FROM emp WHERE id {op} {what} ({values})"
            yield f"SELECT id FROM emp WHERE NOT (id {op} {what} ({values}))"
            yield f"SELECT boss {op} {what} ({values}) FROM emp"
        yield f"SELECT t {op} {what} (SELECT t FROM nums WHERE i > 1) FROM nums"
        if (op, what) not in (("=", "ANY"), ("<>", "ALL")):
            yield f"SELECT id, salary {op} {what} (SELECT b.salary FROM emp b WHERE b.dept = e.dept) FROM emp e"
            yield f"SELECT id FROM emp e WHERE salary {op} {what} (SELECT b.salary FROM emp b WHERE b.dept = e.dept AND b.id <> 3)"
    for kind in ["JOIN", "LEFT JOIN"]:
        for c in ["d.dept IN (SELECT dept FROM emp)", "EXISTS (SELECT 1 FROM emp x WHERE x.dept = d.dept)", "d.dept > (SELECT min(dept) FROM dept)",
                  "NOT EXISTS (SELECT 1 FROM sales s WHERE s.qty = d.dept)"]:
            yield f"SELECT e.id, d.title FROM emp e {kind} dept d ON e.dept = d.dept AND {c}"
    yield "SELECT e.id, d.title FROM emp e JOIN dept d ON e.dept = d.dept AND e.id IN (SELECT emp FROM sales)"
    yield "SELECT e.id, d.title FROM emp e JOIN dept d ON e.dept = d.dept AND e.salary > (SELECT avg(salary) FROM emp x WHERE x.dept = d.dept)"
    # the order of a derived table is seen by what stands above it
    yield "SELECT id, (SELECT first(item) FROM (SELECT * FROM sales s WHERE s.emp = e.id ORDER BY qty DESC NULLS LAST) x) FROM emp e"
    yield "SELECT id, (WITH x AS (SELECT * FROM sales s WHERE s.emp = e.id ORDER BY qty NULLS LAST) SELECT last(qty) FROM x WHERE qty IS NOT NULL) FROM emp e"
    yield "SELECT id, (SELECT string_agg(item, '-') FROM (SELECT item FROM sales s WHERE s.emp = e.id GROUP BY item ORDER BY max(qty) DESC NULLS LAST) x) FROM emp e"
    yield "SELECT id, (SELECT string_agg(qty, '-') FROM (SELECT qty FROM sales s WHERE s.emp <= e.id ORDER BY abs(qty - e.id * 2), qty) x) FROM emp e"


@topic("order")
def _():
    for k, d, n in itertools.product(["id", "name", "salary", "dept", "hired", "boss", "length(name)", "-id", "salary / 2", "2", "dept + id"],
                                     ["", " ASC", " DESC"], ["", " NULLS FIRST", " NULLS LAST"]):
        nulls = n or " NULLS LAST"
        if k == "2":
            yield f"!SELECT id, salary FROM emp ORDER BY 2{d}{nulls}, 1"
        else:
            yield f"!SELECT id FROM emp ORDER BY {k}{d}{nulls}, id"
    for k1, k2 in itertools.permutations(["dept", "boss", "name", "salary DESC", "hired"], 2):
        yield f"!SELECT id, name FROM emp ORDER BY {k1}, {k2}, id DESC"
        yield f"!SELECT id FROM emp ORDER BY {k1}, {k2}, id LIMIT 4 OFFSET 2"
    yield from [
        "!SELECT dept, id FROM emp ORDER BY ALL",
        "!SELECT dept, id FROM emp ORDER BY ALL DESC NULLS LAST",
        "!SELECT id AS x FROM emp ORDER BY x DESC",
        "!SELECT id + 1 AS x FROM emp ORDER BY x + 1 DESC",
        "!SELECT -id AS id FROM emp ORDER BY id",
        "!SELECT name FROM emp ORDER BY id DESC LIMIT 3",
        "!SELECT DISTINCT dept FROM emp ORDER BY dept DESC NULLS LAST",
        "!SELECT name AS n, dept FROM emp ORDER BY dept NULLS FIRST, n DESC",
        "!SELECT id FROM emp ORDER BY dept IS NULL DESC, id",
        "!SELECT id FROM emp ORDER BY CASE WHEN dept = 20 THEN 0 ELSE 1 END, id",
        "!SELECT t.id FROM emp t ORDER BY t.id DESC LIMIT 2",
        "!SELECT * FROM (SELECT id FROM emp ORDER BY id DESC LIMIT 3) ORDER BY id",
        "!SELECT id FROM emp ORDER BY 1 DESC LIMIT 3",
        "!SELECT x FROM nums ORDER BY x NULLS LAST",
        "!SELECT t FROM nums ORDER BY t DESC NULLS FIRST",
        "!SELECT i, b FROM nums ORDER BY b NULLS LAST, i NULLS FIRST",
    ]


@topic("join")
def _():
    on = ["e.dept = d.dept", "e.dept = d.dept AND e.salary > 4000", "e.dept = d.dept AND d.city = 'Zürich'",
          "e.dept < d.dept", "e.dept = d.dept OR e.id = 1", "e.dept = d.dept AND e.id + 10 > d.dept", "e.dept + 10 = d.dept",
          "true", "e.dept = d.dept AND e.dept IS NOT NULL"]
    for kind, c in itertools.product(["JOIN", "INNER JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "LEFT OUTER JOIN", "FULL OUTER JOIN"], on):
        yield f"SELECT e.id, e.dept, d.dept, d.title FROM emp e {kind} dept d ON {c}"
        yield f"SELECT count(*), count(e.id), count(d.title) FROM emp e {kind} dept d ON {c}"
    for kind, c in itertools.product(["SEMI JOIN", "ANTI JOIN"], on[:7]):
        yield f"SELECT e.id, e.name FROM emp e {kind} dept d ON {c}"
    for kind in ["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]:
        yield f"SELECT * FROM emp {kind} dept USING (dept)"
        yield f"SELECT dept, name, title FROM emp {kind} dept USING (dept)"
        yield f"SELECT emp.dept, dept.dept, dept FROM emp {kind} dept USING (dept)"
        yield f"SELECT dept, count(*) FROM emp {kind} dept USING (dept) GROUP BY dept"
        yield f"SELECT * FROM emp NATURAL {kind} dept"
        yield f"SELECT e.name, b.name FROM emp e {kind} emp b ON e.boss = b.id"
        yield f"SELECT e.name, s.item FROM emp e {kind} sales s ON e.id = s.emp"
        yield f"SELECT e.name, s.item, d.city FROM emp e {kind} sales s ON e.id = s.emp {kind} dept d ON d.dept = e.dept"
        yield f"SELECT sum(s.qty) FROM emp e {kind} sales s ON e.id = s.emp AND s.price > 0.5 WHERE e.dept IS NOT NULL"
        yield f"SELECT d.title, count(*), sum(salary) FROM emp e {kind} dept d ON e.dept = d.dept GROUP BY d.title"
        yield f"SELECT a.id, b.id FROM (SELECT id FROM emp WHERE id < 4) a {kind} (SELECT id FROM emp WHERE id > 2 AND id < 7) b ON a.id = b.id"
        yield f"SELECT a.x, b.y FROM (VALUES (1), (2), (NULL)) a(x) {kind} (VALUES (2), (3), (NULL)) b(y) ON a.x = b.y"
        yield f"SELECT a.x, b.y FROM (VALUES (1), (2), (2)) a(x) {kind} (VALUES (2), (2), (3)) b(y) ON a.x = b.y"
        yield f"SELECT x, y FROM (VALUES (1, 'a'), (2, 'b')) a(k, x) {kind} (VALUES (2, 'c'), (3, 'd')) b(k, y) USING (k)"
        yield f"SELECT k FROM (VALUES (1), (2)) a(k) {kind} (VALUES (2), (3)) b(k) USING (k) WHERE k > 1"
    yield from [
        "SELECT count(*) FROM emp, dept",
        "SELECT count(*) FROM emp CROSS JOIN dept",
        "SELECT e.id, d.title FROM emp e, dept d WHERE e.dept = d.dept",
        "SELECT e.id, d.title FROM emp e, dept d WHERE e.dept = d.dept AND d.city = 'Bern'",
        "SELECT e.name, s.item, d.title FROM emp e, sales s, dept d WHERE e.id = s.emp AND d.dept = e.dept",
        "SELECT e.name, s.item, d.title FROM sales s, dept d, emp e WHERE e.id = s.emp AND d.dept = e.dept AND s.qty > 5",
        "SELECT d.city, sum(s.qty * s.price) FROM dept d, sales s, emp e WHERE e.id = s.emp AND d.dept = e.dept GROUP BY d.city",
        "SELECT count(*) FROM emp a, emp b WHERE a.id < b.id",
        "SELECT count(*) FROM emp a, emp b WHERE a.boss = b.id AND a.salary < b.salary",
        "SELECT a.id, b.id, c.id FROM emp a, emp b, emp c WHERE a.boss = b.id AND b.boss = c.id",
        "SELECT a.id, b.id FROM emp a, emp b WHERE (a.boss = b.id AND b.dept = 10) OR (a.boss = b.id AND b.dept = 30)",
        "SELECT count(*) FROM emp e JOIN (dept d JOIN sales s ON d.dept = 10) ON e.dept = d.dept",
        "SELECT e.id FROM emp e JOIN dept d ON e.dept = d.dept JOIN sales s ON s.emp = e.id WHERE s.item = 'apple' AND d.title = 'Research'",
        "SELECT e.id FROM emp e LEFT JOIN dept d ON e.dept = d.dept WHERE d.dept IS NULL",
        "SELECT e.id FROM emp e LEFT JOIN dept d ON e.dept = d.dept WHERE d.city = 'Zürich'",
        "SELECT e.id, d.dept FROM emp e FULL JOIN dept d ON e.dept = d.dept WHERE e.id IS NULL OR d.dept IS NULL",
        "SELECT * FROM (SELECT 1 AS a) x, (SELECT 2 AS b) y",
        "SELECT a, b FROM (SELECT 1 AS a) x JOIN (SELECT 1 AS b) y ON a = b",
        "SELECT e.dept, x.n FROM emp e JOIN (SELECT dept, count(*) n FROM emp GROUP BY dept) x ON e.dept = x.dept",
        "SELECT n.i, e.id FROM nums n JOIN emp e ON n.i = e.id",
        "SELECT n.x, e.id FROM nums n JOIN emp e ON n.x = e.id - 0.5",
        "SELECT n.i, e.dept FROM nums n JOIN emp e ON n.i * 10 = e.dept",
    ]


@topic("asof")
def _():
    # no two quotes are of one symbol and moment: which of them DuckDB takes is not said
    for how, op in itertools.product(["ASOF JOIN", "ASOF LEFT JOIN"], [">=", ">", "<=", "<"]):
        yield f"SELECT t.sym, t.ts, qty, q.ts, px FROM trades t {how} quotes q ON t.sym = q.sym AND t.ts {op} q.ts"
        yield f"SELECT qty, px FROM trades t {how} quotes q ON q.ts {op} t.ts AND q.sym = t.sym"
        yield f"SELECT qty, q.sym, px FROM trades t {how} (SELECT * FROM quotes WHERE sym <> 'A') q ON t.ts {op} q.ts"
        yield f"SELECT a.id, b.id FROM emp a {how} emp b ON a.dept = b.dept AND a.salary {op} b.salary WHERE b.id IS NULL OR a.salary <> b.salary OR a.id = b.id"
        yield f"SELECT a.i, b.i FROM nums a {how} (SELECT * FROM nums WHERE x IS NOT NULL) b ON a.x {op} b.x + 0.5"
        yield f"SELECT a.name, b.title FROM emp a {how} dept b ON a.name {op} b.title"
        yield f"SELECT a.hired, b.day, b.n FROM emp a {how} (SELECT day, count(*) AS n FROM sales GROUP BY day) b ON a.hired {op} b.day"
        yield f"SELECT a.id, b.v FROM emp a {how} (VALUES (3900.0, 'x'), (5000.5, 'y')) b(s, v) ON a.salary {op} b.s"
        yield f"SELECT t.qty, n.i FROM trades t {how} nums n ON t.qty {op} n.x"
        yield f"SELECT a.x, b.y FROM (VALUES (1.5), ('nan'::DOUBLE), ('inf'::DOUBLE), (-0.0::DOUBLE), (NULL), ('-inf'::DOUBLE)) a(x) {how} (VALUES ('nan'::DOUBLE), (0.0::DOUBLE), (1e300), (NULL), (1.5)) b(y) ON a.x {op} b.y"
        yield f"SELECT qty FROM trades t {how} (SELECT * FROM quotes WHERE false) q ON t.sym = q.sym AND t.ts {op} q.ts"
        yield f"SELECT qty, px FROM (SELECT * FROM trades WHERE false) t {how} quotes q ON t.sym = q.sym AND t.ts {op} q.ts"
    yield from [
        "SELECT * FROM trades ASOF JOIN quotes USING (sym, ts)",
        "SELECT * FROM trades ASOF LEFT JOIN quotes USING (sym, ts)",
        "SELECT * FROM trades t ASOF LEFT JOIN (SELECT * FROM quotes WHERE sym IS NOT NULL) q USING (ts) WHERE q.sym = 'B'",
        "SELECT qty, px FROM trades ASOF LEFT OUTER JOIN quotes ON trades.sym = quotes.sym AND trades.ts >= quotes.ts",
        "SELECT qty, px FROM trades ASOF INNER JOIN quotes ON trades.sym = quotes.sym AND trades.ts >= quotes.ts",
        "SELECT qty, px FROM trades t asof join quotes q ON lower(t.sym) = lower(q.sym) AND t.ts - INTERVAL '1 minute' >= q.ts",
        "SELECT qty, px FROM trades t ASOF JOIN quotes q ON t.sym = q.sym AND t.ts >= q.ts WHERE px > 5",
        "SELECT qty, px FROM trades t ASOF JOIN quotes q ON t.sym = q.sym AND t.ts >= q.ts WHERE q.sym = 'B' AND qty > 2",
        "SELECT qty, px FROM trades t ASOF LEFT JOIN quotes q ON t.sym = q.sym AND t.ts >= q.ts WHERE px IS NULL",
        "SELECT qty, px FROM trades t ASOF LEFT JOIN quotes q ON t.sym = q.sym AND t.ts >= q.ts WHERE t.sym = 'A' AND q.ts > TIMESTAMP '2024-01-01 10:00:00'",
        "SELECT t.sym, count(*), count(px), sum(qty) FROM trades t ASOF LEFT JOIN quotes q ON t.sym = q.sym AND t.ts >= q.ts GROUP BY t.sym",
        "!SELECT qty, px FROM trades t ASOF JOIN quotes q ON t.sym = q.sym AND t.ts >= q.ts ORDER BY px DESC, qty LIMIT 3",
        "SELECT t.qty, q.px, r.px FROM trades t ASOF LEFT JOIN quotes q ON t.sym = q.sym AND t.ts >= q.ts ASOF LEFT JOIN quotes r ON t.sym = r.sym AND t.ts < r.ts",
        "SELECT t.qty, q.px, e.name FROM trades t ASOF JOIN quotes q ON t.sym = q.sym AND t.ts >= q.ts JOIN emp e ON e.id = t.qty",
        "SELECT e.name, q.px FROM emp e JOIN trades t ON e.id = t.qty ASOF JOIN quotes q ON t.sym = q.sym AND t.ts >= q.ts",
        "WITH t AS (SELECT * FROM trades WHERE qty < 9) SELECT qty, (SELECT max(px) FROM quotes q2 WHERE q2.sym = t.sym) FROM t ASOF JOIN quotes q USING (sym, ts)",
        "SELECT DISTINCT sym FROM trades ASOF JOIN quotes USING (sym, ts)",
    ]


@topic("plans")
def _():
    # what the optimiser takes apart, moves or shares, with nulls, ties and nothing
    yield from [
        "WITH t AS (SELECT dept, sum(salary) s FROM emp GROUP BY dept) SELECT a.dept, a.s FROM t a WHERE a.s = (SELECT max(s) FROM t)",
        "WITH t AS (SELECT dept, sum(salary) s, count(*) n FROM emp GROUP BY dept) SELECT a.dept, a.s, b.n FROM t a, t b WHERE a.dept = b.dept",
        "WITH t AS (SELECT dept, sum(salary) s, count(*) n FROM emp GROUP BY dept) SELECT (SELECT sum(n) FROM t), (SELECT max(s) FROM t)",
        "WITH t AS (SELECT DISTINCT dept FROM emp) SELECT count(*) FROM t a CROSS JOIN t b",
        "WITH t AS (SELECT DISTINCT dept FROM emp) SELECT a.dept FROM t a LEFT JOIN t b ON a.dept = b.dept + 10 WHERE b.dept IS NULL",
        "WITH t AS (SELECT dept, salary FROM emp ORDER BY salary DESC NULLS LAST, id LIMIT 4) SELECT a.dept, count(*) FROM t a JOIN t b ON a.salary > b.salary GROUP BY a.dept",
        "WITH t AS (SELECT count(*) n FROM emp WHERE id < 0) SELECT a.n + b.n FROM t a, t b",
        "WITH t AS (SELECT item, sum(qty) q FROM sales GROUP BY item) SELECT * FROM t UNION ALL SELECT * FROM t",
        "WITH t AS (SELECT item, sum(qty) q FROM sales GROUP BY item) SELECT q, item FROM t UNION SELECT q + 0, item FROM t",
        "WITH t AS (SELECT item, sum(qty) q FROM sales GROUP BY item), u AS (SELECT item FROM t WHERE q > 5) SELECT t.item FROM t JOIN u USING (item)",
        "SELECT a.n, b.n FROM (SELECT dept, count(*) n FROM emp GROUP BY dept) a JOIN (SELECT dept, count(*) n FROM emp GROUP BY dept) b ON a.dept = b.dept",
        "SELECT a.n, b.n FROM (SELECT dept, count(*) n FROM emp WHERE id > 2 GROUP BY dept) a JOIN (SELECT dept, count(*) n FROM emp WHERE id > 3 GROUP BY dept) b ON a.dept = b.dept",
        "SELECT e.name, d.title, s.item FROM sales s JOIN emp e ON s.emp = e.id JOIN dept d ON e.dept = d.dept",
        "SELECT e.name, d.title, s.item FROM dept d JOIN emp e ON e.dept = d.dept JOIN sales s ON s.emp = e.id",
        "SELECT e.name, d.title, s.item FROM dept d, sales s, emp e WHERE e.dept = d.dept AND s.emp = e.id",
        "SELECT count(*), sum(s.qty) FROM dept d, sales s, emp e WHERE e.dept = d.dept AND s.emp = e.id AND d.title <> 'Sales'",
        "SELECT count(*) FROM dept d, sales s, emp e WHERE s.emp = e.id",
        "SELECT count(*) FROM emp a, emp b, emp c WHERE a.id = b.boss AND b.id = c.boss",
        "SELECT a.name, c.name FROM emp a JOIN emp b ON a.id = b.boss JOIN emp c ON b.id = c.boss",
        "SELECT a.name FROM emp a JOIN emp b ON a.id + 1 = b.id JOIN emp c ON a.id + b.id = c.id",
        "SELECT count(*) FROM emp a JOIN emp b ON a.id = b.id AND a.salary > b.id JOIN dept d ON d.dept = a.dept AND d.dept > b.id",
        "SELECT count(*) FROM emp a JOIN emp b ON a.dept = b.dept JOIN emp c ON b.dept = c.dept AND a.dept = c.dept",
        "SELECT e.name, d.title FROM emp e JOIN dept d ON e.dept = d.dept WHERE (e.name = 'Ada' AND d.title = 'Research') OR (e.name = 'Cleo' AND d.title = 'Sales')",
        "SELECT e.name, d.title FROM emp e JOIN dept d ON e.dept = d.dept WHERE (e.id = 1 AND d.title = 'Research') OR (e.salary IS NULL AND d.dept = 20) OR (e.id > 7 AND d.dept >= 10)",
        "SELECT e.name, d.title FROM emp e JOIN dept d ON e.dept = d.dept WHERE e.id = 1 OR (e.id = 3 AND d.dept = 20)",
        "SELECT e.name FROM emp e LEFT JOIN dept d ON e.dept = d.dept WHERE (e.id = 1 AND d.dept = 10) OR (e.id = 5 AND d.dept IS NULL)",
        "SELECT sum(q) FROM (SELECT s.emp, sum(s.qty) q FROM sales s GROUP BY s.emp) t JOIN emp e ON e.id = t.emp JOIN dept d ON d.dept = e.dept WHERE d.title = 'Research'",
        "SELECT e.name FROM emp e JOIN dept d ON d.dept = e.dept WHERE e.salary > (SELECT avg(x.salary) FROM emp x WHERE x.dept = e.dept)",
        "SELECT e.name FROM emp e JOIN dept d ON d.dept = e.dept WHERE EXISTS (SELECT 1 FROM emp x WHERE x.dept = e.dept AND x.id <> e.id)",
        "SELECT e.name FROM emp e JOIN dept d ON d.dept = e.dept WHERE NOT EXISTS (SELECT 1 FROM emp x WHERE x.dept = e.dept AND x.id <> e.id)",
        "SELECT e.id, t.q FROM emp e LEFT JOIN (SELECT emp, sum(qty) q FROM sales GROUP BY emp) t ON t.emp = e.id WHERE e.dept IN (10, 30)",
        "SELECT id FROM emp WHERE hired IN (DATE '2016-07-15', DATE '2020-02-29', NULL)",
        "SELECT id FROM emp WHERE salary IN (3900, 4100.25)",
        "SELECT id FROM emp WHERE name IN ('Ada', 'nobody') AND dept IN (10, 20)",
        "SELECT id FROM emp WHERE dept = 10 AND 10 / (id - 1) > 2",
        "SELECT id FROM emp WHERE id <> 1 AND name LIKE '%a%' AND dept = 10 AND hired < DATE '2018-01-01'",
    ]


@topic("sets")
def _():
    sides = ["SELECT dept FROM emp", "SELECT dept FROM dept", "SELECT boss FROM emp", "SELECT 10", "SELECT NULL", "SELECT i FROM nums",
             "SELECT emp FROM sales WHERE qty > 5"]
    for a, b, op in itertools.product(sides, sides, ["UNION", "UNION ALL", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL"]):
        yield f"{a} {op} {b}"
    pairs = ["SELECT dept, boss FROM emp", "SELECT emp, qty FROM sales", "SELECT 10, NULL"]
    for a, b, op in itertools.product(pairs, pairs, ["UNION", "UNION ALL", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL"]):
        yield f"{a} {op} {b}"
    yield from [
        "SELECT * FROM (VALUES (1), (1), (1), (NULL), (NULL)) a EXCEPT ALL SELECT * FROM (VALUES (1), (NULL), (3)) b",
        "SELECT * FROM (VALUES (1), (1), (1), (NULL), (NULL)) a INTERSECT ALL SELECT * FROM (VALUES (1), (1), (NULL), (3)) b",
        "SELECT count(*), count(x) FROM (SELECT x FROM (VALUES (1), (1), (NULL)) a(x) EXCEPT ALL SELECT 1) t",
        "SELECT dept FROM emp EXCEPT ALL SELECT dept FROM dept EXCEPT ALL SELECT 20",
        "SELECT dept FROM emp UNION ALL SELECT dept FROM emp INTERSECT ALL SELECT dept FROM dept",
        "SELECT 'a' INTERSECT ALL SELECT 'a' WHERE false",
        "!SELECT dept FROM emp EXCEPT ALL SELECT 10 ORDER BY dept DESC NULLS LAST LIMIT 4",
        "SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 2 UNION SELECT 3",
        "SELECT 1 UNION SELECT 2 INTERSECT SELECT 2",
        "(SELECT 1 UNION SELECT 2) INTERSECT SELECT 2",
        "SELECT 1 EXCEPT (SELECT 2 UNION SELECT 1)",
        "SELECT 1 AS a UNION ALL SELECT 2.5",
        "SELECT DATE '2020-01-01' UNION SELECT DATE '2020-01-02'",
        "!SELECT id FROM emp UNION ALL SELECT dept FROM dept ORDER BY 1 NULLS LAST",
        "!SELECT id AS k FROM emp UNION SELECT dept FROM dept ORDER BY k DESC NULLS LAST LIMIT 3",
        "!(SELECT id FROM emp ORDER BY id DESC LIMIT 2) UNION ALL (SELECT dept FROM dept ORDER BY dept NULLS LAST LIMIT 1) ORDER BY 1",
        "SELECT count(*) FROM (SELECT dept FROM emp UNION SELECT dept FROM dept)",
        "SELECT x, count(*) FROM (SELECT dept AS x FROM emp UNION ALL SELECT dept FROM dept) t GROUP BY x",
        "SELECT dept, city FROM dept UNION SELECT dept, name FROM emp",
    ]


@topic("subquery")
def _():
    outer = ["e.id", "e.name"]
    some = ["EXISTS (SELECT * FROM sales s WHERE s.emp = e.id)",
            "EXISTS (SELECT 1 FROM sales s WHERE s.emp = e.id AND s.qty > 5)",
            "EXISTS (SELECT 1 FROM sales s WHERE s.emp = e.id AND s.qty > e.dept)",
            "EXISTS (SELECT 1 FROM emp b WHERE b.boss = e.id)",
            "EXISTS (SELECT 1 FROM emp b WHERE b.dept = e.dept AND b.id <> e.id)",
            "EXISTS (SELECT 1 FROM emp b WHERE b.salary > e.salary)",
            "EXISTS (SELECT 1 FROM dept WHERE false)",
            "EXISTS (SELECT 1 FROM dept)",
            "e.dept IN (SELECT dept FROM dept)",
            "e.dept IN (SELECT dept FROM dept WHERE dept > 10)",
            "e.dept IN (SELECT dept FROM dept WHERE dept IS NOT NULL)",
            "e.id IN (SELECT emp FROM sales)",
            "e.id IN (SELECT boss FROM emp)",
            "e.id IN (SELECT s.emp FROM sales s WHERE s.qty > e.dept)",
            "e.id IN (SELECT emp FROM sales WHERE false)",
            "e.salary > (SELECT avg(salary) FROM emp)",
            "e.salary = (SELECT max(salary) FROM emp)",
            "e.salary > (SELECT avg(b.salary) FROM emp b WHERE b.dept = e.dept)",
            "e.salary >= (SELECT max(b.salary) FROM emp b WHERE b.dept = e.dept)",
            "(SELECT count(*) FROM sales s WHERE s.emp = e.id) > 1",
            "(SELECT count(*) FROM sales s WHERE s.emp = e.id) = 0",
            "(SELECT sum(s.qty) FROM sales s WHERE s.emp = e.id) > 5",
            "(SELECT title FROM dept d WHERE d.dept = e.dept) = 'Research'",
            "e.id < (SELECT min(boss) + 2 FROM emp)"]
    for c in some:
        yield f"SELECT e.id FROM emp e WHERE {c}"
        yield f"SELECT e.id FROM emp e WHERE NOT ({c})"
        if "> e." not in c:
            yield f"SELECT e.id FROM emp e WHERE {c} OR e.id = 4"
            yield f"SELECT e.id, {c} FROM emp e"
            yield f"SELECT sum(CASE WHEN {c} THEN 1 ELSE 0 END) FROM emp e"
        for d in ["e.dept = 10", "e.salary IS NOT NULL"]:
            yield f"SELECT {', '.join(outer)} FROM emp e WHERE {c} AND {d}"
        if " IN (" in c:
            n = c.replace(" IN (", " NOT IN (")
            yield f"SELECT e.id FROM emp e WHERE {n}"
            if "> e." not in c:
                yield f"SELECT e.id, {n} FROM emp e"
    yield from [
        "SELECT id FROM emp WHERE dept = ANY (SELECT dept FROM dept)",
        "SELECT id FROM emp WHERE dept <> ALL (SELECT dept FROM dept WHERE dept IS NOT NULL)",
        "SELECT e.id FROM emp e WHERE e.salary NOT IN (SELECT b.salary FROM emp b WHERE b.dept = e.dept AND b.id <> e.id)",
        "SELECT e.id FROM emp e WHERE 10 NOT IN (SELECT b.dept FROM emp b WHERE b.boss = e.id)",
        "SELECT e.id FROM emp e WHERE NULL NOT IN (SELECT b.dept FROM emp b WHERE b.boss = e.id)",
        "SELECT e.id, (SELECT e.id * count(*) FROM emp b WHERE b.boss = e.id) c FROM emp e",
        "SELECT sum((SELECT count(*) FROM sales s WHERE s.emp = e.id)) FROM emp e",
        "SELECT (SELECT max(qty) FROM sales s WHERE s.emp = e.id) m, count(*) FROM emp e GROUP BY 1",
        "SELECT (SELECT 1)",
        "SELECT (SELECT max(id) FROM emp) + (SELECT min(id) FROM emp)",
        "SELECT id, (SELECT count(*) FROM dept) FROM emp",
        "SELECT name, (SELECT count(*) FROM emp b WHERE b.boss = e.id) AS n FROM emp e",
        "SELECT name, (SELECT sum(qty) FROM sales s WHERE s.emp = e.id) AS n FROM emp e",
        "SELECT name, (SELECT sum(qty) + count(*) FROM sales s WHERE s.emp = e.id) AS n FROM emp e",
        "SELECT name, (SELECT d.title FROM dept d WHERE d.dept = e.dept) FROM emp e",
        "SELECT name, (SELECT d.title || '!' FROM dept d WHERE d.dept = e.dept) FROM emp e",
        "SELECT dept, (SELECT d.title FROM dept d WHERE d.dept = e.dept), count(*) FROM emp e GROUP BY dept",
        "SELECT dept, count(*) FROM emp GROUP BY dept HAVING count(*) > (SELECT count(*) / 10 FROM emp)",
        "SELECT dept, sum(salary) FROM emp GROUP BY dept HAVING sum(salary) >= (SELECT avg(salary) * 2 FROM emp)",
        "!SELECT id FROM emp ORDER BY (SELECT max(id) FROM emp) - id",
        "SELECT * FROM (SELECT id, dept FROM emp) t WHERE dept = 10",
        "SELECT t.a FROM (SELECT id AS a FROM emp) AS t WHERE t.a > 8",
        "SELECT a FROM (SELECT id FROM emp) t(a) WHERE a < 3",
        "SELECT max(s) FROM (SELECT dept, sum(salary) AS s FROM emp GROUP BY dept) t",
        "SELECT * FROM (SELECT * FROM (SELECT id FROM emp) a) b WHERE id = 1",
        "SELECT id FROM emp WHERE dept = (SELECT dept FROM dept WHERE title = 'Sales')",
        "SELECT id FROM emp WHERE dept = (SELECT dept FROM dept WHERE title = 'None')",
        "SELECT 1 IN (SELECT dept FROM dept), 10 IN (SELECT dept FROM dept), NULL IN (SELECT dept FROM dept)",
        "SELECT 1 NOT IN (SELECT dept FROM dept WHERE dept IS NOT NULL)",
        "SELECT EXISTS (SELECT 1 FROM dept), NOT EXISTS (SELECT 1 FROM dept WHERE dept = 77)",
        "SELECT id FROM emp e WHERE dept IN (SELECT dept FROM dept d WHERE d.city IN (SELECT city FROM dept x WHERE x.title = 'Board'))",
        "SELECT id FROM emp e WHERE EXISTS (SELECT 1 FROM dept d WHERE d.dept = e.dept AND EXISTS (SELECT 1 FROM emp b WHERE b.dept = d.dept AND b.id > 8))",
        "SELECT id FROM emp e WHERE salary > (SELECT avg(salary) FROM emp b WHERE b.dept = e.dept) AND id IN (SELECT emp FROM sales)",
        "SELECT sum(salary) FROM emp WHERE id IN (SELECT emp FROM sales GROUP BY emp HAVING count(*) > 1)",
        "SELECT d.title FROM dept d WHERE (SELECT count(*) FROM emp e WHERE e.dept = d.dept) >= 2",
        "SELECT d.title, (SELECT max(e.salary) FROM emp e WHERE e.dept = d.dept AND e.boss IS NOT NULL) FROM dept d",
    ]


@topic("with")
def _():
    yield from [
        "WITH t AS (SELECT 1 AS a) SELECT * FROM t",
        "WITH t AS (SELECT id FROM emp WHERE dept = 10) SELECT count(*) FROM t",
        "WITH t(a, b) AS (SELECT id, name FROM emp) SELECT b FROM t WHERE a = 2",
        "WITH a AS (SELECT id, dept FROM emp), b AS (SELECT dept, count(*) n FROM a GROUP BY dept) SELECT * FROM b",
        "WITH a AS (SELECT id FROM emp) SELECT x.id, y.id FROM a x JOIN a y ON x.id = y.id + 1",
        "WITH a AS (SELECT 1 AS x), b AS (SELECT x + 1 AS x FROM a), c AS (SELECT x + 1 AS x FROM b) SELECT a.x, b.x, c.x FROM a, b, c",
        "WITH emp AS (SELECT 5 AS id) SELECT id FROM emp",
        "WITH t AS (SELECT * FROM (VALUES (1, 'a'), (2, 'b')) v(k, w)) SELECT w FROM t WHERE k = 2",
        "SELECT * FROM (WITH t AS (SELECT 3 AS a) SELECT a FROM t) s",
        "WITH t AS (SELECT dept, avg(salary) m FROM emp GROUP BY dept) SELECT e.name FROM emp e JOIN t ON e.dept = t.dept WHERE e.salary > t.m",
        "WITH t AS (SELECT max(salary) m FROM emp) SELECT name FROM emp, t WHERE salary = m",
        "WITH t AS (SELECT id FROM emp UNION ALL SELECT dept FROM dept) SELECT count(*), sum(id) FROM t",
        "WITH t AS (SELECT id FROM emp) SELECT id FROM emp WHERE id IN (SELECT id FROM t WHERE id > 8)",
        "WITH a AS (SELECT 1 x), b AS (WITH a AS (SELECT 2 x) SELECT x FROM a) SELECT a.x, b.x FROM a, b",
        "!WITH t AS (SELECT id, salary FROM emp) SELECT id FROM t ORDER BY salary DESC NULLS LAST, id LIMIT 3",
        "WITH r AS (SELECT emp, sum(qty) q FROM sales GROUP BY emp) SELECT emp FROM r WHERE q = (SELECT max(q) FROM r)",
        "VALUES (1, 'a'), (2, NULL)",
        "SELECT * FROM (VALUES (1, 2.5), (3, 4)) t",
        "SELECT sum(a) FROM (VALUES (1), (2), (3)) t(a)",
        "SELECT * FROM (VALUES (DATE '2020-01-01', true)) t(d, b)",
        "SELECT a FROM (VALUES (NULL), (1), (NULL)) t(a) WHERE a IS NULL",
        "!SELECT * FROM (VALUES (3), (1), (2)) t(a) ORDER BY a",
    ]


@topic("dates")
def _():
    for n, unit, op in itertools.product([1, 3, 12, 30], ["day", "month", "year", "week"], ["+", "-"]):
        yield f"SELECT DATE '2020-01-31' {op} INTERVAL '{n}' {unit}"
        yield f"SELECT id, hired {op} INTERVAL '{n} {unit}s' FROM emp"
    for part in ["year", "month", "day", "quarter", "doy", "week", "isodow", "dow"]:
        yield f"SELECT id, extract({part} FROM hired) FROM emp"
        yield f"SELECT date_part('{part}', DATE '2024-02-29')"
    for unit in ["year", "month", "quarter", "week", "day"]:
        yield f"SELECT id, date_trunc('{unit}', hired) FROM emp"
    for a, b in itertools.product(["DATE '1995-01-01'", "hired", "DATE '2016-07-15' + INTERVAL '1' DAY"], ["<", "<=", ">", ">=", "=", "<>"]):
        yield f"SELECT id FROM emp WHERE hired {b} {a}"
    yield from [
        "SELECT hired - DATE '2012-11-30' FROM emp",
        "SELECT DATE '2024-03-01' - DATE '2024-02-01'",
        "SELECT count(*) FROM sales WHERE day BETWEEN DATE '2024-01-02' AND DATE '2024-01-02' + INTERVAL '2' DAY",
        "SELECT count(*) FROM sales WHERE day >= DATE '2024-01-01' AND day < DATE '2024-01-01' + INTERVAL '1' MONTH",
        "SELECT make_date(2024, 2, 29)",
        "SELECT TIMESTAMP '2024-01-01 10:00:00' + INTERVAL '90 minutes'",
        "SELECT extract(hour FROM TIMESTAMP '2024-01-01 10:20:30'), extract(minute FROM TIMESTAMP '2024-01-01 10:20:30')",
        "SELECT TIMESTAMP '2024-01-01 10:00:00' > DATE '2024-01-01'",
        "SELECT min(day), max(day) FROM sales",
        "SELECT hired + INTERVAL (id) DAY, hired - INTERVAL (id) MONTH, INTERVAL (id) YEAR + hired FROM emp",
        "SELECT hired + id * INTERVAL '1 month 1 day', hired - INTERVAL 2 HOUR * id FROM emp",
        "SELECT hired + to_days(id), hired + to_months(boss), hired + to_years(1), hired - to_hours(id) FROM emp",
        "SELECT date_add(hired, INTERVAL 1 MONTH), last_day(hired) FROM emp",
        "SELECT last_day(DATE '2024-02-03'), last_day(TIMESTAMP '2023-12-31 23:59:59')",
        "SELECT id FROM emp WHERE hired + INTERVAL (id) YEAR > DATE '2022-01-01'",
        "SELECT DATE '2024-01-31' + INTERVAL (n) MONTH FROM (VALUES (-13), (0), (1), (25), (NULL)) t(n)",
        "SELECT TIMESTAMP '2024-01-01 00:00:00' - INTERVAL (n) SECOND FROM (VALUES (1), (86400)) t(n)",
        "SELECT day - lag_day, day + INTERVAL 1 WEEK FROM (SELECT day, day - INTERVAL 2 DAY AS before, DATE '2024-01-01' AS lag_day FROM sales)",
        "SELECT day, sum(qty) FROM sales GROUP BY day",
        "SELECT cast('2024-05-06' AS date), cast(DATE '2024-05-06' AS text)",
        "SELECT strftime(DATE '2024-05-06', '%Y/%m')",
    ]


@topic("decimals")
def _():
    values = ["0.1", "1.25", "-3.50", "100", "0.005"]
    for a, b, op in itertools.product(values, values, ["+", "-", "*", "/", "=", "<"]):
        yield f"SELECT {a} {op} {b}"
    for p, s in [(5, 2), (10, 4), (18, 0), (38, 10)]:
        yield f"SELECT cast(1.5 AS decimal({p},{s})), cast(x AS decimal({p},{s})) FROM nums WHERE x < 100 AND x = round(x, 1)"
        yield f"SELECT sum(cast(price AS decimal({p},{s}))) FROM sales WHERE price = 0.5"
    yield from [
        "SELECT sum(v), avg(v), min(v), max(v) FROM (VALUES (1.10), (2.25), (-0.05)) t(v)",
        "SELECT v, count(*) FROM (VALUES (1.10), (1.1), (2.0)) t(v) GROUP BY v",
        "SELECT a * b FROM (VALUES (1.25, 4.00), (0.10, 0.10)) t(a, b)",
        "SELECT sum(a * (1 - b)) FROM (VALUES (100.00, 0.05), (200.00, 0.10)) t(a, b)",
        "SELECT 0.06 + 0.01 BETWEEN 0.05 AND 0.07",
        "SELECT v FROM (VALUES (0.05), (0.06), (0.07), (0.08)) t(v) WHERE v BETWEEN 0.06 - 0.01 AND 0.06 + 0.01",
        "!SELECT v FROM (VALUES (1.5), (-2.25), (0.00)) t(v) ORDER BY v DESC",
        "SELECT CASE WHEN v > 0 THEN v ELSE 0 END FROM (VALUES (1.50), (-2.00)) t(v)",
        "SELECT a.v FROM (VALUES (1.50), (2.00)) a(v) JOIN (VALUES (1.5), (3.0)) b(w) ON a.v = b.w",
        "SELECT a.v FROM (VALUES (1.50), (2.00)) a(v) JOIN (VALUES (2), (3)) b(w) ON a.v = b.w",
    ]


@topic("functions")
def _():
    for f in ["ascii", "unicode", "strlen"]:
        yield f"SELECT {f}(name) FROM emp"
        yield f"SELECT {f}(''), {f}('é'), {f}(NULL)"
    yield from [
        "SELECT chr(65), chr(233), chr(8364)",
        "SELECT translate(name, 'aeiou', 'AEI') FROM emp",
        "SELECT translate('abc', '', 'x'), translate('', 'a', 'b'), translate('a', 'a', NULL)",
        "SELECT 2 * 3 ^ 2, 2 ** 3, (2 ^ 3) ^ 2, 2 ^ 0.5, 7 - 2 ** 2, 10 / 2 ^ 2",
        "SELECT i ^ 2, x ** 2 FROM nums WHERE abs(i) < 100 AND abs(x) < 100",
        "SELECT (-2) ^ 2, -(2 ^ 2), 2 ** (-1)",
        "SELECT i & 3, i | 8, xor(i, 5), ~i FROM nums WHERE i BETWEEN 0 AND 1000",
        "SELECT 1 << 3, 255 >> 4, -8 >> 1, 5 & 3 = 1, 1 | 2 = 3, 1 << 2 + 1, 6 & 3 + 1",
        "SELECT (1 | 2) & 1, 1 | (2 & 1), bit_count(7), bit_count(0)",
        "SELECT id FROM emp WHERE id & 1 = 1",
        "SELECT gcd(12, 18), gcd(0, 5), gcd(-12, 18), lcm(4, 6), lcm(0, 3), lcm(-4, 6)",
        "SELECT cbrt(8.0), degrees(1.0), radians(90.0), sinh(1.0), cosh(1.0), tanh(1.0), cot(1.0)",
        "SELECT cbrt(salary), degrees(salary), radians(salary) FROM emp",
        "SELECT trunc(1.567, 2), trunc(-1.567, 1), trunc(1567, -2), trunc(-1567, -2), trunc(1.5), trunc(-0.5::double)",
        "SELECT trunc(price, 1) FROM sales",
        "SELECT log(2, 8), log(10, 1000), log(100)",
        "SELECT mod(7, 3), mod(-7, 3), last_day(DATE '2024-02-03')",
    ]
    parts = ["isoyear", "yearweek", "decade", "century", "millennium", "week", "dayofyear"]
    for p in parts:
        yield f"SELECT id, {p}(hired) FROM emp"
        yield f"SELECT date_part('{p}', DATE '2024-12-31'), date_part('{p}', DATE '2000-01-01'), {p}(DATE '1999-12-31')"
    for p in ["millisecond", "microsecond", "milliseconds", "ms", "us"]:
        yield f"SELECT date_part('{p}', TIMESTAMP '2024-01-01 10:20:30.123456')"
    yield "SELECT millisecond(TIMESTAMP '2024-01-01 10:20:30.123456'), microsecond(TIMESTAMP '2024-01-01 10:20:30.123456')"
    yield "SELECT epoch_ms(TIMESTAMP '2024-01-01 10:20:30.123456'), epoch_us(TIMESTAMP '2024-01-01 10:20:30.123456')"
    ends = ["2024-01-31", "2024-02-28", "2024-02-29", "2024-03-31", "2023-02-28", "2020-02-29", "2024-04-30", "2024-12-31"]
    for unit in ["day", "week", "month", "quarter", "year"]:
        for a, b in itertools.product(ends, ends):
            yield f"SELECT date_sub('{unit}', DATE '{a}', DATE '{b}')"
    for unit in ["hour", "minute", "second", "day", "month", "year"]:
        yield (f"SELECT date_sub('{unit}', TIMESTAMP '2024-01-31 12:34:56', TIMESTAMP '2024-03-31 11:00:00'), "
               f"date_sub('{unit}', TIMESTAMP '2024-03-31 11:00:00', TIMESTAMP '2024-01-31 12:34:56')")


@topic("shapes")
def _():
    aggs = ["mode(dept)", "mode(length(name))", "product(id)", "product(salary)", "product(dept)",
            "skewness(salary)", "kurtosis(salary)", "kurtosis_pop(salary)", "skewness(id)", "kurtosis(id)",
            "geomean(salary)", "geometric_mean(id)", "favg(salary)", "fsum(salary)", "mode(dept), sum(DISTINCT salary), count(*)",
            "max_by(name, salary)", "min_by(id, hired)", 
            "any_value(dept)", "mode(dept), mode(length(name)), avg(salary), median(id)",
            "mode(NULL)", "product(NULL::int)"]
    keys = [None, "boss IS NULL", "salary > 4000", "id % 2"]
    for a, k in itertools.product(aggs, keys):
        if k is None:
            yield f"SELECT {a} FROM emp"
            yield f"SELECT {a} FROM emp WHERE false"
        else:
            yield f"SELECT {k}, {a} FROM emp GROUP BY {k}"
    # where values tie, DuckDB takes any of them: no questions of such groups
    for w in ["ORDER BY id", "PARTITION BY id % 2 ORDER BY id", ""]:
        yield f"SELECT id, mode(dept) OVER ({w}) FROM emp"
    for a in ["product(id)", "skewness(salary)", "kurtosis(salary)", "kurtosis_pop(id)"]:
        for w in ["ORDER BY id", "PARTITION BY id % 2 ORDER BY id", "ORDER BY id ROWS BETWEEN 4 PRECEDING AND 1 FOLLOWING",
                  "ORDER BY id ROWS BETWEEN 5 PRECEDING AND CURRENT ROW EXCLUDE CURRENT ROW", ""]:
            yield f"SELECT id, {a} OVER ({w}) FROM emp"
    yield from [
        "SELECT mode(v) FROM (VALUES (1.5), (2.5), (2.5), (NULL), (NULL), (NULL)) t(v)",
        "SELECT mode(v) FROM (VALUES ('b'), ('a'), ('b')) t(v)",
        "SELECT skewness(v), kurtosis(v) FROM (VALUES (1), (1), (1), (1), (1)) t(v)",
        "SELECT product(v) FROM (VALUES (-1.5), (2.0), (NULL)) t(v)",
        "SELECT mode(boss), mode(hired) FROM emp",
        "SELECT mode(dept) FILTER (WHERE id <= 4) FROM emp",
        "SELECT boss IS NULL AS b, mode(dept) FROM emp GROUP BY ROLLUP (b)",
        "SELECT boss IS NULL AS b FROM emp GROUP BY b HAVING mode(dept) = 10",
        "SELECT count_if(salary > 4000), count_if(id > 100) FROM emp",
    ]


@topic("series")
def _():
    for f in ["generate_series", "range"]:
        for args in ["5", "0", "1, 5", "5, 1", "1, 10, 3", "10, 1, -4", "-3, 3", "1, 1", "3, 4, 5"]:
            yield f"SELECT * FROM {f}({args})"
        yield f"SELECT count(*), sum({f}), min({f}), max({f}) FROM {f}(1, 100000)"
        yield f"SELECT i * 2 FROM {f}(1, 6) t(i) WHERE i % 2 = 0"
        yield f"SELECT e.name, i FROM emp e JOIN {f}(1, 4) t(i) ON e.id = t.i"
        yield f"SELECT * FROM {f}(DATE '2024-01-30', DATE '2024-02-02', INTERVAL '1 day')"
        yield f"SELECT * FROM {f}(DATE '2024-01-05', DATE '2024-05-05', INTERVAL '1 month')"
        yield f"SELECT * FROM {f}(DATE '2024-05-05', DATE '2024-01-05', INTERVAL '-2 month')"
        yield f"SELECT * FROM {f}(TIMESTAMP '2024-01-01 00:00:00', TIMESTAMP '2024-01-01 02:00:00', INTERVAL '30 minutes')"
        yield f"SELECT * FROM {f}(DATE '2024-01-05', DATE '2020-05-05', INTERVAL '1 year')"
    yield from [
        "SELECT range FROM range(3)",
        "!SELECT i FROM range(1000000) t(i) ORDER BY i DESC LIMIT 3",
        "SELECT * FROM range(4) a(x), range(2) b(y)",
        "SELECT * FROM range(2 + 1)",
        "SELECT count(*) FROM range(10) TABLESAMPLE 100 PERCENT",
        "SELECT count(*) FROM range(10) TABLESAMPLE 0 PERCENT",
        "SELECT count(*) BETWEEN 800 AND 1200 FROM range(10000) TABLESAMPLE BERNOULLI (10 PERCENT) REPEATABLE (7)",
    ]


@topic("pivot")
def _():
    for using in ["sum(salary)", "count(*)", "sum(salary) AS s", "sum(salary), max(id)", "sum(salary) AS s, count(*) AS n", "avg(salary)",
                  "count(salary)", "min(name)"]:
        for on in ["dept", "dept IN (10, 30, 99)", "salary > 3900", "dept IS NULL"]:
            for by in ["", " GROUP BY boss"]:
                yield f"PIVOT (SELECT dept, boss, salary, id, name FROM emp) ON {on} USING {using}{by}"
    yield from [
        "PIVOT emp ON dept GROUP BY boss",
        "PIVOT emp ON dept, boss USING count(*) GROUP BY name",
        "PIVOT (SELECT dept, salary FROM emp) ON dept USING sum(salary)",
        "!PIVOT (SELECT dept, boss, salary FROM emp) ON dept USING sum(salary) ORDER BY boss NULLS FIRST LIMIT 2",
        "FROM (SELECT dept, boss, salary FROM emp) PIVOT (sum(salary) FOR dept IN (10, 20))",
        "SELECT * FROM (SELECT dept, boss, salary FROM emp) PIVOT (sum(salary) AS s FOR dept IN (10 AS ten, 20))",
        "WITH p AS (PIVOT emp ON dept USING sum(salary) GROUP BY boss) SELECT * FROM p",
        "SELECT boss FROM (PIVOT emp ON dept USING sum(salary) GROUP BY boss)",
        "SELECT \"10\" FROM (PIVOT emp ON dept USING sum(salary) GROUP BY boss)",
        "PIVOT (SELECT extract(year FROM hired) AS y, salary FROM emp) ON y USING sum(salary)",
        "PIVOT sales ON item USING sum(qty) GROUP BY emp",
        "SELECT COLUMNS('^d|id') FROM emp",
        "SELECT max(COLUMNS('d')), count(*) FROM emp",
        "SELECT COLUMNS('^i') + 1, name FROM emp",
        "SELECT COLUMNS(*) FROM dept",
        "SELECT dept, min(COLUMNS('id|boss')) FROM emp GROUP BY dept",
        "UNPIVOT (SELECT id, dept, boss FROM emp) ON dept, boss",
        "UNPIVOT (SELECT id, dept, boss FROM emp) ON dept, boss INTO NAME n VALUE v",
        "UNPIVOT (SELECT id, dept, salary FROM emp) ON dept, salary INTO NAME n VALUE v",
        "SELECT * FROM (SELECT id, dept, boss FROM emp) UNPIVOT (v FOR n IN (dept, boss))",
        "SELECT * FROM (SELECT id, dept, boss FROM emp) UNPIVOT INCLUDE NULLS (v FOR n IN (dept, boss))",
        "SELECT * FROM (SELECT id, dept, boss FROM emp) UNPIVOT (v FOR n IN (dept AS d, boss))",
        "SELECT n, sum(v) FROM (UNPIVOT (SELECT id, dept, boss FROM emp) ON dept, boss INTO NAME n VALUE v) GROUP BY n",
    ]


# The answer is ours for a reason, and is written down here.
DIFFERS = {}


def text(v):
    match v:
        case None:
            return "NULL"
        case bool():
            return str(v).lower()
        case "":
            return "(empty)"
        case int() | str():
            return str(v)
        case decimal.Decimal():
            return number(format(v, "f"))
        case float():
            if math.isnan(v) or math.isinf(v):
                return {"nan": "NaN", "inf": "inf", "-inf": "-inf"}[str(v)]
            y = float(f"{v:.11e}")
            if y != 0 and not 1e-4 <= abs(y) < 1e16:
                m, e = f"{y:.11e}".split("e")
                return f"{number(m)}e{int(e)}"
            return number(format(decimal.Decimal(repr(y)), "f"))
        case datetime.datetime():
            return str(v.date()) if v.time() == datetime.time() else v.isoformat(sep="T")
        case datetime.date():
            return v.isoformat()
    raise TypeError(type(v))


def number(t):
    t = t.rstrip("0").rstrip(".") if "." in t else t
    return "0" if t in ("-0", "") else t


def main():
    db = duckdb.connect()
    for name, path in TABLES.items():
        db.execute(f"CREATE VIEW {name} AS FROM {path}")
    total, stale = 0, []
    chosen = [a for a in sys.argv[1:] if not a.startswith("--")] or list(TOPICS)
    for name, queries in TOPICS.items():
        if name not in chosen:
            continue
        out = [f"# Written by make.py, answers by DuckDB {duckdb.__version__}.", ""]
        for q in queries:
            ordered, q = q.startswith("!"), q.removeprefix("!")
            if q in DIFFERS:
                why, rows = DIFFERS[q]
                out.append(f"# differs: {why}")
            else:
                try:
                    rows = [[text(v) for v in row] for row in db.execute(alike.SAME.get(q, binding.SAME.get(q, q))).fetchall()]
                except duckdb.Error as e:
                    print(f"{name}: {q[:200]}: {str(e).splitlines()[0]}")
                    continue
            width = len(rows[0]) if rows else 1
            lines = [" ".join(r) for r in rows]
            out += [f"query {'?' * width} {'nosort' if ordered else 'rowsort'}", q, "----"]
            out += lines if ordered else sorted(lines)
            out.append("")
            total += 1
        path, new = HERE / f"{name}.slt", "\n".join(out)
        if "--check" in sys.argv:
            stale += [path.name] if path.read_text() != new else []
        else:
            path.write_text(new)
    print(total, "records", f"stale: {stale}" if stale else "")
    sys.exit(bool(stale))


main()
