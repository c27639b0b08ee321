//! `ddf shell`: statements typed one after the other, on the same tables.
//!
//! ```text
//!   terminal ─ rustyline: history, several lines until ;, Tab ─┐
//!   pipe or file ─ lines ──────────────────────────────────────┴─► text up to ; ─► sql::run_one
//!                                                     .command ─► commands
//! ```
//!
//! An error ends the statement, not the shell; Ctrl-C stops the query that runs, Ctrl-D leaves.

mod commands;
mod complete;
mod scan;

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Instant;

use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};

use super::args::{ErrorsAs, OutputArgs, RunArgs, ShellArgs};
use super::signals::Signals;
use super::{messages, sql};
use crate::error::{Error, Kind, Result};
use crate::source;
use crate::sql::Sql;
use complete::Helper;

/// What a session knows.
struct Shell<'a> {
    sql: Sql,
    write: OutputArgs,
    run: &'a RunArgs,
    signals: Signals,
    timer: bool,
    /// How many files are being read by `.read` within one another.
    reading: usize,
    /// The first error, for the exit status of a shell that nobody looks at.
    failed: Option<Error>,
}

/// Whether the shell goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Go,
    Leave,
}

/// Runs the shell until it is left, and answers the exit status: of what nobody typed, that of the
/// first error.
pub fn run(args: &ShellArgs) -> Result<u8> {
    let signals = Signals::of_shell();
    let mut shell = Shell {
        sql: sql::open(&args.tables, &args.read, &args.run, Some(&signals))?.for_several_statements(),
        write: args.write.clone(),
        run: &args.run,
        signals,
        timer: false,
        reading: 0,
        failed: None,
    };
    if args.write.output.is_some() {
        return Err(Error::usage("--output of a shell").help("COPY (SELECT …) TO 'file' writes rows"));
    }
    source::stdin_has_statements();
    match std::io::stdin().is_terminal() {
        true => shell.interact().map(|()| 0),
        false => {
            let stdin = std::io::stdin().lock();
            shell.lines(stdin, "standard input")?;
            Ok(shell.failed.map_or(0, |e| e.exit_status()))
        }
    }
}

impl Shell<'_> {
    /// A person types.
    fn interact(&mut self) -> Result<()> {
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .auto_add_history(false)
            .build();
        let terminal = |e: ReadlineError| Error::new(Kind::Environment, format!("the terminal: {e}"));
        let mut editor: Editor<Helper, FileHistory> = Editor::with_config(config).map_err(terminal)?;
        let history = history_file();
        if let Some(file) = &history {
            let _ = editor.load_history(file);
        }
        tell("ddf shell: statements end with ; and .help lists commands\n");
        loop {
            editor.set_helper(Some(Helper::new(&self.sql)));
            match editor.readline("ddf> ") {
                Ok(text) => {
                    if text.trim().is_empty() {
                        continue;
                    }
                    let _ = editor.add_history_entry(text.trim_end());
                    if let Some(file) = &history {
                        save(&mut editor, file);
                    }
                    self.failed = None;
                    if self.text(&text) == Next::Leave {
                        break;
                    }
                }
                // what was typed is gone, and nothing else
                Err(ReadlineError::Interrupted) => {}
                Err(ReadlineError::Eof) => break,
                Err(e) => return Err(terminal(e)),
            }
        }
        Ok(())
    }

    /// Lines of a file or pipe, statement by statement as they come.
    fn lines(&mut self, input: impl BufRead, name: &str) -> Result<Next> {
        let mut held = String::new();
        for line in input.lines() {
            let line = line.map_err(|e| Error::io("read", std::path::Path::new(name), &e))?;
            held.push_str(&line);
            held.push('\n');
            if !scan::is_complete(&held) {
                continue;
            }
            if self.text(&std::mem::take(&mut held)) == Next::Leave {
                return Ok(Next::Leave);
            }
        }
        // the last statement needs no ;
        Ok(self.text(&held))
    }

    /// A command, or statements; errors are told.
    fn text(&mut self, text: &str) -> Next {
        self.signals.clear();
        let done = match text.trim().strip_prefix('.') {
            Some(command) => self.command(command),
            None => self.statements(text).map(|()| Next::Go),
        };
        done.unwrap_or_else(|e| {
            let next = match e.kind() {
                // nobody reads any more
                Kind::BrokenPipe => Next::Leave,
                _ => Next::Go,
            };
            messages::print_error(&e, self.run.errors == ErrorsAs::Json);
            self.failed.get_or_insert(e);
            next
        })
    }

    fn statements(&mut self, text: &str) -> Result<()> {
        for statement in &self.sql.statements(text)? {
            crate::expr::clock::begin();
            let begun = Instant::now();
            let sql = self.sql.clone();
            self.sql = sql::run_one(
                sql,
                (statement, sql::Turn::OneOfMany),
                &self.write,
                self.run,
                &self.signals,
            )?;
            if self.timer {
                tell(&format!("time {:.3} s\n", begun.elapsed().as_secs_f64()));
            }
        }
        Ok(())
    }
}

/// Text for the person, beside results.
fn tell(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Where typed statements are kept: the user's folder for state, by the XDG base directory rules.
fn history_file() -> Option<PathBuf> {
    let set = |name| {
        std::env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    let state = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")))?;
    Some(state.join("ddf").join("history"))
}

/// Keeps the history at once, so that a killed shell loses none; a folder that cannot be written is
/// no reason to stop.
fn save(editor: &mut Editor<Helper, FileHistory>, file: &std::path::Path) {
    if let Some(folder) = file.parent() {
        let _ = std::fs::create_dir_all(folder);
    }
    let _ = editor.append_history(file);
}
