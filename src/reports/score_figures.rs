//! Figures of scores against the truth: reliability, precision and recall, confusion between labels.

use crate::activity::interrupt;
use crate::error::{Error, Result};
use crate::labels::Unknown;
use crate::metrics::{BinStrategy, Calibration, Confusion, ConfusionKind, PrecisionRecallCurve, Scored};
use crate::options::Range;
use crate::plots::{self, Figure, HeatmapOptions, LinesOptions, ReliabilityCurve, ReliabilityOptions, Series};
use crate::tables::{Cell, Table};

crate::options! {
    /// What a reliability diagram shows.
    pub struct ReliabilityDiagramOptions {
        /// above the figure
        pub title: String = String::new();
        /// below the title; () is the expected calibration error
        pub subtitle: Option<String> = None;
        /// pixels
        pub width: Option<f64> = None;
        /// pixels
        pub height: Option<f64> = None;
        /// number of bins
        pub bins: usize = 10, in Range::FromTo(1.0, 1000.0);
        /// "uniform": bins of equal width; "quantile": about equal numbers of predictions
        pub strategy: BinStrategy = BinStrategy::Uniform;
        /// a curve for each of these labels; [] is one curve over all labels
        pub labels: Vec<String> = Vec::new();
        /// what a target of unknown truth (-1 or NaN) counts as: "negative", "positive", "masked" (left out) or "error";
        /// () is "error" for tensors, and "masked" for a data set
        pub unknown: Option<Unknown> = None;
    }
}

crate::options! {
    /// What a figure of precision and recall shows.
    pub struct PrecisionRecallOptions {
        /// above the figure
        pub title: String = String::new();
        /// below the title
        pub subtitle: String = String::new();
        /// pixels
        pub width: Option<f64> = None;
        /// pixels
        pub height: Option<f64> = None;
        /// a curve for each of these labels; () is all labels if there are eight at most, and none of more
        pub labels: Option<Vec<String>> = None;
        /// the curve over all decisions together
        pub micro_average: bool = true;
        /// the mean of the labels' curves, whose area is mAP
        pub macro_average: bool = true;
        /// where the vertical axis begins
        pub y_min: f64 = 0.0, in Range::FromBelow(0.0, 1.0);
        /// what a target of unknown truth (-1 or NaN) counts as: "negative", "positive", "masked" (left out) or "error";
        /// () is "error" for tensors, and "masked" for a data set
        pub unknown: Option<Unknown> = None;
    }
}

crate::options! {
    /// What a figure of confusion between labels shows, and how it looks.
    pub struct ConfusionOptions extends heatmap: HeatmapOptions {
        /// "predicted": P(column predicted | row true); "wrong": the same over images without the column's label, so
        /// that labels which appear together are not taken for confused
        pub kind: ConfusionKind = ConfusionKind::Predicted;
        /// a score from it on counts as predicted
        pub threshold: f64 = 0.5;
        /// these labels, in this order; [] is all
        pub labels: Vec<String> = Vec::new();
        /// what a target of unknown truth (-1 or NaN) counts as: "negative", "positive", "masked" (left out) or "error";
        /// () is "error" for tensors, and "masked" for a data set
        pub unknown: Option<Unknown> = None;
    }
}

/// The most labels of a confusion matrix: every pair is counted.
const MOST_LABELS: usize = 1000;
/// Up to so many labels have a curve each without being named.
const FEW: usize = 8;

