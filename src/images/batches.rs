//! Batches of pictures, made ahead by worker threads. Any number of workers gives the same batches.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;
use tch::{Device, Tensor};

use super::augment::{AugmentOptions, augment, center, cropped};
use super::augment_tensors;
use super::dataset::Dataset;
use super::made_views::MadeViews;
use super::operation::Operation;
use crate::activity::read_ahead::ReadAhead;
use crate::error::{Error, Result};
use crate::torch::upload;

/// One batch of pictures.
#[derive(Debug)]
pub struct Batch {
    /// Position of each picture in its data set.
    pub rows: Vec<u32>,
    /// The number of its view.
    pub views: Vec<u32>,
    /// B × H × W × 3 bytes.
    pub pixels: Vec<u8>,
    /// H and W.
    pub size: u32,
    /// The steps of augmentation that `pixels` do not have yet, per picture; empty if there are none.
    pub operations: Vec<Vec<Operation>>,
}

impl Batch {
    /// The finished views as u8 `[B, H, W, 3]`: on `device` if steps are left, which are applied there, else on the CPU.
    pub fn tensor(&self, device: Device) -> Result<Tensor> {
        let side = i64::from(self.size);
        let pixels = Tensor::f_from_slice(&self.pixels)?.f_view([self.rows.len() as i64, side, side, 3])?;
        match self.operations.is_empty() {
            true => Ok(pixels),
            false => augment_tensors::apply(upload(&pixels, device)?, &self.operations),
        }
    }
}

/// An iterator of batches. Two are made at a time, so that no core waits for the last pictures of one, and as many are ready.
/// Dropping it stops the workers.
pub struct Batches(ReadAhead<Batch>);

const MAKERS: usize = 2;
/// Batches of each maker that are ready, beside the one that it has in hand.
const AHEAD: usize = 1;

/// What decides the pixels of a batch, but its (image, view) pairs.
struct Recipe {
    dataset: Dataset,
    size: u32,
    augmentation: Option<AugmentOptions>,
    seed: u64,
    /// Whether the steps after the crop are left to [`Batch::tensor`].
    crop_only: bool,
    /// Views that are made already, and where those are kept that are made now. None where steps are left.
    kept: Option<Arc<MadeViews>>,
}

impl Batches {
    /// Batches of `batch` pictures in `order`, a list of (image, view), for a model on `device`; the last may be smaller. Without
    /// augmentation every view is the whole picture, resized.
    ///
    /// Errors: a batch of 0, an unknown image. The error of a picture that cannot be read is an item of the iterator, the last one.
    pub fn new(
        dataset: Dataset,
        size: u32,
        augmentation: Option<AugmentOptions>,
        order: Vec<(u32, u32)>,
        batch: usize,
        seed: u64,
        device: Device,
    ) -> Result<Batches> {
        Batches::sharing(dataset, size, augmentation, order, batch, seed, device, None)
    }

    /// The same, where `kept` are the views of this data set that are made already. For a model on a GPU they are not looked at: what is
    /// made for it is not finished.
    #[allow(clippy::too_many_arguments)] // what decides the pixels, which of them, and where some are
    pub fn sharing(
        dataset: Dataset,
        size: u32,
        augmentation: Option<AugmentOptions>,
        order: Vec<(u32, u32)>,
        batch: usize,
        seed: u64,
        device: Device,
        kept: Option<Arc<MadeViews>>,
    ) -> Result<Batches> {
        check_order(&dataset, &order, batch)?;
        let crop_only = augment_tensors::are_applied_on(device);
        let kept = kept.filter(|_| !crop_only);
        let recipe = Arc::new(Recipe { dataset, size, augmentation, seed, crop_only, kept });
        let (order, stop) = (Arc::new(order), Arc::new(AtomicBool::new(false)));
        let batches = order.len().div_ceil(batch);
        let maker = |first: usize| {
            let (recipe, order, stop) = (recipe.clone(), order.clone(), stop.clone());
            let part = move |i: usize| made(&recipe, order.chunks(batch).nth(i).unwrap_or_default(), &stop);
            (first..batches).step_by(MAKERS).map(part)
        };
        let makers = (0..MAKERS.min(batches)).map(maker).collect();
        Ok(Batches(ReadAhead::by(makers, AHEAD, stop.clone())?))
    }
}

/// Errors: a batch of 0, an unknown image.
pub(super) fn check_order(dataset: &Dataset, order: &[(u32, u32)], batch: usize) -> Result<()> {
    if batch == 0 {
        return Err(Error::argument("a batch needs at least one picture; got 0"));
    }
    match order.iter().find(|(image, _)| *image as usize >= dataset.len()) {
        Some((bad, _)) => {
            let (split, n) = (&dataset.split, dataset.len());
            Err(Error::argument(format!("picture {bad} is not there: {split} has {n}")))
        }
        None => Ok(()),
    }
}

