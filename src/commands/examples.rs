//! `cpsd examples`: the examples and scripts that are in the program, listed or as files.

use std::path::{Path, PathBuf};

use colored::Colorize;
use cpsd::activity::console::print_line;
use cpsd::error::{Error, Result, nearest};
use cpsd::files::own;
use cpsd::script::errors::Failure;

use super::exit;

/// List the examples, print one, or copy them and the scripts of the paper's tables into a folder
#[derive(clap::Args)]
pub struct Args {
    /// The name of an example, as cam.rhai or cam, prints that one. A folder, with a slash in its name or there already, gets copies
    /// of all; it is made, or must be empty
    #[arg(value_name = "NAME or DIR/")]
    dir: Option<PathBuf>,
}

/// Paths from the root of the source, and texts.
macro_rules! files {
    ($($path:literal,)*) => { &[$(($path, include_str!(concat!("../../", $path)))),*] };
}

/// The files of `examples/` and `scripts/`: path from the root of the source, and text.
pub const FILES: &[(&str, &str)] = files![
    "examples/adapters.rhai",
    "examples/background_jobs.rhai",
    "examples/cam.rhai",
    "examples/choose_k.rhai",
    "examples/compare_losses.rhai",
    "examples/evaluation.rhai",
    "examples/feature_distillation.rhai",
    "examples/feature_projection.rhai",
    "examples/figures.rhai",
    "examples/figures_of_data.rhai",
    "examples/fine_tuning.rhai",
    "examples/heads/csra.rhai",
    "examples/heads/ml_gcn.rhai",
    "examples/heads/query2label.rhai",
    "examples/hooks.rhai",
    "examples/label_graph.rhai",
    "examples/labels_from_csv.rhai",
    "examples/libraries/ranking.rhai",
    "examples/merge_rules.rhai",
    "examples/ml_vpt.rhai",
    "examples/mutual_learning.rhai",
    "examples/own_augmentation.rhai",
    "examples/own_head.rhai",
    "examples/own_library.rhai",
    "examples/own_loss.rhai",
    "examples/own_metric.rhai",
    "examples/own_schedule_and_sampler.rhai",
    "examples/predictions.rhai",
    "examples/recipes.rhai",
    "examples/report.rhai",
    "examples/run_store.rhai",
    "examples/self_distillation.rhai",
    "examples/soft_targets.rhai",
    "examples/sweep.rhai",
    "examples/tables.rhai",
    "examples/teachers_and_student.rhai",
    "examples/tensors.rhai",
    "scripts/ablation_components.rhai",
    "scripts/ablation_k.rhai",
    "scripts/ablation_weight.rhai",
    "scripts/better.rhai",
    "scripts/beyond.rhai",
    "scripts/cam.rhai",
    "scripts/compared.rhai",
    "scripts/departures.rhai",
    "scripts/label_graph.rhai",
    "scripts/own_head_cost.rhai",
    "scripts/partition_stability.rhai",
    "scripts/quickstart.rhai",
    "scripts/regime.rhai",
    "scripts/reproduce_coco.rhai",
    "scripts/reproduce_nuswide.rhai",
];

pub fn run(args: Args) -> Result<u8, Failure> {
    match args.dir {
        None => list(),
        Some(name) if !is_folder(&name) => {
            print_line(text_of(&name.to_string_lossy()).map_err(Failure::plain)?.trim_end());
        }
        Some(dir) => {
            let files = FILES.iter().map(|(path, text)| (place(path), *text));
            write_new(&dir, files).map_err(Failure::plain)?;
            // Without a slash at its end.
            let dir = dir.components().collect::<PathBuf>();
            let (dir, first) = (dir.display(), in_shell(&dir.join("label_graph.rhai")));
            print_line(&format!("{} files in {dir}; to begin: cpsd script {first}", FILES.len()));
        }
    }
    Ok(exit::DONE)
}

