//! Many points as one picture.

use resvg::tiny_skia::{Color, FillRule, Paint, PathBuilder, Pixmap, Transform};

use super::axes::Frame;
use super::colours::Colour;
use super::svg::Svg;
use crate::activity::interrupt;
use crate::error::{Error, Result};

/// A disc, in px.
#[derive(Clone, Copy, Debug)]
pub struct Dot {
    pub x: f64,
    pub y: f64,
    pub radius: f64,
    pub colour: Colour,
}

/// Pixels of the picture per px.
const SCALE: f64 = 3.0;
/// Room around the frame for discs at its edge, px.
const EDGE: f64 = 6.0;

/// Draws `dots` as a transparent picture over the frame.
///
/// Errors: Interrupted.
pub fn as_picture(svg: &mut Svg, frame: &Frame, dots: &[Dot], opacity: f64) -> Result<()> {
    let (left, top) = (frame.left - EDGE, frame.top - EDGE);
    let (width, height) = (frame.width + 2.0 * EDGE, frame.height + 2.0 * EDGE);
    // A figure of 8000 px has fewer pixels per px.
    let scale = SCALE.min((30e6 / (width * height)).sqrt());
    let (w, h) = ((width * scale).round().max(1.0), (height * scale).round().max(1.0));
    let mut picture = Pixmap::new(w as u32, h as u32)
        .ok_or_else(|| Error::internal(format!("no memory for a picture of {w} × {h} pixels")))?;
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    for (i, dot) in dots.iter().enumerate() {
        if i % 1000 == 0 {
            interrupt::check()?;
        }
        let Colour(r, g, b) = dot.colour;
        let alpha = (opacity * 255.0).round() as u8;
        paint.set_color(Color::from_rgba8(r, g, b, alpha));
        let at = |v: f64, from: f64| ((v - from) * scale) as f32;
        let disc = PathBuilder::from_circle(at(dot.x, left), at(dot.y, top), (dot.radius * scale) as f32);
        if let Some(disc) = disc {
            picture.fill_path(&disc, &paint, FillRule::Winding, Transform::identity(), None);
        }
    }
    let png = picture.encode_png().map_err(|e| Error::internal(format!("encoding a PNG: {e}")))?;
    svg.image(left, top, width, height, &png, false);
    Ok(())
}
