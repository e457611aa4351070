//! `train_teachers`: one model a task of a partition, side by side.

use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use super::closures::Closures;
use super::values::model::ModelValue;
use super::{Chapter, Example, OptionDocs, Word, glue, training_options};
use crate::graph::Partition;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::host::Host;
use crate::script::options;
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
on_epoch is told of all teachers (line.name says which), and with a loss of the script's own they train one after the other. \
The option workers says whether each trains in a process of its own.",
    options: Some(OptionDocs { defaults: options::defaults::<TrainOptions>, docs: training_options::DOCS }),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 32, val: 16, test: 16, test_shifted: 8, size: 48});\nlet p = random_partition(data.train.names, 2);\nlet teachers = train_teachers(data, p, #{model: #{backbone: \"small_cnn\", head: \"gap\", image_size: 48}, epochs: 1, batch: 16});\nmerge(teachers).labels == data.train.names",
        prints: "true",
    }],
    register,
};

fn register(engine: &mut Engine, host: &Rc<Host>) {
    let (a, b) = (host.clone(), host.clone());
    engine
        .register_fn("train_teachers", move |call: NativeCallContext, data: Dynamic, partition: Partition| {
            train_teachers(&a, &call, &data, &partition, Map::new())
        })
        .register_fn(
            "train_teachers",
            move |call: NativeCallContext, data: Dynamic, partition: Partition, map: Map| {
                train_teachers(&b, &call, &data, &partition, map)
            },
        );
}

fn train_teachers(
    host: &Host,
    call: &NativeCallContext,
    data: &Dynamic,
    partition: &Partition,
    mut map: Map,
) -> Fallible<Array> {
    glue::expand_names(&mut map);
    let closures = Closures::take("train_teachers", &mut map, call, host).or_raise()?;
    let options: TrainOptions = options::parse("train_teachers", &map).or_raise()?;
    options.validate("train_teachers").or_raise()?;
    let (train, val) = glue::splits("train_teachers", data, options.select_on).or_raise()?;
    let branch = partition.branch().map_or(String::new(), |b| format!("{} ", b.name()));
    let jobs = partition
        .tasks()
        .into_iter()
        .enumerate()
        .map(|(i, labels)| Job {
            name: format!("{branch}teacher {}/{}", i + 1, partition.k()),
            train: train.clone(),
            val: val.clone(),
            labels,
            options: options.clone(),
            distillation: None,
        })
        .collect();
    let trained = closures.train_all(host, call, jobs)?;
    Ok(trained.into_iter().map(|t| Dynamic::from(ModelValue(t))).collect())
}
