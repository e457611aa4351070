//! `distill_all`: several students side by side.

use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use super::closures::Closures;
use super::values::model::ModelValue;
use super::{Chapter, Example, OptionDocs, Word, distill, glue, training_options};
use crate::error::Result;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::host::Host;
use crate::script::options;
use crate::training::{DistillOptions, Job};

pub const WORD: Word = Word {
    name: "distill_all",
    chapter: Chapter::Training,
    signatures: &["distill_all(data, list) -> array of Model", "distill_all(data, list, #{options}) -> array of Model"],
    summary: "Trains several students side by side, the cores shared out among them: one for each item of the list.",
    details: "Each item is what distill takes as its ensembles: one Ensemble or Model, or an array of Ensembles. The whole component ablation is \
distill_all(data, [one, co, dis, [co, dis]], options). Options are those of distill.",
    options: Some(OptionDocs { defaults: options::defaults::<DistillOptions>, docs: training_options::DISTILL_DOCS }),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 32, val: 16, test: 16, test_shifted: 8, size: 48});\nlet o = #{model: #{backbone: \"small_cnn\", head: \"gap\", image_size: 48}, epochs: 1, batch: 16, views: 1};\nlet teacher = merge([train_teacher(data, data.train.names, o)]);\ndistill_all(data, [teacher, [teacher, teacher]], o).len()",
        prints: "2",
    }],
    register,
};

fn register(engine: &mut Engine, host: &Rc<Host>) {
    let (a, b) = (host.clone(), host.clone());
    engine
        .register_fn("distill_all", move |call: NativeCallContext, data: Dynamic, list: Array| {
            distill_all(&a, &call, &data, &list, Map::new())
        })
        .register_fn("distill_all", move |call: NativeCallContext, data: Dynamic, list: Array, map: Map| {
            distill_all(&b, &call, &data, &list, map)
        });
}

fn distill_all(host: &Host, call: &NativeCallContext, data: &Dynamic, list: &Array, mut map: Map) -> Fallible<Array> {
    glue::expand_names(&mut map);
    let closures = Closures::take("distill_all", &mut map, call, host).or_raise()?;
    let options: DistillOptions = options::parse("distill_all", &map).or_raise()?;
    let jobs = list
        .iter()
        .enumerate()
        .map(|(i, ensembles)| {
            Ok(Job {
                name: format!("student {}/{}", i + 1, list.len()),
                ..distill::job(data, ensembles, options.clone())?
            })
        })
        .collect::<Result<Vec<_>>>()
        .or_raise()?;
    let trained = closures.train_all(host, call, jobs)?;
    Ok(trained.into_iter().map(|t| Dynamic::from(ModelValue(t))).collect())
}
