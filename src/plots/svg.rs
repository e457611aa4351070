//! A small typed SVG writer: takes shapes, writes escaped XML with rounded numbers.

use std::fmt::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::colours::Colour;
use super::figure::Figure;
use super::theme;

/// How a shape is filled and outlined.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    fill: Option<Colour>,
    stroke: Option<Colour>,
    width: f64,
    opacity: Option<f64>,
    dashes: Option<f64>,
    round: f64,
}

impl Style {
    pub fn fill(colour: Colour) -> Self {
        Style { fill: Some(colour), ..Style::default() }
    }

    /// An outline `width` px wide.
    pub fn stroke(colour: Colour, width: f64) -> Self {
        Style { stroke: Some(colour), width, ..Style::default() }
    }

    pub fn outlined(self, colour: Colour, width: f64) -> Self {
        Style { stroke: Some(colour), width, ..self }
    }

    /// 0 is invisible, 1 opaque.
    pub fn opacity(self, opacity: f64) -> Self {
        Style { opacity: Some(opacity), ..self }
    }

    /// Dashes and gaps of `length` px.
    pub fn dashed(self, length: f64) -> Self {
        Style { dashes: Some(length), ..self }
    }

    /// Corners of a rectangle rounded by `radius` px.
    pub fn round(self, radius: f64) -> Self {
        Style { round: radius, ..self }
    }

    fn write(&self, to: &mut String) {
        match self.fill {
            Some(colour) => attribute(to, "fill", &colour.hex()),
            None => attribute(to, "fill", "none"),
        }
        if let Some(colour) = self.stroke {
            attribute(to, "stroke", &colour.hex());
            attribute(to, "stroke-width", &number(self.width));
        }
        if let Some(opacity) = self.opacity {
            // A fill or a stroke alone needs no layer of its own, which is slow to render.
            let name = match (self.fill, self.stroke) {
                (Some(_), None) => "fill-opacity",
                (None, Some(_)) => "stroke-opacity",
                _ => "opacity",
            };
            attribute(to, name, &number(opacity));
        }
        if let Some(length) = self.dashes {
            attribute(to, "stroke-dasharray", &number(length));
        }
    }
}

/// Which point of a text is at its x.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Anchor {
    #[default]
    Start,
    Middle,
    End,
}

/// One line of text and its style.
#[derive(Clone, Debug)]
pub struct Text<'a> {
    text: &'a str,
    size: f64,
    colour: Colour,
    anchor: Anchor,
    bold: bool,
    rotation: f64,
    halo: f64,
    centred: bool,
}

impl<'a> Text<'a> {
    /// `size` is the font size, in px.
    pub fn new(text: &'a str, size: f64) -> Self {
        Text {
            text,
            size,
            colour: theme::INK,
            anchor: Anchor::Start,
            bold: false,
            rotation: 0.0,
            halo: 0.0,
            centred: false,
        }
    }

    pub fn colour(self, colour: Colour) -> Self {
        Text { colour, ..self }
    }

    pub fn anchor(self, anchor: Anchor) -> Self {
        Text { anchor, ..self }
    }

    pub fn bold(self) -> Self {
        Text { bold: true, ..self }
    }

    /// Rotated around its point by `degrees`, clockwise.
    pub fn rotated(self, degrees: f64) -> Self {
        Text { rotation: degrees, ..self }
    }

    /// A white outline of `width` px, so that the text is readable on top of lines.
    pub fn halo(self, width: f64) -> Self {
        Text { halo: width, ..self }
    }

    /// Its y is the middle of capitals and digits, not the baseline.
    pub fn centred(self) -> Self {
        Text { centred: true, ..self }
    }
}

/// An SVG document in progress: a white page of `width` × `height` px, y downwards.
#[derive(Debug)]
pub struct Svg {
    body: String,
    width: f64,
    height: f64,
}

impl Svg {
    pub fn new(width: f64, height: f64) -> Self {
        // Whole px, so that the size of a PNG is an exact multiple.
        let (width, height) = (width.ceil().max(1.0), height.ceil().max(1.0));
        let mut svg = Svg { body: String::new(), width, height };
        svg.rect(0.0, 0.0, width, height, Style::fill(theme::PAPER));
        svg
    }

