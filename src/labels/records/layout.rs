//! `Layout`: whether records are long or wide, and which columns hold images and labels.

use std::collections::HashMap;

use super::Source;
use super::cells::{Cells, list};
use super::columns::{self, Value, quoted};
use super::sample::{Content, Sample};
use crate::error::{Error, Result, nearest};
use crate::labels::readers::LoadOptions;

/// The form of a label table as records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One record per image and label, or per image with several labels in a cell.
    Long,
    /// One record per image, one column per label.
    Wide,
}

impl Form {
    /// The form that the option `format` asks for: "csv-long", "parquet-wide", or "long" of a table.
    pub fn asked(options: &LoadOptions) -> Option<Form> {
        match options.format.as_deref()?.rsplit('-').next()? {
            "long" => Some(Form::Long),
            "wide" => Some(Form::Wide),
            _ => None,
        }
    }
}

/// Which columns hold what.
#[derive(Debug)]
pub struct Layout {
    pub form: Form,
    pub image: usize,
    /// Long: the column of labels, and how its cells are read.
    pub label: Option<usize>,
    pub cells: Cells,
    /// Long: whether cells of the sample are lists, as Parquet and JSON hold them.
    pub lists: bool,
    /// Long: whether the cells are read so by an option, whether an image has different cells, and whether doubt about
    /// them was noted.
    pub decided: bool,
    pub repeated: bool,
    pub doubted: bool,
    /// Long: the number of labels, if a cell is one 0 or 1 for every label.
    pub flags: Option<usize>,
    /// Long: the column of truths or confidences.
    pub value: Option<(usize, Value)>,
    /// Wide: the columns of labels, with their names.
    pub labels: Vec<(usize, String)>,
    /// Choices that could have been others, one sentence each.
    pub notes: Vec<String>,
}

impl Layout {
    /// Whether every record is an image and at most one label, so that nothing but two columns of names is needed.
    pub fn is_plain(&self) -> bool {
        self.form == Form::Long && self.value.is_none() && self.cells == Cells::One && !self.lists
    }

