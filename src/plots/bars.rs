//! Bars in groups or stacks, with error bars: ablation tables.

use serde::{Deserialize, Serialize};

use super::axes::{self, Axis, Frame, Limits};
use super::categories::Categories;
use super::colours::{Colour, qualitative};
use super::figure::Figure;
use super::legend::Legend;
use super::svg::{Anchor, Style, Svg, Text};
use super::{text, theme, titles, validate};
use crate::error::{Error, Result};

/// One bar per group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BarSeries {
    pub name: String,
    /// One per group; NaN is a missing bar.
    pub values: Vec<f64>,
    /// Half the length of each error bar; NaN or 0 for none.
    pub errors: Option<Vec<f64>>,
}

/// The mark of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// A bar from 0 whose length is the value.
    #[default]
    Bar,
    /// A dot; the axis covers only the values, so that small differences are visible.
    Dot,
}

crate::options! {
    /// How [`bars`] look.
    pub struct BarsOptions {
        /// above the figure
        pub title: String = String::new();
        /// below the title
        pub subtitle: String = String::new();
        /// pixels
        pub width: Option<f64> = None;
        /// pixels
        pub height: Option<f64> = None;
        /// below the names of the groups
        pub x_label: String = String::new();
        /// above the vertical axis
        pub y_label: String = String::new();
        /// the series on top of each other instead of side by side; values below 0 are stacked downwards
        pub stacked: bool = false;
        /// logarithmic vertical axis
        pub log_y: bool = false;
        /// where the vertical axis begins; () fits the data
        pub y_min: Option<f64> = None;
        /// where it ends; () fits the data
        pub y_max: Option<f64> = None;
        /// "bar" or "dot"
        pub mark: Mark = Mark::Bar;
        /// write the numbers above the marks where they fit
        pub numbers: bool = true;
        /// decimals of the numbers; () is 1, and 0 where all are whole
        pub decimals: Option<usize> = None;
        /// place of the first series' colour in the palette
        pub first_colour: usize = 0;
    }
}

const FIGURE: &str = "bar";
const MOST_GROUPS: usize = 1000;
const MOST_SERIES: usize = 20;

/// Draws `series` side by side in each of `groups`, or on top of each other, with the names of the groups below. Values
/// that are not finite, or not positive on a log axis, have no bar, and a note counts them.
///
/// Errors: Argument for lengths that disagree, none or too many of either, no finite value, negative errors, limits
/// the wrong way round, stacks of dots or on a log axis.
pub fn bars(groups: &[String], series: &[BarSeries], options: &BarsOptions) -> Result<Figure> {
    check(groups, series, options)?;
    let limits =
        Limits { figure: FIGURE, name: 'y', min: options.y_min, max: options.y_max, log: options.log_y, air: true };
    let pieces = pieces(groups.len(), series, options.stacked);
    let axis = axis(&pieces, limits, options)?;
    let slots = (groups.len() * if options.stacked { 2 } else { series.len() + 1 }) as f64;
    let width = validate::size(FIGURE, "width", options.width, (slots * 34.0 + 120.0).clamp(420.0, 1400.0))?;
    let height = validate::size(FIGURE, "height", options.height, 400.0)?;
    let y_ticks = axis.ticks(((height / 65.0) as usize).clamp(3, 8));
    let left = axes::room_left(&y_ticks);
    let (below, left, slot) = Categories::beside(groups, left, width, height);
    let inner = width - left - theme::MARGIN;
    let names: Vec<&str> = series.iter().map(|s| s.name.as_str()).collect();
    let legend = Legend::new(&names, width, options.first_colour);
    let header = titles::header_height(&options.title, &options.subtitle, width);
    let top = header + legend.height + if options.y_label.is_empty() { 10.0 } else { 24.0 };
    let begin = (options.mark == Mark::Bar && axis.lo() > 0.0 && !options.log_y)
        .then(|| format!("The bars begin at {}, not at 0.", axes::tick_labels(&[axis.lo()])[0]));
    let missing = match pieces.iter().filter(|p| !limits.takes(p.value)).count() {
        0 => None,
        1 => Some("1 value is missing or has no place on the axis.".to_string()),
        count => Some(format!("{count} values are missing or have no place on the axis.")),
    };
    let notes: Vec<String> = begin.into_iter().chain(missing).chain(below.note()).collect();
    let notes = notes.join(" ");
    let named = if options.x_label.is_empty() { 0.0 } else { 20.0 };
    let bottom = below.height + named + titles::notes_height(&notes, width) + 10.0;
    let frame = Frame { left, top, width: inner, height: height - top - bottom, x: Axis::exact(0.0, 1.0), y: axis };
    if frame.height < 40.0 || inner < 40.0 {
        let error = Error::argument(format!("{FIGURE} has no room beside its labels at {width} × {height} px"));
        return Err(error.with_help("give a greater width or height"));
    }
    let mut svg = Svg::new(width, height);
    let y = titles::header(&mut svg, &options.title, &options.subtitle, width);
    legend.draw(&mut svg, y);
    frame.draw_y(&mut svg, &y_ticks, &options.y_label);
    let marks = Marks::new(series, slot, options);
    for piece in pieces.iter().filter(|p| limits.takes(p.value)) {
        marks.draw(&mut svg, &frame, piece);
    }
    let base = frame.at(0.0, if axis.lo() < 0.0 { 0.0 } else { axis.lo() }).1.clamp(frame.top, frame.bottom());
    svg.line((left, base), (frame.right(), base), Style::stroke(theme::AXIS, 1.0));
    below.draw(&mut svg, &frame, slot);
    let text = Text::new(&options.x_label, theme::LABEL).colour(theme::MUTED).anchor(Anchor::Middle);
    svg.text(left + inner / 2.0, frame.bottom() + below.height + 10.0, text);
    titles::notes(&mut svg, &notes, height - titles::notes_height(&notes, width) - 10.0, width);
    Ok(svg.finish(if options.title.is_empty() { FIGURE } else { &options.title }))
}

