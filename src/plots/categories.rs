//! The names below the places of a categorical axis: level if they fit, slanted otherwise.

use super::axes::Frame;
use super::svg::{Anchor, Svg, Text};
use super::{text, theme};

pub struct Categories {
    lines: Vec<Vec<String>>,
    slanted: bool,
    /// Of so many names one is shown.
    every: usize,
    pub height: f64,
}

impl Categories {
    /// Names for places between `left`, or farther right where the first names need room, and the right margin of a
    /// figure; with the left edge of the places and their width.
    pub fn beside(names: &[String], left: f64, width: f64, height: f64) -> (Self, f64, f64) {
        let slot = |left: f64| (width - left - theme::MARGIN) / names.len() as f64;
        let first = Categories::new(names, slot(left), height);
        let left = left.max(first.overhang(slot(left)).min(width * 0.25));
        (Categories::new(names, slot(left), height), left, slot(left))
    }

    /// How far slanted names reach to the left of the first place.
    fn overhang(&self, slot: f64) -> f64 {
        if !self.slanted {
            return 0.0;
        }
        let reach = |(g, lines): (usize, &Vec<String>)| {
            text::width(&lines[0], theme::TICK, false) * 0.71 + 6.0 - (g as f64 + 0.5) * slot
        };
        self.lines.iter().enumerate().step_by(self.every).map(reach).fold(0.0, f64::max)
    }

    /// Names for places `slot` px apart, below a figure `height` px high.
    fn new(names: &[String], slot: f64, height: f64) -> Self {
        let limit = (slot - 6.0).max(1.0);
        let lines: Vec<Vec<String>> = names.iter().map(|n| text::wrap(n, theme::LABEL, false, limit)).collect();
        let cut = lines.iter().flatten().any(|l| l.ends_with('…'));
        let most = lines.iter().map(Vec::len).max().unwrap_or(1);
        if !cut && most <= 3 {
            let height = 10.0 + most as f64 * theme::LABEL * 1.25;
            return Categories { lines, slanted: false, every: 1, height };
        }
        let limit = height * 0.4;
        let lines: Vec<Vec<String>> = names.iter().map(|n| vec![text::fit(n, theme::TICK, false, limit)]).collect();
        let longest = lines.iter().map(|l| text::width(&l[0], theme::TICK, false)).fold(0.0, f64::max);
        // Lines of slanted text are 1 / cos 45° times their height apart along the axis.
        let every = (theme::TICK * 1.2 / slot.max(1e-3)).ceil().max(1.0) as usize;
        Categories { lines, slanted: true, every, height: longest * 0.71 + 22.0 }
    }

    /// A remark for readers if names are left out.
    pub fn note(&self) -> Option<String> {
        (self.every > 1).then(|| format!("One name in {} is shown.", self.every))
    }

    pub fn draw(&self, svg: &mut Svg, frame: &Frame, slot: f64) {
        for (g, lines) in self.lines.iter().enumerate().step_by(self.every) {
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
