//! What can go wrong, in the words of the person who reads it.
//!
//! Four families, by who can mend them: the **input** (a file's bytes: names file, line and
//! column), the **query** (what was typed: has a span into the text), the **environment**
//! (disk, memory, permissions) and a **defect** of `ddf` itself (a caught panic, a broken
//! invariant). Everything a user or a file can cause is a value of [`Error`]; nothing panics.
//!
//! ```text
//! error: too many fields: 5 instead of 4          <- Error::to_string()
//!   --> data/2013-04.csv:1204:38                  <- place()
//!    |  2013,4,1,"x",7                            <- excerpt, at most 200 bytes, escaped
//! help: fix the row, or use --on-bad-row skip     <- help()
//! ```

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A place in an input file. Lines and columns count from one; zero means unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The file, as the user named it.
    pub file: PathBuf,
    /// One-based line of the record (physical lines, counting newlines inside quotes).
    pub line: u64,
    /// One-based column in bytes.
    pub column: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
            if self.column > 0 {
                write!(f, ":{}", self.column)?;
            }
        }
        Ok(())
    }
}

/// What went wrong; see the module's essay for the families.
#[derive(Debug, Clone)]
pub struct Error(Arc<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    kind: Kind,
    what: String,
    place: Option<Place>,
    excerpt: Option<String>,
    span: Option<(String, Range<usize>)>,
    help: Option<String>,
    task: Option<FailedTask>,
    text_column: Option<String>,
    of_types: bool,
}

/// The task of a query in which an error arose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedTask {
    /// Its stage.
    pub stage: usize,
    /// Its number within the stage; of a scan that is the partition.
    pub part: usize,
    /// What it read: `data/a.csv, bytes 0 to 4194304`.
    pub what: String,
    /// The table that it scans, if it scans one: its number among the tables of the frame's plan.
    pub table: Option<usize>,
}

/// The family of an error; decides the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The bytes of an input file are not what they should be. Exit status 1.
    Input,
    /// The question cannot be answered as asked (unknown column, wrong type). Exit status 1.
    Query,
    /// The command line itself is wrong. Exit status 2.
    Usage,
    /// The environment: a file cannot be opened, read, written. Exit status 1.
    Environment,
    /// The memory or disk limit made it impossible. Exit status 4.
    Limit,
    /// The user stopped it. Exit status 130.
    Interrupted,
    /// A signal other than the user's Ctrl-C ended it; the exit status is 128 and the signal's number: 143
    /// for SIGTERM, 129 for SIGHUP.
    Terminated(u8),
    /// A reader of our output went away (`| head`). Exit status 0.
    BrokenPipe,
    /// A fault of `ddf` itself. Exit status 1.
    Defect,
    /// A function of the program's own, in a task graph, failed. Exit status 1.
    Task,
    /// Not an error for users: a column's type or a file's structure turned out otherwise than
    /// sampled, and the scan must be planned again. The session catches it.
    Replan,
}

impl Kind {
    /// Whether somebody stopped the run: nothing failed.
    pub fn is_stop(self) -> bool {
        matches!(self, Kind::Interrupted | Kind::Terminated(_))
    }
}

