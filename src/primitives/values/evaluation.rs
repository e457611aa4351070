//! `Report` in scripts.

use rhai::{Dynamic, Engine, Map};

use super::label_table::strings;
use super::table::TableValue;
use crate::metrics::{DECISION_METRICS, Evaluation};
use crate::script::call::MemberRegistrar;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::kind::{KindOfValue, Member, kind_value};
use crate::script::options;
use crate::tables::Cell;

impl KindOfValue for Evaluation {
    const NAME: &'static str = "Report";
    const SUMMARY: &'static str = "The metrics of one evaluation, in percent.";
    const MEMBERS: &'static [Member] = &MEMBERS;

    fn register(members: &mut MemberRegistrar<Self>) {
        register(members.engine)
    }
}

kind_value!(Evaluation);

const OTHERS: [Member; 7] = [
    Member::new("macro_F1", "mean of the labels' own F1"),
    Member::new("top", "the same six when each image's three highest scores count as predicted: a map"),
    Member::new("per_label", "a Table: label, AP, positives, precision, recall, F1"),
    Member::new("left_out", "labels without a positive, which the mean leaves out"),
    Member::new("notes", "what a reader should know of how the numbers were made"),
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

fn register(engine: &mut Engine) {
    for metric in DECISION_METRICS {
        engine.register_get(metric.name, move |e: &mut Evaluation| (metric.of)(&e.decisions));
    }
    engine
        .register_get("mAP", |e: &mut Evaluation| e.map)
        .register_get("macro_F1", |e: &mut Evaluation| e.macro_f1)
        .register_get("left_out", |e: &mut Evaluation| strings(&e.left_out))
        .register_get("notes", |e: &mut Evaluation| strings(&e.notes))
        .register_get("top", |e: &mut Evaluation| -> Dynamic {
            let Some(top) = &e.top else { return Dynamic::UNIT };
            let values = DECISION_METRICS.iter().map(|m| (m.name.into(), (m.of)(&top.decisions).into()));
            values.collect::<Map>().into()
        })
        .register_get("context", |e: &mut Evaluation| {
            serde_json::to_value(&e.context).map_or(Dynamic::UNIT, |v| options::from_json(&v))
        })
        .register_get("raw", |e: &mut Evaluation| options::from_json(&e.raw()))
        .register_get("per_label", |e: &mut Evaluation| -> Fallible<TableValue> {
            let rows = e
                .per_label
                .iter()
                .map(|l| {
                    vec![
                        Cell::Text(l.label.clone()),
                        l.ap.map_or(Cell::Null, Cell::Float),
                        Cell::Int(l.positives as i64),
                        Cell::Float(l.precision),
                        Cell::Float(l.recall),
                        Cell::Float(l.f1),
                    ]
                })
                .collect();
            TableValue::from_rows(&["label", "AP", "positives", "precision", "recall", "F1"], rows).or_raise()
        });
}
