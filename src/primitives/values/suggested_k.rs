//! `SuggestedK` in scripts.

use super::table::TableValue;
use crate::graph::SuggestedK;
use crate::script::call::MemberRegistrar;
use crate::script::kind::{KindOfValue, Member, kind_value};

impl KindOfValue for SuggestedK {
    const NAME: &'static str = "SuggestedK";
    const SUMMARY: &'static str = "The number of tasks that the eigenvalues suggest.";
    const MEMBERS: &'static [Member] = &[
        Member::new("k", "the k of the widest gap"),
        Member::new("gaps", "a Table: k and the gap behind the k-th eigenvalue"),
        Member::new("eigenvalues", "the smallest eigenvalues, ascending"),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        members.get("k", |s: &Self| s.k).get("eigenvalues", |s: &Self| s.eigenvalues.clone()).get(
            "gaps",
            |s: &Self| {
                let rows = s.gaps.iter().map(|&(k, gap)| vec![k.into(), gap.into()]).collect();
                TableValue::from_rows(&["k", "gap"], rows)
            },
        );
    }
}

kind_value!(SuggestedK);