impl Error {
    /// An error of the given family.
    pub fn new(kind: Kind, what: impl Into<String>) -> Self {
        let inner = Inner {
            kind,
            what: what.into(),
            place: None,
            excerpt: None,
            span: None,
            help: None,
            task: None,
            text_column: None,
            of_types: false,
        };
        Error(Arc::new(inner))
    }
    /// The bytes of an input are wrong.
    pub fn input(what: impl Into<String>) -> Self {
        Self::new(Kind::Input, what)
    }
    /// The question cannot be answered as asked.
    pub fn query(what: impl Into<String>) -> Self {
        Self::new(Kind::Query, what)
    }
    /// The command line is wrong.
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(Kind::Usage, what)
    }
    /// The memory or disk limit is too small for this.
    pub fn limit(what: impl Into<String>) -> Self {
        Self::new(Kind::Limit, what)
    }
    /// A fault of `ddf` itself.
    pub fn defect(what: impl Into<String>) -> Self {
        Self::new(Kind::Defect, what)
    }
    /// The operating system refused something about `path`.
    pub fn io(action: &str, path: &Path, e: &std::io::Error) -> Self {
        let kind = match e.kind() {
            std::io::ErrorKind::BrokenPipe => Kind::BrokenPipe,
            _ => Kind::Environment,
        };
        Self::new(
            kind,
            format!("cannot {action} {}: {}", path.display(), plain_io(e)),
        )
    }

    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
    /// Adds one thing to do about it.
    pub fn help(self, help: impl Into<String>) -> Self {
        self.with(|i| i.help = Some(help.into()))
    }
    /// Says that it is about types that do not go together: with wider types it may not be there.
    pub fn of_types(self) -> Self {
        self.with(|i| i.of_types = true)
    }
    /// Whether it is about types that do not go together.
    pub fn is_of_types(&self) -> bool {
        self.0.of_types
    }
    /// Adds the place in the input.
    pub fn at(self, file: impl Into<PathBuf>, line: u64, column: u64) -> Self {
        self.with(|i| {
            i.place = Some(Place {
                file: file.into(),
                line,
                column,
            })
        })
    }
    /// Adds the task in which it arose, unless one is known, or nothing could be learned from it.
    pub fn in_task(self, task: impl FnOnce() -> Option<FailedTask>) -> Self {
        let of_no_task = matches!(
            self.kind(),
            Kind::Interrupted
                | Kind::Terminated(_)
                | Kind::BrokenPipe
                | Kind::Replan
                | Kind::Limit
                | Kind::Usage
        );
        if of_no_task || self.0.task.is_some() {
            return self;
        }
        self.with(|i| i.task = task())
    }
    /// Puts the number of a table in other terms; none: nobody knows it.
    pub fn renumbered(self, table: impl FnOnce(usize) -> Option<usize>) -> Self {
        match self.0.task.as_ref().and_then(|t| t.table) {
            None => self,
            Some(old) => self.with(|i| {
                if let Some(task) = &mut i.task {
                    task.table = table(old);
                }
            }),
        }
    }
    /// Adds an excerpt of the input, cut to 200 bytes with control characters escaped.
    pub fn excerpt(self, bytes: &[u8]) -> Self {
        self.with(|i| i.excerpt = Some(escape_excerpt(bytes)))
    }
    /// Adds the place in the typed text (byte range).
    pub fn span(self, text: impl Into<String>, range: Range<usize>) -> Self {
        self.with(|i| i.span = Some((text.into(), range)))
    }
    /// Says which column of text is looked at as if it had numbers, so that who knows its values can tell more; none:
    /// that was done.
    pub fn about_text(self, column: Option<&str>) -> Self {
        self.with(|i| i.text_column = column.map(str::to_string))
    }
    /// Puts `context: ` before the message.
    pub fn context(self, context: impl fmt::Display) -> Self {
        self.with(|i| i.what = format!("{context}: {}", i.what))
    }
    /// The same with message and help put in other words.
    pub fn reworded(self, words: impl Fn(&str) -> String) -> Self {
        self.with(|i| {
            i.what = words(&i.what);
            i.help = i.help.as_deref().map(&words);
        })
    }

    /// The family.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }
    /// The message, without place and help.
    pub fn what(&self) -> &str {
        &self.0.what
    }
    /// The place in the input, if known.
    pub fn place(&self) -> Option<&Place> {
        self.0.place.as_ref()
    }
    /// The excerpt of the input, if any.
    pub fn excerpt_text(&self) -> Option<&str> {
        self.0.excerpt.as_deref()
    }
    /// The typed text and the byte range in it, if any.
    pub fn span_text(&self) -> Option<(&str, Range<usize>)> {
        self.0.span.as_ref().map(|(t, r)| (t.as_str(), r.clone()))
    }
    /// One thing to do about it, if any.
    pub fn help_text(&self) -> Option<&str> {
        self.0.help.as_deref()
    }
    /// The column of [`Error::about_text`].
    pub fn text_column(&self) -> Option<&str> {
        self.0.text_column.as_deref()
    }
    /// The task of the query in which it arose, if it is known and not the only one.
    pub fn task(&self) -> Option<&FailedTask> {
        self.0.task.as_ref()
    }
    /// The exit status of the program that ends with this error.
    pub fn exit_status(&self) -> u8 {
        match self.kind() {
            Kind::Usage => 2,
            Kind::Limit => 4,
            Kind::Interrupted => 130,
            Kind::Terminated(status) => status,
            Kind::BrokenPipe => 0,
            _ => 1,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.what)?;
        if let Some(p) = &self.0.place {
            write!(f, " ({p})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// Arrow's kernels report by text; whatever reaches us unexplained is a defect of ours.
impl From<arrow::error::ArrowError> for Error {
    fn from(e: arrow::error::ArrowError) -> Self {
        Error::defect(format!("arrow: {e}"))
    }
}

/// The operating system's message without the number.
pub fn plain_io(e: &std::io::Error) -> String {
    let text = e.to_string();
    match text.find(" (os error") {
        Some(i) => text[..i].to_lowercase(),
        None => text,
    }
}

fn escape_excerpt(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(200)];
    let mut out = visible(&String::from_utf8_lossy(cut)).into_owned();
    if bytes.len() > cut.len() {
        out.push('…');
    }
    out
}

/// Whether a character does something to a terminal instead of being seen: it moves the cursor, or turns the
/// direction of the text around it, so that what is read is not what is there (CVE-2021-42574).
pub fn is_invisible(c: char) -> bool {
    let turns =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}')
}

/// A text of a file or a user as it may be shown: what does something to a terminal is escaped.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_invisible) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match is_invisible(c) {
            true => out.extend(c.escape_default()),
            false => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// The error for a name that no column has, with what was probably meant and what there is.
pub fn no_column<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Error {
    const SHOWN: usize = 40;
    let names: Vec<&str> = names.into_iter().collect();
    let more = if names.len() > SHOWN { ", …" } else { "" };
    let list = match names.is_empty() {
        true => "the table has no columns".to_string(),
        false => {
            let shown: Vec<_> = names[..names.len().min(SHOWN)].iter().map(|n| shown(n)).collect();
            format!("the columns are {}{more}", shown.join(", "))
        }
    };
    Error::query(format!("no column \"{name}\"")).help(match did_you_mean(name, names) {
        Some(near) => format!("did you mean {}? {list}", shown(near)),
        None => list,
    })
}

/// A name as it is shown in a message: in quotes where nobody would see where it begins and ends.
pub(crate) fn shown(name: &str) -> std::borrow::Cow<'_, str> {
    match name.trim() == name && !name.is_empty() && !name.contains(", ") {
        true => name.into(),
        false => format!("{name:?}").into(),
    }
}

