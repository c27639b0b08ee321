//! Paths in JSON: as text where they are UTF-8, else as their bytes.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Bytes(Vec<u8>),
}

pub(super) fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
    match path.to_str() {
        Some(text) => Written::Text(text.to_string()),
        None => Written::Bytes(path.as_os_str().as_bytes().to_vec()),
    }
    .serialize(to)
}

pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<PathBuf, D::Error> {
    Ok(match Written::deserialize(from)? {
        Written::Text(text) => PathBuf::from(text),
        Written::Bytes(bytes) => PathBuf::from(OsString::from_vec(bytes)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct One(#[serde(with = "super")] PathBuf);

    #[test]
    fn any_path_reads_back() {
        for bytes in [&b"a/b.csv"[..], b"a/\xff.csv", "\u{e9}".as_bytes()] {
            let one = One(PathBuf::from(OsString::from_vec(bytes.to_vec())));
            let json = serde_json::to_value(&one).unwrap();
            assert_eq!(serde_json::from_value::<One>(json).unwrap(), one);
        }
    }
}
