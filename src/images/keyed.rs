//! Random numbers from explicit keys: the same keys give the same draws on any number of threads.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A ChaCha8 stream that depends only on a purpose and a few whole numbers.
///
/// The draws below are written out here rather than taken from `rand`'s distributions, whose values may change
/// from one release to the next; pictures and batches must not.
pub struct Keyed(ChaCha8Rng);

impl Keyed {
    /// `Keyed::new("augment", &[seed, view, image])`: two purposes never share a stream.
    pub fn new(purpose: &str, keys: &[u64]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(purpose.len() as u64).to_le_bytes());
        hasher.update(purpose.as_bytes());
        for key in keys {
            hasher.update(&key.to_le_bytes());
        }
        Keyed(ChaCha8Rng::from_seed(*hasher.finalize().as_bytes()))
    }

    /// 32 random bits.
    pub fn bits(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// Uniform on [0, 1), in steps of 2^-24.
    pub fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 * (1.0 / (1u32 << 24) as f32)
    }

    /// Uniform on [low, high).
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f32) -> bool {
        self.unit() < p
    }

    /// Uniform on 0..n without bias (Lemire's multiply and reject). 0 for n = 0.
    pub fn below(&mut self, n: u64) -> u64 {
        if n == 0 {
            return 0;
        }
        let reject = n.wrapping_neg() % n;
        loop {
            let wide = u128::from(self.0.next_u64()) * u128::from(n);
            if wide as u64 >= reject {
                return (wide >> 64) as u64;
            }
        }
    }

    /// One of `items`, which must not be empty.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }

    /// An index drawn in proportion to `weights`; `None` where none is positive.
    pub fn weighted(&mut self, weights: &[f32]) -> Option<usize> {
        let total: f32 = weights.iter().sum();
        let mut left = self.unit() * total;
        let mut last = None;
        for (i, &weight) in weights.iter().enumerate() {
            if weight > 0.0 {
                last = Some(i);
                left -= weight;
                if left < 0.0 {
                    break;
                }
            }
        }
        last
    }

    /// Fisher–Yates, from the back.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u64 + 1) as usize);
        }
    }
}

/// The order in which an epoch visits `n` pictures: Fisher–Yates by ChaCha8 keyed with (seed, epoch).
///
/// Training on pictures and training on stored features share it, so both see the same batches.
pub fn epoch_order(seed: u64, epoch: u64, n: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..n as u32).collect();
    Keyed::new("epoch order", &[seed, epoch]).shuffle(&mut order);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_a_permutation_fixed_by_its_keys() {
        let order = epoch_order(3, 5, 1000);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<u32>>());
        assert_eq!(order, epoch_order(3, 5, 1000));
        assert_ne!(order, epoch_order(3, 6, 1000));
        assert_ne!(order, epoch_order(4, 5, 1000));
        assert!(epoch_order(0, 0, 0).is_empty());
    }

    #[test]
    fn every_order_of_four_is_equally_likely() {
        // Pearson's statistic over the 24 permutations, 23 degrees of freedom: 99.9 % of them lie under 49.7.
        let mut counts = std::collections::HashMap::new();
        let draws = 24_000;
        for epoch in 0..draws {
            *counts.entry(epoch_order(1, epoch, 4)).or_insert(0u32) += 1;
        }
        let expected = draws as f64 / 24.0;
        let statistic: f64 = counts.values().map(|&c| (f64::from(c) - expected).powi(2) / expected).sum();
        assert_eq!(counts.len(), 24);
        assert!(statistic < 49.7, "{statistic}");
    }

    #[test]
    fn weights_decide_how_often_an_index_is_drawn() {
        let mut keyed = Keyed::new("test", &[0]);
        let mut counts = [0u32; 4];
        for _ in 0..10_000 {
            counts[keyed.weighted(&[1.0, 0.0, 3.0, 0.0]).unwrap()] += 1;
        }
        assert_eq!((counts[1], counts[3]), (0, 0));
        assert!((2300..2700).contains(&counts[0]), "{counts:?}");
        assert_eq!(keyed.weighted(&[0.0]), None);
    }

    #[test]
    fn purposes_and_keys_give_streams_of_their_own() {
        let first = |purpose, keys: &[u64]| Keyed::new(purpose, keys).bits();
        assert_eq!(first("a", &[1, 2]), first("a", &[1, 2]));
        assert_ne!(first("a", &[1, 2]), first("b", &[1, 2]));
        assert_ne!(first("a", &[1, 2]), first("a", &[2, 1]));
    }
}
