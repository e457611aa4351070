//! Box plots: quartiles, whiskers and outliers of samples side by side.

use super::axes::{self, Axis, Frame, Limits};
use super::categories::Categories;
use super::colours::qualitative;
use super::figure::Figure;
use super::histogram::Sample;
use super::statistics::{BoxStatistics, box_statistics};
use super::svg::{Anchor, Style, Svg, Text};
use super::{theme, titles, validate};
use crate::error::{Error, Result};
use crate::options::Range;
use crate::tables::{Cell, Table};

crate::options! {
    /// How [`boxes`] look.
    pub struct BoxesOptions {
        /// above the figure
        pub title: String = String::new();
        /// below the title
        pub subtitle: String = String::new();
        /// pixels
        pub width: Option<f64> = None;
        /// pixels
        pub height: Option<f64> = None;
        /// below the names of the boxes
        pub x_label: String = String::new();
        /// above the vertical axis
        pub y_label: String = String::new();
        /// whiskers reach to the last value within so many interquartile ranges of the box
        pub whiskers: f64 = 1.5, in Range::AtLeast(0.0);
        /// draw the values beyond the whiskers
        pub outliers: bool = true;
        /// mark the mean with a white diamond
        pub means: bool = false;
        /// draw each value as a dot over its box
        pub points: bool = false;
        /// logarithmic vertical axis
        pub log_y: bool = false;
        /// where the vertical axis begins; () fits the data
        pub y_min: Option<f64> = None;
        /// where it ends; () fits the data
        pub y_max: Option<f64> = None;
    }
}

const FIGURE: &str = "box_plot";
const MOST_BOXES: usize = 500;
/// More dots over one box, or outliers, are thinned.
const MOST_DOTS: usize = 2000;

/// Draws a box per sample, from its first to its third quartile, with the median; whiskers and outliers are matplotlib's
/// ([`BoxStatistics`]). The figure's table has a row per sample.
///
/// Values that are not finite, or not positive on a log axis, are left out, and a note counts them.
///
/// Errors: Argument for no sample, more than 500, a sample without a value, limits the wrong way round.
pub fn boxes(samples: &[Sample], options: &BoxesOptions) -> Result<Figure> {
    validate::count(FIGURE, "sample", samples.len(), MOST_BOXES)?;
    let limits =
        Limits { figure: FIGURE, name: 'y', min: options.y_min, max: options.y_max, log: options.log_y, air: true };
    let kept: Vec<Vec<f64>> =
        samples.iter().map(|s| s.values.iter().copied().filter(|v| limits.takes(*v)).collect()).collect();
    let mut stats: Vec<BoxStatistics> = Vec::with_capacity(samples.len());
    for (sample, kept) in samples.iter().zip(&kept) {
        stats.push(box_statistics(kept, options.whiskers).ok_or_else(|| {
            let which = if sample.name.is_empty() { String::new() } else { format!(" in \"{}\"", sample.name) };
            let kind = if options.log_y { "positive number" } else { "finite number" };
            Error::argument(format!("{FIGURE} needs at least one {kind}{which}; there is none"))
                .about_name(&sample.name)
        })?);
    }
    let ends = stats.iter().zip(&kept).flat_map(|(s, kept)| {
        let all = options.outliers || options.points;
        let kept = kept.iter().copied().filter(move |_| all);
        kept.chain([s.whisker_low, s.whisker_high])
    });
    let y_axis = limits.axis(validate::range(FIGURE, "values", ends)?)?;

    let count = samples.len() as f64;
    let width = validate::size(FIGURE, "width", options.width, (count * 70.0 + 120.0).clamp(360.0, 1400.0))?;
    let height = validate::size(FIGURE, "height", options.height, 400.0)?;
    let y_ticks = y_axis.ticks(((height / 65.0) as usize).clamp(3, 8));
    let left = axes::room_left(&y_ticks);
    let names: Vec<String> = samples.iter().map(|s| s.name.clone()).collect();
    let (below, left, slot) = Categories::beside(&names, left, width, height);
    let inner = width - left - theme::MARGIN;
    let left_out = samples.iter().map(|s| s.values.len()).sum::<usize>() - kept.iter().map(Vec::len).sum::<usize>();
    let left_out = match left_out {
        0 => None,
        1 => Some("1 value is missing or has no place on the axis.".to_string()),
        n => Some(format!("{n} values are missing or have no place on the axis.")),
    };
    let notes = left_out.into_iter().chain(below.note()).collect::<Vec<_>>().join(" ");
    let named = if options.x_label.is_empty() { 0.0 } else { 20.0 };
    let bottom = below.height + named + titles::notes_height(&notes, width) + 10.0;
    let header = titles::header_height(&options.title, &options.subtitle, width);
    let top = header + if options.y_label.is_empty() { 10.0 } else { 24.0 };
    let frame = Frame { left, top, width: inner, height: height - top - bottom, x: Axis::exact(0.0, 1.0), y: y_axis };
    if frame.height < 40.0 || inner < 40.0 {
        let error = Error::argument(format!("{FIGURE} has no room beside its labels at {width} × {height} px"));
        return Err(error.with_help("give a greater width or height"));
    }
    let mut svg = Svg::new(width, height);
    titles::header(&mut svg, &options.title, &options.subtitle, width);
    frame.draw_y(&mut svg, &y_ticks, &options.y_label);
    let base = frame.bottom();
    svg.line((left, base), (frame.right(), base), Style::stroke(theme::AXIS, 1.0));
    for (i, stats) in stats.iter().enumerate() {
        draw(&mut svg, &frame, stats, &kept[i], (i, slot), options);
    }
    below.draw(&mut svg, &frame, slot);
    let text = Text::new(&options.x_label, theme::LABEL).colour(theme::MUTED).anchor(Anchor::Middle);
    svg.text(left + inner / 2.0, frame.bottom() + below.height + 10.0, text);
    titles::notes(&mut svg, &notes, height - titles::notes_height(&notes, width) - 10.0, width);
    let figure = svg.finish(if options.title.is_empty() { FIGURE } else { &options.title });
    Ok(figure.with_table(table(&names, &stats)?))
}

