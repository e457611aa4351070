//! Stages that are frozen for some epochs: which, and what an update may change meanwhile.

use std::cell::Cell;

use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::optimiser::{Flat, TrainedRun};
use super::options::TrainOptions;
use crate::error::{Error, Result};
use crate::models::{Model, Part};

/// Numbers of frozen stages by epoch: `(finished epochs, stages)`, ascending. Empty freezes none beside the model's own.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FreezeByEpoch(pub Vec<(u64, usize)>);

impl<'de> Deserialize<'de> for FreezeByEpoch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<FreezeByEpoch, D::Error> {
        let value = Value::deserialize(deserializer)?;
        serde_json::from_value(value).map(FreezeByEpoch).map_err(|_| {
            D::Error::custom(
                "pairs of finished epochs and frozen stages, as [[0, 4], [10, 2], [20, 0]], or a closure |epoch|",
            )
        })
    }
}

impl FreezeByEpoch {
    /// From the number of every epoch's frozen stages.
    pub fn of_epochs(stages: &[usize]) -> FreezeByEpoch {
        let changes = (0..stages.len()).filter(|&i| i == 0 || stages[i] != stages[i - 1]);
        let changes: Vec<(u64, usize)> = changes.map(|i| (i as u64, stages[i])).collect();
        FreezeByEpoch(if changes == [(0, 0)] { vec![] } else { changes })
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of frozen stages after so many finished epochs.
    fn after(&self, epochs: u64) -> usize {
        self.0.iter().take_while(|(from, _)| *from <= epochs).last().map_or(0, |(_, stages)| *stages)
    }

    /// Errors: epochs that do not ascend from 0 or that never come; more stages than the model has, or fewer than it freezes for the whole
    /// training.
    pub fn check(&self, options: &TrainOptions, word: &str) -> Result<()> {
        let Some(&(first, _)) = self.0.first() else { return Ok(()) };
        let wrong = |message: String| {
            Err(Error::argument(format!("option \"freeze\" of {word} {message}")).about_option("freeze"))
        };
        if first != 0 {
            return wrong(format!("must begin with 0 finished epochs, as [[0, 4], [10, 2]]; got {first}"));
        }
        if let Some(pair) = self.0.windows(2).find(|pair| pair[0].0 >= pair[1].0) {
            return wrong(format!(
                "must have ascending numbers of finished epochs; got {} after {}",
                pair[1].0, pair[0].0
            ));
        }
        if let Some((late, _)) = self.0.iter().find(|(from, _)| *from >= options.epochs) {
            return wrong(format!(
                "names {late} finished epochs, after which none follows (epochs: {})",
                options.epochs
            ));
        }
        let model = options.model.resolved()?;
        let (stages, always) = (model.stages.unwrap_or(1), model.freeze);
        if let Some((_, n)) = self.0.iter().find(|(_, n)| *n > stages) {
            return wrong(format!("must have at most the model's stages, {stages}; got {n}"));
        }
        match self.0.iter().find(|(_, n)| *n < always) {
            Some((epoch, n)) => Err(Error::argument(format!(
                "option \"freeze\" of {word} leaves {n} stages frozen after {epoch} epochs; the model freezes {always} for the whole training"
            ))
            .about_option("freeze")
            .with_help(format!("model: #{{freeze: {n}}} freezes fewer; the option freeze adds to it by epoch"))),
            None => Ok(()),
        }
    }
}

/// The frozen stages of a running training.
pub struct Freezing {
    by_epoch: FreezeByEpoch,
    /// First value, number of values, and stage of every leaf; the head has none.
    leaves: Vec<(i64, i64, Option<usize>)>,
    updates_per_epoch: u64,
    /// What the model holds now.
    held: Cell<usize>,
}

impl Freezing {
    /// None where the options freeze nothing by epoch. Errors: a head that cannot do with this.
    pub fn new(options: &TrainOptions, model: &Model, flat: &Flat, updates_per_epoch: u64) -> Result<Option<Freezing>> {
        let by_epoch = options.freeze.clone();
        if by_epoch.is_empty() {
            return Ok(None);
        }
        let parts = model.parts()?;
        let stage = |name: &str| match parts.get(name) {
            Some(Part::Stage(stage)) => Some(*stage),
            _ => None,
        };
        let leaves = flat.places().into_iter().map(|(name, first, number)| (first, number, stage(name))).collect();
        Ok(Some(Freezing { by_epoch, leaves, updates_per_epoch, held: Cell::new(0) }))
    }

