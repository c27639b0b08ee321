//! Recording a run, for the flags that show what happened: `--profile`, and `--graph` with colours.

use std::path::Path;
use std::sync::Arc;

use super::args::RunArgs;
use super::{again, dashboard};
use crate::dashboard::document;
use crate::error::{Error, Result};
use crate::frame::Report;
use crate::observe::{Model, Observer, Recorder, RunEnd, Sampler, trace};
use crate::pipeline::RunContext;
use crate::write::{can_write, write_whole};

/// A run that is recorded, with the thread that samples its memory.
pub struct Recording {
    recorder: Arc<Recorder>,
    _sampler: Sampler,
}

impl Recording {
    /// Starts one, if a flag or the command asks for it.
    pub fn start(run: &RunArgs, wanted: bool) -> Result<Option<Recording>> {
        if let Some(path) = &run.profile {
            check(path)?;
            can_write(path)?;
        }
        if !wanted && run.profile.is_none() && run.dashboard.is_none() {
            return Ok(None);
        }
        dashboard::start(run)?;
        let recorder = Recorder::new(typed(), again::template());
        dashboard::show(&recorder);
        let _sampler = recorder.sample();
        Ok(Some(Recording { recorder, _sampler }))
    }

    /// Lets it see a run.
    pub fn watch(&self, cx: &RunContext) {
        cx.progress.subscribe(self.recorder.clone());
    }

    /// The run is over: what it was, which is also written where `--profile` says.
    pub fn end(self, run: &RunArgs, outcome: Result<&Report, &Error>) -> Result<Model> {
        if let Err(e) = outcome {
            // where it failed before it began; the recorder keeps the first end it is told
            self.recorder.finish(&RunEnd {
                error: Some(e.to_string()),
                cancelled: e.kind().is_stop(),
                ..RunEnd::default()
            });
        }
        let model = self.recorder.model();
        if let Some(path) = &run.profile {
            write_profile(&model, path)?;
        }
        Ok(model)
    }
}

/// The extensions of profiles.
const KINDS: &str = "end the name in .html (a page) or .json (a trace for Perfetto)";

/// Whether a profile can be written there, before a long run finds out that it cannot.
fn check(path: &Path) -> Result<()> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("html" | "json") => Ok(()),
        _ => Err(Error::usage(format!("cannot write a profile into {}", path.display())).help(KINDS)),
    }
}

/// Writes what a run was into a file, whole or not at all, in the format that its name tells.
pub fn write_profile(model: &Model, path: &Path) -> Result<()> {
    check(path)?;
    let text = match path.extension().and_then(|e| e.to_str()) {
        Some("html") => document(Some(model))?,
        _ => trace(model),
    };
    write_whole(path, |write| write(text.as_bytes()))
}

/// The command as it could be typed again.
pub fn typed() -> String {
    let args: Vec<String> = std::env::args_os()
        .map(|a| quoted(&a.to_string_lossy()))
        .collect();
    match args.split_first() {
        Some((_, rest)) => format!("ddf {}", rest.join(" ")),
        None => String::new(),
    }
}

/// An argument as a shell takes it.
pub fn quoted(arg: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./,:=@%+".contains(c);
    if !arg.is_empty() && arg.chars().all(plain) {
        return arg.to_string();
    }
    // as it is shown, too, so that what is copied from a screen is the same command
    if arg.chars().any(is_hidden) {
        return format!("$'{}'", arg.chars().map(escaped).collect::<String>());
    }
    format!("'{}'", arg.replace('\'', r"'\''"))
}

/// Whether a terminal would not show a character as itself.
fn is_hidden(c: char) -> bool {
    let alone = c.to_string();
    crate::error::visible(&alone) != alone.as_str()
}

/// A character between `$'` and `'`.
fn escaped(c: char) -> String {
    match c {
        '\n' => r"\n".into(),
        '\t' => r"\t".into(),
        '\'' => r"\'".into(),
        '\\' => r"\\".into(),
        c if is_hidden(c) && c.is_ascii() => format!(r"\x{:02x}", u32::from(c)),
        c if is_hidden(c) => format!(r"\u{:04x}", u32::from(c)),
        c => c.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_quoted_where_a_shell_would_take_them_apart() {
        for (arg, want) in [
            ("query", "query"),
            ("data/*.csv", "'data/*.csv'"),
            ("Origin = 'JFK'", r"'Origin = '\''JFK'\'''"),
            ("", "''"),
            ("DepDelay:desc", "DepDelay:desc"),
            ("select 'a'\nfrom \\", r"$'select \'a\'\nfrom \\'"),
            ("a\tb\u{1}\u{202e}c", r"$'a\tb\x01\u202ec'"),
        ] {
            assert_eq!(quoted(arg), want);
        }
    }
}
