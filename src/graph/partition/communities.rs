//! Two communities of labels: the signs of the leading eigenvector of the modularity matrix.

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::graph::spectral::{BLOCK, Operator, Row, add_scaled, largest, sum};

/// Whether each of m labels is in the second of two communities, by the signs of the leading eigenvector of the modularity
/// matrix A - k kᵀ / Σk (Newman, "Modularity and community structure in networks", PNAS 2006).
///
/// A_ij is half of how often i and j name each other in `neighbours`, which has a list per label; k are its row sums. The
/// second community is that of the last label that has neighbours; a label without any is in the first. All labels are
/// in the first if no division has a positive modularity.
///
/// Errors: a neighbour that is no label; Interrupted.
pub fn two_communities(neighbours: &[Vec<u32>]) -> Result<Vec<bool>> {
    let m = neighbours.len();
    let modularity = Modularity::of(neighbours)?;
    let most = modularity.degrees.iter().copied().fold(0.0, f64::max);
    if most == 0.0 {
        return Ok(vec![false; m]);
    }
    let (value, vector) = largest(&modularity)?;
    if value < ZERO * most.max(1.0) {
        return Ok(vec![false; m]);
    }
    // An entry of rounding errors has no sign, and the sign of the whole vector is arbitrary.
    let length = vector.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    let sign = |x: f64| if x.abs() < ZERO * length { 0.0 } else { x.signum() };
    let second = vector.iter().rev().map(|&x| sign(x)).find(|&x| x != 0.0);
    Ok(vector.iter().map(|&x| Some(sign(x)) == second).collect())
}

/// Below this part of the largest, a number is zero but for rounding.
const ZERO: f64 = 1e-9;

/// A - k kᵀ / Σk, never formed.
struct Modularity {
    /// Per label the labels that it names and those that name it; a pair that does both stands twice.
    joined: Vec<Vec<u32>>,
    degrees: Vec<f64>,
    /// Σk
    total: f64,
}

impl Modularity {
    fn of(neighbours: &[Vec<u32>]) -> Result<Modularity> {
        let mut joined = neighbours.to_vec();
        for (i, list) in neighbours.iter().enumerate() {
            for &j in list {
                match joined.get_mut(j as usize) {
                    Some(named) => named.push(i as u32),
                    None => return Err(Error::internal(format!("neighbour {j} of {} labels", neighbours.len()))),
                }
            }
        }
        let degrees: Vec<f64> = joined.iter().map(|list| 0.5 * list.len() as f64).collect();
        Ok(Modularity { total: degrees.iter().sum(), joined, degrees })
    }
}

impl Operator for Modularity {
    fn len(&self) -> usize {
        self.joined.len()
    }

    fn apply(&self, x: &[Row], y: &mut [Row]) {
        let weighted: Vec<Row> = self.degrees.iter().zip(x).map(|(k, row)| row.map(|x| k * x)).collect();
        let along = sum(&weighted).map(|x| x / self.total);
        y.par_iter_mut().with_min_len(16).enumerate().for_each(|(i, y)| {
            let mut named = [0.0; BLOCK];
            self.joined[i].iter().for_each(|&j| add_scaled(&mut named, 0.5, &x[j as usize]));
            add_scaled(&mut named, -self.degrees[i], &along);
            *y = named;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::Activity;
    use crate::error::ErrorKind;

    /// `size` labels from `from` on that name each other.
    fn clique(from: usize, size: usize) -> Vec<Vec<u32>> {
        let others = |i: usize| (from..from + size).filter(move |&j| j != i).map(|j| j as u32);
        (from..from + size).map(|i| others(i).collect()).collect()
    }

    #[test]
    fn cliques_are_communities_at_any_size() {
        // By the dense solver, and by Lanczos.
        for (first, second) in [(3, 2), (5, 4), (90, 80), (250, 150)] {
            let mut lists = [clique(0, first), clique(first, second)].concat();
            lists[0].push(first as u32);
            let mut expected: Vec<bool> = (0..first + second).map(|i| i >= first).collect();
            assert_eq!(two_communities(&lists).unwrap(), expected);
            // A label without neighbours, at the end too, is in the first.
            lists.push(vec![]);
            expected.push(false);
            assert_eq!(two_communities(&lists).unwrap(), expected);
        }
    }

    #[test]
    fn without_a_division_all_are_in_the_first() {
        for m in [0, 1, 2, 5, 400] {
            assert_eq!(two_communities(&vec![vec![]; m]).unwrap(), vec![false; m]);
            assert_eq!(two_communities(&clique(0, m)).unwrap(), vec![false; m], "{m}");
        }
        assert!(two_communities(&[vec![1]]).is_err());
    }

    #[test]
    fn the_search_can_be_stopped() {
        let activity = Activity::background("communities".into(), None);
        activity.stop();
        let work = || two_communities(&[clique(0, 200), clique(200, 200)].concat());
        assert_eq!(activity.enter(work).unwrap_err().kind, ErrorKind::Interrupted);
    }
}
