//! Inputs that follow from a seed and a number: calls with wrong arguments, chains of them, and mutated scripts.

use std::sync::LazyLock;

use cpsd::primitives::{KINDS, WORDS};
use cpsd::script::word::Word;

use crate::draw::Source;

/// One input.
pub enum Input {
    /// Lines that a session evaluates one after the other.
    Script(Vec<String>),
    /// A half-typed line and the cursor's place, for the editor.
    Typed(String, usize),
}

impl Input {
    pub fn text(&self) -> String {
        match self {
            Input::Script(lines) => lines.join("\n--\n"),
            Input::Typed(line, pos) => format!("(typed, cursor at {pos}) {line}"),
        }
    }
}

/// The variables of the world, by kind.
const VARIABLES: &[(&str, &str)] = &[
    ("LabelTable", "lt"),
    ("Dataset", "d"),
    ("Cooccurrence", "counts"),
    ("Affinity", "a"),
    ("Partition", "p"),
    ("Model", "m"),
    ("Model", "one"),
    ("Model", "trained"),
    ("Ensemble", "e"),
    ("Predictions", "pr"),
    ("Evaluation", "r"),
    ("Table", "t"),
    ("Expr", "x"),
    ("GroupBy", "g"),
    ("SuggestedK", "sk"),
    ("Figure", "f"),
    ("Tensor", "ten"),
    ("Tensor", "ones"),
    ("Loss", "l"),
    ("Run", "ru"),
    ("Error", "err"),
];

/// Values that a careless or malicious line may hold.
const NASTY: &[&str] = &[
    "()",
    "0",
    "1",
    "-1",
    "2",
    "3",
    "7",
    "255",
    "9223372036854775807",
    "-9223372036854775808",
    "1000000000000",
    "4294967296",
    "100000",
    "0.0",
    "-0.0",
    "0.5",
    "-0.5",
    "1.5",
    "1e308",
    "-1e308",
    "1e-308",
    "(0.0 / 0.0)",
    "(1.0 / 0.0)",
    "(-1.0 / 0.0)",
    "true",
    "false",
    "'c'",
    "'\\u00e9'",
    "\"\"",
    "\"co\"",
    "\"dis\"",
    "\"a\"",
    "\"b\"",
    "\"dog\"",
    "\"dgo\"",
    "\"person\"",
    "\"label 0\"",
    "\"missing.csv\"",
    "\"new.csv\"",
    "\"new.png\"",
    "\"new.svg\"",
    "\"new.parquet\"",
    "\"new.json\"",
    "\"new.npy\"",
    "\"labels.csv\"",
    "\"table.csv\"",
    "\"table.parquet\"",
    "\"counts.csv\"",
    "\"partition.json\"",
    "\"model.safetensors\"",
    "\"tensors.safetensors\"",
    "\"predictions.csv\"",
    "\".\"",
    "\"emoji-scenes\"",
    "\"coco2014\"",
    "\"folder\"",
    "\"small_cnn\"",
    "\"resnet18\"",
    "\"asl\"",
    "\"\\u202e\\u0000\\u{1F600}\"",
    "\"e\\u0301\\u0301\\u0301\"",
    "\"\\n\\t\\x1b[31m\"",
    "\"%s {} ${x} \\\\ \"",
    "\"<svg>&amp;\"",
    "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
    "[]",
    "[[]]",
    "[[], []]",
    "[0]",
    "[1, 2, 3]",
    "[1.0, 2.0]",
    "[0, 1, 99]",
    "[-1]",
    "[9223372036854775807]",
    "[(0.0 / 0.0)]",
    "[\"dog\"]",
    "[\"dog\", \"dog\"]",
    "[\"a\", \"b\"]",
    "[\"label 0\", \"label 1\"]",
    "[\"\"]",
    "[()]",
    "[1, \"a\", ()]",
    "[[0.1, 0.2], [0.3]]",
    "[[1, 0], [0, 1]]",
    "[[[[[[[[1]]]]]]]]",
    "[true, false]",
    "[m, one]",
    "[one]",
    "[e]",
    "[e, e]",
    "[x]",
    "[d]",
    "[lt, a]",
    "[#{}]",
    "[#{ a: 1 }, #{ b: \"x\" }]",
    "[0.5, 0.5]",
    "[0.8, 0.2]",
    "[0.0, 0.0]",
    "[1e308, 1e308]",
    "[1000000, 1000000, 1000000]",
    "[-1, -1]",
    "[0, 5]",
    "#{}",
    "#{ a: 1 }",
    "#{ seed: 1 }",
    "#{ seed: -1 }",
    "#{ k: 2 }",
    "#{ dog: \"cat\" }",
    "#{ \"label 0\": \"x\" }",
    "#{ \"label 0\": [\"label 1\"] }",
    "#{ a: ten }",
    "#{ m: m }",
    "#{ a: #{ b: #{ c: [] } } }",
    "#{ epochs: 0 }",
    "#{ title: 5 }",
    "data",
    "data.test",
    "d.names",
    "a.labels",
    "lt.labels",
    "|q| q",
    "|q, w| q",
    "|| 1",
    "|q| throw \"no\"",
    "|q| q.nothing",
    "|q, w| ten",
    "|q, w| ((q - w) * (q - w)).sum()",
    "Fn(\"nothing\")",
    "0..5",
    "0..9223372036854775807",
    "0..=0",
    "blob(3)",
    "timestamp()",
];

