//! `distill_all`: several students side by side.

use rhai::{Array, Dynamic, ImmutableString};

use crate::error::{Error, Result};
use crate::primitives::parameters::{Data, expect};
use crate::primitives::training::closures::{self, Training};
use crate::primitives::training::distill;
use crate::primitives::values::model::ModelValue;
use crate::script::call::Call;
use crate::script::errors::Fallible;
use crate::script::word::{Chapter, Example, Word};
use crate::training::options::check_names;
use crate::training::{DistillOptions, Job};

pub const WORD: Word = Word {
    name: "distill_all",
    chapter: Chapter::Training,
    signatures: &["distill_all(data, list) -> array of Model", "distill_all(data, list, #{options}) -> array of Model"],
    summary: "Trains several students side by side, the cores shared out among them: one for each item of the list.",
    details: "Each item is the ensembles argument of one distill: one Ensemble or Model, or an array of Ensembles. The whole component ablation is \
distill_all(data, [one, co, dis, [co, dis]], options). An item may be a map of it and a name, #{name: \"CPSD\", teachers: [co, dis]}, by which plans, progress and runs() \
call the student; without one it is student 4/4. Options are those of distill.",
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
    let students = list.iter().map(|value| student(value, call)).collect::<Result<Vec<_>>>()?;
    training.closures.rules = distill::rules(students.iter().flat_map(|student| &student.teachers));
    let job = |(i, student): (usize, &Student)| {
        let mut job = distill::job(call, &data, &student.teachers, &training)?;
        let usual = student.name.clone().unwrap_or_else(|| format!("student {}/{}", i + 1, list.len()));
        job.name = job.options.job_name_among(&usual);
        if student.name.is_some() {
            // Also a run that is in the store under another name has this one from now on.
            job.options.name.clone_from(&job.name);
        }
        Ok(job)
    };
    let jobs = students.iter().enumerate().map(job).collect::<Result<Vec<Job>>>()?;
    Ok(training.closures.train_all(call, jobs)?.into_iter().map(ModelValue).collect())
}

/// One item of the list.
struct Student {
    teachers: Vec<distill::Teacher>,
    name: Option<String>,
}

/// Errors: a map with another key, without teachers, or with a name that is none.
fn student(value: &Dynamic, call: &Call) -> Result<Student> {
    let Ok(map) = value.as_map_ref() else {
        return Ok(Student { teachers: distill::teachers(value, call)?, name: None });
    };
    let keys = ["name", "teachers"];
    if let Some(key) = map.keys().find(|key| !keys.contains(&key.as_str())) {
        return Err(Error::unknown("key of a student", key, keys));
    }
    let Some(teachers) = map.get("teachers") else {
        let message = format!("{}: the map of a student has no teachers", call.name);
        return Err(Error::argument(message).with_help("as #{name: \"CPSD\", teachers: [co, dis]}"));
    };
    let name = match map.get("name") {
        Some(name) => Some(expect::<ImmutableString>(name, call, "the name of a student", "a text")?.to_string()),
        None => None,
    };
    check_names(call.name, name.as_deref().unwrap_or_default(), &[])?;
    Ok(Student { teachers: distill::teachers(teachers, call)?, name: name.filter(|name| !name.is_empty()) })
}
