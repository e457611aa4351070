//! The metrics of one evaluation, as one value.

use serde::Serialize;
use serde_json::{Map, Value};

use super::context_probe::ContextProbe;
use super::decision_metrics::{DECISION_METRICS, DecisionMetrics};

/// The metrics of one evaluation, in percent; [`Evaluation::raw`] has them from 0 to 1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// N.
    pub images: usize,
    /// m, labels without a positive included.
    pub labels: usize,
    /// Targets of unknown truth, which every number leaves out.
    #[serde(skip_serializing_if = "is_zero")]
    pub unknown: usize,
    /// The convention that the numbers below follow.
    pub convention: String,
    pub threshold: f64,
    /// Mean AP over the labels that have a positive.
    #[serde(rename = "mAP")]
    pub map: f64,
    /// At the threshold.
    #[serde(flatten)]
    pub decisions: DecisionMetrics,
    /// Mean of the labels' own F1.
    #[serde(rename = "macro_F1")]
    pub macro_f1: f64,
    /// With the k highest scores of each image as predictions.
    pub top: Option<TopRow>,
    pub per_label: Vec<LabelRow>,
    /// Labels without a positive, which the means over labels leave out.
    pub left_out: Vec<String>,
    /// One row per requested threshold, when there are several.
    pub thresholds: Vec<ThresholdRow>,
    /// One row per requested convention, at its own threshold unless one is given.
    pub conventions: Vec<ConventionRow>,
    /// The context probe, when requested.
    pub context: Option<ContextProbe>,
    /// Remarks on how the numbers were made, for the reader.
    pub notes: Vec<String>,
}

/// The metrics at top k, in percent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TopRow {
    pub k: usize,
    /// Whether a score also had to pass the threshold.
    pub above_threshold: bool,
    #[serde(flatten)]
    pub decisions: DecisionMetrics,
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
    /// Images where its truth is unknown, which the other numbers leave out.
    #[serde(skip_serializing_if = "is_zero")]
    pub unknown: usize,
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
    #[serde(flatten)]
    pub decisions: DecisionMetrics,
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

impl Evaluation {
    /// The evaluation of a model that is planned and not trained: every number is NaN, with a note about it.
    pub fn planned(images: usize, labels: usize) -> Evaluation {
        Evaluation {
            images,
            labels,
            unknown: 0,
            convention: "none".into(),
            threshold: f64::NAN,
            map: f64::NAN,
            decisions: DecisionMetrics::NAN,
            macro_f1: f64::NAN,
            top: Some(TopRow { k: 3, above_threshold: false, decisions: DecisionMetrics::NAN }),
            per_label: vec![],
            left_out: vec![],
            thresholds: vec![],
            conventions: vec![],
            context: None,
            notes: vec!["planned: nothing was trained or evaluated".into()],
        }
    }

    /// mAP and the metrics of decisions, by name, in the order of tables.
    pub fn numbers(&self) -> Vec<(&'static str, f64)> {
        let decisions = DECISION_METRICS.iter().map(|m| (m.name, (m.of)(&self.decisions)));
        std::iter::once(("mAP", self.map)).chain(decisions).collect()
    }

    /// The same as a JSON object with every percentage as a number from 0 to 1.
    pub fn raw(&self) -> Value {
        let mut value = serde_json::to_value(self).unwrap_or(Value::Null);
        scale(&mut value);
        value
    }
}

/// The keys whose numbers are not percentages.
const PLAIN: &[&str] = &["images", "labels", "unknown", "threshold", "k", "positives", "positives_alone", "companions"];

fn is_zero(n: &usize) -> bool {
    *n == 0
}

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

#[cfg(test)]
mod tests {
    use super::*;

    // Run stores and scripts hold this form.
    #[test]
    fn json_is_flat_and_its_keys_are_in_order() {
        let decisions = DecisionMetrics { cp: 1.0, cr: 2.0, cf1: 3.0, op: 4.0, or: 5.0, of1: 6.0 };
        let top = TopRow { k: 3, above_threshold: true, decisions };
        let rows = ThresholdRow { threshold: 0.5, decisions, macro_f1: 7.0 };
        let row = ConventionRow { name: "field".into(), map: 8.0, rows, top: Some(top.clone()) };
        assert_eq!(
            serde_json::to_string(&row).unwrap(),
            "{\"name\":\"field\",\"mAP\":8.0,\"threshold\":0.5,\"CP\":1.0,\"CR\":2.0,\"CF1\":3.0,\"OP\":4.0,\"OR\":5.0,\
             \"OF1\":6.0,\"macro_F1\":7.0,\"top\":{\"k\":3,\"above_threshold\":true,\"CP\":1.0,\"CR\":2.0,\"CF1\":3.0,\
             \"OP\":4.0,\"OR\":5.0,\"OF1\":6.0}}"
        );
        let all = Evaluation { decisions, top: Some(top), conventions: vec![row], ..Evaluation::planned(2, 1) };
        let text = serde_json::to_string(&all).unwrap();
        let start = "{\"images\":2,\"labels\":1,\"convention\":\"none\",\"threshold\":null,\"mAP\":null,\"CP\":1.0,\"CR\":2.0,\
                     \"CF1\":3.0,\"OP\":4.0,\"OR\":5.0,\"OF1\":6.0,\"macro_F1\":null,\"top\":{\"k\":3,";
        assert!(text.starts_with(start), "{text}");
        assert_eq!(all.raw()["conventions"][0]["top"]["OF1"], 0.06);
    }
}
