//! The tables of a page: metrics, differences from the baseline, AP per label.

use std::collections::BTreeMap;

use super::export::{Decimals, ExportOptions};
use super::subject::Subject;
use crate::error::{Result, counted};
use crate::metrics::{BootstrapOptions, DECISION_METRICS, Evaluation, Interval, mean_error, paired_bootstrap};
use crate::tables::{Cell, Table};

/// A table with its title, note and number formats.
pub struct Sheet {
    /// Its name in HTML and LaTeX, such as `per-label-test`.
    pub id: String,
    pub title: String,
    /// An explanation below the table; may be empty.
    pub note: String,
    pub table: Table,
    pub options: ExportOptions,
    /// Per row, the index of its subject, which decides its colour.
    pub subjects: Vec<Option<usize>>,
    /// Whether long text is wrapped.
    pub wrapped: bool,
}

impl Sheet {
    fn new(
        id: impl Into<String>,
        title: impl Into<String>,
        columns: &[&str],
        rows: Vec<Vec<Cell>>,
        options: ExportOptions,
    ) -> Result<Sheet> {
        let (id, title) = (id.into(), title.into());
        let columns: Vec<String> = columns.iter().map(|c| c.to_string()).collect();
        let subjects = vec![None; rows.len()];
        let table = Table::from_rows(&columns, rows)?;
        let options = ExportOptions { caption: title.clone(), label: format!("tab:{id}"), ..options };
        Ok(Sheet { id, title, note: String::new(), table, options, subjects, wrapped: false })
    }

    /// A sheet of any table; numbers have two decimals.
    pub fn of(id: &str, title: &str, table: Table) -> Sheet {
        let options = ExportOptions { caption: title.into(), label: format!("tab:{id}"), ..ExportOptions::default() };
        let subjects = vec![None; table.height()];
        Sheet { id: id.into(), title: title.into(), note: String::new(), table, options, subjects, wrapped: false }
    }

    pub fn note(self, note: impl Into<String>) -> Sheet {
        Sheet { note: note.into(), ..self }
    }

    pub fn wrapped(self) -> Sheet {
        Sheet { wrapped: true, ..self }
    }

    pub fn about(self, subjects: Vec<usize>) -> Sheet {
        Sheet { subjects: subjects.into_iter().map(Some).collect(), ..self }
    }
}

fn decimals(of: impl IntoIterator<Item = (String, u8)>) -> Decimals {
    Decimals::Each(of.into_iter().collect::<BTreeMap<_, _>>())
}

fn percents(columns: &[&str]) -> ExportOptions {
    ExportOptions {
        decimals: decimals(columns.iter().map(|c| (c.to_string(), 1))),
        bold: columns.iter().map(|c| c.to_string()).collect(),
        ..ExportOptions::default()
    }
}

/// A split as words: "on test"; empty for an evaluation that was given without a split.
pub fn on(split: &str) -> String {
    if split.is_empty() { String::new() } else { format!(" on {split}") }
}

fn id(what: &str, split: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    if split.is_empty() { what.into() } else { format!("{what}-{}", split.chars().map(plain).collect::<String>()) }
}

/// The subjects that were evaluated on `split`, with their indices.
fn evaluated<'a>(
    subjects: &'a [Subject],
    split: &'a str,
) -> impl Iterator<Item = (usize, &'a Subject, &'a Evaluation)> {
    subjects.iter().enumerate().filter_map(move |(i, s)| Some((i, s, s.evaluation(split)?)))
}

