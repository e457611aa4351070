//! Random numbers: every generator of the crate, derived from an explicit key, and shuffling.
//!
//! A generator belongs to its key alone, so its numbers depend on no other draw, no order and no number of threads. The
//! derivations and their constants are fixed: they decide initial weights, views, splits and partitions, and with them
//! the results of stored runs.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The one kind of generator: its stream is the same on every machine and in every version.
pub type Generator = ChaCha8Rng;

/// Uses that number their generators with (seed, index). Streams of different uses never meet.
#[derive(Clone, Copy)]
pub enum Use {
    KMeans = 1,
    RandomTasks = 2,
    ZScore = 3,
    Discretize = 4,
    Lanczos = 5,
    Bootstrap = 6,
}

/// The generator of a seed alone.
pub fn seeded(seed: u64) -> Generator {
    Generator::seed_from_u64(seed)
}

/// The generator of (seed, use, index).
pub fn indexed(seed: u64, purpose: Use, index: u64) -> Generator {
    let words = match purpose {
        Use::Bootstrap => [seed, index, u64::from_le_bytes(*b"bootstrp")],
        _ => [seed, purpose as u64, index],
    };
    let mut key = [0; 32];
    key.chunks_exact_mut(8).zip(words).for_each(|(bytes, word)| bytes.copy_from_slice(&word.to_le_bytes()));
    Generator::from_seed(key)
}

/// The generator of a purpose and any number of numbers, such as `("view", [seed, view, image])`.
pub fn numbered(purpose: &str, numbers: &[u64]) -> Generator {
    let numbers: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
    hashed(&[purpose.as_bytes(), &numbers].concat())
}

/// The generator of a seed and a name, such as that of a model's parameter.
pub fn named(seed: u64, name: &str) -> Generator {
    hashed(&[&seed.to_le_bytes()[..], name.as_bytes()].concat())
}

fn hashed(key: &[u8]) -> Generator {
    Generator::from_seed(*blake3::hash(key).as_bytes())
}

/// A number in [0, 1) derived from texts, without a generator.
pub fn fraction(key: &[&str]) -> f64 {
    let mut hash = blake3::Hasher::new();
    for part in key {
        hash.update(part.as_bytes()).update(&[0]);
    }
    let mut bytes = [0; 8];
    hash.finalize_xof().fill(&mut bytes);
    (u64::from_le_bytes(bytes) >> 11) as f64 / (1u64 << 53) as f64
}

/// A number derived from another: the finaliser of SplitMix64.
pub fn mixed(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Puts items into random order (Fisher and Yates).
pub fn shuffle<T>(items: &mut [T], rng: &mut impl Rng) {
    for i in (1..items.len()).rev() {
        items.swap(i, rng.random_range(0..=i));
    }
}

/// `n` different positions below `all`, ascending; `n` must not be greater than `all`.
pub fn sample(all: usize, n: usize, rng: &mut impl Rng) -> Vec<usize> {
    let mut positions: Vec<usize> = (0..all).collect();
    (0..n).for_each(|i| positions.swap(i, rng.random_range(i..all)));
    positions.truncate(n);
    positions.sort_unstable();
    positions
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers of each derivation, which stored runs depend on.
    #[test]
    fn streams_are_fixed() {
        let key = |words: [u64; 4]| Generator::from_seed(words.map(u64::to_le_bytes).concat().try_into().unwrap());
        assert_eq!(indexed(7, Use::ZScore, 9).next_u64(), key([7, 3, 9, 0]).next_u64());
        let bootstrap = u64::from_le_bytes(*b"bootstrp");
        assert_eq!(indexed(7, Use::Bootstrap, 9).next_u64(), key([7, 9, bootstrap, 0]).next_u64());
        let hash = |key: &[u8]| Generator::from_seed(*blake3::hash(key).as_bytes()).next_u64();
        assert_eq!(numbered("ab", &[1, 2]).next_u64(), hash(b"ab\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0"));
        assert_eq!(named(1, "ab").next_u64(), hash(b"\x01\0\0\0\0\0\0\0ab"));
        // The first output of SplitMix64 from the state 0.
        assert_eq!(mixed(0), 0xe220_a839_7b1d_cdaf);
    }

    #[test]
    fn samples_are_ascending_and_different() {
        let drawn = sample(50, 20, &mut seeded(3));
        assert!(drawn.len() == 20 && drawn.windows(2).all(|w| w[0] < w[1]) && drawn[19] < 50);
        assert_eq!(sample(5, 5, &mut seeded(0)), [0, 1, 2, 3, 4]);
        let mut items = drawn.clone();
        shuffle(&mut items, &mut seeded(4));
        assert_ne!(items, drawn);
        items.sort_unstable();
        assert_eq!(items, drawn);
    }
}
