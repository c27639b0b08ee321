"""Names, literals and subqueries in every place where an expression may stand; for make.py."""

# conditions over one row of emp e: every kind of list of operands
CONDITIONS = [
    "e.dept IN (e.id * 10, 20, NULL)",
    "dept NOT IN (id * 10, boss * 10)",
    "e.id IN (e.boss, e.dept // 10, length(e.name))",
    "e.id IN (1, (SELECT max(d.dept) // 10 FROM dept d))",
    "e.id NOT IN (1, (SELECT d.dept // 10 FROM dept d WHERE d.dept = e.dept))",
    "e.name IN ('Ada', upper(e.name), CASE WHEN e.id > 5 THEN e.name END)",
    "e.id IN (SELECT s.emp FROM sales s)",
    "(SELECT max(d.dept) FROM dept d) BETWEEN e.dept AND 60",
    "(SELECT d.dept FROM dept d WHERE d.dept = e.dept) BETWEEN 10 AND (SELECT 20)",
    "e.dept BETWEEN (SELECT min(d.dept) FROM dept d) AND e.id * 10",
    "e.dept NOT BETWEEN e.boss * 10 AND e.id * 10",
    "(e.dept, e.id) IN ((10, 1), (e.dept, 9), (NULL, 6))",
    "(e.dept, e.id) NOT IN ((10, 1), (20, e.id))",
    "(e.dept, e.id) = (10, 2)",
    "(e.dept, e.id) <> (10, 2)",
    "(e.dept, e.id) < (20, 4)",
    "(e.dept, e.id) >= (20, 4)",
    "(e.dept, e.boss) IS NOT DISTINCT FROM (NULL, 2)",
    "coalesce((SELECT d.title FROM dept d WHERE d.dept = e.dept), e.name) IN ('Sales', e.name)",
    "coalesce(NULL, (SELECT min(d.dept) FROM dept d), 1) = e.dept",
    "CASE WHEN EXISTS (SELECT 1 FROM dept d WHERE d.dept = e.dept) THEN e.id IN (e.id, 1) ELSE e.id > 7 END",
    "CASE e.dept WHEN (SELECT 10) THEN true WHEN e.id * 10 THEN true ELSE false END",
    "nullif(e.dept, (SELECT 10)) IN (20, 30)",
    "greatest(e.id, (SELECT 3), e.boss) = e.id",
    "EXISTS (SELECT 1 FROM sales s WHERE s.emp IN (e.id, e.boss))",
    "EXISTS (SELECT 1 FROM sales s WHERE e.id IN (s.emp, s.qty))",
    "e.id = ANY (SELECT s.emp FROM sales s WHERE s.qty IN (e.id, 7))",
    "if(e.dept = 10, e.id = 1, e.id IN (e.id, 2))",
    "e.id = '3'",
    "'3' < e.id",
    "e.id IN ('3', '4', '5', '6', ' 7 ')",
    "e.id BETWEEN '2' AND '4'",
    "e.salary >= '4100.25'",
    "e.hired = '2016-07-15'",
    "e.hired IN ('2015-03-01', '2019-12-31')",
    "e.hired BETWEEN '2016-1-1' AND '2018-1-31'",
    "e.hired > DATE '2016-7-15'",
    "e.hired < TIMESTAMP '2016-7-15 9:30:00'",
    "(e.id = 1) = 'true'",
]

# rows with nulls: to DuckDB (NULL, 6) = (NULL, 6) is true, by the standard and to all others it is null
SPELT = {
    "(e.dept, e.id) IN ((10, 1), (e.dept, 9), (NULL, 6))": "((e.dept = 10 AND e.id = 1) OR (e.dept = e.dept AND e.id = 9) OR (e.dept = NULL AND e.id = 6))",
    "(e.dept, e.id) NOT IN ((10, 1), (20, e.id))": "(NOT ((e.dept = 10 AND e.id = 1) OR (e.dept = 20 AND e.id = e.id)))",
    "(e.dept, e.id) = (10, 2)": "(e.dept = 10 AND e.id = 2)",
    "(e.dept, e.id) <> (10, 2)": "(NOT (e.dept = 10 AND e.id = 2))",
    "(e.dept, e.id) < (20, 4)": "(e.dept < 20 OR (e.dept = 20 AND e.id < 4))",
    "(e.dept, e.id) >= (20, 4)": "(e.dept > 20 OR (e.dept = 20 AND e.id >= 4))",
}

