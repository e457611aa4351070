//! Text lists with one line per image: the image, then its labels. Repositories around NUS-WIDE use them.

use std::path::Path;

use super::{LoadOptions, Probe, Reader};
use crate::activity::interrupt;
use crate::error::Result;
use crate::files::is_picture;
use crate::labels::LabelTable;
use crate::labels::pairs::{PairBuilder, Repeats};
use crate::tables::TextFile;

pub const READER: Reader = Reader {
    name: "list",
    summary: "text lines `image label label ...`, labels as names, as numbers, or as one 0 or 1 for every label; names \
              for numbers from a file classes.txt, labels.txt or Concepts81.txt beside it",
    lists_labels: false,
    has_splits: false,
    detect: |probe, _| detect(probe).unwrap_or(false),
    read,
};

/// Files beside a list that name its labels, one per line.
const NAMES: &[&str] = &["classes.txt", "labels.txt", "categories.txt", "concepts.txt", "Concepts81.txt"];

/// Whether the first word is a picture's file name, which no other format begins with.
fn detect(probe: &Probe) -> Option<bool> {
    if probe.is_folder || probe.head.contains(&0) {
        return None;
    }
    let first = probe.first_line()?.split_whitespace().next()?;
    Some(!first.contains(',') && is_picture(first))
}

fn read(probe: &Probe, _: &LoadOptions) -> Result<LabelTable> {
    let path = &probe.path;
    let text = TextFile::read(path)?;
    let rows: Vec<(usize, Vec<&str>)> =
        text.lines().map(|(line, row)| (line, row.split_whitespace().collect())).collect();
    let names = names_beside(path)?;
    let width = rows.first().map_or(0, |(_, row)| row.len() - 1);
    // Flags, if every line has equally many and all are 0 or 1. A single column of them is label numbers.
    let flags = width > 1
        && rows.iter().all(|(_, row)| row.len() - 1 == width && row[1..].iter().all(|flag| matches!(*flag, "0" | "1")));
    let source = path.display().to_string();
    if flags {
        return read_flags(&text, &rows, width, names);
    }
    // Lines of one label each may be pairs. Otherwise a line is an image, and a second one of it is a mistake.
    if rows.iter().any(|(_, row)| row.len() > 2) {
        one_line_each(&text, &rows)?;
    }
    let numbers = rows.iter().flat_map(|(_, row)| &row[1..]).all(|label| label.parse::<u32>().is_ok());
    let mut builder = PairBuilder::new();
    for (line, row) in &rows {
        interrupt::check()?;
        // Windows wrote some of these lists.
        let image = row[0].replace('\\', "/");
        builder.image(&image)?;
        for &label in &row[1..] {
            match (&names, numbers) {
                (Some(names), true) => {
                    let name = label.parse::<usize>().ok().and_then(|at| names.get(at)).ok_or_else(|| {
                        text.at(*line, format!("label {label}, but only {} labels have names", names.len()))
                    })?;
                    builder.pair(&image, name, *line)?;
                }
                _ => builder.pair(&image, label, *line)?,
            }
        }
    }
    builder.finish(&source, "line", Repeats::Said)
}

fn read_flags(
    text: &TextFile,
    rows: &[(usize, Vec<&str>)],
    width: usize,
    names: Option<Vec<String>>,
) -> Result<LabelTable> {
    let digits = (width - 1).max(1).ilog10() as usize + 1;
    let names = match names {
        Some(names) if names.len() != width => {
            let line = rows.first().map_or(1, |(line, _)| *line);
            return Err(
                text.at(line, format!("{width} flags per line, but the file of names beside it has {}", names.len()))
            );
        }
        Some(names) => names,
        None => (0..width).map(|label| format!("{label:0digits$}")).collect(),
    };
    let images = rows.iter().map(|(_, row)| row[0].replace('\\', "/")).collect();
    let lists: Vec<Vec<u32>> =
        (rows.iter()).map(|(_, row)| (0..width as u32).filter(|&l| row[l as usize + 1] == "1").collect()).collect();
    one_line_each(text, rows)?;
    LabelTable::from_lists(names, images, &lists)
}

