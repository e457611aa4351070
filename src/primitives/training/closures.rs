//! The options of a training with the closures among them.

use std::cell::{Cell, RefCell};

use rhai::{Dynamic, EvalAltResult, FnPtr, Map};
use serde_json::{Value, json};
use tch::Tensor;

use super::hooks::{self, Later};

use crate::cluster::Executor;
use crate::error::{Error, Result};
use crate::losses::{LossSpec, Script};
use crate::models::StageMaps;
use crate::options::{OptionDocs, Options};
use crate::primitives::models::part;
use crate::primitives::training::noted;
use crate::primitives::training::rules::Rules;
use crate::primitives::values::layers::LayersValue;
use crate::primitives::values::loss::LossValue;
use crate::primitives::values::random::RandomValue;
use crate::primitives::values::tensor::TensorValue;
use crate::random::Generator;
use crate::script::call::{Call, Parameter};
use crate::script::errors::Fallible;
use crate::script::{fingerprint, options, show};
use crate::training::distillation_loss::Features;
use crate::training::hooks::{BatchLine, Hook};
use crate::training::options::ScheduleKind;
use crate::training::{Callbacks, Job, TrainOptions, Trained, run_all, run_together, run_with, side_by_side};

/// The options map of a training: options, and closures that the training calls.
#[derive(Default)]
pub struct Training<T> {
    pub options: T,
    /// The option `targets`, which needs the data to be read: see `given`.
    pub targets: Option<Dynamic>,
    pub closures: Closures,
    later: Later,
}

impl<T: Options + AsMut<TrainOptions>> Training<T> {
    /// The same with the options that needed all others. An error of a closure that becomes data here is thrown on with its place.
    pub fn ready(mut self, call: &Call) -> Fallible<Self> {
        std::mem::take(&mut self.later).settle(self.options.as_mut(), call)?;
        Ok(self)
    }
}

/// Options for whose map a name is short: `model: "resnet18"`, `loss: "bce"`; and the name's key in it.
const NAMED: &[(&str, &str)] = &[("model", "backbone"), ("loss", "name"), ("distillation", "name")];

/// The options of a word that reads them as [`Training`].
pub const fn docs<T: Options>() -> OptionDocs {
    OptionDocs { refused: refused::<T>, ..OptionDocs::of::<T>() }
}

/// As `OptionDocs::refused`, for what is short for something else.
fn refused<T: Options>(word: &str, key: &str, value: &Value) -> Option<Error> {
    match (key, value) {
        // They are no data.
        ("targets" | "start", _) => None,
        ("tags", Value::String(_)) => options::refused::<T>(word, key, &json!([value])),
        (_, Value::String(_)) => match NAMED.iter().find(|(named, _)| *named == key) {
            Some((_, inner)) => options::refused::<T>(word, key, &json!({ *inner: value })),
            None => options::refused::<T>(word, key, value),
        },
        _ => options::refused::<T>(word, key, value),
    }
}

impl<T: Options + 'static> Parameter for Training<T> {
    type Value = Map;
    const OPTIONAL: bool = true;

    fn read(value: Dynamic, call: &Call) -> Result<Self> {
        let mut map: Map = value.cast();
        for (key, inner) in NAMED.iter().copied() {
            if let Some(value) = map.get_mut(key).filter(|value| value.is_string()) {
                *value = Map::from_iter([(inner.into(), value.clone())]).into();
            }
        }
        if let Some(value) = map.get_mut("model") {
            // The script keeps its own map.
            *value = value.flatten_clone();
            if let Some(mut model) = value.write_lock::<Map>() {
                part::take(&mut model, call)?;
            }
        }
        let later = Later::take(&mut map, call)?;
        // One tag is short for an array of one.
        if let Some(tag) = map.get_mut("tags").filter(|tags| tags.is_string()) {
            *tag = vec![tag.clone()].into();
        }
        let closures = Closures::take(&mut map, call)?;
        let targets = map.remove("targets").filter(|targets| !targets.is_unit());
        Ok(Training { options: T::read(map.into(), call)?, targets, closures, later })
    }

    fn absent(_: &Call) -> Option<Self> {
        Some(Training::default())
    }
}

/// Closures of the script that a training calls.
#[derive(Default)]
pub struct Closures {
    on_epoch: Option<FnPtr>,
    on_batch: Option<FnPtr>,
    loss: Option<FnPtr>,
    distillation: Option<FnPtr>,
    /// A distillation loss of three parameters, or of four with layers.
    features: Option<FnPtr>,
    /// Whether it has layers.
    has_layers: bool,
    schedule: Option<FnPtr>,
    augment: Option<FnPtr>,
    sampler: Option<FnPtr>,
    /// The rules of the ensembles that teach.
    pub rules: Rules,
}

