//! The outputs of an ensemble's teachers in label order; where several teachers know a label, a rule makes one output of theirs.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::ensemble::Ensemble;
use crate::error::{Error, Result};
use crate::losses::Script;
use crate::torch::to_f64;

/// How the outputs of the teachers of one label become one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    pub kind: RuleKind,
    pub of: Combined,
}

/// The function of a rule.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleKind {
    Mean,
    Max,
    /// A closure of a script, identified by its code.
    Script(Script),
}

impl<'de> Deserialize<'de> for RuleKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RuleKind, D::Error> {
        const NAMES: &[&str] = &["mean", "max"];
        let value = Value::deserialize(deserializer)?;
        match value.as_str() {
            Some("mean") => return Ok(RuleKind::Mean),
            Some("max") => return Ok(RuleKind::Max),
            Some(other) => return Err(D::Error::unknown_variant(other, NAMES)),
            None => {}
        }
        let script = value.get("script").and_then(|script| serde_json::from_value(script.clone()).ok());
        script.map(RuleKind::Script).ok_or_else(|| D::Error::custom("\"mean\", \"max\" or a closure |outputs|"))
    }
}

/// The numbers that a rule combines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Combined {
    Logits,
    /// Sigmoids of the logits. The result becomes a logit again.
    Probabilities,
}

/// The closure of a rule: outputs `[T, N, g]` of the T teachers that know each of g labels, to `[N, g]`.
pub type RuleFunction<'a> = &'a dyn Fn(&Script, &Tensor) -> Result<Tensor>;

impl Rule {
    /// The closure's identity, if the rule is one.
    pub fn script(&self) -> Option<&Script> {
        match &self.kind {
            RuleKind::Script(script) => Some(script),
            _ => None,
        }
    }

    /// Logits `[T, N, g]` of the T teachers that know these labels, to `[N, g]`. `function` is that of a script.
    ///
    /// Source of the mean of probabilities: "soft voting" of scikit-learn's `VotingClassifier`, per label.
    ///
    /// Errors: a closure whose result has another shape, or no probabilities where it got some; those of the closure.
    pub fn combine(&self, logits: &Tensor, function: Option<RuleFunction>) -> Result<Tensor> {
        if logits.size()[0] == 1 && self.script().is_none() {
            return Ok(logits.f_select(0, 0)?);
        }
        // In double precision a probability next to 1 is still a logit.
        let outputs = match self.of {
            Combined::Logits => logits.shallow_clone(),
            Combined::Probabilities => logits.f_to_kind(Kind::Double)?.f_sigmoid()?,
        };
        let one = match &self.kind {
            RuleKind::Mean => outputs.f_mean_dim(Some(&[0i64][..]), false, None::<Kind>)?,
            RuleKind::Max => outputs.f_amax(&[0i64][..], false)?,
            RuleKind::Script(script) => self.checked(&outputs, by(function, script, &outputs)?)?,
        };
        match self.of {
            Combined::Logits => Ok(one.f_to_kind(logits.kind())?),
            Combined::Probabilities => {
                Ok(one.f_to_kind(Kind::Double)?.f_logit(Some(SMALLEST))?.f_to_kind(logits.kind())?)
            }
        }
    }

    fn checked(&self, outputs: &Tensor, one: Tensor) -> Result<Tensor> {
        let (size, came) = (outputs.size(), one.size());
        if came != size[1..] {
            return Err(Error::argument(format!(
                "the rule of merge gets outputs {size:?}, [teachers, images, labels], and must give {:?}; the closure gave a Tensor {came:?}",
                &size[1..]
            ))
            .about_option("rule")
            .with_help("dimension 0 is that of the teachers: |outputs| outputs.mean(0)"));
        }
        let one = one.f_detach()?.f_to_device(outputs.device())?;
        if self.of == Combined::Probabilities {
            let good = one.f_ge(0.0)?.f_logical_and(&one.f_le(1.0)?)?.f_all()?;
            if to_f64(&good.f_to_kind(Kind::Double)?)? == 0.0 {
                let message = "the rule of merge combines probabilities, and must give numbers from 0 to 1; the closure gave others";
                return Err(Error::argument(message)
                    .about_option("rule")
                    .with_help("of: \"logits\" has no such bounds"));
            }
        }
        Ok(one)
    }
}

/// Probabilities nearer to 0 or 1 than this are taken as so far from it.
const SMALLEST: f64 = 1e-15;

fn by(function: Option<RuleFunction>, script: &Script, outputs: &Tensor) -> Result<Tensor> {
    match function {
        Some(function) => function(script, outputs),
        None => Err(Error::argument(
            "an ensemble whose rule is a closure works where the script calls predict, evaluate or distill, and nowhere else",
        )
        .with_help("the Predictions of predict(ensemble, data) do where an ensemble does not; so does rule: \"mean\"")),
    }
}

/// From the concatenated outputs of an ensemble's teachers to one column per label.
pub struct Merger {
    /// Labels that equally many teachers know, together.
    groups: Vec<Group>,
    /// Brings the groups' columns into label order. None with one group.
    order: Option<Tensor>,
    rule: Option<Rule>,
}

