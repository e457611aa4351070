//! `write_scenes`: emoji-scenes as files in COCO's layout.

use rhai::{Engine, Map};

use crate::images::scenes::{self, SceneOptions};
use crate::script::errors::{Fallible, OrRaise};
use crate::script::options;
use crate::script::word::{Chapter, Example, OptionDocs, Word};

pub const WORD: Word = Word {
    name: "write_scenes",
    chapter: Chapter::Labels,
    signatures: &["write_scenes(folder)", "write_scenes(folder, #{options})"],
    summary: "Writes emoji-scenes as JPEG folders and instances JSON in the exact layout of COCO 2014.",
    details: "`dataset(\"coco2014\", #{root: folder})` reads it back; write_miniature has other layouts, and what real downloads hold beside well-behaved pictures. Category ids, supercategories, id gaps, boxes and areas are \
COCO's. Takes the options of dataset(\"emoji-scenes\").",
    options: Some(OptionDocs {
        defaults: options::defaults::<SceneOptions>,
        docs: || {
            crate::options::list(&[
                ("seed", "decides every picture"),
                ("train", "number of pictures in train2014"),
                ("val", "not written: coco2014 takes its validation split from train"),
                ("test", "number of pictures in val2014"),
                ("test_shifted", "not written"),
                ("size", "side of the square pictures, in pixels"),
            ])
        },
    }),
    examples: &[Example {
        code: "write_scenes(\"out/example/coco\", #{train: 20, test: 5, size: 64});\ndataset(\"coco2014\", #{root: \"out/example/coco\"}).test.len()",
        prints: "5",
    }],
    register: |r| register(r.engine),
};

fn register(engine: &mut Engine) {
    engine.register_fn("write_scenes", |folder: &str| write_scenes(folder, Map::new()));
    engine.register_fn("write_scenes", write_scenes);
}

fn write_scenes(folder: &str, map: Map) -> Fallible<()> {
    let options: SceneOptions = options::parse("write_scenes", &map).or_raise()?;
    scenes::write_coco(&options, std::path::Path::new(folder)).or_raise()?;
    Ok(())
}
