//! One training in several processes of this machine.

use super::callbacks::Callbacks;
use super::job::Job;
use super::job_file::{self, Task};
use super::naming::check_closures;
use super::peers::gpu_of;
use super::run::{load, stored};
use super::trained_model::Trained;
use crate::devices;
use crate::distributed::{Engine, Place, Store};
use crate::error::{Error, Result};
use crate::executors::worker::WorkerCommand;
use crate::executors::{device_pool, pool, ranks};
use crate::runs::RunStore;

/// Finds the run, or trains it in `nproc` processes, of which each has a GPU where there are GPUs. Every epoch is passed to the
/// callback.
///
/// Errors: closures among the options, which live in this process; fewer GPUs than processes; that of the process which failed
/// first; Interrupted, with a checkpoint that the next call resumes.
pub(super) fn run(store: &RunStore, job: &Job, mut callbacks: Callbacks) -> Result<Trained> {
    let nproc = job.options.nproc;
    // Before anything is downloaded.
    check_closures(job)?;
    let gpus = devices::all_gpus();
    let shared = Engine::lets_share_gpus();
    let places = (0..nproc)
        .map(|rank| if gpus.is_empty() { Ok(None) } else { gpu_of(rank, &gpus, shared).map(Some) })
        .collect::<Result<Vec<_>>>()?;
    // Downloaded once, and here, where a question can be asked.
    job.options.model.find_weights()?;
    if let Some(trained) = stored(store, job, &mut callbacks)? {
        return Ok(trained);
    }
    let mut job = job.clone();
    if job.options.threads == 0 {
        job.options.threads = (pool::cores() / nproc).max(1);
    }
    let file = store.temporary_job_file()?;
    job_file::write(store, &job, Task::Train, file.path())?;
    // Held here until the last process has ended, so that none loses it by another's end.
    let (_store, port) = Store::serve()?;
    let environment = |(rank, gpu): (usize, &Option<usize>)| {
        let mut variables = Place::variables(rank, nproc, port);
        variables.push(("RAYON_NUM_THREADS", job.options.threads.to_string()));
        variables.extend(devices::for_worker(*gpu));
        if std::env::var_os(INTERFACE).is_none() {
            // The machine's own name may lead to an address that does not answer.
            variables.push((INTERFACE, "lo".into()));
        }
        variables
    };
    let environments: Vec<_> = places.iter().enumerate().map(environment).collect();
    let commands: Vec<WorkerCommand> = environments
        .iter()
        .map(|environment| WorkerCommand { name: &job.name, file: file.path(), environment })
        .collect();
    // What this thread has is among them, or free for others while it waits.
    let done = device_pool::lent(|| {
        let _taken = device_pool::take_all(&job.name, places.iter().copied().flatten().collect(), job.options.per_gpu)?;
        ranks::run(&commands, &mut |line| match &mut callbacks.epoch {
            Some(epoch) => epoch(line),
            None => Ok(()),
        })
    })?;
    let run = done.as_str().and_then(|id| store.find(id));
    load(run.ok_or_else(|| Error::internal(format!("{}: rank 0 named a run that is not there", job.name)))?)
}

/// The network interface by which Gloo connects processes.
const INTERFACE: &str = "GLOO_SOCKET_IFNAME";
