//! Errors and warnings as people and scripts read them, on standard error.

use std::ffi::OsString;
use std::io::Write;

use super::again;
use crate::error::{Error, FailedTask, Kind, visible};
use crate::observe::Warning;

/// `error: …`, its place and excerpt, and one thing to do.
pub fn error_text(e: &Error) -> String {
    let mut out = format!("error: {}\n", visible(e.what()));
    if let Some(p) = e.place() {
        out += &format!("  --> {}\n", visible(&p.to_string()));
    }
    if let Some(x) = e.excerpt_text() {
        out += &format!("   |  {x}\n");
    }
    if let Some((text, range)) = e.span_text() {
        if text.trim_end().contains('\n') {
            let (line, column) = line_column(text, range.start);
            out += &format!("  --> line {line}, column {column}\n");
        }
        out += &span_lines(text, range);
    }
    if let Some(h) = e.help_text() {
        out += &format!("help: {}\n", visible(h));
    }
    if let Some(t) = e.task() {
        out += &match rerun(t) {
            Some(command) => {
                let what = visible(&t.what);
                format!("help: partition {} ({what}) alone: {command}\n", t.part)
            }
            None => format!(
                "note: in task {} of stage {} ({})\n",
                t.part,
                t.stage,
                visible(&t.what)
            ),
        };
    }
    out
}

/// The command that runs only the partition of a failed task.
fn rerun(t: &FailedTask) -> Option<String> {
    again::command(t.table?, t.part)
}

/// The most bytes of a typed line that an error shows.
const SHOWN: usize = 160;

/// The typed line with the place underlined.
fn span_lines(text: &str, range: std::ops::Range<usize>) -> String {
    let start = range.start.min(text.len());
    let line_start = text[..floor(text, start)].rfind('\n').map_or(0, |i| i + 1);
    let line_end = text[line_start..]
        .find('\n')
        .map_or(text.len(), |i| line_start + i);
    // of a long line, what stands around the place
    let from = line_start.max(floor(text, start.saturating_sub(SHOWN / 2)));
    let line_end = line_end.min(floor(text, (from + SHOWN).min(text.len())));
    let (line_start, line) = (from, &text[from..line_end]);
    let shown = |from: usize, to: usize| visible(&text[from..to]).chars().count();
    let before = shown(line_start, floor(text, start));
    let end = floor(text, range.end.min(line_end)).max(floor(text, start));
    let marked = shown(floor(text, start), end).max(1);
    let line = visible(line);
    format!(
        "   |  {line}\n   |  {}{}\n",
        " ".repeat(before),
        "^".repeat(marked)
    )
}

/// Line and column of a place, both from one.
fn line_column(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..floor(text, at.min(text.len()))];
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |i| i + 1);
    (line, before[start..].chars().count() + 1)
}

fn floor(text: &str, mut i: usize) -> usize {
    while !text.is_char_boundary(i) {
        i -= 1;
    }
    i
}

/// One JSON object a line: kind, message, file, line, column, help.
pub fn error_json(e: &Error) -> String {
    let place = e.place();
    let typed = e.span_text().map(|(text, range)| line_column(text, range.start));
    let value = serde_json::json!({
        "level": "error",
        "kind": kind_name(e.kind()),
        "message": e.what(),
        "file": place.map(|p| p.file.display().to_string()),
        "line": place.map(|p| p.line).filter(|l| *l > 0).or(typed.map(|t| t.0 as u64)),
        "column": place.map(|p| p.column).filter(|c| *c > 0).or(typed.map(|t| t.1 as u64)),
        "excerpt": e.excerpt_text(),
        "help": e.help_text(),
        "stage": e.task().map(|t| t.stage),
        "partition": e.task().map(|t| t.part),
        "reads": e.task().map(|t| t.what.as_str()),
        "rerun": e.task().and_then(rerun),
    });
    value.to_string() + "\n"
}

/// Whether `--errors json` is among the words that could not be understood as a whole.
pub fn asks_for_json(words: &[OsString]) -> bool {
    let pairs = words.windows(2).any(|w| w[0] == *"--errors" && w[1] == *"json");
    pairs || words.iter().any(|w| *w == *"--errors=json")
}

/// What is wrong with the words that were typed, as an error like others.
pub fn of_usage(e: &clap::Error) -> Error {
    let text = e.to_string();
    let (what, rest) = text.split_once("\n\n").unwrap_or((&text, ""));
    let what = what.strip_prefix("error: ").unwrap_or(what);
    let what = what.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines = || rest.lines().map(str::trim);
    let tip = lines().find_map(|l| l.strip_prefix("tip: "));
    let help = tip.or_else(|| lines().find(|l| l.starts_with("Usage: ")));
    match help {
        Some(h) => Error::usage(what).help(h),
        None => Error::usage(what),
    }
}

/// The family of an error in one word.
fn kind_name(kind: Kind) -> String {
    let name = format!("{kind:?}").to_lowercase();
    name.split('(').next().unwrap_or_default().to_owned()
}

/// Prints an error, unless it is only that nobody reads our output any more.
pub fn print_error(e: &Error, json: bool) {
    if e.kind() == Kind::BrokenPipe {
        return;
    }
    let text = if json { error_json(e) } else { error_text(e) };
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Subjects that a warning of many names.
const SUBJECTS: usize = 5;

/// Prints warnings, one a line, and one for all of a kind.
pub fn print_warnings(warnings: &[Warning], json: bool) {
    let mut out = String::new();
    for (w, others) in Warning::by_kind(warnings) {
        if json {
            let line = serde_json::json!({"level": "warning", "message": w.text, "also": others});
            out += &(line.to_string() + "\n");
        } else {
            out += &format!("warning: {}{}\n", visible(&w.text), also(&others));
        }
    }
    let _ = std::io::stderr().write_all(out.as_bytes());
}

/// What the same is true of: `; the same of 'b', 'c' and 12 more`.
fn also(subjects: &[&str]) -> String {
    if subjects.is_empty() {
        return String::new();
    }
    let named: Vec<String> = (subjects.iter().take(SUBJECTS))
        .map(|s| format!("'{}'", visible(s)))
        .collect();
    let named = named.join(", ");
    match subjects.len().saturating_sub(SUBJECTS) {
        0 => format!("; the same of {named}"),
        more => format!("; the same of {named} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn usage_errors_have_a_message_and_a_tip() {
        let of = |words: &[&str]| {
            let e = crate::cli::args::Cli::command().try_get_matches_from(words);
            of_usage(&e.unwrap_err())
        };
        let e = of(&["ddf", "query", "a.csv", "--summ", "x"]);
        assert_eq!(
            (e.exit_status(), e.what()),
            (2, "unexpected argument '--summ' found")
        );
        assert_eq!(e.help_text(), Some("a similar argument exists: '--sum'"));
        let e = of(&["ddf", "query", "a.csv", "-n", "many"]);
        assert_eq!(
            e.what(),
            "invalid value 'many' for '--limit <ROWS>': invalid digit found in string"
        );
    }

    #[test]
    fn spans_survive_unicode() {
        let e = Error::query("no column \"é\"")
            .span("a + é + b", 4..6)
            .help("did you mean \"e\"?");
        assert_eq!(
            error_text(&e),
            "error: no column \"é\"\n   |  a + é + b\n   |      ^\nhelp: did you mean \"e\"?\n"
        );
    }
}
