//! What the server says about texts: findings, completion, help, definitions.

use serde_json::{Value, json};

use crate::client::{Editor, at, range};

#[test]
fn findings_come_as_one_types_at_utf_16_places() {
    let mut editor = Editor::new();
    let text = "let data = 1;\nlet size = \"größe😀😀\"; print(daat + size);\nprint(data)";
    let uri = editor.open("t.rhai", text);
    let found = editor.found(&uri, 1);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(range(&found[0]), [(1, 30), (1, 34)]);
    assert_eq!((&found[0]["severity"], &found[0]["source"]), (&json!(1), &json!("cpsd")));
    let message = found[0]["message"].as_str().unwrap();
    assert!(message.contains("\"daat\"") && message.contains("did you mean \"data\"?"), "{message}");
    // Repaired, and broken in another way.
    editor.change(&uri, 2, (1, 30), (1, 34), "data");
    assert_eq!(editor.found(&uri, 2), Vec::<Value>::new());
    editor.change(&uri, 3, (2, 10), (2, 11), "");
    let found = editor.found(&uri, 3);
    assert_eq!((found.len(), &found[0]["severity"]), (1, &json!(1)), "{found:?}");
    // A warning, and a whole text at once.
    let document = json!({ "uri": &uri, "version": 4 });
    let change = json!([{ "text": "let a = 1; let b = 2 / 3;" }]);
    editor.tell("textDocument/didChange", json!({ "textDocument": document, "contentChanges": change }));
    let found = editor.found(&uri, 4);
    assert!(found.iter().all(|finding| finding["severity"] == 2) && found.len() >= 2, "{found:?}");
    // Closed, they go.
    editor.tell("textDocument/didClose", json!({ "textDocument": { "uri": &uri } }));
    let is_cleared = |message: &Value| {
        message["method"] == "textDocument/publishDiagnostics" && message["params"]["diagnostics"] == json!([])
    };
    editor.wait("the end of the findings", is_cleared);
    assert_eq!(editor.leave(), Some(0));
}

#[test]
fn a_half_typed_statement_leaves_the_findings_in_front_of_it() {
    let mut editor = Editor::new();
    let uri = editor.open("t.rhai", "let size = 1;\nprint(nothing);\nprint(size);");
    let before = editor.found(&uri, 1);
    assert_eq!((before.len(), range(&before[0])), (1, [(1, 6), (1, 13)]), "{before:?}");
    editor.change(&uri, 2, (2, 0), (2, 0), "let b = f(\n");
    let found = editor.found(&uri, 2);
    assert_eq!((found.len(), &found[0]), (2, &before[0]), "{found:?}");
    assert_eq!(found[1]["severity"], 1);
}

#[test]
fn findings_are_those_of_cpsd_check() {
    let mut editor = Editor::new();
    for name in ["python_list_comprehension", "unknown_variable", "arity_too_few", "syntax_missing_let"] {
        let path = crate::client::root("tests/errors").join(format!("{name}.rhai"));
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        std::fs::write(editor.path("t.rhai"), &text).unwrap();
        let checked = std::process::Command::new(crate::client::CPSD)
            .args(["check", "t.rhai"])
            .current_dir(editor.folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&checked.stdout).into_owned() + &String::from_utf8_lossy(&checked.stderr);
        let uri = editor.open("t.rhai", &text);
        let found = editor.found(&uri, 1);
        assert!(!found.is_empty(), "{name}: {said}");
        let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        for finding in &found {
            let message = finding["message"].as_str().unwrap().lines().next().unwrap();
            // (A long sentence is folded there.)
            let begin: String = message.chars().take(40).collect();
            assert!(plain(&said).contains(&plain(&begin)), "{name}: {message}\n{said}");
        }
        editor.tell("textDocument/didClose", json!({ "textDocument": { "uri": &uri } }));
    }
}

#[test]
fn libraries_are_read_beside_the_text_and_again_when_they_change() {
    let mut editor = Editor::new();
    std::fs::write(editor.path("own.rhai"), "/// Twice x.\nfn twice(x) { 2 * x }\n").unwrap();
    let uri = editor.open("t ö.rhai", "import \"own\" as o;\nprint(o::twice(1, 2));");
    let found = editor.found(&uri, 1);
    assert!(found[0]["message"].as_str().unwrap().contains("o::twice takes 1 argument; got 2"), "{found:?}");
    std::fs::write(editor.path("own.rhai"), "fn twice(x, y) { x + y }\n").unwrap();
    editor.tell("textDocument/didSave", json!({ "textDocument": { "uri": editor.uri("own.rhai") } }));
    assert_eq!(editor.found(&uri, 1), Vec::<Value>::new());
}