/// Errors: an image with a second line.
fn one_line_each(text: &TextFile, rows: &[(usize, Vec<&str>)]) -> Result<()> {
    let mut seen = std::collections::HashMap::with_capacity(rows.len());
    for (line, row) in rows {
        let image = row[0].replace('\\', "/");
        if let Some(first) = seen.get(&image) {
            return Err(text.at(*line, format!("image \"{image}\" appears twice, first on line {first}")));
        }
        seen.insert(image, line);
    }
    Ok(())
}

/// The label names by number, from the first file of [`NAMES`] in the folder of the list.
fn names_beside(path: &Path) -> Result<Option<Vec<String>>> {
    let folder = path.parent().unwrap_or(Path::new("."));
    for name in NAMES {
        let file = folder.join(name);
        if file.is_file() && file != path {
            return Ok(Some(TextFile::read(&file)?.lines().map(|(_, name)| name.to_string()).collect()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::super::load;
    use super::*;

    fn written(files: &[(&str, &str)]) -> Result<LabelTable> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        load(&folder.path().join(files[0].0), &LoadOptions::default())
    }

    #[test]
    fn names_numbers_and_flags() {
        let t = written(&[("train.txt", "a/1.jpg sky sea\na\\2.jpg\n3.JPG sky\n")]).unwrap();
        assert_eq!(
            (t.labels(), t.images()),
            (&["sea".to_string(), "sky".into()][..], &["a/1.jpg".to_string(), "a/2.jpg".into(), "3.JPG".into()][..])
        );
        assert_eq!([t.row(0), t.row(1), t.row(2)], [&[0_u32, 1][..], &[], &[1]]);
        let t = written(&[("train.txt", "1.jpg 0 2\n2.jpg 1\n"), ("classes.txt", "sky\nsea\nsun\n")]).unwrap();
        assert_eq!(t.row(0).iter().map(|&l| t.labels()[l as usize].as_str()).collect::<Vec<_>>(), ["sky", "sun"]);
        let t = written(&[("train.txt", "1.jpg 0 1 1\n2.jpg 0 0 0\n"), ("Concepts81.txt", "x\nb\na\n")]).unwrap();
        assert_eq!(
            (t.labels(), t.row(0), t.num_unlabelled()),
            (&["x".to_string(), "b".into(), "a".into()][..], &[1_u32, 2][..], 1)
        );
        let t = written(&[("train.txt", "1.jpg 0 1 1\n2.jpg 0 0 0\n")]).unwrap();
        assert_eq!(t.labels(), ["0", "1", "2"]);
    }

    #[test]
    fn mistakes_name_the_line() {
        let of = |files: &[(&str, &str)]| written(files).unwrap_err().message;
        assert!(
            of(&[("t.txt", "1.jpg 0 9\n2.jpg 1\n"), ("classes.txt", "a\nb\n")])
                .contains("t.txt, line 1: label 9, but only 2")
        );
        assert!(
            of(&[("t.txt", "1.jpg 0 1\n1.jpg 1 1\n")])
                .contains("line 2: image \"1.jpg\" appears twice, first on line 1")
        );
        assert!(
            of(&[("t.txt", "1.jpg 0 1\n"), ("classes.txt", "a\n")]).contains("2 flags per line, but the file of names")
        );
        assert!(of(&[("t.txt", "1.jpg sky sky\n")]).contains("a second time"));
        assert!(
            of(&[("t.txt", "a/1.jpg sky sea\n2.jpg sea\na\\1.jpg sun\n")])
                .contains("line 3: image \"a/1.jpg\" appears twice, first on line 1")
        );
        // One label per line may be pairs.
        assert_eq!(written(&[("t.txt", "1.jpg sky\n1.jpg sea\n")]).unwrap().row(0), &[0_u32, 1]);
        assert!(of(&[("t.txt", "1.jpg\n2.jpg\n")]).contains("none has a label"));
    }
}
