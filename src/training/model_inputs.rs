//! Batches of inputs for a model: from pictures, or from the kept features of a frozen backbone.

use std::ops::Range;
use std::sync::Arc;

use tch::{Device, Kind, Tensor};

use super::cost;
use super::frozen_features::frozen_features;
use super::part::Part;
use super::peers::Peers;
use super::stored_rows::{StoredRows, f32_on};
use super::views::Views;
use crate::activity::read_ahead::ReadAhead;
use crate::error::{ErrorKind, Result};
use crate::images::{self, Batches, Dataset, MadeViews, OwnViews};
use crate::models::heads::{Answer, Truth};
use crate::models::{Model, Pass, StageMaps};
use crate::runs::RunStore;
use crate::torch::upload;

/// The input of one step.
pub struct Batch {
    pub images: Vec<i64>,
    /// Position of each (image, view) among the rows of a fixed set of views.
    pub rows: Vec<i64>,
    /// Normalised pictures or frozen features.
    pub x: Tensor,
    /// [`positions`](Self::positions), if they were uploaded already.
    uploaded: Option<Tensor>,
}

impl Batch {
    /// `images` and `rows` on the device, each `[n]`: one upload for both, here or when the batch was made.
    pub fn positions(&self, device: Device) -> Result<[Tensor; 2]> {
        let both = match &self.uploaded {
            Some(both) => both.shallow_clone(),
            None => uploaded(&self.images, &self.rows, device)?,
        };
        Ok([both.f_select(0, 0)?, both.f_select(0, 1)?])
    }
}

/// `[2, n]`: images and rows.
fn uploaded(images: &[i64], rows: &[i64], device: Device) -> Result<Tensor> {
    upload(&Tensor::f_from_slice(&[images, rows].concat())?.f_view([2, images.len() as i64])?, device)
}

/// Batches of kept features that are read while a GPU works on one. On a CPU the steps take all cores anyway.
const AHEAD: usize = 2;
/// The part of a GPU's free memory that kept features may take; the rest is for the training.
const SHARE_OF_FREE: f64 = 0.5;

