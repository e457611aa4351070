//! The statistics that figures show, as numpy and matplotlib compute them.

use crate::metrics::quantile;

/// `count` numbers from `lo` to `hi`, as numpy's `linspace`.
pub fn linspace(lo: f64, hi: f64, count: usize) -> Vec<f64> {
    let parts = count.saturating_sub(1).max(1);
    // Halved, so that the difference of two huge numbers does not overflow.
    let step = (hi / 2.0 - lo / 2.0) / parts as f64 * 2.0;
    let mut numbers: Vec<f64> = (0..count).map(|i| i as f64 * step + lo).collect();
    if count > 1 {
        numbers[count - 1] = hi;
    }
    numbers
}

/// How many of `values` lie in each bin between ascending `edges`: closed below, open above, the last one closed.
pub fn count(values: &[f64], edges: &[f64]) -> Vec<u64> {
    let bins = edges.len().saturating_sub(1);
    let mut counts = vec![0; bins];
    let Some(last) = edges.last().filter(|_| bins > 0) else { return counts };
    for value in values.iter().filter(|v| **v >= edges[0] && **v <= *last) {
        let bin = edges.partition_point(|e| e <= value).saturating_sub(1);
        counts[bin.min(bins - 1)] += 1;
    }
    counts
}

/// The number of bins that numpy's `"auto"` chooses for finite `values` from `lo` to `hi`: of those by Sturges and by
/// Freedman and Diaconis, the greater; but no narrower than half of the square-root rule's. Values that are all whole
/// numbers have bins of width 1 or more, as numpy's integers have.
pub fn auto_bins(values: &[f64], lo: f64, hi: f64) -> usize {
    let n = values.len();
    if n == 0 {
        return 1;
    }
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let range = sorted[n - 1] - sorted[0];
    let sturges = range / ((n as f64).log2() + 1.0);
    let freedman = 2.0 * (quantile(&sorted, 0.75) - quantile(&sorted, 0.25)) * (n as f64).powf(-1.0 / 3.0);
    let root = range / (n as f64).sqrt();
    let mut width = freedman.max(root / 2.0).min(sturges);
    if !(width > 0.0 && width.is_finite()) {
        return 1;
    }
    if values.iter().all(|v| v.fract() == 0.0) {
        width = width.max(1.0);
    }
    ((hi - lo) / width).ceil().max(1.0) as usize
}

/// The five numbers of a box plot, the mean, and the values beyond the whiskers.
#[derive(Clone, Debug, PartialEq)]
pub struct BoxStatistics {
    /// Finite values.
    pub count: usize,
    pub mean: f64,
    pub q1: f64,
    pub median: f64,
    pub q3: f64,
    /// The least value that is not below q1 − `reach` (q3 − q1), but q1 at most.
    pub whisker_low: f64,
    /// The greatest value that is not above q3 + `reach` (q3 − q1), but q3 at least.
    pub whisker_high: f64,
    /// Values beyond the whiskers, ascending.
    pub outliers: Vec<f64>,
}

/// The numbers of matplotlib's `boxplot` (`cbook.boxplot_stats`) of the finite ones of `values`, after Tukey,
/// "Exploratory Data Analysis" (1977); `None` without any.
pub fn box_statistics(values: &[f64], reach: f64) -> Option<BoxStatistics> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    if sorted.is_empty() {
        return None;
    }
    sorted.sort_unstable_by(f64::total_cmp);
    let [q1, median, q3] = [0.25, 0.5, 0.75].map(|q| quantile(&sorted, q));
    let (low, high) = (q1 - reach * (q3 - q1), q3 + reach * (q3 - q1));
    let whisker_low = sorted.iter().copied().find(|v| *v >= low).map_or(q1, |v| v.min(q1));
    let whisker_high = sorted.iter().rev().copied().find(|v| *v <= high).map_or(q3, |v| v.max(q3));
    Some(BoxStatistics {
        count: sorted.len(),
        mean: sorted.iter().sum::<f64>() / sorted.len() as f64,
        q1,
        median,
        q3,
        whisker_low,
        whisker_high,
        outliers: sorted.iter().copied().filter(|v| *v < whisker_low || *v > whisker_high).collect(),
    })
}
