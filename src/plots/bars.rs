//! Bars in groups, with error bars: ablation tables.

use serde::{Deserialize, Serialize};

use super::axes::{self, Axis, Frame};
use super::colours::{Colour, qualitative};
use super::figure::Figure;
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
        /// above the vertical axis
        pub y_label: String = String::new();
        /// where the vertical axis begins; () fits the data
        pub y_min: Option<f64> = None;
        /// where it ends; () fits the data
        pub y_max: Option<f64> = None;
        /// "bar" or "dot"
        pub mark: Mark = Mark::Bar;
        /// write the numbers above the marks where they fit
        pub numbers: bool = true;
        /// decimals of the numbers
        pub decimals: usize = 1;
        /// place of the first series' colour in the palette
        pub first_colour: usize = 0;
    }
}

const FIGURE: &str = "bars";
const MOST_GROUPS: usize = 200;
const MOST_SERIES: usize = 20;

/// Draws `series` side by side in each of `groups`, with the names of the groups below.
///
/// Errors: Argument for lengths that disagree, none or too many of either, no finite value, negative errors, limits
/// the wrong way round.
pub fn bars(groups: &[String], series: &[BarSeries], options: &BarsOptions) -> Result<Figure> {
    validate::count(FIGURE, "group", groups.len(), MOST_GROUPS)?;
    validate::count(FIGURE, "series", series.len(), MOST_SERIES)?;
    for s in series {
        let why = format!("one per group, in series \"{}\"", s.name);
        validate::length(FIGURE, "values", s.values.len(), groups.len(), &why)?;
        if let Some(errors) = &s.errors {
            validate::length(FIGURE, "errors", errors.len(), groups.len(), &why)?;
            if let Some(e) = errors.iter().find(|e| **e < 0.0) {
                let error = Error::argument(format!("{FIGURE} needs errors of 0 or more; got {e} in \"{}\"", s.name));
                return Err(error.about_name(&s.name));
            }
        }
    }
    let axis = axis(series, options)?;
    let slots = (groups.len() * (series.len() + 1)) as f64;
    let width = validate::size(FIGURE, "width", options.width, (slots * 34.0 + 120.0).clamp(420.0, 1400.0))?;
    let height = validate::size(FIGURE, "height", options.height, 400.0)?;
    let y_ticks = axis.ticks(((height / 65.0) as usize).clamp(3, 8));
    let left = axes::room_left(&y_ticks);
    let inner = width - left - theme::MARGIN;
    let slot = inner / groups.len() as f64;
    let below = Below::new(groups, slot, height);
    let legend = Legend::new(series, width, options.first_colour);
    let header = titles::header_height(&options.title, &options.subtitle, width);
    let top = header + legend.height + if options.y_label.is_empty() { 10.0 } else { 24.0 };
    let notes = match options.mark {
        Mark::Bar if axis.lo() > 0.0 => {
            format!("The bars begin at {}, not at 0.", axes::tick_labels(&[axis.lo()])[0])
        }
        _ => String::new(),
    };
    let bottom = below.height + titles::notes_height(&notes, width) + 10.0;
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
    for g in 0..groups.len() {
        for (s, one) in series.iter().enumerate() {
            let error = one.errors.as_ref().map_or(0.0, |e| e[g]);
            marks.draw(&mut svg, &frame, (g, s), one.values[g], error, options.mark);
        }
    }
    let base = frame.at(0.0, if axis.lo() < 0.0 { 0.0 } else { axis.lo() }).1;
    svg.line((left, base), (frame.right(), base), Style::stroke(theme::AXIS, 1.0));
    below.draw(&mut svg, &frame, slot);
    titles::notes(&mut svg, &notes, height - titles::notes_height(&notes, width) - 10.0, width);
    Ok(svg.finish(if options.title.is_empty() { FIGURE } else { &options.title }))
}

fn axis(series: &[BarSeries], options: &BarsOptions) -> Result<Axis> {
    let ends = series.iter().flat_map(|s| {
        s.values.iter().enumerate().flat_map(|(g, v)| {
            let e = s.errors.as_ref().map_or(0.0, |e| e[g]);
            let e = if e.is_finite() { e } else { 0.0 };
            [v - e, v + e]
        })
    });
    let (mut lo, mut hi) = validate::range(FIGURE, "values", ends)?;
    if options.mark == Mark::Bar {
        (lo, hi) = (lo.min(0.0), hi.max(0.0));
    }
    let (from, to) = (options.y_min.unwrap_or(lo), options.y_max.unwrap_or(hi));
    let asked = options.y_min.is_some() || options.y_max.is_some();
    if !from.is_finite() || !to.is_finite() || (asked && from >= to) {
        return Err(Error::argument(format!("the y_min of {FIGURE} must be below its y_max; got {from} and {to}")));
    }
    // Room for the numbers above.
    let air = (to - from) * 0.08;
    let below = if options.mark == Mark::Bar && lo == 0.0 { 0.0 } else { air };
    Ok(Axis::exact(options.y_min.unwrap_or(from - below), options.y_max.unwrap_or(to + air)))
}

/// The marks of one figure: their width, and the format of their numbers.
struct Marks {
    slot: f64,
    bar: f64,
    first: f64,
    font: f64,
    decimals: usize,
    first_colour: usize,
}

