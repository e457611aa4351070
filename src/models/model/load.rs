//! Loads weights into a model: whole states by name, and files of other programs.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use parking_lot::Mutex;
use tch::Tensor;

use super::Model;
use crate::error::{Error, Result, counted};
use crate::models::label_order::{self, LabelOrder};
use crate::models::{heads, weights};

/// How well given tensors fitted the parameters of a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoadSummary {
    /// Parameters that were not given; they keep their values.
    pub missing: Vec<String>,
    /// Given names that the model does not have; ignored.
    pub unexpected: Vec<String>,
    /// (name, shape here, shape given): not loaded.
    pub mismatched: Vec<(String, Vec<i64>, Vec<i64>)>,
}

impl Model {
    /// Loads a file of any origin: the whole backbone, and the layers of the head that fit. Notes the others.
    pub(super) fn load_weights(&mut self, path: &Path) -> Result<()> {
        let shapes: HashMap<String, Vec<i64>> =
            self.params.list.iter().map(|p| (p.name.clone(), p.tensor.size())).collect();
        let head = heads::find(&self.spec.head)?;
        let (layouts, classifier) = (head.published.layouts, self.kind.classifier);
        let given = weights::read(path)?;
        let (tensors, first) = (given.len(), given.first().map_or("none", |(name, _)| name.as_str()).to_string());
        let weights::Fitted { tensors: mut state, layout } =
            weights::fit(given, &shapes, &self.kind.weights, layouts, classifier)?;
        let twins: Vec<(String, Tensor)> = (state.iter())
            .map(|(name, tensor)| (format!("{}{name}", heads::SECOND), tensor.shallow_clone()))
            .filter(|(name, _)| shapes.contains_key(name))
            .collect();
        let twin_names: HashSet<String> = twins.iter().map(|(name, _)| name.clone()).collect();
        state.extend(twins);
        let head: HashSet<String> = self.params.list[self.backbone_params..].iter().map(|p| p.name.clone()).collect();
        let by_name = match layout {
            Some(layout) => self.take_labels(layout.labels, &mut state, &shapes, &head)?,
            None => false,
        };
        // A layer of the head is taken whole or not at all: a bias means nothing without its weight.
        let differs: Vec<(String, Vec<i64>, Vec<i64>)> = state
            .iter()
            .filter(|(name, _)| head.contains(name))
            .filter_map(|(name, given)| {
                shapes.get(name).filter(|s| **s != given.size()).map(|s| (name.clone(), s.clone(), given.size()))
            })
            .collect();
        let layer = |name: &str| name.rsplit_once('.').map_or_else(|| name.to_string(), |(layer, _)| layer.to_string());
        let dropped: HashSet<String> = differs.iter().map(|(name, ..)| layer(name)).collect();
        state.retain(|(name, _)| !(head.contains(name) && dropped.contains(&layer(name))));
        let summary = self.load_state(&state)?;
        let taken = state.iter().any(|(name, _)| head.contains(name) && !twin_names.contains(name));
        let without: Vec<String> = summary.missing.iter().filter(|name| head.contains(*name)).cloned().collect();
        let file = path.display();
        let of_backbone = LoadSummary {
            missing: summary.missing.iter().filter(|name| !head.contains(*name)).cloned().collect(),
            unexpected: vec![],
            mismatched: summary.mismatched,
        };
        if of_backbone.missing.len() == self.backbone_params {
            let backbone = self.kind.name;
            let message = match tensors {
                0 => "the file holds no tensors".to_string(),
                1 => format!("its one tensor, \"{first}\", has no name that {backbone} knows"),
                _ => {
                    format!("none of its {tensors} tensors has a name that {backbone} knows; the first is \"{first}\"")
                }
            };
            let error = Error::in_file(path, message);
            return Err(error.with_help(match self.kind.weights.note {
                "" => format!("weights that Model.save wrote for {} fit", self.kind.name),
                note => format!("weights that fit: {note}"),
            }));
        }
        if of_backbone != LoadSummary::default() {
            return Err(Error::in_file(path, format!("does not fit {}: {of_backbone}", self.kind.name))
                .with_help("the architecture, its stages and image_size decide names and shapes"));
        }
        // The last layer of another task: said as such. Of another head, it is no part of this one.
        let last = self.kind.classifier;
        let of_last = |name: &str| layer(name) == last;
        let classes = differs.iter().find(|(name, here, there)| {
            of_last(name) && here.len() > 1 && here.len() == there.len() && here[1..] == there[1..]
        });
        if let Some((_, here, there)) = classes {
            self.notes.push(format!(
                "{file}: the last layer \"{last}\" is for {}; for {} it starts from random weights",
                counted(there[0] as usize, "class"),
                counted(here[0] as usize, "label")
            ));
        }
        // That of a whole backbone is of no use after fewer stages.
        let fewer = self.stages < (self.kind.stages)().len();
        let other_head =
            differs.iter().any(|(name, here, there)| of_last(name) && (fewer || here.len() != there.len()));
        let unsaid = |name: &str| !(of_last(name) && (classes.is_some() || other_head));
        // Tensors of unused stages, of the file's own head and of pooling that the head does without are not worth a note.
        if self.stages == (self.kind.stages)().len() {
            let classifier = format!("{}.", self.kind.classifier);
            let known =
                |name: &str| name.starts_with(&classifier) || self.kind.pool.is_some_and(|pool| name.starts_with(pool));
            let strange: Vec<String> = summary.unexpected.into_iter().filter(|name| !known(name)).collect();
            if !strange.is_empty() {
                let summary = LoadSummary { unexpected: strange, ..LoadSummary::default() };
                self.notes.push(format!(
                    "{file}: read into {}, but for tensors that it has no place for: {summary}",
                    self.kind.name
                ));
            }
        }
        let lacks = LoadSummary {
            missing: (without.into_iter().filter(|name| unsaid(name)))
                .filter(|name| !differs.iter().any(|(other, ..)| other == name))
                .collect(),
            unexpected: vec![],
            mismatched: differs.iter().filter(|(name, ..)| unsaid(name)).cloned().collect(),
        };
        // A file of the backbone alone, or with another head, says nothing about this one.
        if (taken || !lacks.mismatched.is_empty()) && lacks != LoadSummary::default() {
            self.notes
                .push(format!("{file}: tensors of head \"{}\" start from random weights: {lacks}", self.spec.head));
        }
        if let Some(layout) = layout
            && taken
        {
            let m = self.labels.len() as i64;
            let per_label = state.iter().any(|(name, tensor)| head.contains(name) && tensor.size().contains(&m));
            let labels = match (by_name, per_label) {
                (true, _) => format!("; its labels, {}, are taken by name", layout.labels.text()),
                (false, true) if m == label_order::COCO => {
                    format!("; its labels, {}, are taken as this model's, one after the other", layout.labels.text())
                }
                (false, true) => "; its labels are taken as this model's, one after the other".to_string(),
                (false, false) => String::new(),
            };
            self.notes.push(format!("{file}: read as a checkpoint of {}{labels}", layout.system));
        }
        self.notes.iter().for_each(|line| log_once(line));
        Ok(())
    }

