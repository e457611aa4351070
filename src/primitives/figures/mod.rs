//! Words for figures.

pub mod bar;
pub mod box_plot;
pub mod cam;
pub mod confusion_plot;
pub mod eigenvalue_plot;
mod given; // numbers, samples and items per point, as figures of any data take them
pub mod heatmap;
pub mod histogram;
pub mod label_graph;
pub mod pictures;
pub mod plot;
pub mod precision_recall_plot;
pub mod reliability_diagram;
pub mod scatter;
mod scores; // scores and their truth
