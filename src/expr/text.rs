//! Functions of text, patterns and regular expressions.

use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::{DataType, Int64Type};
use md5::Digest;
use memchr::memmem;
use regex::{Regex, RegexBuilder};

use super::eval::Value;
use super::functions::Func;
use crate::error::{Error, Result};

/// The longest text that `repeat`, `lpad` and `rpad` make.
const MAX_TEXT: usize = 64 << 20;

/// Ignoring case, and the escape character of a `LIKE`.
pub(super) type LikeKind = (bool, Option<char>);

/// The text of each row.
pub(super) struct Text<'a> {
    array: &'a StringViewArray,
    value: &'a Value,
}

impl<'a> Text<'a> {
    pub(super) fn of(value: &'a Value) -> Self {
        Text {
            array: value.array().as_string_view(),
            value,
        }
    }
    pub(super) fn get(&self, row: usize) -> Option<&'a str> {
        let i = self.value.at(row);
        self.array.is_valid(i).then(|| self.array.value(i))
    }
}

/// The text of a constant.
pub(super) fn constant_text(a: &ArrayRef) -> Option<&str> {
    (*a.data_type() == DataType::Utf8View && a.len() == 1 && a.is_valid(0))
        .then(|| a.as_string_view().value(0))
}

/// Compiles a regular expression; flag `i` ignores case, `g` is for the caller.
pub(super) fn regex(pattern: &str, flags: &str) -> Result<Regex> {
    if let Some(c) = flags.chars().find(|c| !matches!(c, 'i' | 'g' | 's' | 'm')) {
        return Err(
            Error::query(format!("no regular expression flag '{c}'")).help("the flags are g, i, m, s")
        );
    }
    let mut builder = RegexBuilder::new(pattern);
    builder.case_insensitive(flags.contains('i'));
    builder
        .multi_line(flags.contains('m'))
        .dot_matches_new_line(flags.contains('s'));
    builder.build().map_err(|e| {
        let line = e.to_string();
        let why = line
            .lines()
            .last()
            .unwrap_or("")
            .trim_start_matches("error: ")
            .to_string();
        Error::query(format!("'{pattern}' is no regular expression: {why}"))
    })
}

