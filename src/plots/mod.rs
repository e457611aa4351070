//! Figures: plain numbers to SVG and PNG that look the same on every machine.
//!
//! | function | shows |
//! |---|---|
//! | [`heatmap()`] | a matrix as colours, labels in the order of their parts |
//! | [`label_graph()`] | labels as discs, co-occurrence as lines, parts as colours |
//! | [`lines()`] | learning curves with bands, named at their ends |
//! | [`bars()`] | ablation tables: groups of bars or dots with error bars |
//! | [`eigenvalues()`] | the eigenvalues of a label graph and the gap after the k-th |
//! | [`scatter()`] | one score against another, label by label |
//! | [`cam_panel()`] | class activation maps over pictures, one row per label, one column per model |
//! | [`picture_grid()`] | a contact sheet |
//!
//! Each takes plain slices and an options struct, and returns a [`Figure`]: [`Figure::save`] writes `.png` or `.svg`,
//! [`Figure::half_blocks`] draws in a terminal. Bad input is an Argument error; the same input gives the same bytes.

mod axes; // ranges, ticks, tick labels, the frame
mod bars;
mod cam_panel;
mod colours; // single colours, ramps, the palette of parts
mod eigenvalues;
mod figure; // the finished document: save, png, pixels, half blocks
mod graph_drawing; // label_graph()
mod graph_layout; // positions of its vertices
mod heatmap;
mod lines;
mod picture_grid;
mod placement; // labels that do not cover each other
mod raster; // pictures and heat inside a figure
mod scatter;
mod svg; // the SVG writer
mod terminal; // figures in characters
mod text; // text widths in the embedded font
mod theme; // ink, paper, fonts, sizes
mod titles; // titles and notes
mod validate; // the checks of every figure's input

pub use bars::{BarSeries, BarsOptions, Mark, bars};
pub use cam_panel::{CamCell, CamPanelOptions, CamRow, cam_panel};
pub use colours::{Colour, Ramp, qualitative};
pub use eigenvalues::{EigenvaluesOptions, eigenvalues};
pub use figure::Figure;
pub use graph_drawing::{LabelGraphOptions, label_graph};
pub use heatmap::{HeatmapOptions, heatmap};
pub use lines::{LinesOptions, Series, lines};
pub use picture_grid::{PictureGridOptions, picture_grid};
pub use raster::{Heat, Picture};
pub use scatter::{ScatterOptions, scatter};
