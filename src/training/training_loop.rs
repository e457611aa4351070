//! The training loop: epochs, steps, evaluation on the validation split, checkpoints.

mod evaluation;
mod step;

use std::time::Instant;

use serde_json::{Value, json};
use tch::{Kind, Tensor};

use self::step::Step;
use super::callbacks::Callbacks;
use super::checkpoint::{Best, TrainingPosition, TrainingState};
use super::checkpoint_writer::{CheckpointPolicy, CheckpointWriter};
use super::distillation_loss::{self, DistillationLoss};
use super::fitting;
use super::freezing::Freezing;
use super::hooks::{BatchLine, Stopped};
use super::job::{Distillation, Job};
use super::metrics_file::{MetricsFile, parsed};
use super::mixing::Mixing;
use super::model_inputs::{ModelInputs, steps_per_epoch};
use super::optimiser::{Average, Flat, Form, Groups, UpdateRule};
use super::options::EmaStart;
use super::peers::{Part, Peers, weighted};
use super::rate_factors::RateFactors;
use super::sampler::Orders;
use super::schedule::Schedule;
use super::tensorboard::Events;
use super::views::Views;
use crate::activity::interrupt;
use crate::activity::progress::Progress;
use crate::error::{Error, ErrorKind, Result};
use crate::files::own;
use crate::images::Dataset;
use crate::models::heads::{LabelLoss, Truth};
use crate::models::{Model, Pass, StageMaps, SyncNorms};
use crate::random::mixed;
use crate::runs::{RunStore, Work};
use crate::{cuda, torch};

/// Steps between two reads of the loss from the device.
const READ_LOSS_EVERY: u64 = 16;

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
    /// The content of metrics.jsonl.
    pub metrics: String,
}

/// The name under which rank 0 tells the others that an epoch has ended.
fn end_of(epoch: u64) -> String {
    format!("epoch/{epoch}")
}

