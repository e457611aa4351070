//! `distill`: a student from the ground truth and any number of ensembles.

use rhai::Dynamic;

use crate::error::{Error, Result};
use crate::primitives::parameters::{Data, expect};
use crate::primitives::training::closures::{self, Training};
use crate::primitives::training::given::{self, set_targets};
use crate::primitives::training::rules::Rules;
use crate::primitives::values::ensemble::EnsembleValue;
use crate::primitives::values::model::ModelValue;
use crate::primitives::values::tensor::TensorValue;
use crate::script::call::{Call, Parameter};
use crate::script::errors::Fallible;
use crate::script::word::{Chapter, Example, Word};
use crate::training::options::DistillScale;
use crate::training::{DistillOptions, Distillation, Ensemble, Job};

pub const WORD: Word = Word {
    name: "distill",
    chapter: Chapter::Training,
    signatures: &["distill(data, ensembles) -> Model", "distill(data, ensembles, #{options}) -> Model"],
    summary: "Trains one student from the ground truth and from merged teachers.",
    details: "ensembles is one Ensemble (SD, CGPD, DGPD) or an array of them (two for CPSD); a Model counts as an ensemble of one, and so does a Tensor \
[images, labels] with the logits of a teacher that is not here, a row per image of the training split in its order, the same for every view \
of an image. \
L = label_weight · L_cls + distill_weight · Σ_e w_e · Σ (s - t_e)² on logits (CPSD, IJCAI 2022, with the logits of the authors' code); w_e is 1/2 \
each for two ensembles, as in the paper. That factor has to be found for each data set; \
distillation: asl(), distill_scale: \"gradient\" needs none and teaches better on all that were tried (docs/results/distillation_weight.md). Teachers see the same augmented picture as the student, in eval mode; for a fixed set of \
views their outputs are computed once and kept. The option on_epoch takes a closure, which is called with each epoch's line; loss and distillation may be closures, |logits, targets| and |student, teacher|, and schedule, augment, sampler, on_batch those of train_teacher. With mixup or cutmix the teachers must see the mixed pictures: views: 0. A distillation of three parameters, \
|student, teacher, features|, also sees feature maps [N, C, h, w]: features.student.stage3, features.teacher.stage3 (of one teacher; \
features.teachers[0] of several), by the numbers of the option stages; those of the last stage are as the head sees them. It is called per \
ensemble; teachers are then asked at every step, with the student's pictures, since their features are not kept. One of four parameters, \
|student, teacher, features, p|, also gets Layers p, whose named parameters are trained along: p.conv(\"hint\", features.student.stage2, 64) maps a student's \
channels to its teacher's (FitNets, ICLR 2015). It is called once with what pictures of ones give, to make them; first values follow from seed and name, each ensemble has its own, \
they learn at the head's rate, and they are no part of the student.",
    options: Some(closures::docs::<DistillOptions>()),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 32, val: 16, test: 16, test_shifted: 8, size: 48});\nlet o = #{model: #{backbone: \"small_cnn\", head: \"gap\", image_size: 48}, epochs: 1, batch: 16, views: 1};\nlet teacher = train_teacher(data, data.train.names, o);\nlet student = distill(data, merge([teacher]), o + #{distill_weight: 0.1});\nstudent.labels.len() == data.train.names.len()",
        prints: "true",
    }],
    register: |word| {
        word.form(distill);
    },
};

fn distill(call: &Call, data: Data, ensembles: Teachers, training: Training<DistillOptions>) -> Fallible<ModelValue> {
    let mut training = training.ready(call)?;
    training.closures.rules = rules(&ensembles.0);
    let job = job(call, &data, &ensembles.0, &training)?;
    training.closures.train(call, &job).map(ModelValue)
}

/// Who teaches: an ensemble, or a Tensor in its place.
pub enum Teacher {
    Ensemble(EnsembleValue),
    Given(TensorValue),
}

/// One teacher, or an array of them.
struct Teachers(Vec<Teacher>);

impl Parameter for Teachers {
    type Value = Dynamic;

    fn read(value: Dynamic, call: &Call) -> Result<Self> {
        teachers(&value, call).map(Teachers)
    }
}

/// The teachers of one student. A model counts as an ensemble of one.
pub fn teachers(value: &Dynamic, call: &Call) -> Result<Vec<Teacher>> {
    let one = |value: &Dynamic| {
        if let Some(model) = value.clone().try_cast::<ModelValue>() {
            return Ok(Teacher::Ensemble(EnsembleValue(Ensemble::merge(vec![model.0], None)?, None)));
        }
        if let Some(tensor) = value.clone().try_cast::<TensorValue>() {
            return Ok(Teacher::Given(tensor));
        }
        let expected = "an Ensemble, as merge(...) gives, or a Tensor of logits";
        expect(value, call, "every ensemble", expected).map(Teacher::Ensemble)
    };
    match value.as_array_ref() {
        Ok(array) => array.iter().map(one).collect(),
        Err(_) => Ok(vec![one(value)?]),
    }
}

/// The closures that are rules of these.
pub fn rules<'a>(teachers: impl IntoIterator<Item = &'a Teacher>) -> Rules {
    Rules::of(teachers.into_iter().filter_map(|teacher| match teacher {
        Teacher::Ensemble(ensemble) => Some(ensemble),
        Teacher::Given(_) => None,
    }))
}

/// The training of one student.
pub fn job(call: &Call, data: &Data, teachers: &[Teacher], training: &Training<DistillOptions>) -> Result<Job> {
    let mut options = training.options.clone();
    options.train.check_further(call.name)?;
    options.distillation.validate()?;
    let (train, val) = data.splits(call, options.train.select_on)?;
    set_targets(call, training.targets.as_ref(), &mut options.train, &train)?;
    let ensemble = |teacher: &Teacher| match teacher {
        Teacher::Ensemble(ensemble) => Ok(ensemble.0.clone()),
        Teacher::Given(tensor) => given::teacher(call, tensor, &train, &options.distillation),
    };
    let ensembles = teachers.iter().map(ensemble).collect::<Result<Vec<_>>>()?;
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
    if options.distill_scale == DistillScale::Gradient && options.train.nproc > 1 {
        return Err(Error::argument(format!(
            "distill_scale \"gradient\" of {} looks at whole batches, of which several processes have parts each",
            call.name
        ))
        .about_option("distill_scale")
        .with_help("nproc: 1, or distill_scale: \"none\" with a distill_weight chosen on val"));
    }
    if options.distill_scale == DistillScale::Gradient && options.label_weight == 0.0 {
        return Err(Error::argument(format!(
            "distill_scale \"gradient\" of {} scales by the loss on labels, which label_weight 0 leaves out",
            call.name
        ))
        .about_option("distill_scale")
        .with_help("distill_scale: \"none\" trains on the distillation loss alone"));
    }
    for weight in &mut weights {
        *weight *= options.distill_weight;
    }
    let labels = train.labels.labels().to_vec();
    let distillation = Distillation {
        ensembles,
        weights,
        loss: options.distillation,
        label_weight: options.label_weight,
        teacher_mode: options.teacher_mode,
        teacher_weights: options.teacher_weights,
        scale: options.distill_scale,
        features: training.closures.sees_features(),
        mutual: None,
    };
    distillation.check_val_ap()?;
    let name = options.train.job_name("student");
    Ok(Job { name, train, val, labels, options: options.train, distillation: Some(distillation) })
}
