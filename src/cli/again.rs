//! The command that runs one partition of what was asked again.

use super::record::quoted;

/// The command as it was typed, but for `--partition {}` (`{}` is for its number) and one thread; none
/// where what was asked is not in the command.
pub fn template() -> Option<String> {
    of(std::env::args().skip(1))
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
        if arg == "--scheduler" || arg == "--partition" {
            args.next();
        } else if !arg.starts_with("--scheduler=") && !arg.starts_with("--partition=") {
            out += " ";
            out += &quoted(&arg);
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
        assert_eq!(typed(&["shell"]), None);
        assert_eq!(typed(&[]), None);
    }
}
