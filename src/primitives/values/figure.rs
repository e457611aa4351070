//! `Figure` in scripts.

use std::path::PathBuf;

use crate::plots::Figure;
use crate::script::call::MemberRegistrar;
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
        members
            .get("svg", |f: &Self| f.svg().to_string())
            .method("show", |f: &Self| f.half_blocks(100))
            .method("save", |f: &Self, path: PathBuf| f.save(path));
    }
}

kind_value!(Figure);
