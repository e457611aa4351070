//! `rand` and `randn`: tensors of random numbers that follow from a seed.

use std::sync::atomic::{AtomicBool, Ordering};

use rand::Rng;
use rhai::Dynamic;
use tch::{Kind as Element, Tensor};

use super::shape::Shape;
use crate::activity::{console, interrupt};
use crate::error::{Error, Result};
use crate::primitives::values::random::RandomValue;
use crate::primitives::values::tensor::TensorValue;
use crate::primitives::values::tensor::checks::{elements_of, room_for};
use crate::random;
use crate::script::call::{Call, Parameter};
use crate::script::show;
use crate::script::word::{Chapter, Example, Word};
use crate::torch;

/// An integer, or a generator that draws one.
pub struct Seed {
    seed: u64,
    is_integer: bool,
}

/// The shape of `randn(2, 3)`, which is [2]. Elsewhere the 3 would be a size, so this is said once.
fn sizes(call: &Call, shape: Dynamic, seed: &Seed) -> Result<Shape> {
    static SAID: AtomicBool = AtomicBool::new(false);
    if let Ok(size) = shape.as_int()
        && seed.is_integer
        && !SAID.swap(true, Ordering::Relaxed)
    {
        let (name, seed) = (call.name, seed.seed);
        console::warn(&format!(
            "note: {name}({size}, {seed}) has {size} numbers and the seed {seed}; {name}([{size}, {seed}], 0) has two sizes"
        ));
    }
    Shape::read(shape, call)
}

impl Parameter for Seed {
    type Value = Dynamic;

    fn read(value: Dynamic, call: &Call) -> Result<Self> {
        if let Ok(seed) = value.as_int() {
            return Ok(Seed { seed: seed as u64, is_integer: true });
        }
        match value.read_lock::<RandomValue>() {
            Some(generator) => Ok(Seed { seed: generator.bits(), is_integer: false }),
            None => Err(Error::argument(format!(
                "{}: the seed must be an integer or a Random; got {}",
                call.name,
                show::a_type(&value)
            ))
            .with_help(format!("as in {}([2, 3], 7): the same seed gives the same numbers", call.name))),
        }
    }
}

pub const RANDN: Word = Word {
    name: "randn",
    chapter: Chapter::Tensors,
    signatures: &["randn(shape, seed) -> Tensor"],
    summary: "Independent numbers of the normal distribution with mean 0 and standard deviation 1.",
    details: "float32, by the method of Box and Muller (1958) from a generator of its own, so they follow from seed and shape alone; there is \
              no hidden seed. In place of a seed a Random draws one: randn(5, r) gives others at each call. They are not PyTorch's numbers of \
              that seed.",
    options: None,
    examples: &[Example { code: "(randn([2, 3], 7) == randn([2, 3], 7)).all().item()", prints: "true" }],
    register: |word| {
        word.form(|call: &Call, shape: Dynamic, seed: Seed| {
            let shape = sizes(call, shape, &seed)?;
            // Once as numbers, once as a tensor.
            room_for(call.name, 2.0 * elements_of(call, &shape.0)?, Element::Float)?;
            torch::normal(seed.seed, "randn", &shape.0, 1.0).map(TensorValue::from)
        });
    },
};

pub const RAND: Word = Word {
    name: "rand",
    chapter: Chapter::Tensors,
    signatures: &["rand(shape, seed) -> Tensor"],
    summary: "Independent numbers, uniform from 0 up to, and without, 1.",
    details: "float32, multiples of 2^-24 that follow from seed and shape alone; there is no hidden seed. In place of a seed a Random draws \
              one. They are not PyTorch's numbers of that seed.",
    options: None,
    examples: &[Example {
        code: "let x = rand(1000, 3); [x.min().item() >= 0.0, x.max().item() < 1.0]",
        prints: "[true, true]",
    }],
    register: |word| {
        word.form(rand);
    },
};

/// Numbers that are drawn before Ctrl-C is looked at.
const DRAWN: usize = 1 << 20;

fn rand(call: &Call, shape: Dynamic, seed: Seed) -> Result<TensorValue> {
    let shape = sizes(call, shape, &seed)?;
    let count = elements_of(call, &shape.0)?;
    room_for(call.name, 2.0 * count, Element::Float)?;
    let (mut generator, mut values) = (random::named(seed.seed, "rand"), Vec::with_capacity(count as usize));
    while values.len() < count as usize {
        interrupt::check()?;
        let next = DRAWN.min(count as usize - values.len());
        values.extend((0..next).map(|_| (generator.next_u32() >> 8) as f32 / (1 << 24) as f32));
    }
    Ok(Tensor::f_from_slice(&values)?.f_reshape(&shape.0[..])?.into())
}
