//! Tables by name: files, `read_csv` and `read_parquet`, names given with `-t`, and `VALUES`.

use std::sync::Arc;

use arrow::datatypes::DataType;
use sqlparser::ast::{self, Expr as S, FunctionArg, FunctionArgExpr, Ident, Value};

use super::convert::{Job, Names};
use super::scope::{Col, Rel, Scope};
use super::{Planner, series, unsupported};
use crate::error::{Error, Result, did_you_mean};
use crate::expr::{self, Expr};
use crate::frame::Frame;
use crate::kernel::Scalar;
use crate::plan::{LogicalPlan, Table};
use crate::source::{Format, MemoryDataset, ReadOptions, TypesOf};

impl Planner<'_> {
    /// The files that people mean by a name in FROM.
    pub(super) fn file(&mut self, name: &ast::ObjectName) -> Result<(Rel, String)> {
        let idents: Vec<&Ident> = name.0.iter().filter_map(|p| p.as_ident()).collect();
        let Some(last) = idents.last().copied() else {
            return Err(unsupported(&format!("the table {name}")));
        };
        let parts: Vec<&str> = idents.iter().map(|i| i.value.as_str()).collect();
        let text = parts.join(".");
        let named = |(n, _): &&(String, Vec<String>)| n.eq_ignore_ascii_case(&text);
        let table = self.sql.tables.iter().find(named).cloned();
        if let (Some((name, inputs)), true) = (table, last.quote_style != Some('\'')) {
            let options = self.sql.options.clone();
            return Ok((self.open(&inputs, &options)?, name));
        }
        let quoted = idents.len() == 1 && last.quote_style.is_some();
        let like_a_file = quoted || text.contains(['.', '/', '*', '?', '[']);
        if !like_a_file && !std::path::Path::new(&text).exists() {
            return Err(self.at(self.no_table(&text), last));
        }
        let options = self.sql.options.clone();
        let rel = self
            .open(std::slice::from_ref(&text), &options)
            .map_err(|e| self.at(e, last))?;
        Ok((rel, stem(&text)))
    }

    fn no_table(&self, name: &str) -> Error {
        let known: Vec<&str> = (self.ctes.iter().map(|c| c.name.as_str()))
            .chain(self.sql.names())
            .collect();
        let list = match known.is_empty() {
            true => {
                "a file is named in quotes: FROM 'data/*.csv'; -t name='data/*.csv' gives it a name".into()
            }
            false => format!("the tables are {}", known.join(", ")),
        };
        Error::query(format!("no table \"{name}\"")).help(match did_you_mean(name, known) {
            Some(near) => format!("did you mean {near}? {list}"),
            None => list,
        })
    }

    /// Opens files, each list of them once.
    fn open(&mut self, inputs: &[String], options: &ReadOptions) -> Result<Rel> {
        let key = format!("{inputs:?} {options:?}");
        let frame = match self.opened.get(&key) {
            Some(f) => f.clone(),
            None => {
                let settings = self.sql.settings.clone();
                let f = Frame::read_with(inputs.iter().map(String::as_str), options, settings)?;
                self.notes.push(f.clone());
                self.opened.insert(key, f.clone());
                f
            }
        };
        let names = frame.schema()?;
        let names = names.fields().iter().map(|f| f.name().clone()).collect();
        Ok(self.fresh_rel(frame.plan(), names))
    }

    /// Opens a list of files, one that is named twice as often as it is named.
    fn open_as_listed(&mut self, inputs: Vec<String>, options: &ReadOptions) -> Result<Rel> {
        let mut rounds: Vec<Vec<String>> = Vec::new();
        for input in inputs {
            match rounds.iter_mut().find(|r| !r.contains(&input)) {
                Some(round) => round.push(input),
                None => rounds.push(vec![input]),
            }
        }
        let mut all: Option<Rel> = None;
        for round in rounds {
            let next = self.open(&round, options)?;
            all = Some(match all {
                None => next,
                Some(before) => {
                    let (before, next) = self.by_name(before, next)?;
                    self.union_all(before, next)?
                }
            });
        }
        all.ok_or_else(|| Error::defect("a list of no files"))
    }

    /// A plan with the user's names, under inner names.
    pub(super) fn fresh_rel(&mut self, plan: LogicalPlan, names: Vec<String>) -> Rel {
        let inner: Vec<String> = names.iter().map(|n| self.fresh(n)).collect();
        self.called
            .extend(inner.iter().cloned().zip(names.iter().cloned()));
        let exprs: Vec<(String, Expr)> = (inner.iter().cloned())
            .zip(names.iter().map(Expr::column))
            .collect();
        let plan = match inner == names {
            true => plan,
            false => LogicalPlan::Project {
                input: Box::new(plan),
                exprs,
            },
        };
        let cols = inner.into_iter().zip(names).map(|(inner, name)| Col {
            table: None,
            name,
            inner,
            open: true,
        });
        Rel {
            plan,
            cols: cols.collect(),
            order: Vec::new(),
        }
    }

    /// `read_csv('…', delim = ';')`, `read_parquet('…')`.
    pub(super) fn table_function(
        &mut self,
        name: &ast::ObjectName,
        args: &[FunctionArg],
    ) -> Result<(Rel, String)> {
        let function = name.to_string().to_lowercase();
        let mut options = self.sql.options.clone();
        match function.as_str() {
            "read_csv" | "read_csv_auto" => options.format = Some(Format::Csv),
            "read_parquet" | "parquet_scan" => options.format = Some(Format::Parquet),
            f if series::FUNCTIONS.contains(&f) => {
                return self.series(&function, args).map_err(|e| self.near(e, name));
            }
            _ => {
                let known = ["read_csv", "read_parquet", "generate_series", "range"];
                let e = Error::query(format!("no table function \"{function}\""));
                return Err(e.help(match did_you_mean(&function, known) {
                    Some(near) => format!("did you mean {near}?"),
                    None => {
                        "the table functions are read_csv, read_parquet, generate_series and range".into()
                    }
                }));
            }
        }
        let mut inputs = Vec::new();
        for arg in args {
            match (named(arg), arg) {
                (Some((name, e)), _) => {
                    option(&mut options, &function, &name.value.to_lowercase(), e)
                        .map_err(|e| self.at(e, name))?;
                }
                (None, FunctionArg::Unnamed(FunctionArgExpr::Expr(e))) => inputs.extend(texts(e)?),
                (None, other) => return Err(unsupported(&format!("{other} as an argument of {function}"))),
            }
        }
        if inputs.is_empty() {
            return Err(Error::query(format!("{function} of no file"))
                .help(format!("{function}('data/*.csv'), or a list ['a', 'b']")));
        }
        let alias = stem(&inputs[0]);
        Ok((self.open_as_listed(inputs, &options)?, alias))
    }

    /// `VALUES (1, 'a'), (2, 'b')`: columns col0, col1, …
    pub(super) fn values(&mut self, values: &ast::Values, outer: &Scope) -> Result<Rel> {
        let here = Scope {
            cols: &[],
            outer: Some(outer),
        };
        let mut jobs = Vec::new();
        let mut rows: Vec<Vec<Expr>> = Vec::with_capacity(values.rows.len());
        for row in &values.rows {
            let cells = row.content.iter().map(|e| {
                let cell = self.expr(e, Names::of(&here), &mut jobs);
                cell.map_err(|x| self.near(x, e))
            });
            let cells = cells.collect::<Result<Vec<Expr>>>()?;
            let width = rows.first().map_or(cells.len(), Vec::len);
            if cells.len() != width {
                let what = format!("the rows of VALUES have {width} and {} values", cells.len());
                return Err(Error::query(what));
            }
            rows.push(cells);
        }
        let constant_cells = jobs.is_empty() && rows.iter().flatten().all(|e| e.columns().is_empty());
        match constant_cells {
            true => {
                let rel = self.constant_rows(rows)?;
                self.beside_domain(rel)
            }
            false => self.computed_rows(rows, jobs, &here),
        }
    }

    fn constant_rows(&mut self, rows: Vec<Vec<Expr>>) -> Result<Rel> {
        let row = |r: &Vec<Expr>| r.iter().map(constant).collect::<Result<Vec<Scalar>>>();
        let rows = rows.iter().map(row).collect::<Result<Vec<_>>>()?;
        let width = rows.first().map_or(0, Vec::len);
        let columns = (0..width).map(|i| {
            let mut ty = DataType::Null;
            for cell in rows.iter().map(|r| &r[i]) {
                let own = cell.data_type();
                ty = expr::common(&ty, &own).ok_or_else(|| {
                    let (a, b) = (crate::kernel::types::name(&ty), crate::kernel::types::name(&own));
                    Error::query(format!("column {} of VALUES has {a} and {b}", i + 1))
                        .help("cast one of them")
                })?;
            }
            Ok((format!("col{i}"), ty))
        });
        let columns: Vec<(String, DataType)> = columns.collect::<Result<_>>()?;
        let names: Vec<String> = columns.iter().map(|(n, _)| n.clone()).collect();
        let plan = constants("values", &columns, rows)?;
        // people call them otherwise, t(a, b), and meet no other name in messages
        self.taken.extend(names.iter().cloned());
        Ok(self.fresh_rel(plan, names))
    }

    /// Rows of expressions that look at the queries around, or have subqueries: a SELECT each.
    fn computed_rows(&mut self, rows: Vec<Vec<Expr>>, mut jobs: Vec<Job>, here: &Scope) -> Result<Rel> {
        let mut all: Option<Rel> = None;
        for cells in rows {
            let outside = |c: &String| here.is_outer(c) && !self.carries(c);
            if let Some(c) = cells.iter().flat_map(Expr::columns).find(outside) {
                return Err(unsupported(&format!("the outer column {c} in VALUES")));
            }
            let one = match self.domain_rel() {
                Some(domain) => domain,
                None => self.one_row()?,
            };
            let columns = cells.iter().flat_map(Expr::columns).collect();
            let own = super::jobs::needed(&columns, &jobs);
            let own = super::jobs::taken(own, &mut jobs);
            let (rel, values) = self.attach(one, own, here.outer)?;
            let (mut cols, mut exprs) = (Vec::new(), self.carried());
            for (i, cell) in cells.into_iter().enumerate() {
                let name = format!("col{i}");
                let inner = self.fresh(&name);
                exprs.push((inner.clone(), super::jobs::substitute(cell, &values)?));
                cols.push(Col {
                    table: None,
                    name,
                    inner,
                    open: true,
                });
            }
            let mut rel = rel.map(|input| LogicalPlan::Project { input, exprs });
            rel.cols = cols;
            rel.plan.schema()?;
            all = Some(match all {
                None => rel,
                Some(before) => self.union_all(before, rel)?,
            });
        }
        all.ok_or_else(|| Error::query("VALUES of no rows"))
    }

    /// One row without columns that could be named.
    pub(super) fn one_row(&mut self) -> Result<Rel> {
        let name = self.fresh("one");
        let columns = [(name, DataType::Int64)];
        Ok(Rel {
            plan: constants("one row", &columns, vec![vec![Scalar::Int(1)]])?,
            cols: Vec::new(),
            order: Vec::new(),
        })
    }
}

