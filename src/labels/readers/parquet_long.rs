//! Parquet with one row per image-label pair, or per image with several labels in a cell or list.

use super::{LoadOptions, Probe, Reader};
use crate::error::Result;
use crate::labels::LabelTable;
use crate::labels::records::{self, Form, Layout};

pub const READER: Reader = Reader {
    name: "parquet-long",
    summary: "Parquet with the columns image and label: one row per pair, or lists of labels; a null label is an image \
              without labels",
    lists_labels: false,
    has_splits: false,
    options: &["image", "label", "separator", "unknown", "empty"],
    detect: |probe, options| is_parquet(probe) && layout(probe, options).is_ok_and(|layout| layout.form == Form::Long),
    read,
};

pub fn is_parquet(probe: &Probe) -> bool {
    probe.head.starts_with(b"PAR1")
}

fn layout<'a>(probe: &'a Probe, options: &LoadOptions) -> Result<&'a Layout> {
    probe.layout(|| Layout::find(probe.parquet()?, options, Form::asked(options)))
}

/// Reads either form: the one that was asked for by name, or the one that the content has.
pub fn read(probe: &Probe, options: &LoadOptions) -> Result<LabelTable> {
    records::read_as(probe.parquet()?, layout(probe, options)?, options)
}
