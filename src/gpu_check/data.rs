//! Pictures, specifications and trainings of the checks.

use tch::{Device, Kind, Tensor};

use crate::error::{Error, Result};
use crate::files::own;
use crate::images::Dataset;
use crate::images::scenes::{SceneOptions, splits};
use crate::models::heads::HeadKind;
use crate::models::{LabelGraph, Model, ModelSpec};
use crate::runs::RunStore;
use crate::training::{Job, TrainOptions, Trained};

/// Training and validation pictures of that side, painted.
pub fn scenes(train: usize, val: usize, side: u32) -> Result<(Dataset, Dataset)> {
    let options = SceneOptions { train, val, test: 0, test_shifted: 0, size: side, ..SceneOptions::default() };
    let mut splits = splits(&options)?.into_iter().map(|(_, data)| data);
    match (splits.next(), splits.next()) {
        (Some(train), Some(val)) => Ok((train.cached(1 << 30), val.cached(1 << 30))),
        _ => Err(Error::internal("emoji-scenes have no two splits")),
    }
}

/// A backbone with a head, all from random numbers, with what the head asks for.
pub fn spec(backbone: &str, head: &HeadKind, side: i64, labels: &[String]) -> ModelSpec {
    let m = labels.len();
    let weight = |i: usize, j: usize| if i == j { 0.0 } else { 0.9 / (1.0 + (i + 2 * j) as f64) };
    let rows = (0..m).map(|i| (0..m).map(|j| weight(i, j)).collect()).collect();
    ModelSpec {
        backbone: backbone.into(),
        head: head.name.into(),
        image_size: Some(side),
        word_vectors: head.needs_words.then(|| "learned".into()),
        graph: head.needs_graph.then(|| LabelGraph { labels: labels.to_vec(), rows, shares: vec![0.25; m] }),
        ..ModelSpec::default()
    }
}

/// A training of `epochs` epochs, all in float32, evaluated at the end.
pub fn job(name: &str, data: &(Dataset, Dataset), model: ModelSpec, epochs: u64, batch: usize) -> Job {
    let labels = data.0.labels.labels().to_vec();
    let options =
        TrainOptions { model, epochs, batch, lr: 1e-4, views: 0, eval_every: epochs, ..TrainOptions::default() };
    Job { name: name.into(), train: data.0.clone(), val: Some(data.1.clone()), labels, options, distillation: None }
}

/// The loss of the last epoch; NaN for a model of no run.
pub fn last_loss(trained: &Trained) -> Result<f64> {
    let summary = trained.run.as_ref().map(|run| run.summary()).transpose()?;
    Ok(summary.and_then(|summary| summary["loss"].as_f64()).unwrap_or(f64::NAN))
}

/// A run store that is removed when it is dropped.
pub struct Store {
    pub store: RunStore,
    _folder: tempfile::TempDir,
}

impl Store {
    pub fn new() -> Result<Store> {
        let folder = own::temporary_folder(&own::session_folder()?, "gpu-check-")?;
        Ok(Store { store: RunStore::new(folder.path()), _folder: folder })
    }
}

/// Logits of a model for `n` pictures of random bytes, as evaluation computes them, on the CPU.
pub fn logits(model: &Model, n: i64) -> Result<Tensor> {
    let side = model.image_size();
    // The same numbers on every device and in every process.
    let values = crate::torch::uniform(7, "pixels", &[n, side, side, 3], 128.0)?;
    let pixels = values.f_add_scalar(128.0)?.f_clamp(0.0, 255.0)?.f_to_kind(Kind::Uint8)?;
    let x = model.normalise(&pixels)?;
    Ok(tch::no_grad(|| model.forward(&x, false))?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?)
}

/// The largest difference of two tensors, over the largest value of the second.
pub fn difference(came: &Tensor, expected: &Tensor) -> Result<f64> {
    let most = |t: &Tensor| -> Result<f64> { Ok(f64::try_from(&t.f_abs()?.f_max()?)?) };
    Ok(most(&came.f_sub(expected)?)? / most(expected)?.max(1e-12))
}
