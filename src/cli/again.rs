//! The command that runs one partition of what was asked again.

use super::args;
use super::record::quoted;

/// The command as it was typed, but for `--partition {}` (`{}` is for its number), one thread, and what
/// only one run can have: a part of the rows must not replace the output of all. None where what was
/// asked is not in the command.
pub fn template() -> Option<String> {
    let words = args::joined(std::env::args_os());
    of(words.iter().skip(1).map(|w| w.to_string_lossy().into_owned()))
}

/// The command for one partition of a table.
pub fn command(table: usize, part: usize) -> Option<String> {
    let number = match table {
        0 => part.to_string(),
        _ => format!("{table}:{part}"),
    };
    template().map(|t| t.replacen("--partition {}", &format!("--partition {number}"), 1))
}

fn of(args: impl Iterator<Item = String>) -> Option<String> {
    let mut out = String::from("ddf");
    let mut args = args.peekable();
    if !matches!(
        args.peek()?.as_str(),
        "query" | "sql" | "join" | "head" | "count" | "explain"
    ) {
        return None;
    }
    while let Some(arg) = args.next() {
        let (flag, has_value) = (arg.split_once('=')).map_or((arg.as_str(), false), |(f, _)| (f, true));
        match flag {
            "--scheduler" | "--partition" | "--profile" | "--graph" | "--output" | "-o" if !has_value => {
                args.next();
            }
            "--scheduler" | "--partition" | "--profile" | "--graph" | "--output" => {}
            "--dashboard" | "--linger" => {}
            _ => {
                out += " ";
                out += &quoted(&arg);
            }
        }
    }
    Some(out + " --partition {} --scheduler sync")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(args: &[&str]) -> Option<String> {
        of(args.iter().map(|s| s.to_string()))
    }

    #[test]
    fn commands_can_be_pasted() {
        assert_eq!(
            typed(&[
                "query",
                "data/*.csv",
                "-w",
                "Origin = 'JFK'",
                "--scheduler",
                "threads",
                "-j4"
            ])
            .unwrap(),
            "ddf query 'data/*.csv' -w 'Origin = '\\''JFK'\\''' -j4 --partition {} --scheduler sync"
        );
        assert_eq!(
            typed(&["sql", "--partition=3", ""]).unwrap(),
            "ddf sql '' --partition {} --scheduler sync"
        );
        let watched =
            "query data/*.csv -o out.csv --dashboard=:0 --linger --count --profile=p.html --graph g.svg -j2";
        assert_eq!(
            of(watched.split(' ').map(String::from)).unwrap(),
            "ddf query 'data/*.csv' --count -j2 --partition {} --scheduler sync"
        );
        assert_eq!(typed(&["shell"]), None);
        assert_eq!(typed(&[]), None);
    }
}