/// Right values for a parameter of that name.
fn right(parameter: &str) -> &'static [&'static str] {
    match parameter {
        "labels" | "names" => {
            &["lt", "d", "d.names", "counts", "a", "p", "[\"dog\", \"person\"]", "[\"label 0\", \"label 1\"]"]
        }
        "dataset" => &["d", "data.test", "data.val"],
        "data" => &["data", "d"],
        "path" | "csv" | "paths" | "file" => &[
            "\"labels.csv\"",
            "\"table.csv\"",
            "\"table.parquet\"",
            "\"counts.csv\"",
            "\"partition.json\"",
            "\"model.safetensors\"",
            "\"tensors.safetensors\"",
            "\"new.csv\"",
            "\"new.png\"",
            "\"new.svg\"",
            "\"new.safetensors\"",
            "\"new.parquet\"",
        ],
        "folder" => &["\"scenes\""],
        "cooccurrence" => &["counts", "cooccurrence(d)"],
        "branch" => &["\"co\"", "\"dis\""],
        "affinity" => &["a", "affinity(counts, \"dis\")"],
        "k" | "max_k" | "n" => &["1", "2", "3"],
        "partition" => &["p", "partition(a, [a.labels])"],
        "tasks" => &["[[\"dog\"], [\"person\"]]", "p.tasks"],
        "model" | "#{name: model}" => &["m", "e", "trained", "#{ one: m, two: m }"],
        "teachers" => &["[m]", "[one]", "[m, m]"],
        "ensembles" | "list" => &["e", "[e]", "[e, e]", "m", "[m, [e, e]]"],
        "scores" | "logits" | "targets" | "tensor" => &["ten", "ones"],
        "seconds" => &["0.001", "0"],
        "numbers" => &["[1.0, 2.0, 4.0]", "[[1, 2], [3, 4]]", "3.5"],
        "series" => &[
            "[#{ name: \"a\", x: [1, 2, 3], y: [1.0, 4.0, 2.0] }]",
            "[#{ name: \"a\", table: t, x: \"a\", y: \"b\" }]",
        ],
        "map" => &["#{ a: ten }", "#{ a: ten, b: ones }"],
        "rows" => &["[#{ a: 1, b: \"x\" }, #{ a: 2.5 }]"],
        "columns" | "on" | "by" | "column" => &["[\"a\"]", "\"a\"", "[\"a\", \"c\"]", "[x]", "[x + 1]", "\"c\""],
        "expr" | "expressions" | "condition" => {
            &["x > 1", "x.is_null()", "[x.sum()]", "true", "(x == 1) & (col(\"c\") == \"x\")"]
        }
        "name" | "text" => &["\"a\"", "\"emoji-scenes\"", "\"k\"", "\"coco-cpsd-r101\""],
        "backbone" => &["\"small_cnn\""],
        "id" => &["ru.id"],
        "label" | "b" => &["\"dog\"", "\"label 0\"", "\"label 1\""],
        "positions" | "at" => &["[0, 1]", "[0]"],
        "dim" | "image" | "digits" => &["0", "1"],
        "shape" => &["[6]", "[3, 2]", "[-1]", "[6, 1, 1]"],
        "other" => &["p", "t", "ten", "ones", "lt", "one"],
        "shares" => &["[0.8, 0.2]"],
        "share" | "q" | "p" | "low" => &["0.5", "0.1"],
        "high" => &["0.9", "2.0"],
        "values" => &["[1, 2]"],
        "descending" => &["true", "false"],
        "how" => &["\"left\"", "\"inner\"", "\"full\"", "\"anti\""],
        _ => &[],
    }
}

