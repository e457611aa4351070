//! `train_teacher`: one model on some of the labels.

use crate::error::counted;
use crate::primitives::parameters::{Data, Names};
use crate::primitives::training::closures::{self, Training};
use crate::primitives::training::given::set_targets;
use crate::primitives::values::model::ModelValue;
use crate::script::call::Call;
use crate::script::errors::Fallible;
use crate::script::word::{Chapter, Example, Word};
use crate::training::{Job, TrainOptions};

pub const WORD: Word = Word {
    name: "train_teacher",
    chapter: Chapter::Training,
    signatures: &["train_teacher(data, labels) -> Model", "train_teacher(data, labels, #{options}) -> Model"],
    summary: "Trains a model on the named labels: a teacher on one task of a partition, or with all labels a baseline.",
    details: "data is the map that dataset(...) gives (it trains on train and selects on val), or one Dataset, of which a tenth is held out \
to select on. The teacher sees all training images with only its own labels as targets. The same call again is answered by the \
run store; one that was interrupted goes on where it stopped. The option on_epoch takes a closure, which is called with each epoch's line \
(a map: name, epoch, loss, lr, seconds, and val_mAP where the epoch was evaluated). The option loss may be a closure \
|logits, targets|, both Tensors of [batch, labels], that gives one number; schedule one |step, total| that gives the learning rate of every update, or one |now| of one parameter that \
gives a factor on lr (now: progress, epoch, epochs, update, updates); augment one |picture, random| that makes the view of a picture by words such as hflip, rotate and \
random_resized_crop, on the training's own thread, so it costs time that the built-in augmentation does not; sampler one |epoch| that gives the positions of the epoch's images. Their code is \
part of the run's id, and they must follow from their arguments alone: a training that goes on from a checkpoint calls them from there on. \
on_batch is called after updates with a map (name, epoch, step, update, loss, lr, grad_norm; outputs and targets with on_batch_outputs), which waits for the device each time: \
on_batch_every asks for fewer calls. A run that the store has does not call it again. If on_epoch or on_batch gives \"stop\", the training ends as a finished run, whose summary has \
stopped; a closure with \"stop\" in its code decides the result, so its code is part of the run's id, and one that gives it without this text is an error. \
mixup and cutmix mix the pictures and targets of a batch in pairs, drawn by (seed, epoch, step), for the losses bce, asl, focal and closures. freeze holds stages for some epochs: they get no gradient, \
their batch norms use and keep their statistics, and the optimiser leaves them and its moments of them as they are. start gives the first weights. \
An option that belongs to another optimiser or schedule is refused.",
    options: Some(closures::docs::<TrainOptions>()),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 32, val: 16, test: 16, test_shifted: 8, size: 48});\nlet model = train_teacher(data, [\"dog\", \"person\"], #{model: #{backbone: \"small_cnn\", head: \"gap\", image_size: 48}, epochs: 1, batch: 16});\nmodel.labels",
        prints: "[\"dog\", \"person\"]",
    }],
    register: |word| {
        word.form(train_teacher);
    },
};

fn train_teacher(call: &Call, data: Data, labels: Names, training: Training<TrainOptions>) -> Fallible<ModelValue> {
    let Training { mut options, targets, closures, .. } = training.ready(call)?;
    options.check_further(call.name)?;
    let (train, val) = data.splits(call, options.select_on)?;
    set_targets(call, targets.as_ref(), &mut options, &train)?;
    let labels = labels.0;
    let name = options.job_name(&if labels.len() == train.labels.num_labels() {
        "baseline".to_string()
    } else {
        format!("teacher of {}", counted(labels.len(), "label"))
    });
    closures.train(call, &Job { name, train, val, labels, options, distillation: None }).map(ModelValue)
}
