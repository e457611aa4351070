//! Values as a notebook shows them: text always, and what is better where there is something.

use std::any::Any;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jupyter_protocol::{Media, MediaType};
use maud::html;
use rhai::Dynamic;
use serde_json::{Map, Value, json};

use super::html;
use crate::error::Result;
use crate::labels::LabelTable;
use crate::metrics::Evaluation;
use crate::plots::Figure;
use crate::primitives::values::table::TableValue;

/// Pixels of a PNG per px of the figure.
const SCALE: f64 = 2.0;
/// A longer drawing is shown as a picture alone, and a longer page is not shown.
const LONGEST_SVG: usize = 2 << 20;
const LONGEST_PAGE: usize = 16 << 20;
/// So many figures of an array are shown.
const FIGURES: usize = 20;

/// A value whose text is `text`, with what is known of its forms.
///
/// Errors: those of drawing.
pub fn of(text: &str, value: &Dynamic) -> Result<(Media, Map<String, Value>)> {
    if let Some(figure) = value.read_lock::<Figure>() {
        return of_figure(text, &figure);
    }
    let mut forms = vec![MediaType::Plain(text.to_string())];
    if let Some(table) = value.read_lock::<TableValue>() {
        forms.push(MediaType::Html(html::table(&table.0).into_string()));
    } else if let Some(labels) = value.read_lock::<LabelTable>() {
        forms.push(MediaType::Html(html::labels(&labels)?.into_string()));
    } else if let Some(evaluation) = value.read_lock::<Evaluation>() {
        forms.push(MediaType::Html(html::evaluation(&evaluation)?.into_string()));
    }
    Ok((Media::new(forms), Map::new()))
}

/// A value that is printed, where that is more than its text, and its bytes.
pub fn of_printed(text: &str, value: &dyn Any) -> Option<(Media, usize)> {
    let value = value.downcast_ref::<Dynamic>()?;
    if value.read_lock::<Figure>().is_some() {
        return None;
    }
    let (media, _) = of(text, value).ok()?;
    let bytes = media.content.iter().map(|form| match form {
        MediaType::Plain(text) | MediaType::Html(text) => text.len(),
        _ => 0,
    });
    let bytes = bytes.sum();
    (media.content.len() > 1).then_some((media, bytes))
}

/// The figures in an array of nothing else.
pub fn figures(value: &Dynamic) -> Vec<Figure> {
    let Ok(array) = value.as_array_ref() else { return vec![] };
    let all: Vec<Figure> = array.iter().filter_map(|item| Some(item.read_lock::<Figure>()?.clone())).collect();
    if all.len() == array.len() && all.len() <= FIGURES { all } else { vec![] }
}

/// A figure, as it is drawn and as a picture for readers that show no drawings.
///
/// Errors: those of drawing.
pub fn of_figure(text: &str, figure: &Figure) -> Result<(Media, Map<String, Value>)> {
    let mut forms =
        vec![MediaType::Plain(text.to_string()), MediaType::Png(BASE64_STANDARD.encode(figure.png(SCALE)?))];
    if figure.svg().len() <= LONGEST_SVG {
        // Where the drawing itself is in the page, a wide one is as wide as the cell.
        forms.push(MediaType::Svg(figure.svg().replacen("<svg ", "<svg style=\"max-width: 100%; height: auto\" ", 1)));
    }
    let size = json!({ "width": figure.width(), "height": figure.height() });
    Ok((Media::new(forms), Map::from_iter([("image/png".to_string(), size)])))
}

/// A page in a frame: its own styles and scripts stay inside.
pub fn page(path: &Path, page: &str) -> Media {
    let path = path.display().to_string();
    let text = MediaType::Plain(path.clone());
    if page.len() > LONGEST_PAGE {
        return Media::new(vec![text]);
    }
    let frame = html! {
        iframe srcdoc=(page) title=(path) sandbox="allow-scripts allow-downloads allow-popups" loading="lazy"
            style="width: 100%; height: 640px; border: 1px solid #8886; background: white" {}
    };
    Media::new(vec![text, MediaType::Html(frame.into_string())])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms(media: &Media) -> Vec<&str> {
        media.content.iter().map(MediaType::mime_type).collect()
    }

    #[test]
    fn a_page_stays_in_its_frame() {
        let media = page(Path::new("out/a.html"), "<html><body onload=\"x()\">\"quoted\"</body></html>");
        let Some(MediaType::Html(frame)) = media.content.last() else { panic!("a frame") };
        assert!(frame.contains("srcdoc=\"&lt;html&gt;&lt;body onload=&quot;x()&quot;&gt;"), "{frame}");
        assert_eq!(forms(&page(Path::new("a.html"), &"x".repeat(LONGEST_PAGE + 1))), ["text/plain"]);
    }

    #[test]
    fn figures_tables_and_other_values_have_their_forms() {
        let mut session = crate::primitives::session();
        let mut value = |code: &str| session.eval(code, "test").unwrap();
        let of = |value: &Dynamic| super::of("text", value).unwrap();
        let (figure, metadata) = of(&value("plot([1.0, 2.0])"));
        assert_eq!(forms(&figure), ["text/plain", "image/png", "image/svg+xml"]);
        assert!(metadata["image/png"]["width"].as_u64().unwrap() > 100);
        let Some(MediaType::Svg(drawing)) = figure.content.last() else { panic!("a drawing") };
        let root = drawing.split('>').next().unwrap();
        assert!(
            root.starts_with("<svg style=\"max-width: 100%; height: auto\"") && root.contains(" viewBox="),
            "{root}"
        );
        assert_eq!(forms(&of(&value("table([#{a: 1}])")).0), ["text/plain", "text/html"]);
        assert_eq!(forms(&of(&value("synthetic_labels(#{images: 20, labels: 8})")).0), ["text/plain", "text/html"]);
        assert_eq!(forms(&of(&value("[1, 2]")).0), ["text/plain"]);
        assert!(of_printed("text", &value("table([#{a: 1}])")).is_some());
        for code in ["[1, 2]", "plot([1.0, 2.0])", "\"text\""] {
            assert!(of_printed("text", &value(code)).is_none(), "{code}");
        }
        assert_eq!(figures(&value("[plot([1, 3]), plot([2, 1])]")).len(), 2);
        assert!(figures(&value("[plot([1, 3]), 2]")).is_empty() && figures(&value("[]")).is_empty());
    }
}
