//! What an ensemble says to one batch of a student: merged logits, and on request its teachers' feature maps.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use serde_json::json;
use tch::Tensor;

use super::ensemble::Ensemble;
use super::merge_rule::{Merger, RuleFunction};
use super::options::TeacherMode;
use super::teacher_outputs::{run_of, teacher_outputs};
use super::trained_model::Trained;
use super::views::Views;
use crate::error::{About, Error, Result};
use crate::images::Dataset;
use crate::models::{Model, Pass, StageMaps};
use crate::runs::RunStore;

/// The merged logits of an ensemble in a student's label order.
pub enum TeacherTargets {
    /// Given for every image, the same for all of its views: `[images, m]`.
    Given(Tensor),
    /// Kept for a fixed set of views: `[rows, m]`.
    Kept(Held),
    /// Computed at every step, when every epoch makes new views, the teachers are in training mode, or their features are read. Copies, on
    /// the student's device.
    Live { teachers: Vec<Trained>, merger: Merger, mode: TeacherMode },
}

/// Merged outputs in memory. Students that train side by side on the same teachers hold one copy, which nobody changes.
pub struct Held {
    all: Tensor,
    /// What the others find.
    _shared: Arc<Mutex<Tensor>>,
}

/// Those that some training holds, by all that decides them.
static HELD: Mutex<Vec<(String, Weak<Mutex<Tensor>>)>> = Mutex::new(vec![]);

impl Held {
    fn find(key: &str) -> Option<Held> {
        let held = HELD.lock();
        held.iter().find(|(other, _)| other == key).and_then(|(_, shared)| Held::of(shared))
    }

    fn of(shared: &Weak<Mutex<Tensor>>) -> Option<Held> {
        let shared = shared.upgrade()?;
        let all = shared.lock().shallow_clone();
        Some(Held { all, _shared: shared })
    }

    /// Those that another training has held since, if there are any; else `all`, which others find by `key`.
    fn new(key: Option<String>, all: Tensor) -> Held {
        let mut held = HELD.lock();
        held.retain(|(_, shared)| shared.strong_count() > 0);
        let found = held.iter().find(|(other, _)| Some(other) == key.as_ref());
        if let Some(found) = found.and_then(|(_, shared)| Held::of(shared)) {
            return found;
        }
        let shared = Arc::new(Mutex::new(all.shallow_clone()));
        if let Some(key) = key {
            held.push((key, Arc::downgrade(&shared)));
        }
        Held { all, _shared: shared }
    }
}

/// How a student asks its teachers.
#[derive(Clone, Copy)]
pub struct Asking {
    pub mode: TeacherMode,
    /// Whether feature maps are read too, which are not kept.
    pub features: bool,
}

