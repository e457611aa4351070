//! Input and output of a head in one pass.

use tch::Tensor;

use super::Known;
use crate::error::{Error, Result};
use crate::losses::{Function, Kl, KlForm, LossSpec};
use crate::models::precision::full;

/// The input of a head in one pass.
pub struct Seen<'a> {
    /// The last stage's feature maps `[N, C, h, w]`.
    pub maps: &'a Tensor,
    /// The maps of as many stages before the last as [`Head::earlier`](super::Head::earlier) asks for, the nearest first.
    pub earlier: &'a [Tensor],
    /// The tokens of the last stage of a vision transformer by name, `[N, n, C]` each, if [`Head::reads_tokens`](super::Head::reads_tokens).
    pub tokens: &'a [(&'static str, Tensor)],
    /// The input of the trainable rest of the backbone: normalised pictures, or the output of its frozen stages.
    pub input: &'a Tensor,
    /// Runs that rest on another such input; gives feature maps.
    pub rest: &'a dyn Fn(&Tensor) -> Result<Tensor>,
    /// The truth of the images, in a training step only.
    pub truth: Option<Truth<'a>>,
}

/// The labels of the images of a training step.
#[derive(Clone, Copy)]
pub struct Truth<'a> {
    /// `[N, m]`, 0 or 1.
    pub targets: &'a Tensor,
    /// Which entries are known; all if none.
    pub known: Option<&'a Known>,
}

/// The training's loss on the labels.
#[derive(Clone, Copy)]
pub struct LabelLoss<'a> {
    pub spec: &'a LossSpec,
    /// The function of a script, if `spec` is [`LossSpec::Script`].
    pub function: Option<Function<'a>>,
    /// Which entries of the targets are known; all if none.
    pub known: Option<&'a Known>,
}

impl LabelLoss<'_> {
    /// The loss over the known entries. Errors: one that compares the labels of a picture with each other, when some are
    /// unknown.
    pub fn compute(&self, logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
        let logits = &full(logits)?;
        let Some(known) = self.known else { return self.spec.by(self.function, logits, targets) };
        if let LossSpec::Kl(Kl { form: KlForm::Softmax, .. }) = self.spec {
            return Err(Error::argument(
                "the loss kl with form \"softmax\" compares all labels of a picture with each other, so none may be unknown",
            )
            .about_option("loss")
            .with_help("form: \"bernoulli\" takes each label by itself"));
        }
        let targets = known.of(targets)?;
        zero_if_empty(&known.of(logits)?, |logits| self.spec.by(self.function, logits, &targets))
    }

    /// The known ones of elements `[N, m]`, summed or averaged as by the training's loss; 0 if none is known.
    pub fn reduce(&self, elements: &Tensor) -> Result<Tensor> {
        let reduction = self.spec.reduction();
        match self.known {
            Some(known) => zero_if_empty(&known.of(elements)?, |known| reduction.apply(known)),
            None => reduction.apply(elements),
        }
    }
}

/// A loss of these elements. The mean of no elements would be NaN: their sum is 0, with gradients of 0.
fn zero_if_empty(elements: &Tensor, loss: impl FnOnce(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
    match elements.numel() {
        0 => Ok(elements.f_sum(None)?),
        _ => loss(elements),
    }
}

/// A head's own loss: a function of the training's loss and the targets `[N, m]`.
pub type OwnLoss = Box<dyn Fn(LabelLoss, &Tensor) -> Result<Tensor>>;

/// The output of a head for one batch.
pub struct Answer {
    /// `[N, m]`.
    pub logits: Tensor,
    /// Replaces the training's loss on the logits.
    pub own_loss: Option<OwnLoss>,
}

impl Answer {
    /// The loss on the labels of one training step.
    pub fn loss(&self, loss: LabelLoss, targets: &Tensor) -> Result<Tensor> {
        match &self.own_loss {
            Some(own) => own(loss, targets),
            None => loss.compute(&self.logits, targets),
        }
    }
}