/// A `LIKE` pattern, made ready; most patterns need no regular expression.
#[derive(Debug, Clone)]
pub(super) enum Matcher {
    /// The text itself.
    Exact(String),
    /// It begins so.
    Prefix(String),
    /// It ends so.
    Suffix(String),
    /// It is in there.
    Inside(Box<memmem::Finder<'static>>),
    /// It begins with the first and ends with the last, and between them the others follow one another.
    Sequence(String, Vec<memmem::Finder<'static>>, String),
    /// Anything else.
    Regex(Regex),
}

/// The earliest place of each part leaves the most room for those after it.
fn in_sequence(text: &[u8], first: &str, inner: &[memmem::Finder], last: &str) -> bool {
    let Some(mut rest) = text.strip_prefix(first.as_bytes()) else {
        return false;
    };
    for part in inner {
        match part.find(rest) {
            Some(at) => rest = &rest[at + part.needle().len()..],
            None => return false,
        }
    }
    rest.ends_with(last.as_bytes())
}

impl Matcher {
    pub(super) fn new(pattern: &str, (ignore_case, escape): LikeKind) -> Result<Matcher> {
        let mut parts: Vec<Result<char, char>> = vec![]; // Ok is itself, Err a wildcard
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            parts.push(if Some(c) == escape {
                Ok(chars.next().ok_or_else(|| {
                    Error::query(format!(
                        "the LIKE pattern '{pattern}' ends with its escape character"
                    ))
                })?)
            } else if matches!(c, '%' | '_') {
                Err(c)
            } else {
                Ok(c)
            });
        }
        let plain = |p: &[Result<char, char>]| -> Option<String> { p.iter().map(|c| c.ok()).collect() };
        if !ignore_case {
            let wild = |c: Option<&Result<char, char>>| c == Some(&Err('%'));
            let (first, last) = (wild(parts.first()), wild(parts.last()));
            let inner = match (first, last) {
                (true, true) if parts.len() > 1 => &parts[1..parts.len() - 1],
                (true, _) => &parts[1..],
                (false, true) => &parts[..parts.len() - 1],
                _ => &parts[..],
            };
            if let Some(t) = plain(inner) {
                return Ok(match (first, last) {
                    (false, false) => Matcher::Exact(t),
                    (false, true) => Matcher::Prefix(t),
                    (true, true) if parts.len() > 1 => {
                        Matcher::Inside(Box::new(memmem::Finder::new(&t).into_owned()))
                    }
                    _ => Matcher::Suffix(t),
                });
            }
            if !parts.contains(&Err('_')) {
                let texts = parts.split(|p| p.is_err());
                let mut texts: Vec<String> =
                    texts.map(|t| t.iter().filter_map(|c| c.ok()).collect()).collect();
                let last = texts.pop().unwrap_or_default();
                let mut inner = texts.into_iter();
                let first = inner.next().unwrap_or_default();
                let inner = inner.filter(|t| !t.is_empty());
                let inner = inner.map(|t| memmem::Finder::new(&t).into_owned());
                return Ok(Matcher::Sequence(first, inner.collect(), last));
            }
        }
        let mut re = String::from("^");
        for p in parts {
            match p {
                Err('%') => re.push_str(".*"),
                Err(_) => re.push('.'),
                Ok(c) => re.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
            }
        }
        re.push('$');
        let built = RegexBuilder::new(&re)
            .case_insensitive(ignore_case)
            .dot_matches_new_line(true)
            .build();
        built
            .map(Matcher::Regex)
            .map_err(|e| Error::query(format!("the LIKE pattern '{pattern}': {e}")))
    }

    fn hit(&self, t: &str) -> bool {
        match self {
            Matcher::Exact(p) => t == p,
            Matcher::Prefix(p) => t.starts_with(p.as_str()),
            Matcher::Suffix(p) => t.ends_with(p.as_str()),
            Matcher::Inside(f) => f.find(t.as_bytes()).is_some(),
            Matcher::Sequence(first, inner, last) => in_sequence(t.as_bytes(), first, inner, last),
            Matcher::Regex(r) => r.is_match(t),
        }
    }

    pub(super) fn mask(&self, a: &StringViewArray) -> BooleanArray {
        a.iter().map(|t| t.map(|t| self.hit(t))).collect()
    }
}

/// `LIKE` with a pattern for each row.
pub(super) fn like_each(x: &ArrayRef, patterns: &ArrayRef, kind: LikeKind) -> Result<ArrayRef> {
    let rows = x.as_string_view().iter().zip(patterns.as_string_view().iter());
    let out = rows.map(|(t, p)| match (t, p) {
        (Some(t), Some(p)) => Ok(Some(Matcher::new(p, kind)?.hit(t))),
        _ => Ok(None),
    });
    Ok(Arc::new(out.collect::<Result<BooleanArray>>()?))
}

/// `a || b || …`: null where any is.
pub(super) fn join(args: &[Value], rows: usize) -> ArrayRef {
    let args: Vec<Text> = args.iter().map(Text::of).collect();
    let mut out = StringViewBuilder::with_capacity(rows);
    let mut buffer = String::new();
    for i in 0..rows {
        buffer.clear();
        let all = args
            .iter()
            .all(|a| a.get(i).map(|t| buffer.push_str(t)).is_some());
        if all {
            out.append_value(&buffer)
        } else {
            out.append_null()
        }
    }
    Arc::new(out.finish())
}

/// The part of a text from one character to before another.
fn chars(t: &str, from: i64, to: i64) -> &str {
    let at = |n: i64| match usize::try_from(n) {
        Err(_) | Ok(0) => 0,
        Ok(n) if t.is_ascii() => n.min(t.len()),
        Ok(n) => t.char_indices().nth(n).map_or(t.len(), |(i, _)| i),
    };
    let (a, b) = (at(from), at(to));
    if a < b { &t[a..b] } else { "" }
}

fn count(t: &str) -> i64 {
    if t.is_ascii() {
        t.len() as i64
    } else {
        t.chars().count() as i64
    }
}

fn part(t: &str, separator: &str, n: i64) -> Result<String> {
    if n == 0 {
        return Err(Error::query("split_part counts parts from 1"));
    }
    let parts: Vec<&str> = if separator.is_empty() {
        vec![t]
    } else {
        t.split(separator).collect()
    };
    let i = if n > 0 { n - 1 } else { parts.len() as i64 + n };
    Ok(usize::try_from(i)
        .ok()
        .and_then(|i| parts.get(i))
        .map_or(String::new(), |s| s.to_string()))
}

fn pad(t: &str, n: i64, fill: &str, left: bool) -> Result<String> {
    let have = count(t);
    if n <= have || fill.is_empty() {
        return Ok(chars(t, 0, n.min(have)).to_string());
    }
    check_size((n - have) as u64 as usize, 4)?;
    let filling: String = fill.chars().cycle().take((n - have) as usize).collect();
    Ok(if left {
        filling + t
    } else {
        format!("{t}{filling}")
    })
}

fn check_size(a: usize, b: usize) -> Result<()> {
    match a.checked_mul(b) {
        Some(n) if n <= MAX_TEXT => Ok(()),
        _ => Err(Error::query("a text of more than 64 MiB")),
    }
}

/// One text from the arguments of a row; the shared shape of most functions here.
fn build(
    args: &[Value],
    rows: usize,
    f: impl Fn(usize) -> Result<Option<String>>,
) -> Result<Option<ArrayRef>> {
    let null = |i: usize| args.iter().any(|a| a.array().is_null(a.at(i)));
    let mut out = StringViewBuilder::with_capacity(rows);
    for i in 0..rows {
        match if null(i) { None } else { f(i)? } {
            Some(t) => out.append_value(t),
            None => out.append_null(),
        }
    }
    Ok(Some(Arc::new(out.finish())))
}

/// A digest of a text's bytes, in hexadecimal digits.
fn digest<D: Digest>(t: &str) -> String {
    D::digest(t.as_bytes())
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// Calls a function of text; none if it is not one.
pub(super) fn call(func: Func, args: &[Value], re: Option<&Regex>, rows: usize) -> Result<Option<ArrayRef>> {
    use Func::*;
    let text = |k: usize, i: usize| -> &str {
        let a = &args[k];
        a.array().as_string_view().value(a.at(i))
    };
    let int = |k: usize, i: usize| args[k].array().as_primitive::<Int64Type>().value(args[k].at(i));
    let has = |k: usize| args.len() > k;
    let trim = |t: &str, set: Option<&str>, left: bool, right: bool| {
        let inside = |c: char| set.map_or(c.is_whitespace(), |s| s.contains(c));
        let t = if left { t.trim_start_matches(inside) } else { t };
        if right {
            t.trim_end_matches(inside).to_string()
        } else {
            t.to_string()
        }
    };
    let set = |i: usize| has(1).then(|| text(1, i));
    let some = |s: String| Ok(Some(s));
    let build = |f: &dyn Fn(usize) -> Result<Option<String>>| build(args, rows, f);
    match func {
        Fail => match rows {
            0 => build(&|_| Ok(None)),
            _ => Err(crate::error::Error::query(text(0, 0).to_string())),
        },
        Lower => build(&|i| some(text(0, i).to_lowercase())),
        Upper => build(&|i| some(text(0, i).to_uppercase())),
        Md5 => build(&|i| some(digest::<md5::Md5>(text(0, i)))),
        Sha256 => build(&|i| some(digest::<sha2::Sha256>(text(0, i)))),
        Reverse => build(&|i| some(text(0, i).chars().rev().collect())),
        Trim => build(&|i| some(trim(text(0, i), set(i), true, true))),
        Ltrim => build(&|i| some(trim(text(0, i), set(i), true, false))),
        Rtrim => build(&|i| some(trim(text(0, i), set(i), false, true))),
        Substr => build(&|i| {
            let t = text(0, i);
            let from = match int(1, i) {
                start if start < 0 => count(t).saturating_add(start),
                start => start.saturating_sub(1),
            };
            let n = if has(2) { int(2, i).max(0) } else { i64::MAX };
            some(chars(t, from, from.saturating_add(n)).to_string())
        }),
        Left | Right => build(&|i| {
            let (t, n) = (text(0, i), int(1, i));
            let len = count(t);
            let cut = if n < 0 { len.saturating_add(n) } else { n };
            some(
                if func == Left {
                    chars(t, 0, cut)
                } else {
                    chars(t, len.saturating_sub(cut), len)
                }
                .to_string(),
            )
        }),
        Replace => build(&|i| {
            let (t, from) = (text(0, i), text(1, i));
            some(if from.is_empty() {
                t.to_string()
            } else {
                t.replace(from, text(2, i))
            })
        }),
        SplitPart => build(&|i| part(text(0, i), text(1, i), int(2, i)).map(Some)),
        Repeat => build(&|i| {
            let n = usize::try_from(int(1, i)).unwrap_or(0);
            check_size(text(0, i).len(), n)?;
            some(text(0, i).repeat(n))
        }),
        Lpad | Rpad => build(&|i| {
            pad(
                text(0, i),
                int(1, i),
                if has(2) { text(2, i) } else { " " },
                func == Lpad,
            )
            .map(Some)
        }),
        RegexpExtract => build(&|i| {
            let own = if re.is_none() {
                Some(regex(text(1, i), "")?)
            } else {
                None
            };
            let group = if has(2) {
                usize::try_from(int(2, i)).unwrap_or(usize::MAX)
            } else {
                0
            };
            let Some(r) = re.or(own.as_ref()) else {
                return Ok(None);
            };
            if group >= r.captures_len() {
                return Err(Error::query(format!("'{r}' has no group {}", int(2, i))));
            }
            Ok(r.captures(text(0, i))
                .and_then(|c| c.get(group))
                .map(|m| m.as_str().to_string()))
        }),
        RegexpReplace => build(&|i| {
            let flags = if has(3) { text(3, i) } else { "" };
            let own = if re.is_none() {
                Some(regex(text(1, i), flags)?)
            } else {
                None
            };
            let Some(r) = re.or(own.as_ref()) else {
                return Ok(None);
            };
            let limit = usize::from(!flags.contains('g'));
            some(
                r.replacen(text(0, i), limit, replacement(text(2, i)).as_str())
                    .into_owned(),
            )
        }),
        Translate => build(&|i| {
            let (from, to) = (text(1, i), text(2, i));
            let each = |c: char| match from.chars().position(|f| f == c) {
                Some(at) => to.chars().nth(at),
                None => Some(c),
            };
            some(text(0, i).chars().filter_map(each).collect())
        }),
        Chr => build(&|i| {
            let n = int(0, i);
            let c = u32::try_from(n).ok().and_then(char::from_u32);
            let c = c.ok_or_else(|| Error::query(format!("chr({n}): no character has that code")))?;
            some(c.to_string())
        }),
        Ascii | Unicode | StrLen => {
            let t = Text::of(&args[0]);
            let none = if func == Ascii { 0 } else { -1 };
            let one = |t: &str| match func {
                StrLen => t.len() as i64,
                _ => t.chars().next().map_or(none, |c| i64::from(u32::from(c))),
            };
            let out = (0..rows).map(|i| t.get(i).map(one));
            Ok(Some(Arc::new(out.collect::<Int64Array>())))
        }
        Concat | ConcatWs => Ok(Some(concat(func, args, rows))),
        Length | Strpos | StartsWith | EndsWith | Contains | RegexpLike => {
            let texts: Vec<Text> = args.iter().map(Text::of).collect();
            let get = |i: usize| Some((texts[0].get(i)?, texts.get(1).map_or(Some(""), |t| t.get(i))?));
            let test = |f: &dyn Fn(&str, &str) -> bool| -> ArrayRef {
                Arc::new(
                    (0..rows)
                        .map(|i| get(i).map(|(a, b)| f(a, b)))
                        .collect::<BooleanArray>(),
                )
            };
            Ok(Some(match func {
                Length => Arc::new(
                    (0..rows)
                        .map(|i| get(i).map(|(a, _)| count(a)))
                        .collect::<Int64Array>(),
                ),
                Strpos => {
                    let at = |(a, b): (&str, &str)| a.find(b).map_or(0, |i| count(&a[..i]) + 1);
                    Arc::new((0..rows).map(|i| get(i).map(at)).collect::<Int64Array>())
                }
                StartsWith => test(&|a, b| a.starts_with(b)),
                EndsWith => test(&|a, b| a.ends_with(b)),
                Contains => test(&|a, b| memmem::find(a.as_bytes(), b.as_bytes()).is_some()),
                _ => match re {
                    Some(r) => test(&|a, _| r.is_match(a)),
                    None => {
                        let one = |(a, b): (&str, &str)| Ok(Some(regex(b, "")?.is_match(a)));
                        let out = (0..rows).map(|i| get(i).map_or(Ok(None), one));
                        Arc::new(out.collect::<Result<BooleanArray>>()?)
                    }
                },
            }))
        }
        _ => Ok(None),
    }
}

/// `\1` of SQL as `${1}` of the regex crate, its `$` escaped.
fn replacement(t: &str) -> String {
    let (mut out, mut chars) = (String::new(), t.chars());
    while let Some(c) = chars.next() {
        match c {
            '$' => out.push_str("$$"),
            '\\' => match chars.next() {
                Some(d) if d.is_ascii_digit() => {
                    out.push_str("${");
                    out.push(d);
                    out.push('}');
                }
                Some('\\') | None => out.push('\\'),
                Some(other) => out.extend(['\\', other]),
            },
            c => out.push(c),
        }
    }
    out
}

/// `concat` and `concat_ws` skip nulls; a null separator makes null.
fn concat(func: Func, args: &[Value], rows: usize) -> ArrayRef {
    let texts: Vec<Text> = args.iter().map(Text::of).collect();
    let (separator, parts) = if func == Func::ConcatWs {
        (texts.first(), &texts[1..])
    } else {
        (None, &texts[..])
    };
    let mut out = StringViewBuilder::with_capacity(rows);
    for i in 0..rows {
        let between = match separator {
            None => Some(""),
            Some(s) => s.get(i),
        };
        match between {
            None => out.append_null(),
            Some(b) => out.append_value(parts.iter().filter_map(|p| p.get(i)).collect::<Vec<_>>().join(b)),
        }
    }
    Arc::new(out.finish())
}
