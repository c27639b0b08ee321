//! What can be typed: commands and flags, and their help.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::dashboard::Address;

/// Whether a word is `-- …` or `--…` with a second line, and so no flag.
fn is_comment(word: &str) -> bool {
    let Some(rest) = word.strip_prefix("--") else {
        return false;
    };
    let name = rest.split('=').next().unwrap_or_default();
    name.contains(char::is_whitespace) || rest.contains('\n')
}

/// The words that were typed, with an address behind `--dashboard` made one word with it: the address
/// may be left out, so that without this a file's name behind the flag would be taken for one.
pub fn joined(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut out: Vec<OsString> = Vec::new();
    for word in words {
        match out.last_mut() {
            // no flag has a space in its name: it is SQL that begins with a comment
            _ if word.to_str().is_some_and(is_comment) => {
                let mut text = OsString::from(" ");
                text.push(word);
                out.push(text);
            }
            Some(last) if *last == *"--dashboard" && word.to_str().is_some_and(Address::is_one) => {
                last.push("=");
                last.push(word);
            }
            _ => out.push(word),
        }
    }
    out
}

/// `ddf`: questions of CSV and Parquet files that are larger than memory.
#[derive(Debug, Parser)]
#[command(name = "ddf", version, about, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  ddf query 'data/*.csv' --groupby Origin --mean DepDelay
  ddf query 'data/*.csv' --where 'Cancelled = 0' --max DepDelay
  ddf query flights.parquet -g UniqueCarrier,Dest --count --mean ArrDelay --sort count:desc -n 10
  ddf query big.csv --sort 'DepDelay:desc,FlightNum' -o sorted.parquet
  ddf explain 'data/*.csv' -g Origin --mean DepDelay";

const JOIN_EXAMPLES: &str = "\
Examples:
  ddf join flights.csv carriers.csv --on UniqueCarrier=code
  ddf join a.csv b.parquet c.csv --on id,day --how left -o all.parquet
  ddf query flights.csv --join carriers.csv --on UniqueCarrier=code --how left -g name --count

Null equals nothing. Columns of the right whose names clash get _right.";

const QUERY_EXAMPLES: &str = "\
Examples:
  ddf query 'data/*.csv' --groupby Origin --mean DepDelay
  ddf query 'data/*.csv' --count
  ddf query 'data/*.csv' --with 'Date = make_date(Year, Month, DayofMonth)' -g 'dayofweek(Date)' --mean DepDelay
  ddf query 'data/*.csv' -g Origin --agg 'late = avg(DepDelay > 15)' --agg 'spread = max(DepDelay) - min(DepDelay)'
  ddf query 'data/*.csv' -w \"Origin = 'JFK'\" -s Year,Month,DepDelay -o jfk.parquet

Expressions are SQL: text in single quotes, column names bare or in double quotes.
Groups come in the order of their keys; other rows in the order of the files.";

const SQL_EXAMPLES: &str = "\
Examples:
  ddf sql \"SELECT Origin, avg(DepDelay) FROM 'data/*.csv' GROUP BY 1 ORDER BY 2 DESC\"
  ddf sql -t flights='data/*.csv' -t carriers=carriers.parquet \\
    'SELECT name, count(*) FROM flights JOIN carriers USING (UniqueCarrier) GROUP BY ALL'
  ddf sql \"SELECT * FROM read_csv('odd.txt', delim = ';', header = false) LIMIT 5\"
  ddf sql \"COPY (SELECT * FROM 'data/*.csv' WHERE Origin = 'JFK') TO 'jfk.parquet'\"
  ddf sql -f questions.sql

Text is in single quotes, names are bare or in double quotes; in FROM both name files.";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  ddf explain 'data/*.csv' -g Origin --mean DepDelay
  ddf explain --analyze 'data/*.csv' -g Origin --mean DepDelay
  ddf explain --analyze --format json 'data/*.csv' --sort DepDelay
  ddf explain --analyze --sql \"SELECT Origin, avg(DepDelay) FROM 'data/*.csv' GROUP BY 1\"

The time of an operator is that of all threads together, without that of its neighbours.";

const GRAPH_EXAMPLES: &str = "\
Examples:
  ddf graph 'data/*.csv' -g Origin --mean DepDelay
  ddf graph 'data/*.csv' -g Origin --mean DepDelay -o stages.svg
  ddf graph 'data/*.csv' -g Origin --mean DepDelay --color time -o hot.svg
  ddf graph --sql \"SELECT count(*) FROM 'data/*.csv'\" --format json

