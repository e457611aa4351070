//! The beginning and the end of a talk, and what is not the protocol.

use serde_json::{Value, json};

use crate::client::{Editor, at};

#[test]
fn the_server_says_what_it_can_do() {
    let mut editor = Editor::begin();
    // Nothing is answered before.
    let (code, _) = editor.refused("textDocument/hover", at("file:///t.rhai", 0, 0));
    assert_eq!(code, -32002);
    let answer = editor.ask("initialize", json!({ "processId": null, "rootUri": null, "capabilities": {} }));
    let can = &answer["capabilities"];
    assert_eq!((&can["positionEncoding"], &can["textDocumentSync"]["change"]), (&json!("utf-16"), &json!(2)));
    for what in [
        "hoverProvider",
        "definitionProvider",
        "referencesProvider",
        "documentSymbolProvider",
        "documentFormattingProvider",
    ] {
        assert_eq!(can[what], true, "{what}");
    }
    let (code, _) = editor.refused("initialize", json!({ "processId": null, "rootUri": null, "capabilities": {} }));
    assert_eq!(code, -32600);
    assert_eq!(editor.leave(), Some(0));
}

#[test]
fn what_is_wrong_is_refused_and_the_server_goes_on() {
    let mut editor = Editor::new();
    assert_eq!(editor.refused("no/such", Value::Null).0, -32601);
    assert_eq!(editor.refused("textDocument/hover", json!({ "textDocument": 3 })).0, -32602);
    assert_eq!(editor.refused("textDocument/hover", at("file:///not/open.rhai", 0, 0)).0, -32602);
    editor.tell(
        "textDocument/didChange",
        json!({ "textDocument": { "uri": "file:///not/open.rhai", "version": 2 }, "contentChanges": [] }),
    );
    editor.tell("textDocument/didOpen", json!({ "nonsense": true }));
    editor.tell("$/cancelRequest", json!({ "id": 1 }));
    editor.tell("no/such", json!([1]));
    let uri = editor.open("t.rhai", "merge(");
    assert_eq!(editor.found(&uri, 1).len(), 1);
    assert!(editor.ask_at("textDocument/hover", &uri, 99, 99).is_null());
    assert!(editor.ask_at("textDocument/hover", &uri, 0, 1).is_object());
    // A text that is no file yet.
    let document = json!({ "uri": "untitled:Untitled-1", "languageId": "rhai", "version": 7, "text": "nothing" });
    editor.tell("textDocument/didOpen", json!({ "textDocument": document }));
    assert_eq!(editor.found("untitled:Untitled-1", 7).len(), 1);
    assert_eq!(editor.leave(), Some(0));
}

#[test]
fn exit_codes() {
    // After shutdown nothing else is answered.
    let mut editor = Editor::new();
    editor.ask("shutdown", Value::Null);
    assert_eq!(editor.refused("textDocument/hover", at("file:///t.rhai", 0, 0)).0, -32600);
    editor.close();
    assert_eq!(editor.ended(), Some(0));
    let mut editor = Editor::new();
    editor.tell("exit", Value::Null);
    assert_eq!(editor.ended(), Some(1));
    let mut editor = Editor::begin();
    editor.close();
    assert_eq!(editor.ended(), Some(1));
    // A signal, while the input is still open.
    for signal in ["-TERM", "-INT", "-HUP"] {
        let editor = Editor::new();
        let id = editor.server.id().to_string();
        assert!(std::process::Command::new("kill").args([signal, &id]).status().unwrap().success());
        assert_eq!(editor.ended(), Some(130), "{signal}");
    }
}

#[test]
fn what_is_no_message_is_answered_and_the_talk_goes_on() {
    let mut editor = Editor::new();
    for (bytes, code) in [
        (&b"[]"[..], -32600),
        (b"5", -32600),
        (b"{}", -32600),
        (b"{ this is no JSON", -32700),
        (b"", -32700),
        (b"\"\xff\"", -32700),
    ] {
        editor.send_bytes(bytes);
        let answer = editor.wait("the refusal", |message| message["error"]["code"] == code);
        assert_eq!((&answer["id"], &answer["jsonrpc"]), (&Value::Null, &json!("2.0")), "{answer}");
    }
    editor.send(json!({ "jsonrpc": "2.0", "id": 3_000_000_000_u64, "method": "shutdown" }));
    let answer = editor.wait("the refusal", |message| message["id"] == 3_000_000_000_u64);
    assert_eq!(answer["error"]["code"], -32600, "{answer}");
    let uri = editor.open("t.rhai", "merge(1)");
    assert!(editor.ask_at("textDocument/hover", &uri, 0, 1).is_object());
    assert_eq!(editor.leave(), Some(0));
}

#[test]
fn a_header_that_cannot_be_gets_an_answer_and_ends_the_talk() {
    for length in ["100000000000000", "18446744073709551615", "99999999999999999999999", "-1", "ten"] {
        let mut editor = Editor::new();
        editor.send_raw(format!("Content-Length: {length}\r\n\r\n{{}}").as_bytes());
        let answer = editor.wait("the refusal", |message| message["id"].is_null() && !message["error"].is_null());
        assert_eq!(answer["error"]["code"], -32600, "{length}: {answer}");
        assert_eq!(editor.ended(), Some(1), "{length}");
    }
    let mut editor = Editor::new();
    editor.send_raw(b"this is no header\r\n\r\n");
    assert_eq!(editor.ended(), Some(1));
    let mut editor = Editor::new();
    editor.send_raw(b"Content-Length: 10\r\n\r\n{}");
    editor.close();
    assert_eq!(editor.ended(), Some(1));
}

#[test]
fn errors_say_what_came_and_do_not_repeat_it() {
    let mut editor = Editor::new();
    let secret = "secret".repeat(10_000);
    editor.send_bytes(format!("{{ {secret}").as_bytes());
    let answer = editor.wait("the refusal", |message| message["error"]["code"] == -32700);
    assert!(answer.to_string().len() < 500, "{answer}");
    let (code, message) = editor.refused("textDocument/hover", json!({ "textDocument": secret }));
    assert!(code == -32602 && message.len() < 500, "{message}");
    let said = editor.stderr();
    assert!(said.contains("cpsd lsp: no JSON") && said.len() < 2_000, "{said}");
}

#[test]
fn only_texts_that_are_open_and_their_libraries_are_read() {
    let mut editor = Editor::new();
    // Were it run, it would write.
    let uri = editor.open("t.rhai", "write_text(\"written.txt\", \"x\"); let a = load_table(\"no.csv\"); a.");
    let _ = editor.found(&uri, 1);
    let _ = editor.ask_at("textDocument/completion", &uri, 0, 66);
    assert!(!editor.path("written.txt").exists() && !editor.path("caches").exists());
    let mut entries: Vec<_> =
        std::fs::read_dir(editor.folder.path()).unwrap().flatten().map(|e| e.file_name()).collect();
    entries.sort();
    assert_eq!(entries, [".stderr"]);
    assert_eq!(editor.stderr(), "");
}
