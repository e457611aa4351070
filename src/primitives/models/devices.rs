//! `devices`: what trainings run on.

use rhai::{Array, Engine};

use crate::devices;
use crate::primitives::glue;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "devices",
    chapter: Chapter::Models,
    signatures: &["devices() -> array", "devices(names) -> array"],
    summary: "The devices that trainings may use, or the choice of them.",
    details: "names is one of \"auto\" (every GPU, or the CPU), \"cpu\", \"cuda\" and \"cuda:1\", or an array of such. Models are made on the first; \
workers: \"processes\" trains the teachers of a branch on all. Models that are there already stay where they are. Without a choice the \
environment variable CPSD_DEVICE decides (cuda:0,cuda:1), and without that auto. Of what a training is named by, devices are no part.",
    options: None,
    examples: &[Example { code: "devices(\"cpu\")", prints: "[\"cpu\"]" }],
    register: |r| register(r.engine),
};

fn register(engine: &mut Engine) {
    engine
        .register_fn("devices", || shown(devices::all()))
        .register_fn("devices", |name: &str| -> Fallible<Array> {
            devices::choose(&[name.to_string()]).map(shown).or_raise()
        })
        .register_fn("devices", |names: Array| -> Fallible<Array> {
            glue::names("devices", "the names", &names).and_then(|names| devices::choose(&names)).map(shown).or_raise()
        });
}

fn shown(devices: Vec<tch::Device>) -> Array {
    devices.into_iter().map(|device| devices::name(device).into()).collect()
}
