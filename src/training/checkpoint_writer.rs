//! When checkpoints are written, and by whom: between two steps, or by a thread while the training goes on.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tch::Device;

use super::checkpoint::TrainingState;
use crate::activity::{console, panics};
use crate::environment;
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
        let every = environment::number("CPSD_CHECKPOINT_EVERY", 0.0..=1e9);
        CheckpointPolicy::from_settings(device, every, environment::flag("CPSD_CHECKPOINT_THREAD"))
    }

    fn from_settings(device: Device, every: Option<f64>, thread: Option<bool>) -> CheckpointPolicy {
        let mut policy = match device.is_cuda() {
            false => CheckpointPolicy { every: Duration::from_millis(500), share: 20, in_background: false },
            true => CheckpointPolicy { every: Duration::from_secs(300), share: 4, in_background: true },
        };
        policy.every = every.map_or(policy.every, Duration::from_secs_f64);
        policy.in_background = thread.unwrap_or(policy.in_background);
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
    use super::super::peers::Peers;
    use super::*;
    use crate::error::ErrorKind;
    use crate::files::own;
    use crate::images::scenes::{SceneOptions, splits};
    use crate::models::ModelSpec;
    use crate::runs::{Begun, RunStore};
    use crate::training::callbacks::Callbacks;
    use crate::training::job::Job;
    use crate::training::naming::NamedJob;
    use crate::training::options::TrainOptions;
    use crate::training::training_loop::TrainingLoop;

    const ALWAYS: Duration = Duration::ZERO;

    fn job() -> Job {
        let options = SceneOptions { train: 24, val: 8, test: 1, test_shifted: 1, size: 32, ..SceneOptions::default() };
        let mut splits = splits(&options).unwrap();
        let (_, val) = splits.remove(1);
        let (_, train) = splits.remove(0);
        let model =
            ModelSpec { backbone: "small_cnn".into(), image_size: Some(32), stages: Some(2), ..ModelSpec::default() };
        let options =
            TrainOptions { model, epochs: 4, batch: 4, eval_every: 1, threads: 1, views: 1, ..TrainOptions::default() };
        let labels = train.labels.labels()[..3].to_vec();
        Job { name: "test".into(), train, val: Some(val), labels, options, distillation: None }
    }

    /// Trains in a store, and gives the model's tensors and the lines without their times. `from` gets the number of updates that a
    /// checkpoint brought. `each` is called with the number of every epoch.
    fn trained(
        store: &RunStore,
        policy: CheckpointPolicy,
        from: &mut u64,
        mut each: impl FnMut(u64, &Work) -> Result<()>,
    ) -> Result<(Vec<Vec<f32>>, Vec<serde_json::Value>)> {
        tch::set_num_threads(1);
        console::set_quiet(true);
        let NamedJob { job, model, train, val, spec, id } = NamedJob::new(&job())?;
        let Begun::Work(work) = store.begin(&id, &spec)? else { panic!("it is finished") };
        let mut epoch = |line: &serde_json::Value| each(line["epoch"].as_u64().unwrap(), &work);
        let callbacks = Callbacks { epoch: Some(&mut epoch), ..Callbacks::default() };
        let peers = Peers::alone();
        let training = TrainingLoop::new(store, &job, &model, &train, &val, Some(&work), callbacks, &peers)?;
        *from = training.position().updates;
        let outcome = training.with_checkpoints(policy).train(&work)?;
        let lines = outcome.metrics.lines().map(|line| serde_json::from_str(line).unwrap());
        let lines = lines.map(|mut line: serde_json::Value| {
            let timed = line.as_object_mut().unwrap();
            timed.retain(|key, _| !["seconds", "images_per_second"].contains(&key.as_str()));
            line
        });
        let state = model.state().into_iter().map(|(_, tensor)| crate::torch::to_vec_f32(&tensor).unwrap());
        Ok((state.collect(), lines.collect()))
    }

    fn store() -> (tempfile::TempDir, RunStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = RunStore::new(folder.path());
        (folder, store)
    }

    #[test]
    fn a_thread_that_writes_changes_no_result_and_what_it_wrote_goes_on() {
        let never = CheckpointPolicy { every: Duration::from_secs(1000), share: 1, in_background: false };
        let thread = CheckpointPolicy { every: ALWAYS, share: 0, in_background: true };
        let (_folder, plain) = store();
        let mut from = 0;
        let expected = trained(&plain, never, &mut from, |_, _| Ok(())).unwrap();
        // Every checkpoint is one of some step, whole; it is read while the training goes on.
        let (_folder, background) = store();
        let mut seen = 0;
        let came = trained(&background, thread, &mut from, |epoch, work| {
            // The first may still be on its way.
            let patience = Instant::now();
            while own::is_absent(&work.checkpoint()) && patience.elapsed() < Duration::from_secs(20) {
                std::thread::sleep(Duration::from_millis(1));
            }
            let bytes = own::read(&work.checkpoint())?;
            seen += u64::from(safetensors::SafeTensors::deserialize(&bytes).is_ok() && epoch > 0);
            Ok(())
        });
        assert_eq!(came.unwrap(), expected);
        assert_eq!(seen, 4);
        // The process dies in the third epoch: no state is written at the end, so the next one has that of a thread.
        let (_folder, killed) = store();
        let (copy, again) = store();
        let stopped = trained(&killed, thread, &mut from, |epoch, work| {
            if epoch < 3 {
                return Ok(());
            }
            for entry in own::entries(work.dir.parent().unwrap()).filter(|entry| entry.path().is_dir()) {
                let to = copy.path().join(".work").join(entry.file_name());
                std::fs::create_dir_all(&to).unwrap();
                std::fs::copy(work.checkpoint(), to.join(work.checkpoint().file_name().unwrap())).unwrap();
            }
            Err(Error::interrupted())
        });
        assert_eq!(stopped.unwrap_err().kind, ErrorKind::Interrupted);
        assert_eq!(from, 0);
        // Of 6 updates in each epoch.
        assert_eq!(trained(&again, never, &mut from, |_, _| Ok(())).unwrap(), expected);
        assert!((1..=18).contains(&from), "{from}");
        assert_eq!(trained(&killed, never, &mut from, |_, _| Ok(())).unwrap(), expected);
        assert_eq!(from, 18);
    }

    #[test]
    fn an_error_of_the_thread_ends_the_training() {
        let (_folder, store) = store();
        let thread = CheckpointPolicy { every: ALWAYS, share: 0, in_background: true };
        let error = trained(&store, thread, &mut 0, |epoch, work| {
            if epoch == 1 {
                // No file can replace a folder.
                let _ = own::remove_file(&work.checkpoint());
                while own::create_folders(&work.checkpoint().join("in the way")).is_err() {
                    let _ = own::remove_file(&work.checkpoint());
                }
            }
            Ok(())
        });
        let error = error.unwrap_err();
        assert!(error.kind == ErrorKind::Io && error.message.contains("checkpoint"), "{error}");
    }

    #[test]
    fn a_gpu_writes_seldom_and_by_a_thread() {
        let of = |device, every, thread| {
            let policy = CheckpointPolicy::from_settings(device, every, thread);
            (policy.every.as_millis(), policy.in_background)
        };
        assert_eq!(of(Device::Cpu, None, None), (500, false));
        assert_eq!(of(Device::Cuda(1), None, None), (300_000, true));
        assert_eq!(of(Device::Cuda(0), Some(0.25), Some(false)), (250, false));
        assert_eq!(of(Device::Cpu, None, Some(true)), (500, true));
    }
}
