//! Standard error as a text, whoever writes to it: libtorch writes past Rust.

use std::io::{Read, Seek};
use std::os::fd::AsRawFd;

use crate::error::{Error, Result};
use crate::files::own;

/// Runs `work` and returns its result and what was written to standard error meanwhile, by any thread.
///
/// Errors: those of `work`, beside what was written; standard error cannot be redirected or read.
pub fn captured<R>(work: impl FnOnce() -> Result<R>) -> (Result<R>, String) {
    match redirected(work) {
        Ok(came) => came,
        Err(error) => (Err(error), String::new()),
    }
}

fn redirected<R>(work: impl FnOnce() -> Result<R>) -> Result<(Result<R>, String)> {
    let failed = |what: &str| Error::internal(format!("standard error cannot be {what}"));
    let mut file = own::temporary_file(&own::session_folder()?)?;
    // SAFETY: duplicates of descriptors that are open; the first is put back below.
    let kept = unsafe { libc::dup(2) };
    if kept < 0 || unsafe { libc::dup2(file.as_file().as_raw_fd(), 2) } < 0 {
        return Err(failed("redirected"));
    }
    /// Puts standard error back on a panic too.
    struct Back(i32);
    impl Drop for Back {
        fn drop(&mut self) {
            // SAFETY: a descriptor that `redirected` made and nobody else has.
            unsafe {
                libc::dup2(self.0, 2);
                libc::close(self.0);
            }
        }
    }
    let back = Back(kept);
    let result = work();
    drop(back);
    let mut text = String::new();
    file.as_file_mut().rewind().map_err(|_| failed("read"))?;
    file.as_file_mut().read_to_string(&mut text).map_err(|_| failed("read"))?;
    Ok((result, text))
}