/// A reliability diagram of probabilities. The figure's table has a row per curve and bin.
///
/// Errors: a label that is not there, scores that are no probabilities.
pub fn reliability_diagram(scored: &Scored, options: &ReliabilityDiagramOptions) -> Result<Figure> {
    let chosen: Vec<(String, Vec<(f64, bool)>)> = match options.labels.is_empty() {
        true => vec![("all labels".into(), scored.all())],
        false => {
            let named = |label: &String| Ok((label.clone(), scored.of_label(position(scored, label)?)));
            options.labels.iter().map(named).collect::<Result<_>>()?
        }
    };
    let (mut curves, mut rows) = (Vec::new(), Vec::new());
    for (name, pairs) in chosen {
        interrupt::check()?;
        if let Some((score, _)) = pairs.iter().find(|p| !(0.0..=1.0).contains(&p.0)) {
            let error = format!("a reliability diagram needs probabilities from 0 to 1; got a score of {score}");
            return Err(Error::argument(error).with_help("the sigmoid makes probabilities of logits: scores.sigmoid()"));
        }
        if pairs.is_empty() {
            return Err(Error::argument(format!("\"{name}\" has no image where its truth is known")).about_name(&name));
        }
        let calibration = Calibration::of(&pairs, options.bins, options.strategy);
        let error = calibration.expected_error();
        for bin in &calibration.bins {
            let numbers = [bin.from, bin.to, bin.predicted, bin.observed].map(Cell::Float);
            rows.push([Cell::Text(name.clone())].into_iter().chain(numbers).collect::<Vec<_>>());
            if let Some(row) = rows.last_mut() {
                row.extend([Cell::Int(bin.count as i64), Cell::Float(error)]);
            }
        }
        curves.push(ReliabilityCurve {
            name: format!("{name} (ECE {error:.3})"),
            predicted: calibration.bins.iter().map(|b| b.predicted).collect(),
            observed: calibration.bins.iter().map(|b| b.observed).collect(),
            counts: calibration.bins.iter().map(|b| b.count).collect(),
        });
    }
    let subtitle = match (&options.subtitle, &curves[..]) {
        (Some(subtitle), _) => subtitle.clone(),
        (None, [one]) => one.name.replace("(ECE", "(expected calibration error"),
        _ => String::new(),
    };
    let look =
        ReliabilityOptions { title: options.title.clone(), subtitle, width: options.width, height: options.height };
    let columns = ["curve", "from", "to", "predicted", "observed", "count", "ECE"];
    Ok(plots::reliability(&curves, &look)?.with_table(Table::from_rows(&columns.map(String::from), rows)?))
}

/// Precision over recall: per label, over all decisions (micro) and as a mean over labels (macro). The figure's table has
/// a row per point of the curves.
///
/// Errors: a label that is not there or has no positive, no curve.
pub fn precision_recall(scored: &Scored, options: &PrecisionRecallOptions) -> Result<Figure> {
    let m = scored.labels.len();
    let chosen: Vec<usize> = match &options.labels {
        Some(labels) => labels.iter().map(|label| position(scored, label)).collect::<Result<_>>()?,
        None if m <= FEW => (0..m).collect(),
        None => Vec::new(),
    };
    let mut of_labels: Vec<Option<PrecisionRecallCurve>> = Vec::with_capacity(m);
    for label in 0..m {
        interrupt::check()?;
        let asked = options.macro_average || chosen.contains(&label);
        of_labels.push(asked.then(|| scored.of_label(label)).and_then(PrecisionRecallCurve::of));
    }
    let mut curves: Vec<Curve> = Vec::new();
    if m > 1 && options.macro_average {
        let all: Vec<&PrecisionRecallCurve> = of_labels.iter().flatten().collect();
        if !all.is_empty() {
            let mean = PrecisionRecallCurve::macro_average(&all);
            curves.push(Curve { name: "macro".into(), area: "mAP", curve: mean });
        }
    }
    if m > 1
        && options.micro_average
        && let Some(curve) = PrecisionRecallCurve::of(scored.all())
    {
        curves.push(Curve { name: "micro".into(), area: "AP", curve });
    }
    let mut without = Vec::new();
    for label in chosen {
        let name = &scored.labels[label];
        match &of_labels[label] {
            Some(curve) => curves.push(Curve { name: name.clone(), area: "AP", curve: curve.clone() }),
            None if options.labels.is_some() => {
                let error = format!("\"{name}\" has no positive image, and so no precision-recall curve");
                return Err(Error::argument(error).about_name(name));
            }
            None => without.push(name.as_str()),
        }
    }
    if curves.is_empty() {
        return Err(Error::argument("there is no precision-recall curve: no label has a positive image"));
    }
    let mut subtitle = vec![options.subtitle.clone()];
    if !without.is_empty() {
        subtitle.push(format!("Without a positive image: {}.", without.join(", ")));
    }
    subtitle.retain(|s| !s.is_empty());
    let series: Vec<Series> = curves
        .iter()
        .map(|c| {
            let (x, y) = c.curve.corners().into_iter().unzip();
            let name = format!("{} ({} {:.3})", short(&c.name), c.area, c.curve.average_precision());
            Series { name, x, y, band: None }
        })
        .collect();
    let look = LinesOptions {
        title: options.title.clone(),
        subtitle: subtitle.join(" "),
        width: options.width.or(Some(720.0)),
        height: options.height.or(Some(520.0)),
        x_label: "recall".into(),
        y_label: "precision".into(),
        x_min: Some(0.0),
        x_max: Some(1.0),
        y_min: Some(options.y_min),
        y_max: Some(1.0),
        ..LinesOptions::default()
    };
    Ok(plots::lines(&series, &look)?.with_table(curve_table(&curves)?))
}

