//! Sources of pictures: the trait `PictureSource`, files in a folder, a part of a source, a cache in memory.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::UNIX_EPOCH;

use crate::error::{Error, Result, counted};
use crate::images::dataset_spec::SourceSpec;
use crate::images::picture::Picture;

/// N pictures, readable in any order and from any thread.
pub trait PictureSource: Send + Sync {
    fn len(&self) -> usize;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Picture `index` of `0..len()`. The same index always gives the same picture; errors name the picture.
    fn picture(&self, index: usize) -> Result<Picture>;

    /// One line for people: kind and number of pictures.
    fn describe(&self) -> String;

    /// A hash of everything that decides the pictures. Sources with the same fingerprint hold the same pictures.
    fn fingerprint(&self) -> String;

    /// A description from which another process opens this source again.
    fn spec(&self) -> SourceSpec;
}

/// The error for an index out of range.
pub fn out_of_range(index: usize, len: usize) -> Error {
    Error::argument(format!("there is no picture {index}: this source holds {len}, counted from 0"))
}

/// Picture files under one folder, read on demand.
///
/// The fingerprint hashes the path under the folder, the size and the modification time (to the nanosecond) of every
/// file. Contents are not read, so that 120,000 files are fingerprinted in a second. A file that is written again counts
/// as changed even if its bytes are the same; a copy of the folder that keeps times (`cp -a`, `rsync -a`) counts as the
/// same.
#[derive(Debug)]
pub struct Files {
    root: PathBuf,
    paths: Vec<PathBuf>,
    fingerprint: OnceLock<String>,
}

impl Files {
    /// Pictures at `root`/`paths[i]`. A missing file is an error when it is read.
    pub fn new(root: impl Into<PathBuf>, paths: Vec<PathBuf>) -> Self {
        Files { root: root.into(), paths, fingerprint: OnceLock::new() }
    }

    /// The full path of picture `index`.
    pub fn path(&self, index: usize) -> Option<PathBuf> {
        self.paths.get(index).map(|path| self.root.join(path))
    }
}

impl PictureSource for Files {
    fn len(&self) -> usize {
        self.paths.len()
    }

    fn picture(&self, index: usize) -> Result<Picture> {
        Picture::open(self.path(index).ok_or_else(|| out_of_range(index, self.len()))?)
    }

    fn describe(&self) -> String {
        format!("{} under {}", counted(self.len(), "file"), self.root.display())
    }

    fn fingerprint(&self) -> String {
        let compute = || {
            let mut hasher = blake3::Hasher::new_derive_key("cpsd picture files 1");
            for path in &self.paths {
                let (size, changed) = size_and_time(&self.root.join(path));
                hasher.update(path.to_string_lossy().as_bytes());
                hasher.update(&[0]);
                hasher.update(&size.to_le_bytes());
                hasher.update(&changed.to_le_bytes());
            }
            hasher.finalize().to_hex().to_string()
        };
        self.fingerprint.get_or_init(compute).clone()
    }

    fn spec(&self) -> SourceSpec {
        SourceSpec::Files { root: self.root.clone(), paths: self.paths.clone() }
    }
}

/// Bytes, and nanoseconds since 1970; zeros for a missing file, which is an error when it is read.
fn size_and_time(path: &Path) -> (u64, u128) {
    let Ok(meta) = std::fs::metadata(path) else { return (0, 0) };
    let changed = meta.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    (meta.len(), changed.map_or(0, |since| since.as_nanos()))
}

/// Some pictures of another source, in any order.
pub struct Taken {
    source: Arc<dyn PictureSource>,
    indices: Vec<usize>,
}

impl Taken {
    /// Errors: an index out of range.
    pub fn new(source: Arc<dyn PictureSource>, indices: Vec<usize>) -> Result<Self> {
        match indices.iter().find(|&&index| index >= source.len()) {
            Some(&index) => Err(out_of_range(index, source.len())),
            None => Ok(Taken { source, indices }),
        }
    }
}

impl PictureSource for Taken {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn picture(&self, index: usize) -> Result<Picture> {
        let &inner = self.indices.get(index).ok_or_else(|| out_of_range(index, self.len()))?;
        self.source.picture(inner)
    }

    fn describe(&self) -> String {
        format!("{} out of {}", counted(self.len(), "picture"), self.source.describe())
    }