/// Whether a word means a folder for copies: one that is there, or a name with a slash that is no example's.
fn is_folder(word: &Path) -> bool {
    let text = word.to_string_lossy();
    let is_script = word.extension().is_some_and(|ending| ending == "rhai");
    text.ends_with('/') || word.is_dir() || (text.contains('/') && !is_script && find(&text).is_none())
}

/// The example of that name, with its ending or without it. One in a folder is found by its own name too, unless two have that.
fn find(name: &str) -> Option<&'static str> {
    let name = name.strip_suffix(".rhai").unwrap_or(name);
    let is_whole = |path: &&'static str| path.strip_suffix(".rhai") == Some(name);
    let is_last = |path: &&'static str| Path::new(path).file_stem().is_some_and(|stem| stem == name);
    let paths = || FILES.iter().map(|(path, _)| *path);
    let whole = paths().find(|path| is_whole(path) || is_whole(&place(path)));
    let mut last = paths().filter(is_last);
    let path = whole.or_else(|| last.next().filter(|_| last.next().is_none()))?;
    FILES.iter().find(|(known, _)| *known == path).map(|(_, text)| *text)
}

/// Errors: an unknown name, with the nearest.
fn text_of(name: &str) -> Result<&'static str> {
    find(name).ok_or_else(|| {
        let stems = || FILES.iter().map(|(path, _)| place(path)).map(|path| path.strip_suffix(".rhai").unwrap_or(path));
        let (stem, message) = (name.strip_suffix(".rhai"), format!("unknown example \"{name}\""));
        let near = nearest(stem.unwrap_or(name), stems()).map(|near| format!("did you mean \"{near}.rhai\"?"));
        let help = match (near, stem) {
            (Some(near), Some(_)) => near,
            (None, Some(_)) => "cpsd examples lists them".into(),
            (Some(near), None) => format!("{near} A folder for copies of all ends in a slash: cpsd examples {name}/"),
            (None, None) => {
                format!("cpsd examples lists them; a folder for copies of all ends in a slash: cpsd examples {name}/")
            }
        };
        Error::argument(message).with_help(help)
    })
}

/// The name of every file, and what it shows.
pub fn names() -> impl Iterator<Item = (&'static str, String)> {
    FILES.iter().map(|(path, text)| (place(path), first_sentence(text)))
}

