//! Histograms: how many values, or which density of them, lie in each of some bins.

use std::fmt;

use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::axes::{self, Frame, Limits};
use super::colours::qualitative;
use super::figure::Figure;
use super::legend::Legend;
use super::statistics;
use super::svg::{Style, Svg};
use super::{theme, titles, validate};
use crate::error::{Error, Result};
use crate::tables::{Cell, Table};

/// Values with a name: one of several that a figure compares.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    pub name: String,
    pub values: Vec<f64>,
}

/// Which bins a [`histogram`] has.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Bins {
    /// As many as numpy's `"auto"` finds for all values together.
    #[default]
    Auto,
    /// So many of equal width.
    Count(usize),
    /// Between these edges, ascending; the last bin includes its upper edge.
    Edges(Vec<f64>),
}

crate::options! {
    /// How a [`histogram`] looks.
    pub struct HistogramOptions {
        /// above the figure
        pub title: String = String::new();
        /// below the title
        pub subtitle: String = String::new();
        /// pixels
        pub width: Option<f64> = None;
        /// pixels
        pub height: Option<f64> = None;
        /// under the horizontal axis
        pub x_label: String = String::new();
        /// above the vertical axis; () is "count" or "density"
        pub y_label: Option<String> = None;
        /// "auto" as in numpy, a number of bins, or an array of their edges
        pub bins: Bins = Bins::Auto;
        /// heights by which the area of each series is 1
        pub density: bool = false;
        /// the series on top of each other
        pub stacked: bool = false;
        /// logarithmic vertical axis
        pub log_y: bool = false;
        /// values below are left out
        pub x_min: Option<f64> = None;
        /// values above are left out
        pub x_max: Option<f64> = None;
        /// where the vertical axis begins; () is 0
        pub y_min: Option<f64> = None;
        /// where it ends; () fits the data
        pub y_max: Option<f64> = None;
    }
}

const FIGURE: &str = "histogram";
const MOST_SERIES: usize = 20;
const MOST_BINS: usize = 10_000;

/// Draws how the values of each sample are distributed over common bins. The figure's table has a row per sample and bin.
///
/// Bins are numpy's: closed below and open above, the last one closed. Values that are not finite are left out, as those
/// outside the bins are, and a note counts them.
///
/// Errors: Argument for no finite value, more than 20 samples or 10,000 bins, edges that do not ascend, stacked
/// densities, limits the wrong way round.
pub fn histogram(samples: &[Sample], options: &HistogramOptions) -> Result<Figure> {
    validate::count(FIGURE, "series", samples.len(), MOST_SERIES)?;
    match () {
        () if options.stacked && options.density => {
            return Err(Error::argument(format!("{FIGURE} cannot stack densities; leave out stacked or density")));
        }
        () if options.stacked && options.log_y => {
            return Err(Error::argument(format!(
                "{FIGURE} cannot stack on a logarithmic axis; leave out stacked or log_y"
            )));
        }
        () => {}
    }
    let edges = edges(samples, options)?;
    let bins = edges.len() - 1;
    let counts: Vec<Vec<u64>> = samples.iter().map(|s| statistics::count(&s.values, &edges)).collect();
    let heights: Vec<Vec<f64>> = counts.iter().map(|counts| heights(counts, &edges, options.density)).collect();
    // The lower and upper end of each bar.
    let mut pieces: Vec<Vec<(f64, f64)>> = Vec::with_capacity(samples.len());
    for heights in &heights {
        let below: Vec<f64> = match pieces.last().filter(|_| options.stacked) {
            Some(last) => last.iter().map(|p| p.1).collect(),
            None => vec![0.0; bins],
        };
        pieces.push(below.iter().zip(heights).map(|(b, h)| (*b, b + h)).collect());
    }
    let tops = pieces.iter().flatten().map(|p| p.1).filter(|top| *top > 0.0);
    let (least, most) = validate::range(FIGURE, "values within its bins", tops)?;
    let limits =
        Limits { figure: FIGURE, name: 'y', min: options.y_min, max: options.y_max, log: options.log_y, air: true };
    let y_axis = match options.log_y {
        // The lowest bars are visible, and a decade at least is.
        true => {
            let below = (least * 0.7).min(most / 10.0);
            Limits { min: options.y_min.or(Some(below)), ..limits }.axis((below, most))?
        }
        false => limits.axis((0.0, most * 1.03))?,
    };
    let x_axis = axes::Axis::exact(edges[0], edges[bins]);

    let width = validate::size(FIGURE, "width", options.width, 640.0)?;
    let height = validate::size(FIGURE, "height", options.height, 400.0)?;
    let names: Vec<&str> = samples.iter().map(|s| s.name.as_str()).collect();
    let legend = Legend::new(&names, width, 0);
    let header = titles::header_height(&options.title, &options.subtitle, width);
    let top = header + legend.height + 24.0;
    let notes = notes(samples, &counts);
    let y_ticks = y_axis.ticks(((height / 65.0) as usize).clamp(3, 8));
    let left = axes::room_left(&y_ticks);
    let bottom = axes::room_below(&options.x_label) + titles::notes_height(&notes, width) + 8.0;
    let frame = Frame {
        left,
        top,
        width: width - left - theme::MARGIN - 6.0,
        height: height - top - bottom,
        x: x_axis,
        y: y_axis,
    };
    if frame.width < 40.0 || frame.height < 30.0 {
        let error = Error::argument(format!("{FIGURE} has no room beside its labels at {width} × {height} px"));
        return Err(error.with_help("give a greater width or height"));
    }
    let mut svg = Svg::new(width, height);
    let y_legend = titles::header(&mut svg, &options.title, &options.subtitle, width);
    legend.draw(&mut svg, y_legend);
    let usual = if options.density { "density" } else { "count" };
    frame.draw_y(&mut svg, &y_ticks, options.y_label.as_deref().unwrap_or(usual));
    let overlaid = samples.len() > 1 && !options.stacked;
    for (s, pieces) in pieces.iter().enumerate() {
        draw(&mut svg, &frame, &edges, pieces, s, overlaid);
    }
    frame.draw_x(&mut svg, &x_axis.ticks((width / 90.0) as usize), &options.x_label);
    titles::notes(&mut svg, &notes, height - titles::notes_height(&notes, width) - 8.0, width);
    let figure = svg.finish(if options.title.is_empty() { FIGURE } else { &options.title });
    Ok(figure.with_table(table(samples, &edges, &counts, &heights, options.density)?))
}

