//! The look that all figures share: paper, ink, fonts, sizes.

use super::colours::Colour;

pub const PAPER: Colour = Colour(255, 255, 255);
pub const INK: Colour = Colour(0x1f, 0x23, 0x28);
/// Tick labels, notes and other explanations.
pub const MUTED: Colour = Colour(0x5f, 0x68, 0x70);
pub const AXIS: Colour = Colour(0x9a, 0xa1, 0xa9);
pub const GRID: Colour = Colour(0xe7, 0xe9, 0xec);
/// Cells and marks without a value.
pub const ABSENT: Colour = Colour(0xd5, 0xd8, 0xdc);

/// The first is embedded for PNG; the others are fallbacks of about the same width for browsers that lack it.
pub const FONTS: &str = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif";

pub const TITLE: f64 = 15.0;
pub const LABEL: f64 = 11.5;
pub const TICK: f64 = 10.5;
pub const NOTE: f64 = 10.0;
/// White space around the figure.
pub const MARGIN: f64 = 18.0;
