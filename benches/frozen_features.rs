//! Images per second through the frozen stages of EfficientNet-Lite0 at 128 pixels, by the way of computing, batch size and
//! memory layout.
//!
//! `cargo bench --bench frozen_features`; medians of nine runs. `cargo bench --bench frozen_features -- rows`: kept rows.
//! `picture [folded] SIZE BATCH ...` prints one line of JSON for `make bench-all`: the seconds of a picture in the fastest of these batches.

#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // benches touch files and print as they like

use std::time::Instant;

use cpsd::images::epoch_order;
use cpsd::models::{FrozenCompute, Model, ModelSpec};
use cpsd::runs::RunStore;
use cpsd::training::stored_rows::{StoredRows, append_half, made_by};
use tch::{Device, Kind, Tensor};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.first().map(String::as_str) {
        Some("rows") => rows(),
        Some("picture") => {
            let compute = WAYS.into_iter().find(|compute| arguments.get(1) == Some(&name(*compute)));
            let skipped = 1 + usize::from(compute.is_some());
            let numbers: Vec<i64> = arguments[skipped..].iter().map(|number| number.parse().unwrap()).collect();
            picture(compute.unwrap_or_default(), numbers[0], &numbers[1..]);
        }
        _ => stages(),
    }
}

const WAYS: [FrozenCompute; 3] = [FrozenCompute::Exact, FrozenCompute::Folded, FrozenCompute::BFloat16];

fn name(compute: FrozenCompute) -> String {
    format!("{compute:?}").to_lowercase()
}

fn model(compute: FrozenCompute, size: i64) -> Model {
    let spec = ModelSpec {
        backbone: "efficientnet_lite0".into(),
        head: "conv".into(),
        image_size: Some(size),
        stages: Some(5),
        freeze: 5,
        frozen_compute: compute,
        ..ModelSpec::default()
    };
    Model::new(&spec, &["a".to_string()], 0, Device::Cpu).unwrap()
}

/// The median of nine passes, in seconds.
fn pass(model: &Model, size: i64, batch: i64, channels_last: bool) -> f64 {
    let pixels = Tensor::randint(256, [batch, size, size, 3], (Kind::Uint8, Device::Cpu));
    let mut x = model.normalise(&pixels).unwrap();
    if !channels_last {
        x = x.contiguous();
    }
    let mut seconds: Vec<f64> = (0..9)
        .map(|_| {
            let started = Instant::now();
            let _ = model.frozen_features(&x).unwrap();
            started.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    seconds[4]
}

fn picture(compute: FrozenCompute, size: i64, batches: &[i64]) {
    tch::set_num_threads(2);
    let model = model(compute, size);
    let seconds = batches.iter().map(|batch| pass(&model, size, *batch, true) / *batch as f64).fold(f64::MAX, f64::min);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    println!("{}", serde_json::json!({ "seconds": [seconds], "memory": peak.unwrap_or(0.0) / 1e3 }));
}

fn stages() {
    for compute in WAYS {
        let model = model(compute, 128);
        for batch in [16i64, 32, 64, 128] {
            for channels_last in [true, false] {
                let rate = batch as f64 / pass(&model, 128, batch, channels_last);
                let layout = if channels_last { "channels last" } else { "channels first" };
                println!("{:<8} batch {batch:>3}, {layout:<14}: {rate:>6.1} images/s", name(compute));
            }
        }
    }
}

/// Rows of a kept matrix: writing, the first opening (which compares the file with its digest), and shuffled batches of 64 rows, read and
/// mapped. 20,000 rows of 8 × 8 × 320 (the last frozen stage of EfficientNet-Lite0 at 128 pixels would give 4 × 4 × 192), 0.8 GB.
fn rows() {
    let folder = tempfile::tempdir().unwrap();
    let store = RunStore::new(folder.path());
    let (n, shape) = (20_000i64, [8i64, 8, 320]);
    let part = Tensor::rand([100, shape[0], shape[1], shape[2]], (Kind::Float, Device::Cpu));
    let bytes = (n * shape.iter().product::<i64>() * 2) as f64;
    let timed = |what: &str, bytes: f64, work: &mut dyn FnMut()| {
        let started = Instant::now();
        work();
        let seconds = started.elapsed().as_secs_f64();
        println!("{what:<44} {seconds:>7.3} s, {:>6.3} s/GB", seconds / bytes * 1e9);
    };
    timed("write, with a digest", bytes, &mut || {
        let spec = serde_json::json!({ "bench": "rows" });
        let made = store.find_or_make("features", &spec, |work| {
            let mut out = work.grow(StoredRows::FILE, n as u64, made_by(Device::Cpu, 100))?;
            (0..n / 100).try_for_each(|_| append_half(&mut out, &part))?;
            out.finish()?;
            Ok(serde_json::json!({ "rows": n, "shape": shape }))
        });
        made.unwrap();
    });
    let run = store.list().remove(0);
    let mut rows = None;
    timed("open, compared with its digest", bytes, &mut || rows = Some(StoredRows::open(&run).unwrap()));
    timed("open again", bytes, &mut || rows = Some(StoredRows::open(&run).unwrap()));
    let rows = rows.unwrap();
    let path = run.path(StoredRows::FILE).display().to_string();
    let mapped = Tensor::from_file(&path, false, (bytes / 2.0) as i64, (Kind::Half, Device::Cpu));
    let mapped = mapped.view([n, shape[0], shape[1], shape[2]]);
    let order = epoch_order(0, 0, n as usize);
    let batches: Vec<Vec<i64>> = order.chunks(64).map(|part| part.iter().map(|&i| i64::from(i)).collect()).collect();
    for repeat in 0..3 {
        timed(&format!("an epoch of rows, read ({repeat})"), bytes, &mut || {
            batches.iter().for_each(|which| drop(rows.take_maps(which).unwrap()))
        });
        timed(&format!("an epoch of rows, mapped ({repeat})"), bytes, &mut || {
            for which in &batches {
                let rows = mapped.index_select(0, &Tensor::from_slice(which)).to_kind(Kind::Float);
                let _ = rows.permute([0, 3, 1, 2]);
            }
        });
    }
}
