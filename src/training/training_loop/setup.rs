//! What a training begins with: inputs, teacher outputs, optimiser, a checkpoint to go on from.

use tch::Tensor;

use super::TrainingLoop;
use crate::activity::console;
use crate::cuda;
use crate::error::{ErrorKind, Result};
use crate::files::own;
use crate::images::Dataset;
use crate::models::Model;
use crate::random::mixed;
use crate::runs::{RunStore, Work};
use crate::training::callbacks::Callbacks;
use crate::training::checkpoint::{TrainingPosition, TrainingState};
use crate::training::checkpoint_writer::CheckpointPolicy;
use crate::training::distillation_loss::DistillationLoss;
use crate::training::freezing::Freezing;
use crate::training::job::Job;
use crate::training::made_with;
use crate::training::mixing::Mixing;
use crate::training::model_inputs::{ModelInputs, steps_per_epoch};
use crate::training::optimiser::{Average, CopyOf, Flat, Groups, UpdateRule};
use crate::training::options::EmaStart;
use crate::training::peers::Peers;
use crate::training::rate_factors::RateFactors;
use crate::training::sampler::Orders;
use crate::training::schedule::Schedule;
use crate::training::views::Views;

impl<'a, 'h: 'a> TrainingLoop<'a, 'h> {
    /// Prepares inputs, teacher outputs and optimiser. Continues from the checkpoint in `work` if there is one, all of `peers` at
    /// the same place. Only rank 0 has a `work`.
    #[allow(clippy::too_many_arguments)] // all that a training is made of
    pub fn new(
        store: &RunStore,
        job: &'a Job,
        model: &'a Model,
        train: &Dataset,
        val: &Dataset,
        work: Option<&Work>,
        callbacks: Callbacks<'h>,
        peers: &'a Peers,
    ) -> Result<Self> {
        let options = &job.options;
        let views = Views::of_training(options).made_by(callbacks.augment);
        let inputs = ModelInputs::of_part(store, model, train, views.clone(), || job.features_of(train))?;
        let free = cuda::free_memory(model.device);
        let inputs = inputs.sharing(model).keep(model.device, free)?;
        // Both together take no more than one alone may.
        let free = free.map(|free| free.saturating_sub(2 * inputs.kept_bytes()));
        let val_inputs = match val.is_empty() {
            true => None,
            false => {
                let inputs = ModelInputs::new(store, model, val, Views::of_evaluation(options))?.sharing(model);
                Some(inputs.keep(model.device, free)?)
            }
        };
        let m = job.labels.len() as i64;
        let targets = match &options.targets {
            Some(given) => given.of(train.labels.images(), &job.labels)?,
            None => Tensor::f_from_slice(&train.labels.dense()?)?.f_view([train.len() as i64, m])?,
        };
        let targets = targets.f_to_device(model.device)?;
        // Given targets know every label.
        let known = options.known_labels().mask(train).filter(|_| options.targets.is_none());
        let count = |row: &[bool]| row.iter().filter(|known| **known).count() as u32;
        let counts = |mask: &Vec<bool>| mask.chunks(m as usize).map(count).collect();
        let known_counts = known.as_ref().filter(|_| peers.size() > 1).map(counts);
        let distillation = match &job.distillation {
            None => None,
            Some(distillation) => {
                let functions = callbacks.of_distillation();
                Some(DistillationLoss::new(store, job, distillation, train, val, &views, model, functions)?)
            }
        };
        let orders = Orders::new(&options.sampler, callbacks.sampler, options.seed, train.len())?;
        let steps = steps_per_epoch(orders.images(), options.batch, options.drop_last);
        let updates = steps.div_ceil(options.accumulate as u64);
        let schedule = Schedule::new(options, updates);
        let (leaves, buffers) = distillation.as_ref().map(DistillationLoss::parameters).unwrap_or_default();
        let flat = Flat::with(model, leaves, buffers)?;
        let mut groups = Groups::new(&flat, options.weight_decay, options.decay_on);
        RateFactors::set(options, model, &flat, &mut groups)?;
        let rule = UpdateRule::new(&flat, options, groups)?;
        let mut average = Average::new(&flat, options.ema, options.ema_warmup)?;
        if options.ema > 0.0 && options.ema_start == EmaStart::AnotherHead {
            let other = options.initial_model(&model.labels, mixed(job.own_seed()), model.device)?;
            let copied = |tensor: &Tensor| -> Result<Tensor> { Ok(tensor.f_copy_of()?.f_set_requires_grad(true)?) };
            let (leaves, buffers) = distillation.as_ref().map(DistillationLoss::parameters).unwrap_or_default();
            let leaves = leaves.iter().map(|(name, leaf)| Ok((name.clone(), copied(leaf)?))).collect::<Result<_>>()?;
            let buffers = buffers.iter().map(|buffer| buffer.f_copy_of()).collect::<Result<_>>()?;
            average.start_from(&Flat::with(&other, leaves, buffers)?)?;
        }
        let freezing = Freezing::new(options, model, &flat, updates)?;
        let state = TrainingState {
            flat,
            rule,
            average,
            best: None,
            position: TrainingPosition::default(),
            metrics: String::new(),
        };
        let mut engine = TrainingLoop {
            job,
            model,
            inputs,
            orders,
            mixing: Mixing::of(options),
            freezing,
            val_inputs,
            targets,
            known,
            val_targets: val.labels.targets()?,
            distillation,
            callbacks,
            checkpoints: CheckpointPolicy::of(model.device),
            peers,
            known_counts,
            schedule,
            last_lr: None,
            moved: false,
            steps,
            state,
        };
        let checkpoint = work.map(Work::checkpoint).filter(|checkpoint| !own::is_absent(checkpoint));
        let checkpoint = match engine.callbacks.seat {
            None => checkpoint.as_deref(),
            Some(seat) => seat.common(checkpoint.as_deref(), &job.name)?,
        };
        if let Some(checkpoint) = checkpoint {
            match engine.state.load(checkpoint) {
                Ok(()) => console::log(&format!("{}: resumed at epoch {}", job.name, engine.state.position.epoch + 1)),
                // A stop while it is read says nothing of it.
                Err(error) if error.kind == ErrorKind::Interrupted => return Err(error),
                // The other students go on from theirs.
                Err(error) if engine.callbacks.seat.is_some() => return Err(error),
                // With a damaged checkpoint the training starts over instead of failing.
                Err(error) => console::log(&format!("{}: starting over: {error}", job.name)),
            }
        }
        let here = made_with::here(model.device);
        if let Some(before) = engine.state.position.goes_on_with(&here) {
            console::log(&format!(
                "{}: begun with {before}, it goes on with {here}: its last digits are those of neither (run.made_with says both)",
                job.name
            ));
        }
        engine.state.share(peers)?;
        Ok(engine)
    }
}
