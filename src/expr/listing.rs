//! What `ddf functions` tells of aggregates, of window functions and of what is no function of its own; functions of
//! single rows have a table of their own.

use super::functions::functions;

/// A row of the list.
#[derive(Debug, Clone, Copy)]
pub struct Listed {
    /// How it is called.
    pub signature: &'static str,
    /// Its other names.
    pub aliases: &'static [&'static str],
    /// What it does.
    pub description: &'static str,
    /// A call, and what it gives.
    pub example: &'static str,
    /// What a window function gives for each row in the order of y; empty where the example is a condition.
    pub rows: &'static str,
}

/// The rows that the examples of aggregates and window functions look at: x and y.
pub const EXAMPLE_ROWS: [(Option<i64>, i64); 4] = [(Some(1), 10), (Some(2), 20), (Some(2), 30), (None, 40)];

const fn listed(
    signature: &'static str,
    aliases: &'static [&'static str],
    description: &'static str,
    example: &'static str,
    rows: &'static str,
) -> Listed {
    Listed {
        signature,
        aliases,
        description,
        example,
        rows,
    }
}

/// The aggregates. All leave nulls out but `count()`, `first` and `last`, and take FILTER (WHERE …).
pub const AGGREGATE_FUNCTIONS: &[Listed] = &[
    listed("count()", &[], "The number of rows.", "count() = 4", ""),
    listed(
        "count([DISTINCT] x)",
        &[],
        "The number of values, or of different ones.",
        "count(DISTINCT x) = 2",
        "",
    ),
    listed(
        "nunique(x)",
        &[],
        "The number of different values.",
        "nunique(x) = 2",
        "",
    ),
    listed(
        "sum([DISTINCT] x)",
        &["fsum", "kahan_sum", "sumkahan"],
        "The sum, exact.",
        "sum(x) = 5",
        "",
    ),
    listed(
        "avg([DISTINCT] x)",
        &["mean", "favg"],
        "The arithmetic mean.",
        "avg(y) = 25",
        "",
    ),
    listed(
        "geometric_mean(x)",
        &["geomean"],
        "The geometric mean.",
        "round(geometric_mean(x), 3) = 1.587",
        "",
    ),
    listed(
        "product(x)",
        &[],
        "The product, as a float.",
        "product(x) = 4",
        "",
    ),
    listed("min(x)", &[], "The least value.", "min(x) = 1", ""),
    listed("max(x)", &[], "The greatest value.", "max(x) = 2", ""),
    listed(
        "mode(x [ORDER BY y])",
        &[],
        "The most frequent value; of several the least, or the first in an order.",
        "mode(x) = 2",
        "",
    ),
    listed(
        "median(x)",
        &[],
        "The middle value, exact, interpolated; of dates and timestamps a timestamp.",
        "median(y) = 25",
        "",
    ),
    listed(
        "quantile(x, share)",
        &["quantile_cont", "percentile_cont"],
        "The value below which this share of the values lies, exact, interpolated.",
        "quantile(y, 0.5) = 25",
        "",
    ),
    listed(
        "std([DISTINCT] x)",
        &["stddev", "stddev_samp"],
        "The standard deviation of a sample.",
        "round(std(y), 3) = 12.91",
        "",
    ),
    listed(
        "var([DISTINCT] x)",
        &["variance", "var_samp"],
        "The variance of a sample.",
        "round(var(y), 3) = 166.667",
        "",
    ),
    listed(
        "stddev_pop([DISTINCT] x)",
        &[],
        "The standard deviation of a population.",
        "round(stddev_pop(y), 3) = 11.18",
        "",
    ),
    listed(
        "var_pop([DISTINCT] x)",
        &[],
        "The variance of a population.",
        "var_pop(y) = 125",
        "",
    ),
    listed(
        "skewness(x)",
        &[],
        "The skewness of a sample; null of fewer than three values and of equal ones.",
        "skewness(y) = 0",
        "",
    ),
    listed(
        "kurtosis(x)",
        &[],
        "The excess kurtosis of a sample; null of fewer than four values and of equal ones.",
        "round(kurtosis(y), 3) = -1.2",
        "",
    ),
    listed(
        "kurtosis_pop(x)",
        &[],
        "The excess kurtosis of a population.",
        "round(kurtosis_pop(y), 3) = -1.36",
        "",
    ),
    listed(
        "first(x [IGNORE NULLS] [ORDER BY y])",
        &[],
        "The value of the first row in the order of the input, or in another; null or not without IGNORE NULLS.",
        "first(x) = 1",
        "",
    ),
    listed(
        "last(x [IGNORE NULLS] [ORDER BY y])",
        &[],
        "The value of the last row in the order of the input, or in another; null or not without IGNORE NULLS.",
        "last(x) IS NULL AND last(x IGNORE NULLS) = 2",
        "",
    ),
    listed(
        "any_value(x [ORDER BY y])",
        &["arbitrary"],
        "The first value that is not null.",
        "any_value(x) = 1",
        "",
    ),
    listed(
        "arg_max(x, y)",
        &["argmax", "max_by"],
        "x where y is greatest, of the rows where neither is null; of several the first.",
        "arg_max(x, y) = 2",
        "",
    ),
    listed(
        "arg_min(x, y)",
        &["argmin", "min_by"],
        "x where y is least, of the rows where neither is null; of several the first.",
        "arg_min(x, y) = 1",
        "",
    ),
    listed(
        "count_if(condition)",
        &["countif"],
        "The number of rows for which it is true.",
        "count_if(y > 15) = 3",
        "",
    ),
    listed(
        "bool_and(x)",
        &["every"],
        "Whether all are true.",
        "bool_and(y > 5)",
        "",
    ),
    listed("bool_or(x)", &[], "Whether any is true.", "bool_or(y > 35)", ""),
    listed(
        "string_agg([DISTINCT] x, separator [ORDER BY y])",
        &["group_concat", "listagg"],
        "All as one text.",
        "string_agg(x, '-' ORDER BY y) = '1-2-2'",
        "",
    ),
    listed(
        "corr(y, x)",
        &[],
        "The correlation by Pearson.",
        "round(corr(y, x), 3) = 0.866",
        "",
    ),
    listed(
        "covar_pop(y, x)",
        &[],
        "The covariance of a population.",
        "round(covar_pop(y, x), 3) = 3.333",
        "",
    ),
    listed(
        "covar_samp(y, x)",
        &[],
        "The covariance of a sample.",
        "covar_samp(y, x) = 5",
        "",
    ),
    listed(
        "regr_count(y, x)",
        &[],
        "The number of pairs without a null.",
        "regr_count(y, x) = 3",
        "",
    ),
    listed(
        "regr_slope(y, x)",
        &[],
        "The slope of the line that least squares give; NaN where x never changes.",
        "regr_slope(y, x) = 15",
        "",
    ),
    listed(
        "regr_intercept(y, x)",
        &[],
        "Where that line meets x = 0.",
        "regr_intercept(y, x) = -5",
        "",
    ),
    listed(
        "regr_r2(y, x)",
        &[],
        "The share of the variance of y that the line explains.",
        "regr_r2(y, x) = 0.75",
        "",
    ),
    listed(
        "regr_sxx(y, x)",
        &[],
        "The sum of squared deviations of x.",
        "round(regr_sxx(y, x), 3) = 0.667",
        "",
    ),
    listed(
        "regr_syy(y, x)",
        &[],
        "The sum of squared deviations of y.",
        "regr_syy(y, x) = 200",
        "",
    ),
    listed(
        "regr_sxy(y, x)",
        &[],
        "The sum of products of deviations.",
        "regr_sxy(y, x) = 10",
        "",
    ),
    listed(
        "regr_avgx(y, x)",
        &[],
        "The mean of x.",
        "round(regr_avgx(y, x), 3) = 1.667",
        "",
    ),
    listed(
        "regr_avgy(y, x)",
        &[],
        "The mean of y.",
        "regr_avgy(y, x) = 20",
        "",
    ),
];

