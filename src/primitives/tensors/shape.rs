//! The shape of a tensor as an argument.

use rhai::Dynamic;

use crate::error::{Error, Result};
use crate::primitives::values::tensor::checks::whole;
use crate::script::call::{Call, Parameter};
use crate::script::show;

/// An integer or an array of integers.
pub struct Shape(pub Vec<i64>);

impl Parameter for Shape {
    type Value = Dynamic;

    fn read(value: Dynamic, call: &Call) -> Result<Self> {
        if let Ok(n) = value.as_int() {
            return Ok(Shape(vec![n]));
        }
        match value.as_array_ref() {
            Ok(array) => whole(call, "the shape", &array).map(Shape),
            Err(_) => Err(Error::argument(format!(
                "{}: the shape must be an integer or an array of integers; got {}",
                call.name,
                show::a_type(&value)
            ))),
        }
    }
}
