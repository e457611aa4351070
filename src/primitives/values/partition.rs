//! `Partition` in scripts.

use std::path::PathBuf;

use rhai::{Array, Map};

use crate::error::Result;
use crate::graph::{self, Affinity, Partition};
use crate::script::call::MemberRegistrar;
use crate::script::kind::{KindOfValue, Member, kind_value};

impl KindOfValue for Partition {
    const NAME: &'static str = "Partition";
    const SUMMARY: &'static str = "Labels divided into k tasks.";
    const MEMBERS: &'static [Member] = &[
        Member::new("tasks", "an array of k arrays of label names"),
        Member::new("k", "the number of tasks"),
        Member::new("sizes", "labels in each task"),
        Member::new("labels", "all label names, in order"),
        Member::new("ncut", "the normalised cut; () when it was not made from an affinity"),
        Member::new("z", "the z score of the cut against random partitions of the same sizes, or ()"),
        Member::new("assignment", "the task of each label, in label order"),
        Member::new("ari(other)", "adjusted Rand index: 1 for the same partition, about 0 for chance"),
        Member::new("nmi(other)", "normalised mutual information"),
        Member::new("compare(other)", "a map: ari, nmi, and the labels that moved"),
        Member::new("cut_on(affinity)", "the normalised cut on that affinity"),
        Member::new("save(path)", "write the authors' JSON form"),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        members
            .get("tasks", |p: &Self| p.tasks())
            .get("k", |p: &Self| p.k())
            .get("sizes", |p: &Self| p.sizes())
            .get("labels", |p: &Self| p.labels().to_vec())
            .get("assignment", |p: &Self| p.assignment().to_vec())
            .get("ncut", |p: &Self| p.ncut())
            .get("z", |p: &Self| p.z().map(|z| z.z))
            .method("ari", |p: &Self, q: Self| p.ari(&q))
            .method("nmi", |p: &Self, q: Self| p.nmi(&q))
            .method("compare", |p: &Self, q: Self| compare(p, &q))
            .method("cut_on", |p: &Self, a: Affinity| graph::ncut(&a, p))
            .method("save", |p: &Self, path: PathBuf| p.save(path));
    }

    fn fingerprint(&self) -> Option<String> {
        Some(format!("{:?} {:?} {:?} {:?}", self.labels(), self.assignment(), self.ncut(), self.z().map(|z| z.z)))
    }
}

kind_value!(Partition);

fn compare(p: &Partition, q: &Partition) -> Result<Map> {
    let c = graph::compare(p, q)?;
    let moved: Array = c
        .moved
        .iter()
        .map(|m| {
            let row: Map = [
                ("label".into(), m.label.clone().into()),
                ("from".into(), (m.from as i64).into()),
                ("to".into(), (m.to as i64).into()),
            ]
            .into_iter()
            .collect();
            row.into()
        })
        .collect();
    Ok([("ari".into(), c.ari.into()), ("nmi".into(), c.nmi.into()), ("moved".into(), moved.into())]
        .into_iter()
        .collect())
}
