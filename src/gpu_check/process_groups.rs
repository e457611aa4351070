//! The engine by which several GPUs train one model: whether it can be joined and sums.

use tch::{Kind, Tensor};

use super::{Check, Outcome, WHOLE};
use crate::devices;
use crate::distributed::{Engine, Group, Place, Store};
use crate::error::Result;
use crate::torch::to_vec_f32;

pub const CHECK: Check = Check {
    name: "process-groups",
    question: "Does the engine of nproc (NCCL on GPUs, Gloo on CPUs) start and sum tensors of this device?",
    limit: 120,
    parts: WHOLE,
    run: process_groups,
};

fn process_groups(_part: &str) -> Result<Outcome> {
    let device = devices::first();
    let engine = Engine::for_device(device)?;
    let (_store, port) = Store::serve()?;
    let place = Place { rank: 0, size: 1, local_rank: 0, host: "127.0.0.1".into(), port, serves: false };
    let group = Group::join(&place, engine)?;
    let x = Tensor::f_arange(1000, (Kind::Float, device))?;
    group.all_reduce(&x)?;
    group.broadcast(&x, 0)?;
    group.barrier(device)?;
    let mut outcome = Outcome::new(&[]);
    outcome.note(format!("{} with one process; several GPUs are tried by a training with nproc", engine.name()));
    let kept = to_vec_f32(&x)?.iter().enumerate().all(|(i, value)| *value == i as f32);
    outcome.expect(kept, || "a sum over one process is not the tensor itself".into());
    Ok(outcome)
}
