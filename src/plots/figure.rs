//! A finished figure: an SVG document that can be saved, rasterised, or shown in a terminal.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use image::ImageEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use resvg::{tiny_skia, usvg};

use super::pdf;
use super::terminal::{self, Words};
use crate::error::{Error, Result};
use crate::files;
use crate::tables::Table;

/// An SVG document and its size in px.
///
/// Rasterised with the embedded DejaVu Sans and no other font, so that it looks the same on every machine.
#[derive(Clone)]
pub struct Figure {
    svg: String,
    width: u32,
    height: u32,
    title: String,
    table: Option<Table>,
}

/// Pixels of a PNG per px of the figure.
const SCALE: f64 = 2.0;
/// The most pixels of a rasterised figure.
const MOST_PIXELS: f64 = 100e6;

impl Figure {
    pub(super) fn new(svg: String, width: u32, height: u32, title: &str) -> Self {
        Figure { svg, width, height, title: title.to_string(), table: None }
    }

    /// The same figure with the numbers that it shows.
    pub fn with_table(self, table: Table) -> Self {
        Figure { table: Some(table), ..self }
    }

    /// The numbers that the figure shows, if it computed any.
    pub fn table(&self) -> Option<&Table> {
        self.table.as_ref()
    }

    /// The document's text.
    pub fn svg(&self) -> &str {
        &self.svg
    }

    /// In px.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// In px.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The title; may be empty.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Writes `path`, as PNG (two pixels per px), SVG or PDF by its ending. Parent folders are created, and an older file
    /// is replaced only on success.
    ///
    /// Errors: Argument for another ending, Io where the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        match ending.as_deref() {
            Some("png") => files::write(path, &self.png(SCALE)?),
            Some("svg") => files::write(path, self.svg.as_bytes()),
            Some("pdf") => files::write(path, &self.pdf()?),
            _ => {
                let came = ending.map_or_else(|| "has no ending".to_string(), |e| format!("ends in .{e}"));
                let what = format!("a figure is saved as .png, .svg or .pdf; \"{}\" {came}", path.display());
                let help = format!("try \"{}\"", path.with_extension("png").display());
                Err(Error::argument(what).about_file(path).with_help(help))
            }
        }
    }

    /// The bytes of a PDF of one page, exactly as large as the figure (1 px is 1/96 inch, as in CSS). Text is text, in
    /// embedded subsets of DejaVu Sans; shapes remain vectors. Without a date, so that equal figures are equal files.
    pub fn pdf(&self) -> Result<Vec<u8>> {
        pdf::of(&self.svg)
    }

    /// The bytes of a PNG, `scale` pixels per px.
    ///
    /// Errors: Argument for a scale that is not positive or gives more than 100 million pixels.
    pub fn png(&self, scale: f64) -> Result<Vec<u8>> {
        if !(scale > 0.0 && scale.is_finite()) {
            return Err(Error::argument(format!("the scale of a PNG must be a positive number; got {scale}")));
        }
        let (w, h) = (self.scaled(self.width, scale), self.scaled(self.height, scale));
        encode_png(&self.render(&tree(&self.svg)?, w, h)?, w, h)
    }

    /// The largest raster within `max_width` × `max_height` pixels: (width, height, RGB bytes row by row).
    pub fn pixels(&self, max_width: u32, max_height: u32) -> Result<(u32, u32, Vec<u8>)> {
        if max_width == 0 || max_height == 0 {
            let what = format!("a figure needs at least one pixel each way; got {max_width} × {max_height}");
            return Err(Error::argument(what));
        }
        let (w, h) = (f64::from(self.width), f64::from(self.height));
        let scale = (f64::from(max_width) / w).min(f64::from(max_height) / h);
        let (w, h) = (self.scaled(self.width, scale).min(max_width), self.scaled(self.height, scale).min(max_height));
        Ok((w, h, self.render(&tree(&self.svg)?, w, h)?))
    }

    /// The figure as lines of `columns` characters: two pixels per character (▀, 24-bit colour), and words as text if
    /// they have room.
    pub fn half_blocks(&self, columns: u32) -> Result<String> {
        if !(1..=1000).contains(&columns) {
            return Err(Error::argument(format!("a terminal has 1 to 1000 columns; got {columns}")));
        }
        let rows = self.scaled(self.height, f64::from(columns) / f64::from(self.width)).div_ceil(2);
        let words = Words::of(&tree(&self.svg)?, columns as usize, rows as usize);
        let drawn = tree(&terminal::without_words(&self.svg))?;
        let samples = self.render(&drawn, columns * terminal::SAMPLES, 2 * rows * terminal::SAMPLES)?;
        Ok(terminal::blocks(&samples, &words, rows as usize))
    }

    fn scaled(&self, length: u32, scale: f64) -> u32 {
        // The upper bound is more than any figure may have; `render` refuses it.
        (f64::from(length) * scale).round().clamp(1.0, 1e6) as u32
    }

    fn render(&self, tree: &usvg::Tree, w: u32, h: u32) -> Result<Vec<u8>> {
        if f64::from(w) * f64::from(h) > MOST_PIXELS {
            let what = format!("a figure may have {} million pixels at most; got {w} × {h}", MOST_PIXELS / 1e6);
            return Err(Error::argument(what).with_help("give a smaller scale, width or height"));
        }
        let mut pixmap =
            tiny_skia::Pixmap::new(w, h).ok_or_else(|| Error::internal(format!("no memory for {w} × {h} pixels")))?;
        pixmap.fill(tiny_skia::Color::WHITE);
        let to_pixels = tiny_skia::Transform::from_scale(w as f32 / self.width as f32, h as f32 / self.height as f32);
        resvg::render(tree, to_pixels, &mut pixmap.as_mut());
        // On white nothing is transparent, so premultiplied colours are the colours themselves.
        Ok(pixmap.data().chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect())
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Figure {} × {} px", self.width, self.height)?;
        if !self.title.is_empty() {
            write!(f, ": {}", self.title)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} ({} bytes of SVG)", self.svg.len())
    }
}

/// `rgb`, `w` × `h` × 3 bytes, as a PNG.
pub(super) fn encode_png(rgb: &[u8], w: u32, h: u32) -> Result<Vec<u8>> {
    let mut png = Vec::new();
    PngEncoder::new_with_quality(&mut png, CompressionType::Default, FilterType::Adaptive)
        .write_image(rgb, w, h, image::ExtendedColorType::Rgb8)
        .map_err(|e| Error::internal(format!("encoding a PNG: {e}")))?;
    Ok(png)
}

static FONTS: LazyLock<Arc<usvg::fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = usvg::fontdb::Database::new();
    for font in [dejavu::sans::regular(), dejavu::sans::bold()] {
        fonts.load_font_source(usvg::fontdb::Source::Binary(Arc::new(font)));
    }
    fonts.set_sans_serif_family("DejaVu Sans");
    Arc::new(fonts)
});

fn tree(svg: &str) -> Result<usvg::Tree> {
    usvg::Tree::from_str(svg, &options()).map_err(|e| Error::internal(format!("the figure is not valid SVG: {e}")))
}

fn options() -> usvg::Options<'static> {
    usvg::Options {
        fontdb: FONTS.clone(),
        font_family: "DejaVu Sans".into(),
        // Pictures are embedded in the document; no figure reads a file.
        image_href_resolver: usvg::ImageHrefResolver {
            resolve_data: usvg::ImageHrefResolver::default_data_resolver(),
            resolve_string: Box::new(|_, _| None),
        },
        ..usvg::Options::default()
    }
}
