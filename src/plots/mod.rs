//! Figures: plain numbers to SVG and PNG that look the same on every machine.
//!
//! | function | shows |
//! |---|---|
//! | [`heatmap()`] | a matrix as colours, labels in the order of their parts |
//! | [`label_graph()`] | labels as discs, co-occurrence as lines, parts as colours |
//! | [`lines()`] | learning curves with bands, named at their ends |
//! | [`bars()`] | ablation tables: groups or stacks of bars, or dots, with error bars |
//! | [`histogram()`] | how values are distributed |
//! | [`boxes()`] | quartiles, whiskers and outliers |
//! | [`reliability()`] | predicted probabilities against the share of positives |
//! | [`eigenvalues()`] | the eigenvalues of a label graph and the gap after the k-th |
//! | [`scatter()`] | one score against another, label by label |
//! | [`cam_panel()`] | class activation maps over pictures, one row per label, one column per model |
//! | [`picture_grid()`] | a contact sheet |
//!
//! Each takes plain slices and an options struct, and returns a [`Figure`]: [`Figure::save`] writes `.png`, `.svg` or `.pdf`,
//! [`Figure::half_blocks`] draws in a terminal. Bad input is an Argument error; the same input gives the same bytes.

mod axes; // ranges, ticks, tick labels, the frame
mod bars;
mod boxes;
mod cam_panel;
mod categories; // names below a categorical axis
mod colours; // single colours, ramps, the palette of parts
mod dots; // many points as one picture
mod eigenvalues;
mod figure; // the finished document: save, png, pixels, half blocks
mod graph_drawing; // label_graph()
mod graph_layout; // positions of its vertices
mod heatmap;
mod histogram;
mod legend; // names and colours of series
mod lines;
mod pdf; // figures for LaTeX
mod pdf_order; // their objects in one order
mod picture_grid;
mod placement; // labels that do not cover each other
mod raster; // pictures and heat inside a figure
mod reliability;
mod scatter;
mod statistics; // quantiles and bins as numpy has them
mod svg; // the SVG writer
mod terminal; // figures in characters
mod text; // text widths in the embedded font
mod theme; // ink, paper, fonts, sizes
mod titles; // titles and notes
mod validate; // the checks of every figure's input

pub use bars::{BarSeries, BarsOptions, Mark, bars};
pub use boxes::{BoxesOptions, boxes};
pub use cam_panel::{CamCell, CamPanelOptions, CamRow, cam_panel};
pub use colours::{Colour, Ramp, qualitative};
pub use eigenvalues::{EigenvaluesOptions, eigenvalues};
pub use figure::Figure;
pub use graph_drawing::{LabelGraphOptions, label_graph};
pub use heatmap::{HeatmapOptions, heatmap};
pub use histogram::{Bins, HistogramOptions, Sample, histogram};
pub use lines::{LinesOptions, Series, lines};
pub use picture_grid::{PictureGridOptions, picture_grid};
pub use raster::{Heat, Picture};
pub use reliability::{ReliabilityCurve, ReliabilityOptions, reliability};
pub use scatter::{PointData, ScatterOptions, scatter};
pub use statistics::{BoxStatistics, auto_bins, box_statistics, count, linspace};