fn check(groups: &[String], series: &[BarSeries], options: &BarsOptions) -> Result<()> {
    validate::count(FIGURE, "group", groups.len(), MOST_GROUPS)?;
    validate::count(FIGURE, "series", series.len(), MOST_SERIES)?;
    for s in series {
        let of = if s.name.is_empty() { String::new() } else { format!(", in series \"{}\"", s.name) };
        let why = format!("one per group{of}");
        validate::length(FIGURE, "values", s.values.len(), groups.len(), &why)?;
        if let Some(errors) = &s.errors {
            validate::length(FIGURE, "errors", errors.len(), groups.len(), &why)?;
            if let Some(e) = errors.iter().find(|e| **e < 0.0) {
                let error = Error::argument(format!("{FIGURE} needs errors of 0 or more; got {e}{of}"));
                return Err(error.about_name(&s.name));
            }
        }
    }
    // A segment of a stack is as long as its value only where 0 is its beginning and lengths add up.
    match () {
        () if options.stacked && options.mark == Mark::Dot => {
            Err(Error::argument(format!("{FIGURE} cannot stack dots; leave out stacked or mark")))
        }
        () if options.stacked && options.log_y => {
            Err(Error::argument(format!("{FIGURE} cannot stack on a logarithmic axis; leave out stacked or log_y")))
        }
        () => Ok(()),
    }
}

/// One bar, segment or dot: from `base` to `end`.
struct Piece {
    group: usize,
    series: usize,
    value: f64,
    base: f64,
    end: f64,
    error: f64,
}

impl Piece {
    fn whiskers(&self) -> (f64, f64) {
        let error = if self.error > 0.0 && self.error.is_finite() { self.error } else { 0.0 };
        (self.end - error, self.end + error)
    }
}

fn pieces(groups: usize, series: &[BarSeries], stacked: bool) -> Vec<Piece> {
    let mut pieces = Vec::with_capacity(groups * series.len());
    for group in 0..groups {
        let (mut above, mut below) = (0.0, 0.0);
        for (index, one) in series.iter().enumerate() {
            let value = one.values[group];
            let error = one.errors.as_ref().map_or(0.0, |e| e[group]);
            let height = if value < 0.0 { &mut below } else { &mut above };
            let base = if stacked { *height } else { 0.0 };
            if value.is_finite() {
                *height += value;
            }
            pieces.push(Piece { group, series: index, value, base, end: base + value, error });
        }
    }
    pieces
}

