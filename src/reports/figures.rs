//! The figures of reports, from what the core knows to what `plots` draws.

use super::subject::Subject;
use crate::error::{Error, Result};
use crate::graph::{Affinity, Cooccurrence, Partition};
use crate::metrics::Evaluation;
use crate::plots::{self, BarSeries, BarsOptions, Figure, HeatmapOptions, LabelGraphOptions, LinesOptions, Series};

/// An affinity as a heat map; with a partition, its labels in the order of the tasks.
///
/// Errors: labels that the partition does not have.
pub fn affinity_heatmap(a: &Affinity, partition: Option<&Partition>, options: HeatmapOptions) -> Result<Figure> {
    let matrix = a.matrix()?;
    let values: Vec<f64> = matrix.row_iter().flat_map(|r| r.iter().copied().collect::<Vec<_>>()).collect();
    heatmap(&values, a.labels(), partition, options)
}

/// The conditional probabilities e_ij / n_i as a heat map; with a partition, labels in the order of the tasks.
///
/// Errors: labels that the partition does not have, more than 2,000 labels.
pub fn conditional_heatmap(c: &Cooccurrence, partition: Option<&Partition>, options: HeatmapOptions) -> Result<Figure> {
    let m = drawable(c)?;
    let values: Vec<f64> = (0..m * m).map(|at| c.conditional(at / m, at % m)).collect();
    heatmap(&values, c.labels(), partition, options)
}

fn heatmap(
    values: &[f64],
    labels: &[String],
    partition: Option<&Partition>,
    mut options: HeatmapOptions,
) -> Result<Figure> {
    if let (Some(p), true) = (partition, options.group_names.is_empty()) {
        options.group_names = task_names(p);
    }
    plots::heatmap(values, labels, labels, partition.map(|p| groups(p, labels)).transpose()?.as_deref(), &options)
}

/// The label graph: lines by P+ at p = 1/2, (√S + √Sᵀ)/2, discs by n_i, colours by task.
///
/// Errors: labels that the partition does not have, more than 2,000 labels.
pub fn label_graph(c: &Cooccurrence, partition: Option<&Partition>, mut options: LabelGraphOptions) -> Result<Figure> {
    if let (Some(p), true) = (partition, options.group_names.is_empty()) {
        options.group_names = task_names(p);
    }
    let m = drawable(c)?;
    let weights: Vec<f64> = (0..m * m)
        .map(|at| (at / m, at % m))
        .map(|(i, j)| if i == j { 0.0 } else { (c.conditional(i, j).sqrt() + c.conditional(j, i).sqrt()) / 2.0 })
        .collect();
    let sizes: Vec<f64> = c.counts().iter().map(|&n| n as f64).collect();
    let groups = partition.map(|p| groups(p, c.labels())).transpose()?;
    plots::label_graph(c.labels(), &weights, &sizes, groups.as_deref(), &options)
}

/// m, or an error where a figure of all pairs could show nothing.
fn drawable(c: &Cooccurrence) -> Result<usize> {
    const MOST: usize = 2000;
    if c.len() > MOST {
        return Err(Error::argument(format!("a figure of all pairs shows at most {MOST} labels; got {}", c.len()))
            .with_help("take the labels of interest first: cooccurrence.take_labels(names)"));
    }
    Ok(c.len())
}

/// The names that tasks have where a partition is printed.
fn task_names(partition: &Partition) -> Vec<String> {
    (0..partition.k()).map(|t| format!("task {t}")).collect()
}

/// The task of each of `labels`, which must be the partition's own.
fn groups(partition: &Partition, labels: &[String]) -> Result<Vec<usize>> {
    labels.iter().map(|l| partition.task_of(l)).collect()
}

/// Which numbers of the epochs a figure of learning curves shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// The training loss.
    Loss,
    /// mAP on the validation split, of the averaged weights where they were evaluated.
    ValMap,
}