The format follows the name of the output: .svg, .dot, .json (ddf.graph/1) or .txt; text is printed
where there is none. With --color-by time, memory, rows or spill (or --color, for short) the query
is run, its rows are forgotten, and the stages get the colours of what they took.";

const SHELL_EXAMPLES: &str = "\
Examples:
  ddf shell
  ddf shell -t flights='data/*.csv'
  ddf shell --json < questions.sql

Statements end with a semicolon and may have several lines; .help lists the commands. Tab completes
keywords, functions, tables, columns, and files within quotes. Ctrl-C stops a query, Ctrl-D leaves.";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ask a question of files: filter, group, aggregate, sort, convert
    #[command(after_help = QUERY_EXAMPLES)]
    Query(Box<QueryArgs>),
    /// Ask in SQL: files in quotes are tables, FROM 'data/*.csv'
    #[command(after_help = SQL_EXAMPLES)]
    Sql(Box<SqlArgs>),
    /// Ask in SQL, statement after statement, with history and completion
    #[command(after_help = SHELL_EXAMPLES)]
    Shell(Box<ShellArgs>),
    /// Join the first input with each of the others on the same keys
    #[command(after_help = JOIN_EXAMPLES)]
    Join(Box<QueryArgs>),
    /// Show the plan, the optimised plan and the stages of a query, or with --analyze what a run took
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(Box<ExplainArgs>),
    /// Draw the stages of a query, or with --color-by what a run of them took
    #[command(after_help = GRAPH_EXAMPLES)]
    Graph(Box<GraphArgs>),
    /// Print a query's task graph as JSON
    Plan(Box<PlanArgs>),
    /// Show the first rows
    Head(Box<QueryArgs>),
    /// Count rows
    Count(Box<QueryArgs>),
    /// Show the names and types of the columns
    Schema(Box<QueryArgs>),
    /// List the functions of the expression language
    Functions {
        /// Only those whose name or description contains this
        pattern: Option<String>,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Run one task of a task graph: JSON on standard input, Arrow IPC on standard output
    #[command(name = "__task", hide = true)]
    Task,
}

#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    pub query: QueryArgs,
    /// What to print
    #[arg(long, value_enum, default_value = "taskgraph")]
    pub emit: Emit,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Emit {
    /// The stages and tables, as `ddf.taskgraph/1`
    Taskgraph,
}

#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Run it, forget the rows, and show rows, time, memory and spilling of every operator; with
    /// --format json the whole model of the run, ddf.profile/1
    #[arg(long)]
    pub analyze: bool,
    /// Show how much memory each stage holds at most, in the order in which they run: blocks for each
    /// thread, and what grows up to the limit and then goes to disk
    #[arg(long, conflicts_with = "analyze")]
    pub pressure: bool,
    #[command(flatten)]
    pub statement: StatementArgs,
    #[command(flatten)]
    pub query: QueryArgs,
}

#[derive(Debug, Args)]
pub struct GraphArgs {
    #[command(flatten)]
    pub statement: StatementArgs,
    #[command(flatten)]
    pub query: QueryArgs,
}

#[derive(Debug, Args)]
pub struct StatementArgs {
    /// Take this statement instead of a question by flags
    #[arg(long, value_name = "STATEMENT", conflicts_with = "inputs")]
    pub sql: Option<String>,
    /// Give files a name in it: a path, a glob, a folder
    #[arg(short = 't', long = "with-table", value_name = "NAME=FILES", requires = "sql")]
    pub tables: Vec<String>,
}

#[derive(Debug, Args)]
pub struct SqlArgs {
    /// Statements, separated by ;
    pub text: Option<String>,
    /// More statements
    #[arg(short = 'c', long = "command", value_name = "SQL")]
    pub commands: Vec<String>,
    /// Read statements from a file; - is standard input
    #[arg(short, long, value_name = "FILE")]
    pub file: Vec<PathBuf>,
    /// Give files a name: a path, a glob, a folder
    #[arg(short = 't', long = "with-table", value_name = "NAME=FILES")]
    pub tables: Vec<String>,
    #[command(flatten)]
    pub read: InputArgs,
    #[command(flatten)]
    pub write: OutputArgs,
    #[command(flatten)]
    pub run: RunArgs,
}