/// An argument with a name: `delim = ';'`, `delim := ';'`, `delim => ';'`.
pub(super) fn named(arg: &FunctionArg) -> Option<(&Ident, &S)> {
    match arg {
        FunctionArg::Named {
            name,
            arg: FunctionArgExpr::Expr(e),
            ..
        }
        | FunctionArg::ExprNamed {
            name: S::Identifier(name),
            arg: FunctionArgExpr::Expr(e),
            ..
        } => Some((name, e)),
        FunctionArg::Unnamed(FunctionArgExpr::Expr(S::BinaryOp {
            left,
            op: ast::BinaryOperator::Eq,
            right,
        })) => match &**left {
            S::Identifier(name) => Some((name, right)),
            _ => None,
        },
        _ => None,
    }
}

fn constants(name: &str, columns: &[(String, DataType)], rows: Vec<Vec<Scalar>>) -> Result<LogicalPlan> {
    Ok(LogicalPlan::scan(Table {
        name: name.to_string(),
        dataset: Arc::new(MemoryDataset::new(columns, rows)?),
    }))
}

/// The value of an expression without columns.
pub(super) fn constant(e: &Expr) -> Result<Scalar> {
    use arrow::datatypes::Schema;
    if let Expr::Literal(v) = e {
        return Ok(v.clone());
    }
    let evaluator = expr::Evaluator::bind(e, &Schema::empty())?;
    let one = evaluator.eval(&crate::kernel::Batch::new(Vec::new(), 1, 0))?;
    Ok(expr::cast::array_scalar(&one, 0))
}

