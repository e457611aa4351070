//! Draws a label graph: labels as discs, co-occurrence as lines, parts as colours.

use super::colours::{Colour, qualitative};
use super::figure::Figure;
use super::graph_layout::{self, Edge, Room};
use super::placement::{self, Point, Rect};
use super::svg::{Anchor, Style, Svg, Text};
use super::{text, theme, titles, validate};
use crate::error::{Error, Result};

crate::options! {
    /// How a [`label_graph`] looks.
    pub struct LabelGraphOptions {
        /// above the figure
        pub title: String = String::new();
        /// below the title
        pub subtitle: String = String::new();
        /// pixels; () fits the content
        pub width: Option<f64> = None;
        /// pixels; () fits the content
        pub height: Option<f64> = None;
        /// strongest lines that each label keeps
        pub edges: usize = 3;
        /// weaker lines are left out
        pub min_weight: f64 = 0.0;
        /// decides the layout
        pub seed: u64 = 0;
        /// names of the tasks
        pub group_names: Vec<String> = Vec::new();
    }
}

const FIGURE: &str = "label_graph";
const MOST_LABELS: usize = 1000;
/// With more labels than this, names that would cover others are left out.
const ALL_NAMED: usize = 120;

/// Draws labels as discs (area by `sizes`, n_i ≥ 0), edges by `weights` (n × n row by row; the mean of both directions;
/// 0 or less is no edge), colours by `groups` (the part of each label).
///
/// Each label's `edges` strongest edges are drawn, wider and darker with their weight. Parts are kept together; the
/// seed decides the rest of the layout.
///
/// Errors: Argument for lengths that disagree, more than 1,000 labels, weights or sizes that are not finite.
pub fn label_graph(
    labels: &[String],
    weights: &[f64],
    sizes: &[f64],
    groups: Option<&[usize]>,
    options: &LabelGraphOptions,
) -> Result<Figure> {
    let n = labels.len();
    validate::count(FIGURE, "label", n, MOST_LABELS)?;
    validate::length(FIGURE, "weights", weights.len(), n * n, &format!("{n} × {n} labels"))?;
    validate::length(FIGURE, "sizes", sizes.len(), n, "one per label")?;
    if let Some(at) = weights.iter().position(|w| !w.is_finite()) {
        let (from, to) = (&labels[at / n], &labels[at % n]);
        let what = format!("{FIGURE} needs finite weights; that from \"{from}\" to \"{to}\" is {}", weights[at]);
        return Err(Error::argument(what));
    }
    if let Some(i) = sizes.iter().position(|s| !(s.is_finite() && *s >= 0.0)) {
        let what = format!("{FIGURE} needs sizes of 0 or more; that of \"{}\" is {}", labels[i], sizes[i]);
        return Err(Error::argument(what));
    }
    let parts = match groups {
        Some(groups) => validate::parts(FIGURE, groups, n)?,
        None => vec![(0..n).collect()],
    };
    let names = validate::part_names(FIGURE, &options.group_names, parts.len())?;
    let mut part_of = vec![0; n];
    for (p, part) in parts.iter().enumerate() {
        part.iter().for_each(|i| part_of[*i] = p);
    }

    let growth = (n as f64 / 80.0).sqrt().clamp(0.55, 2.5);
    let width = validate::size(FIGURE, "width", options.width, (1150.0 * growth).max(520.0))?;
    let height = validate::size(FIGURE, "height", options.height, (860.0 * growth).max(420.0))?;
    let edges = strongest(weights, n, options);
    let notes = notes(&edges, options, sizes);
    let legend = Legend::new(&names, &parts, groups.is_some() && parts.len() <= 40, width);
    let top = titles::header_height(&options.title, &options.subtitle, width) + legend.height;
    let bottom = theme::MARGIN + titles::notes_height(&notes, width);
    let field = Rect {
        x: theme::MARGIN,
        y: top + 6.0,
        width: width - 2.0 * theme::MARGIN,
        height: height - top - 6.0 - bottom,
    };
    if field.height < 60.0 {
        return Err(Error::argument(format!("{FIGURE} has no room below its title; give a greater height")));
    }
    // Discs and letters scale with the figure.
    let room = (field.width * field.height / n as f64).sqrt();
    let font = (room * 0.12).clamp(6.0, 11.0);
    let labels: Vec<String> = labels.iter().map(|l| text::fit(l, font, false, 16.0 * font)).collect();
    let most = sizes.iter().fold(0.0f64, |m, s| m.max(*s));
    let radius = |i: usize| match most > 0.0 {
        true => 2.5 + (room * 0.26).min(26.0) * (sizes[i] / most).sqrt(),
        false => (room * 0.08).min(7.0),
    };
    let rooms: Vec<Room> = (0..n)
        .map(|i| {
            let (r, w) = (radius(i), text::width(&labels[i], font, false));
            let side = (w / 2.0).max(r) + 2.0;
            Room { left: side, right: side, up: r + 2.0, down: r + font * 1.15 + 3.0 }
        })
        .collect();
    let at: Vec<(f64, f64)> = graph_layout::place(&edges, &part_of, &rooms, (field.width, field.height), options.seed)?
        .into_iter()
        .map(|(x, y)| (field.x + x, field.y + y))
        .collect();

    let mut svg = Svg::new(width, height);
    let below = titles::header(&mut svg, &options.title, &options.subtitle, width);
    legend.draw(&mut svg, below);
    if groups.is_some() && parts.len() > 1 {
        draw_regions(&mut svg, &parts, &at, (room * 0.3).min(30.0));
    }
    let colour = |i: usize| if groups.is_some() { qualitative(part_of[i]) } else { qualitative(0) };
    draw_edges(&mut svg, &edges, &at, &part_of, colour);
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|a, b| sizes[*b].total_cmp(&sizes[*a]).then(a.cmp(b)));
    for i in &order {
        svg.circle(at[*i].0, at[*i].1, radius(*i), Style::fill(colour(*i)).outlined(theme::PAPER, 1.2));
    }
    // A disc that is large enough holds its name.
    let (inside, beside): (Vec<usize>, Vec<usize>) =
        order.iter().partition(|&&i| text::width(&labels[i], font, false) < 1.6 * radius(i) && radius(i) > 1.2 * font);
    for i in inside {
        let ink = if colour(i).lightness() < 0.7 { theme::PAPER } else { theme::INK };
        svg.text(at[i].0, at[i].1, Text::new(&labels[i], font).colour(ink).anchor(Anchor::Middle).centred());
    }
    let order = beside;
    let points: Vec<Point> =
        order.iter().map(|&i| Point { x: at[i].0, y: at[i].1, radius: radius(i), name: &labels[i], font }).collect();
    for (i, rect) in order.iter().zip(placement::labels(&points, field, n <= ALL_NAMED)) {
        if let Some(r) = rect {
            let ink = colour(*i).as_ink().mix(theme::INK, 0.45);
            let text = Text::new(&labels[*i], font).colour(ink).anchor(Anchor::Middle).halo(3.0).centred();
            svg.text(r.x + r.width / 2.0, r.y + r.height / 2.0, text);
        }
    }
    titles::notes(&mut svg, &notes, height - bottom, width);
    Ok(svg.finish(if options.title.is_empty() { "label graph" } else { &options.title }))
}

