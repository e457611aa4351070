//! `Form`: the kinds of steps that share kernels, and their numbers per picture.

use tch::Tensor;

use super::{colours, geometry};
use crate::error::Result;
use crate::images::fill::Fill;
use crate::images::operation::Operation;
use crate::images::randaugment::{self, Op as Torchvision, Pixels};
use crate::images::randaugment_uda::{self, Op as Pillow};

/// A kind of step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    /// A table of 256 bytes.
    Table,
    Stretch,
    StretchOfPillow,
    Equalise,
    Colour,
    ColourOfPillow,
    Contrast,
    ContrastOfPillow,
    Sharpness,
    SharpnessOfPillow,
    Warp,
    Translate,
    Rotate,
    ShearX,
    ShearY,
    Fill,
}

/// The form of a step, and its numbers for a picture of this size. None for a step that changes nothing.
pub(super) fn form(operation: Operation, width: usize, height: usize) -> Option<(Form, Vec<f64>)> {
    match operation {
        Operation::Nothing => None,
        Operation::Fill(fill) => Some(filled(fill)),
        Operation::Torchvision(op) => of_torchvision(op, width, height),
        Operation::Pillow(op) => Some(of_pillow(op, width, height)),
    }
}

fn of_torchvision(op: Torchvision, width: usize, height: usize) -> Option<(Form, Vec<f64>)> {
    let shares = |by: f64| randaugment::shares(1.0 + by).map(f64::from).to_vec();
    Some(match op {
        Torchvision::Identity => return None,
        Torchvision::ShearX(_)
        | Torchvision::ShearY(_)
        | Torchvision::TranslateX(_)
        | Torchvision::TranslateY(_)
        | Torchvision::Rotate(_) => (Form::Warp, randaugment::source(op, width, height)?.map(f64::from).to_vec()),
        Torchvision::Brightness(_) | Torchvision::Posterize(_) | Torchvision::Solarize(_) => {
            (Form::Table, table(Operation::Torchvision(op)))
        }
        Torchvision::Color(by) => (Form::Colour, shares(by)),
        Torchvision::Contrast(by) => (Form::Contrast, shares(by)),
        // Pictures without an inside stay as they are.
        Torchvision::Sharpness(_) if width <= 2 || height <= 2 => return None,
        Torchvision::Sharpness(by) => (Form::Sharpness, shares(by)),
        Torchvision::AutoContrast => (Form::Stretch, vec![]),
        Torchvision::Equalize => (Form::Equalise, vec![]),
    })
}

fn of_pillow(op: Pillow, width: usize, height: usize) -> (Form, Vec<f64>) {
    let single = |factor: f64| vec![f64::from(factor as f32)];
    let moved = |by_x: f64, by_y: f64| {
        let columns = randaugment_uda::moved_from(by_x, width).into_iter();
        let rows = randaugment_uda::moved_from(by_y, height);
        columns.chain(rows).map(|from| from.map_or(-1.0, |from| from as f64)).collect()
    };
    match op {
        Pillow::Invert | Pillow::Posterize(_) | Pillow::Solarize(_) | Pillow::Brightness(_) => {
            (Form::Table, table(Operation::Pillow(op)))
        }
        Pillow::Cutout { side, x, y } => filled(randaugment_uda::cut((x, y), side, width, height)),
        Pillow::Sharpness(factor) => (Form::SharpnessOfPillow, single(factor)),
        Pillow::Contrast(factor) => (Form::ContrastOfPillow, single(factor)),
        Pillow::Color(factor) => (Form::ColourOfPillow, single(factor)),
        Pillow::AutoContrast => (Form::StretchOfPillow, vec![]),
        Pillow::Equalize => (Form::Equalise, vec![]),
        Pillow::ShearX(tangent) => (Form::ShearX, vec![tangent]),
        Pillow::ShearY(tangent) => (Form::ShearY, vec![tangent]),
        Pillow::TranslateX(share) => (Form::Translate, moved(share * width as f64, 0.0)),
        Pillow::TranslateY(share) => (Form::Translate, moved(0.0, share * height as f64)),
        Pillow::Rotate(degrees) => {
            let turned = randaugment_uda::turned_from(degrees, width, height);
            (Form::Rotate, turned.map(|x| x as f64).to_vec())
        }
    }
}

fn filled(fill: Fill) -> (Form, Vec<f64>) {
    let sides = [fill.top, fill.bottom, fill.left, fill.right].map(|side| side as f64);
    (Form::Fill, sides.into_iter().chain(fill.colour.map(f64::from)).collect())
}

/// What a step that sees each byte alone makes of every byte.
fn table(operation: Operation) -> Vec<f64> {
    let mut rgb: Vec<u8> = (0..=255_u8).flat_map(|byte| [byte; 3]).collect();
    operation.apply(&mut Pixels { rgb: &mut rgb, width: 256, height: 1 });
    rgb.into_iter().step_by(3).map(f64::from).collect()
}

impl Form {
    /// Pixels of pictures that share kernels: it bounds the memory of intermediate results, to about 300 MB.
    pub fn pixels_at_once(self) -> usize {
        match self {
            // Bicubic in f64: about 300 bytes a pixel.
            Form::ShearX | Form::ShearY => 1 << 20,
            _ => 4 << 20,
        }
    }

    /// The step on u8 `pictures` `[n, height, width, 3]`, with f64 `numbers` `[n, k]` on the same device.
    pub fn apply(self, pictures: &Tensor, numbers: &Tensor) -> Result<Tensor> {
        match self {
            Form::Table => colours::by_table(pictures, numbers),
            Form::Stretch => colours::stretched(pictures),
            Form::StretchOfPillow => colours::stretched_by_pillow(pictures),
            Form::Equalise => colours::equalised(pictures),
            Form::Colour => colours::torchvision(pictures, numbers, colours::grey),
            Form::ColourOfPillow => colours::pillow(pictures, numbers, colours::grey_of_pillow),
            Form::Contrast => colours::torchvision(pictures, numbers, colours::mean),
            Form::ContrastOfPillow => colours::pillow(pictures, numbers, colours::mean_of_pillow),
            Form::Sharpness => colours::torchvision(pictures, numbers, colours::blurred),
            Form::SharpnessOfPillow => colours::pillow(pictures, numbers, colours::blurred),
            Form::Warp => geometry::warped(pictures, numbers),
            Form::Translate => geometry::translated(pictures, numbers),
            Form::Rotate => geometry::rotated(pictures, numbers),
            Form::ShearX => geometry::sheared(pictures, numbers),
            Form::ShearY => Ok(geometry::sheared(&pictures.f_transpose(1, 2)?, numbers)?.f_transpose(1, 2)?),
            Form::Fill => geometry::filled(pictures, numbers),
        }
    }
}
