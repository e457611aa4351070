//! The words of the language, one file each, and the kinds of value they pass around.
//!
//! To add a word: a file with a `WORD`, a line in `mod` and a line in [`WORDS`]. To add a kind of value: a file
//! under `values/` with a `KIND`, and a line in [`KINDS`]. Everything else (help, completion, reference, tests of
//! the examples) reads these two lists.

use std::rc::Rc;

use rhai::{Dynamic, Engine};

use crate::script::host::Host;

mod affinity;
mod arg;
mod asl;
mod assert;
mod bce;
mod cam;
mod closures;
mod col;
mod cooccurrence;
mod dataset;
mod devices;
mod distill;
mod distill_all;
mod eigenvalue_plot;
mod evaluate;
mod focal;
mod glue;
mod heatmap;
mod jobs;
mod kl;
mod label_graph;
mod lit;
mod load_cooccurrence;
mod load_labels;
mod load_model;
mod load_partition;
mod load_table;
mod load_tensors;
mod merge;
mod metrics;
mod model;
mod mse;
mod paired_bootstrap;
mod paper_table;
mod partition_of;
mod pictures;
mod plan;
mod plot;
mod predict;
mod random_partition;
mod recipe;
mod report;
mod runs;
mod save_tensors;
mod single_label_partition;
mod sleep;
mod spawn;
mod spectral_partition;
mod stability;
mod standard_error;
mod stop;
mod suggest_k;
mod sweep;
mod synthetic_labels;
mod table;
mod tensor;
mod train_teacher;
mod train_teachers;
mod training_options;
pub mod values;
mod wait;
mod word;
mod write_miniature;
mod write_scenes;

pub use word::{Chapter, Example, Kind, Member, OptionDocs, Word};

/// Every word, in the order of the reference.
pub const WORDS: &[&Word] = &[
    &load_labels::WORD,
    &synthetic_labels::WORD,
    &dataset::WORD,
    &write_scenes::WORD,
    &write_miniature::WORD,
    &cooccurrence::WORD,
    &load_cooccurrence::WORD,
    &affinity::WORD,
    &spectral_partition::WORD,
    &suggest_k::WORD,
    &stability::WORD,
    &random_partition::WORD,
    &single_label_partition::WORD,
    &partition_of::WORD,
    &load_partition::WORD,
    &model::WORD,
    &devices::WORD,
    &load_model::WORD,
    &recipe::WORD,
    &train_teacher::WORD,
    &train_teachers::WORD,
    &merge::WORD,
    &distill::WORD,
    &distill_all::WORD,
    &predict::WORD,
    &evaluate::WORD,
    &metrics::WORD,
    &standard_error::WORD,
    &paired_bootstrap::WORD,
    &asl::WORD,
    &bce::WORD,
    &focal::WORD,
    &mse::WORD,
    &kl::WORD,
    &tensor::WORD,
    &load_tensors::WORD,
    &save_tensors::WORD,
    &table::WORD,
    &load_table::WORD,
    &paper_table::WORD,
    &col::WORD,
    &lit::WORD,
    &heatmap::WORD,
    &label_graph::WORD,
    &plot::WORD,
    &eigenvalue_plot::WORD,
    &cam::WORD,
    &pictures::WORD,
    &runs::WORD,
    &runs::RUN,
    &spawn::WORD,
    &jobs::WORD,
    &wait::WORD,
    &stop::WORD,
    &sweep::WORD,
    &report::WORD,
    &plan::WORD,
    &assert::WORD,
    &arg::WORD,
    &sleep::WORD,
];

/// Every kind of value beyond Rhai's own.
pub const KINDS: &[&Kind] = &[
    &values::label_table::KIND,
    &values::dataset::KIND,
    &values::cooccurrence::KIND,
    &values::affinity::KIND,
    &values::partition::KIND,
    &values::model::KIND,
    &values::ensemble::KIND,
    &values::predictions::KIND,
    &values::evaluation::KIND,
    &values::table::KIND,
    &values::expr::KIND,
    &values::group_by::KIND,
    &values::suggested_k::KIND,
    &values::figure::KIND,
    &values::tensor::KIND,
    &values::loss::KIND,
    &values::run::KIND,
    &values::background_call::KIND,
    &values::plan::KIND,
    &values::error::KIND,
];

/// Puts all words and kinds into an engine.
pub fn register(engine: &mut Engine, host: &Rc<Host>) {
    for kind in KINDS {
        (kind.register)(engine, host);
    }
    for word in WORDS {
        (word.register)(engine, host);
    }
    engine.register_fn("print", |value: &mut Dynamic| crate::script::show::plain(value));
    engine.register_fn("print", || String::new());
    // Rhai's own for these two shows all digits, and keys in quotes.
    engine.register_fn("print", |value: rhai::Array| crate::script::show::plain(&value.into()));
    engine.register_fn("print", |value: rhai::Map| crate::script::show::plain(&value.into()));
}

/// The word of that name.
pub fn find(name: &str) -> Option<&'static Word> {
    WORDS.iter().find(|w| w.name == name).copied()
}

/// The kind that a user knows by that name.
pub fn find_kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|k| k.name == name).copied()
}

/// The same with its article: `a Partition`, `an integer`.
pub fn a_user_name(type_name: &str) -> String {
    let name = user_name(type_name);
    let article = if name.starts_with(['a', 'e', 'i', 'o', 'A', 'E', 'I', 'O']) { "an" } else { "a" };
    format!("{article} {name}")
}

/// A type's name as a user knows it, from Rust's or Rhai's.
pub fn user_name(type_name: &str) -> String {
    let name = type_name.trim().trim_start_matches("&mut ").trim_start_matches('&');
    if let Some(kind) = KINDS.iter().find(|k| (k.rust_name)() == name || k.name == name) {
        return kind.name.to_string();
    }
    match name {
        "i64" | "int" | "INT" => "integer",
        "f64" | "float" | "FLOAT" => "number",
        "bool" => "boolean",
        "()" => "nothing",
        "char" => "character",
        n if n.starts_with("&str | ") => "string",
        "str" | "String" | "string" | "ImmutableString" | "alloc::string::String" => "string",
        n if n.contains("ImmutableString") || n.contains("SmartString") => "string",
        n if n.starts_with("alloc::vec::Vec<rhai::") || n.starts_with("array") || n == "Array" => "array",
        n if n.contains("BTreeMap") || n == "map" || n == "Map" => "map",
        n if n.ends_with("FnPtr") || n == "Fn" => "function",
        n if n.starts_with("range") || n.contains("Range") => "range",
        n => return n.rsplit("::").next().unwrap_or(n).to_string(),
    }
    .to_string()
}