impl Closures {
    /// Takes the closures out of the options. The fingerprint of its code takes the place of one that decides the result, so that it counts
    /// in the run's id.
    fn take(map: &mut Map, call: &Call) -> Result<Closures> {
        let loss_of = |key: &'static str, numbers: &'static [usize], closure: &FnPtr| {
            let example = "|logits, targets| (logits - targets).pow(2).mean()";
            part::expect_parameters(closure, call, key, numbers, example)?;
            let script = hooks::script(closure, call);
            Ok(Dynamic::from(LossValue { spec: LossSpec::Script(script) }))
        };
        let distillation = hooks::take(map, "distillation", |closure| loss_of("distillation", &[2, 3, 4], closure))?;
        let parameters = |closure: &FnPtr| fingerprint::parameters(closure, call.native, call.host);
        let (features, has_layers, distillation) = match distillation {
            Some(closure) if parameters(&closure)[..] == [3] => (Some(closure), false, None),
            Some(closure) if parameters(&closure)[..] == [4] => (Some(closure), true, None),
            closure => (None, false, closure),
        };
        Ok(Closures {
            on_epoch: hooks::take_hook(map, "on_epoch", Hook::None, call)?,
            on_batch: hooks::take_hook(map, "on_batch", Hook::Watches, call)?,
            loss: hooks::take(map, "loss", |closure| loss_of("loss", &[2], closure))?,
            distillation,
            features,
            has_layers,
            schedule: hooks::take(map, "schedule", |closure| hooks::schedule(closure, call))?,
            augment: hooks::take(map, "augment", |closure| hooks::augment(closure, call))?,
            sampler: hooks::take(map, "sampler", |closure| hooks::sampler(closure, call))?,
            rules: Rules::default(),
        })
    }

    /// Whether the distillation loss sees features.
    pub fn sees_features(&self) -> bool {
        self.features.is_some()
    }

    /// Trains the students of a group together. Inside plan(...), notes them instead.
    pub fn train_together(&self, call: &Call, jobs: Vec<Job>) -> Fallible<Vec<Trained>> {
        part::check_outside(call)?;
        let (store, asking) = (call.store(), call.host.asking());
        let jobs: Vec<Job> = jobs.into_iter().map(|job| noted::on_behalf(job, &asking)).collect();
        if let Some(mut plan) = call.host.plan() {
            return Ok(jobs.iter().map(|job| plan.add(&store, job)).collect::<Result<_>>()?);
        }
        // Options that students differ in have no closure.
        let options = jobs.first().map(|job| job.options.clone()).unwrap_or_default();
        let trained = self.during(call, &options, |callbacks| run_together(&store, jobs.clone(), callbacks))?;
        noted::note(call, jobs.iter().zip(&trained));
        Ok(trained)
    }

    /// Trains one model. Inside plan(...), notes it instead.
    pub fn train(&self, call: &Call, job: &Job) -> Fallible<Trained> {
        part::check_outside(call)?;
        let job = noted::on_behalf(job.clone(), &call.host.asking());
        if let Some(mut plan) = call.host.plan() {
            return Ok(plan.add(&call.store(), &job)?);
        }
        let job = placed(job, call);
        let trained = self.during(call, &job.options, |callbacks| run_with(&call.store(), &job, callbacks))?;
        noted::note(call, [(&job, &trained)]);
        Ok(trained)
    }

    /// Trains several models side by side. Inside plan(...), notes them instead.
    pub fn train_all(&self, call: &Call, jobs: Vec<Job>) -> Fallible<Vec<Trained>> {
        part::check_outside(call)?;
        side_by_side::check_workers(&jobs)?;
        let (store, asking) = (call.store(), call.host.asking());
        let jobs = jobs.into_iter().map(|job| noted::on_behalf(job, &asking));
        if let Some(mut plan) = call.host.plan() {
            return Ok(jobs.map(|job| plan.add(&store, &job)).collect::<Result<_>>()?);
        }
        let jobs: Vec<Job> = jobs.map(|job| placed(job, call)).collect();
        // All of one call have the same options.
        let options = jobs.first().map(|job| job.options.clone()).unwrap_or_default();
        let trained = self.during(call, &options, |callbacks| run_all(&store, jobs.clone(), callbacks))?;
        noted::note(call, jobs.iter().zip(&trained));
        Ok(trained)
    }