    /// Tells the layout from the names and the content of columns, and from the options. `form` is given where a format
    /// was asked for by name.
    ///
    /// Errors: a named column that is not there; no column that can be that of images or labels, with the option that
    /// names it.
    pub fn find(source: &impl Source, options: &LoadOptions, form: Option<Form>) -> Result<Layout> {
        let sample = Sample::of(source)?;
        let names = sample.names();
        if names.is_empty() {
            return Err(sample.error("there are no columns".into()));
        }
        if sample.records == 0 {
            return Err(sample.error("there is a header, but no rows".into()));
        }
        let mut notes = Vec::new();
        let image = image_column(&sample, options, form, &mut notes)?;
        let single = |name: &String| name.len() > 1 && name.starts_with('\'') && name.ends_with('\'');
        if !sample.columns[image].distinct.is_empty() && sample.columns[image].distinct.iter().all(single) {
            let name = &names[image];
            notes.push(format!(
                "the names in column \"{name}\" are in single quotes, which belong to them: CSV quotes with \""
            ));
        }
        // Columns that are no labels: an index of pandas, empty columns behind trailing delimiters.
        let mut passed_over: Vec<usize> = Vec::new();
        for (column, content) in sample.columns.iter().enumerate().filter(|(c, _)| *c != image) {
            if !sample.is_unnamed(column) || options.label.as_ref() == Some(&names[column]) {
                continue;
            }
            let numbered = content.whole && content.lists == 0 && content.distinct.len() == sample.records;
            let first = (0..column).all(|before| passed_over.contains(&before));
            if columns::is_index(&names[column]) {
                notes.push(format!("column \"{}\" is an index; it is passed over", names[column]));
                passed_over.push(column);
            } else if numbered && first {
                notes.push(format!("column {} has no name and numbers the rows; it is passed over", column + 1));
                passed_over.push(column);
            } else if content.is_empty() && content.lists == 0 {
                notes.push(format!("column {} has no name and is empty; it is passed over", column + 1));
                passed_over.push(column);
            }
        }
        passed_over.extend(source.passed_over());
        let others: Vec<usize> = (0..names.len()).filter(|c| *c != image && !passed_over.contains(c)).collect();
        let mut layout = Layout {
            form: Form::Long,
            image,
            label: None,
            cells: Cells::One,
            lists: false,
            decided: false,
            repeated: false,
            doubted: false,
            flags: None,
            value: None,
            labels: Vec::new(),
            notes,
        };
        // As cpsd writes a table with unknown entries, or one whose labels could be taken for something else.
        if names == ["image", "label", "value"]
            && options.image.is_none()
            && options.label.is_none()
            && form != Some(Form::Wide)
            && sample.columns[2].is_flags()
            && !(sample.columns[1].is_flags() && sample.columns[2].distinct.contains("0") && !sample.repeats(0))
        {
            if sample.columns[1].is_flags() && form.is_none() {
                layout.notes.push(
                    "rows are pairs of image and label (format: \"csv-wide\" or \"parquet-wide\" takes the columns label and value for labels)"
                        .into(),
                );
            }
            let value = Some((2, Value::Truth));
            return Ok(Layout { label: Some(1), value, decided: true, ..layout });
        }
        let mut called = columns::labels(names).into_iter().filter(|column| others.contains(column));
        let (called, other) = (called.next(), called.find(|&column| !sample.columns[column].is_flags()));
        if let (Some(called), Some(other), None) = (called, other, &options.label)
            && !sample.columns[called].is_flags()
        {
            let (called, other) = (&names[called], &names[other]);
            layout
                .notes
                .push(format!("labels are read from column \"{called}\", not \"{other}\" (option label chooses)"));
        }
        let wanted = options.labels.as_deref().unwrap_or_default();
        let flags = |column: &usize| sample.columns[*column].is_flags();
        if let Some(name) = &options.label {
            let label = sample.named("label", name)?;
            if flags(&label) && form.is_none() {
                layout.notes.push(format!(
                    "column \"{name}\" holds 0 and 1, which are taken for names of labels (option labels: [\"{name}\"] takes the column as one label)"
                ));
            }
            return layout.long(&sample, options, label);
        }
        if form == Some(Form::Wide) {
            return layout.wide(&sample, options, &others);
        }
        if form == Some(Form::Long) {
            let label = called.or_else(|| only(&others));
            if let (None, Some(label)) = (called, label) {
                let name = &names[label];
                layout
                    .notes
                    .push(format!("column \"{name}\" is used as the column of labels (option label names another)"));
            }
            return match label {
                Some(label) => layout.long(&sample, options, label),
                None => Err(no_label(&sample, image, &others)),
            };
        }
        // Columns that the options name as labels win over guesses.
        let columns_named = |name: &String| others.iter().any(|&c| names[c] == *name && flags(&c));
        let are_columns = |name: &String| others.iter().any(|&c| names[c] == *name);
        if wanted.iter().any(columns_named)
            || (called.is_none() && !wanted.is_empty() && (wanted.iter().all(are_columns) || others.iter().any(flags)))
        {
            return layout.wide(&sample, options, &others);
        }
        let fits = |&column: &usize| sample.columns[column].is_flags() || sample.columns[column].is_empty();
        if let Some(label) = called {
            if !flags(&label) {
                return layout.long(&sample, options, label);
            }
            let name = &names[label];
            let alone = others.len() == 1;
            if others.iter().all(fits) && !sample.repeats(image) {
                layout.notes.push(if alone {
                    format!("column \"{name}\" holds 0 and 1 and is taken for one label (format: \"csv-long\" or \"parquet-long\" takes 0 and 1 for names of labels)")
                } else {
                    format!("read as one column per label, \"{name}\" among them, since all hold 0 and 1 (option label: \"{name}\" takes that column for names of labels)")
                });
                return layout.wide(&sample, options, &others);
            }
            layout.notes.push(format!(
                "column \"{name}\" holds 0 and 1, which are taken for names of labels (option labels names columns that are labels)"
            ));
            return layout.long(&sample, options, label);
        }
        if others.iter().any(flags) && others.iter().all(fits) {
            return layout.wide(&sample, options, &others);
        }
        // One column beside that of images: its cells are labels.
        let is_text = |column: &usize| {
            const ANSWERS: [&str; 4] = ["yes", "no", "y", "n"];
            let content = &sample.columns[*column];
            let answers = content.distinct.iter().all(|value| ANSWERS.contains(&value.to_lowercase().as_str()));
            content.lists > 0 || !(content.numbers || answers)
        };
        let image_is_sure = columns::images(names).contains(&image) || options.image.is_some();
        if let Some(label) = only(&others).filter(|column| image_is_sure && is_text(column)) {
            let name = &names[label];
            layout
                .notes
                .push(format!("column \"{name}\" is used as the column of labels (option label names another)"));
            return layout.long(&sample, options, label);
        }
        Err(no_label(&sample, image, &others))
    }

