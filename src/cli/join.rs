//! `--join FILE --on KEYS --how KIND`, as often as typed: `--on` and `--how` belong to the `--join`
//! before them.

use clap::ArgMatches;

use super::query::split_list;
use crate::error::{Error, Result};
use crate::frame::{Frame, How};

/// One `--join` with what was typed after it.
#[derive(Debug, PartialEq)]
struct Typed {
    file: String,
    on: Vec<String>,
    how: Option<String>,
}

/// The frame joined with every `--join`; `read` opens a file.
pub fn joined(f: Frame, matches: &ArgMatches, read: impl Fn(&str) -> Result<Frame>) -> Result<Frame> {
    let mut f = f;
    for join in typed(&flags(matches))? {
        let how = match &join.how {
            Some(name) => How::from_name(name)?,
            None if join.on.is_empty() => {
                return Err(Error::usage(format!("--join {} does not say on what", join.file))
                    .help("add --on id, --on id=key, or --how cross"));
            }
            None => How::Inner,
        };
        f = f.join(read(&join.file)?, join.on.iter().map(String::as_str), how)?;
    }
    Ok(f)
}

/// The flags of joins in the order in which they were typed.
fn flags(matches: &ArgMatches) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for flag in ["join", "on", "how"] {
        if let (Ok(Some(values)), Some(indices)) =
            (matches.try_get_many::<String>(flag), matches.indices_of(flag))
        {
            found.extend(indices.zip(values).map(|(i, v)| (i, flag, v.clone())));
        }
    }
    found.sort_by_key(|(i, ..)| *i);
    found.into_iter().map(|(_, flag, value)| (flag, value)).collect()
}

fn typed(flags: &[(&'static str, String)]) -> Result<Vec<Typed>> {
    let mut out: Vec<Typed> = Vec::new();
    for (flag, value) in flags {
        let last = out.last_mut();
        match (*flag, last) {
            ("join", _) => out.push(Typed {
                file: value.clone(),
                on: Vec::new(),
                how: None,
            }),
            ("on", Some(join)) => join.on.extend(split_list(value)),
            (_, Some(join)) if join.how.is_none() => join.how = Some(value.clone()),
            (_, Some(join)) => {
                return Err(Error::usage(format!("two kinds for the join with {}", join.file)));
            }
            (flag, None) => {
                return Err(Error::usage(format!("--{flag} {value} belongs to no --join"))
                    .help("put it after a --join FILE"));
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_kinds_belong_to_the_join_before_them() {
        let flags = |list: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
            list.iter().map(|(f, v)| (*f, v.to_string())).collect()
        };
        let all = flags(&[
            ("join", "a"),
            ("on", "x=y,k"),
            ("join", "b"),
            ("how", "left"),
            ("on", "z"),
        ]);
        let got = typed(&all).unwrap();
        assert_eq!(
            (got[0].on.clone(), got[0].how.clone()),
            (vec!["x=y".to_string(), "k".into()], None)
        );
        assert_eq!(
            (got[1].on.clone(), got[1].how.as_deref()),
            (vec!["z".to_string()], Some("left"))
        );
        assert!(typed(&flags(&[("on", "x"), ("join", "a")])).is_err());
        assert!(typed(&flags(&[("join", "a"), ("how", "left"), ("how", "right")])).is_err());
    }
}
