//! `grad`: the gradient of a function of a script.

use rhai::FnPtr;
use tch::Tensor;

use crate::error::Error;
use crate::primitives::values::tensor::TensorValue;
use crate::primitives::values::tensor::conversions::dtype_name;
use crate::script::call::Call;
use crate::script::errors::{Fallible, raise};
use crate::script::show;
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "grad",
    chapter: Chapter::Tensors,
    signatures: &["grad(closure, x) -> Tensor"],
    summary: "The gradient of a closure |x| of a Tensor, which gives a Tensor of one number, at x.",
    details: "Of the shape of x, as torch.func.grad. Zeros where the result does not depend on x. Gradients of a model's parameters are \
              model.gradients(dataset, loss).",
    options: None,
    examples: &[Example { code: "grad(|w| (w ** 2).sum(), tensor([1.0, -3.0])).to_array()", prints: "[2.0, -6.0]" }],
    register: |word| {
        word.form(grad);
    },
};

fn grad(call: &Call, closure: FnPtr, x: TensorValue) -> Fallible<TensorValue> {
    if !x.0.is_floating_point() {
        let came = dtype_name(x.0.kind());
        let error = Error::argument(format!("{}: x must be a Tensor of floating point; got {came}", call.name));
        return Err(raise(error.with_help("x.to(\"float32\") is one")));
    }
    let leaf = leaf(&x.0).map_err(raise)?;
    let value = call.closure(&closure, (TensorValue::from(leaf.shallow_clone()),))?;
    let Some(result) = value.read_lock::<TensorValue>().map(|t| t.0.shallow_clone()) else {
        let came = show::a_type(&value);
        let error =
            Error::argument(format!("{}: the closure must give a Tensor of one number; it gave {came}", call.name));
        return Err(raise(error.with_help("item, to_array and sums of arrays lose the gradient")));
    };
    gradient(call.name, &result, &leaf).map(TensorValue::from).map_err(raise)
}

/// The same numbers, of which gradients are wanted.
pub fn leaf(x: &Tensor) -> crate::error::Result<Tensor> {
    let mut leaf = x.f_detach()?.f_zeros_like()?;
    leaf.f_copy_(&x.f_detach()?)?;
    Ok(leaf.f_requires_grad_(true)?)
}

/// The gradient of one number with respect to a tensor.
///
/// Errors: more numbers than one, or one of integers.
fn gradient(word: &str, of: &Tensor, at: &Tensor) -> crate::error::Result<Tensor> {
    if of.numel() != 1 {
        return Err(Error::argument(format!(
            "{word}: the closure must give a Tensor of one number; it gave the shape {:?}",
            of.size()
        ))
        .with_help("end it with .sum() or .mean()"));
    }
    if !of.requires_grad() {
        return Ok(at.f_zeros_like()?);
    }
    let found = Tensor::f_run_backward(&[of.f_reshape([] as [i64; 0])?], &[at], false, false)?;
    match found.into_iter().next() {
        Some(found) if found.defined() => Ok(found.f_detach()?.f_to_kind(at.kind())?),
        _ => Ok(at.f_zeros_like()?),
    }
}