struct Group {
    teachers: i64,
    labels: i64,
    /// `[teachers * labels]`, teacher by teacher.
    columns: Tensor,
}

impl Merger {
    /// For these labels, in their order. Errors: a label that the ensemble does not predict.
    pub fn new(ensemble: &Ensemble, labels: &[String], device: Device) -> Result<Merger> {
        let columns = ensemble.columns(labels)?;
        let mut by_teachers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (label, columns) in columns.iter().enumerate() {
            by_teachers.entry(columns.len()).or_default().push(label);
        }
        let there = |numbers: &[i64]| -> Result<Tensor> { Ok(Tensor::f_from_slice(numbers)?.f_to_device(device)?) };
        let mut groups = Vec::new();
        let mut place = vec![0; labels.len()];
        let mut next = 0;
        for (teachers, of_group) in by_teachers {
            let numbers: Vec<i64> = (0..teachers)
                .flat_map(|t| of_group.iter().map(move |&label| (t, label)))
                .map(|(t, label)| columns[label][t])
                .collect();
            groups.push(Group { teachers: teachers as i64, labels: of_group.len() as i64, columns: there(&numbers)? });
            for label in of_group {
                place[label] = next;
                next += 1;
            }
        }
        let order = if groups.len() > 1 { Some(there(&place)?) } else { None };
        Ok(Merger { groups, order, rule: ensemble.rule.clone() })
    }

    /// The merged logits `[N, m]` of the teachers' outputs, side by side `[N, sum of their labels]`.
    ///
    /// Errors: those of a closure.
    pub fn merged(&self, outputs: &Tensor, function: Option<RuleFunction>) -> Result<Tensor> {
        let one = |group: &Group| -> Result<Tensor> {
            let taken = outputs.f_index_select(1, &group.columns)?;
            let Some(rule) = &self.rule else { return Ok(taken) };
            let n = taken.size()[0];
            rule.combine(&taken.f_view([n, group.teachers, group.labels])?.f_transpose(0, 1)?, function)
        };
        let parts = self.groups.iter().map(one).collect::<Result<Vec<_>>>()?;
        match &self.order {
            None => parts.into_iter().next().ok_or_else(|| Error::internal("an ensemble without labels")),
            Some(order) => Ok(Tensor::f_cat(&parts, 1)?.f_index_select(1, order)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(came: &Tensor, expected: &[f32]) {
        let came = Vec::<f32>::try_from(&came.contiguous().view([-1])).unwrap();
        let near = came.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5 * b.abs().max(1.0));
        assert!(near && came.len() == expected.len(), "{came:?} instead of {expected:?}");
    }

    /// Numbers of numpy: `np.log(p / (1 - p))` of the mean of `1 / (1 + np.exp(-x))`.
    #[test]
    fn rules_combine_logits_or_probabilities() {
        let logits = Tensor::from_slice(&[1.0f32, -2.0, 3.0, 40.0]).view([2, 1, 2]);
        let rule = |kind: RuleKind, of| Rule { kind, of }.combine(&logits, None).unwrap();
        near(&rule(RuleKind::Mean, Combined::Logits), &[2.0, 19.0]);
        near(&rule(RuleKind::Mean, Combined::Probabilities), &[1.671_805_2, 0.239_544_77]);
        near(&rule(RuleKind::Max, Combined::Logits), &[3.0, 40.0]);
        near(&rule(RuleKind::Max, Combined::Probabilities), &[3.0, 34.539_576]);
    }

    #[test]
    fn a_closure_gets_all_teachers_and_its_result_is_checked() {
        let logits = Tensor::from_slice(&[1.0f32, -2.0, 3.0, 4.0]).view([2, 1, 2]);
        let rule = |of| Rule { kind: RuleKind::Script(Script::default()), of };
        let least = |_: &Script, outputs: &Tensor| Ok(outputs.f_amin(&[0i64][..], false)?);
        near(&rule(Combined::Logits).combine(&logits, Some(&least)).unwrap(), &[1.0, -2.0]);
        near(&rule(Combined::Probabilities).combine(&logits, Some(&least)).unwrap(), &[1.0, -2.0]);
        let same = |_: &Script, outputs: &Tensor| Ok(outputs.shallow_clone());
        let error = rule(Combined::Logits).combine(&logits, Some(&same)).unwrap_err();
        assert!(error.message.contains("must give [1, 2]; the closure gave a Tensor [2, 1, 2]"), "{error}");
        let twice = |_: &Script, outputs: &Tensor| Ok(outputs.f_sum_dim_intlist(Some(&[0i64][..]), false, None)?);
        let error = rule(Combined::Probabilities).combine(&logits, Some(&twice)).unwrap_err();
        assert!(error.message.contains("numbers from 0 to 1"), "{error}");
        assert!(rule(Combined::Logits).combine(&logits, None).unwrap_err().message.contains("nowhere else"));
    }
}
