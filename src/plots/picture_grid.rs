//! A contact sheet: pictures in rows with a caption below each.

use rayon::prelude::*;

use super::figure::Figure;
use super::raster::{Picture, density};
use super::svg::{Style, Svg, Text};
use super::{text, theme, titles, validate};
use crate::activity::interrupt;
use crate::error::{Error, Result};

crate::options! {
    /// How a [`picture_grid`] looks.
    pub struct PictureGridOptions {
        /// above the figure
        pub title: String = String::new();
        /// below the title
        pub subtitle: String = String::new();
        /// pixels
        pub width: Option<f64> = None;
        /// pictures in a row; () chooses
        pub columns: Option<usize> = None;
    }
}

const FIGURE: &str = "picture_grid";
const MOST_PICTURES: usize = 1000;
const GAP: f64 = 12.0;
const CAPTION: f64 = 10.0;
const CAPTION_LINES: usize = 3;

/// Draws `pictures` in rows of `columns`, with `captions` (none, or one per picture; at most three lines) below them.
///
/// Errors: Argument for no pictures, more than 1,000, captions of another number, columns not from 1 to 100.
pub fn picture_grid(pictures: &[Picture], captions: &[String], options: &PictureGridOptions) -> Result<Figure> {
    validate::count(FIGURE, "picture", pictures.len(), MOST_PICTURES)?;
    if !captions.is_empty() {
        validate::length(FIGURE, "captions", captions.len(), pictures.len(), "one per picture, or none")?;
    }
    let usual = ((pictures.len() as f64 * 1.4).sqrt().ceil() as usize).clamp(1, 10);
    let columns = options.columns.unwrap_or(usual);
    if !(1..=100).contains(&columns) {
        return Err(Error::argument(format!("the columns of {FIGURE} must be from 1 to 100; got {columns}")));
    }
    let columns = columns.min(pictures.len());
    let gaps = GAP * (columns - 1) as f64;
    let natural = 2.0 * theme::MARGIN + gaps + columns as f64 * (900.0 / columns as f64).clamp(90.0, 180.0);
    let width = validate::size(FIGURE, "width", options.width, natural.clamp(220.0, 8000.0))?;
    let side = ((width - 2.0 * theme::MARGIN - gaps) / columns as f64).min(400.0);
    if side < 8.0 {
        let error = Error::argument(format!("{FIGURE} has no room for {columns} columns in {width} px"));
        return Err(error.with_help("give a greater width or fewer columns"));
    }
    let captions: Vec<Vec<String>> = captions.iter().map(|c| caption(c, side)).collect();
    let rows: Vec<Row> = pictures
        .chunks(columns)
        .enumerate()
        .map(|(r, row)| {
            let lines = captions.iter().skip(r * columns).take(row.len()).map(Vec::len).max().unwrap_or(0);
            Row { high: row.iter().map(|p| p.fit(side, side).1).fold(1.0, f64::max), lines }
        })
        .collect();
    let top = titles::header_height(&options.title, &options.subtitle, width);
    let height = top + rows.iter().map(Row::height).sum::<f64>() - GAP + theme::MARGIN;
    let many = density(pictures.len());
    let pngs: Vec<Vec<u8>> = pictures
        .par_iter()
        .map(|p| {
            interrupt::check()?;
            let (w, h) = p.fit(side, side);
            p.png((w * many, h * many), None)
        })
        .collect::<Result<_>>()?;

    let mut svg = Svg::new(width, height);
    titles::header(&mut svg, &options.title, &options.subtitle, width);
    let mut y = top;
    for (r, row) in rows.iter().enumerate() {
        for i in r * columns..((r + 1) * columns).min(pictures.len()) {
            let (w, h) = pictures[i].fit(side, side);
            let x = theme::MARGIN + (i - r * columns) as f64 * (side + GAP);
            let (px, py) = (x + (side - w) / 2.0, y + (row.high - h) / 2.0);
            svg.image(px, py, w, h, &pngs[i], false);
            svg.rect(px, py, w, h, Style::stroke(theme::GRID, 0.75));
            for (line, at) in captions.get(i).into_iter().flatten().zip(1..) {
                let text = Text::new(line, CAPTION).colour(theme::INK);
                svg.text(x, y + row.high + 4.0 + CAPTION * 1.3 * f64::from(at) - 3.0, text);
            }
        }
        y += row.height();
    }
    Ok(svg.finish(if options.title.is_empty() { "pictures" } else { &options.title }))
}

/// A row of the sheet: its highest picture and longest caption.
struct Row {
    high: f64,
    lines: usize,
}

impl Row {
    fn height(&self) -> f64 {
        let caption = if self.lines > 0 { self.lines as f64 * CAPTION * 1.3 + 6.0 } else { 0.0 };
        self.high + caption + GAP
    }
}

/// The lines of a caption; the last ends in "…" if the caption is cut.
fn caption(text: &str, side: f64) -> Vec<String> {
    let mut lines = text::wrap(text, CAPTION, false, side);
    if lines.len() > CAPTION_LINES {
        lines.truncate(CAPTION_LINES);
        if let Some(last) = lines.last_mut() {
            let cut = text::fit(&format!("{last} ………"), CAPTION, false, side);
            *last = cut.trim_end_matches(['…', ' ', ',']).to_string() + "…";
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_captions_end_in_dots() {
        let lines = caption("person, dog, bicycle, traffic light, car, truck, bus, handbag, umbrella, kite", 90.0);
        assert_eq!(lines.len(), 3);
        assert!(lines[2].ends_with('…') && !lines[2].contains("……"), "{lines:?}");
        assert_eq!(caption("dog", 90.0), ["dog"]);
        assert!(caption("", 90.0).is_empty());
    }
}
