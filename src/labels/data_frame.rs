//! `LabelTable` from and to a polars `DataFrame`, long and wide.

use polars::prelude::*;

use super::label_table::LabelTable;
use super::readers::LoadOptions;
use super::records::{self, Field, Form, FrameSource, SAMPLE_MOST, Truth, cells};
use crate::error::{Error, Result};
use crate::tables::polars_error;

impl LabelTable {
    /// One row per image-label pair, in the columns `image` and `label`. An image without labels has one row with a null
    /// label.
    ///
    /// A table with entries of unknown truth has them as rows too, and a third column `value` (i64): 1 for a present
    /// label, -1 for an unknown one, null beside a null label.
    pub fn to_frame_long(&self) -> Result<DataFrame> {
        if self.num_unknown() > 0 { self.to_frame_of_values(false) } else { self.to_frame_of_pairs() }
    }

    /// The long form that files have, from which [`super::load`] makes the same table but for the order of labels.
    ///
    /// It has the column `value` too if the labels could be taken for something else, such as labels called 0 and 1, or if a
    /// label is that of no image: then its value is 0 beside the first image.
    pub fn to_frame_for_files(&self) -> Result<DataFrame> {
        if self.num_unknown() > 0 || self.is_ambiguous_long() {
            return self.to_frame_of_values(true);
        }
        self.to_frame_of_pairs()
    }

    fn to_frame_of_pairs(&self) -> Result<DataFrame> {
        let rows = self.csr().1.len() + self.num_unlabelled();
        let mut images = StringChunkedBuilder::new("image".into(), rows);
        let mut labels = StringChunkedBuilder::new("label".into(), rows);
        for (i, image) in self.images().iter().enumerate() {
            for &label in self.row(i) {
                images.append_value(image);
                labels.append_value(&self.labels()[label as usize]);
            }
            if self.row(i).is_empty() {
                images.append_value(image);
                labels.append_null();
            }
        }
        let columns = vec![images.finish().into_column(), labels.finish().into_column()];
        DataFrame::new(rows, columns).map_err(|e| polars_error("a label table cannot be made a frame", e))
    }

    /// Whether the columns image and label alone could be read otherwise: as a wide table of one label, their cells as
    /// several labels or as a list, or without a label that no image has.
    fn is_ambiguous_long(&self) -> bool {
        let flag = |name: &String| Truth::of(&Field::Text(name)).is_ok();
        let several = |name: &String| name.contains(['|', ';', ',']);
        let list = |name: &String| cells::may_be_list(name);
        if self.labels().iter().any(list) || self.counts().contains(&0) {
            return true;
        }
        if !self.labels().iter().all(flag) && !self.labels().iter().any(several) {
            return false;
        }
        let mut rows = 0;
        let sampled = (0..self.num_images()).take_while(|&i| {
            rows += self.row(i).len().max(1);
            rows <= SAMPLE_MOST
        });
        sampled.map(|i| self.row(i).len()).all(|labels| labels < 2)
    }

    /// The long form with the column `value`, with the labels of no image or without.
    fn to_frame_of_values(&self, with_absent: bool) -> Result<DataFrame> {
        let rows = self.csr().1.len() + self.num_unknown() as usize;
        let unknown = self.unknown_counts();
        let of_none: Vec<usize> = (self.counts().iter().zip(&unknown).enumerate())
            .filter(|(_, (present, unknown))| with_absent && **present == 0 && **unknown == 0)
            .map(|(label, _)| label)
            .collect();
        let mut images = StringChunkedBuilder::new("image".into(), rows);
        let mut labels = StringChunkedBuilder::new("label".into(), rows);
        let mut values: Vec<Option<i64>> = Vec::with_capacity(rows);
        for (i, image) in self.images().iter().enumerate() {
            for (row, value) in [(self.row(i), 1), (self.unknown_row(i), -1)] {
                for &label in row {
                    images.append_value(image);
                    labels.append_value(&self.labels()[label as usize]);
                    values.push(Some(value));
                }
            }
            // The first image lacks the labels that no image has.
            for &label in of_none.iter().filter(|_| i == 0) {
                images.append_value(image);
                labels.append_value(&self.labels()[label]);
                values.push(Some(0));
            }
            if self.row(i).is_empty() && self.unknown_row(i).is_empty() && (i > 0 || of_none.is_empty()) {
                images.append_value(image);
                labels.append_null();
                values.push(None);
            }
        }
        let height = values.len();
        let values: Int64Chunked = values.into_iter().collect();
        let columns = vec![
            images.finish().into_column(),
            labels.finish().into_column(),
            values.with_name("value".into()).into_column(),
        ];
        DataFrame::new(height, columns).map_err(|e| polars_error("a label table cannot be made a frame", e))
    }

