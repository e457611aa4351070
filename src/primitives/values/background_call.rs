//! `Job` in scripts.

use std::fmt;
use std::rc::Rc;

use crate::script::background::{BackgroundCall, CallState};
use crate::script::call::{Call, MemberRegistrar};
use crate::script::kind::{KindOfValue, Member, kind_value};

/// A background job as scripts hold it.
#[derive(Clone)]
pub struct BackgroundCallValue(pub Rc<BackgroundCall>);

impl KindOfValue for BackgroundCallValue {
    const NAME: &'static str = "Job";
    const SUMMARY: &'static str = "A closure that runs in the background, as spawn(...) gives it.";
    const MEMBERS: &'static [Member] = &[
        Member::new("id", "its number in the session"),
        Member::new("name", "its name"),
        Member::new("state", "\"running\", \"done\", \"failed\" or \"stopped\""),
        Member::new("seconds", "how long it has run"),
        Member::new("progress", "how far its trainings are, in a line"),
        Member::new("value", "its closure's result; waits for it, as wait(job) does"),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        members
            .get("id", |job: &Self| job.0.id)
            .get("name", |job: &Self| job.0.name.clone())
            .get("state", |job: &Self| job.0.state().name())
            .get("seconds", |job: &Self| job.0.seconds())
            .get("progress", |job: &Self| job.0.progress())
            .get("value", |call: &Call, job: &Self| call.host.background.wait(&job.0));
    }
}

kind_value!(BackgroundCallValue);

impl fmt::Display for BackgroundCallValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let job = &self.0;
        write!(f, "Job {}: {}{}, {:.1} s", job.id, named(job), job.state().name(), job.seconds())?;
        let progress = job.progress();
        if job.state() == CallState::Running && !progress.is_empty() {
            write!(f, ", {progress}")?;
        }
        Ok(())
    }
}

/// Its name, where it has one of its own.
fn named(job: &BackgroundCall) -> String {
    if job.name == format!("job {}", job.id) { String::new() } else { format!("{}, ", job.name) }
}
