//! RandAugment as the package randaugment 1.0.2 of PyPI has it, on bytes: two operations, each applied with probability ½ at a
//! strength drawn from nine. The package follows UDA (Xie et al., NeurIPS 2020); the authors of ASL, ML-Decoder and CPSD train with it.
//!
//! The arithmetic is Pillow's, whose operations the package calls.

use rand::RngExt;

use super::fill::Fill;
use super::randaugment::{Pixels, blurred, by_table, equalised};

/// An operation and its strength.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Op {
    Invert,
    /// A square of `side` pixels around the pixel (x, y).
    Cutout {
        side: usize,
        x: usize,
        y: usize,
    },
    /// For Sharpness, Contrast, Color and Brightness, 1 leaves the picture as it is and 0 is the opposite end: blurred, flat, grey,
    /// black.
    Sharpness(f64),
    AutoContrast,
    /// Bits kept.
    Posterize(u32),
    /// Tangent of the angle.
    ShearX(f64),
    /// Share of the width.
    TranslateX(f64),
    /// Share of the height.
    TranslateY(f64),
    ShearY(f64),
    /// Degrees, counter-clockwise.
    Rotate(f64),
    Equalize,
    Contrast(f64),
    Color(f64),
    /// Inverts bytes from this value on.
    Solarize(f64),
    Brightness(f64),
}

/// The names of the operations, in the package's order.
pub const OPERATIONS: [&str; 15] = [
    "Invert",
    "Cutout",
    "Sharpness",
    "AutoContrast",
    "Posterize",
    "ShearX",
    "TranslateX",
    "TranslateY",
    "ShearY",
    "Rotate",
    "Equalize",
    "Contrast",
    "Color",
    "Solarize",
    "Brightness",
];

/// Strengths are 1 to this one; strength 0, which changes nothing, is not drawn.
pub const STRONGEST: usize = 9;

/// Fills what an operation moves in from outside.
pub(super) const OUTSIDE: u8 = 128;
/// Fills the square of Cutout.
const CUT: [u8; 3] = [125, 122, 113];

/// Operation number `index` of [`OPERATIONS`] at strength `level`, from 1 to [`STRONGEST`]; `negative` reverses it, `centre` (x, y) is
/// the middle of Cutout's square.
pub fn op(index: usize, level: usize, negative: bool, centre: (usize, usize)) -> Op {
    let signed = |most: f64| {
        let strength = between(0.0, most, level);
        if negative { -strength } else { strength }
    };
    match index {
        0 => Op::Invert,
        1 => Op::Cutout { side: between(0.0, 20.0, level).round_ties_even() as usize, x: centre.0, y: centre.1 },
        2 => Op::Sharpness(1.0 + signed(0.9)),
        3 => Op::AutoContrast,
        4 => Op::Posterize(between(8.0, 4.0, level).round_ties_even() as u32),
        5 => Op::ShearX(signed(0.3)),
        6 => Op::TranslateX(signed(150.0 / 331.0)),
        7 => Op::TranslateY(signed(150.0 / 331.0)),
        8 => Op::ShearY(signed(0.3)),
        9 => Op::Rotate(between(0.0, 30.0, level)),
        10 => Op::Equalize,
        11 => Op::Contrast(1.0 + signed(0.9)),
        12 => Op::Color(1.0 + signed(0.9)),
        13 => Op::Solarize(between(256.0, 0.0, level)),
        _ => Op::Brightness(1.0 + signed(0.9)),
    }
}

/// Step `level` of ten equal steps, as numpy's `linspace` computes it.
fn between(from: f64, to: f64, level: usize) -> f64 {
    if level >= STRONGEST { to } else { level as f64 * ((to - from) / STRONGEST as f64) + from }
}

/// Draws `count` operations with their strengths and applies each with probability ½. The package draws two.
pub fn randaugment(picture: &mut Pixels, count: usize, rng: &mut impl rand::Rng) {
    let drawn = drawn(count, picture.width, picture.height, rng);
    drawn.into_iter().flatten().for_each(|op| apply(picture, op));
}

/// Draws `count` operations for a picture of this size; None with probability ½.
pub fn drawn(count: usize, width: usize, height: usize, rng: &mut impl rand::Rng) -> Vec<Option<Op>> {
    if width == 0 || height == 0 {
        return Vec::new();
    }
    let mut next = || {
        let (index, level) = (rng.random_range(0..OPERATIONS.len()), rng.random_range(1..=STRONGEST));
        let (applied, negative) = (rng.random::<bool>(), rng.random::<bool>());
        let centre = (rng.random_range(0..width), rng.random_range(0..height));
        applied.then(|| op(index, level, negative, centre))
    };
    (0..count).map(|_| next()).collect()
}

