//! The option `graph` of a model: a matrix of weights between labels.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tch::Tensor;

use crate::error::{Error, Result};

/// Weights between named labels: S_ij = e_ij / n_i of a co-occurrence, or the weights of an affinity.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelGraph {
    pub labels: Vec<String>,
    /// m rows of m numbers, zero diagonal.
    pub rows: Vec<Vec<f64>>,
}

impl LabelGraph {
    /// The most labels of a graph that is given as an option.
    const MOST: usize = 4096;

    /// A graph as JSON, as options hold it. `Err` names a graph that is too large.
    pub fn to_json(labels: &[String], weight: impl Fn(usize, usize) -> f64) -> Result<Value, String> {
        let (m, most) = (labels.len(), Self::MOST);
        if m > most {
            return Err(format!("a label graph of {m} labels; at most {most} fit into an option"));
        }
        let rows = (0..m).map(|i| (0..m).map(|j| if i == j { 0.0 } else { weight(i, j) }).collect()).collect();
        serde_json::to_value(LabelGraph { labels: labels.to_vec(), rows }).map_err(|e| e.to_string())
    }

    /// The submatrix of these labels, in their order: `[m, m]` f32. Errors: a label that is missing.
    pub fn between(&self, labels: &[String]) -> Result<Tensor> {
        let m = self.labels.len();
        if self.rows.len() != m || self.rows.iter().any(|row| row.len() != m) {
            return Err(Error::argument(format!("a label graph of {m} labels needs {m} rows of {m} numbers")));
        }
        let place: HashMap<&str, usize> = self.labels.iter().enumerate().map(|(i, l)| (l.as_str(), i)).collect();
        let mut at = Vec::with_capacity(labels.len());
        for label in labels {
            at.push(*place.get(label.as_str()).ok_or_else(|| {
                let mut error = Error::unknown("label", label, self.labels.iter().map(String::as_str));
                error.message = format!("the label graph of the head has no label \"{label}\"");
                error
            })?);
        }
        let values: Vec<f32> = at.iter().flat_map(|&i| at.iter().map(move |&j| self.rows[i][j] as f32)).collect();
        let m = labels.len() as i64;
        Ok(Tensor::f_from_slice(&values)?.f_view([m, m])?)
    }
}
