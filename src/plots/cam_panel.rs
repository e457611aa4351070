//! Class activation maps side by side: one row per label, one column per model, heat over the picture, the score below.

use rayon::prelude::*;

use super::colours::Ramp;
use super::figure::Figure;
use super::raster::{Heat, Paint, Picture, density};
use super::svg::{Anchor, Style, Svg, Text};
use super::{text, theme, titles, validate};
use crate::activity::interrupt;
use crate::error::{Error, Result};

/// One picture of a panel.
#[derive(Clone, Debug)]
pub struct CamCell {
    pub picture: Picture,
    /// Laid over the picture, stretched to its size.
    pub heat: Option<Heat>,
    /// Below the picture, such as `person 0.93`; may be empty.
    pub caption: String,
}

/// One row of a panel.
#[derive(Clone, Debug)]
pub struct CamRow {
    /// The label, at the left; may be empty.
    pub title: String,
    pub cells: Vec<CamCell>,
}

crate::options! {
    /// How a [`cam_panel`] looks.
    pub struct CamPanelOptions {
        /// above the figure
        pub title: String = String::new();
        /// below the title
        pub subtitle: String = String::new();
        /// pixels
        pub width: Option<f64> = None;
        /// the ramp of the heat
        pub colours: Ramp = Ramp::Jet;
        /// of the heat over the picture
        pub opacity: f64 = 0.6;
        /// beside the colour bar
        pub heat_label: String = "activation".to_string();
    }
}

const FIGURE: &str = "cam_panel";
const MOST_CELLS: usize = 400;
const GAP: f64 = 10.0;
const CAPTION: f64 = 11.0;

/// Draws `rows` of pictures below the titles `columns` ("picture", "baseline", "CPSD").
///
/// Errors: Argument for no rows or columns, rows of another length than `columns`, more than 400 pictures, an opacity
/// outside 0 to 1.
pub fn cam_panel(rows: &[CamRow], columns: &[String], options: &CamPanelOptions) -> Result<Figure> {
    validate::count(FIGURE, "row", rows.len(), MOST_CELLS)?;
    validate::count(FIGURE, "column", columns.len(), 40)?;
    validate::count(FIGURE, "pictures", rows.len() * columns.len(), MOST_CELLS)?;
    for (i, row) in rows.iter().enumerate() {
        let why = format!("one per column; row {i}, counted from 0");
        validate::length(FIGURE, "cells", row.cells.len(), columns.len(), &why)?;
    }
    if !(0.0..=1.0).contains(&options.opacity) {
        let what = format!("the opacity of {FIGURE} must be from 0 to 1; got {}", options.opacity);
        return Err(Error::argument(what).about_option("opacity"));
    }
    // Measured in bold, as they are drawn.
    let side_room = match rows.iter().map(|r| text::width(&r.title, theme::LABEL, true)).fold(0.0, f64::max) {
        0.0 => 0.0,
        widest => widest.min(130.0) + 14.0,
    };
    let left = theme::MARGIN + side_room;
    let gaps = GAP * (columns.len() - 1) as f64;
    let natural = left + 200.0 * columns.len() as f64 + gaps + theme::MARGIN;
    let width = validate::size(FIGURE, "width", options.width, natural.clamp(260.0, 8000.0))?;
    let side = ((width - left - gaps - theme::MARGIN) / columns.len() as f64).min(400.0);
    if side < 16.0 {
        let error = Error::argument(format!("{FIGURE} has no room for {} columns in {width} px", columns.len()));
        return Err(error.with_help("give a greater width"));
    }
    let paint = Paint { ramp: options.colours, opacity: options.opacity };
    let any_heat = rows.iter().flat_map(|r| &r.cells).any(|c| c.heat.is_some());
    let any_caption = rows.iter().flat_map(|r| &r.cells).any(|c| !c.caption.trim().is_empty());
    let below = if any_caption { CAPTION * 1.3 + 12.0 } else { GAP };
    // A row is as high as its highest picture.
    let heights: Vec<f64> =
        rows.iter().map(|r| r.cells.iter().map(|c| c.picture.fit(side, side).1).fold(1.0, f64::max)).collect();
    let any_column = columns.iter().any(|c| !c.trim().is_empty());
    let top = titles::header_height(&options.title, &options.subtitle, width) + if any_column { 20.0 } else { 0.0 };
    let bar = if any_heat { 24.0 } else { 0.0 };
    let height = top + heights.iter().map(|h| h + below).sum::<f64>() + bar + theme::MARGIN;

    let many = density(rows.len() * columns.len());
    let pictures: Vec<Vec<u8>> = rows
        .par_iter()
        .flat_map_iter(|r| &r.cells)
        .map(|cell| {
            interrupt::check()?;
            let (w, h) = cell.picture.fit(side, side);
            cell.picture.png((w * many, h * many), cell.heat.as_ref().map(|heat| (heat, paint)))
        })
        .collect::<Result<_>>()?;

    let mut svg = Svg::new(width, height);
    titles::header(&mut svg, &options.title, &options.subtitle, width);
    let x_of = |j: usize| left + j as f64 * (side + GAP);
    for (j, title) in columns.iter().enumerate() {
        let title = text::fit(title, theme::LABEL, true, side);
        let text = Text::new(&title, theme::LABEL).bold().anchor(Anchor::Middle);
        svg.text(x_of(j) + side / 2.0, top - 8.0, text);
    }
    let mut y = top;
    let mut next = pictures.iter();
    for (row, high) in rows.iter().zip(&heights) {
        draw_row_title(&mut svg, &row.title, (left - 12.0, y + high / 2.0), side_room - 12.0);
        for ((j, cell), png) in row.cells.iter().enumerate().zip(next.by_ref()) {
            let (w, h) = cell.picture.fit(side, side);
            let (px, py) = (x_of(j) + (side - w) / 2.0, y + (high - h) / 2.0);
            svg.image(px, py, w, h, png, false);
            svg.rect(px, py, w, h, Style::stroke(theme::GRID, 0.75));
            let caption = text::fit(&cell.caption, CAPTION, false, side);
            let text = Text::new(&caption, CAPTION).anchor(Anchor::Middle);
            svg.text(x_of(j) + side / 2.0, y + high + CAPTION * 1.25, text);
        }
        y += high + below;
    }
    if any_heat {
        draw_bar(&mut svg, paint, &options.heat_label, (width - theme::MARGIN, y + 8.0));
    }
    Ok(svg.finish(if options.title.is_empty() { "class activation maps" } else { &options.title }))
}

