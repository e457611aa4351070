//! Every head: a training in each precision, and its logits on this device and on the CPU.

use tch::Device;

use super::data::{Store, difference, job, last_loss, logits, scenes, spec};
use super::{Check, Outcome, WHOLE};
use crate::devices;
use crate::error::Result;
use crate::images::Dataset;
use crate::models::heads::HEADS;
use crate::models::{Model, ModelSpec, Precision};
use crate::training::{TrainOptions, run};

pub const CHECK: Check = Check {
    name: "heads",
    question: "Does every head train in float32 and bfloat16, and give the CPU's logits?",
    limit: 900,
    parts: WHOLE,
    run: heads,
};

/// Products in TF32 have 10 bits: a difference of 2⁻¹¹ each, and somewhat more in a deep network.
const NEAR: f64 = 2e-2;

fn heads(_part: &str) -> Result<Outcome> {
    let mut outcome =
        Outcome::new(&["head", "float32 loss", "bfloat16 loss", "deterministic twice", "logits against the CPU's"]);
    let data = scenes(48, 16, 64)?;
    let device = devices::first();
    for head in HEADS {
        crate::activity::interrupt::check()?;
        let store = Store::new()?;
        let model = spec("resnet18", head, 64, data.0.labels.labels());
        let mut cells = vec![head.name.to_string()];
        let mut last = None;
        for precision in [Precision::Float32, Precision::BFloat16] {
            let mut job = job(head.name, &data, model.clone(), 3, 16);
            job.options = TrainOptions { precision, ..job.options };
            let name = if precision == Precision::Float32 { "float32" } else { "bfloat16" };
            match run(&store.store, &job) {
                Ok(trained) => {
                    let loss = last_loss(&trained)?;
                    outcome.expect(loss.is_finite(), || format!("{} in {name}: the loss is {loss}", head.name));
                    cells.push(format!("{loss:.4}"));
                    if precision == Precision::Float32 {
                        last = Some(trained);
                    }
                }
                Err(error) => {
                    outcome.fail(format!("{} in {name}: {error}", head.name));
                    cells.push("error".into());
                }
            }
        }
        cells.push(if device.is_cuda() { deterministic_twice(head.name, &data, &model) } else { "-".into() });
        cells.push(match last.map(|trained| compared(&trained.model(), device)).transpose() {
            Ok(Some(difference)) => {
                outcome.expect(difference < NEAR || CHOOSING.contains(&head.name), || {
                    format!("{}: logits differ by {difference:.1e}", head.name)
                });
                format!("{difference:.1e}")
            }
            Ok(None) => "-".into(),
            Err(error) => {
                outcome.fail(format!("{}: {error}", head.name));
                "error".into()
            }
        });
        outcome.row(cells);
    }
    let other = outcome.rows.iter().any(|row| row.get(3).is_some_and(|cell| cell == "OTHER BITS"));
    outcome.expect(!other, || "two trainings with deterministic: true had other bits".into());
    outcome.note("logits: the largest difference over the largest logit; float32 with TF32 where the GPU has it");
    Ok(outcome)
}

/// Whether two trainings with `deterministic: true` give the same loss to the last bit, in words.
fn deterministic_twice(head: &str, data: &(Dataset, Dataset), model: &ModelSpec) -> String {
    let once = || -> Result<f64> {
        let mut job = job(head, data, model.clone(), 2, 16);
        job.options.deterministic = true;
        let store = Store::new()?;
        last_loss(&run(&store.store, &job)?)
    };
    match once().and_then(|one| Ok(one.to_bits() == once()?.to_bits())) {
        Ok(true) => "same bits".into(),
        Ok(false) => "OTHER BITS".into(),
        Err(error) => format!("refused: {}", error.message),
    }
}

/// Heads that look again at the regions of the highest labels: a rounding may choose others, so their logits may differ by any amount.
const CHOOSING: &[&str] = &["mcar"];

/// The difference between a model's logits on `device` and on the CPU.
pub fn compared(model: &Model, device: Device) -> Result<f64> {
    let on = |device| logits(&model.twin_on(device)?, 2);
    difference(&on(device)?, &on(Device::Cpu)?)
}
