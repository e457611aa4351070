//! `table`: a table from maps.

use rhai::Array;

use crate::error::{Error, Result};
use crate::primitives::parameters::Columns;
use crate::primitives::values::table::{TableValue, cell};
use crate::script::vocabulary;
use crate::script::word::{Chapter, Example, Word};
use crate::tables::Cell;

pub const WORD: Word = Word {
    name: "table",
    chapter: Chapter::Labels,
    signatures: &["table(rows) -> Table", "table(rows, columns) -> Table"],
    summary: "A Table from an array of maps, one per row.",
    details: "columns gives their order; without it they are in alphabetical order, as maps have none. A key that a row lacks is empty there.",
    options: None,
    examples: &[Example {
        code: "table([#{k: 2, mAP: 80.5}, #{k: 3, mAP: 81.0}], [\"k\", \"mAP\"]).column(\"mAP\")",
        prints: "[80.5, 81.0]",
    }],
    register: |word| {
        word.form(|rows: Array, columns: Option<Columns>| from_maps(&rows, columns.map(|columns| columns.0)));
    },
};

/// One row per map; `columns`, or all keys in order of appearance.
pub fn from_maps(rows: &Array, columns: Option<Vec<String>>) -> Result<TableValue> {
    let mut maps = Vec::new();
    for row in rows {
        let map = row.as_map_ref().map_err(|came| {
            Error::argument(format!("table takes an array of maps; got {} in it", vocabulary::a_user_name(came)))
        })?;
        maps.push(map.clone());
    }
    let columns = columns.unwrap_or_else(|| {
        let mut all: Vec<String> = vec![];
        for key in maps.iter().flat_map(|m| m.keys()) {
            if !all.iter().any(|c| c == key.as_str()) {
                all.push(key.to_string());
            }
        }
        all
    });
    let names: Vec<&str> = columns.iter().map(String::as_str).collect();
    let rows =
        maps.iter().map(|m| columns.iter().map(|c| m.get(c.as_str()).map_or(Cell::Null, cell)).collect()).collect();
    TableValue::from_rows(&names, rows)
}
