//! What a word of the language is: its signature, documentation, options, examples and glue in one value.

use std::rc::Rc;

use rhai::{Dynamic, Engine};

use crate::script::host::Host;

/// The chapter of the reference that a word stands in.
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
    Scripting,
}

impl Chapter {
    pub const ALL: [Chapter; 10] = [
        Chapter::Labels,
        Chapter::Graph,
        Chapter::Models,
        Chapter::Training,
        Chapter::Evaluation,
        Chapter::Tensors,
        Chapter::Figures,
        Chapter::Runs,
        Chapter::Jobs,
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
            Chapter::Scripting => "Scripting",
        }
    }
}

/// A function of the language. One file a word holds this value and the glue to the core.
pub struct Word {
    pub name: &'static str,
    pub chapter: Chapter,
    /// One line a way of calling it: `affinity(cooccurrence, branch, #{options}) -> Affinity`.
    pub signatures: &'static [&'static str],
    /// One sentence.
    pub summary: &'static str,
    /// The rest of the documentation: shapes, units, errors, and for a formula its source.
    pub details: &'static str,
    /// The keys of the options map, if it takes one.
    pub options: Option<OptionDocs>,
    pub examples: &'static [Example],
    pub register: fn(&mut Engine, &Rc<Host>),
}

/// What is known of an options map. The defaults come from the option struct itself, so they cannot go stale.
pub struct OptionDocs {
    /// The default of every key, as JSON, in the order to print.
    pub defaults: fn() -> serde_json::Value,
    /// A line for every key, closures too, which have no default; a test holds the two lists against each other.
    pub docs: &'static [(&'static str, &'static str)],
}

/// A few lines that run as a test, and what the last one prints.
pub struct Example {
    pub code: &'static str,
    /// What `print` of the last value must contain; empty when only running matters.
    pub prints: &'static str,
}

/// A type of value: what its fields and methods are.
pub struct Kind {
    /// The name that a user sees: `Partition`.
    pub name: &'static str,
    pub summary: &'static str,
    pub members: &'static [Member],
    /// Whether a value is of this kind.
    pub is: fn(&Dynamic) -> bool,
    /// The value as a person wants to read it.
    pub show: fn(&Dynamic) -> String,
    /// Rust's name of the type, as it stands in Rhai's own messages.
    pub rust_name: fn() -> &'static str,
    pub register: fn(&mut Engine, &Rc<Host>),
}

/// A field (`p.k`) or method (`p.save(path)`) of a kind.
pub struct Member {
    /// As it is written after the dot, with parameters for a method: `save(path)`.
    pub usage: &'static str,
    pub doc: &'static str,
    /// It gives a value of the kind that it is a member of.
    pub same: bool,
}

impl Member {
    pub const fn new(usage: &'static str, doc: &'static str) -> Self {
        Member { usage, doc, same: false }
    }

    /// One that gives a value of its own kind: `table.head(3)`.
    pub const fn same(usage: &'static str, doc: &'static str) -> Self {
        Member { usage, doc, same: true }
    }

    /// The bare name, without parameters.
    pub fn name(&self) -> &'static str {
        self.usage.split('(').next().unwrap_or(self.usage)
    }
}
