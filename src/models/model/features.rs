//! The output of a stage of the backbone.

use tch::Tensor;

use super::Model;
use crate::error::{Error, Result};
use crate::models::layers::average_pool;
use crate::models::precision::full;

impl Model {
    /// Normalised images `[N, 3, H, W]` → the feature maps of stage `stage` (from 1) `[N, C, h, w]` (of a transformer those of its
    /// patches), or `[N, C]` if `pooled`: the mean over positions, and of the last stage the backbone's own pooling, such as a
    /// class token. No gradient. Frozen stages compute as the model's `frozen_compute` says.
    ///
    /// Errors: a stage that is not there.
    pub fn features(&self, images: &Tensor, stage: usize, pooled: bool) -> Result<Tensor> {
        if !(1..=self.stages).contains(&stage) {
            return Err(Error::argument(format!(
                "the backbone \"{}\" of this model has stages 1 to {}; got {stage}",
                self.kind.name, self.stages
            )));
        }
        tch::no_grad(|| {
            let fixed = stage.min(self.spec.fixed_stages());
            let frozen = match fixed {
                0 => images.shallow_clone(),
                fixed => full(&self.spec.frozen_compute.during(|| self.stages(images, 0, fixed))?)?,
            };
            let x = self.stages(&frozen, fixed, stage)?;
            match (pooled, stage == self.stages) {
                (true, true) => self.backbone.pooled(&x),
                (true, false) => average_pool(&self.backbone.maps(&x)?),
                (false, _) => self.backbone.maps(&x),
            }
        })
    }
}
