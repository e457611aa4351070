//! `Model` in scripts.

use std::fmt;
use std::path::Path;

use rhai::{Dynamic, Engine};

use super::label_table::strings;
use super::run::RunValue;
use super::tensor::TensorValue;
use crate::error::{Error, ErrorKind};
use crate::script::call::MemberRegistrar;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::kind::{KindOfValue, Member, kind_value};
use crate::training::Trained;

/// A model as scripts hold it.
#[derive(Clone)]
pub struct ModelValue(pub Trained);

impl KindOfValue for ModelValue {
    const NAME: &'static str = "Model";
    const SUMMARY: &'static str = "An image classifier: a backbone, a head, one output a label.";
    const MEMBERS: &'static [Member] = &[
        Member::new("labels", "the labels of its outputs, in order"),
        Member::new("id", "what names its weights: the run's id or a hash"),
        Member::new("run", "the Run that made it, or ()"),
        Member::new("parameters", "number of parameters"),
        Member::new("image_size", "side of the square input, in pixels"),
        Member::new("forward(tensor)", "logits [N, m] of normalised pictures [N, 3, H, W]"),
        Member::new("save(path)", "write the weights as safetensors, with all that load_model needs"),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        register(members.engine)
    }
}

kind_value!(ModelValue);

fn register(engine: &mut Engine) {
    engine
        .register_get("labels", |m: &mut ModelValue| strings(&m.0.labels))
        .register_get("id", |m: &mut ModelValue| m.0.id.clone())
        .register_get("run", |m: &mut ModelValue| m.0.run.clone().map_or(Dynamic::UNIT, |r| Dynamic::from(RunValue(r))))
        .register_get("parameters", |m: &mut ModelValue| m.0.model().num_parameters())
        .register_get("image_size", |m: &mut ModelValue| m.0.model().image_size())
        .register_fn("forward", |m: &mut ModelValue, x: TensorValue| -> Fallible<TensorValue> {
            let (shape, side) = (x.0.size(), m.0.model().image_size());
            if shape.len() != 4 || shape[1] != 3 {
                let error = Error::new(
                    ErrorKind::Tensor,
                    format!("forward takes normalised pictures [N, 3, H, W]; got a Tensor {shape:?}"),
                );
                return Err(
                    error.with_help(format!("this model sees pictures of {side} × {side}: [N, 3, {side}, {side}]"))
                )
                .or_raise();
            }
            tch::no_grad(|| m.0.model().forward(&x.0, false)).map(TensorValue::from).or_raise()
        })
        .register_fn("save", |m: &mut ModelValue, path: &str| -> Fallible<()> { m.0.save(Path::new(path)).or_raise() });
}

impl fmt::Display for ModelValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let model = self.0.model();
        write!(
            f,
            "Model {} + {} at {} px: {} labels, {} parameters ({})",
            model.spec.backbone,
            model.spec.head,
            model.image_size(),
            self.0.labels.len(),
            thousands(model.num_parameters()),
            self.0.id
        )
    }
}

/// 123 456 as people read it.
fn thousands(n: i64) -> String {
    match n {
        n if n >= 1_000_000 => format!("{:.1} M", n as f64 / 1e6),
        n if n >= 1_000 => format!("{:.0} k", n as f64 / 1e3),
        n => n.to_string(),
    }
}
