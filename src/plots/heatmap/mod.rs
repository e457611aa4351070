//! A matrix as colours, its labels in the order of their parts and the parts outlined.

mod layout; // sizes and positions
mod matrix; // the values as they are drawn
mod options;
mod scale; // from values to colours, and the colour bar

pub use self::options::HeatmapOptions;

use self::layout::{LONGEST_LABEL, Layout, caption};
use self::matrix::Matrix;
use self::options::FIGURE;
use self::scale::Scale;
use super::colours::qualitative;
use super::figure::{Figure, encode_png};
use super::svg::{Anchor, Style, Svg, Text};
use super::{axes, text, theme, titles, validate};
use crate::error::{Error, Result};

/// Matrices with more cells than this are drawn as one picture, not as one rectangle per cell.
const MOST_RECTANGLES: usize = 10_000;

/// Draws `values` row by row (n × m; NaN is a missing value) with labels and a colour bar.
///
/// With `groups`, the part of each label of a square matrix, rows and columns are sorted by part, and the parts are
/// outlined. More than 1,000 rows or columns are averaged in blocks.
///
/// Errors: Argument for lengths that disagree, no finite value, `groups` for a matrix that is not square, `vmin` not
/// below `vmax`, `log` without a positive value.
pub fn heatmap(
    values: &[f64],
    row_labels: &[String],
    col_labels: &[String],
    groups: Option<&[usize]>,
    options: &HeatmapOptions,
) -> Result<Figure> {
    let (n, m) = (row_labels.len(), col_labels.len());
    validate::count(FIGURE, "row", n, 1_000_000)?;
    validate::count(FIGURE, "column", m, 1_000_000)?;
    validate::length(FIGURE, "values", values.len(), n * m, &format!("{n} rows × {m} columns"))?;
    let parts = match groups {
        Some(_) if n != m => {
            let what = format!("{FIGURE} can only group the labels of a square matrix; got {n} rows and {m} columns");
            return Err(Error::argument(what));
        }
        Some(groups) => validate::parts(FIGURE, groups, n)?,
        None => Vec::new(),
    };
    let matrix = Matrix::new(values, row_labels, col_labels, &parts, options)?;
    let scale = Scale::new(&matrix, options)?;
    let names = validate::part_names(FIGURE, &options.group_names, parts.len())?;
    let layout = Layout::new(&matrix, &parts, &names, scale.notes(&matrix, options.hide_diagonal), options)?;
    let mut svg = Svg::new(layout.width, layout.height);
    titles::header(&mut svg, &options.title, &options.subtitle, layout.width);
    scale.draw_bar(&mut svg, &layout, &options.unit);
    draw_cells(&mut svg, &matrix, &scale, &layout)?;
    draw_numbers(&mut svg, &matrix, &scale, &layout, options);
    draw_labels(&mut svg, &matrix, &parts, &layout);
    draw_parts(&mut svg, &parts, &names, &layout, matrix.block);
    titles::notes(&mut svg, &layout.notes, layout.top + layout.cell_h * matrix.n as f64 + layout.below, layout.width);
    let title = if options.title.is_empty() { FIGURE } else { &options.title };
    Ok(svg.finish(title))
}

fn draw_cells(svg: &mut Svg, matrix: &Matrix, scale: &Scale, layout: &Layout) -> Result<()> {
    let (w, h) = (layout.cell_w * matrix.m as f64, layout.cell_h * matrix.n as f64);
    if matrix.values.len() > MOST_RECTANGLES {
        let rgb: Vec<u8> = matrix.values.iter().map(|v| scale.of(*v)).flat_map(|c| [c.0, c.1, c.2]).collect();
        let png = encode_png(&rgb, matrix.m as u32, matrix.n as u32)?;
        svg.image(layout.left, layout.top, w, h, &png, true);
    } else {
        // White lines separate large cells; small ones touch.
        let gap = if layout.cell_w.min(layout.cell_h) >= 16.0 { 1.0 } else { 0.0 };
        svg.crisp(|svg| {
            // Edges on half px, which are the pixels of a PNG, so that all cells look the same and touch.
            let edge = |start: f64, cell: f64, i: usize| ((start + i as f64 * cell) * 2.0).round() / 2.0;
            for (at, value) in matrix.values.iter().enumerate() {
                let colour = scale.of(*value);
                if colour != theme::PAPER {
                    let (i, j) = (at / matrix.m, at % matrix.m);
                    let (x, y) = (edge(layout.left, layout.cell_w, j), edge(layout.top, layout.cell_h, i));
                    let w = edge(layout.left, layout.cell_w, j + 1) - x - gap;
                    let h = edge(layout.top, layout.cell_h, i + 1) - y - gap;
                    svg.rect(x, y, w, h, Style::fill(colour));
                }
            }
        });
    }
    svg.rect(layout.left, layout.top, w, h, Style::stroke(theme::GRID, 1.0));
    Ok(())
}

