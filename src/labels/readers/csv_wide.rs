//! CSV with one row per image and one column of 0 and 1 per label.

use super::{Reader, csv_long};

pub const READER: Reader = Reader {
    name: "csv-wide",
    summary: "CSV with one row per image and one column of 0 and 1 per label; the images' column is called image or comes first",
    lists_labels: true,
    has_splits: false,
    options: csv_long::OPTIONS,
    detect: csv_long::is_csv,
    read: csv_long::read,
};
