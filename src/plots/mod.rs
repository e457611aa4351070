//! Figures: from plain numbers to SVG and PNG that look the same on every machine.
//!
//! | function | shows |
//! |---|---|
//! | [`heatmap()`] | a matrix as colours, labels in the order of their parts |
//! | [`label_graph()`] | labels as discs, what appears together as lines, parts as colours |
//! | [`lines()`] | learning curves with bands, named at their ends |
//! | [`bars()`] | ablation tables: groups of bars or dots with error bars |
//! | [`eigenvalues()`] | the eigenvalues of a label graph and the gap that k parts rest on |
//! | [`scatter()`] | a score against another, label by label |
//! | [`cam_panel()`] | class activation maps over pictures, a row a label, a column a model |
//! | [`picture_grid()`] | a contact sheet |
//!
//! Each takes plain slices and an options struct, and gives a [`Figure`]: [`Figure::save`] as `.png` or `.svg`,
//! [`Figure::half_blocks`] for a terminal. Bad input is an Argument error; the same input is the same bytes.

mod axes; // ranges, ticks, tick labels, the frame
mod bars;
mod base64; // pictures inside an SVG
mod cam_panel;
mod check; // what every figure asks of its input
mod colours; // single colours, ramps, the palette of parts
mod eigenvalues;
mod figure; // the finished document: save, png, pixels, half blocks
mod heatmap;
mod heatmap_layout; // where its parts stand
mod label_graph;
mod layout; // where the vertices of a graph stand
mod lines;
mod picture_grid;
mod pictures; // pictures and heat in a figure
mod placement; // labels that do not cover each other
mod scatter;
mod svg; // the SVG writer
mod terminal; // figures in characters
mod text; // how wide text is
mod theme; // ink, paper, sizes, titles

pub use bars::{BarSeries, BarsOptions, Mark, bars};
pub use cam_panel::{CamCell, CamPanelOptions, CamRow, cam_panel};
pub use colours::{Colour, Ramp, qualitative};
pub use eigenvalues::{EigenvaluesOptions, eigenvalues};
pub use figure::Figure;
pub use heatmap::{HeatmapOptions, heatmap};
pub use label_graph::{LabelGraphOptions, label_graph};
pub use lines::{LinesOptions, Series, lines};
pub use picture_grid::{PictureGridOptions, picture_grid};
pub use pictures::{Heat, Picture};
pub use scatter::{ScatterOptions, scatter};
