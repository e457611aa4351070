//! Batches made ahead of the step by worker threads: the same ones for any number of workers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use rayon::prelude::*;

use super::Dataset;
use super::augment::{AugmentOptions, augment, center};
use crate::error::{Error, Result};
use crate::random;

/// One batch of pictures.
#[derive(Debug)]
pub struct Batch {
    /// Position of each picture in its data set.
    pub rows: Vec<u32>,
    /// Which view of it.
    pub views: Vec<u32>,
    /// B × H × W × 3 bytes.
    pub pixels: Vec<u8>,
}

/// An iterator of batches; at most `AHEAD` wait ready. Dropping it stops the workers.
pub struct Batches {
    ready: Option<Receiver<Result<Batch>>>,
    stop: Arc<AtomicBool>,
    maker: Option<JoinHandle<()>>,
}

const AHEAD: usize = 3;

impl Batches {
    /// Batches of `batch` pictures in `order`, a list of (image, view); the last may be smaller. No augmentation means
    /// the centre view.
    ///
    /// Errors: a batch of 0, an image that is not there. A picture that cannot be read becomes an item of the iterator.
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
                    let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(made)).unwrap_or_else(|_| {
                        Err(Error::internal("a picture decoder failed on one of the pictures of a batch"))
                    });
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
        // The maker may be waiting to hand over: without a receiver it stops waiting.
        self.ready = None;
        if let Some(maker) = self.maker.take() {
            let _ = maker.join();
        }
    }
}

/// The order of `n` images in an epoch (Fisher and Yates), from (seed, epoch) alone.
pub fn epoch_order(seed: u64, epoch: u64, n: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..n as u32).collect();
    random::shuffle(&mut order, &mut random::numbered("epoch", &[seed, epoch]));
    order
}

#[cfg(test)]
mod tests {
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
    fn an_epochs_order_is_a_permutation_that_its_key_gives() {
        let mut order = epoch_order(5, 2, 100);
        assert_eq!(order, epoch_order(5, 2, 100));
        assert_ne!(order, epoch_order(5, 3, 100));
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<u32>>());
    }

    #[test]
    fn a_dropped_iterator_stops_its_workers() {
        let order = (0..20).map(|i| (i, 0)).collect();
        let mut batches = Batches::new(dataset(), 24, None, order, 1, 0).unwrap();
        batches.next().unwrap().unwrap();
        drop(batches);
    }
}
