//! `Random` in scripts.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use rand::Rng;
use rhai::{Array, Dynamic};

use crate::error::Error;
use crate::random::{self, Generator};
use crate::script::call::{Call, MemberRegistrar, Number};
use crate::script::kind::{KindOfValue, Member, kind_value};

/// A generator that a script holds. Copies share it.
#[derive(Clone)]
pub struct RandomValue {
    /// For people: `seed 7`.
    of: String,
    generator: Arc<Mutex<Generator>>,
}

impl RandomValue {
    pub fn new(seed: i64) -> Self {
        RandomValue::keyed(format!("seed {seed}"), random::seeded(seed as u64))
    }

    /// One that goes on from a generator; `of` names its key for people.
    pub fn keyed(of: String, generator: Generator) -> Self {
        RandomValue { of, generator: Arc::new(Mutex::new(generator)) }
    }

    /// Draws from the generator.
    pub fn draw<R>(&self, from: impl FnOnce(&mut Generator) -> R) -> R {
        from(&mut self.generator.lock())
    }

    /// The next 64 bits: a seed.
    pub fn bits(&self) -> u64 {
        self.generator.lock().next_u64()
    }

    /// A multiple of 2^-53 from 0 up to, and without, 1: the upper 53 bits of 64.
    fn uniform(&self) -> f64 {
        (self.generator.lock().next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// One of `0..n`, each equally likely: the remainder of 64 bits; those above the last multiple of n are drawn again.
    fn below(&self, n: u64) -> u64 {
        let surplus = (u64::MAX % n + 1) % n;
        let mut generator = self.generator.lock();
        loop {
            let bits = generator.next_u64();
            if bits <= u64::MAX - surplus {
                return bits % n;
            }
        }
    }

    /// A standard normal number (Box and Muller), of two uniform ones. libm is the same on every machine; the system's is not.
    fn normal(&self) -> f64 {
        let (u, v) = (1.0 - self.uniform(), self.uniform());
        (-2.0 * libm::log(u)).sqrt() * libm::cos(2.0 * std::f64::consts::PI * v)
    }

    /// The items in random order (Fisher and Yates).
    fn shuffled(&self, mut items: Array) -> Array {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u64 + 1) as usize);
        }
        items
    }
}

impl KindOfValue for RandomValue {
    const NAME: &'static str = "Random";
    const SUMMARY: &'static str = "A generator of random numbers that follow from a seed.";
    const MEMBERS: &'static [Member] = &[
        Member::new("uniform()", "a number from 0 up to, and without, 1"),
        Member::new("uniform(low, high)", "a number from low up to, and without, high"),
        Member::new("normal()", "a number of the normal distribution with mean 0 and standard deviation 1"),
        Member::new("normal(mean, std)", "a number of the normal distribution"),
        Member::new("integer(low, high)", "an integer from low up to, and without, high"),
        Member::new("choice(array)", "one item"),
        Member::new("shuffle(array)", "the items in random order, as a new array"),
        Member::new("permutation(n)", "the integers from 0 to n - 1 in random order"),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        members
            .method("uniform", Self::uniform)
            .method("uniform", |r: &Self, low: Number, high: Number| {
                let (low, high) = (low.0, high.0);
                if !(low < high && (high - low).is_finite()) {
                    return Err(Error::argument(format!("uniform: low must be below high; got {low} and {high}")));
                }
                // The product may round up to high.
                Ok((low + (high - low) * r.uniform()).min(high.next_down()))
            })
            .method("normal", Self::normal)
            .method("normal", |r: &Self, mean: Number, std: Number| match std.0 >= 0.0 {
                true => Ok(mean.0 + std.0 * r.normal()),
                false => Err(Error::argument(format!("normal: std must be 0 or more; got {}", std.0))),
            })
            .method("integer", |r: &Self, low: i64, high: i64| match low < high {
                true => Ok(low.wrapping_add_unsigned(r.below(high.wrapping_sub(low) as u64))),
                false => Err(Error::argument(format!("integer: low must be below high; got {low} and {high}"))),
            })
            .method("choice", |r: &Self, array: Array| match array.len() {
                0 => Err(Error::argument("choice: the array is empty")),
                n => Ok(array[r.below(n as u64) as usize].clone()),
            })
            .method("shuffle", |r: &Self, array: Array| Dynamic::from(r.shuffled(array)))
            .method("permutation", |call: &Call, r: &Self, n: usize| {
                call.host.limits().check_length(n)?;
                Ok::<_, Box<rhai::EvalAltResult>>(Dynamic::from(r.shuffled((0..n as i64).map(Dynamic::from).collect())))
            });
    }

    /// What the generator gives next.
    fn fingerprint(&self) -> Option<String> {
        let generator = self.generator.lock();
        let key = match self.of.strip_prefix("seed ") {
            Some(seed) => seed.to_string(),
            None => generator.get_seed().iter().map(|byte| format!("{byte:02x}")).collect(),
        };
        Some(format!("random {key} {}", generator.get_word_pos()))
    }
}

kind_value!(RandomValue);

impl fmt::Display for RandomValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Random({})", self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_a_seed_are_fixed_for_good() {
        let r = RandomValue::new(7);
        let drawn: Vec<String> = (0..3).map(|_| format!("{:?}", r.uniform())).collect();
        let again = RandomValue::new(7);
        assert_eq!(drawn, (0..3).map(|_| format!("{:?}", again.uniform())).collect::<Vec<_>>());
        assert_ne!(drawn[0], format!("{:?}", RandomValue::new(8).uniform()));
    }

    #[test]
    fn their_distributions_are_those_they_are_named_after() {
        let r = RandomValue::new(0);
        let n = 20_000_i64;
        let mean = |all: &[f64]| all.iter().sum::<f64>() / all.len() as f64;
        let uniform: Vec<f64> = (0..n).map(|_| r.uniform()).collect();
        assert!(uniform.iter().all(|x| (0.0..1.0).contains(x)) && (mean(&uniform) - 0.5).abs() < 0.01);
        let normal: Vec<f64> = (0..n).map(|_| r.normal()).collect();
        let squares: Vec<f64> = normal.iter().map(|x| x * x).collect();
        assert!(mean(&normal).abs() < 0.03 && (mean(&squares) - 1.0).abs() < 0.05);
        let mut counts = [0_i64; 3];
        (0..n).for_each(|_| counts[r.below(3) as usize] += 1);
        assert!(counts.iter().all(|c| (*c - n / 3).abs() < 400), "{counts:?}");
        // Every one of the six orders of three items.
        let mut orders = std::collections::BTreeMap::new();
        for _ in 0..6000 {
            let order = format!("{:?}", r.shuffled((0..3_i64).map(Dynamic::from).collect()));
            *orders.entry(order).or_insert(0) += 1;
        }
        assert!(orders.len() == 6 && orders.values().all(|&c| (850..1150).contains(&c)), "{orders:?}");
    }
}
