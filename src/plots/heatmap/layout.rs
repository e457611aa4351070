//! Sizes and positions in a heat map: as large as its labels need, or as small as the given width and height require.

use super::matrix::Matrix;
use super::options::{FIGURE, HeatmapOptions};
use crate::error::{Error, Result};
use crate::plots::{text, theme, titles, validate};

/// Width and height of the colour bar, px.
pub const BAR: (f64, f64) = (190.0, 10.0);

/// Sizes and positions, in px.
pub struct Layout {
    pub width: f64,
    pub height: f64,
    pub left: f64,
    pub top: f64,
    pub bar: f64,
    pub cell_w: f64,
    pub cell_h: f64,
    /// The font of the labels; 0 if they would be too small to read.
    pub row_font: f64,
    pub col_font: f64,
    /// From the lower edge of the cells to the notes.
    pub below: f64,
    pub strip: f64,
    pub notes: String,
}

/// Labels smaller than this are left out.
const LEAST_FONT: f64 = 4.5;
/// The longest label, in multiples of the font size: about 26 letters.
pub const LONGEST_LABEL: f64 = 15.0;

impl Layout {
    pub fn new(
        matrix: &Matrix,
        parts: &[Vec<usize>],
        part_names: &[String],
        notes: String,
        options: &HeatmapOptions,
    ) -> Result<Self> {
        let (n, m) = (matrix.n as f64, matrix.m as f64);
        // Square cells; with few rows and many columns or the reverse, cells are at least 14 px in the long direction.
        let usual = |count: f64| (900.0 / count).max(7.0).min(1400.0 / count).min(44.0);
        let (usual_w, usual_h) = (usual(m), usual(n));
        let square = usual_w.min(usual_h);
        let (usual_w, usual_h) = (square.max(usual_w.min(14.0)), square.max(usual_h.min(14.0)));
        let font = |cell: f64| match matrix.block > 1 || cell * 0.84 < LEAST_FONT {
            true => 0.0,
            false => (cell * 0.84).min(theme::LABEL),
        };
        let label_room = |labels: &[String], font: f64| match font > 0.0 {
            true => text::widest(labels, font).min(LONGEST_LABEL * font) + 6.0,
            false => 0.0,
        };
        let strip = if parts.is_empty() { 0.0 } else { 7.0 };
        let captions: Vec<String> = parts.iter().zip(part_names).map(|(p, name)| caption(name, p.len())).collect();
        let right = match captions.is_empty() {
            true => theme::MARGIN,
            false => text::widest(&captions, theme::LABEL) + 12.0 + theme::MARGIN,
        };
        let given = |name, value| validate::size(FIGURE, name, value, f64::INFINITY);
        let (max_width, max_height) = (given("width", options.width)?, given("height", options.height)?);
        let (mut cell_w, mut cell_h) = (usual_w, usual_h);
        // The labels' room follows from the cells and the cells from the room; it settles at once.
        for _ in 0..6 {
            let left = theme::MARGIN + label_room(&matrix.rows, font(cell_h)) + strip;
            if max_width.is_finite() {
                cell_w = ((max_width - left - right) / m).max(0.1);
            }
            let across = max_width.min(left + m * cell_w + right);
            let header = titles::header_height(&options.title, &options.subtitle, across);
            let above = header.max(bar_top(options, across) + BAR_ROOM);
            let below = strip + label_room(&matrix.cols, font(cell_w)) + titles::notes_height(&notes, 400.0);
            if max_height.is_finite() {
                cell_h = ((max_height - above - below - theme::MARGIN) / n).max(0.1);
            }
            (cell_w, cell_h) = match (max_width.is_finite(), max_height.is_finite()) {
                (true, true) if n == m => (cell_w.min(cell_h), cell_w.min(cell_h)),
                (true, false) if n == m => (cell_w, cell_w),
                (false, true) if n == m => (cell_h, cell_h),
                // The side that is not given follows the other within limits.
                (true, false) => (cell_w, cell_w.max(usual_h.min(14.0)).min(usual(n))),
                (false, true) => (cell_h.max(usual_w.min(14.0)).min(usual(m)), cell_h),
                _ => (cell_w, cell_h),
            };
        }
        if cell_w * m < 8.0 || cell_h * n < 8.0 {
            let what = format!("{FIGURE} has no room for {} × {} cells beside its labels", matrix.n, matrix.m);
            return Err(Error::argument(what).with_help("give a greater width or height, or leave them out"));
        }
        let (row_font, col_font) = (font(cell_h), font(cell_w));
        let left = theme::MARGIN + label_room(&matrix.rows, row_font) + strip;
        let natural = left + cell_w * m + right;
        let width = options.width.unwrap_or(natural.max(BAR.0 + 2.0 * theme::MARGIN + 120.0));
        let header = titles::header_height(&options.title, &options.subtitle, width);
        let bar = bar_top(options, width);
        let top = header.max(bar + BAR_ROOM);
        let below = strip + label_room(&matrix.cols, col_font);
        let natural = top + cell_h * n + below + titles::notes_height(&notes, width) + theme::MARGIN;
        let height = options.height.unwrap_or(natural).max(natural);
        Ok(Layout { width, height, left, top, bar, cell_w, cell_h, row_font, col_font, below, strip, notes })
    }
}

/// From the upper edge of the bar to the cells.
const BAR_ROOM: f64 = 38.0;

/// The y of the colour bar: next to the title and subtitle if they leave room for it, below them otherwise.
fn bar_top(options: &HeatmapOptions, width: f64) -> f64 {
    let taken =
        text::width(&options.title, theme::TITLE, true).max(text::width(&options.subtitle, theme::LABEL, false));
    let unit = text::width(&options.unit, theme::NOTE, false);
    let below = titles::header_height(&options.title, &options.subtitle, width);
    match theme::MARGIN * 2.0 + taken + 40.0 + unit + BAR.0 <= width {
        true => (below - BAR_ROOM + 6.0).max(theme::MARGIN),
        false => below,
    }
}

pub fn caption(name: &str, labels: usize) -> String {
    format!("{name} ({labels})")
}
