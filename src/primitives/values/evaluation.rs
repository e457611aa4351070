//! `Report` in scripts.

use rhai::{Dynamic, Engine, Map};

use super::label_table::strings;
use super::table::TableValue;
use crate::labels::tables::Cell;
use crate::metrics::Evaluation;
use crate::script::call::MemberRegistrar;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::kind::{KindOfValue, Member, kind_value};
use crate::script::options;

impl KindOfValue for Evaluation {
    const NAME: &'static str = "Report";
    const SUMMARY: &'static str = "The metrics of one evaluation, in percent.";
    const MEMBERS: &'static [Member] = &[
        Member::new("mAP", "mean average precision over the labels that have a positive"),
        Member::new("CP", "mean precision over labels"),
        Member::new("CR", "mean recall over labels"),
        Member::new("CF1", "harmonic mean of CP and CR"),
        Member::new("OP", "precision over all decisions"),
        Member::new("OR", "recall over all decisions"),
        Member::new("OF1", "harmonic mean of OP and OR"),
        Member::new("macro_F1", "mean of the labels' own F1"),
        Member::new("top", "the same six when each image's three highest scores count as predicted: a map"),
        Member::new("per_label", "a Table: label, AP, positives, precision, recall, F1"),
        Member::new("left_out", "labels without a positive, which the mean leaves out"),
        Member::new("notes", "what a reader should know of how the numbers were made"),
        Member::new("context", "the context probe as a map, when it was asked for"),
        Member::new("raw", "everything as a map"),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        register(members.engine)
    }
}

kind_value!(Evaluation);

fn register(engine: &mut Engine) {
    engine
        .register_get("mAP", |r: &mut Evaluation| r.map)
        .register_get("CP", |r: &mut Evaluation| r.cp)
        .register_get("CR", |r: &mut Evaluation| r.cr)
        .register_get("CF1", |r: &mut Evaluation| r.cf1)
        .register_get("OP", |r: &mut Evaluation| r.op)
        .register_get("OR", |r: &mut Evaluation| r.or)
        .register_get("OF1", |r: &mut Evaluation| r.of1)
        .register_get("macro_F1", |r: &mut Evaluation| r.macro_f1)
        .register_get("left_out", |r: &mut Evaluation| strings(&r.left_out))
        .register_get("notes", |r: &mut Evaluation| strings(&r.notes))
        .register_get("top", |r: &mut Evaluation| -> Dynamic {
            let Some(top) = &r.top else { return Dynamic::UNIT };
            let map: Map =
                [("CP", top.cp), ("CR", top.cr), ("CF1", top.cf1), ("OP", top.op), ("OR", top.or), ("OF1", top.of1)]
                    .into_iter()
                    .map(|(name, value)| (name.into(), Dynamic::from(value)))
                    .collect();
            map.into()
        })
        .register_get("context", |r: &mut Evaluation| {
            serde_json::to_value(&r.context).map_or(Dynamic::UNIT, |v| options::from_json(&v))
        })
        .register_get("raw", |r: &mut Evaluation| options::from_json(&r.raw()))
        .register_get("per_label", |r: &mut Evaluation| -> Fallible<TableValue> {
            let rows = r
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
