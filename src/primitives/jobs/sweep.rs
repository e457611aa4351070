//! `sweep`: a closure at every point of a grid, as a table.

use std::rc::Rc;

use rhai::{Array, Dynamic, FnPtr, Map};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::activity::console;
use crate::activity::progress::Progress;
use crate::cluster::Executor;
use crate::error::{Error, Result};
use crate::executors::pool;
use crate::metrics::Evaluation;
use crate::options;
use crate::primitives::jobs::{rounds, spawn};
use crate::primitives::labels::table::from_maps;
use crate::primitives::training::noted;
use crate::primitives::values::table::TableValue;
use crate::script::background::BackgroundCall;
use crate::script::call::{Call, Parameter};
use crate::script::errors::{Failure, Fallible};
use crate::script::show;
use crate::script::word::{Chapter, Example, OptionDocs, Word};
use crate::training::options::check_names;

pub const WORD: Word = Word {
    name: "sweep",
    chapter: Chapter::Jobs,
    signatures: &["sweep(grid, closure) -> Table", "sweep(grid, closure, #{options}) -> Table"],
    summary: "Calls a closure at every point of a grid, several at a time where asked, and gives a Table of one row per point.",
    details: "grid is a map of arrays, of which every combination is a point (the last key in the alphabet changes fastest), or an array of \
maps, the points themselves. The closure takes a point and gives a map of results, an Evaluation, or one value, which becomes the column value. \
Rows are shown as they come. Trainings are answered by the run store, so that a sweep that was stopped goes on where it was. With the option executor \
the trainings of all points go into the queue at once, in rounds: the closure is called at every point as plan calls it (prints are left out, evaluate gives NaN, predict and spawn end that point's planning, \
files that it writes are written), what can begin is submitted and waited for, and again for the students, until nothing is to do. Then the closure is called once more at every point, here, and finds its models in the store. \
Its trainings must follow from the point alone. With jobs above 1 a training has its share of the threads, by which its last digits are others than alone; \
its option threads fixes the number. A training inside it with executor: \"here\" runs here, when the closure is called for the last time, and its students go into the queue then. A loss or schedule that is a closure is an error: it cannot leave this process.",
    options: Some(OptionDocs { refused, ..OptionDocs::of::<SweepOptions>() }),
    examples: &[
        Example {
            code: "sweep(#{k: [2, 3], seed: [0, 1]}, |p| #{score: 10 * p.k + p.seed}).column(\"score\")",
            prints: "[20, 21, 30, 31]",
        },
        Example {
            code: "sweep([#{k: 1}, #{k: 0}], |p| 6 / p.k, #{on_error: \"keep\"}).columns",
            prints: "[\"k\", \"value\", \"error\"]",
        },
    ],
    register: |word| {
        word.form(sweep);
    },
};

