//! What a function is told of its model: labels, word vectors, label graph, maps of earlier stages, tokens.

use tch::{Device, Kind, Tensor};

use super::Layers;
use super::layers::Inside;
use crate::error::{Error, Result};
use crate::models::heads::words_of;
use crate::models::{LabelGraph, ModelSpec};

/// Pictures of the call that builds a model.
pub const DRY_RUN: i64 = 2;

/// What a function is told of its model.
#[derive(Default)]
pub struct Facts {
    /// The names of the labels, in the order of the outputs.
    pub labels: Vec<String>,
    /// Channels, rows and columns of the maps of each used stage, as a picture of the model's size gives them.
    pub stages: Vec<[i64; 3]>,
    /// The groups of tokens of a vision transformer's last stage, `[1, n, C]` each.
    pub tokens: Vec<(&'static str, [i64; 3])>,
    word_vectors: Option<String>,
    graph: Option<LabelGraph>,
}

impl Facts {
    /// Of a function that is no part of a model, and knows the labels alone.
    pub fn of_labels(labels: &[String]) -> Facts {
        Facts { labels: labels.to_vec(), ..Facts::default() }
    }

    pub fn new(spec: &ModelSpec, labels: &[String], stages: Vec<[i64; 3]>) -> Facts {
        let (word_vectors, graph) = (spec.word_vectors.clone(), spec.graph.clone());
        Facts { labels: labels.to_vec(), stages, tokens: vec![], word_vectors, graph }
    }
}

impl Layers {
    pub fn labels(&self) -> Vec<String> {
        self.made.0.lock().facts.labels.clone()
    }

    pub fn num_labels(&self) -> i64 {
        self.made.0.lock().facts.labels.len() as i64
    }

    /// `[m, d]`: the labels' word vectors, fixed ones from a file or learned ones.
    ///
    /// Errors: a model without them.
    pub fn words(&self) -> Result<Tensor> {
        self.check_open()?;
        let mut inside = self.made.0.lock();
        if let Some(words) = &inside.words {
            return Ok(words.shallow_clone());
        }
        let lent = self.lent.borrow();
        let Some(lent) = &*lent else { return Err(later("the word vectors")) };
        let words = words_of(&lent.scope().at(self.part), inside.facts.word_vectors.as_deref(), &inside.facts.labels)?;
        let words = words.ok_or_else(|| {
            Error::argument("the model has no word vectors of its labels").with_help(
                "word_vectors: \"glove.txt\" beside the head reads them from a file in GloVe's form; word_vectors: \"learned\" learns them",
            )
        })?;
        inside.words = Some(words.shallow_clone());
        Ok(words)
    }

    /// `[m, m]`: the label graph between the labels.
    ///
    /// Errors: a model without one.
    pub fn graph(&self) -> Result<Tensor> {
        self.of_graph("the label graph", |inside| &mut inside.graph, |graph, labels| graph.between(labels))
    }

    /// `[m]`: each label's share of the training images.
    ///
    /// Errors: a model without a label graph, or with one that no co-occurrence gave.
    pub fn shares(&self) -> Result<Tensor> {
        self.of_graph("the labels' shares", |inside| &mut inside.shares, |graph, labels| graph.shares_of(labels))
    }

    fn of_graph(
        &self,
        what: &str,
        place: fn(&mut Inside) -> &mut Option<Tensor>,
        read: fn(&LabelGraph, &[String]) -> Result<Tensor>,
    ) -> Result<Tensor> {
        self.check_open()?;
        let mut inside = self.made.0.lock();
        if let Some(known) = place(&mut inside) {
            return Ok(known.shallow_clone());
        }
        if !self.building {
            return Err(later(what));
        }
        let Some(graph) = &inside.facts.graph else {
            return Err(Error::argument("the model has no label graph")
                .with_help("give it one beside the head: graph: cooccurrence(data.train)"));
        };
        let tensor = read(graph, &inside.facts.labels)?.f_to_device(inside.device.unwrap_or(Device::Cpu))?;
        *place(&mut inside) = Some(tensor.shallow_clone());
        Ok(tensor)
    }

    /// Maps `[N, C, h, w]` of the stage that is `n` before the last.
    ///
    /// Errors: no such stage among those that are used.
    pub fn earlier(&self, n: usize) -> Result<Tensor> {
        self.check_open()?;
        let mut inside = self.made.0.lock();
        let stages = &inside.facts.stages;
        if n == 0 || n >= stages.len() {
            let most = stages.len().saturating_sub(1);
            return Err(Error::argument(format!(
                "earlier takes how many stages before the last, from 1 to {most}. Got {n} instead."
            )));
        }
        if self.building {
            let [channels, rows, columns] = stages[stages.len() - 1 - n];
            let device = inside.device.unwrap_or(Device::Cpu);
            inside.earlier = inside.earlier.max(n);
            return Ok(Tensor::f_ones([DRY_RUN, channels, rows, columns], (Kind::Float, device))?);
        }
        if n > inside.earlier {
            return Err(later(&format!("the maps of {n} stages before the last")));
        }
        self.earlier.get(n - 1).map(Tensor::shallow_clone).ok_or_else(|| {
            Error::argument("maps of stages before the last are not there for class activation maps, which are those of the last alone")
        })
    }

    /// The tokens of a vision transformer's last stage by name, `[N, n, C]` each: class_token, registers, prompts, patches, where there are some.
    ///
    /// Errors: another backbone.
    pub fn tokens(&self) -> Result<Vec<(&'static str, Tensor)>> {
        self.check_open()?;
        let mut inside = self.made.0.lock();
        if self.building {
            let device = inside.device.unwrap_or(Device::Cpu);
            if inside.facts.tokens.is_empty() {
                return Err(Error::argument(
                    "tokens are those of a vision transformer, which the model's backbone is not",
                ));
            }
            inside.reads_tokens = true;
            let ones = |&(name, [_, n, width]): &(&'static str, [i64; 3])| {
                Ok((name, Tensor::f_ones([DRY_RUN, n, width], (Kind::Float, device))?))
            };
            return inside.facts.tokens.iter().map(ones).collect();
        }
        if !inside.reads_tokens {
            return Err(later("the tokens"));
        }
        if self.tokens.is_empty() {
            return Err(Error::argument(
                "tokens are not there for class activation maps, which are those of the patches alone",
            ));
        }
        Ok(self.tokens.iter().map(|(name, group)| (*name, group.shallow_clone())).collect())
    }
}

fn later(what: &str) -> Error {
    Error::argument(format!("{what} is asked for now, and was not when the model was built"))
        .with_help("the function is called once when the model is built, with training true: ask before a branch")
}
