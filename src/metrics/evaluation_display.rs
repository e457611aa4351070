//! The text of an evaluation: the table that papers of this field print.

use std::fmt;

use super::context_probe::ContextProbe;
use super::decision_metrics::{DECISION_METRICS, DecisionMetrics};
use super::evaluation::{Evaluation, LabelRow, ThresholdRow, TopRow};
use crate::error::counted;

/// How many of the weakest labels are shown.
const WEAKEST: usize = 5;
/// The last column.
const MACRO_F1: &str = "macro F1";

impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.heading())?;
        let lines = self.lines();
        let width = lines.iter().map(|l| l.name.chars().count()).max().unwrap_or(0).max(5);
        write!(f, "{:width$}", "")?;
        for (name, _) in self.numbers() {
            write!(f, "{name:>7}")?;
        }
        writeln!(f, "{:>10}", MACRO_F1)?;
        for line in &lines {
            writeln!(f, "{}", line.print(width))?;
        }
        f.write_str(&self.remarks())
    }
}

impl Evaluation {
    /// Of what the numbers are.
    pub fn heading(&self) -> String {
        format!(
            "{}, {}; in percent, convention {}, threshold {}",
            counted(self.images, "image"),
            counted(self.labels, "label"),
            self.convention,
            self.threshold
        )
    }

    /// The names of the columns of [`Evaluation::lines`].
    pub fn columns(&self) -> Vec<&'static str> {
        self.numbers().into_iter().map(|(name, _)| name).chain([MACRO_F1]).collect()
    }

    /// The table's lines: the whole, the top k, and one per further threshold and convention.
    pub fn lines(&self) -> Vec<Line> {
        let mut lines = vec![Line {
            name: "all".into(),
            map: Some(self.map),
            decisions: self.decisions,
            macro_f1: Some(self.macro_f1),
        }];
        lines.extend(self.top.as_ref().map(top_line));
        for row in &self.thresholds {
            lines.push(threshold_line(format!("at {}", row.threshold), self.map, row));
        }
        if self.conventions.len() > 1 {
            for row in &self.conventions {
                lines.push(threshold_line(format!("{} at {}", row.name, row.rows.threshold), row.map, &row.rows));
                lines.extend(row.top.as_ref().map(top_line));
            }
        }
        lines
    }

    /// What stands below the table, each in a line.
    pub fn remarks(&self) -> String {
        let context = self.context.as_ref().map(|context| context.to_string());
        let left_out =
            (!self.left_out.is_empty()).then(|| format!("without a positive: {}", shortened(&self.left_out)));
        let notes = self.notes.iter().map(|note| format!("note: {note}"));
        let all = context.into_iter().chain(weakest(&self.per_label)).chain(left_out).chain(notes);
        all.map(|remark| remark + "\n").collect()
    }
}

/// A line of an evaluation's table.
pub struct Line {
    /// What the numbers are of.
    pub name: String,
    map: Option<f64>,
    decisions: DecisionMetrics,
    macro_f1: Option<f64>,
}

impl Line {
    /// In the order of [`Evaluation::columns`]; None where there is no such number.
    pub fn numbers(&self) -> Vec<Option<f64>> {
        let decisions = DECISION_METRICS.iter().map(|metric| Some((metric.of)(&self.decisions)));
        std::iter::once(self.map).chain(decisions).chain([self.macro_f1]).collect()
    }

    fn print(&self, width: usize) -> String {
        let mut text = format!("{:width$}", self.name);
        text += &self.map.map_or_else(|| " ".repeat(7), |map| format!("{map:>7.1}"));
        for metric in DECISION_METRICS {
            text += &format!("{:>7.1}", (metric.of)(&self.decisions));
        }
        if let Some(f1) = self.macro_f1 {
            text += &format!("{f1:>10.1}");
        }
        text
    }
}

fn threshold_line(name: String, map: f64, row: &ThresholdRow) -> Line {
    Line { name, map: Some(map), decisions: row.decisions, macro_f1: Some(row.macro_f1) }
}

fn top_line(top: &TopRow) -> Line {
    let name = format!("top-{}{}", top.k, if top.above_threshold { ", passing" } else { "" });
    Line { name, map: None, decisions: top.decisions, macro_f1: None }
}

fn weakest(labels: &[LabelRow]) -> Option<String> {
    let mut known: Vec<(f64, &LabelRow)> = labels.iter().filter_map(|l| Some((l.ap?, l))).collect();
    if known.len() < 2 {
        return None;
    }
    known.sort_by(|a, b| a.0.total_cmp(&b.0));
    let items: Vec<String> =
        known.iter().take(WEAKEST).map(|(ap, l)| format!("{} {ap:.1} ({})", l.label, l.positives)).collect();
    Some(format!("lowest AP (images): {}", items.join(", ")))
}

/// The first twelve names, and the number of the others.
fn shortened(names: &[String]) -> String {
    match names.len() {
        0..=12 => names.join(", "),
        n => format!("{} and {} more", names[..12].join(", "), n - 12),
    }
}

impl fmt::Display for ContextProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "context: AP {:.1}, {:.1} where the label's {} usual companions (of the {}) are absent: gap {:.1}, {:.1} at the same share of positives",
            self.ap, self.ap_alone, self.companions, self.source, self.gap, self.gap_same_share
        )?;
        if let (Some(with), Some(without)) = (self.false_positives_with, self.false_positives_without) {
            write!(f, "; false positives in {with:.1} % of pictures with only companions, in {without:.1} % without")?;
        }
        let mut gaps: Vec<(f64, &str)> =
            self.per_label.iter().filter_map(|r| Some((r.gap_same_share?, r.label.as_str()))).collect();
        gaps.sort_by(|a, b| b.0.total_cmp(&a.0));
        let items: Vec<String> = gaps.iter().take(WEAKEST).map(|(gap, label)| format!("{label} {gap:.1}")).collect();
        write!(f, "\nlargest gaps at the same share: {}", items.join(", "))
    }
}
