//! Words for models.

pub mod devices;
pub mod load_model;
pub mod model;
pub mod part;