    fn long<S: Source>(mut self, sample: &Sample<'_, S>, options: &LoadOptions, label: usize) -> Result<Layout> {
        let names = sample.names();
        if label == self.image {
            return Err(sample.error(format!("column \"{}\" cannot hold both images and labels", names[label])));
        }
        self.value = columns::value(names).filter(|&(column, value)| {
            column != label && column != self.image && (value == Value::Confidence || sample.columns[column].is_flags())
        });
        if let Some((column, Value::Confidence)) = self.value {
            let content = &sample.columns[column];
            if content.numbers && content.beyond_one {
                let name = &names[column];
                self.notes.push(format!("column \"{name}\" holds numbers beyond 0 to 1 and is not read"));
                self.value = None;
            }
        }
        if let (None, Some((column, Value::Truth))) = (self.value, columns::value(names))
            && column != label
            && column != self.image
        {
            let name = &names[column];
            self.notes.push(format!("column \"{name}\" holds other values than 1, 0 and -1 and is not read"));
        }
        for column in [self.image, label] {
            if names.iter().filter(|name| **name == names[column]).count() > 1 {
                return Err(sample
                    .error(format!("column \"{}\" appears twice", names[column]))
                    .with_help("several labels of an image stand in one cell, or in a column of 0 and 1 each"));
            }
        }
        for (column, name) in names.iter().enumerate() {
            if name.is_empty() && !sample.columns[column].is_empty() && !sample.columns[column].whole {
                self.notes.push(format!("column {} has no name and is not read", column + 1));
            }
        }
        let passed_over = sample.source.passed_over();
        for (column, name) in names.iter().enumerate().filter(|&(c, _)| c != label && c != self.image) {
            if columns::is_split(name) && Some(column) != passed_over {
                self.notes.push(format!(
                    "column \"{name}\" is not read; load_table(...).filter(col(\"{name}\") == ...) chooses rows for load_labels, splits: \"{name}\" divides a data set"
                ));
            }
        }
        let (name, content) = (&names[label], &sample.columns[label]);
        let named = options.labels.as_ref().map(Vec::len);
        let flags = match options.separator {
            Some(_) => None,
            None if content.lists > 0 => content.flag_lists.width(named).map(|width| (Cells::List, width)),
            None => Cells::flags(&content.distinct, named),
        };
        if flags.is_none() && content.flag_lists.looks_so() {
            self.notes.push(format!(
                "the lists of column \"{name}\" hold 0 and 1 alone and are read as labels called 0 and 1 (option labels with a name per item takes them for flags)"
            ));
        }
        self.cells = match (options.separator.as_deref(), flags) {
            (Some(""), _) => Cells::One,
            (Some("[]"), _) => Cells::List,
            (Some(separator), _) => Cells::Split(separator.into()),
            (None, Some((cells, width))) => {
                self.flags = Some(width);
                self.notes.push(format!(
                    "the cells of column \"{name}\" are {width} flags of 0 and 1 (option labels names them, in order)"
                ));
                cells
            }
            // A text among lists is one label.
            (None, None) if content.lists > 0 => Cells::One,
            (None, None) => {
                self.repeated = sample.differs(self.image, label)?;
                let told = Cells::tell(name, &content.distinct, columns::is_plural(name), self.repeated);
                self.doubted = told.note.is_some();
                self.notes.extend(told.note);
                told.cells
            }
        };
        self.form = Form::Long;
        self.lists = content.lists > 0;
        self.decided = options.separator.is_some();
        self.label = Some(label);
        Ok(self)
    }

