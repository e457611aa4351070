//! What is noted beside the runs of trainings: names and tags that they were asked for under, and the text that asked.

use crate::script::call::Call;
use crate::script::host::Asking;
use crate::training::{Job, Trained};

/// A job with the name and the tags of the sweep around it.
pub fn on_behalf(mut job: Job, asking: &Asking) -> Job {
    let options = &mut job.options;
    if !asking.name.is_empty() {
        job.name = format!("{}, {}", asking.name, job.name);
        options.name = joined(&asking.name, &options.name);
    }
    let own = std::mem::take(&mut options.tags);
    options.tags = with_tags(asking.tags.clone(), &own);
    job
}

/// The same inside a sweep of that name, which may be empty, and these tags.
pub fn inside(asking: Asking, name: &str, tags: &[String]) -> Asking {
    Asking { name: joined(&asking.name, name), tags: with_tags(asking.tags, tags), ..asking }
}

fn joined(outer: &str, inner: &str) -> String {
    match (outer, inner) {
        ("", name) | (name, "") => name.to_string(),
        (outer, inner) => format!("{outer}, {inner}"),
    }
}

fn with_tags(mut tags: Vec<String>, more: &[String]) -> Vec<String> {
    for tag in more {
        if !tags.contains(tag) {
            tags.push(tag.clone());
        }
    }
    tags
}

/// Notes beside the run of each training, if it was not new, the name and tags that it was asked for under, and the text that asked first.
pub fn note<'a>(call: &Call, trained: impl IntoIterator<Item = (&'a Job, &'a Trained)>) {
    let asking = call.host.asking();
    let text = call.host.sources.text(&asking.text);
    for (job, trained) in trained {
        let Some(run) = &trained.run else { continue };
        let options = &job.options;
        if !options.name.is_empty() || !options.tags.is_empty() {
            run.note_names((!options.name.is_empty()).then_some(job.name.as_str()), &options.tags);
        }
        if let Some(text) = &text {
            run.note_script(&asking.text, &asking.earlier, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sweeps_inside_sweeps_add_names_and_tags() {
        let tags = |tags: &[&str]| tags.iter().map(|tag| tag.to_string()).collect::<Vec<_>>();
        let outer = inside(Asking { text: "a.rhai".into(), ..Asking::default() }, "outer", &tags(&["a"]));
        let inner = inside(outer, "", &tags(&["b", "a"]));
        assert_eq!(
            (inner.text.as_str(), inner.name.as_str(), inner.tags.clone()),
            ("a.rhai", "outer", tags(&["a", "b"]))
        );
        assert_eq!(inside(inner, "inner", &[]).name, "outer, inner");
    }
}
