//! `OwnViews`: batches of views that a function of the caller's thread makes of whole pictures. Threads decode the pictures ahead.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;
use tch::{Kind, Tensor};

use super::batches::{Batch, check_order};
use super::dataset::Dataset;
use super::picture::Picture;
use crate::activity::read_ahead::ReadAhead;
use crate::error::{Error, Result};
use crate::random::{Generator, numbered};

/// Makes a view of a whole picture, u8 `[3, height, width]`, with the generator of its key (seed, view, image). The view has the same form and
/// any size.
pub type ViewFunction<'a> = &'a dyn Fn(Tensor, Generator) -> Result<Tensor>;

/// Whole pictures that are decoded together. They are large, so few of them wait.
const TOGETHER: usize = 16;
const MAKERS: usize = 2;

/// An iterator of batches. Any number of threads gives the same. Dropping it stops the threads.
pub struct OwnViews<'a> {
    decoded: ReadAhead<Vec<Picture>>,
    /// Of the last part, in reverse order.
    waiting: Vec<Picture>,
    /// (image, view) of the views that are to come.
    order: std::vec::IntoIter<(u32, u32)>,
    function: ViewFunction<'a>,
    size: u32,
    batch: usize,
    seed: u64,
}

impl<'a> OwnViews<'a> {
    /// Batches of `batch` views of `size` × `size` pixels in `order`, a list of (image, view); the last may be smaller. A view of another
    /// size is resized.
    ///
    /// Errors: a batch of 0, an unknown image. The error of a picture that cannot be read, or of the function, is an item of the iterator.
    pub fn new(
        dataset: Dataset,
        size: u32,
        function: ViewFunction<'a>,
        order: Vec<(u32, u32)>,
        batch: usize,
        seed: u64,
    ) -> Result<OwnViews<'a>> {
        check_order(&dataset, &order, batch)?;
        let images: Arc<Vec<u32>> = Arc::new(order.iter().map(|pair| pair.0).collect());
        let (dataset, stop) = (Arc::new(dataset), Arc::new(AtomicBool::new(false)));
        let parts = images.len().div_ceil(TOGETHER);
        let maker = |first: usize| {
            let (dataset, images, stop) = (dataset.clone(), images.clone(), stop.clone());
            let part = move |i: usize| {
                let part = images.chunks(TOGETHER).nth(i).unwrap_or_default();
                let decode = |&image: &u32| match stop.load(Ordering::Relaxed) {
                    true => Err(Error::interrupted()),
                    false => dataset.picture(image as usize),
                };
                let each: Vec<Result<Picture>> = part.par_iter().map(decode).collect();
                each.into_iter().collect::<Result<Vec<Picture>>>()
            };
            (first..parts).step_by(MAKERS).map(part)
        };
        let makers = (0..MAKERS.min(parts)).map(maker).collect();
        let decoded = ReadAhead::by(makers, 1, stop.clone())?;
        Ok(OwnViews { decoded, waiting: vec![], order: order.into_iter(), function, size, batch, seed })
    }

    /// The next picture in order. Errors: it cannot be read.
    fn picture(&mut self) -> Result<Picture> {
        if self.waiting.is_empty() {
            self.waiting = self.decoded.next().unwrap_or_else(|| Err(Error::internal("a picture has not come")))?;
            self.waiting.reverse();
        }
        self.waiting.pop().ok_or_else(|| Error::internal("a part of no pictures"))
    }

    fn made(&mut self, part: &[(u32, u32)]) -> Result<Batch> {
        let mut pixels = Vec::with_capacity(part.len() * self.size as usize * self.size as usize * 3);
        for &(image, view) in part {
            let whole = self.picture()?.to_tensor()?;
            let generator = numbered("view", &[self.seed, u64::from(view), u64::from(image)]);
            let made = Picture::of_tensor(&(self.function)(whole, generator)?)
                .map_err(|e| Error { message: format!("the view that the augmentation gave: {}", e.message), ..e })?;
            match (made.width, made.height) == (self.size, self.size) {
                true => pixels.extend(made.rgb),
                false => pixels.extend(made.resize(self.size, self.size)?.rgb),
            }
        }
        let (rows, views) = part.iter().copied().unzip();
        Ok(Batch { rows, views, pixels, size: self.size, operations: vec![] })
    }
}

impl Iterator for OwnViews<'_> {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        let part: Vec<(u32, u32)> = self.order.by_ref().take(self.batch).collect();
        (!part.is_empty()).then(|| self.made(&part))
    }
}

impl Picture {
    /// u8 `[3, height, width]` on the CPU.
    pub fn to_tensor(&self) -> Result<Tensor> {
        let size = [i64::from(self.height), i64::from(self.width), 3];
        Ok(Tensor::f_from_slice(&self.rgb)?.f_view(size)?.f_permute([2, 0, 1])?.f_contiguous()?)
    }