# where they stand: {c} is one
CLAUSES = [
    "SELECT id FROM emp e WHERE {c}",
    "SELECT id FROM emp e WHERE NOT ({c})",
    "SELECT id FROM emp e WHERE id > 3 AND ({c})",
    "SELECT id FROM emp e WHERE id = 3 OR ({c})",
    "SELECT id, {c} AS c FROM emp e",
    "SELECT {c} AS c, count(*) FROM emp e GROUP BY c",
    "SELECT {c} AS c, count(*), min(id) FROM emp e GROUP BY 1",
    "SELECT count(*) FILTER (WHERE {c}), sum(id) FILTER (WHERE NOT ({c})) FROM emp e",
    "SELECT dept, count(*) FROM emp e GROUP BY dept HAVING bool_or({c})",
    "SELECT sum(CASE WHEN {c} THEN 1 ELSE 0 END), count(DISTINCT {c}) FROM emp e",
    "!SELECT id FROM emp e ORDER BY CASE WHEN {c} THEN 0 ELSE 1 END, id",
    "SELECT id, sum(id) OVER (PARTITION BY {c} ORDER BY id) FROM emp e",
    "SELECT id, sum(id) FILTER (WHERE {c}) OVER (ORDER BY {c}, id) FROM emp e",
    "SELECT id FROM emp e QUALIFY row_number() OVER (PARTITION BY {c} ORDER BY id) IN (1, 2)",
    "SELECT e.id, x.dept FROM emp e JOIN dept x ON e.dept = x.dept AND ({c})",
    "SELECT c, count(*) FROM (SELECT {c} AS c FROM emp e) GROUP BY GROUPING SETS ((c), ())",
]

# one condition each for the clauses that are the same for all
SOME = [0, 3, 7, 11, 18, 20, 28]


def places():
    pairs = [(clause, c) for c in CONDITIONS for clause in CLAUSES[:3]]
    pairs += [(clause, CONDITIONS[i]) for clause in CLAUSES[3:] for i in SOME]
    for clause, c in pairs:
        question = clause.format(c=c)
        if c in SPELT:
            SAME[question.removeprefix("!")] = clause.removeprefix("!").format(c=SPELT[c])
        yield question


def names():
    """A list sees what its query sees, not the file."""
    yield from [
        "SELECT id, mgr FROM (SELECT id AS mgr, boss AS id FROM emp) WHERE mgr IN (id, 9)",
        "SELECT * FROM (SELECT id AS boss, boss AS id FROM emp) t WHERE 1 IN (id, 9)",
        "WITH s AS (SELECT id AS a, dept AS b FROM emp), t AS (SELECT b AS a, a AS b FROM s) SELECT a, b, 10 IN (a, -1) FROM t",
        "SELECT count(*) FROM emp a JOIN emp b ON a.id IN (b.boss, b.dept // 10)",
        "SELECT count(*) FROM emp a, emp b WHERE a.id IN (b.id, 9) AND b.id IN (a.boss, a.id)",
        "SELECT a.id FROM emp a LEFT JOIN emp b ON a.boss = b.id WHERE 'Ada' IN (a.name, b.name)",
        "SELECT dept AS id, id AS dept FROM emp WHERE id IN (dept // 10, 2)",
        "SELECT id + 1 AS next FROM emp WHERE next IN (id + 1, 3) AND next < 4",
        "SELECT d.dept, (SELECT count(*) FROM emp e WHERE d.dept IN (e.dept, e.id * 10)) FROM dept d",
    ]