    /// The label columns: those in the option `labels`, otherwise all others.
    fn wide<S: Source>(mut self, sample: &Sample<'_, S>, options: &LoadOptions, others: &[usize]) -> Result<Layout> {
        let names = sample.names();
        if others.is_empty() {
            let only = &names[self.image];
            return Err(sample.error(format!(
                "a wide label table needs a column of 0 and 1 for each label; it has only \"{only}\""
            )));
        }
        let mut first: HashMap<&str, usize> = HashMap::new();
        for &column in others {
            if first.insert(&names[column], column).is_some() {
                return Err(sample.error(format!("column \"{}\" appears twice", names[column])));
            }
        }
        self.form = Form::Wide;
        self.labels = match &options.labels {
            Some(wanted) => wanted
                .iter()
                .map(|name| match first.get(name.as_str()) {
                    Some(&column) => Ok((column, name.clone())),
                    None => Err(Error::unknown("label", name, others.iter().map(|&c| names[c].as_str()))),
                })
                .collect::<Result<_>>()?,
            None => {
                if let Some(unnamed) = others.iter().find(|&&c| names[c].is_empty()) {
                    return Err(sample.error(format!("column {} has no name", unnamed + 1)));
                }
                let stray: Vec<usize> = others
                    .iter()
                    .copied()
                    .filter(|&c| sample.columns[c].other > 0 || sample.columns[c].lists > 0)
                    .collect();
                if let Some(&column) = stray.first()
                    && stray.len() < others.len()
                {
                    return Err(not_flags(sample, column, others));
                }
                others.iter().map(|&column| (column, names[column].clone())).collect()
            }
        };
        Ok(self)
    }
}

/// The only column of these.
fn only(others: &[usize]) -> Option<usize> {
    match others {
        [only] => Some(*only),
        _ => None,
    }
}

