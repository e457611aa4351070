//! A figure as PDF.

use std::sync::{Arc, LazyLock};

use svg2pdf::usvg;
use svg2pdf::{ConversionOptions, PageOptions};

use super::pdf_order;
use crate::error::{Error, Result};

/// CSS's pixels per inch: a figure is as large on paper as in a browser.
const DPI: f32 = 96.0;

/// One page with the figure; text is embedded as text.
pub fn of(svg: &str) -> Result<Vec<u8>> {
    // The converter's usvg is another version than that of the PNG, with types of its own.
    let options = usvg::Options {
        fontdb: FONTS.clone(),
        font_family: "DejaVu Sans".into(),
        image_href_resolver: usvg::ImageHrefResolver {
            resolve_data: usvg::ImageHrefResolver::default_data_resolver(),
            resolve_string: Box::new(|_, _| None),
        },
        ..usvg::Options::default()
    };
    let tree = usvg::Tree::from_str(svg, &options)
        .map_err(|e| Error::internal(format!("the figure is not valid SVG: {e}")))?;
    let pdf = svg2pdf::to_pdf(&tree, ConversionOptions::default(), PageOptions { dpi: DPI })
        .map_err(|e| Error::internal(format!("the figure cannot be written as PDF: {e}")))?;
    // A file in any order shows the same.
    Ok(pdf_order::ordered(&pdf).unwrap_or(pdf))
}

static FONTS: LazyLock<Arc<usvg::fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = usvg::fontdb::Database::new();
    for font in [dejavu::sans::regular(), dejavu::sans::bold()] {
        fonts.load_font_source(usvg::fontdb::Source::Binary(Arc::new(font)));
    }
    fonts.set_sans_serif_family("DejaVu Sans");
    Arc::new(fonts)
});
