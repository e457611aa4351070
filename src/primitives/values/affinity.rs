//! `Affinity` in scripts.

use rhai::{Array, Dynamic, Engine};

use super::super::glue;
use super::label_table::strings;
use crate::error::Error;
use crate::graph::Affinity;
use crate::script::call::MemberRegistrar;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::kind::{KindOfValue, Member, kind_value};

impl KindOfValue for Affinity {
    const NAME: &'static str = "Affinity";
    const SUMMARY: &'static str = "The label graph's weights on one branch: symmetric, m × m, zero diagonal.";
    const MEMBERS: &'static [Member] = &[
        Member::new("labels", "the label names, in order"),
        Member::new("branch", "\"co\" or \"dis\""),
        Member::new("power", "the exponent p"),
        Member::new("degrees", "the row sums"),
        Member::new("eigenvalues()", "of the normalised Laplacian, ascending"),
        Member::new("eigenvalues(n)", "the n smallest of them, of a graph of any size"),
        Member::new("weight(a, b)", "the weight between two labels"),
        Member::new("isolated", "labels without any weight"),
        Member::new("matrix", "the weights as an array of rows"),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        register(members.engine)
    }
}

kind_value!(Affinity);

fn register(engine: &mut Engine) {
    engine
        .register_get("labels", |a: &mut Affinity| strings(a.labels()))
        .register_get("branch", |a: &mut Affinity| a.branch().name().to_string())
        .register_get("power", |a: &mut Affinity| a.power())
        .register_get("degrees", |a: &mut Affinity| floats(a.degrees()))
        .register_get("isolated", |a: &mut Affinity| strings(&a.isolated()))
        .register_get("matrix", |a: &mut Affinity| -> Fallible<Array> {
            let matrix = a.matrix().or_raise()?;
            Ok(matrix.row_iter().map(|r| Dynamic::from(floats(&r.iter().copied().collect::<Vec<_>>()))).collect())
        })
        .register_fn("weight", |a: &mut Affinity, from: &str, to: &str| -> Fallible<f64> {
            let place = |name: &str| {
                let at = a.labels().iter().position(|l| l == name);
                at.ok_or_else(|| Error::unknown("label", name, a.labels().iter().map(String::as_str)))
            };
            Ok(a.weight(place(from).or_raise()?, place(to).or_raise()?))
        })
        .register_fn("eigenvalues", |a: &mut Affinity| -> Fallible<Array> { Ok(floats(&a.eigenvalues().or_raise()?)) })
        .register_fn("eigenvalues", |a: &mut Affinity, n: i64| -> Fallible<Array> {
            let n = glue::task_count("eigenvalues", n, a.len()).or_raise()?;
            Ok(floats(&a.smallest(n).or_raise()?.values))
        });
}

/// Numbers as a script array.
pub fn floats(values: &[f64]) -> Array {
    values.iter().map(|&v| Dynamic::from(v)).collect()
}
