//! `train_teacher`: one model on some of the labels.

use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use super::closures::Closures;
use super::values::model::ModelValue;
use super::{Chapter, Example, OptionDocs, Word, glue, training_options};
use crate::script::errors::{Fallible, OrRaise};
use crate::script::host::Host;
use crate::script::options;
use crate::training::{Job, TrainOptions};

pub const WORD: Word = Word {
    name: "train_teacher",
    chapter: Chapter::Training,
    signatures: &["train_teacher(data, labels) -> Model", "train_teacher(data, labels, #{options}) -> Model"],
    summary: "Trains a model on the named labels: a teacher on one task of a partition, or with all labels a baseline.",
    details: "data is what dataset(...) gives (it trains on train and selects on val), or one Dataset, of which a tenth is held out \
to select on. The teacher sees all training images with only its own labels as targets. The same call again is answered by the \
run store; one that was interrupted goes on where it stopped. The option on_epoch takes a closure, which is called with each epoch's line \
(a map: name, epoch, loss, lr, seconds, and val_mAP where the epoch was evaluated). The option loss may be a closure \
|logits, targets|, both Tensors of [batch, labels], that gives one number; its code counts in what names the run.",
    options: Some(OptionDocs { defaults: options::defaults::<TrainOptions>, docs: training_options::DOCS }),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 32, val: 16, test: 16, test_shifted: 8, size: 48});\nlet model = train_teacher(data, [\"dog\", \"person\"], #{model: #{backbone: \"small_cnn\", head: \"gap\", image_size: 48}, epochs: 1, batch: 16});\nmodel.labels",
        prints: "[\"dog\", \"person\"]",
    }],
    register,
};

fn register(engine: &mut Engine, host: &Rc<Host>) {
    let (a, b) = (host.clone(), host.clone());
    engine
        .register_fn("train_teacher", move |call: NativeCallContext, data: Dynamic, labels: Array| {
            train_teacher(&a, &call, &data, &labels, Map::new())
        })
        .register_fn("train_teacher", move |call: NativeCallContext, data: Dynamic, labels: Array, map: Map| {
            train_teacher(&b, &call, &data, &labels, map)
        });
}

fn train_teacher(
    host: &Host,
    call: &NativeCallContext,
    data: &Dynamic,
    labels: &Array,
    mut map: Map,
) -> Fallible<ModelValue> {
    glue::expand_names(&mut map);
    let closures = Closures::take("train_teacher", &mut map, call, host).or_raise()?;
    let options: TrainOptions = options::parse("train_teacher", &map).or_raise()?;
    options.validate("train_teacher").or_raise()?;
    let (train, val) = glue::splits("train_teacher", data, options.select_on).or_raise()?;
    let labels = glue::names("train_teacher", "the labels", labels).or_raise()?;
    let name = if labels.len() == train.labels.num_labels() {
        "baseline".into()
    } else {
        format!("teacher of {} labels", labels.len())
    };
    let job = Job { name, train, val, labels, options, distillation: None };
    closures.train(host, call, &job).map(ModelValue)
}
