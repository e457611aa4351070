//! Axes: ranges, round ticks, their labels, and the frame that data is drawn in.

use super::svg::{Anchor, Style, Svg, Text};
use super::{text, theme};
use crate::error::{Error, Result};

/// Maps values to positions between the two ends of an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axis {
    lo: f64,
    hi: f64,
    log: bool,
}

impl Axis {
    /// `lo` to `hi` exactly.
    pub fn exact(lo: f64, hi: f64) -> Self {
        if hi - lo > 1e-290 {
            return Axis { lo, hi, log: false };
        }
        // A single value is in the middle.
        let room = if lo.abs() < 1e-290 { 1.0 } else { lo.abs() * 0.1 };
        Axis { lo: lo - room, hi: lo + room, log: false }
    }

    /// `lo` to `hi` with a small margin at both ends, but never across 0.
    pub fn padded(lo: f64, hi: f64) -> Self {
        let axis = Axis::exact(lo, hi);
        let air = (axis.hi - axis.lo) * 0.05;
        let padded = Axis { lo: axis.lo - air, hi: axis.hi + air, log: false };
        Axis {
            lo: if lo >= 0.0 { padded.lo.max(0.0) } else { padded.lo },
            hi: if hi <= 0.0 { padded.hi.min(0.0) } else { padded.hi },
            ..padded
        }
    }

    /// `padded`, but with the lower end on a tick (of about `count`) if one is near; the lowest line is then the axis.
    pub fn neat(lo: f64, hi: f64, count: usize) -> Self {
        let padded = Axis::padded(lo, hi);
        let ticks = padded.ticks(count);
        let (Some(first), Some(step)) = (ticks.first(), ticks.get(1).map(|t| t - ticks[0])) else { return padded };
        let lower = if padded.lo < first - 0.7 * step { first - step } else { *first };
        let near = *first <= lo && first - padded.lo < 0.3 * step || lower < padded.lo;
        Axis { lo: if near { lower } else { padded.lo }, ..padded }
    }

    /// Decades; both ends must be positive.
    pub fn log(lo: f64, hi: f64) -> Self {
        let lo = lo.max(1e-300);
        let (lo, hi) = if hi > lo { (lo, hi) } else { (lo / 2.0, lo * 2.0) };
        Axis { lo, hi, log: true }
    }

    /// A logarithmic axis with a small margin at both ends.
    pub fn log_padded(lo: f64, hi: f64) -> Self {
        let axis = Axis::log(lo, hi);
        let air = (axis.hi / axis.lo).powf(0.04);
        if !air.is_finite() { axis } else { Axis { lo: (axis.lo / air).max(1e-300), hi: axis.hi * air, log: true } }
    }

    pub fn lo(&self) -> f64 {
        self.lo
    }

    pub fn hi(&self) -> f64 {
        self.hi
    }

    /// 0 at the lower end, 1 at the upper, less or more outside; NaN for a value without a place (≤ 0 on a log axis).
    pub fn place(&self, value: f64) -> f64 {
        match self.log {
            true if value <= 0.0 => f64::NAN,
            true => (value / self.lo).ln() / (self.hi / self.lo).ln(),
            // Halved, so that the range of two huge values does not overflow.
            false => (value / 2.0 - self.lo / 2.0) / (self.hi / 2.0 - self.lo / 2.0),
        }
    }

    /// About `count` round values within the axis.
    pub fn ticks(&self, count: usize) -> Vec<f64> {
        if self.log { log_ticks(self.lo, self.hi, count) } else { ticks(self.lo, self.hi, count) }
    }
}

/// How an axis is chosen: by the options `x_min`, `x_max` and `log_x` of a figure, or those of y.
#[derive(Clone, Copy)]
pub struct Limits<'a> {
    pub figure: &'a str,
    /// `x` or `y`.
    pub name: char,
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub log: bool,
    /// Whether there is air around the data where no limit is given.
    pub air: bool,
}

