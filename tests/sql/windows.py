"""The questions about window functions, for make.py: every function, frames of every unit, exclusion,
windows by name, QUALIFY, windows over groups, and the odd cases: no rows, nulls, ties, one row.

Where ties would leave the answer open, the order ends in a column that decides."""

import itertools

EMP = "PARTITION BY dept ORDER BY salary DESC, id"
SALES = "ORDER BY day, item, emp"


def ranks():
    names = ["row_number()", "rank()", "dense_rank()", "percent_rank()", "cume_dist()", "ntile(3)"]
    for f in names:
        yield f"SELECT id, {f} OVER (ORDER BY salary, id) FROM emp"
        yield f"SELECT id, {f} OVER (PARTITION BY dept ORDER BY hired, id) FROM emp"
    for f in ["rank()", "dense_rank()", "percent_rank()", "cume_dist()"]:
        yield f"SELECT id, {f} OVER (ORDER BY salary) FROM emp"
        yield f"SELECT id, {f} OVER (ORDER BY salary DESC NULLS FIRST) FROM emp"
        yield f"SELECT id, {f} OVER (PARTITION BY boss ORDER BY dept NULLS FIRST) FROM emp"
        yield f"SELECT id, {f} OVER () FROM emp"
        yield f"SELECT {f} OVER (ORDER BY id) FROM emp WHERE false"
    for n in [1, 2, 4, 9, 10, 11, 1000]:
        yield f"SELECT id, ntile({n}) OVER (ORDER BY id) FROM emp"
    yield "SELECT id, ntile(2) OVER (PARTITION BY dept ORDER BY id) FROM emp"


def foremost():
    """Filters on ranks, which let rows that stand too far back go before they are sorted."""
    calls = ["row_number() OVER (PARTITION BY dept ORDER BY salary DESC, id)", "rank() OVER (PARTITION BY dept ORDER BY hired)",
             "dense_rank() OVER (PARTITION BY boss ORDER BY dept NULLS FIRST)", "row_number() OVER (ORDER BY name)",
             "rank() OVER (PARTITION BY dept, boss ORDER BY salary NULLS FIRST)"]
    bounds = ["<= 2", "< 2", "= 1", "= 2", "<= 0", "BETWEEN 1 AND 2", "> 1", "<= 1000000", "IN (1, 3)"]
    for call, bound in itertools.product(calls, bounds):
        yield f"SELECT id FROM emp QUALIFY {call} {bound}"
    for call in calls:
        yield f"SELECT id, r FROM (SELECT *, {call} AS r FROM emp) WHERE r <= 2 AND salary > 3000"
        yield f"SELECT id, r FROM (SELECT *, {call} AS r FROM emp WHERE id > 2) WHERE 3 > r AND id < 9"
        yield f"SELECT id, {call} AS r, count(*) OVER (PARTITION BY dept) AS n FROM emp QUALIFY r <= 1"
        yield f"SELECT count(*), sum(id) FROM (SELECT id, {call} AS r FROM emp) WHERE r = 1"
        yield f"SELECT a.id, b.id FROM (SELECT *, {call} AS r FROM emp) a JOIN (SELECT *, {call} AS r FROM emp) b ON a.dept = b.dept AND a.r = 1 AND b.r <= 2"
    yield "SELECT id, rank() OVER w, dense_rank() OVER w, lag(id) OVER w FROM emp WINDOW w AS (PARTITION BY dept ORDER BY hired, id) QUALIFY row_number() OVER w <= 2"
    yield "SELECT id, lead(id) OVER w, last_value(id) OVER w FROM emp WINDOW w AS (PARTITION BY dept ORDER BY hired, id) QUALIFY row_number() OVER w <= 2"
    yield "SELECT id, sum(id) OVER w FROM emp WINDOW w AS (PARTITION BY dept ORDER BY hired, id ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING) QUALIFY row_number() OVER w = 1"
    yield "SELECT id FROM emp QUALIFY rank() OVER (PARTITION BY dept ORDER BY hired) = 1 AND row_number() OVER (PARTITION BY dept ORDER BY hired, id) <= 2"
    yield "SELECT id FROM emp QUALIFY row_number() OVER (PARTITION BY dept ORDER BY id) <= 2 AND row_number() OVER (PARTITION BY boss ORDER BY id) <= 1"
    yield "SELECT dept, n FROM (SELECT dept, boss, count(*) AS n FROM emp GROUP BY dept, boss) QUALIFY row_number() OVER (PARTITION BY dept ORDER BY n DESC, boss) = 1"
    yield "SELECT i, x FROM nums QUALIFY rank() OVER (ORDER BY x DESC) <= 3"


