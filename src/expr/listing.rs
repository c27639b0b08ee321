//! What `ddf functions` tells of aggregates; functions of single rows have a table of their own.

/// How each aggregate is called, its other names, and what it computes. All leave nulls out but `count()`, `first`
/// and `last`, and take FILTER (WHERE …).
pub const AGGREGATE_FUNCTIONS: &[(&str, &[&str], &str)] = &[
    ("count()", &[], "The number of rows."),
    (
        "count([DISTINCT] x)",
        &[],
        "The number of values, or of different ones.",
    ),
    ("nunique(x)", &[], "The number of different values."),
    (
        "sum([DISTINCT] x)",
        &["fsum", "kahan_sum", "sumkahan"],
        "The sum, exact.",
    ),
    ("avg([DISTINCT] x)", &["mean", "favg"], "The arithmetic mean."),
    ("geometric_mean(x)", &["geomean"], "The geometric mean."),
    ("product(x)", &[], "The product, as a float."),
    ("min(x)", &[], "The least value."),
    ("max(x)", &[], "The greatest value."),
    ("mode(x)", &[], "The most frequent value; of several the least."),
    ("median(x)", &[], "The middle value, exact, interpolated."),
    (
        "quantile(x, share)",
        &["quantile_cont", "percentile_cont"],
        "The value below which this share of the values lies, exact, interpolated.",
    ),
    (
        "std(x)",
        &["stddev", "stddev_samp"],
        "The standard deviation of a sample.",
    ),
    ("var(x)", &["variance", "var_samp"], "The variance of a sample."),
    ("stddev_pop(x)", &[], "The standard deviation of a population."),
    ("var_pop(x)", &[], "The variance of a population."),
    (
        "skewness(x)",
        &[],
        "The skewness of a sample; null of fewer than three values and of equal ones.",
    ),
    (
        "kurtosis(x)",
        &[],
        "The excess kurtosis of a sample; null of fewer than four values and of equal ones.",
    ),
    ("kurtosis_pop(x)", &[], "The excess kurtosis of a population."),
    (
        "first(x [ORDER BY y])",
        &[],
        "The first value in the order of the input, or in another.",
    ),
    (
        "last(x [ORDER BY y])",
        &[],
        "The last value in the order of the input, or in another.",
    ),
    (
        "any_value(x)",
        &["arbitrary"],
        "The first value that is not null.",
    ),
    (
        "arg_max(x, y)",
        &["argmax", "max_by"],
        "x where y is greatest; of several the first.",
    ),
    (
        "arg_min(x, y)",
        &["argmin", "min_by"],
        "x where y is least; of several the first.",
    ),
    (
        "count_if(condition)",
        &["countif"],
        "The number of rows for which it is true.",
    ),
    ("bool_and(x)", &["every"], "Whether all are true."),
    ("bool_or(x)", &[], "Whether any is true."),
    (
        "string_agg(x, separator [ORDER BY y])",
        &["group_concat", "listagg"],
        "All as one text.",
    ),
    ("corr(y, x)", &[], "The correlation by Pearson."),
    ("covar_pop(y, x)", &[], "The covariance of a population."),
    ("covar_samp(y, x)", &[], "The covariance of a sample."),
    ("regr_count(y, x)", &[], "The number of pairs without a null."),
    (
        "regr_slope(y, x)",
        &[],
        "The slope of the line that least squares give.",
    ),
    ("regr_intercept(y, x)", &[], "Where that line meets x = 0."),
    (
        "regr_r2(y, x)",
        &[],
        "The share of the variance of y that the line explains.",
    ),
    ("regr_sxx(y, x)", &[], "The sum of squared deviations of x."),
    ("regr_syy(y, x)", &[], "The sum of squared deviations of y."),
    ("regr_sxy(y, x)", &[], "The sum of products of deviations."),
    ("regr_avgx(y, x)", &[], "The mean of x."),
    ("regr_avgy(y, x)", &[], "The mean of y."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_aggregate_is_listed() {
        let own = AGGREGATE_FUNCTIONS
            .iter()
            .filter_map(|(s, ..)| s.split('(').next());
        let other = AGGREGATE_FUNCTIONS
            .iter()
            .flat_map(|(_, names, _)| names.iter().copied());
        let listed: Vec<&str> = own.chain(other).collect();
        let known = crate::expr::parse::AGGREGATES.iter().map(|(n, _)| *n);
        for name in known.chain(crate::expr::aggregates::COMPOSED.iter().copied()) {
            assert!(listed.contains(&name), "{name} is not listed");
        }
    }
}