def literals():
    yield from [
        "SELECT 1_000_000, 2_000 AS x, 1_0.2_5",
        "SELECT E'a\\tb\\'c', e'x'",
        "SELECT sum(id = 1), count_if(name = 'Ada'), avg(CAST(dept = 10 AS INT)) FROM emp",
        "SELECT if(id = 1, 'one', 'other'), id FROM emp",
        "SELECT max(id = 3), bool_and(id = id), count(dept = 10), count(DISTINCT dept = 10) FROM emp",
        "SELECT sum(id = 1) OVER (ORDER BY id), id FROM emp",
        "SELECT coalesce(dept, '7'), id FROM emp",
        "SELECT CASE WHEN id > 3 THEN hired ELSE '2020-01-01' END, id FROM emp",
        "SELECT id + '1', '10' - id FROM emp",
        "SELECT greatest(id, '5') FROM emp",
        "SELECT nullif(dept, '10') FROM emp",
        "SELECT DATE '1999-4-01', DATE '1999-12-1', TIMESTAMP '1999-4-1', TIMESTAMP '1999-4-1 7:08:09'",
        "SELECT CAST('1999-4-01' AS DATE), TRY_CAST('1999-4-31' AS DATE), TRY_CAST('1999-13-1' AS DATE)",
        "SELECT CASE WHEN id > 100 THEN error('no') ELSE id END FROM emp",
        "SELECT CASE WHEN id > 100 THEN error('no') ELSE name END FROM emp",
        "-- a comment\nSELECT 1 /* and another */ -- and one more",
        "/* a /* nested */ comment */ SELECT 1",
    ]


def groups():
    yield from [
        "SELECT dept * 100 + boss AS k, 100 AS f, count(*) FROM emp GROUP BY ALL",
        "SELECT 1 AS one, count(*) FROM emp WHERE false GROUP BY ALL",
        "SELECT 1 AS one FROM emp GROUP BY ALL",
        "SELECT 1 AS one, count(*) FROM emp WHERE false GROUP BY one",
        "SELECT 'x' || name AS k, 'x' AS src, count(*) FROM emp GROUP BY 1, 2",
        "SELECT dept AS p, dept AS q, count(*) FROM emp GROUP BY ALL",
        "SELECT dept, dept + 1, dept + 1 + 1, count(*) FROM emp GROUP BY dept, dept + 1",
        "SELECT dept + 1, count(*) FROM emp GROUP BY dept + 1, dept HAVING dept + 1 > 11 AND dept IN (dept, 3)",
        "SELECT 7, count(*) FROM emp GROUP BY 7 + 0",
        "SELECT count(*) FROM emp WHERE false GROUP BY 'x'",
        "SELECT dept, 5, count(*) + 5 FROM emp GROUP BY dept, 5 + 0, dept",
        "SELECT dept, 10 AS ten, dept IN (10, 20) FROM emp GROUP BY dept, ten",
        "SELECT dept, 10 AS ten, count(*) FROM emp GROUP BY ROLLUP (dept, ten)",
        "SELECT (SELECT count(*) FROM sales s WHERE s.emp = e.id) AS k, count(*) FROM emp e GROUP BY k",
        "SELECT (SELECT count(*) FROM sales s WHERE s.emp = e.id) AS k, count(*) FROM emp e GROUP BY k HAVING k > 0",
        "!SELECT (SELECT count(*) FROM sales s WHERE s.emp = e.id) AS k, count(*) FROM emp e GROUP BY k ORDER BY k",
        "SELECT (SELECT d.city FROM dept d WHERE d.dept = e.dept) AS city, sum(id) FROM emp e GROUP BY city",
        "SELECT EXISTS (SELECT 1 FROM sales s WHERE s.emp = e.id) AS sold, count(*) FROM emp e GROUP BY sold",
        "SELECT coalesce((SELECT d.city FROM dept d WHERE d.dept = e.dept), '-') AS city, count(*) FROM emp e GROUP BY ALL",
    ]