#[test]
fn a_library_that_is_not_saved_is_as_the_editor_has_it() {
    let mut editor = Editor::new();
    editor.write("own.rhai", "fn twice(x) { 2 * x }\n");
    let library = editor.open("own.rhai", "fn twice(x) { 2 * x }\n");
    // One by another way of writing its path, and one that is no file yet.
    let text = "import \"./own\" as o;\nimport \"unwritten\" as u;\nprint(o::twice(1) + u::thrice(2));";
    let _ = editor.open("unwritten.rhai", "//! Not written.\n\nfn thrice(x) { 3 * x }\n");
    let uri = editor.open("t.rhai", text);
    assert_eq!(editor.found(&uri, 1), Vec::<Value>::new());
    // What changes in the library is found in the text that imports it, though nothing is saved.
    editor.change(&library, 2, (0, 0), (0, 21), "// here\nfn double(y) { 2 * y }");
    let found = editor.found(&uri, 1);
    assert!(found[0]["message"].as_str().unwrap().contains("library o has no function twice"), "{found:?}");
    let completed = editor.ask_at("textDocument/completion", &uri, 2, 9);
    assert_eq!(labels(&completed), ["double"]);
    editor.change(&uri, 2, (2, 9), (2, 14), "double");
    assert_eq!(editor.found(&uri, 2), Vec::<Value>::new());
    let place = editor.ask_at("textDocument/definition", &uri, 2, 11);
    assert_eq!((&place["uri"], range(&place)), (&json!(library), [(1, 3), (1, 9)]));
    let place = editor.ask_at("textDocument/definition", &uri, 2, 27);
    assert_eq!((&place["uri"], range(&place)), (&json!(editor.uri("unwritten.rhai")), [(2, 3), (2, 9)]));
    // Closed without saving, it is the file again.
    editor.tell("textDocument/didClose", json!({ "textDocument": { "uri": &library } }));
    let found = editor.found(&uri, 2);
    assert!(found[0]["message"].as_str().unwrap().contains("library o has no function double"), "{found:?}");
}

fn labels(items: &Value) -> Vec<&str> {
    items.as_array().unwrap().iter().map(|item| item["label"].as_str().unwrap()).collect()
}

#[test]
fn completion_and_signatures() {
    let mut editor = Editor::new();
    let text = "let ö😀 = 1;".replace('😀', "e")
        + "\nlet data = dataset(\"emoji-scenes\");\n/* 😀 */ data.train.la\ntrain_teacher(data, data.train.names, #{ep";
    let uri = editor.open("t.rhai", &text);
    let members = editor.ask_at("textDocument/completion", &uri, 2, 22);
    assert_eq!(labels(&members), ["labels"], "{members}");
    // What is typed is replaced, at its place in UTF-16 units.
    assert_eq!(range(&members[0]["textEdit"]), [(2, 20), (2, 22)]);
    assert!(members[0]["detail"].as_str().unwrap().starts_with("Dataset.labels"), "{members}");
    let options = editor.ask_at("textDocument/completion", &uri, 3, 42);
    assert!(labels(&options).contains(&"epochs"), "{options}");
    let epochs = options.as_array().unwrap().iter().find(|item| item["label"] == "epochs").unwrap();
    assert_eq!(epochs["textEdit"]["newText"], "epochs: ");
    // In words of the language there are no colours, whatever the environment says.
    let words = editor.ask_at("textDocument/completion", &uri, 3, 5);
    assert!(labels(&words).contains(&"train_teacher") && !words.to_string().contains("\\u001b"), "{words}");
    let help = editor.ask_at("textDocument/signatureHelp", &uri, 3, 20);
    let active = help["activeSignature"].as_u64().unwrap() as usize;
    let label = help["signatures"][active]["label"].as_str().unwrap();
    assert!(label.starts_with("train_teacher(") && help["activeParameter"] == 1, "{help}");
    let nothing = editor.ask_at("textDocument/completion", &uri, 2, 4);
    assert_eq!(labels(&nothing), [""; 0]);
}

