//! Groups of parameters: which of them decay, and how their rates differ. PyTorch's parameter groups, on flat buffers.

use tch::Tensor;

use super::flat::{Flat, room};
use crate::error::Result;
use crate::training::options::DecayOn;

/// The weight decay and the rate of every parameter.
pub struct Groups {
    weight_decay: f64,
    /// The number of leading values that decay.
    decaying: i64,
    /// The number of all values.
    values: i64,
    /// The factor on the learning rate of each leaf, with its number of values, in their order. None if all are 1.
    rates: Option<Vec<(i64, f64)>>,
    /// [n] the same, once the separate form of an update has asked for it.
    factors: Option<Tensor>,
    /// The values by decay and rate.
    parts: Vec<Part>,
}

/// The values that decay alike and have one rate.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    pub weight_decay: f64,
    /// On the learning rate.
    pub factor: f64,
    /// First and number of neighbouring values.
    runs: Vec<(i64, i64)>,
}

/// Neighbouring values that decay alike and have one rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Piece {
    first: i64,
    number: i64,
    pub weight_decay: f64,
    /// On the learning rate.
    pub factor: f64,
}

impl Piece {
    /// A view of its values in a buffer [n].
    pub fn of(&self, buffer: &Tensor) -> Result<Tensor> {
        Ok(buffer.f_narrow(0, self.first, self.number)?)
    }
}

impl Part {
    /// Views of its values in a buffer [n].
    pub fn of(&self, buffer: &Tensor) -> Result<Vec<Tensor>> {
        self.runs.iter().map(|(first, number)| Ok(buffer.f_narrow(0, *first, *number)?)).collect()
    }
}

impl Groups {
    pub fn new(flat: &Flat, weight_decay: f64, on: DecayOn) -> Groups {
        let values = flat.values.numel() as i64;
        let decaying = match on {
            DecayOn::Weights => flat.weights,
            // The elements between two parameters are 0 and stay 0.
            DecayOn::All => values,
        };
        let mut groups = Groups { weight_decay, decaying, values, rates: None, factors: None, parts: vec![] };
        groups.parts = groups.parted();
        groups
    }

    /// Multiplies the learning rate of each leaf by `factor` of its name (discriminative learning rates).
    pub fn set_factors(&mut self, flat: &Flat, factor: impl Fn(&str) -> f64) {
        self.rates = Some(flat.names.iter().zip(&flat.leaves).map(|(name, leaf)| (room(leaf), factor(name))).collect());
        self.factors = None;
        self.parts = self.parted();
    }