/// How the steps of an epoch ended.
enum Ended {
    /// All are done, or a callback has ended the training.
    Whole,
    /// At a step from which it can continue.
    Interrupted,
    /// The same, by an error of a callback.
    Thrown(Error),
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
    /// Prepares inputs, teacher outputs and optimiser. Continues from the checkpoint in `work` if there is one, all of `peers` at
    /// the same place. Only rank 0 has a `work`.
    #[allow(clippy::too_many_arguments)] // all that a training is made of
    pub fn new(
        store: &RunStore,
        job: &'a Job,
        model: &'a Model,
        train: &Dataset,
        val: &Dataset,
        work: Option<&Work>,
        callbacks: Callbacks<'h>,
        peers: &'a Peers,
    ) -> Result<Self> {
        let options = &job.options;
        let views = Views::of_training(options).made_by(callbacks.augment);
        let inputs = ModelInputs::new(store, model, train, views.clone())?;
        let free = cuda::free_memory(model.device);
        let inputs = inputs.keep(model.device, free)?;
        // Both together take no more than one alone may.
        let free = free.map(|free| free.saturating_sub(2 * inputs.kept_bytes()));
        let val_inputs = match val.is_empty() {
            true => None,
            false => {
                let inputs = ModelInputs::new(store, model, val, Views::of_evaluation(options))?;
                Some(inputs.keep(model.device, free)?)
            }
        };
        let m = job.labels.len() as i64;
        let targets = match &options.targets {
            Some(given) => given.of(train.labels.images(), &job.labels)?,
            None => Tensor::f_from_slice(&train.labels.dense()?)?.f_view([train.len() as i64, m])?,
        };
        let targets = targets.f_to_device(model.device)?;
        // Given targets know every label.
        let known = options.known_labels().mask(train).filter(|_| options.targets.is_none());
        let count = |row: &[bool]| row.iter().filter(|known| **known).count() as u32;
        let counts = |mask: &Vec<bool>| mask.chunks(m as usize).map(count).collect();
        let known_counts = known.as_ref().filter(|_| peers.size() > 1).map(counts);
        let distillation = match &job.distillation {
            None => None,
            Some(distillation) => {
                let rule = callbacks.rule;
                Some(DistillationLoss::new(store, job, distillation, train, val, &views, model, rule)?)
            }
        };
        let orders = Orders::new(&options.sampler, callbacks.sampler, options.seed, train.len())?;
        let steps = steps_per_epoch(orders.images(), options.batch, options.drop_last);
        let updates = steps.div_ceil(options.accumulate as u64);
        let schedule = Schedule::new(options, updates);
        let flat = Flat::new(model)?;
        let mut groups = Groups::new(&flat, options.weight_decay, options.decay_on);
        RateFactors::set(options, model, &flat, &mut groups)?;
        let rule = UpdateRule::new(&flat, options, groups)?;
        let mut average = Average::new(&flat, options.ema, options.ema_warmup)?;
        if options.ema > 0.0 && options.ema_start == EmaStart::AnotherHead {
            let other = options.initial_model(&model.labels, mixed(job.own_seed()), model.device)?;
            average.start_from(&Flat::new(&other)?)?;
        }
        let freezing = Freezing::new(options, model, &flat, updates)?;
        let state = TrainingState {
            flat,
            rule,
            average,
            best: None,
            position: TrainingPosition::default(),
            metrics: String::new(),
        };
        let mut engine = TrainingLoop {
            job,
            model,
            inputs,
            orders,
            mixing: Mixing::of(options),
            freezing,
            val_inputs,
            targets,
            known,
            val_targets: val.labels.targets()?,
            distillation,
            callbacks,
            checkpoints: CheckpointPolicy::of(model.device),
            peers,
            known_counts,
            schedule,
            last_lr: None,
            moved: false,
            steps,
            state,
        };
        let checkpoint = work.map(Work::checkpoint).filter(|checkpoint| !own::is_absent(checkpoint));
        let checkpoint = match engine.callbacks.seat {
            None => checkpoint.as_deref(),
            Some(seat) => seat.common(checkpoint.as_deref(), &job.name)?,
        };
        if let Some(checkpoint) = checkpoint {
            match engine.state.load(checkpoint) {
                Ok(()) => crate::activity::console::log(&format!(
                    "{}: resumed at epoch {}",
                    job.name,
                    engine.state.position.epoch + 1
                )),
                // A stop while it is read says nothing of it.
                Err(error) if error.kind == ErrorKind::Interrupted => return Err(error),
                // The other students go on from theirs.
                Err(error) if engine.callbacks.seat.is_some() => return Err(error),
                // With a damaged checkpoint the training starts over instead of failing.
                Err(error) => crate::activity::console::log(&format!("{}: starting over: {error}", job.name)),
            }
        }
        engine.state.share(peers)?;
        Ok(engine)
    }

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
        if self.callbacks.asked_to_stop() && self.state.position.stopped.is_none() {
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

    /// Trains the rest of the current epoch.
    fn epoch(&mut self, shown: &Progress, mut checkpoints: Option<&mut CheckpointWriter>) -> Result<Ended> {
        let options = &self.job.options;
        if self.state.position.stopped.is_some() {
            return Ok(Ended::Whole);
        }
        if self.state.position.step == 0 {
            self.state.position.loss_sum = 0.0;
            self.state.position.loss_images = 0;
        }
        let (epoch, from) = (self.state.position.epoch, self.state.position.step);
        let model = self.model;
        // Losses are kept on the device and read together.
        let mut unread: Vec<Tensor> = Vec::new();
        let mut unread_images = 0;
        let mut done = from;
        self.state.flat.zero_gradients()?;
        let _norms = SyncNorms::enter(self.peers.group().filter(|_| options.sync_batchnorm).cloned());
        if let Some(freezing) = &self.freezing {
            freezing.hold(model, epoch)?;
        }
        let order = self.orders.of(epoch)?;
        let several = self.peers.size() > 1;
        let partner = several && self.mixing.is_some();
        let steps = from..self.steps;
        for batch in self.inputs.epoch(model, epoch, &order, steps, options.batch, self.peers, partner)? {
            let batch = match batch {
                // A closure that makes the views was interrupted: nothing of this step is done.
                Err(error) if error.kind == ErrorKind::Interrupted && done == self.state.position.step && !several => {
                    if !unread.is_empty() {
                        self.state.position.loss_sum += self.finite_loss(&unread, false, false)?.0;
                        self.state.position.loss_images += unread_images;
                    }
                    return Ok(Ended::Interrupted);
                }
                batch => batch?,
            };
            let part = self.part(several.then_some(order.as_slice()), done);
            let Step { x, targets, rows, known } = self.step(&batch, epoch, done)?;
            let pass = Pass::step(self.job.own_seed(), epoch, done).within(options.precision).at(part.slice);
            let truth = Truth { targets: &targets, known: known.as_ref() };
            let functions = self.callbacks.of_distillation();
            let mut maps = StageMaps::new();
            let seen = functions.features.is_some().then_some(&mut maps);
            let answer = self.inputs.answer_seen(model, &x, pass, Some(truth), seen)?;
            let label_loss = LabelLoss { spec: &options.loss, function: self.callbacks.loss, known: known.as_ref() };
            let mut loss = weighted(answer.loss(label_loss, &targets)?, part.of_labels(options.loss.reduction()))?;
            if let Some(distillation) = &self.job.distillation
                && distillation.label_weight != 1.0
            {
                loss = loss.f_mul_scalar(distillation.label_weight)?;
            }
            if let Some(distillation) = &self.distillation {
                let step = distillation_loss::Step { logits: &answer.logits, maps: &maps, rows: &rows, x: &x, pass };
                loss = distillation.add_to(loss, functions, &step, &part)?;
            }
            if let (Some(seat), Some(distillation)) = (self.callbacks.seat, &self.job.distillation)
                && let Some(mutual) = &distillation.mutual
            {
                let Distillation { loss: distance, .. } = distillation;
                loss = match seat.add_to(loss, mutual, distance, functions.distance, &answer.logits)? {
                    Some(loss) => loss,
                    // Another student was stopped between two epochs, from where this one can go on too.
                    None if unread.is_empty() && done == self.state.position.step => return Ok(Ended::Interrupted),
                    None => return Err(Error::interrupted()),
                };
            }
            if let Some(more) = model.auxiliary()? {
                loss = loss.f_add(&weighted(more, part.of_all)?)?;
            }
            loss.f_backward()?;
            unread.push(loss.f_detach()?);
            unread_images += part.batch as u64;
            done += 1;
            shown.advance(part.batch as u64);
            if done % options.accumulate as u64 != 0 && done != self.steps {
                continue;
            }
            // Once per update, since a script's schedule may count its calls.
            let lr = self.schedule.lr(self.state.position.updates, self.callbacks.schedule)?;
            if self.last_lr.is_none() {
                self.moved = self.state.position.updates > 0;
            }
            self.last_lr = Some(lr);
            self.moved |= lr != 0.0;
            self.peers.sum(&self.state.flat.gradients)?;
            // From here to the next batch no gradient is pending: the only place where a training may be interrupted.
            let watched = self
                .callbacks
                .batch
                .filter(|_| (self.state.position.updates + 1).is_multiple_of(options.on_batch_every));
            let norm = watched.map(|_| self.state.flat.gradients.f_norm()).transpose()?;
            if options.clip > 0.0 {
                self.state.flat.clip_gradients(options.clip)?;
            }
            let momentum = self.schedule.momentum(self.state.position.updates);
            match &self.freezing {
                None => self.state.rule.update(&mut self.state.flat, lr, momentum)?,
                Some(freezing) => {
                    let runs = freezing.runs(epoch, self.state.position.updates);
                    self.state.rule.update_runs(&self.state.flat, lr, momentum, &runs)?;
                }
            }
            self.state.flat.zero_gradients()?;
            self.state.position.updates += 1;
            if options.ema > 0.0 {
                self.state.average.update(&self.state.flat, self.state.position.updates)?;
            }
            self.state.position.step = done;
            let mut thrown = None;
            if let (Some(call), Some(norm)) = (watched, norm) {
                let numbers = [loss.f_detach()?.f_to_kind(Kind::Double)?, norm.f_to_kind(Kind::Double)?];
                let numbers = torch::to_vec_f64(&Tensor::f_stack(&numbers, 0)?)?;
                let outputs = match options.on_batch_outputs {
                    true => Some([answer.logits.f_detach()?, targets]),
                    false => None,
                };
                let update = self.state.position.updates;
                let (name, grad_norm) = (self.job.name.as_str(), numbers[1]);
                let line =
                    BatchLine { name, epoch: epoch + 1, step: done, update, loss: numbers[0], lr, grad_norm, outputs };
                thrown = call(line).err();
                if thrown.is_none() && self.callbacks.asked_to_stop() {
                    let stopped = Stopped { by: "on_batch".into(), epoch: epoch + 1, step: Some(done) };
                    self.state.position.stopped = Some(stopped);
                }
            }
            let called_off = thrown.is_some() || self.state.position.stopped.is_some();
            let mut stopping = interrupt::requested();
            let mut saving = match &mut checkpoints {
                Some(checkpoints) => checkpoints.is_due()?,
                None => false,
            };
            let reading =
                unread.len() as u64 >= self.peers.read_every(READ_LOSS_EVERY, model.device) || done == self.steps;
            if let Some(seat) = self.callbacks.seat {
                (stopping, saving) = seat.agree(stopping, saving)?;
            }
            if self.peers.size() > 1 && !reading {
                // All stop and write at the same step, on which they agree where they read.
                (stopping, saving) = (false, false);
            }
            if reading || stopping || saving || called_off {
                let sum;
                (sum, stopping, saving) = self.finite_loss(&unread, stopping, saving).map_err(|error| {
                    let at = format!("in epoch {}, step {done} (learning rate {lr:.2e})", epoch + 1);
                    Error { message: format!("{} {at}", error.message), ..error }
                })?;
                self.state.position.loss_sum += sum;
                self.state.position.loss_images += unread_images;
                unread.clear();
                unread_images = 0;
                shown.note(format!(
                    "epoch {}/{} loss {:.2} lr {lr:.1e}{}",
                    epoch + 1,
                    options.epochs,
                    self.state.position.loss_sum / self.state.position.loss_images.max(1) as f64,
                    self.state.position.best.as_ref().map_or(String::new(), |b| format!(" mAP {:.1}", b.map)),
                ));
            }
            if saving && let Some(checkpoints) = &mut checkpoints {
                checkpoints.save(&self.state)?;
            }
            if let Some(error) = thrown {
                return Ok(Ended::Thrown(error));
            }
            if self.state.position.stopped.is_some() {
                return Ok(Ended::Whole);
            }
            if stopping {
                return Ok(Ended::Interrupted);
            }
        }
        Ok(Ended::Whole)
    }

    /// The sum of the losses. It is read from the device together with sums over everything that a step changes: where the loss is a
    /// number and its gradient none, the weights are lost, and must not come into a checkpoint.
    ///
    /// Errors: Data, without the place, if one of the sums is no finite number.
    fn finite_loss(&self, losses: &[Tensor], stopping: bool, saving: bool) -> Result<(f64, bool, bool)> {
        let loss = Tensor::f_stack(losses, 0)?.f_to_kind(Kind::Double)?.f_sum(Kind::Double)?;
        let (names, changed): (Vec<_>, Vec<_>) = self.state.changed(self.job.options.ema > 0.0).into_iter().unzip();
        let of = |tensor: &Tensor| -> Result<Tensor> { Ok(tensor.f_sum(None)?.f_to_kind(Kind::Double)?) };
        let sums = changed.into_iter().map(of).collect::<Result<Vec<_>>>()?;
        let (mut numbers, stopping, saving) = self.peers.agree(loss, sums, stopping, saving)?;
        let (loss, rest) = (numbers.remove(0), numbers);
        let help = match self.callbacks.loss.is_some() {
            true => {
                "look at the closure of option \"loss\" first: log, sqrt and a division need a clamp before them at 0; else a smaller lr \
                 mends this; the last good checkpoint is kept"
            }
            false => "a smaller lr, or distill_weight, usually mends this; the last good checkpoint is kept",
        };
        if !loss.is_finite() {
            return Err(Error::data("the loss is no longer a number").with_help(help));
        }
        match names.iter().zip(rest).find(|(_, sum)| !sum.is_finite()) {
            None => Ok((loss, stopping, saving)),
            Some((name, _)) => {
                let message = format!("the loss is a number, but {name} are no longer finite");
                Err(Error::data(message).with_help(format!(
                    "a gradient was infinite or NaN, as those of sqrt, log and pow at 0, which clamp before them avoids; {help}"
                )))
            }
        }
    }

    /// Evaluates if it is time, writes and returns the epoch's line, and moves to the next epoch.
    fn end_epoch(
        &mut self,
        work: &Work,
        lines: &mut MetricsFile,
        events: &mut Events,
        shown: &Progress,
    ) -> Result<Value> {
        let epoch = self.state.position.epoch + 1;
        let options = &self.job.options;
        if epoch == 1 && self.callbacks.schedule.is_some() && self.last_lr.is_some() && !self.moved {
            crate::activity::console::log(&format!(
                "{}: the schedule gives 0 at every step of the first epoch, so the weights stay as they are; / of two integers drops the \
                 fraction: 1.0 * step / total keeps it",
                self.job.name
            ));
        }
        let lr = match self.last_lr {
            Some(lr) => lr,
            // A resumed training that had all updates of its epoch.
            None => self.schedule.lr(self.state.position.updates.saturating_sub(1), self.callbacks.schedule)?,
        };
        let done = (epoch - 1) * self.images(self.steps) + self.images(self.state.position.step);
        let mut line = json!({
            "epoch": epoch,
            "loss": self.state.position.loss_sum / self.state.position.loss_images.max(1) as f64,
            "lr": lr,
            "images_per_second": done as f64 / self.state.position.seconds.max(1e-9),
            "seconds": self.state.position.seconds,
        });
        let last = epoch == options.epochs || self.state.position.stopped.is_some();
        if self.val_inputs.is_some() && (epoch.is_multiple_of(options.eval_period()) || last) {
            for (map, averaged) in self.evaluate(epoch, shown)? {
                line[if averaged { "val_mAP_ema" } else { "val_mAP" }] = json!(map);
            }
        }
        work.check()?;
        lines.append(&line)?;
        events.append(&line)?;
        self.state.metrics.push_str(&format!("{line}\n"));
        self.state.position.epoch = epoch;
        self.state.position.step = 0;
        Ok(line)
    }

    /// Whether the best mAP is so many epochs back that training should stop.
    fn out_of_patience(&self) -> bool {
        let (position, patience) = (&self.state.position, self.job.options.patience);
        patience > 0 && position.best.as_ref().is_some_and(|best| position.epoch >= best.epoch + patience)
    }
}
