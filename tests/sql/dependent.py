"""Questions with subqueries that look outside in every place, and with recursive queries."""

import itertools


def questions():
    """Subqueries that refer to queries around them."""
    # every use of a subquery × what stands in it
    inner = [
        "SELECT {v} FROM sales s WHERE s.emp = e.id",
        "SELECT {v} FROM sales s WHERE s.emp < e.id",
        "SELECT {v} FROM sales s WHERE s.emp <> e.id AND s.qty > e.dept / 10",
        "SELECT {v} FROM sales s WHERE s.emp = e.boss",
        "SELECT {v} FROM sales s WHERE s.emp IS NOT DISTINCT FROM e.boss",
        "SELECT DISTINCT {v} FROM sales s WHERE s.emp >= e.id",
        "SELECT {v} FROM sales s WHERE s.emp = e.id UNION SELECT e.dept",
        "SELECT {v} FROM sales s WHERE s.emp = e.id EXCEPT SELECT 3",
        "SELECT {v} FROM sales s JOIN dept d ON d.dept = e.dept WHERE s.emp = e.id",
        "SELECT {v} FROM (SELECT * FROM sales WHERE emp = e.id) s",
        "SELECT {v} FROM sales s WHERE s.emp = e.id AND EXISTS (SELECT 1 FROM emp f WHERE f.boss = e.id AND f.id > s.qty)",
        "SELECT {v} FROM sales s WHERE false AND s.emp = e.id",
    ]
    uses = [
        "SELECT id FROM emp e WHERE EXISTS ({q})",
        "SELECT id FROM emp e WHERE NOT EXISTS ({q})",
        "SELECT id FROM emp e WHERE id = 4 OR EXISTS ({q})",
        "SELECT id FROM emp e WHERE id IN ({q})",
        "SELECT id FROM emp e WHERE dept NOT IN ({q})",
        "SELECT id, boss IN ({q}) FROM emp e",
        "SELECT id, NOT EXISTS ({q}) FROM emp e",
        "SELECT id, id > ALL ({q}), dept < ANY ({q}) FROM emp e",
    ]
    for use, q in itertools.product(uses, inner):
        yield use.format(q=q.format(v="s.qty"))
    values = [
        "count(*)", "sum(s.qty)", "max(s.item)", "count(*) + e.id", "sum(s.qty) FILTER (WHERE s.emp > e.dept / 20)",
        "count(DISTINCT s.item)", "max(s.qty) - min(s.qty)",
    ]
    for value, q in itertools.product(values, inner):
        if "DISTINCT" not in q and "UNION" not in q and "EXCEPT" not in q:
            yield f"SELECT id, ({q.format(v=value)}) FROM emp e"
    for q in inner:
        yield f"SELECT e.id, x.q FROM emp e, LATERAL ({q.format(v='s.qty AS q')}) x"
        yield f"SELECT e.id, x.q FROM emp e LEFT JOIN LATERAL ({q.format(v='s.qty AS q')}) x ON true"
        if "UNION" not in q and "EXCEPT" not in q:
            by = "q DESC" if "DISTINCT" in q[:20] else "s.qty DESC, s.day, s.item"
            yield f"SELECT e.id, x.q FROM emp e, LATERAL ({q.format(v='s.qty AS q')} ORDER BY {by} LIMIT 2) x"
            yield f"SELECT e.id, x.q FROM emp e LEFT JOIN LATERAL ({q.format(v='s.qty AS q')} ORDER BY s.qty LIMIT 1 OFFSET 1) x ON true"
    yield from [
        "SELECT id, (SELECT e.id + 1) FROM emp e",
        "SELECT id, (SELECT e.id WHERE e.id > 3) FROM emp e",
        "SELECT id, (SELECT name || d.title FROM dept d WHERE d.dept = e.dept) FROM emp e",
        "SELECT id, (SELECT qty FROM sales s WHERE s.emp = e.id ORDER BY day DESC, qty LIMIT 1) FROM emp e",
        "SELECT id, (SELECT max((SELECT max(qty) FROM sales s WHERE s.emp = f.id AND s.emp < e.id)) FROM emp f WHERE f.dept = e.dept) FROM emp e",
        "SELECT id FROM emp e WHERE salary > (SELECT avg(salary) FROM emp f WHERE f.dept = e.dept AND f.id IN (SELECT s.emp FROM sales s WHERE s.emp <> e.id))",
        "SELECT id FROM emp e WHERE (SELECT count(*) FROM sales s WHERE s.emp = e.id GROUP BY s.emp) > 1",
        "SELECT id FROM emp e WHERE EXISTS (SELECT count(*) FROM sales s WHERE s.emp = e.id)",
        "SELECT id FROM emp e WHERE EXISTS (SELECT s.item FROM sales s WHERE s.emp = e.id GROUP BY s.item HAVING count(*) > 1)",
        "SELECT id FROM emp e WHERE e.id IN (SELECT max(s.emp) FROM sales s WHERE s.item <> e.name)",
        "SELECT id FROM emp e WHERE 3 IN (SELECT max(s.emp) FROM sales s WHERE s.emp < e.id GROUP BY s.item)",
        "SELECT id, (SELECT count(*) FROM (SELECT DISTINCT item FROM sales s WHERE s.emp = e.id) t) FROM emp e",
        "SELECT id, (SELECT sum(r) FROM (SELECT row_number() OVER (ORDER BY qty) AS r FROM sales s WHERE s.emp < e.id) t) FROM emp e",
        "SELECT e.id, x.item, x.r FROM emp e, LATERAL (SELECT item, rank() OVER (ORDER BY sum(qty)) AS r FROM sales s WHERE s.emp <= e.id GROUP BY item) x",
        "SELECT e.id, x.j FROM emp e, (SELECT e.id + 1 AS j) x",
        "SELECT e.id, x.j, y.k FROM emp e, LATERAL (SELECT e.id + 1 AS j) x, LATERAL (SELECT x.j * 2 AS k) y",
        "SELECT e.id, x.n FROM emp e, LATERAL (SELECT DISTINCT ON (item) item AS n FROM sales s WHERE s.emp = e.id ORDER BY item, qty) x",
        "SELECT e.id, (SELECT string_agg(item, ',' ORDER BY item, day) FROM sales s WHERE s.emp = e.id) FROM emp e",
        "SELECT d.dept, (SELECT count(*) FROM emp e WHERE e.dept = d.dept AND EXISTS (SELECT 1 FROM sales s WHERE s.emp = e.id AND s.qty > d.dept / 5)) FROM dept d",
        "SELECT d.dept FROM dept d WHERE EXISTS (SELECT 1 FROM emp e WHERE e.dept = d.dept AND NOT EXISTS (SELECT 1 FROM sales s WHERE s.emp = e.id AND s.item <> d.title AND s.qty > d.dept))",
        "SELECT i, (SELECT count(*) FROM nums m WHERE m.x > n.x) FROM nums n",
        "SELECT i, (SELECT max(m.t) FROM nums m WHERE m.b IS DISTINCT FROM n.b AND m.i < n.i) FROM nums n",
        "SELECT sym, ts, (SELECT px FROM quotes q WHERE q.sym = t.sym AND q.ts <= t.ts ORDER BY q.ts DESC, px LIMIT 1) FROM trades t",
        "SELECT id FROM emp e WHERE id IN (SELECT s.emp FROM sales s WHERE s.emp = e.id ORDER BY qty LIMIT 1)",
        "SELECT id FROM emp e WHERE EXISTS (SELECT 1 FROM sales s WHERE s.emp = e.id LIMIT 0)",
        "SELECT id, (SELECT i FROM (VALUES (1), (2), (3)) v(i) WHERE v.i = e.id) FROM emp e",
    ]


