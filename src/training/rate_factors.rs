//! Factors on the learning rate by part of the model: its stages and its head.

use std::collections::HashMap;

use super::optimiser::{Flat, Groups};
use super::options::TrainOptions;
use crate::error::{Error, Result};
use crate::models::{Model, Part};
use crate::options::Range;

/// The factor of every parameter of a model: `backbone_lr`, `layer_decay` and `lr_factors`, multiplied.
pub struct RateFactors<'a> {
    options: &'a TrainOptions,
    stages: usize,
    parts: HashMap<String, Part>,
}

/// The key of the head in `lr_factors`; a stage's is `stage1` and so on.
const HEAD: &str = "head";

impl<'a> RateFactors<'a> {
    /// Errors: a part that the model does not have, one that is frozen, a factor out of range; rates of stages that are all frozen.
    pub fn check(options: &TrainOptions, word: &str) -> Result<()> {
        let of_stages = [("backbone_lr", options.backbone_lr), ("layer_decay", options.layer_decay)];
        let of_stages = of_stages.into_iter().find(|(_, factor)| *factor != 1.0);
        if options.lr_factors.is_empty() && of_stages.is_none() {
            return Ok(());
        }
        let model = options.model.resolved()?;
        let stages = model.stages.unwrap_or(1);
        // A head's second backbone is frozen as the first is.
        if let Some((key, _)) = of_stages
            && model.freeze >= stages
        {
            return Err(Error::argument(format!(
                "option \"{key}\" of {word} has no effect beside the others: it needs a stage that is trained, and all {stages} are frozen"
            ))
            .about_option(key)
            .with_help("leave it out, or give the model a smaller freeze"));
        }
        let names: Vec<String> = (1..=stages).map(stage_key).chain([HEAD.to_string()]).collect();
        for (key, factor) in &options.lr_factors {
            let Some(at) = names.iter().position(|name| name == key) else {
                let mut error = Error::unknown("part", key, names.iter().map(String::as_str));
                error.message = format!("option \"lr_factors\" of {word} has no part \"{key}\"");
                return Err(error);
            };
            if at < model.freeze {
                return Err(Error::argument(format!(
                    "option \"lr_factors\" of {word} names \"{key}\", which is frozen (freeze: {})",
                    model.freeze
                ))
                .about_option("lr_factors"));
            }
            Range::FromTo(0.0, 1e3).check(&format!("lr_factors.{key}"), word, *factor)?;
        }
        Ok(())
    }

    /// Sets the factors of `groups`, unless all are 1.
    pub fn set(options: &'a TrainOptions, model: &Model, flat: &Flat, groups: &mut Groups) -> Result<()> {
        if options.lr_factors.is_empty() && options.layer_decay == 1.0 {
            if options.backbone_lr != 1.0 {
                groups.set_factors(flat, |name| if model.is_of_backbone(name) { options.backbone_lr } else { 1.0 });
            }
            return Ok(());
        }
        let factors = RateFactors { options, stages: model.num_stages(), parts: model.parts()? };
        groups.set_factors(flat, |name| factors.of(name));
        Ok(())
    }

    fn of(&self, name: &str) -> f64 {
        let named = |key: &str| self.options.lr_factors.get(key).copied().unwrap_or(1.0);
        match self.parts.get(name) {
            Some(Part::Stage(stage)) => {
                let above = (self.stages + 1 - stage) as f64;
                self.options.backbone_lr * self.options.layer_decay.powf(above) * named(&stage_key(*stage))
            }
            _ => named(HEAD),
        }
    }
}

fn stage_key(stage: usize) -> String {
    format!("stage{stage}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::ModelSpec;

    #[test]
    fn parts_are_checked_against_the_model() {
        let with = |key: &str, factor: f64, freeze: usize| TrainOptions {
            model: ModelSpec { stages: Some(3), freeze, ..ModelSpec::default() },
            lr_factors: [(key.to_string(), factor)].into(),
            ..TrainOptions::default()
        };
        let problem = |key, factor, freeze| with(key, factor, freeze).check_further("distill").err().map(|e| e.message);
        assert_eq!(problem("stage3", 0.0, 2), None);
        assert_eq!(problem("head", 10.0, 3), None);
        assert_eq!(problem("stage4", 0.1, 0).unwrap(), "option \"lr_factors\" of distill has no part \"stage4\"");
        assert!(problem("stage2", 0.1, 2).unwrap().contains("which is frozen (freeze: 2)"));
        assert!(problem("head", -1.0, 0).unwrap().contains("\"lr_factors.head\" of distill must be from 0 to 1000"));
    }

    #[test]
    fn rates_of_a_backbone_that_is_all_frozen_are_refused() {
        let problem = |freeze: usize, frozen: bool, change: fn(&mut TrainOptions)| {
            let model = ModelSpec { stages: Some(3), freeze, frozen, ..ModelSpec::default() };
            let mut options = TrainOptions { model, ..TrainOptions::default() };
            change(&mut options);
            options.check_further("distill").err().map(|e| e.message)
        };
        let backbone: fn(&mut TrainOptions) = |o| o.backbone_lr = 0.1;
        let decay: fn(&mut TrainOptions) = |o| o.layer_decay = 0.5;
        assert_eq!((problem(2, false, backbone), problem(2, false, decay)), (None, None));
        assert_eq!(
            problem(3, false, backbone).unwrap(),
            "option \"backbone_lr\" of distill has no effect beside the others: it needs a stage that is trained, and all 3 are frozen"
        );
        assert!(problem(0, true, decay).unwrap().starts_with("option \"layer_decay\" of distill has no effect"));
        // The head's own rate has an effect.
        assert_eq!(problem(3, false, |o| o.lr_factors = [("head".to_string(), 2.0)].into()), None);
    }
}
