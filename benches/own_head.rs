//! A head that is a closure of a script beside the built-in one: forward, backward, batch 24, side by side in one process.
//!
//! `cargo bench --bench own_head -- [STEPS]`; ratios of medians over so many steps of each (24), taken in turns.

#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // benches touch files and print as they like

use std::path::Path;
use std::time::Instant;

use cpsd::losses::{Bce, LossSpec};
use cpsd::models::heads::{LabelLoss, Truth};
use cpsd::models::{Model, Pass};
use cpsd::primitives::values::model::ModelValue;
use tch::{Device, Kind, Tensor};

const BATCH: i64 = 24;
const LABELS: i64 = 80;

/// One step without the update, in seconds.
fn step(model: &Model, images: &Tensor, targets: &Tensor, number: u64) -> f64 {
    let started = Instant::now();
    let truth = Truth { targets, known: None };
    let answer = model.answer(images, Pass::step(0, 0, number), Some(truth)).unwrap();
    let loss = LabelLoss { spec: &LossSpec::Bce(Bce::default()), function: None, known: None };
    answer.loss(loss, targets).unwrap().backward();
    started.elapsed().as_secs_f64()
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn main() {
    cpsd::activity::console::set_quiet(true);
    let steps: u64 = std::env::args().filter_map(|a| a.parse().ok()).next().unwrap_or(24);
    tch::set_num_threads(2);
    let mut session = cpsd::primitives::session();
    let library =
        |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/heads").join(name).display().to_string();
    let imports: String =
        ["csra", "ml_gcn", "query2label"].iter().map(|n| format!("import {:?} as {n};\n", library(n))).collect();
    let data = format!("let counts = cooccurrence(synthetic_labels(#{{images: 2000, labels: {LABELS}}}));");
    session.eval(&(imports + &data), "bench").unwrap();
    let graph = "graph: counts, word_vectors: \"learned\"";
    let q2l = "width: 512, feed_forward: 1024";
    let heads = [
        ("gap", "|maps, p| p.linear(\"fc\", maps.mean([2, 3]), p.labels)".to_string(), String::new(), ""),
        ("csra", "csra::head(#{})".into(), String::new(), ""),
        ("ml_gcn", "ml_gcn::head(#{})".into(), String::new(), graph),
        ("q2l", format!("query2label::head(#{{{q2l}}})"), format!("head_options: #{{{q2l}}},"), ""),
    ];
    for (backbone, side) in [("small_cnn", 224), ("resnet18", 224)] {
        let images = Tensor::randn([BATCH, 3, side, side], (Kind::Float, Device::Cpu));
        let targets = Tensor::zeros([BATCH, LABELS], (Kind::Float, Device::Cpu));
        for (name, own, options, given) in &heads {
            let mut make = |head: &str, more: &str| -> ModelValue {
                let code = format!(
                    "model({backbone:?}, #{{labels: counts.labels, image_size: {side}, head: {head}, {more} {given}}})"
                );
                session.eval(&code, "bench").unwrap_or_else(|e| panic!("{}", e.render(false, 100))).cast()
            };
            let models = [make(&format!("{name:?}"), options), make(own, "")];
            let mut seconds = [vec![], vec![]];
            for number in 0..steps + 2 {
                for (model, seconds) in models.iter().zip(&mut seconds) {
                    seconds.push(step(&model.0.model(), &images, &targets, number));
                }
            }
            let [built_in, own] = seconds.map(|seconds| median(seconds[2..].to_vec()));
            let (ms, more) = (1e3 * built_in, 100.0 * (own / built_in - 1.0));
            println!("{backbone} + {name:<8} {ms:8.1} ms built in, {:8.1} ms in a script, {more:+.1} %", 1e3 * own);
        }
    }
}
