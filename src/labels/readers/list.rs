//! Text lists with one line per image: the image, then its labels. Repositories around NUS-WIDE use them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use super::{LoadOptions, Probe, Reader};
use crate::activity::{console, interrupt};
use crate::error::{Error, Result, counted, only};
use crate::files::is_picture;
use crate::labels::LabelTable;
use crate::labels::names::trimmed;
use crate::labels::pairs::{Entry, PairBuilder, Repeats};
use crate::labels::records::truth::{Policy, Taken};
use crate::labels::records::{Field, Truth, cells, numbers};
use crate::tables::TextFile;

pub const READER: Reader = Reader {
    name: "list",
    summary: "text lines `image label label ...` (or tabs, or a list [a, b]), labels as names, as numbers, or as one 0 or 1 for every label; names \
              for numbers from a file classes.txt, labels.txt or Concepts81.txt beside it",
    lists_labels: false,
    has_splits: false,
    options: &["separator", "unknown", "empty", "encoding"],
    detect: |probe, options| detect(probe, options).unwrap_or(false),
    read,
};

/// Files beside a list that name its labels, one per line.
const NAMES: &[&str] = &["classes.txt", "labels.txt", "categories.txt", "concepts.txt", "Concepts81.txt"];

/// Whether the first word, or what is before the first tab, is a picture's file name, which no other format begins with.
fn detect(probe: &Probe, options: &LoadOptions) -> Option<bool> {
    let start = probe.start(options)?;
    let line = start.split(['\n', '\r']).map(trimmed).find(|line| !line.is_empty())?;
    let is_image = |name: &str| !name.contains(',') && is_picture(trimmed(name));
    Some(is_image(line.split_whitespace().next()?) || line.split_once('\t').is_some_and(|(name, _)| is_image(name)))
}

/// A line: its number, the image and its labels.
struct Row<'a> {
    line: usize,
    image: String,
    labels: Vec<Cow<'a, str>>,
}

/// The lines, cut into image and labels.
///
/// Where every line has a tab, tabs separate, and names may hold blanks. What follows each image may also be one list in
/// brackets. Otherwise blanks separate.
///
/// Errors: a list that lacks a bracket or has another sign than commas between its items; a line without a list, where others
/// have one.
fn rows_of<'a>(text: &'a TextFile, options: &LoadOptions) -> Result<Vec<Row<'a>>> {
    let path = text.path.display();
    let mut tabs = 0;
    // An image without labels needs no tab behind it.
    let by_tabs = text.lines().all(|(_, line)| {
        tabs += usize::from(line.contains('\t'));
        line.contains('\t') || is_picture(line)
    }) && tabs > 0;
    let parts = text.lines().map(|(line, content)| {
        let cut = if by_tabs { content.split_once('\t') } else { content.split_once(char::is_whitespace) };
        let (image, rest) = cut.unwrap_or((content, ""));
        // Windows wrote some of these lists.
        (line, trimmed(image).replace('\\', "/"), trimmed(rest))
    });
    let parts: Vec<(usize, String, &str)> = parts.collect();
    let mut filled = parts.iter().map(|(_, _, rest)| *rest).filter(|rest| !rest.is_empty()).peekable();
    let lists =
        options.separator.is_none() && filled.peek().is_some() && filled.all(|rest| cells::list(rest).is_some());
    if !lists && options.separator.is_none() {
        all_or_no_lists(text, &parts)?;
    }
    if lists {
        console::log(&format!("{path}: behind the images are lists of labels (separator: \"\" keeps them whole)"));
    }
    let labels = |rest: &'a str| -> Vec<Cow<'a, str>> {
        let words = |words: &mut dyn Iterator<Item = &'a str>| {
            words.map(trimmed).filter(|word| !word.is_empty()).map(Cow::Borrowed).collect()
        };
        match (lists, by_tabs) {
            (true, _) => cells::list(rest).unwrap_or_default().into_iter().map(Cow::Owned).collect(),
            (_, true) => words(&mut rest.split('\t')),
            _ => words(&mut rest.split_whitespace()),
        }
    };
    let mut rows: Vec<Row> =
        parts.into_iter().map(|(line, image, rest)| Row { line, image, labels: labels(rest) }).collect();
    let has_blank = |label: &Cow<str>| label.contains(char::is_whitespace);
    let blanks = rows.iter().flat_map(|row| &row.labels).filter(|label| has_blank(label)).count();
    if blanks > 0 {
        let numbers = |label: &Cow<str>| label.split_whitespace().all(|word| word.parse::<f64>().is_ok());
        // Numbers behind a tab, and lists as numpy writes them.
        let cut = options.separator.as_deref().is_some_and(|given| !given.is_empty() && trimmed(given).is_empty())
            || (options.separator.is_none() && rows.iter().flat_map(|row| &row.labels).all(numbers));
        if cut {
            for row in &mut rows {
                let words = row.labels.iter().flat_map(|label| label.split_whitespace());
                row.labels = words.map(|word| Cow::Owned(word.to_string())).collect();
            }
        } else if by_tabs && !lists {
            console::log(&format!(
                "{path}: tabs separate the labels, of which {blanks} hold blanks (separator: \" \" cuts them there)"
            ));
        }
    }
    Ok(rows)
}

