//! Window functions as SQL writes them.
//!
//! `sqlparser` knows no EXCLUDE in frames. So the tokens of one are taken out before it parses, and what
//! they said travels as a name of the window that nobody can type ([`rewritten`], [`excluded`]).

use sqlparser::ast::{self, WindowFrameBound as B};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Word};

use super::aggregates::Call;
use super::convert::{Hook, go, unsupported};
use super::fold::fold;
use super::parse::AGGREGATES;
use super::tree::Expr;
use super::window::{Exclude, FrameBound, FrameUnit, OrderBy, WindowCall, WindowFrame, WindowFunc};
use crate::error::{Error, Result, did_you_mean};
use crate::kernel::Scalar;

/// The functions that exist only over windows, as they are called.
pub const WINDOW_FUNCTIONS: &[(&str, &str)] = &[
    ("row_number", "row_number()"),
    ("rank", "rank()"),
    ("dense_rank", "dense_rank()"),
    ("percent_rank", "percent_rank()"),
    ("cume_dist", "cume_dist()"),
    ("ntile", "ntile(4)"),
    ("lag", "lag(x, 1, default)"),
    ("lead", "lead(x, 1, default)"),
    ("first_value", "first_value(x)"),
    ("last_value", "last_value(x)"),
    ("nth_value", "nth_value(x, 2)"),
];

/// Begins the name of a window that says what its frame leaves out.
const MARK: &str = "\u{1}exclude:";

/// Brings the parts of window functions that the parser does not know into a form that it does.
pub fn rewritten(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    mark_excludes(nulls_behind(tokens))
}

/// `f(x IGNORE NULLS)` as `f(x) IGNORE NULLS`, where an order may follow within the parentheses.
fn nulls_behind(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let real: Vec<usize> = (0..tokens.len())
        .filter(|&i| !matches!(tokens[i].token, Token::Whitespace(_)))
        .collect();
    // from behind, so that places stay what they are
    for w in real.windows(3).rev() {
        let is = |i: usize, k: Keyword| matches!(&tokens[w[i]].token, Token::Word(x) if x.keyword == k);
        let treats = is(0, Keyword::IGNORE) || is(0, Keyword::RESPECT);
        let ends = matches!(tokens[w[2]].token, Token::RParen | Token::Comma) || is(2, Keyword::ORDER);
        if treats
            && is(1, Keyword::NULLS)
            && ends
            && let Some(close) = closing(&tokens, w[2])
        {
            let words = w[1] - w[0] + 1;
            tokens[w[0]..=close].rotate_left(words);
        }
    }
    tokens
}

/// The parenthesis that closes what is open at a token.
fn closing(tokens: &[TokenWithSpan], from: usize) -> Option<usize> {
    let mut depth = 0;
    (from..tokens.len()).find(|&i| {
        match tokens[i].token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            _ => {}
        }
        depth < 0
    })
}

/// Takes `EXCLUDE …` out of frames and leaves a mark at the start of their windows.
fn mark_excludes(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let is_space = |t: &TokenWithSpan| matches!(t.token, Token::Whitespace(_));
    let word = |t: &TokenWithSpan| match &t.token {
        Token::Word(w) if w.quote_style.is_none() => w.value.to_ascii_uppercase(),
        _ => String::new(),
    };
    if !tokens.iter().any(|t| word(t) == "EXCLUDE") {
        return tokens;
    }
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut i = 0;
    while i < tokens.len() {
        let before = out
            .iter()
            .rev()
            .find(|t| !is_space(t))
            .map(word)
            .unwrap_or_default();
        let mut after = (i + 1..tokens.len()).filter(|&k| !is_space(&tokens[k]));
        let next = after.next().map(|k| (word(&tokens[k]), k));
        let second = after.next().map(|k| (word(&tokens[k]), k));
        let in_frame = word(&tokens[i]) == "EXCLUDE" && ["PRECEDING", "FOLLOWING", "ROW"].contains(&&*before);
        let said = match (&next, &second) {
            _ if !in_frame => None,
            (Some((a, _)), Some((b, k))) if a == "NO" && b == "OTHERS" => Some(("no", *k)),
            (Some((a, _)), Some((b, k))) if a == "CURRENT" && b == "ROW" => Some(("row", *k)),
            (Some((a, k)), _) if a == "GROUP" => Some(("group", *k)),
            (Some((a, k)), _) if a == "TIES" => Some(("ties", *k)),
            _ => None,
        };
        let Some((what, last)) = said else {
            out.push(tokens[i].clone());
            i += 1;
            continue;
        };
        if let Some(at) = opening(&out) {
            mark(&mut out, at + 1, what);
        }
        i = last + 1;
    }
    out
}