impl Limits<'_> {
    /// The axis for data from `lo` to `hi`.
    ///
    /// Errors: limits the wrong way round or not finite; 0 or less on a log axis.
    pub fn axis(&self, (lo, hi): (f64, f64)) -> Result<Axis> {
        let Limits { figure, name, .. } = self;
        let (from, to) = (self.min.unwrap_or(lo), self.max.unwrap_or(hi));
        let asked = self.min.is_some() || self.max.is_some();
        if !from.is_finite() || !to.is_finite() || (asked && from >= to) {
            return Err(Error::argument(format!(
                "the {name}_min of {figure} must be below its {name}_max; got {from} and {to}"
            )));
        }
        if self.log {
            if from <= 0.0 {
                return Err(Error::argument(format!(
                    "with log_{name}: true, the {name}_min of {figure} must be above 0; got {from}"
                )));
            }
            let padded = if self.air { Axis::log_padded(from, to) } else { Axis::log(from, to) };
            return Ok(Axis::log(self.min.unwrap_or(padded.lo()), self.max.unwrap_or(padded.hi())));
        }
        let padded = if self.air { Axis::neat(from, to, 6) } else { Axis::exact(from, to) };
        Ok(Axis::exact(self.min.unwrap_or(padded.lo()), self.max.unwrap_or(padded.hi())))
    }

    /// Whether the axis has a place for a value, limits aside.
    pub fn takes(&self, value: f64) -> bool {
        value.is_finite() && !(self.log && value <= 0.0)
    }
}

/// Multiples of 1, 2 or 5 × 10ⁿ from `lo` to `hi`, about `count` (after Heckbert, "Nice numbers for graph labels",
/// Graphics Gems, 1990).
pub fn ticks(lo: f64, hi: f64, count: usize) -> Vec<f64> {
    let range = hi - lo;
    if !(range > 0.0 && range.is_finite()) {
        return vec![lo];
    }
    let rough = range / count.max(1) as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|s| s * power).into_iter().find(|s| *s >= rough * 0.999).unwrap_or(power);
    if !(step > 0.0 && step.is_finite()) || range / step > 1e4 {
        return vec![lo];
    }
    let (first, last) = ((lo / step - 1e-6).ceil(), (hi / step + 1e-6).floor());
    if first.abs() > 1e15 {
        return vec![lo];
    }
    (first as i64..=last as i64).map(|i| tidy(i as f64 * step, step)).collect()
}

/// Ticks at whole numbers only, for axes of counts.
pub fn whole_ticks(lo: f64, hi: f64, count: usize) -> Vec<f64> {
    ticks(lo, hi, count).into_iter().filter(|t| t.fract() == 0.0).collect()
}

/// `i × step` without the error of binary fractions: 0.30000000000000004 becomes 0.3.
fn tidy(value: f64, step: f64) -> f64 {
    let digits = (1.0 - step.log10().floor()).clamp(0.0, 300.0) as usize;
    if digits == 0 { value.round() } else { format!("{value:.digits$}").parse().unwrap_or(value) }
}

/// Powers of ten; if there are fewer than three, also 2 and 5 times these.
fn log_ticks(lo: f64, hi: f64, count: usize) -> Vec<f64> {
    // 0 has no logarithm to count decades from.
    if !(lo > 0.0 && hi > lo && hi.is_finite()) {
        return vec![lo];
    }
    let (first, last) = (lo.log10().floor() as i32, hi.log10().ceil() as i32);
    let inside = |v: &f64| *v >= lo * (1.0 - 1e-9) && *v <= hi * (1.0 + 1e-9);
    let power = |n: i32| format!("1e{n}").parse::<f64>().unwrap_or(0.0);
    let decades: Vec<f64> = (first..=last).map(power).filter(inside).collect();
    if decades.len() > count.max(2) {
        let every = decades.len().div_ceil(count.max(2));
        return decades.into_iter().step_by(every).collect();
    }
    if decades.len() >= 3 {
        return decades;
    }
    let finer: Vec<f64> = (first..=last).flat_map(|n| [1.0, 2.0, 5.0].map(|s| s * power(n))).filter(inside).collect();
    if finer.len() >= 2 { finer } else { ticks(lo, hi, count.min(4)) }
}