def shifts():
    for f in ["lag", "lead"]:
        for args in ["salary", "salary, 2", "salary, 0", "salary, -1", "salary, 1, 0", "name, 3, 'none'",
                     "hired, 1, DATE '1999-12-31'", "boss, 100, -1", "salary, 2, salary"]:
            yield f"SELECT id, {f}({args}) OVER (ORDER BY id) FROM emp"
        yield f"SELECT id, {f}(name) OVER ({EMP}) FROM emp"
        yield f"SELECT id, {f}(salary, 1 IGNORE NULLS) OVER (ORDER BY id) FROM emp"
        yield f"SELECT id, {f}(boss, 2 IGNORE NULLS) OVER (PARTITION BY dept ORDER BY id) FROM emp"
        yield f"SELECT id, {f}(boss RESPECT NULLS) OVER (ORDER BY id) FROM emp"
    yield "SELECT day, qty - lag(qty) OVER (ORDER BY day, item) AS change FROM sales WHERE emp IN (1, 8)"
    yield "SELECT id, id - lag(id, 1, 0) OVER (ORDER BY id) FROM emp"


def values():
    frames = ["", "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING", "ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING",
              "ROWS BETWEEN 2 FOLLOWING AND 3 FOLLOWING", "ROWS BETWEEN 3 PRECEDING AND 2 PRECEDING",
              "ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING EXCLUDE CURRENT ROW"]
    for f, frame in itertools.product(["first_value(name)", "last_value(salary)", "nth_value(name, 2)"], frames):
        yield f"SELECT id, {f} OVER (ORDER BY id {frame}) FROM emp"
    for f in ["first_value(boss IGNORE NULLS)", "last_value(boss IGNORE NULLS)", "nth_value(boss, 2 IGNORE NULLS)"]:
        yield f"SELECT id, {f} OVER (ORDER BY id) FROM emp"
        yield f"SELECT id, {f} OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND 2 FOLLOWING) FROM emp"
        yield f"SELECT id, {f} OVER (PARTITION BY dept ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE CURRENT ROW) FROM emp"


def aggregates():
    all_of = ["count(*)", "count(salary)", "count(DISTINCT salary)", "sum(salary)", "avg(salary)", "min(salary)", "max(salary)",
              "stddev(salary)", "var_pop(salary)", "median(salary)", "quantile_cont(salary, 0.25)", "min(name)", "max(hired)",
              "bool_and(salary > 3000)", "bool_or(boss IS NULL)", "count(*) FILTER (WHERE boss IS NULL)",
              "sum(id) FILTER (WHERE salary > 3900)", "avg(id) FILTER (WHERE false)"]
    for f in all_of:
        yield f"SELECT id, {f} OVER (PARTITION BY dept) FROM emp"
        yield f"SELECT id, {f} OVER (ORDER BY hired) FROM emp"
        yield f"SELECT id, {f} OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) FROM emp"
    for f in ["sum(id)", "max(name)", "median(id)", "count(DISTINCT dept)"]:
        yield f"SELECT id, {f} OVER (ORDER BY id ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) FROM emp"
        yield f"SELECT id, {f} OVER () FROM emp"
        yield f"SELECT {f} OVER (PARTITION BY dept ORDER BY id) FROM emp WHERE id > 99"
    yield "SELECT i, sum(x) OVER (ORDER BY i NULLS FIRST) FROM nums"
    yield "SELECT i, avg(x) OVER (ORDER BY i ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM nums"
    yield "SELECT i, stddev_pop(x) OVER (ORDER BY i ROWS 2 PRECEDING) FROM nums"
    yield "SELECT i, sum(i) OVER (ORDER BY x RANGE BETWEEN 2 PRECEDING AND 1 FOLLOWING) FROM nums"
    yield "SELECT t, max(t) OVER (ORDER BY t NULLS FIRST ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING) FROM nums"
    yield "SELECT a, sum(a) OVER (ORDER BY a) FROM (VALUES (1), (1), (2), (NULL), (NULL), (5)) v(a)"
    yield "SELECT a, b, sum(b) OVER (PARTITION BY a) FROM (VALUES ('ä', 1), ('ä', 2), ('', 3), (NULL, 4), (NULL, 5)) v(a, b)"
    yield "SELECT a, sum(a) OVER (ORDER BY a RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM (VALUES (9223372036854775), (1), (-9223372036854775)) v(a)"
    yield "SELECT sum(0.1) OVER (ORDER BY id) FROM emp"
    yield "SELECT id, sum(1e16) OVER w - sum(1e16) OVER w FROM emp WINDOW w AS (ORDER BY id ROWS 1 PRECEDING)"