    /// Makes the model hold the stages of the epoch after `epoch` finished ones.
    pub fn hold(&self, model: &Model, epoch: u64) -> Result<()> {
        let stages = self.by_epoch.after(epoch);
        if self.held.replace(stages) != stages {
            model.hold(stages)?;
        }
        Ok(())
    }

    /// Makes the model hold nothing any more.
    pub fn release(&self, model: &Model) -> Result<()> {
        self.held.set(0);
        model.hold(0)
    }

    /// What update number `update` (from 0 over all epochs) of that epoch changes.
    pub fn runs(&self, epoch: u64, update: u64) -> Vec<TrainedRun> {
        let trained = |stage: Option<usize>, epoch: u64| stage.is_none_or(|stage| stage > self.by_epoch.after(epoch));
        let within = update.saturating_sub(epoch * self.updates_per_epoch);
        let mut runs: Vec<TrainedRun> = Vec::new();
        for &(first, number, stage) in self.leaves.iter().filter(|leaf| trained(leaf.2, epoch)) {
            let epochs = (0..epoch).filter(|earlier| trained(stage, *earlier)).count() as u64;
            let updates = epochs * self.updates_per_epoch + within;
            match runs.last_mut() {
                Some(last) if last.first + last.number == first && last.updates == updates => last.number += number,
                _ => runs.push(TrainedRun { first, number, updates }),
            }
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::ModelSpec;

    #[test]
    fn stages_by_epoch_are_checked_and_made_from_those_of_every_epoch() {
        let problem = |changes: &[(u64, usize)], freeze: usize| {
            let model = ModelSpec { stages: Some(3), freeze, ..ModelSpec::default() };
            let options = TrainOptions { model, freeze: FreezeByEpoch(changes.to_vec()), ..TrainOptions::default() };
            options.check_further("distill").err().map_or(String::new(), |e| e.message)
        };
        assert_eq!(problem(&[(0, 3), (10, 1)], 1), "");
        assert!(problem(&[(1, 3)], 0).contains("must begin with 0 finished epochs"));
        assert!(problem(&[(0, 3), (5, 2), (5, 1)], 0).contains("got 5 after 5"));
        assert!(problem(&[(0, 3), (30, 1)], 0).contains("names 30 finished epochs, after which none follows"));
        assert!(problem(&[(0, 4)], 0).contains("at most the model's stages, 3; got 4"));
        assert!(problem(&[(0, 3), (2, 1)], 2).contains("leaves 1 stages frozen after 2 epochs; the model freezes 2"));
        assert_eq!(FreezeByEpoch::of_epochs(&[3, 3, 1, 1, 3]).0, [(0, 3), (2, 1), (4, 3)]);
        assert!(FreezeByEpoch::of_epochs(&[0, 0]).is_empty());
        let by_epoch = FreezeByEpoch::of_epochs(&[3, 3, 1, 1, 3]);
        assert_eq!((0..6).map(|e| by_epoch.after(e)).collect::<Vec<_>>(), [3, 3, 1, 1, 3, 3]);
    }

    #[test]
    fn every_stage_counts_its_own_updates() {
        let by_epoch = FreezeByEpoch(vec![(0, 2), (1, 1), (3, 2), (4, 0)]);
        let leaves = vec![(0, 128, Some(2)), (128, 128, None), (256, 128, Some(1)), (384, 256, Some(2))];
        let freezing = Freezing { by_epoch, leaves, updates_per_epoch: 10, held: Cell::new(0) };
        let run = |first, number, updates| TrainedRun { first, number, updates };
        assert_eq!(freezing.runs(0, 3), [run(128, 128, 3)]);
        assert_eq!(freezing.runs(1, 12), [run(0, 128, 2), run(128, 128, 12), run(384, 256, 2)]);
        assert_eq!(freezing.runs(3, 30), [run(128, 128, 30)]);
        assert_eq!(freezing.runs(4, 41), [run(0, 128, 21), run(128, 128, 41), run(256, 128, 1), run(384, 256, 21)]);
    }
}