def windows():
    """Keys that repeat. DuckDB 1.5 takes (a, a) beside (a, b) for the same: it is asked without the repetitions."""
    for twice, once in [
        ("SELECT id, sum(id) OVER (PARTITION BY dept, dept) AS a, sum(id) OVER (PARTITION BY dept, boss) AS b FROM emp", "SELECT id, sum(id) OVER (PARTITION BY dept) AS a, sum(id) OVER (PARTITION BY dept, boss) AS b FROM emp"),
        ("SELECT id, count(*) OVER (PARTITION BY dept, boss) AS a, count(*) OVER (PARTITION BY boss, boss) AS b, count(*) OVER (PARTITION BY boss, dept, boss) AS c FROM emp", "SELECT id, count(*) OVER (PARTITION BY dept, boss) AS a, count(*) OVER (PARTITION BY boss) AS b, count(*) OVER (PARTITION BY boss, dept) AS c FROM emp"),
        ("SELECT id, sum(id) OVER (PARTITION BY dept, dept ORDER BY id, id) AS a, sum(id) OVER (PARTITION BY dept, boss ORDER BY id) AS b FROM emp", "SELECT id, sum(id) OVER (PARTITION BY dept ORDER BY id) AS a, sum(id) OVER (PARTITION BY dept, boss ORDER BY id) AS b FROM emp"),
        ("SELECT id, rank() OVER (PARTITION BY dept ORDER BY dept, dept, salary) AS a, rank() OVER (ORDER BY salary, dept, salary) AS b FROM emp", "SELECT id, rank() OVER (PARTITION BY dept ORDER BY salary) AS a, rank() OVER (ORDER BY salary, dept) AS b FROM emp"),
        ("SELECT id, sum(id) OVER (PARTITION BY 1, dept) AS a, sum(id) OVER (PARTITION BY 1, 1) AS b FROM emp", "SELECT id, sum(id) OVER (PARTITION BY dept) AS a, sum(id) OVER () AS b FROM emp"),
        ("SELECT id, sum(id) OVER w AS a, count(*) OVER (PARTITION BY boss, dept) AS b FROM emp WINDOW w AS (PARTITION BY boss, boss)", "SELECT id, sum(id) OVER w AS a, count(*) OVER (PARTITION BY boss, dept) AS b FROM emp WINDOW w AS (PARTITION BY boss)"),
    ]:
        SAME[twice] = once
        yield twice


ROWS = "(SELECT * FROM emp a WHERE a.dept = d.dept) x"
LOST = "(SELECT count(*) FROM sales y WHERE NOT EXISTS (SELECT 1 FROM emp a WHERE a.dept = d.dept AND a.id = y.emp{}))"
# what DuckDB does not know, in words that it knows
SAME = {
    f"SELECT d.dept, (SELECT count(*) FROM {ROWS} FULL JOIN sales y ON x.id = y.emp) FROM dept d": f"SELECT d.dept, (SELECT count(*) FROM {ROWS} LEFT JOIN sales y ON x.id = y.emp) + {LOST.format('')} FROM dept d",
    f"SELECT d.dept, (SELECT count(*) FROM {ROWS} FULL JOIN sales y ON x.id = y.emp AND y.qty > 5) FROM dept d": f"SELECT d.dept, (SELECT count(*) FROM {ROWS} LEFT JOIN sales y ON x.id = y.emp AND y.qty > 5) + {LOST.format(' AND y.qty > 5')} FROM dept d",
    f"SELECT d.dept, x.id, y.qty FROM dept d, LATERAL {ROWS} FULL JOIN sales y ON x.id = y.emp": f"SELECT d.dept, x.id, y.qty FROM dept d, LATERAL {ROWS} LEFT JOIN sales y ON x.id = y.emp UNION ALL SELECT d.dept, NULL, y.qty FROM dept d, sales y WHERE NOT EXISTS (SELECT 1 FROM emp a WHERE a.dept = d.dept AND a.id = y.emp)",
    "SELECT d.dept, (SELECT count(*) FROM emp x RIGHT JOIN sales y ON x.id = y.emp AND x.dept = d.dept) FROM dept d": f"SELECT d.dept, (SELECT count(*) FROM {ROWS} RIGHT JOIN sales y ON x.id = y.emp) FROM dept d",
    "SELECT d.dept, (SELECT count(y.qty) FROM emp x LEFT JOIN sales y ON x.id = y.emp AND x.dept = d.dept) FROM dept d": f"SELECT d.dept, (SELECT count(y.qty) FROM {ROWS} JOIN sales y ON x.id = y.emp) FROM dept d",
    "SELECT d.dept, (SELECT count(*) FROM emp x LEFT JOIN sales y ON x.id = y.emp AND y.qty > d.dept // 4) FROM dept d": "SELECT d.dept, (SELECT sum(greatest(1, (SELECT count(*) FROM sales y WHERE x.id = y.emp AND y.qty > d.dept // 4))) FROM emp x) FROM dept d",
}


