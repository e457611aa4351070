//! `pictures`: a contact sheet of a data set.

use crate::error::Result;
use crate::images::Dataset;
use crate::plots::{self, Figure, Picture, PictureGridOptions};
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "pictures",
    chapter: Chapter::Figures,
    signatures: &["pictures(dataset) -> Figure", "pictures(dataset, #{options}) -> Figure"],
    summary: "The first pictures of a data set (60 at most) with their labels.",
    details: "dataset.take(...) chooses others. A label of unknown truth has a question mark.",
    options: Some(OptionDocs::of::<PictureGridOptions>()),
    examples: &[Example {
        code: "pictures(dataset(\"emoji-scenes\", #{train: 32, val: 16, test: 16, test_shifted: 8, size: 48}).test.take(6))",
        prints: "Figure",
    }],
    register: |word| {
        word.form(pictures);
    },
};

const MOST: usize = 60;

fn pictures(dataset: Dataset, options: PictureGridOptions) -> Result<Figure> {
    let (mut shown, mut captions) = (Vec::new(), Vec::new());
    for i in 0..dataset.len().min(MOST) {
        let picture = dataset.picture(i)?;
        shown.push(Picture::new(picture.width, picture.height, picture.rgb)?);
        let name = |&label: &u32| dataset.labels.labels()[label as usize].clone();
        let unknown = dataset.labels.unknown_row(i).iter().map(|label| format!("{}?", name(label)));
        let labels: Vec<String> = dataset.labels.row(i).iter().map(name).chain(unknown).collect();
        captions.push(labels.join(", "));
    }
    plots::picture_grid(&shown, &captions, &options)
}