    /// Replaces the head's tensors of a checkpoint of COCO by those for this model's labels, by name. Returns whether it did: the
    /// file's order is known, all labels are COCO's, and a tensor has one of its dimensions per label.
    fn take_labels(
        &self,
        order: LabelOrder,
        state: &mut [(String, Tensor)],
        shapes: &HashMap<String, Vec<i64>>,
        head: &HashSet<String>,
    ) -> Result<bool> {
        let Some(places) = order.places(&self.labels) else { return Ok(false) };
        let mut any = false;
        for (name, tensor) in state.iter_mut().filter(|(name, _)| head.contains(name)) {
            let Some(shape) = shapes.get(name) else { continue };
            if let Some(taken) = label_order::for_labels(tensor, shape, &places)? {
                (*tensor, any) = (taken, true);
            }
        }
        Ok(any)
    }

    /// Copies tensors into the parameters of the same names.
    pub fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<LoadSummary> {
        let mut summary = LoadSummary::default();
        let by_name: HashMap<&str, &Tensor> =
            state.iter().rev().map(|(name, tensor)| (name.as_str(), tensor)).collect();
        for param in &self.params.list {
            let Some(given) = by_name.get(param.name.as_str()) else {
                summary.missing.push(param.name.clone());
                continue;
            };
            if given.size() != param.tensor.size() {
                summary.mismatched.push((param.name.clone(), param.tensor.size(), given.size()));
                continue;
            }
            let mut tensor = param.tensor.f_detach()?;
            tch::no_grad(|| tensor.f_copy_(given))?;
        }
        let constants = self.params.constants.iter().map(|(name, _)| name.as_str());
        let own: HashSet<&str> = self.params.list.iter().map(|p| p.name.as_str()).chain(constants).collect();
        summary.unexpected = state
            .iter()
            .map(|(n, _)| n)
            .filter(|n| !own.contains(n.as_str()) && !n.ends_with("num_batches_tracked"))
            .cloned()
            .collect();
        Ok(summary)
    }
}

impl std::fmt::Display for LoadSummary {
    /// `missing 7: "a", "b", "c", "d", ...; of another shape 1: "e" is [2] instead of [3]`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let quoted = |names: &[String]| names.iter().map(|n| format!("\"{n}\"")).collect();
        let shapes = self
            .mismatched
            .iter()
            .map(|(n, here, there)| format!("\"{n}\" is {there:?} instead of {here:?}"))
            .collect();
        let all: [(&str, Vec<String>); 3] = [
            ("missing", quoted(&self.missing)),
            ("unexpected", quoted(&self.unexpected)),
            ("of another shape", shapes),
        ];
        let parts: Vec<String> = all
            .iter()
            .filter(|(_, items)| !items.is_empty())
            .map(|(what, items)| {
                let first: Vec<&str> = items.iter().take(4).map(String::as_str).collect();
                let more = if items.len() > 4 { ", ..." } else { "" };
                format!("{what} {}: {}{more}", items.len(), first.join(", "))
            })
            .collect();
        f.write_str(&parts.join("; "))
    }
}

/// Logs a line once per process: many models of one run read the same file.
pub(super) fn log_once(line: &str) {
    static LOGGED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    if LOGGED.lock().insert(line.to_string()) {
        crate::activity::console::log(line);
    }
}
