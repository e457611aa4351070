//! Scatter plots of named points, such as one score against another, label by label.

use super::axes::{self, Axis, Frame};
use super::colours::{Colour, qualitative};
use super::figure::Figure;
use super::placement::{self, Point, Rect};
use super::svg::{Anchor, Style, Svg, Text};
use super::{text, theme, titles, validate};
use crate::error::{Error, Result};

crate::options! {
    /// How a [`scatter`] looks.
    pub struct ScatterOptions {
        /// above the figure
        pub title: String = String::new();
        /// below the title
        pub subtitle: String = String::new();
        /// pixels
        pub width: Option<f64> = None;
        /// pixels
        pub height: Option<f64> = None;
        /// under the horizontal axis
        pub x_label: String = String::new();
        /// beside the vertical axis
        pub y_label: String = String::new();
        /// logarithmic horizontal axis
        pub log_x: bool = false;
        /// logarithmic vertical axis
        pub log_y: bool = false;
        /// draw the line y = x, with one range on both axes
        pub diagonal: bool = false;
        /// names of the groups
        pub group_names: Vec<String> = Vec::new();
    }
}

const FIGURE: &str = "scatter";
const MOST_POINTS: usize = 50_000;
const MOST_NAMED: usize = 1000;
/// The font size of names, px.
const NAME: f64 = 9.5;

