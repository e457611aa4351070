//! The page: its inputs, and its sections in order.

use maud::{Markup, html};

use super::cams;
use super::comparison_figures::{self, Curve};
use super::graph_figures;
use super::html::{self, Section, document};
use super::settings;
use super::sheets::{self, Difference, Sheet, on};
use super::subject::{Given, Subject, subjects};
use crate::activity::console;
use crate::error::{Error, Result, counted};
use crate::graph::{Affinity, AffinityOptions, Branch, Cooccurrence, Partition};
use crate::images::Dataset;
use crate::metrics::{Evaluation, MetricOptions};
use crate::plots::{self, CamPanelOptions, HeatmapOptions, LabelGraphOptions};
use crate::runs::RunStore;
use crate::tables::{Cell, Table};

crate::options! {
    /// The options of a page.
    pub struct PageOptions {
        also("dataset", "a Dataset or a map of splits: evaluated on, drawn as a label graph, shown as pictures")
        also("partition", "a Partition or a map of names to Partitions: heat maps and tasks")
        /// the heading
        pub title: String = "Report".into();
        /// text below the first result; an empty line begins a paragraph
        pub notes: String = String::new();
        /// the name of the one that the others are compared with; () takes the one called "baseline", or else the first
        pub baseline: Option<String> = None;
        /// which splits of a map of splits to evaluate on; the pictures are from the first
        pub splits: Vec<String> = vec!["test".into()];
        /// how many pictures are shown with class activation maps, 0 to 12
        pub pictures: usize = 6;
        /// in the tables' CSV, an apostrophe before texts that a spreadsheet would take for formulas
        pub spreadsheet: bool = false;
        /// options of evaluate: #{threshold, top_k, convention, context, ...}
        pub evaluate: MetricOptions = MetricOptions::default();
    }
}

/// The data sets and partitions that a page evaluates on and shows.
#[derive(Clone, Default)]
pub struct Data {
    /// The splits to evaluate on, by name.
    pub splits: Vec<(String, Dataset)>,
    /// The split whose labels give the label graph.
    pub graph: Option<Dataset>,
    pub partitions: Vec<(String, Partition)>,
}

/// The most labels in a figure of a page.
const MOST_LABELS: usize = 400;

/// The page as HTML: one document that needs no other file and no network.
///
/// The page compares `given`. Evaluations and maps are computed on the splits of `data`; the rest is read from the run
/// store.
///
/// Errors: nothing to compare, an unknown baseline, errors of evaluating and reading runs, Interrupted.
pub fn page(store: &RunStore, given: Vec<Given>, data: &Data, options: &PageOptions) -> Result<String> {
    if options.pictures > cams::MOST_PICTURES {
        return Err(Error::argument(format!(
            "option pictures of report must be from 0 to {}; got {}",
            cams::MOST_PICTURES,
            options.pictures
        ))
        .about_option("pictures"));
    }
    let mut subjects = subjects(given)?;
    let baseline = baseline(&subjects, options.baseline.as_deref())?;
    for (split, dataset) in &data.splits {
        for subject in &mut subjects {
            subject.evaluate(store, split, dataset, &options.evaluate)?;
        }
    }
    let splits = splits_of(&subjects);
    let differences =
        splits.iter().map(|split| sheets::differences(&subjects, baseline, split)).collect::<Result<Vec<_>>>()?;
    let compared = Compared {
        subjects: &subjects,
        baseline,
        splits: &splits,
        differences: &differences,
        spreadsheet: options.spreadsheet,
    };
    let sections: Vec<Option<Section>> = vec![
        section("results", "Results", compared.results()?),
        section("configuration", "Configuration", compared.configuration()?),
        section("curves", "Learning curves", compared.curves()?),
        section("labels", "Labels", compared.labels()?),
        section("graph", "Label graph", graph(data, options.spreadsheet)?),
        section("gallery", "Activation maps", compared.gallery(data, options.pictures)?),
    ];
    let sections: Vec<Section> = sections.into_iter().flatten().collect();
    Ok(document(&options.title, &compared.head(data, &options.notes), &sections))
}

fn section(id: &'static str, title: &'static str, body: Option<Markup>) -> Option<Section> {
    body.map(|body| Section { id, title, body })
}

fn baseline(subjects: &[Subject], asked: Option<&str>) -> Result<usize> {
    match asked {
        Some(name) => subjects
            .iter()
            .position(|s| s.name == name)
            .ok_or_else(|| Error::unknown("baseline", name, subjects.iter().map(|s| s.name.as_str()))),
        None => Ok(subjects.iter().position(|s| s.name.eq_ignore_ascii_case("baseline")).unwrap_or(0)),
    }
}