/// A curve of a figure, its name, and the name of its area.
struct Curve {
    name: String,
    area: &'static str,
    curve: PrecisionRecallCurve,
}

/// A label's name, cut so that there is room for a number behind it.
fn short(name: &str) -> String {
    if name.chars().count() <= 20 {
        return name.to_string();
    }
    format!("{}…", name.chars().take(19).collect::<String>().trim_end())
}

fn curve_table(curves: &[Curve]) -> Result<Table> {
    let mut rows = Vec::new();
    for Curve { name, curve, .. } in curves {
        let area = curve.average_precision();
        for (i, (recall, precision)) in curve.recall.iter().zip(&curve.precision).enumerate() {
            let threshold = curve.thresholds.get(i).map_or(Cell::Null, |t| Cell::Float(*t));
            rows.push(vec![
                Cell::Text(name.clone()),
                threshold,
                Cell::Float(*recall),
                Cell::Float(*precision),
                Cell::Float(area),
            ]);
        }
    }
    Table::from_rows(&["curve", "threshold", "recall", "precision", "AP"].map(String::from), rows)
}

/// Which labels (columns) are predicted where others (rows) are true, as a heat map. The figure's table has a row per pair
/// that occurs.
///
/// Errors: a label that is not there, more than 1,000 labels, a threshold that is no number.
pub fn confusion(scored: &Scored, options: &ConfusionOptions) -> Result<Figure> {
    let positions: Vec<usize> = match options.labels.is_empty() {
        true => (0..scored.labels.len()).collect(),
        false => options.labels.iter().map(|label| position(scored, label)).collect::<Result<_>>()?,
    };
    let m = positions.len();
    if m > MOST_LABELS {
        let error = Error::argument(format!("a confusion plot shows at most {MOST_LABELS} labels; got {m}"));
        return Err(error.with_help("name those of interest: #{labels: [..]}"));
    }
    let threshold = options.threshold;
    if !threshold.is_finite() {
        return Err(
            Error::argument(format!("option threshold must be a number; got {threshold}")).about_option("threshold")
        );
    }
    let mut confusion = Confusion::new(m);
    for (i, (scores, truth)) in scored.rows().enumerate() {
        if i % 100 == 0 {
            interrupt::check()?;
        }
        let predicted: Vec<bool> = positions.iter().map(|&j| f64::from(scores[j]) >= threshold).collect();
        let truth: Vec<Option<bool>> = positions.iter().map(|&j| truth[j]).collect();
        confusion.add(&predicted, &truth);
    }
    let names: Vec<String> = positions.iter().map(|&j| scored.labels[j].clone()).collect();
    let values = confusion.matrix(options.kind);
    if values.iter().all(|v| v.is_nan()) {
        return Err(Error::argument("there is no confusion to draw: no label has a positive image"));
    }
    let mut look = options.heatmap.clone();
    let (vmin, vmax) = (look.vmin.or((!look.log).then_some(0.0)), look.vmax.or(Some(1.0)));
    (look.vmin, look.vmax) = (vmin, vmax);
    if look.subtitle.is_empty() {
        look.subtitle = match options.kind {
            ConfusionKind::Predicted => "Rows: true labels. Columns: predicted ones, P(column predicted | row true).",
            ConfusionKind::Wrong => {
                "Rows: true labels. Columns: wrongly predicted ones, P(column predicted | row true, column not); diagonal: recall."
            }
        }
        .into();
    }
    let figure = plots::heatmap(&values, &names, &names, None, &look)?;
    let pairs = (0..m * m).filter(|&at| values[at] > 0.0);
    let rows = pairs.map(|at| {
        let (i, j) = (at / m, at % m);
        let images = Cell::Int(confusion.positives(i) as i64);
        vec![Cell::Text(names[i].clone()), Cell::Text(names[j].clone()), Cell::Float(values[at]), images]
    });
    Ok(figure
        .with_table(Table::from_rows(&["true", "predicted", "share", "images"].map(String::from), rows.collect())?))
}

fn position(scored: &Scored, label: &str) -> Result<usize> {
    scored
        .labels
        .iter()
        .position(|l| l == label)
        .ok_or_else(|| Error::unknown("label", label, scored.labels.iter().map(String::as_str)))
}
