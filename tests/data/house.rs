//! The rules that the folders of src/ keep, found by reading the sources: who may use rhai and tch, and no circles.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::common::{files, root};

/// Folders and files directly in src/ that may use rhai.
const LANGUAGE: [&str; 4] = ["primitives", "script", "repl", "kernel"];

/// A source file, cut into identifiers, `::` and other signs, without comments, texts and tests.
pub struct Source {
    /// Relative to src/.
    pub path: String,
    pub tokens: Vec<String>,
}

impl Source {
    pub fn all() -> Vec<Source> {
        let src = root("src");
        let rust = files(&src).into_iter().filter(|path| path.extension().is_some_and(|e| e == "rs"));
        rust.map(|path| Source {
            tokens: without_tests(tokens(&std::fs::read_to_string(&path).unwrap())),
            path: path.strip_prefix(&src).unwrap().display().to_string(),
        })
        .collect()
    }

    /// Its folder or file directly in src/.
    pub fn room(&self) -> &str {
        self.path.split('/').next().unwrap().trim_end_matches(".rs")
    }

    /// How many `super` lead from its module to the root of the crate.
    fn depth(&self) -> usize {
        let folders = Path::new(&self.path).components().count() - 1;
        if self.path.ends_with("/mod.rs") { folders } else { folders + 1 }
    }

    fn names(&self, crate_name: &str) -> bool {
        self.tokens.iter().any(|token| token == crate_name)
    }

    /// The modules directly in the crate that it uses: `crate::x`, `crate::{x, y::z}`, `super::super::x`.
    fn uses(&self) -> BTreeSet<&str> {
        let token = |i: usize| self.tokens.get(i).map_or("", String::as_str);
        let mut found = BTreeSet::new();
        let mut i = 0;
        while i < self.tokens.len() {
            let mut supers = 0;
            while token(i) == "super" && token(i + 1) == "::" {
                (supers, i) = (supers + 1, i + 2);
            }
            let at_root = match token(i) {
                "crate" if token(i + 1) == "::" => {
                    i += 2;
                    true
                }
                _ => supers == self.depth() && supers > 0,
            };
            if !at_root {
                i += usize::from(supers == 0);
                continue;
            }
            if token(i) != "{" {
                found.insert(token(i));
                continue;
            }
            let (mut nested, mut first) = (0, true);
            loop {
                match token(i) {
                    "{" => nested += 1,
                    "}" => nested -= 1,
                    "," => {}
                    name if nested == 1 && first => drop(found.insert(name)),
                    _ => {}
                }
                first = nested == 1 && matches!(token(i), "{" | ",");
                i += 1;
                if nested == 0 {
                    break;
                }
            }
        }
        found
    }
}

/// Identifiers, `::` and single signs; comments, strings and characters are left out.
fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        let begin = i;
        match at(i) {
            '/' if at(i + 1) == '/' => {
                while i < chars.len() && at(i) != '\n' {
                    i += 1;
                }
            }
            '/' if at(i + 1) == '*' => {
                let mut nested = 0;
                loop {
                    match (at(i), at(i + 1)) {
                        ('/', '*') => (nested, i) = (nested + 1, i + 2),
                        ('*', '/') => (nested, i) = (nested - 1, i + 2),
                        _ => i += 1,
                    }
                    if nested == 0 || i >= chars.len() {
                        break;
                    }
                }
            }
            '"' => {
                i += 1;
                while i < chars.len() && at(i) != '"' {
                    i += if at(i) == '\\' { 2 } else { 1 };
                }
                i += 1;
            }
            // A character; anything else behind this sign is a lifetime.
            '\'' if at(i + 1) == '\\' || at(i + 2) == '\'' => {
                i += if at(i + 1) == '\\' { 3 } else { 2 };
                while i < chars.len() && at(i) != '\'' {
                    i += 1;
                }
                i += 1;
            }
            c if word(c) => {
                while word(at(i)) {
                    i += 1;
                }
                let name: String = chars[begin..i].iter().collect();
                let hashes = (i..).take_while(|&j| at(j) == '#').count();
                if matches!(name.as_str(), "r" | "br") && at(i + hashes) == '"' {
                    i += hashes + 1;
                    while i < chars.len() && !(at(i) == '"' && (1..=hashes).all(|j| at(i + j) == '#')) {
                        i += 1;
                    }
                    i += hashes + 1;
                } else {
                    found.push(name);
                }
            }
            ':' if at(i + 1) == ':' => {
                found.push("::".into());
                i += 2;
            }
            c => {
                if !c.is_whitespace() {
                    found.push(c.into());
                }
                i += 1;
            }
        }
    }
    found
}

/// Leaves out every item behind `#[cfg(test)]`.
fn without_tests(tokens: Vec<String>) -> Vec<String> {
    const TEST: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        if !tokens[i..].iter().take(TEST.len()).eq(TEST) {
            kept.push(tokens[i].clone());
            i += 1;
            continue;
        }
        // To the end of the first block, or to a semicolon before one.
        let mut nested = 0;
        while i < tokens.len() {
            match tokens[i].as_str() {
                "{" => nested += 1,
                "}" => nested -= 1,
                _ => {}
            }
            i += 1;
            if nested == 0 && matches!(tokens[i - 1].as_str(), "}" | ";") {
                break;
            }
        }
    }
    kept
}

