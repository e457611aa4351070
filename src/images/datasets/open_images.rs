//! `openimages`: human-verified image labels of Open Images.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::downloaded::{Download, Options, named};
use super::{DatasetKind, Request};
use crate::activity::console;
use crate::error::{Error, Result};
use crate::images::Dataset;
use crate::labels::{LabelTable, LoadOptions, load};
use crate::options::OptionDocs;

pub const OPENIMAGES: DatasetKind = DatasetKind {
    name: "openimages",
    summary: "Open Images: train, val (its validation split), test; the trainable classes, confirmed labels positive",
    options: OptionDocs::of::<Options>(),
    open: |request| open(request),
};

/// Its files carry the edition in their names: `oidv7-class-descriptions.csv`, `oidv6-train-annotations-human-imagelabels.csv`.
fn open(request: &Request) -> Result<Vec<(String, Dataset)>> {
    let download = Download::new("openimages", request, &["train", "validation", "test"])?;
    let (root, card) = (download.root, download.card);
    if request.options.get("val").is_some() {
        console::log("openimages has a validation split of its own: option \"val\" is not used");
    }
    let find = |part: &str| -> Result<PathBuf> {
        let mut found: Vec<PathBuf> = std::fs::read_dir(root)
            .map_err(|e| Error::io(root, e))?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains(part)))
            .collect();
        found.sort();
        found.pop().ok_or_else(|| {
            Error::data(format!("dataset \"openimages\": there is no file *{part}* in {}", root.display()))
                .about_name("openimages")
                .with_help(card.help())
        })
    };
    let names = descriptions(&find("class-descriptions")?)?;
    let trainable = find("classes-trainable")?;
    let trainable = std::fs::read_to_string(&trainable).map_err(|e| Error::io(&trainable, e))?;
    let classes: Vec<&str> = trainable.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let read = |official: &str, part: &str| -> Result<Dataset> {
        let table = load(&find(part)?, &LoadOptions { format: Some("csv-long".into()), ..LoadOptions::default() })?;
        let table = of_classes(&table, &classes, &names)?;
        download.split(official, &table, &root.join(official), |id| format!("{id}.jpg"))
    };
    Ok(vec![
        named("train", read("train", "train-annotations-human-imagelabels")?),
        named(
            "val",
            read("validation", "val-annotations-human-imagelabels")
                .or_else(|_| read("validation", "validation-annotations-human-imagelabels"))?,
        ),
        named("test", read("test", "test-annotations-human-imagelabels")?),
    ])
}

/// All classes as labels, by their names, including those of no picture.
fn of_classes(table: &LabelTable, classes: &[&str], names: &HashMap<String, String>) -> Result<LabelTable> {
    let place: HashMap<&str, u32> = classes.iter().enumerate().map(|(i, class)| (*class, i as u32)).collect();
    let to: Vec<Option<u32>> = table.labels().iter().map(|label| place.get(label.as_str()).copied()).collect();
    let lists: Vec<Vec<u32>> = (0..table.num_images())
        .map(|image| {
            let mut row: Vec<u32> = table.row(image).iter().filter_map(|&label| to[label as usize]).collect();
            row.sort_unstable();
            row
        })
        .collect();
    let named = |class: &&str| names.get(*class).cloned().unwrap_or_else(|| class.to_string());
    LabelTable::from_lists(classes.iter().map(named).collect(), table.images().to_vec(), &lists)
}

/// Names of classes by machine id: `/m/011k07,Tortoise`, with or without a header, names perhaps in quotes.
fn descriptions(path: &Path) -> Result<HashMap<String, String>> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
    Ok(text
        .lines()
        .filter_map(|line| line.split_once(','))
        .filter(|(id, _)| id.starts_with('/'))
        .map(|(id, name)| (id.to_string(), name.trim().trim_matches('"').to_string()))
        .collect())
}
