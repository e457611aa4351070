//! Whether the epochs of a training show that it has overfitted.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::activity::console;

/// So many evaluations must there be, for one epoch's chance not to be taken for a course.
const EVALUATIONS: usize = 4;
/// So much of the loss at the best epoch must be left or less at the end: it falls on.
const FALLS: f64 = 0.9;
/// So many points of mAP must be lost since the best epoch.
const LOST: f64 = 0.5;

/// A course that shows overfitting: the mAP on the validation split was best in the first half and is lower at the end, while the loss on
/// the training pictures fell on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overfitted {
    pub best_epoch: u64,
    pub last_epoch: u64,
    /// mAP on the validation split at the best epoch and at the last, in percent.
    pub val: (f64, f64),
    /// Loss on the training pictures at these.
    pub loss: (f64, f64),
}

/// Judges the epochs of a training, the lines of its `metrics.jsonl`; None if they do not show it.
pub fn overfitted(epochs: &[Value]) -> Option<Overfitted> {
    // Of the weights and of their average, the better.
    let map = |line: &Value| {
        let both = ["val_mAP", "val_mAP_ema"].map(|key| line[key].as_f64());
        both.into_iter().flatten().filter(|map| map.is_finite()).reduce(f64::max)
    };
    let points: Vec<(u64, f64, f64)> =
        epochs.iter().filter_map(|line| Some((line["epoch"].as_u64()?, map(line)?, line["loss"].as_f64()?))).collect();
    let &(last_epoch, last, last_loss) = points.last().filter(|_| points.len() >= EVALUATIONS)?;
    let &(best_epoch, best, loss) = points.iter().reduce(|best, point| if point.1 > best.1 { point } else { best })?;
    let shows = 2 * best_epoch <= last_epoch && last_loss < FALLS * loss && last <= best - LOST;
    shows.then_some(Overfitted { best_epoch, last_epoch, val: (best, last), loss: (loss, last_loss) })
}

impl Overfitted {
    /// What happened, as one sentence.
    pub fn in_words(&self) -> String {
        let Overfitted { best_epoch, last_epoch, val: (best, last), loss: (then, now) } = self;
        format!(
            "it overfits: mAP on val was {best:.1} at epoch {best_epoch} of {last_epoch} and {last:.1} at the end, while the loss fell from \
             {then:.3} to {now:.3}"
        )
    }

    /// What to try, as one sentence.
    pub fn to_try(&self) -> String {
        format!(
            "to try where a training overfits, judged on val (library advise): epochs: {}, dropout or weight_decay, stronger augment, fewer trained stages or \
             a narrower head (said once)",
            (self.best_epoch + self.best_epoch / 3).max(self.best_epoch + 1)
        )
    }

    /// Says what happened in the training of this name, and once in this process what to try.
    pub fn say(&self, name: &str) {
        static SAID: AtomicBool = AtomicBool::new(false);
        console::log(&format!("{name}: {}", self.in_words()));
        if !SAID.swap(true, Ordering::Relaxed) {
            console::log(&format!("{name}: {}", self.to_try()));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn course(points: &[(f64, f64)]) -> Vec<Value> {
        let line = |(i, (map, loss)): (usize, &(f64, f64))| json!({ "epoch": i + 1, "val_mAP": map, "loss": loss });
        points.iter().enumerate().map(line).collect()
    }

    #[test]
    fn it_is_seen_where_val_falls_and_the_loss_does_too() {
        let course = course(&[(20.0, 4.0), (30.0, 3.0), (29.0, 2.0), (28.5, 1.5), (27.0, 1.0)]);
        let found = overfitted(&course).unwrap();
        assert_eq!((found.best_epoch, found.last_epoch, found.val, found.loss), (2, 5, (30.0, 27.0), (3.0, 1.0)));
        assert!(found.in_words().contains("30.0 at epoch 2 of 5 and 27.0 at the end"), "{}", found.in_words());
        assert!(found.to_try().contains("epochs: 3,"), "{}", found.to_try());
    }

    #[test]
    fn other_courses_are_not_called_so() {
        for points in [
            // Still rising; best in the second half; the loss does not fall; a difference of chance; too few evaluations.
            &[(20.0, 4.0), (25.0, 3.0), (28.0, 2.0), (29.0, 1.0)][..],
            &[(20.0, 4.0), (25.0, 3.0), (30.0, 2.0), (28.0, 1.0)],
            &[(20.0, 4.0), (30.0, 3.0), (29.0, 2.9), (28.0, 2.8)],
            &[(20.0, 4.0), (30.0, 3.0), (29.8, 2.0), (29.7, 1.0)],
            &[(30.0, 3.0), (25.0, 2.0), (24.0, 1.0)],
        ] {
            assert_eq!(overfitted(&course(points)), None, "{points:?}");
        }
        assert_eq!(overfitted(&[]), None);
        // The average of the weights has not fallen.
        let mut averaged = course(&[(20.0, 4.0), (30.0, 3.0), (28.0, 2.0), (26.0, 1.0)]);
        averaged[3]["val_mAP_ema"] = json!(31.0);
        assert_eq!(overfitted(&averaged), None);
    }
}