fn image_column<S: Source>(
    sample: &Sample<'_, S>,
    options: &LoadOptions,
    form: Option<Form>,
    notes: &mut Vec<String>,
) -> Result<usize> {
    let names = sample.names();
    if let Some(name) = &options.image {
        return sample.named("image", name);
    }
    let label = options.label.as_deref();
    let passed_over = sample.source.passed_over();
    let may_be = |column: usize| Some(names[column].as_str()) != label && Some(column) != passed_over;
    let mut called = columns::images(names).into_iter().filter(|&c| may_be(c));
    if let Some(column) = called.next() {
        if let Some(other) = called.find(|&other| !sample.columns[other].is_flags()) {
            let (name, other) = (&names[column], &names[other]);
            notes.push(format!("images are named by column \"{name}\", not \"{other}\" (option image chooses)"));
        }
        return Ok(column);
    }
    // The index of a frame that pandas wrote. A shuffled one numbers the rows.
    let maybe = columns::maybe_image(names).filter(|&c| may_be(c) && c > 0 && !sample.columns[c].is_flags());
    if sample.is_unnamed(0) && sample.columns[0].whole && maybe.is_some() {
        let column = maybe.unwrap_or_default();
        notes
            .push(format!("column \"{}\" is used as the column of images (option image names another)", names[column]));
        return Ok(column);
    }
    if sample.is_unnamed(0) && !sample.columns[0].counting && sample.columns[0].distinct.len() > 1 {
        notes.push("column 1 has no name and is used as the column of images (option image names another)".into());
        return Ok(0);
    }
    if let Some(column) = columns::maybe_image(names).filter(|&c| may_be(c)) {
        notes
            .push(format!("column \"{}\" is used as the column of images (option image names another)", names[column]));
        return Ok(column);
    }
    // All other columns hold 0 and 1: what is left names the images.
    let texts: Vec<usize> = (0..names.len())
        .filter(|&c| may_be(c) && !sample.columns[c].is_flags() && !sample.columns[c].is_empty())
        .filter(|&c| !(sample.is_unnamed(c) && sample.columns[c].counting))
        .collect();
    let wide = names.len() > 1 && (form == Some(Form::Wide) || sample.columns.iter().any(Content::is_flags));
    match texts[..] {
        [only] if wide || (label.is_some() && names.len() == 2) => {
            notes.push(format!("column \"{}\" is used as the column of images (option image names another)", names[only]));
            Ok(only)
        }
        _ if wide && texts.contains(&0) => {
            notes.push(format!("column \"{}\" is used as the column of images (option image names another)", names[0]));
            Ok(0)
        }
        [] if wide && sample.columns[0].counting => {
            notes.push("column 1 is used as the column of images (option image names another)".into());
            Ok(0)
        }
        _ => Err(sample
            .error(format!("no column has a usual name for images (image, file_name, path); the columns are {}", quoted(names)))
            .with_help("option image names the column of image names, option label that of labels; header: false if the first row is data")),
    }
}

/// The error for a column among flags that holds something else.
fn not_flags<S: Source>(sample: &Sample<'_, S>, column: usize, others: &[usize]) -> Error {
    let names = sample.names();
    let flags: Vec<String> =
        others.iter().filter(|&&c| sample.columns[c].is_flags()).map(|&c| names[c].clone()).collect();
    let (place, came) = sample.columns[column].first_other.clone().unzip();
    let came = came.unwrap_or_else(|| "a list".into());
    let error = sample.source.error(place, format!("column \"{}\" must be 0 or 1; got {came}", names[column]));
    if flags.is_empty() {
        return error.with_help(format!(
            "option label: \"{}\" reads its cells as labels; 0 and 1, true and false say whether an image has a label",
            names[column]
        ));
    }
    error.with_help(format!("option labels names the columns that are labels: {}", quoted(&flags)))
}

/// The error where no column is that of labels.
fn no_label<S: Source>(sample: &Sample<'_, S>, image: usize, others: &[usize]) -> Error {
    let names = sample.names();
    let stray = others.iter().find(|&&c| sample.columns[c].first_other.is_some());
    if let Some(&column) = stray
        && (others.len() == 1 || others.iter().any(|&c| sample.columns[c].is_flags()))
    {
        return not_flags(sample, column, others);
    }
    let columns: Vec<String> = others.iter().map(|&c| names[c].clone()).collect();
    let lists = others.iter().find(|&&c| {
        sample.columns[c].lists > 0 || sample.columns[c].distinct.iter().next().is_some_and(|v| list(v).is_some())
    });
    let near = lists.map(|&c| names[c].clone());
    let near = near.or_else(|| nearest("label", columns.iter().map(String::as_str)).map(str::to_string));
    let help = match near {
        Some(near) => format!("option label names the column: label: \"{near}\"?"),
        None => {
            "option label names the column whose cells are labels, option labels the columns that are labels".into()
        }
    };
    let message = if columns.is_empty() {
        format!("a label table needs a column of labels; its only column is \"{}\"", names[image])
    } else {
        format!(
            "no column has a usual name for labels (label, class, tags), and the others do not all hold 0 and 1: {}",
            quoted(&columns)
        )
    };
    sample.error(message).with_help(help)
}
