//! Pictures: decoding, augmentation, data sets, batches made ahead, and the generator of emoji-scenes.
//!
//! | part | file |
//! |---|---|
//! | RGB pixels, from picture files, to JPEG and PNG | `picture` |
//! | what decoders say, in plain words | `decoder_error` |
//! | one view of a picture from (seed, view, image) | `augment`, `augment_options`, `fixed_crops` |
//! | its steps after the crop | `operation`, `fill`, `randaugment`, `randaugment_uda` |
//! | the same steps on a batch, on its tensor's device | `augment_tensors` |
//! | sources of pictures: files, parts, a cache in memory | `source` |
//! | a source of pictures resized once, in one file | `resized_cache` |
//! | pictures with labels | `dataset` |
//! | descriptions of data sets and their sources, for worker processes | `dataset_spec` |
//! | shuffled batches made by worker threads | `batches` |
//! | finished views that trainings of a process share | `made_views` |
//! | views that a function of the caller makes | `own_views` |
//! | one file per public data set, and the list in which `dataset(name)` looks | `datasets` |
//! | the generator of the embedded data set | `scenes` |

pub mod augment;
mod augment_options;
pub mod augment_tensors;
mod batches;
mod dataset;
mod dataset_spec;
mod datasets;
mod decoder_error;
mod fill;
mod fixed_crops;
mod made_views;
mod operation;
mod own_views;
mod picture;
pub mod randaugment;
pub mod randaugment_uda;
mod resized_cache;
pub mod scenes;
mod source;

pub use batches::{Batch, Batches};
pub use dataset::{Dataset, epoch_order};
pub use dataset_spec::{DatasetSpec, SourceSpec};
pub use datasets::{Card, DATASETS, DatasetKind, FolderOptions, OnBadImage, Request, card, open, open_with};
pub use fill::Fill;
pub use made_views::MadeViews;
pub use operation::Operation;
pub use own_views::{OwnViews, ViewFunction};
pub use picture::{Crop, Picture};
pub use resized_cache::ResizedCache;
pub use source::PictureSource;
