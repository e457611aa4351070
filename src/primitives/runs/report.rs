//! `report`: runs side by side as one HTML page.

use std::path::Path;

use rhai::{Dynamic, Map};
use serde_json::Value;

use crate::activity::{console, sink};
use crate::error::{Error, Result};
use crate::files;
use crate::graph::Partition;
use crate::images::Dataset;
use crate::metrics::Evaluation;
use crate::options::Options;
use crate::primitives::parameters::{expect, predictor, split};
use crate::primitives::values::predictions::PredictionsValue;
use crate::primitives::values::run::RunValue;
use crate::primitives::values::table::TableValue;
use crate::reports::{Data, Given, PageOptions, Source, page, subject};
use crate::script::call::{Call, Parameter};
use crate::script::word::{Chapter, Example, OptionDocs, Word};
use crate::script::{options, show};

pub const WORD: Word = Word {
    name: "report",
    chapter: Chapter::Runs,
    signatures: &["report(runs, path) -> string", "report(runs, path, #{options}) -> string"],
    summary: "Writes one self-contained HTML page that compares runs: metrics, settings, learning curves, labels, class activation maps.",
    details: "runs is a Run, Model, Ensemble, Predictions or Evaluation, an array of them, the Table that runs() gives (runs in it that are not \
trainings are left out), or a map of names to them; an array of one-entry maps, [#{baseline: a}, #{CPSD: b}], gives names and an order, and a name may stand for an \
array, as the seeds of a method, of which the page shows means too. With \
dataset: (a Dataset, or the map of splits that dataset() gives) all are evaluated on option splits, the label graph is drawn from \
train, and the same pictures are shown under all models; without it the page holds the values of the store and of given Evaluations. Tables \
sort by their headers, and have their text as LaTeX, Markdown and CSV. The page loads nothing from elsewhere. Gives back the path.",
    options: Some(OptionDocs { defaults, ..OptionDocs::of::<PageOptions>() }),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 32, val: 16, test: 16, test_shifted: 8, size: 48});\nlet model = train_teacher(data, [\"dog\", \"person\"], #{model: #{backbone: \"small_cnn\", head: \"gap\", image_size: 48}, epochs: 1, batch: 16});\nreport([model], \"out/example/report.html\", #{dataset: data, pictures: 2})",
        prints: "report.html",
    }],
    register: |word| {
        word.form(report);
    },
};

/// `dataset` and `partition` are values of the language, not data: `()` by default.
fn defaults() -> Value {
    let mut all = options::defaults::<PageOptions>();
    all["dataset"] = Value::Null;
    all["partition"] = Value::Null;
    all
}

/// The options of the page, and those that are values of the language.
#[derive(Default)]
struct ReportOptions {
    page: PageOptions,
    dataset: Option<Dynamic>,
    partition: Option<Dynamic>,
}

impl Parameter for ReportOptions {
    type Value = Map;
    const OPTIONAL: bool = true;

    fn read(value: Dynamic, call: &Call) -> Result<Self> {
        let mut map: Map = value.cast();
        let mut take = |key: &str| map.remove(key).filter(|value| !value.is_unit());
        let (dataset, partition) = (take("dataset"), take("partition"));
        let known = || PageOptions::docs().into_iter().map(|doc| doc.key);
        if let Some(unknown) = map.keys().find(|key| !known().any(|known| known == key.as_str())) {
            return Err(options::unknown_option(call.name, unknown, known()));
        }
        Ok(ReportOptions { page: PageOptions::read(map.into(), call)?, dataset, partition })
    }

    fn absent(_: &Call) -> Option<Self> {
        Some(ReportOptions::default())
    }
}

fn report(call: &Call, runs: Dynamic, path: String, options: ReportOptions) -> Result<String> {
    let file = Path::new(&path);
    if !file.extension().is_some_and(|e| e.eq_ignore_ascii_case("html") || e.eq_ignore_ascii_case("htm")) {
        return Err(Error::argument(format!("report writes an .html file; got \"{path}\""))
            .about_file(file)
            .with_help(format!("try \"{}\"", file.with_extension("html").display())));
    }
    files::policy::ask_to_write(file)?;
    let mut given = Vec::new();
    collect(call, None, false, &runs, &mut given)?;
    let mut all = match options.dataset {
        Some(data) => splits(&data, &options.page.splits, call)?,
        None => Data::default(),
    };
    if let Some(partition) = options.partition {
        all.partitions = partitions(&partition, call)?;
    }
    let text = page(&call.store(), given, &all, &options.page)?;
    files::write(file, text.as_bytes())?;
    sink::page(file, &text);
    Ok(path)
}

