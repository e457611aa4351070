//! How a report prints: the table that a person of this field wants.

use std::fmt;

use super::context::ContextReport;
use super::evaluation::{Evaluation, LabelRow, ThresholdRow, TopRow};

/// Weakest labels shown.
const WEAKEST: usize = 5;

impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} images, {} labels; in percent, convention {}, threshold {}",
            self.images, self.labels, self.convention, self.threshold
        )?;
        let name = |name: &str, threshold: f64| format!("{name} at {threshold}");
        let several = self.conventions.len() > 1;
        let mut lines = vec![Line::new("all", Some(self.map), self.row(), Some(self.macro_f1))];
        lines.extend(self.top.as_ref().map(top_line));
        for row in &self.thresholds {
            lines.push(Line::new(format!("at {}", row.threshold), Some(self.map), row.clone(), Some(row.macro_f1)));
        }
        if several {
            for row in &self.conventions {
                lines.push(Line::new(
                    name(&row.name, row.rows.threshold),
                    Some(row.map),
                    row.rows.clone(),
                    Some(row.rows.macro_f1),
                ));
                lines.extend(row.top.as_ref().map(top_line));
            }
        }
        let width = lines.iter().map(|l| l.name.chars().count()).max().unwrap_or(0).max(5);
        write!(f, "{:width$}", "")?;
        for head in ["mAP", "CP", "CR", "CF1", "OP", "OR", "OF1"] {
            write!(f, "{head:>7}")?;
        }
        writeln!(f, "{:>10}", "macro F1")?;
        for line in &lines {
            writeln!(f, "{}", line.print(width))?;
        }
        if let Some(context) = &self.context {
            writeln!(f, "{context}")?;
        }
        write_weakest(f, &self.per_label)?;
        if !self.left_out.is_empty() {
            writeln!(f, "without a positive: {}", shortened(&self.left_out))?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}

struct Line {
    name: String,
    map: Option<f64>,
    row: ThresholdRow,
    macro_f1: Option<f64>,
}

impl Line {
    fn new(name: impl Into<String>, map: Option<f64>, row: ThresholdRow, macro_f1: Option<f64>) -> Line {
        Line { name: name.into(), map, row, macro_f1 }
    }

    fn print(&self, width: usize) -> String {
        let r = &self.row;
        let mut text = format!("{:width$}", self.name);
        text += &self.map.map_or_else(|| " ".repeat(7), |map| format!("{map:>7.1}"));
        for value in [r.cp, r.cr, r.cf1, r.op, r.or, r.of1] {
            text += &format!("{value:>7.1}");
        }
        if let Some(f1) = self.macro_f1 {
            text += &format!("{f1:>10.1}");
        }
        text
    }
}

fn top_line(top: &TopRow) -> Line {
    let row = ThresholdRow {
        threshold: 0.0,
        cp: top.cp,
        cr: top.cr,
        cf1: top.cf1,
        op: top.op,
        or: top.or,
        of1: top.of1,
        macro_f1: 0.0,
    };
    Line::new(format!("top-{}{}", top.k, if top.above_threshold { ", passing" } else { "" }), None, row, None)
}

impl Evaluation {
    fn row(&self) -> ThresholdRow {
        ThresholdRow {
            threshold: self.threshold,
            cp: self.cp,
            cr: self.cr,
            cf1: self.cf1,
            op: self.op,
            or: self.or,
            of1: self.of1,
            macro_f1: self.macro_f1,
        }
    }
}

fn write_weakest(f: &mut fmt::Formatter<'_>, labels: &[LabelRow]) -> fmt::Result {
    let mut known: Vec<(f64, &LabelRow)> = labels.iter().filter_map(|l| Some((l.ap?, l))).collect();
    if known.len() < 2 {
        return Ok(());
    }
    known.sort_by(|a, b| a.0.total_cmp(&b.0));
    let items: Vec<String> =
        known.iter().take(WEAKEST).map(|(ap, l)| format!("{} {ap:.1} ({})", l.label, l.positives)).collect();
    writeln!(f, "lowest AP (images): {}", items.join(", "))
}

/// The first dozen names, and how many more there are.
fn shortened(names: &[String]) -> String {
    match names.len() {
        0..=12 => names.join(", "),
        n => format!("{} and {} more", names[..12].join(", "), n - 12),
    }
}

impl fmt::Display for ContextReport {
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
