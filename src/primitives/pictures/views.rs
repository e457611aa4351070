//! Operations that draw: `random_resized_crop`, `rand_augment`; and `erase`, which Cutout draws.

use rhai::Array;

use super::{changed, picture, side, tensor};
use crate::error::{Error, Result};
use crate::images::Fill;
use crate::images::augment::resized_crop;
use crate::images::randaugment::{LEVELS, apply, drawn};
use crate::memory;
use crate::primitives::values::random::RandomValue;
use crate::primitives::values::tensor::TensorValue;
use crate::script::call::{Call, Number};
use crate::script::word::{Chapter, Example, Word};

pub const RANDOM_RESIZED_CROP: Word = Word {
    name: "random_resized_crop",
    chapter: Chapter::Tensors,
    signatures: &[
        "random_resized_crop(picture, random, size) -> Tensor",
        "random_resized_crop(picture, random, size, scale) -> Tensor",
        "random_resized_crop(picture, random, size, scale, ratio) -> Tensor",
    ],
    summary: "A random part of a picture, resized to size × size.",
    details: "picture is a Tensor [3, height, width] of uint8, random a Random, as an augmentation gets one. scale is the range of the part's share \
              of the area, [0.08, 1.0] by default; ratio that of its width over its height, [0.75, 1.3333] by default. torchvision's \
              RandomResizedCrop.",
    options: None,
    examples: &[Example {
        code: "let p = tensor([[[1, 2]], [[3, 4]], [[5, 6]]]).to(\"uint8\"); p.random_resized_crop(random(1), 8, [0.5, 1.0]).shape",
        prints: "[3, 8, 8]",
    }],
    register: |word| {
        word.form(random_resized_crop);
    },
};

/// torchvision's.
const SCALE: (f64, f64) = (0.08, 1.0);
const RATIO: (f64, f64) = (3.0 / 4.0, 4.0 / 3.0);

fn random_resized_crop(
    call: &Call,
    of: TensorValue,
    random: RandomValue,
    size: i64,
    scale: Option<Array>,
    ratio: Option<Array>,
) -> Result<TensorValue> {
    let scale = scale.map_or(Ok(SCALE), |scale| range(call, "scale", &scale, 1.0))?;
    let ratio = ratio.map_or(Ok(RATIO), |ratio| range(call, "ratio", &ratio, f64::MAX))?;
    let (whole, size) = (picture(call, &of)?, side(call, "size", size)?);
    memory::check(call.name, 12 * u64::from(size) * u64::from(size))?;
    tensor(&random.draw(|generator| resized_crop(&whole, size, scale, ratio, generator))?, &of)
}

/// Two numbers above 0, the smaller first.
fn range(call: &Call, what: &str, array: &Array, most: f64) -> Result<(f64, f64)> {
    let numbers: Vec<f64> = array.iter().filter_map(Number::of).collect();
    match numbers[..] {
        [low, high] if array.len() == 2 && 0.0 < low && low <= high && high <= most => Ok((low, high)),
        _ => {
            let bound = if most < f64::MAX { format!(", at most {most}") } else { String::new() };
            Err(Error::argument(format!("{}: {what} must be two numbers above 0, the smaller first{bound}", call.name)))
        }
    }
}

pub const RAND_AUGMENT: Word = Word {
    name: "rand_augment",
    chapter: Chapter::Tensors,
    signatures: &["rand_augment(picture, random, operations, level) -> Tensor"],
    summary: "A picture after random operations of RandAugment, all at one level.",
    details: "picture is a Tensor [3, height, width] of uint8, random a Random; operations from 0 to 20, level from 0 to 30. torchvision's RandAugment \
              (Cubuk et al. 2020), as the option randaugment of augment.",
    options: None,
    examples: &[Example {
        code: "let p = tensor([[[1, 2]], [[3, 4]], [[5, 6]]]).to(\"uint8\"); p.rand_augment(random(1), 2, 9).shape",
        prints: "[3, 1, 2]",
    }],
    register: |word| {
        word.form(|call: &Call, of: TensorValue, random: RandomValue, operations: i64, level: i64| {
            let within = |what: &str, n: i64, most: i64| match (0..=most).contains(&n) {
                true => Ok(n as usize),
                false => Err(Error::argument(format!("rand_augment: {what} must be from 0 to {most}; got {n}"))),
            };
            let count = within("operations", operations, 20)?;
            let level = within("level", level, LEVELS as i64 - 1)?;
            changed(call, &of, |pixels| {
                let ops = random.draw(|generator| drawn(count, level, pixels.width, pixels.height, generator));
                ops.into_iter().for_each(|op| apply(pixels, op));
            })
        });
    },
};

pub const ERASE: Word = Word {
    name: "erase",
    chapter: Chapter::Tensors,
    signatures: &["erase(picture, top, left, height, width, colour) -> Tensor"],
    summary: "A picture with a rectangle of one colour, as Cutout lays over it.",
    details: "picture is a Tensor [3, height, width] of uint8; colour is [red, green, blue], each from 0 to 255. What lies outside the picture is cut \
              off. torchvision's erase.",
    options: None,
    examples: &[Example {
        code: "let p = tensor([[[1, 2]], [[3, 4]], [[5, 6]]]).to(\"uint8\"); p.erase(0, 1, 5, 5, [7, 8, 9]).to_array()",
        prints: "[[[1, 7]], [[3, 8]], [[5, 9]]]",
    }],
    register: |word| {
        word.values(erase);
    },
};

fn erase(call: &Call, of: TensorValue, values: Vec<rhai::Dynamic>) -> Result<TensorValue> {
    let wrong = || {
        Error::argument(
            "erase takes a picture, the integers top, left, height and width, and a colour, as [0, 0, 0] of 0 to 255",
        )
    };
    let whole: Vec<i64> = values.iter().filter_map(|value| value.as_int().ok()).collect();
    let colour: Option<Vec<u8>> = values.last().and_then(|colour| {
        let channel = |c: &rhai::Dynamic| c.as_int().ok().and_then(|c| u8::try_from(c).ok());
        colour.as_array_ref().ok()?.iter().map(channel).collect()
    });
    let (5, &[top, left, height, width], Some(&[r, g, b])) = (values.len(), &whole[..], colour.as_deref()) else {
        return Err(wrong());
    };
    changed(call, &of, |pixels| {
        let part = |from: i64, length: i64, all: usize| {
            let at = |n: i64| n.clamp(0, all as i64) as usize;
            (at(from), at(from.saturating_add(length.max(0))))
        };
        let ((top, bottom), (left, right)) = (part(top, height, pixels.height), part(left, width, pixels.width));
        Fill { top, bottom, left, right, colour: [r, g, b] }.apply(pixels);
    })
}
