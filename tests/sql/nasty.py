"""Values at the ends of their types, nulls, NaN, equal ones: every aggregate over them, in groups, over all rows,
over none, with FILTER and over frames that slide."""

NUMBERS = {
    "u": [1.5, 2.5, None, -3.25, 0.1, 0.1, 0.2],
    "e": [0.5] * 7,
    "n": [1.0, "nan", 2.0, None, 3.0, "nan", 4.0],
    "p": [1.0, "inf", 2.0, None, 3.0, 5.0, 4.0],
    "z": [None] * 7,
    "s": [None, None, 3.5, None, None, None, None],
}
WHOLE = {
    "i": [1, 2, 2, None, -5, 7, 7],
    "m": [9223372036854775807, -9223372036854775807, 0, None, 1, -1, 5],
}
OTHERS = {
    "t": ("varchar", ["é", "e", "z", None, "日本", "", "é"]),
    "b": ("boolean", ["true", "false", None, "true", "true", "false", None]),
    "d": ("date", ["2020-01-01", "1969-12-31", "0001-01-01", None, "9999-12-31", "2020-02-29", "2020-01-01"]),
    "q": ("decimal(10,2)", ["1.50", "2.50", None, "-3.25", "0.10", "0.10", "0.20"]),
}


def literal(kind, value):
    return f"NULL::{kind}" if value is None else f"'{value}'::{kind}"


def table(*wanted):
    kinds = {c: ("double", NUMBERS[c]) for c in NUMBERS} | {c: ("bigint", WHOLE[c]) for c in WHOLE} | OTHERS
    rows = []
    for i in range(7):
        values = [str(i), f"'{'abca'[i % 4]}'"] + [literal(kinds[c][0], kinds[c][1][i]) for c in wanted]
        rows.append(f"({', '.join(values)})")
    return f"(VALUES {', '.join(rows)}) x({', '.join(['id', 'g', *wanted])})"


def calls(column):
    if column in NUMBERS or column in ("i", "q"):
        yield from ["sum", "avg"]
    # DuckDB has no variance of what is not finite
    if column in ("u", "e", "z", "s", "i", "q"):
        yield from ["stddev_samp", "var_samp", "stddev_pop", "var_pop"]
    if column in NUMBERS or column == "i":
        yield from ["median"]
    if column == "d":
        yield from ["median"]
    if column == "b":
        yield from ["bool_and", "bool_or"]
    yield from ["min", "max", "count", "first", "last", "any_value"]


def questions():
    for column in [*NUMBERS, *WHOLE, *OTHERS]:
        names, t = list(calls(column)), table(column)
        each = [f"{f}({column})" for f in names]
        yield f"SELECT {', '.join(each)} FROM {t}"
        yield f"SELECT g, {', '.join(each)}, count(DISTINCT {column}) FROM {t} GROUP BY g ORDER BY g"
        yield f"SELECT {', '.join(f'{c} FILTER (WHERE id > 2)' for c in each)} FROM {t}"
        yield f"SELECT {', '.join(each)} FROM {t} WHERE id > 100"
        over = "OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)"
        yield f"SELECT id, {', '.join(f'{c} {over}' for c in each)} FROM {t} ORDER BY id"
        yield f"SELECT id, {', '.join(f'{c} OVER (PARTITION BY g)' for c in each)} FROM {t} ORDER BY id"
    pairs = ["corr", "covar_pop", "covar_samp", "regr_sxx", "regr_syy", "regr_sxy", "regr_avgx", "regr_avgy"]
    for x in ["u", "e", "i", "z", "s"]:
        each, t = ", ".join(f"{f}(u, {x})" for f in pairs), table(*dict.fromkeys(["u", x]))
        yield f"SELECT {each}, regr_count(u, {x}), regr_slope(u, {x}) FROM {t}"
        yield f"SELECT g, {each}, regr_count(u, {x}) FROM {t} GROUP BY g ORDER BY g"
    yield f"SELECT sum(DISTINCT i), regr_count(u, i), count(u) FROM {table('u', 'i')} WHERE id > 100"
    for zone in ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]:
        for clock in ["2024-10-27 02:30:00", "2024-11-03 01:30:00", "2024-03-31 02:30:00", "2024-04-07 01:45:00"]:
            yield f"SELECT epoch(TIMESTAMP '{clock}' AT TIME ZONE '{zone}')"
    for text, form in [
        ("2020-01-01 00:00:00.123456", "%Y-%m-%d %H:%M:%S.%f"),
        ("69-01-01", "%y-%m-%d"),
        ("68-01-01", "%y-%m-%d"),
        ("2024", "%Y"),
        ("2024-03", "%Y-%m"),
        ("16-Jul-69", "%d-%b-%y"),
        ("12:30 AM", "%I:%M %p"),
        ("20240229", "%Y%m%d"),
    ]:
        yield f"SELECT strptime('{text}', '{form}'), try_strptime('{text}x', '{form}')"
    yield "SELECT strftime(TIMESTAMP '2020-01-02 03:04:05.000678', '%Y/%m/%d %H:%M:%S.%f %j %p %b %%')"
    for width in ["15 minutes", "7 hours", "1 day", "5 days", "1 week", "1 month", "5 months", "1 year"]:
        for at in ["2024-05-01 10:14:59", "1969-12-31 23:59:59", "2000-01-01 00:00:00"]:
            yield f"SELECT time_bucket(INTERVAL '{width}', TIMESTAMP '{at}')"
            yield f"SELECT time_bucket(INTERVAL '{width}', TIMESTAMP '{at}', TIMESTAMP '2001-02-03 04:05:06')"
    for span in ["1.5 hours", "-1.5 hours", "1 day 02:30:00", "90 minutes", "2 quarters"]:
        yield f"SELECT DATE '2020-01-31' + INTERVAL '{span}'"
    yield "SELECT md5('a'), md5(''), md5('日本'), md5(NULL), sha256('a')"
    for start in [-10, -3, -1, 0, 1, 2, 9]:
        yield f"SELECT substr('hello', {start}), substr('hello', {start}, 2), substr('日本語x', {start}, 2)"
