//! What an evaluation found.

use serde::Serialize;
use serde_json::{Map, Value};

use super::context::ContextReport;
use super::precision_recall::Means;

/// The metrics of one evaluation, in percent; [`Evaluation::raw`] has them from 0 to 1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// N.
    pub images: usize,
    /// m, labels without a positive included.
    pub labels: usize,
    /// The convention that the numbers below follow.
    pub convention: String,
    pub threshold: f64,
    /// Mean AP over the labels that have a positive.
    #[serde(rename = "mAP")]
    pub map: f64,
    /// Mean precision over the labels that have a positive.
    #[serde(rename = "CP")]
    pub cp: f64,
    /// Mean recall over the labels that have a positive.
    #[serde(rename = "CR")]
    pub cr: f64,
    /// Harmonic mean of CP and CR, or the mean of the labels' F1 where the convention says so.
    #[serde(rename = "CF1")]
    pub cf1: f64,
    /// Precision over all decisions.
    #[serde(rename = "OP")]
    pub op: f64,
    /// Recall over all decisions.
    #[serde(rename = "OR")]
    pub or: f64,
    /// Harmonic mean of OP and OR.
    #[serde(rename = "OF1")]
    pub of1: f64,
    /// Mean of the labels' own F1.
    #[serde(rename = "macro_F1")]
    pub macro_f1: f64,
    /// With the k highest scores of each image as predictions.
    pub top: Option<TopRow>,
    pub per_label: Vec<LabelRow>,
    /// Labels without a positive, which the means over labels leave out.
    pub left_out: Vec<String>,
    /// A row for each threshold asked for, when there are several.
    pub thresholds: Vec<ThresholdRow>,
    /// A row for each convention asked for, at its own threshold unless one is given.
    pub conventions: Vec<ConventionRow>,
    /// The context probe, when asked for.
    pub context: Option<ContextReport>,
    /// What a reader should know of how the numbers were made.
    pub notes: Vec<String>,
}

/// The six numbers at top k, in percent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TopRow {
    pub k: usize,
    /// Whether a score also had to pass the threshold.
    pub above_threshold: bool,
    #[serde(rename = "CP")]
    pub cp: f64,
    #[serde(rename = "CR")]
    pub cr: f64,
    #[serde(rename = "CF1")]
    pub cf1: f64,
    #[serde(rename = "OP")]
    pub op: f64,
    #[serde(rename = "OR")]
    pub or: f64,
    #[serde(rename = "OF1")]
    pub of1: f64,
}

/// One label, in percent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabelRow {
    pub label: String,
    /// `None` without a positive.
    #[serde(rename = "AP")]
    pub ap: Option<f64>,
    /// Images that have the label.
    pub positives: usize,
    /// 0 where nothing is predicted.
    pub precision: f64,
    /// 0 without a positive.
    pub recall: f64,
    pub f1: f64,
}

/// One threshold, in percent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ThresholdRow {
    pub threshold: f64,
    #[serde(rename = "CP")]
    pub cp: f64,
    #[serde(rename = "CR")]
    pub cr: f64,
    #[serde(rename = "CF1")]
    pub cf1: f64,
    #[serde(rename = "OP")]
    pub op: f64,
    #[serde(rename = "OR")]
    pub or: f64,
    #[serde(rename = "OF1")]
    pub of1: f64,
    #[serde(rename = "macro_F1")]
    pub macro_f1: f64,
}

/// One convention, in percent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConventionRow {
    pub name: String,
    #[serde(rename = "mAP")]
    pub map: f64,
    #[serde(flatten)]
    pub rows: ThresholdRow,
    pub top: Option<TopRow>,
}

impl ThresholdRow {
    pub(super) fn new(threshold: f64, means: &Means, mean_f1: bool) -> Self {
        ThresholdRow {
            threshold,
            cp: 100.0 * means.cp,
            cr: 100.0 * means.cr,
            cf1: 100.0 * if mean_f1 { means.macro_f1 } else { means.cf1 },
            op: 100.0 * means.op,
            or: 100.0 * means.or,
            of1: 100.0 * means.of1,
            macro_f1: 100.0 * means.macro_f1,
        }
    }
}

impl TopRow {
    pub(super) fn new(k: usize, above_threshold: bool, means: &Means, mean_f1: bool) -> Self {
        let row = ThresholdRow::new(0.0, means, mean_f1);
        TopRow { k, above_threshold, cp: row.cp, cr: row.cr, cf1: row.cf1, op: row.op, or: row.or, of1: row.of1 }
    }
}

impl Evaluation {
    /// The report of a model that is planned and not trained: every number is NaN, and a note says so.
    pub fn planned(images: usize, labels: usize) -> Evaluation {
        let none = f64::NAN;
        Evaluation {
            images,
            labels,
            convention: "none".into(),
            threshold: none,
            map: none,
            cp: none,
            cr: none,
            cf1: none,
            op: none,
            or: none,
            of1: none,
            macro_f1: none,
            top: Some(TopRow {
                k: 3,
                above_threshold: false,
                cp: none,
                cr: none,
                cf1: none,
                op: none,
                or: none,
                of1: none,
            }),
            per_label: vec![],
            left_out: vec![],
            thresholds: vec![],
            conventions: vec![],
            context: None,
            notes: vec!["planned: nothing was trained or evaluated".into()],
        }
    }

    /// The same as a JSON object with every percentage as a number from 0 to 1.
    pub fn raw(&self) -> Value {
        let mut value = serde_json::to_value(self).unwrap_or(Value::Null);
        scale(&mut value);
        value
    }
}

/// The keys whose numbers are no percentages.
const PLAIN: &[&str] = &["images", "labels", "threshold", "k", "positives", "positives_alone", "companions"];

fn scale(value: &mut Value) {
    match value {
        Value::Object(map) => scale_map(map),
        Value::Array(items) => items.iter_mut().for_each(scale),
        _ => {}
    }
}

fn scale_map(map: &mut Map<String, Value>) {
    for (key, value) in map.iter_mut() {
        if PLAIN.contains(&key.as_str()) {
            continue;
        }
        match value.as_f64() {
            Some(percent) => *value = Value::from(percent / 100.0),
            None => scale(value),
        }
    }
}