def recursive():
    """WITH RECURSIVE."""
    yield from [
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 10) SELECT * FROM t",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 500) SELECT count(*), sum(n), max(n) FROM t",
        "WITH RECURSIVE t(n, f) AS (SELECT 1, 1 UNION ALL SELECT n + 1, f * (n + 1) FROM t WHERE n < 12) SELECT * FROM t",
        "WITH RECURSIVE t(a, b) AS (SELECT 0, 1 UNION ALL SELECT b, a + b FROM t WHERE b < 500) SELECT a FROM t",
        "WITH RECURSIVE t AS (SELECT 1 AS n UNION SELECT (n * 2) % 7 FROM t) SELECT * FROM t",
        "WITH RECURSIVE t AS (SELECT 1 AS n UNION SELECT (n + 3) % 10 FROM t) SELECT count(*), sum(n) FROM t",
        "WITH RECURSIVE t AS (SELECT id, boss, 1 AS depth FROM emp WHERE boss IS NULL UNION ALL SELECT e.id, e.boss, t.depth + 1 FROM emp e JOIN t ON e.boss = t.id) SELECT * FROM t",
        "WITH RECURSIVE t AS (SELECT id, name, name AS path FROM emp WHERE boss IS NULL UNION ALL SELECT e.id, e.name, t.path || '/' || e.name FROM emp e JOIN t ON e.boss = t.id) SELECT id, path FROM t",
        "WITH RECURSIVE up AS (SELECT id AS start, id, boss FROM emp UNION ALL SELECT u.start, e.id, e.boss FROM up u JOIN emp e ON e.id = u.boss) SELECT start, count(*) FROM up GROUP BY start",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT a.n, b.n FROM t a, t b WHERE a.n < b.n",
        "WITH RECURSIVE a AS (SELECT 3 AS k), t(n) AS (SELECT k FROM a UNION ALL SELECT n - 1 FROM t WHERE n > 0) SELECT * FROM t",
        "WITH RECURSIVE t(n) AS (SELECT 1 WHERE false UNION ALL SELECT n + 1 FROM t WHERE n < 10) SELECT * FROM t",
        "WITH RECURSIVE t(n) AS (VALUES (1), (2) UNION ALL SELECT n + 2 FROM t WHERE n < 8) SELECT * FROM t",
        "WITH RECURSIVE t(d) AS (SELECT DATE '2024-02-27' UNION ALL SELECT d + 1 FROM t WHERE d < DATE '2024-03-02') SELECT * FROM t",
        "WITH RECURSIVE t(d, n) AS (SELECT DATE '2024-01-31', 0 UNION ALL SELECT DATE '2024-01-31' + CAST(31 * (n + 1) AS int), n + 1 FROM t WHERE n < 3) SELECT n, d FROM t",
        "WITH RECURSIVE t(n, s) AS (SELECT 1, 'a' UNION ALL SELECT n + 1, s || 'é' FROM t WHERE length(s) < 4) SELECT * FROM t",
        "WITH RECURSIVE r(x) AS (SELECT NULL UNION SELECT x FROM r) SELECT count(*) FROM r",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 4) SELECT n, (SELECT count(*) FROM emp e WHERE e.id < t.n) FROM t",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < (SELECT max(id) FROM emp)) SELECT count(*) FROM t",
        "SELECT * FROM (WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n * 3 FROM t WHERE n < 30) SELECT n FROM t) x WHERE n > 1",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 6) SELECT n, lag(n) OVER (ORDER BY n), sum(n) OVER (ORDER BY n) FROM t",
        "WITH RECURSIVE plain AS (SELECT id FROM emp WHERE id < 3) SELECT * FROM plain",
        "WITH RECURSIVE edges(a, b) AS (VALUES (1, 2), (2, 3), (3, 1), (3, 4)), reach(a, b) AS (SELECT a, b FROM edges UNION SELECT r.a, e.b FROM reach r JOIN edges e ON r.b = e.a) SELECT a, b FROM reach",
    ]


