//! What other programs and libraries write to standard output, below the cell that runs: `:sh ls`, prints of TorchScript.

use std::io::Read;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::outputs::Outputs;
use crate::activity::foreground;
use crate::activity::sink::{Sink, Stream};
use crate::activity::visible::visible;

/// The end of a cell waits so long at most.
const LONGEST: Duration = Duration::from_millis(300);

/// Standard output as a pipe that a thread reads.
pub struct Captured {
    /// The end that the thread reads; it lives as long as the process.
    descriptor: i32,
    /// The thread hands over what it has read.
    busy: Arc<AtomicBool>,
}

impl Captured {
    /// Takes the standard output of this process. None where that cannot be done: then it stays what it was.
    pub fn begin(outputs: Arc<Outputs>) -> Option<Captured> {
        let (mut reader, writer) = std::io::pipe().ok()?;
        let (descriptor, busy) = (reader.as_raw_fd(), Arc::new(AtomicBool::new(false)));
        let handing = busy.clone();
        let body = move || {
            let mut bytes = Vec::new();
            let mut buffer = [0; 16 * 1024];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                handing.store(true, Ordering::SeqCst);
                bytes.extend_from_slice(&buffer[..n]);
                let text = take_text(&mut bytes);
                outputs.write(foreground().cell(), Stream::Output, &visible(&text));
                handing.store(false, Ordering::SeqCst);
            }
        };
        std::thread::Builder::new().name("standard output".into()).spawn(body).ok()?;
        // SAFETY: both are open descriptors of this process.
        let taken = unsafe { libc::dup2(writer.as_raw_fd(), libc::STDOUT_FILENO) };
        (taken >= 0).then_some(Captured { descriptor, busy })
    }

    /// Waits until what was written is handed over.
    pub fn wait(&self) {
        // SAFETY: a null pointer means all streams of C.
        unsafe { libc::fflush(std::ptr::null_mut()) };
        let begun = Instant::now();
        while (self.unread() > 0 || self.busy.load(Ordering::SeqCst)) && begun.elapsed() < LONGEST {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Bytes in the pipe.
    fn unread(&self) -> i32 {
        let mut bytes = 0;
        // SAFETY: the descriptor lives as long as the process, and `bytes` is a place for the answer.
        let asked = unsafe { libc::ioctl(self.descriptor, libc::FIONREAD, &mut bytes) };
        if asked == 0 { bytes } else { 0 }
    }
}

/// The text that `bytes` begin with; a character that has not come whole stays.
fn take_text(bytes: &mut Vec<u8>) -> String {
    let whole = match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => bytes.len(),
    };
    let rest = bytes.split_off(whole);
    String::from_utf8_lossy(&std::mem::replace(bytes, rest)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_not_cut() {
        let text = "a🐈b".as_bytes();
        let mut bytes = text[..3].to_vec();
        assert_eq!(take_text(&mut bytes), "a");
        bytes.extend_from_slice(&text[3..]);
        assert_eq!(take_text(&mut bytes), "🐈b");
        bytes = vec![b'x', 0xff, b'y'];
        assert_eq!((take_text(&mut bytes).as_str(), bytes.len()), ("x\u{fffd}y", 0));
    }
}
