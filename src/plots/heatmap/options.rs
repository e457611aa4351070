//! The options of a heat map.

use crate::plots::colours::Ramp;

crate::options! {
    /// How a [`heatmap()`](super::heatmap()) looks.
    pub struct HeatmapOptions {
        /// above the figure
        pub title: String = String::new();
        /// below the title
        pub subtitle: String = String::new();
        /// pixels; () fits the content
        pub width: Option<f64> = None;
        /// pixels; () fits the content
        pub height: Option<f64> = None;
        /// colours by logarithm
        pub log: bool = false;
        /// value of the first colour; () is the least
        pub vmin: Option<f64> = None;
        /// value of the last colour; () is the greatest
        pub vmax: Option<f64> = None;
        /// the ramp's name; () chooses one
        pub colours: Option<Ramp> = None;
        /// beside the colour bar
        pub unit: String = String::new();
        /// write values into cells; () does where they fit
        pub cell_text: Option<bool> = None;
        /// leave the diagonal out of the colours
        pub hide_diagonal: bool = false;
        /// labels of one task in order of their weight
        pub strongest_first: bool = false;
        /// names of the tasks
        pub group_names: Vec<String> = Vec::new();
    }
}

/// The name of the figure in errors.
pub const FIGURE: &str = "heatmap";
