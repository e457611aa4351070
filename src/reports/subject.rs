//! What a page compares: runs, models, ensembles and evaluations, each under a name.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::settings;
use crate::error::{Error, Result};
use crate::images::Dataset;
use crate::metrics::{Evaluation, MetricOptions};
use crate::runs::{Run, RunStore};
use crate::training::run::load;
use crate::training::{Predictions, Predictor, evaluate, predict};

/// What can be put into a page.
#[derive(Clone)]
pub enum Source {
    Run(Run),
    Predictor(Predictor),
    Evaluation(Box<Evaluation>),
    Predictions(Rc<Predictions>),
}

/// One thing that was given, before it has a name of its own.
#[derive(Clone)]
pub struct Given {
    /// As a user chose it.
    pub name: Option<String>,
    /// Whether the name is that of an array, whose values belong together.
    pub grouped: bool,
    pub source: Source,
}

/// One thing that is compared.
#[derive(Clone)]
pub struct Subject {
    pub name: String,
    /// The name of the group that it is one of several of, as the seeds of a method.
    pub group: Option<String>,
    /// The trainings behind it: one, several for an ensemble, none where only numbers were given.
    pub runs: Vec<Run>,
    pub predictor: Option<Predictor>,
    predictions: Option<Rc<Predictions>>,
    /// Its evaluations, by the split's name; "" for one that was given as it is.
    pub reports: Vec<(String, Evaluation)>,
}

impl Source {
    /// What it is called when nobody gave it a name.
    fn own_name(&self) -> Result<String> {
        let of_run = |run: &Run| Ok(run.summary()?["name"].as_str().unwrap_or(&run.id).to_string());
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

/// Names and reads what was given.
///
/// Errors: nothing was given, a run that is no training, a file of a run that is not there.
pub fn subjects(given: Vec<Given>) -> Result<Vec<Subject>> {
    if given.is_empty() {
        return Err(Error::argument("report needs at least one run, model or evaluation; got none"));
    }
    let mut subjects = Vec::with_capacity(given.len());
    for Given { name, grouped, source } in given {
        let own = name.is_none() || grouped;
        let group = name.clone().filter(|_| grouped);
        let name = name.map_or_else(|| source.own_name(), Ok)?;
        let mut subject = Subject { name, group, runs: vec![], predictor: None, predictions: None, reports: vec![] };
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
            Source::Evaluation(report) => subject.reports.push((String::new(), *report)),
            Source::Predictions(predictions) => subject.predictions = Some(predictions),
        }
        subjects.push((own, subject));
    }
    tell_apart(&mut subjects)?;
    Ok(subjects.into_iter().map(|(_, subject)| subject).collect())
}

/// Whether a run of the store is a training, and not kept features or outputs.
pub fn is_training(run: &Run) -> Result<bool> {
    Ok(run.spec()?.get("options").is_some())
}

/// Gives equal names that are the store's, or a group's, what differs between the runs, `baseline, seed 1`; what is equal still, a number.
fn tell_apart(subjects: &mut [(bool, Subject)]) -> Result<()> {
    for name in repeated(subjects) {
        let these: Vec<usize> = (0..subjects.len()).filter(|&i| subjects[i].0 && subjects[i].1.name == name).collect();
        let settings = these.iter().map(|&i| settings::of(&subjects[i].1)).collect::<Result<Vec<_>>>()?;
        for (&i, differing) in these.iter().zip(settings::short_differences(&settings)) {
            if !differing.is_empty() {
                subjects[i].1.name = format!("{name}, {differing}");
            }
        }
    }
    // Columns of the page's tables stand beside columns named by subjects.
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
    /// The model of a run that was given as a run.
    ///
    /// Errors: a model file that cannot be read.
    pub fn load(&mut self) -> Result<()> {
        if let (None, [run]) = (&self.predictor, &self.runs[..]) {
            self.predictor = Some(Predictor::Model(load(run.clone())?));
        }
        Ok(())
    }

    /// Evaluates on a split, under its name; what has only numbers is left as it is.
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
        let report = match (&self.predictor, &self.predictions) {
            (Some(predictor), _) => evaluate(&predict(store, predictor, dataset)?, dataset, options)?,
            (None, Some(predictions)) => evaluate(predictions, dataset, options)?,
            (None, None) => return Ok(()),
        };
        self.reports.push((split.to_string(), report));
        Ok(())
    }

    pub fn report(&self, split: &str) -> Option<&Evaluation> {
        self.reports.iter().find(|(name, _)| name == split).map(|(_, report)| report)
    }
}
