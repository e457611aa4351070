//! cpsd's side of `make bench-training`: input pipeline, step, epoch and the five-row ablation, timed from inside.
//!
//! `prepare FOLDER IMAGES` writes 640 × 480 JPEGs; `TASK NET SIZE FOLDER REPEATS` prints one line of JSON: the seconds of
//! each repeat and the most memory that the process held (MB). Tasks: input, step, epoch, ablation, sweep. Two threads.

#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // benches touch files and print as they like

use std::path::Path;
use std::time::Instant;

use cpsd::images::augment::AugmentOptions;
use cpsd::images::scenes::{SceneOptions, splits};
use cpsd::images::{Batches, Crop, Dataset, Picture, epoch_order};
use cpsd::models::{Model, ModelSpec, Pass};
use cpsd::runs::RunStore;
use cpsd::training::optimiser::{Adam, Average, BETA1, Flat, Groups};
use cpsd::training::options::{DecayOn, Optimiser};
use cpsd::training::{Job, TrainOptions, run};
use serde_json::json;
use tch::{Device, Kind, Tensor};

type Anything<T> = Result<T, Box<dyn std::error::Error>>;

const BATCH: usize = 16;
const LABELS: usize = 20;

fn main() -> Anything<()> {
    cpsd::activity::console::set_quiet(true);
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["prepare", folder, images] => prepare(Path::new(folder), images.parse()?),
        [task, net, size, folder, repeats] => {
            tch::set_num_threads(2);
            let mut seconds: Vec<f64> = vec![];
            for repeat in 0..repeats.parse()? {
                seconds.push(match task {
                    "input" => input(Path::new(folder), size.parse()?, repeat)?,
                    "step" => step(net, size.parse()?)?,
                    "epoch" => epoch(net, size.parse()?, Path::new(folder), repeat.into())?,
                    "ablation" => script(net, size.parse()?, Path::new(folder), 3, ABLATION)?,
                    "sweep" => script(net, size.parse()?, Path::new(folder), 5, SWEEP)?,
                    _ => return Err(format!("no task {task}").into()),
                });
            }
            println!("{}", json!({ "seconds": seconds, "memory": memory() }));
            Ok(())
        }
        _ => {
            println!("run by benches/peers/training.py: make bench-training");
            Ok(())
        }
    }
}

/// The peak memory so far, in MB.
fn memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<f64>().ok()).unwrap_or(0.0) / 1e3
}

/// The middle 640 × 480 of scenes of 640 × 640.
fn prepare(folder: &Path, images: usize) -> Anything<()> {
    std::fs::create_dir_all(folder)?;
    let options =
        SceneOptions { train: images, val: 1, test: 1, test_shifted: 1, size: 640, ..SceneOptions::default() };
    let train = splits(&options)?.remove(0).1;
    for i in 0..images {
        let scene = train.picture(i)?;
        let middle = Crop { left: 0.0, top: 80.0, width: 640.0, height: 480.0 };
        let picture = Picture::new(640, 480, scene.crop_resize(middle, 640, 480)?)?;
        std::fs::write(folder.join(format!("{i:05}.jpg")), picture.to_jpeg(90)?)?;
    }
    Ok(())
}

fn dataset(folder: &Path) -> Anything<Dataset> {
    let mut paths: Vec<String> = std::fs::read_dir(folder)?
        .flatten()
        .map(|e| e.path().display().to_string())
        .filter(|p| p.ends_with(".jpg"))
        .collect();
    paths.sort();
    let labels: Vec<String> = (0..LABELS).map(|i| format!("label {i}")).collect();
    Ok(Dataset::of_files(&paths, &labels)?)
}

/// The authors' augmentation: resize to a square, Cutout, RandAugment.
fn augmentation() -> AugmentOptions {
    AugmentOptions {
        resized_crop_scale: (1.0, 1.0),
        flip: 0.0,
        cutout: 0.5,
        cutout_factor: 0.5,
        randaugment: 2,
        ..Default::default()
    }
}

fn input(folder: &Path, size: u32, repeat: u32) -> Anything<f64> {
    let data = dataset(folder)?;
    let order = epoch_order(u64::from(repeat), 0, data.len()).into_iter().map(|i| (i, repeat)).collect();
    let start = Instant::now();
    for batch in Batches::new(data, size, Some(augmentation()), order, BATCH, 0, Device::Cpu)? {
        std::hint::black_box(batch?);
    }
    Ok(start.elapsed().as_secs_f64())
}

fn labels() -> Vec<String> {
    (0..LABELS).map(|i| format!("label {i}")).collect()
}