/// The inputs of one data set for one model.
pub enum ModelInputs<'f> {
    /// Features of the frozen stages, for a fixed set of views. `rows` are those of all images of `part.whole`; `kept` are those of the part
    /// on the model's device, if they are there, in the order of [`Views::all`].
    Frozen { rows: StoredRows, kept: Option<Tensor>, part: Part, views: Views<'f> },
    /// Pictures, decoded and augmented ahead of the step, or `made` before.
    Pictures { dataset: Dataset, views: Views<'f>, made: Option<Arc<MadeViews>> },
}

impl<'f> ModelInputs<'f> {
    /// Prepares the inputs. Frozen features that the model needs and the store does not have are computed.
    pub fn new(store: &RunStore, model: &Model, dataset: &Dataset, views: Views<'f>) -> Result<Self> {
        Self::of_part(store, model, dataset, views, || Ok(Part::all(dataset.clone())))
    }

    /// The same, where frozen features are those of a larger data set, of which the images are a part.
    pub fn of_part(
        store: &RunStore,
        model: &Model,
        dataset: &Dataset,
        views: Views<'f>,
        part: impl FnOnce() -> Result<Part>,
    ) -> Result<Self> {
        if model.spec.fixed_stages() > 0 && views.count > 0 {
            let part = part()?;
            let rows = frozen_features(store, model, &part.whole, &views)?;
            return Ok(ModelInputs::Frozen { rows, kept: None, part, views });
        }
        Ok(ModelInputs::Pictures { dataset: dataset.clone(), views, made: None })
    }

    /// Shares finished views of pictures with all in this process that see the same ones, as epochs of a training and other trainings
    /// do, where there is room for them. For passes that others repeat. As few pictures as a plan times are made each time, since it times
    /// what makes them.
    pub fn sharing(mut self, model: &Model) -> Self {
        if let ModelInputs::Pictures { dataset, views, made } = &mut self
            && model.device == Device::Cpu
            && views.count > 0
            && dataset.len() > cost::MANY
        {
            let side = model.image_size() as u32;
            *made = MadeViews::of(dataset, side, views.augment.as_ref(), views.seed, views.count);
        }
        self
    }

    /// Keeps frozen features on the device, if they take no more than half of its `free` bytes: those who pass over them many times
    /// read them once then. `free` is that of [`cuda::free_memory`](crate::cuda::free_memory); None keeps nothing.
    ///
    /// Errors: those of reading rows, Interrupted. That they do not fit after all is none.
    pub fn keep(mut self, device: Device, free: Option<u64>) -> Result<Self> {
        let bytes = self.bytes();
        if let (ModelInputs::Frozen { rows, kept, part, views }, Some(free)) = (&mut self, free)
            && bytes as f64 <= free as f64 * SHARE_OF_FREE
        {
            let which = views.all(part.len()).into_iter().map(|(image, view)| part.row(image, view));
            *kept = match rows.those_on(&which.collect::<Vec<_>>(), device) {
                Ok(all) => Some(all),
                Err(error) if error.kind == ErrorKind::Memory => None,
                Err(error) => return Err(error),
            };
        }
        Ok(self)
    }

    /// Bytes of the features that are kept on the device.
    pub fn kept_bytes(&self) -> u64 {
        match self {
            ModelInputs::Frozen { kept: Some(_), .. } => self.bytes(),
            _ => 0,
        }
    }

    /// Bytes of the features of these images.
    fn bytes(&self) -> u64 {
        match self {
            ModelInputs::Frozen { rows, part, views, .. } => rows.bytes_of(part.len() as u64 * u64::from(views.count)),
            ModelInputs::Pictures { .. } => 0,
        }
    }

    /// Number of pictures.
    pub fn num_pictures(&self) -> usize {
        match self {
            ModelInputs::Frozen { part, .. } => part.len(),
            ModelInputs::Pictures { dataset, .. } => dataset.len(),
        }
    }

    /// The batches of one epoch whose images are `order`: those of `steps`, and of each this process's part. The last batch of the epoch may
    /// be smaller. With `partner`, the image before the part's first one, which is the batch's last one where that is first, comes in
    /// front of each.
    #[allow(clippy::too_many_arguments)] // which images, in what batches, for whom
    pub fn epoch<'a>(
        &'a self,
        model: &'a Model,
        epoch: u64,
        order: &[u32],
        steps: Range<u64>,
        batch: usize,
        peers: &Peers,
        partner: bool,
    ) -> Result<Box<dyn Iterator<Item = Result<Batch>> + 'a>> {
        let views = self.views().clone();
        let mut times = vec![0_u32; self.num_pictures()];
        let view = |image: &u32| {
            let again = times.get_mut(*image as usize).map_or(0, |times| std::mem::replace(times, *times + 1));
            (*image, views.of(epoch, *image, again))
        };
        let order: Vec<(u32, u32)> = order.iter().map(view).collect();
        let at = |step: u64| (step as usize * batch).min(order.len());
        let order = &order[at(steps.start)..at(steps.end)];
        // Smaller batches have no larger parts, so the parts are cut where they were put together.
        let own = order.chunks(batch).flat_map(|whole| {
            let part = peers.part(whole.len());
            let before = whole[(part.start + whole.len() - 1) % whole.len()];
            partner.then_some(before).into_iter().chain(whole[part].iter().copied())
        });
        self.batches(model, own.collect(), peers.part(batch).len() + usize::from(partner))
    }

    /// Every (image, view) once, in the order of [`StoredRows`].
    pub fn all<'a>(&'a self, model: &'a Model, batch: usize) -> Result<Box<dyn Iterator<Item = Result<Batch>> + 'a>> {
        self.all_from(0, model, batch)
    }

    /// As [`all`](Self::all), without the first `row` rows: a multiple of `batch`.
    pub fn all_from<'a>(
        &'a self,
        row: usize,
        model: &'a Model,
        batch: usize,
    ) -> Result<Box<dyn Iterator<Item = Result<Batch>> + 'a>> {
        let mut all = self.views().all(self.num_pictures());
        all.drain(..row.min(all.len()));
        self.batches(model, all, batch)
    }

    fn views(&self) -> &Views<'f> {
        match self {
            ModelInputs::Frozen { views, .. } | ModelInputs::Pictures { views, .. } => views,
        }
    }

    fn batches<'a>(
        &'a self,
        model: &'a Model,
        order: Vec<(u32, u32)>,
        batch: usize,
    ) -> Result<Box<dyn Iterator<Item = Result<Batch>> + 'a>> {
        let n = self.num_pictures() as i64;
        match self {
            ModelInputs::Frozen { rows, kept, part: place, .. } => {
                let device = model.device;
                let starts: Vec<usize> = (0..order.len()).step_by(batch).collect();
                let row = move |&(image, view): &(u32, u32)| i64::from(view) * n + i64::from(image);
                let parts =
                    starts.into_iter().map(move |start| order[start..(start + batch).min(order.len())].to_vec());
                let numbers = move |part: &[(u32, u32)]| -> (Vec<i64>, Vec<i64>) {
                    (part.iter().map(|p| i64::from(p.0)).collect(), part.iter().map(row).collect())
                };
                if let Some(kept) = kept {
                    return Ok(Box::new(parts.map(move |part| {
                        let (images, which) = numbers(&part);
                        let both = uploaded(&images, &which, device)?;
                        let x = kept.f_index_select(0, &both.f_select(0, 1)?)?.f_to_kind(Kind::Float)?;
                        Ok(Batch { images, rows: which, x: rows.maps(&x)?, uploaded: Some(both) })
                    })));
                }
                let (file, place) = (rows.clone(), place.clone());
                let read = parts.map(move |part| {
                    let stored: Vec<i64> = part.iter().map(|&(image, view)| place.row(image, view)).collect();
                    let taken = file.take_for(&stored, device)?;
                    let (images, which) = numbers(&part);
                    Ok((images, which, taken))
                });
                let read: Box<dyn Iterator<Item = Result<(Vec<i64>, Vec<i64>, Tensor)>>> = match device.is_cuda() {
                    true => Box::new(ReadAhead::new(AHEAD, read)?),
                    false => Box::new(read),
                };
                Ok(Box::new(read.map(move |part| {
                    let (images, which, taken) = part?;
                    Ok(Batch { images, rows: which, x: rows.maps(&f32_on(&taken, device)?)?, uploaded: None })
                })))
            }
            ModelInputs::Pictures { dataset, views, made } => {
                let side = model.image_size();
                let batches = pictures(dataset, views, side as u32, order, batch, model.device, made.clone())?;
                Ok(Box::new(batches.map(move |batch| {
                    let batch = batch?;
                    let rows =
                        batch.rows.iter().zip(&batch.views).map(|(&i, &v)| i64::from(v) * n + i64::from(i)).collect();
                    Ok(Batch {
                        images: batch.rows.iter().map(|&i| i64::from(i)).collect(),
                        rows,
                        x: model.normalise(&batch.tensor(model.device)?)?,
                        uploaded: None,
                    })
                })))
            }
        }
    }

    /// The model's answer to a batch of these inputs; `truth` is that of a training step.
    pub fn answer(&self, model: &Model, x: &Tensor, pass: Pass, truth: Option<Truth>) -> Result<Answer> {
        self.answer_seen(model, x, pass, truth, None)
    }

    /// The same; `maps` receives the model's feature maps, where it reads pictures.
    pub fn answer_seen(
        &self,
        model: &Model,
        x: &Tensor,
        pass: Pass,
        truth: Option<Truth>,
        maps: Option<&mut StageMaps>,
    ) -> Result<Answer> {
        match self {
            ModelInputs::Frozen { .. } => model.answer(x, pass, truth),
            ModelInputs::Pictures { .. } => model.answer_to_images(x, pass, truth, maps),
        }
    }

    /// Logits `[n, m]` of a batch of these inputs.
    pub fn logits(&self, model: &Model, x: &Tensor, pass: Pass) -> Result<Tensor> {
        Ok(self.answer(model, x, pass, None)?.logits)
    }
}

