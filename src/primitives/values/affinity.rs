//! `Affinity` in scripts.

use rhai::{Array, Dynamic, Engine};

use super::super::glue::{self, kind_of};
use super::super::{Kind, Member};
use super::label_table::strings;
use crate::graph::Affinity;
use crate::script::errors::{Fallible, OrRaise};

pub const KIND: Kind = Kind {
    name: "Affinity",
    summary: "The label graph's weights on one branch: symmetric, m × m, zero diagonal.",
    members: &[
        Member::new("labels", "the label names, in order"),
        Member::new("branch", "\"co\" or \"dis\""),
        Member::new("power", "the exponent p"),
        Member::new("degrees", "the row sums"),
        Member::new("eigenvalues()", "of the normalised Laplacian, ascending"),
        Member::new("isolated", "labels without any weight"),
        Member::new("matrix", "the weights as an array of rows"),
    ],
    is: kind_of!(Affinity).0,
    show: kind_of!(Affinity).1,
    rust_name: kind_of!(Affinity).2,
    register: |engine, _| register(engine),
};

fn register(engine: &mut Engine) {
    glue::register_display::<Affinity>(engine, "Affinity");
    engine
        .register_get("labels", |a: &mut Affinity| strings(a.labels()))
        .register_get("branch", |a: &mut Affinity| a.branch().name().to_string())
        .register_get("power", |a: &mut Affinity| a.power())
        .register_get("degrees", |a: &mut Affinity| floats(a.degrees()))
        .register_get("isolated", |a: &mut Affinity| strings(&a.isolated()))
        .register_get("matrix", |a: &mut Affinity| -> Array {
            a.matrix().row_iter().map(|r| Dynamic::from(floats(&r.iter().copied().collect::<Vec<_>>()))).collect()
        })
        .register_fn("eigenvalues", |a: &mut Affinity| -> Fallible<Array> { Ok(floats(&a.eigenvalues().or_raise()?)) });
}

/// Numbers as a script array.
pub fn floats(values: &[f64]) -> Array {
    values.iter().map(|&v| Dynamic::from(v)).collect()
}
