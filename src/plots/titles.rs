//! Titles above and notes below the data of a figure.

use super::svg::{Svg, Text};
use super::{text, theme};

/// The height of the title and subtitle of a figure `width` px wide, top margin included.
pub fn header_height(title: &str, subtitle: &str, width: f64) -> f64 {
    let lines = |s: &str, size: f64, bold: bool| text::wrap(s, size, bold, width - 2.0 * theme::MARGIN).len() as f64;
    let mut y = theme::MARGIN;
    if !title.is_empty() {
        y += lines(title, theme::TITLE, true) * theme::TITLE * 1.3;
    }
    if !subtitle.is_empty() {
        y += lines(subtitle, theme::LABEL, false) * theme::LABEL * 1.4 + 2.0;
    }
    if y > theme::MARGIN { y + 8.0 } else { y }
}

/// Draws the title, bold, and the subtitle, both wrapped and left-aligned; returns the y below them.
pub fn header(svg: &mut Svg, title: &str, subtitle: &str, width: f64) -> f64 {
    let mut y = theme::MARGIN;
    for line in text::wrap(title, theme::TITLE, true, width - 2.0 * theme::MARGIN) {
        svg.text(theme::MARGIN, y + theme::TITLE * 0.95, Text::new(&line, theme::TITLE).bold());
        y += theme::TITLE * 1.3;
    }
    if !subtitle.is_empty() {
        y += 2.0;
        for line in text::wrap(subtitle, theme::LABEL, false, width - 2.0 * theme::MARGIN) {
            svg.text(theme::MARGIN, y + theme::LABEL, Text::new(&line, theme::LABEL).colour(theme::MUTED));
            y += theme::LABEL * 1.4;
        }
    }
    header_height(title, subtitle, width)
}

/// The height of notes wrapped to `width`.
pub fn notes_height(notes: &str, width: f64) -> f64 {
    match text::wrap(notes, theme::NOTE, false, width - 2.0 * theme::MARGIN).len() {
        0 => 0.0,
        lines => lines as f64 * theme::NOTE * 1.4 + 6.0,
    }
}

/// Draws notes in small print from `y` downwards.
pub fn notes(svg: &mut Svg, notes: &str, y: f64, width: f64) {
    for (i, line) in text::wrap(notes, theme::NOTE, false, width - 2.0 * theme::MARGIN).iter().enumerate() {
        svg.text(
            theme::MARGIN,
            y + 6.0 + theme::NOTE + i as f64 * theme::NOTE * 1.4,
            Text::new(line, theme::NOTE).colour(theme::MUTED),
        );
    }
}
