//! Pages beyond words and kinds: models, weights, heads, recipes, readings, losses, data sets.

use colored::Colorize;

use super::docs::{short_default, wrap};
use super::executor_docs::executor_text;
use super::head_docs::heads_text;
use crate::models::backbones::{BACKBONES, BackboneKind};
use crate::options::OptionDoc;
use crate::training::recipes::{self, SYSTEMS, System};

/// Pages beyond words and kinds: name, one line, text.
pub(super) const TOPICS: &[(&str, &str, fn() -> String)] = &[
    ("models", "backbones", models_text),
    ("weights", "published weights: their names, where they are looked for, downloads", weights_text),
    ("heads", "heads, their papers, published code and options", heads_text),
    ("recipes", "how the rows of the paper's tables are trained", recipes_text),
    ("readings", "where paper and code differ, and the choice of each reading", readings_text),
    ("executor", "where trainings run: here, in Slurm, in another queue", executor_text),
    ("losses", "losses and their options", losses_text),
    ("datasets", "data sets and where they come from", datasets_text),
];

fn models_text() -> String {
    let mut out = format!("{}\n", "Backbones".bold());
    BACKBONES.iter().for_each(|kind| out.push_str(&backbone_text(kind)));
    out.push_str(&format!("\n{}: cpsd doc heads\n", "Heads".bold()));
    out.push_str(&format!("{}: cpsd doc weights\n", "How weights are found".bold()));
    out
}

pub(super) fn backbone_text(kind: &BackboneKind) -> String {
    // The stages of a module from a file are known only from the file.
    let known: Vec<(i64, i64)> =
        (kind.stages)().iter().filter(|s| s.stride > 0).map(|s| (s.channels, s.stride)).collect();
    let mut stages = Vec::new();
    let mut first = 1;
    for equal in known.chunk_by(|a, b| a == b) {
        let last = first + equal.len() - 1;
        let numbers = if first == last { first.to_string() } else { format!("{first} to {last}") };
        stages.push(format!("{numbers}: {}×1/{}", equal[0].0, equal[0].1));
        first = last + 1;
    }
    let size = match kind.parameters {
        0 => String::new(),
        n => format!(", {:.1} M parameters", n as f64 / 1e6),
    };
    let work = if kind.gflops > 0.0 { format!(", {:.2} GFLOPs (multiply-adds)", kind.gflops) } else { String::new() };
    let mut out = format!("  {:<20} {} ({} px{size}{work})\n", kind.name.cyan(), kind.summary, kind.image_size);
    if !stages.is_empty() {
        out.push_str(&format!("  {:<20} stages (channels, scale)  {}\n", "", stages.join("  ")));
    }
    let sets: Vec<String> = (kind.weights.sets.iter())
        .map(|set| match set.hub {
            Some(repository) => format!("\"{}\" ({repository})", set.name),
            None => format!("\"{}\"", set.name),
        })
        .collect();
    if !sets.is_empty() {
        out.push_str(&format!("  {:<20} {}\n", "", wrap(&format!("weights: {}", sets.join(", ")), 23)));
    }
    for line in [kind.paper, if kind.weights.note.is_empty() { "no weights published" } else { kind.weights.note }]
        .into_iter()
        .filter(|l| !l.is_empty())
    {
        out.push_str(&format!("  {:<20} {}\n", "", wrap(line, 23)));
    }
    out
}

fn weights_text() -> String {
    let mut out = format!("{}\n\n", wrap(WEIGHTS, 0));
    let rows = |out: &mut String, title: &str, rows: &[(&str, &str)]| {
        out.push_str(&format!("{}\n", title.bold()));
        for (name, text) in rows {
            out.push_str(&format!("  {:<26} {}\n", name.cyan(), wrap(text, 29)));
        }
    };
    rows(&mut out, "weights", WEIGHTS_FORMS);
    out.push_str(&format!("\n{}\n", "Places, in this order".bold()));
    for (i, place) in WEIGHTS_PLACES.iter().enumerate() {
        out.push_str(&format!("  {}. {}\n", i + 1, wrap(place, 5)));
    }
    out.push('\n');
    rows(&mut out, "Environment", WEIGHTS_VARIABLES);
    out
}

const WEIGHTS: &str = "The initial weights of a model, as in model(\"resnet101\", #{labels: [...], weights: \"imagenet\"}) or in \
    the option model of a training. `cpsd doc models` lists the sets of every backbone. A download is never silent: the prompt \
    asks, and a script permits it by download: true beside weights, or by CPSD_DOWNLOAD=1. The file goes into the cache of the \
    Hugging Face Python library, which finds it there, and is checked before it appears. The name of a training follows from \
    the weights themselves and the text of this option, not from the place where a set by name was found; the repository and the revision of downloaded ones are in its spec.json (weights_from).";