/// The functions that look at the rows around a row.
pub const WINDOW_LISTING: &[Listed] = &[
    listed(
        "row_number()",
        &[],
        "The number of the row in its partition.",
        "row_number() OVER (ORDER BY y DESC)",
        "4, 3, 2, 1",
    ),
    listed(
        "rank()",
        &[],
        "One more than the rows that come before its peers.",
        "rank() OVER (ORDER BY x)",
        "1, 2, 2, 4",
    ),
    listed(
        "dense_rank()",
        &[],
        "One more than the different keys that come before.",
        "dense_rank() OVER (ORDER BY x)",
        "1, 2, 2, 3",
    ),
    listed(
        "percent_rank()",
        &[],
        "The rank as a share, from 0 to 1.",
        "percent_rank() OVER (ORDER BY x)",
        "0.0, 0.3333333333333333, 0.3333333333333333, 1.0",
    ),
    listed(
        "cume_dist()",
        &[],
        "The share of the rows up to its peers.",
        "cume_dist() OVER (ORDER BY x)",
        "0.25, 0.75, 0.75, 1.0",
    ),
    listed(
        "ntile(n)",
        &[],
        "The number of its part, of n parts of the same size.",
        "ntile(2) OVER (ORDER BY y)",
        "1, 1, 2, 2",
    ),
    listed(
        "lag(x [IGNORE NULLS][, n[, default]])",
        &[],
        "The value n rows before, else 1.",
        "lag(x, 1, 0) OVER (ORDER BY y)",
        "0, 1, 2, 2",
    ),
    listed(
        "lead(x [IGNORE NULLS][, n[, default]])",
        &[],
        "The value n rows behind, else 1.",
        "lead(x) OVER (ORDER BY y)",
        "2, 2, NULL, NULL",
    ),
    listed(
        "first_value(x [IGNORE NULLS])",
        &[],
        "The value of the first row of the frame.",
        "first_value(x) OVER (ORDER BY y)",
        "1, 1, 1, 1",
    ),
    listed(
        "last_value(x [IGNORE NULLS])",
        &[],
        "The value of the last row of the frame.",
        "last_value(x IGNORE NULLS) OVER (ORDER BY y)",
        "1, 2, 2, 2",
    ),
    listed(
        "nth_value(x [IGNORE NULLS], n)",
        &[],
        "The value of the n-th row of the frame.",
        "nth_value(x, 2) OVER (ORDER BY y)",
        "NULL, 2, 2, 2",
    ),
    listed(
        "every aggregate",
        &[],
        "Over the rows of the frame.",
        "sum(y) OVER (ORDER BY y)",
        "10, 30, 60, 100",
    ),
];

