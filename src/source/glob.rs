//! From what people type to a sorted list of files.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use globset::GlobBuilder;
use walkdir::WalkDir;

use crate::error::{Error, Kind, Result, did_you_mean};

/// Endings of the files that are taken from a folder.
const ENDINGS: [&str; 5] = [".csv", ".tsv", ".tab", ".psv", ".parquet"];
const PACKED: [&str; 5] = [".gz", ".zst", ".bz2", ".xz", ".lz4"];

/// The files that inputs name.
#[derive(Debug)]
pub struct Files {
    /// Sorted by the bytes of their paths, each once.
    pub paths: Vec<PathBuf>,
    /// Those that were named more than once, as in `data/ data/a.csv`.
    pub repeated: Vec<PathBuf>,
}

/// The files that the inputs name: a table is a set of files, so that overlapping inputs do not
/// count a row twice.
///
/// An input is a path (which wins over its meaning as a pattern), a folder (all data files in it
/// and below), a pattern with `*`, `**`, `?`, `[a-z]`, `{a,b}`, a list `@file` of one input a line, or `-`.
/// Hidden files and folders are skipped unless named.
///
/// # Errors
/// When an input finds nothing, or a list or folder cannot be read.
pub fn expand<S: AsRef<OsStr>>(inputs: &[S]) -> Result<Files> {
    let mut files = Vec::new();
    for input in inputs {
        expand_one(input.as_ref(), &mut files, 0)?;
    }
    files.sort_by(|a, b| {
        a.as_os_str()
            .as_encoded_bytes()
            .cmp(b.as_os_str().as_encoded_bytes())
    });
    let (mut seen, mut repeated) = (std::collections::HashSet::new(), Vec::new());
    files.retain(|path| {
        let new = seen.insert(plain(path));
        if !new && repeated.last() != Some(path) {
            repeated.push(path.clone());
        }
        new
    });
    Ok(Files {
        paths: files,
        repeated,
    })
}

/// The path without `.` and doubled slashes, which name nothing.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|c| *c != Component::CurDir).collect()
}

fn expand_one(input: &OsStr, files: &mut Vec<PathBuf>, depth: usize) -> Result<()> {
    let path = Path::new(input);
    if input == "-" || (path.exists() && !path.is_dir()) {
        files.push(path.to_owned());
        return Ok(());
    }
    if path.is_dir() {
        let found = files.len();
        walk(path, files, &|p| is_data(p))?;
        return match files.len() == found {
            true => Err(absent(format!("no data files in {}", path.display()))
                .help("name the files with a pattern such as 'folder/*.txt'")),
            false => Ok(()),
        };
    }
    let Some(input) = input.to_str() else {
        return Err(no_file(path)); // a pattern is text
    };
    if let Some(list) = input.strip_prefix('@') {
        if depth > 8 {
            return Err(Error::usage(format!("the list {list} names lists too deeply")));
        }
        let text = std::fs::read_to_string(list).map_err(|e| Error::io("read", Path::new(list), &e))?;
        for line in text
            .lines()
            .map(str::trim)
            .filter(|l| !l.is_empty() && !l.starts_with('#'))
        {
            expand_one(OsStr::new(line), files, depth + 1)?;
        }
        return Ok(());
    }
    if !input.contains(['*', '?', '[', '{']) {
        return Err(no_file(path));
    }
    let matcher = GlobBuilder::new(input)
        .literal_separator(true)
        .build()
        .map_err(|e| Error::usage(format!("the pattern '{input}' is wrong: {}", e.kind())))?
        .compile_matcher();
    let found = files.len();
    let root = literal_prefix(input);
    let bare = root.as_os_str().is_empty();
    let start = if bare { Path::new(".") } else { root.as_path() };
    if start.is_dir() {
        let mut all = Vec::new();
        walk(start, &mut all, &|p| {
            matcher.is_match(if bare { p.strip_prefix(".").unwrap_or(p) } else { p })
        })?;
        files.extend(all.into_iter().map(|p| match p.strip_prefix(".") {
            Ok(short) if bare => short.to_owned(),
            _ => p,
        }));
    }
    if files.len() == found {
        return Err(absent(format!("no file matches '{input}'"))
            .help("check the folder, or use ** to look in folders below"));
    }
    Ok(())
}

/// What was asked for is not there, whether named or by a pattern: the same kind of failure.
fn absent(what: String) -> Error {
    Error::new(Kind::Environment, what)
}

fn no_file(path: &Path) -> Error {
    let e = absent(format!("there is no file {}", path.display()));
    match neighbour(path) {
        Some(near) => e.help(format!("did you mean {}?", near.display())),
        None => e.help("check the folder, or name files with a quoted pattern such as 'data/*.csv'"),
    }
}

