//! `dataset`: pictures with labels, by split.

use std::rc::Rc;
use std::sync::Arc;

use rhai::{Dynamic, Engine, Map};

use crate::activity::console;
use crate::error::{Error, Result};
use crate::images::{self, ResizedCache, scenes::SceneOptions};
use crate::primitives::glue;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::host::Host;
use crate::script::options;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "dataset",
    chapter: Chapter::Labels,
    signatures: &["dataset(name) -> map of Dataset", "dataset(name, #{options}) -> map of Dataset"],
    summary: "Opens a data set: a map from split names to pictures with labels.",
    details: "\"emoji-scenes\" is made on the fly and needs no file: scenes of emoji under COCO's label names, with splits train, \
val, test (from the same contexts) and test_shifted (contexts broken: objects out of place, usual companions missing). \
All others read from `root` (?datasets lists them): \"folder\", \"coco2014\", \"coco2017\", \"nuswide\", \"voc2007\", \"voc2012\", \"openimages\", \"visual-genome-500\"; \
when something is missing, the error shows the layout that is expected and where to get it, and a split whose counts are not the published ones is said to be a part. \
They take `val` (share of the training pictures held out, 0.1), `seed` (which ones), `unlabelled` (true keeps pictures without labels) and, for VOC, `difficult`. \
The options below are those of emoji-scenes; every data set takes `root` where it needs files, and `on_bad_image`: \
\"skip\" reads every picture once and leaves out those that cannot be read, by path; \"error\", the default, stops a training at the first. \
`cache: 448` decodes every picture once, resized to a square of that side, and keeps them all in one file of the run store \
(side × side × 3 bytes a picture): trainings that take whole pictures at this size see the same bytes as without, those that crop, crop the square.",
    options: Some(OptionDocs {
        defaults: options::defaults::<SceneOptions>,
        docs: || {
            crate::options::list(&[
                ("seed", "decides every picture"),
                ("train", "number of training pictures"),
                ("val", "number of validation pictures"),
                ("test", "number of test pictures"),
                ("test_shifted", "number of test pictures with broken contexts"),
                ("size", "side of the square pictures, in pixels"),
            ])
        },
    }),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 40, val: 10, test: 10, test_shifted: 10, size: 64});\ndata.keys()",
        prints: "\"test_shifted\"",
    }],
    register: |r| register(r.engine, r.host),
};

fn register(engine: &mut Engine, host: &Rc<Host>) {
    let (a, b) = (host.clone(), host.clone());
    engine
        .register_fn("dataset", move |name: &str| -> Fallible<Map> { open(&a, name, Map::new()).or_raise() })
        .register_fn("dataset", move |name: &str, map: Map| -> Fallible<Map> { open(&b, name, map).or_raise() });
}

fn open(host: &Host, name: &str, mut map: Map) -> Result<Map> {
    let root = take_string(&mut map, "root", "a path")?;
    let skip = match take_string(&mut map, "on_bad_image", "\"error\" or \"skip\"")?.as_deref() {
        None | Some("error") => false,
        Some("skip") => true,
        Some(came) => {
            let mut error = Error::unknown("value", came, ["error", "skip"]);
            error.message = format!("option \"on_bad_image\" of dataset must be \"error\" or \"skip\"; got \"{came}\"");
            return Err(error);
        }
    };
    let cache = match map.remove("cache") {
        None => 0,
        Some(side) => match side.as_int() {
            Ok(side) => u32::try_from(side).unwrap_or(u32::MAX),
            Err(came) => {
                return Err(Error::argument(format!(
                    "option \"cache\" of dataset must be a side in pixels, or 0; got {}",
                    crate::script::vocabulary::a_user_name(came)
                )));
            }
        },
    };
    let value = options::to_json(&Dynamic::from(map))
        .map_err(|what| Error::argument(format!("dataset cannot take {what} as an option")))?;
    let splits = images::open(name, root.as_deref().map(std::path::Path::new), &value)?;
    let mut opened = Map::new();
    for (split, mut dataset) in splits {
        if skip {
            let (readable, bad) = dataset.readable()?;
            for error in &bad {
                console::log(&format!("skipped: {}", error.message));
            }
            if !bad.is_empty() {
                console::log(&format!(
                    "{name} {split}: {} of {} pictures cannot be read and are left out",
                    bad.len(),
                    dataset.len()
                ));
            }
            dataset = readable;
        }
        if cache > 0 {
            dataset.source = Arc::new(ResizedCache::make(&glue::store(host), dataset.source, cache)?);
        }
        opened.insert(split.into(), Dynamic::from(dataset));
    }
    Ok(opened)
}

fn take_string(map: &mut Map, key: &str, what: &str) -> Result<Option<String>> {
    let take = |value: Dynamic| {
        value.into_string().map_err(|came| {
            Error::argument(format!(
                "option \"{key}\" of dataset must be {what}; got {}",
                crate::script::vocabulary::a_user_name(came)
            ))
        })
    };
    map.remove(key).map(take).transpose()
}
