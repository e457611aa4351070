//! One job through the run store: found, resumed or trained.

use serde_json::{Value, json};
use tch::Device;

use super::callbacks::Callbacks;
use super::job::Job;
use super::made_with;
use super::metrics_file;
use super::model_inputs::steps_per_epoch;
use super::mutual::Seat;
use super::naming::NamedJob;
use super::on_cluster;
use super::optimiser::Form;
use super::options::{Select, SelectOn};
use super::overfitting::overfitted;
use super::peers::{Peers, appeared};
use super::several;
use super::trained_model::Trained;
use super::training_loop::TrainingLoop;
use crate::activity::console;
use crate::activity::waiting::Making;
use crate::distributed::Place;
use crate::error::{Error, Result, counted};
use crate::executors::{device_pool, pool};
use crate::files::own;
use crate::images::augment_tensors::are_applied_on;
use crate::runs::{self, Begun, Published, Run, RunStore};
use crate::torch::flags::{self, Flags};

/// Returns the model from the store when this training was done before. Otherwise trains it and keeps it there.
///
/// Errors: those of the options, the data and the model; Interrupted, with a checkpoint that the next call resumes.
pub fn run(store: &RunStore, job: &Job) -> Result<Trained> {
    run_with(store, job, Callbacks::default())
}

/// As [`run`], with callbacks. Every epoch is passed to them, also when the model comes from the store.
pub fn run_with(store: &RunStore, job: &Job, mut callbacks: Callbacks) -> Result<Trained> {
    if let Some(cluster) = job.options.executor.cluster()? {
        let trained = on_cluster::run_all(store, &cluster, vec![job.clone()], callbacks)?;
        return trained.into_iter().next().ok_or_else(|| Error::internal("a queue made nothing of one job"));
    }
    if job.options.nproc > 1 && Place::from_environment()?.is_none() {
        return several::run(store, job, callbacks);
    }
    // Epochs that the callback knows, also after a run that was lost to another maker.
    let mut passed = 0;
    let mut on_epoch = callbacks.epoch.take();
    loop {
        let mut pass = |line: &Value| -> Result<()> {
            let epoch = line["epoch"].as_u64().unwrap_or(u64::MAX);
            match &mut on_epoch {
                Some(known) if epoch > passed => {
                    passed = epoch;
                    known(line)
                }
                _ => Ok(()),
            }
        };
        if let Some(trained) = find_or_train(store, job, callbacks.with_epoch(Some(&mut pass)))? {
            return Ok(trained);
        }
        if callbacks.seat.is_some() {
            // The others are at another step by now.
            return Err(Error::data(format!("{}: another process has taken its run over", job.name))
                .with_help("the same call waits for it and uses what it makes"));
        }
    }
}

/// None if another maker took the run over while this one was paused.
fn find_or_train(store: &RunStore, job: &Job, callbacks: Callbacks) -> Result<Option<Trained>> {
    let threads = if job.options.threads > 0 { job.options.threads } else { pool::cores() };
    tch::set_num_threads(threads as i32);
    let peers = Peers::of(&job.options)?;
    let trained = match peers.is_first() {
        true => lead(store, job, callbacks, &peers, threads),
        false => follow(store, job, callbacks, &peers).map(Some),
    };
    peers.conclude(trained.as_ref().err());
    trained
}

/// The names of what rank 0 tells the others: the run that it begins, and that it is there.
const BEGUN: &str = "begun";
const DONE: &str = "done";

/// Trains along with rank 0, and reads the run that it has written. Every epoch is passed to the callback then.
fn follow(store: &RunStore, job: &Job, mut callbacks: Callbacks, peers: &Peers) -> Result<Trained> {
    let NamedJob { job, model, train, val, id, .. } = NamedJob::new(job)?;
    let begun = peers.hear(BEGUN)?;
    if begun["id"] != json!(id) {
        return Err(Error::argument(format!(
            "rank {} of {} was to train {id} and rank 0 {}: all processes must be given the same data, model and options",
            peers.rank(),
            peers.size(),
            begun["id"].as_str().unwrap_or("another run")
        )));
    }
    if begun["finished"] != json!(true) {
        let place = device_pool::take(&job.name, job.options.per_gpu)?;
        let _held = flags::hold(flags_of(&job, train.len()), place.device())?;
        let model = model.moved_to(place.device())?;
        TrainingLoop::new(store, &job, &model, &train, &val, None, Callbacks::default(), peers)?.follow()?;
        peers.hear(DONE)?;
    }
    let run = appeared(|| store.find(&id))?;
    let run =
        run.ok_or_else(|| Error::data(format!("{id}, which rank 0 has written, is not in this process's run store")))?;
    finished(run, &job, &mut callbacks)
}

