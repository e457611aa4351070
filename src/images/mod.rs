//! Pictures: decoding, augmentation, batches ahead of the step, data sets and the emoji-scenes generator.
//!
//! - `picture`: RGB pixels, from and to JPEG and PNG
//! - `augment`: one view of a picture from (seed, view, image)
//! - `source`, `dataset`: where pictures come from; pictures with labels
//! - `squares`: pictures decoded and resized once, in one mapped file
//! - `portable`: data sets as data, for another process
//! - `batches`: shuffled batches made by worker threads
//! - `datasets`: one file a data set, and the list that `dataset(name)` looks in
//! - `scenes`: the generator of the embedded data set

pub mod augment;
mod batches;
mod dataset;
mod datasets;
mod picture;
pub mod portable;
pub mod randaugment;
pub mod scenes;
mod source;
pub mod squares;

pub use batches::{Batch, Batches, epoch_order};
pub use dataset::Dataset;
pub use datasets::{Card, DATASETS, DatasetKind, card, open};
pub use picture::{Crop, Picture};
pub use source::PictureSource;
