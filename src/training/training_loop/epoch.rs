//! The steps of an epoch.

use tch::{Kind, Tensor};

use super::TrainingLoop;
use super::loss::Computed;
use crate::activity::interrupt;
use crate::activity::progress::Progress;
use crate::error::{Error, ErrorKind, Result};
use crate::models::{Pass, SyncNorms};
use crate::torch;
use crate::training::checkpoint::TrainingState;
use crate::training::checkpoint_writer::CheckpointWriter;
use crate::training::freezing::Freezing;
use crate::training::hooks::{BatchLine, Stopped};
use crate::training::mutual::Agreed;
use crate::training::optimiser::CopyOf;
use crate::training::options::TrainOptions;
use crate::training::schedule::Schedule;

/// Steps between two reads of the loss from the device.
const READ_LOSS_EVERY: u64 = 16;

/// How the steps of an epoch ended.
pub(super) enum Ended {
    /// All are done, or a callback has ended the training.
    Whole,
    /// At a step from which it can continue.
    Interrupted,
    /// The same, by an error of a callback.
    Thrown(Error),
}

/// The losses of an epoch's steps that are still on the device, to be read together.
#[derive(Default)]
struct Unread {
    losses: Vec<Tensor>,
    images: u64,
    /// How many of the losses, and of how many images, are those of steps before the last update.
    settled: (usize, u64),
    /// The batch statistics at the last update.
    statistics: Option<Tensor>,
}

/// Changes the weights by the gradients.
fn update(
    state: &mut TrainingState,
    schedule: &Schedule,
    freezing: Option<&Freezing>,
    options: &TrainOptions,
    epoch: u64,
    lr: f64,
) -> Result<()> {
    if options.clip > 0.0 {
        state.flat.clip_gradients(options.clip)?;
    }
    let momentum = schedule.momentum(state.position.updates);
    match freezing {
        None => state.rule.update(&mut state.flat, lr, momentum)?,
        Some(freezing) => {
            let runs = freezing.runs(epoch, state.position.updates);
            state.rule.update_runs(&state.flat, lr, momentum, &runs)?;
        }
    }
    state.flat.zero_gradients()?;
    state.position.updates += 1;
    if options.ema > 0.0 {
        state.average.update(&state.flat, state.position.updates)?;
    }
    Ok(())
}