/// Errors: a list among lines without one, half of one, or one without commas, where blanks and signs would cut it into parts with
/// brackets.
fn all_or_no_lists(text: &TextFile, parts: &[(usize, String, &str)]) -> Result<()> {
    let help = "option separator: \"\" takes brackets for a part of labels' names";
    for (line, _, rest) in parts {
        if let Some(bracket) = cells::missing_bracket(rest) {
            let what = format!("the list of labels lacks its \"{bracket}\"; got \"{rest}\"");
            return Err(text.at(*line, what).with_help(help));
        }
        // Otherwise the sign is found in words, and cuts them.
        let mut lists = std::iter::once(*rest).chain(rest.split_whitespace());
        if let Some((list, sign)) = lists.find_map(|list| Some((list, cells::other_separator(list)?))) {
            let what = format!("the list of labels must have commas between its items, not \"{sign}\"; got \"{list}\"");
            return Err(text.at(*line, what).with_help(help));
        }
    }
    let Some((first, ..)) = parts.iter().find(|(_, _, rest)| cells::is_plainly_list(rest)) else { return Ok(()) };
    let Some((line, _, rest)) = parts.iter().find(|(_, _, rest)| !rest.is_empty() && cells::list(rest).is_none())
    else {
        return Ok(());
    };
    let what = format!("line {first} has a list of labels in brackets, so every line must; got \"{rest}\"");
    Err(text.at(*line, what).with_help(help))
}

fn read(probe: &Probe, options: &LoadOptions) -> Result<LabelTable> {
    let path = &probe.path;
    let text = probe.text(options)?;
    let mut rows = rows_of(text, options)?;
    if let Some(separator) = separator(text, &rows, options) {
        for row in &mut rows {
            let parts = row.labels.iter().flat_map(|word| word.split(separator.as_str()));
            row.labels = parts
                .map(trimmed)
                .filter(|label| !label.is_empty())
                .map(|label| Cow::Owned(label.to_string()))
                .collect();
        }
    }
    for row in &rows {
        if row.image.is_empty() {
            return Err(text.at(row.line, "the image has no name"));
        }
        if let Some(label) = row.labels.iter().find(|label| is_picture(label.as_ref())) {
            let what = format!("\"{label}\" stands where a label is expected; has the image's name a blank?");
            return Err(text.at(row.line, what).with_help("tabs between image and labels allow blanks in names"));
        }
    }
    let names = names_beside(path, options)?;
    if let Some(flags) = flags(&rows) {
        return read_flags(text, rows, &flags, names, options);
    }
    // Lines of one label each may be pairs. Otherwise a line is an image, and a second one of it is a mistake.
    if rows.iter().any(|row| row.labels.len() > 1) {
        one_line_each(text, &rows)?;
    }
    let numbers = rows.iter().flat_map(|row| &row.labels).all(|label| label.parse::<u32>().is_ok());
    let mut builder = PairBuilder::new();
    for Row { line, image, labels } in &rows {
        interrupt::check()?;
        builder.image(image)?;
        for label in labels {
            match (&names, numbers) {
                (Some(names), true) => {
                    let name = label.parse::<usize>().ok().and_then(|at| names.get(at)).ok_or_else(|| {
                        text.at(*line, format!("label {label}, but {} with a name", only(names.len(), "label")))
                    })?;
                    builder.pair(image, name, *line)?;
                }
                _ => builder.pair(image, label, *line)?,
            }
        }
    }
    builder.finish(&path.display().to_string(), "line", Repeats::Said)
}

/// The sign between labels that are written without blanks, as `cat,dog`.
fn separator(text: &TextFile, rows: &[Row], options: &LoadOptions) -> Option<String> {
    if let Some(given) = &options.separator {
        // Blanks are cut at before.
        return Some(trimmed(given)).filter(|given| !given.is_empty()).map(String::from);
    }
    let holds = |sign: &str| rows.iter().flat_map(|row| &row.labels).filter(|label| label.contains(sign)).count();
    let sign = ["|", ";", ","].into_iter().find(|sign| holds(sign) > 0)?;
    let (path, words) = (text.path.display(), counted(holds(sign), "word"));
    console::log(&format!("{path}: {words} of several labels, cut at \"{sign}\" (separator: \"\" does not)"));
    Some(sign.to_string())
}

/// The truths of each line, if every line has equally many and nothing else. A single column of 0 and 1 is label numbers.
fn flags(rows: &[Row]) -> Option<Vec<Vec<Truth>>> {
    let width = rows.first()?.labels.len();
    let truths = |row: &Row| -> Option<Vec<Truth>> {
        let truths = row.labels.iter().map(|label| Truth::of(&Field::Text(label)).ok());
        if row.labels.len() == width { truths.collect() } else { None }
    };
    let truths = rows.iter().map(truths).collect::<Option<Vec<_>>>()?;
    let all = |of: &[Truth]| truths.iter().flatten().all(|truth| of.contains(truth));
    let is_flags = match width {
        0 => false,
        1 => all(&[Truth::Present, Truth::Unknown]) && !all(&[Truth::Present]),
        _ => !all(&[Truth::Empty]),
    };
    is_flags.then_some(truths)
}

