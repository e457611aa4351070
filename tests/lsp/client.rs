//! An editor that a test plays: messages to `cpsd lsp`, and what comes back.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The program.
pub const CPSD: &str = env!("CARGO_BIN_EXE_cpsd");

/// Much longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// The file in the folder that has what the server says beside the protocol. (No editor sees it as one of its files.)
const STDERR: &str = ".stderr";

/// A folder with texts, and a server for an editor in it.
pub struct Editor {
    pub folder: tempfile::TempDir,
    pub server: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Value>,
    /// What came while something else was waited for.
    earlier: Vec<Value>,
    asked: i64,
}

impl Editor {
    /// Begins a server, and nothing else.
    pub fn begin() -> Editor {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Command::new(CPSD)
            .arg("lsp")
            .current_dir(folder.path())
            .env("XDG_CACHE_HOME", folder.path().join("caches"))
            .env("CLICOLOR_FORCE", "1")
            .env_remove("CPSD_PATH")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(folder.path().join(STDERR)).unwrap())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(server.stdout.take().unwrap());
        let (send, messages) = mpsc::channel();
        std::thread::spawn(move || {
            while let Some(message) = read(&mut output) {
                if send.send(message).is_err() {
                    return;
                }
            }
        });
        Editor { input: server.stdin.take(), server, folder, messages, earlier: vec![], asked: 0 }
    }

    /// Begins a server, and introduces the editor.
    pub fn new() -> Editor {
        let mut editor = Editor::begin();
        let answer = editor.ask("initialize", json!({ "processId": null, "rootUri": null, "capabilities": {} }));
        assert_eq!(answer["serverInfo"]["name"], "cpsd", "{answer}");
        editor.tell("initialized", json!({}));
        editor
    }

    /// The same, with the folder as the one that the editor works in.
    pub fn with_workspace() -> Editor {
        let mut editor = Editor::begin();
        let folder = json!({ "uri": editor.uri("").trim_end_matches('/'), "name": "all" });
        let params = json!({ "processId": null, "rootUri": null, "capabilities": {}, "workspaceFolders": [folder] });
        let answer = editor.ask("initialize", params);
        assert_eq!(answer["capabilities"]["workspace"]["workspaceFolders"]["supported"], true, "{answer}");
        editor.tell("initialized", json!({}));
        editor
    }

    /// Writes a file of the folder.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// The path of a file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    /// The address of a file in the folder.
    pub fn uri(&self, name: &str) -> String {
        format!("file://{}", self.path(name).display().to_string().replace('ö', "%C3%B6").replace(' ', "%20"))
    }

    pub fn send(&mut self, message: Value) {
        self.send_bytes(message.to_string().as_bytes());
    }

    /// Sends bytes behind a header.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.send_raw(format!("Content-Length: {}\r\n\r\n", bytes.len()).as_bytes());
        self.send_raw(bytes);
    }

    /// Sends bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().unwrap();
        input.write_all(bytes).unwrap();
        input.flush().unwrap();
    }

    /// What the server has said beside the protocol.
    pub fn stderr(&self) -> String {
        std::fs::read_to_string(self.folder.path().join(STDERR)).unwrap()
    }

    pub fn tell(&mut self, method: &str, params: Value) {
        self.send(json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    /// The whole answer to a request.
    pub fn answer(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        self.send(json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        self.wait(method, |message| message["id"] == id)
    }

    /// The result of a request, which must not fail.
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        let answer = self.answer(method, params);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// The error of a request: its code and message.
    pub fn refused(&mut self, method: &str, params: Value) -> (i64, String) {
        let answer = self.answer(method, params);
        let error = &answer["error"];
        let code = error["code"].as_i64().unwrap_or_else(|| panic!("{method} was not refused: {answer}"));
        (code, error["message"].as_str().unwrap().to_string())
    }

    /// The first message that is so. Others are kept.
    pub fn wait(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.earlier.iter().position(&is_it) {
            return self.earlier.remove(at);
        }
        let begun = Instant::now();
        loop {
            let left = PATIENCE.checked_sub(begun.elapsed()).unwrap_or_else(|| panic!("waited too long for {what}"));
            let message = self.messages.recv_timeout(left).unwrap_or_else(|e| panic!("{what}: {e}"));
            if is_it(&message) {
                return message;
            }
            self.earlier.push(message);
        }
    }

    /// Opens a text under a name, which need be no file.
    pub fn open(&mut self, name: &str, text: &str) -> String {
        let uri = self.uri(name);
        let document = json!({ "uri": &uri, "languageId": "rhai", "version": 1, "text": text });
        self.tell("textDocument/didOpen", json!({ "textDocument": document }));
        uri
    }

    /// Changes a part of a text, from and to (line, UTF-16 unit).
    pub fn change(&mut self, uri: &str, version: i64, from: (u32, u32), to: (u32, u32), text: &str) {
        let place = |(line, character)| json!({ "line": line, "character": character });
        let change = json!({ "range": { "start": place(from), "end": place(to) }, "text": text });
        let document = json!({ "uri": uri, "version": version });
        self.tell("textDocument/didChange", json!({ "textDocument": document, "contentChanges": [change] }));
    }

    /// The findings of a version of a text.
    pub fn found(&mut self, uri: &str, version: i64) -> Vec<Value> {
        let is_it = |message: &Value| {
            message["method"] == "textDocument/publishDiagnostics"
                && message["params"]["uri"] == uri
                && message["params"]["version"] == version
        };
        let message = self.wait(&format!("the findings of version {version}"), is_it);
        message["params"]["diagnostics"].as_array().unwrap().clone()
    }

    /// Asks about a place, given by line and UTF-16 unit.
    pub fn ask_at(&mut self, method: &str, uri: &str, line: u32, character: u32) -> Value {
        self.ask(method, at(uri, line, character))
    }

    /// Ends the server as an editor does, and returns its exit code.
    pub fn leave(mut self) -> Option<i32> {
        assert_eq!(self.ask("shutdown", Value::Null), Value::Null);
        self.tell("exit", Value::Null);
        self.ended()
    }

    /// Ends the server's input.
    pub fn close(&mut self) {
        self.input = None;
    }

    /// Waits for the end of the server, and returns its exit code.
    pub fn ended(mut self) -> Option<i32> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.server.try_wait().unwrap() {
                return status.code();
            }
            assert!(begun.elapsed() < PATIENCE, "the server does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A text and a place in it.
pub fn at(uri: &str, line: u32, character: u32) -> Value {
    json!({ "textDocument": { "uri": uri }, "position": { "line": line, "character": character } })
}

/// `(line, character)` of the beginning and the end of a range.
pub fn range(value: &Value) -> [(u64, u64); 2] {
    ["start", "end"].map(|end| {
        let place = &value["range"][end];
        (place["line"].as_u64().unwrap(), place["character"].as_u64().unwrap())
    })
}

/// A file of the repository.
pub fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(output: &mut impl BufRead) -> Option<Value> {
    let mut length = None;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => {
                // Nothing but the protocol is written there.
                let value = line.strip_prefix("Content-Length: ").unwrap_or_else(|| panic!("not the protocol: {line}"));
                length = value.parse::<usize>().ok();
            }
        }
    }
    let mut bytes = vec![0; length?];
    output.read_exact(&mut bytes).ok()?;
    Some(serde_json::from_slice(&bytes).unwrap())
}
