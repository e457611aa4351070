//! Trains the students of a group of mutual learning, each in a thread of its own.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::mpsc::{Sender, channel};

use serde_json::Value;
use tch::Tensor;

use super::callbacks::Callbacks;
use super::hooks::BatchLine;
use super::job::Job;
use super::mutual::{Circle, Mutual, Seat};
use super::naming::NamedJob;
use super::options::Workers;
use super::run::{run_with, stored};
use super::shared_features::compute_features;
use super::trained_model::Trained;
use crate::activity::{self, panics};
use crate::cluster::Executor;
use crate::error::{About, Error, ErrorKind, Result};
use crate::executors::{device_pool, pool};
use crate::random::Generator;
use crate::runs::RunStore;

/// Makes the jobs a group: the name of each then contains all of them. Every job has a `distillation` without teachers; student i has the
/// initial weights of the options' seed + i, and the factor `weights[i]` of the mean of its distances; all have the order and the views of the seed.
///
/// Errors: those of naming a job; fewer than two students; options that keep them from learning together.
pub fn group(jobs: &mut [Job], weights: &[f64]) -> Result<()> {
    if jobs.len() < 2 {
        return Err(Error::argument(format!("mutual learning needs at least two students; got {}", jobs.len())));
    }
    jobs.iter().try_for_each(check)?;
    let mut alone = Vec::new();
    for (index, (job, &weight)) in jobs.iter_mut().zip(weights).enumerate() {
        let distillation = job.distillation.as_mut().ok_or_else(|| Error::internal("a student without a distance"))?;
        distillation.mutual = Some(Mutual { weight, index, students: vec![] });
        alone.push(NamedJob::new(job)?.id);
    }
    for mutual in jobs.iter_mut().filter_map(|job| job.distillation.as_mut()?.mutual.as_mut()) {
        mutual.students = alone.clone();
    }
    Ok(())
}

/// Errors: an option by which a student would end before the others, or be elsewhere.
fn check(job: &Job) -> Result<()> {
    let options = &job.options;
    let refused = |key: &str, what: &str| {
        let message = format!("option \"{key}\" does not go with mutual learning: {what}");
        Err(Error::argument(message).about_option(key))
    };
    match options {
        options if options.patience > 0 => refused("patience", "all students train the same number of epochs"),
        options if options.nproc > 1 => refused("nproc", "all students are in one process"),
        options if options.workers == Workers::Processes => refused("workers", "all students are in one process"),
        options if matches!(options.executor, Executor::Cluster(_)) => {
            refused("executor", "all students are in one process, this one; executor: \"here\" trains them")
        }
        _ => Ok(()),
    }
}

/// The models of a [`group`], from the store if all are there; otherwise they are trained side by side, all on one device, and hear each
/// other at every step. A group that was stopped goes on, with the bits that it would have had without the stop. A callback that ends the
/// training of one student ends those of all, at the same step or after the same epoch.
///
/// Errors: those of a training; the first of a student that was not just waiting for another one.
pub fn run_together(store: &RunStore, jobs: Vec<Job>, mut callbacks: Callbacks) -> Result<Vec<Trained>> {
    jobs.iter().try_for_each(|job| job.options.model.find_weights().map(drop))?;
    let ids = jobs.iter().map(|job| Ok(NamedJob::new(job)?.id)).collect::<Result<Vec<_>>>()?;
    if ids.iter().all(|id| store.find(id).is_some()) {
        let found = jobs.iter().map(|job| stored(store, job, &mut callbacks)).collect::<Result<Option<Vec<_>>>>()?;
        return found.ok_or_else(|| Error::data("a run of the group has gone from the store"));
    }
    // With all cores, before the students share them.
    let mut of_options = jobs.iter().filter(|job| job.options.own_views().is_none());
    of_options.try_for_each(|job| compute_features(store, job))?;
    let threads = (pool::cores() / jobs.len()).max(1);
    let per_gpu = jobs.iter().map(|job| job.options.per_gpu).min().unwrap_or(1);
    let place = device_pool::take("students", per_gpu)?;
    let circle = Circle::new(jobs.len(), place.device());
    let has = Has {
        loss: callbacks.loss.is_some(),
        distillation: callbacks.distillation.is_some(),
        schedule: callbacks.schedule.is_some(),
        augment: callbacks.augment.is_some(),
        sampler: callbacks.sampler.is_some(),
        batch: callbacks.batch.is_some(),
    };
    let (sender, asked) = channel();
    let activity = activity::current();
    let results = std::thread::scope(|scope| {
        let activity = &activity;
        let student = |(index, job): (usize, &Job)| {
            let mut job = job.clone();
            if job.options.threads == 0 {
                job.options.threads = threads;
            }
            let (seat, sender) = (Seat::new(&circle, index), sender.clone());
            scope.spawn(move || activity.enter(|| train(store, &job, &seat, has, &sender)))
        };
        let students: Vec<_> = jobs.iter().enumerate().map(student).collect();
        drop(sender);
        // Closures of a script belong to this thread. It is done when all students are.
        let mut orders = Orders::new();
        asked.into_iter().for_each(|asked: Asked| asked.answer(&mut callbacks, &mut orders));
        let ended = |panic: Box<dyn std::any::Any + Send>| Err(panics::fault(&*panic));
        students.into_iter().map(|student| student.join().unwrap_or_else(ended)).collect::<Vec<Result<Trained>>>()
    });
    // Those that only waited for another one were interrupted by it.
    let is_cause = |result: &Result<Trained>| matches!(result, Err(error) if error.kind != ErrorKind::Interrupted || matches!(error.about, Some(About::Exit(_))));
    match results.iter().position(is_cause) {
        Some(cause) => results.into_iter().nth(cause).into_iter().collect(),
        None => results.into_iter().collect(),
    }
}

