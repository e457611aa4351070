//! Computes all metrics in one pass over the scores.

use super::average_precision::{self, mean};
use super::columns::{Column, Input, Score, Target};
use super::context_probe::{self, Companions};
use super::conventions::Convention;
use super::decision_metrics::DecisionMetrics;
use super::evaluation::{ConventionRow, Evaluation, LabelRow, ThresholdRow, TopRow};
use super::metric_options::MetricOptions;
use super::precision_recall::{Counts, cf1, macro_f1, never_as_one};
use super::top_k::{self, Cut};
use super::voc_ap;
use crate::error::{Error, Result, counted, only};
use crate::graph::label_names;
use crate::labels::Unknown;

/// All metrics of probabilities `scores` against `targets`, both row-major [n, m].
///
/// `labels` names the m columns; if it is empty, positions are the names. Targets of unknown truth count as
/// `options.unknown` says; masked ones are left out of every metric, as if a label had only the images where it is known.
///
/// Errors: sizes that do not fit (both named), an empty split, a score that is not finite or a target that is not 0 or 1
/// (row and label named), no label with a positive, options out of range.
pub fn evaluate<S: Score, T: Target>(
    scores: &[S],
    targets: &[T],
    n: usize,
    m: usize,
    labels: &[String],
    options: &MetricOptions,
) -> Result<Evaluation> {
    evaluate_with(scores, targets, n, m, labels, options, None)
}

/// [`evaluate`] with given companions for the context probe, as counted on the training images. With `None` they are
/// counted on `targets`.
pub fn evaluate_with<S: Score, T: Target>(
    scores: &[S],
    targets: &[T],
    n: usize,
    m: usize,
    labels: &[String],
    options: &MetricOptions,
    companions: Option<&Companions>,
) -> Result<Evaluation> {
    options.validate()?;
    let thresholds = options.thresholds()?;
    let input = Input::new(scores, targets, n, m)?.counting_unknown(options.unknown.unwrap_or(Unknown::Error));
    let labels = names(labels, m)?;
    let main = options.convention.first();
    let given = options.threshold.is_some();

    // Every decision rule that any row needs; the thresholds of the evaluation itself come first.
    let mut cuts: Vec<Cut> = thresholds.iter().map(|&threshold| Cut { threshold, strict: main.strict }).collect();
    let cut_of = |c: &Convention| Cut { threshold: if given { thresholds[0] } else { c.threshold }, strict: c.strict };
    for convention in options.convention.iter() {
        let cut = cut_of(convention);
        if !cuts.contains(&cut) {
            cuts.push(cut);
        }
    }
    let stats = input.by_label(&labels, |column| Stats::of(&column, &cuts, S::from_f64, S::key))?;
    let plain = mean(stats.iter().map(|s| s.ap));
    let (Some(plain), Some(voc)) = (plain, mean(stats.iter().map(|s| s.voc_ap))) else {
        return Err(Error::data(format!(
            "none of the {m} labels has a positive among {}: mAP is not defined",
            if n == 1 { "the one image".to_string() } else { format!("the {n} images") }
        )));
    };
    let threshold_row = |cut: Cut, convention: &Convention| {
        let counts = counts_at(&stats, cuts.iter().position(|&c| c == cut).unwrap_or(0));
        ThresholdRow {
            threshold: cut.threshold,
            decisions: decisions(&counts, convention),
            macro_f1: 100.0 * macro_f1(&counts),
        }
    };
    let mut notes = Vec::new();
    let masked: usize = stats.iter().map(|s| n - s.images).sum();
    let counted_as = match input.unknown {
        Unknown::Negative => Some("negative"),
        Unknown::Positive => Some("positive"),
        Unknown::Masked | Unknown::Error => None,
    };
    if masked > 0 {
        notes.push(format!("{masked} of {} targets are of unknown truth: left out of every metric", n * m));
    } else if let Some(counted_as) = counted_as {
        let missing = match input.unknown {
            Unknown::Positive => targets.iter().filter(|target| target.is_missing()).count(),
            _ => 0,
        };
        let unknown = targets.iter().filter(|target| target.is_unknown()).count() - missing;
        for (number, what, counted_as) in [(unknown, "of unknown truth", counted_as), (missing, "NaN", "negative")] {
            if number > 0 {
                notes.push(format!("{number} of {} targets are {what}: counted as {counted_as}", n * m));
            }
        }
    }
    let truths: Vec<u64> = stats.iter().map(|s| s.counts[0].truth).collect();
    let tops = Tops::count(&input, &truths, masked > 0, options, &cuts, &mut notes);
    let rows = |convention: &Convention| {
        let cut = cut_of(convention);
        ConventionRow {
            name: convention.name.into(),
            map: 100.0 * if convention.voc_ap { voc } else { plain },
            rows: threshold_row(cut, convention),
            top: tops.row(options.above_threshold || convention.top_above_threshold, cut, convention),
        }
    };
    let own = rows(main);
    let left_out: Vec<String> =
        labels.iter().zip(&stats).filter(|(_, s)| s.ap.is_none()).map(|(l, _)| l.clone()).collect();
    if !left_out.is_empty() {
        let have = if left_out.len() == 1 { "has" } else { "have" };
        notes.push(format!(
            "{} of {} {have} no positive: left out of mAP, CP, CR, CF1 and macro F1, counted in OP and OR: {}",
            left_out.len(),
            counted(m, "label"),
            label_names::listed(&left_out)
        ));
    }
    let outside: usize = stats.iter().map(|s| s.outside).sum();
    if outside > 0 {
        notes.push(format!(
            "{outside} scores are not from 0 to 1: thresholds were applied to them as if they were probabilities"
        ));
    }
    let context = match options.context {
        true => {
            let counted;
            let companions = match companions {
                Some(companions) => companions,
                None => {
                    counted = Companions::from_targets(&input, &labels, options.companions)?;
                    &counted
                }
            };
            Some(context_probe::probe(
                &input,
                &labels,
                companions,
                cuts[0],
                &stats.iter().map(|s| s.ap).collect::<Vec<_>>(),
            )?)
        }
        false => None,
    };
    Ok(Evaluation {
        images: n,
        labels: m,
        unknown: masked,
        convention: main.name.into(),
        threshold: thresholds[0],
        map: own.map,
        decisions: own.rows.decisions,
        macro_f1: own.rows.macro_f1,
        top: own.top,
        per_label: labels.iter().zip(&stats).map(|(label, s)| s.row(label, n, main.voc_ap)).collect(),
        left_out,
        thresholds: match &thresholds[..] {
            [_] => Vec::new(),
            several => cuts[..several.len()].iter().map(|&cut| threshold_row(cut, main)).collect(),
        },
        conventions: options.convention.iter().map(rows).collect(),
        context,
        notes,
    })
}

