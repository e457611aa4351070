//! `SuggestedK` in scripts.

use rhai::{Array, Engine};

use super::super::glue::{self, kind_of};
use super::super::{Kind, Member};
use super::affinity::floats;
use super::table::TableValue;
use crate::graph::SuggestedK;
use crate::script::errors::{Fallible, OrRaise};

pub const KIND: Kind = Kind {
    name: "SuggestedK",
    summary: "The number of tasks that the eigenvalues speak for.",
    members: &[
        Member::new("k", "the k of the widest gap"),
        Member::new("gaps", "a Table: k and the gap behind the k-th eigenvalue"),
        Member::new("eigenvalues", "the smallest eigenvalues, ascending"),
    ],
    is: kind_of!(SuggestedK).0,
    show: kind_of!(SuggestedK).1,
    rust_name: kind_of!(SuggestedK).2,
    register: |engine, _| register(engine),
};

fn register(engine: &mut Engine) {
    glue::register_display::<SuggestedK>(engine, "SuggestedK");
    engine
        .register_get("k", |s: &mut SuggestedK| s.k as i64)
        .register_get("eigenvalues", |s: &mut SuggestedK| -> Array { floats(&s.eigenvalues) })
        .register_get("gaps", |s: &mut SuggestedK| -> Fallible<TableValue> {
            TableValue::from_rows(&["k", "gap"], s.gaps.iter().map(|&(k, gap)| vec![k.into(), gap.into()]).collect())
                .or_raise()
        });
}
