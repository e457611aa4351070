//! The agreement of two partitions: adjusted Rand index, normalised mutual information, and the labels that moved.

use std::fmt;

use super::tasks::Partition;
use crate::error::{Result, counted};
use crate::graph::label_names;

/// A label that did not go to the same task as most of its former task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    pub label: String,
    /// Its task in the first partition.
    pub from: usize,
    /// Its task in the second.
    pub to: usize,
}

/// Two partitions of the same labels, compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    pub ari: f64,
    pub nmi: f64,
    /// For each task of the first, the task of the second that it is paired with. As few labels as possible move.
    pub matched: Vec<Option<usize>>,
    /// The labels that moved, in label order of the first.
    pub moved: Vec<Move>,
    /// Task sizes of both.
    pub sizes: (Vec<usize>, Vec<usize>),
    /// Normalised cuts of both, each on the affinity that it was cut from.
    pub ncuts: (Option<f64>, Option<f64>),
}

impl Partition {
    /// Adjusted Rand index (Hubert and Arabie 1985): 1 for the same tasks, 0 in the mean for random ones.
    ///
    /// Labels are matched by name; both must have the same ones.
    pub fn ari(&self, other: &Partition) -> Result<f64> {
        Ok(Contingency::new(self, other)?.ari())
    }

    /// Mutual information over the mean of both entropies: 1 for the same tasks, 0 for independent ones.
    ///
    /// Labels are matched by name; both must have the same ones.
    pub fn nmi(&self, other: &Partition) -> Result<f64> {
        Ok(Contingency::new(self, other)?.nmi())
    }
}

/// Compares two partitions of the same labels, matched by name.
pub fn compare(p: &Partition, q: &Partition) -> Result<Comparison> {
    let table = Contingency::new(p, q)?;
    let matched = table.best_matching();
    let moves = p.assignment().iter().zip(&table.theirs).enumerate();
    let moved = moves
        .filter(|(_, (from, to))| matched[**from] != Some(**to))
        .map(|(i, (&from, &to))| Move { label: p.labels()[i].clone(), from, to })
        .collect();
    Ok(Comparison {
        ari: table.ari(),
        nmi: table.nmi(),
        matched,
        moved,
        sizes: (p.sizes(), q.sizes()),
        ncuts: (p.ncut(), q.ncut()),
    })
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ARI {:.4}, NMI {:.4}", self.ari, self.nmi)?;
        if let (Some(a), Some(b)) = self.ncuts {
            write!(f, ", normalised cut {a:.4} and {b:.4}")?;
        }
        writeln!(f)?;
        writeln!(f, "sizes {:?} and {:?}", self.sizes.0, self.sizes.1)?;
        if self.moved.is_empty() {
            return write!(f, "no label moved");
        }
        write!(f, "{} moved:", counted(self.moved.len(), "label"))?;
        for m in &self.moved {
            write!(f, "\n  {}: task {} to {}", m.label, m.from, m.to)?;
        }
        Ok(())
    }
}

/// The number of labels that each pair of tasks shares.
struct Contingency {
    /// k × l, row-major.
    shared: Vec<u64>,
    k: usize,
    l: usize,
    /// The second partition's task of each label of the first.
    theirs: Vec<usize>,
}

impl Contingency {
    fn new(p: &Partition, q: &Partition) -> Result<Self> {
        let place = label_names::matching(p.labels(), q.labels(), "partitions that are compared")?;
        let (k, l) = (p.k(), q.k());
        let theirs: Vec<usize> = place.iter().map(|&j| q.assignment()[j]).collect();
        let mut shared = vec![0; k * l];
        for (&a, &b) in p.assignment().iter().zip(&theirs) {
            shared[a * l + b] += 1;
        }
        Ok(Contingency { shared, k, l, theirs })
    }

    fn rows(&self) -> Vec<u64> {
        self.shared.chunks_exact(self.l.max(1)).map(|r| r.iter().sum()).collect()
    }

    fn columns(&self) -> Vec<u64> {
        (0..self.l).map(|b| (0..self.k).map(|a| self.shared[a * self.l + b]).sum()).collect()
    }

    fn ari(&self) -> f64 {
        let pairs = |counts: &[u64]| counts.iter().map(|&n| n as f64 * (n as f64 - 1.0) / 2.0).sum::<f64>();
        let (both, a, b) = (pairs(&self.shared), pairs(&self.rows()), pairs(&self.columns()));
        let all = pairs(&[self.theirs.len() as u64]);
        let expected = if all > 0.0 { a * b / all } else { 0.0 };
        let most = (a + b) / 2.0;
        // Both a single task, or both one label per task: equal, though by chance as well.
        if most == expected { 1.0 } else { (both - expected) / (most - expected) }
    }

