//! Operations that move the pixels of a picture: `rotate`, `shear_x`, `hflip`, `crop`, `resize` and their like.

use rhai::Array;

use super::{changed, finite, picture, side, tensor};
use crate::error::{Error, Result};
use crate::images::Picture;
use crate::images::randaugment::{Op, apply};
use crate::memory;
use crate::primitives::values::tensor::TensorValue;
use crate::script::call::{Call, Number};
use crate::script::word::{Chapter, Example, Word};

/// A picture of two pixels, for examples.
macro_rules! two {
    ($rest:literal) => {
        concat!("let p = tensor([[[1, 2]], [[3, 4]], [[5, 6]]]).to(\"uint8\"); ", $rest)
    };
}

/// Declares words of a picture and a number.
macro_rules! moves {
    ($($NAME:ident $name:literal $what:literal $Op:ident $summary:literal $details:literal $code:literal $prints:literal;)*) => {$(
        pub const $NAME: Word = Word {
            name: $name,
            chapter: Chapter::Tensors,
            signatures: &[concat!($name, "(picture, ", $what, ") -> Tensor")],
            summary: $summary,
            details: $details,
            options: None,
            examples: &[Example { code: two!($code), prints: $prints }],
            register: |word| {
                word.form(|call: &Call, picture: TensorValue, by: Number| {
                    let by = finite(call, $what, by.0)?;
                    changed(call, &picture, |pixels| apply(pixels, Op::$Op(by)))
                });
            },
        };
    )*};
}

moves! {
    ROTATE "rotate" "degrees" Rotate "A picture turned around its middle, counter-clockwise." "picture is a Tensor [3, height, width] of uint8. Each pixel is the nearest one; black comes in from outside. torchvision's rotate, RandAugment's Rotate (up to 30 degrees)." "p.rotate(180).to_array()[0]" "[[2, 1]]";
    SHEAR_X "shear_x" "tangent" ShearX "A picture whose rows are moved, each by its distance from the top times tangent." "picture is a Tensor [3, height, width] of uint8; tangent is that of the angle. Each pixel is the nearest one; black comes in from outside. RandAugment's ShearX (up to 0.3)." "p.shear_x(0).to_array()[0]" "[[1, 2]]";
    SHEAR_Y "shear_y" "tangent" ShearY "A picture whose columns are moved, each by its distance from the left times tangent." "picture is a Tensor [3, height, width] of uint8; tangent is that of the angle. Each pixel is the nearest one; black comes in from outside. RandAugment's ShearY (up to 0.3)." "p.shear_y(0).to_array()[0]" "[[1, 2]]";
    TRANSLATE_X "translate_x" "pixels" TranslateX "A picture moved to the right." "picture is a Tensor [3, height, width] of uint8; pixels are truncated to whole ones, negative ones move it to the left. Black comes in. RandAugment's TranslateX (up to 150/331 of the width)." "p.translate_x(1).to_array()[0]" "[[0, 1]]";
    TRANSLATE_Y "translate_y" "pixels" TranslateY "A picture moved down." "picture is a Tensor [3, height, width] of uint8; pixels are truncated to whole ones, negative ones move it up. Black comes in. RandAugment's TranslateY (up to 150/331 of the height)." "p.translate_y(1).to_array()[0]" "[[0, 0]]";
}

pub const HFLIP: Word = Word {
    name: "hflip",
    chapter: Chapter::Tensors,
    signatures: &["hflip(picture) -> Tensor"],
    summary: "A picture with left and right exchanged.",
    details: "picture is a Tensor [3, height, width] of uint8. torchvision's hflip.",
    options: None,
    examples: &[Example { code: two!("p.hflip().to_array()"), prints: "[[[2, 1]], [[4, 3]], [[6, 5]]]" }],
    register: |word| {
        word.form(|call: &Call, picture: TensorValue| flipped(call, &picture, 2));
    },
};

pub const VFLIP: Word = Word {
    name: "vflip",
    chapter: Chapter::Tensors,
    signatures: &["vflip(picture) -> Tensor"],
    summary: "A picture with top and bottom exchanged.",
    details: "picture is a Tensor [3, height, width] of uint8. torchvision's vflip.",
    options: None,
    examples: &[Example { code: two!("p.vflip().to_array()[0]"), prints: "[[1, 2]]" }],
    register: |word| {
        word.form(|call: &Call, picture: TensorValue| flipped(call, &picture, 1));
    },
};

/// Errors: no picture.
fn flipped(call: &Call, of: &TensorValue, dim: i64) -> Result<TensorValue> {
    picture(call, of)?;
    Ok(TensorValue::from(of.0.f_flip([dim])?))
}

pub const CROP: Word = Word {
    name: "crop",
    chapter: Chapter::Tensors,
    signatures: &["crop(picture, top, left, height, width) -> Tensor"],
    summary: "A part of a picture.",
    details: "picture is a Tensor [3, height, width] of uint8; the part must lie inside it. torchvision's crop, which fills what lies outside \
              with black.",
    options: None,
    examples: &[Example { code: two!("p.crop(0, 1, 1, 1).to_array()"), prints: "[[[2]], [[4]], [[6]]]" }],
    register: |word| {
        word.form(crop);
    },
};

fn crop(call: &Call, of: TensorValue, top: i64, left: i64, height: i64, width: i64) -> Result<TensorValue> {
    let whole = picture(call, &of)?;
    let (rows, columns) = (i64::from(whole.height), i64::from(whole.width));
    let inside = |from: i64, length: i64, all: i64| from >= 0 && length >= 1 && from <= all && length <= all - from;
    if !inside(top, height, rows) || !inside(left, width, columns) {
        return Err(Error::argument(format!(
            "crop: the part of {height} × {width} pixels from row {top} and column {left} does not lie inside a picture of {rows} × {columns}"
        )));
    }
    Ok(TensorValue::from(of.0.f_narrow(1, top, height)?.f_narrow(2, left, width)?.f_contiguous()?))
}

pub const RESIZE: Word = Word {
    name: "resize",
    chapter: Chapter::Tensors,
    signatures: &["resize(picture, [height, width]) -> Tensor"],
    summary: "A picture at another size.",
    details: "picture is a Tensor [3, height, width] of uint8. Bilinear, antialiased where it shrinks, as Pillow's; the aspect is not kept. A \
              training resizes what an augmentation gives, so the last resize can be left out.",
    options: None,
    examples: &[Example { code: two!("p.resize([4, 4]).shape"), prints: "[3, 4, 4]" }],
    register: |word| {
        word.form(resize);
    },
};

fn resize(call: &Call, of: TensorValue, size: Array) -> Result<TensorValue> {
    let whole = picture(call, &of)?;
    let sides: Vec<i64> = size.iter().filter_map(|n| n.as_int().ok()).collect();
    let ([height, width], true) = (&sides[..], size.len() == 2) else {
        return Err(Error::argument("resize: the size must be two integers, as [224, 224]"));
    };
    let (height, width) = (side(call, "height", *height)?, side(call, "width", *width)?);
    memory::check("resize", 12 * u64::from(height) * u64::from(width))?;
    tensor(&Picture::resize(&whole, width, height)?, &of)
}
