//! Images per second through the frozen stages of EfficientNet-Lite0 at 128 pixels, by batch size and memory layout.
//!
//! `cargo bench --bench frozen_features`; medians of nine runs.

#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // benches touch files and print as they like

use std::time::Instant;

use cpsd::models::{Model, ModelSpec};
use tch::{Device, Kind, Tensor};

fn main() {
    let spec = ModelSpec {
        backbone: "efficientnet_lite0".into(),
        head: "conv".into(),
        image_size: Some(128),
        stages: Some(5),
        freeze: 5,
        ..ModelSpec::default()
    };
    let model = Model::new(&spec, &["a".to_string()], 0, Device::Cpu).unwrap();
    for batch in [16i64, 32, 64, 128] {
        for channels_last in [true, false] {
            let pixels = Tensor::randint(256, [batch, 128, 128, 3], (Kind::Uint8, Device::Cpu));
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
            let layout = if channels_last { "channels last" } else { "channels first" };
            println!("batch {batch:>3}, {layout:<14}: {:>6.1} images/s", batch as f64 / seconds[4]);
        }
    }
}
