//! Files that are written whole or not at all: write a temporary file, fsync, rename. Reading a text. The endings of
//! picture files.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};

/// The endings of the picture files that can be read, without the dot.
pub const PICTURES: &[&str] = &["jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff", "jfif"];

/// Whether a name ends like a picture file, in letters of either case.
pub fn is_picture(name: impl AsRef<Path>) -> bool {
    let ending = name.as_ref().extension().and_then(|e| e.to_str());
    ending.is_some_and(|ending| PICTURES.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

/// The content of a file. A device or pipe, which may never end, is not read.
///
/// Errors: Io, naming the path.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    check_regular(path)?;
    std::fs::read(path).map_err(|e| Error::io(path, e))
}

/// Errors: a folder, device or pipe in place of a file.
pub fn check_regular(path: &Path) -> Result<()> {
    match std::fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        true => {
            Err(Error::new(ErrorKind::Io, format!("{}: this is not a regular file", path.display())).about_file(path))
        }
        false => Ok(()),
    }
}

/// Writes `path` through `fill` and creates its parent folders. On failure an old file is left unchanged. A link stays one, and
/// the file that it names is written.
///
/// Errors: Io, naming the path; a folder, device or pipe in place of a file.
pub fn write_with(path: &Path, fill: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    let named = path.is_symlink().then(|| std::fs::canonicalize(path).ok()).flatten();
    let path = named.as_deref().unwrap_or(path);
    check_regular(path)?;
    let folder = match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    let write = || -> std::io::Result<()> {
        let temporary = tempfile::Builder::new().prefix(".cpsd-").tempfile_in(folder)?;
        let mut writer = BufWriter::with_capacity(1 << 20, temporary);
        fill(&mut writer)?;
        let temporary = writer.into_inner().map_err(|e| e.into_error())?;
        temporary.as_file().sync_all()?;
        // A temporary file is private; the final file has the permissions of any other.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            temporary.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
        }
        temporary.persist(path).map_err(|e| e.error)?;
        Ok(())
    };
    write().map_err(|e| Error::io(path, e))?;
    sync_folder(folder);
    Ok(())
}

/// [`write_with`] for a `fill` with errors of its own, which are returned unchanged.
pub fn write_whole(path: &Path, fill: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let mut failure = None;
    let written = write_with(path, |out| {
        fill(out).map_err(|error| {
            let text = error.message.clone();
            failure = Some(error);
            std::io::Error::other(text)
        })
    });
    match failure {
        Some(error) => Err(error),
        None => written,
    }
}

/// Reads a UTF-8 text; a byte-order mark is no part of it.
///
/// Errors: Io; Data for another encoding, with the line.
pub fn read_text(path: &Path) -> Result<String> {
    let mut bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
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

/// A text without the byte-order mark that some programs write first.
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Writes `bytes` to `path`.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, |w| w.write_all(bytes))
}

/// Makes a rename survive a power cut, on file systems that can.
pub fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_not_read() {
        assert!(read(Path::new("/dev/null")).unwrap_err().message.ends_with("this is not a regular file"));
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

    #[test]
    fn a_failed_write_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/x.txt");
        write(&path, b"old").unwrap();
        let failed = write_with(&path, |w| {
            w.write_all(b"half")?;
            Err(std::io::Error::other("disk full"))
        });
        assert!(failed.unwrap_err().message.contains("disk full"));
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
