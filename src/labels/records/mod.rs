//! Label tables from records: rows of CSV files, Parquet files and tables of scripts, read by one set of rules.
//!
//! | part | file |
//! |---|---|
//! | [`Source`] and [`Records`]: records of named fields, from the start as often as needed | this one |
//! | the names that columns of images and labels have | `columns` |
//! | [`Layout`]: long or wide, and the columns, from names and content | `layout` |
//! | what the columns hold, from the first records | `sample` |
//! | several labels in a cell | `cells` |
//! | the split of each image, from two columns | `division` |
//! | 0, 1, -1, true, empty: the truth of an entry | `truth` |
//! | sources: CSV files; JSON lines; frames and Parquet files in parts | `csv_source`, `json_source`, `frame_source`, `parquet` |

pub(super) mod cells;
pub(super) mod columns;
mod csv_source;
pub(super) mod division;
mod frame_source;
mod json_source;
mod layout;
pub(super) mod parquet;
mod sample;
pub(super) mod truth;

use std::borrow::Cow;

use polars::prelude::PlHashMap;

pub use csv_source::CsvSource;
pub use frame_source::FrameSource;
pub use json_source::JsonSource;
pub use layout::{Form, Layout};
pub use sample::SAMPLE_MOST;
pub use truth::Truth;

use self::cells::Cells;
use self::truth::Policy;
use super::label_table::LabelTable;
use super::names::trimmed;
use super::pairs::{Entry, PairBuilder, Repeats};
use super::readers::LoadOptions;
use crate::activity::console;
use crate::error::{Error, Result, counted};

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

    /// What a place of a record is called: "line", counted from 1, or "row", counted from 0.
    fn unit(&self) -> &'static str;

    /// An error at a record, or about all of them.
    fn error(&self, place: Option<usize>, message: String) -> Error;

    /// Choices made while opening it that could have been others.
    fn notes(&self) -> &[String] {
        &[]
    }

    /// A column that is neither that of images nor one of labels, whatever it holds.
    fn passed_over(&self) -> Option<usize> {
        None
    }
}

/// Records, one at a time.
pub trait Records {
    /// Moves to the next record and returns its place; `None` at the end.
    fn next(&mut self) -> Result<Option<usize>>;

    /// A field of the current record, by the position of its column among those asked for.
    fn field(&self, column: usize) -> Result<Field<'_>>;

    /// The truth that a field holds, or the other value as messages show it.
    #[inline]
    fn truth(&self, column: usize) -> Result<Result<Truth, String>> {
        Ok(Truth::of(&self.field(column)?))
    }
}

/// Reads a label table. Choices that could have been others are said on the console.
///
/// Errors name the source and the line or row: no column that fits, with the option that names it; an image without a
/// name; a value that is no truth; an image with a second row in a wide table.
pub fn read(source: &impl Source, options: &LoadOptions, form: Option<Form>) -> Result<LabelTable> {
    read_as(source, &Layout::find(source, options, form)?, options)
}

/// Reads a label table of this layout.
pub fn read_as(source: &impl Source, layout: &Layout, options: &LoadOptions) -> Result<LabelTable> {
    for note in source.notes().iter().chain(&layout.notes) {
        console::log(&format!("{}: {note}", source.name()));
    }
    match &layout.form {
        Form::Long if layout.flags.is_some() => read_flags(source, layout, options),
        Form::Long => read_long(source, layout, options),
        Form::Wide => read_wide(source, layout, options),
    }
}

