//! `Stoppable`: a reader or writer that fails once its activity was asked to stop.

use std::io::{BufRead, Error, Read, Result, Seek, SeekFrom, Write};
use std::sync::Arc;

use crate::activity::{self, Activity};

/// Passes everything on until the activity of the thread that made it is asked to stop; from then on every call fails. For code of
/// other crates that reads or writes for long and cannot be asked to stop in another way. The threads of such code need not be of that
/// activity.
///
/// The error's kind is not `Interrupted`, after which the standard library tries again. Whoever made it calls
/// [`interrupt::check`](crate::activity::interrupt::check) when that code fails.
pub struct Stoppable<T> {
    inner: T,
    activity: Arc<Activity>,
}

impl<T> Stoppable<T> {
    pub fn new(inner: T) -> Self {
        Stoppable { inner, activity: activity::current() }
    }

    fn check(&self) -> Result<()> {
        if self.activity.stopping() { Err(Error::other("interrupted")) } else { Ok(()) }
    }
}

impl<T: Read> Read for Stoppable<T> {
    fn read(&mut self, part: &mut [u8]) -> Result<usize> {
        self.check()?;
        self.inner.read(part)
    }
}

impl<T: BufRead> BufRead for Stoppable<T> {
    fn fill_buf(&mut self) -> Result<&[u8]> {
        self.check()?;
        self.inner.fill_buf()
    }

    fn consume(&mut self, read: usize) {
        self.inner.consume(read);
    }
}

impl<T: Seek> Seek for Stoppable<T> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.check()?;
        self.inner.seek(to)
    }
}

impl<T: Write> Write for Stoppable<T> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.check()?;
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> Result<()> {
        self.check()?;
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn everything_fails_once_a_stop_was_asked_for() {
        let activity = Activity::background("test".into(), None);
        let (mut reader, mut writer) =
            activity.enter(|| (Stoppable::new(Cursor::new(vec![7u8; 100])), Stoppable::new(Vec::new())));
        let mut part = [0; 10];
        reader.read_exact(&mut part).unwrap();
        writer.write_all(&part).unwrap();
        assert_eq!((reader.stream_position().unwrap(), writer.inner.as_slice()), (10, &[7u8; 10][..]));
        activity.stop();
        // Neither is tried again without an end.
        assert!(reader.read_to_end(&mut Vec::new()).is_err() && writer.write_all(&part).is_err());
        assert!(reader.fill_buf().is_err() && reader.rewind().is_err() && writer.flush().is_err());
        // That of another activity goes on.
        assert_eq!(Stoppable::new(&[1u8, 2][..]).read(&mut part).unwrap(), 2);
    }
}