fn draw_numbers(svg: &mut Svg, matrix: &Matrix, scale: &Scale, layout: &Layout, options: &HeatmapOptions) {
    let labels: Vec<String> = match options.cell_text {
        Some(false) => return,
        None if layout.cell_w < 24.0 || layout.cell_h < 14.0 || matrix.values.len() > 900 => return,
        _ if matrix.values.len() > MOST_RECTANGLES => return,
        _ => cell_labels(&matrix.values),
    };
    let wide = text::widest(&labels, 1.0).max(0.1);
    let font = ((layout.cell_w - 4.0) / wide).min(layout.cell_h * 0.6).min(theme::LABEL);
    if options.cell_text.is_none() && font < 6.5 {
        return;
    }
    for (at, (value, label)) in matrix.values.iter().zip(&labels).enumerate() {
        if value.is_finite() {
            let dark = scale.of(*value).lightness() < 0.62;
            let ink = if dark { theme::PAPER } else { theme::INK };
            let x = layout.left + ((at % matrix.m) as f64 + 0.5) * layout.cell_w;
            let y = layout.top + ((at / matrix.m) as f64 + 0.5) * layout.cell_h;
            svg.text(x, y, Text::new(label, font).colour(ink).anchor(Anchor::Middle).centred());
        }
    }
}

/// The numbers of one matrix with the same decimals, at least two significant digits of the greatest.
fn cell_labels(values: &[f64]) -> Vec<String> {
    let most = values.iter().filter(|v| v.is_finite()).fold(0.0f64, |m, v| m.max(v.abs()));
    if values.iter().all(|v| !v.is_finite() || v.fract() == 0.0) && most < 1e9 {
        return values.iter().map(|v| axes::short(*v, 1)).collect();
    }
    if !(1e-3..1e6).contains(&most) {
        return values.iter().map(|v| axes::short(*v, 2)).collect();
    }
    let decimals = (1 - most.log10().floor() as i32).clamp(0, 4) as usize;
    values.iter().map(|v| format!("{v:.decimals$}").replace('-', "−")).collect()
}

fn draw_labels(svg: &mut Svg, matrix: &Matrix, parts: &[Vec<usize>], layout: &Layout) {
    let ink = |i: usize| match parts.is_empty() {
        true => theme::INK,
        false => qualitative(matrix.part_of[i]).as_ink(),
    };
    if layout.row_font > 0.0 {
        for (i, label) in matrix.rows.iter().enumerate() {
            let label = text::fit(label, layout.row_font, false, LONGEST_LABEL * layout.row_font);
            let text = Text::new(&label, layout.row_font).colour(ink(i)).anchor(Anchor::End).centred();
            svg.text(layout.left - layout.strip - 5.0, layout.top + (i as f64 + 0.5) * layout.cell_h, text);
        }
    }
    if layout.col_font > 0.0 {
        let y = layout.top + layout.cell_h * matrix.n as f64 + layout.strip + 5.0;
        // Short names are not rotated.
        let upright = text::widest(&matrix.cols, layout.col_font) <= layout.cell_w - 4.0;
        for (j, label) in matrix.cols.iter().enumerate() {
            let x = layout.left + (j as f64 + 0.5) * layout.cell_w;
            let label = text::fit(label, layout.col_font, false, LONGEST_LABEL * layout.col_font);
            let text = Text::new(&label, layout.col_font).colour(ink(j));
            match upright {
                true => svg.text(x, y + layout.col_font, text.anchor(Anchor::Middle)),
                false => svg.text(x, y, text.anchor(Anchor::End).rotated(-90.0).centred()),
            }
        }
    }
}

/// Draws coloured strips next to the labels, an outline around the square of each part, and its name at the right.
fn draw_parts(svg: &mut Svg, parts: &[Vec<usize>], names: &[String], layout: &Layout, block: usize) {
    let (w, h) = (layout.cell_w / block as f64, layout.cell_h / block as f64);
    let labels: usize = parts.iter().map(Vec::len).sum();
    let (right, bottom) = (layout.left + w * labels as f64, layout.top + h * labels as f64);
    let mut first = 0.0;
    let mut next_name = f64::NEG_INFINITY;
    // If not all names have room, only large parts are named.
    let all_named = parts.len() as f64 * theme::LABEL * 1.3 <= h * labels as f64;
    for (p, part) in parts.iter().enumerate() {
        let (colour, size) = (qualitative(p), part.len() as f64);
        let (x, y) = (layout.left + first * w, layout.top + first * h);
        svg.rect(layout.left - layout.strip, y + 0.5, 4.0, (size * h - 1.0).max(1.0), Style::fill(colour));
        svg.rect(x + 0.5, bottom + 3.0, (size * w - 1.0).max(1.0), 4.0, Style::fill(colour));
        if p > 0 {
            let faint = Style::stroke(theme::AXIS, 0.6).dashed(2.5);
            svg.line((layout.left, y), (right, y), faint);
            svg.line((x, layout.top), (x, bottom), faint);
        }
        if all_named || size * h >= theme::LABEL * 1.3 {
            let middle = (y + size * h / 2.0).max(next_name);
            next_name = middle + theme::LABEL * 1.3;
            let name = caption(&names[p], part.len());
            svg.text(right + 10.0, middle, Text::new(&name, theme::LABEL).colour(colour.as_ink()).bold().centred());
        }
        first += size;
    }
    // In a second pass, so that the outlines are on top of all dashes.
    let mut first = 0.0;
    for (p, part) in parts.iter().enumerate() {
        let size = part.len() as f64;
        let (x, y) = (layout.left + first * w, layout.top + first * h);
        svg.rect(x, y, size * w, size * h, Style::stroke(qualitative(p), (size * h * 0.2).min(2.0)));
        first += size;
    }
}
