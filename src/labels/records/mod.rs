//! Label tables from records: rows of CSV files, Parquet files and tables of scripts, read by one set of rules.
//!
//! | part | file |
//! |---|---|
//! | [`Source`] and [`Records`]: records of named fields, from the start as often as needed | this one |
//! | the names that columns of images and labels have | `columns` |
//! | [`Layout`]: long or wide, and the columns, from names and content | `layout` |
//! | several labels in a cell | `cells` |
//! | 0, 1, -1, true, empty: the truth of an entry | `truth` |
//! | sources: CSV files; JSON lines; frames and Parquet files in parts | `csv_source`, `json_source`, `frame_source`, `parquet` |

pub(super) mod cells;
pub(super) mod columns;
mod csv_source;
mod frame_source;
mod json_source;
mod layout;
pub(super) mod parquet;
pub(super) mod truth;

use std::collections::HashMap;

pub use csv_source::CsvSource;
pub use frame_source::FrameSource;
pub use json_source::JsonSource;
pub use layout::{Form, Layout, SAMPLE_MOST};
pub use truth::Truth;

use self::cells::Cells;
use self::truth::Policy;
use super::label_table::LabelTable;
use super::pairs::{Entry, PairBuilder, Repeats};
use super::readers::LoadOptions;
use crate::activity::console;
use crate::error::{Error, Result};