/// The metrics of every subject, and those at top k if they were computed.
pub fn summary(subjects: &[Subject], split: &str) -> Result<Vec<Sheet>> {
    // The number of labels has a column if it differs between subjects.
    let Some((_, _, first)) = evaluated(subjects, split).next() else { return Ok(vec![]) };
    let counts: Vec<usize> = evaluated(subjects, split).map(|(_, _, e)| e.labels).collect();
    let several = counts.iter().any(|n| *n != counts[0]);
    let rows = |cells: &dyn Fn(&Evaluation) -> Option<Vec<f64>>| -> (Vec<usize>, Vec<Vec<Cell>>) {
        evaluated(subjects, split)
            .filter_map(|(i, s, e)| {
                let cells = cells(e)?;
                let front = std::iter::once(Cell::from(s.name.as_str())).chain(several.then(|| Cell::from(e.labels)));
                Some((i, front.chain(cells.into_iter().map(Cell::from)).collect()))
            })
            .unzip()
    };
    let columns =
        |metrics: &[&'static str]| [if several { &["run", "labels"][..] } else { &["run"] }, metrics].concat();
    let names = names(first);
    let (about, all) = rows(&|e| Some(e.numbers().into_iter().map(|(_, number)| number).collect()));
    let sheet =
        Sheet::new(id("metrics", split), format!("Metrics{}", on(split)), &columns(&names), all, percents(&names))?;
    let note = format!(
        "In percent, over {}; convention {}, threshold {}. The best of each column is bold.",
        counted(first.images, "picture"),
        first.convention,
        first.threshold
    );
    let mut sheets = vec![sheet.note(note).about(about)];
    let names: Vec<&str> = DECISION_METRICS.iter().map(|m| m.name).collect();
    let (about, top) =
        rows(&|e| e.top.as_ref().map(|top| DECISION_METRICS.iter().map(|m| (m.of)(&top.decisions)).collect()));
    if let Some(k) = first.top.as_ref().map(|t| t.k) {
        let title = format!("Top {k}{}", on(split));
        let sheet = Sheet::new(id("top", split), title, &columns(&names), top, percents(&names))?;
        sheets.push(sheet.note(format!("The {k} highest scores of each picture count as predictions.")).about(about));
    }
    Ok(sheets)
}

fn names(evaluation: &Evaluation) -> Vec<&'static str> {
    evaluation.numbers().into_iter().map(|(name, _)| name).collect()
}

/// Mean ± standard error of the metrics over the subjects of each group.
pub fn means(subjects: &[Subject], split: &str) -> Result<Option<Sheet>> {
    let mut groups: Vec<(&str, usize, Vec<&Evaluation>)> = Vec::new();
    for (i, subject, evaluation) in evaluated(subjects, split) {
        let Some(group) = subject.group.as_deref() else { continue };
        match groups.iter_mut().find(|(name, _, _)| *name == group) {
            Some((_, _, evaluations)) => evaluations.push(evaluation),
            None => groups.push((group, i, vec![evaluation])),
        }
    }
    groups.retain(|(_, _, evaluations)| evaluations.len() > 1);
    let Some((_, _, first)) = groups.first() else { return Ok(None) };
    let names = names(first[0]);
    let rows = groups.iter().map(|(name, _, evaluations)| {
        let spread = |metric: usize| {
            let values: Vec<f64> = evaluations.iter().map(|e| e.numbers()[metric].1).collect();
            Ok(Cell::from(mean_error(&values)?.to_string()))
        };
        let spreads = (0..names.len()).map(spread).collect::<Result<Vec<_>>>()?;
        Ok([Cell::from(*name), Cell::from(evaluations.len())].into_iter().chain(spreads).collect())
    });
    let columns = [&["run", "n"][..], &names[..]].concat();
    let title = format!("Means{}", on(split));
    let sheet =
        Sheet::new(id("means", split), title, &columns, rows.collect::<Result<Vec<_>>>()?, ExportOptions::default())?;
    Ok(Some(
        sheet.note("Mean ± standard error over the n runs of one name.").about(groups.iter().map(|g| g.1).collect()),
    ))
}

/// The AP differences of one subject from the baseline, over the labels that both have.
pub struct Difference {
    pub subject: usize,
    /// `None` for fewer than two labels.
    pub interval: Option<Interval>,
    pub mean: f64,
    pub labels: Vec<(String, f64)>,
}

