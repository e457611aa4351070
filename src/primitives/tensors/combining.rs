//! `cat`, `stack`, `where`, `einsum`: several tensors to one.

use rhai::{Array, Dynamic};
use tch::{Kind as Element, Tensor};

use crate::error::{Error, Result};
use crate::primitives::values::tensor::TensorValue;
use crate::primitives::values::tensor::arithmetic::{fraction, integer};
use crate::primitives::values::tensor::checks::{
    Tensors, broadcast, dimension, new_dimension, room, tensor_in, work, wrap,
};
use crate::primitives::values::tensor::conversions::dtype_name;
use crate::script::call::Call;
use crate::script::show;
use crate::script::word::{Chapter, Example, Word};
use crate::torch::meeting::{follow, together};

/// The tensors on one device: that of the first which is on a GPU.
fn meeting(operation: &str, tensors: &[Tensor]) -> Result<Vec<Tensor>> {
    let Some(place) = tensors.iter().map(Tensor::device).find(|device| device.is_cuda()) else {
        return Ok(tensors.iter().map(Tensor::shallow_clone).collect());
    };
    let Some(there) = tensors.iter().find(|t| t.device() == place) else { return Ok(vec![]) };
    tensors
        .iter()
        .map(|t| {
            // Errors if they are on two GPUs.
            let (t, _) = together(operation, t, there)?;
            follow(&t, place)
        })
        .collect()
}

pub const CAT: Word = Word {
    name: "cat",
    chapter: Chapter::Tensors,
    signatures: &["cat(tensors, dim) -> Tensor", "cat(tensors) -> Tensor"],
    summary: "The Tensors of an array joined along a dimension that they have (0).",
    details: "All other sizes must be equal. Of two, also a.cat(b, dim).",
    options: None,
    examples: &[Example { code: "cat([ones([2, 3]), zeros([1, 3])], 0).shape", prints: "[3, 3]" }],
    register: |word| {
        word.form(|call: &Call, tensors: Tensors, dim: Option<i64>| {
            let (tensors, dim) = (meeting(call.name, &tensors.0)?, dim.unwrap_or(0));
            dimension(call, &tensors[0], dim)?;
            room(call.name, tensors.iter().map(|t| t.numel() as f64).sum(), &tensors[0])?;
            wrap(call.name, &tensors.iter().collect::<Vec<_>>(), Tensor::f_cat(&tensors, dim))
        });
    },
};

pub const STACK: Word = Word {
    name: "stack",
    chapter: Chapter::Tensors,
    signatures: &["stack(tensors, dim) -> Tensor", "stack(tensors) -> Tensor"],
    summary: "The Tensors of an array, all of one shape, along a new dimension (0).",
    details: "",
    options: None,
    examples: &[Example {
        code: "stack([arange(3), arange(3) * 10], 1).to_array()",
        prints: "[[0, 0], [1, 10], [2, 20]]",
    }],
    register: |word| {
        word.form(|call: &Call, tensors: Tensors, dim: Option<i64>| {
            let (tensors, dim) = (meeting(call.name, &tensors.0)?, dim.unwrap_or(0));
            new_dimension(call, &tensors[0], dim)?;
            room(call.name, tensors.iter().map(|t| t.numel() as f64).sum(), &tensors[0])?;
            wrap(call.name, &tensors.iter().collect::<Vec<_>>(), Tensor::f_stack(&tensors, dim))
        });
    },
};

pub const WHERE: Word = Word {
    name: "where",
    chapter: Chapter::Tensors,
    signatures: &["where(mask, a, b) -> Tensor"],
    summary: "a where the mask is true, else b; each a Tensor or a number.",
    details: "The mask is a Tensor of booleans, as comparisons give it. The three shapes are broadcast. The gradient flows to the one that was \
              taken.",
    options: None,
    examples: &[Example {
        code: "let x = tensor([-1.0, 2.0]); where(x > 0, x, 0.1 * x)",
        prints: "[-0.1000,  2.0000]",
    }],
    register: |word| {
        word.form(choose);
    },
};

