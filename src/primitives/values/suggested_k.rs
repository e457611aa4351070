//! `SuggestedK` in scripts.

use rhai::{Array, Engine};

use super::affinity::floats;
use super::table::TableValue;
use crate::graph::SuggestedK;
use crate::script::call::MemberRegistrar;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::kind::{KindOfValue, Member, kind_value};

impl KindOfValue for SuggestedK {
    const NAME: &'static str = "SuggestedK";
    const SUMMARY: &'static str = "The number of tasks that the eigenvalues speak for.";
    const MEMBERS: &'static [Member] = &[
        Member::new("k", "the k of the widest gap"),
        Member::new("gaps", "a Table: k and the gap behind the k-th eigenvalue"),
        Member::new("eigenvalues", "the smallest eigenvalues, ascending"),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        register(members.engine)
    }
}

kind_value!(SuggestedK);

fn register(engine: &mut Engine) {
    engine
        .register_get("k", |s: &mut SuggestedK| s.k as i64)
        .register_get("eigenvalues", |s: &mut SuggestedK| -> Array { floats(&s.eigenvalues) })
        .register_get("gaps", |s: &mut SuggestedK| -> Fallible<TableValue> {
            TableValue::from_rows(&["k", "gap"], s.gaps.iter().map(|&(k, gap)| vec![k.into(), gap.into()]).collect())
                .or_raise()
        });
}