/// All splits with an evaluation, in order of first appearance.
fn splits_of(subjects: &[Subject]) -> Vec<String> {
    let mut splits: Vec<String> = Vec::new();
    for (split, _) in subjects.iter().flat_map(|s| &s.evaluations) {
        if !splits.contains(split) {
            splits.push(split.clone());
        }
    }
    splits
}

/// The subjects with their evaluations.
struct Compared<'a> {
    subjects: &'a [Subject],
    baseline: usize,
    splits: &'a [String],
    /// One list per split.
    differences: &'a [Vec<Difference>],
    /// Whether the tables' CSV is guarded for spreadsheets.
    spreadsheet: bool,
}

impl Compared<'_> {
    fn name(&self, subject: usize) -> &str {
        &self.subjects[subject].name
    }

    fn head(&self, data: &Data, notes: &str) -> Markup {
        let names = self.subjects.iter().map(|s| s.name.as_str()).collect::<Vec<_>>().join(", ");
        let mut facts =
            vec![if names.chars().count() <= 60 { names } else { format!("{} compared", self.subjects.len()) }];
        if self.subjects.len() > 1 && !self.name(self.baseline).eq_ignore_ascii_case("baseline") {
            facts.push(format!("baseline: {}", self.name(self.baseline)));
        }
        if let Some((_, dataset)) = data.splits.first() {
            facts.push(dataset.name.clone());
            facts.push(counted(dataset.labels.num_labels(), "label"));
        }
        facts.extend(
            data.splits.iter().map(|(split, dataset)| format!("{split} {}", counted(dataset.len(), "picture"))),
        );
        html! {
            p.facts { @for fact in &facts { span { (fact) } } }
            @for (split, differences) in self.splits.iter().zip(self.differences) { (self.found(split, differences)) }
            div.notes { @for paragraph in notes.split("\n\n").map(str::trim).filter(|p| !p.is_empty()) { p { (paragraph) } } }
        }
    }

    /// The main result: the highest mAP, and its difference from the baseline.
    fn found(&self, split: &str, differences: &[Difference]) -> Markup {
        let all: Vec<(usize, f64)> =
            self.subjects.iter().enumerate().filter_map(|(i, s)| Some((i, s.evaluation(split)?.map))).collect();
        let Some((best, map)) = all
            .iter()
            .copied()
            .filter(|(_, map)| map.is_finite())
            .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))
        else {
            return html! {};
        };
        let apart = differences.iter().find(|d| d.subject == best);
        html! {
            p.found {
                @if all.len() == 1 { "mAP" } @else { "Highest mAP" }
                (on(split)) ": " b { (self.name(best)) " " (format!("{map:.1}")) }
                @if let Some(d) = apart {
                    ", " (format!("{:+.1}", d.mean).replace('-', "−")) " over " (self.name(self.baseline))
                    @if let Some(i) = d.interval {
                        (format!(" (95 % interval over labels {:+.1} to {:+.1})", i.low, i.high).replace('-', "−"))
                    }
                }
                "."
            }
        }
    }

    fn results(&self) -> Result<Option<Markup>> {
        let mut all = Vec::new();
        for (split, differences) in self.splits.iter().zip(self.differences) {
            let mut parts = Vec::new();
            for sheet in sheets::summary(self.subjects, split)? {
                parts.push(html::sheet(&sheet, self.spreadsheet)?);
            }
            if let Some(sheet) = sheets::means(self.subjects, split)? {
                parts.push(html::sheet(&sheet, self.spreadsheet)?);
            }
            if !differences.is_empty() {
                let sheet = sheets::difference_sheet(self.subjects, self.baseline, split, differences)?;
                parts.push(html::sheet(&sheet, self.spreadsheet)?);
            }
            if let Some(sheet) = sheets::context(self.subjects, split)? {
                parts.push(html::sheet(&sheet, self.spreadsheet)?);
            }
            all.push(html! { div.sheets { @for part in parts { (part) } } (self.remarks(split)) });
        }
        Ok(together(all))
    }

    /// The notes of the evaluations, and the labels that means leave out.
    fn remarks(&self, split: &str) -> Markup {
        let mut remarks: Vec<(String, Vec<&str>)> = Vec::new();
        let all: Vec<(&str, &Evaluation)> =
            self.subjects.iter().filter_map(|s| Some((s.name.as_str(), s.evaluation(split)?))).collect();
        for (name, evaluation) in &all {
            let left_out = format!("without a positive{}: {}", on(split), evaluation.left_out.join(", "));
            for note in evaluation.notes.iter().cloned().chain((!evaluation.left_out.is_empty()).then_some(left_out)) {
                match remarks.iter_mut().find(|(known, _)| *known == note) {
                    Some((_, names)) => names.push(name),
                    None => remarks.push((note, vec![name])),
                }
            }
        }
        html! {
            @if !remarks.is_empty() {
                ul.remarks {
                    // A note that applies to all has no names.
                    @for (note, names) in &remarks { li { @if names.len() < all.len() { (names.join(", ")) ": " } (note) "." } }
                }
            }
        }
    }

    fn configuration(&self) -> Result<Option<Markup>> {
        let mut parts = Vec::new();
        if let Some(sheet) = sheets::runs(self.subjects)? {
            parts.push(html::sheet(&sheet, self.spreadsheet)?);
        }
        let trained: Vec<&Subject> = self.subjects.iter().filter(|s| !s.runs.is_empty()).collect();
        let names: Vec<String> = trained.iter().map(|s| s.name.clone()).collect();
        let settings = trained.iter().map(|s| settings::of(&s.runs)).collect::<Result<Vec<_>>>()?;
        if !trained.is_empty() {
            let (shared, differing) = settings::tables(&names, &settings)?;
            if trained.len() > 1 {
                parts.push(match differing.height() {
                    0 => html! { p.hint { "No setting differs between the trainings." } },
                    _ => html::sheet(&Sheet::of("differing", "What differs", differing).wrapped(), self.spreadsheet)?,
                });
            }
            let (many, shared) = (
                shared.height(),
                html::sheet(
                    &Sheet::of("shared", if trained.len() > 1 { "Shared settings" } else { "Settings" }, shared)
                        .wrapped(),
                    self.spreadsheet,
                )?,
            );
            parts.push(html! { details.more { summary { (if trained.len() > 1 { format!("{many} settings that they share") } else { format!("All {many} settings") }) } (shared) } });
        }
        Ok(together(parts))
    }

    fn curves(&self) -> Result<Option<Markup>> {
        let mut drawn = Vec::new();
        for (curve, caption) in [
            (Curve::Loss, "A mean over the epoch. Losses of different kinds, and with other terms, do not compare."),
            (Curve::ValMap, "Of the averaged weights where they were evaluated."),
        ] {
            if let Some(figure) = comparison_figures::curves(self.subjects, curve)? {
                drawn.push(html::figure(&figure, false, caption));
            }
        }
        let several = self.subjects.iter().filter(|s| s.runs.len() > 1).map(|s| s.name.as_str()).collect::<Vec<_>>();
        let hint = if several.is_empty() {
            String::new()
        } else {
            format!("Without ensembles, which are several trainings: {}.", several.join(", "))
        };
        Ok(together(drawn).map(|drawn| html! { div.figures { (drawn) } @if !hint.is_empty() { p.hint { (hint) } } }))
    }

    fn labels(&self) -> Result<Option<Markup>> {
        let mut parts = Vec::new();
        for (split, differences) in self.splits.iter().zip(self.differences) {
            for d in differences {
                let caption = format!(
                    "AP of each label{}, {} minus {}.",
                    on(split),
                    self.name(d.subject),
                    self.name(self.baseline)
                );
                if let Some(figure) = comparison_figures::differences(
                    self.name(d.subject),
                    d.subject,
                    self.name(self.baseline),
                    &d.labels,
                )? {
                    parts.push(html::figure(&figure, false, &caption));
                }
            }
            if let Some(sheet) = sheets::per_label(self.subjects, self.baseline, split, differences)? {
                parts.push(html::sheet(&sheet, self.spreadsheet)?);
            }
        }
        Ok(together(parts))
    }

    /// The same pictures for every model that has class activation maps.
    fn gallery(&self, data: &Data, pictures: usize) -> Result<Option<Markup>> {
        let Some((split, dataset)) = data.splits.first().filter(|_| pictures > 0) else { return Ok(None) };
        let models: Vec<(String, _)> =
            self.subjects.iter().filter_map(|s| Some((s.name.clone(), s.predictor.clone()?))).collect();
        let names = dataset.labels.labels();
        let shared: Vec<&String> =
            names.iter().filter(|l| models.iter().all(|(_, m)| m.labels().contains(l))).collect();
        if models.is_empty() || shared.is_empty() {
            return Ok(None);
        }
        let chosen = cams::spread(&dataset.take_labels(&shared)?, pictures)?;
        let shown = cams::with_maps(&models, &chosen)?;
        if shown.is_empty() || chosen.is_empty() {
            return Ok(None);
        }
        console::log(&format!("class activation maps of {}", counted(chosen.len(), "picture")));
        let rows = cams::cam_rows(&shown, &chosen, None)?;
        let figure = plots::cam_panel(
            &rows,
            &cams::cam_columns(&shown),
            &CamPanelOptions { title: "Where each model sees a label".into(), ..Default::default() },
        )?;
        let left_out: Vec<&str> =
            models.iter().map(|(n, _)| n.as_str()).filter(|n| !shown.iter().any(|(s, _)| s == n)).collect();
        let left_out = if left_out.is_empty() {
            String::new()
        } else {
            format!(" Without activation maps, and so not here: {}.", left_out.join(", "))
        };
        let which = if shared.len() < names.len() {
            format!(", of the {} that all answer for,", shared.len())
        } else {
            String::new()
        };
        let caption = format!(
            "{} evenly spread over {split}, each with the one of its labels{which} on whose probability the models differ most.{left_out}",
            counted(chosen.len(), "picture")
        );
        Ok(Some(html::figure(&figure, true, &caption)))
    }
}

