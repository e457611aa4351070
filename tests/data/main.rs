//! Labels, label graphs, pictures, data sets and figures, held to references; the rules for the folders of src/.

#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // tests touch files and print as they like

mod augment_tensors;
#[path = "../common/mod.rs"]
mod common;
mod datasets;
mod figures;
mod fixed_splits;
mod graph_golden;
mod graph_properties;
mod hostile_tables;
mod house;
mod labels_coco;
mod labels_coco_tools;
mod labels_formats;
mod labels_readers;
mod labels_records;
mod pictures_formats;
mod plots_content;
mod plots_data;
mod plots_errors;
mod plots_figures;
mod randaugment;
mod randaugment_uda;
mod read_backs;
mod shards;
mod shares;
mod unknown_labels;
