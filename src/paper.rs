//! The numbers printed in the paper, as data: `datasets/paper/*.toml`, embedded.
//!
//! Rows hold the printed values. `disagrees` names each printed F1 that does not follow from the printed precision and
//! recall; `missing` names the numbers that could not be found.

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::tables::{Cell, Table};

/// The files, one line each.
const FILES: &[(&str, &str)] = &[
    ("coco", include_str!("../datasets/paper/coco.toml")),
    ("nuswide", include_str!("../datasets/paper/nuswide.toml")),
    ("components", include_str!("../datasets/paper/components.toml")),
    ("k", include_str!("../datasets/paper/k.toml")),
];

/// One table of the paper.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    pub title: String,
    /// The paper and the number of the table.
    pub source: String,
    /// The document that the numbers were read from.
    pub read_from: String,
    pub notes: Vec<String>,
    /// The numbers that are missing, and why.
    pub missing: Option<String>,
    #[serde(default)]
    pub rows: Vec<Row>,
}

/// One row as printed, in percent.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    pub method: String,
    /// The work that the table cites for it.
    pub cited: Option<String>,
    /// "published": taken from another paper; "baseline": the authors' own run; "ours": with the method.
    pub kind: String,
    pub backbone: String,
    pub resolution: i64,
    /// The recipe that reproduces it.
    pub recipe: Option<String>,
    #[serde(rename = "mAP")]
    pub map: f64,
    #[serde(rename = "CP")]
    pub cp: Option<f64>,
    #[serde(rename = "CR")]
    pub cr: Option<f64>,
    #[serde(rename = "CF1")]
    pub cf1: f64,
    #[serde(rename = "OP")]
    pub op: Option<f64>,
    #[serde(rename = "OR")]
    pub or: Option<f64>,
    #[serde(rename = "OF1")]
    pub of1: f64,
    /// Each F1 that does not follow from the printed precision and recall.
    #[serde(default)]
    pub disagrees: Vec<String>,
}

/// The names of the tables.
pub fn names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|f| f.0)
}

/// The table of that name. Errors: an unknown name, with the nearest.
pub fn published(name: &str) -> Result<Published> {
    let (_, text) =
        FILES.iter().find(|f| f.0 == name).ok_or_else(|| Error::unknown("table of the paper", name, names()))?;
    toml::from_str(text).map_err(|e| Error::internal(format!("datasets/paper/{name}.toml: {e}")))
}

impl Published {
    /// All rows, one column per field; `disagrees` holds names separated by commas.
    ///
    /// Errors: a table without rows.
    pub fn table(&self) -> Result<Table> {
        if self.rows.is_empty() {
            let missing = self.missing.clone().unwrap_or_default();
            return Err(
                Error::data(format!("no row of the paper's table \"{}\" is here", self.title)).with_help(missing)
            );
        }
        let columns = "method kind backbone resolution recipe mAP CP CR CF1 OP OR OF1 disagrees".split(' ');
        let rows = self.rows.iter().map(|r| -> Vec<Cell> {
            let text = |t: &Option<String>| t.clone().map_or(Cell::Null, Cell::Text);
            let disagrees = (!r.disagrees.is_empty()).then(|| r.disagrees.join(", "));
            vec![
                Cell::Text(r.method.clone()),
                Cell::Text(r.kind.clone()),
                Cell::Text(r.backbone.clone()),
                Cell::Int(r.resolution),
                text(&r.recipe),
                Cell::Float(r.map),
                r.cp.into(),
                r.cr.into(),
                Cell::Float(r.cf1),
                r.op.into(),
                r.or.into(),
                Cell::Float(r.of1),
                text(&disagrees),
            ]
        });
        Table::from_rows(&columns.map(String::from).collect::<Vec<_>>(), rows.collect())
    }
}