/// The name of an image or label; an empty one for an empty field.
#[inline]
fn name_of<'a, S: Source>(source: &S, place: usize, field: Field<'a>) -> Result<Cow<'a, str>> {
    Ok(match field {
        Field::Text(text) => Cow::Borrowed(text),
        Field::Null => Cow::Borrowed(""),
        Field::Bool(value) => Cow::Borrowed(if value { "true" } else { "false" }),
        Field::Int(value) => Cow::Owned(value.to_string()),
        // pandas makes floats of integers beside an empty cell.
        Field::Float(value) if value.is_nan() => Cow::Borrowed(""),
        // Two names of so many digits may be the same number: JSON has integers of any length, and a float holds not all above 2^53.
        Field::Float(value) if value.abs() > 9_007_199_254_740_992.0 => {
            let message = format!(
                "a name that is a number this large must be an integer of at most {} or a text; got {value}, which may have lost digits",
                i64::MAX
            );
            return Err(source.error(Some(place), message));
        }
        Field::Float(value) => Cow::Owned(value.to_string()),
        Field::List(_) => return Err(source.error(Some(place), "expected a name; got a list".into())),
        Field::Other(kind) => return Err(source.error(Some(place), format!("expected a name; got {kind}"))),
    })
}

/// The name of the image of a record. `None` for a record of empty fields, as spreadsheets write them.
///
/// Errors: a record without an image that holds something else.
#[inline]
fn image_of<'a, S: Source, R: Records>(
    source: &S,
    records: &'a R,
    columns: usize,
    place: usize,
) -> Result<Option<Cow<'a, str>>> {
    let image = name_of(source, place, records.field(0)?)?;
    if !image.is_empty() {
        return Ok(Some(image));
    }
    if (1..columns).all(|i| matches!(records.field(i), Ok(Field::Null | Field::Text("")))) {
        return Ok(None);
    }
    Err(source.error(Some(place), "the image has no name".into()))
}

/// The cells of the whole column may say otherwise than those of the sample how they are read: then they are read again.
fn read_long<S: Source>(source: &S, layout: &Layout, options: &LoadOptions) -> Result<LabelTable> {
    let builder = pairs(source, layout, &layout.cells, options)?;
    let (Some(column), true) = (layout.label, layout.cells == Cells::One && !layout.lists && !layout.decided) else {
        return finish(source, builder);
    };
    let name = &source.names()[column];
    let told =
        Cells::tell(name, &builder.labels().iter().cloned().collect(), columns::is_plural(name), layout.repeated);
    // Doubt that the sample raised was said.
    if told.cells == Cells::One && layout.doubted {
        return finish(source, builder);
    }
    if let Some(note) = told.note {
        console::log(&format!("{}: {note}", source.name()));
    }
    match told.cells {
        Cells::One => finish(source, builder),
        cells => finish(source, pairs(source, layout, &cells, options)?),
    }
}

fn finish<S: Source>(source: &S, builder: PairBuilder) -> Result<LabelTable> {
    builder.finish(&source.name(), source.unit(), Repeats::Said)
}

