//! `Error` in scripts: the value that `catch (error)` receives.

use crate::script::call::MemberRegistrar;
use crate::script::errors::Raised;
use crate::script::kind::{KindOfValue, Member, kind_value};

impl KindOfValue for Raised {
    const NAME: &'static str = "Error";
    const SUMMARY: &'static str = "The error that a script's catch receives.";
    const MEMBERS: &'static [Member] = &[
        Member::new("message", "one sentence: the expectation and the actual value"),
        Member::new("help", "how to mend it, or ()"),
        Member::new(
            "kind",
            "cpsd::argument, cpsd::data, cpsd::io, cpsd::tensor, cpsd::memory, cpsd::device, cpsd::cluster, cpsd::queued, cpsd::thrown or cpsd::internal",
        ),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        members
            .get("message", |e: &Self| e.0.message.clone())
            .get("help", |e: &Self| e.0.help.clone())
            .get("kind", |e: &Self| e.0.kind.code());
    }
}

kind_value!(Raised);
