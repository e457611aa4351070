//! Reliability diagrams: how often labels are there, by the probability that was predicted.

use super::axes::{self, Axis, Frame};
use super::colours::qualitative;
use super::figure::Figure;
use super::legend::Legend;
use super::svg::{Style, Svg};
use super::{theme, titles, validate};
use crate::error::{Error, Result};

/// One curve of a reliability diagram: a point per bin that has a prediction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReliabilityCurve {
    pub name: String,
    /// Mean predicted probability of each bin.
    pub predicted: Vec<f64>,
    /// The share of positives of each bin.
    pub observed: Vec<f64>,
    /// Number of predictions of each bin.
    pub counts: Vec<u64>,
}

/// Titles and size of a [`reliability`] diagram.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReliabilityOptions {
    pub title: String,
    pub subtitle: String,
    pub width: Option<f64>,
    pub height: Option<f64>,
}

const FIGURE: &str = "reliability_diagram";
const MOST_CURVES: usize = 20;
/// The height of the counts below the diagram, of 1.
const BELOW: f64 = 0.18;

/// Draws `curves` over the diagonal of perfect calibration, and below them how many predictions each bin has, on a
/// logarithmic axis.
///
/// Errors: Argument for no curve, more than 20, a curve without a point, no room.
pub fn reliability(curves: &[ReliabilityCurve], options: &ReliabilityOptions) -> Result<Figure> {
    validate::count(FIGURE, "curve", curves.len(), MOST_CURVES)?;
    let counts = curves.iter().flat_map(|c| &c.counts).filter(|c| **c > 0).map(|c| *c as f64);
    let (least, most) = validate::range(FIGURE, "counts", counts)?;
    let width = validate::size(FIGURE, "width", options.width, 520.0)?;
    let height = validate::size(FIGURE, "height", options.height, 640.0)?;
    let names: Vec<&str> = curves.iter().map(|c| c.name.as_str()).collect();
    let legend = Legend::new(&names, width, 0);
    let header = titles::header_height(&options.title, &options.subtitle, width);
    let top = header + legend.height + 24.0;
    let unit = Axis::exact(0.0, 1.0);
    let y_counts = Axis::log((least * 0.7).min(1.0), most * 1.3);
    let (ticks, count_ticks) = (unit.ticks(5), y_counts.ticks(3));
    let left = axes::room_left(&ticks).max(axes::room_left(&count_ticks));
    let inner = height - top - 40.0 - axes::room_below("x") - 8.0;
    let across = width - left - theme::MARGIN - 6.0;
    if inner < 120.0 || across < 60.0 {
        let error = Error::argument(format!("{FIGURE} has no room at {width} × {height} px"));
        return Err(error.with_help("give a greater width or height"));
    }
    let above = Frame { left, top, width: across, height: inner * (1.0 - BELOW), x: unit, y: unit };
    let below = Frame { top: above.bottom() + 40.0, height: inner * BELOW, y: y_counts, ..above };
    let mut svg = Svg::new(width, height);
    let y = titles::header(&mut svg, &options.title, &options.subtitle, width);
    legend.draw(&mut svg, y);
    above.draw_y(&mut svg, &ticks, "share of positives");
    above.draw_x(&mut svg, &[], "");
    below.draw_y(&mut svg, &count_ticks, "predictions");
    below.draw_x(&mut svg, &ticks, "mean predicted probability");
    svg.line(above.at(0.0, 0.0), above.at(1.0, 1.0), Style::stroke(theme::AXIS, 1.2).dashed(4.0));
    for (i, curve) in curves.iter().enumerate() {
        let colour = qualitative(i);
        let at = |f: &Frame, y: &[f64]| -> Vec<(f64, f64)> {
            curve.predicted.iter().zip(y).map(|(x, y)| f.at(x.clamp(0.0, 1.0), *y)).collect()
        };
        let points = at(&above, &curve.observed);
        svg.polyline(&points, Style::stroke(colour, 2.0));
        points.iter().for_each(|p| svg.circle(p.0, p.1, 3.5, Style::fill(colour).outlined(theme::PAPER, 1.0)));
        let counts: Vec<f64> = curve.counts.iter().map(|c| *c as f64).collect();
        for (x, y) in at(&below, &counts) {
            svg.line((x, below.bottom()), (x, y), Style::stroke(colour, 2.5).opacity(0.8));
            svg.circle(x, y, 2.5, Style::fill(colour));
        }
    }
    Ok(svg.finish(if options.title.is_empty() { FIGURE } else { &options.title }))
}
