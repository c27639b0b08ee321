//! Errors and warnings as people and scripts read them, on standard error.

use std::io::Write;

use super::again;
use crate::error::{Error, FailedTask, Kind};
use crate::observe::Warning;

/// `error: …`, its place and excerpt, and one thing to do.
pub fn error_text(e: &Error) -> String {
    let mut out = format!("error: {}\n", e.what());
    if let Some(p) = e.place() {
        out += &format!("  --> {p}\n");
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
        out += &format!("help: {h}\n");
    }
    if let Some(t) = e.task() {
        out += &match rerun(t) {
            Some(command) => format!("help: partition {} ({}) alone: {command}\n", t.part, t.what),
            None => format!("note: in task {} of stage {} ({})\n", t.part, t.stage, t.what),
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
    let before = text[line_start..floor(text, start)].chars().count();
    let end = floor(text, range.end.min(line_end)).max(floor(text, start));
    let marked = text[floor(text, start)..end].chars().count().max(1);
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
        "kind": format!("{:?}", e.kind()).to_lowercase(),
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

/// Prints an error, unless it is only that nobody reads our output any more.
pub fn print_error(e: &Error, json: bool) {
    if e.kind() == Kind::BrokenPipe {
        return;
    }
    let text = if json { error_json(e) } else { error_text(e) };
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Prints warnings, one a line.
pub fn print_warnings(warnings: &[Warning], json: bool) {
    let mut out = String::new();
    for w in warnings {
        if json {
            out += &(serde_json::json!({"level": "warning", "message": w.text}).to_string() + "\n");
        } else {
            out += &format!("warning: {}\n", w.text);
        }
    }
    let _ = std::io::stderr().write_all(out.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

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