/// The batch of these (image, view) pairs. Errors: that of the first picture that has one; Interrupted once `stop` is set.
fn made(recipe: &Recipe, part: &[(u32, u32)], stop: &AtomicBool) -> Result<Batch> {
    let Recipe { dataset, size, augmentation, seed, crop_only, kept } = recipe;
    let bytes = *size as usize * *size as usize * 3;
    let view = |into: &mut [u8], (image, view): (u32, u32)| -> Result<Vec<Operation>> {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::interrupted());
        }
        if let Some(pixels) = kept.as_ref().and_then(|kept| kept.get((image, view))) {
            into.copy_from_slice(pixels);
            return Ok(vec![]);
        }
        let picture = dataset.picture(image as usize)?;
        let (pixels, operations) = match augmentation {
            Some(options) if *crop_only => cropped(&picture, *size, options, *seed, view, image)?,
            Some(options) => (augment(&picture, *size, options, *seed, view, image)?, vec![]),
            None => (center(&picture, *size)?, vec![]),
        };
        into.copy_from_slice(&pixels);
        if let Some(kept) = kept {
            kept.keep((image, view), &pixels);
        }
        Ok(operations)
    };
    let mut pixels = vec![0; part.len() * bytes];
    let each: Vec<Result<Vec<Operation>>> =
        pixels.par_chunks_mut(bytes).zip(part).map(|(into, &pair)| view(into, pair)).collect();
    let mut operations = each.into_iter().collect::<Result<Vec<_>>>()?;
    if operations.iter().all(Vec::is_empty) {
        operations.clear();
    }
    let (rows, views) = part.iter().copied().unzip();
    Ok(Batch { rows, views, pixels, size: *size, operations })
}

impl Iterator for Batches {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use super::super::augment::Policy;
    use super::super::dataset::epoch_order;
    use super::super::dataset_spec::SourceSpec;
    use super::super::picture::Picture;
    use super::super::scenes::{SceneOptions, splits};
    use super::super::source::PictureSource;
    use super::*;

    fn dataset() -> Dataset {
        let options = SceneOptions { train: 20, val: 1, test: 1, test_shifted: 1, size: 32, ..SceneOptions::default() };
        splits(&options).unwrap().remove(0).1
    }

    fn recipe(augmentation: AugmentOptions, crop_only: bool) -> Recipe {
        Recipe { dataset: dataset(), size: 24, augmentation: Some(augmentation), seed: 0, crop_only, kept: None }
    }

    fn order() -> Vec<(u32, u32)> {
        epoch_order(1, 0, 20).into_iter().map(|i| (i, i % 3)).collect()
    }

