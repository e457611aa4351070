//! RandAugment (Cubuk et al., CVPR workshops 2020) on bytes, with torchvision's operations and magnitudes.

use rand::RngExt;

/// An RGB picture, `height` × `width` × 3 bytes.
pub struct Pixels<'a> {
    pub rgb: &'a mut Vec<u8>,
    pub width: usize,
    pub height: usize,
}

/// An operation and its strength.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Op {
    Identity,
    /// Tangent of the angle.
    ShearX(f64),
    ShearY(f64),
    /// Pixels.
    TranslateX(f64),
    TranslateY(f64),
    /// Degrees, counter-clockwise.
    Rotate(f64),
    /// For these four, 0 leaves the picture as it is and -1 is the opposite end: black, grey, flat, blurred.
    Brightness(f64),
    Color(f64),
    Contrast(f64),
    Sharpness(f64),
    /// Bits kept.
    Posterize(u32),
    /// Inverts bytes from this value on.
    Solarize(f64),
    AutoContrast,
    Equalize,
}

/// Number of strengths, counted from 0.
pub const LEVELS: usize = 31;
const OPERATIONS: usize = 14;

/// Operation number `index` of 14 at `level` of [`LEVELS`], for pictures of this size; `negative` reverses it.
pub fn op(index: usize, level: usize, negative: bool, width: usize, height: usize) -> Op {
    let signed = |most: f64| {
        let strength = between(0.0, most, level);
        if negative { -strength } else { strength }
    };
    match index {
        1 => Op::ShearX(signed(0.3)),
        2 => Op::ShearY(signed(0.3)),
        3 => Op::TranslateX(signed(150.0 / 331.0 * width as f64)),
        4 => Op::TranslateY(signed(150.0 / 331.0 * height as f64)),
        5 => Op::Rotate(signed(30.0)),
        6 => Op::Brightness(signed(0.9)),
        7 => Op::Color(signed(0.9)),
        8 => Op::Contrast(signed(0.9)),
        9 => Op::Sharpness(signed(0.9)),
        10 => Op::Posterize(8 - (level as f64 / ((LEVELS - 1) as f64 / 4.0)).round_ties_even() as u32),
        11 => Op::Solarize(between(255.0, 0.0, level)),
        12 => Op::AutoContrast,
        13 => Op::Equalize,
        _ => Op::Identity,
    }
}

/// Step `level` of [`LEVELS`] equal steps, in single precision and from the nearer end, as in the reference.
fn between(from: f64, to: f64, level: usize) -> f64 {
    let step = (to - from) as f32 / (LEVELS - 1) as f32;
    f64::from(if level < LEVELS / 2 {
        from as f32 + step * level as f32
    } else {
        to as f32 - step * (LEVELS - 1 - level) as f32
    })
}

/// Draws `count` operations, each at `level`, for a picture of this size.
pub fn drawn(count: usize, level: usize, width: usize, height: usize, rng: &mut impl rand::Rng) -> Vec<Op> {
    let mut next = || {
        let (index, negative) = (rng.random_range(0..OPERATIONS), rng.random::<bool>());
        op(index, level.min(LEVELS - 1), negative, width, height)
    };
    (0..count).map(|_| next()).collect()
}