def joins():
    """What looks outside below the side of a join that is filled with nulls."""
    inner = "(SELECT * FROM emp a WHERE a.dept = d.dept) x"
    # DuckDB joins neither FULL nor by an outer column in ON of an outer join: see SAME
    yield from [q for q in SAME if "FROM dept d" in q and q not in SPELT]
    for kind in ("JOIN", "LEFT JOIN", "RIGHT JOIN"):
        yield f"SELECT d.dept, (SELECT count(*) FROM {inner} {kind} sales y ON x.id = y.emp) FROM dept d"
        yield f"SELECT d.dept, (SELECT count(x.id) FROM {inner} {kind} sales y ON x.id = y.emp AND y.qty > 5) FROM dept d"
        yield f"SELECT d.dept, (SELECT count(*) FROM {inner} {kind} (SELECT * FROM sales b WHERE b.qty > d.dept // 4) y ON x.id = y.emp) FROM dept d"
        yield f"SELECT d.dept, x.id, y.qty FROM dept d, LATERAL {inner} {kind} sales y ON x.id = y.emp"
        yield f"SELECT d.dept FROM dept d WHERE EXISTS (SELECT 1 FROM {inner} {kind} sales y ON x.id = y.emp WHERE y.qty IN (d.dept, 7))"
        yield f"SELECT d.dept, (SELECT sum(y.qty) FROM {inner} {kind} (SELECT emp AS id, qty FROM sales) y USING (id)) FROM dept d"
    yield "WITH n(i, j) AS (VALUES (1, NULL), (2, 1), (3, 2), (NULL, 3), (2, 2)) SELECT o.i, (SELECT count(*) FROM (SELECT * FROM n a WHERE a.i = o.i) x RIGHT JOIN n y ON x.i = y.j) AS c FROM n o"


def outer_aggregates():
    yield from [
        "SELECT (SELECT sum(e.id) FROM dept LIMIT 1) AS s FROM emp e",
        "SELECT e.dept, (SELECT max(e.salary) FROM sales LIMIT 1) AS s FROM emp e GROUP BY e.dept",
        "SELECT e.dept, (SELECT count(*) FROM sales s WHERE s.qty > min(e.id)) AS n FROM emp e GROUP BY e.dept",
        "SELECT e.dept FROM emp e GROUP BY e.dept HAVING EXISTS (SELECT 1 FROM sales s WHERE s.emp = max(e.id))",
        "SELECT e.dept, sum(e.id) AS t, (SELECT count(*) FROM sales s WHERE s.qty < sum(e.id)) AS n FROM emp e GROUP BY e.dept",
    ]