/// Marks the run as what this thread makes. Errors: this thread makes it already, and would wait for itself.
fn begin_making(store: &RunStore, id: &str) -> Result<Making> {
    Making::begin(store.root().join(id)).ok_or_else(|| {
        Error::argument(format!("{id} is being trained by the very call that asks for it"))
            .with_help("a closure that is called while a training runs cannot ask for that training's model")
    })
}

/// How GPUs compute in a training on so many pictures.
pub(super) fn flags_of(job: &Job, pictures: usize) -> Flags {
    let options = &job.options;
    let steps = steps_per_epoch(pictures, options.batch, options.drop_last) * options.epochs;
    let benchmark = steps >= flags::LONG && !options.deterministic;
    Flags { tf32: options.tf32, deterministic: options.deterministic, benchmark }
}

/// Trains, evaluates and writes the run. None if another maker took it over while this one was paused.
fn lead(
    store: &RunStore,
    job: &Job,
    mut callbacks: Callbacks,
    peers: &Peers,
    threads: usize,
) -> Result<Option<Trained>> {
    if job.mutual().is_some() && callbacks.seat.is_none() {
        return Err(Error::argument(format!(
            "{} learns from other students, and is trained with them alone",
            job.name
        ))
        .with_help("mutual_learning trains the group in one process"));
    }
    let NamedJob { job, model, train, val, spec, id } = NamedJob::new(job)?;
    let _making = begin_making(store, &id)?;
    let job = &job;
    let tell = |finished: bool| peers.tell(BEGUN, &json!({ "id": id, "finished": finished }));
    // Its maker may need the GPU that this thread has.
    let begin = || device_pool::lent(|| store.begin(&id, &spec));
    let seat = callbacks.seat;
    let (begun, needed) = match seat {
        None => (begin()?, false),
        Some(seat) => {
            let begun = seat.in_turn(begin)?;
            let done = seat.all(matches!(begun, Begun::Finished(_)))?;
            (begun, !done)
        }
    };
    // A student that is there, of a group of which another one is not, is trained beside that one again, in a store of its own.
    let mut aside = None;
    let work = match begun {
        Begun::Finished(run) if !needed => {
            tell(true)?;
            return finished(run, job, &mut callbacks).map(Some);
        }
        Begun::Finished(run) => {
            let folder = own::temporary_folder(&own::session_folder()?, "student-")?;
            let begun = RunStore::new(folder.path()).begin(&id, &spec)?;
            aside = Some((folder, run));
            match begun {
                Begun::Work(work) => work,
                Begun::Finished(_) => return Err(Error::internal("a new run store already holds a run")),
            }
        }
        Begun::Work(work) => work,
    };
    tell(false)?;
    let place = match seat {
        None => Some(device_pool::take(&job.name, job.options.per_gpu)?),
        Some(_) => None,
    };
    let device = place.as_ref().map(|place| place.device()).or(seat.map(Seat::device)).unwrap_or(Device::Cpu);
    let flags = flags_of(job, train.len());
    let trained = (|| {
        let _held = flags::hold(flags, device)?;
        let model = model.moved_to(device)?;
        let outcome =
            TrainingLoop::new(store, job, &model, &train, &val, Some(&work), callbacks, peers)?.train(&work)?;
        // Nothing of it stays on a GPU that is given back.
        let model = model.moved_to(Device::Cpu)?;
        let vocabulary = job.train.labels.labels().to_vec();
        let mut trained = Trained::new(model, work.id.clone(), None, vocabulary);
        trained.selected_on_test = job.options.select_on == SelectOn::Test && job.options.select == Select::Best;
        trained.save_in(&work)?;
        work.write(metrics_file::NAME, outcome.metrics.as_bytes())?;
        Ok((outcome, trained))
    })();
    let (outcome, mut trained) = match trained {
        // The others cannot begin again at the same place.
        Err(error) if peers.size() == 1 && work.falls_back(&error) => return Ok(None),
        trained => trained?,
    };
    if let Some((_folder, run)) = aside {
        drop(work);
        return load(run).map(Some);
    }
    let best = outcome.best.as_ref();
    let mut summary = json!({
        "name": job.name,
        "labels": job.labels.len(),
        "epochs": job.options.epochs,
        "updates": outcome.updates,
        "seconds": outcome.seconds,
        "loss": outcome.final_loss,
        "val_mAP": best.map(|b| b.map),
        "best_epoch": best.map(|b| b.epoch),
        "averaged": best.map(|b| b.averaged),
        "selected_on_test": trained.selected_on_test,
        // The callback that ended it, with the epoch.
        "stopped": outcome.stopped,
        "threads": threads,
        "device": format!("{device:?}"),
        // Without effect on the CPU.
        "tf32": device.is_cuda().then_some(flags.tf32),
        "deterministic": device.is_cuda().then_some(flags.deterministic),
        "augmented_on": if are_applied_on(device) { "cuda" } else { "cpu" },
        "cpsd": env!("CARGO_PKG_VERSION"),
        "date": runs::now(),
    });
    made_with::note(&mut summary);
    // The last is the summary's own.
    if let Some((_, earlier)) = outcome.made_with.split_last().filter(|(_, earlier)| !earlier.is_empty()) {
        summary[made_with::EARLIER] = json!(earlier);
    }
    if !job.options.tags.is_empty() {
        summary["tags"] = json!(job.options.tags);
    }
    // With other last bits than the CPU has by itself.
    if outcome.form == Form::Fused {
        summary["fused_optimiser"] = json!(true);
    }
    if let Some(engine) = peers.engine() {
        summary["nproc"] = json!(peers.size());
        summary["backend"] = json!(engine);
    }
    let run = match work.publish(&summary)? {
        Published::Own(run) => run,
        // Its bits may be of another number of threads.
        Published::Other(run) => {
            peers.tell(DONE, &json!({}))?;
            return load(run).map(Some);
        }
        Published::Lost if peers.size() > 1 => {
            return Err(Error::data(format!("{id}: another process has taken it over, and its files are gone"))
                .with_help("the same call waits for it and uses what it makes"));
        }
        Published::Lost => return Ok(None),
    };
    peers.tell(DONE, &json!({}))?;
    console::log(&format!(
        "{}: {} in {:.1} s{} ({})",
        job.name,
        match &outcome.stopped {
            Some(stopped) => format!("stopped by {} in epoch {} of {}", stopped.by, stopped.epoch, job.options.epochs),
            None => counted(job.options.epochs as usize, "epoch"),
        },
        outcome.seconds,
        best.map_or(String::new(), |b| format!(
            ", mAP {:.1} on {} at epoch {}{}",
            b.map,
            if job.options.select_on == SelectOn::Test { "test" } else { "val" },
            b.epoch,
            if b.averaged { " (averaged weights)" } else { "" }
        )),
        run.id
    ));
    if let Some(found) = overfitted(&metrics_file::parsed(&outcome.metrics)?) {
        found.say(&job.name);
    }
    trained.run = Some(run);
    Ok(Some(trained))
}

/// The model of a training that was done before, or none. Every epoch is passed to the callback.
///
/// Errors: those of the options, the data and the model.
pub(super) fn stored(store: &RunStore, job: &Job, callbacks: &mut Callbacks) -> Result<Option<Trained>> {
    let NamedJob { job, id, .. } = NamedJob::new(job)?;
    store.find(&id).map(|run| finished(run, &job, callbacks)).transpose()
}

fn finished(run: Run, job: &Job, callbacks: &mut Callbacks) -> Result<Trained> {
    made_with::say_if_elsewhere(&run, job);
    run.metrics()?.iter().try_for_each(|line| callbacks.epoch_done(line, &job.name))?;
    load(run)
}

/// The model of a finished training.
pub fn load(run: Run) -> Result<Trained> {
    Trained::of_run(run)
}
