"""Columns of text that are equal to columns of numbers, dates and moments, in every place; for make.py."""

T = "(VALUES (1, 1.5::double, DATE '2024-01-01', TIMESTAMP '2024-01-01 10:00:00'), (2, 2::double, DATE '2024-01-02', TIMESTAMP '2024-01-02 00:00:00'), (12, NULL::double, NULL::date, NULL::timestamp), (NULL::bigint, 0::double, DATE '2023-12-31', TIMESTAMP '2023-12-31 00:00:00')) t(i, f, d, m)"
U = "(VALUES ('01', '1.5', '2024-01-01', '2024-01-01 10:00:00'), ('1', '2.0', '2024-01-02', '2024-01-02'), ('2', '1.50', '2024-01-02', '2024-01-02 00:00'), ('012', NULL, NULL, NULL), (NULL, '3', '1999-12-31', '1999-12-31 01:02:03')) u(i, f, d, m)"

PAIRS = [("t.i", "u.i"), ("u.i", "t.i"), ("t.f", "u.f"), ("t.d", "u.d"), ("t.m", "u.m")]

CONDITIONS = [f"{a} {op} {b}" for a, b in PAIRS for op in ("=", "<>")] + [
    "t.i IS DISTINCT FROM u.i",
    "t.f IS NOT DISTINCT FROM u.f",
    "t.i IN (u.i, 12)",
    "t.i NOT IN (u.i, 12)",
    "nullif(t.i, u.i) IS NULL",
    "CASE t.i WHEN u.i THEN true ELSE false END",
]

CLAUSES = [
    f"SELECT t.i, u.i, u.m FROM {T}, {U} WHERE {{c}}",
    f"SELECT t.i, u.i, u.m, {{c}} AS c FROM {T}, {U}",
    f"SELECT t.i, u.i, u.m FROM {T} LEFT JOIN {U} ON {{c}}",
    f"SELECT t.i, u.i, u.m FROM {T} FULL JOIN {U} ON {{c}}",
    f"SELECT t.i FROM {T} WHERE EXISTS (SELECT 1 FROM {U} WHERE {{c}})",
    f"SELECT u.m FROM {U} WHERE NOT EXISTS (SELECT 1 FROM {T} WHERE {{c}})",
    f"SELECT t.i, (SELECT count(*) FROM {U} WHERE {{c}}) AS n FROM {T}",
    f"SELECT t.i, EXISTS (SELECT 1 FROM {U} WHERE {{c}}) AS n FROM {T}",
]
# keys that are equal by other values than their own: groups of these would stand beside a row several times
EQUAL = [
    f"SELECT i, i IN (SELECT i FROM {U}) AS n FROM {T}",
    f"SELECT i, i NOT IN (SELECT i FROM {U} WHERE i IS NOT NULL) AS n FROM {T}",
    f"SELECT i FROM {T} WHERE i IN (SELECT i FROM {U})",
    f"SELECT i FROM {U} WHERE i IN (SELECT i FROM {T})",
    f"SELECT i, i = ANY (SELECT i FROM {U}) AS n, i <> ALL (SELECT i FROM {U} WHERE i > '01') AS a FROM {T}",
    f"SELECT t.i, t.i = ANY (SELECT u.i FROM {U} WHERE u.f <> t.f) AS n FROM {T}",
    f"SELECT t.i, (SELECT max(u.m) FROM {U} WHERE u.i = t.i) AS m FROM {T}",
    f"SELECT t.i, x.n FROM {T}, LATERAL (SELECT count(*) AS n, min(u.f) AS f FROM {U} WHERE u.i = t.i) x",
    f"SELECT t.i, x.i FROM {T}, LATERAL (SELECT u.i FROM {U} WHERE u.i = t.i) x",
    f"SELECT t.i, t.i IN (SELECT u.i FROM {U} WHERE u.f <> t.f) AS n FROM {T}",
    f"SELECT * FROM {T} JOIN {U} USING (i)",
    "SELECT x, (SELECT count(*) FROM (VALUES (9007199254740992), (9007199254740993)) b(y) WHERE y = x) AS n FROM (VALUES (9007199254740992::double)) a(x)",
    "SELECT x, x IN (SELECT y FROM (VALUES (9007199254740992), (9007199254740993)) b(y)) AS n FROM (VALUES (9007199254740992::double)) a(x)",
    "SELECT x, EXISTS (SELECT 1 FROM (VALUES (9007199254740992), (9007199254740993)) b(y) WHERE y = x) AS n FROM (VALUES (9007199254740992::double)) a(x)",
    "SELECT e.id, d.dept FROM emp e JOIN (SELECT '0' || dept AS dept FROM dept) d ON e.dept = d.dept",
    "SELECT e.id FROM emp e WHERE e.hired IN (SELECT cast(hired AS text) FROM emp WHERE dept = 20)",
]
# what text functions make of integers: their digits
DIGITS = [
    "SELECT id, substr(100 - id, 1, 1), id LIKE '1%' FROM emp",
    "SELECT dept, count(*) FROM emp GROUP BY 1 HAVING dept NOT LIKE '1%'",
    "SELECT lpad(id, 3, '0') AS code FROM emp WHERE right(id, 1) = '0' OR starts_with(id, '3')",
    "SELECT strptime(20240131 + id, '%Y%m%d') FROM emp WHERE id < 1",
    "SELECT length(trim(123456789012345678901))",
]
SAME = {}


def cast(q):
    """What DuckDB is asked: it compares the values of a subquery with those of one type only."""
    for c, ty in (("u.i", "bigint"), ("i", "bigint"), ("cast(hired AS text)", "date")):
        for head in ("IN (SELECT ", "ANY (SELECT ", "ALL (SELECT "):
            q = q.replace(f"{head}{c} FROM {U}", f"{head}cast({c} AS {ty}) FROM {U}")
        q = q.replace(f"IN (SELECT {c} FROM emp", f"IN (SELECT cast({c} AS {ty}) FROM emp")
    return q.replace(f"FROM {U} WHERE i IN", f"FROM {U} WHERE cast(i AS bigint) IN")


def spelt(q):
    """It has no functions of the text of an integer."""
    for name in ("id", "dept", "100 - id", "20240131 + id", "123456789012345678901"):
        for head in ("substr(", "lpad(", "right(", "starts_with(", "trim(", "strptime("):
            q = q.replace(f"{head}{name}", f"{head}cast({name} AS text)")
        q = q.replace(f"{name} LIKE", f"cast({name} AS text) LIKE").replace(f"{name} NOT LIKE", f"cast({name} AS text) NOT LIKE")
    return q


def questions():
    for c in CONDITIONS:
        yield from (clause.format(c=c) for clause in CLAUSES)
    for q in EQUAL:
        SAME[q] = cast(q)
        yield q
    for q in DIGITS:
        SAME[q] = spelt(q)
        yield q
