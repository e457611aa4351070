//! Text lists with one line per image: the image, then its labels. Repositories around NUS-WIDE use them.

use std::collections::HashMap;
use std::path::Path;

use super::{LoadOptions, Probe, Reader, Unknown};
use crate::activity::{console, interrupt};
use crate::error::Result;
use crate::files::is_picture;
use crate::labels::LabelTable;
use crate::labels::names::trimmed;
use crate::labels::pairs::{PairBuilder, Repeats};
use crate::labels::records::numbers;
use crate::tables::TextFile;

pub const READER: Reader = Reader {
    name: "list",
    summary: "text lines `image label label ...`, labels as names, as numbers, or as one 0 or 1 for every label; names \
              for numbers from a file classes.txt, labels.txt or Concepts81.txt beside it",
    lists_labels: false,
    has_splits: false,
    options: &["separator", "unknown", "empty", "encoding"],
    detect: |probe, options| detect(probe, options).unwrap_or(false),
    read,
};

/// Files beside a list that name its labels, one per line.
const NAMES: &[&str] = &["classes.txt", "labels.txt", "categories.txt", "concepts.txt", "Concepts81.txt"];

/// Whether the first word is a picture's file name, which no other format begins with.
fn detect(probe: &Probe, options: &LoadOptions) -> Option<bool> {
    let start = probe.start(options)?;
    let line = start.split(['\n', '\r']).map(trimmed).find(|line| !line.is_empty())?;
    let first = line.split_whitespace().next()?;
    Some(!first.contains(',') && is_picture(first))
}

fn read(probe: &Probe, options: &LoadOptions) -> Result<LabelTable> {
    let path = &probe.path;
    let text = probe.text(options)?;
    let mut rows: Vec<(usize, Vec<&str>)> =
        text.lines().map(|(line, row)| (line, row.split_whitespace().map(trimmed).collect())).collect();
    if let Some(separator) = separator(text, &rows, options) {
        for (_, row) in &mut rows {
            let labels = row.split_off(1);
            let parts = labels.into_iter().flat_map(|word| word.split(separator.as_str()));
            row.extend(parts.map(trimmed).filter(|label| !label.is_empty()));
        }
    }
    let names = names_beside(path, options)?;
    let width = rows.first().map_or(0, |(_, row)| row.len() - 1);
    // Flags, if every line has equally many and all are 0, 1 or -1. A single column of 0 and 1 is label numbers.
    let all = |among: &[&str]| {
        rows.iter().all(|(_, row)| row.len() - 1 == width && row[1..].iter().all(|flag| among.contains(flag)))
    };
    if (width > 1 && all(&["0", "1", "-1"])) || (width == 1 && all(&["1", "-1"]) && !all(&["1"])) {
        return read_flags(text, &rows, width, names, options.unknown);
    }
    // Lines of one label each may be pairs. Otherwise a line is an image, and a second one of it is a mistake.
    if rows.iter().any(|(_, row)| row.len() > 2) {
        one_line_each(text, &rows)?;
    }
    let numbers = rows.iter().flat_map(|(_, row)| &row[1..]).all(|label| label.parse::<u32>().is_ok());
    let mut builder = PairBuilder::new();
    for (line, row) in &rows {
        interrupt::check()?;
        // Windows wrote some of these lists.
        let image = row[0].replace('\\', "/");
        if image.is_empty() {
            return Err(text.at(*line, "the image has no name"));
        }
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
    builder.finish(&path.display().to_string(), "line", Repeats::Said)
}

/// The sign between labels that are written without blanks, as `cat,dog`.
fn separator(text: &TextFile, rows: &[(usize, Vec<&str>)], options: &LoadOptions) -> Option<String> {
    if let Some(given) = &options.separator {
        // Blanks separate anyway.
        return Some(trimmed(given)).filter(|given| !given.is_empty()).map(String::from);
    }
    let holds = |sign: &str| rows.iter().flat_map(|(_, row)| &row[1..]).filter(|label| label.contains(sign)).count();
    let sign = ["|", ";", ","].into_iter().find(|sign| holds(sign) > 0)?;
    let (path, n) = (text.path.display(), holds(sign));
    console::log(&format!("{path}: {n} words hold several labels, cut at \"{sign}\" (separator: \"\" does not)"));
    Some(sign.to_string())
}

fn read_flags(
    text: &TextFile,
    rows: &[(usize, Vec<&str>)],
    width: usize,
    names: Option<Vec<String>>,
    unknown: Unknown,
) -> Result<LabelTable> {
    let names = match names {
        Some(names) if names.len() != width => {
            let line = rows.first().map_or(1, |(line, _)| *line);
            return Err(
                text.at(line, format!("{width} flags per line, but the file of names beside it has {}", names.len()))
            );
        }
        Some(names) => names,
        None => numbers(width),
    };
    one_line_each(text, rows)?;
    for (line, row) in rows {
        if let (Some(flag), Unknown::Error) = (row[1..].iter().position(|flag| *flag == "-1"), unknown) {
            let what = format!("flag {} must be 0 or 1; got -1, which is unknown", flag + 1);
            return Err(text
                .at(*line, what)
                .with_help("the option unknown: \"negative\", \"positive\" or \"masked\" says what it counts as"));
        }
    }
    let images = rows.iter().map(|(_, row)| row[0].replace('\\', "/")).collect();
    let with = |wanted: &[&str]| -> Vec<Vec<u32>> {
        let list = |row: &[&str]| (0..width as u32).filter(|&l| wanted.contains(&row[l as usize + 1])).collect();
        rows.iter().map(|(_, row)| list(row)).collect()
    };
    let present: &[&str] = if unknown == Unknown::Positive { &["1", "-1"] } else { &["1"] };
    let table = LabelTable::from_lists(names, images, &with(present))?;
    if unknown == Unknown::Masked { table.with_unknown(&with(&["-1"])) } else { Ok(table) }
}

/// Names that are numbered by their lines. Errors: a blank line between them.
pub(super) fn numbered_names(text: &TextFile) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for (line, name) in text.lines() {
        if line != names.len() + 1 {
            return Err(text.at(line - 1, "a blank line between class names, which are numbered by their lines"));
        }
        names.push(trimmed(name).to_string());
    }
    Ok(names)
}

/// Errors: an image with a second line.
fn one_line_each(text: &TextFile, rows: &[(usize, Vec<&str>)]) -> Result<()> {
    let mut seen = HashMap::with_capacity(rows.len());
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
pub(super) fn names_beside(path: &Path, options: &LoadOptions) -> Result<Option<Vec<String>>> {
    let folder = path.parent().unwrap_or(Path::new("."));
    for name in NAMES {
        let file = folder.join(name);
        if file.is_file() && file != path {
            return numbered_names(&TextFile::read_as(&file, options.encoding.as_deref())?).map(Some);
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
