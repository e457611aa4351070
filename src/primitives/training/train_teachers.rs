//! `train_teachers`: one model per task of a partition, side by side.

use crate::graph::Partition;
use crate::primitives::parameters::Data;
use crate::primitives::training::closures::{self, Training};
use crate::primitives::training::given::set_targets;
use crate::primitives::values::model::ModelValue;
use crate::script::call::Call;
use crate::script::errors::Fallible;
use crate::script::word::{Chapter, Example, Word};
use crate::training::job::teacher_name;
use crate::training::{Job, TrainOptions};

pub const WORD: Word = Word {
    name: "train_teachers",
    chapter: Chapter::Training,
    signatures: &[
        "train_teachers(data, partition) -> array of Model",
        "train_teachers(data, partition, #{options}) -> array of Model",
    ],
    summary: "Trains one teacher for each task of a partition, side by side with the cores shared out among them.",
    details: "The teachers come in the partition's task order, ready for merge. Options are those of train_teacher, its closures too: \
on_epoch is told of all teachers (line.name tells which), and with a loss or schedule of the script's own they train one after the other. \
The option workers decides whether each trains in a process of its own, per_gpu how many train at once on one GPU.",
    options: Some(closures::docs::<TrainOptions>()),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 32, val: 16, test: 16, test_shifted: 8, size: 48});\nlet p = random_partition(data.train.names, 2);\nlet teachers = train_teachers(data, p, #{model: #{backbone: \"small_cnn\", head: \"gap\", image_size: 48}, epochs: 1, batch: 16});\nmerge(teachers).labels == data.train.names",
        prints: "true",
    }],
    register: |word| {
        word.form(train_teachers);
    },
};

fn train_teachers(
    call: &Call,
    data: Data,
    partition: Partition,
    training: Training<TrainOptions>,
) -> Fallible<Vec<ModelValue>> {
    let Training { mut options, targets, closures, .. } = training.ready(call)?;
    options.check_further(call.name)?;
    let (train, val) = data.splits(call, options.select_on)?;
    set_targets(call, targets.as_ref(), &mut options, &train)?;
    let branch = partition.branch().map_or("", |b| b.name());
    let jobs = partition
        .tasks()
        .into_iter()
        .enumerate()
        .map(|(i, labels)| Job {
            name: options.job_name_among(&teacher_name(branch, i + 1, partition.k())),
            train: train.clone(),
            val: val.clone(),
            labels,
            options: options.clone(),
            distillation: None,
        })
        .collect();
    Ok(closures.train_all(call, jobs)?.into_iter().map(ModelValue).collect())
}