/// Puts what was given, with its name where it has one, at the end of `given`.
fn collect(call: &Call, name: Option<&str>, grouped: bool, value: &Dynamic, given: &mut Vec<Given>) -> Result<()> {
    let one = |source: Source, grouped: bool| Given { name: name.map(String::from), grouped, source };

    if let Some(table) = value.clone().try_cast::<TableValue>() {
        given.extend(trainings(call, &table)?.into_iter().map(|run| one(run, name.is_some())));
        return Ok(());
    }
    if let Ok(array) = value.as_array_ref() {
        // An array under a name holds several of one kind, as the seeds of a method.
        return array.iter().try_for_each(|item| collect(call, name, name.is_some(), item, given));
    }
    if let Ok(map) = value.as_map_ref() {
        return map.iter().try_for_each(|(name, item)| collect(call, Some(name), false, item, given));
    }
    given.push(one(source(value, call)?, grouped));
    Ok(())
}

fn source(value: &Dynamic, call: &Call) -> Result<Source> {
    if let Some(run) = value.clone().try_cast::<RunValue>() {
        return Ok(Source::Run(run.0));
    }
    if let Some(evaluation) = value.clone().try_cast::<Evaluation>() {
        return Ok(Source::Evaluation(Box::new(evaluation)));
    }
    if let Some(predictions) = value.clone().try_cast::<PredictionsValue>() {
        return Ok(Source::Predictions(predictions.0));
    }
    predictor(value, call).map(Source::Predictor).map_err(|_| {
        Error::argument(format!(
            "report compares Runs, Models, Ensembles, Predictions and Evaluations, in an array, a map of names or the Table of runs(); got {}",
            show::a_type(value)
        ))
    })
}

/// The trainings among the runs that a table lists.
fn trainings(call: &Call, table: &TableValue) -> Result<Vec<Source>> {
    let (listing, mut found) = (call.store().listing(), Vec::new());
    for id in table.0.column("id")? {
        let id = id.to_string();
        let run = match listing.look(&id) {
            Some(Ok(run)) => run,
            Some(Err(_)) => {
                console::log(&format!("report: {id} is damaged and left out"));
                continue;
            }
            None => {
                return Err(
                    Error::argument(format!("report: the table's run \"{id}\" is not in the store")).about_name(&id)
                );
            }
        };
        if subject::is_training(&run)? {
            found.push(Source::Run(run));
        }
    }
    Ok(found)
}

fn splits(data: &Dynamic, asked: &[String], call: &Call) -> Result<Data> {
    if let Some(dataset) = data.clone().try_cast::<Dataset>() {
        return Ok(Data {
            splits: vec![(dataset.split.clone(), dataset.clone())],
            graph: Some(dataset),
            partitions: vec![],
        });
    }
    let Ok(map) = data.as_map_ref() else {
        return Err(Error::argument(format!(
            "report: the dataset must be a Dataset or a map of splits as dataset(...) gives; got {}",
            show::a_type(data)
        )));
    };
    let splits = asked.iter().map(|name| Ok((name.clone(), split(&map, call, name)?))).collect::<Result<Vec<_>>>()?;
    let graph = match map.contains_key("train") {
        true => Some(split(&map, call, "train")?),
        false => splits.first().map(|(_, dataset)| dataset.clone()),
    };
    Ok(Data { splits, graph, partitions: vec![] })
}

fn partitions(value: &Dynamic, call: &Call) -> Result<Vec<(String, Partition)>> {
    let one = |value: &Dynamic, what: &str| expect::<Partition>(value, call, what, "a Partition");
    let Ok(map) = value.as_map_ref() else { return Ok(vec![(String::new(), one(value, "option partition")?)]) };
    let named = |(name, value): (&rhai::Identifier, &Dynamic)| {
        let partition = one(value, &format!("partition \"{name}\""));
        partition.map(|p| (name.to_string(), p)).map_err(|error| error.about_name(name.as_str()))
    };
    map.iter().map(named).collect()
}
