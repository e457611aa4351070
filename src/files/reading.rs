//! Files and folders that are opened, read and listed.

use std::fs::{DirEntry, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::policy;
use crate::activity::interrupt;
use crate::error::{Error, ErrorKind, Result};

/// Bytes between two checks of the interrupt.
const PART: usize = 4 << 20;

/// Opens a regular file that a script names for reading.
///
/// Errors: Io, naming the path; the policy; a folder, device or FIFO in place of a file.
pub fn open(path: &Path) -> Result<File> {
    policy::check_read(path)?;
    open_regular(path)
}

/// The content of a file that a script names.
///
/// Errors: those of [`open`]; a file larger than the machine's memory; Interrupted.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    policy::check_read(path)?;
    read_regular(path)
}

/// Reads a UTF-8 text that a script names; a byte-order mark is no part of it.
///
/// Errors: those of [`read`]; Data for another encoding, with the line.
pub fn read_text(path: &Path) -> Result<String> {
    policy::check_read(path)?;
    read_regular_text(path)
}

/// The paths in a folder that a script names, sorted.
///
/// Errors: Io, naming the path; the policy; Interrupted.
pub fn list(path: &Path) -> Result<Vec<PathBuf>> {
    policy::check_read(path)?;
    list_folder(path)
}

/// The entries of a folder that a script names, as the system gives them: for folders of many files.
///
/// Errors: Io, naming the path; the policy. The entries after an unreadable one are left out.
pub fn entries(path: &Path) -> Result<impl Iterator<Item = DirEntry> + use<>> {
    policy::check_read(path)?;
    Ok(std::fs::read_dir(path).map_err(|e| Error::io(path, e))?.map_while(std::io::Result::ok))
}

/// A text without the byte-order mark that some programs write first.
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Why nothing at a path that a script names can be read as a file: it is absent, a folder, a device.
pub fn no_file(path: &Path) -> Error {
    if let Err(refused) = policy::check_read(path) {
        return refused;
    }
    match std::fs::metadata(path) {
        Ok(found) => not_regular(path, found.is_dir()),
        Err(e) => Error::io(path, e),
    }
}

pub(super) fn open_regular(path: &Path) -> Result<File> {
    let mut options = File::options();
    options.read(true);
    // Without it the system waits in `open` for a FIFO's writer. It changes nothing for regular files.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK | libc::O_NOCTTY);
    let file = options.open(path).map_err(|e| Error::io(path, e))?;
    let kind = file.metadata().map_err(|e| Error::io(path, e))?.file_type();
    match kind.is_file() {
        true => Ok(file),
        false => Err(not_regular(path, kind.is_dir())),
    }
}

pub(super) fn not_regular(path: &Path, folder: bool) -> Error {
    let what = if folder { "this is a folder, not a file" } else { "this is not a regular file" };
    Error::new(ErrorKind::Io, format!("{}: {what}", path.display())).about_file(path)
}

pub(super) fn read_regular(path: &Path) -> Result<Vec<u8>> {
    let mut file = open_regular(path)?;
    let failed = |e: std::io::Error| Error::io(path, e);
    let size = file.metadata().map_err(failed)?.len();
    let too_large = || {
        let text = format!("{}: its {size} bytes are more than this machine's memory", path.display());
        Error::new(ErrorKind::Io, text).about_file(path)
    };
    if size > memory() {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size as usize + 1).map_err(|_| too_large())?;
    loop {
        interrupt::check()?;
        if file.by_ref().take(PART as u64).read_to_end(&mut bytes).map_err(failed)? < PART {
            return Ok(bytes);
        }
        if bytes.len() as u64 > memory() {
            return Err(too_large());
        }
    }
}

pub(super) fn read_regular_text(path: &Path) -> Result<String> {
    let mut bytes = read_regular(path)?;
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    String::from_utf8(bytes).map_err(|e| {
        let before = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        let line = 1 + before.iter().filter(|&&b| b == b'\n').count();
        let what = match e.as_bytes() {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "the text is UTF-16; it must be UTF-8",
            _ => "not UTF-8 text",
        };
        Error::data(format!("{}, line {line}: {what}", path.display())).about_file(path)
    })
}

pub(super) fn list_folder(path: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e: std::io::Error| Error::io(path, e);
    let mut all = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        if all.len() % 4096 == 0 {
            interrupt::check()?;
        }
        all.push(entry.map_err(failed)?.path());
    }
    all.sort();
    Ok(all)
}

/// Bytes of this machine's memory.
pub(super) fn memory() -> u64 {
    #[cfg(unix)]
    {
        // SAFETY: sysconf only reads a number of the system.
        let (pages, size) = unsafe { (libc::sysconf(libc::_SC_PHYS_PAGES), libc::sysconf(libc::_SC_PAGESIZE)) };
        if pages > 0 && size > 0 {
            return (pages as u64).saturating_mul(size as u64);
        }
    }
    u64::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_are_read_and_none_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        let name = std::ffi::CString::new(fifo.to_str().unwrap()).unwrap();
        // SAFETY: the name is a C string.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        for path in [Path::new("/dev/null"), Path::new("/dev/zero"), &fifo] {
            assert!(read(path).unwrap_err().message.ends_with("this is not a regular file"), "{}", path.display());
        }
        assert!(read(folder.path()).unwrap_err().message.ends_with("this is a folder, not a file"));
        let why = |path: &Path| no_file(path).message;
        assert!(why(folder.path()).ends_with("this is a folder, not a file"));
        assert!(why(&fifo).ends_with("this is not a regular file"));
        assert!(why(&folder.path().join("absent.png")).ends_with("there is no such file"));
    }

    #[test]
    fn a_file_larger_than_memory_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sparse");
        if File::create(&path).and_then(|file| file.set_len(1 << 43)).is_ok() {
            assert!(read(&path).unwrap_err().message.contains("more than this machine's memory"));
        }
    }

    #[test]
    fn a_text_has_no_mark_and_an_encoding() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.txt");
        let read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            read_text(&path).map_err(|e| e.message.replace(&path.display().to_string(), "x.txt"))
        };
        assert_eq!(read("\u{feff}a\u{feff}\n".as_bytes()).unwrap(), "a\u{feff}\n");
        assert_eq!(read(b"a\n\xe9\n").unwrap_err(), "x.txt, line 2: not UTF-8 text");
        assert_eq!(read(b"\xff\xfea\0").unwrap_err(), "x.txt, line 1: the text is UTF-16; it must be UTF-8");
        assert_eq!((without_mark("\u{feff}a"), without_mark("a")), ("a", "a"));
    }
}
