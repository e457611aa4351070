//! Multi-label ARFF: MULAN's pairs of ARFF and XML, and MEKA's ARFF whose relation tells the number of labels.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::arff::{Arff, Kind};
use super::{LoadOptions, Probe, Reader, list, xml};
use crate::activity::{console, interrupt};
use crate::error::{Error, Result};
use crate::files;
use crate::labels::LabelTable;
use crate::labels::names::trimmed;
use crate::labels::pairs::Entry;
use crate::labels::records::truth::{Policy, Taken};
use crate::labels::records::{Field, Truth};
use crate::tables::TextFile;

pub const READER: Reader = Reader {
    name: "mulan",
    summary: "ARFF of MULAN with its XML of labels beside it, or of MEKA (@relation 'x: -C 6'); images are rows, named by the \
              string attribute id or image, or else numbered from 0; features are not read",
    lists_labels: true,
    has_splits: false,
    options: &["image", "unknown", "empty", "encoding"],
    detect: |probe, options| detect(probe, options).unwrap_or(false),
    read,
};

/// Attributes of type string that name images.
const IMAGE: &[&str] =
    &["image", "id", "image_id", "imageid", "image_name", "file", "file_name", "filename", "path", "name"];

/// The most entries that stand in no row, since their labels are declared with 1 first: 256 million.
const MOST_LEFT_OUT: usize = 1 << 28;

fn detect(probe: &Probe, options: &LoadOptions) -> Option<bool> {
    let start = probe.start(options)?;
    let mut lines = start.split(['\n', '\r']).map(trimmed).filter(|line| !line.is_empty() && !line.starts_with('%'));
    let keyword = lines.next()?.split_whitespace().next()?.to_ascii_lowercase();
    Some(matches!(keyword.as_str(), "@relation" | "@attribute"))
}

fn read(probe: &Probe, options: &LoadOptions) -> Result<LabelTable> {
    let text = probe.text(options)?;
    let arff = Arff::new(text)?;
    let labels = labels_of(&probe.path, &arff, options)?;
    let defaults = labels.iter().map(|&at| default_of(text, &arff, at)).collect::<Result<Vec<Truth>>>()?;
    let image = image_attribute(&arff, &labels, text, options)?;
    let mut wanted = vec![false; arff.attributes.len()];
    labels.iter().chain(&image).for_each(|&at| wanted[at] = true);
    // Position of each attribute among the labels.
    let label_of: HashMap<usize, usize> = labels.iter().enumerate().map(|(label, &at)| (at, label)).collect();
    let mut images = Vec::with_capacity(arff.rows.len());
    let mut first_line: HashMap<String, usize> = HashMap::new();
    let (mut present, mut unknown) = (Vec::new(), Vec::new());
    let mut any_sparse = false;
    // What a sparse row leaves out is absent, but for these labels.
    let declared: Vec<u32> =
        (0..labels.len()).filter(|&label| defaults[label] != Truth::Absent).map(|label| label as u32).collect();
    let sparse = arff.rows.iter().filter(|(_, content)| content.starts_with('{')).count();
    if sparse.saturating_mul(declared.len()) > MOST_LEFT_OUT {
        let (n, most) = (declared.len(), MOST_LEFT_OUT);
        let what =
            format!("{n} labels are declared with 1 first, so {sparse} sparse rows have more than {most} labels");
        return Err(Error::in_file(&probe.path, what));
    }
    let (policy, mut taken) = (Policy::of(options), Taken::default());
    for (i, &(line, content)) in arff.rows.iter().enumerate() {
        if i % 256 == 0 {
            interrupt::check()?;
        }
        let row = arff.row(line, content, &wanted)?;
        any_sparse |= row.sparse;
        let mut name = image.is_none().then(|| i.to_string());
        let mut truths: Vec<(usize, Truth)> = Vec::new();
        for (at, value) in row.values {
            if image == Some(at) {
                name = value.map(|value| trimmed(&value).to_string());
                continue;
            }
            let Some(&label) = label_of.get(&at) else { continue };
            let name = &arff.attributes[at].name;
            let truth = truth_of(value.as_deref())
                .map_err(|came| text.at(line, format!("label \"{name}\" must be 0 or 1; got {came}")))?;
            truths.push((label, truth));
        }
        if row.sparse && !declared.is_empty() {
            // Attributes ascend, and so do labels.
            let given: Vec<usize> = truths.iter().map(|(label, _)| *label).collect();
            let others = declared.iter().map(|&label| label as usize);
            truths.extend(
                others.filter(|label| given.binary_search(label).is_err()).map(|label| (label, defaults[label])),
            );
            truths.sort_unstable_by_key(|(label, _)| *label);
        }
        let name = name.filter(|name| !name.is_empty()).ok_or_else(|| text.at(line, "the image has no name"))?;
        if image.is_some()
            && let Some(first) = first_line.insert(name.clone(), line)
        {
            return Err(text.at(line, format!("image \"{name}\" has a second row, its first is line {first}")));
        }
        images.push(name);
        let (mut present_here, mut unknown_here) = (Vec::new(), Vec::new());
        for (label, truth) in truths {
            match policy.apply(truth, &mut taken) {
                Some(Entry::Present) => present_here.push(label as u32),
                Some(Entry::Unknown) => unknown_here.push(label as u32),
                Some(Entry::Absent) => {}
                None => {
                    let name = format!("label \"{}\"", arff.attributes[labels[label]].name);
                    let came = if truth == Truth::Empty { "?" } else { "-1" };
                    return Err(list::undecided(text, line, &name, came, truth));
                }
            }
        }
        present.push(present_here);
        unknown.push(unknown_here);
    }
    taken.report(&probe.path.display().to_string(), &policy);
    if images.is_empty() {
        return Err(Error::in_file(&probe.path, "there are no rows behind @data"));
    }
    if any_sparse && let Some(label) = defaults.iter().position(|default| *default != Truth::Absent) {
        let (path, name) = (probe.path.display(), &arff.attributes[labels[label]].name);
        let first = if defaults[label] == Truth::Present { "1" } else { "-1" };
        console::log(&format!(
            "{path}: label \"{name}\" is declared with {first} first, so it is {first} where a sparse row leaves it out"
        ));
    }
    let names = labels.iter().map(|&at| trimmed(&arff.attributes[at].name).to_string()).collect();
    let table = LabelTable::from_lists(names, images, &present)?;
    if unknown.iter().any(|row| !row.is_empty()) { table.with_unknown(&unknown) } else { Ok(table) }
}