const WEIGHTS_FORMS: &[(&str, &str)] = &[
    ("\"imagenet\"", "a set of published weights, by its name"),
    (
        "\"imagenet@REVISION\"",
        "as they were at a commit, branch or tag of their repository; files in folders are passed over",
    ),
    (
        "\"folder/file.pth\"",
        "a .safetensors, .pth, .pt, .ckpt, .bin, .pkl or .pth.tar file; a text with a slash, a dot or the name of a file",
    ),
    ("()", "random weights, from the seed"),
];

const WEIGHTS_PLACES: &[&str] = &[
    "the folders of the setting weights: CPSD_WEIGHTS, then those of each cpsd.toml (`cpsd config`)",
    "weights/ in the working folder and in the three above it",
    "weights/ in the project's folder, that of the nearest cpsd.toml",
    "weights/ beside the program, in PREFIX/share/cpsd beside PREFIX/bin, or in the repository of a build in its target/",
    "cpsd/weights in the user's cache folder (XDG_CACHE_HOME, or ~/.cache)",
    "the cache of the Hugging Face Python library (HF_HUB_CACHE, or hub/ in HF_HOME, or ~/.cache/huggingface/hub)",
    "the Hugging Face Hub, where that is permitted",
];

const WEIGHTS_VARIABLES: &[(&str, &str)] = &[
    ("CPSD_WEIGHTS", "folders of weights, with colons between them"),
    ("CPSD_DOWNLOAD", "1 permits downloads everywhere"),
    ("HF_HOME, HF_HUB_CACHE", "the folders of the Hub's cache"),
    ("HF_ENDPOINT", "another server than https://huggingface.co, such as a mirror"),
    ("HF_TOKEN, HF_TOKEN_PATH", "a token for the server, or a file that holds it; without them token in HF_HOME"),
    ("HF_HUB_OFFLINE", "1 forbids downloads, whatever else permits them"),
    ("HF_HUB_DOWNLOAD_TIMEOUT", "seconds for which the server may be silent (30)"),
    ("HTTPS_PROXY, NO_PROXY", "a proxy, and the servers that need none"),
];

fn recipes_text() -> String {
    let mut out = "recipe(NAME) gives one as a map; recipe(NAME, #{reading: \"paper\"}) in another reading (cpsd doc readings).\n\n".to_string();
    for (name, data, summary) in recipes::table() {
        out.push_str(&format!("  {:<26} {:<10} {summary}\n", name.cyan(), data));
    }
    out.push_str(&format!(
        "\n{}\n{}\n\n",
        "Compared systems".bold(),
        wrap(
            "As their authors trained them: recipe(NAME).train holds the options of train_teacher. None of these has been run at \
             size here. All train on the whole training split and select the epoch on the test split, as the published scripts do. \
             scripts/compared.rhai trains one.",
            0
        )
    ));
    SYSTEMS.iter().for_each(|system| out.push_str(&system_text(system)));
    out
}

pub(super) fn system_text(system: &System) -> String {
    let mut out = format!("  {:<26} {:<10} {}\n", system.name.cyan(), system.data, system.summary);
    for (what, text) in [("from", system.source), ("differs", system.differs)] {
        out.push_str(&format!("  {:<26} {:<10} {}\n", "", what, wrap(text, 40)));
    }
    out
}

fn readings_text() -> String {
    let mut out =
        "Where the paper and its published code differ, and the choice of each reading of a recipe.\n\n".to_string();
    out.push_str(&format!(
        "  {:<46} {:<28} {:<15} {:<12} {}\n",
        "difference".bold(),
        "where",
        "paper",
        "as-released",
        "fixed"
    ));
    for [what, path, paper, as_released, fixed] in crate::training::recipes::readings_table() {
        out.push_str(&format!("  {what:<46} {:<28} {paper:<15} {as_released:<12} {fixed}\n", path.cyan()));
    }
    out.push('\n');
    for note in crate::training::recipes::READING_NOTES {
        out.push_str(&format!("  {}\n", wrap(note, 6)));
    }
    out
}

fn losses_text() -> String {
    crate::losses::LOSSES.iter().map(|(name, line)| format!("  {:<10} {line}\n", name.cyan())).collect()
}

fn datasets_text() -> String {
    let mut out = String::new();
    for kind in crate::images::DATASETS {
        out.push_str(&format!("  {:<18} {}\n", kind.name.cyan(), wrap(kind.summary, 21)));
        let defaults = (kind.options.defaults)();
        for OptionDoc { key, text } in (kind.options.docs)() {
            let default = defaults.get(key).map_or(String::new(), short_default);
            let line = format!("{key}: {text} (default {default})");
            out.push_str(&format!("{:21}{}\n", "", wrap(&line, 23)));
        }
        let Ok(card) = crate::images::card(kind.name) else { continue };
        for text in [&card.use_in_papers, &card.get, &card.licence] {
            out.push_str(&format!("{:21}{}\n", "", wrap(text, 21)));
        }
        card.layout.lines().for_each(|line| out.push_str(&format!("{:23}{}\n", "", line.green())));
    }
    out
}
