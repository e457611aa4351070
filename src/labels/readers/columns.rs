//! The names that columns of images and labels have.

use std::path::Path;

use crate::error::{Error, Result, nearest};

const IMAGE: &[&str] = &["image", "image_id", "imageid", "image_name", "img", "file", "file_name", "filename", "path"];
const LABEL: &[&str] = &["label", "label_name", "labelname", "class", "class_name", "category"];

fn find(names: &[String], among: &[&str]) -> Option<usize> {
    among.iter().find_map(|wanted| names.iter().position(|n| n.eq_ignore_ascii_case(wanted)))
}

/// The column of image names, if there is one.
pub fn image(names: &[String]) -> Option<usize> {
    find(names, IMAGE)
}

/// Whether a table of these columns is long.
pub fn is_long(names: &[String]) -> bool {
    find(names, IMAGE).is_some() && find(names, LABEL).is_some()
}

/// The columns of image and label in a long table. Errors: one is missing, with the nearest name.
pub fn long(path: &Path, names: &[String]) -> Result<(usize, usize)> {
    let one = |what: &str, among: &[&str]| {
        find(names, among).ok_or_else(|| {
            let there = names.iter().map(|n| format!("\"{n}\"")).collect::<Vec<_>>().join(", ");
            let message = format!("a long label table needs a column \"{what}\"; its columns are {there}");
            let error = Error::in_file(path, message);
            match nearest(what, names.iter().map(String::as_str)) {
                Some(near) => error.with_help(format!("rename \"{near}\" to \"{what}\"?")),
                None => error,
            }
        })
    };
    Ok((one("image", IMAGE)?, one("label", LABEL)?))
}

/// The column of confidences (Open Images), if there is one; 0 marks a label that was verified to be absent.
pub fn confidence(names: &[String]) -> Option<usize> {
    find(names, &["confidence"])
}