/// Labels of ticks, all with the same number of decimals: `0.0 0.5 1.0`, `1,000 2,000`, `10⁻⁴ 10⁻³`.
pub fn tick_labels(ticks: &[f64]) -> Vec<String> {
    let most = ticks.iter().fold(0.0f64, |m, t| m.max(t.abs()));
    let least = ticks.iter().filter(|t| **t != 0.0).fold(f64::INFINITY, |m, t| m.min(t.abs()));
    let even = ticks.len() < 3 || ticks.windows(3).all(|w| ((w[2] - w[1]) - (w[1] - w[0])).abs() < 1e-6 * most);
    if most >= 1e7 || least < 1e-4 && most < 1e-2 || (!even && (most >= 1e5 || least < 1e-3)) {
        return ticks.iter().map(|t| scientific(*t)).collect();
    }
    if !even {
        return ticks.iter().map(|t| thousands(&format!("{t}"))).collect();
    }
    let decimals = (0..=9)
        .find(|d| ticks.iter().all(|t| (t * 10f64.powi(*d) - (t * 10f64.powi(*d)).round()).abs() < 1e-4))
        .unwrap_or(9) as usize;
    ticks.iter().map(|t| thousands(&format!("{t:.decimals$}"))).collect()
}

/// A number for readers, with at least `digits` significant digits: 0.0123, 12.3, 12,345.
pub fn short(value: f64, digits: usize) -> String {
    if !value.is_finite() {
        return if value.is_nan() { "–".into() } else { format!("{value}") };
    }
    if value == 0.0 {
        return "0".into();
    }
    let magnitude = value.abs().log10().floor() as i32;
    if !(-4..=9).contains(&magnitude) {
        return scientific(value);
    }
    let decimals = (digits as i32 - 1 - magnitude).max(0) as usize;
    thousands(&format!("{value:.decimals$}"))
}

/// `2·10⁻⁵`, or `10⁻⁵` for a plain power.
fn scientific(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let text = format!("{value:.2e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.');
    let raised: String = exponent
        .chars()
        .map(|c| match c {
            '-' => '⁻',
            c => c.to_digit(10).and_then(|d| "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().nth(d as usize)).unwrap_or(c),
        })
        .collect();
    match mantissa {
        "1" => format!("10{raised}"),
        "-1" => format!("−10{raised}"),
        m => format!("{}·10{raised}", m.replace('-', "−")),
    }
}

/// Commas between thousands, and a real minus sign.
fn thousands(number: &str) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |d| ("−", d));
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(w, f)| (w, Some(f)));
    let mut grouped = String::new();
    for (i, c) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 && whole.len() > 3 {
            grouped.push(',');
        }
        grouped.push(c);
    }
    let zero = digits.chars().all(|c| matches!(c, '0' | '.'));
    let sign = if zero { "" } else { sign };
    fraction.map_or_else(|| format!("{sign}{grouped}"), |f| format!("{sign}{grouped}.{f}"))
}

/// The rectangle of the data: y points upwards in values and downwards in px.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
    pub x: Axis,
    pub y: Axis,
}

/// Height below a frame for the tick labels, and for the name of the axis if it has one.
pub fn room_below(name: &str) -> f64 {
    if name.is_empty() { 24.0 } else { 44.0 }
}

impl Frame {
    /// The position of a point in px; NaN for a value without a place on a log axis.
    pub fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (self.left + self.x.place(x) * self.width, self.top + (1.0 - self.y.place(y)) * self.height)
    }

    pub fn bottom(&self) -> f64 {
        self.top + self.height
    }

    pub fn right(&self) -> f64 {
        self.left + self.width
    }

    /// Draws light lines across and labels at the left of `ticks`; `name` is above the axis, not rotated.
    pub fn draw_y(&self, svg: &mut Svg, ticks: &[f64], name: &str) {
        for (tick, label) in ticks.iter().zip(tick_labels(ticks)) {
            let y = self.at(self.x.lo, *tick).1;
            svg.line((self.left, y), (self.right(), y), Style::stroke(theme::GRID, 1.0));
            let text = Text::new(&label, theme::TICK).colour(theme::MUTED).anchor(Anchor::End).centred();
            svg.text(self.left - 7.0, y, text);
        }
        svg.text(theme::MARGIN, self.top - 12.0, Text::new(name, theme::LABEL).colour(theme::MUTED));
    }

    /// Draws the line at the bottom, short ticks, their labels, and `name` centred below them.
    pub fn draw_x(&self, svg: &mut Svg, ticks: &[f64], name: &str) {
        let y = self.bottom();
        svg.line((self.left, y), (self.right(), y), Style::stroke(theme::AXIS, 1.0));
        for (tick, label) in ticks.iter().zip(tick_labels(ticks)) {
            let x = self.at(*tick, self.y.lo).0;
            svg.line((x, y), (x, y + 4.0), Style::stroke(theme::AXIS, 1.0));
            let text = Text::new(&label, theme::TICK).colour(theme::MUTED).anchor(Anchor::Middle);
            svg.text(x, y + 17.0, text);
        }
        let text = Text::new(name, theme::LABEL).colour(theme::MUTED).anchor(Anchor::Middle);
        svg.text(self.left + self.width / 2.0, y + 37.0, text);
    }
}