/// The parenthesis that is still open.
fn opening(tokens: &[TokenWithSpan]) -> Option<usize> {
    let mut depth = 0;
    (0..tokens.len()).rev().find(|&i| {
        match tokens[i].token {
            Token::RParen => depth += 1,
            Token::LParen => depth -= 1,
            _ => {}
        }
        depth < 0
    })
}

/// Puts a mark where the name of a window stands, in front of the name that is there.
fn mark(tokens: &mut Vec<TokenWithSpan>, at: usize, what: &str) {
    let mut word = Word {
        value: format!("{MARK}{what}:"),
        quote_style: None,
        keyword: Keyword::NoKeyword,
    };
    let first = tokens[at..]
        .iter()
        .position(|t| !matches!(t.token, Token::Whitespace(_)));
    if let Some(Token::Word(name)) = first.map(|k| tokens[at + k].token.clone())
        && name.keyword == Keyword::NoKeyword
    {
        word.value += &name.value;
        tokens.remove(at + first.unwrap_or(0));
    }
    let mut token = tokens[at - 1].clone();
    token.token = Token::Word(word);
    tokens.insert(at, token);
}

/// What a window's frame leaves out, and the name of the window that it begins with.
pub fn excluded(name: Option<&ast::Ident>) -> (Exclude, Option<ast::Ident>) {
    let Some(name) = name else {
        return (Exclude::NoOthers, None);
    };
    let Some((what, base)) = name.value.strip_prefix(MARK).and_then(|r| r.split_once(':')) else {
        return (Exclude::NoOthers, Some(name.clone()));
    };
    let exclude = match what {
        "row" => Exclude::CurrentRow,
        "group" => Exclude::Group,
        "ties" => Exclude::Ties,
        _ => Exclude::NoOthers,
    };
    let base = (!base.is_empty()).then(|| ast::Ident::new(base));
    (exclude, base)
}

/// The same name without that of the window that it begins with.
pub fn without_base(name: Option<&ast::Ident>) -> Option<ast::Ident> {
    let rest = name?.value.strip_prefix(MARK)?;
    let what = rest.split(':').next().unwrap_or_default();
    Some(ast::Ident::new(format!("{MARK}{what}:")))
}

/// The text of an expression as it was typed: marks become `EXCLUDE …` again.
pub fn unmarked(mut text: String) -> String {
    while let Some(at) = text.find(MARK) {
        let what = text[at + MARK.len()..]
            .split(':')
            .next()
            .unwrap_or_default()
            .to_string();
        let mut to = (at + MARK.len() + what.len() + 1).min(text.len());
        if text[to..].starts_with(' ') {
            to += 1;
        }
        text.replace_range(at..to, "");
        let mut depth = 0;
        let closing = text[at..].find(|c| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            depth < 0
        });
        let said = match what.as_str() {
            "row" => " EXCLUDE CURRENT ROW",
            "group" => " EXCLUDE GROUP",
            "ties" => " EXCLUDE TIES",
            _ => " EXCLUDE NO OTHERS",
        };
        text.insert_str(closing.map_or(text.len(), |c| at + c), said);
    }
    text
}

