//! The words of the language, one file each, and the kinds of value they pass around.
//!
//! A folder per chapter of the reference. To add a word: a file with a `WORD`, its `mod` line and a line in [`WORDS`];
//! those of losses follow from the list in [`crate::losses`]. To add a kind of value: a file under `values/`, its `mod`
//! line and a line in [`KINDS`]. Everything else (help, completion, reference, tests of the examples) follows from these
//! lists.

use self::tensors::losses::LossWord;
use crate::losses::losses;
use crate::script::kind::Kind;
use crate::script::session::Session;
use crate::script::vocabulary::{self, Vocabulary};
use crate::script::word::Word;

mod evaluation;
mod figures;
mod files;
mod graph;
mod jobs;
mod labels;
mod models;
mod numbers;
mod parameters;
mod pictures;
pub mod runs;
mod scripting;
mod tensors;
mod text;
mod training;
pub mod values;

macro_rules! words {
    ($($name:ident::$Loss:ident,)+) => {
        /// Every word, in the order of the reference.
        pub const WORDS: &[&Word] = &[
            &labels::load_labels::WORD,
            &labels::synthetic_labels::WORD,
            &labels::label_table::WORD,
            &labels::dataset::WORD,
            &labels::write_scenes::WORD,
            &labels::write_miniature::WORD,
            &graph::cooccurrence::WORD,
            &graph::load_cooccurrence::WORD,
            &graph::affinity::WORD,
            &graph::spectral_partition::WORD,
            &graph::suggest_k::WORD,
            &graph::stability::WORD,
            &graph::random_partition::WORD,
            &graph::single_label_partition::WORD,
            &graph::partition_of::WORD,
            &graph::load_partition::WORD,
            &models::model::WORD,
            &models::devices::WORD,
            &models::load_model::WORD,
            &training::recipe::WORD,
            &training::train_teacher::WORD,
            &training::train_teachers::WORD,
            &training::train_all::WORD,
            &training::merge::WORD,
            &training::distill::WORD,
            &training::distill_all::WORD,
            &training::mutual_learning::WORD,
            &evaluation::predict::WORD,
            &evaluation::predictions::WORD,
            &evaluation::evaluate::WORD,
            &evaluation::metrics::WORD,
            &evaluation::standard_error::WORD,
            &evaluation::paired_bootstrap::WORD,
            &evaluation::paired_permutation::WORD,
            &evaluation::power_t_test::WORD,
            &evaluation::adjust_p::WORD,
            // One per loss in the list of `crate::losses`.
            $(&<crate::losses::$Loss as LossWord>::WORD,)+
            &tensors::tensor::WORD,
            &tensors::creation::ZEROS,
            &tensors::creation::ONES,
            &tensors::creation::FULL,
            &tensors::creation::ARANGE,
            &tensors::creation::LINSPACE,
            &tensors::creation::EYE,
            &tensors::draws::RAND,
            &tensors::draws::RANDN,
            &tensors::combining::CAT,
            &tensors::combining::STACK,
            &tensors::combining::WHERE,
            &tensors::combining::EINSUM,
            &tensors::grad::WORD,
            &tensors::load_tensors::WORD,
            &tensors::save_tensors::WORD,
            &pictures::geometry::ROTATE,
            &pictures::geometry::SHEAR_X,
            &pictures::geometry::SHEAR_Y,
            &pictures::geometry::TRANSLATE_X,
            &pictures::geometry::TRANSLATE_Y,
            &pictures::geometry::HFLIP,
            &pictures::geometry::VFLIP,
            &pictures::geometry::CROP,
            &pictures::geometry::RESIZE,
            &pictures::colours::BRIGHTNESS,
            &pictures::colours::CONTRAST,
            &pictures::colours::SATURATION,
            &pictures::colours::SHARPNESS,
            &pictures::colours::AUTOCONTRAST,
            &pictures::colours::EQUALIZE,
            &pictures::colours::INVERT,
            &pictures::colours::POSTERIZE,
            &pictures::colours::SOLARIZE,
            &pictures::views::RANDOM_RESIZED_CROP,
            &pictures::views::RAND_AUGMENT,
            &pictures::views::ERASE,
            &labels::table::WORD,
            &labels::load_table::WORD,
            &evaluation::paper_table::WORD,
            &labels::col::WORD,
            &labels::lit::WORD,
            &figures::heatmap::WORD,
            &figures::label_graph::WORD,
            &figures::plot::WORD,
            &figures::bar::WORD,
            &figures::scatter::WORD,
            &figures::histogram::WORD,
            &figures::box_plot::WORD,
            &figures::confusion_plot::WORD,
            &figures::reliability_diagram::WORD,
            &figures::precision_recall_plot::WORD,
            &figures::eigenvalue_plot::WORD,
            &figures::cam::WORD,
            &figures::pictures::WORD,
            &runs::runs::WORD,
            &runs::runs::RUN,
            &jobs::spawn::WORD,
            &jobs::jobs::WORD,
            &jobs::wait::WORD,
            &jobs::stop::WORD,
            &jobs::sweep::WORD,
            &runs::report::WORD,
            &jobs::plan::WORD,
            &jobs::slurm::WORD,
            &jobs::slurm::CLUSTER,
            &numbers::statistics::SUM,
            &numbers::statistics::MEAN,
            &numbers::statistics::STD,
            &numbers::statistics::MEDIAN,
            &numbers::statistics::MAX,
            &numbers::statistics::MIN,
            &numbers::round::WORD,
            &numbers::elementary::FLOOR,
            &numbers::elementary::CEIL,
            &numbers::elementary::ABS,
            &numbers::elementary::SQRT,
            &numbers::elementary::EXP,
            &numbers::elementary::LOG,
            &numbers::elementary::LN,
            &numbers::elementary::LOG2,
            &numbers::elementary::LOG10,
            &numbers::elementary::SIN,
            &numbers::elementary::COS,
            &numbers::elementary::TAN,
            &numbers::elementary::TANH,
            &numbers::powers::POW,
            &numbers::powers::DIV,
            &numbers::random::WORD,
            &text::format::WORD,
            &text::joining::JOIN,
            &text::joining::REPEAT,
            &text::patterns::MATCHES,
            &text::patterns::FIND_ALL,
            &text::patterns::REPLACE_ALL,
            &text::patterns::SPLIT_BY,
            &files::text::READ,
            &files::text::WRITE,
            &files::json::READ,
            &files::json::WRITE,
            &files::list_files::WORD,
            &files::environment::WORD,
            &files::now::WORD,
            &scripting::assert::WORD,
            &scripting::arg::WORD,
            &scripting::sleep::WORD,
            &scripting::temporary_folder::WORD,
        ];
    };
}
losses!(words);

