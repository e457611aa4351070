//! Statistics of a label table: counts, cardinality, density, imbalance.

use serde::Serialize;

use super::label_table::LabelTable;

/// Statistics of a label table. Entries of unknown truth have a number of their own and otherwise count as absent.
///
/// Cardinality and density: Tsoumakas & Katakis, "Multi-label classification: an overview", 2007. Imbalance ratios:
/// Charte et al., "Addressing imbalance in multilabel classification", 2015.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Statistics {
    /// N.
    pub images: usize,
    /// m.
    pub labels: usize,
    /// n_i, in label order.
    pub counts: Vec<u64>,
    /// Mean number of labels per image.
    pub cardinality: f64,
    /// Cardinality / m.
    pub density: f64,
    /// Images without any label.
    pub unlabelled: usize,
    /// Entries (image, label) of unknown truth.
    pub unknown: u64,
    /// Labels without any image; the ratios below leave them out.
    pub absent: usize,
    /// Images of the most frequent label / images of the least frequent one.
    pub imbalance_ratio: f64,
    /// MeanIR: mean over labels of (images of the most frequent label / images of this label).
    pub mean_imbalance_ratio: f64,
    /// Share of all image-label pairs that the less frequent half of the labels holds (the middle label of an odd
    /// number counts as frequent); about 0.5 where all are alike.
    pub tail_share: f64,
}

impl Statistics {
    /// Statistics over the whole table. A ratio with a zero denominator is 0.
    pub fn of(table: &LabelTable) -> Statistics {
        let (images, labels) = (table.num_images(), table.num_labels());
        let counts = table.counts();
        let pairs: u64 = counts.iter().sum();
        let cardinality = ratio(pairs as f64, images as f64);
        let mut present: Vec<u64> = counts.iter().copied().filter(|&n| n > 0).collect();
        present.sort_unstable();
        let most = present.last().copied().unwrap_or(0) as f64;
        let tail: u64 = present[..present.len() / 2].iter().sum();
        Statistics {
            images,
            labels,
            cardinality,
            density: ratio(cardinality, labels as f64),
            unlabelled: table.num_unlabelled(),
            unknown: table.num_unknown(),
            absent: labels - present.len(),
            imbalance_ratio: ratio(most, present.first().copied().unwrap_or(0) as f64),
            mean_imbalance_ratio: ratio(present.iter().map(|&n| most / n as f64).sum(), present.len() as f64),
            tail_share: ratio(tail as f64, pairs as f64),
            counts,
        }
    }
}

fn ratio(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { a / b }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_by_hand() {
        let labels = ["a", "b", "c", "d"].map(String::from).to_vec();
        let images = (0..5).map(|i| i.to_string()).collect();
        let t = LabelTable::from_lists(labels, images, &[vec![0, 1], vec![0], vec![0, 1, 2], vec![0], vec![]]).unwrap();
        let s = Statistics::of(&t);
        assert_eq!(s.counts, vec![4, 2, 1, 0]);
        assert_eq!((s.cardinality, s.density, s.unlabelled, s.absent), (7.0 / 5.0, 7.0 / 20.0, 1, 1));
        assert_eq!(s.imbalance_ratio, 4.0);
        assert!((s.mean_imbalance_ratio - (1.0 + 2.0 + 4.0) / 3.0).abs() < 1e-15);
        assert_eq!(s.tail_share, 1.0 / 7.0);
        // Unknown entries count as absent everywhere else.
        let partly = Statistics::of(&t.with_unknown(&[vec![3], vec![], vec![3], vec![], vec![0]]).unwrap());
        assert_eq!((s.unknown, &partly), (0, &Statistics { unknown: 3, ..s.clone() }));
    }

    #[test]
    fn an_empty_table_has_no_ratios() {
        let t = LabelTable::from_lists(vec!["a".into()], vec![], &[]).unwrap();
        let s = Statistics::of(&t);
        assert_eq!((s.cardinality, s.imbalance_ratio, s.tail_share, s.absent), (0.0, 0.0, 0.0, 1));
    }
}
