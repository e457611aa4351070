//! The context probe: does a label's score depend on the labels that usually occur with it?
//!
//! For label i with its most frequent companions C_i (the labels j with the highest e_ij), the probe compares AP on the
//! pictures without any label of C_i with the ordinary AP. It also counts how often i is predicted where it is absent,
//! with companions present and without.
//!
//! Pictures without companions have a different share of positives, and AP alone falls with that share. A second gap
//! therefore takes precision at the ordinary share: negatives there are weighted by
//! (negatives / positives of all) / (negatives / positives there), as in Hoiem, Chodpathumwan & Dai, "Diagnosing error
//! in object detectors", ECCV 2012, section 2.2.
//!
//! Where the label's truth is unknown, a picture is left out. Where companions are unknown and none is known to be there,
//! the picture counts in the ordinary AP alone.

use rayon::prelude::*;
use serde::Serialize;

use super::average_precision::{self, mean};
use super::columns::{Column, Input, Score, Target};
use super::top_k::Cut;
use crate::activity;
use crate::error::{Error, Result, counted};

/// The most frequent companions of every label.
#[derive(Clone, Debug, PartialEq)]
pub struct Companions {
    of: Vec<Vec<usize>>,
    source: &'static str,
}

/// The context probe of one evaluation, in percent. Means are over the labels that have both APs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ContextProbe {
    /// The largest number of companions of a label.
    pub companions: usize,
    /// Where the companions were counted.
    pub source: String,
    /// Mean AP on all pictures.
    pub ap: f64,
    /// Mean AP on the pictures without companions.
    pub ap_alone: f64,
    /// `ap - ap_alone`.
    pub gap: f64,
    /// The same gap with precision at the ordinary share of positives.
    pub gap_same_share: f64,
    /// Mean share of pictures with companions, without the label, in which it is predicted.
    pub false_positives_with: Option<f64>,
    /// The same without companions.
    pub false_positives_without: Option<f64>,
    pub per_label: Vec<ContextRow>,
    /// Labels without companions, or without a positive or a negative picture where the companions are absent.
    pub left_out: Vec<String>,
}

/// The context probe of one label, in percent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ContextRow {
    pub label: String,
    /// The most frequent first.
    pub companions: Vec<String>,
    pub ap: Option<f64>,
    pub positives: usize,
    pub ap_alone: Option<f64>,
    /// Positives without companions.
    pub positives_alone: usize,
    pub gap: Option<f64>,
    pub gap_same_share: Option<f64>,
    pub false_positives_with: Option<f64>,
    pub false_positives_without: Option<f64>,
}

impl Companions {
    /// Per label, the `k` others with the highest count e_ij; labels that never occur with it are left out.
    ///
    /// `counts` is m × m, row-major, with any diagonal, as counted on the training images. Ties go to the name that
    /// comes first. Errors: a size that is not m × m.
    pub fn from_counts(labels: &[String], counts: &[u64], k: usize) -> Result<Self> {
        Self::new(labels, counts, k, "training images")
    }

    fn new(labels: &[String], counts: &[u64], k: usize, source: &'static str) -> Result<Self> {
        let m = labels.len();
        if counts.len() != m * m {
            return Err(Error::argument(format!(
                "co-occurrence counts of {m} labels must be {m} × {m}, which is {} values; got {}",
                m * m,
                counts.len()
            )));
        }
        let of = (0..m)
            .map(|i| {
                let row = &counts[i * m..(i + 1) * m];
                let mut others: Vec<usize> = (0..m).filter(|&j| j != i && row[j] > 0).collect();
                others.sort_by(|&a, &b| row[b].cmp(&row[a]).then_with(|| labels[a].cmp(&labels[b])));
                others.truncate(k);
                others
            })
            .collect();
        Ok(Companions { of, source })
    }

    /// Counted on the evaluated images themselves.
    pub(super) fn from_targets<S: Score, T: Target>(
        input: &Input<'_, S, T>,
        labels: &[String],
        k: usize,
    ) -> Result<Self> {
        let m = input.m;
        let mut counts = vec![0_u64; m * m];
        let mut present = Vec::new();
        let activity = activity::current();
        for (picture, row) in input.targets.chunks(m).enumerate() {
            if picture % 64 == 0 {
                activity.check()?;
            }
            present.clear();
            present.extend((0..m).filter(|&j| input.truth(row[j]) == Some(true)));
            for &i in &present {
                present.iter().for_each(|&j| counts[i * m + j] += 1);
            }
        }
        Self::new(labels, &counts, k, "evaluated images")
    }