fn pairs<S: Source>(source: &S, layout: &Layout, cells: &Cells, options: &LoadOptions) -> Result<PairBuilder> {
    let columns: Vec<usize> =
        [Some(layout.image), layout.label, layout.value.map(|(column, _)| column)].into_iter().flatten().collect();
    let policy = Policy::of_values(options);
    let mut records = source.records(&columns, usize::MAX)?;
    let mut builder = PairBuilder::new();
    let mut unsure = 0_u64;
    let mut taken = truth::Taken::default();
    // Where the sample holds no list in a text, a later cell may be one.
    let undecided = !layout.decided && (layout.lists || matches!(cells, Cells::Split(_)));
    while let Some(place) = records.next()? {
        let Some(image_name) = image_of(source, &records, columns.len(), place)? else { continue };
        let image = builder.image(&image_name)?;
        let field = records.field(1)?;
        if matches!(field, Field::Null | Field::Text("")) {
            continue;
        }
        if let (Field::Text(text), true) = (&field, *image_name == source.names()[layout.image])
            && *text == source.names()[columns[1]]
        {
            let message = "the header comes again: two files were joined".to_string();
            return Err(source.error(Some(place), message).with_help("remove the line"));
        }
        // In a table of truths a label that is absent everywhere is one of the table's.
        let (entry, own) = match layout.value {
            None => (Entry::Present, false),
            Some((column, columns::Value::Truth)) => {
                let name = &source.names()[column];
                let truth = Truth::of(&records.field(2)?).map_err(|came| {
                    source.error(Some(place), format!("column \"{name}\" must be 1, 0 or -1; got {came}"))
                })?;
                let Some(entry) = policy.apply(truth, &mut taken) else {
                    return Err(truth::undecided(source, place, name, truth, &records.field(2)?));
                };
                (entry, true)
            }
            Some((_, columns::Value::Confidence)) => {
                let sure =
                    truth::confidence(&records.field(2)?).map_err(|message| source.error(Some(place), message))?;
                unsure += u64::from(sure != 0.0 && sure != 1.0);
                (if sure == 0.0 { Entry::Absent } else { Entry::Present }, false)
            }
        };
        let mut add = |label: &str| -> Result<()> {
            if own {
                builder.label(label)?;
            }
            builder.entry(image, label, entry, place)
        };
        let not_a_list = |text: &str| {
            let message = cells::not_a_list(&source.names()[columns[1]], text);
            source.error(Some(place), message).with_help("option separator: \"\" keeps cells whole, as names of labels")
        };
        // A text among lists of JSON or Parquet is one label: it may have brackets around it, but is no list of values.
        let broken = |text: &str| match layout.lists {
            true => cells::missing_bracket(text).is_some(),
            false => cells::is_broken(text),
        };
        let list_in_text = |text: &str| {
            let message = format!(
                "column \"{}\" holds lists of labels, and here a text that is written as a list; got \"{text}\"",
                source.names()[columns[1]]
            );
            source.error(Some(place), message).with_help("option separator: \"\" takes it as the name of a label")
        };
        let items = match field {
            Field::List(items) => match items.iter().find(|item| undecided && cells::is_written_list(trimmed(item))) {
                Some(item) => return Err(list_in_text(item)),
                None => items,
            },
            Field::Text(text) if undecided && layout.lists && cells::is_written_list(trimmed(text)) => {
                return Err(list_in_text(text));
            }
            Field::Text(text) if undecided && broken(trimmed(text)) => return Err(not_a_list(text)),
            Field::Text(text)
                if undecided && !layout.lists && (cells::is_plainly_list(text) || cells.cuts_list(text)) =>
            {
                let message = format!(
                    "column \"{}\" holds a list of labels here and labels without brackets before; got \"{text}\"",
                    source.names()[columns[1]]
                );
                return Err(source
                    .error(Some(place), message)
                    .with_help("option separator: \"[]\" reads lists, \"\" keeps cells whole"));
            }
            Field::Text(text) if *cells != Cells::One => cells.split(text).ok_or_else(|| not_a_list(text))?,
            field => {
                let label = name_of(source, place, field)?;
                if !label.is_empty() {
                    add(&label)?;
                }
                continue;
            }
        };
        items.iter().map(|item| trimmed(item)).filter(|item| !item.is_empty()).try_for_each(add)?;
    }
    if *cells != Cells::One && options.separator.is_none() {
        for other in ["|", ";"].into_iter().filter(|other| *cells != Cells::Split((*other).into())) {
            let holding = builder.labels().iter().filter(|label| label.contains(other)).count();
            if holding > 0 {
                console::log(&format!(
                    "{}: {} with \"{other}\" in the name (option separator chooses)",
                    source.name(),
                    counted(holding, "label")
                ));
            }
        }
    }
    let missing: Vec<String> =
        builder.labels().iter().filter(|label| truth::is_missing(label)).map(|label| format!("\"{label}\"")).collect();
    if !missing.is_empty() && !layout.decided {
        console::log(&format!(
            "{}: {} are read as names of labels; an empty cell says that an image has no label",
            source.name(),
            missing.join(", ")
        ));
    }
    taken.report(&source.name(), &policy);
    if unsure > 0 {
        console::log(&format!(
            "{}: {} with a confidence between 0 and 1, taken as present",
            source.name(),
            counted(unsure as usize, "row")
        ));
    }
    Ok(builder)
}

