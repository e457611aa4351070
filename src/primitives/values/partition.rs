//! `Partition` in scripts.

use rhai::{Array, Dynamic, Engine, Map};

use super::label_table::strings;
use crate::graph::{self, Affinity, Partition};
use crate::script::call::MemberRegistrar;
use crate::script::errors::{Fallible, OrRaise};
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
        register(members.engine)
    }
}

kind_value!(Partition);

fn register(engine: &mut Engine) {
    engine
        .register_get("tasks", |p: &mut Partition| -> Array {
            p.tasks().iter().map(|t| Dynamic::from(strings(t))).collect()
        })
        .register_get("k", |p: &mut Partition| p.k() as i64)
        .register_get("sizes", |p: &mut Partition| integers(&p.sizes()))
        .register_get("labels", |p: &mut Partition| strings(p.labels()))
        .register_get("assignment", |p: &mut Partition| integers(p.assignment()))
        .register_get("ncut", |p: &mut Partition| p.ncut().map_or(Dynamic::UNIT, Dynamic::from))
        .register_get("z", |p: &mut Partition| p.z().map_or(Dynamic::UNIT, |z| Dynamic::from(z.z)))
        .register_fn("ari", |p: &mut Partition, q: Partition| -> Fallible<f64> { p.ari(&q).or_raise() })
        .register_fn("nmi", |p: &mut Partition, q: Partition| -> Fallible<f64> { p.nmi(&q).or_raise() })
        .register_fn("compare", |p: &mut Partition, q: Partition| -> Fallible<Map> { compare(p, &q) })
        .register_fn("cut_on", |p: &mut Partition, a: Affinity| -> Fallible<f64> { graph::ncut(&a, p).or_raise() })
        .register_fn("save", |p: &mut Partition, path: &str| -> Fallible<()> { p.save(path).or_raise() });
}

fn compare(p: &Partition, q: &Partition) -> Fallible<Map> {
    let c = graph::compare(p, q).or_raise()?;
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

fn integers(values: &[usize]) -> Array {
    values.iter().map(|&v| Dynamic::from(v as i64)).collect()
}
