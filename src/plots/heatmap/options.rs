//! The options of a heat map.

use serde::{Deserialize, Serialize};

use crate::plots::colours::Ramp;

/// How a [`heatmap()`](super::heatmap()) looks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeatmapOptions {
    /// Bold, above the figure.
    pub title: String,
    /// Below the title.
    pub subtitle: String,
    /// In px; by default as wide as the labels need.
    pub width: Option<f64>,
    /// In px.
    pub height: Option<f64>,
    /// Colours by the logarithm; values of 0 or less are white.
    pub log: bool,
    /// The value of the first colour; smaller values have it too.
    pub vmin: Option<f64>,
    /// The value of the last colour; greater values have it too.
    pub vmax: Option<f64>,
    /// The colour ramp; by default `"paper"`, or `"diverging"` around 0 if there are values on both sides of it.
    pub colours: Option<Ramp>,
    /// The quantity that the colours measure, next to the bar.
    pub unit: String,
    /// Whether the cells show numbers; by default if they are readable.
    pub cell_text: Option<bool>,
    /// Draws the diagonal of a square matrix grey and leaves it out of the range of the colours.
    pub hide_diagonal: bool,
    /// Sorts the labels of a part by their sum of values, greatest first; otherwise they are in the given order.
    pub strongest_first: bool,
    /// Names of the parts; by default `part 1` and so on.
    pub group_names: Vec<String>,
}

/// The name of the figure in errors.
pub const FIGURE: &str = "heatmap";