fn choose(call: &Call, mask: TensorValue, a: Dynamic, b: Dynamic) -> Result<TensorValue> {
    if mask.0.kind() != Element::Bool {
        let came = dtype_name(mask.0.kind());
        return Err(Error::argument(format!("{}: the mask must be a Tensor of booleans; got {came}", call.name))
            .with_help("a comparison gives one: where(x > 0, x, 0.0)"));
    }
    let tensor = |value: &Dynamic| value.read_lock::<TensorValue>().map(|t| t.0.shallow_clone());
    let of = |value: &Dynamic, other: &Dynamic| -> Result<Tensor> {
        match (tensor(value), value.as_int(), value.as_float()) {
            (Some(tensor), _, _) => Ok(tensor),
            (_, Ok(i), _) => integer(call.name, i, &tensor(other).unwrap_or(Tensor::f_from_slice(&[0i64])?)),
            (_, _, Ok(x)) => fraction(x, &tensor(other).unwrap_or(Tensor::f_from_slice(&[0f32])?)),
            _ => Err(Error::argument(format!(
                "{}: a and b must be Tensors or numbers; got {}",
                call.name,
                show::a_type(value)
            ))),
        }
    };
    let all = meeting(call.name, &[mask.0.shallow_clone(), of(&a, &b)?, of(&b, &a)?])?;
    let [mask, a, b] = &all[..] else { return Err(Error::internal("three tensors became fewer")) };
    let size = a.size().len().max(b.size().len());
    let ab: Vec<i64> = (1..=size)
        .rev()
        .map(|back| {
            let from = |t: &Tensor| t.size().len().checked_sub(back).map_or(1, |at| t.size()[at]);
            from(a).max(from(b))
        })
        .collect();
    room(call.name, broadcast(&mask.size(), &ab), if a.dim() > 0 { a } else { b })?;
    wrap(call.name, &[mask, a, b], a.f_where_self(mask, b))
}

pub const EINSUM: Word = Word {
    name: "einsum",
    chapter: Chapter::Tensors,
    signatures: &["einsum(equation, a, b, ...) -> Tensor", "einsum(equation, tensors) -> Tensor"],
    summary: "Products summed over the letters that the result does not have, as PyTorch's einsum.",
    details: "A letter per dimension, the Tensors apart by commas, the result behind ->. \"ij,jk->ik\" is a matrix product, \"ii\" a trace, \
              \"bij,bjk->bik\" one of batches, \"...ij->...ji\" exchanges the last two dimensions. Several Tensors are multiplied from left to \
              right.",
    options: None,
    examples: &[Example {
        code: "let a = arange(6).reshape([2, 3]); einsum(\"ij,kj->ik\", a, a).to_array()",
        prints: "[[5, 14], [14, 50]]",
    }],
    register: |word| {
        word.values(einsum);
    },
};

fn einsum(call: &Call, equation: String, operands: Vec<Dynamic>) -> Result<TensorValue> {
    let listed: Array = match &operands[..] {
        [one] if one.is_array() => one.clone().cast(),
        _ => operands,
    };
    let tensors = listed.iter().map(|item| tensor_in(call, item)).collect::<Result<Vec<_>>>()?;
    if tensors.is_empty() {
        return Err(Error::argument(format!("{}: there is no Tensor", call.name)));
    }
    let tensors = meeting(call.name, &tensors)?;
    tensors.iter().try_for_each(|t| work(call.name, t))?;
    room(call.name, largest(&equation, &tensors), &tensors[0])?;
    wrap(call.name, &tensors.iter().collect::<Vec<_>>(), Tensor::f_einsum(&equation, &tensors, None::<i64>)).map_err(
        |error| {
            // libtorch's sentence begins with the word itself.
            Error { message: error.message.replace(": einsum(): ", ": "), ..error }
        },
    )
}

/// The elements of the largest of the products from left to right, about: each has the letters that are still needed.
fn largest(equation: &str, tensors: &[Tensor]) -> f64 {
    let (inputs, output) =
        equation.split_once("->").map_or((equation, None), |(inputs, output)| (inputs, Some(output)));
    let terms: Vec<String> =
        inputs.split(',').map(|term| term.chars().filter(|c| c.is_ascii_alphabetic()).collect()).collect();
    let mut sizes = std::collections::BTreeMap::new();
    let mut rest = 1.0;
    for (term, tensor) in terms.iter().zip(tensors) {
        let size = tensor.size();
        if term.len() > size.len() {
            return 0.0;
        }
        for (letter, n) in term.chars().zip(&size) {
            let known = sizes.entry(letter).or_insert(1.0);
            *known = f64::max(*known, *n as f64);
        }
        // The dimensions of an ellipsis, as if none had letters.
        if term.len() < size.len() {
            rest *= tensor.numel() as f64;
        }
    }
    let mut held: std::collections::BTreeSet<char> = terms.first().into_iter().flat_map(|term| term.chars()).collect();
    let mut most = 0.0_f64;
    for i in 1..=terms.len() {
        let later: String = terms[i..].concat() + output.unwrap_or(&inputs.replace(',', ""));
        held.retain(|letter| later.contains(*letter));
        most = most.max(held.iter().filter_map(|letter| sizes.get(letter)).product());
        held.extend(terms.get(i).into_iter().flat_map(|term| term.chars()));
        most = most.max(0.0);
    }
    most * rest
}