/// Cheap settings, so that some trainings end within the budget.
const CHEAP: &str = "model: #{ backbone: \"small_cnn\", image_size: 32 }, epochs: 1, batch: 8, views: 0";

/// Scripts whose text is mutated. Without slashes no mutation can name a file outside the folder.
static CORPUS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut all: Vec<String> = WORDS.iter().flat_map(|w| w.examples).map(|e| e.code.to_string()).collect();
    for folder in ["scripts", "examples", "stdlib", "tests/libraries", "tests/errors"] {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let mut files: Vec<_> = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
        files.sort();
        all.extend(
            files
                .iter()
                .filter(|f| f.extension().is_some_and(|e| e == "rhai"))
                .filter_map(|f| std::fs::read_to_string(f).ok()),
        );
    }
    all.into_iter().map(|text| text.replace("//", "~~").replace('/', "_").replace("~~", "//")).collect()
});

/// The input of that number.
pub fn input(seed: u64, number: u64) -> Input {
    let mut s = Source::new(seed, number);
    for _ in 0..50 {
        let input = match s.below(20) {
            0..=5 => Input::Script(vec![s.word_call(1)]),
            6..=9 => Input::Script(vec![s.member(1)]),
            10 => Input::Script(vec![s.operator()]),
            11..=12 => Input::Script((0..2 + s.below(3)).map(|_| s.line()).collect()),
            13..=14 => Input::Script(vec![s.nested()]),
            15..=17 => Input::Script(vec![s.mutated()]),
            18 => s.typed(),
            _ => Input::Script(vec![s.soup()]),
        };
        if harmless(&input) {
            return input;
        }
    }
    Input::Script(vec!["1".into()])
}

/// Whether the input cannot name a file outside the working folder.
fn harmless(input: &Input) -> bool {
    let text = input.text();
    !["\"/", "`/", "'/", "}/", "..", "\\x2f", "\\u002f", "\\x2F", "\\u002F"].iter().any(|bad| text.contains(bad))
        || (text.contains("..")
            && !text.contains("../")
            && !text.contains("\"/")
            && !text.contains("`/")
            && !text.contains("'/"))
}

