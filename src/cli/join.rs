//! `--join FILE --on KEYS --how KIND`, as often as typed: `--on` and `--how` belong to the `--join`
//! before them.

use clap::ArgMatches;

use crate::error::{Error, Result};
use crate::expr::Columns;
use crate::frame::{AsOf, Direction, Frame, How};

/// One `--join` with what was typed after it.
#[derive(Debug)]
struct Typed {
    file: String,
    on: Vec<String>,
    how: Option<String>,
    asof: AsOf,
}

/// The frame joined with every `--join`; `read` opens a file.
pub fn joined(f: Frame, matches: &ArgMatches, read: impl Fn(&str) -> Result<Frame>) -> Result<Frame> {
    let mut f = f;
    for join in typed(&flags(matches))? {
        let how = match &join.how {
            Some(name) => how(name, &join.asof)?,
            None if join.asof != AsOf::default() => return Err(only_asof()),
            None if join.on.is_empty() => {
                return Err(Error::usage(format!("--join {} does not say on what", join.file))
                    .help("add --on id, --on id=key, or --how cross"));
            }
            None => How::Inner,
        };
        let right = read(&join.file)?;
        let on = keys(&join.on, &f, &right)?;
        f = one(f, right, &on, how, &join.asof)?;
    }
    Ok(f)
}

/// The keys of lists: commas part them, unless they are within names of columns.
pub fn keys(lists: &[String], left: &Frame, right: &Frame) -> Result<Vec<String>> {
    let (left, right) = (left.schema()?, right.schema()?);
    let names = left.fields().iter().chain(right.fields());
    let columns = Columns::new(names.map(|f| f.name().as_str()).collect());
    Ok(lists
        .iter()
        .flat_map(|list| columns.split(list, &['=']))
        .collect())
}

/// The kind of that name; what is said of asof joins must be of one.
pub fn how(name: &str, asof: &AsOf) -> Result<How> {
    match How::from_name(name)? {
        How::Asof => Ok(How::Asof),
        _ if *asof != AsOf::default() => Err(only_asof()),
        how => Ok(how),
    }
}

/// The error for flags of asof joins without one.
pub fn only_asof() -> Error {
    Error::usage("--asof-direction and --tolerance belong to asof joins").help("add --how asof")
}

/// `f` joined with `right`.
pub fn one(f: Frame, right: Frame, on: &[String], how: How, asof: &AsOf) -> Result<Frame> {
    let on = on.iter().map(String::as_str);
    match how {
        How::Asof => f.join_asof(right, on, asof),
        how => f.join(right, on, how),
    }
}

/// The flags of joins in the order in which they were typed.
fn flags(matches: &ArgMatches) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for flag in ["join", "on", "how", "asof_direction", "tolerance"] {
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
                asof: AsOf::default(),
            }),
            ("on", Some(join)) => join.on.push(value.clone()),
            ("asof_direction", Some(join)) => join.asof.direction = Direction::from_name(value)?,
            ("tolerance", Some(join)) => join.asof.tolerance = Some(AsOf::distance(value)?),
            (_, Some(join)) if join.how.is_none() => join.how = Some(value.clone()),
            (_, Some(join)) => {
                return Err(Error::usage(format!("two kinds for the join with {}", join.file)));
            }
            (flag, None) => {
                let flag = flag.replace('_', "-");
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
            (vec!["x=y,k".to_string()], None)
        );
        assert_eq!(
            (got[1].on.clone(), got[1].how.as_deref()),
            (vec!["z".to_string()], Some("left"))
        );
        assert!(typed(&flags(&[("on", "x"), ("join", "a")])).is_err());
        assert!(typed(&flags(&[("join", "a"), ("how", "left"), ("how", "right")])).is_err());
    }
}
