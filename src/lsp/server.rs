//! The loop over messages: what the editor asks is answered in order; texts are checked when it is silent for a moment.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use lsp_server::{ErrorCode, Message, Notification, Request, Response};
use serde_json::{Value, json};

use super::document::Document;
use super::names::Kind;
use super::transport::{self, Editor, Incoming};
use super::workspace::Workspace;
use super::{diagnostics, libraries, requests, uri};
use crate::activity::{interrupt, panics, signals};
use crate::say_error;
use crate::script::session::Session;

/// A text is checked when nothing came for so long: while one types, only the newest state counts.
const PAUSE: Duration = Duration::from_millis(120);
/// How often signals are looked for.
const LOOK: Duration = Duration::from_millis(200);
/// The exit codes.
const DONE: u8 = 0;
const FAILED: u8 = 1;
const INTERRUPTED: u8 = 130;

/// Serves an editor over standard input and output until it leaves. Returns the exit code.
pub fn run(session: &Session) -> u8 {
    // Documentation has colours on a terminal alone, whatever the environment asks for.
    colored::control::set_override(false);
    // The editor's terminal may be closed.
    signals::hear_hang_ups();
    let editor = match Editor::on_standard_streams() {
        Ok(editor) => editor,
        Err(error) => {
            say_error!("cpsd lsp: {error}");
            return FAILED;
        }
    };
    let code = serve(session, &editor);
    if code == INTERRUPTED {
        // The editor may take nothing any more.
        return code;
    }
    match editor.finish() {
        Ok(()) => code,
        Err(error) => {
            say_error!("cpsd lsp: {error}");
            FAILED
        }
    }
}

