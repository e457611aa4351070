//! `Error` in scripts: what `catch (error)` receives.

use rhai::{Dynamic, Engine};

use super::super::glue::{self, kind_of};
use super::super::{Kind, Member};
use crate::script::errors::Raised;

pub const KIND: Kind = Kind {
    name: "Error",
    summary: "What a script's catch receives.",
    members: &[
        Member::new("message", "one sentence: what was expected and what came"),
        Member::new("help", "how to mend it, or ()"),
        Member::new("kind", "cpsd::argument, cpsd::data, cpsd::io, cpsd::tensor, cpsd::thrown or cpsd::internal"),
    ],
    is: kind_of!(Raised).0,
    show: kind_of!(Raised).1,
    rust_name: kind_of!(Raised).2,
    register: |engine, _| register(engine),
};

fn register(engine: &mut Engine) {
    glue::register_display::<Raised>(engine, "Error");
    engine
        .register_get("message", |e: &mut Raised| e.0.message.clone())
        .register_get("help", |e: &mut Raised| e.0.help.clone().map_or(Dynamic::UNIT, Dynamic::from))
        .register_get("kind", |e: &mut Raised| e.0.kind.code().to_string());
}
