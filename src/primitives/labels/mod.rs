//! Words for data sets and labels.

pub mod col;
pub mod dataset;
pub mod label_table;
pub mod lit;
pub mod load_labels;
pub mod load_table;
pub mod synthetic_labels;
pub mod table;
pub mod write_miniature;
pub mod write_scenes;
