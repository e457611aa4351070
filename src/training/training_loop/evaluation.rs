//! Evaluation on the validation split, and the weights that it selects.

use tch::Tensor;

use super::TrainingLoop;
use crate::activity::interrupt;
use crate::activity::progress::Progress;
use crate::error::Result;
use crate::metrics::mean_average_precision;
use crate::models::Pass;
use crate::torch;
use crate::training::checkpoint::Best;
use crate::training::fitting::Fitting;
use crate::training::gathered::Gathered;
use crate::training::metrics_file::parsed;
use crate::training::optimiser::CopyOf;
use crate::training::options::Select;

impl TrainingLoop<'_, '_> {
    /// Whether a callback ended the training after an epoch that was not evaluated. The last epoch always is.
    pub(super) fn ended_unevaluated(&self) -> Result<bool> {
        if self.state.position.stopped.is_none() || self.val_inputs.is_none() {
            return Ok(false);
        }
        Ok(parsed(&self.state.metrics)?.last().is_some_and(|line| line.get("val_mAP").is_none()))
    }

    /// Evaluates on the validation split and keeps the weights if they are the best so far. Gives what [`validate`](Self::validate) gives.
    pub(super) fn evaluate(&mut self, epoch: u64, shown: &Progress) -> Result<Vec<(f64, bool)>> {
        let evaluated = self.validate()?;
        for &(map, averaged) in &evaluated {
            // A validation split without positives has no mAP and selects nothing.
            if map.is_finite() && self.state.position.best.as_ref().is_none_or(|b| map > b.map) {
                self.state.position.best = Some(Best { map, epoch, averaged });
                let (values, statistics) = self.weights(averaged);
                self.state.best = Some((values.f_copy_of()?, statistics.f_copy_of()?));
                shown.note(format!("epoch {epoch}/{} mAP {map:.1}", self.job.options.epochs));
            }
        }
        Ok(evaluated)
    }

    fn weights(&self, averaged: bool) -> (&Tensor, &Tensor) {
        match averaged {
            true => (&self.state.average.values, &self.state.average.statistics),
            false => (&self.state.flat.values, &self.state.flat.statistics),
        }
    }

    /// mAP in percent on the validation split, of the regular weights and of the averaged ones if there are any; NaN where the split
    /// has no positives. The split is passed over once for both. Errors: a picture that cannot be read; Interrupted.
    fn validate(&self) -> Result<Vec<(f64, bool)>> {
        let Some(inputs) = &self.val_inputs else { return Ok(vec![]) };
        let m = self.job.labels.len();
        let kinds = if self.job.options.ema > 0.0 { vec![false, true] } else { vec![false] };
        let regular = (self.state.flat.values.f_copy_of()?, self.state.flat.statistics.f_copy_of()?);
        let mut logits = [Gathered::default(), Gathered::default()];
        // Whether the model has the averaged weights.
        let mut present = false;
        let evaluated = Fitting::over("evaluation", self.model, 256, |fitting| {
            for batch in inputs.all(self.model, fitting.batch())? {
                interrupt::check()?;
                let batch = batch?;
                // The weights that are there come first, so one exchange per batch does.
                let first = present;
                for averaged in kinds.iter().map(|other| first != *other) {
                    if averaged != present {
                        let (values, statistics) = if averaged { self.weights(true) } else { (&regular.0, &regular.1) };
                        self.state.flat.set(values, statistics)?;
                        present = averaged;
                    }
                    let of_batch =
                        fitting.run(&batch.x, |x| tch::no_grad(|| inputs.logits(self.model, x, Pass::EVAL)))?;
                    logits[usize::from(averaged)].push(of_batch)?;
                }
            }
            Ok(())
        });
        if present {
            self.state.flat.set(&regular.0, &regular.1)?;
        }
        evaluated?;
        let maps = kinds.into_iter().zip(logits).map(|(averaged, logits)| {
            let scores = torch::to_vec_f32(&logits.rows(m)?)?;
            Ok((mean_average_precision(&scores, &self.val_targets, m)?, averaged))
        });
        maps.collect()
    }

    /// Leaves the selected weights in the model.
    pub(super) fn choose(&mut self) -> Result<()> {
        if let Some(freezing) = &self.freezing {
            freezing.release(self.model)?;
        }
        let chosen = match (self.job.options.select, self.state.best.take()) {
            (Select::Best, Some(best)) => best,
            _ => {
                let averaged = self.job.options.ema > 0.0;
                let (values, statistics) = self.weights(averaged);
                (values.f_copy_of()?, statistics.f_copy_of()?)
            }
        };
        self.state.flat.set(&chosen.0, &chosen.1)
    }
}
