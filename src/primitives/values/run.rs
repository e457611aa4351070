//! `Run` in scripts.

use std::fmt;

use rhai::{Dynamic, Engine};

use super::model::ModelValue;
use super::table::TableValue;
use crate::runs::Run;
use crate::script::call::MemberRegistrar;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::kind::{KindOfValue, Member, kind_value};
use crate::script::options;

/// A finished run as scripts hold it.
#[derive(Clone)]
pub struct RunValue(pub Run);

impl KindOfValue for RunValue {
    const NAME: &'static str = "Run";
    const SUMMARY: &'static str = "A finished run of the store: an immutable folder.";
    const MEMBERS: &'static [Member] = &[
        Member::new("id", "its name in the store"),
        Member::new("path", "its folder"),
        Member::new("spec", "a map of all that decided its result"),
        Member::new("summary", "a map of what came of it"),
        Member::new("metrics", "a Table: one row an epoch"),
        Member::new("model", "the Model, for a training"),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        register(members.engine)
    }
}

kind_value!(RunValue);

fn register(engine: &mut Engine) {
    engine
        .register_get("id", |r: &mut RunValue| r.0.id.clone())
        .register_get("path", |r: &mut RunValue| r.0.dir.display().to_string())
        .register_get("spec", |r: &mut RunValue| -> Fallible<Dynamic> {
            Ok(options::from_json(&r.0.spec().or_raise()?))
        })
        .register_get("summary", |r: &mut RunValue| -> Fallible<Dynamic> {
            Ok(options::from_json(&r.0.summary().or_raise()?))
        })
        .register_get("metrics", |r: &mut RunValue| -> Fallible<TableValue> { metrics(&r.0) })
        .register_get("model", |r: &mut RunValue| -> Fallible<ModelValue> {
            crate::training::run::load(r.0.clone()).map(ModelValue).or_raise()
        });
}

fn metrics(run: &Run) -> Fallible<TableValue> {
    let lines = run.metrics().or_raise()?;
    TableValue::from_json_rows(&lines).or_raise()
}

impl fmt::Display for RunValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Run {}", self.0.id)?;
        if let Ok(summary) = self.0.summary() {
            if let Some(name) = summary["name"].as_str() {
                write!(f, ": {name}")?;
            }
            if let Some(map) = summary["val_mAP"].as_f64() {
                write!(f, ", mAP {map:.2} on val")?;
            }
            if let Some(seconds) = summary["seconds"].as_f64() {
                write!(f, ", {seconds:.1} s")?;
            }
        }
        Ok(())
    }
}
