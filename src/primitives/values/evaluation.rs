//! `Evaluation` in scripts.

use rhai::Map;

use super::table::TableValue;
use crate::error::Result;
use crate::metrics::{DECISION_METRICS, DecisionMetrics, Evaluation};
use crate::script::call::MemberRegistrar;
use crate::script::kind::{KindOfValue, Member, kind_value};
use crate::tables::Cell;

impl KindOfValue for Evaluation {
    const NAME: &'static str = "Evaluation";
    const SUMMARY: &'static str = "The metrics of one evaluation, in percent.";
    const MEMBERS: &'static [Member] = &MEMBERS;

    fn register(members: &mut MemberRegistrar<Self>) {
        for metric in DECISION_METRICS {
            members.get(metric.name, |e: &Self| (metric.of)(&e.decisions));
        }
        members
            .get("mAP", |e: &Self| e.map)
            .get("macro_F1", |e: &Self| e.macro_f1)
            .get("unknown", |e: &Self| e.unknown)
            .get("left_out", |e: &Self| e.left_out.clone())
            .get("notes", |e: &Self| e.notes.clone())
            .get("top", |e: &Self| e.top.as_ref().map(|top| by_name(&top.decisions)))
            .get("context", |e: &Self| serde_json::to_value(&e.context).unwrap_or_default())
            .get("raw", |e: &Self| e.raw())
            .get("per_label", per_label);
    }
}

kind_value!(Evaluation);

const OTHERS: [Member; 8] = [
    Member::new("macro_F1", "mean of the labels' own F1"),
    Member::new("top", "the same six when each image's three highest scores count as predicted: a map"),
    Member::new(
        "per_label",
        "a Table: label, AP, positives, precision, recall, F1; unknown, where targets were left out",
    ),
    Member::new("unknown", "how many targets were left out, since their truth is unknown"),
    Member::new("left_out", "labels without a positive, which the mean leaves out"),
    Member::new("notes", "remarks on how the numbers were made"),
    Member::new("context", "the context probe as a map, when it was asked for"),
    Member::new("raw", "everything as a map"),
];

/// mAP, one member per metric of decisions, and the others.
const MEMBERS: [Member; 1 + DECISION_METRICS.len() + OTHERS.len()] = {
    const MAP: Member = Member::new("mAP", "mean average precision over the labels that have a positive");
    let mut members = [MAP; 1 + DECISION_METRICS.len() + OTHERS.len()];
    let mut i = 1;
    while i < members.len() {
        members[i] = match i <= DECISION_METRICS.len() {
            true => Member::new(DECISION_METRICS[i - 1].name, DECISION_METRICS[i - 1].text),
            false => {
                let other = &OTHERS[i - 1 - DECISION_METRICS.len()];
                Member::new(other.usage, other.doc)
            }
        };
        i += 1;
    }
    members
};

fn by_name(decisions: &DecisionMetrics) -> Map {
    DECISION_METRICS.iter().map(|metric| (metric.name.into(), (metric.of)(decisions).into())).collect()
}

/// The table of an evaluation's labels. Errors: none that is known.
pub fn per_label(e: &Evaluation) -> Result<TableValue> {
    let with_unknown = e.unknown > 0;
    let rows = e.per_label.iter().map(|l| {
        let mut cells = vec![
            Cell::Text(l.label.clone()),
            l.ap.map_or(Cell::Null, Cell::Float),
            Cell::Int(l.positives as i64),
            Cell::Float(l.precision),
            Cell::Float(l.recall),
            Cell::Float(l.f1),
        ];
        cells.extend(with_unknown.then_some(Cell::Int(l.unknown as i64)));
        cells
    });
    let columns = ["label", "AP", "positives", "precision", "recall", "F1", "unknown"];
    TableValue::from_rows(if with_unknown { &columns } else { &columns[..6] }, rows.collect())
}