fn draw_row_title(svg: &mut Svg, title: &str, right: (f64, f64), room: f64) {
    let lines = text::wrap(title, theme::LABEL, true, room.max(1.0));
    let first = right.1 - (lines.len() as f64 - 1.0) / 2.0 * theme::LABEL * 1.3;
    for (i, line) in lines.iter().enumerate() {
        let text = Text::new(line, theme::LABEL).bold().anchor(Anchor::End).centred();
        svg.text(right.0, first + i as f64 * theme::LABEL * 1.3, text);
    }
}

/// Draws the colours of the heat as they look on a white picture, from low to high.
fn draw_bar(svg: &mut Svg, paint: Paint, label: &str, (right, y): (f64, f64)) {
    let (w, h) = (110.0, 8.0);
    let high = text::width("high", theme::NOTE, false);
    let x = right - high - 6.0 - w;
    svg.crisp(|svg| {
        for step in 0..55 {
            let t = (f64::from(step) + 0.5) / 55.0;
            let (colour, alpha) = paint.at(t);
            let seen = theme::PAPER.mix(colour, alpha);
            svg.rect(x + f64::from(step) * 2.0, y, 2.0, h, Style::fill(seen));
        }
    });
    svg.rect(x, y, w, h, Style::stroke(theme::AXIS, 0.75));
    let label = if label.trim().is_empty() { "low".to_string() } else { format!("{label}: low") };
    let text = |s| Text::new(s, theme::NOTE).colour(theme::MUTED).centred();
    svg.text(x - 6.0, y + h / 2.0, text(&label).anchor(Anchor::End));
    svg.text(x + w + 6.0, y + h / 2.0, text("high"));
}