    /// The companions of a label, the most frequent first.
    pub fn of(&self, label: usize) -> &[usize] {
        self.of.get(label).map_or(&[], Vec::as_slice)
    }
}

/// Probes all labels; `aps` are their ordinary APs, and the input has been checked.
pub(super) fn probe<S: Score, T: Target>(
    input: &Input<'_, S, T>,
    labels: &[String],
    companions: &Companions,
    cut: Cut,
    aps: &[Option<f64>],
) -> Result<ContextProbe> {
    if companions.of.len() != input.m {
        return Err(Error::argument(format!(
            "the companions are those of {}, but the scores have {}",
            counted(companions.of.len(), "label"),
            input.m
        )));
    }
    let activity = activity::current();
    let per_label = (0..input.m)
        .into_par_iter()
        .map(|label| {
            activity.check()?;
            Ok(row(input, labels, companions.of(label), label, cut, aps[label]))
        })
        .collect::<Result<Vec<_>>>()?;
    let both = |r: &&ContextRow| r.gap.is_some();
    let Some(ap) = mean(per_label.iter().filter(both).map(|r| r.ap)) else {
        return Err(Error::data("the context probe needs a label with a positive and a negative picture without its companions; there is none")
            .with_help("ask for fewer companions, or leave the probe out"));
    };
    let ap_alone = mean(per_label.iter().filter(both).map(|r| r.ap_alone)).unwrap_or(f64::NAN);
    Ok(ContextProbe {
        companions: companions.of.iter().map(Vec::len).max().unwrap_or(0),
        source: companions.source.into(),
        ap,
        ap_alone,
        gap: ap - ap_alone,
        gap_same_share: mean(per_label.iter().map(|r| r.gap_same_share)).unwrap_or(f64::NAN),
        false_positives_with: mean(per_label.iter().filter(both).map(|r| r.false_positives_with)),
        false_positives_without: mean(per_label.iter().filter(both).map(|r| r.false_positives_without)),
        left_out: per_label.iter().filter(|r| r.gap.is_none()).map(|r| r.label.clone()).collect(),
        per_label,
    })
}

fn row<S: Score, T: Target>(
    input: &Input<'_, S, T>,
    labels: &[String],
    companions: &[usize],
    label: usize,
    cut: Cut,
    ap: Option<f64>,
) -> ContextRow {
    let (mut all, mut positives) = (Vec::new(), Vec::new());
    let mut with = Rate::default();
    let mut without = Rate::default();
    let (mut truths, mut absences) = (0, 0);
    for (scores, targets) in input.scores.chunks(input.m).zip(input.targets.chunks(input.m)) {
        let Some(truth) = input.truth(targets[label]) else { continue };
        *(if truth { &mut truths } else { &mut absences }) += 1;
        let Some(accompanied) = any(companions.iter().map(|&j| input.truth(targets[j]))) else { continue };
        if !truth {
            if accompanied { &mut with } else { &mut without }.add(cut.passes(scores[label]));
        }
        if !accompanied {
            let key = scores[label].key();
            all.push(key);
            if truth {
                positives.push(key);
            }
        }
    }
    let mut spare = Vec::new();
    S::sort(&mut all, &mut spare);
    S::sort(&mut positives, &mut spare);
    let column = Column { all: &all, positives: &positives };
    let negatives = all.len() - positives.len();
    let told = !companions.is_empty() && !positives.is_empty() && negatives > 0;
    let alone = if told { average_precision::of_column(&column, 1.0) } else { None };
    let same_share = if told {
        let weight = (absences as f64 / truths as f64) / (negatives as f64 / positives.len() as f64);
        average_precision::of_column(&column, weight)
    } else {
        None
    };
    let gap = |other: Option<f64>| Some(100.0 * (ap? - other?));
    ContextRow {
        label: labels[label].clone(),
        companions: companions.iter().map(|&j| labels[j].clone()).collect(),
        ap: ap.map(|ap| 100.0 * ap),
        positives: truths,
        ap_alone: alone.map(|ap| 100.0 * ap),
        positives_alone: positives.len(),
        gap: gap(alone),
        gap_same_share: gap(same_share),
        false_positives_with: with.percent(),
        false_positives_without: without.percent(),
    }
}