/// The label graph, and each partition with its heat map and tasks.
fn graph(data: &Data, spreadsheet: bool) -> Result<Option<Markup>> {
    let counts = match &data.graph {
        Some(dataset) => {
            let (offsets, indices) = dataset.labels.csr();
            Some(Cooccurrence::count(dataset.labels.labels(), offsets, indices)?)
        }
        None => None,
    };
    let counted = data.graph.as_ref().map_or(String::new(), |d| {
        let unknown = if d.labels.num_unknown() > 0 { "; unknown entries count as absent" } else { "" };
        format!("Counted on {} ({}{unknown}).", d.split, counted(d.len(), "picture"))
    });
    let mut parts = Vec::new();
    if let (Some(counts), true) = (&counts, data.partitions.is_empty()) {
        parts.push(graph_figures(counts, None, "", &counted)?);
    }
    for (i, (name, partition)) in data.partitions.iter().enumerate() {
        if let Some(counts) = &counts {
            parts.push(graph_figures(&counts.take_labels(partition.labels())?, Some(partition), name, &counted)?);
        }
        parts.push(html::sheet(&tasks(i, name, partition)?, spreadsheet)?);
    }
    Ok(together(parts))
}

fn graph_figures(counts: &Cooccurrence, partition: Option<&Partition>, name: &str, counted: &str) -> Result<Markup> {
    if counts.len() > MOST_LABELS {
        return Ok(
            html! { p.hint { "With " (counts.len()) " labels the label graph has no place here: figures show at most " (MOST_LABELS) "." } },
        );
    }
    let titled = |what: &str| if name.is_empty() { what.to_string() } else { format!("{what}: {name}") };
    let options = LabelGraphOptions { title: titled("Label graph"), ..Default::default() };
    let graph = html::figure(
        &graph_figures::label_graph(counts, partition, options)?,
        false,
        &format!("Discs: how often a label is; lines: how often two appear together. {counted}"),
    );
    let heat = match partition {
        Some(partition) => {
            let branch = partition.branch().unwrap_or(Branch::Co);
            let affinity = Affinity::new(counts, branch, &AffinityOptions::default())?;
            let options = HeatmapOptions {
                title: titled(&format!("Affinity, {}", branch.long_name())),
                strongest_first: true,
                ..Default::default()
            };
            html::figure(
                &graph_figures::affinity_heatmap(&affinity, Some(partition), options)?,
                false,
                "Labels in the order of their tasks.",
            )
        }
        None => {
            let options = HeatmapOptions {
                title: "How often a label appears with another".into(),
                unit: "e_ij / n_i".into(),
                hide_diagonal: true,
                ..Default::default()
            };
            html::figure(
                &graph_figures::conditional_heatmap(counts, None, options)?,
                false,
                "Row: the label that is there; column: the other.",
            )
        }
    };
    Ok(html! { (graph) (heat) })
}

/// The tasks of a partition, one row per task.
fn tasks(at: usize, name: &str, partition: &Partition) -> Result<Sheet> {
    let rows = partition
        .tasks()
        .into_iter()
        .enumerate()
        .map(|(t, labels)| vec![Cell::from(t), Cell::from(labels.len()), Cell::from(labels.join(", "))]);
    let table = Table::from_rows(&["task", "size", "labels"].map(String::from), rows.collect())?;
    let title = if name.is_empty() { "Tasks".to_string() } else { format!("Tasks: {name}") };
    let cut = partition.ncut().map_or(String::new(), |ncut| format!("Normalised cut {ncut:.4}"));
    let z = partition.z().map_or(String::new(), |z| {
        format!(", z score against random partitions of the same sizes {:.1}", z.z).replace('-', "−")
    });
    let note = if cut.is_empty() { cut } else { format!("{cut}{z}.") };
    // Tasks have the same colours as in the figures.
    Ok(Sheet::of(&format!("tasks-{at}"), &title, table).note(note).wrapped().about((0..partition.k()).collect()))
}

fn together(parts: Vec<Markup>) -> Option<Markup> {
    (!parts.is_empty()).then(|| html! { @for part in parts { (part) } })
}
