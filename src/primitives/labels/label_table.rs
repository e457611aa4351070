//! `label_table`: a label table from a tensor.

use rhai::Dynamic;
use tch::Kind as Element;

use crate::error::{Error, Result, counted};
use crate::labels::LabelTable;
use crate::primitives::parameters::{Names, strings};
use crate::primitives::values::tensor::TensorValue;
use crate::script::call::Call;
use crate::script::show;
use crate::script::word::{Chapter, Example, Word};
use crate::torch::read_back;

pub const WORD: Word = Word {
    name: "label_table",
    chapter: Chapter::Labels,
    signatures: &["label_table(tensor, labels) -> LabelTable", "label_table(tensor, labels, images) -> LabelTable"],
    summary: "A LabelTable from a Tensor [N, m] of 1 (present), 0 (absent) and -1 (unknown), as labels.to_tensor() gives it.",
    details: "labels are the m names of its columns, images the N names of its rows; without them rows are called \"0\", \"1\", ... Errors: \
              another number in the Tensor, another number of names, a name of a label that is there twice.",
    options: None,
    examples: &[Example {
        code: "label_table(tensor([[1, 0], [1, 1]]), [\"cat\", \"dog\"]).row(1)",
        prints: "[\"cat\", \"dog\"]",
    }],
    register: |word| {
        word.form(label_table);
    },
};

fn label_table(call: &Call, tensor: TensorValue, labels: Names, images: Option<Dynamic>) -> Result<LabelTable> {
    let size = tensor.0.size();
    let &[n, m] = &size[..] else {
        return Err(Error::argument(format!("{}: the Tensor must be [images, labels]; got {size:?}", call.name)));
    };
    let (n, m) = (n as usize, m as usize);
    if labels.0.len() != m {
        let (m, came) = (counted(m, "label"), counted(labels.0.len(), "name"));
        return Err(Error::argument(format!("{}: a Tensor {size:?} has {m}; got {came}", call.name)));
    }
    let images = match images {
        None => (0..n).map(|i| i.to_string()).collect(),
        Some(value) => {
            let array = value.as_array_ref().map_err(|_| {
                let came = show::a_type(&value);
                Error::argument(format!("{}: the images must be an array of strings; got {came}", call.name))
            })?;
            strings(&array, call, "the images")?
        }
    };
    if images.len() != n {
        let (n, came) = (counted(n, "image"), counted(images.len(), "name"));
        return Err(Error::argument(format!("{}: a Tensor {size:?} has {n}; got {came}", call.name)));
    }
    let flat = read_back(&tensor.0)?.f_to_kind(Element::Float)?.f_contiguous()?.f_reshape([-1])?;
    let values = Vec::<f32>::try_from(&flat)?;
    if let Some(at) = values.iter().position(|x| ![1.0, 0.0, -1.0].contains(x)) {
        return Err(Error::argument(format!(
            "{}: entries must be 1, 0 or -1; that of image {} and label \"{}\" is {}",
            call.name,
            at / m,
            labels.0[at % m],
            show::number(f64::from(values[at]))
        )));
    }
    let rows = |of: f32| -> Vec<Vec<u32>> {
        let row = |i: usize| (0..m as u32).filter(|&label| values[i * m + label as usize] == of).collect();
        (0..n).map(row).collect()
    };
    LabelTable::from_lists(labels.0, images, &rows(1.0))?.with_unknown(&rows(-1.0))
}
