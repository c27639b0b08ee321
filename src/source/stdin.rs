//! Inputs that can be read only once: standard input, pipes with a name. They are read as they come where one pass
//! over them is enough, and else copied to a file without a name, which can be read anywhere.

use std::fs::File;
use std::io::Seek;
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::memory::{Copied, CopyDir, Live};

/// What a path names that is not to be opened as a file.
#[derive(Debug, Clone)]
pub(crate) enum Once {
    /// It comes, and can be read once.
    Live(Arc<Live>),
    /// A file without a name.
    Kept(Arc<Copied>),
}

/// What became of standard input.
enum Stdin {
    Unread,
    /// Statements come from there.
    Statements,
    /// It is a table: whoever asks again, such as a second statement, gets the same.
    Table(Once),
}

static STDIN: Mutex<Stdin> = Mutex::new(Stdin::Unread);

/// Says that standard input holds statements, so that it is no table.
pub fn stdin_has_statements() {
    *STDIN.lock().unwrap_or_else(PoisonError::into_inner) = Stdin::Statements;
}

/// The input of a path that can be read only once; nothing for files.
pub(super) fn once(path: &Path, copies: &CopyDir) -> Result<Option<Once>> {
    if path.as_os_str() != "-" {
        let pipe = path.to_path_buf();
        return match is_pipe(path) {
            true => Live::start(path, copies, || File::open(pipe)).map(|live| Some(Once::Live(live))),
            false => Ok(None),
        };
    }
    let mut stdin = STDIN.lock().unwrap_or_else(PoisonError::into_inner);
    let table = match &*stdin {
        Stdin::Table(table) => table.clone(),
        Stdin::Unread => match redirected() {
            Some(file) => Once::Kept(Arc::new(Copied::of_file(file))),
            None => Once::Live(Live::start(Path::new("standard input"), copies, || {
                Ok(std::io::stdin())
            })?),
        },
        Stdin::Statements => {
            let e = Error::usage("standard input holds the statements, so it is no table");
            return Err(e.help("give the statements on the command line, or with --file"));
        }
    };
    *stdin = Stdin::Table(table.clone());
    Ok(Some(table))
}

/// Standard input, where it is a file that nobody has begun to read: it can be read anywhere.
fn redirected() -> Option<File> {
    let fd = std::io::stdin().as_fd().try_clone_to_owned().ok()?;
    let mut file = File::from(fd);
    let whole = file.metadata().ok()?.is_file() && file.stream_position().ok()? == 0;
    whole.then_some(file)
}

/// Whether a path names something else than a file: a pipe, a socket, a device.
pub(super) fn is_pipe(path: &Path) -> bool {
    let kind = std::fs::metadata(path).map(|m| m.file_type());
    kind.is_ok_and(|k| k.is_fifo() || k.is_char_device() || k.is_socket())
}
