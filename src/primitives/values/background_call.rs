//! `Job` in scripts.

use std::fmt;
use std::rc::Rc;

use rhai::{Dynamic, Engine};

use super::super::glue::{self, kind_of};
use super::super::{Kind, Member};
use crate::script::background::{BackgroundCall, State};
use crate::script::errors::Fallible;
use crate::script::host::Host;

/// A background job as scripts hold it.
#[derive(Clone)]
pub struct JobValue(pub Rc<BackgroundCall>);

pub const KIND: Kind = Kind {
    name: "Job",
    summary: "A closure that runs in the background, as spawn(...) gives it.",
    members: &[
        Member::new("id", "its number in the session"),
        Member::new("name", "what it is called"),
        Member::new("state", "\"running\", \"done\", \"failed\" or \"stopped\""),
        Member::new("seconds", "how long it has run"),
        Member::new("progress", "how far its trainings are, in a line"),
        Member::new("value", "what its closure gave; waits for it, as wait(job) does"),
    ],
    is: kind_of!(JobValue).0,
    show: kind_of!(JobValue).1,
    rust_name: kind_of!(JobValue).2,
    register: |engine, host| register(engine, host),
};

fn register(engine: &mut Engine, host: &Rc<Host>) {
    let host = host.clone();
    glue::register_display::<JobValue>(engine, "Job");
    engine
        .register_get("id", |job: &mut JobValue| job.0.id as i64)
        .register_get("name", |job: &mut JobValue| job.0.name.clone())
        .register_get("state", |job: &mut JobValue| job.0.state().name().to_string())
        .register_get("seconds", |job: &mut JobValue| job.0.seconds())
        .register_get("progress", |job: &mut JobValue| job.0.progress())
        .register_get("value", move |job: &mut JobValue| -> Fallible<Dynamic> { host.background.wait(&job.0) });
}

impl fmt::Display for JobValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let job = &self.0;
        write!(f, "Job {}: {}{}, {:.1} s", job.id, named(job), job.state().name(), job.seconds())?;
        let progress = job.progress();
        if job.state() == State::Running && !progress.is_empty() {
            write!(f, ", {progress}")?;
        }
        Ok(())
    }
}

/// Its name, where it has one of its own.
fn named(job: &BackgroundCall) -> String {
    if job.name == format!("job {}", job.id) { String::new() } else { format!("{}, ", job.name) }
}