/// Applies one operation.
pub fn apply(picture: &mut Pixels, op: Op) {
    let (width, height) = (picture.width as f64, picture.height as f64);
    match op {
        Op::Identity => {}
        Op::ShearX(_) | Op::ShearY(_) | Op::TranslateX(_) | Op::TranslateY(_) | Op::Rotate(_) => {
            if let Some(matrix) = source(op, picture.width, picture.height) {
                warp(picture, matrix);
            }
        }
        Op::Brightness(by) => blend(picture.rgb, 1.0 + by, |_| [0.0; 3]),
        Op::Color(by) => blend(picture.rgb, 1.0 + by, |pixel| [f32::from(grey(pixel)); 3]),
        Op::Contrast(by) => {
            let sum: f64 = picture.rgb.chunks_exact(3).map(|pixel| f64::from(grey(pixel))).sum();
            let mean = (sum / (width * height)) as f32;
            blend(picture.rgb, 1.0 + by, |_| [mean; 3]);
        }
        Op::Sharpness(by) => sharpen(picture, 1.0 + by),
        Op::Posterize(bits) => {
            let mask = if bits >= 8 { 0xff } else { !(0xff_u8 >> bits) };
            picture.rgb.iter_mut().for_each(|x| *x &= mask);
        }
        Op::Solarize(from) => picture.rgb.iter_mut().filter(|x| f64::from(**x) >= from).for_each(|x| *x = 255 - *x),
        Op::AutoContrast => by_table(picture.rgb, stretched),
        Op::Equalize => by_table(picture.rgb, equalised),
    }
}

/// The 2 × 3 matrix by which an operation that moves pixels finds the source of each: from coordinates in pixels around the middle
/// of the picture to coordinates from -1 to 1. None for the other operations.
pub(super) fn source(op: Op, width: usize, height: usize) -> Option<[f32; 6]> {
    let (w, h) = (width as f64, height as f64);
    let corner = (-w / 2.0, -h / 2.0);
    let matrix = match op {
        // Shears are about the upper left corner.
        Op::ShearX(tan) => inverse(corner, 0.0, (0.0, 0.0), (tan.atan(), 0.0)),
        Op::ShearY(tan) => inverse(corner, 0.0, (0.0, 0.0), (0.0, tan.atan())),
        Op::TranslateX(by) => inverse((0.0, 0.0), 0.0, (by.trunc(), 0.0), (0.0, 0.0)),
        Op::TranslateY(by) => inverse((0.0, 0.0), 0.0, (0.0, by.trunc()), (0.0, 0.0)),
        Op::Rotate(degrees) => inverse((0.0, 0.0), -degrees.to_radians(), (0.0, 0.0), (0.0, 0.0)),
        _ => return None,
    };
    let half = [0.5 * width as f32, 0.5 * height as f32];
    Some(std::array::from_fn(|i| matrix[i] / half[i / 3]))
}

/// The 2 × 3 matrix from a pixel to its source, in coordinates from the middle of the picture.
///
/// `angle` and `shear` in radians; the same terms in the same order as torchvision's `_get_inverse_affine_matrix`.
fn inverse(centre: (f64, f64), angle: f64, by: (f64, f64), shear: (f64, f64)) -> [f32; 6] {
    let (sx, sy) = shear;
    let a = (angle - sy).cos() / sy.cos();
    let b = -(angle - sy).cos() * sx.tan() / sy.cos() - angle.sin();
    let c = (angle - sy).sin() / sy.cos();
    let d = -(angle - sy).sin() * sx.tan() / sy.cos() + angle.cos();
    let (x, y) = (-centre.0 - by.0, -centre.1 - by.1);
    [d, -b, d * x - b * y + centre.0, -c, a, -c * x + a * y + centre.1].map(|x| x as f32)
}

/// Takes every pixel from the nearest pixel of its [`source`], black outside. Single precision, as in the reference.
fn warp(picture: &mut Pixels, [a, b, c, d, e, f]: [f32; 6]) {
    let (width, height) = (picture.width, picture.height);
    let (w, h) = (width as f32, height as f32);
    let mut out = vec![0; picture.rgb.len()];
    for row in 0..height {
        let y = row as f32 + 0.5 - 0.5 * h;
        for column in 0..width {
            let x = column as f32 + 0.5 - 0.5 * w;
            let from_x = (((a * x + b * y + c) + 1.0) * w - 1.0) / 2.0;
            let from_y = (((d * x + e * y + f) + 1.0) * h - 1.0) / 2.0;
            let (from_x, from_y) = (from_x.round_ties_even(), from_y.round_ties_even());
            if (0.0..w).contains(&from_x) && (0.0..h).contains(&from_y) {
                let from = (from_y as usize * width + from_x as usize) * 3;
                out[(row * width + column) * 3..][..3].copy_from_slice(&picture.rgb[from..from + 3]);
            }
        }
    }
    *picture.rgb = out;
}

