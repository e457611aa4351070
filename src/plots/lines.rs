//! Line plots, such as learning curves, with bands and with names at the ends of the lines.

use serde::{Deserialize, Serialize};

use super::axes::{self, Axis, Frame, Limits};
use super::colours::qualitative;
use super::figure::Figure;
use super::svg::{Style, Svg, Text};
use super::{placement, text, theme, titles, validate};
use crate::error::{Error, Result};

/// One line: y over x, of equal length; NaN and infinities are gaps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Series {
    /// Shown at the end of the line.
    pub name: String,
    pub x: Vec<f64>,
    pub y: Vec<f64>,
    /// Lower and upper edge of a band around the line, each as long as x.
    pub band: Option<(Vec<f64>, Vec<f64>)>,
}

crate::options! {
    /// How [`lines`] look.
    pub struct LinesOptions {
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
        /// a dot at every point
        pub markers: bool = false;
    }
}

const FIGURE: &str = "plot";
const MOST_SERIES: usize = 40;
const MOST_POINTS: usize = 10_000_000;
/// Longer lines are thinned to the minimum and maximum of each stretch, which looks the same.
const STRETCHES: usize = 1000;

/// Draws `series` as lines, with their names at the right ends.
///
/// Errors: Argument for no series, more than 40, lengths that disagree, no finite point, limits the wrong way round.
pub fn lines(series: &[Series], options: &LinesOptions) -> Result<Figure> {
    validate::count(FIGURE, "series", series.len(), MOST_SERIES)?;
    let shown: Vec<Line> = series.iter().map(|s| Line::new(s, options)).collect::<Result<_>>()?;
    let (x, y) = limits(options);
    let (x, y) = (axis_x(&shown, x)?, axis_y(&shown, y)?);
    let width = validate::size(FIGURE, "width", options.width, 760.0)?;
    let height = validate::size(FIGURE, "height", options.height, 440.0)?;
    let whole = shown.iter().all(|l| l.runs.iter().flatten().all(|p| p.0.fract() == 0.0));
    let (x_count, y_count) = ((width / 90.0) as usize, ((height / 65.0) as usize).clamp(3, 8));
    let x_ticks = if whole && !options.log_x { axes::whole_ticks(x.lo(), x.hi(), x_count) } else { x.ticks(x_count) };
    let y_ticks = y.ticks(y_count);

    let names: Vec<&str> = series.iter().map(|s| s.name.as_str()).collect();
    let longest = text::widest(&names, theme::LABEL).min(width * 0.3);
    let left = axes::room_left(&y_ticks);
    let header = titles::header_height(&options.title, &options.subtitle, width);
    let top = header + if options.y_label.is_empty() { 8.0 } else { 24.0 };
    let notes = notes(&shown, options);
    let right = if longest > 0.0 { longest + 20.0 } else { 6.0 };
    let frame = Frame {
        left,
        top,
        width: width - left - right - theme::MARGIN,
        height: height - top - axes::room_below(&options.x_label) - titles::notes_height(&notes, width) - 8.0,
        x,
        y,
    };
    if frame.width < 40.0 || frame.height < 30.0 {
        let error = Error::argument(format!("{FIGURE} has no room beside its labels at {width} × {height} px"));
        return Err(error.with_help("give a greater width or height, or shorter names"));
    }
    let mut svg = Svg::new(width, height);
    titles::header(&mut svg, &options.title, &options.subtitle, width);
    frame.draw_y(&mut svg, &y_ticks, &options.y_label);
    frame.draw_x(&mut svg, &x_ticks, &options.x_label);
    shown.iter().enumerate().for_each(|(i, l)| l.draw_band(&mut svg, &frame, i));
    shown.iter().enumerate().for_each(|(i, l)| l.draw(&mut svg, &frame, i, options.markers));
    draw_names(&mut svg, &frame, series, &shown, longest);
    titles::notes(&mut svg, &notes, height - titles::notes_height(&notes, width) - 8.0, width);
    Ok(svg.finish(if options.title.is_empty() { FIGURE } else { &options.title }))
}

/// A series as it is drawn: runs of points without a gap.
struct Line {
    runs: Vec<Vec<(f64, f64)>>,
    /// Runs of (x, lower, upper).
    band: Vec<Vec<(f64, f64, f64)>>,
    /// How many finite points have no place on a log axis.
    left_out: usize,
}