/// Ten updates on one batch, after two that are not counted.
fn step(net: &str, size: i64) -> Anything<f64> {
    let spec = ModelSpec { backbone: net.into(), image_size: Some(size), ..Default::default() };
    let model = Model::new(&spec, &labels(), 0, Device::Cpu)?;
    let mut flat = Flat::new(&model)?;
    let mut adam = Adam::new(&flat, Optimiser::Adam, Groups::new(&flat, 1e-4, DecayOn::Weights))?;
    let mut average = Average::new(&flat, 0.9997, false)?;
    let pixels = Tensor::randint_low(0, 256, [BATCH as i64, size, size, 3], (Kind::Uint8, Device::Cpu));
    let targets = Tensor::rand([BATCH as i64, LABELS as i64], (Kind::Float, Device::Cpu)).lt(0.2).to_kind(Kind::Float);
    let loss = cpsd::losses::LossSpec::default();
    let mut start = Instant::now();
    for i in 0..12 {
        if i == 2 {
            start = Instant::now();
        }
        flat.zero_gradients()?;
        let logits = model.forward(&model.normalise(&pixels)?, Pass::step(0, 0, i))?;
        loss.compute(&logits, &targets)?.backward();
        adam.update(&mut flat, 1e-4, BETA1)?;
        average.update(&flat, i + 1)?;
    }
    Ok(start.elapsed().as_secs_f64())
}

fn epoch(net: &str, size: i64, folder: &Path, repeat: u64) -> Anything<f64> {
    let data = dataset(folder)?;
    let model = ModelSpec { backbone: net.into(), image_size: Some(size), ..Default::default() };
    let options = TrainOptions {
        model,
        epochs: 1,
        batch: BATCH,
        views: 0,
        ema: 0.9997,
        augment: augmentation(),
        lr: 1e-4,
        seed: repeat,
        threads: 2,
        ..Default::default()
    };
    let val = data.take_first(1)?;
    let job = Job { name: "epoch".into(), train: data, val: Some(val), labels: labels(), options, distillation: None };
    let store = tempfile::tempdir()?;
    let start = Instant::now();
    run(&RunStore::new(store.path()), &job)?;
    Ok(start.elapsed().as_secs_f64())
}

/// Baseline, SD, CGPD, DGPD and CPSD.
const ABLATION: &str =
    "let one = merge([train_teacher(data, data.train.names, o)]); distill_all(data, [one, co, dis, [co, dis]], o);";

/// Ten CPSD students of the same teachers: weights and losses.
const SWEEP: &str = "sweep(#{weight: [0.25, 0.5, 1.0, 2.0, 4.0], loss: [\"mse\", \"kl\"]},
    |p| distill(data, [co, dis], o + #{distill_weight: p.weight, distillation: p.loss}).id, #{jobs: 2});";

/// What a script does with the teachers of both branches, from an empty run store.
fn script(net: &str, size: i64, folder: &Path, k: usize, students: &str) -> Anything<f64> {
    let mut rows = String::from("image,label\n");
    let mut paths: Vec<_> = std::fs::read_dir(folder)?
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.extension().is_some_and(|e| e == "jpg"))
        .collect();
    paths.sort();
    let root = tempfile::tempdir()?;
    for (i, path) in paths.iter().enumerate() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for j in [i % LABELS, (i * 7 + 3) % LABELS, (i * i + 1) % LABELS] {
            rows.push_str(&format!("{name},label {j}\n"));
        }
        std::os::unix::fs::symlink(path.canonicalize()?, root.path().join(name))?;
    }
    std::fs::write(root.path().join("labels.csv"), rows)?;
    let code = format!(
        "let data = dataset(\"folder\", #{{root: \"{}\", val: 0.02, test: 0.02}});
         let counts = cooccurrence(data.train);
         let o = #{{epochs: 4, batch: {BATCH}, views: 2, eval_every: 4, ema: 0.9997, lr: 0.0001, model: #{{backbone: \"{net}\", image_size: {size}}},
             augment: #{{resized_crop_scale: [1.0, 1.0], flip: 0.0, cutout: 0.5, cutout_factor: 0.5, randaugment: 2}}}};
         let co = merge(train_teachers(data, spectral_partition(affinity(counts, \"co\"), {k}), o));
         let dis = merge(train_teachers(data, spectral_partition(affinity(counts, \"dis\"), {k}), o));
         {students}",
        root.path().display()
    );
    let mut session = cpsd::primitives::session();
    *session.host.runs.borrow_mut() = root.path().join("runs");
    let start = Instant::now();
    let _ = session.eval(&code, "students").map_err(|f| f.render(false, 100))?;
    Ok(start.elapsed().as_secs_f64())
}