#[test]
fn the_core_never_uses_rhai_and_the_prompt_never_uses_tch() {
    let sources = Source::all();
    let paths = |of: &dyn Fn(&&Source) -> bool| -> Vec<&str> {
        sources.iter().filter(of).map(|source| source.path.as_str()).collect()
    };
    assert_eq!(paths(&|s| !LANGUAGE.contains(&s.room()) && s.names("rhai")), [""; 0], "use rhai");
    assert_eq!(paths(&|s| s.room() == "repl" && s.names("tch")), [""; 0], "use tch");
    // The scanner sees what is allowed.
    assert!(!paths(&|s| s.room() == "script" && s.names("rhai")).is_empty());
    assert!(!paths(&|s| s.room() == "models" && s.names("tch")).is_empty());
}

#[test]
fn rooms_use_only_rooms_above_them_in_the_architecture() {
    let text = std::fs::read_to_string(root("docs/architecture.md")).unwrap();
    let cells = text.lines().filter(|line| line.starts_with("| `")).filter_map(|line| line.split('|').nth(1));
    let order: Vec<&str> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    let at = |room: &str| order.iter().position(|r| *r == room).unwrap_or_else(|| panic!("{room} is not in the table"));
    let sources = Source::all();
    let rooms: BTreeSet<&str> = sources.iter().map(Source::room).filter(|room| *room != "lib").collect();
    for source in sources.iter().filter(|source| source.room() != "lib") {
        for used in source.uses().into_iter().filter(|used| *used != source.room() && rooms.contains(used)) {
            assert!(at(used) < at(source.room()), "{} uses {used}, which is below it", source.path);
        }
    }
}

#[test]
fn no_circle_joins_folders_of_src() {
    let sources = Source::all();
    let rooms: BTreeSet<&str> =
        sources.iter().map(Source::room).filter(|room| !["main", "lib"].contains(room)).collect();
    assert!(rooms.len() > 10, "{rooms:?}");
    // Room → room that it uses → files that do.
    let mut edges: BTreeMap<&str, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
    for source in sources.iter().filter(|source| rooms.contains(source.room())) {
        for used in source.uses().into_iter().filter(|used| *used != source.room() && rooms.contains(used)) {
            edges.entry(source.room()).or_default().entry(used).or_default().push(&source.path);
        }
    }
    // Room → all that it reaches.
    let mut reached: BTreeMap<&str, BTreeSet<&str>> = rooms
        .iter()
        .map(|room| (*room, edges.get(room).into_iter().flat_map(|to| to.keys().copied()).collect()))
        .collect();
    loop {
        let before: usize = reached.values().map(BTreeSet::len).sum();
        for room in &rooms {
            let further: BTreeSet<&str> = reached[room].iter().flat_map(|next| reached[next].clone()).collect();
            reached.get_mut(room).unwrap().extend(further);
        }
        if reached.values().map(BTreeSet::len).sum::<usize>() == before {
            break;
        }
    }
    let mut circles = String::new();
    for (from, used) in &edges {
        for (to, paths) in used.iter().filter(|(to, _)| reached[*to].contains(from)) {
            let shown = paths[..paths.len().min(8)].join(", ");
            circles += &format!("\n{from} uses {to} in {} files: {shown}", paths.len());
        }
    }
    assert!(circles.is_empty(), "folders of src/ in circles:{circles}");
}

#[test]
fn the_scanner_reads_paths_and_leaves_out_comments_texts_and_tests() {
    let text = r##"
        // crate::comment
        /* crate::block /* nested */ crate::block */
        use crate::{error::{Error, Result}, files, labels::{self, tables::Table}};
        use super::super::graph::Affinity;
        use super::sibling::Thing;
        const TEXT: &str = "crate::text \" crate::text"; const RAW: &str = r#"crate::raw "quoted""#;
        fn f<'a>(c: char) -> &'a str { if c == '"' || c == '\'' { crate::torch::g() } else { "" } }
        #[cfg(test)]
        use crate::one_item;
        #[cfg(test)]
        mod tests { use crate::tests_only; fn t() {} }
        use crate::runs;
    "##;
    let source = Source { path: "images/picture.rs".into(), tokens: without_tests(tokens(text)) };
    let expected = ["error", "files", "graph", "labels", "runs", "torch"];
    assert_eq!(source.uses().into_iter().collect::<Vec<_>>(), expected);
}

/// `python3` with these arguments, at the root of the repository; what it said is the failure.
fn python(arguments: &[&str]) {
    let said = std::process::Command::new("python3").args(arguments).current_dir(root("")).output().unwrap();
    let words = [&said.stdout, &said.stderr].map(|out| String::from_utf8_lossy(out).into_owned()).concat();
    assert!(said.status.success(), "python3 {}\n{words}", arguments.join(" "));
}

#[test]
fn the_page_of_benchmarks_is_made_as_its_examples_say() {
    python(&["-B", "-m", "doctest", "benches/peers/page.py"]);
}

#[test]
fn the_page_of_benchmarks_is_that_of_its_figures() {
    python(&["-B", "benches/peers/bench_all.py", "--check"]);
}