/// The threshold from 0.01 to 0.99, in steps of 0.01, with the highest CF1 (of CP and CR); the lowest of equals.
///
/// Choose it on a validation split, then pass it as `threshold`. Targets of unknown truth are left out. Errors as
/// [`evaluate`].
pub fn best_threshold<S: Score, T: Target>(scores: &[S], targets: &[T], n: usize, m: usize) -> Result<f64> {
    let input = Input::new(scores, targets, n, m)?.counting_unknown(Unknown::Masked);
    let cuts: Vec<Cut> = (1..100).map(|t| Cut { threshold: f64::from(t) / 100.0, strict: false }).collect();
    let stats = input.by_label(&names(&[], m)?, |column| Stats::of(&column, &cuts, S::from_f64, S::key))?;
    let mut best = (f64::NEG_INFINITY, 0.5);
    for (c, cut) in cuts.iter().enumerate() {
        let cf1 = cf1(&counts_at(&stats, c));
        if cf1 > best.0 {
            best = (cf1, cut.threshold);
        }
    }
    Ok(best.1)
}

fn names(labels: &[String], m: usize) -> Result<Vec<String>> {
    match labels.len() {
        0 => Ok((0..m).map(|label| label.to_string()).collect()),
        len if len == m => Ok(labels.to_vec()),
        len => Err(Error::argument(format!(
            "scores have {}, one per label; got {}",
            counted(m, "column"),
            counted(len, "name")
        ))),
    }
}

