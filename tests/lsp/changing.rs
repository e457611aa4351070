//! What the server changes in texts: names, indentation, misspelt words.

use serde_json::{Value, json};

use crate::client::{Editor, at};

/// A text with edits applied, whose places are in UTF-16 units.
fn edited(text: &str, edits: &Value) -> String {
    let byte = |place: &Value| {
        let (line, character) = (place["line"].as_u64().unwrap() as usize, place["character"].as_u64().unwrap());
        let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
        let mut left = character as i64;
        let inside = text[start..].chars().take_while(|c| {
            left -= c.len_utf16() as i64;
            left >= 0
        });
        start + inside.map(char::len_utf8).sum::<usize>()
    };
    let mut edits: Vec<_> = edits.as_array().unwrap().iter().collect();
    edits.sort_by_key(|edit| std::cmp::Reverse(byte(&edit["range"]["start"])));
    let mut out = text.to_string();
    for edit in edits {
        let range = byte(&edit["range"]["start"])..byte(&edit["range"]["end"]);
        out.replace_range(range, edit["newText"].as_str().unwrap());
    }
    out
}

#[test]
fn references_and_new_names() {
    let mut editor = Editor::new();
    let text = "let a = \"😀\"; /* 😀 */ print(a);\nfn f(a) { a }\n{ let a = a; print(`😀 ${a}`) }\nf(a)";
    let uri = editor.open("t.rhai", text);
    let mut params = at(&uri, 0, 4);
    params["context"] = json!({ "includeDeclaration": true });
    let places = editor.ask("textDocument/references", params.clone());
    let places: Vec<(u64, u64)> =
        places.as_array().unwrap().iter().map(|place| crate::client::range(place)[0]).collect();
    assert_eq!(places, [(0, 4), (0, 29), (2, 10), (3, 2)]);
    params["context"] = json!({ "includeDeclaration": false });
    assert_eq!(editor.ask("textDocument/references", params).as_array().unwrap().len(), 3);
    let mut rename = at(&uri, 3, 2);
    assert_eq!(
        crate::client::range(&json!({ "range": editor.ask("textDocument/prepareRename", rename.clone()) })),
        [(3, 2), (3, 3)]
    );
    rename["newName"] = json!("better");
    let edits = editor.ask("textDocument/rename", rename)["changes"][&uri].clone();
    assert_eq!(
        edited(text, &edits),
        "let better = \"😀\"; /* 😀 */ print(better);\nfn f(a) { a }\n{ let a = better; print(`😀 ${a}`) }\nf(better)"
    );
    // The inner one alone.
    let mut rename = at(&uri, 2, 26);
    rename["newName"] = json!("inner");
    let edits = editor.ask("textDocument/rename", rename.clone())["changes"][&uri].clone();
    assert!(edited(text, &edits).contains("{ let inner = a; print(`😀 ${inner}`) }"), "{edits}");
    for (name, why) in [("merge", "a word of the language"), ("let", "can be no name"), ("", "can be no name")] {
        rename["newName"] = json!(name);
        let (code, message) = editor.refused("textDocument/rename", rename.clone());
        assert!(code == -32803 && message.contains(why), "{code} {message}");
    }
    let (_, message) = editor.refused("textDocument/prepareRename", at(&uri, 0, 25));
    assert!(message.contains("print is a word") || message.contains("print is not made"), "{message}");
}

#[test]
fn indentation_and_blanks() {
    let mut editor = Editor::new();
    let text = "fn f(a){\nlet b = `\n  ö ` ;\nif a   > 1 {\nb\n} // 😀  \n}\n\n\n\nf( 1 )\n";
    let uri = editor.open("t.rhai", text);
    let options = json!({ "tabSize": 4, "insertSpaces": true });
    let params = json!({ "textDocument": { "uri": &uri }, "options": options });
    let edits = editor.ask("textDocument/formatting", params.clone());
    let formatted = "fn f(a){\n    let b = `\n  ö `;\n    if a > 1 {\n        b\n    } // 😀\n}\n\nf( 1 )\n";
    assert_eq!(edited(text, &edits), formatted);
    let document = json!({ "uri": &uri, "version": 2 });
    editor
        .tell("textDocument/didChange", json!({ "textDocument": document, "contentChanges": [{ "text": formatted }] }));
    assert_eq!(editor.ask("textDocument/formatting", params), json!([]));
    let params = json!({ "textDocument": { "uri": &uri }, "options": { "tabSize": 8, "insertSpaces": false } });
    let edits = editor.ask("textDocument/formatting", params);
    assert!(edited(formatted, &edits).contains("\n\tif a > 1 {\n\t\tb\n\t}"), "{edits}");
}

