//! A gradient that is infinite while the loss is a number ends a training before its weights are in a checkpoint.

use std::cell::Cell;
use std::path::Path;

use cpsd::activity::interrupt;
use cpsd::error::{Error, ErrorKind};
use cpsd::images::Dataset;
use cpsd::images::scenes::{SceneOptions, splits};
use cpsd::losses::{Bce, LossSpec, Script};
use cpsd::models::ModelSpec;
use cpsd::models::weights::read_safetensors;
use cpsd::runs::RunStore;
use cpsd::training::options::Optimiser;
use cpsd::training::{Callbacks, Job, TrainOptions, Trained, run_with};
use tch::{Kind, Tensor};

use crate::common::{alone, files};

fn job(data: &[Dataset], optimiser: Optimiser) -> Job {
    let model = ModelSpec { backbone: "small_cnn".into(), image_size: Some(32), ..ModelSpec::default() };
    Job {
        name: "test".into(),
        train: data[0].clone(),
        val: Some(data[1].clone()),
        labels: ["person", "car", "cup"].map(String::from).to_vec(),
        options: TrainOptions {
            model,
            epochs: 3,
            batch: 16,
            threads: 1,
            lr: 1e-4,
            optimiser,
            loss: LossSpec::Script(Script { code: "of the test".into() }),
            ..TrainOptions::default()
        },
        distillation: None,
    }
}

/// Trains; from its `bad`-th call on, the loss has an infinite gradient, and the training is asked to stop, which writes a checkpoint.
fn train(
    store: &RunStore,
    job: &Job,
    bad: usize,
    mut epoch: impl FnMut(u64) -> Result<(), Error>,
) -> Result<Trained, Error> {
    let calls = Cell::new(0);
    let loss = |logits: &Tensor, targets: &Tensor| {
        calls.set(calls.get() + 1);
        let loss = LossSpec::from(Bce::default()).compute(logits, targets)?;
        if calls.get() < bad {
            return Ok(loss);
        }
        interrupt::request();
        // 0, with the gradient of the square root at 0.
        let poison = logits.f_sub(&logits.f_detach()?)?.f_sqrt()?.f_sum(Kind::Float)?;
        Ok(loss.f_add(&poison)?)
    };
    let mut epoch = |line: &serde_json::Value| epoch(line["epoch"].as_u64().unwrap());
    let callbacks = Callbacks { epoch: Some(&mut epoch), loss: Some(&loss), ..Callbacks::default() };
    let result = run_with(store, job, callbacks);
    interrupt::clear();
    result
}

/// Whether all numbers of the one checkpoint in the store are finite, and its content.
fn checkpoint(folder: &Path) -> (bool, Vec<u8>) {
    let all: Vec<_> = files(folder)
        .into_iter()
        .filter(|path| {
            path.to_string_lossy().contains("checkpoint") && path.extension().is_some_and(|e| e == "safetensors")
        })
        .collect();
    assert_eq!(all.len(), 1, "{all:?}");
    let (tensors, _) = read_safetensors(&all[0]).unwrap();
    assert!(tensors.iter().any(|(name, tensor)| name == "values" && tensor.numel() > 100));
    let finite = |tensor: &Tensor| bool::try_from(tensor.to_kind(Kind::Double).isfinite().all()).unwrap();
    (tensors.iter().all(|(_, tensor)| finite(tensor)), std::fs::read(&all[0]).unwrap())
}

#[test]
fn an_infinite_gradient_of_a_finite_loss_never_reaches_a_checkpoint() {
    // The interrupt flag is the process's.
    alone!();
    cpsd::activity::console::set_quiet(true);
    let options = SceneOptions { train: 96, val: 24, test: 1, test_shifted: 1, size: 32, ..SceneOptions::default() };
    let data: Vec<Dataset> = splits(&options).unwrap().into_iter().map(|(_, d)| d).collect();
    for optimiser in [Optimiser::Adam, Optimiser::Sgd] {
        let folder = tempfile::tempdir().unwrap();
        let (store, job) = (RunStore::new(folder.path()), job(&data, optimiser));
        // One good epoch, and a checkpoint.
        let stopped = train(&store, &job, usize::MAX, |_| Err(Error::interrupted())).err().unwrap();
        assert_eq!(stopped.kind, ErrorKind::Interrupted);
        let (finite, good) = checkpoint(folder.path());
        assert!(finite);

        let error = train(&store, &job, 3, |_| Ok(())).err().unwrap();
        assert_eq!(error.kind, ErrorKind::Data, "{error}");
        assert!(
            error.message.starts_with(
                "the loss is a number, but the weights are no longer finite in epoch 2, step 3 (learning rate"
            ),
            "{error}"
        );
        assert!(error.help.as_ref().is_some_and(|help| help.contains("the last good checkpoint is kept")), "{error:?}");
        assert!(checkpoint(folder.path()).1 == good, "the good checkpoint was replaced");

        // It goes on from there once the loss is mended.
        let mut told = Vec::new();
        train(&store, &job, usize::MAX, |epoch| {
            told.push(epoch);
            Ok(())
        })
        .unwrap();
        assert_eq!(told, [1, 2, 3]);
    }
}
