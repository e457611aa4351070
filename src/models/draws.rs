//! Drawn first values, kept while many models are built one after the other.
//!
//! They follow from a seed and a parameter's name, so teachers of one seed begin with the same backbone. A model that is built only to be
//! named would draw it anew, which is most of the work.

use std::collections::HashMap;

use parking_lot::Mutex;
use tch::Tensor;

use crate::error::Result;

/// Bytes that are kept at most: the backbone of the largest model here fits.
const MOST: usize = 512 << 20;

static KEPT: Mutex<Option<Draws>> = Mutex::new(None);

#[derive(Default)]
struct Draws {
    /// How many want it.
    holders: usize,
    bytes: usize,
    values: HashMap<Draw, Tensor>,
}

/// What decides drawn numbers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Draw {
    pub seed: u64,
    pub name: String,
    pub shape: Vec<i64>,
    pub kind: Kind,
    /// The bits of the deviation, or the bound.
    pub scale: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Normal,
    Uniform,
}

/// Drawn values are kept until this is dropped, for all threads.
pub(crate) struct Keeping(());

pub(crate) fn keep() -> Keeping {
    KEPT.lock().get_or_insert_default().holders += 1;
    Keeping(())
}

impl Drop for Keeping {
    fn drop(&mut self) {
        let mut kept = KEPT.lock();
        if let Some(draws) = kept.as_mut() {
            draws.holders -= 1;
            if draws.holders == 0 {
                *kept = None;
            }
        }
    }
}

/// The numbers, by `draw` or as they were drawn before. The caller may change them.
///
/// Errors: those of `draw`; no memory.
pub(super) fn drawn(what: Draw, draw: impl FnOnce() -> Result<Tensor>) -> Result<Tensor> {
    let known = KEPT.lock().as_ref().map(|draws| draws.values.get(&what).map(Tensor::shallow_clone));
    match known {
        None => draw(),
        Some(Some(known)) => Ok(known.f_detach_copy()?),
        Some(None) => {
            let value = draw()?;
            let bytes = 4 * value.numel();
            let mut kept = KEPT.lock();
            if let Some(draws) = kept.as_mut().filter(|draws| draws.bytes + bytes <= MOST) {
                draws.bytes += bytes;
                draws.values.insert(what, value.f_detach_copy()?);
            }
            Ok(value)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_again_is_kept_and_no_change_of_it_is_seen() {
        let draw = |name: &str| {
            let what = Draw { seed: 7, name: name.into(), shape: vec![3], kind: Kind::Normal, scale: 1.0f64.to_bits() };
            drawn(what, || crate::torch::normal(7, name, &[3], 1.0)).unwrap()
        };
        let first = draw("draws.weight");
        let _keeping = keep();
        let mut kept = draw("draws.weight");
        assert_eq!(kept, first);
        let _ = kept.fill_(0.0);
        assert_eq!(draw("draws.weight"), first);
        assert_ne!(draw("draws.bias"), first);
    }
}
