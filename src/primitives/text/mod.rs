//! Words for text: formats, joining, regular expressions.

pub mod format;
pub mod joining;
pub mod patterns;
mod python_format;
