//! Pictures per second and memory of a training step, at the size of the papers.

use std::time::Instant;

use tch::{Device, Kind, Tensor};

use super::data::spec;
use super::{Check, Outcome};
use crate::cuda;
use crate::devices;
use crate::error::{Error, Result};
use crate::losses::LossSpec;
use crate::models::{Model, Pass, Precision, heads};
use crate::torch::flags::{self, Flags};
use crate::training::TrainOptions;
use crate::training::optimiser::{Average, Flat, Groups, UpdateRule};

pub const CHECK: Check = Check {
    name: "speed",
    question: "How fast is a training step, and how much memory does it take?",
    limit: 240,
    parts: PARTS,
    run: speed,
};

/// Backbone, head, side of the square pictures and precision. Each in a process of its own, since libtorch keeps memory.
const PARTS: &[&str] = &[
    "resnet101 gap 448 float32",
    "resnet101 gap 448 bfloat16",
    "resnet101 gap 448 float32 tf32-off",
    "resnet101 gap 448 float32 unmeasured",
    "resnet101 gap 448 bfloat16 unmeasured",
    "resnet101 gap 448 float32 deterministic",
    "resnet101 q2l 448 float32",
    "resnet101 q2l 448 bfloat16",
    "tresnet_l ml_decoder 448 float32",
    "tresnet_l ml_decoder 448 bfloat16",
    "swin_t gap 224 float32",
    "swin_t gap 224 bfloat16",
    "efficientnet_lite0 gap 448 float32",
    "efficientnet_lite0 gap 448 bfloat16",
];

fn speed(part: &str) -> Result<Outcome> {
    let words: Vec<&str> = part.split(' ').collect();
    let [backbone, head, side, precision, ref rest @ ..] = words[..] else {
        return Err(Error::argument(format!("\"{part}\" is not a backbone, a head, a side and a precision")));
    };
    // As a long training has them, but for one.
    let mut flags = Flags { benchmark: true, ..Flags::default() };
    match rest.first() {
        Some(&"tf32-off") => flags.tf32 = false,
        Some(&"unmeasured") => flags.benchmark = false,
        Some(&"deterministic") => (flags.benchmark, flags.deterministic) = (false, true),
        _ => {}
    }
    let side: i64 = side.parse().map_err(|_| Error::argument(format!("a side of {side} pixels")))?;
    let device = devices::first();
    // On a CPU the small one alone says something in time.
    if !device.is_cuda() && part != "efficientnet_lite0 gap 448 float32" {
        return Ok(Outcome::skipped("large models are timed on GPUs alone"));
    }
    let (batch, steps) = if device.is_cuda() { (64, 20) } else { (8, 2) };
    let of = if precision == "float32" { Precision::Float32 } else { Precision::BFloat16 };
    let _held = flags::hold(flags, device)?;
    let (rate, memory) = measure(backbone, head, side, of, batch, steps, device)?;
    let mut outcome = Outcome::new(&["model", "pixels", "precision", "batch", "pictures/s", "GPU memory"]);
    let memory = memory.map_or("-".into(), |bytes| format!("{:.1} GB", bytes as f64 / 1e9));
    outcome.row([
        format!("{backbone} + {head}"),
        side.to_string(),
        format!("{precision} {}", rest.join(" ")).trim().into(),
        batch.to_string(),
        format!("{rate:.0}"),
        memory,
    ]);
    outcome.note(format!(
        "80 labels, {steps} steps after some that are not counted: normalise, forward, ASL, backward, Adam, moving average; the \
         pictures are on the device. GPU memory is the memory that became used while it ran, libtorch's cache included. As in a long training, cuDNN measures its kernels, unless 'unmeasured' says otherwise"
    ));
    Ok(outcome)
}

fn measure(
    backbone: &str,
    head: &str,
    side: i64,
    precision: Precision,
    batch: i64,
    steps: u64,
    device: Device,
) -> Result<(f64, Option<u64>)> {
    let before = cuda::free_memory(device);
    let labels: Vec<String> = (0..80).map(|i| format!("label {i}")).collect();
    let model = Model::new(&spec(backbone, heads::find(head)?, side, &labels), &labels, 0, device)?;
    let options = TrainOptions { precision, ..TrainOptions::default() };
    let mut flat = Flat::new(&model)?;
    let groups = Groups::new(&flat, options.weight_decay, options.decay_on);
    let mut rule = UpdateRule::new(&flat, &options, groups)?;
    let mut average = Average::new(&flat, 0.9997, false)?;
    let pixels = Tensor::f_randint_low(0, 256, [batch, side, side, 3], (Kind::Uint8, device))?;
    let targets = Tensor::f_rand([batch, 80], (Kind::Float, device))?.f_lt(0.05)?.f_to_kind(Kind::Float)?;
    let loss = LossSpec::default();
    let mut start = Instant::now();
    let mut last = Tensor::f_zeros([1], (Kind::Float, device))?;
    let warm = if device.is_cuda() { 5 } else { 1 };
    for i in 0..steps + warm {
        if i == warm {
            wait(&last)?;
            start = Instant::now();
        }
        flat.zero_gradients()?;
        let pass = Pass::step(0, 0, i).within(precision);
        let logits = model.forward(&model.normalise(&pixels)?, pass)?;
        let value = loss.compute(&logits, &targets)?;
        value.f_backward()?;
        rule.update(&mut flat, 1e-4, None)?;
        average.update(&flat, i + 1)?;
        last = value.f_detach()?;
    }
    wait(&last)?;
    let seconds = start.elapsed().as_secs_f64();
    let taken = before.zip(cuda::free_memory(device)).map(|(before, after)| before.saturating_sub(after));
    Ok(((steps as i64 * batch) as f64 / seconds, taken))
}

/// Waits until the device is done, by reading a number.
pub(super) fn wait(last: &Tensor) -> Result<()> {
    f64::try_from(&last.f_sum(Kind::Double)?)?;
    Ok(())
}
