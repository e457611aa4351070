//! `lit`: a constant in an expression.

use crate::primitives::values::expr::{ExprValue, Operand};
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "lit",
    chapter: Chapter::Labels,
    signatures: &["lit(value) -> Expr"],
    summary: "A constant as an expression: the same value in every row.",
    details: "Beside a column a plain value does: col(\"k\") + 1.",
    options: None,
    examples: &[Example {
        code: "table([#{k: 2}, #{k: 3}]).with_columns([lit(\"co\").alias(\"branch\")]).column(\"branch\")",
        prints: "[\"co\", \"co\"]",
    }],
    register: |word| {
        word.form(|value: Operand| ExprValue(value.0));
    },
};