impl Source {
    fn variable(&mut self) -> &'static str {
        VARIABLES[self.below(VARIABLES.len())].1
    }

    fn value(&mut self, depth: usize) -> String {
        match self.below(10) {
            0..=4 => self.of(NASTY).to_string(),
            5..=7 => self.variable().to_string(),
            8 if depth > 0 => self.word_call(depth - 1),
            9 if depth > 0 => self.member(depth - 1),
            _ => self.of(NASTY).to_string(),
        }
    }

    /// A value for a parameter: right more often than not, so that calls get past their first check.
    fn argument(&mut self, parameter: &str, word: Option<&Word>, depth: usize) -> String {
        if parameter.starts_with("#{") && right(parameter).is_empty() {
            return self.options(word, depth);
        }
        let right = right(parameter);
        if !right.is_empty() && self.chance(65) { self.of(right).to_string() } else { self.value(depth) }
    }

    fn options(&mut self, word: Option<&Word>, depth: usize) -> String {
        let Some(options) = word.and_then(|w| w.options.as_ref()) else { return self.value(depth) };
        let defaults = (options.defaults)();
        let mut entries = Vec::new();
        let training = defaults.get("epochs").is_some();
        if training {
            entries.push(CHEAP.to_string());
        }
        for _ in 0..self.below(3) {
            let docs = (options.docs)();
            let key = docs[self.below(docs.len())].key;
            let key = if self.chance(3) { "nonsense" } else { key };
            if training && entries[0].contains(&format!("{key}:")) && self.chance(80) {
                continue;
            }
            let value = match defaults.get(key) {
                Some(value) if self.chance(40) => like(value, self),
                _ => self.value(depth),
            };
            entries.push(format!("{key}: {value}"));
        }
        format!("#{{ {} }}", entries.join(", "))
    }

    /// A call of any word.
    fn word_call(&mut self, depth: usize) -> String {
        let word = WORDS[self.below(WORDS.len())];
        let signature = self.of(word.signatures);
        let mut arguments: Vec<String> =
            parameters(signature).iter().map(|p| self.argument(p, Some(word), depth)).collect();
        self.disturb(&mut arguments, depth);
        format!("{}({})", word.name, arguments.join(", "))
    }

    /// A field or method of any kind, mostly of a value that has it.
    fn member(&mut self, depth: usize) -> String {
        let kind = &KINDS[self.below(KINDS.len())];
        let member = &kind.members[self.below(kind.members.len())];
        let own: Vec<&str> = VARIABLES.iter().filter(|(k, _)| *k == kind.name).map(|(_, v)| *v).collect();
        let receiver = if self.chance(90) && !own.is_empty() { self.of(&own).to_string() } else { self.value(depth) };
        if member.usage.contains(' ') && !member.usage.contains('(') {
            return self.operator();
        }
        if !member.usage.contains('(') {
            return match self.below(4) {
                0 => format!("{receiver}.{} = {}", member.usage, self.value(depth)),
                1 => format!("{receiver}.{}[{}]", member.usage, self.value(depth)),
                _ => format!("{receiver}.{}", member.usage),
            };
        }
        let mut arguments: Vec<String> =
            parameters(member.usage).iter().map(|p| self.argument(p, None, depth)).collect();
        self.disturb(&mut arguments, depth);
        format!("{receiver}.{}({})", member.name(), arguments.join(", "))
    }

    /// One argument more, less or of another kind.
    fn disturb(&mut self, arguments: &mut Vec<String>, depth: usize) {
        match self.below(12) {
            0 => drop(arguments.pop()),
            1 => arguments.push(self.value(depth)),
            2 if !arguments.is_empty() => {
                let at = self.below(arguments.len());
                arguments[at] = self.value(depth);
            }
            _ => {}
        }
    }

    fn operator(&mut self) -> String {
        let operator = self.of(&[
            "+", "-", "*", "/", "%", "**", "==", "!=", "<", "<=", ">", ">=", "&", "|", "^", "<<", ">>", "&&", "||",
            "in", "??",
        ]);
        match self.below(5) {
            0 => format!("{}{}", self.of(&["-", "!", "+"]), self.value(1)),
            1 => format!("{}[{}]", self.value(1), self.value(1)),
            2 => format!(
                "let v = {}; v {}= {}; v",
                self.value(1),
                self.of(&["+", "-", "*", "/", "%", "**"]),
                self.value(1)
            ),
            _ => format!("{} {operator} {}", self.value(1), self.value(1)),
        }
    }

    fn line(&mut self) -> String {
        match self.below(6) {
            0 => format!("let {} = {};", self.of(&["v", "w", "p", "data", "x"]), self.value(1)),
            1 => format!("fn f(q) {{ {} }} f({})", self.value(1), self.value(1)),
            2 => format!("for i in {} {{ {} }}", self.value(1), self.member(1)),
            3 => format!("try {{ {} }} catch (q) {{ print(q); {} }}", self.word_call(1), self.value(1)),
            4 => format!("{}; v", self.operator()),
            _ => self.word_call(1),
        }
    }

    /// Deep nesting, in many forms.
    fn nested(&mut self) -> String {
        let n = [3, 30, 63, 200, 3000][self.below(5)];
        let inner = self.value(1);
        let (open, close) = [
            ("(", ")"),
            ("[", "]"),
            ("#{ a: ", "}"),
            ("-", ""),
            ("!", ""),
            ("tensor([", "])"),
            ("{ ", " }"),
            ("if true { ", " }"),
            ("|q| ", ""),
            ("print(", ")"),
            ("1 + ", ""),
        ][self.below(11)];
        match self.below(4) {
            0 => format!(
                "let v = {inner}; for i in 0..{n} {{ v = [v]; }} {}",
                self.of(&["v", "tensor(v)", "print(v)", "table(v)", "v == v", "table([#{ a: v }])", "to_json(v)"])
            ),
            1 => format!(
                "let v = {inner}; for i in 0..{n} {{ v = #{{ a: v }}; }} {}",
                self.of(&[
                    "v",
                    "asl(v)",
                    "v.to_json()",
                    "print(v)",
                    "train_teacher(data, [\"dog\"], v)",
                    "model(\"small_cnn\", v)"
                ])
            ),
            2 => format!(
                "let v = x; for i in 0..{n} {{ v = v + {}; }} {}",
                self.of(&["1", "x", "col(\"b\")"]),
                self.of(&["v", "t.filter(v > 1)", "t.with_columns([v.alias(\"n\")])", "print(v)"])
            ),
            _ => format!("{}{inner}{}", open.repeat(n), close.repeat(n)),
        }
    }

    /// A script of ours with a few changes.
    fn mutated(&mut self) -> String {
        let mut text = CORPUS[self.below(CORPUS.len())].clone();
        for _ in 0..1 + self.below(4) {
            let tokens = tokens(&text);
            if tokens.is_empty() {
                break;
            }
            let at = tokens[self.below(tokens.len())].clone();
            match self.below(8) {
                0 => text.replace_range(at, ""),
                1 => {
                    let copy = text[at.clone()].to_string();
                    text.insert_str(at.end, &copy);
                }
                2 => {
                    let other = text[tokens[self.below(tokens.len())].clone()].to_string();
                    text.replace_range(at, &other);
                }
                3 | 4 => {
                    let value = self.value(1);
                    text.replace_range(at, &value);
                }
                5 => text.truncate(at.start),
                6 => {
                    let odd = self.of(&[
                        "\u{202e}", "\u{0}", "é", "😀", "\u{feff}", "\"", "`", "(", ")", "{", "}", "[", "]", "#{",
                        "/*", "*/", "//", "\\", "${", "|", ";", "\r\n", "$", "@", "~", "let ", "fn ", "return ",
                        "import ",
                    ]);
                    text.insert_str(at.start, odd);
                }
                _ => {
                    let number = self.of(&["0", "-1", "1e99", "9223372036854775807", "99999999999999999999"]);
                    if let Some(found) =
                        tokens.iter().find(|t| text[(*t).clone()].starts_with(|c: char| c.is_ascii_digit()))
                    {
                        text.replace_range(found.clone(), number);
                    }
                }
            }
        }
        text
    }

    /// Tokens in any order.
    fn soup(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..1 + self.below(30) {
            let piece = match self.below(4) {
                0 => self
                    .of(&[
                        "let",
                        "const",
                        "fn",
                        "if",
                        "else",
                        "for",
                        "in",
                        "while",
                        "loop",
                        "break",
                        "continue",
                        "return",
                        "import",
                        "as",
                        "try",
                        "catch",
                        "throw",
                        "switch",
                        "do",
                        "until",
                        "this",
                        "global",
                        "private",
                        "export",
                        "eval",
                        "is_def_var",
                        "type_of",
                        "sleep",
                        "exit",
                    ])
                    .to_string(),
                1 => self
                    .of(&[
                        "(", ")", "[", "]", "{", "}", "#{", ",", ";", ":", "::", ".", "?.", "=", "==", "=>", "+", "-",
                        "*", "|", "||", "&&", "\"", "`", "'", "${", "//", "/*", "*/", "\n", "..", "!", "?", "??", "@",
                        "$", "\\",
                    ])
                    .to_string(),
                2 => WORDS[self.below(WORDS.len())].name.to_string(),
                _ => self.value(0),
            };
            text.push_str(&piece);
            if self.chance(70) {
                text.push(' ');
            }
        }
        text
    }

    /// A half-typed line with a cursor somewhere in it.
    fn typed(&mut self) -> Input {
        let mut line = match self.below(5) {
            0 => self.mutated(),
            1 => self.soup(),
            2 => format!(
                "{}{}",
                self.of(&[":", "?", "??", "?*", ":doc ", ":set ", ":load ", ":type ", ":time ", ":e"]),
                self.soup()
            ),
            3 => self.member(1),
            _ => self.word_call(1),
        };
        let places: Vec<usize> = line.char_indices().map(|(i, _)| i).chain([line.len()]).collect();
        if self.chance(50) {
            line.truncate(places[self.below(places.len())]);
        }
        let places: Vec<usize> = line.char_indices().map(|(i, _)| i).chain([line.len()]).collect();
        let pos = places[self.below(places.len())];
        Input::Typed(line, pos)
    }
}

