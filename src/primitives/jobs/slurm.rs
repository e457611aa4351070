//! `slurm` and `cluster`: queues in which trainings run.

use rhai::Map;
use serde_json::{Map as JsonMap, Value};

use crate::cluster::{Cluster, ClusterOptions, OR_NUMBERS};
use crate::error::{Error, Result};
use crate::options::read;
use crate::primitives::values::cluster::ClusterValue;
use crate::script::call::{Call, Parameter};
use crate::script::options;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "slurm",
    chapter: Chapter::Jobs,
    signatures: &["slurm() -> Cluster", "slurm(#{options}) -> Cluster"],
    summary: "Slurm as a place where trainings run: the value of the option executor.",
    details: "What [slurm] of cpsd.toml says holds first, if there is that table (in the project's file, the nearest one above, else in that of the user's configuration folder); \
options given here take its place one by one, sbatch and setup as a whole. Nothing of it is part of a run's id: the same call without executor is answered by the same runs. \
executor: \"slurm\" is short for executor: slurm(). See cpsd doc executor.",
    options: Some(OPTIONS),
    examples: &[
        Example {
            code: "slurm(#{partition: \"gpu\", gres: \"gpu:1\", cpus: 8, memory: \"32G\", time: \"8:00:00\"})",
            prints: "gpu:1, 8 cores, 32G, 8:00:00",
        },
        Example { code: "slurm(#{time: \"2:00:00\", parallel: 16}).options.parallel", prints: "16" },
    ],
    register: |word| {
        word.form(|call: &Call, given: Given| with(call, "slurm", given));
    },
};

pub const CLUSTER: Word = Word {
    name: "cluster",
    chapter: Chapter::Jobs,
    signatures: &["cluster(name) -> Cluster", "cluster(name, #{options}) -> Cluster"],
    summary: "A queue by its name in cpsd.toml: \"slurm\", or \"pbs\" for the commands of [engine.pbs].",
    details: "Options take the place of those in the table, as with slurm. executor: \"pbs\" is short for executor: cluster(\"pbs\"). A queue other than Slurm gets what \
its submit command mentions.",
    options: Some(OPTIONS),
    examples: &[Example { code: "cluster(\"slurm\", #{cpus: 4, parallel: 8})", prints: "4 cores, 8 at once" }],
    register: |word| {
        word.form(|call: &Call, name: String, given: Given| with(call, &name, given));
    },
};

const OPTIONS: OptionDocs = OptionDocs { refused, ..OptionDocs::of::<ClusterOptions>() };

/// As [`OptionDocs::refused`], where some texts may be given as whole numbers.
fn refused(word: &str, key: &str, value: &Value) -> Option<Error> {
    match value.as_i64().filter(|_| OR_NUMBERS.contains(&key)) {
        Some(number) => options::refused::<ClusterOptions>(word, key, &Value::from(number.to_string())),
        None => options::refused::<ClusterOptions>(word, key, value),
    }
}

/// The queue of that name in `cpsd.toml`, with the options that are given.
fn with(call: &Call, name: &str, given: Given) -> Result<ClusterValue> {
    let mut cluster = Cluster::named(name)?;
    let mut all = match serde_json::to_value(&cluster.options) {
        Ok(Value::Object(all)) => all,
        _ => return Err(Error::internal("the options of a queue are no map")),
    };
    all.extend(given.0);
    cluster.options = read(call.name, &all)?;
    cluster.check(call.name)?;
    Ok(ClusterValue(cluster))
}

/// Options that are given, checked; those that are not have no value here.
struct Given(JsonMap<String, Value>);

impl Parameter for Given {
    type Value = Map;
    const OPTIONAL: bool = true;

    fn read(value: rhai::Dynamic, call: &Call) -> Result<Self> {
        let mut map: Map = value.cast();
        for key in OR_NUMBERS {
            if let Some(number) = map.get(key).and_then(|value| value.as_int().ok()) {
                map.insert(key.into(), number.to_string().into());
            }
        }
        options::parse::<ClusterOptions>(call.name, &map)?;
        let json = |(key, value): (&rhai::Identifier, &rhai::Dynamic)| {
            let json = options::to_json(value).map_err(|what| {
                Error::argument(format!("option \"{key}\" of {} cannot take {what}", call.name)).about_option(key)
            });
            json.map(|json| (key.to_string(), json))
        };
        map.iter().map(json).collect::<Result<_>>().map(Given)
    }

    fn absent(_: &Call) -> Option<Self> {
        Some(Given(JsonMap::new()))
    }
}
