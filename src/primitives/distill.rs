//! `distill`: a student from the ground truth and any number of ensembles.

use std::rc::Rc;

use rhai::{Dynamic, Engine, Map, NativeCallContext};

use super::closures::Closures;
use super::values::ensemble::EnsembleValue;
use super::values::model::ModelValue;
use super::{Chapter, Example, OptionDocs, Word, glue, training_options};
use crate::error::{Error, Result};
use crate::script::errors::{Fallible, OrRaise};
use crate::script::host::Host;
use crate::script::options;
use crate::training::{DistillOptions, Distillation, Ensemble, Job};

pub const WORD: Word = Word {
    name: "distill",
    chapter: Chapter::Training,
    signatures: &["distill(data, ensembles) -> Model", "distill(data, ensembles, #{options}) -> Model"],
    summary: "Trains one student from the ground truth and from merged teachers.",
    details: "ensembles is one Ensemble (SD, CGPD, DGPD) or an array of them (two for CPSD); a Model stands for an ensemble of one. \
L = label_weight · L_cls + distill_weight · Σ_e w_e · Σ (s - t_e)² on logits (CPSD, IJCAI 2022, with the logits of the authors' code); w_e is 1/2 \
each for two ensembles, as in the paper. Teachers see the same augmented picture as the student, in eval mode; for a fixed set of \
views their outputs are computed once and kept. The option on_epoch takes a closure, which is called with each epoch's line; loss and distillation may be closures, |logits, targets| and |student, teacher|.",
    options: Some(OptionDocs { defaults: options::defaults::<DistillOptions>, docs: training_options::DISTILL_DOCS }),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 32, val: 16, test: 16, test_shifted: 8, size: 48});\nlet o = #{model: #{backbone: \"small_cnn\", head: \"gap\", image_size: 48}, epochs: 1, batch: 16, views: 1};\nlet teacher = train_teacher(data, data.train.names, o);\nlet student = distill(data, merge([teacher]), o + #{distill_weight: 0.1});\nstudent.labels.len() == data.train.names.len()",
        prints: "true",
    }],
    register,
};

fn register(engine: &mut Engine, host: &Rc<Host>) {
    let (a, b) = (host.clone(), host.clone());
    engine
        .register_fn("distill", move |call: NativeCallContext, data: Dynamic, ensembles: Dynamic| {
            distill(&a, &call, &data, &ensembles, Map::new())
        })
        .register_fn("distill", move |call: NativeCallContext, data: Dynamic, ensembles: Dynamic, map: Map| {
            distill(&b, &call, &data, &ensembles, map)
        });
}

fn distill(
    host: &Host,
    call: &NativeCallContext,
    data: &Dynamic,
    ensembles: &Dynamic,
    mut map: Map,
) -> Fallible<ModelValue> {
    glue::expand_names(&mut map);
    let closures = Closures::take("distill", &mut map, call, host).or_raise()?;
    let options: DistillOptions = options::parse("distill", &map).or_raise()?;
    let job = job(data, ensembles, options).or_raise()?;
    closures.train(host, call, &job).map(ModelValue)
}

/// The training of one student.
pub fn job(data: &Dynamic, ensembles: &Dynamic, options: DistillOptions) -> Result<Job> {
    options.train.validate("distill")?;
    options.distillation.validate()?;
    let (train, val) = glue::splits("distill", data, options.train.select_on)?;
    let ensembles: Vec<Ensemble> = match ensembles.as_array_ref() {
        Ok(array) => array.iter().map(ensemble).collect::<Result<_>>()?,
        Err(_) => vec![ensemble(ensembles)?],
    };
    if ensembles.is_empty() {
        return Err(Error::argument("distill needs at least one ensemble; got an empty array"));
    }
    let mut weights = options.weights;
    if weights.is_empty() {
        weights = vec![1.0 / ensembles.len() as f64; ensembles.len()];
    }
    if weights.len() != ensembles.len() {
        return Err(Error::argument(format!(
            "option \"weights\" of distill must have one weight an ensemble, {}; got {}",
            ensembles.len(),
            weights.len()
        )));
    }
    if let Some(bad) =
        weights.iter().chain([&options.distill_weight, &options.label_weight]).find(|w| !w.is_finite() || **w < 0.0)
    {
        return Err(Error::argument(format!("weights of distill must be 0 or above; got {bad}")));
    }
    for weight in &mut weights {
        *weight *= options.distill_weight;
    }
    let labels = train.labels.labels().to_vec();
    Ok(Job {
        name: "student".into(),
        train,
        val,
        labels,
        options: options.train,
        distillation: Some(Distillation {
            ensembles,
            weights,
            loss: options.distillation,
            label_weight: options.label_weight,
            teacher_mode: options.teacher_mode,
            teacher_weights: options.teacher_weights,
        }),
    })
}

fn ensemble(value: &Dynamic) -> Result<Ensemble> {
    if let Some(model) = value.clone().try_cast::<ModelValue>() {
        return Ensemble::merge(vec![model.0], None);
    }
    glue::expect::<EnsembleValue>("distill", "every ensemble", "an Ensemble, as merge(...) gives", value).map(|e| e.0)
}
