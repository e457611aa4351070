//! Random partitions into tasks of even size.

use super::tasks::{Partition, check_k};
use crate::error::Result;
use crate::graph::label_names;
use crate::random::{Use, indexed, shuffle};

/// `labels` dealt at random into `k` tasks whose sizes differ by at most one.
///
/// Depends on the names and the seed, not on the order of the labels. Errors: k = 0 or above the number of labels, a
/// label name that occurs twice.
pub fn random_partition(labels: &[String], k: usize, seed: u64) -> Result<Partition> {
    check_k("random_partition", k, labels.len())?;
    label_names::index(labels)?;
    let mut order = label_names::canonical(labels);
    shuffle(&mut order, &mut indexed(seed, Use::RandomTasks, 0));
    let mut assignment = vec![0; labels.len()];
    for (turn, &label) in order.iter().enumerate() {
        assignment[label] = turn % k;
    }
    Ok(Partition::trusted(labels.into(), &assignment).with_seed(seed))
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
