//! `train_all`: several models on all labels, side by side.

use rhai::{Array, Dynamic, FnPtr, Map};

use crate::error::{Error, Result};
use crate::primitives::parameters::{CommonOptions, Data};
use crate::primitives::training::closures::{self, Training};
use crate::primitives::training::given::set_targets;
use crate::primitives::values::model::ModelValue;
use crate::script::call::{Call, Parameter};
use crate::script::errors::Fallible;
use crate::script::show;
use crate::script::word::{Chapter, Example, Word};
use crate::training::{Job, TrainOptions};

pub const WORD: Word = Word {
    name: "train_all",
    chapter: Chapter::Training,
    signatures: &["train_all(data, list) -> array of Model", "train_all(data, list, #{options}) -> array of Model"],
    summary: "Trains several models on all labels side by side, the cores shared out among them: one for each map of the list.",
    details: "Each map has the options in which its training differs from the common ones, which it replaces as they are (a model as a \
whole): [#{seed: 1}, #{seed: 2, epochs: 12}]. Every training is the run that train_teacher makes with the same options, \
but for its last digits: each has its share of the threads where the option threads says none (run.made_with tells how many). On a CPU, small heads \
on kept features train twice as fast side by side as one after the other. Closures, executor, workers, nproc and per_gpu are those of all. \
The longest first keeps all cores at work to the end.",
    options: Some(closures::docs::<TrainOptions>()),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 32, val: 16, test: 16, test_shifted: 8, size: 48});\nlet o = #{model: #{backbone: \"small_cnn\", head: \"gap\", image_size: 48}, epochs: 1, batch: 16};\nlet models = train_all(data, [#{seed: 1}, #{seed: 2}], o);\nmodels[1].id == train_teacher(data, data.train.names, o + #{seed: 2}).id",
        prints: "true",
    }],
    register: |word| {
        word.form(train_all);
    },
};

/// Options that say where the trainings of one call run.
const COMMON: &[&str] = &["executor", "workers", "nproc", "per_gpu"];

fn train_all(call: &Call, data: Data, list: Array, common: CommonOptions) -> Fallible<Vec<ModelValue>> {
    // Read once by themselves, so that a mistake in the common options is said as such, and for their closures.
    let Training { closures, targets, .. } =
        Training::<TrainOptions>::read(common.0.clone().into(), call)?.ready(call)?;
    if list.is_empty() {
        return Ok(Vec::new());
    }
    let mut jobs = Vec::new();
    for (i, own) in list.iter().enumerate() {
        let mut map = common.0.clone();
        let own = own_options(call, i + 1, own)?;
        let is_named = own.contains_key("name");
        map.extend(own);
        let Training { mut options, .. } = Training::<TrainOptions>::read(map.into(), call)?.ready(call)?;
        options.check_further(call.name)?;
        let (train, val) = data.splits(call, options.select_on)?;
        set_targets(call, targets.as_ref(), &mut options, &train)?;
        let labels = train.labels.labels().to_vec();
        let usual = format!("baseline {}/{}", i + 1, list.len());
        let name = if is_named { options.job_name(&usual) } else { options.job_name_among(&usual) };
        jobs.push(Job { name, train, val, labels, options, distillation: None });
    }
    Ok(closures.train_all(call, jobs)?.into_iter().map(ModelValue).collect())
}

/// The options of one training. Errors: something else than a map; an option or a closure that is of all trainings.
fn own_options(call: &Call, number: usize, own: &Dynamic) -> Result<Map> {
    let own = own.clone().try_cast::<Map>().ok_or_else(|| {
        Error::argument(format!(
            "{}: every training must be a map of the options in which it differs, as #{{seed: 1}} or #{{}}; training {number} is {}",
            call.name,
            show::a_type(own)
        ))
    })?;
    for (key, value) in &own {
        let what = if value.is::<FnPtr>() {
            "is a closure"
        } else if COMMON.contains(&key.as_str()) {
            "says where trainings run"
        } else if key == "targets" {
            "is a Tensor of targets"
        } else {
            continue;
        };
        return Err(Error::argument(format!(
            "{}: option \"{key}\" of training {number} {what}, which is the same for all: it is one of the common options",
            call.name
        ))
        .about_name(key.as_str()));
    }
    Ok(own)
}
