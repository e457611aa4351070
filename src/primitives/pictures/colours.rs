//! Operations on the colours of a picture: `adjust_brightness`, `posterize`, `equalize` and their like.

use super::{changed, finite};
use crate::error::{Error, Result};
use crate::images::randaugment::{Op, apply};
use crate::images::randaugment_uda;
use crate::primitives::values::tensor::TensorValue;
use crate::script::call::{Call, Number};
use crate::script::word::{Chapter, Example, Word};

/// A picture of one colour, for examples.
macro_rules! grey {
    ($rest:literal) => {
        concat!("let p = tensor([[[100, 200]], [[100, 200]], [[100, 200]]]).to(\"uint8\"); ", $rest)
    };
}

/// Declares words of a picture and a factor.
macro_rules! adjustments {
    ($($NAME:ident $name:literal $Op:ident $summary:literal $details:literal $code:literal $prints:literal;)*) => {$(
        pub const $NAME: Word = Word {
            name: $name,
            chapter: Chapter::Tensors,
            signatures: &[concat!($name, "(picture, factor) -> Tensor")],
            summary: $summary,
            details: $details,
            options: None,
            examples: &[Example { code: grey!($code), prints: $prints }],
            register: |word| {
                word.form(|call: &Call, picture: TensorValue, factor: Number| adjusted(call, &picture, factor, Op::$Op));
            },
        };
    )*};
}

adjustments! {
    BRIGHTNESS "adjust_brightness" Brightness "A picture with its brightness multiplied by a factor." "picture is a Tensor [3, height, width] of uint8. A factor of 1 keeps it, 0 makes it black. torchvision's adjust_brightness, RandAugment's Brightness (factor 1 ± 0.9)." "p.adjust_brightness(0.5).to_array()[0]" "[[50, 100]]";
    CONTRAST "adjust_contrast" Contrast "A picture with its contrast multiplied by a factor." "picture is a Tensor [3, height, width] of uint8. A factor of 1 keeps it, 0 makes it its mean grey. torchvision's adjust_contrast, RandAugment's Contrast (factor 1 ± 0.9)." "p.adjust_contrast(0).to_array()[0]" "[[149, 149]]";
    SATURATION "adjust_saturation" Color "A picture with its saturation multiplied by a factor." "picture is a Tensor [3, height, width] of uint8. A factor of 1 keeps it, 0 makes it grey. torchvision's adjust_saturation, RandAugment's Color (factor 1 ± 0.9)." "p.adjust_saturation(1).to_array()[2]" "[[100, 200]]";
    SHARPNESS "adjust_sharpness" Sharpness "A picture that is sharper or blurred by a factor." "picture is a Tensor [3, height, width] of uint8. A factor of 1 keeps it, 0 blurs it with a kernel of 3 × 3. torchvision's adjust_sharpness, RandAugment's Sharpness (factor 1 ± 0.9)." "p.adjust_sharpness(1.5).shape" "[3, 1, 2]";
}

fn adjusted(call: &Call, picture: &TensorValue, factor: Number, op: fn(f64) -> Op) -> Result<TensorValue> {
    let factor = finite(call, "factor", factor.0)?;
    if factor < 0.0 {
        return Err(Error::argument(format!("{}: factor must be 0 or more; got {factor}", call.name)));
    }
    changed(call, picture, |pixels| apply(pixels, op(factor - 1.0)))
}

/// Declares words of a picture alone.
macro_rules! plain {
    ($($NAME:ident $name:literal $apply:expr, $summary:literal $details:literal $code:literal $prints:literal;)*) => {$(
        pub const $NAME: Word = Word {
            name: $name,
            chapter: Chapter::Tensors,
            signatures: &[concat!($name, "(picture) -> Tensor")],
            summary: $summary,
            details: $details,
            options: None,
            examples: &[Example { code: grey!($code), prints: $prints }],
            register: |word| {
                word.form(|call: &Call, picture: TensorValue| changed(call, &picture, $apply));
            },
        };
    )*};
}

plain! {
    AUTOCONTRAST "autocontrast" |pixels| apply(pixels, Op::AutoContrast), "A picture whose channels each reach from 0 to 255." "picture is a Tensor [3, height, width] of uint8. A channel of one value stays. torchvision's autocontrast, RandAugment's AutoContrast." "p.autocontrast().to_array()[0]" "[[0, 255]]";
    EQUALIZE "equalize" |pixels| apply(pixels, Op::Equalize), "A picture whose values are about equally frequent in each channel." "picture is a Tensor [3, height, width] of uint8. torchvision's equalize, RandAugment's Equalize." "p.equalize().dtype" "uint8";
    INVERT "invert" |pixels| randaugment_uda::apply(pixels, randaugment_uda::Op::Invert), "A picture with every value v replaced by 255 - v." "picture is a Tensor [3, height, width] of uint8. torchvision's invert." "p.invert().to_array()[0]" "[[155, 55]]";
}

pub const POSTERIZE: Word = Word {
    name: "posterize",
    chapter: Chapter::Tensors,
    signatures: &["posterize(picture, bits) -> Tensor"],
    summary: "A picture of which only the upper bits of every value are kept.",
    details: "picture is a Tensor [3, height, width] of uint8; bits from 0 to 8. torchvision's posterize, RandAugment's Posterize (8 to 4 bits).",
    options: None,
    examples: &[Example { code: grey!("p.posterize(2).to_array()[0]"), prints: "[[64, 192]]" }],
    register: |word| {
        word.form(|call: &Call, picture: TensorValue, bits: i64| match u32::try_from(bits) {
            Ok(bits) if bits <= 8 => changed(call, &picture, |pixels| apply(pixels, Op::Posterize(bits))),
            _ => Err(Error::argument(format!("posterize: bits must be an integer from 0 to 8; got {bits}"))),
        });
    },
};

pub const SOLARIZE: Word = Word {
    name: "solarize",
    chapter: Chapter::Tensors,
    signatures: &["solarize(picture, threshold) -> Tensor"],
    summary: "A picture of which the values from a threshold on are inverted.",
    details: "picture is a Tensor [3, height, width] of uint8; threshold is a value of 0 to 255. torchvision's solarize, RandAugment's Solarize \
              (255 to 0).",
    options: None,
    examples: &[Example { code: grey!("p.solarize(128).to_array()[0]"), prints: "[[100, 55]]" }],
    register: |word| {
        word.form(|call: &Call, picture: TensorValue, threshold: Number| {
            let threshold = finite(call, "threshold", threshold.0)?;
            changed(call, &picture, |pixels| apply(pixels, Op::Solarize(threshold)))
        });
    },
};
