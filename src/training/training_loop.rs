//! The training loop: epochs, steps, evaluation on the validation split, checkpoints.

mod epoch;
mod epoch_end;
mod evaluation;
mod loss;
mod setup;
mod step;

use std::time::Instant;

use serde_json::{Value, json};
use tch::Tensor;

use self::epoch::Ended;
use super::callbacks::Callbacks;
use super::checkpoint::{Best, TrainingPosition, TrainingState};
use super::checkpoint_writer::{CheckpointPolicy, CheckpointWriter};
use super::distillation_loss::DistillationLoss;
use super::fitting;
use super::freezing::Freezing;
use super::hooks::Stopped;
use super::job::Job;
use super::metrics_file::{MetricsFile, parsed};
use super::mixing::Mixing;
use super::model_inputs::ModelInputs;
use super::optimiser::Form;
use super::peers::{Part, Peers};
use super::sampler::Orders;
use super::schedule::Schedule;
use super::tensorboard::Events;
use crate::activity::progress::Progress;
use crate::error::{Error, ErrorKind, Result};
use crate::models::Model;
use crate::runs::Work;

/// The result of a finished training.
pub struct Outcome {
    pub best: Option<Best>,
    pub updates: u64,
    pub seconds: f64,
    pub final_loss: f64,
    /// How updates were computed.
    pub form: Form,
    /// The callback that ended it before its last epoch.
    pub stopped: Option<Stopped>,
    /// What its steps were computed with, oldest first.
    pub made_with: Vec<String>,
    /// The content of metrics.jsonl.
    pub metrics: String,
}

/// The name under which rank 0 tells the others that an epoch has ended.
fn end_of(epoch: u64) -> String {
    format!("epoch/{epoch}")
}

/// A running training.
pub struct TrainingLoop<'a, 'h> {
    job: &'a Job,
    model: &'a Model,
    inputs: ModelInputs<'h>,
    orders: Orders<'a>,
    mixing: Option<Mixing>,
    freezing: Option<Freezing>,
    /// None without validation images.
    val_inputs: Option<ModelInputs<'h>>,
    /// [images, m] on the model's device.
    targets: Tensor,
    /// [images, m], row by row: which targets are known. None if all are.
    known: Option<Vec<bool>>,
    /// -1 where the truth is unknown.
    val_targets: Vec<f32>,
    distillation: Option<DistillationLoss<'a>>,
    callbacks: Callbacks<'h>,
    checkpoints: CheckpointPolicy,
    peers: &'a Peers,
    /// The number of known labels of every image, where that weighs the losses of several processes.
    known_counts: Option<Vec<u32>>,
    schedule: Schedule,
    /// The learning rate of the last update. None before the first one of this process.
    last_lr: Option<f64>,
    /// Whether an update had another rate than 0, or may have had one before the training was resumed.
    moved: bool,
    /// Batches per epoch.
    steps: u64,
    state: TrainingState,
}

