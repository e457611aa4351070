//! Even random tasks, and the generators of all random choices here.

use rand::RngExt;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::names;
use super::partition::Partition;
use crate::error::{Error, Result};

/// What a stream of random numbers is for: streams of different uses never meet.
#[derive(Clone, Copy)]
pub(super) enum Use {
    KMeans = 1,
    Partition = 2,
    ZScore = 3,
    Discretize = 4,
    Lanczos = 5,
}

/// The generator that belongs to (seed, use, index) alone, so that any number of threads draws the same numbers.
pub(super) fn generator(seed: u64, what: Use, index: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&(what as u64).to_le_bytes());
    key[16..24].copy_from_slice(&index.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

/// Fisher and Yates.
pub(super) fn shuffle<T>(items: &mut [T], rng: &mut ChaCha8Rng) {
    for i in (1..items.len()).rev() {
        items.swap(i, rng.random_range(0..=i));
    }
}

/// `labels` dealt at random into `k` tasks whose sizes differ by one at most.
///
/// Depends on the names and the seed, not on the order that the labels stand in. Errors: k = 0 or more than there are
/// labels, a label name that stands twice.
pub fn random_partition(labels: &[String], k: usize, seed: u64) -> Result<Partition> {
    check_k("random_partition", k, labels.len())?;
    names::index(labels)?;
    let mut order = names::canonical(labels);
    shuffle(&mut order, &mut generator(seed, Use::Partition, 0));
    let mut assignment = vec![0; labels.len()];
    for (turn, &label) in order.iter().enumerate() {
        assignment[label] = turn % k;
    }
    Ok(Partition::trusted(labels.into(), &assignment).with_seed(seed))
}

/// scikit-learn's sentence for a bad k.
pub(super) fn check_k(word: &str, k: usize, m: usize) -> Result<()> {
    if (1..=m).contains(&k) {
        return Ok(());
    }
    if m == 0 {
        return Err(Error::argument(format!("{word} needs at least one label; got none")));
    }
    Err(Error::argument(format!("The k parameter of {word} must be an integer from 1 to {m}. Got {k} instead.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(m: usize) -> Vec<String> {
        (0..m).map(|i| format!("{i:03}")).collect()
    }

    #[test]
    fn sizes_are_even_and_the_seed_decides() {
        let p = random_partition(&labels(80), 3, 7).unwrap();
        let mut sizes = p.sizes();
        sizes.sort_unstable();
        assert_eq!(sizes, vec![26, 27, 27]);
        assert_eq!(p, random_partition(&labels(80), 3, 7).unwrap());
        assert!(p.ari(&random_partition(&labels(80), 3, 8).unwrap()).unwrap() < 0.2);
    }

    #[test]
    fn k_is_checked() {
        let e = random_partition(&labels(5), 6, 0).unwrap_err();
        assert_eq!(e.message, "The k parameter of random_partition must be an integer from 1 to 5. Got 6 instead.");
    }
}
