//! CSV with one row per image-label pair, or per image with several labels in a cell.

use super::{LoadOptions, Probe, Reader};
use crate::error::Result;
use crate::labels::LabelTable;
use crate::labels::records::{self, CsvSource, Form, Layout};
use crate::tables::DELIMITERS;

/// The options of CSV files.
pub const OPTIONS: &[&str] = &["image", "label", "separator", "unknown", "empty", "delimiter", "header", "encoding"];

pub const READER: Reader = Reader {
    name: "csv-long",
    summary: "CSV with the columns image,label: one row per pair, or several labels in a cell (a|b, ['a', 'b']); an empty \
              label is an image without labels",
    lists_labels: false,
    has_splits: false,
    options: OPTIONS,
    detect: |probe, options| {
        is_csv(probe, options) && layout(probe, options).is_ok_and(|layout| layout.form == Form::Long)
    },
    read,
};

/// Whether a file may be CSV: JSON and XML have commas too, and a list of pictures has none.
pub fn is_csv(probe: &Probe, options: &LoadOptions) -> bool {
    const LINES: usize = 20;
    let given = |c: char| options.delimiter.as_deref().is_some_and(|delimiters| delimiters.contains(c));
    let usual = |c: char| options.delimiter.is_none() && DELIMITERS.iter().any(|&d| c == char::from(d));
    probe.start(options).is_some_and(|start| {
        let start = start.trim_start_matches('\u{feff}').trim_start();
        !start.starts_with(['[', '{', '<'])
            && start.lines().take(LINES).any(|line| line.contains(|c| given(c) || usual(c)))
    })
}

fn layout<'a>(probe: &'a Probe, options: &LoadOptions) -> Result<&'a Layout> {
    probe.layout(|| Layout::find(&source(probe, options)?, options, Form::asked(options)))
}

/// The rows of the file.
pub fn source<'a>(probe: &'a Probe, options: &LoadOptions) -> Result<CsvSource<'a>> {
    Ok(CsvSource::new(probe.text(options)?, options)?.passing_over(probe.splits()))
}

/// Reads either form: the one that was asked for by name, or the one that the content has.
pub fn read(probe: &Probe, options: &LoadOptions) -> Result<LabelTable> {
    let layout = layout(probe, options)?;
    records::read_as(&source(probe, options)?, layout, options)
}
