//! Inputs that can be read only once: standard input, pipes with a name. They are copied to a file without a
//! name, which partitions and second passes can read anywhere.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result};

/// What became of standard input.
enum Stdin {
    Unread,
    /// Statements come from there.
    Statements,
    /// It was copied: whoever asks again, such as a second statement, gets the same.
    Kept(Arc<File>),
}

static STDIN: Mutex<Stdin> = Mutex::new(Stdin::Unread);

/// Says that standard input holds statements, so that it is no table.
pub fn stdin_has_statements() {
    *STDIN.lock().unwrap_or_else(PoisonError::into_inner) = Stdin::Statements;
}

/// The copy of an input that can be read only once; nothing for files.
pub(super) fn spooled(path: &Path, folder: &Path) -> Result<Option<Arc<File>>> {
    if path.as_os_str() != "-" {
        return match is_pipe(path) {
            true => File::open(path)
                .map_err(|e| Error::io("open", path, &e))
                .and_then(|pipe| copy(pipe, path, folder))
                .map(Some),
            false => Ok(None),
        };
    }
    let mut stdin = STDIN.lock().unwrap_or_else(PoisonError::into_inner);
    let file = match &*stdin {
        Stdin::Kept(file) => file.clone(),
        Stdin::Unread => copy(std::io::stdin().lock(), Path::new("standard input"), folder)?,
        Stdin::Statements => {
            let e = Error::usage("standard input holds the statements, so it is no table");
            return Err(e.help("give the statements on the command line, or with --file"));
        }
    };
    *stdin = Stdin::Kept(file.clone());
    Ok(Some(file))
}

/// Whether a path names something else than a file: a pipe, a socket, a device.
pub(super) fn is_pipe(path: &Path) -> bool {
    let kind = std::fs::metadata(path).map(|m| m.file_type());
    kind.is_ok_and(|k| k.is_fifo() || k.is_char_device() || k.is_socket())
}

fn copy(mut from: impl Read, name: &Path, folder: &Path) -> Result<Arc<File>> {
    let mut file = tempfile::tempfile_in(folder).map_err(|e| Error::io("create a file in", folder, &e))?;
    let what = format!("keep {} in", name.display());
    std::io::copy(&mut from, &mut file).map_err(|e| Error::io(&what, folder, &e))?;
    Ok(Arc::new(file))
}