    /// The picture of a tensor u8 `[3, height, width]`, on any device.
    ///
    /// Errors: another type or shape, a side of 0.
    pub fn of_tensor(tensor: &Tensor) -> Result<Picture> {
        let (size, kind) = (tensor.size(), tensor.f_kind()?);
        let side = |at: usize| size.get(at).and_then(|n| u32::try_from(*n).ok()).filter(|n| *n > 0);
        let (Kind::Uint8, 3, Some(3), Some(height), Some(width)) = (kind, size.len(), side(0), side(1), side(2)) else {
            let kind = format!("{kind:?}").to_lowercase();
            return Err(Error::argument(format!(
                "a picture is a Tensor [3, height, width] of uint8; got {size:?} of {kind}"
            )));
        };
        let rows = crate::torch::read_back(tensor)?.f_detach()?.f_permute([1, 2, 0])?.f_contiguous()?.f_view([-1])?;
        Picture::new(width, height, Vec::<u8>::try_from(&rows)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::augment::{AugmentOptions, augment};
    use super::super::scenes::{SceneOptions, splits};
    use super::*;

    fn dataset() -> Dataset {
        let options = SceneOptions { train: 40, val: 1, test: 1, test_shifted: 1, size: 32, ..SceneOptions::default() };
        splits(&options).unwrap().remove(0).1
    }

    #[test]
    fn a_picture_comes_back_from_its_tensor() {
        let picture = Picture::new(5, 4, (0..60).map(|i| i as u8 * 4).collect()).unwrap();
        let tensor = picture.to_tensor().unwrap();
        assert_eq!(tensor.size(), [3, 4, 5]);
        assert_eq!(tensor.int64_value(&[2, 1, 3]), i64::from(picture.rgb[(5 + 3) * 3 + 2]));
        assert_eq!(Picture::of_tensor(&tensor).unwrap(), picture);
        for wrong in [tensor.to_kind(Kind::Float), tensor.permute([1, 2, 0]), tensor.narrow(1, 0, 0)] {
            let error = Picture::of_tensor(&wrong).unwrap_err();
            assert!(error.message.starts_with("a picture is a Tensor [3, height, width] of uint8; got ["), "{error}");
        }
    }

    #[test]
    fn the_generator_is_that_of_the_view_and_batches_come_in_order() {
        use super::super::augment::resized_crop;
        // The crop of the built-in augmentation by the same generator, without its other steps.
        let function = |picture: Tensor, mut generator: Generator| {
            let picture = Picture::of_tensor(&picture)?;
            resized_crop(&picture, 24, (0.6, 1.0), (3.0 / 4.0, 4.0 / 3.0), &mut generator)?.to_tensor()
        };
        let order: Vec<(u32, u32)> = (0..40).map(|i| ((i * 7) % 40, i % 3)).collect();
        let plain = AugmentOptions { flip: 0.0, cutout: 0.0, ..AugmentOptions::default() };
        let view = |&(image, view): &(u32, u32)| {
            augment(&dataset().picture(image as usize).unwrap(), 24, &plain, 7, view, image).unwrap()
        };
        let expected: Vec<u8> = order.iter().flat_map(view).collect();
        for batch in [1, 16, 17, 100] {
            let batches = OwnViews::new(dataset(), 24, &function, order.clone(), batch, 7).unwrap();
            let batches: Vec<Batch> = batches.map(Result::unwrap).collect();
            assert_eq!(batches.len(), 40_usize.div_ceil(batch));
            assert!(batches.iter().flat_map(|b| b.pixels.clone()).eq(expected.iter().copied()));
            let pairs = |b: &Batch| b.rows.iter().copied().zip(b.views.clone()).collect::<Vec<_>>();
            assert_eq!(batches.iter().flat_map(pairs).collect::<Vec<_>>(), order);
        }
    }

    #[test]
    fn a_view_of_another_size_is_resized_and_one_that_is_no_picture_is_an_error() {
        let whole = |picture: Tensor, _: Generator| Ok(picture);
        let batch = OwnViews::new(dataset(), 16, &whole, vec![(3, 0)], 1, 0).unwrap().next().unwrap().unwrap();
        assert_eq!(batch.pixels, dataset().picture(3).unwrap().resize(16, 16).unwrap().rgb);
        let float = |picture: Tensor, _: Generator| Ok(picture.f_to_kind(Kind::Float)?);
        let error = OwnViews::new(dataset(), 16, &float, vec![(3, 0)], 1, 0).unwrap().next().unwrap().unwrap_err();
        assert!(error.message.contains("the view that the augmentation gave: a picture is a Tensor"), "{error}");
        assert!(OwnViews::new(dataset(), 16, &whole, vec![(40, 0)], 1, 0).is_err());
    }
}
