//! Batches of pictures, made ahead by worker threads. Any number of workers gives the same batches.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use rayon::prelude::*;

use super::augment::{AugmentOptions, augment, center};
use super::dataset::Dataset;
use crate::activity::panics;
use crate::error::{Error, Result};

/// One batch of pictures.
#[derive(Debug)]
pub struct Batch {
    /// Position of each picture in its data set.
    pub rows: Vec<u32>,
    /// The number of its view.
    pub views: Vec<u32>,
    /// B × H × W × 3 bytes.
    pub pixels: Vec<u8>,
}

/// An iterator of batches, of which at most `AHEAD` are ready. Dropping it stops the workers.
pub struct Batches {
    ready: Option<Receiver<Result<Batch>>>,
    stop: Arc<AtomicBool>,
    maker: Option<JoinHandle<()>>,
}

const AHEAD: usize = 3;

impl Batches {
    /// Batches of `batch` pictures in `order`, a list of (image, view); the last may be smaller. Without augmentation
    /// every view is the whole picture, resized.
    ///
    /// Errors: a batch of 0, an unknown image. The error of a picture that cannot be read is an item of the iterator.
    pub fn new(
        dataset: Dataset,
        size: u32,
        augmentation: Option<AugmentOptions>,
        order: Vec<(u32, u32)>,
        batch: usize,
        seed: u64,
    ) -> Result<Batches> {
        if batch == 0 {
            return Err(Error::argument("a batch needs at least one picture; got 0"));
        }
        if let Some((bad, _)) = order.iter().find(|(image, _)| *image as usize >= dataset.len()) {
            return Err(Error::argument(format!(
                "picture {bad} is not there: {} has {}",
                dataset.split,
                dataset.len()
            )));
        }
        let (send, ready) = sync_channel(AHEAD);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let maker = std::thread::Builder::new()
            .name("batches".into())
            .spawn(move || {
                for part in order.chunks(batch) {
                    if stopped.load(Ordering::Relaxed) {
                        return;
                    }
                    let made = || make(&dataset, size, augmentation.as_ref(), part, seed);
                    // A decoder that panics on an odd file must not look like the end of the epoch.
                    let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(made))
                        .unwrap_or_else(|panic| Err(panics::fault(&*panic)));
                    let failed = made.is_err();
                    if send.send(made).is_err() || failed {
                        return;
                    }
                }
            })
            .map_err(|e| Error::internal(format!("a thread cannot be started: {e}")))?;
        Ok(Batches { ready: Some(ready), stop, maker: Some(maker) })
    }
}

fn make(
    dataset: &Dataset,
    size: u32,
    augmentation: Option<&AugmentOptions>,
    part: &[(u32, u32)],
    seed: u64,
) -> Result<Batch> {
    let bytes = size as usize * size as usize * 3;
    let mut pixels = vec![0; part.len() * bytes];
    pixels.par_chunks_mut(bytes).zip(part).try_for_each(|(into, &(image, view))| -> Result<()> {
        let picture = dataset.picture(image as usize)?;
        let made = match augmentation {
            Some(options) => augment(&picture, size, options, seed, view, image)?,
            None => center(&picture, size)?,
        };
        into.copy_from_slice(&made);
        Ok(())
    })?;
    Ok(Batch { rows: part.iter().map(|p| p.0).collect(), views: part.iter().map(|p| p.1).collect(), pixels })
}

impl Iterator for Batches {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.ready.as_ref()?.recv().ok()
    }
}

impl Drop for Batches {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // The thread may wait to send; without a receiver, sending fails.
        self.ready = None;
        if let Some(maker) = self.maker.take() {
            let _ = maker.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dataset::epoch_order;
    use super::super::scenes::{SceneOptions, splits};
    use super::*;

    fn dataset() -> Dataset {
        let options = SceneOptions { train: 20, val: 1, test: 1, test_shifted: 1, size: 32, ..SceneOptions::default() };
        splits(&options).unwrap().remove(0).1
    }

    fn all(threads: usize) -> Vec<u8> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let order: Vec<(u32, u32)> = epoch_order(1, 0, 20).into_iter().map(|i| (i, i % 3)).collect();
            make(&dataset(), 24, Some(&AugmentOptions::default()), &order, 0).unwrap().pixels
        })
    }

    #[test]
    fn any_number_of_threads_gives_the_same_batches() {
        let one = all(1);
        assert_eq!(one.len(), 20 * 24 * 24 * 3);
        assert_eq!(one, all(3));
    }

    #[test]
    fn a_dropped_iterator_stops_its_workers() {
        let order = (0..20).map(|i| (i, 0)).collect();
        let mut batches = Batches::new(dataset(), 24, None, order, 1, 0).unwrap();
        batches.next().unwrap().unwrap();
        drop(batches);
    }
}
