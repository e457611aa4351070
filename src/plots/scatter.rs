//! Scatter plots of named points, such as one score against another, label by label.

use super::axes::{self, Frame, Limits};
use super::colours::{Colour, qualitative};
use super::dots::{self, Dot};
use super::figure::Figure;
use super::legend::Legend;
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
        /// where the horizontal axis begins; () fits the data
        pub x_min: Option<f64> = None;
        /// where it ends; () fits the data
        pub x_max: Option<f64> = None;
        /// where the vertical axis begins; () fits the data
        pub y_min: Option<f64> = None;
        /// where it ends; () fits the data
        pub y_max: Option<f64> = None;
        /// draw the line y = x, with one range on both axes
        pub diagonal: bool = false;
        /// names of the groups
        pub group_names: Vec<String> = Vec::new();
    }
}

const FIGURE: &str = "scatter";
const MOST_POINTS: usize = 2_000_000;
/// More points are drawn as one picture, so that the figure's size stays bounded.
const MOST_CIRCLES: usize = 20_000;
const MOST_GROUPS: usize = 200;
const MOST_NAMED: usize = 1000;
/// The font size of names, px.
const NAME: f64 = 9.5;

/// What else is known of the points of a [`scatter`], one item per point each.
#[derive(Clone, Copy, Debug, Default)]
pub struct PointData<'a> {
    /// Written beside the points where there is room.
    pub names: Option<&'a [String]>,
    /// The group of each point, in colours.
    pub groups: Option<&'a [usize]>,
    /// Areas of the points in relation to each other, 0 or more.
    pub sizes: Option<&'a [f64]>,
}