impl Curve {
    pub fn title(self) -> &'static str {
        match self {
            Curve::Loss => "Training loss",
            Curve::ValMap => "mAP on val",
        }
    }

    fn of(self, line: &serde_json::Value) -> Option<f64> {
        match self {
            Curve::Loss => line["loss"].as_f64(),
            Curve::ValMap => line["val_mAP_ema"].as_f64().or_else(|| line["val_mAP"].as_f64()),
        }
    }
}

/// In px; two stand side by side in a page.
const CURVE: (f64, f64) = (560.0, 360.0);

/// One line a subject that is one training, in its colour; none where there is nothing to draw.
pub fn curves(subjects: &[Subject], curve: Curve) -> Result<Option<Figure>> {
    let mut series = Vec::new();
    for subject in subjects {
        let lines = match &subject.runs[..] {
            [run] => run.metrics()?,
            _ => vec![],
        };
        let points: Vec<(f64, f64)> = lines.iter().filter_map(|l| Some((l["epoch"].as_f64()?, curve.of(l)?))).collect();
        // Who has none keeps a place, so that everyone's colour is the same in all figures.
        let points = if points.is_empty() { vec![(f64::NAN, f64::NAN)] } else { points };
        let (x, y) = points.into_iter().unzip();
        series.push(Series { name: subject.name.clone(), x, y, band: None });
    }
    if !series.iter().any(|s| s.y.iter().any(|y| y.is_finite())) {
        return Ok(None);
    }
    let few = series.iter().all(|s| s.x.len() <= 30);
    let options = LinesOptions {
        title: curve.title().into(),
        width: Some(CURVE.0),
        height: Some(CURVE.1),
        x_label: "epoch".into(),
        y_label: if curve == Curve::ValMap { "%".into() } else { String::new() },
        markers: few,
        ..LinesOptions::default()
    };
    plots::lines(&series, &options).map(Some)
}

/// Labels in a figure of differences; of more, those with the greatest gains and losses.
const MOST_LABELS: usize = 60;

/// AP differences of one subject (`colour`-th of the page) from the baseline, label by label, the greatest gain first;
/// none where they share no label.
pub fn differences(name: &str, colour: usize, baseline: &str, of: &[(String, f64)]) -> Result<Option<Figure>> {
    let mut sorted: Vec<&(String, f64)> = of.iter().collect();
    sorted.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let all = sorted.len();
    if all == 0 {
        return Ok(None);
    }
    if all > MOST_LABELS {
        sorted.drain(MOST_LABELS / 2..all - MOST_LABELS / 2);
    }
    let groups: Vec<String> = sorted.iter().map(|(label, _)| label.clone()).collect();
    let series = [BarSeries { name: name.into(), values: sorted.iter().map(|(_, d)| *d).collect(), errors: None }];
    let shown = if sorted.len() < all {
        format!("the {} greatest gains and losses of {all} labels", sorted.len())
    } else {
        String::new()
    };
    let options = BarsOptions {
        title: format!("{name} − {baseline}"),
        subtitle: shown,
        width: Some((groups.len() as f64 * 26.0 + 90.0).clamp(420.0, 1100.0)),
        height: Some(340.0),
        y_label: "AP, percentage points".into(),
        first_colour: colour,
        numbers: groups.len() <= 30,
        ..BarsOptions::default()
    };
    plots::bars(&groups, &series, &options).map(Some)
}

/// AP of each label that both evaluations have, `report` minus `baseline`, in the order of `baseline`.
pub fn ap_differences(report: &Evaluation, baseline: &Evaluation) -> Vec<(String, f64)> {
    let of = |r: &Evaluation, label: &str| r.per_label.iter().find(|l| l.label == label).and_then(|l| l.ap);
    baseline.per_label.iter().filter_map(|l| Some((l.label.clone(), of(report, &l.label)? - l.ap?))).collect()
}
