//! Label tables: which image has which labels, read from every common format, measured, split and written.
//!
//! | part | file |
//! |---|---|
//! | [`LabelTable`]: N images by m labels, compressed rows | `table` |
//! | readers, one file a format, told apart by content | `readers` |
//! | `LabelTable` ↔ polars `DataFrame`, long and wide | `frame` |
//! | counts, cardinality, density, imbalance, tail | `statistics` |
//! | iterative stratified split | `stratify` |
//! | how a `LabelTable` prints | `display` |
//! | [`tables::Table`]: a polars frame with reading, writing and printing | `tables` |

mod display;
mod edit; // labels renamed and merged, images chosen, shards put together
mod frame;
mod grid; // rows and columns that fit the terminal
pub mod readers;
mod statistics;
mod stratify;
mod stream; // co-occurrence from Parquet without the table in memory
pub mod synthetic;
mod table;
pub mod tables;
pub mod verbs;

pub use readers::{Choice, LoadOptions, READERS, Reader, load};
pub use statistics::Statistics;
pub use stratify::stratified_split;
pub use stream::count_files;
pub use table::LabelTable;