/// Applies one operation.
pub fn apply(picture: &mut Pixels, op: Op) {
    let (width, height) = (picture.width, picture.height);
    match op {
        Op::Invert => picture.rgb.iter_mut().for_each(|x| *x = 255 - *x),
        Op::Cutout { side, x, y } => cut((x, y), side, width, height).apply(picture),
        Op::Sharpness(factor) => {
            let blurred = blurred(picture);
            let mut others = blurred.chunks_exact(3);
            blend(picture.rgb, factor, |pixel| {
                let other = others.next().unwrap_or(pixel);
                [other[0], other[1], other[2]]
            });
        }
        Op::AutoContrast => by_table(picture.rgb, stretched),
        Op::Posterize(bits) => {
            let mask = if bits >= 8 { 0xff } else { !(0xff_u8 >> bits) };
            picture.rgb.iter_mut().for_each(|x| *x &= mask);
        }
        Op::ShearX(tangent) => shear(picture, tangent, 0.0),
        Op::ShearY(tangent) => shear(picture, 0.0, tangent),
        Op::TranslateX(share) => translate(picture, share * width as f64, 0.0),
        Op::TranslateY(share) => translate(picture, 0.0, share * height as f64),
        Op::Rotate(degrees) => rotate(picture, degrees),
        Op::Equalize => by_table(picture.rgb, equalised),
        Op::Contrast(factor) => {
            let sum: u64 = picture.rgb.chunks_exact(3).map(|pixel| u64::from(grey(pixel))).sum();
            let mean = (sum as f64 / (width * height).max(1) as f64 + 0.5) as u8;
            blend(picture.rgb, factor, |_| [mean; 3]);
        }
        Op::Color(factor) => blend(picture.rgb, factor, |pixel| [grey(pixel); 3]),
        Op::Solarize(from) => picture.rgb.iter_mut().filter(|x| f64::from(**x) >= from).for_each(|x| *x = 255 - *x),
        Op::Brightness(factor) => blend(picture.rgb, factor, |_| [0; 3]),
    }
}

/// The square that Cutout of `side` pixels fills.
pub(super) fn cut(centre: (usize, usize), side: usize, width: usize, height: usize) -> Fill {
    Fill::around(centre, side / 2, 0, width, height, CUT)
}

/// ITU-R 601-2 luma in 16 bits of fraction, rounded: Pillow's mode L.
fn grey(pixel: &[u8]) -> u8 {
    let [r, g, b] = [pixel[0], pixel[1], pixel[2]].map(u32::from);
    ((r * 19_595 + g * 38_470 + b * 7_471 + 0x8000) >> 16) as u8
}

/// other + factor · (picture - other), clamped to a byte and truncated, in single precision.
fn blend(rgb: &mut [u8], factor: f64, mut other: impl FnMut(&[u8]) -> [u8; 3]) {
    let factor = factor as f32;
    for pixel in rgb.chunks_exact_mut(3) {
        let other = other(pixel);
        for (x, o) in pixel.iter_mut().zip(other) {
            let difference = f32::from(i16::from(*x) - i16::from(o));
            *x = (f32::from(o) + factor * difference).clamp(0.0, 255.0) as u8;
        }
    }
}

/// Maps the least value to 0 and the greatest to 255.
fn stretched(histogram: &[u32; 256]) -> Option<[u8; 256]> {
    let low = histogram.iter().position(|&n| n > 0)?;
    let high = histogram.iter().rposition(|&n| n > 0)?;
    if low == high {
        return None;
    }
    let scale = 255.0 / (high - low) as f64;
    let offset = -(low as f64) * scale;
    Some(std::array::from_fn(|x| (x as f64 * scale + offset).clamp(0.0, 255.0) as u8))
}

/// Takes each pixel (x, y) from (x + by_x, y + by_y), truncated.
fn translate(picture: &mut Pixels, by_x: f64, by_y: f64) {
    let (columns, rows) = (moved_from(by_x, picture.width), moved_from(by_y, picture.height));
    moved(picture, |x, y| Some((columns[x]?, rows[y]?)));
}

/// The column or row from which each of `size` is taken when it moves by so much; None outside.
pub(super) fn moved_from(by: f64, size: usize) -> Vec<Option<usize>> {
    // Positions are summed up from pixel to pixel, as the reference does.
    let mut at = by + 0.5;
    let mut next = || {
        let from = (at >= 0.0 && at < size as f64).then_some(at as usize);
        at += 1.0;
        from
    };
    (0..size).map(|_| next()).collect()
}