impl<'a, 'h: 'a> TrainingLoop<'a, 'h> {
    /// Where it begins: behind the checkpoint that it goes on from, if there was one.
    pub fn position(&self) -> &TrainingPosition {
        &self.state.position
    }

    /// Writes checkpoints by another policy than that of the model's device.
    pub fn with_checkpoints(self, checkpoints: CheckpointPolicy) -> Self {
        TrainingLoop { checkpoints, ..self }
    }

    /// Trains to the end and leaves the chosen weights in the model. The callback for epochs receives every epoch's
    /// line, those of earlier processes first. Its error stops the training like an interrupt.
    ///
    /// Errors: Interrupted after a checkpoint was written; Io when another maker has taken the run over; Data when the loss or the weights are no longer
    /// numbers (the last good checkpoint is kept); a picture that cannot be read, named.
    pub fn train(mut self, work: &Work) -> Result<Outcome> {
        let options = &self.job.options;
        let shown = Progress::new(self.job.name.clone(), options.epochs * self.images(self.steps), "images");
        shown.set(self.state.position.epoch * self.images(self.steps) + self.images(self.state.position.step));
        let started = Instant::now();
        let before = self.state.position.seconds;
        // Dropped, whatever ends the training, before its folder is used by others: it waits for the thread that writes.
        let mut checkpoints = CheckpointWriter::new(work, self.checkpoints);
        let mut lines = MetricsFile::replay(work, &self.state.metrics)?;
        let earlier = parsed(&self.state.metrics)?;
        let mut events = Events::replay(work, &earlier)?;
        self.callbacks.asked_to_stop();
        earlier.iter().try_for_each(|line| self.epoch_done(line))?;
        while !self.is_at_the_end() {
            let ended = self.epoch(&shown, Some(&mut checkpoints));
            let ended = ended.map_err(|error| fitting::in_step(error, options, self.model.image_size()));
            self.state.position.seconds = before + started.elapsed().as_secs_f64();
            let error = match ended? {
                Ended::Whole => None,
                Ended::Interrupted => Some(Error::interrupted()),
                Ended::Thrown(error) => Some(error),
            };
            if let Some(error) = error {
                checkpoints.save_now(&self.state)?;
                return Err(error);
            }
            match self.end_epoch(work, &mut lines, &mut events, &shown) {
                Ok(line) => {
                    self.peers.tell(&end_of(self.state.position.epoch), &json!(self.state.position))?;
                    if let Err(error) = self.epoch_done(&line) {
                        checkpoints.save_now(&self.state)?;
                        return Err(error);
                    }
                }
                Err(error) => {
                    // The steps of the epoch are done: a resumed training begins with its evaluation.
                    if error.kind == ErrorKind::Interrupted {
                        checkpoints.save_now(&self.state)?;
                    }
                    return Err(error);
                }
            }
        }
        if self.ended_unevaluated()?
            && let Err(error) = self.evaluate(self.state.position.epoch, &shown)
        {
            if error.kind == ErrorKind::Interrupted {
                checkpoints.save_now(&self.state)?;
            }
            return Err(error);
        }
        shown.finish();
        self.choose()?;
        Ok(Outcome {
            stopped: self.state.position.stopped.clone(),
            made_with: self.state.position.made_with.clone(),
            best: self.state.position.best.clone(),
            updates: self.state.position.updates,
            seconds: self.state.position.seconds,
            form: self.state.rule.form(),
            final_loss: self.state.position.loss_sum / self.state.position.loss_images.max(1) as f64,
            metrics: self.state.metrics,
        })
    }

    /// Trains along with rank 0, which evaluates and writes. Errors: as for [`train`](Self::train); rank 0's.
    pub fn follow(mut self) -> Result<()> {
        let shown = Progress::new(self.job.name.clone(), self.job.options.epochs * self.images(self.steps), "images");
        while !self.is_at_the_end() {
            let ended = self.epoch(&shown, None);
            match ended.map_err(|error| fitting::in_step(error, &self.job.options, self.model.image_size()))? {
                Ended::Whole => {}
                Ended::Interrupted => return Err(Error::interrupted()),
                Ended::Thrown(error) => return Err(error),
            }
            self.state.hear_position(self.peers, &end_of(self.state.position.epoch + 1))?;
        }
        Ok(())
    }

    /// Passes an epoch's line to the callback, which may end the training after it.
    fn epoch_done(&mut self, line: &Value) -> Result<()> {
        self.callbacks.epoch_done(line, &self.job.name)?;
        let mut ending = self.callbacks.asked_to_stop();
        if let Some(seat) = self.callbacks.seat
            && self.job.options.on_epoch.may_stop()
        {
            ending = seat.any(ending)?;
        }
        if ending && self.state.position.stopped.is_none() {
            let epoch = self.state.position.epoch;
            self.state.position.stopped = Some(Stopped { by: "on_epoch".into(), epoch, step: None });
        }
        Ok(())
    }

    /// Whether no epoch follows, nor the end of one.
    fn is_at_the_end(&self) -> bool {
        let position = &self.state.position;
        let stopped = position.stopped.as_ref().is_some_and(|stopped| position.epoch >= stopped.epoch);
        stopped || position.epoch >= self.job.options.epochs || self.out_of_patience()
    }

    /// This process's part of step `step`; `order` is that of all images in this epoch, where there are several processes.
    fn part(&self, order: Option<&[u32]>, step: u64) -> Part {
        let batch = self.job.options.batch;
        let from = (step as usize).saturating_mul(batch);
        let to = from.saturating_add(batch).min(self.orders.images());
        match order {
            None => Part::whole(to.saturating_sub(from)),
            Some(order) => Part::of(self.peers, &order[from..to], self.known_counts.as_deref()),
        }
    }

    /// The number of images in the first `steps` steps of an epoch.
    fn images(&self, steps: u64) -> u64 {
        (steps * self.job.options.batch as u64).min(self.orders.images() as u64)
    }

    /// Whether the best mAP is so many epochs back that training should stop.
    fn out_of_patience(&self) -> bool {
        let (position, patience) = (&self.state.position, self.job.options.patience);
        patience > 0 && position.best.as_ref().is_some_and(|best| position.epoch >= best.epoch + patience)
    }
}