/// `f(…) OVER (spec)`, where the window begins with no other one by name.
///
/// # Errors
/// An unknown function, wrong arguments, a frame that makes no sense.
pub fn convert_window(f: &ast::Function, spec: &ast::WindowSpec, h: &mut Hook) -> Result<Expr> {
    let (exclude, base) = excluded(spec.window_name.as_ref());
    if let Some(base) = base {
        return Err(Error::query(format!("no window \"{base}\"")).help("WINDOW w AS (…) names one, in SQL"));
    }
    let call = arguments(f, h)?;
    let partition = spec.partition_by.iter().map(|e| go(e, h));
    let partition = partition.collect::<Result<Vec<_>>>()?;
    let mut order: Vec<OrderBy> = Vec::new();
    for key in &spec.order_by {
        let key = OrderBy {
            expr: go(&key.expr, h)?,
            descending: matches!(key.options.sort, Some(ast::OrderBySort::Desc)),
            nulls_first: key.options.nulls_first == Some(true),
        };
        if order.iter().all(|k| k.expr != key.expr) {
            order.push(key);
        }
    }
    let mut frame = match &spec.window_frame {
        None => WindowFrame::default(),
        Some(f) => frame(f, h)?,
    };
    frame.exclude = exclude;
    frame.check(order.len())?;
    let call = WindowCall {
        partition,
        order,
        frame,
        ..call
    };
    if call.children().into_iter().any(|e| e.window().is_some()) {
        return Err(Error::query("a window function inside a window function")
            .help("compute the inner one in a subquery in FROM"));
    }
    Ok(Expr::Window(Box::new(call)))
}

fn frame(f: &ast::WindowFrame, h: &mut Hook) -> Result<WindowFrame> {
    let mut bound = |b: &B| -> Result<FrameBound> {
        let mut offset = |e: &ast::Expr| match fold(go(e, h)?) {
            Expr::Literal(v) => Ok(v),
            other => Err(Error::query(format!(
                "the offset of a frame must be constant, not {other}"
            ))),
        };
        Ok(match b {
            B::CurrentRow => FrameBound::CurrentRow,
            B::Preceding(None) => FrameBound::UnboundedPreceding,
            B::Following(None) => FrameBound::UnboundedFollowing,
            B::Preceding(Some(e)) => FrameBound::Preceding(offset(e)?),
            B::Following(Some(e)) => FrameBound::Following(offset(e)?),
        })
    };
    Ok(WindowFrame {
        unit: match f.units {
            ast::WindowFrameUnits::Rows => FrameUnit::Rows,
            ast::WindowFrameUnits::Range => FrameUnit::Range,
            ast::WindowFrameUnits::Groups => FrameUnit::Groups,
        },
        start: bound(&f.start_bound)?,
        end: f.end_bound.as_ref().map_or(Ok(FrameBound::CurrentRow), bound)?,
        exclude: Exclude::NoOthers,
    })
}