#[derive(Debug, Args)]
pub struct ShellArgs {
    /// Give files a name: a path, a glob, a folder
    #[arg(short = 't', long = "with-table", value_name = "NAME=FILES")]
    pub tables: Vec<String>,
    #[command(flatten)]
    pub read: InputArgs,
    #[command(flatten)]
    pub write: OutputArgs,
    #[command(flatten)]
    pub run: RunArgs,
}

#[derive(Debug, Args)]
pub struct QueryArgs {
    /// Files, quoted globs ('data/**/*.{csv,parquet}'), folders, @list.txt, or - for standard input
    pub inputs: Vec<OsString>,
    #[command(flatten)]
    pub ask: AskArgs,
    #[command(flatten)]
    pub read: InputArgs,
    #[command(flatten)]
    pub write: OutputArgs,
    #[command(flatten)]
    pub run: RunArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Question")]
pub struct AskArgs {
    /// Join with another table, before anything else; --on and --how follow it (repeatable)
    #[arg(long, value_name = "FILE")]
    pub join: Vec<String>,
    /// Columns that must be equal: id, id=key, or several, comma separated
    #[arg(long, value_name = "KEYS")]
    pub on: Vec<String>,
    /// Which rows: inner (as a rule), left, right, full, semi, anti, cross, or asof: each left row beside
    /// the nearest right row by the last of the keys, the others being equal
    #[arg(long, value_name = "KIND")]
    pub how: Vec<String>,
    /// Where an asof join looks: backward (as a rule), forward, nearest
    #[arg(long, value_name = "DIRECTION")]
    pub asof_direction: Vec<String>,
    /// How far away the row of an asof join may be: 5, 0.5, '10 seconds'
    #[arg(long, value_name = "DISTANCE")]
    pub tolerance: Vec<String>,
    /// Keep rows where this is true
    #[arg(short = 'w', long = "where", visible_alias = "filter", value_name = "EXPR")]
    pub filter: Vec<String>,
    /// Add or replace a column before anything else looks at it
    #[arg(long, value_name = "NAME = EXPR")]
    pub with: Vec<String>,
    /// Group by columns or expressions
    #[arg(short = 'g', long, visible_alias = "group-by", value_name = "KEYS")]
    pub groupby: Vec<String>,
    /// Keep columns: names, ranges a:c, !x to leave out, /regex/, or 'name = expr'
    #[arg(short = 's', long, value_name = "COLS")]
    pub select: Vec<String>,
    /// Mean
    #[arg(long, value_name = "COLS")]
    pub mean: Vec<String>,
    /// Sum (an error if integers overflow)
    #[arg(long, value_name = "COLS")]
    pub sum: Vec<String>,
    /// Smallest value
    #[arg(long, value_name = "COLS")]
    pub min: Vec<String>,
    /// Largest value
    #[arg(long, value_name = "COLS")]
    pub max: Vec<String>,
    /// Count rows, or with =COLS the values that are not null
    #[arg(long, value_name = "COLS", num_args = 0..=1, require_equals = true, default_missing_value = "*")]
    pub count: Vec<String>,
    /// Number of distinct values
    #[arg(long, value_name = "COLS")]
    pub nunique: Vec<String>,
    /// Sample standard deviation
    #[arg(long, value_name = "COLS")]
    pub std: Vec<String>,
    /// Sample variance
    #[arg(long, value_name = "COLS")]
    pub var: Vec<String>,
    /// Exact median
    #[arg(long, value_name = "COLS")]
    pub median: Vec<String>,
    /// Exact quantile, as in DepDelay:0.95
    #[arg(long, value_name = "COL:Q")]
    pub quantile: Vec<String>,
    /// Value of the first row in input order, null or not; any_value(x) in --agg skips nulls
    #[arg(long, value_name = "COLS")]
    pub first: Vec<String>,
    /// Value of the last row in input order, null or not; last(x IGNORE NULLS) in --agg skips nulls
    #[arg(long, value_name = "COLS")]
    pub last: Vec<String>,
    /// Any expression over aggregates
    #[arg(long, value_name = "NAME = EXPR")]
    pub agg: Vec<String>,
    /// Keep groups where this is true
    #[arg(long, value_name = "EXPR")]
    pub having: Vec<String>,
    /// Leave out groups with a null key
    #[arg(long)]
    pub drop_null_keys: bool,
    /// Order rows: col, col:desc, col:nullsfirst, col:desc:nullsfirst; comma separated
    #[arg(long, value_name = "KEYS")]
    pub sort: Vec<String>,
    /// Drop rows that came before; the others keep their order
    #[arg(long)]
    pub distinct: bool,
    /// At most this many rows
    #[arg(short = 'n', long, value_name = "ROWS")]
    pub limit: Option<u64>,
    /// Leave out this many rows first
    #[arg(long, value_name = "ROWS", default_value_t = 0, hide_default_value = true)]
    pub offset: u64,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Input")]
pub struct InputArgs {
    /// Field delimiter; told by the file's name and header otherwise (\t for tab)
    #[arg(short, long, value_name = "CHAR")]
    pub delimiter: Option<String>,
    /// Quote character
    #[arg(long, value_name = "CHAR")]
    pub quote: Option<String>,
    /// Escape character inside quotes; a doubled quote otherwise
    #[arg(long, value_name = "CHAR")]
    pub escape: Option<String>,
    /// Lines that start with this are comments; the first that is none is the header. '##' leaves a header
    /// that begins with # as it is
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,
    /// Leave out blanks around fields, also around their quotes
    #[arg(long)]
    pub trim: bool,
    /// Numbers have a comma where others have a point: 12,5
    #[arg(long)]
    pub decimal_comma: bool,
    /// What stands between groups of digits, as in 1,234,567: , or . or another character
    #[arg(long, value_name = "CHAR")]
    pub thousands: Option<char>,
    /// Lines to skip at the start of each file
    #[arg(long, value_name = "LINES", default_value_t = 0, hide_default_value = true)]
    pub skip_rows: usize,
    /// Files have no header; columns are named column_1, …
    #[arg(short = 'H', long)]
    pub no_header: bool,
    /// Names and number of the columns, comma separated ("a, b" in double quotes); rows that differ are bad rows
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub names: Vec<String>,
    /// Character encoding (utf-8, utf8-lossy, latin1, …)
    #[arg(long, value_name = "NAME")]
    pub encoding: Option<String>,
    /// Token that stands for null, instead of the usual ones
    #[arg(long, value_name = "TOKEN")]
    pub null: Vec<String>,
    /// Types of columns as law: col=type, comma separated; *=type for all others
    #[arg(long, value_name = "COL=TYPE", value_delimiter = ',')]
    pub types: Vec<String>,
    /// Parquet columns of bytes that the file says nothing about are text (which must be UTF-8)
    #[arg(long)]
    pub binary_as_text: bool,
    /// A value that does not fit the sampled type is an error instead of widening it
    #[arg(long)]
    pub strict_types: bool,
    /// What to do with rows of too few or too many fields: error, skip, pad, reject=FILE
    #[arg(long, value_name = "WHAT", default_value = "error")]
    pub on_bad_row: String,
    /// How files unite: by-name, or strict (all must have the same columns)
    #[arg(long, value_name = "HOW", default_value = "by-name")]
    pub union: String,
    /// Add a column with the name of each row's file
    #[arg(long, value_name = "NAME")]
    pub filename_col: Option<String>,
    /// Format of the inputs, if their names do not tell
    #[arg(short, long, value_name = "FORMAT")]
    pub input_format: Option<String>,
    /// Bytes of CSV in a partition
    #[arg(long, value_name = "SIZE", value_parser = super::sizes::parse)]
    pub blocksize: Option<u64>,
    /// How often a read that fails for a moment (EIO, ETIMEDOUT, ESTALE, …) is tried again, with growing
    /// pauses [default: 3]
    #[arg(long, value_name = "N", env = "DDF_RETRIES", hide_env = true)]
    pub retries: Option<u32>,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Write to this file, whole or not at all; - is standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Format: table, csv, tsv, json, jsonl, md, html, parquet, arrow
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<String>,
    /// Same as --format csv
    #[arg(long, group = "shorthand")]
    pub csv: bool,
    /// Same as --format json
    #[arg(long, group = "shorthand")]
    pub json: bool,
    /// Same as --format jsonl
    #[arg(long, group = "shorthand")]
    pub jsonl: bool,
    /// Same as --format md
    #[arg(long, group = "shorthand")]
    pub md: bool,
    /// Same as --format table
    #[arg(long, group = "shorthand")]
    pub table: bool,
    /// Compression of Parquet: zstd, snappy, lz4, none
    #[arg(long, value_name = "CODEC")]
    pub compression: Option<String>,
    /// Digits after the point of floats; the shortest exact text otherwise
    #[arg(long, value_name = "DIGITS")]
    pub float_format: Option<usize>,
    /// CSV to CSV: write values anew (10.5, true) where nothing computes them, instead of as they stand (10.50, TRUE)
    #[arg(long)]
    pub normalize: bool,
    /// Draw the stages into a file: .svg, .dot, .json or .txt
    #[arg(long, value_name = "FILE")]
    pub graph: Option<PathBuf>,
    /// Colour the drawn stages by what the run took: it is drawn when the run is over
    #[arg(long, value_enum, value_name = "WHAT")]
    pub color_by: Option<ColorBy>,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Running")]
pub struct RunArgs {
    /// Worker threads [default: one for each processor]
    #[arg(short = 'j', long, value_name = "N", env = "DDF_THREADS", hide_env = true, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub threads: Option<u16>,
    /// Memory limit, as in 2GiB [default: 60 % of the machine's]
    #[arg(short, long, visible_alias = "memory-limit", value_name = "SIZE", env = "DDF_MEMORY", hide_env = true, value_parser = super::sizes::parse)]
    pub memory: Option<u64>,
    /// Folder for spill files
    #[arg(long, value_name = "DIR", env = "DDF_SPILL_DIR", hide_env = true)]
    pub spill_dir: Option<PathBuf>,
    /// The most that spill files and a copy of standard input may hold at once
    #[arg(long, value_name = "SIZE", env = "DDF_MAX_SPILL", hide_env = true, value_parser = super::sizes::parse)]
    pub max_spill: Option<u64>,
    /// Who runs the tasks
    #[arg(long, value_enum, default_value = "threads")]
    pub scheduler: SchedulerArg,
    /// Run only one partition of the first table (TABLE:N: of another), such as one that failed
    #[arg(long, value_name = "N")]
    pub partition: Option<String>,
    /// Show, truncate and take apart timestamps with an offset by the clocks of this time zone
    #[arg(long, value_name = "ZONE")]
    pub tz: Option<String>,
    /// What now() and current_date mean, as in '2024-01-31 12:00:00' (UTC) [default: when the run begins]
    #[arg(long, value_name = "TIME")]
    pub now: Option<String>,
    /// Show progress on standard error
    #[arg(long, value_enum, default_value = "auto")]
    pub progress: When,
    /// Watch the run in a browser: serve a page that shows it, at an address whose token is printed
    #[arg(long, value_name = "ADDR", num_args = 0..=1, require_equals = true, default_missing_value = crate::dashboard::DEFAULT)]
    pub dashboard: Option<String>,
    /// Keep the dashboard after the query until its page is closed
    #[arg(long, requires = "dashboard")]
    pub linger: bool,
    /// Print what the run took to standard error
    #[arg(long)]
    pub stats: bool,
    /// Record the run (of several statements the last), also one that fails: .html is a page to look at,
    /// .json a trace for Perfetto
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// How errors are printed
    #[arg(long, value_enum, default_value = "text")]
    pub errors: ErrorsAs,
    /// Colours
    #[arg(long, value_enum, default_value = "auto")]
    pub color: Color,
    /// No warnings, no progress
    #[arg(short, long)]
    pub quiet: bool,
    /// Run the plan as it was written (for tests)
    #[arg(long, hide = true, action = ArgAction::SetTrue)]
    pub no_optimize: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum When {
    Auto,
    Always,
    Never,
}

/// When there are colours; for `ddf graph` also what they tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
    #[value(hide = true)]
    Time,
    #[value(hide = true)]
    Memory,
    #[value(hide = true)]
    Rows,
    #[value(hide = true)]
    Spill,
}

impl Color {
    /// What they tell, if that was said.
    pub fn by(self) -> Option<ColorBy> {
        match self {
            Color::Auto | Color::Always | Color::Never => None,
            Color::Time => Some(ColorBy::Time),
            Color::Memory => Some(ColorBy::Memory),
            Color::Rows => Some(ColorBy::Rows),
            Color::Spill => Some(ColorBy::Spill),
        }
    }
}

/// What the colours of a graph tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorBy {
    /// Seconds that threads spent in it
    Time,
    /// The most memory reserved while it ran
    Memory,
    /// Rows that entered it
    Rows,
    /// Bytes written to spill files
    Spill,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchedulerArg {
    Threads,
    Sync,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ErrorsAs {
    Text,
    Json,
}
