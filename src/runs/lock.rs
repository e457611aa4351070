//! A lock of the system beside a claim: a courtesy among the processes of one host, and to earlier versions, which knew
//! nothing else. It decides nothing: some file systems have none, or one per host or mount.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use crate::files::own;

/// The lock of one run.
pub(super) struct Lock {
    path: PathBuf,
    // The system releases it even when the process is killed.
    file: Option<File>,
    state: LockState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LockState {
    Held,
    /// Another process or thread holds it.
    Busy,
    /// There are no locks here.
    Unsupported,
}

impl Lock {
    /// A lock that is not held yet; `used` is false for one that never is.
    pub fn new(path: PathBuf, used: bool) -> Lock {
        Lock { path, file: None, state: if used { LockState::Busy } else { LockState::Unsupported } }
    }

    /// Takes it if it is free.
    pub fn take(&mut self) -> LockState {
        if self.state != LockState::Busy {
            return self.state;
        }
        if self.file.is_none() {
            match own::open_or_create(&self.path) {
                Ok(file) => self.file = Some(file),
                // The claim beside it will say why nothing can be written here.
                Err(_) => {
                    self.state = LockState::Unsupported;
                    return self.state;
                }
            }
        }
        let Some(file) = &self.file else { return self.state };
        match file.try_lock() {
            // Its holder may have removed it before it let go.
            Ok(()) if identity_of(&self.path) == identity(file) => self.state = LockState::Held,
            Ok(()) => self.file = None,
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(_)) => self.state = LockState::Unsupported,
        }
        self.state
    }

    /// Which file it is, if it is held.
    pub fn held(&self) -> Option<Identity> {
        self.file.as_ref().filter(|_| self.state == LockState::Held).and_then(identity)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.state == LockState::Held {
            let _ = own::remove_file(&self.path);
        }
    }
}

/// Device and number of a file.
pub(super) type Identity = (u64, u64);

fn identity_of(path: &Path) -> Option<Identity> {
    own::open(path).ok().as_ref().and_then(identity)
}

#[cfg(unix)]
fn identity(file: &File) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    file.metadata().ok().map(|meta| (meta.dev(), meta.ino()))
}

#[cfg(not(unix))]
fn identity(_: &File) -> Option<Identity> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holds_it_and_the_next_one_takes_it() {
        let folder = tempfile::tempdir().unwrap();
        let lock = || Lock::new(folder.path().join("x.lock"), true);
        let (mut a, mut b) = (lock(), lock());
        assert_eq!((a.take(), b.take()), (LockState::Held, LockState::Busy));
        assert!(a.held().is_some() && b.held().is_none());
        drop(a);
        // The file that it waited for is gone: it takes the new one.
        while b.take() != LockState::Held {}
        assert_eq!(lock().take(), LockState::Busy);
        drop(b);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert_eq!(Lock::new(folder.path().join("x.lock"), false).take(), LockState::Unsupported);
    }
}
