//! From flags to a frame.

use std::cell::RefCell;
use std::ffi::OsString;
use std::path::Path;

use clap::ArgMatches;

use super::args::{AskArgs, InputArgs, OutputArgs, QueryArgs, RunArgs, SchedulerArg};
use super::{join, select};
use crate::error::{Error, Result};
use crate::expr::{self, AggCall, AggFunc, Columns, Expr};
use crate::frame::{AsOf, Direction, Frame, How, Settings};
use crate::kernel;
use crate::schedule::Scheduler;
use crate::source::{Format, OnBadRow, ReadOptions, Retries, TypesOf, Union};
use crate::write::can_write;

/// The frame that the flags describe. `matches` tells in which order aggregates were typed.
pub fn frame(args: &QueryArgs, matches: &ArgMatches) -> Result<Frame> {
    let inputs = inputs(&args.inputs)?;
    let mut options = read_options(&args.read)?;
    if !args.ask.join.is_empty() {
        options.types_of = TypesOf::AnyTable;
    }
    let settings = settings(&args.run)?;
    let f = Frame::read_with(&inputs, &options, settings.clone())?;
    let hint = f.better_header();
    let columns = RefCell::new(names(&f)?);
    let read = |file: &str| {
        let right = Frame::read_with([file], &options, settings.clone())?;
        columns.borrow_mut().extend(names(&right)?);
        Ok(right)
    };
    let answered = join::joined(f, matches, read).and_then(|f| {
        options.find_typed(columns.borrow().iter().map(String::as_str))?;
        answer(f, &args.ask, matches)
    });
    only_partition(&args.run, answered.map_err(|e| with_hint(e, hint))?)
}

/// The names of a table's columns.
fn names(f: &Frame) -> Result<Vec<String>> {
    Ok(f.schema()?.fields().iter().map(|f| f.name().clone()).collect())
}

/// An error about a column that is not there, with what the files look like.
fn with_hint(e: Error, hint: Option<String>) -> Error {
    match hint {
        Some(hint) if e.what().starts_with("no column") => {
            let help = e.help_text().map_or(String::new(), |h| format!("; {h}"));
            e.help(format!("{hint}{help}"))
        }
        _ => e,
    }
}

/// The frame of `ddf join`: the first input joined with the others, then what `query` would do.
pub fn join_frame(args: &QueryArgs, matches: &ArgMatches) -> Result<Frame> {
    let ([first, others @ ..], []) = (args.inputs.as_slice(), args.ask.join.as_slice()) else {
        return Err(
            Error::usage("ddf join takes its tables as inputs").help("as in: ddf join a.csv b.csv --on id")
        );
    };
    if others.is_empty() {
        return Err(Error::usage("a join needs two tables").help("as in: ddf join a.csv b.csv --on id"));
    }
    let mut options = read_options(&args.read)?;
    options.types_of = TypesOf::AnyTable;
    let settings = settings(&args.run)?;
    let mut asof = AsOf::default();
    for d in &args.ask.asof_direction {
        asof.direction = Direction::from_name(d)?;
    }
    for t in &args.ask.tolerance {
        asof.tolerance = Some(AsOf::distance(t)?);
    }
    let how = match args.ask.how.as_slice() {
        [] if asof != AsOf::default() => return Err(join::only_asof()),
        [] => How::Inner,
        [one] => join::how(one, &asof)?,
        _ => return Err(Error::usage("ddf join takes one --how")),
    };
    let mut f = Frame::read_with([first], &options, settings.clone())?;
    let mut columns = names(&f)?;
    for other in others {
        let right = Frame::read_with([other], &options, settings.clone())?;
        columns.extend(names(&right)?);
        let on = join::keys(&args.ask.on, &f, &right)?;
        f = join::one(f, right, &on, how, &asof)?;
    }
    options.find_typed(columns.iter().map(String::as_str))?;
    only_partition(&args.run, answer(f, &args.ask, matches)?)
}

/// The frame, or what `--partition N` or `--partition TABLE:N` leaves of it.
pub fn only_partition(run: &RunArgs, frame: Frame) -> Result<Frame> {
    let Some(text) = &run.partition else {
        return Ok(frame);
    };
    let (table, part) = text.split_once(':').unwrap_or(("0", text));
    match (table.parse(), part.parse()) {
        (Ok(table), Ok(part)) => frame.only_partition(table, part),
        _ => Err(Error::usage(format!(
            "--partition {text:?} is not a number, nor TABLE:NUMBER"
        ))),
    }
}

