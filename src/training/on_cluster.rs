//! Trainings as tasks of a queue.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::callbacks::Callbacks;
use super::job::{Closure, Job};
use super::job_file::{self, DataFiles, for_queue};
use super::naming::NamedJob;
use super::run::load;
use super::trained_model::Trained;
use super::{shared_features, teacher_outputs};
use crate::activity::interrupt;
use crate::activity::progress::Progress;
use crate::cluster::batch::{Task, Work};
use crate::cluster::{Cluster, Executor, waiting};
use crate::error::{Error, Result};
use crate::executors::pool;
use crate::models::draws;
use crate::runs::{Run, RunStore};

/// Has a queue make the runs of the jobs, waits for them and reads them. Every epoch of every job is passed to the callback as it appears.
///
/// Stages are the frozen features that jobs share, the outputs of teachers that they read, and the trainings. Results are those of
/// this machine's own trainings, under the same ids.
///
/// Errors: a loss or schedule of a script's own, which lives in this process; a teacher that is in no run store; those of
/// [`waiting::run`]; the first failure among the trainings, when all have ended.
pub(super) fn run_all(
    store: &RunStore,
    cluster: &Cluster,
    jobs: Vec<Job>,
    callbacks: Callbacks,
) -> Result<Vec<Trained>> {
    let load_one = |run: Run| {
        interrupt::check()?;
        load(run)
    };
    let made = make_all(store, cluster, jobs, callbacks)?.into_iter().collect::<Result<Vec<Run>>>()?;
    made.into_iter().map(load_one).collect()
}

/// [`run_all`] without reading the models: the run of each job, or why it has none.
///
/// Errors: those that are of no job alone.
pub fn make_all(
    store: &RunStore,
    cluster: &Cluster,
    mut jobs: Vec<Job>,
    mut callbacks: Callbacks,
) -> Result<Vec<Result<Run>>> {
    jobs.iter().try_for_each(check)?;
    // Downloaded once, and here, where a question can be asked.
    jobs.iter().try_for_each(|job| job.options.model.find_weights().map(drop))?;
    jobs.iter_mut().for_each(|job| job.options.executor = Executor::Here);
    let needs = needs(&jobs)?;
    let work = described(store, &jobs, &needs)?;
    let mut epoch = |line: &Value| callbacks.epoch.as_mut().map_or(Ok(()), |epoch| epoch(line));
    let outcomes = waiting::run(store, cluster, work, &mut epoch)?;
    let found = find(store, needs.iter().map(|needs| needs.run.as_str()));
    let run = |((job, needs), outcome): ((&Job, &Needs), Result<()>)| {
        outcome?;
        let run = found.get(&needs.run).cloned();
        run.ok_or_else(|| Error::internal(format!("{}: its run {} has gone again", job.name, needs.run)))
    };
    Ok(jobs.iter().zip(&needs).zip(outcomes).map(run).collect())
}

/// Errors: a training that cannot leave this process.
fn check(job: &Job) -> Result<()> {
    check_functions(job)?;
    job.options.check_start_leaves(&job.name)?;
    match job_file::is_possible(job) {
        true => Ok(()),
        false => Err(Error::argument(format!(
            "{}: a teacher that was loaded from a file is in no run store, where the tasks of a queue look for it",
            job.name
        ))
        .about_option("executor")
        .with_help("executor: \"here\" distils on this machine")),
    }
}

/// Errors: a function of the script's own: a loss, a schedule.
pub(super) fn check_functions(job: &Job) -> Result<()> {
    if job.mutual().is_some() {
        let message = "students of mutual learning are trained in one process, and the option executor has a queue train on other machines";
        return Err(Error::argument(message)
            .about_option("executor")
            .with_help("executor: \"here\" trains on this machine"));
    }
    let Some(Closure { key, what }) = job.closure() else { return Ok(()) };
    Err(Error::argument(format!(
        "{what} of the script's own cannot leave this process, and the option executor has a queue train on other machines"
    ))
    .about_option(key)
    .with_help(
        "executor: \"here\" trains on this machine; named losses (asl, bce, focal, mse, kl), schedules and heads, weights as sampler, mixup and cutmix \
         train in a queue",
    ))
}

/// The runs that a job makes and reads.
struct Needs {
    /// The training's own.
    run: String,
    features: Vec<String>,
    outputs: Vec<String>,
}

/// Names all jobs, side by side: each builds its model.
fn needs(jobs: &[Job]) -> Result<Vec<Needs>> {
    let _keeping = draws::keep();
    let progress = Progress::new("naming trainings", jobs.len() as u64, "trainings");
    let name = |job: &Job| {
        interrupt::check()?;
        // One on each core; the threads of libtorch for each would wait for one another.
        tch::set_num_threads(1);
        let NamedJob { job, model, train, val, id, .. } = NamedJob::new(job)?;
        let features = shared_features::runs_of(&job, &model, &train, &val)?;
        progress.advance(1);
        Ok(Needs { run: id, features, outputs: teacher_outputs::runs_of(&job, &train) })
    };
    pool::map(pool::cores(), jobs, name).into_iter().collect()
}

