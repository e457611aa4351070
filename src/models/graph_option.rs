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
    /// Each label's share of the images, if a co-occurrence gave the weights.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shares: Vec<f64>,
}

impl LabelGraph {
    /// The most labels of a graph that is given as an option.
    const MOST: usize = 4096;

    /// A graph as JSON, as options hold it. `Err` names a graph that is too large.
    pub fn to_json(labels: &[String], weight: impl Fn(usize, usize) -> f64, shares: Vec<f64>) -> Result<Value, String> {
        let (m, most) = (labels.len(), Self::MOST);
        if m > most {
            return Err(format!("a label graph of {m} labels; at most {most} fit into an option"));
        }
        let rows = (0..m).map(|i| (0..m).map(|j| if i == j { 0.0 } else { weight(i, j) }).collect()).collect();
        serde_json::to_value(LabelGraph { labels: labels.to_vec(), rows, shares }).map_err(|e| e.to_string())
    }

    /// The submatrix of these labels, in their order: `[m, m]` f32. Errors: a label that is missing.
    pub fn between(&self, labels: &[String]) -> Result<Tensor> {
        let m = self.labels.len();
        if self.rows.len() != m || self.rows.iter().any(|row| row.len() != m) {
            return Err(Error::argument(format!("a label graph of {m} labels needs {m} rows of {m} numbers")));
        }
        let at = self.places(labels)?;
        let values: Vec<f32> = at.iter().flat_map(|&i| at.iter().map(move |&j| self.rows[i][j] as f32)).collect();
        let m = labels.len() as i64;
        Ok(Tensor::f_from_slice(&values)?.f_view([m, m])?)
    }

    /// The shares of these labels, in their order: `[m]` f32. Errors: a label that is missing, a graph without shares.
    pub fn shares_of(&self, labels: &[String]) -> Result<Tensor> {
        if self.shares.len() != self.labels.len() {
            return Err(Error::argument(
                "the head needs the labels' shares of the images, which this label graph does not have",
            )
            .about_option("graph")
            .with_help("a co-occurrence has them: graph: cooccurrence(data.train)"));
        }
        let values: Vec<f32> = self.places(labels)?.into_iter().map(|i| self.shares[i] as f32).collect();
        Ok(Tensor::f_from_slice(&values)?)
    }

    /// The positions of these labels. Errors: a label that is missing.
    fn places(&self, labels: &[String]) -> Result<Vec<usize>> {
        let place: HashMap<&str, usize> = self.labels.iter().enumerate().map(|(i, l)| (l.as_str(), i)).collect();
        let mut at = Vec::with_capacity(labels.len());
        for label in labels {
            at.push(*place.get(label.as_str()).ok_or_else(|| {
                let mut error = Error::unknown("label", label, self.labels.iter().map(String::as_str));
                error.message = format!("the label graph of the head has no label \"{label}\"");
                error
            })?);
        }
        Ok(at)
    }
}