impl Marks {
    fn new(series: &[BarSeries], slot: f64, options: &BarsOptions) -> Self {
        let count = series.len() as f64;
        let bar = (slot * 0.8 / count).min(56.0);
        let decimals = options.decimals.min(9);
        let all = series.iter().flat_map(|s| &s.values).filter(|v| v.is_finite());
        let wide = all.map(|v| text::width(&format!("{v:.decimals$}"), 1.0, false)).fold(0.1, f64::max);
        let room = if options.mark == Mark::Dot { bar.max(slot * 0.9 / count) } else { bar };
        let font = ((room - 2.0) / wide).min(theme::TICK);
        Marks {
            slot,
            bar,
            first: (slot - bar * count) / 2.0,
            font: if options.numbers && font >= 6.0 { font } else { 0.0 },
            decimals,
            first_colour: options.first_colour,
        }
    }

    fn draw(&self, svg: &mut Svg, frame: &Frame, (g, s): (usize, usize), value: f64, error: f64, mark: Mark) {
        if !value.is_finite() {
            return;
        }
        let colour = qualitative(self.first_colour + s);
        let x = frame.left + g as f64 * self.slot + self.first + s as f64 * self.bar;
        let middle = x + self.bar / 2.0;
        let px = |v: f64| frame.at(0.0, v).1.clamp(frame.top - 2.0, frame.bottom() + 2.0);
        let y = px(value);
        match mark {
            Mark::Bar => {
                let base = px(0.0f64.max(frame.y.lo()));
                let gap = (self.bar * 0.08).min(2.0);
                svg.rect(x + gap, y.min(base), self.bar - 2.0 * gap, (y - base).abs(), Style::fill(colour));
            }
            Mark::Dot => svg.circle(middle, y, 4.5, Style::fill(colour)),
        }
        let mut above = y - if mark == Mark::Dot { 5.0 } else { 0.0 };
        if error > 0.0 && error.is_finite() {
            let (hi, lo) = (px(value + error), px(value - error));
            above = above.min(hi);
            let ink = if mark == Mark::Bar { theme::INK } else { colour };
            self.whisker(svg, middle, hi, lo, ink);
        }
        if self.font > 0.0 {
            let label = format!("{value:.0$}", self.decimals).replace('-', "−");
            let below = mark == Mark::Bar && value < 0.0;
            let y = if below { px(value - error.max(0.0)) + 5.0 + self.font * 0.75 } else { above - 5.0 };
            let text = Text::new(&label, self.font).colour(theme::INK).anchor(Anchor::Middle).halo(2.0);
            svg.text(middle, y, text);
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

/// The names of the groups: level if they fit, slanted otherwise.
struct Below {
    lines: Vec<Vec<String>>,
    slanted: bool,
    height: f64,
}

impl Below {
    fn new(groups: &[String], slot: f64, height: f64) -> Self {
        let limit = (slot - 6.0).max(1.0);
        let lines: Vec<Vec<String>> = groups.iter().map(|g| text::wrap(g, theme::LABEL, false, limit)).collect();
        let cut = lines.iter().flatten().any(|l| l.ends_with('…'));
        let most = lines.iter().map(Vec::len).max().unwrap_or(1);
        if !cut && most <= 3 {
            return Below { lines, slanted: false, height: 10.0 + most as f64 * theme::LABEL * 1.25 };
        }
        let limit = height * 0.4;
        let lines: Vec<Vec<String>> = groups.iter().map(|g| vec![text::fit(g, theme::TICK, false, limit)]).collect();
        let longest = lines.iter().map(|l| text::width(&l[0], theme::TICK, false)).fold(0.0, f64::max);
        Below { lines, slanted: true, height: longest * 0.71 + 22.0 }
    }

    fn draw(&self, svg: &mut Svg, frame: &Frame, slot: f64) {
        for (g, lines) in self.lines.iter().enumerate() {
            let x = frame.left + (g as f64 + 0.5) * slot;
            for (i, line) in lines.iter().enumerate() {
                match self.slanted {
                    true => {
                        let text = Text::new(line, theme::TICK).anchor(Anchor::End).rotated(-45.0).centred();
                        svg.text(x + 3.0, frame.bottom() + 10.0, text);
                    }
                    false => {
                        let y = frame.bottom() + 16.0 + i as f64 * theme::LABEL * 1.25;
                        svg.text(x, y, Text::new(line, theme::LABEL).anchor(Anchor::Middle));
                    }
                }
            }
        }
    }
}

/// The names and colours of the series, in the order of the bars; empty for a single series.
struct Legend {
    names: Vec<String>,
    places: Vec<(f64, f64)>,
    first_colour: usize,
    height: f64,
}

impl Legend {
    fn new(series: &[BarSeries], width: f64, first_colour: usize) -> Self {
        if series.len() < 2 {
            return Legend { names: Vec::new(), places: Vec::new(), first_colour, height: 0.0 };
        }
        let (mut x, mut y) = (theme::MARGIN, 0.0);
        let mut places = Vec::new();
        let names: Vec<String> = series.iter().map(|s| text::fit(&s.name, theme::LABEL, false, width * 0.7)).collect();
        for name in &names {
            let wide = 16.0 + text::width(name, theme::LABEL, false) + 18.0;
            if x + wide > width - theme::MARGIN && x > theme::MARGIN {
                (x, y) = (theme::MARGIN, y + theme::LABEL * 1.6);
            }
            places.push((x, y));
            x += wide;
        }
        Legend { names, places, first_colour, height: y + theme::LABEL * 1.6 + 4.0 }
    }

    fn draw(&self, svg: &mut Svg, top: f64) {
        for (s, (x, y)) in self.places.iter().enumerate() {
            let y = top + y + theme::LABEL * 0.6;
            svg.rect(*x, y - 5.0, 10.0, 10.0, Style::fill(qualitative(self.first_colour + s)).round(2.0));
            svg.text(x + 15.0, y, Text::new(&self.names[s], theme::LABEL).centred());
        }
    }
}
