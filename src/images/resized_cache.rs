//! `ResizedCache`: pictures decoded and resized to a square once, in one file of which squares are read.

use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;
use serde_json::json;

use super::dataset_spec::SourceSpec;
use super::picture::Picture;
use super::source::{PictureSource, out_of_range};
use crate::activity::interrupt;
use crate::activity::progress::Progress;
use crate::error::{Error, Result};
use crate::runs::{Run, RunStore, StoredFile};

/// Every picture of another source resized to one square, the aspect not kept.
///
/// A training on whole pictures of this size sees the same bytes as without the cache, since resizing to a square is its
/// first step. A training with random crops crops the squares.
///
/// There is one file per fingerprint of the source and side in a run store, made by whoever claims it first; other threads and
/// processes wait for it. All of them read it with `pread`, so the page cache of a machine holds it once for all.
pub struct ResizedCache {
    source: Arc<dyn PictureSource>,
    run: Run,
    squares: StoredFile,
    side: u32,
}

/// Pictures that are in memory at a time while the cache is made.
const AT_ONCE: usize = 256;
/// The name of the file in its run's folder.
const FILE: &str = "data.u8";
const SIDES: std::ops::RangeInclusive<u32> = 8..=4096;

impl ResizedCache {
    /// Opens the cache in the run store, or makes it: `side` × `side` × 3 bytes per picture on disk.
    ///
    /// Errors: a picture that cannot be read, named; Io; Interrupted (the squares made so far are kept, and the next
    /// call goes on behind them).
    pub fn make(store: &RunStore, source: Arc<dyn PictureSource>, side: u32) -> Result<Self> {
        if !SIDES.contains(&side) {
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
            let mut out = work.grow(FILE, source.len() as u64, json!({}))?;
            progress.set(out.rows());
            let left: Vec<usize> = (out.rows() as usize..source.len()).collect();
            let shape = [u64::from(side), u64::from(side), 3];
            for part in left.chunks(AT_ONCE) {
                let squares: Vec<Vec<u8>> = part.par_iter().map(|&i| made(i)).collect::<Result<_>>()?;
                squares.iter().try_for_each(|square| out.append(1, &shape, square))?;
            }
            out.finish()?;
            Ok(json!({ "rows": source.len(), "side": side }))
        })?;
        Self::of_run(source, run)
    }

    /// Opens the cache in the folder of a run.
    ///
    /// Errors: no finished run; Data for a file that is damaged or not of this source's length; Interrupted.
    pub fn open(source: Arc<dyn PictureSource>, run: &Path) -> Result<Self> {
        Self::of_run(source, Run::in_folder(run)?)
    }

    fn of_run(source: Arc<dyn PictureSource>, run: Run) -> Result<Self> {
        let (rows, side) = sizes(&run)?;
        let squares = run.open(FILE)?;
        if rows != source.len() as u64 {
            return Err(squares.bad(&format!("{rows} squares of a source of {} pictures", source.len())));
        }
        squares.check_length(rows * square(side))?;
        Ok(ResizedCache { source, run, squares, side })
    }

    /// Checks that a cache's file has the size of its squares. Errors: Io; Data.
    pub fn check(run: &Run) -> Result<()> {
        let (rows, side) = sizes(run)?;
        run.open(FILE)?.check_length(rows * square(side))
    }
}

/// The number and the side of a cache's squares.
fn sizes(run: &Run) -> Result<(u64, u32)> {
    run.spec()?;
    let summary = run.summary()?;
    let side = summary["side"].as_u64().and_then(|side| u32::try_from(side).ok()).filter(|side| SIDES.contains(side));
    match (summary["rows"].as_u64().filter(|&rows| rows < 1 << 32), side) {
        (Some(rows), Some(side)) => Ok((rows, side)),
        _ => Err(run.damaged("summary.json", "its rows and side are not those of squares")),
    }
}

/// Bytes of a square.
fn square(side: u32) -> u64 {
    u64::from(side) * u64::from(side) * 3
}

impl PictureSource for ResizedCache {
    fn len(&self) -> usize {
        self.source.len()
    }

    fn picture(&self, index: usize) -> Result<Picture> {
        if index >= self.len() {
            return Err(out_of_range(index, self.len()));
        }
        let bytes = square(self.side);
        let mut rgb = vec![0; bytes as usize];
        self.squares.read_at(&mut rgb, index as u64 * bytes)?;
        Picture::new(self.side, self.side, rgb)
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

    /// Scenes that count how often one is drawn.
    struct Counted {
        scenes: Arc<dyn PictureSource>,
        drawn: std::sync::atomic::AtomicUsize,
    }

    impl PictureSource for Counted {
        fn len(&self) -> usize {
            self.scenes.len()
        }

        fn picture(&self, index: usize) -> Result<Picture> {
            self.drawn.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            self.scenes.picture(index)
        }

        fn describe(&self) -> String {
            self.scenes.describe()
        }

        fn fingerprint(&self) -> String {
            self.scenes.fingerprint()
        }

        fn spec(&self) -> SourceSpec {
            self.scenes.spec()
        }
    }

    #[test]
    fn eight_that_begin_together_make_it_once() {
        let options = SceneOptions { train: 12, val: 1, test: 1, test_shifted: 1, size: 50, ..SceneOptions::default() };
        let scenes = splits(&options).unwrap().remove(0).1.source;
        let counted = Arc::new(Counted { scenes, drawn: 0.into() });
        let folder = tempfile::tempdir().unwrap();
        let squares: Vec<Vec<u8>> = std::thread::scope(|scope| {
            let open = || {
                let squares = ResizedCache::make(&RunStore::new(folder.path()), counted.clone(), 32).unwrap();
                (0..12).flat_map(|i| squares.picture(i).unwrap().rgb).collect()
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(squares.iter().all(|other| *other == squares[0]));
        assert_eq!(counted.drawn.load(std::sync::atomic::Ordering::Relaxed), 12);
        assert_eq!(RunStore::new(folder.path()).list().len(), 1);
    }
}