fn axis(pieces: &[Piece], limits: Limits<'_>, options: &BarsOptions) -> Result<Axis> {
    let shown = pieces.iter().filter(|p| limits.takes(p.value));
    let ends = shown.flat_map(|p| {
        let (lo, hi) = p.whiskers();
        // An error bar that goes below 0 is cut on a log axis.
        [if options.log_y && lo <= 0.0 { p.end } else { lo }, hi]
    });
    let (mut lo, mut hi) = validate::range(FIGURE, "values", ends)?;
    if options.log_y {
        return limits.axis((lo, hi));
    }
    if options.mark == Mark::Bar {
        (lo, hi) = (lo.min(0.0), hi.max(0.0));
    }
    // Room for the numbers above; bars begin at 0.
    let exact = Limits { air: false, ..limits }.axis((lo, hi))?;
    let air = (exact.hi() - exact.lo()) * 0.08;
    let below = if options.mark == Mark::Bar && lo == 0.0 { 0.0 } else { air };
    Ok(Axis::exact(options.y_min.unwrap_or(exact.lo() - below), options.y_max.unwrap_or(exact.hi() + air)))
}

/// The marks of one figure: their width, and the format of their numbers.
struct Marks<'a> {
    slot: f64,
    bar: f64,
    first: f64,
    font: f64,
    decimals: usize,
    options: &'a BarsOptions,
}

impl<'a> Marks<'a> {
    fn new(series: &[BarSeries], slot: f64, options: &'a BarsOptions) -> Self {
        let count = if options.stacked { 1.0 } else { series.len() as f64 };
        let bar = (slot * 0.8 / count).min(56.0);
        let all = || series.iter().flat_map(|s| &s.values).filter(|v| v.is_finite());
        let usual = usize::from(all().any(|v| v.fract() != 0.0));
        let decimals = options.decimals.unwrap_or(usual).min(9);
        let wide = all().map(|v| text::width(&format!("{v:.decimals$}"), 1.0, false)).fold(0.1, f64::max);
        let room = if options.mark == Mark::Dot { bar.max(slot * 0.9 / count) } else { bar };
        let font = ((room - 2.0) / wide).min(theme::TICK);
        Marks {
            slot,
            bar,
            first: (slot - bar * count) / 2.0,
            font: if options.numbers && font >= 6.0 { font } else { 0.0 },
            decimals,
            options,
        }
    }

    fn draw(&self, svg: &mut Svg, frame: &Frame, piece: &Piece) {
        let Marks { options, bar, .. } = *self;
        let colour = qualitative(options.first_colour + piece.series);
        let place = if options.stacked { 0.0 } else { piece.series as f64 };
        let x = frame.left + piece.group as f64 * self.slot + self.first + place * bar;
        let middle = x + bar / 2.0;
        let px = |v: f64| {
            // A value without a place on a log axis is below it.
            let y = frame.at(0.0, v).1;
            if y.is_nan() { frame.bottom() } else { y.clamp(frame.top - 2.0, frame.bottom() + 2.0) }
        };
        let (y, base) = (px(piece.end), px(if options.stacked { piece.base } else { 0.0f64.max(frame.y.lo()) }));
        match options.mark {
            Mark::Bar => {
                let gap = (bar * 0.08).min(2.0);
                svg.rect(x + gap, y.min(base), bar - 2.0 * gap, (y - base).abs(), Style::fill(colour));
            }
            Mark::Dot => svg.circle(middle, y, 4.5, Style::fill(colour)),
        }
        let mut above = y - if options.mark == Mark::Dot { 5.0 } else { 0.0 };
        let (lo, hi) = piece.whiskers();
        if lo < hi {
            above = above.min(px(hi));
            let ink = if options.mark == Mark::Bar { theme::INK } else { colour };
            self.whisker(svg, middle, px(hi), px(lo), ink);
        }
        if self.font > 0.0 {
            let label = format!("{:.1$}", piece.value, self.decimals).replace('-', "−");
            let text = Text::new(&label, self.font).anchor(Anchor::Middle);
            if options.stacked {
                if (y - base).abs() >= self.font * 1.4 {
                    let ink = if colour.lightness() < 0.66 { theme::PAPER } else { theme::INK };
                    svg.text(middle, (y + base) / 2.0, text.colour(ink).centred());
                }
                return;
            }
            let below = options.mark == Mark::Bar && piece.value < 0.0;
            let y = if below { px(lo) + 5.0 + self.font * 0.75 } else { above - 5.0 };
            svg.text(middle, y, text.colour(theme::INK).halo(2.0));
        }
    }

    fn whisker(&self, svg: &mut Svg, x: f64, hi: f64, lo: f64, ink: Colour) {
        let pen = Style::stroke(ink, 1.2);
        let half = (self.bar * 0.15).min(5.0);
        svg.line((x, hi), (x, lo), pen);
        svg.line((x - half, hi), (x + half, hi), pen);
        svg.line((x - half, lo), (x + half, lo), pen);
    }
}
