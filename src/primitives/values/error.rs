//! `Error` in scripts: what `catch (error)` receives.

use rhai::{Dynamic, Engine};

use crate::script::call::MemberRegistrar;
use crate::script::errors::Raised;
use crate::script::kind::{KindOfValue, Member, kind_value};

impl KindOfValue for Raised {
    const NAME: &'static str = "Error";
    const SUMMARY: &'static str = "What a script's catch receives.";
    const MEMBERS: &'static [Member] = &[
        Member::new("message", "one sentence: what was expected and what came"),
        Member::new("help", "how to mend it, or ()"),
        Member::new("kind", "cpsd::argument, cpsd::data, cpsd::io, cpsd::tensor, cpsd::thrown or cpsd::internal"),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        register(members.engine)
    }
}

kind_value!(Raised);

fn register(engine: &mut Engine) {
    engine
        .register_get("message", |e: &mut Raised| e.0.message.clone())
        .register_get("help", |e: &mut Raised| e.0.help.clone().map_or(Dynamic::UNIT, Dynamic::from))
        .register_get("kind", |e: &mut Raised| e.0.kind.code().to_string());
}
