//! `Figure` in scripts.

use std::path::Path;

use rhai::Engine;

use super::super::glue::{self, kind_of};
use super::super::{Kind, Member};
use crate::plots::Figure;
use crate::script::errors::{Fallible, OrRaise};

pub const KIND: Kind = Kind {
    name: "Figure",
    summary: "A picture for a paper or a screen.",
    members: &[
        Member::new("save(path)", "write as .png or .svg"),
        Member::new("show()", "draw it in the terminal with half blocks"),
        Member::new("svg", "the SVG text"),
    ],
    is: kind_of!(Figure).0,
    show: kind_of!(Figure).1,
    rust_name: kind_of!(Figure).2,
    register: |engine, _| register(engine),
};

fn register(engine: &mut Engine) {
    glue::register_display::<Figure>(engine, "Figure");
    engine
        .register_get("svg", |f: &mut Figure| f.svg().to_string())
        .register_fn("show", |f: &mut Figure| -> Fallible<String> { f.half_blocks(100).or_raise() })
        .register_fn("save", |f: &mut Figure, path: &str| -> Fallible<()> { f.save(Path::new(path)).or_raise() });
}