/// The differences of all other subjects on `split`; empty if the baseline was not evaluated or no label is shared.
pub fn differences(subjects: &[Subject], baseline: usize, split: &str) -> Result<Vec<Difference>> {
    let Some(base) = subjects[baseline].evaluation(split) else { return Ok(vec![]) };
    let others = evaluated(subjects, split).filter(|(i, _, _)| *i != baseline);
    let mut found = Vec::new();
    for (subject, _, evaluation) in others {
        let labels = ap_differences(evaluation, base);
        if labels.is_empty() {
            continue;
        }
        let values: Vec<f64> = labels.iter().map(|(_, d)| *d).collect();
        let interval = match values.len() {
            1 => None,
            n => Some(paired_bootstrap(&values, &vec![0.0; n], &BootstrapOptions::default())?),
        };
        found.push(Difference { subject, interval, mean: values.iter().sum::<f64>() / values.len() as f64, labels });
    }
    Ok(found)
}

/// AP of each label that both evaluations have, `evaluation` minus `baseline`, in the order of `baseline`.
fn ap_differences(evaluation: &Evaluation, baseline: &Evaluation) -> Vec<(String, f64)> {
    let of = |e: &Evaluation, label: &str| e.per_label.iter().find(|l| l.label == label).and_then(|l| l.ap);
    baseline.per_label.iter().filter_map(|l| Some((l.label.clone(), of(evaluation, &l.label)? - l.ap?))).collect()
}

/// The differences, one row per subject.
pub fn difference_sheet(
    subjects: &[Subject],
    baseline: usize,
    split: &str,
    differences: &[Difference],
) -> Result<Sheet> {
    let columns = ["run", "labels", "Δ mAP", "from", "to", "better", "worse"];
    let rows = differences.iter().map(|d| {
        let count = |keep: fn(f64) -> bool| Cell::from(d.labels.iter().filter(|(_, x)| keep(*x)).count());
        vec![
            Cell::from(subjects[d.subject].name.as_str()),
            Cell::from(d.labels.len()),
            Cell::from(d.mean),
            Cell::from(d.interval.map(|i| i.low)),
            Cell::from(d.interval.map(|i| i.high)),
            count(|x| x > 0.0),
            count(|x| x < 0.0),
        ]
    });
    let options = ExportOptions {
        signed: columns[2..5].iter().map(|c| c.to_string()).collect(),
        decimals: decimals(columns[2..5].iter().map(|c| (c.to_string(), 2))),
        ..ExportOptions::default()
    };
    let title = format!("Differences from {}{}", subjects[baseline].name, on(split));
    let note = "Percentage points of AP, the mean over the labels that both have. From, to: 95 % bootstrap interval over labels \
(10,000 resamples of label pairs); it shows how even the difference is over labels, not how it would fall out with other seeds. \
Better, worse: labels with a higher or lower AP.";
    let sheet = Sheet::new(id("differences", split), title, &columns, rows.collect(), options)?;
    Ok(sheet.note(note).about(differences.iter().map(|d| d.subject).collect()))
}

/// AP per label and subject, and the differences from the baseline.
pub fn per_label(
    subjects: &[Subject],
    baseline: usize,
    split: &str,
    differences: &[Difference],
) -> Result<Option<Sheet>> {
    /// With more, only the figures show the differences.
    const MOST_DIFFERENCES: usize = 4;
    let all: Vec<(usize, &Subject, &Evaluation)> = evaluated(subjects, split).collect();
    let mut labels: Vec<(&str, usize)> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for row in all.iter().flat_map(|(_, _, e)| &e.per_label) {
        if seen.insert(&row.label) {
            labels.push((&row.label, row.positives));
        }
    }
    if labels.is_empty() {
        return Ok(None);
    }
    let differences: &[Difference] = if differences.len() <= MOST_DIFFERENCES { differences } else { &[] };
    let aps: Vec<BTreeMap<&str, f64>> = all
        .iter()
        .map(|(_, _, e)| e.per_label.iter().filter_map(|l| Some((l.label.as_str(), l.ap?))).collect())
        .collect();
    let apart: Vec<BTreeMap<&str, f64>> =
        differences.iter().map(|d| d.labels.iter().map(|(l, x)| (l.as_str(), *x)).collect()).collect();
    let delta = |d: &Difference| format!("Δ {}", subjects[d.subject].name);
    let mut columns: Vec<String> = vec!["label".into(), "positives".into()];
    columns.extend(all.iter().map(|(_, s, _)| s.name.clone()));
    columns.extend(differences.iter().map(delta));
    let rows = labels.iter().map(|(label, positives)| {
        let numbers = aps.iter().chain(&apart).map(|of| Cell::from(of.get(label).copied()));
        [Cell::from(*label), Cell::from(*positives)].into_iter().chain(numbers).collect()
    });
    let options = ExportOptions {
        decimals: decimals(columns[2..].iter().map(|c| (c.clone(), 1))),
        signed: differences.iter().map(delta).collect(),
        ..ExportOptions::default()
    };
    let title = format!("AP of each label{}", on(split));
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let sheet = Sheet::new(id("per-label", split), title, &columns, rows.collect(), options)?;
    let note = if differences.is_empty() {
        String::new()
    } else {
        format!(" Δ: percentage points above {}.", subjects[baseline].name)
    };
    Ok(Some(sheet.note(format!("In percent. Positives: pictures that have the label.{note}"))))
}