/// The function and its arguments, without the window.
fn arguments(f: &ast::Function, h: &mut Hook) -> Result<WindowCall> {
    let name = match f.name.0.as_slice() {
        [ast::ObjectNamePart::Identifier(i)] => i.value.to_lowercase(),
        _ => f.name.to_string(),
    };
    if !f.within_group.is_empty() {
        return Err(unsupported("WITHIN GROUP (…) OVER"));
    }
    let mut nulls = f.null_treatment;
    let (mut args, mut star, mut distinct) = (vec![], false, false);
    if let ast::FunctionArguments::List(list) = &f.args {
        distinct = matches!(list.duplicate_treatment, Some(ast::DuplicateTreatment::Distinct));
        for clause in &list.clauses {
            match clause {
                ast::FunctionArgumentClause::IgnoreOrRespectNulls(n) => nulls = Some(*n),
                other => return Err(unsupported(&format!("{name}(… {other}) OVER"))),
            }
        }
        for a in &list.args {
            match a {
                ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(e)) => args.push(go(e, h)?),
                ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Wildcard) => star = true,
                other => return Err(unsupported(&other.to_string())),
            }
        }
    }
    let filter = f.filter.as_ref().map(|e| go(e, h)).transpose()?;
    let ignore_nulls = matches!(nulls, Some(ast::NullTreatment::IgnoreNulls));
    let mut call = WindowCall {
        func: WindowFunc::RowNumber,
        args: Vec::new(),
        filter,
        ignore_nulls,
        distinct: false,
        partition: Vec::new(),
        order: Vec::new(),
        frame: WindowFrame::default(),
    };
    if let Some((_, func)) = AGGREGATES.iter().find(|(n, _)| *n == name) {
        let mut plain = Call::plain(name.clone(), args, star, distinct);
        plain.ignore_nulls = nulls.map(|n| n == ast::NullTreatment::IgnoreNulls);
        let agg = plain.over_window(*func)?;
        call.ignore_nulls = false;
        call.distinct = agg.counts_each_once();
        use super::AggFunc::{Mean, Std, StdPop, Sum, Var, VarPop};
        if call.distinct && !matches!(agg.func, Sum | Mean | Std | StdPop | Var | VarPop) {
            return Err(Error::query(format!("{name}(DISTINCT …) OVER is not supported"))
                .help("count, sum, avg, stddev and variance take DISTINCT with a window"));
        }
        call.func = WindowFunc::Aggregate(agg.func);
        call.args = agg.arg.into_iter().collect();
        return Ok(call);
    }
    let Some((_, form)) = WINDOW_FUNCTIONS.iter().find(|(n, _)| *n == name) else {
        return Err(unknown(&name));
    };
    if star || distinct || call.filter.is_some() {
        return Err(Error::query(format!("{name} takes no *, DISTINCT or FILTER")));
    }
    let wrong = || Error::query(format!("wrong arguments of {name}")).help(format!("write {form}"));
    let whole = |e: Expr| match fold(e) {
        Expr::Literal(Scalar::Int(n)) => Ok(n),
        other => Err(Error::query(format!(
            "{name} needs a constant whole number, not {other}"
        ))),
    };
    let positive = |e: Expr| match whole(e)? {
        n if n > 0 => Ok(n as u64),
        n => Err(Error::query(format!("{name} needs a number from 1 on, not {n}"))),
    };
    let mut args = args.into_iter();
    let takes_value = !matches!(
        name.as_str(),
        "row_number" | "rank" | "dense_rank" | "percent_rank" | "cume_dist" | "ntile"
    );
    if takes_value {
        call.args.push(args.next().ok_or_else(wrong)?);
    }
    if ignore_nulls && !takes_value {
        return Err(Error::query(format!("{name} looks at no value: no IGNORE NULLS")));
    }
    call.func = match name.as_str() {
        "row_number" => WindowFunc::RowNumber,
        "rank" => WindowFunc::Rank,
        "dense_rank" => WindowFunc::DenseRank,
        "percent_rank" => WindowFunc::PercentRank,
        "cume_dist" => WindowFunc::CumeDist,
        "ntile" => WindowFunc::Ntile(positive(args.next().ok_or_else(wrong)?)?),
        "first_value" => WindowFunc::FirstValue,
        "last_value" => WindowFunc::LastValue,
        "nth_value" => WindowFunc::NthValue(positive(args.next().ok_or_else(wrong)?)?),
        shift => {
            let by = args.next().map_or(Ok(1), whole)?;
            call.args.extend(args.next());
            match shift {
                "lag" => WindowFunc::Lag(by),
                _ => WindowFunc::Lead(by),
            }
        }
    };
    match args.next() {
        None => Ok(call),
        Some(_) => Err(wrong()),
    }
}

fn unknown(name: &str) -> Error {
    let error = Error::query(format!("no window function \"{name}\""));
    let names = WINDOW_FUNCTIONS.iter().map(|(n, _)| *n);
    let all = names.clone().chain(AGGREGATES.iter().map(|(n, _)| *n));
    match did_you_mean(name, all) {
        Some(near) => error.help(format!("did you mean {near}?")),
        None => error.help(format!(
            "there are {}, and all aggregates",
            names.collect::<Vec<_>>().join(", ")
        )),
    }
}