/// One value of a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Field<'a> {
    Null,
    Text(&'a str),
    Bool(bool),
    Int(i64),
    Float(f64),
    List(Vec<String>),
    /// A value of another kind, as messages call it.
    Other(&'static str),
}

/// Records of named columns.
pub trait Source {
    type Records<'a>: Records
    where
        Self: 'a;

    /// The column names. Two may be equal, and one may be empty.
    fn names(&self) -> &[String];

    /// Records of these columns only, in this order, from the first; at most `most` of them.
    fn records(&self, columns: &[usize], most: usize) -> Result<Self::Records<'_>>;

    /// The file's name, or another one, for messages.
    fn name(&self) -> String;

    /// What a place of a record is called: "line" or "row".
    fn unit(&self) -> &'static str;

    /// An error at a record, or about all of them.
    fn error(&self, place: Option<usize>, message: String) -> Error;

    /// Choices made while opening it that could have been others.
    fn notes(&self) -> &[String] {
        &[]
    }
}

/// Records, one at a time.
pub trait Records {
    /// Moves to the next record and returns its place; `None` at the end.
    fn next(&mut self) -> Result<Option<usize>>;

    /// A field of the current record, by the position of its column among those asked for.
    fn field(&self, column: usize) -> Result<Field<'_>>;
}

/// Reads a label table. Choices that could have been others are said on the console.
///
/// Errors name the source and the line or row: no column that fits, with the option that names it; an image without a
/// name; a value that is no truth; an image with a second row in a wide table.
pub fn read(source: &impl Source, options: &LoadOptions, form: Option<Form>) -> Result<LabelTable> {
    let layout = Layout::find(source, options, form)?;
    for note in source.notes().iter().chain(&layout.notes) {
        console::log(&format!("{}: {note}", source.name()));
    }
    match &layout.form {
        Form::Long if layout.flags.is_some() => read_flags(source, &layout, options),
        Form::Long => read_long(source, &layout, options),
        Form::Wide => read_wide(source, &layout, options),
    }
}

/// The name of an image or label, or nothing for an empty field.
fn name_of<S: Source>(source: &S, place: usize, field: Field<'_>, buffer: &mut String) -> Result<bool> {
    buffer.clear();
    match field {
        Field::Null => {}
        Field::Text(text) => buffer.push_str(text),
        Field::Bool(value) => buffer.push_str(if value { "true" } else { "false" }),
        Field::Int(value) => buffer.push_str(&value.to_string()),
        // pandas makes floats of integers beside an empty cell.
        Field::Float(value) if value.is_nan() => {}
        Field::Float(value) => buffer.push_str(&value.to_string()),
        Field::List(_) => return Err(source.error(Some(place), "expected a name; got a list".into())),
        Field::Other(kind) => return Err(source.error(Some(place), format!("expected a name; got {kind}"))),
    }
    Ok(!buffer.is_empty())
}

fn read_long<S: Source>(source: &S, layout: &Layout, options: &LoadOptions) -> Result<LabelTable> {
    let columns: Vec<usize> =
        [Some(layout.image), layout.label, layout.value.map(|(column, _)| column)].into_iter().flatten().collect();
    let cells = &layout.cells;
    let policy = Policy::of_values(options);
    let mut records = source.records(&columns, usize::MAX)?;
    let mut builder = PairBuilder::new();
    let (mut image, mut label) = (String::new(), String::new());
    let mut unsure = 0_u64;
    let mut taken = truth::Taken::default();
    while let Some(place) = records.next()? {
        if !name_of(source, place, records.field(0)?, &mut image)? {
            if (1..columns.len()).all(|i| matches!(records.field(i), Ok(Field::Null | Field::Text("")))) {
                continue; // a row of empty cells, as spreadsheets write them
            }
            return Err(source.error(Some(place), "the image has no name".into()));
        }
        builder.image(&image)?;
        let field = records.field(1)?;
        if matches!(field, Field::Null | Field::Text("")) {
            continue;
        }
        let entry = match layout.value {
            None => Entry::Present,
            Some((column, columns::Value::Truth)) => {
                let name = &source.names()[column];
                let truth = Truth::of(&records.field(2)?).map_err(|came| {
                    source.error(Some(place), format!("column \"{name}\" must be 1, 0 or -1; got {came}"))
                })?;
                policy.apply(truth, &mut taken).ok_or_else(|| truth::undecided(source, place, name, truth))?
            }
            Some((_, columns::Value::Confidence)) => {
                let sure =
                    truth::confidence(&records.field(2)?).map_err(|message| source.error(Some(place), message))?;
                unsure += u64::from(sure != 0.0 && sure != 1.0);
                if sure == 0.0 { Entry::Absent } else { Entry::Present }
            }
        };
        if let (Cells::Split(_) | Cells::List, Field::Text(text)) = (cells, &field) {
            let items = cells.split(text).ok_or_else(|| {
                let message = format!("expected a list of labels, as in ['cat', 'dog']; got \"{text}\"");
                source.error(Some(place), message)
            })?;
            items.iter().try_for_each(|item| builder.entry(&image, item, entry, place))?;
        } else if let Field::List(items) = field {
            items.iter().try_for_each(|item| builder.entry(&image, item, entry, place))?;
        } else if name_of(source, place, field, &mut label)? {
            builder.entry(&image, &label, entry, place)?;
        }
    }
    taken.report(&source.name(), &policy);
    if unsure > 0 {
        console::log(&format!(
            "{}: {unsure} rows have a confidence between 0 and 1; they count as present",
            source.name()
        ));
    }
    builder.finish(&source.name(), source.unit(), Repeats::Said).map_err(|e| source.error(None, e.message))
}

/// A table whose cells are one 0 or 1 for every label. The option `labels` names them if it has as many names; otherwise
/// they are called by their positions.
fn read_flags<S: Source>(source: &S, layout: &Layout, options: &LoadOptions) -> Result<LabelTable> {
    let (Some(label), Some(width)) = (layout.label, layout.flags) else {
        return Err(Error::internal("a layout of flags without a column of them"));
    };
    let mut records = source.records(&[layout.image, label], usize::MAX)?;
    let (mut images, mut lists) = (Vec::new(), Vec::new());
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut image = String::new();
    while let Some(place) = records.next()? {
        if !name_of(source, place, records.field(0)?, &mut image)? {
            return Err(source.error(Some(place), "the image has no name".into()));
        }
        once(source, &mut seen, &image, place)?;
        let flags = match records.field(1)? {
            Field::Text(text) => layout.cells.split(text),
            Field::List(items) => Some(items),
            _ => None,
        };
        let flags = flags.filter(|f| f.len() == width && f.iter().all(|f| matches!(f.as_str(), "0" | "1")));
        let flags = flags.ok_or_else(|| {
            let name = &source.names()[label];
            source.error(Some(place), format!("column \"{name}\" must hold {width} flags of 0 and 1 in every row"))
        })?;
        images.push(image.clone());
        lists.push((0..width as u32).filter(|&label| flags[label as usize] == "1").collect());
    }
    let names = match &options.labels {
        Some(names) if names.len() == width => names.clone(),
        _ => numbers(width),
    };
    LabelTable::from_lists(names, images, &lists)
}

/// Names of labels without names: their positions, all of one length.
pub(super) fn numbers(width: usize) -> Vec<String> {
    let digits = (width.max(2) - 1).ilog10() as usize + 1;
    (0..width).map(|label| format!("{label:0digits$}")).collect()
}

/// Errors: the image has an earlier record.
fn once<S: Source>(source: &S, seen: &mut HashMap<String, usize>, image: &str, place: usize) -> Result<()> {
    match seen.insert(image.to_string(), place) {
        None => Ok(()),
        Some(first) => {
            let unit = source.unit();
            let message = format!("image \"{image}\" has a second row, its first is {unit} {first}");
            Err(source.error(Some(place), message))
        }
    }
}

fn read_wide<S: Source>(source: &S, layout: &Layout, options: &LoadOptions) -> Result<LabelTable> {
    let columns: Vec<usize> =
        std::iter::once(layout.image).chain(layout.labels.iter().map(|(column, _)| *column)).collect();
    let policy = Policy::of(options);
    let mut records = source.records(&columns, usize::MAX)?;
    let (mut images, mut offsets, mut indices) = (Vec::new(), vec![0_u64], Vec::new());
    let mut unknown: Vec<(usize, u32)> = Vec::new();
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut taken = truth::Taken::default();
    let mut image = String::new();
    while let Some(place) = records.next()? {
        if !name_of(source, place, records.field(0)?, &mut image)? {
            if (1..columns.len()).all(|i| matches!(records.field(i), Ok(Field::Null | Field::Text("")))) {
                continue;
            }
            return Err(source.error(Some(place), "the image has no name".into()));
        }
        once(source, &mut seen, &image, place)?;
        for (label, (_, name)) in layout.labels.iter().enumerate() {
            let truth = Truth::of(&records.field(label + 1)?).map_err(|came| {
                source.error(Some(place), format!("column \"{name}\" must be 0 or 1; got {came}")).with_help(
                    "option labels names the columns that are labels; option label the one whose cells are labels",
                )
            })?;
            match policy.apply(truth, &mut taken).ok_or_else(|| truth::undecided(source, place, name, truth))? {
                Entry::Present => indices.push(label as u32),
                Entry::Unknown => unknown.push((images.len(), label as u32)),
                Entry::Absent => {}
            }
        }
        images.push(image.clone());
        offsets.push(indices.len() as u64);
    }
    if images.is_empty() {
        return Err(source.error(None, "there is a header, but no rows".into()));
    }
    taken.report(&source.name(), &policy);
    let n = images.len();
    let names = layout.labels.iter().map(|(_, name)| name.clone()).collect();
    let table = LabelTable::from_csr(names, images, offsets, indices)?;
    if unknown.is_empty() {
        return Ok(table);
    }
    let mut lists = vec![Vec::new(); n];
    unknown.into_iter().for_each(|(image, label)| lists[image].push(label));
    table.with_unknown(&lists)
}
