//! Several trainings of one call, in threads and in processes.

use std::time::Instant;

use super::data::{Store, difference, job, logits, scenes, spec};
use super::{Check, Outcome, WHOLE};
use crate::error::Result;
use crate::models::heads;
use crate::training::options::Workers;
use crate::training::{Callbacks, Job, Trained, run_all};

pub const CHECK: Check = Check {
    name: "side-by-side",
    question: "Do four trainings of one call give the same models in threads and in processes?",
    limit: 600,
    parts: WHOLE,
    run: side_by_side,
};

/// Atomic sums in backward passes are added in another order each time.
const NEAR: f64 = 5e-2;

fn side_by_side(_part: &str) -> Result<Outcome> {
    let mut outcome = Outcome::new(&["workers", "seconds", "logits against one after the other"]);
    let data = scenes(96, 16, 64)?;
    let jobs = |workers: Workers| -> Result<Vec<Job>> {
        let of = |seed: u64| -> Result<Job> {
            let model = spec("resnet18", heads::find("gap")?, 64, data.0.labels.labels());
            let mut job = job(&format!("training {seed}"), &data, model, 2, 16);
            (job.options.seed, job.options.workers, job.options.threads) = (seed, workers, 1);
            Ok(job)
        };
        (0..4).map(of).collect()
    };
    let all = |of: &[Trained]| -> Result<Vec<_>> { of.iter().map(|trained| logits(&trained.model(), 4)).collect() };
    let mut expected = vec![];
    for job in jobs(Workers::Threads)? {
        expected.extend(all(&[crate::training::run(&Store::new()?.store, &job)?])?);
    }
    for workers in [Workers::Threads, Workers::Processes] {
        let name = if workers == Workers::Threads { "threads" } else { "processes" };
        let store = Store::new()?;
        let started = Instant::now();
        let trained = match run_all(&store.store, jobs(workers)?, Callbacks::default()) {
            Ok(trained) => trained,
            Err(error) => {
                outcome.fail(format!("{name}: {error}"));
                continue;
            }
        };
        let seconds = started.elapsed().as_secs_f64();
        let mut most: f64 = 0.0;
        for (came, expected) in all(&trained)?.iter().zip(&expected) {
            most = most.max(difference(came, expected)?);
        }
        outcome.expect(most < NEAR, || format!("{name}: logits differ by {most:.1e}"));
        outcome.row([name.into(), format!("{seconds:.1}"), format!("{most:.1e}")]);
    }
    Ok(outcome)
}