    /// One row per image: the column `image` and one column of 0 and 1 (u8) per label, with null where the truth is
    /// unknown. Errors: a label named `image`.
    pub fn to_frame_wide(&self) -> Result<DataFrame> {
        if self.labels().iter().any(|l| l == "image") {
            return Err(Error::argument("a wide table has a column \"image\", so no label can have that name"));
        }
        let n = self.num_images();
        self.check_matrix(1)?;
        let mut held = vec![vec![0_u8; n]; self.num_labels()];
        (0..n).for_each(|i| self.row(i).iter().for_each(|&l| held[l as usize][i] = 1));
        let mut unknown = vec![Vec::new(); self.num_labels()];
        (0..n).for_each(|i| self.unknown_row(i).iter().for_each(|&l| unknown[l as usize].push(i)));
        let images = StringChunked::from_iter_values("image".into(), self.images().iter().map(String::as_str));
        let labels = self.labels().iter().zip(held).zip(unknown).map(|((name, values), unknown)| {
            if unknown.is_empty() {
                return UInt8Chunked::from_vec(name.as_str().into(), values).into_column();
            }
            let mut values: Vec<Option<u8>> = values.into_iter().map(Some).collect();
            unknown.into_iter().for_each(|image| values[image] = None);
            let values: UInt8Chunked = values.into_iter().collect();
            values.with_name(name.as_str().into()).into_column()
        });
        let columns = std::iter::once(images.into_column()).chain(labels).collect();
        DataFrame::new(n, columns).map_err(|e| polars_error("a label table cannot be made a frame", e))
    }

    /// From a frame with one row per image-label pair. Labels become alphabetical; a null label marks an image without
    /// labels.
    ///
    /// Errors: a missing column, a null image (with its row, counted from 0).
    pub fn from_frame_long(frame: &DataFrame, image: &str, label: &str) -> Result<LabelTable> {
        let options = LoadOptions { label: Some(label.into()), ..of_image(image) };
        records::read(&FrameSource::of_frame(frame, FRAME), &options, Some(Form::Long))
    }

    /// From a frame with one row per image: every column but `image` is a label of 0 and 1, or true and false.
    ///
    /// Errors: a missing column, a value that is not 0 or 1, a repeated image (with its row).
    pub fn from_frame_wide(frame: &DataFrame, image: &str) -> Result<LabelTable> {
        records::read(&FrameSource::of_frame(frame, FRAME), &of_image(image), Some(Form::Wide))
    }

    /// From a frame in either form, by the rules of files.
    ///
    /// Errors: those of [`super::load`], with rows counted from 0.
    pub fn from_frame(frame: &DataFrame, options: &LoadOptions) -> Result<LabelTable> {
        let source = FrameSource::of_frame(frame, FRAME);
        if let Some(other) = options.format.as_deref().filter(|name| !["long", "wide"].contains(name)) {
            let message = format!("option format of a table must be \"long\" or \"wide\"; got \"{other}\"");
            return Err(Error::argument(message).about_option("format"));
        }
        let table = records::read(&source, options, Form::asked(options))?;
        super::readers::finish(FRAME, table, options, false)
    }
}

