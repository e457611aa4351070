//! Metrics of predicted scores: one file per metric, all of them in one [`Evaluation`].
//!
//! | metric | file | source |
//! |---|---|---|
//! | AP and mAP | `average_precision` | scikit-learn's `average_precision_score`, ties included |
//! | VOC 2012 AP | `voc_ap` | Everingham et al., VOC2012 development kit, section 3.4.1 |
//! | CP CR CF1 OP OR OF1, macro F1 | `precision_recall` | Wu & Zhou 2017; harmonic means as in ML-GCN and CSRA |
//! | the same at top k | `top_k` | Gong et al. 2014 |
//! | named conventions | `conventions` | the published code of each |
//! | context probe | `context_probe` | cpsd's own |
//! | precision-recall curves | `precision_recall_curve` | scikit-learn's `precision_recall_curve` |
//! | calibration | `calibration` | scikit-learn's `calibration_curve`; Naeini et al. 2015 |
//! | confusion between labels | `confusion` | conditional shares; of one label per image the usual matrix |
//! | mean ± standard error, paired bootstrap | `paired` | Efron & Tibshirani 1993 |
//! | bootstrap over pictures, and over pictures and seeds | `picture_bootstrap` | the same, of scikit-learn's AP with weights |
//! | how many pairs a difference needs | `power` | R's `power.t.test`, statsmodels' `TTestPower` |
//! | paired permutation test | `permutation` | SciPy's `permutation_test` |
//! | p values of many comparisons | `multiple_comparisons` | Holm 1979; Benjamini & Hochberg 1995 |
//!
//! A metric of decisions is a function of the labels' [`Counts`] and one line of the table in `decision_metrics`.
//!
//! Scores are row-major [N, m], one row per image; targets are 0 or 1 and have the same shape. Results are
//! bit-identical on any number of threads.
//!
//! A target of -1 or NaN is of unknown truth. Masked, it takes no part in any metric: a label's numbers are over the
//! images where it is known, OP, OR and OF1 over all known targets, the top k over an image's known labels.

mod average_precision;
mod calibration;
mod columns; // scores and targets label by label: checked, transposed, sorted
mod confusion;
mod context_probe;
mod conventions;
mod decision_metrics; // CP, CR, CF1, OP, OR, OF1 as one struct and one table
mod evaluate; // computes all metrics in one pass over the scores
mod evaluation; // the struct
mod evaluation_display; // its text
mod metric_options;
mod multiple_comparisons;
mod paired;
mod permutation;
mod picture_bootstrap;
mod power;
mod precision_recall;
mod precision_recall_curve;
mod quantile;
mod scored; // scores and truths as pairs
mod top_k;
mod voc_ap;

pub use average_precision::{average_precision, mean_average_precision};
pub use calibration::{BinStrategy, Calibration, CalibrationBin};
pub use columns::{Score, Target, same_shape};
pub use confusion::{Confusion, ConfusionKind};
pub use context_probe::{Companions, ContextProbe, ContextRow};
pub use conventions::{CONVENTIONS, Convention};
pub use decision_metrics::{DECISION_METRICS, DecisionMetric, DecisionMetrics};
pub use evaluate::{best_threshold, evaluate, evaluate_with};
pub use evaluation::{ConventionRow, Evaluation, LabelRow, ThresholdRow, TopRow};
pub use metric_options::{ConventionList, MetricOptions, Thresholds};
pub use multiple_comparisons::{Correction, CorrectionOptions, adjust_p};
pub use paired::{BootstrapOptions, Interval, MeanError, Over, mean_error, paired_bootstrap, paired_bootstrap_by};
pub use permutation::{Permutation, PermutationOptions, paired_permutation};
pub use picture_bootstrap::{Ranked, paired_bootstrap_of_pictures};
pub use power::{PowerOfTTest, PowerOptions, power_t_test};
pub use precision_recall::Counts;
pub use precision_recall_curve::PrecisionRecallCurve;
pub use quantile::quantile;
pub use scored::Scored;
pub use voc_ap::voc_average_precision;
