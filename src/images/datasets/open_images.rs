//! `openimages`: human-verified image labels of Open Images.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::downloaded::{Download, Options, named};
use super::{DatasetKind, Request};
use crate::activity::console;
use crate::error::{Error, Result};
use crate::files;
use crate::images::Dataset;
use crate::labels::{LabelTable, LoadOptions, load_with_unlabelled};
use crate::options::OptionDocs;
use crate::tables::{CsvRecords, TextFile};

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
    let files = files::list(root)?;
    let there = |part: &str| {
        files.iter().rfind(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains(part)))
    };
    let find = |part: &str| -> Result<&PathBuf> {
        there(part).ok_or_else(|| {
            Error::data(format!("dataset \"openimages\": there is no file *{part}* in {}", root.display()))
                .about_name("openimages")
                .with_help(card.help())
        })
    };
    let classes = Classes::read(find("classes-trainable")?, find("class-descriptions")?)?;
    let read = |official: &str, part: &str| -> Result<Dataset> {
        let table = load_with_unlabelled(
            find(part)?,
            &LoadOptions { format: Some("csv-long".into()), ..LoadOptions::default() },
        )?;
        download.split(official, &classes.table(&table)?, &root.join(official), |id| format!("{id}.jpg"))
    };
    // Editions differ in the name of this file.
    let val = ["val-annotations-human-imagelabels", "validation-annotations-human-imagelabels"];
    let val = val.into_iter().find(|part| there(part).is_some()).unwrap_or(val[0]);
    Ok(vec![
        named("train", read("train", "train-annotations-human-imagelabels")?),
        named("val", read("validation", val)?),
        named("test", read("test", "test-annotations-human-imagelabels")?),
    ])
}

/// The trainable classes: machine ids, and the label of each.
struct Classes {
    ids: Vec<String>,
    /// Display names. Classes that share one have their id behind it; a class without one is called by its id.
    labels: Vec<String>,
}

impl Classes {
    /// Errors name the file and line: a class listed twice, an id with two names.
    fn read(trainable: &Path, described: &Path) -> Result<Classes> {
        let names = descriptions(described)?;
        let text = TextFile::read(trainable)?;
        let mut seen: HashMap<&str, usize> = HashMap::new();
        let mut ids = Vec::new();
        for (line, id) in text.lines() {
            if let Some(first) = seen.insert(id, line) {
                return Err(text.at(line, format!("class {id} is listed twice, first on line {first}")));
            }
            ids.push(id.to_string());
        }
        let mut labels: Vec<String> = ids.iter().map(|id| names.get(id).unwrap_or(id).clone()).collect();
        let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        labels.iter().enumerate().for_each(|(i, name)| by_name.entry(name).or_default().push(i));
        let shared: Vec<usize> = by_name.values().filter(|classes| classes.len() > 1).flatten().copied().collect();
        let told: Vec<String> = shared.iter().map(|&i| format!("{} ({})", labels[i], ids[i])).collect();
        if let Some(taken) = told.iter().find(|label| by_name.contains_key(label.as_str())) {
            return Err(Error::in_file(
                described,
                format!("a class is called \"{taken}\", as another is told apart by id"),
            ));
        }
        if let [one, other, ..] = told.as_slice() {
            console::log(&format!(
                "{}: {} classes share their name with another and are told apart by id: \"{one}\", \"{other}\"{}",
                described.display(),
                told.len(),
                if told.len() > 2 { ", ..." } else { "" }
            ));
        }
        shared.into_iter().zip(told).for_each(|(i, label)| labels[i] = label);
        Ok(Classes { ids, labels })
    }

    /// A table of machine ids with all classes as labels, including those of no picture.
    fn table(&self, table: &LabelTable) -> Result<LabelTable> {
        let place: HashMap<&str, u32> = self.ids.iter().enumerate().map(|(i, id)| (id.as_str(), i as u32)).collect();
        let to: Vec<Option<u32>> = table.labels().iter().map(|label| place.get(label.as_str()).copied()).collect();
        let row = |image: usize| table.row(image).iter().filter_map(|&label| to[label as usize]).collect();
        let lists: Vec<Vec<u32>> = (0..table.num_images()).map(row).collect();
        LabelTable::from_lists(self.labels.clone(), table.images().to_vec(), &lists)
    }
}

/// Names of classes by machine id: `/m/011k07,Tortoise`, with or without a header.
///
/// Errors name the file and line: an id with two names, a quote that is not closed.
fn descriptions(path: &Path) -> Result<HashMap<String, String>> {
    let text = TextFile::read(path)?;
    let mut records = CsvRecords::separated_by(&text, b',');
    let mut names: HashMap<String, (String, usize)> = HashMap::new();
    while let Some(line) = records.next()? {
        let (id, name) = (records.field(0).trim(), records.field(1).trim());
        // The header, and classes without a name.
        if !id.starts_with('/') || name.is_empty() {
            continue;
        }
        match names.get(id) {
            Some((other, first)) if other != name => {
                return Err(
                    records.at(line, format!("class {id} is called \"{name}\" here and \"{other}\" on line {first}"))
                );
            }
            _ => drop(names.insert(id.to_string(), (name.to_string(), line))),
        }
    }
    Ok(names.into_iter().map(|(id, (name, _))| (id, name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The labels of classes a, b and c.
    fn labels(described: &str) -> Result<Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        Ok(Classes::read(&put("t.txt", "\u{feff}/m/a\n/m/b\r\n/m/c\n"), &put("d.csv", described))?.labels)
    }

    #[test]
    fn names_are_read_as_csv_and_told_apart_by_id() {
        let of = |text: &str| labels(text).unwrap();
        assert_eq!(
            of("\u{feff}LabelName,DisplayName\n/m/a,Ant\n/m/c,\"Cat, \"\"big\"\"\"\n"),
            ["Ant", "/m/b", "Cat, \"big\""]
        );
        assert_eq!(of("\u{feff}/m/a,Ant\r\n/m/b, Bat \r\n"), ["Ant", "Bat", "/m/c"]);
        assert_eq!(of("/m/a,Cup\n/m/b,Bat\n/m/c,Cup\n/m/z,Bat\n"), ["Cup (/m/a)", "Bat", "Cup (/m/c)"]);
    }

    #[test]
    fn errors_name_the_file_and_the_ids() {
        let of = |text: &str| labels(text).unwrap_err().message;
        assert!(
            of("/m/a,Ant\n/m/a,Bat\n")
                .ends_with("d.csv, line 2: class /m/a is called \"Bat\" here and \"Ant\" on line 1")
        );
        assert!(of("/m/a,\"Ant\n").ends_with("d.csv, line 1: a quote is not closed"));
        assert!(of("/m/a,x\n/m/b,x\n/m/c,x (/m/a)\n").contains("a class is called \"x (/m/a)\""));
    }
}
