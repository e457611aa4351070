//! What a head is given of one pass, and what it gives back.

use tch::Tensor;

use crate::error::Result;
use crate::losses::{Function, LossSpec};

/// One pass as a head sees it.
pub struct Seen<'a> {
    /// The last stage's feature maps `[N, C, h, w]`.
    pub maps: &'a Tensor,
    /// What the trainable rest of the backbone read: normalised pictures, or the output of its frozen stages.
    pub input: &'a Tensor,
    /// That rest on another input of this kind, as feature maps.
    pub rest: &'a dyn Fn(&Tensor) -> Result<Tensor>,
}

/// The training's loss on the labels.
#[derive(Clone, Copy)]
pub struct LabelLoss<'a> {
    pub spec: &'a LossSpec,
    /// A script's own function, where `spec` stands for one.
    pub function: Option<Function<'a>>,
    /// Which entries `[N, m]` of the targets are known (boolean); all where there is none.
    pub known: Option<&'a Tensor>,
}

impl LabelLoss<'_> {
    /// Of what is known, without the rest.
    pub fn compute(&self, logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
        let Some(known) = self.known else { return self.spec.by(self.function, logits, targets) };
        let logits = logits.f_masked_select(known)?;
        // The mean of nothing would be no number.
        if logits.numel() == 0 {
            return Ok(logits.f_sum(None)?);
        }
        self.spec.by(self.function, &logits, &targets.f_masked_select(known)?)
    }
}

/// A loss that a head brings along: from the training's own loss and the targets `[N, m]`.
pub type OwnLoss = Box<dyn Fn(LabelLoss, &Tensor) -> Result<Tensor>>;

/// What a head says of a batch.
pub struct Answer {
    /// `[N, m]`.
    pub logits: Tensor,
    /// Takes the place of the training's loss on the logits.
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
