//! The options of a training with the closures among them.

use std::cell::RefCell;

use rhai::{Dynamic, EvalAltResult, FnPtr, Map, Module};
use serde_json::{Value, json};
use tch::Tensor;

use crate::cluster::Executor;
use crate::error::{Error, Result};
use crate::losses::{LossSpec, Script};
use crate::models::StageMaps;
use crate::options::Options;
use crate::primitives::training::rules::Rules;
use crate::primitives::values::loss::LossValue;
use crate::primitives::values::tensor::TensorValue;
use crate::script::call::{Call, Parameter};
use crate::script::errors::Fallible;
use crate::script::{fingerprint, options, show};
use crate::training::distillation_loss::Features;
use crate::training::options::ScheduleKind;
use crate::training::schedule::ScheduleFunction;
use crate::training::{Callbacks, Job, Trained, run_all, run_together, run_with};

/// The options map of a training: options, and closures that the training calls.
#[derive(Default)]
pub struct Training<T> {
    pub options: T,
    /// The option `targets`, which needs the data to be read: see `given`.
    pub targets: Option<Dynamic>,
    pub closures: Closures,
}

impl<T: Options + 'static> Parameter for Training<T> {
    type Value = Map;
    const OPTIONAL: bool = true;

    fn read(value: Dynamic, call: &Call) -> Result<Self> {
        let mut map: Map = value.cast();
        // `model: "resnet18"` and `loss: "bce"` are short for the whole map.
        for (key, inner) in [("model", "backbone"), ("loss", "name"), ("distillation", "name")] {
            if let Some(value) = map.get_mut(key).filter(|value| value.is_string()) {
                *value = Map::from_iter([(inner.into(), value.clone())]).into();
            }
        }
        let closures = Closures::take(&mut map, call)?;
        let targets = map.remove("targets").filter(|targets| !targets.is_unit());
        Ok(Training { options: T::read(map.into(), call)?, targets, closures })
    }

    fn absent(_: &Call) -> Option<Self> {
        Some(Training::default())
    }
}

/// Closures of the script that a training calls.
#[derive(Default)]
pub struct Closures {
    on_epoch: Option<FnPtr>,
    loss: Option<FnPtr>,
    distillation: Option<FnPtr>,
    /// A distillation loss of three parameters.
    features: Option<FnPtr>,
    schedule: Option<FnPtr>,
    /// The rules of the ensembles that teach.
    pub rules: Rules,
}

impl Closures {
    /// Takes `on_epoch`, and `loss`, `distillation` and `schedule` where they are closures, out of the options. The
    /// fingerprint of its code takes the place of a loss or schedule, so that it counts in the run's id.
    fn take(map: &mut Map, call: &Call) -> Result<Closures> {
        let on_epoch = match map.remove("on_epoch") {
            None => None,
            Some(value) if value.is_unit() => None,
            Some(value) => Some(value.clone().try_cast::<FnPtr>().ok_or_else(|| {
                Error::option(
                    "on_epoch",
                    call.name,
                    "a closure of one argument, as |line| print(line)",
                    show::a_type(&value),
                )
            })?),
        };
        let mut take = |key: &str, option: fn(Script) -> Dynamic| {
            let closure = map.get(key)?.clone().try_cast::<FnPtr>()?;
            let script = Script { code: fingerprint::of_closure(&closure, call.native, call.host) };
            map.insert(key.into(), option(script));
            Some(closure)
        };
        let loss = |script| Dynamic::from(LossValue { spec: LossSpec::Script(script) });
        let schedule = |script| options::from_json(&json!(ScheduleKind::Script(script)));
        let (of_labels, between, schedule) =
            (take("loss", loss), take("distillation", loss), take("schedule", schedule));
        let (features, distillation) = match between {
            Some(closure) if parameters(&closure, call) == Some(3) => (Some(closure), None),
            closure => (None, closure),
        };
        Ok(Closures { on_epoch, loss: of_labels, distillation, features, schedule, rules: Rules::default() })
    }

    /// Whether the distillation loss sees features.
    pub fn sees_features(&self) -> bool {
        self.features.is_some()
    }

    /// Trains the students of a group together. Inside plan(...), notes them instead.
    pub fn train_together(&self, call: &Call, jobs: Vec<Job>) -> Fallible<Vec<Trained>> {
        let store = call.store();
        if let Some(mut plan) = call.host.plan() {
            return Ok(jobs.iter().map(|job| plan.add(&store, job)).collect::<Result<_>>()?);
        }
        self.during(call, |callbacks| run_together(&store, jobs, callbacks))
    }

    /// Trains one model. Inside plan(...), notes it instead.
    pub fn train(&self, call: &Call, job: &Job) -> Fallible<Trained> {
        if let Some(mut plan) = call.host.plan() {
            return Ok(plan.add(&call.store(), job)?);
        }
        let job = placed(job.clone(), call);
        self.during(call, |callbacks| run_with(&call.store(), &job, callbacks))
    }

    /// Trains several models side by side. Inside plan(...), notes them instead.
    pub fn train_all(&self, call: &Call, jobs: Vec<Job>) -> Fallible<Vec<Trained>> {
        let store = call.store();
        if let Some(mut plan) = call.host.plan() {
            return Ok(jobs.iter().map(|job| plan.add(&store, job)).collect::<Result<_>>()?);
        }
        let jobs = jobs.into_iter().map(|job| placed(job, call)).collect();
        self.during(call, |callbacks| run_all(&store, jobs, callbacks))
    }