/// What is asked of the rows.
fn answer(mut f: Frame, ask: &AskArgs, matches: &ArgMatches) -> Result<Frame> {
    for w in &ask.with {
        f = f.with(w)?;
    }
    for w in &ask.filter {
        f = f.filter(w)?;
    }
    f = group(f, ask, matches)?;
    let keys = items(&ask.sort, &f, &[':'])?;
    let all = f.clone();
    f = select(f, ask)?;
    if ask.distinct {
        f = f.distinct()?;
    }
    if !keys.is_empty() {
        let sorted = |f: Frame| f.sort(keys.iter().map(String::as_str));
        f = match sorted(f) {
            Ok(f) => f,
            // Rows may be ordered by what is not shown, unless equal rows were put together.
            Err(e) if ask.select.is_empty() || ask.distinct => return Err(e),
            Err(e) => select(sorted(all).map_err(|_| e)?, ask)?,
        };
    }
    if ask.limit.is_some() || ask.offset > 0 {
        f = f.limit(ask.offset, ask.limit)?;
    }
    Ok(f)
}

fn group(f: Frame, ask: &AskArgs, matches: &ArgMatches) -> Result<Frame> {
    let schema = f.schema()?;
    let columns = Columns::of(&schema);
    let aggs = aggregates(matches, &columns)?;
    let keys = items(&ask.groupby, &f, &[])?;
    let mut f = f;
    if keys.is_empty() && aggs.is_empty() {
        if !ask.having.is_empty() {
            return Err(Error::usage("--having filters groups, but there are none")
                .help("use --where to filter rows"));
        }
    } else {
        if ask.drop_null_keys {
            for k in &keys {
                let (_, e) = columns.key(k)?;
                f = f.filter_expr(Expr::IsNull {
                    expr: Box::new(e),
                    negated: true,
                })?;
            }
        }
        // of the result first
        let named = aggs.iter().map(|(n, _)| n.as_str());
        let known = Columns::new(
            named
                .chain(schema.fields().iter().map(|f| f.name().as_str()))
                .collect(),
        );
        let having = ask
            .having
            .iter()
            .map(|h| known.expr(h))
            .collect::<Result<Vec<_>>>()?;
        f = f
            .groupby(keys.iter().map(String::as_str))?
            .agg_having(aggs, having)?;
    }
    Ok(f)
}

fn select(f: Frame, ask: &AskArgs) -> Result<Frame> {
    let selected = items(&ask.select, &f, &[':'])?;
    if selected.is_empty() {
        return Ok(f);
    }
    let schema = f.schema()?;
    f.select_exprs(select::resolve(&selected, &schema)?)
}

/// The aggregates of all flags, in the order in which they were typed.
fn aggregates(matches: &ArgMatches, columns: &Columns) -> Result<Vec<(String, Expr)>> {
    let mut found: Vec<(usize, &str, &String)> = Vec::new();
    for flag in AGGREGATE_FLAGS {
        let (Some(values), Some(indices)) = (matches.get_many::<String>(flag), matches.indices_of(flag))
        else {
            continue;
        };
        found.extend(indices.zip(values).map(|(i, v)| (i, *flag, v)));
    }
    found.sort_by_key(|(i, ..)| *i);
    let mut out = Vec::new();
    for (_, flag, value) in found {
        if flag == "agg" {
            let (name, e) = columns.named(value)?;
            out.push((name.unwrap_or_else(|| e.default_name()), e));
            continue;
        }
        for item in columns.split(value, &[':']) {
            out.push(aggregate(flag, &item, columns)?);
        }
    }
    Ok(out)
}

const AGGREGATE_FLAGS: &[&str] = &[
    "mean", "sum", "min", "max", "count", "nunique", "std", "var", "median", "quantile", "first", "last",
    "agg",
];