    pub fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, style: Style) {
        self.body.push_str("<rect");
        self.numbers(&[("x", x), ("y", y), ("width", width.max(0.0)), ("height", height.max(0.0))]);
        if style.round > 0.0 {
            self.numbers(&[("rx", style.round)]);
        }
        self.close(style);
    }

    pub fn circle(&mut self, x: f64, y: f64, radius: f64, style: Style) {
        self.body.push_str("<circle");
        self.numbers(&[("cx", x), ("cy", y), ("r", radius)]);
        self.close(style);
    }

    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), style: Style) {
        self.body.push_str("<line");
        self.numbers(&[("x1", from.0), ("y1", from.1), ("x2", to.0), ("y2", to.1)]);
        attribute(&mut self.body, "stroke-linecap", if style.dashes.is_some() { "butt" } else { "round" });
        self.close(style);
    }

    /// Straight lines through `points`.
    pub fn polyline(&mut self, points: &[(f64, f64)], style: Style) {
        self.points("polyline", points, style);
    }

    /// The area enclosed by `points`.
    pub fn polygon(&mut self, points: &[(f64, f64)], style: Style) {
        self.points("polygon", points, style);
    }

    fn points(&mut self, element: &str, points: &[(f64, f64)], style: Style) {
        let mut list = String::with_capacity(points.len() * 12);
        for (i, (x, y)) in points.iter().enumerate() {
            let gap = if i == 0 { "" } else { " " };
            let _ = write!(list, "{gap}{},{}", number(*x), number(*y));
        }
        let _ = write!(self.body, "<{element}");
        attribute(&mut self.body, "points", &list);
        attribute(&mut self.body, "stroke-linejoin", "round");
        attribute(&mut self.body, "stroke-linecap", "round");
        self.close(style);
    }

    /// `text` at (`x`, `y`); nothing if it is empty.
    pub fn text(&mut self, x: f64, y: f64, text: Text<'_>) {
        if text.text.trim().is_empty() {
            return;
        }
        self.body.push_str("<text");
        // Half the height of DejaVu's capitals (0.729 em).
        let down = if text.centred { 0.3645 * text.size } else { 0.0 };
        if text.rotation == 0.0 {
            self.numbers(&[("x", x), ("y", y + down)]);
        } else {
            self.numbers(&[("y", down)]);
            let turn = format!("translate({} {}) rotate({})", number(x), number(y), number(text.rotation));
            attribute(&mut self.body, "transform", &turn);
        }
        self.numbers(&[("font-size", text.size)]);
        attribute(&mut self.body, "fill", &text.colour.hex());
        match text.anchor {
            Anchor::Start => {}
            Anchor::Middle => attribute(&mut self.body, "text-anchor", "middle"),
            Anchor::End => attribute(&mut self.body, "text-anchor", "end"),
        }
        if text.bold {
            attribute(&mut self.body, "font-weight", "bold");
        }
        if text.halo > 0.0 {
            attribute(&mut self.body, "stroke", &theme::PAPER.hex());
            self.numbers(&[("stroke-width", text.halo)]);
            attribute(&mut self.body, "stroke-linejoin", "round");
            attribute(&mut self.body, "paint-order", "stroke");
        }
        self.body.push('>');
        escape(&mut self.body, text.text);
        self.body.push_str("</text>\n");
    }

    /// A PNG stretched over a rectangle; with `pixelated` its pixels remain sharp squares.
    pub fn image(&mut self, x: f64, y: f64, width: f64, height: f64, png: &[u8], pixelated: bool) {
        self.body.push_str("<image");
        self.numbers(&[("x", x), ("y", y), ("width", width), ("height", height)]);
        attribute(&mut self.body, "preserveAspectRatio", "none");
        if pixelated {
            // The attribute is part of SVG; browsers need the style.
            attribute(&mut self.body, "image-rendering", "optimizeSpeed");
            attribute(&mut self.body, "style", "image-rendering:pixelated");
        }
        self.body.push_str(" href=\"data:image/png;base64,");
        STANDARD.encode_string(png, &mut self.body);
        self.body.push_str("\"/>\n");
    }

    /// Draws shapes without antialiasing, so that adjacent rectangles show no seam.
    pub fn crisp(&mut self, draw: impl FnOnce(&mut Svg)) {
        self.body.push_str("<g shape-rendering=\"crispEdges\">\n");
        draw(self);
        self.body.push_str("</g>\n");
    }

    /// The finished document; `title` is for screen readers.
    pub fn finish(self, title: &str) -> Figure {
        let (w, h) = (number(self.width), number(self.height));
        let mut svg = String::with_capacity(self.body.len() + 512);
        let _ = writeln!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" \
             font-family=\"{}\">",
            theme::FONTS
        );
        if !title.is_empty() {
            svg.push_str("<title>");
            escape(&mut svg, title);
            svg.push_str("</title>\n");
        }
        svg.push_str(&self.body);
        svg.push_str("</svg>\n");
        Figure::new(svg, self.width as u32, self.height as u32, title)
    }

    fn numbers(&mut self, pairs: &[(&str, f64)]) {
        for (name, value) in pairs {
            attribute(&mut self.body, name, &number(*value));
        }
    }

    fn close(&mut self, style: Style) {
        style.write(&mut self.body);
        self.body.push_str("/>\n");
    }
}

fn attribute(to: &mut String, name: &str, value: &str) {
    let _ = write!(to, " {name}=\"");
    escape(to, value);
    to.push('"');
}

/// At most two decimals and no trailing zeros, so that SVG files are small and the same on every machine.
fn number(x: f64) -> String {
    if !x.is_finite() {
        return "0".into();
    }
    let mut text = format!("{x:.2}");
    if text.contains('.') {
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    }
    if text == "-0" { "0".into() } else { text }
}

/// The five special characters of XML as entities; characters that XML 1.0 does not allow become U+FFFD.
fn escape(to: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => to.push_str("&amp;"),
            '<' => to.push_str("&lt;"),
            '>' => to.push_str("&gt;"),
            '"' => to.push_str("&quot;"),
            '\'' => to.push_str("&apos;"),
            '\n' | '\r' | '\t' => to.push(' '),
            c if (c as u32) < 0x20 || matches!(c, '\u{fffe}' | '\u{ffff}') => to.push('\u{fffd}'),
            c => to.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(number(12.0), "12");
        assert_eq!(number(0.126), "0.13");
        assert_eq!(number(1.5), "1.5");
        assert_eq!(number(-0.001), "0");
        assert_eq!(number(100.0), "100");
        assert_eq!(number(f64::NAN), "0");
    }

    #[test]
    fn text_is_escaped() {
        let mut svg = Svg::new(10.0, 10.0);
        svg.text(0.0, 0.0, Text::new("a<b & \"c\"\u{1}\n'", 10.0));
        let text = svg.finish("");
        assert!(text.svg().contains("a&lt;b &amp; &quot;c&quot;\u{fffd} &apos;</text>"), "{}", text.svg());
    }
}