fn serve(session: &Session, editor: &Editor) -> u8 {
    let mut server = Server::new(session);
    loop {
        if interrupt::requested() {
            return INTERRUPTED;
        }
        let pause = if server.waiting.is_empty() { LOOK } else { PAUSE };
        match editor.incoming.recv_timeout(pause) {
            Ok(Incoming::Message(message)) => {
                let (answers, code) = server.take(message);
                let all_sent = answers.iter().all(|answer| editor.send(transport::value(answer)));
                if let Some(code) = code {
                    return code;
                }
                if !all_sent {
                    return FAILED;
                }
            }
            Ok(Incoming::Refused(refused)) => {
                say_error!("cpsd lsp: {}", refused.message);
                if !editor.send(refused.answer()) {
                    return FAILED;
                }
            }
            Ok(Incoming::Lost(refused)) => {
                say_error!("cpsd lsp: {}", refused.message);
                let _ = editor.send(refused.answer());
                return FAILED;
            }
            Err(RecvTimeoutError::Timeout) => {
                if let Some(found) = server.check_one()
                    && !editor.send(transport::value(&found))
                {
                    return FAILED;
                }
            }
            // The editor has closed our input.
            Err(RecvTimeoutError::Disconnected) => {
                return if server.state == State::ShutDown { DONE } else { FAILED };
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Begun,
    Initialized,
    ShutDown,
}

/// What is known between messages.
pub struct Server<'s> {
    session: &'s Session,
    state: State,
    /// By address.
    pub documents: BTreeMap<String, Document>,
    /// The addresses of those that wait for a check.
    waiting: BTreeSet<String>,
    /// Whether the editor shows Markdown in help.
    pub markdown: bool,
    /// The folders that the editor works in.
    folders: Vec<PathBuf>,
}

impl<'s> Server<'s> {
    pub fn new(session: &'s Session) -> Self {
        let (documents, waiting) = (BTreeMap::new(), BTreeSet::new());
        Server { session, state: State::Begun, documents, waiting, markdown: true, folders: vec![] }
    }

    /// The texts that the editor knows.
    pub fn workspace(&self) -> Workspace<'_> {
        Workspace { open: &self.documents, folders: &self.folders }
    }

    /// Takes a message. Returns what is to be sent, and the exit code if it was the last.
    fn take(&mut self, message: Message) -> (Vec<Message>, Option<u8>) {
        match message {
            Message::Request(request) => (vec![self.answer(request).into()], None),
            Message::Notification(note) if note.method == "exit" => {
                (vec![], Some(if self.state == State::ShutDown { DONE } else { FAILED }))
            }
            Message::Notification(note) => {
                // One that cannot be read changes nothing.
                let noted = catch_unwind(AssertUnwindSafe(|| self.note(note)));
                (noted.unwrap_or_default(), None)
            }
            Message::Response(_) => (vec![], None),
        }
    }

    fn answer(&mut self, request: Request) -> Response {
        let Request { id, method, params } = request;
        let refused = |code: ErrorCode, message: &str| Response::new_err(id.clone(), code as i32, message.to_string());
        match (self.state, method.as_str()) {
            (State::Begun, "initialize") => {
                self.state = State::Initialized;
                let formats = &params["capabilities"]["textDocument"]["hover"]["contentFormat"];
                let formats = formats.as_array();
                self.markdown = formats.is_none_or(|formats| formats.iter().any(|format| format == "markdown"));
                self.folders = folders(&params);
                Response::new_ok(id, requests::capabilities())
            }
            (State::Begun, _) => refused(ErrorCode::ServerNotInitialized, "the first request must be initialize"),
            (State::Initialized, "initialize") => refused(ErrorCode::InvalidRequest, "initialize came already"),
            (State::ShutDown, _) => refused(ErrorCode::InvalidRequest, "after shutdown there is only exit"),
            (State::Initialized, "shutdown") => {
                self.state = State::ShutDown;
                Response::new_ok(id, Value::Null)
            }
            (State::Initialized, _) => {
                // A fault of ours ends one request, not the editor's help.
                match catch_unwind(AssertUnwindSafe(|| requests::answer(self, &method, params))) {
                    Ok(Ok(value)) => Response::new_ok(id, value),
                    Ok(Err((code, message))) => refused(code, &message),
                    Err(panic) => refused(ErrorCode::InternalError, &panics::fault(&*panic).message),
                }
            }
        }
    }

    /// Takes a notification: texts are opened, changed and closed.
    fn note(&mut self, note: Notification) -> Vec<Message> {
        if self.state != State::Initialized {
            return vec![];
        }
        match note.method.as_str() {
            "textDocument/didOpen" => {
                if let Ok(opened) = serde_json::from_value::<lsp_types::DidOpenTextDocumentParams>(note.params) {
                    let uri = opened.text_document.uri.as_str().to_string();
                    let document = Document::new(&uri, opened.text_document.version, opened.text_document.text);
                    let _ = self.documents.insert(uri.clone(), document);
                    self.wait_for(&uri);
                }
            }
            "textDocument/didChange" => {
                if let Ok(changed) = serde_json::from_value::<lsp_types::DidChangeTextDocumentParams>(note.params)
                    && let Some(document) = self.documents.get_mut(changed.text_document.uri.as_str())
                {
                    document.change(changed.text_document.version, changed.content_changes);
                    let uri = document.uri.clone();
                    self.wait_for(&uri);
                }
            }
            "textDocument/didClose" => {
                if let Ok(closed) = serde_json::from_value::<lsp_types::DidCloseTextDocumentParams>(note.params) {
                    let uri = closed.text_document.uri.as_str();
                    // Those that import it see its file again.
                    self.wait_for(uri);
                    let _ = self.waiting.remove(uri);
                    if self.documents.remove(uri).is_some() {
                        // Its findings go with it.
                        return vec![published(uri, None, json!([]))];
                    }
                }
            }
            // A library may have changed that others import.
            "textDocument/didSave" | "workspace/didChangeWatchedFiles" => {
                self.waiting.extend(self.documents.keys().cloned());
            }
            "workspace/didChangeWorkspaceFolders" => {
                let gone = paths(&note.params["event"]["removed"]);
                self.folders.retain(|folder| !gone.contains(folder));
                self.folders.extend(paths(&note.params["event"]["added"]));
            }
            _ => {}
        }
        vec![]
    }

    /// Notes that a text is to be checked, and those that import it: all in which a library of its name is.
    fn wait_for(&mut self, uri: &str) {
        let Some(document) = self.documents.get(uri) else { return };
        let stem = Path::new(&document.name).file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let importers = self.documents.values().filter(|other| {
            let names = &other.names().definitions;
            let paths = names.iter().filter(|definition| definition.kind == Kind::Library);
            let mut written = paths.filter_map(|import| libraries::string(other.text(), import.value.clone()));
            written.any(|path| {
                Path::new(&path).file_stem().is_some_and(|name| Some(&*name.to_string_lossy()) == stem.as_deref())
            })
        });
        self.waiting.extend(importers.map(|other| other.uri.clone()));
        let _ = self.waiting.insert(uri.to_string());
    }

    /// Checks one of the texts that wait for it.
    fn check_one(&mut self) -> Option<Message> {
        let uri = self.waiting.pop_first()?;
        let document = self.documents.get(&uri)?;
        let found = diagnostics::of(self.session, document, &self.documents);
        Some(published(&uri, Some(document.version), json!(found)))
    }
}

/// The folders that `initialize` names: all of them, or the one of older editors.
fn folders(params: &Value) -> Vec<PathBuf> {
    let folders = paths(&params["workspaceFolders"]);
    if !folders.is_empty() {
        return folders;
    }
    let root = params["rootUri"].as_str().and_then(uri::to_path);
    root.or_else(|| params["rootPath"].as_str().map(PathBuf::from)).into_iter().collect()
}

/// The paths of a list of folders. One that is no file has none.
fn paths(folders: &Value) -> Vec<PathBuf> {
    let folders = folders.as_array().into_iter().flatten();
    folders.filter_map(|folder| uri::to_path(folder["uri"].as_str()?)).collect()
}

fn published(uri: &str, version: Option<i32>, found: Value) -> Message {
    let mut params = json!({ "uri": uri, "diagnostics": found });
    if let Some(version) = version {
        params["version"] = json!(version);
    }
    Notification::new("textDocument/publishDiagnostics".into(), params).into()
}