impl Line {
    fn new(s: &Series, options: &LinesOptions) -> Result<Self> {
        let why = format!("one for each y of \"{}\"", s.name);
        validate::length(FIGURE, "x values", s.x.len(), s.y.len(), &why)?;
        validate::count(FIGURE, "point in each series", s.x.len(), MOST_POINTS)?;
        if let Some((lo, hi)) = &s.band {
            validate::length(FIGURE, "lower band values", lo.len(), s.x.len(), &why)?;
            validate::length(FIGURE, "upper band values", hi.len(), s.x.len(), &why)?;
        }
        let (limits_x, limits_y) = limits(options);
        let has_place = |x: f64, y: f64| limits_x.takes(x) && limits_y.takes(y);
        // Points beyond the limits of x are left out; lines are cut at those of y when they are drawn.
        let within = |x: f64| options.x_min.is_none_or(|min| x >= min) && options.x_max.is_none_or(|max| x <= max);
        let points: Vec<(f64, f64)> = s.x.iter().copied().zip(s.y.iter().copied()).collect();
        let left_out = points.iter().filter(|(x, y)| x.is_finite() && y.is_finite() && !has_place(*x, *y)).count();
        let runs = split(&points, |p| has_place(p.0, p.1) && within(p.0)).into_iter().map(thin).collect();
        let band = s.band.as_ref().map_or(Vec::new(), |(lo, hi)| {
            let all: Vec<(f64, f64, f64)> =
                s.x.iter().zip(lo).zip(hi).map(|((x, lo), hi)| (*x, lo.min(*hi), lo.max(*hi))).collect();
            let every = all.len().div_ceil(2 * STRETCHES).max(1);
            let runs = split(&all, |p| has_place(p.0, p.1) && has_place(p.0, p.2) && within(p.0));
            runs.into_iter().map(|r| r.into_iter().step_by(every).collect()).collect()
        });
        Ok(Line { runs, band, left_out })
    }

    fn draw_band(&self, svg: &mut Svg, frame: &Frame, index: usize) {
        let clip = |p: (f64, f64)| (p.0, p.1.clamp(frame.top, frame.bottom()));
        for run in &self.band {
            let mut outline: Vec<(f64, f64)> = run.iter().map(|(x, _, hi)| clip(frame.at(*x, *hi))).collect();
            outline.extend(run.iter().rev().map(|(x, lo, _)| clip(frame.at(*x, *lo))));
            svg.polygon(&outline, Style::fill(qualitative(index)).opacity(0.15));
        }
    }

    fn draw(&self, svg: &mut Svg, frame: &Frame, index: usize, markers: bool) {
        let colour = qualitative(index);
        for run in &self.runs {
            let points: Vec<(f64, f64)> = run.iter().map(|(x, y)| frame.at(*x, *y)).collect();
            for piece in inside(&points, frame.top, frame.bottom()) {
                svg.polyline(&piece, Style::stroke(colour, 2.0));
            }
            let dots = if markers && run.len() <= 200 || run.len() == 1 { &points[..] } else { &[] };
            for p in dots.iter().filter(|p| p.1 >= frame.top - 0.5 && p.1 <= frame.bottom() + 0.5) {
                svg.circle(p.0, p.1, 3.0, Style::fill(colour).outlined(theme::PAPER, 1.0));
            }
        }
    }

    fn last(&self) -> Option<(f64, f64)> {
        self.runs.last().and_then(|r| r.last()).copied()
    }
}

/// The runs of `points` for which `keep` is true.
fn split<T: Copy>(points: &[T], keep: impl Fn(&T) -> bool) -> Vec<Vec<T>> {
    points.chunk_by(|a, b| keep(a) == keep(b)).filter(|run| keep(&run[0])).map(<[T]>::to_vec).collect()
}

/// The first, lowest, highest and last point of each stretch.
fn thin(run: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    if run.len() <= 4 * STRETCHES {
        return run;
    }
    let stretch = run.len().div_ceil(STRETCHES);
    run.chunks(stretch)
        .flat_map(|part| {
            let by_y = |a: &usize, b: &usize| part[*a].1.total_cmp(&part[*b].1);
            let ends = [0, part.len() - 1];
            let mut kept: Vec<usize> =
                ends.into_iter().chain((0..part.len()).min_by(by_y)).chain((0..part.len()).max_by(by_y)).collect();
            kept.sort_unstable();
            kept.dedup();
            kept.into_iter().map(|i| part[i]).collect::<Vec<_>>()
        })
        .collect()
}

/// The pieces of a line between `top` and `bottom`.
fn inside(points: &[(f64, f64)], top: f64, bottom: f64) -> Vec<Vec<(f64, f64)>> {
    let mut pieces: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut open = false;
    for pair in points.windows(2) {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        // The fractions of the segment at which the line enters and leaves (Liang and Barsky, 1984).
        let (mut enter, mut leave) = (0.0f64, 1.0f64);
        let dy = y1 - y0;
        for (towards, room) in [(-dy, y0 - top), (dy, bottom - y0)] {
            if towards == 0.0 {
                leave = if room < -1e-6 { -1.0 } else { leave };
            } else if towards < 0.0 {
                enter = enter.max(room / towards);
            } else {
                leave = leave.min(room / towards);
            }
        }
        if enter > leave {
            open = false;
            continue;
        }
        let at = |t: f64| (x0 + t * (x1 - x0), y0 + t * dy);
        match pieces.last_mut().filter(|_| open && enter == 0.0) {
            Some(piece) => piece.push(at(leave)),
            None => pieces.push(vec![at(enter), at(leave)]),
        }
        open = leave == 1.0;
    }
    pieces
}

