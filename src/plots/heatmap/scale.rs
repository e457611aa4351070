//! The colour scale of a heat map, and its bar.

use super::layout::{BAR, Layout};
use super::matrix::Matrix;
use super::options::{FIGURE, HeatmapOptions};
use crate::error::{Error, Result};
use crate::plots::axes::{self, Axis};
use crate::plots::colours::{Colour, Ramp};
use crate::plots::svg::{Anchor, Style, Svg, Text};
use crate::plots::{text, theme, validate};

/// Maps values to colours.
pub struct Scale {
    axis: Axis,
    ramp: Ramp,
    log: bool,
    /// Whether there are values beyond the lower and the upper end.
    beyond: (bool, bool),
    absent: bool,
    zeros: bool,
}

impl Scale {
    pub fn new(matrix: &Matrix, options: &HeatmapOptions) -> Result<Self> {
        let all = || matrix.values.iter().copied();
        let (least, greatest) = validate::range(FIGURE, "values", all())?;
        for (name, v) in [("vmin", options.vmin), ("vmax", options.vmax)] {
            if let Some(v) = v
                && !v.is_finite()
            {
                return Err(Error::argument(format!("the {name} of {FIGURE} must be a finite number; got {v}")));
            }
        }
        let least_shown = match options.log {
            false => least,
            true => {
                let positive = all().filter(|v| *v > 0.0);
                validate::range(FIGURE, "values greater than 0, which log: true asks for", positive)?.0
            }
        };
        let both_signs = !options.log && least < 0.0 && greatest > 0.0;
        let ramp = options.colours.unwrap_or(if both_signs { Ramp::Diverging } else { Ramp::Paper });
        let (mut lo, mut hi) = (options.vmin.unwrap_or(least_shown), options.vmax.unwrap_or(greatest));
        if ramp == Ramp::Diverging && both_signs {
            // White is 0 unless both ends are given.
            let reach = match (options.vmin, options.vmax) {
                (Some(v), None) | (None, Some(v)) => v.abs(),
                _ => lo.abs().max(hi.abs()),
            };
            (lo, hi) = (options.vmin.unwrap_or(-reach), options.vmax.unwrap_or(reach));
        }
        if options.log && lo <= 0.0 {
            return Err(Error::argument(format!("with log: true, the vmin of {FIGURE} must be above 0; got {lo}")));
        }
        if lo > hi || (lo == hi && (options.vmin.is_some() || options.vmax.is_some())) {
            return Err(Error::argument(format!("the vmin of {FIGURE} must be below its vmax; got {lo} and {hi}")));
        }
        if lo == hi && !options.log {
            // All values are equal: the scale begins or ends at 0.
            (lo, hi) = if lo == 0.0 { (0.0, 1.0) } else { (lo.min(0.0), hi.max(0.0)) };
        }
        Ok(Scale {
            axis: if options.log { Axis::log(lo, hi) } else { Axis::exact(lo, hi) },
            ramp,
            log: options.log,
            beyond: (least_shown < lo, greatest > hi),
            absent: all().any(|v| !v.is_finite()),
            zeros: options.log && least <= 0.0,
        })
    }

    pub fn of(&self, value: f64) -> Colour {
        match value {
            v if !v.is_finite() => theme::ABSENT,
            v if self.log && v <= 0.0 => theme::PAPER,
            v => self.ramp.at(self.axis.place(v)),
        }
    }

    /// Draws the bar at the top right, with its ticks below.
    pub fn draw_bar(&self, svg: &mut Svg, layout: &Layout, unit: &str) {
        let (w, h) = (BAR.0.min(layout.width - 2.0 * theme::MARGIN), BAR.1);
        let (x, y) = (layout.width - theme::MARGIN - w, layout.bar);
        svg.crisp(|svg| {
            for step in 0..96 {
                let t = f64::from(step) / 96.0;
                svg.rect(x + t * w, y, w / 96.0 + 0.5, h, Style::fill(self.ramp.at(t + 0.5 / 96.0)));
            }
        });
        svg.rect(x, y, w, h, Style::stroke(theme::AXIS, 0.75));
        let ticks = self.axis.ticks(5);
        let labels = axes::tick_labels(&ticks);
        let (first, last) = (ticks.first().copied(), ticks.last().copied());
        for (tick, label) in ticks.iter().zip(labels) {
            let at = self.axis.place(*tick);
            // A tick at the end of the bar shows whether there are values beyond it.
            let label = match () {
                () if self.beyond.0 && Some(*tick) == first && at < 0.01 => format!("≤ {label}"),
                () if self.beyond.1 && Some(*tick) == last && at > 0.99 => format!("≥ {label}"),
                () => label,
            };
            let px = x + at * w;
            svg.line((px, y + h), (px, y + h + 3.0), Style::stroke(theme::AXIS, 0.75));
            let half = text::width(&label, theme::NOTE, false) / 2.0;
            let px = px.clamp(x, (layout.width - 4.0 - half).max(x));
            svg.text(px, y + h + 14.0, Text::new(&label, theme::NOTE).colour(theme::MUTED).anchor(Anchor::Middle));
        }
        let text = Text::new(unit, theme::NOTE).colour(theme::MUTED).anchor(Anchor::End).centred();
        svg.text(x - 10.0, y + h / 2.0, text);
    }

    pub fn notes(&self, matrix: &Matrix, hidden_diagonal: bool) -> String {
        let mut notes = Vec::new();
        if self.zeros {
            notes.push("White: 0 or less.".to_string());
        }
        let finite_diagonal = !hidden_diagonal
            || (0..matrix.n * matrix.m).any(|at| !matrix.values[at].is_finite() && at / matrix.m != at % matrix.m);
        if self.absent && finite_diagonal {
            notes.push("Grey: no value.".to_string());
        }
        if matrix.block > 1 {
            notes.push(format!("Each cell is the mean of {0} × {0} values.", matrix.block));
        }
        notes.join(" ")
    }
}
