//! `distill_all`: several students side by side.

use rhai::Array;

use crate::error::Result;
use crate::primitives::parameters::Data;
use crate::primitives::training::closures::{self, Training};
use crate::primitives::training::distill;
use crate::primitives::values::model::ModelValue;
use crate::script::call::Call;
use crate::script::errors::Fallible;
use crate::script::word::{Chapter, Example, Word};
use crate::training::{DistillOptions, Job};

pub const WORD: Word = Word {
    name: "distill_all",
    chapter: Chapter::Training,
    signatures: &["distill_all(data, list) -> array of Model", "distill_all(data, list, #{options}) -> array of Model"],
    summary: "Trains several students side by side, the cores shared out among them: one for each item of the list.",
    details: "Each item is the ensembles argument of one distill: one Ensemble or Model, or an array of Ensembles. The whole component ablation is \
distill_all(data, [one, co, dis, [co, dis]], options). Options are those of distill.",
    options: Some(closures::docs::<DistillOptions>()),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 32, val: 16, test: 16, test_shifted: 8, size: 48});\nlet o = #{model: #{backbone: \"small_cnn\", head: \"gap\", image_size: 48}, epochs: 1, batch: 16, views: 1};\nlet teacher = merge([train_teacher(data, data.train.names, o)]);\ndistill_all(data, [teacher, [teacher, teacher]], o).len()",
        prints: "2",
    }],
    register: |word| {
        word.form(distill_all);
    },
};

fn distill_all(call: &Call, data: Data, list: Array, training: Training<DistillOptions>) -> Fallible<Vec<ModelValue>> {
    let mut training = training.ready(call)?;
    let teachers = list.iter().map(|value| distill::teachers(value, call)).collect::<Result<Vec<_>>>()?;
    training.closures.rules = distill::rules(teachers.iter().flatten());
    let student = |(i, teachers): (usize, &Vec<distill::Teacher>)| {
        let job = distill::job(call, &data, teachers, &training)?;
        let name = job.options.job_name_among(&format!("student {}/{}", i + 1, list.len()));
        Ok(Job { name, ..job })
    };
    let jobs = teachers.iter().enumerate().map(student).collect::<Result<_>>()?;
    Ok(training.closures.train_all(call, jobs)?.into_iter().map(ModelValue).collect())
}
