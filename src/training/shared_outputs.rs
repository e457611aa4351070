//! The outputs of teachers that students read, computed before the first of them.

use std::collections::BTreeSet;

use super::job::Job;
use super::options::TeacherMode;
use super::run::flags_of;
use super::teacher_outputs::teacher_outputs;
use super::views::Views;
use crate::error::Result;
use crate::executors::{device_pool, pool};
use crate::runs::RunStore;
use crate::torch::flags;

/// Computes the outputs of all teachers of a job on its training views, where the store does not have them. Nothing where the student asks
/// its teachers at every step.
///
/// Errors: those of [`teacher_outputs`].
pub fn compute_outputs(store: &RunStore, job: &Job) -> Result<()> {
    let options = &job.options;
    let views = Views::of_training(options);
    let Some(distillation) = &job.distillation else { return Ok(()) };
    if views.count == 0 || distillation.teacher_mode == TeacherMode::Train {
        return Ok(());
    }
    // As a student computes them in its training.
    let threads = if options.threads > 0 { options.threads } else { pool::cores() };
    tch::set_num_threads(threads as i32);
    let (train, _) = job.splits()?;
    let place = device_pool::take("teacher outputs", options.per_gpu)?;
    let _held = flags::hold(flags_of(job, train.len()), place.device())?;
    let mut seen = BTreeSet::new();
    let teachers = distillation.ensembles.iter().flat_map(|ensemble| &ensemble.teachers);
    for teacher in teachers.filter(|teacher| seen.insert(&teacher.id)) {
        teacher_outputs(store, teacher, &train, &views, place.device())?;
    }
    Ok(())
}
