//! Where bytes end: standard output, a device, or a file that appears whole or not at all.
//!
//! ```text
//!   report.csv ──► .report.csv.ddf-XXXXXX.tmp (same folder) ──► fsync ──► rename ──► fsync of the folder
//! ```
//!
//! Devices, pipes and sockets (`/dev/stdout`, FIFOs) cannot be renamed onto and are written
//! directly; an open file of the process (`/dev/fd/3`) is written where it stands. A symbolic link is
//! followed, so that the file it points at is replaced.
//!
//! A temporary file is locked as long as its writer lives. What a killed one left (SIGKILL, a power cut) is
//! not, and goes when the same target is written next.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tempfile::NamedTempFile;

use super::Target;
use crate::error::{Error, Kind, Result};
use crate::kernel::direct::DirectWriter;
use crate::kernel::raw::fd::duplicate;

impl Target {
    /// Whether what is written cannot be taken back: standard output, a device or a pipe.
    pub fn streams(&self) -> bool {
        match self {
            Target::Stdout => true,
            Target::File(path) if descriptor(path).is_some() => true,
            Target::File(path) => std::fs::metadata(path).is_ok_and(|m| is_special(&m)),
        }
    }
}

/// An open target. Dropped without [`Destination::commit`], a file target leaves nothing.
pub(super) struct Destination {
    way: Way,
    name: PathBuf,
    bytes: u64,
    failure: Failure,
}

/// The first write error of a destination, kept because the libraries in between wrap it.
#[derive(Clone, Default)]
pub(super) struct Failure(Arc<Mutex<Option<Error>>>);

enum Way {
    Direct(File),
    Renamed(NamedTempFile, PathBuf, DirectWriter),
}

impl Destination {
    pub(super) fn open(target: &Target) -> Result<Destination> {
        let (way, name) = match target {
            Target::Stdout => (Way::Direct(stdout()?), PathBuf::from("standard output")),
            Target::File(path) => match descriptor(path) {
                Some(1) => (Way::Direct(stdout()?), PathBuf::from("standard output")),
                Some(n) => {
                    let file = duplicate(n).map_err(|e| Error::io("write to", path, &e))?;
                    (Way::Direct(File::from(file)), path.clone())
                }
                None => (open_file(path)?, path.clone()),
            },
        };
        Ok(Destination {
            way,
            name,
            bytes: 0,
            failure: Failure::default(),
        })
    }

    /// A handle on the first error, whoever swallowed it.
    pub(super) fn failure(&self) -> Failure {
        self.failure.clone()
    }

    /// Makes what was written lasting and visible.
    pub(super) fn commit(self) -> Result<u64> {
        match self.way {
            Way::Direct(mut file) => {
                file.flush().map_err(|e| Error::io("write", &self.name, &e))?;
            }
            Way::Renamed(temp, path, mut rest) => {
                rest.finish(temp.as_file())
                    .and_then(|()| temp.as_file().sync_all())
                    .map_err(|e| Error::io("write", &self.name, &e))?;
                temp.persist(&path)
                    .map_err(|e| Error::io("rename the finished file to", &self.name, &e.error))?;
                // The rename itself must survive a power cut; file systems that cannot sync a
                // folder have nothing better to offer.
                if let Ok(folder) = File::open(folder_of(&path)) {
                    let _ = folder.sync_all();
                }
            }
        }
        Ok(self.bytes)
    }
}

/// Writes a file whole or not at all: `fill` gets the means to write its bytes.
///
/// # Errors
/// Those of `fill`, and what can go wrong with the file.
pub fn write_whole(
    path: &Path,
    fill: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()>,
) -> Result<()> {
    let mut to = Destination::open(&Target::File(path.to_path_buf()))?;
    fill(&mut |bytes| to.write_all(bytes).map_err(|e| Error::io("write", path, &e)))?;
    to.commit().map(drop)
}

/// Whether [`write_whole`] will be able to begin, for those that ask before long work.
///
/// # Errors
/// The folder is not there, or nothing can be written to it.
pub fn can_write(path: &Path) -> Result<()> {
    match std::fs::metadata(path).is_ok_and(|m| !m.is_file()) {
        true => Ok(()), // a pipe would tell its reader
        false => Destination::open(&Target::File(path.to_path_buf())).map(drop),
    }
}