/// Draws points (x, y), with `names` if there is room (`None`: dots only), coloured by `groups`.
///
/// Points that are not finite, or not positive on a log axis, are left out and counted below the figure. With
/// `diagonal`, the points farthest from it are named first.
///
/// Errors: Argument for lengths that disagree, no point left, more than 50,000.
pub fn scatter(
    x: &[f64],
    y: &[f64],
    names: Option<&[String]>,
    groups: Option<&[usize]>,
    options: &ScatterOptions,
) -> Result<Figure> {
    let n = x.len();
    validate::count(FIGURE, "point", n, MOST_POINTS)?;
    validate::length(FIGURE, "y values", y.len(), n, "one for each x")?;
    if let Some(names) = names {
        validate::length(FIGURE, "names", names.len(), n, "one per point")?;
    }
    let parts = groups.map(|g| validate::parts(FIGURE, g, n)).transpose()?.unwrap_or_default();
    let part_names = validate::part_names(FIGURE, &options.group_names, parts.len())?;
    let mut part_of = vec![0; n];
    for (p, part) in parts.iter().enumerate() {
        part.iter().for_each(|i| part_of[*i] = p);
    }
    let shown: Vec<usize> = (0..n)
        .filter(|&i| x[i].is_finite() && y[i].is_finite())
        .filter(|&i| (!options.log_x || x[i] > 0.0) && (!options.log_y || y[i] > 0.0))
        .collect();
    let mut x_range = validate::range(FIGURE, "points", shown.iter().map(|i| x[*i]))?;
    let mut y_range = validate::range(FIGURE, "points", shown.iter().map(|i| y[*i]))?;
    if options.diagonal {
        x_range = (x_range.0.min(y_range.0), x_range.1.max(y_range.1));
        y_range = x_range;
    }
    let axis = |(lo, hi): (f64, f64), log: bool| match log {
        true => Axis::log_padded(lo, hi),
        false => Axis::neat(lo, hi, 6),
    };
    let (x_axis, y_axis) = (axis(x_range, options.log_x), axis(y_range, options.log_y));

    let usual = if options.diagonal { (600.0, 600.0) } else { (720.0, 520.0) };
    let width = validate::size(FIGURE, "width", options.width, usual.0)?;
    let height = validate::size(FIGURE, "height", options.height, usual.1)?;
    let notes = match n - shown.len() {
        0 => String::new(),
        1 => "1 point has no place on the axes.".to_string(),
        count => format!("{count} points have no place on the axes."),
    };
    let header = titles::header_height(&options.title, &options.subtitle, width);
    let legend = if parts.is_empty() { 0.0 } else { theme::LABEL * 1.6 + 4.0 };
    let top = header + legend + if options.y_label.is_empty() { 8.0 } else { 24.0 };
    let y_ticks = y_axis.ticks(((height / 70.0) as usize).max(3));
    let x_ticks = if options.diagonal { y_ticks.clone() } else { x_axis.ticks((width / 90.0) as usize) };
    let left = axes::room_left(&y_ticks);
    let bottom = axes::room_below(&options.x_label) + titles::notes_height(&notes, width) + 8.0;
    let frame = Frame {
        left,
        top,
        width: width - left - theme::MARGIN - 6.0,
        height: height - top - bottom,
        x: x_axis,
        y: y_axis,
    };
    if frame.width < 40.0 || frame.height < 40.0 {
        let error = Error::argument(format!("{FIGURE} has no room beside its labels at {width} × {height} px"));
        return Err(error.with_help("give a greater width or height"));
    }
    let colour = |i: usize| qualitative(part_of[i]);
    let mut svg = Svg::new(width, height);
    let y_legend = titles::header(&mut svg, &options.title, &options.subtitle, width);
    draw_legend(&mut svg, &part_names, y_legend, width);
    frame.draw_y(&mut svg, &y_ticks, &options.y_label);
    frame.draw_x(&mut svg, &x_ticks, &options.x_label);
    if options.diagonal {
        let (lo, hi) = (x_axis.lo().max(y_axis.lo()), x_axis.hi().min(y_axis.hi()));
        svg.line(frame.at(lo, lo), frame.at(hi, hi), Style::stroke(theme::AXIS, 1.0).dashed(4.0));
    }
    let radius = (40.0 / (shown.len() as f64).sqrt()).clamp(1.2, 4.0);
    let at: Vec<(f64, f64)> = shown.iter().map(|i| frame.at(x[*i], y[*i])).collect();
    for (i, p) in shown.iter().zip(&at) {
        svg.circle(p.0, p.1, radius, Style::fill(colour(*i)).opacity(if shown.len() > 300 { 0.5 } else { 0.85 }));
    }
    if let Some(names) = names {
        let names: Vec<String> = names.iter().map(|n| text::fit(n, NAME, false, 160.0)).collect();
        let field = Rect { x: frame.left, y: frame.top - 8.0, width: frame.width + 6.0, height: frame.height + 8.0 };
        let points: Vec<(Point<'_>, Colour)> = shown
            .iter()
            .zip(&at)
            .map(|(i, p)| (Point { x: p.0, y: p.1, radius, name: &names[*i], font: NAME }, colour(*i)))
            .collect();
        draw_names(&mut svg, points, field, &frame, options.diagonal);
    }
    titles::notes(&mut svg, &notes, height - titles::notes_height(&notes, width) - 8.0, width);
    Ok(svg.finish(if options.title.is_empty() { FIGURE } else { &options.title }))
}

fn draw_names(svg: &mut Svg, mut points: Vec<(Point<'_>, Colour)>, field: Rect, frame: &Frame, diagonal: bool) {
    // Points far from the diagonal, or far from the middle, are named first.
    let middle = (frame.left + frame.width / 2.0, frame.top + frame.height / 2.0);
    let stands_out = |p: &Point<'_>| match diagonal {
        true => ((p.x - frame.left) / frame.width - 1.0 + (p.y - frame.top) / frame.height).abs(),
        false => ((p.x - middle.0) / frame.width).hypot((p.y - middle.1) / frame.height),
    };
    points.sort_by(|a, b| stands_out(&b.0).total_cmp(&stands_out(&a.0)));
    points.truncate(MOST_NAMED);
    let only: Vec<Point> = points.iter().map(|p| p.0).collect();
    for ((point, colour), rect) in points.iter().zip(placement::labels(&only, field, false)) {
        if let Some(r) = rect {
            let ink = colour.as_ink().mix(theme::INK, 0.45);
            let text = Text::new(point.name, point.font).colour(ink).anchor(Anchor::Middle).halo(2.5).centred();
            svg.text(r.x + r.width / 2.0, r.y + r.height / 2.0, text);
        }
    }
}

fn draw_legend(svg: &mut Svg, names: &[String], top: f64, width: f64) {
    let mut x = theme::MARGIN;
    for (p, name) in names.iter().enumerate() {
        let wide = 16.0 + text::width(name, theme::LABEL, false) + 14.0;
        if x + wide > width {
            break;
        }
        let y = top + theme::LABEL * 0.6;
        svg.circle(x + 5.0, y, 5.0, Style::fill(qualitative(p)));
        svg.text(x + 15.0, y, Text::new(name, theme::LABEL).colour(qualitative(p).as_ink()).centred());
        x += wide;
    }
}