/// Draws points (x, y); see [`PointData`] for names, colours and sizes.
///
/// Points that are not finite, not positive on a log axis, or beyond a limit are left out and counted below the figure.
/// With `diagonal`, the points farthest from it are named first. More than 20,000 points are drawn as one picture.
///
/// Errors: Argument for lengths that disagree, no point left, more than 2,000,000, negative sizes.
pub fn scatter(x: &[f64], y: &[f64], data: PointData<'_>, options: &ScatterOptions) -> Result<Figure> {
    let n = x.len();
    validate::count(FIGURE, "point", n, MOST_POINTS)?;
    validate::length(FIGURE, "y values", y.len(), n, "one for each x")?;
    if let Some(names) = data.names {
        validate::length(FIGURE, "names", names.len(), n, "one per point")?;
    }
    if let Some(sizes) = data.sizes {
        validate::length(FIGURE, "sizes", sizes.len(), n, "one per point")?;
        if let Some(size) = sizes.iter().find(|s| **s < 0.0 || s.is_infinite()) {
            return Err(Error::argument(format!("{FIGURE} needs sizes of 0 or more; got {size}")));
        }
    }
    let (part_of, part_names) = groups(data.groups, n, options)?;
    let x_limits =
        Limits { figure: FIGURE, name: 'x', min: options.x_min, max: options.x_max, log: options.log_x, air: true };
    let y_limits = Limits { name: 'y', min: options.y_min, max: options.y_max, log: options.log_y, ..x_limits };
    let has_size = |i: usize| data.sizes.is_none_or(|sizes| !sizes[i].is_nan());
    let placed: Vec<usize> = (0..n).filter(|&i| x_limits.takes(x[i]) && y_limits.takes(y[i]) && has_size(i)).collect();
    let mut x_range = validate::range(FIGURE, "points", placed.iter().map(|i| x[*i]))?;
    let mut y_range = validate::range(FIGURE, "points", placed.iter().map(|i| y[*i]))?;
    if options.diagonal {
        x_range = (x_range.0.min(y_range.0), x_range.1.max(y_range.1));
        y_range = x_range;
    }
    let (x_axis, y_axis) = (x_limits.axis(x_range)?, y_limits.axis(y_range)?);
    let shown: Vec<usize> = placed
        .into_iter()
        .filter(|&i| [x_axis.place(x[i]), y_axis.place(y[i])].iter().all(|p| (-1e-9..=1.0 + 1e-9).contains(p)))
        .collect();

    let usual = if options.diagonal { (600.0, 600.0) } else { (720.0, 520.0) };
    let width = validate::size(FIGURE, "width", options.width, usual.0)?;
    let height = validate::size(FIGURE, "height", options.height, usual.1)?;
    let notes = match n - shown.len() {
        0 => String::new(),
        1 => "1 point has no place on the axes.".to_string(),
        count => format!("{count} points have no place on the axes."),
    };
    let header = titles::header_height(&options.title, &options.subtitle, width);
    let names: Vec<&str> = part_names.iter().map(String::as_str).collect();
    let legend = Legend::new(&names, width, 0);
    let top = header + legend.height + if options.y_label.is_empty() { 8.0 } else { 24.0 };
    let y_ticks = y_axis.ticks(((height / 70.0) as usize).max(3));
    let x_ticks = if options.diagonal { y_ticks.clone() } else { x_axis.ticks((width / 90.0) as usize) };
    let x_ticks: Vec<f64> = x_ticks.into_iter().filter(|t| (-1e-9..=1.0 + 1e-9).contains(&x_axis.place(*t))).collect();
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
    legend.draw(&mut svg, y_legend);
    frame.draw_y(&mut svg, &y_ticks, &options.y_label);
    frame.draw_x(&mut svg, &x_ticks, &options.x_label);
    if options.diagonal {
        let (lo, hi) = (x_axis.lo().max(y_axis.lo()), x_axis.hi().min(y_axis.hi()));
        if lo < hi {
            svg.line(frame.at(lo, lo), frame.at(hi, hi), Style::stroke(theme::AXIS, 1.0).dashed(4.0));
        }
    }
    let dots = dots(&shown, &frame, (x, y), data.sizes, colour);
    let opacity = if shown.len() > 300 { 0.5 } else { 0.85 };
    if dots.len() > MOST_CIRCLES {
        dots::as_picture(&mut svg, &frame, &dots, opacity)?;
    } else {
        dots.iter().for_each(|d| svg.circle(d.x, d.y, d.radius, Style::fill(d.colour).opacity(opacity)));
    }
    if let Some(names) = data.names {
        let names: Vec<String> = names.iter().map(|n| text::fit(n, NAME, false, 160.0)).collect();
        let field = Rect { x: frame.left, y: frame.top - 8.0, width: frame.width + 6.0, height: frame.height + 8.0 };
        let points: Vec<(Point<'_>, Colour)> = shown
            .iter()
            .zip(&dots)
            .map(|(i, d)| (Point { x: d.x, y: d.y, radius: d.radius, name: &names[*i], font: NAME }, d.colour))
            .collect();
        draw_names(&mut svg, points, field, &frame, options.diagonal);
    }
    titles::notes(&mut svg, &notes, height - titles::notes_height(&notes, width) - 8.0, width);
    Ok(svg.finish(if options.title.is_empty() { FIGURE } else { &options.title }))
}

/// The part of each point, and the names of the parts.
fn groups(groups: Option<&[usize]>, n: usize, options: &ScatterOptions) -> Result<(Vec<usize>, Vec<String>)> {
    let Some(groups) = groups else { return Ok((vec![0; n], Vec::new())) };
    validate::length(FIGURE, "part numbers", groups.len(), n, "one per point")?;
    let mut ids: Vec<usize> = groups.to_vec();
    ids.sort_unstable();
    ids.dedup();
    validate::count(FIGURE, "groups", ids.len(), MOST_GROUPS)?;
    let part_of = groups.iter().map(|g| ids.partition_point(|id| id < g)).collect();
    Ok((part_of, validate::part_names(FIGURE, &options.group_names, ids.len())?))
}

fn dots(
    shown: &[usize],
    frame: &Frame,
    (x, y): (&[f64], &[f64]),
    sizes: Option<&[f64]>,
    colour: impl Fn(usize) -> Colour,
) -> Vec<Dot> {
    let usual = (40.0 / (shown.len() as f64).sqrt()).clamp(1.2, 4.0);
    let largest = shown.iter().filter_map(|i| Some(sizes?[*i])).fold(0.0, f64::max);
    let radius = |i: usize| match sizes {
        // Areas are compared, not radii.
        Some(sizes) if largest > 0.0 => (3.5 * usual).max(4.0) * (sizes[i] / largest).sqrt(),
        _ => usual,
    };
    shown
        .iter()
        .map(|&i| {
            let (px, py) = frame.at(x[i], y[i]);
            Dot { x: px, y: py, radius: radius(i), colour: colour(i) }
        })
        .collect()
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
