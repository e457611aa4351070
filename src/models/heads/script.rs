//! A head that is a function from elsewhere, as a closure of a script.

use std::collections::BTreeMap;

use tch::{Kind, Tensor};

use super::{Answer, COMMON, Head, HeadKind, HeadSetup, LabelLoss, Seen};
use crate::error::{Error, Result};
use crate::models::backbones;
use crate::models::functions::{Built, DRY_RUN, Facts, Given, Input, Purpose};
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
const LOSS_LOGITS: &str = "loss_logits";

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
        let mut facts = Facts::new(setup.spec, setup.labels, stages);
        facts.tokens = setup.tokens.clone();
        let built = Built::new(p, "head", function.clone(), facts, &[MAPS], |call| {
            let parts = Parts::of(call(&[Input::Tensor(&maps)])?, &maps, setup.num_labels())?;
            parts.check_maps(setup.num_labels())
        });
        built.map(Script)
    }

    fn run(&self, maps: &Tensor, labels: Option<i64>, purpose: Purpose) -> Result<Parts> {
        let given = self.0.call(&[Input::Tensor(maps)], purpose)?;
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
    /// `[a, N, m]`: the loss is the sum of those of each, in place of that of the logits.
    loss_logits: Option<Tensor>,
}

impl Parts {
    /// Errors: logits of another shape than `[N, m]`, unless `m` is negative; a name that means nothing.
    fn of(given: Given, seen: &Tensor, m: i64) -> Result<Parts> {
        let mut named = match given {
            Given::One(logits) => BTreeMap::from([(LOGITS.to_string(), logits)]),
            Given::Named(named) => named,
        };
        let mut take = |name: &str| named.remove(name);
        let [logits, maps, auxiliary, loss_logits] = [LOGITS, MAPS, AUXILIARY, LOSS_LOGITS].map(&mut take);
        if let Some(name) = named.keys().next() {
            let mut error = Error::unknown("part", name, [LOGITS, MAPS, AUXILIARY, LOSS_LOGITS]);
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
        if let Some(more) = &loss_logits
            && (more.dim() != 3 || more.size()[0] == 0 || more.size()[1..] != size)
        {
            return Err(Error::argument(format!(
                "loss_logits must be a Tensor [a, {n}, {}], logits for each of a losses; the closure gave {:?}",
                size[1],
                more.size()
            ))
            .about_option("head")
            .with_help("stack([first, second]) puts logits [N, m] behind one another"));
        }
        Ok(Parts { logits, maps, auxiliary, loss_logits })
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
        Ok(self.run(features, None, Purpose { pass, earlier: &[], tokens: &[], wants: &[] })?.logits)
    }

    fn answer(&self, seen: &Seen, pass: Pass) -> Result<Answer> {
        let m = seen.truth.map(|truth| truth.targets.size()[1]);
        let parts = self.run(seen.maps, m, Purpose { pass, earlier: seen.earlier, tokens: seen.tokens, wants: &[] })?;
        let learns = self.0.is_trained() || seen.maps.requires_grad();
        let trained = parts.loss_logits.as_ref().unwrap_or(&parts.logits);
        if seen.truth.is_some() && learns && !trained.requires_grad() {
            return Err(Error::argument(
                "the logits of a head must depend on its parameters; the closure's have no gradient",
            )
            .about_option("head")
            .with_help("detach, item, to_array and comparisons lose the gradient"));
        }
        let Parts { logits, auxiliary, loss_logits, .. } = parts;
        if auxiliary.is_none() && loss_logits.is_none() {
            return Ok(Answer { logits, own_loss: None });
        }
        let of_loss = match loss_logits {
            Some(several) => several.f_unbind(0)?,
            None => vec![logits.shallow_clone()],
        };
        let own_loss = move |loss: LabelLoss, targets: &Tensor| {
            let auxiliary = auxiliary.as_ref().map(|loss| loss.f_reshape([] as [i64; 0])).transpose()?;
            let losses = of_loss.iter().map(|logits| loss.compute(logits, targets));
            let mut sum: Option<Tensor> = None;
            for loss in losses.chain(auxiliary.map(Ok)) {
                let loss = loss?;
                sum = Some(match sum {
                    Some(sum) => sum.f_add(&loss)?,
                    None => loss,
                });
            }
            sum.ok_or_else(|| Error::internal("a head without a loss"))
        };
        Ok(Answer { logits, own_loss: Some(Box::new(own_loss)) })
    }

    fn reads_tokens(&self) -> bool {
        self.0.reads_tokens()
    }

    fn earlier(&self) -> usize {
        self.0.earlier()
    }

    fn class_maps(&self, features: &Tensor) -> Result<Option<Tensor>> {
        let purpose = Purpose { pass: Pass::EVAL, earlier: &[], tokens: &[], wants: &[MAPS] };
        let parts = self.run(features, None, purpose)?;
        parts.check_maps(parts.logits.size()[1])?;
        Ok(parts.maps)
    }
}
