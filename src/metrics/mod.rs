//! How good scores are: one file a metric, all of them in one [`Evaluation`].
//!
//! | metric | file | source |
//! |---|---|---|
//! | AP and mAP | `average_precision` | scikit-learn's `average_precision_score`, ties included |
//! | VOC 2012 AP | `voc_ap` | Everingham et al., VOC2012 development kit, section 3.4.1 |
//! | CP CR CF1 OP OR OF1, macro F1 | `precision_recall` | Wu & Zhou 2017; harmonic means as in ML-GCN and CSRA |
//! | the same at top k | `top_k` | Gong et al. 2014 |
//! | named conventions | `conventions` | the published code of each |
//! | context probe | `context` | cpsd's own |
//! | mean ± standard error, paired bootstrap | `paired` | Efron & Tibshirani 1993 |
//!
//! Scores are row-major [N, m], one row an image; targets are 0 or 1 of the same shape. Results are the same bits on
//! any number of threads.

mod average_precision;
mod columns; // scores and targets label by label: checked, turned, sorted
pub mod context;
mod conventions;
mod display; // how a report prints
mod evaluate; // one pass over the scores, all metrics
mod evaluation;
mod options;
pub mod paired;
mod precision_recall;
mod top_k;
mod voc_ap;

pub use average_precision::{average_precision, mean_average_precision};
pub use columns::{Score, Target, same_shape};
pub use context::{Companions, ContextReport, ContextRow};
pub use conventions::{CONVENTIONS, Convention};
pub use evaluate::{best_threshold, evaluate, evaluate_with};
pub use evaluation::{ConventionRow, Evaluation, LabelRow, ThresholdRow, TopRow};
pub use options::{ConventionList, MetricOptions, Thresholds};
pub use paired::{BootstrapOptions, Interval, MeanError, mean_error, paired_bootstrap, paired_bootstrap_by};
pub use precision_recall::Counts;
pub use voc_ap::voc_average_precision;
