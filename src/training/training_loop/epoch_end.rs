//! The end of an epoch: its evaluation, its line.

use serde_json::{Value, json};

use super::TrainingLoop;
use crate::activity::console;
use crate::activity::progress::Progress;
use crate::error::Result;
use crate::runs::Work;
use crate::training::metrics_file::MetricsFile;
use crate::training::tensorboard::Events;

impl TrainingLoop<'_, '_> {
    /// Evaluates if it is time, writes and returns the epoch's line, and moves to the next epoch.
    pub(super) fn end_epoch(
        &mut self,
        work: &Work,
        lines: &mut MetricsFile,
        events: &mut Events,
        shown: &Progress,
    ) -> Result<Value> {
        let epoch = self.state.position.epoch + 1;
        let options = &self.job.options;
        if epoch == 1 && self.callbacks.schedule.is_some() && self.last_lr.is_some() && !self.moved {
            console::log(&format!(
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
}
