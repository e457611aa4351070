//! Parquet with one row per image and one column of 0 and 1 per label.

use super::{Reader, parquet_long};

pub const READER: Reader = Reader {
    name: "parquet-wide",
    summary: "Parquet with one row per image and one column of 0 and 1 (or true and false) per label",
    lists_labels: true,
    has_splits: false,
    options: &["image", "label", "separator", "unknown", "empty"],
    detect: |probe, _| parquet_long::is_parquet(probe),
    read: parquet_long::read,
};