def frames():
    bounds = ["UNBOUNDED PRECEDING", "2 PRECEDING", "CURRENT ROW", "1 FOLLOWING", "UNBOUNDED FOLLOWING"]
    for unit, (i, a), (j, b) in itertools.product(["ROWS", "RANGE", "GROUPS"], enumerate(bounds[:4]), enumerate(bounds[1:], 1)):
        if i <= j:
            yield f"SELECT id, dept, sum(id) OVER (ORDER BY dept {unit} BETWEEN {a} AND {b}) AS s FROM emp ORDER BY id".replace(
                "ORDER BY dept ROWS", "ORDER BY id ROWS")
    for unit, ex in itertools.product(["ROWS", "RANGE", "GROUPS"], ["NO OTHERS", "CURRENT ROW", "GROUP", "TIES"]):
        key = "salary, id" if unit == "ROWS" else "salary"
        for f in ["sum(id)", "count(*)", "min(name)", "median(id)"]:
            yield f"SELECT id, {f} OVER (ORDER BY {key} {unit} BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW EXCLUDE {ex}) FROM emp"
        yield f"SELECT id, max(id) OVER (PARTITION BY boss ORDER BY {key} {unit} BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE {ex}) FROM emp"
    for off in ["INTERVAL 1 DAY", "INTERVAL '1 month'", "INTERVAL 31 DAYS"]:
        yield f"SELECT day, item, sum(qty) OVER (ORDER BY day RANGE BETWEEN {off} PRECEDING AND CURRENT ROW) FROM sales"
        yield f"SELECT day, item, count(*) OVER (ORDER BY day DESC RANGE BETWEEN {off} PRECEDING AND {off} FOLLOWING) FROM sales"
    for off in ["0", "0.2", "1"]:
        yield f"SELECT day, item, sum(qty) OVER (ORDER BY price RANGE BETWEEN {off} PRECEDING AND {off} FOLLOWING) FROM sales"
        yield f"SELECT day, item, count(*) OVER (ORDER BY price DESC NULLS FIRST RANGE BETWEEN {off} FOLLOWING AND UNBOUNDED FOLLOWING) FROM sales"
    yield "SELECT id, sum(id) OVER (ORDER BY salary RANGE BETWEEN 1000 PRECEDING AND 500 FOLLOWING) FROM emp"
    yield "SELECT id, count(*) OVER (ORDER BY salary RANGE 1000.25 PRECEDING) FROM emp"
    yield "SELECT id, count(*) OVER (ORDER BY id ROWS 1 + 1 PRECEDING) FROM emp"
    yield "SELECT id, sum(id) OVER (ORDER BY id ROWS BETWEEN 1000000 PRECEDING AND 1000000 FOLLOWING) FROM emp"