/// The statistics of one label's column.
struct Stats {
    /// How many images there are, those of unknown truth left out.
    images: usize,
    ap: Option<f64>,
    voc_ap: Option<f64>,
    /// One entry per cut.
    counts: Vec<Counts>,
    /// How many scores are not probabilities.
    outside: usize,
}

impl Stats {
    fn of<S, K: Copy + Ord>(
        column: &Column<'_, K>,
        cuts: &[Cut],
        score: impl Fn(f64) -> S,
        key: impl Fn(S) -> K,
    ) -> Stats {
        let counts = cuts
            .iter()
            .map(|cut| {
                let limit = key(score(cut.threshold));
                let passed =
                    |keys: &[K]| keys.partition_point(|&k| if cut.strict { k < limit } else { k <= limit }) as u64;
                Counts {
                    correct: passed(column.positives),
                    predicted: passed(column.all),
                    truth: column.positives.len() as u64,
                }
            })
            .collect();
        let steps = average_precision::steps(column);
        let (one, zero) = (key(score(1.0)), key(score(0.0)));
        let above = column.all.partition_point(|&k| k < one);
        let below = column.all.len() - column.all.partition_point(|&k| k <= zero);
        Stats {
            images: column.all.len(),
            ap: average_precision::of_steps(&steps, 1.0),
            voc_ap: voc_ap::of_steps(&steps),
            counts,
            outside: above + below,
        }
    }

    fn row(&self, label: &str, n: usize, voc: bool) -> LabelRow {
        let counts = self.counts[0];
        LabelRow {
            label: label.into(),
            ap: if voc { self.voc_ap } else { self.ap }.map(|ap| 100.0 * ap),
            positives: counts.truth as usize,
            unknown: n - self.images,
            precision: 100.0 * counts.precision(),
            recall: 100.0 * counts.recall(),
            f1: 100.0 * counts.f1(),
        }
    }
}

/// The metrics of one decision rule as a convention computes them.
fn decisions(counts: &[Counts], convention: &Convention) -> DecisionMetrics {
    match convention.never_is_one {
        true => DecisionMetrics::of(&never_as_one(counts), convention.mean_f1),
        false => DecisionMetrics::of(counts, convention.mean_f1),
    }
}

/// The counts of all labels at a cut.
fn counts_at(stats: &[Stats], cut: usize) -> Vec<Counts> {
    stats.iter().map(|s| s.counts[cut]).collect()
}

/// The counts at top k under every filter that a row may need.
struct Tops {
    k: usize,
    filters: Vec<Option<Cut>>,
    /// Per filter, the counts of all labels.
    counts: Vec<Vec<Counts>>,
}

impl Tops {
    fn count<S: Score, T: Target>(
        input: &Input<'_, S, T>,
        truths: &[u64],
        masked: bool,
        options: &MetricOptions,
        cuts: &[Cut],
        notes: &mut Vec<String>,
    ) -> Tops {
        let none = Tops { k: 0, filters: Vec::new(), counts: Vec::new() };
        let Some(k) = options.top_k else { return none };
        if k >= input.m {
            notes.push(format!("no top-{k} metrics: {}", only(input.m, "label")));
            return none;
        }
        let mut filters = vec![None];
        if options.above_threshold || options.convention.iter().any(|c| c.top_above_threshold) {
            filters.extend(cuts.iter().copied().map(Some));
        }
        let (counts, odd) = top_k::count(input, truths, masked, k, &filters);
        let top_k::Odd { tied, few } = odd;
        if tied > 0 {
            notes.push(format!(
                "in {tied} of {} images scores tie at rank {k}: the label that comes first counts as predicted",
                input.n
            ));
        }
        if few > 0 {
            notes.push(format!(
                "in {few} of {} images at most {k} labels are of known truth: in the top {k} all of them count as predicted",
                input.n
            ));
        }
        Tops { k, filters, counts }
    }

    fn row(&self, above: bool, cut: Cut, convention: &Convention) -> Option<TopRow> {
        let at = self.filters.iter().position(|&f| f == above.then_some(cut))?;
        Some(TopRow { k: self.k, above_threshold: above, decisions: decisions(&self.counts[at], convention) })
    }
}