/// A table whose cells are one 0 or 1 for every label. The option `labels` names them if it has as many names; otherwise
/// they are called by their positions.
fn read_flags<S: Source>(source: &S, layout: &Layout, options: &LoadOptions) -> Result<LabelTable> {
    let (Some(label), Some(width)) = (layout.label, layout.flags) else {
        return Err(Error::internal("a layout of flags without a column of them"));
    };
    let mut records = source.records(&[layout.image, label], usize::MAX)?;
    let policy = Policy::of(options);
    let mut taken = truth::Taken::default();
    let (mut images, mut present, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    let mut seen: PlHashMap<String, usize> = PlHashMap::default();
    let name = &source.names()[label];
    while let Some(place) = records.next()? {
        let Some(image) = image_of(source, &records, 2, place)? else { continue };
        once(source, &mut seen, &image, place)?;
        let flags = match records.field(1)? {
            Field::Text(text) => layout.cells.split(text),
            Field::List(items) => Some(items),
            _ => None,
        };
        let flags = flags.filter(|flags| flags.len() == width);
        let truths = flags
            .as_ref()
            .and_then(|flags| flags.iter().map(|flag| Truth::of(&Field::Text(flag)).ok()).collect::<Option<Vec<_>>>());
        let (flags, truths) = flags.zip(truths).ok_or_else(|| {
            source.error(Some(place), format!("column \"{name}\" must hold {width} flags of 0 and 1 in every row"))
        })?;
        let entry = |(flag, &truth): (&String, &Truth)| {
            let undecided = || truth::undecided(source, place, name, truth, &Field::Text(flag));
            policy.apply(truth, &mut taken).ok_or_else(undecided)
        };
        let entries = flags.iter().zip(&truths).map(entry).collect::<Result<Vec<_>>>()?;
        let of = |wanted| (0..width as u32).filter(|&label| entries[label as usize] == wanted).collect::<Vec<u32>>();
        images.push(image.into_owned());
        present.push(of(Entry::Present));
        unknown.push(of(Entry::Unknown));
    }
    taken.report(&source.name(), &policy);
    let names = match &options.labels {
        Some(names) if names.len() == width => names.clone(),
        _ => numbers(width),
    };
    let table = LabelTable::from_lists(names, images, &present)?;
    if unknown.iter().all(Vec::is_empty) { Ok(table) } else { table.with_unknown(&unknown) }
}

/// Names of labels without names: their positions, all of one length.
pub(super) fn numbers(width: usize) -> Vec<String> {
    let digits = (width.max(2) - 1).ilog10() as usize + 1;
    (0..width).map(|label| format!("{label:0digits$}")).collect()
}

/// Errors: the image has an earlier record.
fn once<S: Source>(source: &S, seen: &mut PlHashMap<String, usize>, image: &str, place: usize) -> Result<()> {
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
    let mut seen: PlHashMap<String, usize> = PlHashMap::default();
    let mut taken = truth::Taken::default();
    while let Some(place) = records.next()? {
        let Some(image) = image_of(source, &records, columns.len(), place)? else { continue };
        once(source, &mut seen, &image, place)?;
        for (label, (_, name)) in layout.labels.iter().enumerate() {
            let truth = records.truth(label + 1)?.map_err(|came| {
                source.error(Some(place), format!("column \"{name}\" must be 0 or 1; got {came}")).with_help(
                    "option labels names the columns that are labels; option label the one whose cells are labels",
                )
            })?;
            match policy.apply(truth, &mut taken) {
                Some(Entry::Present) => indices.push(label as u32),
                Some(Entry::Unknown) => unknown.push((images.len(), label as u32)),
                Some(Entry::Absent) => {}
                None => return Err(truth::undecided(source, place, name, truth, &records.field(label + 1)?)),
            }
        }
        images.push(image.into_owned());
        offsets.push(indices.len() as u64);
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