impl TeacherTargets {
    /// `rule` is the closure of the ensemble's rule, if that is one.
    ///
    /// Errors: a student that does not see pictures, or others than its teachers, where they are asked at every step; those of
    /// [`teacher_outputs`] and of the rule.
    #[allow(clippy::too_many_arguments)] // who teaches, what, and how
    pub fn new(
        store: &RunStore,
        ensemble: &Ensemble,
        labels: &[String],
        dataset: &Dataset,
        views: &Views,
        student: &Model,
        asking: Asking,
        rule: Option<RuleFunction>,
    ) -> Result<TeacherTargets> {
        if let Some(given) = &ensemble.given {
            let all = given.of(dataset.labels.images(), labels)?;
            return Ok(TeacherTargets::Given(all.f_to_device(student.device)?));
        }
        let merger = Merger::new(ensemble, labels, student.device)?;
        let Asking { mode, features } = asking;
        if views.count == 0 || mode == TeacherMode::Train || features {
            if views.count > 0 && student.spec.freeze > 0 {
                let (what, about) = match features {
                    true => (
                        "a distillation loss that sees features",
                        About::Option { key: "distillation".into(), value: None },
                    ),
                    false => (
                        "teacher_mode \"train\"",
                        About::Option { key: "teacher_mode".into(), value: Some("train".into()) },
                    ),
                };
                return Err(Error::argument(format!(
                    "{what} needs pictures at every step, which a student with kept frozen features does not read"
                ))
                .about(about)
                .with_help("views: 0 makes new views each epoch; or leave out freeze"));
            }
            let mut teachers = Vec::new();
            for teacher in &ensemble.teachers {
                let size = teacher.model().image_size();
                if size != student.image_size() || teacher.model().spec.normalise != student.spec.normalise {
                    let when = if features { "where features are read" } else { "with new views each epoch" };
                    let error = Error::argument(format!(
                        "{when} teachers see the student's pictures: image_size and normalise must be equal; got {size} and {} pixels",
                        student.image_size()
                    ));
                    return Err(match features {
                        true => error.with_help("give the student the teachers' image_size and normalise"),
                        false => error.with_help("a fixed set of views (views: 3) lets each see its own size"),
                    });
                }
                // A copy: its statistics may change, and a prediction elsewhere may move the teacher's own model.
                let twin = teacher.model().twin_on(student.device)?;
                teachers.push(Trained::new(twin, teacher.id.clone(), None, teacher.vocabulary.clone()));
            }
            return Ok(TeacherTargets::Live { teachers, merger, mode });
        }
        // A closure of a script has no name here.
        let key = rule.is_none().then(|| {
            let runs: Vec<String> = ensemble.teachers.iter().map(|t| run_of(t, dataset, views)).collect();
            json!([store.root().to_string_lossy(), runs, ensemble.spec(), labels, format!("{:?}", student.device)])
                .to_string()
        });
        if let Some(held) = key.as_deref().and_then(Held::find) {
            return Ok(TeacherTargets::Kept(held));
        }
        let mut parts = Vec::new();
        for teacher in &ensemble.teachers {
            let rows = teacher_outputs(store, teacher, dataset, views, student.device)?;
            let all: Vec<i64> = (0..rows.rows).collect();
            parts.push(rows.take(&all)?.f_to_device(student.device)?);
        }
        let all = Tensor::f_cat(&parts, 1)?;
        drop(parts);
        Ok(TeacherTargets::Kept(Held::new(key, merger.merged(&all, rule)?)))
    }

    /// The merged logits `[n, m]` for one batch of pictures or rows, without a gradient; `pass` is the student's. `rows` `[n]` are the
    /// positions of the rows, on the student's device. `maps` receives each teacher's feature maps, where teachers are asked.
    pub fn of(
        &self,
        rows: &Tensor,
        x: &Tensor,
        pass: Pass,
        rule: Option<RuleFunction>,
        mut maps: Option<&mut Vec<StageMaps>>,
    ) -> Result<Tensor> {
        match self {
            // Row `view * images + image`.
            TeacherTargets::Given(all) => {
                let images = all.size().first().copied().unwrap_or(1).max(1);
                Ok(all.f_index_select(0, &rows.f_remainder(images)?)?)
            }
            TeacherTargets::Kept(held) => Ok(held.all.f_index_select(0, rows)?),
            TeacherTargets::Live { teachers, merger, mode } => tch::no_grad(|| {
                let pass = if *mode == TeacherMode::Train { pass } else { Pass::EVAL.within(pass.precision) };
                let one = |teacher: &Trained| match &mut maps {
                    None => teacher.model().forward(x, pass),
                    Some(maps) => {
                        let mut seen = StageMaps::new();
                        let answer = teacher.model().answer_to_images(x, pass, None, Some(&mut seen))?;
                        maps.push(seen);
                        Ok(answer.logits)
                    }
                };
                let parts = teachers.iter().map(one).collect::<Result<Vec<_>>>()?;
                merger.merged(&Tensor::f_cat(&parts, 1)?, rule)
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn trainings_at_one_time_hold_one_copy() {
        let ones = || Tensor::ones([3, 2], (Kind::Float, Device::Cpu));
        let key = || Some("these outputs".to_string());
        assert!(Held::find("these outputs").is_none());
        let first = Held::new(key(), ones());
        let second = Held::find("these outputs").unwrap();
        // Both have computed it at one time.
        let third = Held::new(key(), ones());
        let others = [Held::new(Some("others".into()), ones()), Held::new(None, ones())];
        let address = first.all.data_ptr();
        assert!([&second, &third].iter().all(|held| held.all.data_ptr() == address));
        assert!(others.iter().all(|held| held.all.data_ptr() != address));
        drop((first, second));
        assert_eq!(Held::find("these outputs").unwrap().all, ones());
        drop(third);
        assert!(Held::find("these outputs").is_none());
    }
}
