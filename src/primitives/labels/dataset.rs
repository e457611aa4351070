//! `dataset`: pictures with labels, by split.

use std::path::Path;
use std::sync::Arc;

use rhai::{Dynamic, Map};

use crate::activity::console;
use crate::error::{About, Error, Result};
use crate::images::{self, OnBadImage, Request, ResizedCache, scenes::SceneOptions};
use crate::script::call::Call;
use crate::script::word::{Chapter, Example, OptionDocs, Word};
use crate::script::{options, vocabulary};

pub const WORD: Word = Word {
    name: "dataset",
    chapter: Chapter::Labels,
    signatures: &["dataset(name) -> map of Dataset", "dataset(name, #{options}) -> map of Dataset"],
    summary: "Opens a data set: a map from split names to pictures with labels.",
    details: "\"emoji-scenes\" is made on the fly and needs no file: scenes of emoji under COCO's label names, with splits train, \
val, test (from the same contexts) and test_shifted (contexts broken: objects out of place, usual companions missing). \
All others read from `root`, a path from the working folder or from a folder of the setting data; without it a folder of the data set's name is looked for there (?datasets lists them): \"folder\", \"coco2014\", \"coco2017\", \"nuswide\", \"voc2007\", \"voc2012\", \"openimages\", \"visual-genome-500\"; \
when something is missing, the error shows the layout that is expected and where to get it, and a split whose counts are not the published ones is reported as a part. \
They take `val` (share of the training pictures held out, 0.1; at 0 the split val is empty and all of train is trained on, with `select: \"last\"`), \
`seed` (which ones), `unlabelled` (true keeps pictures without labels) and, for VOC, `difficult`. \
\"folder\" is a folder of your own: `val` and `test` are shares of its pictures (0.1 and 0.2), and it takes the options of load_labels (`image`, `label`, `separator`, \
`unknown`, `labels`, `format`, ...) and four more: `file` (another label file than labels.csv, in any format that load_labels reads), `folder` (where the pictures are), \
`extension` (the ending of image names that have none) and `splits`, a fixed division: \"split.csv\", a table of images and splits (CSV, Parquet or JSON lines); \"split\", \
the column of the label file that holds the split; or \"folders\" called train, val and test. Splits are train, val (valid, validation, dev), test, and further test sets under their own names (test2, test_shifted); \
pictures of no split are left out, and said. Where these are not given, the only label file and the folder and ending under which \
the pictures are found are taken, and said. YOLO, VOC and Hugging Face folders are read as they are. \
Pictures are JPEG, PNG, WebP, BMP, GIF (the first frame) or TIFF (the first page), told from the content; they are turned as the orientation in their EXIF data says, \
and transparent parts are laid over white. \
The options below are those of emoji-scenes, and ?datasets lists those of every data set. Every data set takes `root` where it needs files, and `on_bad_image`: \
\"skip\" reads every picture once and leaves out those that are missing or cannot be read, with their number and the first few said; \
\"error\", the default, stops at the first: a missing one when the data set is opened (of the published ones only the first and the last picture are looked for then), another when it is read. \
`cache: 448` decodes every picture once, resized to a square of that side, and keeps them all in one file of the run store \
(side × side × 3 bytes per picture): trainings that take whole pictures at this size see the same bytes as without, those that crop, crop the square. \
There is one file per split and side, made once even if several processes begin together, and shared by all trainings, threads and worker processes on the machine: COCO's 82,081 \
training pictures at 448 are 49 GB. It is never made unasked. Training whole pictures on GPUs needs it where there are fewer cores than decoding takes: \
about 400 pictures/s a core are decoded and resized to 448, some 2,000 are read from the file.",
    options: Some(OptionDocs::of::<SceneOptions>()),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 40, val: 10, test: 10, test_shifted: 10, size: 64});\ndata.keys()",
        prints: "\"test_shifted\"",
    }],
    register: |word| {
        word.form(dataset);
    },
};

fn dataset(call: &Call, name: String, options: Option<Map>) -> Result<Map> {
    let mut options = options.unwrap_or_default();
    let root = take_string(call, &mut options, "root", "a path")?;
    if root.as_deref() == Some("") {
        return Err(Error::option("root", call.name, "a path", "an empty one"));
    }
    let on_bad_image = match take_string(call, &mut options, "on_bad_image", "\"error\" or \"skip\"")?.as_deref() {
        None | Some("error") => OnBadImage::Error,
        Some("skip") => OnBadImage::Skip,
        Some(came) => {
            let about = Some(About::Option { key: "on_bad_image".into(), value: Some(came.into()) });
            let message = format!("option \"on_bad_image\" of dataset must be \"error\" or \"skip\"; got \"{came}\"");
            return Err(Error { message, about, ..Error::unknown("value", came, ["error", "skip"]) });
        }
    };
    let cache = match options.remove("cache").map(|side| side.as_int()) {
        None => 0,
        Some(Ok(side)) => u32::try_from(side).unwrap_or(u32::MAX),
        Some(Err(came)) => {
            return Err(Error::option("cache", call.name, "a side in pixels, or 0", vocabulary::a_user_name(came)));
        }
    };
    options.iter().try_for_each(|(key, value)| options::finite(call.name, key, value))?;
    let options = options::to_json(&options.into())
        .map_err(|what| Error::argument(format!("dataset cannot take {what} as an option")))?;
    let request = Request { root: root.as_deref().map(Path::new), options: &options, on_bad_image };
    let mut opened = Map::new();
    for (split, mut dataset) in call.unlocked(|| images::open_with(&name, &request))? {
        if on_bad_image == OnBadImage::Skip {
            let (readable, bad) = call.unlocked(|| dataset.readable())?;
            if !bad.is_empty() {
                let (n, all) = (bad.len(), dataset.len());
                let few: Vec<&str> = bad.iter().take(3).map(|error| error.message.as_str()).collect();
                let more = if n > few.len() { "; ..." } else { "" };
                console::log(&format!(
                    "{name} {split}: {n} of {all} pictures cannot be read and are left out: {}{more}",
                    few.join("; ")
                ));
            }
            dataset = readable;
        }
        if cache > 0 && !dataset.is_empty() {
            let (store, source) = (call.store(), dataset.source);
            dataset.source = Arc::new(call.unlocked(|| ResizedCache::make(&store, source, cache))?);
        }
        opened.insert(split.into(), Dynamic::from(dataset));
    }
    Ok(opened)
}

fn take_string(call: &Call, options: &mut Map, key: &str, expected: &str) -> Result<Option<String>> {
    let string = |value: Dynamic| {
        value.into_string().map_err(|came| Error::option(key, call.name, expected, vocabulary::a_user_name(came)))
    };
    options.remove(key).map(string).transpose()
}