/// ITU-R 601-2 luma, truncated.
fn grey(pixel: &[u8]) -> u8 {
    (0.2989 * f32::from(pixel[0]) + 0.587 * f32::from(pixel[1]) + 0.114 * f32::from(pixel[2])) as u8
}

/// The factors of both pictures of [`blend`].
pub(super) fn shares(ratio: f64) -> [f32; 2] {
    [ratio as f32, (1.0 - ratio) as f32]
}

/// ratio · picture + (1 - ratio) · other, clamped to a byte and truncated.
fn blend(rgb: &mut [u8], ratio: f64, mut other: impl FnMut(&[u8]) -> [f32; 3]) {
    let [own, rest] = shares(ratio);
    for pixel in rgb.chunks_exact_mut(3) {
        let other = other(pixel);
        for (x, o) in pixel.iter_mut().zip(other) {
            *x = (own * f32::from(*x) + rest * o).clamp(0.0, 255.0) as u8;
        }
    }
}

/// Blends with the blurred picture.
fn sharpen(picture: &mut Pixels, ratio: f64) {
    if picture.width <= 2 || picture.height <= 2 {
        return;
    }
    let blurred = blurred(picture);
    // The edge is blended with itself, which may round it down, as in the reference.
    let mut others = blurred.chunks_exact(3);
    blend(picture.rgb, ratio, |pixel| {
        let other = others.next().unwrap_or(pixel);
        std::array::from_fn(|c| f32::from(other[c]))
    });
}

/// The picture through the kernel 1 1 1, 1 5 1, 1 1 1 over 13, its edge as it was.
pub(super) fn blurred(picture: &Pixels) -> Vec<u8> {
    let (width, height) = (picture.width, picture.height);
    let mut blurred = picture.rgb.clone();
    if width < 3 || height < 3 {
        return blurred;
    }
    let row = width * 3;
    for y in 1..height - 1 {
        let inside = y * row + 3..(y + 1) * row - 3;
        for (at, out) in inside.clone().zip(&mut blurred[inside]) {
            let value = |at: usize| u32::from(picture.rgb[at]);
            let beside = |at: usize| value(at - 3) + value(at) + value(at + 3);
            let sum = beside(at - row) + beside(at) + beside(at + row) + 4 * value(at);
            // The nearest integer; a sum over 13 is never halfway between two.
            *out = ((2 * sum + 13) / 26) as u8;
        }
    }
    blurred
}

/// Maps every byte through a table that is made from the histogram of its channel.
pub(super) fn by_table(rgb: &mut [u8], table: fn(&[u32; 256]) -> Option<[u8; 256]>) {
    for c in 0..3 {
        let mut histogram = [0; 256];
        rgb.iter().skip(c).step_by(3).for_each(|&x| histogram[usize::from(x)] += 1);
        if let Some(table) = table(&histogram) {
            rgb.iter_mut().skip(c).step_by(3).for_each(|x| *x = table[usize::from(*x)]);
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
    // In this order, as PyTorch divides a number by a tensor.
    let scale = (1.0 / (high - low) as f32) * 255.0;
    Some(std::array::from_fn(|x| ((x as f32 - low as f32) * scale).clamp(0.0, 255.0) as u8))
}

/// Makes all values equally frequent, as far as a table can.
pub(super) fn equalised(histogram: &[u32; 256]) -> Option<[u8; 256]> {
    let last = histogram.iter().rposition(|&n| n > 0)?;
    let step = histogram[..last].iter().sum::<u32>() / 255;
    if step == 0 {
        return None;
    }
    let mut below = step / 2;
    Some(std::array::from_fn(|x| {
        let value = (below / step).min(255) as u8;
        below += histogram[x];
        value
    }))
}
