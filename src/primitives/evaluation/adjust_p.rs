//! `adjust_p`: p values where many rows are compared.

use rhai::Array;

use crate::error::Result;
use crate::metrics::{self, CorrectionOptions};
use crate::primitives::parameters::numbers;
use crate::script::call::Call;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "adjust_p",
    chapter: Chapter::Evaluation,
    signatures: &["adjust_p(ps) -> array", "adjust_p(ps, #{options}) -> array"],
    summary: "p values of several comparisons, corrected for their number, in the same order.",
    details: "Of twenty rows that differ by chance alone, one has p below 0.05. \"holm\" (Holm 1979) and \"bonferroni\" bound the chance of any false finding, \
\"benjamini_hochberg\" (1995) the share of false ones among the findings. Numbers as statsmodels.stats.multitest.multipletests'.",
    options: Some(OptionDocs::of::<CorrectionOptions>()),
    examples: &[
        Example { code: "adjust_p([0.01, 0.04, 0.03])", prints: "[0.03, 0.06, 0.06]" },
        Example {
            code: "adjust_p([0.01, 0.04, 0.02], #{method: \"benjamini_hochberg\"})",
            prints: "[0.03, 0.04, 0.03]",
        },
    ],
    register: |word| {
        word.form(adjust_p);
    },
};

fn adjust_p(call: &Call, ps: Array, options: CorrectionOptions) -> Result<Array> {
    let ps = numbers(&ps, call, "the p values")?;
    Ok(metrics::adjust_p(&ps, options.method)?.into_iter().map(Into::into).collect())
}
