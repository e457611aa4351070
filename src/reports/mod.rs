//! Reports: results as one HTML page, and tables for papers.
//!
//! | file | content |
//! |---|---|
//! | [`page`] | the page: its inputs, and its sections in order |
//! | [`subject`] | the runs, models, ensembles and evaluations that a page compares, each with a name |
//! | [`settings`] | the settings that runs share, and those that differ |
//! | [`differences`] | the settings in which two runs differ |
//! | [`sheets`] | tables of metrics, AP per label, differences from the baseline |
//! | [`comparison_figures`] | learning curves and differences |
//! | [`graph_figures`] | heat maps and graphs of labels |
//! | [`score_figures`] | reliability, precision and recall, confusion between labels |
//! | [`cams`] | class activation maps of several models over the same pictures |
//! | [`export`] | tables as Markdown and LaTeX |
//! | `html` | the HTML of tables, figures and the document |
//!
//! Reports take evaluations and write text; nothing is trained here. All names from users are escaped.

pub mod cams;
pub mod comparison_figures;
pub mod differences;
pub mod export;
pub mod graph_figures;
mod html;
pub mod page;
pub mod score_figures;
pub mod settings;
pub mod sheets;
pub mod subject;

pub use page::{Data, PageOptions, page};
pub use subject::{Given, Source, Subject};