    /// The values by decay and rate, for kernels that have one of either.
    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    fn parted(&self) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        let mut add = |first: i64, end: i64, weight_decay: f64, factor: f64| {
            if first >= end {
                return;
            }
            match parts.iter_mut().find(|part| (part.weight_decay, part.factor) == (weight_decay, factor)) {
                None => parts.push(Part { weight_decay, factor, runs: vec![(first, end - first)] }),
                Some(part) => match part.runs.last_mut() {
                    Some((last, number)) if *last + *number == first => *number += end - first,
                    _ => part.runs.push((first, end - first)),
                },
            }
        };
        let even = [(self.values, 1.0)];
        let mut first = 0;
        for (number, factor) in self.rates.as_deref().unwrap_or(&even) {
            let end = first + number;
            add(first, end.min(self.decaying), self.weight_decay, *factor);
            add(first.max(self.decaying), end, 0.0, *factor);
            first = end;
        }
        parts
    }

    /// The values `first..first + number` by decay and rate, neighbours together.
    pub(super) fn pieces(&self, first: i64, number: i64) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for part in &self.parts {
            for &(from, n) in &part.runs {
                let (start, end) = (from.max(first), (from + n).min(first + number));
                if start < end {
                    let (weight_decay, factor) = (part.weight_decay, part.factor);
                    pieces.push(Piece { first: start, number: end - start, weight_decay, factor });
                }
            }
        }
        pieces
    }

    /// By how much [`shrink`](Self::shrink) multiplies the values of a part, with its roundings.
    pub(super) fn shrinks(&self, part: &Part, lr: f64) -> f32 {
        let decayed = lr * part.weight_decay;
        match &self.rates {
            None => (1.0 - decayed) as f32,
            Some(_) => part.factor as f32 * -decayed as f32 + 1.0,
        }
    }

    fn decays(&self) -> bool {
        self.weight_decay > 0.0 && self.decaying > 0
    }

    /// [n] the factors on the learning rate. None if all are 1.
    fn factors(&mut self, flat: &Flat) -> Result<Option<&Tensor>> {
        if let (Some(rates), None) = (&self.rates, &self.factors) {
            let options = (flat.values.kind(), flat.values.device());
            let parts = rates.iter().map(|(number, factor)| Tensor::f_full([*number], *factor, options));
            self.factors = Some(Tensor::f_cat(&parts.collect::<Result<Vec<_>, _>>()?, 0)?);
        }
        Ok(self.factors.as_ref())
    }

    /// Decay as an L2 penalty: added to the gradients.
    pub(super) fn add_to_gradients(&self, flat: &mut Flat) -> Result<()> {
        if self.decays() {
            let weights = flat.values.f_narrow(0, 0, self.decaying)?;
            let mut gradients = flat.gradients.f_narrow(0, 0, self.decaying)?;
            // addcmul would need a tensor of ones.
            let _ = gradients.f_add_(&weights.f_mul_scalar(self.weight_decay)?)?;
        }
        Ok(())
    }

    /// Decoupled decay: the values shrink by their rate times the decay.
    pub(super) fn shrink(&mut self, flat: &mut Flat, lr: f64) -> Result<()> {
        if self.decays() {
            let (decaying, decayed) = (self.decaying, lr * self.weight_decay);
            let mut weights = flat.values.f_narrow(0, 0, decaying)?;
            let _ = match self.factors(flat)? {
                None => weights.f_mul_scalar_(1.0 - decayed)?,
                Some(factors) => {
                    let factors = factors.f_narrow(0, 0, decaying)?;
                    weights.f_mul_(&factors.f_mul_scalar(-decayed)?.f_add_scalar_(1.0)?)?
                }
            };
        }
        Ok(())
    }

    /// Adds `update` [n], times the factors, to the values.
    pub(super) fn apply(&mut self, flat: &mut Flat, mut update: Tensor) -> Result<()> {
        if let Some(factors) = self.factors(flat)? {
            update = update.f_mul_(factors)?;
        }
        let _ = flat.values.f_add_(&update)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn parts_are_the_values_by_decay_and_rate() {
        let leaf = |name: &str, size: &[i64]| {
            (name.to_string(), Tensor::zeros(size, (Kind::Float, Device::Cpu)).set_requires_grad(true))
        };
        // Weights first, by name: 128 values each, but for the head's 256.
        let leaves = [leaf("stage1.w", &[2, 2]), leaf("stage2.w", &[2, 2]), leaf("head.w", &[2, 100])];
        let biases = [leaf("stage1.b", &[3]), leaf("head.b", &[3]), leaf("stage2.b", &[3])];
        let flat = Flat::of(leaves.into_iter().chain(biases).collect(), vec![]).unwrap();
        let part = |weight_decay, factor, runs: &[(i64, i64)]| Part { weight_decay, factor, runs: runs.to_vec() };
        let groups = Groups::new(&flat, 0.1, DecayOn::Weights);
        assert_eq!(groups.parts(), [part(0.1, 1.0, &[(0, 512)]), part(0.0, 1.0, &[(512, 384)])]);
        assert_eq!(Groups::new(&flat, 0.1, DecayOn::All).parts(), [part(0.1, 1.0, &[(0, 896)])]);
        assert_eq!(Groups::new(&flat, 0.0, DecayOn::Weights).parts(), [part(0.0, 1.0, &[(0, 896)])]);
        let mut groups = groups;
        groups.set_factors(&flat, |name| if name.starts_with("stage1") { 0.5 } else { 1.0 });
        let decaying = [part(0.1, 1.0, &[(0, 256), (384, 128)]), part(0.1, 0.5, &[(256, 128)])];
        let others = [part(0.0, 1.0, &[(512, 128), (768, 128)]), part(0.0, 0.5, &[(640, 128)])];
        assert_eq!(groups.parts(), [decaying, others].concat());
        let piece = |first, number, weight_decay, factor| Piece { first, number, weight_decay, factor };
        let pieces = [piece(200, 56, 0.1, 1.0), piece(384, 16, 0.1, 1.0), piece(256, 128, 0.1, 0.5)];
        assert_eq!(groups.pieces(200, 200), pieces);
        assert_eq!(groups.pieces(512, 0), []);
        let views = groups.parts()[0].of(&flat.values).unwrap();
        assert_eq!(views.iter().map(Tensor::numel).collect::<Vec<_>>(), [256, 128]);
    }
}
