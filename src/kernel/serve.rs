//! The requests, one after the other, on the thread of the script session.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use jupyter_protocol::{
    CommClose, CommInfoReply, CompleteReply, HistoryReply, InspectReply, JupyterMessage, JupyterMessageContent, Media,
    MediaType, Status, UnknownMessage,
};
use parking_lot::Mutex;
use serde_json::json;

use super::assist;
use super::captured::Captured;
use super::history::History;
use super::outputs::Outputs;
use super::sockets::{Request, Sender, Socket, Sockets};
use super::{info, wire};
use crate::activity::{interrupt, panics};
use crate::repl::completion::Names;
use crate::repl::prompt::Prompt;
use crate::repl::{completions_at, start};
use crate::script::session::Session;

/// How often a kernel that waits looks whether it is to end.
const LOOK: Duration = Duration::from_millis(200);

/// The session and all that answers requests.
pub struct Kernel<'s> {
    pub(super) prompt: Prompt<'s>,
    pub(super) outputs: Arc<Outputs>,
    pub(super) captured: Option<Captured>,
    pub(super) history: History,
    pub(super) sender: Sender,
    pub(super) answers: Arc<Mutex<Receiver<String>>>,
    /// The number of the last cell.
    pub(super) count: usize,
    /// Cells that had come when one before them failed are not run.
    pub(super) failed: Option<Instant>,
    names: Names,
    requests: Receiver<Request>,
    leaving: Arc<std::sync::atomic::AtomicBool>,
}

impl<'s> Kernel<'s> {
    /// Runs the user's startup file.
    pub fn new(
        session: &'s mut Session,
        outputs: Arc<Outputs>,
        sender: Sender,
        sockets: Sockets,
        captured: Option<Captured>,
    ) -> Self {
        let mut prompt = Prompt::new(session);
        start(&mut prompt);
        Kernel {
            prompt,
            outputs,
            captured,
            history: History::new(),
            sender,
            answers: Arc::new(Mutex::new(sockets.answers)),
            count: 0,
            failed: None,
            names: Names::default(),
            requests: sockets.requests,
            leaving: sockets.leaving,
        }
    }

    /// Answers requests until the kernel is to end, and stops its jobs then, which keep checkpoints.
    pub fn serve(mut self) {
        let lock = self.prompt.session.host.background.lock.clone();
        while !self.leaving.load(Ordering::SeqCst) {
            // Background jobs run meanwhile.
            match lock.released(|| self.requests.recv_timeout(LOOK)) {
                Ok(request) => self.answer(&request),
                // Of nothing that runs.
                Err(RecvTimeoutError::Timeout) if interrupt::requested() => interrupt::clear(),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.prompt.session.host.background.stop_all();
    }

    fn answer(&mut self, request: &Request) {
        let message = &request.message;
        self.sender.publish(Status::busy(), message);
        // A fault of ours is an answer too.
        let reply = catch_unwind(AssertUnwindSafe(|| self.reply(request)));
        let reply = reply.unwrap_or_else(|panic| refusal(message, &panics::fault(&*panic).to_string()));
        self.outputs.tick();
        if let Some(reply) = reply {
            self.sender.send(request.socket, JupyterMessage::new(reply, Some(message)));
        }
        self.sender.publish(Status::idle(), message);
    }

    /// The reply to a request; None where none is expected.
    fn reply(&mut self, request: &Request) -> Option<JupyterMessageContent> {
        let message = &request.message;
        Some(match &message.content {
            JupyterMessageContent::ExecuteRequest(_) if self.failed.is_some_and(|failed| request.came < failed) => {
                // It has no number: it was not run.
                let content = json!({ "status": "aborted" });
                JupyterMessageContent::UnknownMessage(UnknownMessage { msg_type: "execute_reply".into(), content })
            }
            JupyterMessageContent::ExecuteRequest(cell) => self.execute(message, cell).into(),
            JupyterMessageContent::KernelInfoRequest(_) => info::reply().into(),
            JupyterMessageContent::CompleteRequest(asked) => {
                self.names.refresh(self.prompt.session);
                let at = assist::byte(&asked.code, asked.cursor_pos);
                let (begin, matches) = completions_at(&self.names, &asked.code, at);
                let cursor_start = asked.code[..begin].chars().count();
                let cursor_end = asked.code[..at].chars().count();
                CompleteReply { matches, cursor_start, cursor_end, ..Default::default() }.into()
            }
            JupyterMessageContent::InspectRequest(asked) => {
                self.names.refresh(self.prompt.session);
                let at = assist::byte(&asked.code, asked.cursor_pos);
                let source = asked.detail_level.is_some_and(|level| level > 0);
                match assist::inspected(&self.prompt, &self.names, &asked.code, at, source) {
                    Some(text) => {
                        let data = Media::new(vec![MediaType::Plain(text)]);
                        InspectReply { found: true, data, ..Default::default() }.into()
                    }
                    None => InspectReply::default().into(),
                }
            }
            JupyterMessageContent::IsCompleteRequest(asked) => {
                assist::is_complete(self.prompt.session, &asked.code).into()
            }
            JupyterMessageContent::HistoryRequest(asked) => HistoryReply::new(self.history.find(asked)).into(),
            // There are no widgets.
            JupyterMessageContent::CommInfoRequest(_) => CommInfoReply::default().into(),
            JupyterMessageContent::CommOpen(opened) => {
                let close = CommClose { comm_id: opened.comm_id.clone(), data: Default::default() };
                self.sender.publish(close, message);
                return None;
            }
            _ => return refusal(message, "cpsd's kernel has no such request"),
        })
    }
}

/// A reply that refuses a request, if it is one.
fn refusal(message: &JupyterMessage, cause: &str) -> Option<JupyterMessageContent> {
    let kind = message.content.message_type();
    let cause = match &message.content {
        JupyterMessageContent::UnknownMessage(unknown) => unknown.content[wire::UNREADABLE].as_str().unwrap_or(cause),
        _ => cause,
    };
    let msg_type = format!("{}_reply", kind.strip_suffix("_request")?);
    let content = json!({ "status": "error", "ename": "cpsd::kernel", "evalue": cause, "traceback": [] });
    Some(JupyterMessageContent::UnknownMessage(UnknownMessage { msg_type, content }))
}

/// Where a request came from, for whoever asks the person meanwhile.
pub(super) fn stdin(sender: &Sender, message: JupyterMessage) {
    sender.send(Socket::Stdin, message);
}
