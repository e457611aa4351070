//! The look that all figures share: paper, ink, sizes, the title, notes.

use super::colours::Colour;
use super::svg::{Svg, Text};
use super::text;

pub const PAPER: Colour = Colour(255, 255, 255);
pub const INK: Colour = Colour(0x1f, 0x23, 0x28);
/// Tick labels, notes, everything that explains.
pub const MUTED: Colour = Colour(0x5f, 0x68, 0x70);
pub const AXIS: Colour = Colour(0x9a, 0xa1, 0xa9);
pub const GRID: Colour = Colour(0xe7, 0xe9, 0xec);
/// Cells and marks that have no value.
pub const ABSENT: Colour = Colour(0xd5, 0xd8, 0xdc);

/// The first is embedded for PNG; the others stand in where a browser lacks it, and are about as wide.
pub const FONTS: &str = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif";

pub const TITLE: f64 = 15.0;
pub const LABEL: f64 = 11.5;
pub const TICK: f64 = 10.5;
pub const NOTE: f64 = 10.0;
/// White around everything.
pub const MARGIN: f64 = 18.0;

/// Where the title and subtitle of a figure `width` px wide end, before it is drawn.
pub fn header_height(title: &str, subtitle: &str, width: f64) -> f64 {
    let lines = |s: &str, size: f64, bold: bool| text::wrap(s, size, bold, width - 2.0 * MARGIN).len() as f64;
    let mut y = MARGIN;
    if !title.is_empty() {
        y += lines(title, TITLE, true) * TITLE * 1.3;
    }
    if !subtitle.is_empty() {
        y += lines(subtitle, LABEL, false) * LABEL * 1.4 + 2.0;
    }
    if y > MARGIN { y + 8.0 } else { y }
}

/// Draws the title, bold, and the subtitle, both from the left edge and wrapped; gives the y below them.
pub fn header(svg: &mut Svg, title: &str, subtitle: &str, width: f64) -> f64 {
    let mut y = MARGIN;
    for line in text::wrap(title, TITLE, true, width - 2.0 * MARGIN) {
        svg.text(MARGIN, y + TITLE * 0.95, Text::new(&line, TITLE).bold());
        y += TITLE * 1.3;
    }
    if !subtitle.is_empty() {
        y += 2.0;
        for line in text::wrap(subtitle, LABEL, false, width - 2.0 * MARGIN) {
            svg.text(MARGIN, y + LABEL, Text::new(&line, LABEL).colour(MUTED));
            y += LABEL * 1.4;
        }
    }
    header_height(title, subtitle, width)
}

/// The height of notes wrapped to `width`.
pub fn notes_height(notes: &str, width: f64) -> f64 {
    match text::wrap(notes, NOTE, false, width - 2.0 * MARGIN).len() {
        0 => 0.0,
        lines => lines as f64 * NOTE * 1.4 + 6.0,
    }
}

/// Small print from `y` downwards.
pub fn notes(svg: &mut Svg, notes: &str, y: f64, width: f64) {
    for (i, line) in text::wrap(notes, NOTE, false, width - 2.0 * MARGIN).iter().enumerate() {
        svg.text(MARGIN, y + 6.0 + NOTE + i as f64 * NOTE * 1.4, Text::new(line, NOTE).colour(MUTED));
    }
}