impl Write for Destination {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = match &mut self.way {
            Way::Direct(f) => f.write(bytes),
            Way::Renamed(t, _, writer) => writer.write(t.as_file(), bytes).map(|()| bytes.len()),
        };
        match &result {
            Ok(n) => self.bytes += *n as u64,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => self.failure.set(Error::io("write", &self.name, e)),
        }
        result
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Failure {
    fn set(&self, e: Error) {
        if let Ok(mut slot) = self.0.lock() {
            slot.get_or_insert(e);
        }
    }
    /// The true cause of `other`: the recorded write error, if there was one.
    pub(super) fn or(&self, other: impl FnOnce() -> Error) -> Error {
        let known = self.0.lock().ok().and_then(|slot| slot.clone());
        known.unwrap_or_else(other)
    }
}

fn stdout() -> Result<File> {
    let fd = io::stdout().as_fd().try_clone_to_owned();
    fd.map(File::from)
        .map_err(|e| Error::io("open", Path::new("standard output"), &e))
}

fn open_file(path: &Path) -> Result<Way> {
    let fail = |e: &io::Error| Error::io("create", path, e);
    let (real, old) = match std::fs::metadata(path) {
        Ok(old) if old.is_dir() => {
            return Err(Error::new(
                Kind::Environment,
                format!("cannot write {}: it is a folder", path.display()),
            )
            .help("name a file in it"));
        }
        Ok(old) if is_special(&old) => {
            let file = OpenOptions::new().write(true).open(path).map_err(|e| fail(&e))?;
            return Ok(Way::Direct(file));
        }
        Ok(old) => {
            // Renaming would replace even a file that we may not write: ask first.
            OpenOptions::new().append(true).open(path).map_err(|e| fail(&e))?;
            (path.canonicalize().map_err(|e| fail(&e))?, Some(old))
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => (follow_dangling(path), None),
        Err(e) => return Err(fail(&e)),
    };
    let temp = temporary_beside(&real).map_err(|e| fail(&e))?;
    if let Some(old) = old {
        let mode = Permissions::from_mode(old.permissions().mode() & 0o7777);
        temp.as_file().set_permissions(mode).map_err(|e| fail(&e))?;
    }
    let writer = DirectWriter::new().map_err(|e| fail(&e))?;
    Ok(Way::Renamed(temp, real, writer))
}

/// What stands before and after the random letters in the name of a temporary file.
const SUFFIX: &str = ".tmp";
const LETTERS: usize = 6;

/// Created with mode 0666, from which the umask takes its part, and locked.
fn temporary_beside(path: &Path) -> io::Result<NamedTempFile> {
    let name = path
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default();
    let short: String = name.chars().take(40).collect();
    let (folder, prefix) = (folder_of(path), format!(".{short}.ddf-"));
    sweep(folder, &prefix);
    loop {
        let temp = tempfile::Builder::new()
            .prefix(&prefix)
            .suffix(SUFFIX)
            .rand_bytes(LETTERS)
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)?;
        // Another run may have taken it for a dead one's before it was locked. Where files cannot be locked,
        // nothing is swept.
        let taken = matches!(temp.as_file().try_lock(), Err(TryLockError::WouldBlock));
        if !taken && temp.as_file().metadata()?.nlink() > 0 {
            return Ok(temp);
        }
    }
}

/// Removes the temporary files of the same target whose writers are dead. Nothing is said of what cannot be
/// removed: it hinders nobody.
fn sweep(folder: &Path, prefix: &str) {
    let ours = |name: &str| {
        let rest = name.strip_prefix(prefix).and_then(|n| n.strip_suffix(SUFFIX));
        rest.is_some_and(|r| r.len() == LETTERS && r.bytes().all(|b| b.is_ascii_alphanumeric()))
    };
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if !entry.file_name().to_str().is_some_and(ours) || !entry.file_type().is_ok_and(|t| t.is_file()) {
            continue;
        }
        if let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(p) if p != Path::new("") => p,
        _ => Path::new("."),
    }
}

/// The descriptor of this process that a path names.
fn descriptor(path: &Path) -> Option<i32> {
    match path.to_str()? {
        "/dev/stdout" => Some(1),
        "/dev/stderr" => Some(2),
        name => {
            let number = (name.strip_prefix("/dev/fd/")).or_else(|| name.strip_prefix("/proc/self/fd/"))?;
            number.parse().ok()
        }
    }
}

fn is_special(meta: &std::fs::Metadata) -> bool {
    let ty = meta.file_type();
    ty.is_fifo() || ty.is_char_device() || ty.is_block_device() || ty.is_socket()
}

/// Where a chain of links to a file that does not exist yet leads.
fn follow_dangling(path: &Path) -> PathBuf {
    let mut at = path.to_path_buf();
    for _ in 0..40 {
        match std::fs::read_link(&at) {
            Ok(next) => at = folder_of(&at).join(next),
            Err(_) => break,
        }
    }
    at
}