#[test]
fn misspelt_names_are_repaired() {
    let mut editor = Editor::new();
    let text = "let data = \"😀\"; print(daat);\nfn f(a) { spectral_partition(a, 2, #{sed: 1}) }\nmurge(data); affinity(f(1), \"coo\");";
    let uri = editor.open("t.rhai", text);
    let found = editor.found(&uri, 1);
    assert_eq!(found.len(), 4, "{found:?}");
    let range = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 3, "character": 0 } });
    // With the data that came, and without: an editor need not keep it.
    for keep in [true, false] {
        let mut found = found.clone();
        if !keep {
            found.iter_mut().for_each(|finding| drop(finding.as_object_mut().unwrap().remove("data")));
        }
        let params = json!({ "textDocument": { "uri": &uri }, "range": range, "context": { "diagnostics": found } });
        let actions = editor.ask("textDocument/codeAction", params);
        let edits: Vec<Value> =
            actions.as_array().unwrap().iter().map(|action| action["edit"]["changes"][&uri][0].clone()).collect();
        assert_eq!(
            edited(text, &json!(edits)),
            "let data = \"😀\"; print(data);\nfn f(a) { spectral_partition(a, 2, #{seed: 1}) }\nmerge(data); affinity(f(1), \"co\");"
        );
        assert!(actions.as_array().unwrap().iter().all(|action| action["kind"] == "quickfix"), "{actions}");
    }
}

/// A library, and texts that import it: open, in the folder, in a folder inside it.
fn with_importers() -> (Editor, String, [(&'static str, &'static str); 4]) {
    let mut editor = Editor::with_workspace();
    let texts = [
        ("own.rhai", "//! Own.\n\nfn twice(x) { 2 * x }\nfn four(x) { twice(twice(x)) }\nprivate fn hidden() { 1 }\n"),
        ("open.rhai", "import \"own\" as o;\nprint(`😀 ${o::twice(1)}`); o::four(1);\n"),
        (
            "closed.rhai",
            "import \"./own\" as ö;\nimport \"method\" as m;\nlet twice = 1; ö::twice(twice); m::twice();\n",
        ),
        ("deep/er.rhai", "import \"../own\" as own;\nfn f() { own::twice(1) }\nf();\n"),
    ];
    texts.iter().for_each(|(name, text)| editor.write(name, text));
    // None of these is an importer.
    editor.write("other.rhai", "import \"deep/own\" as own;\nown::twice(1);\n");
    editor.write("deep/own.rhai", "fn twice(x) { x }\n");
    editor.write(".hidden/er.rhai", "import \"../own\" as own;\nown::twice(1);\n");
    let library = editor.open("own.rhai", texts[0].1);
    let _ = editor.open("open.rhai", texts[1].1);
    (editor, library, texts)
}

