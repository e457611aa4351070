//! `Run` in scripts.

use std::fmt;

use rhai::{Dynamic, Engine};

use super::super::glue::{self, kind_of};
use super::super::{Kind, Member};
use super::model::ModelValue;
use super::table::TableValue;
use crate::runs::Run;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::options;

/// A finished run as scripts hold it.
#[derive(Clone)]
pub struct RunValue(pub Run);

pub const KIND: Kind = Kind {
    name: "Run",
    summary: "A finished run of the store: an immutable folder.",
    members: &[
        Member::new("id", "its name in the store"),
        Member::new("path", "its folder"),
        Member::new("spec", "a map of all that decided its result"),
        Member::new("summary", "a map of what came of it"),
        Member::new("metrics", "a Table: one row an epoch"),
        Member::new("model", "the Model, for a training"),
    ],
    is: kind_of!(RunValue).0,
    show: kind_of!(RunValue).1,
    rust_name: kind_of!(RunValue).2,
    register: |engine, _| register(engine),
};

fn register(engine: &mut Engine) {
    glue::register_display::<RunValue>(engine, "Run");
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
