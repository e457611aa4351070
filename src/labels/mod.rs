//! Label tables: which image has which labels, read from every common format, measured, split and written.
//!
//! | part | file |
//! |---|---|
//! | [`LabelTable`]: N images by m labels, compressed rows | `label_table` |
//! | readers, one file per format, detected from the content | `readers` |
//! | rows of CSV, Parquet and tables: columns by name and content, truths, several labels in a cell, splits | `records` |
//! | a label table from image-label pairs in any order | `pairs` |
//! | a label table from and to a polars `DataFrame`, long and wide | `data_frame` |
//! | names without the blanks around them, names that look like one | `names` |
//! | labels renamed and merged, images chosen, shards concatenated | `edit` |
//! | counts, cardinality, density, imbalance, tail | `statistics` |
//! | iterative stratified split | `stratify` |
//! | how a label table prints | `summary` |
//! | co-occurrence counted from Parquet without the table in memory | `parquet_counts`, `gather_images` |
//! | the same by parts of the files, each a run of the store | [`shards`] |
//! | synthetic tables of any size | `synthetic` |

mod data_frame;
mod edit;
mod gather_images;
mod label_table;
mod names;
mod pairs;
mod parquet_counts;
pub mod readers;
mod records;
pub mod shards;
mod statistics;
mod stratify;
mod summary;
pub mod synthetic;

pub use label_table::LabelTable;
pub use parquet_counts::count_files;
pub use readers::{
    Choice, Difficult, LoadOptions, READERS, Reader, Unknown, columns_of, divided_split, label_files, layout_of, load,
    load_with_splits, load_with_unlabelled, own_splits, read_splits,
};
pub use records::division::Division;
pub use statistics::Statistics;
pub use stratify::stratified_split;
pub(crate) use summary::grouped;