/// The truth of a value; nothing is a missing one. Errors: another value, as it is shown in messages.
fn truth_of(value: Option<&str>) -> Result<Truth, String> {
    let Some(value) = value else { return Ok(Truth::Empty) };
    match value {
        _ if value.eq_ignore_ascii_case("yes") => Ok(Truth::Present),
        _ if value.eq_ignore_ascii_case("no") => Ok(Truth::Absent),
        _ => Truth::of(&Field::Text(value)),
    }
}

/// The truth of a label that a sparse row leaves out: its first value. Errors: an attribute that holds anything else
/// than 0 and 1.
fn default_of(text: &TextFile, arff: &Arff, at: usize) -> Result<Truth> {
    let attribute = &arff.attributes[at];
    let wrong = |came: &str| {
        let name = &attribute.name;
        text.at(attribute.line, format!("label \"{name}\" must be {{0,1}} or numeric; it is {came}"))
    };
    match &attribute.kind {
        Kind::Numeric => Ok(Truth::Absent),
        Kind::String => Err(wrong("string")),
        Kind::Date => Err(wrong("date")),
        Kind::Nominal(values) => {
            let truths = values.iter().map(|value| truth_of(Some(value))).collect::<Result<Vec<_>, _>>();
            match truths.ok().and_then(|truths| truths.first().copied()) {
                Some(first) => Ok(first),
                None => Err(wrong(&format!("{{{}}}", values.iter().take(8).cloned().collect::<Vec<_>>().join(",")))),
            }
        }
    }
}

/// The attribute that names images, if there is one.
fn image_attribute(arff: &Arff, labels: &[usize], text: &TextFile, options: &LoadOptions) -> Result<Option<usize>> {
    let names = || arff.attributes.iter().map(|a| a.name.as_str());
    if let Some(wanted) = &options.image {
        let at = names().position(|name| name == wanted).ok_or_else(|| Error::unknown("attribute", wanted, names()))?;
        if labels.contains(&at) {
            return Err(
                text.at(arff.attributes[at].line, format!("\"{wanted}\" is a label, so it cannot name the images"))
            );
        }
        return Ok(Some(at));
    }
    let candidates = |at: &usize| arff.attributes[*at].kind == Kind::String && !labels.contains(at);
    let named = |known: &&str| {
        (0..arff.attributes.len()).filter(candidates).find(|at| arff.attributes[*at].name.eq_ignore_ascii_case(known))
    };
    Ok(IMAGE.iter().find_map(named))
}

