//! Inputs that can be read only once: standard input, pipes with a name. They are copied to a file without a
//! name, which partitions and second passes can read anywhere.

use std::fs::File;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::memory::{Copied, CopyDir};

/// What became of standard input.
enum Stdin {
    Unread,
    /// Statements come from there.
    Statements,
    /// It was copied: whoever asks again, such as a second statement, gets the same.
    Kept(Arc<Copied>),
}

static STDIN: Mutex<Stdin> = Mutex::new(Stdin::Unread);

/// Says that standard input holds statements, so that it is no table.
pub fn stdin_has_statements() {
    *STDIN.lock().unwrap_or_else(PoisonError::into_inner) = Stdin::Statements;
}

/// The copy of an input that can be read only once; nothing for files.
pub(super) fn copied(path: &Path, copies: &CopyDir) -> Result<Option<Arc<Copied>>> {
    if path.as_os_str() != "-" {
        let pipe = path.to_path_buf();
        return match is_pipe(path) {
            true => copies.copy(path, || File::open(pipe)).map(Some),
            false => Ok(None),
        };
    }
    let mut stdin = STDIN.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = match &*stdin {
        Stdin::Kept(kept) => kept.clone(),
        Stdin::Unread => copies.copy(Path::new("standard input"), || Ok(std::io::stdin()))?,
        Stdin::Statements => {
            let e = Error::usage("standard input holds the statements, so it is no table");
            return Err(e.help("give the statements on the command line, or with --file"));
        }
    };
    *stdin = Stdin::Kept(kept.clone());
    Ok(Some(kept))
}

/// Whether a path names something else than a file: a pipe, a socket, a device.
pub(super) fn is_pipe(path: &Path) -> bool {
    let kind = std::fs::metadata(path).map(|m| m.file_type());
    kind.is_ok_and(|k| k.is_fifo() || k.is_char_device() || k.is_socket())
}
