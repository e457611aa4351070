//! `pictures`: a contact sheet of a data set.

use rhai::{Engine, Map};

use crate::error::Result;
use crate::images::Dataset;
use crate::plots::{self, Figure, Picture, PictureGridOptions};
use crate::script::errors::{Fallible, OrRaise};
use crate::script::options;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "pictures",
    chapter: Chapter::Figures,
    signatures: &["pictures(dataset) -> Figure", "pictures(dataset, #{options}) -> Figure"],
    summary: "The first pictures of a data set (60 at most) with their labels.",
    details: "dataset.take(...) chooses others.",
    options: Some(OptionDocs {
        defaults: options::defaults::<PictureGridOptions>,
        docs: || {
            crate::options::list(&[
                ("title", "above the figure"),
                ("subtitle", "below the title"),
                ("width", "pixels"),
                ("columns", "pictures in a row; () chooses"),
            ])
        },
    }),
    examples: &[Example {
        code: "pictures(dataset(\"emoji-scenes\", #{train: 32, val: 16, test: 16, test_shifted: 8, size: 48}).test.take(6))",
        prints: "Figure",
    }],
    register: |r| register(r.engine),
};

const MOST: usize = 60;

fn register(engine: &mut Engine) {
    engine
        .register_fn("pictures", |d: Dataset| -> Fallible<Figure> { draw(&d, &Map::new()).or_raise() })
        .register_fn("pictures", |d: Dataset, map: Map| -> Fallible<Figure> { draw(&d, &map).or_raise() });
}

fn draw(dataset: &Dataset, map: &Map) -> Result<Figure> {
    let options: PictureGridOptions = options::parse("pictures", map)?;
    let (mut shown, mut captions) = (Vec::new(), Vec::new());
    for i in 0..dataset.len().min(MOST) {
        let picture = dataset.picture(i)?;
        shown.push(Picture::new(picture.width, picture.height, picture.rgb)?);
        let labels: Vec<&str> =
            dataset.labels.row(i).iter().map(|&l| dataset.labels.labels()[l as usize].as_str()).collect();
        captions.push(labels.join(", "));
    }
    plots::picture_grid(&shown, &captions, &options)
}
