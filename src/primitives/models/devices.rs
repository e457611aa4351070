//! `devices`: what trainings run on.

use crate::devices;
use crate::error::Result;
use crate::primitives::parameters::DeviceNames;
use crate::script::word::{Chapter, Example, Word};

pub const WORD: Word = Word {
    name: "devices",
    chapter: Chapter::Models,
    signatures: &["devices() -> array", "devices(names) -> array"],
    summary: "The devices that trainings may use, or the choice of them.",
    details: "names is one of \"auto\" (every GPU, or the CPU), \"cpu\", \"cuda\" and \"cuda:1\", or an array of such. A training takes one of them \
when it begins and gives it back at its end, and waits while each GPU has as many trainings as per_gpu says (1); models are on the CPU until something \
computes with them, and predictions are made on a GPU that no training has, if there is one. Without a choice the \
setting device decides, of CPSD_DEVICE or cpsd.toml (cuda:0,cuda:1), and without that auto. Devices are not part of a training's id.",
    options: None,
    examples: &[Example { code: "devices(\"cpu\")", prints: "[\"cpu\"]" }],
    register: |word| {
        word.form(all).form(choose_one).form(choose);
    },
};

fn all() -> Vec<String> {
    shown(devices::all())
}

fn choose_one(name: String) -> Result<Vec<String>> {
    devices::choose(&[name]).map(shown)
}

fn choose(names: DeviceNames) -> Result<Vec<String>> {
    devices::choose(&names.0).map(shown)
}

fn shown(devices: Vec<tch::Device>) -> Vec<String> {
    devices.into_iter().map(devices::name).collect()
}