options! {
    /// The options of `sweep`.
    struct SweepOptions {
        /// how many points at a time, at most as many as there are cores, which are shared out among them; above 1 the closure works on copies of the variables that it names
        pub jobs: usize = 1;
        /// "stop" throws the first error once the points that were begun have ended; "keep" writes it into a column error and goes on
        pub on_error: OnError = OnError::Stop;
        /// begins the names of the trainings inside it: "lr study, baseline"; no part of their runs' ids
        pub name: String = String::new();
        /// an array of words, or one: tags of the trainings inside it, beside their own; no part of their runs' ids
        pub tags: Vec<String> = vec![];
        /// where the trainings run: "here", or all at once in the queue of a cluster, as for trainings; jobs is 1 then
        pub executor: Executor = Executor::Here;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OnError {
    Stop,
    Keep,
}

/// As [`OptionDocs::refused`], where one tag is short for an array of one.
fn refused(word: &str, key: &str, value: &Value) -> Option<Error> {
    match (key, value) {
        ("tags", Value::String(_)) => options::refused::<SweepOptions>(word, key, &json!([value])),
        _ => options::refused::<SweepOptions>(word, key, value),
    }
}

/// The options, of which one tag is short for an array of one.
struct Options(SweepOptions);

impl Parameter for Options {
    type Value = Map;
    const OPTIONAL: bool = true;

    fn read(value: Dynamic, call: &Call) -> Result<Self> {
        let mut map: Map = value.cast();
        if let Some(tag) = map.get_mut("tags").filter(|tags| tags.is_string()) {
            *tag = vec![tag.clone()].into();
        }
        let options = SweepOptions::read(map.into(), call)?;
        check_names(call.name, &options.name, &options.tags)?;
        Ok(Options(options))
    }

    fn absent(_: &Call) -> Option<Self> {
        Some(Options(SweepOptions::default()))
    }
}

fn sweep(call: &Call, grid: Grid, closure: FnPtr, options: Options) -> Fallible<TableValue> {
    let asking = noted::inside(call.host.asking(), &options.0.name, &options.0.tags);
    call.host.asked(asking, || swept(call, grid, closure, options.0))
}

fn swept(call: &Call, grid: Grid, closure: FnPtr, options: SweepOptions) -> Fallible<TableValue> {
    let cores = pool::cores();
    let jobs = spawn::at_most_cores(call, "jobs", options.jobs)?;
    let points = grid.0;
    let keep = options.on_error == OnError::Keep;
    // Inside plan(...) the trainings are put down there.
    let cluster = if call.host.plan().is_some() { None } else { options.executor.cluster()? };
    if let Some(cluster) = &cluster {
        if options.jobs > 1 {
            return Err(Error::argument(format!(
                "sweep: jobs is for points side by side on this machine; with executor it must be 1, got {}",
                options.jobs
            ))
            .about_option("jobs")
            .with_help(
                "all trainings that can begin are in the queue at once; its option parallel says how many of them run",
            )
            .into());
        }
        rounds::make(call, cluster, &points, &closure, keep)?;
    }
    let progress = Progress::new("sweep", points.len() as u64, "points");
    let mut rows = Rows { points: &points, keep, made: vec![None; points.len()], shown: None, progress };
    // A job trains; inside plan(...) nothing may.
    if jobs == 1 || call.host.plan().is_some() {
        for (i, point) in points.iter().enumerate() {
            let at = || call.closure(&closure, (point.clone(),));
            // What the rounds have not made goes into the queue too.
            let outcome = cluster.as_ref().map_or_else(at, |cluster| call.host.queued(cluster, at));
            rows.add(i, outcome, call)?;
        }
        return rows.table();
    }
    let mut waiting = points.iter().enumerate();
    let mut begun: Vec<(usize, Rc<BackgroundCall>)> = Vec::new();
    let mut failure = None;
    loop {
        while failure.is_none()
            && begun.len() < jobs
            && let Some((i, point)) = waiting.next()
        {
            let mut at = closure.clone();
            at.add_curry(Dynamic::from(point.clone()));
            let name = format!("sweep {}", show::short(&Dynamic::from(point.clone()), 40));
            begun.push((
                i,
                call.host.background.spawn(call.host, call.native, at, Some(name), Some((cores / jobs).max(1)))?,
            ));
        }
        if begun.is_empty() {
            break;
        }
        let all: Vec<&BackgroundCall> = begun.iter().map(|(_, job)| &**job).collect();
        if let Err(error) = call.host.background.until_one_ended(&all) {
            begun.iter().for_each(|(_, job)| job.stop());
            return Err(error.into());
        }
        let ended = begun.iter().position(|(_, job)| !job.is_running()).unwrap_or(0);
        let (i, job) = begun.remove(ended);
        if let Err(error) = rows.add(i, call.host.background.wait(&job), call) {
            failure.get_or_insert(error);
        }
    }
    match failure {
        Some(error) => Err(error),
        None => rows.table(),
    }
}

/// The points of a sweep: every combination of a map of arrays, or an array of maps as it is.
struct Grid(Vec<Map>);

impl Parameter for Grid {
    type Value = Dynamic;

    fn read(value: Dynamic, _: &Call) -> Result<Self> {
        points(&value).map(Grid)
    }
}

/// Points of a grid at most.
const MOST: usize = 1_000_000;

fn points(grid: &Dynamic) -> Result<Vec<Map>> {
    if let Ok(array) = grid.as_array_ref() {
        return array
            .iter()
            .map(|point| match point.as_map_ref() {
                Ok(map) => Ok(map.clone()),
                Err(_) => {
                    Err(Error::argument(format!("sweep: every point must be a map; got {}", show::a_type(point))))
                }
            })
            .collect();
    }
    let Ok(grid) = grid.as_map_ref() else {
        return Err(Error::argument(format!(
            "sweep: the grid must be a map of arrays or an array of maps; got {}",
            show::a_type(grid)
        )));
    };
    // Counted before they are made: three long arrays have more points than any memory.
    let count = |values: &Dynamic| values.as_array_ref().map_or(1, |values| values.len());
    let all = grid.values().try_fold(1usize, |all, values| all.checked_mul(count(values)));
    if all.is_none_or(|all| all > MOST) {
        return Err(Error::argument(format!("sweep: the grid has more than {MOST} points")));
    }
    let mut points = vec![Map::new()];
    for (key, values) in grid.iter() {
        let Ok(values) = values.as_array_ref() else {
            return Err(Error::argument(format!(
                "sweep: \"{key}\" of the grid must be an array of values; got {}",
                show::a_type(values)
            ))
            .with_help(format!("one value is an array of one: {key}: [{}]", show::short(values, 20))));
        };
        points = points
            .iter()
            .flat_map(|point| {
                values.iter().map(|value| {
                    point.iter().map(|(k, v)| (k.clone(), v.clone())).chain([(key.clone(), value.clone())]).collect()
                })
            })
            .collect();
    }
    Ok(points)
}

/// The table as it grows.
struct Rows<'a> {
    points: &'a [Map],
    keep: bool,
    made: Vec<Option<Vec<(String, Dynamic)>>>,
    /// The columns whose names were shown.
    shown: Option<Vec<String>>,
    progress: Progress,
}

impl Rows<'_> {
    /// Adds the closure's result at point `i`.
    fn add(&mut self, i: usize, outcome: Fallible<Dynamic>, call: &Call) -> Fallible<()> {
        let results = match outcome {
            Ok(value) => self.results(i, &value)?,
            Err(error) if self.keep && !matches!(*error, rhai::EvalAltResult::ErrorTerminated(..)) => {
                let failure = Failure::from_rhai(*error, "", &call.host.sources, &[]);
                self.apart(i, vec![("error".into(), failure.message.into())])?
            }
            Err(error) => return Err(error),
        };
        let row: Vec<(String, Dynamic)> =
            self.points[i].iter().map(|(k, v)| (k.to_string(), v.clone())).chain(results).collect();
        // A plan's closure was given no numbers.
        if call.host.plan().is_none() {
            self.show(&row);
        }
        self.made[i] = Some(row);
        self.progress.advance(1);
        Ok(())
    }

    /// The columns of the closure's result at point `i`.
    fn results(&self, i: usize, value: &Dynamic) -> Result<Vec<(String, Dynamic)>> {
        self.apart(i, results(value))
    }

    /// Errors: a result with the name of a key of the point, whose column it would take.
    fn apart(&self, i: usize, results: Vec<(String, Dynamic)>) -> Result<Vec<(String, Dynamic)>> {
        match results.iter().find(|(name, _)| self.points[i].contains_key(name.as_str())) {
            None => Ok(results),
            Some((name, _)) => Err(Error::argument(format!(
                "sweep: \"{name}\" is a key of the grid and a column of the results; a table has one column of a name"
            ))
            .about_name(name)
            .with_help("rename one of the two; the keys of the grid are columns already")),
        }
    }

    /// Prints a row below the names of its columns, which are printed again when they change.
    fn show(&mut self, row: &[(String, Dynamic)]) {
        let names: Vec<String> = row.iter().map(|(name, _)| name.clone()).collect();
        let cells: Vec<String> = row.iter().map(|(_, value)| show::short(value, 24)).collect();
        let line = |cells: &[String]| {
            cells
                .iter()
                .zip(&names)
                .map(|(cell, name)| format!("{cell:>width$}", width = name.chars().count().max(8)))
                .collect::<Vec<_>>()
                .join("  ")
        };
        if self.shown.as_ref() != Some(&names) {
            console::log(&line(&names));
        }
        console::log(&line(&cells));
        self.shown = Some(names);
    }

    /// All rows, in the order of the points.
    fn table(self) -> Fallible<TableValue> {
        let made: Vec<Vec<(String, Dynamic)>> = self.made.into_iter().flatten().collect();
        let mut columns: Vec<String> = Vec::new();
        for (name, _) in made.iter().flatten() {
            if !columns.contains(name) {
                columns.push(name.clone());
            }
        }
        let rows: Array =
            made.into_iter().map(|row| row.into_iter().map(|(k, v)| (k.into(), v)).collect::<Map>().into()).collect();
        Ok(from_maps(&rows, Some(columns))?)
    }
}

/// The columns of a closure's result.
fn results(value: &Dynamic) -> Vec<(String, Dynamic)> {
    if let Ok(map) = value.as_map_ref() {
        return map.iter().map(|(k, v)| (k.to_string(), v.clone())).collect();
    }
    if let Some(evaluation) = value.clone().try_cast::<Evaluation>() {
        return evaluation.numbers().into_iter().map(|(name, number)| (name.to_string(), number.into())).collect();
    }
    if value.is_unit() { vec![] } else { vec![("value".into(), value.clone())] }
}