fn read_flags(
    text: &TextFile,
    rows: Vec<Row>,
    flags: &[Vec<Truth>],
    names: Option<Vec<String>>,
    options: &LoadOptions,
) -> Result<LabelTable> {
    let width = flags.first().map_or(0, Vec::len);
    let names = match names {
        Some(names) if names.len() != width => {
            let line = rows.first().map_or(1, |row| row.line);
            return Err(text.at(
                line,
                format!("{} per line, but the file of names beside it has {}", counted(width, "flag"), names.len()),
            ));
        }
        Some(names) => names,
        None => match &options.labels {
            Some(names) if names.len() == width => names.clone(),
            _ => numbers(width),
        },
    };
    console::log(&format!("{}: each line holds {} of 0 and 1", text.path.display(), counted(width, "flag")));
    one_line_each(text, &rows)?;
    let (policy, mut taken) = (Policy::of(options), Taken::default());
    let (mut present, mut unknown) = (vec![Vec::new(); rows.len()], vec![Vec::new(); rows.len()]);
    for (i, (row, truths)) in rows.iter().zip(flags).enumerate() {
        interrupt::check()?;
        for (label, truth) in truths.iter().enumerate() {
            match policy.apply(*truth, &mut taken) {
                Some(Entry::Present) => present[i].push(label as u32),
                Some(Entry::Unknown) => unknown[i].push(label as u32),
                Some(Entry::Absent) => {}
                None => {
                    let flag = format!("flag {}", label + 1);
                    return Err(undecided(text, row.line, &flag, &row.labels[label], *truth));
                }
            }
        }
    }
    taken.report(&text.path.display().to_string(), &policy);
    let table = LabelTable::from_lists(names, rows.into_iter().map(|row| row.image).collect(), &present)?;
    if unknown.iter().any(|row| !row.is_empty()) { table.with_unknown(&unknown) } else { Ok(table) }
}

/// The error for an entry whose truth the options leave open.
pub(super) fn undecided(text: &TextFile, line: usize, what: &str, came: &str, truth: Truth) -> Error {
    let help = match truth {
        Truth::Empty => {
            "the option unknown: \"negative\" or \"masked\" says what it counts as, or empty, for missing values alone"
        }
        _ => "the option unknown: \"negative\", \"positive\" or \"masked\" says what it counts as",
    };
    text.at(line, format!("{what} must be 0 or 1; got {came}, which is unknown")).with_help(help)
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
fn one_line_each(text: &TextFile, rows: &[Row]) -> Result<()> {
    let mut seen = HashMap::with_capacity(rows.len());
    for Row { line, image, .. } in rows {
        if let Some(first) = seen.insert(image, line) {
            return Err(text.at(*line, format!("image \"{image}\" appears twice, first on line {first}")));
        }
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
                .contains("t.txt, line 1: label 9, but there are only 2 labels with a name")
        );
        assert!(
            of(&[("t.txt", "1.jpg 0 1\n1.jpg 1 1\n")])
                .contains("line 2: image \"1.jpg\" appears twice, first on line 1")
        );
        assert!(
            of(&[("t.txt", "1.jpg 0 1\n"), ("classes.txt", "a\n")]).contains("2 flags per line, but the file of names")
        );
        assert!(
            of(&[("t.txt", "a/1.jpg sky sea\n2.jpg sea\na\\1.jpg sun\n")])
                .contains("line 3: image \"a/1.jpg\" appears twice, first on line 1")
        );
        // One label per line may be pairs.
        assert_eq!(written(&[("t.txt", "1.jpg sky\n1.jpg sea\n")]).unwrap().row(0), &[0_u32, 1]);
        assert!(of(&[("t.txt", "1.jpg\n2.jpg\n")]).contains("none has a label"));
        assert!(
            of(&[("t.txt", "1.jpg [a, b]\n2.jpg [a, b\n")])
                .contains("t.txt, line 2: the list of labels lacks its \"]\"; got \"[a, b\"")
        );
        assert!(
            of(&[("t.txt", "1.jpg a\n2.jpg [a, b]\n")])
                .contains("line 1: line 2 has a list of labels in brackets, so every line must; got \"a\"")
        );
        assert!(
            of(&[("t.txt", "1.jpg a\n2.jpg {'a', 'b'}\n")]).contains("line 1: line 2 has a list of labels in brackets")
        );
        assert!(of(&[("t.txt", "1.jpg a\n2.jpg b [a|b]\n")]).contains(
            "t.txt, line 2: the list of labels must have commas between its items, not \"|\"; got \"[a|b]\""
        ));
        assert!(of(&[("t.txt", "1.jpg a\n2.jpg {'a'\n")]).contains("line 2: the list of labels lacks its \"}\""));
        // Names with brackets inside.
        let t = written(&[("t.txt", "1.jpg\tperson (adult)\n2.jpg\tdog {small}\tcat\n")]).unwrap();
        assert_eq!(t.labels(), ["cat", "dog {small}", "person (adult)"]);
    }
}