#[test]
fn help_under_the_mouse() {
    let mut editor = Editor::new();
    std::fs::write(editor.path("own.rhai"), "//! Own.\n\n/// Twice x.\nfn twice(x) { 2 * x }\n").unwrap();
    let text = "import \"own\" as o;\n/// Half of ö.\nfn half(x) { x / 2 }\nmerge(half(o::twice(1)));";
    let uri = editor.open("t.rhai", text);
    for (character, part) in [(1, "merge("), (7, "Half of ö."), (16, "Twice x.")] {
        let help = editor.ask_at("textDocument/hover", &uri, 3, character);
        assert!(help["contents"]["value"].as_str().unwrap().contains(part), "{help}");
        assert!(!help.to_string().contains("\\u001b"), "{help}");
    }
    assert_eq!(range(&editor.ask_at("textDocument/hover", &uri, 3, 7)), [(3, 6), (3, 10)]);
    assert_eq!(editor.ask_at("textDocument/hover", &uri, 1, 5), Value::Null);
}

#[test]
fn definitions_in_the_text_in_a_library_and_in_the_standard_library() {
    let mut editor = Editor::new();
    std::fs::write(editor.path("own.rhai"), "//! Own.\n\n/// Twice x.\nfn twice(x) { 2 * x }\n").unwrap();
    let text =
        "import \"own\" as o;\nimport \"method\" as m;\nlet größe = 1; /* 😀 */ o::twice(größe);\nm::defaults();";
    let uri = editor.open("t.rhai", text);
    let variable = editor.ask_at("textDocument/definition", &uri, 2, 36);
    assert_eq!((&variable[0]["uri"], range(&variable[0])), (&json!(&uri), [(2, 4), (2, 9)]));
    let library = editor.ask_at("textDocument/definition", &uri, 2, 28);
    assert_eq!((&library["uri"], range(&library)), (&json!(editor.uri("own.rhai")), [(3, 3), (3, 8)]));
    // The embedded text is there as a file that nobody writes.
    let standard = editor.ask_at("textDocument/definition", &uri, 3, 5);
    let path = standard["uri"].as_str().unwrap().strip_prefix("file://").unwrap().to_string();
    let text = std::fs::read_to_string(&path).unwrap();
    let line = range(&standard)[0].0 as usize;
    assert!(text.lines().nth(line).unwrap().starts_with("fn defaults("), "{standard}");
    assert!(path.starts_with(editor.path("caches").to_str().unwrap()), "{path}");
    assert!(std::fs::metadata(&path).unwrap().permissions().readonly());
    // Asked again it is the same file, and what the editor opens there can be asked about but not renamed.
    assert_eq!(editor.ask_at("textDocument/definition", &uri, 3, 5), standard);
    let document = json!({ "uri": standard["uri"], "languageId": "rhai", "version": 1, "text": text });
    editor.tell("textDocument/didOpen", json!({ "textDocument": document }));
    let mut rename = at(standard["uri"].as_str().unwrap(), line as u32, 4);
    rename["newName"] = json!("other");
    let (_, message) = editor.refused("textDocument/rename", rename);
    assert!(message.contains("not changed"), "{message}");
    assert_eq!(editor.ask_at("textDocument/definition", &uri, 0, 4), Value::Null);
}

#[test]
fn outline_and_colours() {
    let mut editor = Editor::new();
    let uri = editor.open("t.rhai", "const ö = 1;\nfn f(a) { merge(a) }\nlet x = f(ö);");
    let outline = editor.ask("textDocument/documentSymbol", json!({ "textDocument": { "uri": &uri } }));
    let names: Vec<&str> = outline.as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["ö", "f", "x"]);
    let colours = editor.ask("textDocument/semanticTokens/full", json!({ "textDocument": { "uri": &uri } }));
    let numbers: Vec<u64> = colours["data"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
    // ö is a constant that is made here, merge a word of the language.
    assert_eq!(numbers[..5], [0, 6, 1, 1, 0b101]);
    assert!(numbers.chunks(5).any(|token| token[2..] == [5, 0, 0b10]), "{numbers:?}");
}
