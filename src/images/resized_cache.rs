//! `ResizedCache`: pictures decoded and resized to a square once, in one file that is mapped into memory.

use std::path::Path;
use std::sync::Arc;

use memmap2::Mmap;
use rayon::prelude::*;
use serde_json::json;

use super::dataset_spec::SourceSpec;
use super::picture::Picture;
use super::source::{PictureSource, out_of_range};
use crate::activity::interrupt;
use crate::activity::progress::Progress;
use crate::error::{Error, Result};
use crate::files;
use crate::runs::{Run, RunStore};

/// Every picture of another source resized to one square, the aspect not kept.
///
/// A training on whole pictures of this size sees the same bytes as without the cache, since resizing to a square is its
/// first step. A training with random crops crops the squares.
pub struct ResizedCache {
    source: Arc<dyn PictureSource>,
    run: Run,
    map: Mmap,
    side: u32,
}

/// Pictures that are in memory at a time while the cache is made.
const AT_ONCE: usize = 256;

impl ResizedCache {
    /// Opens the cache in the run store, or makes it: `side` × `side` × 3 bytes per picture on disk.
    ///
    /// Errors: a picture that cannot be read, named; Io; Interrupted (the unfinished cache is dropped).
    pub fn make(store: &RunStore, source: Arc<dyn PictureSource>, side: u32) -> Result<Self> {
        if !(8..=4096).contains(&side) {
            return Err(Error::argument(format!("a cache keeps squares of 8 to 4096 pixels; got {side}")));
        }
        let spec = json!({ "format": 1, "data": source.fingerprint(), "side": side });
        let run = store.find_or_make("pictures", &spec, |work| {
            let progress = Progress::new(format!("pictures at {side} pixels"), source.len() as u64, "images");
            let made = |i: usize| -> Result<Vec<u8>> {
                interrupt::check()?;
                let square = source.picture(i)?.resize(side, side)?.rgb;
                progress.advance(1);
                Ok(square)
            };
            let all: Vec<usize> = (0..source.len()).collect();
            files::write_whole(&work.path("data.u8"), |out| {
                for part in all.chunks(AT_ONCE) {
                    work.check()?;
                    let squares: Vec<Vec<u8>> = part.par_iter().map(|&i| made(i)).collect::<Result<_>>()?;
                    squares.iter().try_for_each(|s| out.write_all(s)).map_err(|e| Error::io("data.u8", e))?;
                }
                Ok(())
            })?;
            Ok(json!({ "rows": source.len(), "side": side }))
        })?;
        Self::open(source, &run.dir)
    }

    /// Opens the cache in the folder of a run. Errors: it is missing, or not of this source's length.
    pub fn open(source: Arc<dyn PictureSource>, run: &Path) -> Result<Self> {
        let id = run.file_name().map_or(String::new(), |n| n.to_string_lossy().into_owned());
        let run = Run { id, dir: run.to_path_buf() };
        let side = run.summary()?["side"].as_u64().unwrap_or(0) as u32;
        let path = run.path("data.u8");
        let file = std::fs::File::open(&path).map_err(|e| Error::io(&path, e))?;
        // SAFETY: files of a finished run are never changed, so the mapping cannot shrink or move under us.
        let map = unsafe { Mmap::map(&file) }.map_err(|e| Error::io(&path, e))?;
        let expected = source.len() * side as usize * side as usize * 3;
        if side == 0 || map.len() != expected {
            return Err(Error::in_file(&path, format!("cut short: {} bytes instead of {expected}", map.len()))
                .with_help(format!("remove the folder {} to have it made again", run.dir.display())));
        }
        Ok(ResizedCache { source, run, map, side })
    }
}

impl PictureSource for ResizedCache {
    fn len(&self) -> usize {
        self.source.len()
    }

    fn picture(&self, index: usize) -> Result<Picture> {
        let bytes = self.side as usize * self.side as usize * 3;
        let rgb = self.map.get(index * bytes..(index + 1) * bytes).ok_or_else(|| out_of_range(index, self.len()))?;
        Picture::new(self.side, self.side, rgb.to_vec())
    }

    fn describe(&self) -> String {
        format!("{} squares of {} pixels out of {}", self.len(), self.side, self.source.describe())
    }

    fn fingerprint(&self) -> String {
        format!("squares/{}/{}", self.side, self.source.fingerprint())
    }

    fn spec(&self) -> SourceSpec {
        SourceSpec::Resized { of: Box::new(self.source.spec()), run: self.run.dir.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::augment::{AugmentOptions, augment};
    use super::super::scenes::{SceneOptions, splits};
    use super::*;

    #[test]
    fn whole_pictures_at_that_size_are_the_same_bytes() {
        let options = SceneOptions { train: 5, val: 1, test: 1, test_shifted: 1, size: 50, ..SceneOptions::default() };
        let data = splits(&options).unwrap().remove(0).1;
        let folder = tempfile::tempdir().unwrap();
        let store = RunStore::new(folder.path());
        let squares = ResizedCache::make(&store, data.source.clone(), 32).unwrap();
        let recipe = AugmentOptions { resized_crop_scale: (1.0, 1.0), randaugment: 2, ..AugmentOptions::default() };
        for i in 0..5 {
            let one = augment(&data.picture(i).unwrap(), 32, &recipe, 1, 2, 3).unwrap();
            assert_eq!(one, augment(&squares.picture(i).unwrap(), 32, &recipe, 1, 2, 3).unwrap());
        }
        assert!(squares.picture(5).is_err());
        assert_ne!(squares.fingerprint(), data.source.fingerprint());
        // A second time it is read, not made.
        assert_eq!(store.list().len(), 1);
        ResizedCache::make(&store, data.source.clone(), 32).unwrap();
        assert_eq!(store.list().len(), 1);
        assert!(ResizedCache::make(&store, data.source, 4).is_err());
    }
}