/// Whether one of them is true; `None` if that is not known.
fn any(truths: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut all_known = true;
    for truth in truths {
        match truth {
            Some(true) => return Some(true),
            Some(false) => {}
            None => all_known = false,
        }
    }
    all_known.then_some(false)
}

#[derive(Default)]
struct Rate {
    hits: usize,
    of: usize,
}

impl Rate {
    fn add(&mut self, hit: bool) {
        self.hits += usize::from(hit);
        self.of += 1;
    }

    fn percent(&self) -> Option<f64> {
        (self.of > 0).then(|| 100.0 * self.hits as f64 / self.of as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::Unknown;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|n| n.to_string()).collect()
    }

    #[test]
    fn companions_are_the_most_frequent_and_ties_go_by_name() {
        let labels = names(&["d", "c", "b", "a"]);
        #[rustfmt::skip]
        let counts = [
            9, 2, 3, 2,
            2, 9, 0, 0,
            3, 0, 9, 0,
            2, 0, 0, 9,
        ];
        let companions = Companions::from_counts(&labels, &counts, 2).unwrap();
        assert_eq!(companions.of(0), &[2, 3]);
        assert_eq!(companions.of(1), &[0]);
        assert!(Companions::from_counts(&labels, &counts[1..], 2).unwrap_err().message.contains("4 × 4"));
    }

    #[test]
    fn a_case_by_hand() {
        // Label 0, companion 1: pictures 0 and 1 have both, 2 only the label, 3 and 4 only the companion, 5 neither.
        let targets: [u8; 12] = [1, 1, 1, 1, 1, 0, 0, 1, 0, 1, 0, 0];
        let scores: [f32; 12] = [0.9, 0.5, 0.8, 0.5, 0.3, 0.5, 0.7, 0.5, 0.2, 0.5, 0.4, 0.5];
        let input = Input::new(&scores, &targets, 6, 2).unwrap();
        let labels = names(&["mouse", "keyboard"]);
        let companions = Companions::from_targets(&input, &labels, 1).unwrap();
        let ap = (1.0 + 1.0 + 3.0 / 5.0) / 3.0;
        let context =
            probe(&input, &labels, &companions, Cut { threshold: 0.5, strict: false }, &[Some(ap), Some(0.8)]).unwrap();
        let mouse = &context.per_label[0];
        assert_eq!(mouse.companions, vec!["keyboard"]);
        assert_eq!((mouse.positives, mouse.positives_alone), (3, 1));
        // Alone: the negative (0.4) ranks before the positive (0.3).
        assert_eq!(mouse.ap_alone, Some(50.0));
        assert!((mouse.gap.unwrap() - (100.0 * ap - 50.0)).abs() < 1e-12);
        // Three positives and three negatives in all, one and one alone: the same share, the same gap.
        assert_eq!(mouse.gap_same_share, mouse.gap);
        assert_eq!(mouse.false_positives_with, Some(50.0));
        assert_eq!(mouse.false_positives_without, Some(0.0));

        // Two more pictures: one where the label is unknown, and one without it where the companion is unknown. The first
        // counts nowhere, the second in the ordinary share of negatives alone: four for three positives.
        let targets: Vec<i8> = targets.iter().map(|&t| t as i8).chain([-1, 1, 0, -1]).collect();
        let scores: Vec<f32> = scores.iter().copied().chain([0.95, 0.5, 0.85, 0.5]).collect();
        let input = Input::new(&scores, &targets, 8, 2).unwrap().counting_unknown(Unknown::Masked);
        assert_eq!(Companions::from_targets(&input, &labels, 1).unwrap(), companions);
        let context =
            probe(&input, &labels, &companions, Cut { threshold: 0.5, strict: false }, &[Some(ap), Some(0.8)]).unwrap();
        let partly = &context.per_label[0];
        assert_eq!((partly.positives, partly.positives_alone, partly.ap_alone), (3, 1, Some(50.0)));
        assert_eq!((partly.false_positives_with, partly.false_positives_without), (Some(50.0), Some(0.0)));
        // Precision at the positive: 1 / (1 + 4/3).
        assert!((partly.gap_same_share.unwrap() - 100.0 * (ap - 3.0 / 7.0)).abs() < 1e-12);
    }
}