#[test]
fn a_new_name_of_a_library_s_function_is_that_in_all_texts_that_import_it() {
    let (mut editor, library, texts) = with_importers();
    let mut rename = at(&library, 2, 4);
    rename["newName"] = json!("double");
    let changes = editor.ask("textDocument/rename", rename.clone())["changes"].clone();
    assert_eq!(changes.as_object().unwrap().len(), 4, "{changes}");
    for ((name, text), new) in texts.iter().zip([
        "//! Own.\n\nfn double(x) { 2 * x }\nfn four(x) { double(double(x)) }\nprivate fn hidden() { 1 }\n",
        "import \"own\" as o;\nprint(`😀 ${o::double(1)}`); o::four(1);\n",
        "import \"./own\" as ö;\nimport \"method\" as m;\nlet twice = 1; ö::double(twice); m::twice();\n",
        "import \"../own\" as own;\nfn f() { own::double(1) }\nf();\n",
    ]) {
        assert_eq!(edited(text, &changes[editor.uri(name)]), new, "{name}");
    }
    // A function that nobody else sees.
    let mut hidden = at(&library, 4, 12);
    hidden["newName"] = json!("unseen");
    assert_eq!(editor.ask("textDocument/rename", hidden)["changes"].as_object().unwrap().len(), 1);
    // From where it is imported it is the same, also in a text that is not open.
    for (name, line, character) in [("open.rhai", 1, 16), ("closed.rhai", 2, 19)] {
        let mut from_script = at(&editor.uri(name), line, character);
        let place = editor.ask("textDocument/prepareRename", from_script.clone());
        assert_eq!(place["start"]["line"], line, "{name}: {place}");
        from_script["newName"] = json!("double");
        assert_eq!(editor.ask("textDocument/rename", from_script)["changes"], changes, "{name}");
    }
    // And from the library while it is not open.
    editor.tell("textDocument/didClose", json!({ "textDocument": { "uri": &library } }));
    assert_eq!(editor.ask("textDocument/rename", rename.clone())["changes"], changes);
    let mut references = rename.clone();
    references["context"] = json!({ "includeDeclaration": true });
    assert_eq!(editor.ask("textDocument/references", references).as_array().unwrap().len(), 6);
    let (code, _) = editor.refused("textDocument/prepareRename", at(&editor.uri("not_there.rhai"), 0, 0));
    assert_eq!(code, -32602);
    // What cpsd brings, and what is outside of the editor's folders, stays as it is.
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("far.rhai"), "fn far() { 1 }\n").unwrap();
    editor.write("uses.rhai", &format!("import \"{}/far\" as f;\nf::far();\n", outside.path().display()));
    for (name, line, character, why) in [
        ("closed.rhai", 2, 35, "which is a part of cpsd and is not changed"),
        ("uses.rhai", 1, 4, "which is outside of the folders that the editor works in"),
    ] {
        let mut kept = at(&editor.uri(name), line, character);
        kept["newName"] = json!("other");
        let (code, message) = editor.refused("textDocument/rename", kept);
        assert!(code == -32803 && message.contains(why), "{name}: {message}");
    }
    // Where not all uses can be told.
    editor.write("evaluates.rhai", "import \"own\" as o;\no::twice(1); eval(\"o::twice(2)\");\n");
    let (code, message) = editor.refused("textDocument/rename", rename.clone());
    assert!(code == -32803 && message.contains("evaluates.rhai uses eval"), "{message}");
    editor.write("evaluates.rhai", "let path = \"own\"; import path as o;\no::twice(1);\n");
    let (_, message) = editor.refused("textDocument/rename", rename.clone());
    assert!(message.contains("evaluates.rhai imports a library whose path it computes"), "{message}");
    std::fs::write(editor.path("evaluates.rhai"), b"\xff").unwrap();
    let (_, message) = editor.refused("textDocument/rename", rename);
    assert!(message.contains("not all texts that may use twice could be read"), "{message}");
}

#[test]
fn references_are_those_of_all_texts_from_either_side() {
    let (mut editor, library, texts) = with_importers();
    let uris: Vec<String> = texts.iter().map(|(name, _)| editor.uri(name)).collect();
    let mut expected: Vec<(String, (u64, u64))> = vec![
        (uris[0].clone(), (2, 3)),
        (uris[0].clone(), (3, 13)),
        (uris[0].clone(), (3, 19)),
        (uris[1].clone(), (1, 15)),
        (uris[2].clone(), (2, 18)),
        (uris[3].clone(), (1, 14)),
    ];
    expected.sort();
    for (uri, line, character) in [(&library, 2, 4), (&library, 3, 14), (&uris[1], 1, 16)] {
        let mut params = at(uri, line, character);
        for declaration in [true, false] {
            params["context"] = json!({ "includeDeclaration": declaration });
            let places = editor.ask("textDocument/references", params.clone());
            let places = places.as_array().unwrap().iter();
            let mut found: Vec<_> = places
                .map(|place| (place["uri"].as_str().unwrap().to_string(), crate::client::range(place)[0]))
                .collect();
            found.sort();
            let is_asked = |(uri, at): &&(String, (u64, u64))| declaration || (uri, *at) != (&uris[0], (2, 3));
            assert_eq!(found, expected.iter().filter(is_asked).cloned().collect::<Vec<_>>(), "{uri} {line}");
        }
    }
}
