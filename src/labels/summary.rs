//! How a label table prints: size, density, most and least frequent labels.

use std::fmt;

use super::label_table::LabelTable;
use super::statistics::Statistics;
use crate::error::plural;

/// Labels named at each end of the frequency order.
const NAMED: usize = 6;

impl fmt::Display for LabelTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = Statistics::of(self);
        let many = |n: u64, what: &str| format!("{} {}", grouped(n), plural(n as usize, what));
        writeln!(f, "LabelTable: {}, {}", many(s.images as u64, "image"), many(s.labels as u64, "label"))?;
        if s.images == 0 || s.labels == 0 {
            return Ok(());
        }
        let row = |f: &mut fmt::Formatter<'_>, name: &str, text: String| writeln!(f, "  {name:<17}{text}");
        row(f, "labels per image", format!("{:.2} (density {:.2} %)", s.cardinality, 100.0 * s.density))?;
        if s.unlabelled > 0 {
            let share = 100.0 * s.unlabelled as f64 / s.images as f64;
            row(f, "without a label", format!("{} ({share:.1} %)", many(s.unlabelled as u64, "image")))?;
        }
        if s.unknown > 0 {
            let share = 100.0 * s.unknown as f64 / (s.images as f64 * s.labels as f64);
            row(f, "unknown", format!("{} ({share:.1} %)", many(s.unknown, "entry")))?;
        }
        let mut order: Vec<usize> = (0..s.labels).collect();
        order.sort_by(|&a, &b| s.counts[b].cmp(&s.counts[a]).then_with(|| self.labels()[a].cmp(&self.labels()[b])));
        let named = |labels: &[usize]| {
            labels
                .iter()
                .map(|&l| format!("{} {}", self.labels()[l], grouped(s.counts[l])))
                .collect::<Vec<_>>()
                .join(", ")
        };
        if s.labels <= 2 * NAMED {
            return row(f, "images per label", named(&order));
        }
        row(f, "most frequent", named(&order[..NAMED]))?;
        row(f, "least frequent", named(&order[s.labels - NAMED..]))?;
        if s.absent > 0 {
            row(f, "without an image", many(s.absent as u64, "label"))?;
        }
        Ok(())
    }
}

/// 1234567 as 1,234,567.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_in_groups() {
        assert_eq!([0, 999, 1000, 82081, 1234567].map(grouped), ["0", "999", "1,000", "82,081", "1,234,567"]);
    }

    #[test]
    fn a_small_table_shows_all_its_labels() {
        let labels = ["cat", "dog", "owl"].map(String::from).to_vec();
        let images = (0..4).map(|i| i.to_string()).collect();
        let t = LabelTable::from_lists(labels, images, &[vec![0, 1], vec![1], vec![], vec![1]]).unwrap();
        let expected = "\
LabelTable: 4 images, 3 labels
  labels per image 1.00 (density 33.33 %)
  without a label  1 image (25.0 %)
  images per label dog 3, cat 1, owl 0
";
        assert_eq!(t.to_string(), expected);
        let partly = t.with_unknown(&[vec![2], vec![0, 2], vec![], vec![]]).unwrap().to_string();
        assert_eq!(partly.lines().nth(3), Some("  unknown          3 entries (25.0 %)"));
        assert_eq!(
            partly.lines().filter(|l| !l.contains("unknown")).collect::<Vec<_>>(),
            expected.lines().collect::<Vec<_>>()
        );
    }
}
