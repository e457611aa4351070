//! Tensors that the tests and the Python generators of goldens both compute, so that no weights are stored.

use tch::Tensor;

/// zlib's CRC-32, which gives the formula its phase.
pub fn crc32(text: &str) -> u32 {
    let mut crc = u32::MAX;
    for byte in text.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

/// `formula` or `chirp`: a tensor of that name and shape, with values in ±scale.
pub type Formula = fn(name: &str, shape: &[i64], scale: f64) -> Tensor;

/// The generators' `formula`: sines of the index times `scale`, with a phase that the name gives.
pub fn formula(name: &str, shape: &[i64], scale: f64) -> Tensor {
    sines(name, shape, scale, |i| i * 0.37)
}

/// The generators' `chirp`: as `formula`, with a frequency that rises, so that matrices have full rank.
pub fn chirp(name: &str, shape: &[i64], scale: f64) -> Tensor {
    sines(name, shape, scale, |i| i * 0.37 + i * i * 1e-4)
}

fn sines(name: &str, shape: &[i64], scale: f64, angle: impl Fn(f64) -> f64) -> Tensor {
    let phase = f64::from(crc32(name) % 1000);
    let n: i64 = shape.iter().product();
    let values: Vec<f32> = (0..n).map(|i| ((angle(i as f64) + phase).sin() * scale) as f32).collect();
    Tensor::from_slice(&values).reshape(shape)
}

/// The generators' `scattered`: numbers scattered over (-scale, scale), with a phase that the name gives. Sines make layers of
/// rank 2, which hide a wrong order of channels.
pub fn scattered(name: &str, shape: &[i64], scale: f64) -> Tensor {
    let phase = f64::from(crc32(name) % 1000);
    let value = |i: i64| {
        let x = (i as f64 * 12.9898 + phase).sin() * 43758.5453;
        (((x - x.floor()) * 2.0 - 1.0) * scale) as f32
    };
    let values: Vec<f32> = (0..shape.iter().product::<i64>()).map(value).collect();
    Tensor::from_slice(&values).reshape(shape)
}

/// The weight or statistic of that name in a golden, times `scale`: variances and the weights of norms lie around 1, biases and
/// means around 0, and other weights have the variance that keeps that of their input.
pub fn drawn(name: &str, shape: &[i64], scale: f64) -> Tensor {
    if name.ends_with("running_var") || (shape.len() == 1 && name.ends_with("weight")) {
        scattered(name, shape, 0.2 * scale) + 1.0
    } else if shape.len() == 1 {
        scattered(name, shape, 0.1 * scale)
    } else {
        scattered(name, shape, (3.0 / shape[1..].iter().product::<i64>() as f64).sqrt() * scale)
    }
}