    fn fingerprint(&self) -> String {
        let mut hasher = blake3::Hasher::new_derive_key("cpsd taken pictures 1");
        hasher.update(self.source.fingerprint().as_bytes());
        for &index in &self.indices {
            hasher.update(&(index as u64).to_le_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }

    fn spec(&self) -> SourceSpec {
        SourceSpec::Taken { of: Box::new(self.source.spec()), indices: self.indices.clone() }
    }
}

/// Keeps pictures in memory once they are read, up to a number of bytes; the others are read each time.
pub struct Cached {
    source: Arc<dyn PictureSource>,
    kept: Vec<OnceLock<Picture>>,
    bytes: AtomicUsize,
    max_bytes: usize,
}

impl Cached {
    pub fn new(source: Arc<dyn PictureSource>, max_bytes: usize) -> Self {
        let kept = (0..source.len()).map(|_| OnceLock::new()).collect();
        Cached { source, kept, bytes: AtomicUsize::new(0), max_bytes }
    }
}

impl PictureSource for Cached {
    fn len(&self) -> usize {
        self.source.len()
    }

    fn picture(&self, index: usize) -> Result<Picture> {
        let place = self.kept.get(index).ok_or_else(|| out_of_range(index, self.len()))?;
        if let Some(picture) = place.get() {
            return Ok(picture.clone());
        }
        let picture = self.source.picture(index)?;
        let bytes = picture.rgb.len();
        if self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= self.max_bytes {
            if place.set(picture.clone()).is_err() {
                // Another thread made the same picture meanwhile.
                self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            }
        } else {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        Ok(picture)
    }

    fn describe(&self) -> String {
        format!("{}, kept in memory", self.source.describe())
    }

    fn fingerprint(&self) -> String {
        self.source.fingerprint()
    }

    fn spec(&self) -> SourceSpec {
        SourceSpec::Cached { of: Box::new(self.source.spec()), max_bytes: self.max_bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Numbers(usize, AtomicUsize);

    impl PictureSource for Numbers {
        fn len(&self) -> usize {
            self.0
        }
        fn picture(&self, index: usize) -> Result<Picture> {
            self.1.fetch_add(1, Ordering::Relaxed);
            Picture::new(1, 1, vec![index as u8; 3])
        }
        fn describe(&self) -> String {
            "numbers".into()
        }
        fn fingerprint(&self) -> String {
            "numbers".into()
        }
        fn spec(&self) -> SourceSpec {
            SourceSpec::Files { root: PathBuf::new(), paths: vec![] }
        }
    }

    #[test]
    fn a_part_keeps_its_order_and_has_a_fingerprint_of_its_own() {
        let all: Arc<dyn PictureSource> = Arc::new(Numbers(5, AtomicUsize::new(0)));
        let part = Taken::new(all.clone(), vec![4, 1]).unwrap();
        assert_eq!(part.picture(0).unwrap().rgb[0], 4);
        assert_eq!(part.picture(1).unwrap().rgb[0], 1);
        assert!(part.picture(2).is_err());
        assert_ne!(part.fingerprint(), Taken::new(all.clone(), vec![1, 4]).unwrap().fingerprint());
        assert!(Taken::new(all, vec![5]).is_err());
    }

    #[test]
    fn a_cache_makes_each_picture_once_while_it_has_room() {
        let numbers = Arc::new(Numbers(5, AtomicUsize::new(0)));
        let cached = Cached::new(numbers.clone(), 9);
        for _ in 0..3 {
            for index in 0..5 {
                assert_eq!(cached.picture(index).unwrap().rgb[0], index as u8);
            }
        }
        // Three fit and are made once, two are made three times.
        assert_eq!(numbers.1.load(Ordering::Relaxed), 3 + 2 * 3);
    }

    #[test]
    fn files_are_fingerprinted_by_name_size_and_time() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.png"), b"one").unwrap();
        let files = |names: &[&str]| Files::new(folder.path(), names.iter().map(PathBuf::from).collect());
        let before = files(&["a.png"]).fingerprint();
        assert_eq!(before, files(&["a.png"]).fingerprint());
        assert_ne!(before, files(&["b.png"]).fingerprint());
        std::fs::write(folder.path().join("a.png"), b"longer").unwrap();
        assert_ne!(before, files(&["a.png"]).fingerprint());
    }
}
