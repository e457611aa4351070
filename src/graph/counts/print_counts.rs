//! The printed form of counts: the number of labels, images and pairs, and the most frequent pairs.

use std::fmt;

use super::cooccurrence_counts::Cooccurrence;
use super::ranked_pairs::Pair;
use crate::error::counted;

/// How many pairs are printed.
const PAIRS: usize = 8;

impl fmt::Display for Cooccurrence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let m = self.len();
        write!(f, "Co-occurrence of {}", counted(m, "label"))?;
        if let Some(n) = self.num_images() {
            write!(f, " in {}", counted(n as usize, "image"))?;
        }
        let all = m * m.saturating_sub(1) / 2;
        write!(f, "\n{} of {all} pairs are seen together; most often:", self.num_pairs())?;
        let top = self.top_pairs(PAIRS);
        let name = |p: &Pair| format!("{}, {}", p.a, p.b);
        let width = top.iter().map(|p| name(p).chars().count()).max().unwrap_or(0);
        let digits = top.first().map_or(1, |p| p.count.to_string().len());
        for p in &top {
            let (b, a) = (100.0 * p.b_given_a, 100.0 * p.a_given_b);
            write!(f, "\n  {:width$}  {:>digits$}  ({b:.0} % of {}, {a:.0} % of {})", name(p), p.count, p.a, p.b)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_name_the_most_frequent_pairs() {
        let labels = ["cat", "dog", "sofa", "sun"].map(String::from);
        let pairs = vec![0, 3, 2, 0, 3, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0];
        let c = Cooccurrence::from_parts(&labels, vec![4, 12, 2, 1], pairs).unwrap().with_num_images(20).unwrap();
        assert_eq!(
            c.to_string(),
            "Co-occurrence of 4 labels in 20 images\n2 of 6 pairs are seen together; most often:\n  \
             cat, dog   3  (75 % of cat, 25 % of dog)\n  cat, sofa  2  (50 % of cat, 100 % of sofa)"
        );
    }
}
