//! What people hand on: results as one HTML page, and tables for papers.
//!
//! | file | what it makes |
//! |---|---|
//! | [`page`] | the page: what it is made from, its sections in order |
//! | [`subject`] | what a page compares: runs, models, ensembles, evaluations, each under a name |
//! | [`settings`] | from specifications: what the runs share and what differs |
//! | [`results`] | tables of metrics, per-label APs, differences from the baseline |
//! | [`figures`] | learning curves, differences, heat maps and graphs of labels |
//! | [`cams`] | class activation maps of several models over the same pictures |
//! | [`export`] | a table as Markdown, LaTeX and CSV |
//! | `html` | how tables and figures stand in the page |
//!
//! Numbers in, text out: nothing here trains. Whatever a user named is escaped.

pub mod cams;
pub mod export;
pub mod figures;
mod html;
pub mod page;
pub mod results;
pub mod settings;
pub mod subject;

pub use page::{Data, PageOptions, page};
pub use subject::{Given, Source, Subject};