    /// Runs a training that calls the closures. Other threads of the session run meanwhile. An error of a closure is
    /// thrown on with its place in the script. `train` must touch no value of a script.
    fn during<R>(&self, call: &Call, of: &TrainOptions, train: impl FnOnce(Callbacks) -> Result<R>) -> Fallible<R> {
        let lock = &call.host.background.lock;
        let thrown: RefCell<Option<Box<EvalAltResult>>> = RefCell::new(None);
        let stop = &|failure: Box<EvalAltResult>| {
            *thrown.borrow_mut() = Some(failure);
            Error::interrupted()
        };
        let loss_of = |option: &str, closure: &FnPtr, a: &Tensor, b: &Tensor| -> Result<Tensor> {
            lock.held(|| {
                let arguments = (TensorValue::from(a.shallow_clone()), TensorValue::from(b.shallow_clone()));
                one_number(option, call.closure(closure, arguments).map_err(stop)?)
            })
        };
        let loss = self.loss.as_ref().map(|f| |a: &Tensor, b: &Tensor| loss_of("loss", f, a, b));
        let distillation =
            self.distillation.as_ref().map(|f| |a: &Tensor, b: &Tensor| loss_of("distillation", f, a, b));
        let features = self.features.as_ref().map(|f| {
            |student: &Tensor, teacher: &Tensor, seen: &Features| -> Result<Tensor> {
                lock.held(|| {
                    let (student, teacher) = (student.shallow_clone(), teacher.shallow_clone());
                    let (student, teacher) = (TensorValue::from(student), TensorValue::from(teacher));
                    let value = match seen.layers {
                        None => call.closure(f, (student, teacher, features_map(seen))),
                        Some(layers) => part::inside("distillation", || {
                            let layers = LayersValue(layers.clone());
                            call.closure(f, (student, teacher, features_map(seen), layers))
                        }),
                    };
                    one_number("distillation", value.map_err(stop)?)
                })
            }
        });
        let rule = |script: &Script, outputs: &Tensor| lock.held(|| self.rules.call(call, script, outputs, stop));
        let schedule = self.schedule.as_ref().map(|f| {
            let gives_rate = matches!(of.schedule, ScheduleKind::Rate(_));
            move |now: &Value| lock.held(|| hooks::schedule_number(f, call, gives_rate, now).map_err(stop))
        });
        let augment = self.augment.as_ref().map(|f| {
            move |picture: Tensor, generator: Generator| {
                lock.held(|| {
                    let random = RandomValue::keyed("of a view".into(), generator);
                    let value = call.closure(f, (TensorValue::from(picture), random)).map_err(stop)?;
                    match value.clone().try_cast::<TensorValue>() {
                        Some(view) => Ok(view.0.shallow_clone()),
                        None => Err(Error::argument(format!(
                            "option \"augment\": the closure must give a picture, a Tensor [3, height, width] of uint8; it gave {}",
                            show::a_type(&value)
                        ))
                        .about_option("augment")),
                    }
                })
            }
        });
        let sampler = self
            .sampler
            .as_ref()
            .map(|f| move |epoch: u64| lock.held(|| hooks::positions(f, call, epoch).map_err(stop)));
        let stopping = Cell::new(false);
        let answered = |key: &str, hook: &Hook, value: Dynamic| -> Result<()> {
            if hooks::asks_to_stop(key, &value, hook.may_stop())? {
                stopping.set(true);
            }
            Ok(())
        };
        let on_batch = self.on_batch.as_ref().map(|f| {
            let answered = &answered;
            move |line: BatchLine| {
                lock.held(|| {
                    let value = call.closure(f, (hooks::batch_line(line),)).map_err(stop)?;
                    answered("on_batch", &of.on_batch, value)
                })
            }
        });
        let mut on_epoch = self.on_epoch.as_ref().map(|f| {
            let answered = &answered;
            move |line: &Value| {
                lock.held(|| {
                    let value = call.closure(f, (options::from_json(line),)).map_err(stop)?;
                    answered("on_epoch", &of.on_epoch, value)
                })
            }
        });
        let trained = lock.released(|| {
            train(Callbacks {
                epoch: on_epoch.as_mut().map(|f| f as _),
                loss: loss.as_ref().map(|f| f as _),
                distillation: distillation.as_ref().map(|f| f as _),
                features: features.as_ref().map(|f| f as _),
                has_layers: self.has_layers,
                rule: if self.rules.is_empty() { None } else { Some(&rule) },
                seat: None,
                schedule: schedule.as_ref().map(|f| f as _),
                augment: augment.as_ref().map(|f| f as _),
                sampler: sampler.as_ref().map(|f| f as _),
                batch: on_batch.as_ref().map(|f| f as _),
                stop: Some(&stopping),
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

/// The job, in the queue of a sweep around it unless it names a place itself.
fn placed(mut job: Job, call: &Call) -> Job {
    if job.options.executor == Executor::Unset
        && let Some(cluster) = call.host.queue()
    {
        job.options.executor = Executor::Cluster(Box::new(cluster));
    }
    job
}
