//! The names that columns of images and labels have.

/// Names of a column of images, without case and punctuation. Names of files come before numbers.
const IMAGE: &[&str] = &[
    "image",
    "imagename",
    "imagefile",
    "imagefilename",
    "imagepath",
    "filename",
    "filepath",
    "file",
    "path",
    "img",
    "imgname",
    "imgfile",
    "imgpath",
    "picture",
    "picturename",
    "photo",
    "imageindex",
    "imageid",
    "imgid",
    "photoid",
];
/// Names of a column of images where none of [`IMAGE`] is there.
const MAYBE_IMAGE: &[&str] = &["id", "name", "key", "uid", "sopinstanceuid", "url"];
/// Names of a column of labels, one per cell. Names come before numbers.
const LABEL: &[&str] = &[
    "labelname",
    "classname",
    "categoryname",
    "label",
    "class",
    "category",
    "concept",
    "tag",
    "finding",
    "objectname",
    "object",
    "attribute",
    "target",
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

/// The columns that are called so, in the order of `among`.
fn find<'a>(names: &'a [String], among: &'a [&str]) -> impl Iterator<Item = usize> + 'a {
    let plain: Vec<String> = names.iter().map(|name| plain(name)).collect();
    among.iter().filter_map(move |wanted| plain.iter().position(|name| name == wanted))
}

/// The columns whose names are usual ones for images, the likeliest first.
pub fn images(names: &[String]) -> Vec<usize> {
    find(names, IMAGE).collect()
}

/// A column whose name may be that of images or of other things.
pub fn maybe_image(names: &[String]) -> Option<usize> {
    find(names, MAYBE_IMAGE).next()
}

/// The columns whose names are usual ones for labels, the likeliest first.
pub fn labels(names: &[String]) -> Vec<usize> {
    find(names, LABEL).chain(find(names, LABELS)).collect()
}

/// Whether a name is a usual one for several labels per cell.
pub fn is_plural(name: &str) -> bool {
    LABELS.contains(&plain(name).as_str())
}

/// Whether a column is the index of a frame in Parquet.
pub fn is_index(name: &str) -> bool {
    name.starts_with("__index_level_")
}

/// Names of a column that tells parts of the data, as training and test rows.
const SPLIT: &[&str] = &["split", "subset", "set", "partition", "dataset", "fold"];

/// Whether a column tells parts of the data by its name.
pub fn is_split(name: &str) -> bool {
    SPLIT.contains(&plain(name).as_str())
}

/// The columns whose names are usual ones for splits, the likeliest first.
pub fn splits(names: &[String]) -> Vec<usize> {
    find(names, SPLIT).collect()
}

/// Whether a column has no name, or the one that pandas gives to such a column.
pub fn is_unnamed(name: &str) -> bool {
    name.is_empty() || is_index(name) || name.strip_prefix("Unnamed: ").is_some_and(|n| n.parse::<u32>().is_ok())
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
    const TRUTH: &[&str] = &["value", "present", "ispresent", "presence", "positive", "ispositive"];
    let confidence = find(names, &["confidence"]).next().map(|at| (at, Value::Confidence));
    confidence.or_else(|| find(names, TRUTH).next().map(|at| (at, Value::Truth)))
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
        assert_eq!((images(&nih), labels(&nih)), (vec![0], vec![1]));
        assert!(is_plural("Finding Labels") && !is_plural("class"));
        let boxes = names(&["image_id", "width", "File_Name", "class", "class_name", "xmin"]);
        assert_eq!((images(&boxes), labels(&boxes)), (vec![2, 0], vec![4, 3]));
        assert!(images(&names(&["id", "tags"])).is_empty());
        assert_eq!(maybe_image(&names(&["tags", "Id"])), Some(1));
        assert!(is_unnamed("Unnamed: 0") && is_unnamed("") && !is_unnamed("Unnamed: x"));
        assert_eq!(value(&names(&["ImageID", "LabelName", "Confidence"])), Some((2, Value::Confidence)));
    }
}
