//! The names that columns of images and labels have.

/// Names of a column of images, without case and punctuation.
const IMAGE: &[&str] = &[
    "image",
    "imageid",
    "imagename",
    "imageindex",
    "imagepath",
    "imagefile",
    "imagefilename",
    "img",
    "imgid",
    "imgname",
    "imgpath",
    "imgfile",
    "file",
    "filename",
    "filepath",
    "path",
    "picture",
    "picturename",
    "photo",
    "photoid",
];
/// Names of a column of images where none of [`IMAGE`] is there.
const MAYBE_IMAGE: &[&str] = &["id", "name", "key", "uid", "sopinstanceuid", "url"];
/// Names of a column of labels, one per cell.
const LABEL: &[&str] = &[
    "label",
    "labelname",
    "class",
    "classname",
    "category",
    "categoryname",
    "concept",
    "tag",
    "finding",
    "object",
    "objectname",
    "attribute",
];
/// Names of a column of several labels per cell.
const LABELS: &[&str] = &[
    "labels",
    "tags",
    "classes",
    "categories",
    "concepts",
    "findings",
    "findinglabels",
    "objects",
    "attributes",
    "attributeids",
    "labelnames",
    "classnames",
    "target",
    "targets",
    "keywords",
    "genres",
    "objectscategories",
    "objectscategory",
    "objectslabels",
    "objectslabel",
    "objectsclasses",
    "objectsclass",
    "objectsname",
];

fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn find(names: &[String], among: &[&str]) -> Option<usize> {
    let plain: Vec<String> = names.iter().map(|name| plain(name)).collect();
    among.iter().find_map(|wanted| plain.iter().position(|name| name == wanted))
}

/// The column of image names, if one is called so.
pub fn image(names: &[String]) -> Option<usize> {
    find(names, IMAGE)
}

/// A column that is called as one of images or of other things may be.
pub fn maybe_image(names: &[String]) -> Option<usize> {
    find(names, MAYBE_IMAGE)
}

/// The column of labels, if one is called so, and whether its name is a plural.
pub fn label(names: &[String]) -> Option<(usize, bool)> {
    find(names, LABEL).map(|at| (at, false)).or_else(|| find(names, LABELS).map(|at| (at, true)))
}

/// Whether a column has no name, or the one that pandas gives to such a column.
pub fn is_unnamed(name: &str) -> bool {
    name.is_empty() || name.strip_prefix("Unnamed: ").is_some_and(|n| n.parse::<u32>().is_ok())
}

/// The meaning of a third column of a long table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// 1, 0 or -1: present, absent or unknown, as cpsd writes it.
    Truth,
    /// Open Images: 0 marks a label that was verified to be absent.
    Confidence,
}

/// The column of truths or confidences, if one is called so.
pub fn value(names: &[String]) -> Option<(usize, Value)> {
    let confidence = find(names, &["confidence"]).map(|at| (at, Value::Confidence));
    confidence.or_else(|| find(names, &["value"]).map(|at| (at, Value::Truth)))
}

/// Names in quotes, the first dozen of them.
pub fn quoted(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(12).map(|name| format!("\"{name}\"")).collect();
    let more = if names.len() > 12 { format!(", and {} more", names.len() - 12) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_punctuation_do_not_matter() {
        let names = |names: &[&str]| names.iter().map(|n| n.to_string()).collect::<Vec<_>>();
        let nih = names(&["Image Index", "Finding Labels", "Patient ID"]);
        assert_eq!((image(&nih), label(&nih)), (Some(0), Some((1, true))));
        let boxes = names(&["width", "File_Name", "class", "xmin"]);
        assert_eq!((image(&boxes), label(&boxes)), (Some(1), Some((2, false))));
        assert_eq!(image(&names(&["id", "tags"])), None);
        assert_eq!(maybe_image(&names(&["tags", "Id"])), Some(1));
        assert!(is_unnamed("Unnamed: 0") && is_unnamed("") && !is_unnamed("Unnamed: x"));
        assert_eq!(value(&names(&["ImageID", "LabelName", "Confidence"])), Some((2, Value::Confidence)));
    }
}