/// The context probes of the subjects that have one.
pub fn context(subjects: &[Subject], split: &str) -> Result<Option<Sheet>> {
    let (about, rows): (Vec<usize>, Vec<Vec<Cell>>) = evaluated(subjects, split)
        .filter_map(|(i, s, e)| {
            let c = e.context.as_ref()?;
            Some((
                i,
                vec![s.name.as_str().into(), c.ap.into(), c.ap_alone.into(), c.gap.into(), c.gap_same_share.into()],
            ))
        })
        .unzip();
    if rows.is_empty() {
        return Ok(None);
    }
    let columns = ["run", "AP", "AP alone", "gap", "gap, same share"];
    let options = ExportOptions {
        decimals: decimals(columns[1..].iter().map(|c| (c.to_string(), 1))),
        ..ExportOptions::default()
    };
    let sheet = Sheet::new(id("context", split), format!("Context probe{}", on(split)), &columns, rows, options)?;
    let note = "AP alone: on pictures without the label's usual companions. Same share: with precision at the ordinary share of positives.";
    Ok(Some(sheet.note(note).about(about)))
}

/// The trainings of each subject, with their summaries.
pub fn runs(subjects: &[Subject]) -> Result<Option<Sheet>> {
    let (mut about, mut rows) = (Vec::new(), Vec::new());
    for (i, subject) in subjects.iter().enumerate() {
        for run in &subject.runs {
            let summary = run.summary()?;
            let weights = match summary["averaged"].as_bool() {
                Some(true) => Cell::from("averaged"),
                Some(false) => Cell::from("regular"),
                None => Cell::Null,
            };
            let whole = |key: &str| Cell::from(summary[key].as_i64());
            let text = |key: &str| summary[key].as_str().map_or(Cell::Null, Cell::from);
            about.push(i);
            rows.push(vec![
                Cell::from(subject.name.as_str()),
                Cell::from(run.id.as_str()),
                whole("labels"),
                whole("epochs"),
                whole("best_epoch"),
                weights,
                Cell::from(summary["val_mAP"].as_f64()),
                Cell::from(summary["seconds"].as_f64().map(|s| s / 60.0)),
                text("device"),
                text("cpsd"),
            ]);
        }
    }
    if rows.is_empty() {
        return Ok(None);
    }
    let columns = ["run", "id", "labels", "epochs", "best epoch", "weights", "val mAP", "minutes", "device", "cpsd"];
    let options = ExportOptions {
        decimals: decimals([("val mAP".to_string(), 1), ("minutes".to_string(), 1)]),
        ..ExportOptions::default()
    };
    let sheet = Sheet::new("runs", "Trainings", &columns, rows, options)?;
    let note = "The id names the training in the run store; the best epoch and its weights were chosen by mAP on val, unless a note names test.";
    Ok(Some(sheet.note(note).about(about)))
}
