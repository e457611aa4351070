//! `Figure` in scripts.

use std::path::PathBuf;

use super::table::TableValue;
use crate::plots::Figure;
use crate::script::call::MemberRegistrar;
use crate::script::kind::{KindOfValue, Member, kind_value};

impl KindOfValue for Figure {
    const NAME: &'static str = "Figure";
    const SUMMARY: &'static str = "A picture for a paper or a screen.";
    const MEMBERS: &'static [Member] = &[
        Member::new(
            "save(path)",
            "write as .png, .svg or .pdf (for LaTeX: vectors, text as text, the page as large as the figure)",
        ),
        Member::new("show()", "draw it in the terminal with half blocks"),
        Member::new("svg", "the SVG text"),
        Member::new(
            "table",
            "the numbers that it shows, a Table: of histogram, box_plot, confusion_plot, reliability_diagram and precision_recall_plot; () for others",
        ),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        members
            .get("svg", |f: &Self| f.svg().to_string())
            .get("table", |f: &Self| f.table().cloned().map(TableValue))
            .method("show", |f: &Self| f.half_blocks(100))
            .method("save", |f: &Self, path: PathBuf| f.save(path));
    }
}

kind_value!(Figure);
