//! A matrix as colours, its labels in the order of their parts and the parts outlined.

use serde::{Deserialize, Serialize};

use super::axes::{self, Axis};
use super::colours::{Colour, Ramp, qualitative};
use super::figure::{Figure, encode_png};
use super::heatmap_layout::{BAR, LONGEST_LABEL, Layout, caption};
use super::svg::{Anchor, Style, Svg, Text};
use super::{check, text, theme};
use crate::activity::interrupt;
use crate::error::{Error, Result};

/// How a [`heatmap`] looks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeatmapOptions {
    /// Bold, above the figure.
    pub title: String,
    /// Below the title.
    pub subtitle: String,
    /// In px; as wide as the labels need where it is not given.
    pub width: Option<f64>,
    /// In px.
    pub height: Option<f64>,
    /// Colours by the logarithm; values of 0 and less are white.
    pub log: bool,
    /// The value of the first colour; smaller ones have it too.
    pub vmin: Option<f64>,
    /// The value of the last colour; greater ones have it too.
    pub vmax: Option<f64>,
    /// Which colours; `"paper"`, or `"diverging"` around 0 where there are values on both sides of it.
    pub colours: Option<Ramp>,
    /// What the colours measure, beside their bar.
    pub unit: String,
    /// Numbers in the cells; where they can be read unless given.
    pub cell_text: Option<bool>,
    /// Leaves the diagonal of a square matrix grey and out of the range of the colours.
    pub hide_diagonal: bool,
    /// Within a part, labels of the greatest sum of values first; otherwise in the order given.
    pub strongest_first: bool,
    /// Names of the parts; `part 1` and so on where none are given.
    pub group_names: Vec<String>,
}

pub(super) const FIGURE: &str = "heatmap";
/// More rows or columns than this are averaged in blocks.
const MOST_CELLS: usize = 1000;
/// More cells than this are one picture, not a rectangle each.
const MOST_RECTANGLES: usize = 10_000;

/// `values` row by row (n × m), NaN where there is none, as a figure with labels and a colour bar.
///
/// With `groups`, the part of each label of a square matrix, rows and columns are put in the order of their parts,
/// and the parts outlined. More than 1,000 rows or columns are averaged in blocks.
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
    check::count(FIGURE, "row", n, 1_000_000)?;
    check::count(FIGURE, "column", m, 1_000_000)?;
    check::length(FIGURE, "values", values.len(), n * m, &format!("{n} rows × {m} columns"))?;
    let parts = match groups {
        Some(_) if n != m => {
            let what = format!("{FIGURE} can only group the labels of a square matrix; got {n} rows and {m} columns");
            return Err(Error::argument(what));
        }
        Some(groups) => check::parts(FIGURE, groups, n)?,
        None => Vec::new(),
    };
    let matrix = Matrix::new(values, row_labels, col_labels, &parts, options)?;
    let colours = Colours::new(&matrix, options)?;
    let names = check::part_names(FIGURE, &options.group_names, parts.len())?;
    let layout = Layout::new(&matrix, &parts, &names, colours.notes(&matrix, options.hide_diagonal), options)?;
    let mut svg = Svg::new(layout.width, layout.height);
    theme::header(&mut svg, &options.title, &options.subtitle, layout.width);
    colours.draw_bar(&mut svg, &layout, &options.unit);
    draw_cells(&mut svg, &matrix, &colours, &layout)?;
    draw_numbers(&mut svg, &matrix, &colours, &layout, options);
    draw_labels(&mut svg, &matrix, &parts, &layout);
    draw_parts(&mut svg, &parts, &names, &layout, matrix.block);
    theme::notes(&mut svg, &layout.notes, layout.top + layout.cell_h * matrix.n as f64 + layout.below, layout.width);
    let title = if options.title.is_empty() { FIGURE } else { &options.title };
    Ok(svg.finish(title))
}

/// The values as they are drawn: in order, in blocks where there are too many.
pub(super) struct Matrix {
    pub n: usize,
    pub m: usize,
    values: Vec<f64>,
    pub rows: Vec<String>,
    pub cols: Vec<String>,
    /// The part of each row and column, by its place among the parts.
    part_of: Vec<usize>,
    /// Rows and columns that one cell stands for.
    pub block: usize,
}

impl Matrix {
    fn new(
        values: &[f64],
        rows: &[String],
        cols: &[String],
        parts: &[Vec<usize>],
        options: &HeatmapOptions,
    ) -> Result<Self> {
        let (n, m) = (rows.len(), cols.len());
        let strength = |i: usize| (0..m).map(|j| values[i * m + j]).filter(|v| v.is_finite()).sum::<f64>();
        let (order, columns): (Vec<usize>, Vec<usize>) = if parts.is_empty() {
            ((0..n).collect(), (0..m).collect())
        } else {
            let mut order = Vec::with_capacity(n);
            for part in parts {
                let mut part = part.clone();
                if options.strongest_first {
                    part.sort_by(|a, b| strength(*b).total_cmp(&strength(*a)).then(a.cmp(b)));
                }
                order.extend(part);
            }
            (order.clone(), order)
        };
        let mut part_of = vec![0; n];
        let mut next = 0;
        for (p, part) in parts.iter().enumerate() {
            part_of[next..next + part.len()].fill(p);
            next += part.len();
        }
        let value = |i: usize, j: usize| match options.hide_diagonal && n == m && order[i] == columns[j] {
            true => f64::NAN,
            false => values[order[i] * m + columns[j]],
        };
        let block = n.max(m).div_ceil(MOST_CELLS);
        let (blocks_n, blocks_m) = (n.div_ceil(block), m.div_ceil(block));
        let mut averaged = Vec::with_capacity(blocks_n * blocks_m);
        for i in 0..blocks_n {
            interrupt::check()?;
            for j in 0..blocks_m {
                let (mut sum, mut count) = (0.0, 0.0);
                for a in i * block..((i + 1) * block).min(n) {
                    for b in j * block..((j + 1) * block).min(m) {
                        let v = value(a, b);
                        if v.is_finite() {
                            (sum, count) = (sum + v, count + 1.0);
                        }
                    }
                }
                averaged.push(if count > 0.0 { sum / count } else { f64::NAN });
            }
        }
        Ok(Matrix {
            n: blocks_n,
            m: blocks_m,
            values: averaged,
            rows: order.iter().map(|i| rows[*i].clone()).collect(),
            cols: columns.iter().map(|j| cols[*j].clone()).collect(),
            part_of: if parts.is_empty() { Vec::new() } else { part_of },
            block,
        })
    }
}

