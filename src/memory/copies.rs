//! Copies of inputs that can be read only once: in files without a name, counted where spill files are.
//!
//! ```text
//!   standard input ─► Live ─► Copied { file }              (pread; any order, any thread)
//!                        │ Copies: bytes on disk now ──► SpillDir: what is left of --max-spill
//! ```
//!
//! A copy is unlinked at birth, so that no ending leaves it behind, and its bytes count until its last reader is gone.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::live::Live;
use crate::error::{Error, Result};

/// The bytes that copies take now. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Copies {
    bytes: Arc<AtomicU64>,
    /// Inputs whose copies may be given up.
    spare: Arc<Mutex<Vec<Weak<Live>>>>,
}

impl Copies {
    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    fn spare(&self) -> MutexGuard<'_, Vec<Weak<Live>>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an input whose copy is kept only in case.
    pub(super) fn may_be_spared(&self, live: &Arc<Live>) {
        self.spare().push(Arc::downgrade(live));
    }

    /// Gives up the copies that are kept only in case: what cannot do without disk space needs it.
    pub(super) fn give_up(&self) {
        let spare = std::mem::take(&mut *self.spare());
        spare
            .iter()
            .filter_map(Weak::upgrade)
            .for_each(|live| live.give_up());
    }
}

/// A copy; the disk space is freed with its last handle.
#[derive(Debug)]
pub struct Copied {
    file: Arc<File>,
    bytes: AtomicU64,
    copies: Copies,
}

impl Copied {
    /// An empty one.
    ///
    /// # Errors
    /// The folder takes no files.
    pub(super) fn begin(dir: &CopyDir) -> Result<Copied> {
        let file = tempfile::tempfile_in(&dir.folder).map_err(|e| {
            Error::io("create a file in", &dir.folder, &e).help("choose another folder with --spill-dir")
        })?;
        Ok(Copied {
            file: Arc::new(file),
            bytes: AtomicU64::new(0),
            copies: dir.copies.clone(),
        })
    }

    /// A file that is there already, and takes no further room.
    pub fn of_file(file: File) -> Copied {
        Copied {
            file: Arc::new(file),
            bytes: AtomicU64::new(0),
            copies: Copies::default(),
        }
    }

    /// The file, for reading.
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Writes what comes next of the input `name`.
    ///
    /// # Errors
    /// The limit is reached, or the disk is full.
    pub(super) fn append(&self, dir: &CopyDir, bytes: &[u8], name: &Path) -> Result<()> {
        let n = bytes.len() as u64;
        let now = self.copies.bytes.fetch_add(n, Relaxed) + n;
        self.bytes.fetch_add(n, Relaxed);
        if now > dir.max_bytes {
            return Err(dir.too_large(name));
        }
        (&*self.file)
            .write_all(bytes)
            .map_err(|e| dir.write_error(name, &e))
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        self.copies.bytes.fetch_sub(*self.bytes.get_mut(), Relaxed);
    }
}

/// Where copies go, how much they may hold, and what stops the copying.
#[derive(Debug, Clone)]
pub struct CopyDir {
    /// The folder.
    pub folder: PathBuf,
    /// The most bytes of all copies.
    pub max_bytes: u64,
    /// Where they count.
    pub copies: Copies,
    /// Set by whoever stops the run.
    pub cancelled: Arc<AtomicBool>,
}

impl CopyDir {
    /// In the folder of temporary files, with no limit.
    pub fn temporary() -> CopyDir {
        CopyDir {
            folder: std::env::temp_dir(),
            max_bytes: u64::MAX,
            copies: Copies::default(),
            cancelled: Arc::default(),
        }
    }

    fn too_large(&self, name: &Path) -> Error {
        let (name, folder) = (name.display(), self.folder.display());
        let most = match self.max_bytes >> 20 {
            0 => format!("{} bytes", self.max_bytes),
            most => format!("{most} MiB"),
        };
        let what = format!("the copy of {name} in {folder} would exceed {most}");
        Error::limit(what).help("allow more with --max-spill, or name a file, which needs no copy")
    }

    fn write_error(&self, name: &Path, e: &io::Error) -> Error {
        let help = "free some disk space, choose another folder with --spill-dir, or name a file, which needs no copy";
        let error = Error::io(&format!("keep {} in", name.display()), &self.folder, e);
        match e.raw_os_error() {
            Some(libc::ENOSPC) => Error::limit(error.to_string()).help(help),
            _ => error.help(help),
        }
    }
}