/// The name of a frame in messages.
const FRAME: &str = "the table";

fn of_image(image: &str) -> LoadOptions {
    LoadOptions { image: Some(image.into()), separator: Some(String::new()), ..LoadOptions::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> LabelTable {
        let labels = ["cat", "dog", "owl"].map(String::from).to_vec();
        let images = ["x", "y", "z"].map(String::from).to_vec();
        LabelTable::from_lists(labels, images, &[vec![0, 2], vec![], vec![1]]).unwrap()
    }

    fn same(a: &LabelTable, b: &LabelTable) -> bool {
        a.labels() == b.labels() && a.images() == b.images() && a.csr() == b.csr()
    }

    #[test]
    fn there_and_back() {
        let long = table().to_frame_long().unwrap();
        assert_eq!(long.height(), 4);
        assert!(same(&LabelTable::from_frame_long(&long, "image", "label").unwrap(), &table()));
        let wide = table().to_frame_wide().unwrap();
        assert_eq!(wide.shape(), (3, 4));
        assert!(same(&LabelTable::from_frame_wide(&wide, "image").unwrap(), &table()));
    }

    #[test]
    fn unknown_entries_are_cells_of_their_own() {
        let t = table().with_unknown(&[vec![1], vec![], vec![0, 2]]).unwrap();
        let wide = t.to_frame_wide().unwrap();
        let cells = |name: &str| wide.column(name).unwrap().u8().unwrap().iter().collect::<Vec<_>>();
        assert_eq!(cells("cat"), [Some(1), Some(0), None]);
        assert_eq!(cells("dog"), [None, Some(0), Some(1)]);
        assert_eq!(cells("owl"), [Some(1), Some(0), None]);
        let long = t.to_frame_long().unwrap();
        let text = |name: &str| {
            let column = long.column(name).unwrap().str().unwrap();
            column.iter().map(|cell| cell.unwrap_or("").to_string()).collect::<Vec<_>>()
        };
        assert_eq!(text("image"), ["x", "x", "x", "y", "z", "z", "z"]);
        assert_eq!(text("label"), ["cat", "owl", "dog", "", "dog", "cat", "owl"]);
        let values: Vec<Option<i64>> = long.column("value").unwrap().i64().unwrap().iter().collect();
        assert_eq!(values, [Some(1), Some(1), Some(-1), None, Some(1), Some(-1), Some(-1)]);
        assert_eq!(table().to_frame_long().unwrap().width(), 2);
    }

    #[test]
    fn bad_frames_are_named() {
        let frame = df!("image" => ["a", "b", "a"], "label" => ["cat", "cat", "cat"]).unwrap();
        assert_eq!(LabelTable::from_frame_long(&frame, "image", "label").unwrap().counts(), [2]);
        assert_eq!(
            LabelTable::from_frame_long(&frame, "image", "labels").unwrap_err().help.as_deref(),
            Some("did you mean \"label\"?")
        );
        let frame = df!("image" => ["a", "b"], "label" => ["cat", "cat"]).unwrap();
        assert!(
            LabelTable::from_frame_wide(&frame, "image")
                .unwrap_err()
                .message
                .contains("column \"label\" must be 0 or 1; got \"cat\"")
        );
        let frame = df!("image" => ["a", "b"], "cat" => [1, 2]).unwrap();
        assert_eq!(
            LabelTable::from_frame_wide(&frame, "image").unwrap_err().message,
            "the table, row 1 (counted from 0): column \"cat\" must be 0 or 1; got 2"
        );
        let frame = df!("image" => [Some("a"), None], "label" => ["cat", "cat"]).unwrap();
        assert_eq!(
            LabelTable::from_frame_long(&frame, "image", "label").unwrap_err().message,
            "the table, row 1 (counted from 0): the image has no name"
        );
    }
}
