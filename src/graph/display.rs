//! How counts, affinities and partitions print: what a person wants to know first, then the labels by name.

use std::fmt;

use super::affinity::Affinity;
use super::cooccurrence::Cooccurrence;
use super::names;
use super::partition::Partition;
use super::stability::{Stability, SuggestedK};

/// Columns of text.
const WIDTH: usize = 100;
/// Pairs that printed counts show.
const PAIRS: usize = 8;
/// Labels up to which a partition names all of them; beyond, each task's first few.
const ALL_NAMED_UP_TO: usize = 300;
const NAMED: usize = 24;
/// Tasks up to which all are listed.
const TASKS: usize = 50;

impl fmt::Display for Cooccurrence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let m = self.len();
        write!(f, "Co-occurrence of {m} labels")?;
        if let Some(n) = self.num_images() {
            write!(f, " in {n} images")?;
        }
        let all = m * m.saturating_sub(1) / 2;
        write!(f, "\n{} of {all} pairs are seen together; most often:", self.num_pairs())?;
        let top = self.top_pairs(PAIRS);
        let name = |p: &super::Pair| format!("{}, {}", p.a, p.b);
        let width = top.iter().map(|p| name(p).chars().count()).max().unwrap_or(0);
        let digits = top.first().map_or(1, |p| p.count.to_string().len());
        for p in &top {
            let (b, a) = (100.0 * p.b_given_a, 100.0 * p.a_given_b);
            write!(f, "\n  {:width$}  {:>digits$}  ({b:.0} % of {}, {a:.0} % of {})", name(p), p.count, p.a, p.b)?;
        }
        Ok(())
    }
}

impl fmt::Display for Affinity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Affinity of {} labels, {}, power {:.4}", self.len(), self.branch().long_name(), self.power())?;
        let mut by_degree: Vec<usize> = (0..self.len()).collect();
        by_degree.sort_by(|&a, &b| self.degrees()[b].total_cmp(&self.degrees()[a]));
        if let (Some(&most), Some(&least)) = (by_degree.first(), by_degree.last()) {
            let of = |i: usize| format!("{:.3} (\"{}\")", self.degrees()[i], self.labels()[i]);
            write!(f, "\ndegrees from {} to {}", of(least), of(most))?;
        }
        match &self.isolated()[..] {
            [] => Ok(()),
            labels => write!(f, "\nwithout any neighbour: {}", names::listed(labels)),
        }
    }
}

impl fmt::Display for Stability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = self.ncut;
        write!(
            f,
            "{} different partitions from {} seeds, mean ARI {:.4}, normalised cuts {least:.4} to {most:.4}",
            self.distinct, self.seeds, self.mean_ari
        )
    }
}

impl fmt::Display for SuggestedK {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "k = {}, the widest gap between eigenvalues:", self.k)?;
        for &(k, gap) in &self.gaps {
            let mark = if k == self.k { "  <" } else { "" };
            write!(f, "\n  k {k:>3}  gap {gap:.4}{mark}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        write!(f, "Partition of {} into {}", count(self.labels().len(), "label"), count(self.k(), "task"))?;
        if let Some(branch) = self.branch() {
            write!(f, ", {}", branch.long_name())?;
        }
        if let Some(seed) = self.seed() {
            write!(f, ", seed {seed}")?;
        }
        if let Some(ncut) = self.ncut() {
            write!(f, "\nnormalised cut {ncut:.4}")?;
            if let Some(z) = self.z() {
                write!(f, "; random tasks of the same sizes {:.4} ± {:.4} (z = {:.1})", z.mean, z.sd, z.z)?;
            }
        }
        let digits = |n: usize| n.max(1).ilog10() as usize + 1;
        let number_width = digits(self.k().saturating_sub(1));
        let size_width = digits(self.sizes().into_iter().max().unwrap_or(0));
        let few = self.labels().len() <= ALL_NAMED_UP_TO;
        for (t, whole) in self.task_indices().iter().enumerate().take(if few { usize::MAX } else { TASKS }) {
            let task = if few { &whole[..] } else { &whole[..whole.len().min(NAMED)] };
            let plural = if whole.len() == 1 { " " } else { "s" };
            let head = format!("  task {t:>number_width$}  {:>size_width$} label{plural}  ", whole.len());
            write!(f, "\n{head}")?;
            let indent = head.len();
            let mut column = indent;
            for (at, &i) in task.iter().enumerate() {
                let comma = if at + 1 < task.len() { "," } else { "" };
                let label = &self.labels()[i];
                let width = label.chars().count() + comma.len();
                if column > indent && column + 1 + width > WIDTH {
                    write!(f, "\n{:indent$}", "")?;
                    column = indent;
                }
                let space = if column > indent { " " } else { "" };
                write!(f, "{space}{label}{comma}")?;
                column += space.len() + width;
            }
            if task.len() < whole.len() {
                write!(f, ", and {} more", whole.len() - task.len())?;
            }
        }
        if !few && self.k() > TASKS {
            write!(f, "\n  and {} more tasks", self.k() - TASKS)?;
        }
        for warning in self.warnings() {
            write!(f, "\nwarning: {warning}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{AffinityOptions, Branch};

    #[test]
    fn counts_and_affinities_name_what_matters() {
        let labels = ["cat", "dog", "sofa", "sun"].map(String::from);
        let pairs = vec![0, 3, 2, 0, 3, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0];
        let c = Cooccurrence::from_parts(&labels, vec![4, 12, 2, 1], pairs).unwrap().with_num_images(20).unwrap();
        assert_eq!(
            c.to_string(),
            "Co-occurrence of 4 labels in 20 images\n2 of 6 pairs are seen together; most often:\n  \
             cat, dog   3  (75 % of cat, 25 % of dog)\n  cat, sofa  2  (50 % of cat, 100 % of sofa)"
        );
        let a = Affinity::new(&c, Branch::Co, &AffinityOptions::default()).unwrap().to_string();
        assert!(
            a.starts_with("Affinity of 4 labels, co-occurrence, power 0.5000\ndegrees from 0.000 (\"sun\") to "),
            "{a}"
        );
        assert!(a.ends_with("without any neighbour: sun"));
    }

    #[test]
    fn tasks_are_listed_by_name_and_wrapped() {
        let labels: Vec<String> = (0..30).map(|i| format!("label {i:02}")).collect();
        let assignment: Vec<usize> = (0..30).map(|i| usize::from(i > 27)).collect();
        let text = Partition::trusted(labels.into(), &assignment).with_seed(3).to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "Partition of 30 labels into 2 tasks, seed 3");
        assert!(lines[1].starts_with("  task 0  28 labels  label 00, label 01,"));
        assert!(lines[2].starts_with("                     label "));
        assert_eq!(lines.last(), Some(&"  task 1   2 labels  label 28, label 29"));
        assert!(lines.iter().all(|l| l.chars().count() <= WIDTH && !l.ends_with(' ')));
    }
}