/// From values to colours.
struct Colours {
    axis: Axis,
    ramp: Ramp,
    log: bool,
    /// Values beyond the two ends.
    beyond: (bool, bool),
    absent: bool,
    zeros: bool,
}

impl Colours {
    fn new(matrix: &Matrix, options: &HeatmapOptions) -> Result<Self> {
        let all = || matrix.values.iter().copied();
        let (least, greatest) = check::range(FIGURE, "values", all())?;
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
                check::range(FIGURE, "values greater than 0, which log: true asks for", positive)?.0
            }
        };
        let both_signs = !options.log && least < 0.0 && greatest > 0.0;
        let ramp = options.colours.unwrap_or(if both_signs { Ramp::Diverging } else { Ramp::Paper });
        let (mut lo, mut hi) = (options.vmin.unwrap_or(least_shown), options.vmax.unwrap_or(greatest));
        if ramp == Ramp::Diverging && both_signs {
            // White is 0 unless both ends are asked for.
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
            // All values are equal: seen from 0.
            (lo, hi) = if lo == 0.0 { (0.0, 1.0) } else { (lo.min(0.0), hi.max(0.0)) };
        }
        Ok(Colours {
            axis: if options.log { Axis::log(lo, hi) } else { Axis::exact(lo, hi) },
            ramp,
            log: options.log,
            beyond: (least_shown < lo, greatest > hi),
            absent: all().any(|v| !v.is_finite()),
            zeros: options.log && least <= 0.0,
        })
    }

    fn of(&self, value: f64) -> Colour {
        match value {
            v if !v.is_finite() => theme::ABSENT,
            v if self.log && v <= 0.0 => theme::PAPER,
            v => self.ramp.at(self.axis.place(v)),
        }
    }

    /// The bar at the top right, its ticks below it.
    fn draw_bar(&self, svg: &mut Svg, layout: &Layout, unit: &str) {
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
            // A bar that ends on a tick says which side of it has more.
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

    fn notes(&self, matrix: &Matrix, hidden_diagonal: bool) -> String {
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

fn draw_cells(svg: &mut Svg, matrix: &Matrix, colours: &Colours, layout: &Layout) -> Result<()> {
    let (w, h) = (layout.cell_w * matrix.m as f64, layout.cell_h * matrix.n as f64);
    if matrix.values.len() > MOST_RECTANGLES {
        let rgb: Vec<u8> = matrix.values.iter().map(|v| colours.of(*v)).flat_map(|c| [c.0, c.1, c.2]).collect();
        let png = encode_png(&rgb, matrix.m as u32, matrix.n as u32)?;
        svg.image(layout.left, layout.top, w, h, &png, true);
    } else {
        // White lines between large cells; small ones touch.
        let gap = if layout.cell_w.min(layout.cell_h) >= 16.0 { 1.0 } else { 0.0 };
        svg.crisp(|svg| {
            // Edges on half px, where the PNG's pixels are: all cells look the same and touch.
            let edge = |start: f64, cell: f64, i: usize| ((start + i as f64 * cell) * 2.0).round() / 2.0;
            for (at, value) in matrix.values.iter().enumerate() {
                let colour = colours.of(*value);
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

fn draw_numbers(svg: &mut Svg, matrix: &Matrix, colours: &Colours, layout: &Layout, options: &HeatmapOptions) {
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
            let dark = colours.of(*value).lightness() < 0.62;
            let ink = if dark { theme::PAPER } else { theme::INK };
            let x = layout.left + ((at % matrix.m) as f64 + 0.5) * layout.cell_w;
            let y = layout.top + ((at / matrix.m) as f64 + 0.5) * layout.cell_h;
            svg.text(x, y, Text::new(label, font).colour(ink).anchor(Anchor::Middle).centred());
        }
    }
}

/// Numbers of one matrix with the same decimals, two significant digits of the greatest at least.
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
        // A few short names stand upright.
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

/// Coloured strips beside the labels, an outline about each part's square, and its name at the right.
fn draw_parts(svg: &mut Svg, parts: &[Vec<usize>], names: &[String], layout: &Layout, block: usize) {
    let (w, h) = (layout.cell_w / block as f64, layout.cell_h / block as f64);
    let labels: usize = parts.iter().map(Vec::len).sum();
    let (right, bottom) = (layout.left + w * labels as f64, layout.top + h * labels as f64);
    let mut first = 0.0;
    let mut next_name = f64::NEG_INFINITY;
    // Where not all names have room, large parts have theirs.
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
    // On top of all the dashes.
    let mut first = 0.0;
    for (p, part) in parts.iter().enumerate() {
        let size = part.len() as f64;
        let (x, y) = (layout.left + first * w, layout.top + first * h);
        svg.rect(x, y, size * w, size * h, Style::stroke(qualitative(p), (size * h * 0.2).min(2.0)));
        first += size;
    }
}