/// The left edge of a frame that leaves room for the labels of its y ticks.
pub fn room_left(ticks: &[f64]) -> f64 {
    theme::MARGIN + text::widest(&tick_labels(ticks), theme::TICK) + 9.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within() {
        assert_eq!(ticks(0.0, 1.0, 5), [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
        assert_eq!(ticks(-3.0, 11.0, 4), [0.0, 5.0, 10.0]);
        assert_eq!(ticks(0.61, 0.64, 4), [0.61, 0.62, 0.63, 0.64]);
        assert_eq!(ticks(2.0, 2.0, 4), [2.0]);
        assert_eq!(whole_ticks(0.0, 2.0, 8), [0.0, 1.0, 2.0]);
        for (lo, hi) in [(1e300, 1.0001e300), (-1e308, 1e308), (0.0, f64::MIN_POSITIVE), (1e16, 1e16 + 4.0)] {
            assert!(ticks(lo, hi, 5).len() < 20, "{lo} {hi}");
        }
    }

    #[test]
    fn log_axes_tick_decades_or_finer() {
        assert_eq!(Axis::log(0.001, 1.0).ticks(5), [0.001, 0.01, 0.1, 1.0]);
        assert_eq!(Axis::log(1.0, 30.0).ticks(5), [1.0, 2.0, 5.0, 10.0, 20.0]);
        assert!(Axis::log(1e-30, 1e30).ticks(6).len() <= 6);
        assert!(Axis::log(1.0, 10.0).place(0.0).is_nan());
        assert!((Axis::log(1.0, 100.0).place(10.0) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn labels_align_and_read_well() {
        assert_eq!(tick_labels(&[0.0, 0.5, 1.0]), ["0.0", "0.5", "1.0"]);
        assert_eq!(tick_labels(&[0.0, 5000.0, 10000.0]), ["0", "5,000", "10,000"]);
        assert_eq!(tick_labels(&[-20.0, 0.0, 20.0]), ["−20", "0", "20"]);
        assert_eq!(tick_labels(&[0.0001, 0.001, 0.01, 0.1]), ["10⁻⁴", "10⁻³", "10⁻²", "10⁻¹"]);
        assert_eq!(tick_labels(&[0.01, 0.1, 1.0]), ["0.01", "0.1", "1"]);
        assert_eq!(tick_labels(&[0.0, 2e-5, 4e-5]), ["0", "2·10⁻⁵", "4·10⁻⁵"]);
        assert_eq!(short(0.012345, 3), "0.0123");
        assert_eq!(short(45174.0, 3), "45,174");
        assert_eq!(short(-0.5, 2), "−0.50");
    }

    #[test]
    fn one_value_stands_in_the_middle_of_its_axis() {
        for v in [0.0, 5.0, -2.0, 5e-324, 1e300] {
            assert!((Axis::exact(v, v).place(v) - 0.5).abs() < 1e-9);
        }
        assert_eq!(Axis::padded(0.0, 10.0).lo(), 0.0, "air does not cross zero");
        assert_eq!(Axis::neat(52.0, 92.0, 5).lo(), 50.0, "50 is a tick");
        assert!(Axis::neat(55.0, 92.0, 5).lo() < 55.0);
    }
}
