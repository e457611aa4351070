//! A word of the language: signatures, documentation, options, examples and functions in one value.

use super::call::WordRegistrar;

pub use crate::options::OptionDocs;

/// The chapter of the reference that documents a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Chapter {
    Labels,
    Graph,
    Models,
    Training,
    Evaluation,
    Tensors,
    Figures,
    Runs,
    Jobs,
    Numbers,
    Text,
    Files,
    Scripting,
}

impl Chapter {
    pub const ALL: [Chapter; 13] = [
        Chapter::Labels,
        Chapter::Graph,
        Chapter::Models,
        Chapter::Training,
        Chapter::Evaluation,
        Chapter::Tensors,
        Chapter::Figures,
        Chapter::Runs,
        Chapter::Jobs,
        Chapter::Numbers,
        Chapter::Text,
        Chapter::Files,
        Chapter::Scripting,
    ];

    pub fn title(self) -> &'static str {
        match self {
            Chapter::Labels => "Data sets and labels",
            Chapter::Graph => "Label graph and partitions",
            Chapter::Models => "Models",
            Chapter::Training => "Training and distillation",
            Chapter::Evaluation => "Prediction and evaluation",
            Chapter::Tensors => "Tensors and losses",
            Chapter::Figures => "Figures",
            Chapter::Runs => "Run store",
            Chapter::Jobs => "Background jobs and sweeps",
            Chapter::Numbers => "Numbers",
            Chapter::Text => "Text",
            Chapter::Files => "Files and environment",
            Chapter::Scripting => "Scripting",
        }
    }
}

/// A function of the language. One file per word holds this value and its functions.
pub struct Word {
    pub name: &'static str,
    pub chapter: Chapter,
    /// One line per way of calling it: `affinity(cooccurrence, branch, #{options}) -> Affinity`.
    pub signatures: &'static [&'static str],
    /// One sentence.
    pub summary: &'static str,
    /// The rest of the documentation: shapes, units, errors, and for a formula its source.
    pub details: &'static str,
    /// The keys of the options map, if it takes one.
    pub options: Option<OptionDocs>,
    pub examples: &'static [Example],
    pub register: fn(&mut WordRegistrar),
}

/// A few lines that run as a test.
pub struct Example {
    pub code: &'static str,
    /// A part of the text that `print` of the last value gives; empty when only running matters.
    pub prints: &'static str,
}