    /// Runs a training that calls the closures. Other threads of the session run meanwhile. An error of a closure is
    /// thrown on with its place in the script. `train` must touch no value of a script.
    fn during<R>(&self, call: &Call, train: impl FnOnce(Callbacks) -> Result<R>) -> Fallible<R> {
        let lock = &call.host.background.lock;
        let thrown: RefCell<Option<Box<EvalAltResult>>> = RefCell::new(None);
        let stop = |failure: Box<EvalAltResult>| {
            *thrown.borrow_mut() = Some(failure);
            Error::interrupted()
        };
        let loss_of = |option: &str, closure: &FnPtr, a: &Tensor, b: &Tensor| -> Result<Tensor> {
            lock.held(|| {
                let arguments = (TensorValue::from(a.shallow_clone()), TensorValue::from(b.shallow_clone()));
                one_number(option, call.closure(closure, arguments).map_err(&stop)?)
            })
        };
        let loss = self.loss.as_ref().map(|f| |a: &Tensor, b: &Tensor| loss_of("loss", f, a, b));
        let distillation =
            self.distillation.as_ref().map(|f| |a: &Tensor, b: &Tensor| loss_of("distillation", f, a, b));
        let features = self.features.as_ref().map(|f| {
            |student: &Tensor, teacher: &Tensor, seen: &Features| -> Result<Tensor> {
                lock.held(|| {
                    let (student, teacher) = (student.shallow_clone(), teacher.shallow_clone());
                    let arguments = (TensorValue::from(student), TensorValue::from(teacher), features_map(seen));
                    one_number("distillation", call.closure(f, arguments).map_err(&stop)?)
                })
            }
        });
        let rule = |script: &Script, outputs: &Tensor| lock.held(|| self.rules.call(call, script, outputs, &stop));
        let factor = |now: &Value| -> Result<f64> {
            let Some(closure) = &self.schedule else { return Ok(1.0) };
            lock.held(|| {
                let value = call.closure(closure, (options::from_json(now),)).map_err(&stop)?;
                let number = value.as_float().ok().or_else(|| value.as_int().ok().map(|i| i as f64));
                number.ok_or_else(|| {
                    Error::argument(format!(
                        "option \"schedule\": the closure must give a factor on lr, a number; it gave {}",
                        show::a_type(&value)
                    ))
                    .about_option("schedule")
                })
            })
        };
        let schedule: Option<ScheduleFunction> = self.schedule.as_ref().map(|_| &factor as _);
        let mut on_epoch = self.on_epoch.as_ref().map(|f| {
            |line: &Value| lock.held(|| call.closure(f, (options::from_json(line),)).map(|_| ()).map_err(&stop))
        });
        let trained = lock.released(|| {
            train(Callbacks {
                epoch: on_epoch.as_mut().map(|f| f as _),
                loss: loss.as_ref().map(|f| f as _),
                distillation: distillation.as_ref().map(|f| f as _),
                features: features.as_ref().map(|f| f as _),
                rule: if self.rules.is_empty() { None } else { Some(&rule) },
                seat: None,
                schedule,
            })
        });
        let thrown = thrown.take();
        match thrown {
            Some(failure) => Err(failure),
            None => Ok(trained?),
        }
    }
}

/// The result of a loss.
fn one_number(option: &str, value: Dynamic) -> Result<Tensor> {
    match value.clone().try_cast::<TensorValue>() {
        Some(tensor) => Ok(tensor.0.shallow_clone()),
        None => Err(Error::argument(format!(
            "option \"{option}\": the closure must give a Tensor of one number; it gave {}",
            show::a_type(&value)
        ))
        .about_option(option)),
    }
}

/// `#{student: #{stage1, ...}, teachers: [#{stage1, ...}]}`, and `teacher` where there is one.
fn features_map(seen: &Features) -> Map {
    let maps = |maps: &StageMaps| -> Dynamic {
        let stage = |(stage, maps): &(usize, Tensor)| {
            (format!("stage{stage}").into(), Dynamic::from(TensorValue::from(maps.shallow_clone())))
        };
        Dynamic::from(maps.iter().map(stage).collect::<Map>())
    };
    let teachers: Vec<Dynamic> = seen.teachers.iter().map(maps).collect();
    let mut features = Map::from_iter([("student".into(), maps(seen.student))]);
    if let [teacher] = &teachers[..] {
        features.insert("teacher".into(), teacher.clone());
    }
    features.insert("teachers".into(), teachers.into());
    features
}

/// The number of parameters with which a closure is called; those that hold captured values do not count. None for a function that is no
/// script's.
fn parameters(closure: &FnPtr, call: &Call) -> Option<usize> {
    let in_module = |module: &Module| {
        let mut functions = module.iter_script_fn_info();
        functions.find(|(_, _, name, ..)| *name == closure.fn_name()).map(|(_, _, _, parameters, _)| parameters)
    };
    let imports = call.host.imports.borrow();
    let parameters = call
        .native
        .iter_namespaces()
        .find_map(in_module)
        .or_else(|| call.native.iter_imports().find_map(|(_, module)| in_module(module)))
        .or_else(|| imports.iter().find_map(|(_, module)| in_module(module)))?;
    Some(parameters.saturating_sub(closure.curry().len()))
}

/// The job, in the queue of a sweep around it unless it names a place itself.
fn placed(mut job: Job, call: &Call) -> Job {
    if job.options.executor == Executor::Here
        && let Some(cluster) = call.host.queue()
    {
        job.options.executor = Executor::Cluster(Box::new(cluster));
    }
    job
}