fn limits(options: &LinesOptions) -> (Limits<'_>, Limits<'_>) {
    let x =
        Limits { figure: FIGURE, name: 'x', min: options.x_min, max: options.x_max, log: options.log_x, air: false };
    (x, Limits { name: 'y', min: options.y_min, max: options.y_max, log: options.log_y, air: true, ..x })
}

fn axis_x(shown: &[Line], limits: Limits<'_>) -> Result<Axis> {
    let all = shown.iter().flat_map(|l| l.runs.iter().flatten()).map(|p| p.0);
    limits.axis(validate::range(FIGURE, "points", all)?)
}

fn axis_y(shown: &[Line], limits: Limits<'_>) -> Result<Axis> {
    let lines = shown.iter().flat_map(|l| l.runs.iter().flatten()).map(|p| p.1);
    let bands = shown.iter().flat_map(|l| l.band.iter().flatten()).flat_map(|b| [b.1, b.2]);
    limits.axis(validate::range(FIGURE, "points", lines.chain(bands))?)
}

fn draw_names(svg: &mut Svg, frame: &Frame, series: &[Series], shown: &[Line], longest: f64) {
    let named: Vec<(usize, (f64, f64))> = (0..series.len())
        .filter(|i| !series[*i].name.trim().is_empty())
        .filter_map(|i| Some((i, shown[i].last()?)))
        .map(|(i, (x, y))| (i, frame.at(x, y)))
        .map(|(i, (x, y))| (i, (x, y.clamp(frame.top, frame.bottom()))))
        .collect();
    let wanted: Vec<f64> = named.iter().map(|(_, p)| p.1).collect();
    let size = (frame.height / wanted.len().max(1) as f64 / 1.3).clamp(6.0, theme::LABEL);
    let places = placement::column(&wanted, size * 1.3, frame.top - 6.0, frame.bottom() + 6.0);
    for ((i, end), y) in named.iter().zip(places) {
        let x = frame.right() + 14.0;
        if (y - end.1).abs() > 3.0 || x - end.0 > 16.0 {
            let faint = Style::stroke(qualitative(*i), 0.75).opacity(0.6);
            let pen = if x - end.0 > 16.0 { faint.dashed(2.0) } else { faint };
            svg.line((end.0 + 3.0, end.1), (x - 3.0, y), pen);
        }
        let name = text::fit(&series[*i].name, size, false, longest + 1.0);
        svg.text(x, y, Text::new(&name, size).colour(qualitative(*i).as_ink()).centred());
    }
}

fn notes(shown: &[Line], options: &LinesOptions) -> String {
    match shown.iter().map(|l| l.left_out).sum::<usize>() {
        0 => String::new(),
        count => {
            let axis = match (options.log_x, options.log_y) {
                (true, true) => "an axis",
                (true, false) => "the x axis",
                _ => "the y axis",
            };
            let points = if count == 1 { "1 point".to_string() } else { format!("{count} points") };
            format!("{points} of 0 or less left out: {axis} is logarithmic.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_split_a_line() {
        let points = [(0.0, 1.0), (1.0, f64::NAN), (2.0, 2.0), (3.0, 3.0)];
        let runs = split(&points, |p| p.1.is_finite());
        assert_eq!(runs, [vec![(0.0, 1.0)], vec![(2.0, 2.0), (3.0, 3.0)]]);
        assert!(split(&[(0.0, f64::NAN)], |p: &(f64, f64)| p.1.is_finite()).is_empty());
    }

    #[test]
    fn a_line_is_cut_at_the_frame() {
        let pieces = inside(&[(0.0, -10.0), (2.0, 10.0), (4.0, -10.0), (5.0, 5.0)], 0.0, 20.0);
        assert_eq!(pieces[0], [(1.0, 0.0), (2.0, 10.0), (3.0, 0.0)]);
        assert_eq!(pieces[1][1], (5.0, 5.0));
        assert!(inside(&[(0.0, -5.0), (1.0, -5.0)], 0.0, 20.0).is_empty());
        assert_eq!(inside(&[(0.0, 5.0), (1.0, 5.0)], 0.0, 20.0), [vec![(0.0, 5.0), (1.0, 5.0)]]);
    }

    #[test]
    fn thinning_keeps_the_peaks() {
        let run: Vec<(f64, f64)> = (0..100_000).map(|i| (f64::from(i), if i == 54_321 { 9.0 } else { 0.0 })).collect();
        let thinned = thin(run);
        assert!(thinned.len() <= 4 * STRETCHES && thinned.contains(&(54_321.0, 9.0)));
        assert_eq!((thinned[0].0, thinned[thinned.len() - 1].0), (0.0, 99_999.0));
    }
}