/// Each label's strongest edges, weakest first, with weights scaled so that the strongest is 1.
fn strongest(weights: &[f64], n: usize, options: &LabelGraphOptions) -> Vec<Edge> {
    let weight = |i: usize, j: usize| weights[i * n + j] / 2.0 + weights[j * n + i] / 2.0;
    let mut kept: Vec<(usize, usize)> = Vec::new();
    for i in 0..n {
        let mut others: Vec<usize> =
            (0..n).filter(|&j| j != i && weight(i, j) > 0.0 && weight(i, j) >= options.min_weight).collect();
        others.sort_by(|a, b| weight(i, *b).total_cmp(&weight(i, *a)).then(a.cmp(b)));
        kept.extend(others.iter().take(options.edges).map(|&j| (i.min(j), i.max(j))));
    }
    kept.sort_unstable();
    kept.dedup();
    let most = kept.iter().map(|(i, j)| weight(*i, *j)).fold(0.0f64, f64::max);
    let mut edges: Vec<Edge> =
        kept.into_iter().map(|(from, to)| Edge { from, to, weight: weight(from, to) / most }).collect();
    edges.sort_by(|a, b| a.weight.total_cmp(&b.weight).then((a.from, a.to).cmp(&(b.from, b.to))));
    edges
}

fn draw_edges(svg: &mut Svg, edges: &[Edge], at: &[(f64, f64)], part_of: &[usize], colour: impl Fn(usize) -> Colour) {
    // Edges between parts first, in grey, so that edges within parts are on top.
    for within in [false, true] {
        for e in edges.iter().filter(|e| (part_of[e.from] == part_of[e.to]) == within) {
            let (ink, opacity) = match within {
                true => (colour(e.from), 0.25 + 0.55 * e.weight),
                false => (theme::AXIS, 0.2 + 0.5 * e.weight),
            };
            svg.line(at[e.from], at[e.to], Style::stroke(ink, 0.5 + 4.0 * e.weight * e.weight).opacity(opacity));
        }
    }
}

