//! Label tables to and from polars: long (`image,label`) and wide (one 0/1 column a label).

use std::collections::HashMap;

use polars::prelude::*;

use super::LabelTable;
use super::tables::polars_error;
use crate::error::{Error, Result};

impl LabelTable {
    /// Columns `image` and `label`, one row a pair. Images without a label have none.
    pub fn to_frame_long(&self) -> Result<DataFrame> {
        let (mut images, mut labels) = (Vec::new(), Vec::new());
        for i in 0..self.num_images() {
            for &l in self.row(i) {
                images.push(self.images()[i].as_str());
                labels.push(self.labels()[l as usize].as_str());
            }
        }
        let columns = vec![Column::new("image".into(), &images), Column::new("label".into(), &labels)];
        DataFrame::new(images.len(), columns).map_err(|e| polars_error("a label table", &e))
    }

    /// From columns of images and labels, one row a pair; a null label keeps the image without one. Labels stand in
    /// `order`, or alphabetically; a label that `order` lacks is left out.
    pub fn from_pairs<'a>(pairs: impl Iterator<Item = (&'a str, Option<&'a str>)>, order: Option<&[String]>) -> Result<LabelTable> {
        let (mut image_at, mut images, mut lists): (HashMap<&str, usize>, Vec<String>, Vec<Vec<u32>>) = Default::default();
        let (mut label_at, mut labels): (HashMap<&str, u32>, Vec<&str>) = Default::default();
        for (image, label) in pairs {
            let at = *image_at.entry(image).or_insert_with(|| {
                images.push(image.to_string());
                lists.push(vec![]);
                images.len() - 1
            });
            if let Some(label) = label {
                let index = *label_at.entry(label).or_insert_with(|| {
                    labels.push(label);
                    labels.len() as u32 - 1
                });
                lists[at].push(index);
            }
        }
        let mut names: Vec<String> = labels.iter().map(|l| l.to_string()).collect();
        names.sort();
        let table = LabelTable::from_lists(labels.iter().map(|l| l.to_string()).collect(), images, &lists)?;
        table.take_labels(order.unwrap_or(&names))
    }
}

/// The long form: a column of images, a column of labels. Errors: a label that is neither text nor missing.
pub fn from_long(frame: &DataFrame, image: &str, label: &str, order: Option<&[String]>, what: &str) -> Result<LabelTable> {
    let text = |name: &str| -> Result<StringChunked> {
        let column = frame.column(name).map_err(|e| polars_error(what, &e))?;
        let column = column.cast(&DataType::String).map_err(|e| polars_error(what, &e))?;
        Ok(column.str().map_err(|e| polars_error(what, &e))?.clone())
    };
    let (images, labels) = (text(image)?, text(label)?);
    if let Some(row) = images.iter().position(|i| i.is_none()) {
        return Err(Error::data(format!("{what}: row {} has no {image}", row + 1)));
    }
    LabelTable::from_pairs(images.iter().zip(labels.iter()).map(|(i, l)| (i.unwrap_or_default(), l)), order)
}

/// The wide form: a column of images, then one column of 0 and 1 a label.
///
/// Errors: a value other than 0 and 1, with its row and column; an image that stands twice.
pub fn from_wide(frame: &DataFrame, image: &str, order: Option<&[String]>, what: &str) -> Result<LabelTable> {
    let images = frame.column(image).and_then(|c| c.cast(&DataType::String)).map_err(|e| polars_error(what, &e))?;
    let images = images.str().map_err(|e| polars_error(what, &e))?;
    let names: Vec<String> = images.iter().map(|i| i.unwrap_or_default().to_string()).collect();
    let mut seen = HashMap::new();
    for (row, name) in names.iter().enumerate() {
        if let Some(first) = seen.insert(name, row) {
            return Err(Error::data(format!("{what}: image \"{name}\" stands twice, in rows {} and {}", first + 1, row + 1)));
        }
    }
    let (mut labels, mut lists) = (Vec::new(), vec![vec![]; frame.height()]);
    for column in frame.columns().iter().filter(|c| c.name() != image) {
        let values = column.cast(&DataType::Float64).map_err(|e| polars_error(what, &e))?;
        let values = values.f64().map_err(|e| polars_error(what, &e))?;
        for (row, value) in values.iter().enumerate() {
            match value {
                Some(1.0) => lists[row].push(labels.len() as u32),
                Some(0.0) => {}
                other => {
                    let came = other.map_or("nothing".to_string(), |v| v.to_string());
                    return Err(Error::data(format!("{what}: row {} of column \"{}\" must be 0 or 1; got {came}", row + 1, column.name())));
                }
            }
        }
        labels.push(column.name().to_string());
    }
    let table = LabelTable::from_lists(labels, names, &lists)?;
    match order {
        Some(order) => table.take_labels(order),
        None => Ok(table),
    }
}
