//! The outputs of teachers that students read, computed before the first of them.

use super::job::Job;
use super::naming::NamedJob;
use super::run::flags_of;
use super::teacher_outputs::{runs_of, teacher_outputs, teachers_read};
use super::views::Views;
use crate::error::{ErrorKind, Result};
use crate::executors::{device_pool, pool};
use crate::runs::RunStore;
use crate::torch::flags;

/// Computes the outputs of all teachers of a job on its training views, where the store does not have them. Nothing where the student asks
/// its teachers at every step.
///
/// Errors: those of [`teacher_outputs`].
pub fn compute_outputs(store: &RunStore, job: &Job) -> Result<()> {
    let (options, teachers) = (&job.options, teachers_read(job));
    if teachers.is_empty() {
        return Ok(());
    }
    // As a student computes them in its training.
    let threads = if options.threads > 0 { options.threads } else { pool::cores() };
    tch::set_num_threads(threads as i32);
    let (train, _) = job.splits()?;
    let place = device_pool::take("teacher outputs", options.per_gpu)?;
    let _held = flags::hold(flags_of(job, train.len()), place.device())?;
    let views = Views::of_training(options);
    teachers
        .into_iter()
        .try_for_each(|teacher| teacher_outputs(store, teacher, &train, &views, place.device()).map(drop))
}

/// Computes what students that are about to train side by side on the CPU read of their teachers: one teacher after the other, with all
/// cores. Side by side they would wait for one another's outputs with cores that do nothing, and hold a large batch each.
///
/// A failure is left to the student that meets it: others may be finished. Errors: Interrupted.
pub fn compute_before(store: &RunStore, jobs: &[Job]) -> Result<()> {
    for job in jobs {
        if job.options.own_views().is_some() || teachers_read(job).is_empty() {
            continue;
        }
        let computed = job.splits().and_then(|(train, _)| {
            let is_there = |id: &String| store.find(id).is_some();
            // A student that is there reads nothing.
            match runs_of(job, &train).iter().all(is_there) || is_there(&NamedJob::new(job)?.id) {
                true => Ok(()),
                false => compute_outputs(store, job),
            }
        });
        match computed {
            Err(error) if error.kind == ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
