//! `tensor`: a tensor from numbers.

use rhai::Dynamic;

use crate::error::Result;
use crate::primitives::values::tensor::{TensorValue, from_value};
use crate::script::call::Call;
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "tensor",
    chapter: Chapter::Tensors,
    signatures: &["tensor(numbers) -> Tensor"],
    summary: "A Tensor from a number or from nested arrays of numbers.",
    details: "Whole numbers alone give int64, true and false alone bool, anything else float32, as in PyTorch.",
    options: None,
    examples: &[Example { code: "(tensor([[1.0, 2.0], [3.0, 4.0]]) * 2).sum().item()", prints: "20.0" }],
    register: |word| {
        word.form(tensor);
    },
};

fn tensor(call: &Call, value: Dynamic) -> Result<TensorValue> {
    from_value(call.name, &value).map(TensorValue::from)
}
