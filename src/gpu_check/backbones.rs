//! Every backbone: its logits on this device and on the CPU.

use super::data::spec;
use super::heads::compared;
use super::{Check, Outcome, WHOLE};
use crate::devices;
use crate::error::Result;
use crate::models::backbones::BACKBONES;
use crate::models::{Model, heads};

pub const CHECK: Check = Check {
    name: "backbones",
    question: "Does every backbone give the CPU's logits?",
    limit: 900,
    parts: WHOLE,
    run: backbones,
};

const NEAR: f64 = 2e-2;
/// Larger backbones are compared on GPUs alone.
const LARGE: i64 = 30_000_000;

fn backbones(_part: &str) -> Result<Outcome> {
    let mut outcome = Outcome::new(&["backbone", "logits against the CPU's"]);
    let labels: Vec<String> = (0..10).map(|i| format!("label {i}")).collect();
    let device = devices::first();
    for kind in BACKBONES.iter().filter(|kind| !kind.from_file) {
        crate::activity::interrupt::check()?;
        if !device.is_cuda() && kind.parameters > LARGE {
            outcome.row([kind.name.to_string(), "left out on a CPU".into()]);
            continue;
        }
        // A side that patches of 14, 16 and 32 pixels divide.
        let model = Model::new(&spec(kind.name, heads::find("gap")?, 224, &labels), &labels, 0, device);
        let compared = model.and_then(|model| compared(&model, device));
        match &compared {
            Ok(difference) => outcome.expect(*difference < NEAR, || format!("{}: {difference:.1e}", kind.name)),
            Err(error) => outcome.fail(format!("{}: {error}", kind.name)),
        }
        outcome.row([kind.name.to_string(), compared.map_or("error".into(), |d| format!("{d:.1e}"))]);
    }
    Ok(outcome)
}