SAME["SELECT id FROM emp WHERE (dept, id) NOT IN (SELECT 20, 3)"] = "SELECT id FROM emp WHERE NOT (dept = 20 AND id = 3)"
SAME["SELECT id FROM emp WHERE (dept, id) NOT IN (SELECT 20, NULL)"] = "SELECT id FROM emp WHERE NOT (dept = 20 AND id = NULL)"


def shapes():
    yield from [
        "WITH x AS MATERIALIZED (SELECT id FROM emp) SELECT * FROM x WHERE id < 3",
        "WITH x AS NOT MATERIALIZED (SELECT id FROM emp), y AS MATERIALIZED (SELECT id + 1 AS id FROM x) SELECT * FROM y WHERE id < 3",
        "SELECT id AS a, dept AS b FROM emp UNION ALL BY NAME SELECT title AS c, dept AS b FROM dept",
        "SELECT dept, id FROM emp UNION BY NAME SELECT 3 AS id, 20 AS dept",
        "SELECT id FROM emp UNION ALL BY NAME SELECT dept AS id FROM dept UNION ALL BY NAME SELECT 'x' AS t",
        "SELECT id FROM emp WHERE (dept, boss) IN (SELECT dept, id FROM emp)",
        "SELECT id FROM emp WHERE (dept, id) IN (SELECT 10, 1 UNION SELECT 20, 4)",
        "SELECT id FROM emp WHERE (dept, id) NOT IN (SELECT 20, 3)",
        "SELECT id FROM emp WHERE (dept, id) NOT IN (SELECT 20, NULL)",
        "SELECT id FROM emp WHERE dept IS NOT NULL AND (dept, id) NOT IN (SELECT d.dept, 2 FROM dept d WHERE d.dept IS NOT NULL)",
        "SELECT o.i, x FROM (VALUES (1), (2)) o(i), LATERAL (VALUES (o.i), (o.i + 1)) l(x)",
        "SELECT o.i, x, y FROM (VALUES (1), (2)) o(i), LATERAL (VALUES (o.i, 'a'), (7, 'b')) l(x, y)",
        "SELECT d.dept, (SELECT max(v) FROM (VALUES (d.dept), (25)) t(v)) FROM dept d",
        "VALUES ((SELECT max(id) FROM emp), 1), (2, (SELECT 3))",
        "WITH c AS (SELECT 1 AS i) SELECT (WITH d AS (SELECT i) SELECT i FROM d) FROM c",
        "SELECT d.dept, (WITH x AS (SELECT id FROM emp e WHERE e.dept = d.dept) SELECT count(*) FROM x) FROM dept d",
        "SELECT d.dept, (WITH x AS (SELECT id FROM emp e WHERE e.dept = d.dept), y AS (SELECT id + 1 AS id FROM x) SELECT max(id) FROM y) FROM dept d",
        "SELECT id FROM emp WHERE (SELECT max(dept) FROM dept) IN (SELECT 50)",
        "SELECT id FROM emp e WHERE coalesce((SELECT d.dept FROM dept d WHERE d.dept = e.dept), 0) BETWEEN 5 AND 25",
    ]


def chains():
    """Long chains of operators."""
    for n in (60, 300):
        yield "SELECT id" + " + dept - id" * n + " FROM emp WHERE id < 4"
        yield "SELECT count(*) FROM emp WHERE id = 1" + "".join(f" OR id = {i}" for i in range(2, n)) + ""
        yield "SELECT count(*) FROM emp WHERE id <> -1" + "".join(f" AND id <> {i}" for i in range(20, 20 + n)) + ""
    yield "SELECT length(name" + " || 'x'" * 300 + ") FROM emp"
    yield "SELECT sum(" + " + ".join(["qty"] * 100) + ") FROM sales"
    yield "SELECT id" + " * 1" * 100 + ", id" + " % 7" * 100 + " FROM emp"


def questions():
    yield from names()
    yield from places()
    yield from literals()
    yield from groups()
    yield from windows()
    yield from joins()
    yield from outer_aggregates()
    yield from shapes()
    yield from chains()