/// Every kind of value beyond Rhai's own.
pub const KINDS: &[Kind] = &[
    Kind::of::<crate::labels::LabelTable>(),
    Kind::of::<crate::images::Dataset>(),
    Kind::of::<crate::graph::Cooccurrence>(),
    Kind::of::<crate::graph::Affinity>(),
    Kind::of::<crate::graph::Partition>(),
    Kind::of::<values::model::ModelValue>(),
    Kind::of::<values::ensemble::EnsembleValue>(),
    Kind::of::<values::predictions::PredictionsValue>(),
    Kind::of::<crate::metrics::Evaluation>(),
    Kind::of::<values::table::TableValue>(),
    Kind::of::<values::expr::ExprValue>(),
    Kind::of::<values::group_by::GroupBy>(),
    Kind::of::<crate::graph::SuggestedK>(),
    Kind::of::<crate::plots::Figure>(),
    Kind::of::<values::tensor::TensorValue>(),
    Kind::of::<values::loss::LossValue>(),
    Kind::of::<values::layers::LayersValue>(),
    Kind::of::<values::random::RandomValue>(),
    Kind::of::<values::run::RunValue>(),
    Kind::of::<values::background_call::BackgroundCallValue>(),
    Kind::of::<values::plan::PlanValue>(),
    Kind::of::<values::cluster::ClusterValue>(),
    Kind::of::<crate::script::errors::Raised>(),
];

/// Installs the vocabulary. Every program calls this first.
pub fn install() {
    vocabulary::install(&Vocabulary { words: WORDS, kinds: KINDS });
}

/// A session that knows all words.
pub fn session() -> Session {
    install();
    Session::new()
}