/// Draws a tinted region around the vertices of each part, with a margin of `air` px.
fn draw_regions(svg: &mut Svg, parts: &[Vec<usize>], at: &[(f64, f64)], air: f64) {
    for (p, part) in parts.iter().enumerate() {
        let hull = hull(part.iter().map(|i| at[*i]).collect());
        let tint = theme::PAPER.mix(qualitative(p), 0.5);
        // The wide outline rounds the corners; opacity applies once to outline and inside.
        svg.polygon(&hull, Style::fill(tint).outlined(tint, 2.0 * air).opacity(0.2));
    }
}

/// The convex hull (Andrew's monotone chain, 1979).
fn hull(mut points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut hull: Vec<(f64, f64)> = Vec::new();
    let left_turn =
        |a: (f64, f64), b: (f64, f64), c: (f64, f64)| (b.0 - a.0) * (c.1 - a.1) - (b.1 - a.1) * (c.0 - a.0) > 0.0;
    for half in [points.clone(), points.into_iter().rev().collect()] {
        let start = hull.len();
        for p in half {
            while hull.len() >= start + 2 && !left_turn(hull[hull.len() - 2], hull[hull.len() - 1], p) {
                hull.pop();
            }
            hull.push(p);
        }
    }
    hull
}

fn notes(edges: &[Edge], options: &LabelGraphOptions, sizes: &[f64]) -> String {
    let mut notes = Vec::new();
    if !edges.is_empty() {
        let each = match options.edges {
            1 => "strongest edge".to_string(),
            k => format!("{k} strongest edges"),
        };
        notes.push(format!("Each label's {each}; width and colour by weight."));
    }
    if sizes.iter().any(|s| *s != sizes[0]) {
        notes.push("Discs by count.".to_string());
    }
    notes.join(" ")
}

/// The names of the parts in their colours, below the title, in as many lines as they need.
struct Legend {
    entries: Vec<(f64, f64, String)>,
    height: f64,
}

impl Legend {
    fn new(names: &[String], parts: &[Vec<usize>], shown: bool, width: f64) -> Self {
        let (mut x, mut y) = (theme::MARGIN, 0.0);
        let mut entries = Vec::new();
        if !shown {
            return Legend { entries, height: 0.0 };
        }
        for (name, part) in names.iter().zip(parts) {
            let entry = format!("{name} ({})", part.len());
            let wide = 16.0 + text::width(&entry, theme::LABEL, true) + 16.0;
            if x + wide > width - theme::MARGIN && x > theme::MARGIN {
                (x, y) = (theme::MARGIN, y + theme::LABEL * 1.6);
            }
            entries.push((x, y, entry));
            x += wide;
        }
        Legend { entries, height: y + theme::LABEL * 1.6 + 8.0 }
    }

    fn draw(&self, svg: &mut Svg, top: f64) {
        for (p, (x, y, entry)) in self.entries.iter().enumerate() {
            let y = top + y + theme::LABEL * 0.6;
            svg.circle(x + 5.0, y, 5.0, Style::fill(qualitative(p)));
            svg.text(x + 15.0, y, Text::new(entry, theme::LABEL).colour(qualitative(p).as_ink()).bold().centred());
        }
    }
}