fn edges(samples: &[Sample], options: &HistogramOptions) -> Result<Vec<f64>> {
    if let Bins::Edges(edges) = &options.bins {
        if options.x_min.is_some() || options.x_max.is_some() {
            return Err(Error::argument(format!("the edges of {FIGURE} are its limits; leave out x_min and x_max")));
        }
        if edges.len() < 2 || edges.iter().any(|e| !e.is_finite()) || edges.windows(2).any(|e| e[0] >= e[1]) {
            return Err(Error::argument(format!(
                "the edges of the bins of {FIGURE} must be two or more finite numbers in ascending order"
            ))
            .about_option("bins"));
        }
        validate::count(FIGURE, "bins", edges.len() - 1, MOST_BINS)?;
        return Ok(edges.clone());
    }
    let within = |v: &f64| {
        v.is_finite() && options.x_min.is_none_or(|min| *v >= min) && options.x_max.is_none_or(|max| *v <= max)
    };
    let all: Vec<f64> = samples.iter().flat_map(|s| &s.values).copied().filter(within).collect();
    let range = validate::range(FIGURE, "values", all.iter().copied())?;
    let (lo, hi) = (options.x_min.unwrap_or(range.0), options.x_max.unwrap_or(range.1));
    if !(lo <= hi && lo.is_finite() && hi.is_finite()) {
        return Err(Error::argument(format!("the x_min of {FIGURE} must be below its x_max; got {lo} and {hi}")));
    }
    // One value alone is in the middle of bins that are 1 wide in all, as in numpy.
    let (lo, hi) = if lo == hi { (lo - 0.5, hi + 0.5) } else { (lo, hi) };
    let count = match options.bins {
        Bins::Count(count) => count,
        _ => statistics::auto_bins(&all, lo, hi).min(MOST_BINS),
    };
    if !(1..=MOST_BINS).contains(&count) {
        return Err(Error::argument(format!("the bins of {FIGURE} must be from 1 to {MOST_BINS}; got {count}"))
            .about_option("bins"));
    }
    let edges = statistics::linspace(lo, hi, count + 1);
    if edges.windows(2).any(|e| e[0] >= e[1]) {
        return Err(Error::argument(format!(
            "{FIGURE} cannot divide the range from {lo} to {hi} into {count} bins: the numbers are too close"
        ))
        .with_help("give fewer bins, or subtract a constant from the values"));
    }
    Ok(edges)
}

fn heights(counts: &[u64], edges: &[f64], density: bool) -> Vec<f64> {
    let total = counts.iter().sum::<u64>() as f64;
    let of = |(count, edges): (&u64, &[f64])| match density {
        true if total > 0.0 => *count as f64 / (edges[1] - edges[0]) / total,
        _ => *count as f64,
    };
    counts.iter().zip(edges.windows(2)).map(of).collect()
}