fn aggregate(flag: &str, item: &str, columns: &Columns) -> Result<(String, Expr)> {
    let call = |func, arg| {
        Expr::Aggregate(Box::new(AggCall {
            func,
            arg,
            distinct: false,
            filter: None,
        }))
    };
    if flag == "count" && item == "*" {
        return Ok(("count".into(), call(AggFunc::Count, None)));
    }
    let (item, quantile) = match flag {
        "quantile" => {
            let (column, q) = split_quantile(item)?;
            (column, Some(q))
        }
        _ => (item, None),
    };
    let (_, arg) = columns.key(item)?;
    let base = match &arg {
        Expr::Column(c) => c.clone(),
        other => other.default_name(),
    };
    let func = match (flag, quantile) {
        ("quantile", Some((q, text))) => {
            return Ok((format!("{base}_q{text}"), call(AggFunc::Quantile(q), Some(arg))));
        }
        ("mean", _) => AggFunc::Mean,
        ("sum", _) => AggFunc::Sum,
        ("min", _) => AggFunc::Min,
        ("max", _) => AggFunc::Max,
        ("count", _) => AggFunc::Count,
        ("nunique", _) => AggFunc::NUnique,
        ("std", _) => AggFunc::Std,
        ("var", _) => AggFunc::Var,
        ("median", _) => AggFunc::Median,
        ("first", _) => AggFunc::First,
        _ => AggFunc::Last,
    };
    Ok((format!("{base}_{flag}"), call(func, Some(arg))))
}

fn split_quantile(item: &str) -> Result<(&str, (f64, &str))> {
    let bad = || {
        Error::usage(format!("--quantile {item:?} is not COL:Q"))
            .help("Q lies between 0 and 1, as in DepDelay:0.95")
    };
    let (column, q) = item.rsplit_once(':').ok_or_else(bad)?;
    match q.parse::<f64>() {
        Ok(x) if (0.0..=1.0).contains(&x) => Ok((column, (x, q))),
        _ => Err(bad()),
    }
}

/// The items of lists of columns of a frame; behind a name may stand one of `tails`.
fn items(lists: &[String], f: &Frame, tails: &[char]) -> Result<Vec<String>> {
    let schema = f.schema()?;
    let columns = Columns::of(&schema);
    Ok(lists.iter().flat_map(|list| columns.split(list, tails)).collect())
}

fn inputs(given: &[OsString]) -> Result<Vec<OsString>> {
    use std::io::IsTerminal;
    if !given.is_empty() {
        return Ok(given.to_vec());
    }
    if std::io::stdin().is_terminal() {
        return Err(Error::usage("no input").help("name files, as in: ddf query 'data/*.csv' --count"));
    }
    Ok(vec!["-".into()])
}

/// Below this limit the process must not be much larger than what it holds; above it, a tenth of
/// the limit is room enough for what the allocator keeps.
const TIGHT: u64 = 1 << 30;

/// How the run is to be done.
pub fn settings(run: &RunArgs) -> Result<Settings> {
    let base = Settings::default();
    if let Some(zone) = &run.tz {
        expr::zones::parse(zone)?;
    }
    if let Some(text) = &run.now {
        let (us, _) = expr::temporal::timestamp_of(text).ok_or_else(|| {
            Error::usage(format!("--now {text} is no time")).help("write it as '2024-01-31 12:00:00'")
        })?;
        expr::clock::set(us);
    }
    if let Some(limit) = run.memory.filter(|limit| *limit < TIGHT) {
        kernel::raw::allocator::return_memory_early(limit as usize);
    }
    Ok(Settings {
        threads: run.threads.map_or(base.threads, usize::from),
        memory: run.memory.map_or(base.memory, |b| b as usize),
        spill_dir: run.spill_dir.clone(),
        max_spill: run.max_spill.unwrap_or(base.max_spill),
        scheduler: match run.scheduler {
            SchedulerArg::Threads => Scheduler::Threads,
            SchedulerArg::Sync => Scheduler::Sync,
        },
        time_zone: run.tz.clone(),
        optimize: !run.no_optimize,
        reserved: base.reserved,
        batch_rows: base.batch_rows,
        observers: base.observers,
        cancel: None,
        copies: base.copies,
        last_run: base.last_run,
    })
}

/// The parts of a comma list with those put together again that a comma within parentheses parted.
fn whole_types(parts: &[String]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for part in parts {
        match all.last_mut() {
            Some(last) if last.matches('(').count() > last.matches(')').count() => {
                last.push(',');
                last.push_str(part);
            }
            _ => all.push(part.clone()),
        }
    }
    all
}

