//! The calls of a training step that make the CPU wait for the GPU, counted by libtorch itself.

use std::sync::atomic::{AtomicI32, Ordering};

use super::data::{Store, job, scenes, spec};
use super::stderr::captured;
use super::{Check, Outcome, WHOLE};
use crate::devices;
use crate::error::{Error, Result};
use crate::models::{Precision, heads};
use crate::training::{TrainOptions, run};

pub const CHECK: Check = Check {
    name: "synchronisation",
    question: "How often does a training step wait for the GPU?",
    limit: 600,
    parts: WHOLE,
    run: synchronisation,
};

/// More per step than this is a fault: one read of the losses in 16 steps is 0.06.
const MOST: f64 = 0.25;

/// Heads whose method waits in every step: how often, and why.
const BY_METHOD: &[(&str, f64, &str)] = &[
    ("dsdl", 1.0, "its solve looks whether the matrix is singular"),
    ("mcar", 1.0, "the host decides which regions it looks at again"),
    ("cadm", 3.0, "the present labels are listed, counted per picture and paired, and the host needs each number"),
];

fn synchronisation(_part: &str) -> Result<Outcome> {
    if !devices::first().is_cuda() {
        return Ok(Outcome::skipped("only a GPU is waited for"));
    }
    let Some(mode) = debug_mode() else {
        return Ok(Outcome::skipped("this libtorch does not let its warnings be switched on from outside"));
    };
    let mut outcome = Outcome::new(&["backbone", "head", "precision", "waits per step"]);
    let data = scenes(16 * 8, 8, 64)?;
    let of_backbones =
        ["resnet18", "tresnet_m", "swin_t", "efficientnet_lite0", "convnext_tiny", "vit_small_patch14_dinov2"];
    let pairs = of_backbones.map(|backbone| (backbone, "gap")).into_iter();
    let pairs =
        pairs.chain(heads::HEADS.iter().map(|head| ("small_cnn", head.name)).filter(|(_, head)| *head != "gap"));
    for (backbone, head) in pairs {
        crate::activity::interrupt::check()?;
        let side = if backbone == "swin_t" || backbone.starts_with("vit") { 224 } else { 64 };
        let store = Store::new()?;
        // Both trainings evaluate once and fill caches once, so the difference is that of two epochs of 16 steps.
        let waits = |epochs: u64| -> Result<usize> {
            let model = spec(backbone, heads::find(head)?, side, data.0.labels.labels());
            let mut job = job("waits", &data, model, epochs, 8);
            job.options = TrainOptions { eval_every: epochs, precision: Precision::Float32, ..job.options };
            mode.store(1, Ordering::Relaxed);
            let (result, written) = captured(|| run(&store.store, &job));
            mode.store(0, Ordering::Relaxed);
            match result {
                Ok(_) => Ok(written.matches("called a synchronizing CUDA operation").count()),
                Err(error) => {
                    let lines: Vec<&str> = written.lines().rev().take(5).collect();
                    let lines = lines.into_iter().rev().collect::<Vec<_>>().join(" / ");
                    Err(Error { message: format!("{} (the last lines: {lines})", error.message), ..error })
                }
            }
        };
        let per_step = waits(1).and_then(|one| Ok((waits(3)?.saturating_sub(one)) as f64 / 32.0));
        match per_step {
            Ok(per_step) => {
                let by_method = BY_METHOD.iter().find(|(name, ..)| *name == head).map_or(0.0, |(_, waits, _)| *waits);
                outcome.expect(per_step <= by_method + MOST, || {
                    format!("{backbone} and {head}: {per_step:.2} waits per step")
                });
                outcome.row([backbone.into(), head.into(), "float32".into(), format!("{per_step:.2}")]);
            }
            Err(error) => outcome.fail(format!("{backbone} and {head}: {error}")),
        }
    }
    outcome.note("counted by libtorch's sync debug mode over 32 steps; the losses are read once in 16 steps");
    for (head, waits, why) in BY_METHOD {
        outcome.note(format!("{head}: {waits} per step by its method: {why}"));
    }
    Ok(outcome)
}

/// libtorch's switch of these warnings (`torch.cuda.set_sync_debug_mode`): 0 off, 1 warnings. None where it has no such symbol.
fn debug_mode() -> Option<&'static AtomicI32> {
    // The variable of the inline function `c10::cuda::warning_state`, whose first and only member is the mode.
    let name = c"_ZZN3c104cuda13warning_stateEvE14warning_state_";
    // SAFETY: looks a name up; an int that lives as long as the program, if it is there.
    unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()).cast::<AtomicI32>().as_ref() }
}