/// Another value of the same kind as this default.
fn like(value: &serde_json::Value, s: &mut Source) -> String {
    match value {
        serde_json::Value::Bool(b) => (!b).to_string(),
        serde_json::Value::Number(n) if n.is_f64() => {
            s.of(&["0.0", "0.5", "1.0", "-1.0", "3.5", "1e30", "(0.0 / 0.0)"]).to_string()
        }
        serde_json::Value::Number(_) => s.of(&["0", "1", "2", "3", "10", "-5", "50000", "1000000000"]).to_string(),
        serde_json::Value::String(_) => s
            .of(&[
                "\"auto\"",
                "\"mean\"",
                "\"sum\"",
                "\"paper\"",
                "\"bfloat16\"",
                "\"threads\"",
                "\"ema\"",
                "\"test\"",
                "\"conv\"",
                "\"tf\"",
                "\"imagenet\"",
            ])
            .to_string(),
        serde_json::Value::Array(_) => s.of(&["[]", "[1]", "[0.5, 0.5]", "[\"dog\"]"]).to_string(),
        serde_json::Value::Object(map) => {
            let keys: Vec<&str> = map.keys().map(String::as_str).collect();
            if keys.is_empty() { "#{}".into() } else { format!("#{{ {}: {} }}", s.of(&keys), s.of(NASTY)) }
        }
        serde_json::Value::Null => s.of(&["1", "\"x\"", "[1, 2]", "0.5"]).to_string(),
    }
}

