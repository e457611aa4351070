//! `col`: a column in an expression.

use polars::prelude as pl;

use crate::primitives::values::expr::ExprValue;
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "col",
    chapter: Chapter::Labels,
    signatures: &["col(name) -> Expr"],
    summary: "A column of a Table, to write conditions, new columns and aggregations with, as in polars.",
    details: "col(\"mAP\") > 80, (col(\"a\") - col(\"b\")).abs().alias(\"gap\"), col(\"mAP\").mean(). Conditions are joined with & and |, \
and turned round with !. ?Expr lists what an expression can do.",
    options: None,
    examples: &[Example {
        code: "let t = table([#{k: 2, mAP: 80.5}, #{k: 3, mAP: 81.5}]);\nt.filter(col(\"mAP\") > 81).column(\"k\")",
        prints: "[3]",
    }],
    register: |word| {
        word.form(|name: String| ExprValue(pl::col(name)));
    },
};
