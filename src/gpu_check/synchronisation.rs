//! The calls of a training step that make the CPU wait for the GPU, counted by libtorch itself.

use std::sync::atomic::{AtomicI32, Ordering};

use super::data::{Store, job, scenes, spec};
use super::stderr::captured;
use super::{Check, Outcome, WHOLE};
use crate::devices;
use crate::error::Result;
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
    let pairs = pairs.chain(heads::HEADS.iter().map(|head| ("resnet18", head.name)).filter(|(_, head)| *head != "gap"));
    for (backbone, head) in pairs {
        crate::activity::interrupt::check()?;
        let side = if backbone == "swin_t" || backbone.starts_with("vit") { 224 } else { 64 };
        let store = Store::new()?;
        // The first training fills caches; what two epochs more than one wait is of the steps, and one evaluation's more.
        let waits = |epochs: u64| -> Result<usize> {
            let model = spec(backbone, heads::find(head)?, side, data.0.labels.labels());
            let mut job = job("waits", &data, model, epochs, 8);
            job.options = TrainOptions { eval_every: epochs, precision: Precision::Float32, ..job.options };
            mode.store(1, Ordering::Relaxed);
            let written = captured(|| run(&store.store, &job));
            mode.store(0, Ordering::Relaxed);
            Ok(written?.1.matches("called a synchronizing CUDA operation").count())
        };
        let per_step = waits(1).and_then(|one| Ok((waits(3)?.saturating_sub(one)) as f64 / 32.0));
        match per_step {
            Ok(per_step) => {
                outcome.expect(per_step <= MOST, || format!("{backbone} and {head}: {per_step:.2} waits per step"));
                outcome.row([backbone.into(), head.into(), "float32".into(), format!("{per_step:.2}")]);
            }
            Err(error) => outcome.fail(format!("{backbone} and {head}: {error}")),
        }
    }
    outcome.note("counted by libtorch's sync debug mode over 32 steps; the losses are read once in 16 steps");
    Ok(outcome)
}

/// libtorch's switch of these warnings (`torch.cuda.set_sync_debug_mode`): 0 off, 1 warnings. None where it has no such symbol.
fn debug_mode() -> Option<&'static AtomicI32> {
    // The variable of the inline function `c10::cuda::warning_state`, whose first and only member is the mode.
    let name = c"_ZZN3c104cuda13warning_stateEvE14warning_state_";
    // SAFETY: looks a name up; an int that lives as long as the program, if it is there.
    unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()).cast::<AtomicI32>().as_ref() }
}
