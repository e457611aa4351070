//! The labels and the columns of the values in scope, which strings may hold.

use std::collections::BTreeSet;

use rhai::Dynamic;

use crate::graph::{Cooccurrence, Partition};
use crate::images::Dataset;
use crate::labels::LabelTable;
use crate::primitives::values::model::ModelValue;
use crate::primitives::values::table::TableValue;

/// More names are of no use behind a key.
const MOST: usize = 20_000;
/// So many values of a map or an array are looked at.
const FIRST: usize = 20;

/// Names that strings may hold.
#[derive(Default)]
pub struct Texts {
    labels: BTreeSet<String>,
    columns: BTreeSet<String>,
}

impl Texts {
    /// Adds the names of a value, and of those inside it down to `depth`.
    pub fn add(&mut self, value: &Dynamic, depth: usize) {
        if self.labels.len() + self.columns.len() > MOST {
            return;
        }
        if depth > 0
            && let Ok(map) = value.as_map_ref()
        {
            map.values().take(FIRST).for_each(|value| self.add(value, depth - 1));
        }
        if depth > 0
            && let Ok(array) = value.as_array_ref()
        {
            array.iter().take(FIRST).for_each(|value| self.add(value, depth - 1));
        }
        let mut labels = |names: &[String]| self.labels.extend(names.iter().take(MOST).cloned());
        if let Some(data) = value.read_lock::<Dataset>() {
            labels(data.labels.labels());
        } else if let Some(table) = value.read_lock::<LabelTable>() {
            labels(table.labels());
        } else if let Some(counts) = value.read_lock::<Cooccurrence>() {
            labels(counts.labels());
        } else if let Some(partition) = value.read_lock::<Partition>() {
            labels(partition.labels());
        } else if let Some(model) = value.read_lock::<ModelValue>() {
            labels(&model.0.labels);
        } else if let Some(table) = value.read_lock::<TableValue>() {
            self.columns.extend(table.0.columns());
        }
    }

    pub fn labels(&self) -> Vec<&str> {
        self.labels.iter().map(String::as_str).collect()
    }

    pub fn columns(&self) -> Vec<&str> {
        self.columns.iter().map(String::as_str).collect()
    }
}
