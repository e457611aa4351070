//! Figures that compare subjects: learning curves, and AP differences label by label.

use super::subject::Subject;
use crate::error::Result;
use crate::plots::{self, BarSeries, BarsOptions, Figure, LinesOptions, Series};

/// Which value per epoch a figure of learning curves shows.
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

/// Width and height in px; two fit side by side in a page.
const CURVE: (f64, f64) = (560.0, 360.0);

/// One line per subject that is a single training, in its colour; `None` if there is nothing to draw.
pub fn curves(subjects: &[Subject], curve: Curve) -> Result<Option<Figure>> {
    let mut series = Vec::new();
    for subject in subjects {
        let lines = match &subject.runs[..] {
            [run] => run.metrics()?,
            _ => vec![],
        };
        let points: Vec<(f64, f64)> = lines.iter().filter_map(|l| Some((l["epoch"].as_f64()?, curve.of(l)?))).collect();
        // A subject without points keeps its place, so that colours are the same in all figures.
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

/// The most labels in a figure of differences; of more, those with the greatest gains and losses are shown.
const MOST_LABELS: usize = 60;

/// AP differences of one subject from the baseline, label by label, the greatest gain first; `None` if they share no
/// label. `colour` is the subject's index in the page.
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
