//! The paper's own numbers, as data: `datasets/paper/*.toml`, embedded.
//!
//! Rows hold what is printed, also where a printed F1 does not follow from the printed precision and recall; such a row
//! says so in `disagrees`. What could not be found is not there, and `missing` says what.

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::tables::{Cell, Table};

/// The files: a line each.
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
    /// The paper, and which of its tables.
    pub source: String,
    /// Where the numbers were read.
    pub read_from: String,
    pub notes: Vec<String>,
    /// What of it is not here, and why.
    pub missing: Option<String>,
    #[serde(default)]
    pub rows: Vec<Row>,
}

/// One row as it is printed, in percent.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    pub method: String,
    /// Whom the table cites for it.
    pub cited: Option<String>,
    /// "published": taken from another paper; "baseline": the authors' own run; "ours": with the method.
    pub kind: String,
    pub backbone: String,
    pub resolution: i64,
    /// The recipe that makes it.
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
    /// Which printed F1 does not follow from the printed precision and recall.
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
    /// All rows, one column a field; `disagrees` holds the names of the F1 that do, or nothing.
    ///
    /// Errors: no row is known.
    pub fn table(&self) -> Result<Table> {
        if self.rows.is_empty() {
            let missing = self.missing.clone().unwrap_or_default();
            return Err(
                Error::data(format!("no row of the paper's table \"{}\" is here", self.title)).with_help(missing)
            );
        }
        let columns = [
            "method",
            "kind",
            "backbone",
            "resolution",
            "recipe",
            "mAP",
            "CP",
            "CR",
            "CF1",
            "OP",
            "OR",
            "OF1",
            "disagrees",
        ];
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
        Table::from_rows(&columns.map(String::from), rows.collect())
    }
}
