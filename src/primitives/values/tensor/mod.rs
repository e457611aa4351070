//! `Tensor` in scripts: the operations that a loss, a metric or a method needs, under PyTorch's names.
//!
//! - `elementwise`: of one tensor, number by number; `arithmetic`: operators and comparisons
//! - `reductions`: sums, means and their like along dimensions; `ordering`: sorted values and positions
//! - `shapes`: the same numbers in another shape; `indexing`: `t[0]`, `t[.., 3]`, `t[mask]`
//! - `conversions`: from and to the values of a script, and element types; `display`: as PyTorch prints tensors
//! - `checks`: arguments and memory, and the sentences of errors

pub mod arithmetic;
pub mod checks;
pub mod conversions;
mod display;
mod elementwise;
mod indexing;
mod ordering;
mod reductions;
mod shapes;

use std::rc::Rc;

use tch::{Kind as Element, Tensor};

pub use self::conversions::from_value;
use crate::script::call::MemberRegistrar;
use crate::script::kind::{KindOfValue, Member, kind_value};
use crate::torch::{read_back, to_vec_f32};

/// A libtorch tensor as scripts hold it. It is never changed in place: a variable that is assigned to gets another.
#[derive(Clone)]
pub struct TensorValue(pub Rc<Tensor>);

impl From<Tensor> for TensorValue {
    fn from(tensor: Tensor) -> Self {
        TensorValue(Rc::new(tensor))
    }
}

const PARTS: [&[Member]; 7] = [
    conversions::MEMBERS,
    indexing::MEMBERS,
    arithmetic::MEMBERS,
    elementwise::MEMBERS,
    reductions::MEMBERS,
    ordering::MEMBERS,
    shapes::MEMBERS,
];

const COUNT: usize = {
    let (mut count, mut part) = (0, 0);
    while part < PARTS.len() {
        count += PARTS[part].len();
        part += 1;
    }
    count
};

const ALL: [Member; COUNT] = {
    let mut all = [Member::new("", ""); COUNT];
    let (mut count, mut part) = (0, 0);
    while part < PARTS.len() {
        let mut i = 0;
        while i < PARTS[part].len() {
            all[count] = PARTS[part][i];
            count += 1;
            i += 1;
        }
        part += 1;
    }
    all
};

impl KindOfValue for TensorValue {
    const NAME: &'static str = "Tensor";
    const SUMMARY: &'static str = "An n-dimensional array of libtorch, with broadcasting arithmetic: + - * / % ** and comparisons, \
& | ^ ! of masks, and PyTorch's indices: t[0], t[-1], t[1..3], t[.., 3], t[..., 0], t[mask], t[[2, 0]], t[(), 0] with a new dimension. \
t[.., 0] = 1.0 gives the variable another tensor and changes no other that shares its numbers. Methods are functions too: \
t.relu() is relu(t). Gradients flow through all of them but comparisons and positions.";
    const MEMBERS: &'static [Member] = &ALL;

    fn register(members: &mut MemberRegistrar<Self>) {
        conversions::register(members);
        indexing::register(members);
        arithmetic::register(members);
        elementwise::register(members);
        reductions::register(members);
        ordering::register(members);
        shapes::register(members);
        members.iterable();
    }

    /// Shape and numbers, and the element type where it is neither the usual one of numbers nor that of integers.
    fn fingerprint(&self) -> Option<String> {
        let (kind, size) = (self.0.kind(), self.0.size());
        let single = format!("{size:?} {:?}", to_vec_f32(&self.0).unwrap_or_default());
        let exact = match kind {
            Element::Float => return Some(single),
            Element::Int64 => self.0.f_to_kind(Element::Float).and_then(|t| t.f_to_kind(kind)),
            _ => return Some(format!("{kind:?} {single} {:?}", every_digit(&self.0))),
        };
        match exact.and_then(|exact| exact.f_equal(&self.0)).unwrap_or(false) {
            true => Some(single),
            false => Some(format!("{single} {:?}", every_digit(&self.0))),
        }
    }
}

kind_value!(TensorValue);

/// The slices along the first dimension; a single number is its own only one.
impl IntoIterator for TensorValue {
    type Item = TensorValue;
    type IntoIter = Box<dyn Iterator<Item = TensorValue>>;

    fn into_iter(self) -> Self::IntoIter {
        match self.0.size().first().copied() {
            None => Box::new(std::iter::once(self)),
            Some(n) => Box::new((0..n).map_while(move |i| self.0.f_select(0, i).ok().map(TensorValue::from))),
        }
    }
}

/// The numbers as text, none of them rounded.
fn every_digit(t: &Tensor) -> String {
    let whole = !t.is_floating_point();
    let wide = read_back(t).and_then(|t| Ok(t.f_to_kind(if whole { Element::Int64 } else { Element::Double })?));
    let flat = wide.and_then(|t| Ok(t.f_contiguous()?.f_reshape([-1])?));
    match (flat, whole) {
        (Ok(flat), true) => format!("{:?}", Vec::<i64>::try_from(&flat).unwrap_or_default()),
        (Ok(flat), false) => format!("{:?}", Vec::<f64>::try_from(&flat).unwrap_or_default()),
        (Err(_), _) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digit_and_type_of_a_captured_tensor_counts() {
        let of = |t: Tensor| TensorValue::from(t).fingerprint().unwrap();
        // Those of tensors of single precision and of small integers are parts of runs' names.
        assert_eq!(of(Tensor::from_slice(&[1.0f32, 0.1])), "[2] [1.0, 0.1]");
        assert_eq!(of(Tensor::from_slice(&[1i64, 2])), "[2] [1.0, 2.0]");
        let large = 1i64 << 40;
        assert_ne!(of(Tensor::from_slice(&[large])), of(Tensor::from_slice(&[large + 1])));
        assert_ne!(of(Tensor::from_slice(&[0.1])), of(Tensor::from_slice(&[0.1 + 1e-12])));
        assert_ne!(of(Tensor::from_slice(&[1.0])), of(Tensor::from_slice(&[1.0f32])));
    }
}