/// Where a file goes in the folder: examples lie in it, the scripts in one of their own.
fn place(path: &'static str) -> &'static str {
    path.strip_prefix("examples/").unwrap_or(path)
}

/// Prints a line per file: its name and what it shows.
fn list() {
    let width = FILES.iter().map(|(path, _)| place(path).len()).max().unwrap_or(0);
    for (path, text) in FILES {
        let name = format!("{:<width$}", place(path));
        print_line(&format!("{}  {}", name.cyan(), first_sentence(text)));
    }
    print_line("\n`cpsd examples cam` prints one; `cpsd examples DIR/` copies them into a folder.");
}

/// The comment that a script begins with, up to the end of its first sentence, or to a colon in it.
fn first_sentence(text: &str) -> String {
    let lines = text.lines().take_while(|line| line.starts_with("//"));
    let comment: Vec<&str> = lines.map(|line| line.trim_start_matches(['/', '!']).trim()).collect();
    let comment = comment.join(" ");
    let clause = comment.find(": ").filter(|at| *at > 20);
    match comment.find(". ").into_iter().chain(clause).min() {
        Some(end) => comment[..end].to_string(),
        None => comment.trim_end_matches('.').to_string(),
    }
}

/// A path as a word of a shell.
pub fn in_shell(path: &Path) -> String {
    let text = path.display().to_string();
    shlex::try_quote(&text).map(|word| word.into_owned()).unwrap_or(text)
}

/// Writes files below a folder, which must be absent or empty.
///
/// Errors: Io; a file in the folder's place; a folder that is not empty.
pub fn write_new<'a>(dir: &Path, files: impl Iterator<Item = (&'a str, &'a str)>) -> Result<()> {
    if dir.is_file() {
        return Err(Error::argument(format!("{} is a file; a new folder is expected", dir.display())).about_file(dir));
    }
    if dir.is_dir()
        && let Some(first) = own::list(dir)?.first()
    {
        let name = first.file_name().unwrap_or_default().to_string_lossy().into_owned();
        return Err(Error::argument(format!(
            "{} is not empty ({name} is there); a new or empty folder is expected",
            dir.display()
        ))
        .about_file(dir));
    }
    for (path, text) in files {
        let file = dir.join(path);
        file.parent().map_or(Ok(()), own::create_folders)?;
        own::write(&file, text.as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_and_script_is_in_the_program() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut there = Vec::new();
        let mut folders = vec![root.join("examples"), root.join("scripts")];
        while let Some(folder) = folders.pop() {
            for path in own::list(&folder).unwrap() {
                match path.extension() {
                    _ if path.is_dir() => folders.push(path),
                    Some(ending) if ending == "rhai" => {
                        there.push(path.strip_prefix(root).unwrap().display().to_string());
                    }
                    _ => {}
                }
            }
        }
        there.sort();
        let mut here: Vec<&str> = FILES.iter().map(|(path, _)| *path).collect();
        here.sort_unstable();
        assert_eq!(here, there);
    }

    #[test]
    fn each_has_a_sentence() {
        for (path, text) in FILES {
            let sentence = first_sentence(text);
            assert!((10..160).contains(&sentence.len()), "{path}: {sentence}");
        }
    }

    #[test]
    fn an_example_is_printed_by_its_name() {
        for (name, about) in names() {
            assert!(!about.is_empty() && text_of(name).unwrap().contains(about.split(' ').next().unwrap()), "{name}");
        }
        assert_eq!(text_of("cam.rhai").unwrap(), text_of("examples/cam.rhai").unwrap());
        assert_ne!(text_of("cam.rhai").unwrap(), text_of("scripts/cam.rhai").unwrap());
        assert_eq!(text_of("cam").unwrap(), text_of("examples/cam.rhai").unwrap());
        assert_eq!(text_of("scripts/cam").unwrap(), text_of("scripts/cam.rhai").unwrap());
        assert_eq!(text_of("csra").unwrap(), text_of("heads/csra.rhai").unwrap());
        for name in ["tabels.rhai", "tabels"] {
            let error = text_of(name).unwrap_err();
            assert!(error.help.unwrap().contains("\"tables.rhai\""), "{}", error.message);
        }
        assert!(text_of("out").unwrap_err().help.unwrap().ends_with("cpsd examples out/"));
    }

    #[test]
    fn a_folder_has_a_slash_or_is_there() {
        let folder = own::temporary_folder(&std::env::temp_dir(), "cpsd-examples").unwrap();
        assert!(is_folder(folder.path()) && is_folder(Path::new("cam/")) && is_folder(Path::new("learn/cpsd")));
        for name in ["cam", "cam.rhai", "heads/csra", "heads/csro.rhai", "own_los"] {
            assert!(!is_folder(Path::new(name)), "{name}");
        }
    }

    #[test]
    fn a_folder_with_files_is_left_alone() {
        let folder = own::temporary_folder(&std::env::temp_dir(), "cpsd-examples").unwrap();
        let dir = folder.path().join("a/b");
        write_new(&dir, [("x/y.rhai", "1")].into_iter()).unwrap();
        assert_eq!(own::read_text(&dir.join("x/y.rhai")).unwrap(), "1");
        let message = write_new(&dir, [("z", "1")].into_iter()).unwrap_err().message;
        assert!(message.ends_with("is not empty (x is there); a new or empty folder is expected"), "{message}");
        assert!(!dir.join("z").exists());
        let message = write_new(&dir.join("x/y.rhai"), std::iter::empty()).unwrap_err().message;
        assert!(message.ends_with("is a file; a new folder is expected"), "{message}");
    }
}