fn draw(
    svg: &mut Svg,
    frame: &Frame,
    stats: &BoxStatistics,
    values: &[f64],
    (index, slot): (usize, f64),
    options: &BoxesOptions,
) {
    let colour = qualitative(0);
    let middle = frame.left + (index as f64 + 0.5) * slot;
    let half = (slot * 0.3).min(26.0);
    let shown = |v: f64| v >= frame.y.lo() && v <= frame.y.hi();
    let px = |v: f64| frame.at(0.0, v).1.clamp(frame.top, frame.bottom());
    let pen = Style::stroke(colour.as_ink(), 1.2);
    for (from, to) in [(stats.q1, stats.whisker_low), (stats.q3, stats.whisker_high)] {
        svg.line((middle, px(from)), (middle, px(to)), pen);
        if shown(to) {
            svg.line((middle - half * 0.5, px(to)), (middle + half * 0.5, px(to)), pen);
        }
    }
    let (top, bottom) = (px(stats.q3), px(stats.q1));
    svg.rect(middle - half, top, 2.0 * half, bottom - top, Style::fill(colour.mix(theme::PAPER, 0.65)));
    svg.rect(middle - half, top, 2.0 * half, bottom - top, pen);
    if shown(stats.median) {
        let y = px(stats.median);
        svg.line((middle - half, y), (middle + half, y), Style::stroke(theme::INK, 2.0));
    }
    if options.points {
        let every = values.len().div_ceil(MOST_DOTS).max(1);
        for (i, v) in values.iter().enumerate().step_by(every).filter(|(_, v)| shown(**v)) {
            // Multiples of the golden ratio spread dots evenly, and the same call gives the same places.
            let aside = ((i as f64 * 0.618_033_988_749_895).fract() - 0.5) * 1.2 * half;
            svg.circle(middle + aside, px(*v), 1.8, Style::fill(theme::INK).opacity(0.4));
        }
    } else if options.outliers {
        let every = stats.outliers.len().div_ceil(MOST_DOTS).max(1);
        // The extremes, which come first and last, are always shown.
        let last = stats.outliers.last().filter(|_| every > 1);
        for v in stats.outliers.iter().step_by(every).chain(last).filter(|v| shown(**v)) {
            svg.circle(middle, px(*v), 2.6, Style::stroke(colour.as_ink(), 1.0));
        }
    }
    if options.means && shown(stats.mean) {
        let (y, r) = (px(stats.mean), (half * 0.35).min(5.0));
        let diamond = [(middle, y - r), (middle + r, y), (middle, y + r), (middle - r, y)];
        svg.polygon(&diamond, Style::fill(theme::PAPER).outlined(theme::INK, 1.0));
    }
}

fn table(names: &[String], stats: &[BoxStatistics]) -> Result<Table> {
    let columns = ["series", "count", "mean", "whisker_low", "q1", "median", "q3", "whisker_high", "outliers"];
    let rows = names.iter().zip(stats).map(|(name, s)| {
        let mut row = vec![Cell::Text(name.clone()), Cell::Int(s.count as i64)];
        row.extend([s.mean, s.whisker_low, s.q1, s.median, s.q3, s.whisker_high].map(Cell::Float));
        row.push(Cell::Int(s.outliers.len() as i64));
        row
    });
    Table::from_rows(&columns.map(String::from), rows.collect())
}
