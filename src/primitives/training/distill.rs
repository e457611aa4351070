//! `distill`: a student from the ground truth and any number of ensembles.

use rhai::Dynamic;

use crate::error::{Error, Result};
use crate::primitives::parameters::{Data, expect};
use crate::primitives::training::closures::Training;
use crate::primitives::values::ensemble::EnsembleValue;
use crate::primitives::values::model::ModelValue;
use crate::script::call::{Call, Parameter};
use crate::script::errors::Fallible;
use crate::script::word::{Chapter, Example, OptionDocs, Word};
use crate::training::{DistillOptions, Distillation, Ensemble, Job};

pub const WORD: Word = Word {
    name: "distill",
    chapter: Chapter::Training,
    signatures: &["distill(data, ensembles) -> Model", "distill(data, ensembles, #{options}) -> Model"],
    summary: "Trains one student from the ground truth and from merged teachers.",
    details: "ensembles is one Ensemble (SD, CGPD, DGPD) or an array of them (two for CPSD); a Model counts as an ensemble of one. \
L = label_weight · L_cls + distill_weight · Σ_e w_e · Σ (s - t_e)² on logits (CPSD, IJCAI 2022, with the logits of the authors' code); w_e is 1/2 \
each for two ensembles, as in the paper. Teachers see the same augmented picture as the student, in eval mode; for a fixed set of \
views their outputs are computed once and kept. The option on_epoch takes a closure, which is called with each epoch's line; loss and distillation may be closures, |logits, targets| and |student, teacher|, and schedule, augment, sampler, on_batch those of train_teacher. With mixup or cutmix the teachers must see the mixed pictures: views: 0.",
    options: Some(OptionDocs::of::<DistillOptions>()),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 32, val: 16, test: 16, test_shifted: 8, size: 48});\nlet o = #{model: #{backbone: \"small_cnn\", head: \"gap\", image_size: 48}, epochs: 1, batch: 16, views: 1};\nlet teacher = train_teacher(data, data.train.names, o);\nlet student = distill(data, merge([teacher]), o + #{distill_weight: 0.1});\nstudent.labels.len() == data.train.names.len()",
        prints: "true",
    }],
    register: |word| {
        word.form(distill);
    },
};

fn distill(call: &Call, data: Data, ensembles: Ensembles, training: Training<DistillOptions>) -> Fallible<ModelValue> {
    let (options, closures) = training.ready(call)?;
    closures.train(call, &job(call, &data, ensembles.0, options)?).map(ModelValue)
}

/// One ensemble, or an array of them. A model counts as an ensemble of one.
struct Ensembles(Vec<Ensemble>);

impl Parameter for Ensembles {
    type Value = Dynamic;

    fn read(value: Dynamic, call: &Call) -> Result<Self> {
        ensembles(&value, call).map(Ensembles)
    }
}

/// The ensembles of one student.
pub fn ensembles(value: &Dynamic, call: &Call) -> Result<Vec<Ensemble>> {
    let one = |value: &Dynamic| match value.clone().try_cast::<ModelValue>() {
        Some(model) => Ensemble::merge(vec![model.0], None),
        None => expect(value, call, "every ensemble", "an Ensemble, as merge(...) gives").map(|e: EnsembleValue| e.0),
    };
    match value.as_array_ref() {
        Ok(array) => array.iter().map(one).collect(),
        Err(_) => Ok(vec![one(value)?]),
    }
}

/// The training of one student.
pub fn job(call: &Call, data: &Data, ensembles: Vec<Ensemble>, options: DistillOptions) -> Result<Job> {
    options.train.check_further(call.name)?;
    options.distillation.validate()?;
    let (train, val) = data.splits(call, options.train.select_on)?;
    if ensembles.is_empty() {
        return Err(Error::argument(format!("{} needs at least one ensemble; got an empty array", call.name)));
    }
    let mut weights = options.weights;
    if weights.is_empty() {
        weights = vec![1.0 / ensembles.len() as f64; ensembles.len()];
    }
    if weights.len() != ensembles.len() {
        return Err(Error::argument(format!(
            "option \"weights\" of {} must have one weight per ensemble, {}; got {}",
            call.name,
            ensembles.len(),
            weights.len()
        ))
        .about_option("weights"));
    }
    if let Some(bad) =
        weights.iter().chain([&options.distill_weight, &options.label_weight]).find(|w| !w.is_finite() || **w < 0.0)
    {
        return Err(Error::argument(format!("weights of {} must be 0 or above; got {bad}", call.name)));
    }
    for weight in &mut weights {
        *weight *= options.distill_weight;
    }
    let labels = train.labels.labels().to_vec();
    Ok(Job {
        name: options.train.job_name("student"),
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
