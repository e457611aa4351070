//! `Model` in scripts.

use std::fmt;
use std::path::PathBuf;

use super::run::RunValue;
use super::tensor::TensorValue;
use crate::error::{Error, ErrorKind, Result};
use crate::executors::device_pool;
use crate::script::call::MemberRegistrar;
use crate::script::kind::{KindOfValue, Member, kind_value};
use crate::torch::meeting::follow;
use crate::training::Trained;

/// A model as scripts hold it.
#[derive(Clone)]
pub struct ModelValue(pub Trained);

impl KindOfValue for ModelValue {
    const NAME: &'static str = "Model";
    const SUMMARY: &'static str = "An image classifier: a backbone, a head, one output per label.";
    const MEMBERS: &'static [Member] = &[
        Member::new("labels", "the labels of its outputs, in order"),
        Member::new("id", "the name of its weights: the run's id or a hash"),
        Member::new("run", "the Run that made it, or ()"),
        Member::new("parameters", "number of parameters"),
        Member::new("image_size", "side of the square input, in pixels"),
        Member::new("forward(tensor)", "logits [N, m] of normalised pictures [N, 3, H, W]"),
        Member::new("save(path)", "write the weights as safetensors, with all that load_model needs"),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        members
            .get("labels", |m: &Self| m.0.labels.clone())
            .get("id", |m: &Self| m.0.id.clone())
            .get("run", |m: &Self| m.0.run.clone().map(RunValue))
            .get("parameters", |m: &Self| m.0.model().num_parameters())
            .get("image_size", |m: &Self| m.0.model().image_size())
            .method("forward", |m: &Self, x: TensorValue| m.forward(&x))
            .method("save", |m: &Self, path: PathBuf| m.0.save(&path));
    }
}

kind_value!(ModelValue);

impl ModelValue {
    /// Logits `[N, m]` of normalised pictures `[N, 3, H, W]`.
    fn forward(&self, x: &TensorValue) -> Result<TensorValue> {
        let (shape, side) = (x.0.size(), self.0.model().image_size());
        if shape.len() != 4 || shape[1] != 3 {
            let message = format!("forward takes normalised pictures [N, 3, H, W]; got a Tensor {shape:?}");
            return Err(Error::new(ErrorKind::Tensor, message)
                .with_help(format!("this model sees pictures of {side} × {side}: [N, 3, {side}, {side}]")));
        }
        // Where the model computes; the answer is where the pictures are.
        let model = self.0.model_on(device_pool::here())?;
        let pictures = follow(&x.0, model.device)?;
        let logits = tch::no_grad(|| model.forward(&pictures, false))?;
        Ok(TensorValue::from(logits.f_to_device(x.0.device())?))
    }
}

impl fmt::Display for ModelValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let model = self.0.model();
        write!(
            f,
            "Model {} + {} at {} px: {} labels, {} parameters ({})",
            model.spec.backbone,
            model.spec.head,
            model.image_size(),
            self.0.labels.len(),
            thousands(model.num_parameters()),
            self.0.id
        )
    }
}

/// 123 456 as people read it.
fn thousands(n: i64) -> String {
    match n {
        n if n >= 1_000_000 => format!("{:.1} M", n as f64 / 1e6),
        n if n >= 1_000 => format!("{:.0} k", n as f64 / 1e3),
        n => n.to_string(),
    }
}
