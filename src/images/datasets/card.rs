//! Cards of public data sets: labels in the customary order, counts, layout, licence, where to get it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::activity::console;
use crate::error::{Error, Result};
use crate::labels::LabelTable;

/// The card of a data set, a file in `datasets/`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    pub name: String,
    pub summary: String,
    /// In the customary order; empty if the download itself lists them.
    #[serde(default)]
    pub labels: Vec<String>,
    /// The number of labels.
    pub num_labels: usize,
    /// Folders and files, one per line.
    pub layout: String,
    /// How to get it.
    pub get: String,
    pub licence: String,
    /// How papers use it.
    pub use_in_papers: String,
    /// Keyed by the names of the download's own splits.
    pub splits: BTreeMap<String, Counts>,
}

/// The numbers of pictures in a split of the download.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    pub images: Option<u64>,
    /// Pictures with a label.
    pub labelled: Option<u64>,
}

macro_rules! cards {
    ($($name:literal),*) => { &[$(($name, include_str!(concat!("../../../datasets/", $name, ".toml")))),*] };
}

/// Names and texts of all cards.
const TEXTS: &[(&str, &str)] =
    cards!["coco2014", "coco2017", "nuswide", "voc2007", "voc2012", "openimages", "visual-genome-500"];

static CARDS: LazyLock<Vec<Result<Card, String>>> = LazyLock::new(|| {
    TEXTS.iter().map(|(name, text)| toml::from_str(text).map_err(|e| format!("the card of {name}: {e}"))).collect()
});

/// The card of a data set. Errors: an unknown name.
pub fn card(name: &str) -> Result<&'static Card> {
    let at = TEXTS.iter().position(|(known, _)| *known == name);
    match at.map(|at| &CARDS[at]) {
        Some(Ok(card)) => Ok(card),
        Some(Err(what)) => Err(Error::internal(what.clone())),
        None => Err(Error::unknown("data card", name, TEXTS.iter().map(|(name, _)| *name))),
    }
}

impl Card {
    /// The help for an incomplete folder: the layout, and how to get the data set.
    pub fn help(&self) -> String {
        format!("expected layout:\n{}\n{}", self.layout.trim_end(), self.get)
    }

    /// Logs a note if a split differs from the public one, so that nobody takes a part or a miniature for the whole.
    /// `labelled` is the number of its pictures with a label, before any are left out.
    pub fn check(&self, split: &str, images: usize, labelled: usize) {
        let Some(counts) = self.splits.get(split) else { return };
        let mut apart = Vec::new();
        if counts.images.is_some_and(|n| n != images as u64) {
            apart.push(format!("{images} pictures, not {}", counts.images.unwrap_or_default()));
        }
        if counts.labelled.is_some_and(|n| n != labelled as u64) {
            apart.push(format!("{labelled} with labels, not {}", counts.labelled.unwrap_or_default()));
        }
        if !apart.is_empty() {
            console::log(&format!(
                "note: {split} of {} has {}: a part of it, or another edition",
                self.name,
                apart.join(" and ")
            ));
        }
    }

    /// A table's labels in the card's order. Labels that the table does not have are left out, with a note.
    ///
    /// Errors: labels that the card does not have.
    pub fn in_order(&self, table: &LabelTable) -> Result<LabelTable> {
        if self.labels.is_empty() || table.labels() == self.labels.as_slice() {
            return Ok(table.clone());
        }
        if let Some(other) = table.labels().iter().find(|label| !self.labels.contains(label)) {
            let error = Error::unknown("label", other, self.labels.iter().map(String::as_str));
            return Err(Error { message: format!("{} has no label \"{other}\"", self.name), ..error });
        }
        let there: Vec<&String> = self.labels.iter().filter(|label| table.labels().contains(label)).collect();
        if there.len() < self.labels.len() {
            console::log(&format!(
                "note: {} of the {} labels of {} are there",
                there.len(),
                self.labels.len(),
                self.name
            ));
        }
        table.take_labels(&there)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_card_can_be_read_and_agrees_with_itself() {
        for (name, _) in TEXTS {
            let card = card(name).unwrap();
            assert_eq!(&card.name, name);
            assert!(card.labels.is_empty() || card.labels.len() == card.num_labels, "{name}: {}", card.labels.len());
            let mut once = card.labels.clone();
            once.sort();
            once.dedup();
            assert_eq!(once.len(), card.labels.len(), "{name}");
            assert!(crate::images::DATASETS.iter().any(|d| d.name == *name), "{name} cannot be opened");
            for text in [&card.summary, &card.layout, &card.get, &card.licence, &card.use_in_papers] {
                assert!(!text.trim().is_empty(), "{name}");
            }
        }
    }
}
