//! The metrics of yes/no decisions as one struct, made from one table.

use serde::Serialize;

use super::precision_recall::{self as pr, Counts};

/// One line of [`DECISION_METRICS`].
pub struct DecisionMetric {
    /// As tables, scripts and JSON name it.
    pub name: &'static str,
    /// Its text in the documentation.
    pub text: &'static str,
    /// Its value, in percent.
    pub of: fn(&DecisionMetrics) -> f64,
}

/// One line per metric: the field, its name, the function of all labels' counts (0 to 1), its text.
macro_rules! decision_metrics {
    ($($field:ident, $name:literal, $compute:path, $text:literal;)*) => {
        /// The metrics of one decision rule (a threshold, or the top k), in percent.
        #[derive(Clone, Copy, Debug, PartialEq, Serialize)]
        pub struct DecisionMetrics {
            $(#[doc = $text] #[serde(rename = $name)] pub $field: f64,)*
        }

        /// All metrics of decisions, in the order of tables.
        pub const DECISION_METRICS: &[DecisionMetric] =
            &[$(DecisionMetric { name: $name, text: $text, of: |metrics| metrics.$field }),*];

        impl DecisionMetrics {
            pub(super) const NAN: DecisionMetrics = DecisionMetrics { $($field: f64::NAN),* };

            /// From the counts of all labels. With `mean_f1`, CF1 is the mean of the labels' F1.
            pub(super) fn of(counts: &[Counts], mean_f1: bool) -> DecisionMetrics {
                let metrics = DecisionMetrics { $($field: 100.0 * $compute(counts)),* };
                DecisionMetrics { cf1: if mean_f1 { 100.0 * pr::macro_f1(counts) } else { metrics.cf1 }, ..metrics }
            }
        }
    };
}

decision_metrics! {
    cp, "CP", pr::cp, "mean precision over labels";
    cr, "CR", pr::cr, "mean recall over labels";
    cf1, "CF1", pr::cf1, "harmonic mean of CP and CR";
    op, "OP", pr::op, "precision over all decisions";
    or, "OR", pr::or, "recall over all decisions";
    of1, "OF1", pr::of1, "harmonic mean of OP and OR";
}
