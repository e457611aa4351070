//! `table`: a table from maps.

use rhai::{Array, Map};

use crate::error::{Error, Result};
use crate::primitives::parameters::Columns;
use crate::primitives::values::table::{TableValue, cell};
use crate::script::vocabulary;
use crate::script::word::{Chapter, Example, Word};
use crate::tables::{Cell, Table};

pub const WORD: Word = Word {
    name: "table",
    chapter: Chapter::Labels,
    signatures: &["table(rows) -> Table", "table(rows, columns) -> Table"],
    summary: "A Table from an array of maps, one per row.",
    details: "columns gives their order; without it they are in alphabetical order, as maps have none. A key that a row lacks is empty there. A column of integers and other numbers has numbers, and where integers of 16 digits or more stand beside numbers with a decimal point, a line says which are rounded; one of other kinds together, as numbers and texts, has texts.",
    options: None,
    examples: &[Example {
        code: "table([#{k: 2, mAP: 80.5}, #{k: 3, mAP: 81.0}], [\"k\", \"mAP\"]).column(\"mAP\")",
        prints: "[80.5, 81.0]",
    }],
    register: |word| {
        word.reading(|rows: &Array, columns: Option<Columns>| {
            if !rows.is_empty() && columns.as_ref().is_some_and(|columns| columns.0.is_empty()) {
                return Err(Error::argument("table: columns is empty, and a table without columns has no rows")
                    .with_help("leave it out for all keys of the maps"));
            }
            from_maps(rows, columns.map(|columns| columns.0))
        });
    },
};

/// One row per map; `columns`, or all keys in order of appearance.
pub fn from_maps(rows: &Array, columns: Option<Vec<String>>) -> Result<TableValue> {
    let mut maps = Vec::with_capacity(rows.len());
    for row in rows {
        maps.push(row.as_map_ref().map_err(|came| {
            Error::argument(format!("table takes an array of maps; got {} in it", vocabulary::a_user_name(came)))
        })?);
    }
    // Most tables have the same keys in all rows; those of the first are looked up once.
    let first: Vec<String> = maps.first().map_or(vec![], |map| map.keys().map(ToString::to_string).collect());
    let is_alike = |map: &Map| map.len() == first.len() && map.keys().zip(&first).all(|(a, b)| a.as_str() == b);
    let columns = columns.unwrap_or_else(|| {
        let mut all = first.clone();
        for key in maps.iter().filter(|map| !is_alike(map)).flat_map(|map| map.keys()) {
            if !all.iter().any(|c| c == key.as_str()) {
                all.push(key.to_string());
            }
        }
        all
    });
    let places: Vec<Option<usize>> = first.iter().map(|key| columns.iter().position(|c| c == key)).collect();
    let absent: Vec<usize> = (0..columns.len()).filter(|&c| !places.contains(&Some(c))).collect();
    let mut cells: Vec<Vec<Cell>> = columns.iter().map(|_| Vec::with_capacity(maps.len())).collect();
    for map in &maps {
        if is_alike(map) {
            for (value, place) in map.values().zip(&places) {
                if let Some(c) = place {
                    cells[*c].push(cell(value));
                }
            }
            absent.iter().for_each(|&c| cells[c].push(Cell::Null));
        } else {
            for (column, name) in cells.iter_mut().zip(&columns) {
                column.push(map.get(name.as_str()).map_or(Cell::Null, cell));
            }
        }
    }
    Ok(TableValue(Table::from_columns(columns.into_iter().zip(cells).collect())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &str, columns: Option<&[&str]>) -> Result<Vec<(String, Vec<Cell>)>> {
        let rows: Array = rhai::Engine::new().eval(rows).unwrap();
        let columns = columns.map(|columns| columns.iter().map(|c| c.to_string()).collect());
        let table = from_maps(&rows, columns)?.0;
        Ok(table.columns().into_iter().map(|name| (name.clone(), table.column(&name).unwrap())).collect())
    }

    #[test]
    fn rows_with_other_keys_than_the_first_are_whole() {
        let rows = "[#{b: 1, d: 2}, #{b: 3, d: 4}, #{a: 5, b: 6}, #{}, #{b: 7, c: 8, d: 9}]";
        let int = |cells: [i64; 5]| cells.map(|x| if x == 0 { Cell::Null } else { Cell::Int(x) }).to_vec();
        let (a, b, c, d) = (int([0, 0, 5, 0, 0]), int([1, 3, 6, 0, 7]), int([0, 0, 0, 0, 8]), int([2, 4, 0, 0, 9]));
        let all = [("b", &b), ("d", &d), ("a", &a), ("c", &c)].map(|(name, cells)| (name.to_string(), cells.clone()));
        assert_eq!(table(rows, None).unwrap(), all);
        // Some columns, in another order, and one that no row has.
        let some = [("d", d), ("x", int([0; 5])), ("b", b)].map(|(name, cells)| (name.to_string(), cells));
        assert_eq!(table(rows, Some(&["d", "x", "b"])).unwrap(), some);
        let twice = table(rows, Some(&["b", "b"])).unwrap_err().message;
        assert!(twice.contains("two columns named \"b\""), "{twice}");
        assert!(table("[#{a: 1}, 2]", None).unwrap_err().message.contains("an array of maps; got"));
        assert_eq!(table("[]", None).unwrap(), []);
        assert_eq!(table("[]", Some(&[])).unwrap(), []);
    }
}
