//! The checker's findings, as `cpsd check` prints them.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::Duration;

use lsp_types::{Diagnostic, DiagnosticSeverity, DiagnosticTag};

use super::document::Document;
use super::{fixes, libraries};
use crate::activity::{Activity, panics};
use crate::script::check::{self, Severity};
use crate::script::session::Session;

/// Longer texts are not checked as one types.
const LONGEST: usize = 2 << 20;
/// The checker is given so long.
const PATIENCE: Duration = Duration::from_secs(20);
/// So many findings are shown.
const MOST: usize = 1_000;
/// Who found it.
pub const SOURCE: &str = "cpsd";

/// All findings of a document. Libraries that are open are as the editor has them.
pub fn of(session: &Session, document: &Document, open: &BTreeMap<String, Document>) -> Vec<Diagnostic> {
    let text = document.text();
    let about_all = |severity, message: String| {
        let first = text.find('\n').unwrap_or(text.len());
        vec![diagnostic(document, 0..first, severity, message, None)]
    };
    if text.len() > LONGEST {
        let message = format!("texts above {} MB are not checked as one types; cpsd check does", LONGEST >> 20);
        return about_all(DiagnosticSeverity::INFORMATION, message);
    }
    let check = || check::check_all(session, text, &document.name, &|name| libraries::unsaved(open, name));
    let checked = catch_unwind(AssertUnwindSafe(|| bounded(check)));
    match checked {
        Ok(Ok(findings)) => findings
            .into_iter()
            .take(MOST)
            .map(|finding| {
                let severity = match finding.severity {
                    Severity::Error => DiagnosticSeverity::ERROR,
                    Severity::Warning => DiagnosticSeverity::WARNING,
                };
                let mut shown = diagnostic(document, finding.span, severity, finding.message, finding.help);
                let unused = ["is never read", "is used", "this is never reached"];
                if severity == DiagnosticSeverity::WARNING
                    && unused.iter().any(|end| shown.message.lines().next().is_some_and(|line| line.ends_with(end)))
                {
                    shown.tags = Some(vec![DiagnosticTag::UNNECESSARY]);
                }
                shown
            })
            .collect(),
        // Nothing else ends a check.
        Ok(Err(_)) => {
            let message = "this takes long to check; cpsd check shows its mistakes".to_string();
            about_all(DiagnosticSeverity::INFORMATION, message)
        }
        Err(panic) => about_all(DiagnosticSeverity::WARNING, panics::fault(&*panic).message),
    }
}

/// Runs `work` as an activity that is asked to stop when it takes too long.
fn bounded<R>(work: impl FnOnce() -> R) -> R {
    let activity = Activity::background("check".into(), None);
    let (done, waits) = mpsc::channel::<()>();
    let watched = activity.clone();
    let watch = std::thread::Builder::new().name("cpsd lsp watch".into()).spawn(move || {
        if waits.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
            watched.stop();
        }
    });
    let result = activity.enter(work);
    drop(done);
    if let Ok(watch) = watch {
        let _ = watch.join();
    }
    result
}

fn diagnostic(
    document: &Document,
    span: std::ops::Range<usize>,
    severity: DiagnosticSeverity,
    message: String,
    help: Option<String>,
) -> Diagnostic {
    let data = help.as_deref().and_then(fixes::suggested).map(|name| serde_json::json!({ "replacement": name }));
    Diagnostic {
        range: document.range(span),
        severity: Some(severity),
        source: Some(SOURCE.into()),
        message: help.map_or_else(|| message.clone(), |help| format!("{message}\n{help}")),
        data,
        ..Diagnostic::default()
    }
}