/// Batches of these (image, view) pairs, made ahead, or taken from those that are `made`; by the caller's thread where the views are a
/// closure's.
pub(super) fn pictures<'a>(
    dataset: &Dataset,
    views: &Views<'a>,
    side: u32,
    order: Vec<(u32, u32)>,
    batch: usize,
    device: Device,
    made: Option<Arc<MadeViews>>,
) -> Result<Box<dyn Iterator<Item = Result<images::Batch>> + 'a>> {
    let dataset = dataset.clone();
    Ok(match views.own()? {
        Some(function) => Box::new(OwnViews::new(dataset, side, function, order, batch, views.seed)?),
        None => {
            let Views { augment, seed, .. } = views;
            Box::new(Batches::sharing(dataset, side, augment.clone(), order, batch, *seed, device, made)?)
        }
    })
}

/// The number of batches of an epoch, at least one: of whole ones if `drop_last`, else of all.
pub fn steps_per_epoch(images: usize, batch: usize, drop_last: bool) -> u64 {
    let batches = if drop_last { images / batch } else { images.div_ceil(batch) };
    (batches as u64).max(1)
}

/// The number of images in the last batch of an epoch.
pub fn last_batch(images: usize, batch: usize, drop_last: bool) -> usize {
    match images % batch {
        0 => batch.min(images),
        _ if drop_last && images > batch => batch,
        rest => rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::epoch_order;
    use crate::images::scenes::{SceneOptions, splits};
    use crate::models::ModelSpec;
    use crate::torch::transfers;

    /// The device of this machine; on a GPU rows are read ahead.
    #[test]
    fn kept_features_are_those_that_are_read() {
        let device = crate::devices::first();
        let options = SceneOptions { train: 10, val: 1, test: 1, test_shifted: 1, size: 32, ..SceneOptions::default() };
        let (_, train) = splits(&options).unwrap().remove(0);
        let spec = ModelSpec { image_size: Some(32), stages: Some(2), freeze: 1, ..ModelSpec::default() };
        let labels = train.labels.labels()[..2].to_vec();
        let model = Model::new(&spec.resolved().unwrap(), &labels, 1, device).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let store = RunStore::new(folder.path());
        let views = Views { count: 2, augment: Some(Default::default()), seed: 1, tf32: true, function: None };
        let inputs =
            |free| ModelInputs::new(&store, &model, &train, views.clone()).unwrap().keep(device, free).unwrap();
        let is_kept = |inputs: &ModelInputs| matches!(inputs, ModelInputs::Frozen { kept: Some(_), .. });
        let read = inputs(None);
        let ModelInputs::Frozen { rows: all, .. } = &read else { panic!("nothing is frozen") };
        let (all, bytes) = (all.clone(), all.bytes());
        let kept = inputs(Some(2 * bytes));
        assert!(is_kept(&kept) && !is_kept(&read) && !is_kept(&inputs(Some(2 * bytes - 1))));
        assert_eq!([kept.kept_bytes(), read.kept_bytes()], [bytes, 0]);
        for epoch in 0..2 {
            let batches = |inputs: &ModelInputs| -> Vec<(Vec<i64>, Vec<i64>, Tensor, [Tensor; 2])> {
                let batches = inputs
                    .epoch(&model, epoch, &epoch_order(7, epoch, 10), 1..4, 3, &Peers::alone(), false)
                    .unwrap()
                    .map(Result::unwrap);
                batches
                    .map(|b| (b.images.clone(), b.rows.clone(), b.x.shallow_clone(), b.positions(device).unwrap()))
                    .collect()
            };
            let before = transfers().uploads;
            let of_read = batches(&read);
            let between = transfers().uploads;
            let of_kept = batches(&kept);
            // Features and positions, or positions alone.
            assert_eq!((between - before, transfers().uploads - between), (6, 3));
            assert_eq!(of_read.iter().map(|b| b.0.len()).collect::<Vec<_>>(), [3, 3, 1]);
            for (a, b) in of_read.iter().zip(&of_kept) {
                assert!(a.0 == b.0 && a.1 == b.1 && a.2.equal(&b.2) && a.2.stride() == b.2.stride());
                for of in [a, b] {
                    assert!(of.3[0].to_device(Device::Cpu).equal(&Tensor::from_slice(&of.0)));
                    assert!(of.3[1].to_device(Device::Cpu).equal(&Tensor::from_slice(&of.1)));
                }
            }
        }

        // Those of some images are rows of all, and computed by nobody.
        let positions = [7, 2, 5, 9];
        let some = train.take(positions.to_vec()).unwrap();
        let part = || Ok(Part::new(train.clone(), positions.to_vec()));
        let of_part = |free| {
            let inputs = ModelInputs::of_part(&store, &model, &some, views.clone(), part).unwrap();
            inputs.keep(device, free).unwrap()
        };
        let bytes_of_part = bytes / 10 * 4;
        let (read, kept) = (of_part(None), of_part(Some(2 * bytes_of_part)));
        assert!(is_kept(&kept) && !is_kept(&of_part(Some(2 * bytes_of_part - 1))));
        assert_eq!((kept.kept_bytes(), read.num_pictures(), store.list().len()), (bytes_of_part, 4, 1));
        for inputs in [read, kept] {
            let batches: Vec<Batch> = inputs.all(&model, 3).unwrap().map(Result::unwrap).collect();
            let images: Vec<i64> = batches.iter().flat_map(|batch| batch.images.clone()).collect();
            let rows: Vec<i64> = batches.iter().flat_map(|batch| batch.rows.clone()).collect();
            assert_eq!((images, rows), (vec![0, 1, 2, 3, 0, 1, 2, 3], (0..8).collect()));
            let x = Tensor::cat(&batches.iter().map(|batch| batch.x.shallow_clone()).collect::<Vec<_>>(), 0);
            let stored = [7, 2, 5, 9, 17, 12, 15, 19];
            assert!(x.to_device(Device::Cpu).equal(&all.take_maps(&stored).unwrap()));
        }
    }
}