def clauses():
    yield f"SELECT id, rank() OVER w, sum(salary) OVER w FROM emp WINDOW w AS ({EMP})"
    yield "SELECT id, sum(id) OVER (w ORDER BY id), count(*) OVER w FROM emp WINDOW w AS (PARTITION BY dept)"
    yield "SELECT id, sum(id) OVER v FROM emp WINDOW w AS (PARTITION BY dept), v AS (w ORDER BY id DESC)"
    yield "SELECT id, sum(id) OVER (w ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW) FROM emp WINDOW w AS (ORDER BY id)"
    yield "SELECT id, row_number() OVER (ORDER BY id), row_number() OVER (ORDER BY id DESC), rank() OVER (PARTITION BY dept ORDER BY hired), sum(id) OVER () FROM emp"
    yield "SELECT id FROM emp QUALIFY row_number() OVER (PARTITION BY dept ORDER BY id) = 1"
    yield "SELECT id, rank() OVER (ORDER BY salary DESC) AS r FROM emp QUALIFY r <= 3"
    yield "SELECT * FROM emp QUALIFY count(*) OVER (PARTITION BY boss) > 2"
    yield "SELECT dept, count(*) AS n, sum(count(*)) OVER () AS total FROM emp GROUP BY dept"
    yield "SELECT dept, sum(sum(id)) OVER (ORDER BY dept) FROM emp GROUP BY dept"
    yield "SELECT dept, rank() OVER (ORDER BY avg(salary) DESC) FROM emp GROUP BY dept HAVING count(*) > 0"
    yield "SELECT item, sum(qty) AS s, 100.0 * sum(qty) / sum(sum(qty)) OVER () FROM sales GROUP BY item"
    yield "SELECT dept FROM emp GROUP BY dept QUALIFY row_number() OVER (ORDER BY count(*) DESC, dept) < 3"
    yield "!SELECT id FROM emp ORDER BY row_number() OVER (ORDER BY name DESC)"
    yield "!SELECT id, dept FROM emp ORDER BY count(*) OVER (PARTITION BY dept) DESC, id"
    yield "SELECT DISTINCT count(*) OVER (PARTITION BY dept) FROM emp"
    yield "SELECT * FROM (SELECT id, dept, row_number() OVER (PARTITION BY dept ORDER BY id) AS r FROM emp) WHERE r = 1 AND dept = 10"
    yield "SELECT * FROM (SELECT dept, count(*) OVER (PARTITION BY dept) AS n FROM emp) WHERE dept = 10"
    yield "SELECT sum(r) FROM (SELECT rank() OVER (ORDER BY salary) AS r FROM emp)"
    yield "SELECT count(*) FROM (SELECT row_number() OVER () FROM emp)"
    yield "WITH r AS (SELECT *, row_number() OVER (PARTITION BY dept ORDER BY id) AS n FROM emp) SELECT a.id, b.id FROM r a JOIN r b ON a.dept = b.dept AND a.n = b.n + 1"
    yield "SELECT id, CASE WHEN row_number() OVER (ORDER BY id) % 2 = 0 THEN 'even' ELSE 'odd' END FROM emp"
    yield "SELECT id, salary - avg(salary) OVER (PARTITION BY dept) FROM emp"
    yield "SELECT e.id, d.title, count(*) OVER (PARTITION BY d.title) FROM emp e LEFT JOIN dept d ON e.dept = d.dept"
    yield "SELECT id, sum(id) OVER (PARTITION BY dept, boss IS NULL ORDER BY id) FROM emp"
    yield "SELECT id, sum(id) OVER (ORDER BY length(name), id) FROM emp"
    yield "SELECT id, sum((SELECT max(id) FROM dept JOIN emp ON true)) OVER (ORDER BY id) FROM emp"
    yield "SELECT id FROM emp WHERE id IN (SELECT max(id) OVER (PARTITION BY dept) FROM emp)"
    yield "SELECT id, sum(id) OVER (ORDER BY id) FROM emp UNION ALL SELECT 0, count(*) OVER () FROM dept"
    yield "!SELECT id, sum(id) OVER (ORDER BY id) AS s FROM emp ORDER BY s DESC LIMIT 3"
    yield "SELECT 1, row_number() OVER ()"
    yield "SELECT dept, boss, sum(count(*)) OVER (PARTITION BY dept ORDER BY boss) FROM emp GROUP BY ALL"


def questions():
    for part in (ranks, shifts, values, aggregates, frames, clauses):
        yield from part()
