//! Which labels of which training pictures are known, when only some are: by the options of a training, and by the entries
//! of unknown truth in its label table.

use crate::images::Dataset;
use crate::random::fraction;

/// The shares of labels that are known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KnownLabels {
    /// Share of the pictures that have labels at all. Students learn the others from their teachers alone.
    pub labelled: f64,
    /// Share of a labelled picture's labels that are known, positives and negatives alike.
    pub known: f64,
}

impl KnownLabels {
    pub fn all(self) -> bool {
        self.labelled >= 1.0 && self.known >= 1.0
    }

    /// Whether a picture has labels. Drawn from its name alone, so that teachers and students agree, whatever their
    /// seeds.
    pub fn has_labels(self, image: &str) -> bool {
        fraction(&["labelled", image]) < self.labelled
    }

    /// Whether one label of a picture is known.
    pub fn knows(self, image: &str, label: &str) -> bool {
        self.has_labels(image) && fraction(&["known", image, label]) < self.known
    }

    /// `[images, labels]`, row-major: whether each entry is known, by the shares and in the data set itself. None if all
    /// are.
    pub fn mask(self, dataset: &Dataset) -> Option<Vec<bool>> {
        let table = &dataset.labels;
        if self.all() && table.num_unknown() == 0 {
            return None;
        }
        let (images, labels) = (table.images(), table.labels());
        let mut mask: Vec<bool> = match self.all() {
            true => vec![true; images.len() * labels.len()],
            false => images.iter().flat_map(|image| labels.iter().map(move |label| self.knows(image, label))).collect(),
        };
        for image in 0..images.len() {
            for &label in table.unknown_row(image) {
                mask[image * labels.len() + label as usize] = false;
            }
        }
        Some(mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::scenes::{SceneOptions, splits};
    use crate::labels::LabelTable;

    #[test]
    fn shares_come_out_and_more_is_known_of_the_same() {
        let (some, more) = (KnownLabels { labelled: 0.5, known: 0.3 }, KnownLabels { labelled: 0.6, known: 0.4 });
        let pairs: Vec<(String, String)> =
            (0..200).flat_map(|i| (0..50).map(move |j| (format!("picture {i}"), format!("label {j}")))).collect();
        let labelled = (0..2000).filter(|i| some.has_labels(&format!("picture {i}"))).count();
        // Binomial: 2000 draws at 1/2 have a standard deviation of 22.
        assert!((900..1100).contains(&labelled), "{labelled}");
        let of_labelled: Vec<&(String, String)> = pairs.iter().filter(|(image, _)| some.has_labels(image)).collect();
        let share = of_labelled.iter().filter(|(i, l)| some.knows(i, l)).count() as f64 / of_labelled.len() as f64;
        assert!((share - 0.3).abs() < 0.03, "{share}");
        assert!(pairs.iter().all(|(i, l)| !some.knows(i, l) || more.knows(i, l)));
        assert!(KnownLabels { labelled: 1.0, known: 1.0 }.knows("any", "label"));
    }

    #[test]
    fn unknown_entries_of_the_data_set_are_masked_too() {
        let names = |n: usize| (0..n).map(|i| i.to_string()).collect::<Vec<_>>();
        let table = LabelTable::from_lists(names(3), names(20), &vec![vec![1]; 20]).unwrap();
        let lists: Vec<Vec<u32>> = (0..20).map(|i| if i % 2 == 0 { vec![0, 2] } else { vec![] }).collect();
        let options = SceneOptions { train: 20, val: 1, test: 1, test_shifted: 1, ..SceneOptions::default() };
        let scenes = splits(&options).unwrap().remove(0).1;
        let of = |labels: LabelTable| Dataset { labels, ..scenes.clone() };
        let (all, partly) = (of(table.clone()), of(table.with_unknown(&lists).unwrap()));
        let (every, some) = (KnownLabels { labelled: 1.0, known: 1.0 }, KnownLabels { labelled: 1.0, known: 0.5 });
        assert_eq!(every.mask(&all), None);
        let own = every.mask(&partly).unwrap();
        assert_eq!(own[..6], [false, true, false, true, true, true]);
        let drawn = some.mask(&all).unwrap();
        let both: Vec<bool> = own.iter().zip(&drawn).map(|(a, b)| *a && *b).collect();
        assert_eq!(some.mask(&partly).unwrap(), both);
        assert_ne!(drawn, both);
    }
}
