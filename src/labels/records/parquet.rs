//! How much of a Parquet file is read at once.

/// Rows; with the resulting table they bound the memory.
pub const ROWS: usize = 1 << 21;

/// Fields, in a table of many columns.
pub const FIELDS: usize = 1 << 24;
