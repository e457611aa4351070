//! `Affinity` in scripts.

use serde_json::Value;

use super::cooccurrence::place;
use crate::error::Result;
use crate::graph::Affinity;
use crate::models::LabelGraph;
use crate::primitives::parameters::TaskCount;
use crate::script::call::{Call, MemberRegistrar};
use crate::script::kind::{KindOfValue, Member, kind_value};

impl KindOfValue for Affinity {
    const NAME: &'static str = "Affinity";
    const SUMMARY: &'static str =
        "The label graph's weights on one branch: symmetric, m × m, shown with a zero diagonal.";
    const MEMBERS: &'static [Member] = &[
        Member::new("labels", "the label names, in order"),
        Member::new("branch", "\"co\" or \"dis\""),
        Member::new("power", "the exponent p"),
        Member::new("degrees", "the row sums, each 1 more on \"dis\" with complement \"identity\""),
        Member::new("eigenvalues()", "of the normalised Laplacian, ascending"),
        Member::new("eigenvalues(n)", "the n smallest of them, of a graph of any size"),
        Member::new("weight(a, b)", "the weight between two labels"),
        Member::new("isolated", "labels without any weight"),
        Member::new("matrix", "the weights as an array of rows"),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        members
            .get("labels", |a: &Self| a.labels().to_vec())
            .get("branch", |a: &Self| a.branch().name())
            .get("power", |a: &Self| a.power())
            .get("degrees", |a: &Self| a.degrees().to_vec())
            .get("isolated", |a: &Self| a.isolated())
            .get("matrix", |a: &Self| -> Result<Vec<Vec<f64>>> {
                Ok(a.matrix()?.row_iter().map(|row| row.iter().copied().collect()).collect())
            })
            .method("weight", |a: &Self, from: String, to: String| -> Result<f64> {
                Ok(a.weight(place(a.labels(), &from)?, place(a.labels(), &to)?))
            })
            .method("eigenvalues", |call: &Call, a: &Self, n: Option<TaskCount>| match n {
                Some(n) => Ok(a.smallest(n.of(a.len(), call)?)?.values),
                None => a.eigenvalues(),
            });
    }

    fn to_json(&self) -> Option<Result<Value, String>> {
        Some(LabelGraph::to_json(self.labels(), |i, j| self.weight(i, j), vec![]))
    }
}

kind_value!(Affinity);