/// An error where the result would take the place of the rejected rows.
pub fn check_reject(read: &InputArgs, write: &OutputArgs) -> Result<()> {
    let rejected = read.on_bad_row.strip_prefix("reject=").map(Path::new);
    match rejected.is_some() && rejected == write.output.as_deref() {
        true => Err(
            Error::usage("the result and the rejected rows cannot be one file")
                .help("--on-bad-row reject=FILE with another file"),
        ),
        false => Ok(()),
    }
}

/// The names of columns in a comma list: in double quotes, as in a CSV record, where they hold a comma.
fn names_given(parts: &[String]) -> Result<Vec<String>> {
    if parts.iter().all(|p| !p.starts_with('"')) {
        return Ok(parts.to_vec());
    }
    let list = parts.join(",");
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(list.as_bytes());
    let record = reader.records().next().transpose();
    let record = record.map_err(|e| Error::usage(format!("--names {list}: {e}")))?;
    Ok(record.iter().flatten().map(str::to_string).collect())
}

/// How inputs are to be read.
pub fn read_options(a: &InputArgs) -> Result<ReadOptions> {
    let types = whole_types(&a.types);
    let types =
        types.iter().map(|t| match t.split_once('=') {
            Some((c, ty)) => Ok((c.to_string(), ty.to_string())),
            None => Err(Error::usage(format!("--types {t:?} is not COL=TYPE"))
                .help("as in --types 'zip=text,day=date'")),
        });
    let on_bad_row = match a.on_bad_row.split_once('=') {
        Some(("reject", file)) if !file.is_empty() => {
            can_write(Path::new(file))?;
            OnBadRow::Reject(file.into())
        }
        None if a.on_bad_row == "error" => OnBadRow::Error,
        None if a.on_bad_row == "skip" => OnBadRow::Skip,
        None if a.on_bad_row == "pad" => OnBadRow::Pad,
        _ => {
            let e = Error::usage(format!("--on-bad-row cannot be {:?}", a.on_bad_row));
            return Err(e.help("it is error, skip, pad or reject=FILE"));
        }
    };
    let union = match a.union.as_str() {
        "by-name" => Union::ByName,
        "strict" => Union::Strict,
        other => {
            return Err(Error::usage(format!("--union cannot be {other:?}")).help("it is by-name or strict"));
        }
    };
    Ok(ReadOptions {
        delimiter: a
            .delimiter
            .as_deref()
            .map(|t| byte("--delimiter", t))
            .transpose()?,
        quote: match a.quote.as_deref() {
            None => Some(b'"'),
            Some("" | "none") => None,
            Some(t) => Some(byte("--quote", t)?),
        },
        escape: a.escape.as_deref().map(|t| byte("--escape", t)).transpose()?,
        comment: a.comment.clone(),
        trim: a.trim,
        decimal_comma: a.decimal_comma,
        thousands: a.thousands,
        skip_rows: a.skip_rows as u64,
        header: a.no_header.then_some(false),
        names: (!a.names.is_empty()).then(|| names_given(&a.names)).transpose()?,
        encoding: a.encoding.clone(),
        nulls: a.null.clone(),
        types: types.collect::<Result<_>>()?,
        binary_as_text: a.binary_as_text,
        strict_types: a.strict_types,
        on_bad_row,
        union,
        filename_col: a.filename_col.clone(),
        format: a.input_format.as_deref().map(input_format).transpose()?,
        blocksize: a.blocksize,
        retries: a.retries.map_or_else(Retries::default, Retries::new),
        ..ReadOptions::default()
    })
}

fn input_format(name: &str) -> Result<Format> {
    match name.to_ascii_lowercase().as_str() {
        "csv" | "tsv" | "psv" => Ok(Format::Csv),
        "parquet" => Ok(Format::Parquet),
        _ => Err(Error::usage(format!("cannot read the format {name:?}")).help("it is csv or parquet")),
    }
}

fn byte(flag: &str, text: &str) -> Result<u8> {
    match text {
        "\\t" | "tab" => Ok(b'\t'),
        t if t.len() == 1 => Ok(t.as_bytes()[0]),
        _ => Err(Error::usage(format!(
            "{flag} {text:?} is not one ASCII character"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles() {
        assert_eq!(
            split_quantile("DepDelay:0.95").unwrap(),
            ("DepDelay", (0.95, "0.95"))
        );
        assert!(split_quantile("DepDelay").is_err());
        assert!(split_quantile("DepDelay:95").is_err());
    }
}
