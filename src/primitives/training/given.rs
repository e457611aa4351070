//! Tensors in the place of labels or of a teacher: a row per image of the training split, a column per label.

use rhai::Dynamic;

use crate::activity::console;
use crate::error::{Error, Result};
use crate::images::Dataset;
use crate::losses::LossSpec;
use crate::primitives::values::tensor::TensorValue;
use crate::script::call::Call;
use crate::script::show;
use crate::torch::to_vec_f32;
use crate::training::image_rows::ImageRows;
use crate::training::{Ensemble, TrainOptions};

/// The numbers of a Tensor `[images, labels]`, in the order of the split's images and labels. `what` begins errors.
fn image_rows(what: &str, tensor: &TensorValue, train: &Dataset) -> Result<ImageRows> {
    let (images, labels) = (train.labels.images(), train.labels.labels());
    let (size, expected) = (tensor.0.size(), [images.len() as i64, labels.len() as i64]);
    if size != expected {
        return Err(Error::argument(format!(
            "{what} must be a Tensor {expected:?}, a row per image of the training split and a column per label of the data set; got a Tensor {size:?}"
        )));
    }
    ImageRows::new(images, labels, to_vec_f32(&tensor.0)?)
        .map_err(|error| Error { message: format!("{what}: {}", error.message), ..error })
}

/// Puts the Tensor that was given as option `targets` into the options, and checks it.
pub fn set_targets(call: &Call, targets: Option<&Dynamic>, options: &mut TrainOptions, train: &Dataset) -> Result<()> {
    let Some(value) = targets else { return Ok(()) };
    let tensor = value
        .clone()
        .try_cast::<TensorValue>()
        .ok_or_else(|| Error::option("targets", call.name, "a Tensor [images, labels], or ()", show::a_type(value)))?;
    let rows = image_rows(&format!("option \"targets\" of {}", call.name), &tensor, train);
    options.targets = Some(rows.map_err(|error| error.about_option("targets"))?);
    options.check_targets(call.name)
}

/// A Tensor in the place of an ensemble: its numbers are the teachers' logits, the same for all views of an image.
pub fn teacher(call: &Call, tensor: &TensorValue, train: &Dataset, loss: &LossSpec) -> Result<Ensemble> {
    let rows = image_rows(&format!("{}: a Tensor in the place of an ensemble", call.name), tensor, train)?;
    if !matches!(loss, LossSpec::Script(_))
        && let Some((low, high)) = rows.range()
        && low >= 0.0
        && high <= 1.0
    {
        console::log(&format!(
            "{}: all numbers of the Tensor are from 0 to 1, and the loss {} compares logits; probabilities p become logits with \
             (p / (1.0 - p)).log(), and the option targets takes them as they are",
            call.name,
            loss.name()
        ));
    }
    Ok(Ensemble::given(rows))
}