/// The file in the same folder whose name is most like that of `path`.
fn neighbour(path: &Path) -> Option<PathBuf> {
    let wanted = path.file_name()?.to_str()?;
    let folder = match path.parent() {
        Some(p) if p != Path::new("") => p,
        _ => Path::new("."),
    };
    let entries = std::fs::read_dir(folder).ok()?;
    let mut names: Vec<String> = entries
        .filter_map(|e| e.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    let near = did_you_mean(wanted, names.iter().map(String::as_str))?;
    Some(path.with_file_name(near))
}

/// The folder before the first component that has a special character.
fn literal_prefix(pattern: &str) -> PathBuf {
    let mut root = PathBuf::new();
    let parts: Vec<_> = Path::new(pattern).components().collect();
    for part in parts.iter().take(parts.len().saturating_sub(1)) {
        if part.as_os_str().to_string_lossy().contains(['*', '?', '[', '{']) {
            break;
        }
        root.push(part);
    }
    root
}

fn walk(root: &Path, files: &mut Vec<PathBuf>, wanted: &dyn Fn(&Path) -> bool) -> Result<()> {
    let hidden = |e: &walkdir::DirEntry| e.depth() > 0 && e.file_name().as_encoded_bytes().starts_with(b".");
    for entry in WalkDir::new(root)
        .follow_links(true)
        .into_iter()
        .filter_entry(|e| !hidden(e))
    {
        let entry = entry.map_err(|e| {
            let path = e.path().unwrap_or(root).to_owned();
            Error::io(
                "list",
                &path,
                &e.into_io_error()
                    .unwrap_or_else(|| std::io::Error::other("a loop of links")),
            )
        })?;
        if entry.file_type().is_file() && wanted(entry.path()) {
            files.push(entry.into_path());
        }
    }
    Ok(())
}

fn is_data(path: &Path) -> bool {
    let name = path.to_string_lossy().to_ascii_lowercase();
    ENDINGS.iter().any(|e| unpacked(&name).ends_with(e))
}

/// A name in small letters without the ending that tells how the file is packed.
pub(super) fn unpacked(name: &str) -> &str {
    PACKED.iter().find_map(|e| name.strip_suffix(e)).unwrap_or(name)
}

/// What to tell of files that seem to be the same data: of one name in several formats or packings, or found in
/// one folder as CSV and as Parquet.
pub(super) fn copies(paths: &[PathBuf]) -> Option<String> {
    let stem = |path: &PathBuf| {
        let name = path.to_string_lossy().to_ascii_lowercase();
        let plain = unpacked(&name);
        let end = ENDINGS.iter().find_map(|e| plain.strip_suffix(e));
        (end.unwrap_or(plain).to_string(), plain.ends_with(".parquet"))
    };
    let mut stems = std::collections::HashMap::new();
    for path in paths {
        let (stem, parquet) = stem(path);
        if let Some((other, _)) = stems.insert(stem, (path, parquet)) {
            return Some(format!(
                "{} and {} seem to be the same data, and both are read",
                other.display(),
                path.display()
            ));
        }
    }
    let in_folder = |parquet: bool| stems.values().filter(move |s| s.1 == parquet).map(|s| s.0).min();
    match (in_folder(false), in_folder(true)) {
        (Some(csv), Some(parquet)) if csv.parent() == parquet.parent() => Some(format!(
            "{} and {} are both read: if they hold the same data, it counts twice",
            csv.display(),
            parquet.display()
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_seen() {
        let of = |names: &[&str]| copies(&names.iter().map(PathBuf::from).collect::<Vec<_>>());
        for twice in [
            &["d/a.csv", "d/a.parquet"][..],
            &["a.csv", "a.csv.gz"],
            &["d/a.csv", "d/b.parquet"],
        ] {
            assert!(of(twice).is_some(), "{twice:?}");
        }
        for once in [
            &["a.csv", "b.csv"][..],
            &["x/a.csv", "y/a.csv"],
            &["x/a.csv", "y/b.parquet"],
            &[],
        ] {
            assert!(of(once).is_none(), "{once:?}");
        }
    }

    #[test]
    fn patterns_folders_lists() {
        let dir = tempfile::tempdir().unwrap();
        let at = |p: &str| dir.path().join(p).to_string_lossy().into_owned();
        std::fs::create_dir_all(at("a/.git")).unwrap();
        for p in [
            "b.csv",
            "a/2.csv.gz",
            "a/1.tsv",
            "a/x.txt",
            "a/.git/h.csv",
            "[z].csv",
        ] {
            std::fs::write(at(p), "x\n").unwrap();
        }
        let names = |inputs: &[String]| {
            let found = expand(inputs).unwrap().paths;
            let short = found
                .iter()
                .map(|p| p.strip_prefix(dir.path()).unwrap().to_string_lossy().into_owned());
            short.collect::<Vec<_>>()
        };
        assert_eq!(names(&[at("")]), ["[z].csv", "a/1.tsv", "a/2.csv.gz", "b.csv"]);
        assert_eq!(names(&[at("**/*.{csv,tsv}")]), ["[z].csv", "a/1.tsv", "b.csv"]);
        assert_eq!(names(&[at("*.csv")]), ["[z].csv", "b.csv"]);
        assert_eq!(names(&[at("[z].csv")]), ["[z].csv"]);
        std::fs::write(at("list"), format!("# all\n{}\n{}\n", at("b.csv"), at("a/*.tsv"))).unwrap();
        assert_eq!(names(&[format!("@{}", at("list"))]), ["a/1.tsv", "b.csv"]);
        let twice = expand(&[at("*.csv"), at("./b.csv"), at("b.csv")]).unwrap();
        assert_eq!(twice.paths.len(), 2);
        assert!(twice.repeated.iter().all(|p| p.ends_with("b.csv")) && !twice.repeated.is_empty());
        assert!(expand(&[at("*.nope")]).is_err());
        assert!(expand(&[at("nope.csv")]).is_err());
    }
}