fn draw(svg: &mut Svg, frame: &Frame, edges: &[f64], pieces: &[(f64, f64)], index: usize, overlaid: bool) {
    let colour = qualitative(index);
    let px = |v: f64| {
        let y = frame.at(0.0, v).1;
        if y.is_nan() { frame.bottom() } else { y.clamp(frame.top, frame.bottom()) }
    };
    let x = |edge: f64| frame.at(edge, 0.0).0;
    let gap = if overlaid || frame.width / pieces.len() as f64 <= 4.0 { 0.0 } else { 0.5 };
    svg.crisp(|svg| {
        for (edges, (base, end)) in edges.windows(2).zip(pieces).filter(|(_, p)| p.1 > p.0) {
            let (left, right) = (x(edges[0]) + gap, x(edges[1]) - gap);
            let style = Style::fill(colour);
            let style = if overlaid { style.opacity(0.35) } else { style };
            svg.rect(left, px(*end), right - left, px(*base) - px(*end), style);
        }
    });
    if overlaid {
        // The outline tells series apart where they cover each other.
        let mut outline = vec![(x(edges[0]), frame.bottom())];
        for (edges, (_, end)) in edges.windows(2).zip(pieces) {
            outline.extend([(x(edges[0]), px(*end)), (x(edges[1]), px(*end))]);
        }
        outline.push((x(edges[edges.len() - 1]), frame.bottom()));
        svg.polyline(&outline, Style::stroke(colour, 1.5));
    }
}

fn notes(samples: &[Sample], counts: &[Vec<u64>]) -> String {
    let values = samples.iter().flat_map(|s| &s.values);
    let (all, finite) = values.fold((0, 0), |(all, finite), v| (all + 1, finite + usize::from(v.is_finite())));
    let counted = counts.iter().flatten().sum::<u64>() as usize;
    let said = |n: usize, one: &str, many: &str| match n {
        0 => None,
        1 => Some(format!("1 value {one}.")),
        n => Some(format!("{n} values {many}.")),
    };
    let missing = said(all - finite, "is missing or not finite", "are missing or not finite");
    let outside = said(finite - counted, "lies outside the bins", "lie outside the bins");
    missing.into_iter().chain(outside).collect::<Vec<_>>().join(" ")
}

fn table(samples: &[Sample], edges: &[f64], counts: &[Vec<u64>], heights: &[Vec<f64>], density: bool) -> Result<Table> {
    let mut rows = Vec::new();
    for ((sample, counts), heights) in samples.iter().zip(counts).zip(heights) {
        for ((edges, count), height) in edges.windows(2).zip(counts).zip(heights) {
            let mut row = vec![Cell::Text(sample.name.clone()), Cell::Float(edges[0]), Cell::Float(edges[1])];
            row.push(Cell::Int(*count as i64));
            row.extend(density.then_some(Cell::Float(*height)));
            rows.push(row);
        }
    }
    let columns = ["series", "from", "to", "count", "density"];
    let columns = if density { &columns[..] } else { &columns[..4] };
    Table::from_rows(&columns.iter().map(|c| c.to_string()).collect::<Vec<_>>(), rows)
}

impl Serialize for Bins {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Bins::Auto => to.serialize_str("auto"),
            Bins::Count(count) => to.serialize_u64(*count as u64),
            Bins::Edges(edges) => edges.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Bins {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        from.deserialize_any(ReadBins)
    }
}

struct ReadBins;

impl<'de> Visitor<'de> for ReadBins {
    type Value = Bins;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("\"auto\", a number of bins or an array of their edges")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> std::result::Result<Bins, E> {
        match name {
            "auto" => Ok(Bins::Auto),
            name => Err(E::invalid_value(de::Unexpected::Str(name), &self)),
        }
    }

    fn visit_u64<E: de::Error>(self, count: u64) -> std::result::Result<Bins, E> {
        Ok(Bins::Count(usize::try_from(count).unwrap_or(usize::MAX)))
    }

    fn visit_i64<E: de::Error>(self, count: i64) -> std::result::Result<Bins, E> {
        let count = usize::try_from(count).map_err(|_| E::invalid_value(de::Unexpected::Signed(count), &self))?;
        Ok(Bins::Count(count))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<Bins, A::Error> {
        let mut edges = Vec::new();
        while let Some(edge) = seq.next_element::<f64>()? {
            edges.push(edge);
        }
        Ok(Bins::Edges(edges))
    }
}
