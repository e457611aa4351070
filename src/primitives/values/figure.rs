//! `Figure` in scripts.

use std::path::Path;

use rhai::Engine;

use crate::plots::Figure;
use crate::script::call::MemberRegistrar;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::kind::{KindOfValue, Member, kind_value};

impl KindOfValue for Figure {
    const NAME: &'static str = "Figure";
    const SUMMARY: &'static str = "A picture for a paper or a screen.";
    const MEMBERS: &'static [Member] = &[
        Member::new("save(path)", "write as .png or .svg"),
        Member::new("show()", "draw it in the terminal with half blocks"),
        Member::new("svg", "the SVG text"),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        register(members.engine)
    }
}

kind_value!(Figure);

fn register(engine: &mut Engine) {
    engine
        .register_get("svg", |f: &mut Figure| f.svg().to_string())
        .register_fn("show", |f: &mut Figure| -> Fallible<String> { f.half_blocks(100).or_raise() })
        .register_fn("save", |f: &mut Figure, path: &str| -> Fallible<()> { f.save(Path::new(path)).or_raise() });
}