/// The positions of the labels among the attributes, ascending.
fn labels_of(path: &Path, arff: &Arff, options: &LoadOptions) -> Result<Vec<usize>> {
    let counted = counted_labels(path, arff)?;
    let (named, only) = xml_beside(path)?;
    let file = match (named, &counted) {
        (Some(file), _) => Some(file),
        (None, Some(_)) => None,
        (None, None) => only,
    };
    match (file, counted) {
        (Some(file), counted) => {
            let labels = labels_of_xml(&file, path, arff, options)?;
            if counted.is_some_and(|counted| counted != labels) {
                let (path, file) = (path.display(), file.display());
                console::log(&format!("{path}: the relation's -C tells other labels than {file}, whose labels are read"));
            }
            Ok(labels)
        }
        (None, Some(counted)) => Ok(counted),
        (None, None) => Err(Error::in_file(path, "this ARFF file does not tell which attributes are labels").with_help(
            "expected an XML file of the same name beside it (<labels><label name=\"...\"/></labels>), or -C and the number of \
             labels in the relation (@relation 'x: -C 6')",
        )),
    }
}

/// The labels that MEKA's `-C n` tells: the first n attributes, or for a negative n the last.
fn counted_labels(path: &Path, arff: &Arff) -> Result<Option<Vec<usize>>> {
    let mut words = arff.relation.split_whitespace();
    if !words.any(|word| word == "-C") {
        return Ok(None);
    }
    let (word, all) = (words.next().unwrap_or(""), arff.attributes.len());
    let n = word.parse::<i64>().ok().filter(|n| *n != 0 && n.unsigned_abs() <= all as u64).ok_or_else(|| {
        let what =
            format!("-C in the relation must be a number of labels, at most the {all} attributes; got \"{word}\"");
        Error::in_file(path, what)
    })?;
    let count = n.unsigned_abs() as usize;
    Ok(Some(if n > 0 { (0..count).collect() } else { (all - count..all).collect() }))
}

/// The XML file whose name begins the ARFF file's (`x.xml` for `x-train.arff`), and the only one in the folder.
fn xml_beside(path: &Path) -> Result<(Option<PathBuf>, Option<PathBuf>)> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let entries = files::list(folder)?.into_iter();
    let mut files: Vec<(String, PathBuf)> = entries
        .filter_map(|entry| {
            let file = entry;
            let is_xml = file.extension().is_some_and(|e| e.eq_ignore_ascii_case("xml"));
            is_xml.then(|| (file.file_stem().unwrap_or_default().to_string_lossy().into_owned(), file))
        })
        .collect();
    files.sort();
    let begins = |name: &str| {
        stem.strip_prefix(name).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric)) && !name.is_empty()
    };
    let named = files.iter().filter(|(name, _)| begins(name)).max_by_key(|(name, _)| name.len());
    let named = named.map(|(_, file)| file.clone());
    let only = (files.len() == 1).then(|| files.remove(0).1);
    Ok((named, only))
}

fn labels_of_xml(file: &Path, arff_path: &Path, arff: &Arff, options: &LoadOptions) -> Result<Vec<usize>> {
    let text = xml::read(file, options.encoding.as_deref())?;
    let document = xml::parse(text.content()).map_err(|(line, what)| text.at(line, what))?;
    let root = document.root_element();
    if root.tag_name().name() != "labels" {
        return Err(text.at(xml::line(root), format!("expected <labels>; got <{}>", root.tag_name().name())));
    }
    let place: HashMap<&str, usize> =
        arff.attributes.iter().enumerate().map(|(at, attribute)| (trimmed(&attribute.name), at)).collect();
    let mut seen = HashSet::new();
    let mut labels = Vec::new();
    // Nested labels are labels of their own.
    for label in root.descendants().filter(|node| node.is_element() && node.tag_name().name() == "label") {
        let name = label.attribute("name").map(trimmed).filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| text.at(xml::line(label), "a label has no name"))?;
        if !seen.insert(name.to_string()) {
            return Err(text.at(xml::line(label), format!("label \"{name}\" appears twice")));
        }
        let at = place.get(name).ok_or_else(|| {
            let unknown = Error::unknown("attribute", name, arff.attributes.iter().map(|a| a.name.as_str()));
            let what = format!("label \"{name}\" is no attribute of {}", arff_path.display());
            Error { help: unknown.help, ..text.at(xml::line(label), what) }
        })?;
        labels.push(*at);
    }
    if labels.is_empty() {
        return Err(text.at(1, "there are no labels"));
    }
    // In the order of the attributes, as other programs number them.
    labels.sort_unstable();
    Ok(labels)
}