impl TrainingLoop<'_, '_> {
    /// Trains the rest of the current epoch.
    pub(super) fn epoch(&mut self, shown: &Progress, mut checkpoints: Option<&mut CheckpointWriter>) -> Result<Ended> {
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
        let mut unread = Unread::default();
        let mut done = from;
        self.state.flat.zero_gradients()?;
        let _norms = SyncNorms::enter(self.peers.group().filter(|_| options.sync_batchnorm).cloned());
        if let Some(freezing) = &self.freezing {
            freezing.hold(model, epoch)?;
        }
        let order = match self.orders.of(epoch) {
            Err(error) if self.goes_back(&error) => return Ok(Ended::Thrown(error)),
            order => order?,
        };
        let several = self.peers.size() > 1;
        let partner = several && self.mixing.is_some();
        let steps = from..self.steps;
        // Of several processes one is never interrupted alone.
        let keeps_statistics = !several && self.callbacks.seat.is_none();
        let statistics = |flat: &Tensor| keeps_statistics.then(|| flat.f_copy_of()).transpose();
        unread.statistics = statistics(&self.state.flat.statistics)?;
        let mut left = None;
        for batch in self.inputs.epoch(model, epoch, &order, steps, options.batch, self.peers, partner)? {
            let batch = match batch {
                // Nothing of this step is done, and a student of a group can go on from there too.
                Err(error)
                    if error.kind == ErrorKind::Interrupted && done == self.state.position.step && !several
                        || self.goes_back(&error) =>
                {
                    left = Some(error);
                    break;
                }
                batch => batch?,
            };
            let part = self.part(several.then_some(order.as_slice()), done);
            let pass = Pass::step(self.job.own_seed(), epoch, done).within(options.precision).at(part.slice);
            let computed = match self.computed(&batch, done, pass, &part) {
                Ok(Some(computed)) => computed,
                // Another student was stopped between two epochs, from where this one can go on too.
                Ok(None) if unread.losses.is_empty() && done == self.state.position.step => {
                    return Ok(Ended::Interrupted);
                }
                Ok(None) => return Err(Error::interrupted()),
                Err(error) if self.goes_back(&error) => {
                    left = Some(error);
                    break;
                }
                Err(error) => return Err(error),
            };
            let Computed { loss, logits, targets } = computed;
            loss.f_backward()?;
            unread.losses.push(loss.f_detach()?);
            unread.images += part.batch as u64;
            done += 1;
            shown.advance(part.batch as u64);
            if done % options.accumulate as u64 != 0 && done != self.steps {
                continue;
            }
            // Once per update, since a script's schedule may count its calls.
            let lr = match self.schedule.lr(self.state.position.updates, self.callbacks.schedule) {
                Err(error) if self.goes_back(&error) => {
                    left = Some(error);
                    break;
                }
                lr => lr?,
            };
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
            update(&mut self.state, &self.schedule, self.freezing.as_ref(), options, epoch, lr)?;
            self.state.position.step = done;
            let mut thrown = None;
            let mut ending = false;
            if let (Some(call), Some(norm)) = (watched, norm) {
                let numbers = [loss.f_detach()?.f_to_kind(Kind::Double)?, norm.f_to_kind(Kind::Double)?];
                let numbers = torch::to_vec_f64(&Tensor::f_stack(&numbers, 0)?)?;
                let outputs = match options.on_batch_outputs {
                    true => Some([logits.f_detach()?, targets]),
                    false => None,
                };
                let update = self.state.position.updates;
                let (name, grad_norm) = (self.job.name.clone(), numbers[1]);
                let line =
                    BatchLine { name, epoch: epoch + 1, step: done, update, loss: numbers[0], lr, grad_norm, outputs };
                thrown = call(line).err();
                ending = thrown.is_none() && self.callbacks.asked_to_stop();
            }
            let mut stopping = interrupt::requested();
            let mut saving = match &mut checkpoints {
                Some(checkpoints) => checkpoints.is_due()?,
                None => false,
            };
            let reading = unread.losses.len() as u64 >= self.peers.read_every(READ_LOSS_EVERY, model.device)
                || done == self.steps;
            if let Some(seat) = self.callbacks.seat {
                // All stop with the one whose callback failed.
                let said = Agreed { stopping: stopping || thrown.is_some(), saving, ending };
                Agreed { stopping, saving, ending } = seat.agree(said)?;
            }
            if ending {
                let stopped = Stopped { by: "on_batch".into(), epoch: epoch + 1, step: Some(done) };
                self.state.position.stopped = Some(stopped);
            }
            let called_off = thrown.is_some() || ending;
            if self.peers.size() > 1 && !reading {
                // All stop and write at the same step, on which they agree where they read.
                (stopping, saving) = (false, false);
            }
            if reading || stopping || saving || called_off {
                let sum;
                (sum, stopping, saving) = self.finite_loss(&unread.losses, stopping, saving).map_err(|error| {
                    let at = format!("in epoch {}, step {done} (learning rate {lr:.2e})", epoch + 1);
                    Error { message: format!("{} {at}", error.message), ..error }
                })?;
                self.state.position.loss_sum += sum;
                self.state.position.loss_images += unread.images;
                unread = Unread::default();
                shown.note(format!(
                    "epoch {}/{} loss {:.2} lr {lr:.1e}{}",
                    epoch + 1,
                    options.epochs,
                    self.state.position.loss_sum / self.state.position.loss_images.max(1) as f64,
                    self.state.position.best.as_ref().map_or(String::new(), |b| format!(" mAP {:.1}", b.map)),
                ));
            }
            unread.settled = (unread.losses.len(), unread.images);
            unread.statistics = statistics(&self.state.flat.statistics)?;
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
        match left {
            None => Ok(Ended::Whole),
            Some(error) => self.back_to_the_last_update(&unread, error),
        }
    }

    /// Whether a training that is left with this error, by a closure of the script or by its user, keeps what it has done up to the last
    /// update. Several processes would stop at different ones, and so would students of a group in the middle of a step.
    fn goes_back(&self, error: &Error) -> bool {
        error.kind == ErrorKind::Interrupted && self.peers.size() == 1 && self.callbacks.seat.is_none()
    }

    /// Makes the state that of the last update, after a part of a step.
    fn back_to_the_last_update(&mut self, unread: &Unread, error: Error) -> Result<Ended> {
        let (losses, images) = unread.settled;
        if losses > 0 {
            self.state.position.loss_sum += self.finite_loss(&unread.losses[..losses], false, false)?.0;
            self.state.position.loss_images += images;
        }
        if let Some(statistics) = &unread.statistics {
            tch::no_grad(|| self.state.flat.statistics.f_copy_(statistics))?;
        }
        Ok(Ended::Thrown(error))
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
}
