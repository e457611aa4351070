//! `Job` in scripts.

use std::fmt;
use std::rc::Rc;

use rhai::{Dynamic, Engine};

use crate::script::background::{BackgroundCall, CallState};
use crate::script::call::MemberRegistrar;
use crate::script::errors::Fallible;
use crate::script::host::Host;
use crate::script::kind::{KindOfValue, Member, kind_value};

/// A background job as scripts hold it.
#[derive(Clone)]
pub struct BackgroundCallValue(pub Rc<BackgroundCall>);

impl KindOfValue for BackgroundCallValue {
    const NAME: &'static str = "Job";
    const SUMMARY: &'static str = "A closure that runs in the background, as spawn(...) gives it.";
    const MEMBERS: &'static [Member] = &[
        Member::new("id", "its number in the session"),
        Member::new("name", "what it is called"),
        Member::new("state", "\"running\", \"done\", \"failed\" or \"stopped\""),
        Member::new("seconds", "how long it has run"),
        Member::new("progress", "how far its trainings are, in a line"),
        Member::new("value", "what its closure gave; waits for it, as wait(job) does"),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        register(members.engine, members.host)
    }
}

kind_value!(BackgroundCallValue);

fn register(engine: &mut Engine, host: &Rc<Host>) {
    let host = host.clone();
    engine
        .register_get("id", |job: &mut BackgroundCallValue| job.0.id as i64)
        .register_get("name", |job: &mut BackgroundCallValue| job.0.name.clone())
        .register_get("state", |job: &mut BackgroundCallValue| job.0.state().name().to_string())
        .register_get("seconds", |job: &mut BackgroundCallValue| job.0.seconds())
        .register_get("progress", |job: &mut BackgroundCallValue| job.0.progress())
        .register_get("value", move |job: &mut BackgroundCallValue| -> Fallible<Dynamic> {
            host.background.wait(&job.0)
        });
}

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