/// The closures that there are.
#[derive(Clone, Copy)]
struct Has {
    loss: bool,
    distillation: bool,
    schedule: bool,
    augment: bool,
    sampler: bool,
    batch: bool,
}

/// The images of each epoch, as the function gave them for the first student that asked: all students have the same.
type Orders = HashMap<u64, Result<Vec<i64>>>;

/// A call of a function of the thread that began the training, and where its result goes.
enum Asked {
    /// Whether it ends the training.
    Epoch(Value, Sender<Result<bool>>),
    /// The same.
    Batch(Box<BatchLine>, Sender<Result<bool>>),
    Loss(Tensor, Tensor, Sender<Result<Tensor>>),
    Distillation(Tensor, Tensor, Sender<Result<Tensor>>),
    Schedule(Value, Sender<Result<f64>>),
    View(Tensor, Box<Generator>, Sender<Result<Tensor>>),
    Sampler(u64, Sender<Result<Vec<i64>>>),
}

impl Asked {
    fn answer(self, callbacks: &mut Callbacks, orders: &mut Orders) {
        let absent = || Error::internal("a student asks for a function that is not there");
        // A student that has ended waits for no answer.
        match self {
            Asked::Epoch(line, reply) => {
                let told = callbacks.epoch.as_mut().map_or(Ok(()), |epoch| epoch(&line));
                drop(reply.send(told.map(|()| callbacks.asked_to_stop())))
            }
            Asked::Batch(line, reply) => {
                let told = callbacks.batch.map_or_else(|| Err(absent()), |batch| batch(*line));
                drop(reply.send(told.map(|()| callbacks.asked_to_stop())))
            }
            Asked::View(picture, generator, reply) => {
                drop(reply.send(callbacks.augment.map_or_else(|| Err(absent()), |view| view(picture, *generator))))
            }
            Asked::Sampler(epoch, reply) => {
                let order = orders.entry(epoch);
                let order =
                    order.or_insert_with(|| callbacks.sampler.map_or_else(|| Err(absent()), |images| images(epoch)));
                drop(reply.send(order.clone()))
            }
            Asked::Loss(logits, targets, reply) => {
                drop(reply.send(callbacks.loss.map_or_else(|| Err(absent()), |loss| loss(&logits, &targets))))
            }
            Asked::Distillation(own, other, reply) => {
                drop(reply.send(callbacks.distillation.map_or_else(|| Err(absent()), |loss| loss(&own, &other))))
            }
            Asked::Schedule(now, reply) => {
                drop(reply.send(callbacks.schedule.map_or_else(|| Err(absent()), |schedule| schedule(&now))))
            }
        }
    }
}

fn ask<R>(sender: &Sender<Asked>, question: impl FnOnce(Sender<Result<R>>) -> Asked) -> Result<R> {
    let (reply, answer) = channel();
    sender.send(question(reply)).map_err(|_| Error::interrupted())?;
    answer.recv().map_err(|_| Error::interrupted())?
}

/// One student, in its thread.
fn train(store: &RunStore, job: &Job, seat: &Seat, has: Has, sender: &Sender<Asked>) -> Result<Trained> {
    let stop = Cell::new(false);
    let mut epoch = |line: &Value| {
        stop.set(ask(sender, |reply| Asked::Epoch(line.clone(), reply))?);
        Ok(())
    };
    let batch = |line: BatchLine| {
        stop.set(ask(sender, |reply| Asked::Batch(Box::new(line), reply))?);
        Ok(())
    };
    let augment = |picture, generator| ask(sender, |reply| Asked::View(picture, Box::new(generator), reply));
    let sampler = |epoch| ask(sender, |reply| Asked::Sampler(epoch, reply));
    let loss = |a: &Tensor, b: &Tensor| ask(sender, |reply| Asked::Loss(a.shallow_clone(), b.shallow_clone(), reply));
    let distillation =
        |a: &Tensor, b: &Tensor| ask(sender, |reply| Asked::Distillation(a.shallow_clone(), b.shallow_clone(), reply));
    let schedule = |now: &Value| ask(sender, |reply| Asked::Schedule(now.clone(), reply));
    let callbacks = Callbacks {
        epoch: Some(&mut epoch),
        loss: has.loss.then_some(&loss as _),
        distillation: has.distillation.then_some(&distillation as _),
        schedule: has.schedule.then_some(&schedule as _),
        augment: has.augment.then_some(&augment as _),
        sampler: has.sampler.then_some(&sampler as _),
        batch: has.batch.then_some(&batch as _),
        stop: Some(&stop),
        seat: Some(seat),
        ..Callbacks::default()
    };
    run_with(store, job, callbacks)
}