    #[test]
    fn any_number_of_threads_and_of_batches_gives_the_same_pictures() {
        let all = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let recipe = recipe(AugmentOptions::default(), false);
            pool.install(|| made(&recipe, &order(), &AtomicBool::new(false)).unwrap().pixels)
        };
        let one = all(1);
        assert_eq!(one.len(), 20 * 24 * 24 * 3);
        assert_eq!(one, all(3));
        for size in [1, 3, 7, 20, 50] {
            let options = Some(AugmentOptions::default());
            let batches = Batches::new(dataset(), 24, options, order(), size, 0, Device::Cpu).unwrap();
            let batches: Vec<Batch> = batches.map(Result::unwrap).collect();
            assert_eq!(batches.len(), 20_usize.div_ceil(size));
            let pairs = |batch: &Batch| batch.rows.iter().copied().zip(batch.views.clone()).collect::<Vec<_>>();
            assert_eq!(batches.iter().flat_map(pairs).collect::<Vec<_>>(), order());
            assert_eq!(batches.iter().flat_map(|batch| batch.pixels.clone()).collect::<Vec<u8>>(), one);
        }
    }

    #[test]
    fn steps_that_are_left_to_the_tensor_give_the_same_pictures() {
        for policy in [Policy::Torchvision, Policy::Uda] {
            let options = AugmentOptions {
                color_jitter: 0.3,
                randaugment: 3,
                randaugment_policy: policy,
                ..AugmentOptions::default()
            };
            let (whole, left) = (recipe(options.clone(), false), recipe(options, true));
            let batch = |recipe: &Recipe| made(recipe, &order(), &AtomicBool::new(false)).unwrap();
            let (whole, left) = (batch(&whole), batch(&left));
            assert!(whole.operations.is_empty() && left.operations.iter().all(|steps| steps.len() == 7));
            assert_ne!(whole.pixels, left.pixels);
            let (expected, came) = (whole.tensor(Device::Cpu).unwrap(), left.tensor(Device::Cpu).unwrap());
            assert_eq!(came.size(), [20, 24, 24, 3]);
            let worst = (expected.to_kind(tch::Kind::Int) - came.to_kind(tch::Kind::Int)).abs().max();
            assert_eq!(i64::try_from(worst).unwrap(), 0);
        }
    }

    /// Pictures that are counted when they are read, and of which some cannot be.
    struct Counted {
        pictures: usize,
        bad: Vec<usize>,
        read: Arc<AtomicUsize>,
    }

    impl PictureSource for Counted {
        fn len(&self) -> usize {
            self.pictures
        }

        fn picture(&self, index: usize) -> Result<Picture> {
            self.read.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(1));
            match self.bad.contains(&index) {
                true => Err(Error::data(format!("picture {index} is bad"))),
                false => Picture::new(4, 4, vec![index as u8; 48]),
            }
        }

        fn describe(&self) -> String {
            "counted".into()
        }

        fn fingerprint(&self) -> String {
            "counted".into()
        }

        fn spec(&self) -> SourceSpec {
            SourceSpec::Files { root: "".into(), paths: vec![] }
        }
    }

    fn counted_dataset(pictures: usize, bad: &[usize]) -> (Dataset, Arc<AtomicUsize>) {
        let read = Arc::new(AtomicUsize::new(0));
        let source = Counted { pictures, bad: bad.to_vec(), read: read.clone() };
        (Dataset { source: Arc::new(source), ..dataset() }, read)
    }

    /// Batches of the pictures, and how many of these were read.
    fn counted(pictures: usize, bad: &[usize], size: usize) -> (Batches, Arc<AtomicUsize>) {
        let (dataset, read) = counted_dataset(pictures, bad);
        let order = (0..pictures as u32).map(|i| (i, 0)).collect();
        (Batches::new(dataset, 4, None, order, size, 0, Device::Cpu).unwrap(), read)
    }

    #[test]
    fn views_that_are_kept_are_made_once_and_are_the_same() {
        let (dataset, read) = counted_dataset(12, &[]);
        let order: Vec<(u32, u32)> = (0..24).map(|i| (i * 5 % 12, i / 12)).collect();
        let all = |options: &AugmentOptions, seed, kept: Option<Arc<MadeViews>>| -> Vec<u8> {
            let batches =
                Batches::sharing(dataset.clone(), 4, Some(options.clone()), order.clone(), 5, seed, Device::Cpu, kept);
            batches.unwrap().flat_map(|batch| batch.unwrap().pixels).collect()
        };
        let options = AugmentOptions { color_jitter: 0.4, ..AugmentOptions::default() };
        let set = |options: &AugmentOptions, seed, views| MadeViews::of(&dataset, 4, Some(options), seed, views);
        let alone = all(&options, 1, None);
        assert_eq!(read.swap(0, Ordering::Relaxed), 24);
        assert_eq!(all(&options, 1, set(&options, 1, 2)), alone);
        assert_eq!(read.swap(0, Ordering::Relaxed), 24);
        assert_eq!(all(&options, 1, set(&options, 1, 2)), alone);
        assert_eq!(read.swap(0, Ordering::Relaxed), 0);
        // Another seed and other options have views of their own.
        assert_eq!(all(&options, 2, set(&options, 2, 2)), all(&options, 2, None));
        let other = AugmentOptions { color_jitter: 0.1, ..AugmentOptions::default() };
        assert_eq!(all(&other, 1, set(&other, 1, 2)), all(&other, 1, None));
        assert_eq!(read.swap(0, Ordering::Relaxed), 96);
        // What would take too much room is not kept.
        assert!(MadeViews::of(&dataset, 4096, Some(&options), 1, 2).is_none() && set(&options, 1, 0).is_none());
        // Sets that nobody uses make room for others.
        let large = |side| MadeViews::of(&dataset, side, None, 0, 1);
        let first = large(3000).map(|set| Arc::downgrade(&set));
        if let Some(first) = first {
            let second = large(3001);
            assert!(first.upgrade().is_none());
            assert!(second.is_none() || large(3000).is_none());
        }
    }

    #[test]
    fn the_first_bad_picture_is_the_error_and_nothing_follows_it() {
        let (mut batches, _) = counted(20, &[9, 10, 13], 4);
        assert_eq!(batches.next().unwrap().unwrap().rows, [0, 1, 2, 3]);
        assert_eq!(batches.next().unwrap().unwrap().rows, [4, 5, 6, 7]);
        assert_eq!(batches.next().unwrap().unwrap_err().message, "picture 9 is bad");
        assert!(batches.next().is_none() && batches.next().is_none());
        assert!(counted(20, &[], 7).0.all(|batch| batch.is_ok()));
        assert!(counted(0, &[], 7).0.next().is_none());
    }

    #[test]
    fn a_dropped_iterator_stops_its_workers() {
        let (mut batches, read) = counted(1000, &[], 1);
        batches.next().unwrap().unwrap();
        drop(batches);
        // Those that came, were ready, or were in the making.
        assert!(read.load(Ordering::Relaxed) <= 1 + MAKERS * (AHEAD + 2), "{read:?}");
        // A large batch ends with the pictures in hand.
        let (batches, read) = counted(20_000, &[], 10_000);
        drop(batches);
        assert!(read.load(Ordering::Relaxed) < 20_000, "{read:?}");
    }
}
