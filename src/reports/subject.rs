//! The subjects of a page: runs, models, ensembles and evaluations, each with a name.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::settings;
use crate::error::{Error, Result};
use crate::images::Dataset;
use crate::metrics::{Evaluation, MetricOptions};
use crate::runs::{Run, RunStore};
use crate::training::run::load;
use crate::training::{Predictions, Predictor, evaluate, predict, scores};

/// A value that a page can compare.
#[derive(Clone)]
pub enum Source {
    Run(Run),
    Predictor(Predictor),
    Evaluation(Box<Evaluation>),
    Predictions(Rc<Predictions>),
}

/// One source, before it has a unique name.
#[derive(Clone)]
pub struct Given {
    /// The name that the user chose.
    pub name: Option<String>,
    /// Whether the name is shared by an array of sources, such as the seeds of a method.
    pub grouped: bool,
    pub source: Source,
}

/// One entry of the comparison.
#[derive(Clone)]
pub struct Subject {
    pub name: String,
    /// The group that it belongs to, such as the seeds of a method.
    pub group: Option<String>,
    /// Its trainings: one, several for an ensemble, none if only numbers were given.
    pub runs: Vec<Run>,
    pub predictor: Option<Predictor>,
    predictions: Option<Rc<Predictions>>,
    /// Its evaluations by split; the split is "" for an evaluation that was given.
    pub evaluations: Vec<(String, Evaluation)>,
}

impl Source {
    /// Its name if the user gave none.
    fn own_name(&self) -> Result<String> {
        let of_run = |run: &Run| Ok(run.names()?.0);
        match self {
            Source::Run(run) => of_run(run),
            Source::Predictor(Predictor::Model(model)) => {
                model.run.as_ref().map_or_else(|| Ok(model.id.clone()), of_run)
            }
            Source::Predictor(Predictor::Ensemble(ensemble)) => Ok(format!("ensemble of {}", ensemble.teachers.len())),
            Source::Evaluation(_) => Ok("evaluation".into()),
            Source::Predictions(_) => Ok("predictions".into()),
        }
    }
}

/// The subjects of all sources, with unique names.
///
/// Errors: no source, a run that is not a training, a missing file of a run.
pub fn subjects(given: Vec<Given>) -> Result<Vec<Subject>> {
    if given.is_empty() {
        return Err(Error::argument("report needs at least one run, model or evaluation; got none"));
    }
    let mut subjects = Vec::with_capacity(given.len());
    for Given { name, grouped, source } in given {
        let own = name.is_none() || grouped;
        let group = name.clone().filter(|_| grouped);
        let name = name.map_or_else(|| source.own_name(), Ok)?;
        let mut subject =
            Subject { name, group, runs: vec![], predictor: None, predictions: None, evaluations: vec![] };
        match source {
            Source::Run(run) => {
                if !is_training(&run)? {
                    return Err(Error::argument(format!("report: run {} is not a training", run.id)));
                }
                subject.runs.push(run);
            }
            Source::Predictor(predictor) => {
                subject.runs = match &predictor {
                    Predictor::Model(model) => model.run.iter().cloned().collect(),
                    Predictor::Ensemble(ensemble) => ensemble.teachers.iter().filter_map(|t| t.run.clone()).collect(),
                };
                subject.predictor = Some(predictor);
            }
            Source::Evaluation(evaluation) => subject.evaluations.push((String::new(), *evaluation)),
            Source::Predictions(predictions) => subject.predictions = Some(predictions),
        }
        subjects.push((own, subject));
    }
    tell_apart(&mut subjects)?;
    Ok(subjects.into_iter().map(|(_, subject)| subject).collect())
}

/// Whether a run of the store is a training, as opposed to stored features or outputs.
pub fn is_training(run: &Run) -> Result<bool> {
    Ok(run.spec()?.get("options").is_some())
}

/// Makes names unique. Equal names of the store or of a group get the settings that differ, as in `baseline, seed 1`;
/// names that are still equal get a number.
fn tell_apart(subjects: &mut [(bool, Subject)]) -> Result<()> {
    for name in repeated(subjects) {
        let these: Vec<usize> = (0..subjects.len()).filter(|&i| subjects[i].0 && subjects[i].1.name == name).collect();
        let settings = these.iter().map(|&i| settings::of(&subjects[i].1.runs)).collect::<Result<Vec<_>>>()?;
        for (&i, differing) in these.iter().zip(settings::short_differences(&settings)) {
            if !differing.is_empty() {
                subjects[i].1.name = format!("{name}, {differing}");
            }
        }
    }
    // Tables of the page also have these columns.
    let mut taken: BTreeSet<String> = ["run", "label", "positives", "setting"].map(String::from).into();
    for (_, subject) in subjects {
        let name = subject.name.clone();
        let free =
            std::iter::once(name.clone()).chain((2..).map(|n| format!("{name} ({n})"))).find(|n| !taken.contains(n));
        subject.name = free.unwrap_or(name);
        taken.insert(subject.name.clone());
    }
    Ok(())
}

fn repeated(subjects: &[(bool, Subject)]) -> BTreeSet<String> {
    let (mut seen, mut repeated) = (BTreeSet::new(), BTreeSet::new());
    for (_, subject) in subjects {
        if !seen.insert(&subject.name) {
            repeated.insert(subject.name.clone());
        }
    }
    repeated
}

impl Subject {
    /// Loads the model of a subject that was given as a run.
    ///
    /// Errors: a model file that cannot be read.
    pub fn load(&mut self) -> Result<()> {
        if let (None, [run]) = (&self.predictor, &self.runs[..]) {
            self.predictor = Some(Predictor::Model(load(run.clone())?));
        }
        Ok(())
    }

    /// Evaluates on a split. A subject that has only numbers is left unchanged.
    ///
    /// Errors: a picture that cannot be read, a label that the split does not have, Interrupted.
    pub fn evaluate(
        &mut self,
        store: &RunStore,
        split: &str,
        dataset: &Dataset,
        options: &MetricOptions,
    ) -> Result<()> {
        self.load()?;
        let evaluation = match (&self.predictor, &self.predictions) {
            (Some(predictor), _) => {
                let predictions = predict(store, predictor, dataset)?;
                let evaluation = evaluate(&predictions, dataset, options)?;
                scores::note(&predictions, dataset, options, &evaluation);
                evaluation
            }
            (None, Some(predictions)) => evaluate(predictions, dataset, options)?,
            (None, None) => return Ok(()),
        };
        self.evaluations.push((split.to_string(), evaluation));
        Ok(())
    }

    pub fn evaluation(&self, split: &str) -> Option<&Evaluation> {
        self.evaluations.iter().find(|(name, _)| name == split).map(|(_, evaluation)| evaluation)
    }
}
