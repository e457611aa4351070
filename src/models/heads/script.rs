//! A head that is a function from elsewhere, as a closure of a script.

use std::collections::BTreeMap;

use tch::{Kind, Tensor};

use super::{Answer, COMMON, Head, HeadKind, HeadSetup, LabelLoss, Seen};
use crate::error::{Error, Result};
use crate::models::backbones;
use crate::models::functions::{Built, DRY_RUN, Facts, Given, Purpose};
use crate::models::params::Scope;
use crate::models::pass::Pass;

/// The name of such a head. It is in no list, since it is nothing without a function.
pub const SCRIPT: HeadKind = HeadKind {
    name: "script",
    summary: "a closure of a script",
    needs_graph: true,
    needs_shares: true,
    needs_words: true,
    build: |p, setup| Ok(Box::new(Script::new(p, setup)?)),
    ..COMMON
};

/// The tensors that a head gives, where it gives several.
const LOGITS: &str = "logits";
const MAPS: &str = "maps";
const AUXILIARY: &str = "auxiliary_loss";

struct Script(Built);

impl Script {
    fn new(p: &Scope, setup: &HeadSetup) -> Result<Script> {
        let function = setup.spec.head_code.as_ref().and_then(|code| code.function()).ok_or_else(|| {
            Error::argument("the model's head is a closure, which this process was not given").with_help(
                "load_model(path, #{head: |maps, p| ...}) gives it; so does a training or model(...) with the same closure in this script",
            )
        })?;
        let stages = stages(setup)?;
        let [channels, rows, columns] = *stages.last().ok_or_else(|| Error::internal("a backbone without stages"))?;
        let maps = Tensor::f_ones([DRY_RUN, channels, rows, columns], (Kind::Float, p.device))?;
        let facts = Facts::new(setup.spec, setup.labels, stages);
        let see = |given| {
            let seen = Parts::of(given, &maps, setup.num_labels())?;
            seen.check_maps(setup.num_labels())
        };
        Built::new(p, "head", function.clone(), facts, &[&maps], &[MAPS], see).map(Script)
    }

    fn run(&self, maps: &Tensor, labels: Option<i64>, purpose: Purpose) -> Result<Parts> {
        let given = self.0.call(&[maps], purpose)?;
        Parts::of(given, maps, labels.unwrap_or(-1))
    }
}

/// Channels, rows and columns of the used stages' maps. A backbone from a file does not say its stride; it is taken to be 32.
fn stages(setup: &HeadSetup) -> Result<Vec<[i64; 3]>> {
    let kind = backbones::find(&setup.spec.backbone)?;
    let side = setup.spec.image_size.unwrap_or(kind.image_size);
    let strides = (kind.stages)().into_iter().map(|stage| if stage.stride > 0 { stage.stride } else { 32 });
    let size = |(channels, stride): (i64, i64)| [channels, (side + stride - 1) / stride, (side + stride - 1) / stride];
    Ok(setup.stage_channels()?.into_iter().zip(strides).map(size).collect())
}

/// The tensors of one answer.
struct Parts {
    logits: Tensor,
    maps: Option<Tensor>,
    auxiliary: Option<Tensor>,
}

impl Parts {
    /// Errors: logits of another shape than `[N, m]`, unless `m` is negative; a name that means nothing.
    fn of(given: Given, seen: &Tensor, m: i64) -> Result<Parts> {
        let mut named = match given {
            Given::One(logits) => BTreeMap::from([(LOGITS.to_string(), logits)]),
            Given::Named(named) => named,
        };
        let mut take = |name: &str| named.remove(name);
        let (logits, maps, auxiliary) = (take(LOGITS), take(MAPS), take(AUXILIARY));
        if let Some(name) = named.keys().next() {
            let mut error = Error::unknown("part", name, [LOGITS, MAPS, AUXILIARY]);
            error.message = format!("the answer of a head has no \"{name}\"");
            return Err(Error { about: None, ..error }.about_option("head"));
        }
        let logits = logits.ok_or_else(|| {
            Error::argument("a head must give its logits: a Tensor [N, m], or #{logits: ..., maps: ...}")
                .about_option("head")
        })?;
        let (n, size) = (seen.size()[0], logits.size());
        if size.len() != 2 || size[0] != n || (m >= 0 && size[1] != m) {
            let expected = if m >= 0 { format!("[{n}, {m}]") } else { format!("[{n}, m]") };
            return Err(Error::argument(format!(
                "a head must give one logit per picture and label, a Tensor {expected} here; the closure gave {size:?}"
            ))
            .about_option("head"));
        }
        if let Some(auxiliary) = &auxiliary
            && auxiliary.numel() != 1
        {
            return Err(Error::argument(format!(
                "auxiliary_loss must be one number; the closure gave a Tensor {:?}",
                auxiliary.size()
            ))
            .about_option("head")
            .with_help("end it with .sum() or .mean()"));
        }
        Ok(Parts { logits, maps, auxiliary })
    }

    fn check_maps(&self, m: i64) -> Result<()> {
        match self.maps.as_ref().map(Tensor::size) {
            Some(size) if size.len() != 4 || size[0] != self.logits.size()[0] || size[1] != m => {
                Err(Error::argument(format!(
                    "maps must be one map per picture and label, a Tensor [{}, {m}, h, w] here; the closure gave {size:?}",
                    self.logits.size()[0]
                ))
                .about_option("head"))
            }
            _ => Ok(()),
        }
    }
}

impl Head for Script {
    fn logits(&self, features: &Tensor, pass: Pass) -> Result<Tensor> {
        Ok(self.run(features, None, Purpose { pass, earlier: &[], wants: &[] })?.logits)
    }

    fn answer(&self, seen: &Seen, pass: Pass) -> Result<Answer> {
        let m = seen.truth.map(|truth| truth.targets.size()[1]);
        let parts = self.run(seen.maps, m, Purpose { pass, earlier: seen.earlier, wants: &[] })?;
        let learns = self.0.is_trained() || seen.maps.requires_grad();
        if seen.truth.is_some() && learns && !parts.logits.requires_grad() {
            return Err(Error::argument(
                "the logits of a head must depend on its parameters; the closure's have no gradient",
            )
            .about_option("head")
            .with_help("detach, item, to_array and comparisons lose the gradient"));
        }
        let logits = parts.logits.shallow_clone();
        let own_loss = parts.auxiliary.map(|auxiliary| -> super::OwnLoss {
            Box::new(move |loss: LabelLoss, targets: &Tensor| {
                let more = auxiliary.f_reshape([] as [i64; 0])?;
                Ok(loss.compute(&logits, targets)?.f_add(&more)?)
            })
        });
        Ok(Answer { logits: parts.logits, own_loss })
    }

    fn earlier(&self) -> usize {
        self.0.earlier()
    }

    fn class_maps(&self, features: &Tensor) -> Result<Option<Tensor>> {
        let purpose = Purpose { pass: Pass::EVAL, earlier: &[], wants: &[MAPS] };
        let parts = self.run(features, None, purpose)?;
        parts.check_maps(parts.logits.size()[1])?;
        Ok(parts.maps)
    }
}
