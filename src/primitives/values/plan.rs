//! `Plan` in scripts.

use std::fmt;
use std::rc::Rc;

use super::cluster::in_words;
use super::table::TableValue;
use crate::cluster::Cluster;
use crate::error::counted;
use crate::script::call::MemberRegistrar;
use crate::script::kind::{KindOfValue, Member, kind_value};
use crate::tables::{Cell, Table};
use crate::training::Plan;
use crate::training::plan::{Planned, StoreStatus};

/// A plan as scripts hold it.
#[derive(Clone)]
pub struct PlanValue(pub Rc<Plan>);

impl KindOfValue for PlanValue {
    const NAME: &'static str = "Plan";
    const SUMMARY: &'static str = "Trainings that a script would run, as plan(...) gives them.";
    const MEMBERS: &'static [Member] = &[
        Member::new(
            "table",
            "a Table: name, seed, labels, pictures, epochs, state, seconds, megabytes, model, run; one row per training",
        ),
        Member::new("len()", "number of trainings"),
        Member::new("to_do", "how many of them the run store does not have"),
        Member::new(
            "hours",
            "hours of all that is to do, one after the other, on this machine; () when it was not timed",
        ),
        Member::new(
            "tasks",
            "with the option executor: tasks of trainings in the queue, an array of one number per stage, of which each needs the one before",
        ),
        Member::new(
            "queue_hours",
            "with executor: hours at this machine's pace if as much runs at once as the queue's options allow; else ()",
        ),
        Member::new("gigabytes", "gigabytes that the trainings to do take in the run store"),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        members
            .get("table", |p: &Self| table(&p.0).map(TableValue))
            .method("len", |p: &Self| p.0.trainings.len())
            .get("to_do", |p: &Self| p.0.to_do().count())
            .get("hours", |p: &Self| p.0.seconds().map(|s| s / 3600.0))
            .get("tasks", |p: &Self| p.0.tasks())
            .get("queue_hours", |p: &Self| p.0.seconds_in_queue().map(|s| s / 3600.0))
            .get("gigabytes", |p: &Self| p.0.bytes() as f64 / 1e9);
    }
}

kind_value!(PlanValue);

fn table(plan: &Plan) -> crate::error::Result<Table> {
    let columns = ["name", "seed", "labels", "pictures", "epochs", "state", "seconds", "megabytes", "model", "run"];
    rows(plan, &columns, |t| {
        let tenth = |x: f64| (x * 10.0).round() / 10.0;
        [t.seconds.map_or(Cell::Null, |s| Cell::Float(tenth(s))), Cell::Float(tenth(t.bytes as f64 / 1e6))]
    })
}

fn rows(plan: &Plan, columns: &[&str], cost: impl Fn(&Planned) -> [Cell; 2]) -> crate::error::Result<Table> {
    let rows = plan.trainings.iter().map(|t| {
        let [time, space] = cost(t);
        vec![
            Cell::Text(t.name.clone()),
            Cell::Int(t.seed as i64),
            Cell::Int(t.labels as i64),
            Cell::Int(t.pictures as i64),
            Cell::Int(t.epochs as i64),
            Cell::Text(t.status.name().into()),
            time,
            space,
            // Last, so that a table too wide for its place loses these columns.
            Cell::Text(t.model.clone()),
            Cell::Text(t.id.clone()),
        ]
    });
    Table::from_rows(&columns.iter().map(|c| c.to_string()).collect::<Vec<_>>(), rows.collect())
}

impl fmt::Display for PlanValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = &self.0;
        let columns = ["name", "seed", "labels", "pictures", "epochs", "state", "time", "disk", "model", "run"];
        let shown = rows(plan, &columns, |t| match t.status {
            StoreStatus::Stored => [Cell::Null, Cell::Null],
            _ => [t.seconds.map_or(Cell::Null, |s| Cell::Text(duration(s))), Cell::Text(size(t.bytes))],
        });
        if let Ok(table) = shown {
            writeln!(f, "{}", TableValue(table))?;
        }
        let (all, to_do) = (plan.trainings.len(), plan.to_do().count());
        write!(f, "{}, {} in the run store, {to_do} to do", counted(all, "training"), all - to_do)?;
        if to_do == 0 {
            return Ok(());
        }
        if let Some(seconds) = plan.seconds() {
            match crate::devices::first().is_cuda() {
                true => {
                    write!(f, ": {:.2} GPU-hours on one of this machine's, or {}", seconds / 3600.0, duration(seconds))?
                }
                false => write!(f, ": {} on this machine, which has no GPU", duration(seconds))?,
            }
        }
        write!(f, "; {} on disk, and {} more while the largest trains", size(plan.bytes()), size(plan.checkpoint()))?;
        match &plan.cluster {
            None => Ok(()),
            Some(cluster) => write!(f, "\n{}", in_queue(plan, cluster)),
        }
    }
}

/// `in Slurm (partition gpu): 24 tasks, then 4, all of a stage at once; 3.2 h or more ...`.
fn in_queue(plan: &Plan, cluster: &Cluster) -> String {
    let tasks: Vec<String> = plan.tasks().iter().map(usize::to_string).collect();
    let of_each = match plan.trainings_per_task() {
        0 | 1 => String::new(),
        n => format!(" of {n} trainings each"),
    };
    let (first, later) = tasks.split_first().map_or(("0", &[][..]), |(first, later)| (first.as_str(), later));
    let one = if first == "1" { "task" } else { "tasks" };
    let later: String = later.iter().map(|n| format!(", then {n}")).collect();
    let mut text = format!("in {}: {first} {one}{of_each}{later}", in_words(cluster));
    match cluster.options.parallel {
        0 => text += ", all of a stage at once",
        n => text += &format!(", {n} at once"),
    }
    let of = |n: usize, what: &str| (n > 0).then(|| format!("{n} of {what}"));
    let (features, outputs) = plan.tasks_before();
    let before: Vec<String> =
        [of(features, "frozen features"), of(outputs, "teachers' outputs")].into_iter().flatten().collect();
    if !before.is_empty() {
        text += &format!("; before trainings that read them, tasks in addition: {}", before.join(" and "));
    }
    if let Some(seconds) = plan.seconds_in_queue() {
        text += &format!("; {} or more if nothing waits, at the pace measured here", duration(seconds));
    }
    text
}

/// 42 s, 13 min, 7.5 h, 3.2 days.
fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 100.0 => format!("{s:.0} s"),
        s if s < 6000.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.1} days", s / 86_400.0),
    }
}

fn size(bytes: u64) -> String {
    match bytes as f64 {
        b if b < 1e6 => format!("{:.0} kB", b / 1e3),
        b if b < 1e9 => format!("{:.0} MB", b / 1e6),
        b => format!("{:.1} GB", b / 1e9),
    }
}