def pairs():
    """Aggregates of two columns, and DISTINCT over windows."""
    functions = ["corr", "covar_pop", "covar_samp", "regr_count", "regr_slope", "regr_intercept", "regr_r2",
                 "regr_sxx", "regr_syy", "regr_sxy", "regr_avgx", "regr_avgy"]
    for f in functions:
        yield f"SELECT {f}(salary, id) FROM emp"
        yield f"SELECT dept, {f}(salary, id) FROM emp GROUP BY dept HAVING count(salary) > 2"
        yield f"SELECT {f}(qty, price) FILTER (WHERE emp > 1) FROM sales"
        yield f"SELECT {f}(salary, id) FROM emp WHERE false"
        yield f"SELECT id, {f}(salary, id) OVER (ORDER BY id ROWS BETWEEN 4 PRECEDING AND CURRENT ROW) FROM emp QUALIFY count(salary) OVER (ORDER BY id ROWS BETWEEN 4 PRECEDING AND CURRENT ROW) > 2"
    frames = ["PARTITION BY emp", "PARTITION BY emp ORDER BY qty", "ORDER BY day, item ROWS BETWEEN 2 PRECEDING AND CURRENT ROW",
              "ORDER BY emp GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING", "ORDER BY day, item ROWS BETWEEN 3 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW"]
    for f, x in [("sum", "qty"), ("avg", "qty"), ("sum", "price"), ("count", "item"), ("stddev", "qty"), ("sum", "emp")]:
        for over in frames:
            yield f"SELECT day, item, {f}(DISTINCT {x}) OVER ({over}) FROM sales"