    fn nmi(&self) -> f64 {
        let m = self.theirs.len() as f64;
        let entropy = |counts: &[u64]| {
            let terms = counts.iter().filter(|&&n| n > 0).map(|&n| n as f64 / m);
            -terms.map(|p| p * p.ln()).sum::<f64>()
        };
        let (rows, columns) = (self.rows(), self.columns());
        let (a, b) = (entropy(&rows), entropy(&columns));
        if a == 0.0 && b == 0.0 {
            return 1.0;
        }
        let mut information = 0.0;
        for (i, &n) in rows.iter().enumerate() {
            for (j, &o) in columns.iter().enumerate() {
                let e = self.shared[i * self.l + j] as f64;
                if e > 0.0 {
                    information += e / m * (e * m / (n as f64 * o as f64)).ln();
                }
            }
        }
        (information / ((a + b) / 2.0)).clamp(0.0, 1.0)
    }

    /// Pairs tasks so that as many labels as possible stay (Hungarian method, shortest augmenting paths).
    fn best_matching(&self) -> Vec<Option<usize>> {
        let n = self.k.max(self.l);
        let cost = |a: usize, b: usize| {
            let inside = a < self.k && b < self.l;
            if inside { -(self.shared[a * self.l + b] as i64) } else { 0 }
        };
        // Rows and columns count from 1; column 0 holds the row that is not paired yet.
        let (mut u, mut v, mut row_of) = (vec![0i64; n + 1], vec![0i64; n + 1], vec![0usize; n + 1]);
        for row in 1..=n {
            row_of[0] = row;
            let mut column = 0;
            let mut least = vec![i64::MAX; n + 1];
            let mut before = vec![0usize; n + 1];
            let mut used = vec![false; n + 1];
            while row_of[column] != 0 {
                used[column] = true;
                let (at, mut delta, mut next) = (row_of[column], i64::MAX, 0);
                for b in (1..=n).filter(|&b| !used[b]).collect::<Vec<_>>() {
                    let reduced = cost(at - 1, b - 1) - u[at] - v[b];
                    if reduced < least[b] {
                        least[b] = reduced;
                        before[b] = column;
                    }
                    if least[b] < delta {
                        delta = least[b];
                        next = b;
                    }
                }
                for b in 0..=n {
                    if used[b] {
                        u[row_of[b]] += delta;
                        v[b] -= delta;
                    } else if least[b] != i64::MAX {
                        least[b] -= delta;
                    }
                }
                column = next;
            }
            while column != 0 {
                row_of[column] = row_of[before[column]];
                column = before[column];
            }
        }
        let mut matched = vec![None; self.k];
        for (b, row) in row_of[1..=self.l].iter().enumerate() {
            if let Some(slot) = row.checked_sub(1).and_then(|a| matched.get_mut(a)) {
                *slot = Some(b);
            }
        }
        matched
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(assignment: &[usize]) -> Partition {
        let labels: Vec<String> = (0..assignment.len()).map(|i| format!("l{i}")).collect();
        Partition::trusted(labels.into(), assignment)
    }

    /// Values of scikit-learn's `adjusted_rand_score` and `normalized_mutual_info_score`.
    #[test]
    fn scores_are_scikit_learns() {
        for (p, q, ari, nmi) in [
            (&[0, 0, 1, 1][..], &[1, 1, 0, 0][..], 1.0, 1.0),
            (&[0, 0, 1, 2], &[0, 0, 1, 1], 0.5714285714285714, 0.8),
            (&[0, 0, 1, 1], &[0, 1, 2, 3], 0.0, 2.0 / 3.0),
            (&[0, 1, 0, 1], &[0, 0, 1, 1], -0.5, 0.0),
            (&[0, 0, 0], &[0, 0, 0], 1.0, 1.0),
            (&[0, 1, 2], &[0, 1, 2], 1.0, 1.0),
            (&[0, 0, 0], &[0, 1, 2], 0.0, 0.0),
        ] {
            let (p, q) = (partition(p), partition(q));
            assert!((p.ari(&q).unwrap() - ari).abs() < 1e-12, "{:?} {:?}", p.assignment(), q.assignment());
            assert!((p.nmi(&q).unwrap() - nmi).abs() < 1e-12);
            assert_eq!(p.ari(&q).unwrap(), q.ari(&p).unwrap());
        }
    }

    #[test]
    fn labels_are_matched_by_name() {
        let p = partition(&[0, 0, 1]);
        let names = ["l2", "l0", "l1"].map(String::from);
        let q = Partition::trusted(names.to_vec().into(), &[0, 1, 1]);
        assert_eq!(p.ari(&q).unwrap(), 1.0);
        assert!(p.ari(&partition(&[0, 1])).unwrap_err().message.contains("only the first has \"l2\""));
    }

    #[test]
    fn what_moved_is_as_little_as_possible() {
        let c = compare(&partition(&[0, 0, 0, 1, 1, 2, 2]), &partition(&[0, 1, 1, 0, 0, 2, 3])).unwrap();
        assert_eq!(c.matched, vec![Some(1), Some(0), Some(2)]);
        let moved: Vec<_> = c.moved.iter().map(|m| (m.label.as_str(), m.from, m.to)).collect();
        assert_eq!(moved, vec![("l0", 0, 0), ("l6", 2, 3)]);
        let c = compare(&partition(&[0, 0, 1, 2]), &partition(&[0, 0, 0, 0])).unwrap();
        assert_eq!(c.matched, vec![Some(0), None, None]);
        assert!(c.to_string().contains("2 labels moved:\n  l2: task 1 to 0"));
    }
}