/// The stages of the work. What the store has is named and not described: it is not done again.
fn described(store: &RunStore, jobs: &[Job], needs: &[Needs]) -> Result<Work> {
    let all =
        needs.iter().flat_map(|needs| [&needs.features, &needs.outputs].into_iter().flatten().chain([&needs.run]));
    let there = find(store, all.map(String::as_str));
    let mut data = DataFiles::default();
    let mut describe = |job: &Job, task| for_queue(store, job, task, &mut data);
    let mut stages = vec![vec![], vec![], vec![]];
    let mut taken: HashSet<&str> = HashSet::new();
    for (job, needs) in jobs.iter().zip(needs) {
        interrupt::check()?;
        if there.contains_key(&needs.run) {
            stages[2].push(Task { runs: vec![needs.run.clone()], name: job.name.clone(), job: Value::Null });
            continue;
        }
        let shared = [(&needs.features, job_file::Task::Features), (&needs.outputs, job_file::Task::Outputs)];
        for (stage, (runs, task)) in shared.into_iter().enumerate() {
            let missing = runs.iter().filter(|run| !there.contains_key(*run) && taken.insert(run.as_str()));
            let missing: Vec<String> = missing.cloned().collect();
            if !missing.is_empty() {
                let name = if stage == 0 { "features" } else { "teacher outputs" };
                stages[stage].push(Task { runs: missing, name: name.into(), job: describe(job, task)? });
            }
        }
        let described = describe(job, job_file::Task::Train)?;
        stages[2].push(Task { runs: vec![needs.run.clone()], name: job.name.clone(), job: described });
    }
    let shared = share_tasks(jobs.iter().map(|job| job.options.nproc));
    Ok(Work { stages, data: data.files.into_iter().collect(), several: shared.then_some(job_file::several) })
}

/// Whether a task may do several of these trainings, which run in so many processes each: one in several processes has the GPUs of its
/// task for itself.
pub(super) fn share_tasks(processes: impl IntoIterator<Item = usize>) -> bool {
    processes.into_iter().all(|nproc| nproc == 1)
}

/// Those of these runs that the store has, by one listing.
fn find<'a>(store: &RunStore, runs: impl Iterator<Item = &'a str>) -> BTreeMap<String, Run> {
    let wanted: HashSet<&str> = runs.collect();
    store.find_all(|id| wanted.contains(id)).into_iter().map(|run| (run.id.clone(), run)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::console;
    use crate::images::scenes::{SceneOptions, splits};
    use crate::losses::{LossSpec, Script};
    use crate::models::ModelSpec;
    use crate::training::options::TrainOptions;

    fn job() -> Job {
        let options = SceneOptions { train: 24, val: 8, test: 1, test_shifted: 1, size: 32, ..SceneOptions::default() };
        let mut splits = splits(&options).unwrap();
        let (_, val) = splits.remove(1);
        let (_, train) = splits.remove(0);
        let model = ModelSpec { backbone: "small_cnn".into(), image_size: Some(32), freeze: 1, ..ModelSpec::default() };
        let options = TrainOptions { model, epochs: 1, batch: 8, threads: 1, views: 2, ..TrainOptions::default() };
        let labels = train.labels.labels()[..2].to_vec();
        Job { name: "teacher 1".into(), train, val: Some(val), labels, options, distillation: None }
    }

    #[test]
    fn runs_are_named_as_this_machine_names_them() {
        console::set_quiet(true);
        let root = tempfile::tempdir().unwrap();
        let store = RunStore::new(root.path());
        let needs = needs(&[job()]).unwrap().remove(0);
        assert_eq!(needs.features.len(), 2);
        let there = || find(&store, needs.features.iter().map(String::as_str)).len();
        assert_eq!(there(), 0);
        shared_features::compute_features(&store, &job()).unwrap();
        assert_eq!(there(), 2);
        assert_eq!(crate::training::run(&store, &job()).unwrap().id, needs.run);
        // All is there: nothing is described, and no queue is asked.
        let cluster = Cluster::slurm(Default::default());
        let mut epochs = Vec::new();
        let mut epoch = |line: &Value| {
            epochs.push((line["name"].clone(), line["epoch"].clone()));
            Ok(())
        };
        let callbacks = Callbacks { epoch: Some(&mut epoch), ..Callbacks::default() };
        let trained = run_all(&store, &cluster, vec![job(), job()], callbacks).unwrap();
        assert!(trained.iter().all(|trained| trained.id == needs.run));
        assert_eq!(epochs, [("teacher 1".into(), 1.into()), ("teacher 1".into(), 1.into())]);
    }

    #[test]
    fn what_lives_in_this_process_is_refused() {
        let mut of_a_script = job();
        of_a_script.options.loss = LossSpec::Script(Script::default());
        let error = check(&of_a_script).unwrap_err();
        assert!(error.message.starts_with("a loss of the script's own cannot leave this process"), "{error}");
        assert!(check(&job()).is_ok());
    }
}