/// The parameters of `name(a, b, #{options}) -> Kind`.
fn parameters(signature: &str) -> Vec<String> {
    let inside =
        signature.split_once('(').map_or("", |(_, rest)| rest.rsplit_once(')').map_or(rest, |(inside, _)| inside));
    let (mut depth, mut all, mut one) = (0, Vec::new(), String::new());
    for c in inside.chars() {
        match c {
            '{' | '[' | '(' => depth += 1,
            '}' | ']' | ')' => depth -= 1,
            ',' if depth == 0 => {
                all.push(std::mem::take(&mut one).trim().to_string());
                continue;
            }
            _ => {}
        }
        one.push(c);
    }
    all.push(one.trim().to_string());
    all.retain(|p| !p.is_empty());
    all
}

/// The ranges of the words, numbers, strings and signs of a text; blank space is no token.
fn tokens(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut all: Vec<std::ops::Range<usize>> = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((start, c)) = chars.next() {
        let mut end = start + c.len_utf8();
        if c.is_alphanumeric() || c == '_' {
            while let Some(&(at, c)) = chars.peek() {
                if !(c.is_alphanumeric() || c == '_') {
                    break;
                }
                end = at + c.len_utf8();
                chars.next();
            }
        } else if c == '"' {
            for (at, c) in chars.by_ref() {
                end = at + c.len_utf8();
                if c == '"' || c == '\n' {
                    break;
                }
            }
        } else if c.is_whitespace() {
            continue;
        }
        all.push(start..end);
    }
    all
}
