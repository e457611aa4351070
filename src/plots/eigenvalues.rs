//! The eigenvalues of a label graph and the gaps between them, which suggest the number of parts.

use super::axes::{self, Axis, Frame};
use super::colours::qualitative;
use super::figure::Figure;
use super::svg::{Anchor, Style, Svg, Text};
use super::{text, theme, titles, validate};
use crate::error::{Error, Result};

crate::options! {
    /// How [`eigenvalues`] look.
    pub struct EigenvaluesOptions {
        /// above the figure
        pub title: String = String::new();
        /// below the title
        pub subtitle: String = String::new();
        /// pixels
        pub width: Option<f64> = None;
        /// pixels
        pub height: Option<f64> = None;
        /// so many eigenvalues; () chooses
        pub show: Option<usize> = None;
    }
}

const FIGURE: &str = "eigenvalues";
const MOST_SHOWN: usize = 1000;

/// Draws `values`, ascending, as dots, and below them the gap λ_{i+1} − λ_i after each. The gap after the k-th, which
/// supports k parts, is marked (von Luxburg, "A tutorial on spectral clustering", 2007, section 8.3).
///
/// Errors: Argument for fewer than two values, values that are not finite or not ascending, k not below their number.
pub fn eigenvalues(values: &[f64], k: Option<usize>, options: &EigenvaluesOptions) -> Result<Figure> {
    let n = values.len();
    if n < 2 {
        return Err(Error::argument(format!("{FIGURE} needs at least two eigenvalues; got {n}")));
    }
    if let Some(i) = values.iter().position(|v| !v.is_finite()) {
        return Err(Error::argument(format!("{FIGURE} needs finite numbers; number {} is {}", i + 1, values[i])));
    }
    if let Some(i) = values.windows(2).position(|w| w[1] < w[0] - 1e-9 * w[0].abs().max(1.0)) {
        let (a, b) = (values[i], values[i + 1]);
        return Err(Error::argument(format!("{FIGURE} needs its values in ascending order; got {a} before {b}")));
    }
    if let Some(k) = k
        && !(1..n).contains(&k)
    {
        return Err(Error::argument(format!("the k of {FIGURE} must be from 1 to {}; got {k}", n - 1)));
    }
    let usual = 20.max(k.map_or(0, |k| 2 * k));
    let shown = options.show.unwrap_or(usual).max(k.map_or(2, |k| k + 1)).max(2).min(n).min(MOST_SHOWN);
    let values = &values[..shown];
    let gaps: Vec<f64> = values.windows(2).map(|w| (w[1] - w[0]).max(0.0)).collect();

    let width = validate::size(FIGURE, "width", options.width, 680.0)?;
    let height = validate::size(FIGURE, "height", options.height, 460.0)?;
    let top = titles::header_height(&options.title, &options.subtitle, width) + 24.0;
    // Half a step of margin at both ends, so that dots and stems do not touch the edge.
    let x = Axis::exact(0.5, shown as f64 + 0.5);
    let y = Axis::padded(values[0].min(0.0), values[shown - 1].max(values[0] + 1e-12));
    // The first gap only shows that the graph is connected, and would dwarf the others.
    let others = gaps.iter().skip(usize::from(k != Some(1) && gaps.len() > 1));
    let y_gaps = Axis::exact(0.0, others.fold(1e-12f64, |m, g| m.max(*g)) * 1.25);
    let inner = height - top - axes::room_below("x") - 8.0 - 46.0;
    if inner < 80.0 {
        return Err(Error::argument(format!("{FIGURE} has no room at {height} px; give a greater height")));
    }
    let (y_ticks, gap_ticks) = (y.ticks(5), y_gaps.ticks(3));
    let left = axes::room_left(&y_ticks).max(axes::room_left(&gap_ticks));
    let above = Frame { left, top, width: width - left - theme::MARGIN, height: inner * 0.62, x, y };
    let below = Frame { top: above.bottom() + 46.0, height: inner * 0.38, y: y_gaps, ..above };

    let mut svg = Svg::new(width, height);
    titles::header(&mut svg, &options.title, &options.subtitle, width);
    above.draw_y(&mut svg, &y_ticks, "eigenvalue λᵢ");
    below.draw_y(&mut svg, &gap_ticks, "gap λᵢ₊₁ − λᵢ");
    let marks = axes::whole_ticks(1.0, shown as f64, (width / 45.0) as usize);
    below.draw_x(&mut svg, &marks, "i");
    let plain = theme::AXIS;
    let accent = qualitative(1);
    let dot = (above.width / shown as f64 * 0.35).clamp(1.2, 4.5);
    if let Some(k) = k {
        let (from, to) = (above.at(k as f64, 0.0).0, above.at(k as f64 + 1.0, 0.0).0);
        let tint = Style::fill(accent).opacity(0.1);
        svg.rect(from, above.top, to - from, below.bottom() - above.top, tint);
    }
    for (i, gap) in gaps.iter().enumerate() {
        let colour = if k == Some(i + 1) { accent } else { plain };
        // Between the two eigenvalues that it separates.
        let (px, py) = below.at(i as f64 + 1.5, *gap);
        let wide = (dot * 1.3).max(1.0);
        let cut = *gap > y_gaps.hi();
        let py = if cut { below.top } else { py };
        svg.rect(px - wide / 2.0, py, wide, below.bottom() - py, Style::fill(colour));
        if cut {
            // Two slanted white lines mark a bar that is cut off.
            for y in [below.top + 9.0, below.top + 13.0] {
                svg.line((px - wide, y + 1.5), (px + wide, y - 1.5), Style::stroke(theme::PAPER, 1.5));
            }
            let label = axes::short(*gap, 3);
            let text = Text::new(&label, theme::NOTE).colour(theme::MUTED).halo(2.0).centred();
            svg.text(px + wide + 2.0, below.top + 4.0, text);
        }
    }
    for (i, value) in values.iter().enumerate() {
        let (px, py) = above.at(i as f64 + 1.0, *value);
        let colour = if k.is_none_or(|k| i < k) { qualitative(0) } else { plain };
        svg.circle(px, py, dot, Style::fill(colour));
    }
    if let Some(k) = k {
        let label = format!("k = {k}: gap {}", axes::short(gaps[k - 1], 3));
        // Next to the tinted column, on the side that has room; gaps decrease to the right.
        let (from, to) = (below.at(k as f64, 0.0).0 - 6.0, below.at(k as f64 + 1.0, 0.0).0 + 6.0);
        let fits = to + text::width(&label, theme::LABEL, true) <= below.right();
        let (px, anchor) = if fits { (to, Anchor::Start) } else { (from, Anchor::End) };
        let text = Text::new(&label, theme::LABEL).bold().colour(accent.as_ink()).anchor(anchor).halo(3.0);
        svg.text(px, below.top + theme::LABEL + 8.0, text);
    }
    Ok(svg.finish(if options.title.is_empty() { FIGURE } else { &options.title }))
}
