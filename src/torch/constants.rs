//! Tensors that never change, made once and not in every pass.

use parking_lot::Mutex;
use tch::{Device, Kind, Tensor};

use crate::error::Result;

/// Different tensors that are kept at most for each device and kind, of pictures of different sizes, say; the oldest makes room.
const KEPT: usize = 32;

/// The constants of a layer: one tensor for each key, device and kind, made when it is first asked for.
///
/// A constant made from numbers of the CPU is copied to a GPU, for which the GPU and the CPU wait. In every pass that would take
/// longer than many layers.
pub struct Constants<K> {
    made: Mutex<Vec<(K, Device, Kind, Tensor)>>,
}

impl<K: PartialEq> Constants<K> {
    /// None yet.
    pub const fn new() -> Constants<K> {
        Constants { made: Mutex::new(Vec::new()) }
    }

    /// The tensor of that key on that device and in that kind. `make` gives it on the CPU, in any kind.
    pub fn get(&self, key: K, device: Device, kind: Kind, make: impl FnOnce() -> Result<Tensor>) -> Result<Tensor> {
        let mut made = self.made.lock();
        if let Some((.., tensor)) = made.iter().find(|(k, d, t, _)| *k == key && *d == device && *t == kind) {
            return Ok(tensor.shallow_clone());
        }
        let tensor = tch::no_grad(|| -> Result<Tensor> { super::upload(&make()?.f_to_kind(kind)?, device) })?;
        let beside = |(_, d, t, _): &(K, Device, Kind, Tensor)| *d == device && *t == kind;
        if made.iter().filter(|kept| beside(kept)).count() == KEPT
            && let Some(oldest) = made.iter().position(beside)
        {
            let _ = made.remove(oldest);
        }
        made.push((key, device, kind, tensor.shallow_clone()));
        Ok(tensor)
    }
}

impl<K: PartialEq> Default for Constants<K> {
    fn default() -> Self {
        Constants::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_is_made_once_for_each_key_and_kind() {
        let constants = Constants::new();
        let count = std::cell::Cell::new(0);
        let get = |key: i64, kind: Kind| {
            let make = || {
                count.set(count.get() + 1);
                Ok(Tensor::f_from_slice(&[key])?)
            };
            let tensor = constants.get(key, Device::Cpu, kind, make).unwrap();
            assert_eq!((tensor.kind(), tensor.int64_value(&[0])), (kind, key));
        };
        for _ in 0..3 {
            get(1, Kind::Float);
            get(1, Kind::Int64);
            get(2, Kind::Float);
        }
        assert_eq!(count.get(), 3);
        // What was made first makes room among those of its kind.
        (3..3 + KEPT as i64).for_each(|key| get(key, Kind::Float));
        assert_eq!(constants.made.lock().len(), KEPT + 1);
        get(1, Kind::Int64);
        assert_eq!(count.get(), 3 + KEPT);
        get(1, Kind::Float);
        assert_eq!(count.get(), 3 + KEPT + 1);
    }
}
