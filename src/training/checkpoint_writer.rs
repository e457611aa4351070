//! When checkpoints are written, and by whom: between two steps, or by a thread while the training goes on.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tch::Device;

use super::checkpoint::TrainingState;
use crate::activity::{console, panics};
use crate::error::{Error, Result};
use crate::runs::Work;

/// When and how checkpoints are written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CheckpointPolicy {
    /// At least so long after the last one.
    pub every: Duration,
    /// At least this multiple of the time that the last one took to write.
    pub share: u32,
    /// Whether the state is copied on its device and a thread writes the copy, while the training goes on.
    pub in_background: bool,
}

impl CheckpointPolicy {
    /// On a CPU every half second, between two steps: a killed process loses little, and little time goes into writing. On a GPU,
    /// where models are large and steps short, every five minutes by a thread: a gigabyte (ResNet-101 with its averaged weights) from
    /// each of eight GPUs is 100 GB an hour then.
    ///
    /// `CPSD_CHECKPOINT_EVERY` is another interval in seconds, and `CPSD_CHECKPOINT_THREAD` (`0` or `1`) says whether a thread writes.
    pub fn of(device: Device) -> CheckpointPolicy {
        let set = |name: &str| std::env::var(name).ok();
        CheckpointPolicy::from_settings(device, set("CPSD_CHECKPOINT_EVERY"), set("CPSD_CHECKPOINT_THREAD"))
    }

    fn from_settings(device: Device, every: Option<String>, thread: Option<String>) -> CheckpointPolicy {
        let mut policy = match device.is_cuda() {
            false => CheckpointPolicy { every: Duration::from_millis(500), share: 20, in_background: false },
            true => CheckpointPolicy { every: Duration::from_secs(300), share: 4, in_background: true },
        };
        if let Some(seconds) = every.and_then(|text| text.parse().ok()).filter(|x: &f64| (0.0..1e9).contains(x)) {
            policy.every = Duration::from_secs_f64(seconds);
        }
        match thread.as_deref() {
            Some("0") => policy.in_background = false,
            Some("1") => policy.in_background = true,
            _ => {}
        }
        policy
    }
}

/// Writes the checkpoints of one training, one at a time. Dropping it waits for the thread that writes.
pub struct CheckpointWriter<'a> {
    work: &'a Work,
    policy: CheckpointPolicy,
    /// The time of the last checkpoint's state, and how long it took to write.
    at: Instant,
    took: Duration,
    /// The thread that writes, and gives the time that it took.
    under_way: Option<JoinHandle<Result<Duration>>>,
}

impl<'a> CheckpointWriter<'a> {
    pub fn new(work: &'a Work, policy: CheckpointPolicy) -> CheckpointWriter<'a> {
        CheckpointWriter { work, policy, at: Instant::now(), took: Duration::ZERO, under_way: None }
    }

    /// Whether to write the next one. Errors: those of the thread that wrote the last one.
    pub fn is_due(&mut self) -> Result<bool> {
        if self.under_way.as_ref().is_some_and(JoinHandle::is_finished) {
            self.wait()?;
        }
        let after = self.policy.every.max(self.took.saturating_mul(self.policy.share));
        Ok(self.under_way.is_none() && self.at.elapsed() > after)
    }

    /// Writes the state, or begins to. Errors: Io; another maker has taken the run over; those of the thread that wrote
    /// the last one.
    pub fn save(&mut self, state: &TrainingState) -> Result<()> {
        self.wait()?;
        if !self.policy.in_background {
            return self.save_now(state);
        }
        self.work.check()?;
        let began = Instant::now();
        // Without memory for a copy, the training waits.
        let Ok(snapshot) = state.copied() else { return self.save_now(state) };
        let path = self.work.checkpoint();
        let writer = std::thread::Builder::new().name("checkpoint".into()).spawn(move || {
            let began = Instant::now();
            snapshot.write(&path).map(|()| began.elapsed())
        });
        self.under_way = Some(writer.map_err(|e| Error::internal(format!("a thread cannot be started: {e}")))?);
        self.at = began;
        Ok(())
    }

    /// Writes the state and returns when it is on disk. Errors: Io; another maker has taken the run over.
    pub fn save_now(&mut self, state: &TrainingState) -> Result<()> {
        // The state here replaces the one that a thread may be writing, whatever becomes of that.
        let _ = self.wait();
        self.work.check()?;
        let began = Instant::now();
        state.snapshot()?.write(&self.work.checkpoint())?;
        (self.at, self.took) = (Instant::now(), began.elapsed());
        Ok(())
    }

    /// Waits for the thread that writes. Errors: its errors.
    fn wait(&mut self) -> Result<()> {
        if let Some(writer) = self.under_way.take() {
            self.took = writer.join().unwrap_or_else(|panic| Err(panics::fault(&*panic)))?;
        }
        Ok(())
    }
}

impl Drop for CheckpointWriter<'_> {
    fn drop(&mut self) {
        // Whoever goes on must find it whole. The training ends here, well or with an error of its own.
        if let Err(error) = self.wait() {
            console::log(&format!("{}: the last checkpoint was not written: {error}", self.work.id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_writes_seldom_and_by_a_thread() {
        let of = |device, every: &str, thread: &str| {
            let set = |text: &str| (!text.is_empty()).then(|| text.to_string());
            let policy = CheckpointPolicy::from_settings(device, set(every), set(thread));
            (policy.every.as_millis(), policy.in_background)
        };
        assert_eq!(of(Device::Cpu, "", ""), (500, false));
        assert_eq!(of(Device::Cuda(1), "", ""), (300_000, true));
        assert_eq!(of(Device::Cuda(0), "0.25", "0"), (250, false));
        assert_eq!(of(Device::Cpu, "-1", "1"), (500, true));
        assert_eq!(of(Device::Cpu, "soon", "maybe"), (500, false));
    }
}
