//! Options that contradict each other, or have no effect beside others, are refused: nothing that was given is ignored.

use serde_json::Value;

use super::options::{Optimiser, ScheduleKind, TrainOptions};
use crate::error::{Error, Result};
use crate::options::defaults;

/// An option, whether it has an effect beside the others, and in which case it has.
type Effect = (&'static str, fn(&TrainOptions) -> bool, &'static str);

const EFFECTS: &[Effect] = &[
    ("pct_start", one_cycle, "schedule: \"onecycle\""),
    ("div_factor", one_cycle, "schedule: \"onecycle\""),
    ("final_div_factor", one_cycle, "schedule: \"onecycle\""),
    ("cycle_momentum", one_cycle, "schedule: \"onecycle\""),
    ("warmup", |o| !one_cycle(o), "another schedule than \"onecycle\", which has pct_start"),
    ("warmup", |o| !rate(o), "another schedule than a closure of two parameters, which gives the rate itself"),
    ("lr", |o| !rate(o), "another schedule than a closure of two parameters, which gives the rate itself"),
    ("warmup_start", |o| o.warmup > 0.0, "a warmup above 0"),
    ("milestones", step, "schedule: \"step\""),
    ("step_every", step, "schedule: \"step\""),
    ("gamma", step, "schedule: \"step\""),
    ("min_lr", cosine, "schedule: \"cosine\""),
    ("anneal_per", cosine, "schedule: \"cosine\""),
    ("momentum", sgd, "optimiser: \"sgd\""),
    ("momentum", |o| !o.cycle_momentum, "cycle_momentum: false"),
    ("nesterov", sgd, "optimiser: \"sgd\""),
    ("nesterov", |o| o.momentum > 0.0 || o.cycle_momentum, "a momentum above 0"),
    ("decay_on", |o| o.weight_decay > 0.0, "a weight_decay above 0"),
    ("ema_warmup", |o| o.ema > 0.0, "an average: ema above 0"),
    ("ema_start", |o| o.ema > 0.0, "an average: ema above 0"),
    ("on_batch_every", |o| !o.on_batch.is_none(), "a closure on_batch"),
    ("on_batch_outputs", |o| !o.on_batch.is_none(), "a closure on_batch"),
    ("sync_batchnorm", |o| o.nproc > 1, "nproc above 1"),
];

fn one_cycle(o: &TrainOptions) -> bool {
    o.schedule == ScheduleKind::OneCycle
}

fn rate(o: &TrainOptions) -> bool {
    matches!(o.schedule, ScheduleKind::Rate(_))
}

fn step(o: &TrainOptions) -> bool {
    o.schedule == ScheduleKind::Step
}

fn cosine(o: &TrainOptions) -> bool {
    o.schedule == ScheduleKind::Cosine
}

fn sgd(o: &TrainOptions) -> bool {
    o.optimiser == Optimiser::Sgd
}

impl TrainOptions {
    /// Errors: the first option that differs from its default and has no effect; a schedule that lacks something.
    pub(super) fn check_together(&self, word: &str) -> Result<()> {
        let given = serde_json::to_value(self).unwrap_or(Value::Null);
        let defaults = defaults::<TrainOptions>();
        for (key, has_effect, needs) in EFFECTS {
            if given[key] != defaults[key] && !has_effect(self) {
                return Err(Error::argument(format!(
                    "option \"{key}\" of {word} has no effect beside the others: it needs {needs}"
                ))
                .about_option(key));
            }
        }
        let wrong = |key: &str, message: String| Err(Error::argument(message).about_option(key));
        if step(self) {
            if self.milestones.is_empty() == (self.step_every == 0) {
                return wrong(
                    "schedule",
                    format!("schedule \"step\" of {word} needs either milestones, as [30, 40], or step_every"),
                );
            }
            if self.milestones.contains(&0) {
                return wrong(
                    "milestones",
                    format!("option \"milestones\" of {word} must be numbers of finished epochs, from 1; got 0"),
                );
            }
        }
        if cosine(self) && self.min_lr > self.lr {
            return wrong(
                "min_lr",
                format!("option \"min_lr\" of {word} must be at most lr, {}; got {}", self.lr, self.min_lr),
            );
        }
        if self.batch < self.nproc {
            return wrong(
                "nproc",
                format!("option \"nproc\" of {word} must be at most batch, {}; got {}", self.batch, self.nproc),
            );
        }
        let epochs = self.epochs as f64;
        if self.warmup > epochs || cosine(self) && self.warmup == epochs {
            let most = if cosine(self) { "below the number of epochs" } else { "at most the number of epochs" };
            return wrong(
                "warmup",
                format!("option \"warmup\" of {word} must be {most}, {}; got {}", self.epochs, self.warmup),
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::options::EmaStart;

    fn problem(change: impl Fn(&mut TrainOptions)) -> String {
        let mut options = TrainOptions::default();
        change(&mut options);
        options.check_further("train_teacher").err().map_or(String::new(), |e| e.message)
    }

    #[test]
    fn an_option_without_effect_is_refused_by_name() {
        assert_eq!(problem(|_| {}), "");
        let cases: [(&str, fn(&mut TrainOptions)); 10] = [
            ("gamma", |o| o.gamma = 0.5),
            ("momentum", |o| o.momentum = 0.5),
            ("nesterov", |o| (o.optimiser, o.momentum, o.nesterov) = (Optimiser::Sgd, 0.0, true)),
            ("pct_start", |o| (o.schedule, o.pct_start) = (ScheduleKind::Constant, 0.3)),
            ("cycle_momentum", |o| (o.schedule, o.cycle_momentum) = (ScheduleKind::Cosine, true)),
            ("warmup", |o| o.warmup = 1.0),
            ("warmup_start", |o| (o.schedule, o.warmup_start) = (ScheduleKind::Cosine, 0.1)),
            ("min_lr", |o| (o.schedule, o.milestones, o.min_lr) = (ScheduleKind::Step, vec![3], 1e-6)),
            ("ema_warmup", |o| (o.ema, o.ema_warmup) = (0.0, false)),
            ("ema_start", |o| (o.ema, o.ema_start) = (0.0, EmaStart::AnotherHead)),
        ];
        for (key, change) in cases {
            let message = problem(change);
            assert!(message.starts_with(&format!("option \"{key}\" of train_teacher has no effect")), "{message}");
        }
    }

    #[test]
    fn schedules_that_lack_or_contradict_something_are_refused() {
        let step = |milestones: Vec<u64>, step_every| {
            problem(|o| {
                (o.schedule, o.milestones, o.step_every) = (ScheduleKind::Step, milestones.clone(), step_every);
            })
        };
        assert!(step(vec![], 0).contains("needs either milestones"));
        assert!(step(vec![2], 3).contains("needs either milestones"));
        assert!(step(vec![0], 0).contains("from 1; got 0"));
        assert_eq!((step(vec![2, 4], 0), step(vec![], 3)), (String::new(), String::new()));
        assert!(problem(|o| (o.schedule, o.min_lr) = (ScheduleKind::Cosine, 1.0)).contains("at most lr, 0.003; got 1"));
        assert!(
            problem(|o| (o.schedule, o.warmup) = (ScheduleKind::Cosine, 30.0))
                .contains("below the number of epochs, 30")
        );
        assert_eq!(problem(|o| (o.schedule, o.warmup) = (ScheduleKind::Constant, 30.0)), "");
    }
}