/// The name among `names` that `wanted` most likely means, for "did you mean".
pub fn did_you_mean<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = wanted.to_lowercase();
    names
        .into_iter()
        .map(|n| match n.trim() == wanted.trim() {
            // but for blanks that nobody sees
            true => (0, n),
            false => (strsim::damerau_levenshtein(&lower, &n.to_lowercase()), n),
        })
        .filter(|(d, n)| *d <= 1.max(n.chars().count().max(wanted.chars().count()) / 3))
        .min_by_key(|(d, _)| *d)
        .map(|(_, n)| n)
}

/// What a panic said, if that was text.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> Option<String> {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpt_is_cut_and_escaped() {
        let e = Error::input("x").excerpt(&[b"a\x1b[31m\n".as_slice(), &[b'z'; 300]].concat());
        let text = e.excerpt_text().unwrap();
        assert!(text.starts_with("a\\u{1b}[31m\\n"));
        assert!(text.ends_with('…'));
    }

    #[test]
    fn what_turns_text_around_is_escaped() {
        assert_eq!(visible("é, 日本, 👍🏽"), "é, 日本, 👍🏽");
        assert_eq!(
            visible("a\u{202e}b\u{2066}\u{1b}[2J"),
            "a\\u{202e}b\\u{2066}\\u{1b}[2J"
        );
    }

    #[test]
    fn suggestions_are_near() {
        assert_eq!(
            did_you_mean("DepDelya", ["ArrDelay", "DepDelay"]),
            Some("DepDelay")
        );
        assert_eq!(did_you_mean("origin", ["Origin"]), Some("Origin"));
        assert_eq!(did_you_mean("zzz", ["Origin"]), None);
    }
}
