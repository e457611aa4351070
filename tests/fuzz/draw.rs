//! Choices that follow from a seed and a number.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub struct Source(ChaCha8Rng);

impl Source {
    pub fn new(seed: u64, number: u64) -> Source {
        Source(ChaCha8Rng::seed_from_u64(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ number))
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.0.next_u64() % n.max(1) as u64) as usize
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}
