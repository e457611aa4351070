//! PyTorch's fused optimisers beside separate operations: the same numbers, and how long an update takes.

use std::time::Instant;

use tch::{Device, Kind, Tensor};

use super::speed::wait;
use super::{Check, Outcome};
use crate::devices;
use crate::error::{Error, Result, counted};
use crate::torch::{fused, to_f64};
use crate::training::TrainOptions;
use crate::training::optimiser::{Average, Flat, Form, Groups, UpdateRule, rounding};
use crate::training::options::Optimiser;

pub const CHECK: Check = Check {
    name: "optimiser",
    question: "Do fused updates give the numbers of separate operations, and how long do both take?",
    limit: 120,
    parts: &["adam", "adamw", "sgd"],
    run: optimiser,
};

/// Values: about those of ResNet-50 on a CPU, of ResNet-101 on a GPU.
const VALUES: [i64; 2] = [25_000_000, 42_500_000];
/// Of these updates the first ones are not counted.
const UPDATES: usize = 13;
const COUNTED: usize = 10;
const LR: f64 = 1e-3;
/// The most that the two may differ by, as a share of the largest change: what f32 rounds in 13 updates, many times over.
const MOST: f64 = 1e-3;

fn optimiser(part: &str) -> Result<Outcome> {
    let kinds = [("adam", Optimiser::Adam), ("adamw", Optimiser::AdamW), ("sgd", Optimiser::Sgd)];
    let Some((_, kind)) = kinds.into_iter().find(|(name, _)| *name == part) else {
        return Err(Error::argument(format!("\"{part}\" is not adam, adamw or sgd")));
    };
    if !fused::AVAILABLE {
        return Ok(Outcome::skipped("this build has no fused optimisers: it was made without the headers of libtorch"));
    }
    let device = devices::first();
    let number = VALUES[usize::from(device.is_cuda())];
    let separate = measure(kind, Form::Separate, number, device)?;
    let fused = measure(kind, Form::Fused, number, device)?;
    let change = to_f64(&separate.values.f_sub(&start(number, device)?)?.f_abs()?.f_max()?)?;
    let difference = to_f64(&fused.values.f_sub(&separate.values)?.f_abs()?.f_max()?)? / change;
    let mut outcome = Outcome::new(&["optimiser", "values", "separate", "fused", "average", "difference"]);
    let shown = |seconds: f64| format!("{:.2} ms", seconds * 1e3);
    outcome.row([
        part.to_string(),
        format!("{:.1} million", number as f64 / 1e6),
        shown(separate.update),
        shown(fused.update),
        shown(fused.average),
        format!("{difference:.0e}"),
    ]);
    outcome.note(format!(
        "one flat buffer of float32, medians of {COUNTED}, each with a wait for the device; average: the moving average of the values alone; \
         difference: the largest after {UPDATES} updates, as a share of the largest change"
    ));
    if let Some(one) = rounding().filter(|_| !device.is_cuda()) {
        let one = measure(kind, Form::OnePass(one), number, device)?;
        outcome.note(format!(
            "{}; on CPUs trainings update in one pass, with the bits of the separate form: {}",
            counted(tch::get_num_threads() as usize, "thread"),
            shown(one.update)
        ));
        let same = one.values.f_equal(&separate.values)?;
        outcome.expect(same, || format!("{part}: the updates in one pass have other bits than separate ones"));
    }
    outcome.expect(difference < MOST, || {
        format!("{part}: the two forms differ by {difference:.0e} of the largest change")
    });
    Ok(outcome)
}

/// What one form gave: the values after all updates, and the median seconds of an update and of the average's.
struct Measured {
    values: Tensor,
    update: f64,
    average: f64,
}

fn measure(kind: Optimiser, form: Form, number: i64, device: Device) -> Result<Measured> {
    let weight = start(number, device)?.f_view([1, number])?.f_set_requires_grad(true)?;
    let mut flat = Flat::of(vec![("weight".into(), weight)], vec![])?;
    let options = TrainOptions { optimiser: kind, weight_decay: 1e-2, ..TrainOptions::default() };
    let groups = Groups::new(&flat, options.weight_decay, options.decay_on);
    let mut rule = UpdateRule::new(&flat, &options, groups)?.with_form(form);
    let mut average = Average::new(&flat, 0.9997, false)?;
    let gradient = start(number, device)?.f_cos()?;
    let (mut updates, mut averages) = (Vec::new(), Vec::new());
    for i in 0..UPDATES {
        // The separate form changes it.
        flat.gradients.f_narrow(0, 0, number)?.f_copy_(&gradient)?;
        let before = flat.gradients.shallow_clone();
        updates.push(seconds(&before, || {
            rule.update(&mut flat, LR, None)?;
            Ok(flat.values.shallow_clone())
        })?);
        averages.push(seconds(&flat.values, || {
            average.update(&flat, i as u64 + 1)?;
            Ok(average.values.shallow_clone())
        })?);
    }
    let median = |mut all: Vec<f64>| {
        let counted = &mut all[UPDATES - COUNTED..];
        counted.sort_by(f64::total_cmp);
        (counted[COUNTED / 2 - 1] + counted[COUNTED / 2]) / 2.0
    };
    let values = flat.values.f_narrow(0, 0, number)?;
    Ok(Measured { values, update: median(updates), average: median(averages) })
}

/// Numbers in ±1.
fn start(number: i64, device: Device) -> Result<Tensor> {
    Ok(Tensor::f_arange(number, (Kind::Float, device))?.f_sin()?)
}

/// The seconds of `work`, from a device that is done with `before` to one that is done with the answer.
fn seconds(before: &Tensor, work: impl FnOnce() -> Result<Tensor>) -> Result<f64> {
    wait(&before.f_narrow(0, 0, 1)?)?;
    let began = Instant::now();
    wait(&work()?.f_narrow(0, 0, 1)?)?;
    Ok(began.elapsed().as_secs_f64())
}
