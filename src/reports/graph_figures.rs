//! Figures of label graphs: affinities, co-occurrence and partitions as `plots` draws them.

use crate::error::{Error, Result};
use crate::graph::{Affinity, Cooccurrence, Partition};
use crate::plots::{self, Figure, HeatmapOptions, LabelGraphOptions};

/// An affinity as a heat map; with a partition, labels are sorted by task.
///
/// Errors: labels that the partition does not have.
pub fn affinity_heatmap(a: &Affinity, partition: Option<&Partition>, options: HeatmapOptions) -> Result<Figure> {
    let matrix = a.matrix()?;
    let values: Vec<f64> = matrix.row_iter().flat_map(|r| r.iter().copied().collect::<Vec<_>>()).collect();
    heatmap(&values, a.labels(), partition, options)
}

/// The conditional probabilities e_ij / n_i as a heat map; with a partition, labels are sorted by task.
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

/// The label graph: lines by P+ at p = 1/2, which is (√S + √Sᵀ)/2; discs by n_i; colours by task.
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

/// m, or an error if there are too many labels for a figure of all pairs.
fn drawable(c: &Cooccurrence) -> Result<usize> {
    const MOST: usize = 2000;
    if c.len() > MOST {
        return Err(Error::argument(format!("a figure of all pairs shows at most {MOST} labels; got {}", c.len()))
            .with_help("take the labels of interest first: cooccurrence.take_labels(names)"));
    }
    Ok(c.len())
}

/// The names of the tasks, as in the text of a partition.
fn task_names(partition: &Partition) -> Vec<String> {
    (0..partition.k()).map(|t| format!("task {t}")).collect()
}

/// The task of each of `labels`, which must be labels of the partition.
fn groups(partition: &Partition, labels: &[String]) -> Result<Vec<usize>> {
    labels.iter().map(|l| partition.task_of(l)).collect()
}
