//! `mutual_learning`: students that teach one another.

use rhai::{Array, Dynamic, FnPtr, Map};

use crate::error::{Error, Result};
use crate::losses::{Kl, LossSpec};
use crate::primitives::parameters::{CommonOptions, Data};
use crate::primitives::training::closures::{self, Training};
use crate::primitives::training::given::set_targets;
use crate::primitives::values::model::ModelValue;
use crate::script::call::{Call, Parameter};
use crate::script::errors::Fallible;
use crate::script::show;
use crate::script::word::{Chapter, Example, Word};
use crate::training::options::{DistillScale, TeacherMode, TeacherWeights};
use crate::training::{Distillation, Job, TrainOptions, together};

pub const WORD: Word = Word {
    name: "mutual_learning",
    chapter: Chapter::Training,
    signatures: &[
        "mutual_learning(data, students) -> array of Model",
        "mutual_learning(data, students, #{options}) -> array of Model",
    ],
    summary: "Trains several students that teach one another, step by step on the same batches (deep mutual learning).",
    details: "students is an array with a map of options per student, those in which it differs from the common ones: [#{model: a}, #{model: b}], \
or [#{}, #{}] for two of one kind; student i has the initial weights of seed + i. At every step each of K students learns from \
L_i = label_weight · L_cls + distill_weight · 1/(K-1) · Σ_j L_kd(student i, student j), where the others' logits, all taken before any \
update, carry no gradient (Zhang et al., CVPR 2018, who update one after the other; for several labels a Bernoulli distribution each). All \
have the same order and views of the pictures, each at its own size, and train in one process on one device. Every student is a run of its own, whose \
name contains the whole group. They may differ in the model, the losses by name, the rate and its schedule, and the optimiser. \
Closures are those of all students: on_epoch and on_batch are told of each (line.name tells which), and \"stop\" for one ends all at the same step; augment \
makes the views of all, and sampler is asked once per epoch.",
    options: Some(closures::docs::<MutualOptions>()),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 32, val: 16, test: 16, test_shifted: 8, size: 48});\nlet o = #{model: #{backbone: \"small_cnn\", head: \"gap\", image_size: 48}, epochs: 1, batch: 16, views: 1};\nlet students = mutual_learning(data, [#{}, #{lr: 1e-3}], o);\nstudents.len()",
        prints: "2",
    }],
    register: |word| {
        word.form(mutual_learning);
    },
};

crate::options! {
    /// The options of `mutual_learning`, which include those of a training.
    pub struct MutualOptions extends train: TrainOptions {
        /// a Loss between a student and another one, on logits: kl() or mse(); or a closure |student, other| on logits
        pub distillation: LossSpec = Kl { temperature: 1.0, ..Kl::default() }.into();
        /// factor of the mean of the losses to the other students
        pub distill_weight: f64 = 1.0;
        /// factor of the loss on the labels
        pub label_weight: f64 = 1.0;
    }
}

/// The options in which students may differ: those that change neither the batches nor their number.
const OWN: &[&str] = &[
    "model",
    "loss",
    "distillation",
    "distill_weight",
    "label_weight",
    "lr",
    "lr_factors",
    "layer_decay",
    "schedule",
    "pct_start",
    "div_factor",
    "final_div_factor",
    "cycle_momentum",
    "warmup",
    "warmup_start",
    "milestones",
    "step_every",
    "gamma",
    "min_lr",
    "anneal_per",
    "optimiser",
    "momentum",
    "nesterov",
    "precision",
    "weight_decay",
    "decay_on",
    "ema",
    "ema_warmup",
    "ema_start",
    "clip",
];

fn mutual_learning(call: &Call, data: Data, students: Array, common: CommonOptions) -> Fallible<Vec<ModelValue>> {
    // Read once without a student, so that a mistake in the common options is said as such, and for its closures.
    let Training { closures, targets, .. } = Training::<MutualOptions>::read(common.0.clone().into(), call)?;
    if closures.sees_features() {
        let message = "the distillation of mutual_learning is a closure of two parameters, |student, other|, on logits; got one of more";
        return Err(Error::argument(message).about_option("distillation").into());
    }
    if call.host.queue().is_some() {
        let message = "mutual_learning trains all students in this process, and the sweep around it trains in a queue";
        return Err(Error::argument(message).into());
    }
    let mut jobs = Vec::new();
    let mut weights = Vec::new();
    for (i, own) in students.iter().enumerate() {
        let mut map = common.0.clone();
        map.extend(own_options(call, i, own)?);
        let Training { mut options, .. } = Training::<MutualOptions>::read(map.into(), call)?;
        let (train, val) = data.splits(call, options.train.select_on)?;
        set_targets(call, targets.as_ref(), &mut options.train, &train)?;
        weights.push(options.distill_weight);
        jobs.push(job(call, format!("student {}/{}", i + 1, students.len()), (train, val), options)?);
    }
    together::group(&mut jobs, &weights)?;
    Ok(closures.train_together(call, jobs)?.into_iter().map(ModelValue).collect())
}

/// The options of one student. Errors: something else than a map; options that all students share, and closures.
fn own_options(call: &Call, i: usize, own: &Dynamic) -> Result<Map> {
    let number = i + 1;
    let own = own.clone().try_cast::<Map>().ok_or_else(|| {
        Error::argument(format!(
            "{}: every student must be a map of the options in which it differs, as #{{lr: 1e-3}} or #{{}}; student {number} is {}",
            call.name,
            show::a_type(own)
        ))
    })?;
    for (key, value) in &own {
        if value.is::<FnPtr>() {
            return Err(Error::argument(format!(
                "{}: option \"{key}\" of student {number} is a closure; a closure is the same for all students, and one of the common options",
                call.name
            ))
            .about_name(key.as_str()));
        }
        if !OWN.contains(&key.as_str()) {
            return Err(Error::argument(format!(
                "{}: option \"{key}\" of student {number} is none in which students may differ",
                call.name
            ))
            .about_name(key.as_str())
            .with_help("the last argument has the options of all students; they differ in the model, the losses, the rate and the optimiser"));
        }
    }
    Ok(own)
}

fn job(
    call: &Call,
    name: String,
    (train, val): (crate::images::Dataset, Option<crate::images::Dataset>),
    options: MutualOptions,
) -> Result<Job> {
    let MutualOptions { distillation, distill_weight, label_weight, train: options } = options;
    options.check_further(call.name)?;
    distillation.validate()?;
    for (key, weight) in [("distill_weight", distill_weight), ("label_weight", label_weight)] {
        if !weight.is_finite() || weight < 0.0 {
            return Err(Error::option(key, call.name, "0 or above", weight));
        }
    }
    let labels = train.labels.labels().to_vec();
    let distillation = Distillation {
        ensembles: vec![],
        weights: vec![],
        loss: distillation,
        label_weight,
        teacher_mode: TeacherMode::Eval,
        teacher_weights: TeacherWeights::Even,
        scale: DistillScale::Plain,
        features: false,
        mutual: None,
    };
    Ok(Job { name, train, val, labels, options, distillation: Some(distillation) })
}
