//! Features and gradients of a model on a data set, as tensors.

use tch::{Kind, Tensor};

use super::fitting::Fitting;
use super::gathered::Gathered;
use super::model_inputs::ModelInputs;
use super::trained_model::Trained;
use super::views::Views;
use crate::activity::interrupt;
use crate::activity::progress::Progress;
use crate::error::{Error, Result};
use crate::executors::device_pool;
use crate::images::Dataset;
use crate::losses::Script;
use crate::memory;
use crate::models::{Model, Pass};
use crate::torch::{read_back, upload};

/// The feature maps `[N, C, h, w]` of a stage of the backbone for the centre view of every picture, or `[N, C]` if `pooled`: see
/// [`Model::features`]. On the CPU.
///
/// Errors: no pictures, a stage that is not there, a picture that cannot be read (named), Memory, Interrupted.
pub fn features(trained: &Trained, dataset: &Dataset, stage: usize, pooled: bool) -> Result<Tensor> {
    some(dataset)?;
    let model = trained.model_on(device_pool::here())?;
    let inputs = ModelInputs::Pictures { dataset: dataset.clone(), views: Views::centre(), made: None };
    let progress = Progress::new(format!("features of {}", dataset.split), dataset.len() as u64, "images");
    Fitting::over("features", &model, 64, |fitting| {
        let mut all = Gathered::default();
        let mut checked = false;
        for batch in inputs.all(&model, fitting.batch())? {
            interrupt::check()?;
            let batch = batch?;
            let rows = fitting.run(&batch.x, |x| model.features(x, stage, pooled))?;
            if !checked {
                let row: i64 = rows.size().iter().skip(1).product();
                // Once in batches, once together.
                memory::check("the features", 8 * row as u64 * dataset.len() as u64)?;
                checked = true;
            }
            all.push(rows)?;
            progress.advance(batch.images.len() as u64);
        }
        all.rows(0)
    })
}

/// Pictures of one forward and backward pass.
const AT_ONCE: usize = 32;

/// The gradient of a loss on a whole data set with respect to every trained parameter, by name, on the CPU. `loss` gets the logits
/// `[N, m]` of all pictures, which carry a gradient, and the targets `[N, m]` (1 present, 0 absent, -1 unknown) of the model's labels,
/// and gives one number.
///
/// Pictures are seen once, whole, without dropout and with running statistics. So the gradient of the loss at the logits is
/// computed first, and passed back batch by batch: it is that of the loss of all pictures together, whatever the loss. A loss or term
/// that a head has by itself is not in it.
///
/// Errors: no pictures, a label of the model that the data set does not have, those of `loss`; Memory, Interrupted.
pub fn gradients(
    trained: &Trained,
    dataset: &Dataset,
    loss: &dyn Fn(&Tensor, &Tensor) -> Result<Tensor>,
) -> Result<Vec<(String, Tensor)>> {
    some(dataset)?;
    // A copy: the loss may use the model too.
    let model = trained.model_on(device_pool::here())?.twin()?;
    let (n, m) = (dataset.len() as i64, model.labels.len() as i64);
    let targets = Tensor::f_from_slice(&dataset.labels.take_labels(&model.labels)?.targets()?)?.f_view([n, m])?;
    let targets = upload(&targets, model.device)?;
    let inputs = ModelInputs::Pictures { dataset: dataset.clone(), views: Views::centre(), made: None };
    let progress = Progress::new(format!("gradients on {}", dataset.split), 2 * dataset.len() as u64, "images");
    let passes = |each: &mut dyn FnMut(Tensor, i64) -> Result<()>, gradient: bool| -> Result<()> {
        let mut at = 0;
        for batch in inputs.all(&model, AT_ONCE)? {
            interrupt::check()?;
            let batch = batch?;
            let forward = || logits(&model, &batch.x);
            each(if gradient { forward()? } else { tch::no_grad(forward)? }, at)?;
            at += batch.images.len() as i64;
            progress.advance(batch.images.len() as u64);
        }
        Ok(())
    };
    let mut all = Vec::new();
    passes(
        &mut |logits, _| {
            all.push(logits);
            Ok(())
        },
        false,
    )?;
    let all = Tensor::f_cat(&all, 0)?.f_requires_grad_(true)?;
    let value = Script::checked(loss(&all, &targets)?, &all)?;
    let of_logits = Tensor::f_run_backward(&[value], &[&all], false, false)?.swap_remove(0).f_detach()?;
    let parameters = model.trainable();
    let leaves: Vec<&Tensor> = parameters.iter().map(|(_, tensor)| tensor).collect();
    let mut sums = leaves.iter().map(|t| t.f_detach()?.f_zeros_like()).collect::<Result<Vec<_>, _>>()?;
    passes(
        &mut |logits, at| {
            let part = of_logits.f_narrow(0, at, logits.size()[0])?;
            let carried = logits.f_mul(&part)?.f_sum(Kind::Float)?;
            let found = Tensor::f_run_backward(&[carried], &leaves, false, false)?;
            for (sum, found) in sums.iter_mut().zip(found).filter(|(_, found)| found.defined()) {
                *sum = sum.f_add(&found.f_detach()?)?;
            }
            Ok(())
        },
        true,
    )?;
    parameters.iter().zip(sums).map(|((name, _), sum)| Ok((name.clone(), read_back(&sum)?))).collect()
}

fn logits(model: &Model, x: &Tensor) -> Result<Tensor> {
    model.forward(x, Pass::EVAL)
}

fn some(dataset: &Dataset) -> Result<()> {
    if !dataset.is_empty() {
        return Ok(());
    }
    let message = format!("split \"{}\" of {} has no images", dataset.split, dataset.name);
    Err(Error::argument(message).about_name(&dataset.split))
}
