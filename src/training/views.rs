//! The views of each picture that a training or an evaluation sees.

use serde_json::{Value, json};

use super::options::TrainOptions;
use crate::error::{Error, Result};
use crate::images::ViewFunction;
use crate::images::augment::AugmentOptions;

/// A set of augmented views per picture, or a new view per epoch.
#[derive(Clone)]
pub struct Views<'f> {
    /// Views per picture; 0 makes a new one each epoch.
    pub count: u32,
    /// None is the one centre view of evaluation.
    pub augment: Option<AugmentOptions>,
    pub seed: u64,
    /// Whether a GPU may compute by TensorFloat-32 what is stored of them.
    pub tf32: bool,
    /// Makes the views where `augment` names a closure.
    pub function: Option<ViewFunction<'f>>,
}

impl<'f> Views<'f> {
    /// The one view that evaluation sees.
    pub fn centre() -> Self {
        Views { count: 1, augment: None, seed: 0, tf32: true, function: None }
    }

    /// The one view that a training evaluates.
    pub fn of_evaluation(options: &TrainOptions) -> Self {
        Views { tf32: options.tf32, ..Views::centre() }
    }

    /// The views that a training sees.
    pub fn of_training(options: &TrainOptions) -> Self {
        let TrainOptions { views: count, tf32, .. } = *options;
        Views { count, augment: Some(options.augment.clone()), seed: options.seed_of_views(), tf32, function: None }
    }

    /// The same, made by `function` where `augment` names a closure.
    pub fn made_by(self, function: Option<ViewFunction<'f>>) -> Self {
        Views { function, ..self }
    }

    /// The function that makes the views, or none where they are the built-in ones.
    ///
    /// Errors: they are a closure's, and it is not here.
    pub fn own(&self) -> Result<Option<ViewFunction<'f>>> {
        match (self.augment.as_ref().is_some_and(|augment| augment.script.is_some()), self.function) {
            (false, _) => Ok(None),
            (true, Some(function)) => Ok(Some(function)),
            (true, None) => Err(Error::argument(
                "an augmentation that is a closure works in a training of the script that wrote it, and nowhere else",
            )
            .about_option("augment")),
        }
    }

    /// Adds to the specification of what is stored that TensorFloat-32 is off. Where it is allowed nothing is added.
    pub fn name_tf32(&self, spec: &mut Value) {
        if !self.tf32 {
            spec["tf32"] = json!(false);
        }
    }

    pub fn fingerprint(&self) -> Value {
        match &self.augment {
            None => json!("centre"),
            Some(augment) => json!({ "count": self.count, "augment": augment, "seed": self.seed }),
        }
    }

    /// Every (image, view) of `n` images, in the order of [`StoredRows`](super::stored_rows::StoredRows).
    pub fn all(&self, n: usize) -> Vec<(u32, u32)> {
        (0..self.count.max(1)).flat_map(|view| (0..n as u32).map(move |image| (image, view))).collect()
    }

    /// The view of image `image` in epoch `epoch`, where it comes for the time `again` (from 0). Each view of a fixed set comes equally
    /// often.
    pub fn of(&self, epoch: u64, image: u32, again: u32) -> u32 {
        match self.count {
            // Epochs take the lower bits.
            0 => (epoch as u32).wrapping_add(again << 17),
            count => ((epoch + u64::from(image) + u64::from(again)) % u64::from(count)) as u32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tf32_that_is_off_is_named() {
        let spec = |tf32| {
            let mut spec = json!({});
            Views::of_evaluation(&TrainOptions { tf32, ..TrainOptions::default() }).name_tf32(&mut spec);
            spec
        };
        assert_eq!([spec(true), spec(false)], [json!({}), json!({ "tf32": false })]);
    }
}