/// The source of pixel (x, y) in a turned picture, as [a, b, c, d, e, f]: (a·x + b·y + c, d·x + e·y + f) in 16 bits of fraction.
pub(super) fn turned_from(degrees: f64, width: usize, height: usize) -> [i64; 6] {
    let (width, height) = (width as f64, height as f64);
    let angle = -degrees.to_radians();
    let rounded = |x: f64| (x * 1e15).round_ties_even() / 1e15;
    let (cos, sin, minus_sin) = (rounded(angle.cos()), rounded(angle.sin()), rounded(-angle.sin()));
    let (middle_x, middle_y) = (width / 2.0, height / 2.0);
    let from_x = cos * -middle_x + sin * -middle_y + 0.0 + middle_x;
    let from_y = minus_sin * -middle_x + cos * -middle_y + 0.0 + middle_y;
    let fixed = |x: f64| (x * 65_536.0 + 0.5).floor() as i64;
    let (c, f) = (fixed(from_x + cos * 0.5 + sin * 0.5), fixed(from_y + minus_sin * 0.5 + cos * 0.5));
    [fixed(cos), fixed(sin), c, fixed(minus_sin), fixed(cos), f]
}

/// Turns the picture around its middle, counter-clockwise; the nearest pixel.
fn rotate(picture: &mut Pixels, degrees: f64) {
    let [a, b, c, d, e, f] = turned_from(degrees, picture.width, picture.height);
    let (columns, rows) = (picture.width, picture.height);
    moved(picture, |x, y| {
        let (x, y) = (x as i64, y as i64);
        let from_x = usize::try_from((c + a * x + b * y) >> 16).ok().filter(|x| *x < columns)?;
        let from_y = usize::try_from((f + d * x + e * y) >> 16).ok().filter(|y| *y < rows)?;
        Some((from_x, from_y))
    });
}

/// Takes every pixel from the one that `source` names, grey where it names none.
fn moved(picture: &mut Pixels, source: impl Fn(usize, usize) -> Option<(usize, usize)>) {
    let mut out = vec![0; picture.rgb.len()];
    for (i, pixel) in out.chunks_exact_mut(3).enumerate() {
        let (x, y) = (i % picture.width, i / picture.width);
        match source(x, y) {
            Some((x, y)) => pixel.copy_from_slice(&picture.rgb[(y * picture.width + x) * 3..][..3]),
            None => pixel.fill(OUTSIDE),
        }
    }
    *picture.rgb = out;
}

/// Takes each pixel from (x + tan_x · y, y + tan_y · x), counted from the upper left corner to the pixels' middles; bicubic
/// (a = -1).
fn shear(picture: &mut Pixels, tan_x: f64, tan_y: f64) {
    let (width, height) = (picture.width, picture.height);
    let mut out = vec![0; picture.rgb.len()];
    for (i, pixel) in out.chunks_exact_mut(3).enumerate() {
        let (x, y) = ((i % width) as f64 + 0.5, (i / width) as f64 + 0.5);
        let (from_x, from_y) = (x + tan_x * y, tan_y * x + y);
        if from_x < 0.0 || from_x >= width as f64 || from_y < 0.0 || from_y >= height as f64 {
            pixel.fill(OUTSIDE);
            continue;
        }
        let (from_x, from_y) = (from_x - 0.5, from_y - 0.5);
        let (left, top) = (from_x.floor(), from_y.floor());
        let (dx, dy) = (from_x - left, from_y - top);
        // The second of four rows and columns is the one at `top` and `left`; outside, the edge is repeated.
        let near = |at: f64, i: i64, size: usize| (at as i64 - 1 + i).clamp(0, size as i64 - 1) as usize;
        let columns: [usize; 4] = std::array::from_fn(|i| near(left, i as i64, width) * 3);
        let rows: [usize; 4] = std::array::from_fn(|i| near(top, i as i64, height) * width * 3);
        for (c, value) in pixel.iter_mut().enumerate() {
            let along = rows.map(|row| cubic(columns.map(|column| f64::from(picture.rgb[row + column + c])), dx));
            *value = cubic(along, dy).clamp(0.0, 255.0) as u8;
        }
    }
    *picture.rgb = out;
}

/// The cubic through four neighbours (a = -1) at `d` between the second and the third.
fn cubic([v1, v2, v3, v4]: [f64; 4], d: f64) -> f64 {
    let (p2, p3, p4) = (-v1 + v3, 2.0 * (v1 - v2) + v3 - v4, -v1 + v2 - v3 + v4);
    v2 + d * (p2 + d * (p3 + d * p4))
}
