//! Words for figures.

pub mod cam;
pub mod eigenvalue_plot;
pub mod heatmap;
pub mod label_graph;
pub mod pictures;
pub mod plot;
