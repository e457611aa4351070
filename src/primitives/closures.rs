//! The closures among a training's options, on their way into the training.

use std::cell::RefCell;
use std::sync::Arc;

use rhai::{Dynamic, EvalAltResult, FnPtr, Map, NativeCallContext};
use serde_json::Value;
use tch::Tensor;

use super::glue;
use super::values::tensor::TensorValue;
use crate::error::{Error, Result};
use crate::losses::{LossSpec, Script};
use crate::primitives::values::loss::LossValue;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::host::Host;
use crate::script::lock::ScriptLock;
use crate::script::{fingerprint, options, show};
use crate::training::{Callbacks, Job, Trained, run_all, run_with};

/// Functions of the script that a training calls.
pub struct Closures {
    on_epoch: Option<FnPtr>,
    loss: Option<FnPtr>,
    distillation: Option<FnPtr>,
    lock: Arc<ScriptLock>,
}

impl Closures {
    /// Takes `on_epoch`, and `loss` and `distillation` where they are closures, out of the options of `word`. In place
    /// of a loss stays what names its code, so that it counts in the run's id.
    pub fn take(word: &str, map: &mut Map, call: &NativeCallContext, host: &Host) -> Result<Closures> {
        let on_epoch = match map.remove("on_epoch") {
            None => None,
            Some(value) if value.is_unit() => None,
            Some(value) => Some(value.clone().try_cast::<FnPtr>().ok_or_else(|| {
                Error::argument(format!(
                    "option \"on_epoch\" of {word} must be a closure of one argument, as |line| print(line); got {}",
                    show::a_type(&value)
                ))
            })?),
        };
        let mut loss = |key: &str| {
            let closure = map.get(key)?.clone().try_cast::<FnPtr>()?;
            let spec = LossSpec::Script(Script { code: fingerprint::of_closure(&closure, call, host) });
            map.insert(key.into(), Dynamic::from(LossValue { spec }));
            Some(closure)
        };
        Ok(Closures {
            on_epoch,
            loss: loss("loss"),
            distillation: loss("distillation"),
            lock: host.background.lock.clone(),
        })
    }

    /// Trains one model; inside plan(...) puts it down instead.
    pub fn train(&self, host: &Host, call: &NativeCallContext, job: &Job) -> Fallible<Trained> {
        let store = glue::store(host);
        if let Some(mut plan) = host.plan() {
            return plan.add(&store, job).or_raise();
        }
        self.during(call, |callbacks| run_with(&store, job, callbacks))
    }

    /// Trains several side by side; inside plan(...) puts them down instead.
    pub fn train_all(&self, host: &Host, call: &NativeCallContext, jobs: Vec<Job>) -> Fallible<Vec<Trained>> {
        let store = glue::store(host);
        if let Some(mut plan) = host.plan() {
            return jobs.iter().map(|job| plan.add(&store, job)).collect::<Result<_>>().or_raise();
        }
        self.during(call, |callbacks| run_all(&store, jobs, callbacks))
    }

    /// Runs a training that calls them; other threads of the session run meanwhile. What a closure throws is thrown on,
    /// with its place in the script. `train` must touch no value of a script.
    pub fn during<R>(&self, call: &NativeCallContext, train: impl FnOnce(Callbacks) -> Result<R>) -> Fallible<R> {
        let thrown: RefCell<Option<Box<EvalAltResult>>> = RefCell::new(None);
        let stop = |failure: Box<EvalAltResult>| {
            *thrown.borrow_mut() = Some(failure);
            Error::interrupted()
        };
        let loss_of = |option: &str, closure: &FnPtr, a: &Tensor, b: &Tensor| -> Result<Tensor> {
            self.lock.held(|| {
                let arguments = (TensorValue::from(a.shallow_clone()), TensorValue::from(b.shallow_clone()));
                let value = closure.call_within_context::<Dynamic>(call, arguments).map_err(&stop)?;
                match value.clone().try_cast::<TensorValue>() {
                    Some(tensor) => Ok(tensor.0.shallow_clone()),
                    None => Err(Error::argument(format!(
                        "option \"{option}\": the closure must give a Tensor of one number; it gave {}",
                        show::a_type(&value)
                    ))),
                }
            })
        };
        let loss = self.loss.as_ref().map(|f| |a: &Tensor, b: &Tensor| loss_of("loss", f, a, b));
        let distillation =
            self.distillation.as_ref().map(|f| |a: &Tensor, b: &Tensor| loss_of("distillation", f, a, b));
        let mut on_epoch = self.on_epoch.as_ref().map(|f| {
            |line: &Value| {
                self.lock.held(|| {
                    f.call_within_context::<Dynamic>(call, (options::from_json(line),)).map(|_| ()).map_err(&stop)
                })
            }
        });
        let trained = self.lock.released(|| {
            train(Callbacks {
                epoch: on_epoch.as_mut().map(|f| f as _),
                loss: loss.as_ref().map(|f| f as _),
                distillation: distillation.as_ref().map(|f| f as _),
            })
        });
        let thrown = thrown.take();
        match thrown {
            Some(failure) => Err(failure),
            None => trained.or_raise(),
        }
    }
}