/// Calls that stand for other expressions.
const SPELLED: &[Listed] = &[
    listed(
        "date_part(part, x)",
        &["datepart"],
        "A part of a date or timestamp; also extract(part FROM x).",
        "date_part('year', DATE '2013-04-05') = 2013",
        "",
    ),
    listed(
        "date(x)",
        &[],
        "The date of a timestamp or a text.",
        "date('2013-04-05') = DATE '2013-04-05'",
        "",
    ),
    listed(
        "date_add(x, interval)",
        &[],
        "x and an interval; also x + interval.",
        "date_add(DATE '2013-04-05', INTERVAL '1 day') = DATE '2013-04-06'",
        "",
    ),
    listed(
        "date_sub(x, interval)",
        &[],
        "x less an interval; also x - interval.",
        "date_sub(DATE '2013-04-05', INTERVAL '1 day') = DATE '2013-04-04'",
        "",
    ),
    listed(
        "to_days(n)",
        &[
            "to_years",
            "to_months",
            "to_weeks",
            "to_hours",
            "to_minutes",
            "to_seconds",
        ],
        "An interval of n days, to be added to dates and timestamps.",
        "DATE '2013-04-05' + to_days(2) = DATE '2013-04-07'",
        "",
    ),
    listed(
        "log(base, x)",
        &[],
        "The logarithm to a base.",
        "round(log(2, 8), 9) = 3",
        "",
    ),
    listed(
        "mod(a, b)",
        &[],
        "The rest of a division; also a % b.",
        "mod(7, 3) = 1",
        "",
    ),
    listed(
        "div(a, b)",
        &[],
        "The whole part of a division; also a // b.",
        "div(7, 2) = 3",
        "",
    ),
];

/// Everything that can be called, under the headings of its kinds.
pub fn listing() -> Vec<(&'static str, Vec<Listed>)> {
    let single = functions().iter().map(|f| Listed {
        signature: f.signature,
        aliases: f.aliases,
        description: f.description,
        example: f.example,
        rows: "",
    });
    vec![
        ("Functions", single.chain(SPELLED.iter().copied()).collect()),
        ("Aggregates", AGGREGATE_FUNCTIONS.to_vec()),
        ("Window functions", WINDOW_LISTING.to_vec()),
    ]
}

impl std::fmt::Display for Listed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:44} {}", self.signature, self.description)?;
        if !self.aliases.is_empty() {
            write!(f, " Also {}.", self.aliases.join(", "))?;
        }
        write!(f, " Example: {}", self.example)?;
        match self.rows.is_empty() {
            true => Ok(()),
            false => write!(f, " is {}", self.rows),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::window_sql::WINDOW_FUNCTIONS;
    use super::*;

    fn names(list: &[Listed]) -> Vec<&'static str> {
        let own = list.iter().filter_map(|l| l.signature.split('(').next());
        own.chain(list.iter().flat_map(|l| l.aliases.iter().copied()))
            .collect()
    }

    #[test]
    fn everything_is_listed() {
        let known = crate::expr::parse::AGGREGATES.iter().map(|(n, _)| *n);
        let known = known.chain(crate::expr::aggregates::COMPOSED.iter().copied());
        let listed = names(AGGREGATE_FUNCTIONS);
        for name in known {
            assert!(listed.contains(&name), "{name} is not listed");
        }
        let listed = names(WINDOW_LISTING);
        for (name, _) in WINDOW_FUNCTIONS {
            assert!(listed.contains(name), "{name} is not listed");
        }
    }

    #[test]
    fn examples_of_spelled_calls_hold() {
        for l in SPELLED {
            assert_eq!(crate::expr::tests::one_value(l.example), "true", "{}", l.example);
        }
    }
}