/// What a table is called after its file: the name without folders and endings.
pub(super) fn stem(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split('.').next().unwrap_or(file).to_string()
}

fn texts(e: &S) -> Result<Vec<String>> {
    match e {
        S::Array(list) => Ok(list.elem.iter().map(texts).collect::<Result<Vec<_>>>()?.concat()),
        S::Value(v) => match &v.value {
            Value::SingleQuotedString(s) => Ok(vec![s.clone()]),
            other => Err(Error::query(format!("{other} is no text")).help("write it in single quotes")),
        },
        S::Identifier(i) if i.quote_style == Some('"') => Ok(vec![i.value.clone()]),
        other => Err(Error::query(format!("{other} is no text")).help("write it in single quotes")),
    }
}

fn option(o: &mut ReadOptions, function: &str, name: &str, e: &S) -> Result<()> {
    const KNOWN: [&str; 15] = [
        "delim",
        "sep",
        "quote",
        "escape",
        "comment",
        "trim",
        "decimal_separator",
        "thousands",
        "header",
        "skip",
        "names",
        "nullstr",
        "types",
        "encoding",
        "filename",
    ];
    let flag = || match e {
        S::Value(v) => match &v.value {
            Value::Boolean(b) => Ok(*b),
            Value::Number(n, _) if n == "0" || n == "1" => Ok(n == "1"),
            other => Err(Error::query(format!(
                "{name} = {other} is neither true nor false"
            ))),
        },
        other => Err(Error::query(format!(
            "{name} = {other} is neither true nor false"
        ))),
    };
    let text = || texts(e).map(|t| t.concat());
    let byte = || {
        let t = text()?;
        match t.as_str() {
            "\\t" => Ok(Some(b'\t')),
            "" => Ok(None),
            t if t.len() == 1 => Ok(Some(t.as_bytes()[0])),
            t => Err(Error::query(format!("{name} = '{t}' is not one ASCII character"))),
        }
    };
    match name {
        "filename" => o.filename_col = flag()?.then(|| "filename".to_string()),
        "union_by_name" => {
            o.union = match flag()? {
                true => crate::source::Union::ByName,
                false => crate::source::Union::Strict,
            }
        }
        "types" | "dtypes" => {
            o.types = types(e)?;
            o.types_of = TypesOf::EachTable;
        }
        "binary_as_text" | "binary_as_string" => o.binary_as_text = flag()?,
        _ if function != "read_csv" && function != "read_csv_auto" => {
            let known = ["filename", "union_by_name", "types", "binary_as_text"];
            return Err(no_option(function, name, &known));
        }
        "delim" | "sep" | "delimiter" => o.delimiter = byte()?,
        "quote" => o.quote = byte()?,
        "escape" => o.escape = byte()?,
        "comment" => o.comment = Some(text()?).filter(|t| !t.is_empty()),
        "trim" => o.trim = flag()?,
        "decimal_separator" => {
            o.decimal_comma = match text()?.as_str() {
                "," => true,
                "." => false,
                t => {
                    return Err(Error::query(format!(
                        "decimal_separator = '{t}' is neither ',' nor '.'"
                    )));
                }
            }
        }
        "thousands" => {
            let t = text()?;
            let mut chars = t.chars();
            o.thousands = match (chars.next(), chars.next()) {
                (one, None) => one,
                _ => return Err(Error::query(format!("thousands = '{t}' is not one character"))),
            };
        }
        "header" => o.header = Some(flag()?),
        "skip" => {
            o.skip_rows = e
                .to_string()
                .parse()
                .map_err(|_| Error::query(format!("skip = {e} is no number of lines")))?;
        }
        "names" => o.names = Some(texts(e)?),
        "nullstr" | "null" => o.nulls = texts(e)?,
        "encoding" => o.encoding = Some(text()?),
        _ => return Err(no_option(function, name, &KNOWN)),
    }
    Ok(())
}

fn no_option(function: &str, name: &str, known: &[&str]) -> Error {
    let list = format!("{function} takes {}", known.join(", "));
    Error::query(format!("{function} has no option \"{name}\"")).help(
        match did_you_mean(name, known.iter().copied()) {
            Some(near) => format!("did you mean {near}? {list}"),
            None => list,
        },
    )
}

/// `{'zip': 'text'}` or `'zip=text,day=date'`.
fn types(e: &S) -> Result<Vec<(String, String)>> {
    if let S::Dictionary(fields) = e {
        let each = fields
            .iter()
            .map(|f| Ok((f.key.value.clone(), texts(&f.value)?.concat())));
        return each.collect();
    }
    let text = texts(e)?.join(",");
    let each = text.split(',').map(|part| match part.split_once('=') {
        Some((c, t)) => Ok((c.trim().to_string(), t.trim().to_string())),
        None => Err(Error::query(format!("types: {part:?} is not column=type"))
            .help("types = {'zip': 'text', 'day': 'date'}")),
    });
    each.collect()
}
