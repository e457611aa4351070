//! What people of other languages write, and how this language writes the same.

use std::ops::Range;

use super::named_arguments;
use super::tokens::{self, Piece};

/// Words of other languages.
pub const WORDS: &[(&str, &str)] = &[
    ("def", "a function is written fn name(a, b) { ... }"),
    ("function", "a function is written fn name(a, b) { ... }"),
    ("func", "a function is written fn name(a, b) { ... }"),
    ("lambda", "a closure is written |x| x + 1"),
    ("var", "a variable is made with let"),
    ("from", "a library is imported as in import \"method\" as method;"),
    ("and", "both conditions are written a && b"),
    ("or", "one of two conditions is written a || b"),
    ("not", "the opposite of a condition is written !a, and a not in b is written a !in b"),
    ("is", "two values are compared with ==, and x is None is written x == ()"),
    ("elif", "further conditions are written else if"),
    ("elseif", "further conditions are written else if"),
    ("None", "nothing is written ()"),
    ("nil", "nothing is written ()"),
    ("null", "nothing is written ()"),
    ("nothing", "nothing is written ()"),
    ("end", "blocks are written in braces: { ... }"),
    ("pass", "a block may be empty: { }"),
    ("raise", "an error is thrown with throw \"what is wrong\""),
    ("except", "errors are caught with try { ... } catch (error) { ... }"),
    ("finally", "what follows try { ... } catch (error) { ... } runs in either case"),
    ("class", "there are no classes: a map holds values and closures, #{ scale: 2, run: |x| x * 2 }"),
    ("struct", "there are no structs: a map holds values under names, #{ scale: 2 }"),
    ("del", "an item is taken out with a.remove(0), a key with map.remove(\"key\")"),
    ("with", "files are read and written whole: read_text(path), write_text(path, text)"),
    ("assert", "a condition is asserted with assert(condition, \"message\")"),
    ("print", "print takes its values in brackets: print(x, y)"),
    ("yield", "there are no generators: a closure is called for each item, a.for_each(|x| ...)"),
    (
        "global",
        "a function does not see the script's variables: pass them, or define const NAME and write global::NAME",
    ),
    ("nonlocal", "a closure sees the variables around it, and may change them"),
    ("mut", "every variable made with let can be changed"),
    ("async", "a closure runs in the background with spawn"),
    ("await", "a background job is waited for with wait(job)"),
    ("match", "cases are written switch x { 1 => ..., _ => ... }"),
    ("case", "cases are written switch x { 1 => ..., _ => ... }"),
];

/// The same for signs.
pub const SIGNS: &[(&str, &str)] = &[
    ("===", "two values are compared with =="),
    ("!==", "two values are compared with !="),
    (
        "->",
        "a closure is written |x| x + 1, and the kind of a function's result is not declared: fn name(a, b) { ... }",
    ),
    ("=>", "a closure is written |x| x + 1"),
    ("<-", "a value is given with =; smaller or equal is <="),
    (":=", "a value is given with ="),
    (":;", "a function of a library is written library::name"),
    ("::<", "a function of a library is written library::name"),
    ("(*", "a comment is written /* ... */ or // to the end of the line"),
    ("*)", "a comment is written /* ... */ or // to the end of the line"),
    ("#", "a map is written #{ key: value }, a comment // to the end of the line"),
    ("@", "the product of two matrices is written a.matmul(b)"),
    ("++", "a variable is counted up with i += 1"),
    ("--", "a variable is counted down with i -= 1"),
    ("?", "one of two values is chosen with if condition { a } else { b }"),
    ("\\", "a statement may go over several lines without a sign; it ends at the ;"),
    ("...", "a range is written 0..5, or 0..=5 with its end"),
    ("~", "the opposite of a condition is written !a"),
];

/// Variables that do not exist here.
const VARIABLES: &[(&str, &str)] = &[
    ("True", "it is written true"),
    ("False", "it is written false"),
    ("None", "nothing is written (): let best = (); if best == () { ... }"),
    ("null", "nothing is written ()"),
    ("undefined", "nothing is written ()"),
    ("exit", "exit() ends a script; exit or Ctrl-D leaves the prompt"),
    ("quit", "exit() ends a script; exit or Ctrl-D leaves the prompt"),
    ("help", "?word shows the documentation of a word at the prompt, as cpsd doc word does, and :help its commands"),
    ("ls", "files are listed with list_files(folder); at the prompt !ls is the shell's"),
    ("cd", "the working folder is that in which cpsd was started; paths begin there"),
    ("pwd", "the working folder is that in which cpsd was started; at the prompt !pwd shows it"),
    ("pass", "a block may be empty: { }"),
    ("self", "the value that a method is called on is this"),
    ("np", "numbers need no library: [1.0, 2.0].mean(), sqrt(x), tensor([1.0, 2.0])"),
    ("numpy", "numbers need no library: [1.0, 2.0].mean(), sqrt(x), tensor([1.0, 2.0])"),
    ("math", "functions of numbers need no library: sqrt(x), exp(x), PI()"),
    ("torch", "tensors need no library: tensor([1.0, 2.0]), zeros([2, 3]), x.softmax(1)"),
    ("pd", "tables need no library: load_table(\"file.csv\"), table(rows)"),
    ("pandas", "tables need no library: load_table(\"file.csv\"), table(rows)"),
    ("plt", "figures need no library: plot(x, y, #{title: \"loss\"})"),
    ("os", "files need no library: list_files(folder), read_text(path), environment(\"NAME\")"),
    ("sys", "a script's arguments are arg(\"name\", default), and exit(1) ends it"),
    ("re", "regular expressions need no library: matches(text, pattern), find_all(text, pattern)"),
    ("json", "JSON needs no library: read_json(path), write_json(path, value)"),
    ("end", "the last item of an array is a[-1]"),
    ("int", "the kind of a value is type_of(x), as in type_of(x) == \"i64\""),
    ("inf", "it is written 1.0 / 0.0"),
    ("pi", "it is written PI()"),
    ("e", "it is written E(), and exp(x) is its power"),
];

/// Functions that do not exist here, by name.
const FUNCTIONS: &[(&str, &str)] = &[
    ("quit", "exit() ends a script; exit or Ctrl-D leaves the prompt"),
    ("help", "?word shows the documentation of a word at the prompt, as cpsd doc word does, and :help its commands"),
    ("str", "a value becomes a string with x.to_string(), or inside of one: `n = ${x}`"),
    ("repr", "a value becomes a string with x.to_string(), or inside of one: `n = ${x}`"),
    ("string", "a value becomes a string with x.to_string(), or inside of one: `n = ${x}`"),
    ("int", "a number becomes an integer with x.to_int(), a string with parse_int(text)"),
    ("float", "an integer becomes a number with x.to_float(), a string with parse_float(text)"),
    ("bool", "a condition is written as one: x != 0, text != \"\""),
    ("hist", "a histogram is histogram(values)"),
    ("boxplot", "boxes are drawn by box_plot(values)"),
    ("violinplot", "box_plot(values, #{points: true}) shows each value over its box"),
    ("barplot", "bars are drawn by bar(names, values)"),
    ("scatterplot", "points are drawn by scatter(x, y)"),
    ("imshow", "a matrix is drawn by heatmap(tensor)"),
    ("savefig", "a figure is saved with figure.save(\"name.pdf\")"),
    ("confusion_matrix", "confusion_plot(scores, targets).table has the shares"),
    ("calibration_curve", "reliability_diagram(scores, targets).table has the points"),
    ("precision_recall_curve", "precision_recall_plot(scores, targets).table has the points"),
    ("isinstance", "the kind of a value is type_of(x), as in type_of(x) == \"array\""),
    ("type", "the kind of a value is type_of(x)"),
    ("typeof", "the kind of a value is type_of(x)"),
    ("enumerate", "a loop counts with a second name, for (x, i) in array, and so does a closure: a.map(|x, i| ...)"),
    ("zip", "two arrays are joined by a closure: a.zip(b, |x, y| [x, y])"),
    ("sorted", "a sorted copy is a.order(); a.sort() sorts the array itself"),
    ("reversed", "a.reverse() turns the array itself around: let b = a; b.reverse();"),
    ("list", "an array is written [1, 2], and (0..5).to_array() makes one of a range"),
    ("dict", "a map is written #{ key: value }"),
    ("set", "the distinct items of a sorted array are left by a.dedup()"),
    ("tuple", "several values are an array: [1, 2]"),
    ("any", "a.some(|x| x > 0) asks whether a condition holds for an item"),
    ("open", "files are read and written whole: read_text(path), write_text(path, text)"),
    ("input", "a script's arguments are arg(\"name\", default)"),
    ("println", "a line is printed with print(x, y)"),
    ("printf", "a line is printed with print(format(\"{:.2f}\", x))"),
    ("display", "a value is printed with print(x)"),
    ("length", "the number of items is .len()"),
    ("size", "the number of items is .len()"),
    ("extend", "an array is added to another with a.append(b)"),
    ("append", "one item is added with push; append takes an array of items"),
    ("add", "one item is added with push"),
    ("items", "a loop goes over the keys: for key in map.keys() { map[key] }"),
    ("has_key", "a key is looked for with \"key\" in map"),
    ("strip", "blanks around a text are taken off, in place, by text.trim()"),
    ("upper", "it is written to_upper"),
    ("lower", "it is written to_lower"),
    ("startswith", "it is written starts_with"),
    ("endswith", "it is written ends_with"),
    ("foreach", "it is written for_each"),
    ("copy", "let b = a; makes a copy"),
    ("clone", "let b = a; makes a copy"),
    ("array", "an array is written [1, 2]"),
    ("isnan", "it is written x.is_nan()"),
    ("ceil", "ceil takes a number"),
    ("getattr", "a value is taken out of a map with map[\"key\"]"),
    ("lambda", "a closure is written |x| x + 1"),
    ("findall", "it is written find_all(text, pattern)"),
    ("randint", "random numbers come out of a generator: random(0).integer(0, 10)"),
];

/// Methods that a tensor of PyTorch has, and one of this language has under another name.
const TENSORS: &[(&str, &str)] = &[
    ("float", "it is written t.to(\"float32\")"),
    ("double", "it is written t.to(\"float64\")"),
    ("int", "it is written t.to(\"int32\")"),
    ("long", "it is written t.to(\"int64\")"),
    ("bool", "it is written t != 0"),
    ("cpu", "a script does not move tensors; the numbers are t.to_array()"),
    ("cuda", "a script does not move tensors: a model and what it gives are on its device"),
    ("numpy", "its numbers are t.to_array()"),
    ("tolist", "its numbers are t.to_array()"),
    ("size", "it is written t.shape, and t.shape[0] is its first length"),
    ("view", "it is written t.reshape([2, -1])"),
];

fn of(table: &'static [(&str, &str)], name: &str) -> Option<&'static str> {
    table.iter().find(|(known, _)| *known == name).map(|(_, instead)| *instead)
}

/// How what another language has under this name is written here, for a variable that is not there.
pub fn variable(name: &str, text: &str, at: Option<usize>) -> Option<String> {
    let before = at.and_then(|at| words_before(text, at));
    match before {
        Some([.., "import"]) => {
            let ours = super::modules::embedded_names().collect::<Vec<_>>().join(", ");
            return Some(format!(
                "a library's name is a string, import \"method\" as method; the embedded libraries are {ours}"
            ));
        }
        Some(["help" | "?", "("]) => return Some(format!("?{name} shows the documentation of {name} at the prompt")),
        Some(["isinstance", "("]) => return of(FUNCTIONS, "isinstance").map(str::to_string),
        _ => {}
    }
    of(VARIABLES, name).map(str::to_string)
}

/// How what another language has under this name is written here, for a function that is not there.
pub fn function(name: &str, types: &[String]) -> Option<String> {
    let kinds: Vec<&str> = types.iter().map(String::as_str).collect();
    match (name, &kinds[..]) {
        ("map" | "filter" | "reduce", ["function", "array" | "range", ..]) => {
            Some(format!("the array comes first: a.{name}(|x| ...)"))
        }
        ("row" | "iloc" | "loc", ["Table", ..]) => Some("a row is an item of .rows: t.rows[0]".into()),
        (_, ["Tensor", ..]) if of(TENSORS, name).is_some() => of(TENSORS, name).map(str::to_string),
        ("get", ["map", "string", _]) => Some("a key with a default is written map.get(\"key\") ?? default".into()),
        _ => of(FUNCTIONS, name).map(str::to_string),
    }
}

/// The two tokens before a byte, on its line.
fn words_before(text: &str, at: usize) -> Option<[&str; 2]> {
    let begin = text.get(..at)?.rfind('\n').map_or(0, |end| end + 1);
    let text = &text[begin..at];
    let before: Vec<Range<usize>> = tokens::pieces(text).into_iter().map(|(range, _)| range).collect();
    let word =
        |back: usize| before.len().checked_sub(back).and_then(|i| before.get(i)).map_or("", |r| &text[r.clone()]);
    Some([word(2), word(1)])
}

/// A habit of another language at the place of a syntax error: its tokens, the sentence and the way to write it.
pub struct Habit {
    pub span: Range<usize>,
    pub message: String,
    pub help: String,
}

/// What a comprehension goes through: up to its own bracket or `if`.
fn iterated(text: &str, pieces: &[(Range<usize>, Piece)]) -> String {
    let mut depth = 0;
    let end = pieces.iter().position(|(range, _)| {
        match &text[range.clone()] {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            "if" if depth == 0 => return true,
            _ => {}
        }
        depth < 0
    });
    match &pieces[..end.unwrap_or(pieces.len())] {
        [(first, _), .., (last, _)] => text[first.start..last.end].to_string(),
        [(only, _)] => text[only.clone()].to_string(),
        [] => "a".to_string(),
    }
}

/// The tokens of the expression that the one at `here` is in: from the bracket, sign or word that it follows to the one that ends it, or to
/// the end of its line.
fn around(text: &str, all: &[(Range<usize>, Piece)], here: usize) -> (usize, usize) {
    let word = |i: usize| &text[all[i].0.clone()];
    let (mut from, mut depth) = (here, 0);
    while from > 0 {
        match word(from - 1) {
            ")" | "]" | "}" => depth += 1,
            "(" | "[" | "{" => depth -= 1,
            // A comparison is of the expression.
            "=" if depth == 0 && !is_compared(text, all, from - 1) => break,
            // Neither are `::` and `||` at its edge.
            ":" | "|" if depth == 0 && !is_double(text, all, from - 1) => break,
            "," | ";" | "return" | "in" if depth == 0 => break,
            _ => {}
        }
        if depth < 0 {
            break;
        }
        from -= 1;
    }
    let (mut to, mut depth) = (here + 1, 0);
    while to < all.len() {
        match word(to) {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            "," | ";" if depth == 0 => break,
            _ => {}
        }
        let ends_line = depth == 0 && text[all[to - 1].0.end..all[to].0.start].contains('\n');
        if depth < 0 || ends_line {
            break;
        }
        to += 1;
    }
    (from, to)
}

/// Whether a sign stands twice, as in `::`.
fn is_double(text: &str, all: &[(Range<usize>, Piece)], at: usize) -> bool {
    let same = |a: usize, b: usize| {
        let pair = all.get(a).zip(all.get(b));
        pair.is_some_and(|((one, _), (other, _))| one.end == other.start && text[one.clone()] == text[other.clone()])
    };
    same(at, at + 1) || at.checked_sub(1).is_some_and(|before| same(before, at))
}

/// Whether an equals sign is part of one that compares, as `==` and `<=`.
fn is_compared(text: &str, all: &[(Range<usize>, Piece)], at: usize) -> bool {
    let sign = |i: Option<usize>| i.and_then(|i| all.get(i)).map_or("", |(range, _)| &text[range.clone()]);
    let touches = |a: usize| all.get(a).zip(all.get(a + 1)).is_some_and(|(one, other)| one.0.end == other.0.start);
    let before =
        at.checked_sub(1).is_some_and(|before| touches(before) && ["=", "!", "<", ">"].contains(&sign(Some(before))));
    before || (touches(at) && sign(Some(at + 1)) == "=")
}

/// The habit that a text shows where the parser refused it, at byte `at`.
pub fn at(text: &str, at: usize) -> Option<Habit> {
    let all = tokens::pieces(text);
    let here = all.iter().position(|(range, _)| range.end > at).unwrap_or(all.len());
    let word = |i: usize| all.get(i).map_or("", |(range, _)| &text[range.clone()]);
    let back = |n: usize| here.checked_sub(n).map_or("", word);
    let range = |from: usize, to: usize| all[from].0.start..all[to.min(all.len() - 1)].0.end;
    let habit =
        |span: Range<usize>, message: &str, help: String| Some(Habit { span, message: message.to_string(), help });
    // f"..." and r"..."
    for i in here.saturating_sub(1)..=here {
        if let (Some((name, Piece::Word)), Some((string, Piece::Text | Piece::Open))) = (all.get(i), all.get(i + 1))
            && name.end == string.start
            && ["f", "F", "r", "b"].contains(&word(i))
        {
            let written = text[string.clone()].trim_matches('"');
            let span = name.start..string.end;
            return match word(i) {
                "f" | "F" => {
                    let inside = written.replace("${", "{").replace('{', "${");
                    habit(span, "a string has no letter in front", format!("values are put into backticks: `{inside}`"))
                }
                _ => habit(span, "a string has no letter in front", "in `backticks` a backslash is itself".into()),
            };
        }
    }
    // """about"""
    let is_text = |i: usize| all.get(i).is_some_and(|(_, piece)| matches!(piece, Piece::Text | Piece::Open));
    let touching = |i: usize| all[i].0.end == all[i + 1].0.start;
    for i in here.saturating_sub(3)..=here {
        if is_text(i) && is_text(i + 1) && touching(i) && [word(i), word(i + 1)].contains(&"\"\"") {
            let help = "a comment is written // or /* ... */, a string over several lines in `backticks`".to_string();
            return habit(range(i, i + 1), "three quotes are no sign of this language", help);
        }
    }
    let open = super::spans::open_bracket(text, all.get(here).map_or(text.len(), |(r, _)| r.start));
    let opened = open.as_ref().and_then(|open| all.iter().position(|(range, _)| range == open));
    let bracket = opened.map_or("", word);
    let caller = opened.and_then(|i| i.checked_sub(1)).filter(|&i| all[i].1 == Piece::Word).map(word);
    match (word(here), bracket) {
        // f(x, epochs=2)
        ("=", "(")
            if !["=", ">"].contains(&word(here + 1))
                && all.get(here.wrapping_sub(1)).is_some_and(|p| p.1 == Piece::Word) =>
        {
            let given = opened.filter(|_| [",", "("].contains(&back(2)));
            return given.map(|open| Habit {
                span: range(here - 1, here + 1),
                message: "arguments are not given by name".into(),
                help: named_arguments::instead(text, &all, open, back(1)),
            });
        }
        // |_| 0
        ("_", _) if back(1) == "|" || (back(1) == "," && word(here + 1) == "|") => {
            let help = "a parameter that is not used has a name that begins with it, as |_i|".to_string();
            return habit(range(here, here), "_ alone is no name", help);
        }
        ("=", _) if word(here + 1) == ">" => {
            let help = format!("a closure is written |{}| ...", back(1));
            return habit(range(here, here + 1), "\"=>\" is no sign of this language", help);
        }
        // [x * 2 for x in a], {x: 1 for x in a}
        ("for", "[" | "{" | "(") if word(here + 2) == "in" && !["{", "}", ";"].contains(&back(1)) => {
            let name = word(here + 1);
            let source = iterated(text, &all[here + 3..]);
            let what = opened.filter(|i| i + 1 < here).map_or("...", |i| text[range(i + 1, here - 1)].trim());
            let filter = if all[here..].iter().take(8).any(|(r, _)| &text[r.clone()] == "if") {
                format!("{source}.filter(|{name}| ...)")
            } else {
                source
            };
            let help = format!("write {filter}.map(|{name}| {what})");
            return habit(range(here, here), "an array is not made by for inside of brackets", help);
        }
        // a[0:2]
        (":", "[") => {
            let name = caller.unwrap_or("a");
            let (from, to) = (if back(1) == "[" { "0" } else { back(1) }, word(here + 1));
            let part = if to == "]" { from.to_string() } else { format!("{from}..{to}") };
            // What stands in the brackets, up to the line's end where they stay open.
            let first = opened.map_or(0, |i| all[i].0.end);
            let inside = text[first..].split([']', '\n', ';']).next().unwrap_or_default();
            let places: Vec<&str> = inside.split(',').map(str::trim).collect();
            let index: Vec<String> =
                places.iter().map(|p| p.split(':').map(str::trim).collect::<Vec<_>>().join("..")).collect();
            let help = match &places[..] {
                [_] if inside.matches(':').count() == 1 && inside.trim() != ":" => format!(
                    "a part of an array is {name}.extract({part}), of a string {name}.sub_string({part}), of a Tensor {name}[{}]",
                    index.join(", ")
                ),
                _ if places.iter().all(|p| p.matches(':').count() < 2) => {
                    format!("a part of a Tensor is {name}[{}]", index.join(", "))
                }
                _ => format!("a part of a Tensor is {name}[0..5], all of a dimension {name}[..]"),
            };
            return habit(range(here, here), "a part is not written with a colon", help);
        }
        // for i, x in a
        (",", _) if back(2) == "for" => {
            let (first, second) = (back(1), word(here + 1));
            let help = match [word(here + 4), word(here + 5)] {
                [".", "items"] => {
                    let map = word(here + 3);
                    format!(
                        "the entries of a map are for {first} in {map}.keys() {{ let {second} = {map}[{first}]; ... }}"
                    )
                }
                _ => format!("the counter comes second, in brackets: for ({second}, {first}) in array"),
            };
            return habit(range(here - 1, here + 1), "for takes one name, or two in brackets", help);
        }
        // let a, b = f();
        (",", _) if back(2) == "let" => {
            let (a, b) = (back(1), word(here + 1));
            let help = format!("let both = ...; let {a} = both[0]; let {b} = both[1];");
            return habit(range(here - 1, here + 1), "let makes one variable", help);
        }
        ("(" | "[", _) if back(1) == "let" => {
            let (a, b) = (word(here + 1), word(here + 3));
            let help = format!("let both = ...; let {a} = both[0]; let {b} = both[1];");
            return habit(range(here, here), "let makes one variable", help);
        }
        // (1, 2)
        (",", "(") if caller.is_none() || caller.is_some_and(|name| ["return", "in", "if"].contains(&name)) => {
            return habit(
                range(here, here),
                "several values are not written in round brackets",
                "an array is written [1, 2]".into(),
            );
        }
        // return 1, 2
        (",", _) if back(2) == "return" => {
            return habit(
                range(here, here),
                "a function gives one value",
                "several are an array: return [a, b]".into(),
            );
        }
        // 2 if a else 3
        ("if", _) if all[here..].iter().any(|(r, _)| &text[r.clone()] == "else") && !back(1).is_empty() => {
            let (from, to) = around(text, &all, here);
            let other = all[here..to].iter().position(|(r, _)| &text[r.clone()] == "else").map(|i| here + i);
            let written = |from: usize, to: usize| match from < to && to <= all.len() {
                true => &text[range(from, to - 1)],
                false => "...",
            };
            let help = match other {
                Some(other) => format!(
                    "it is written if {} {{ {} }} else {{ {} }}",
                    written(here + 1, other),
                    written(from, here),
                    written(other + 1, to)
                ),
                None => format!("it is written if condition {{ {} }} else {{ ... }}", written(from, here)),
            };
            return habit(range(here, here), "the condition comes before the two values", help);
        }
        // sqrt.(a)
        ("(", _) if back(1) == "." => {
            let help = format!("a function is applied to each item with a.map(|x| {}(x))", back(2));
            return habit(range(here - 1, here - 1), "there is no call with a dot", help);
        }
        _ => {}
    }
    // let n = 7 // 2;
    let last = here.checked_sub(1).map(|i| all[i].0.clone())?;
    let rest = text.get(last.end..)?.split('\n').next()?.trim_start();
    if let Some(operand) = rest.strip_prefix("//").map(str::trim)
        && is_operand(operand)
    {
        let operand = operand.trim_end_matches(';');
        let help = format!("the whole part of a division is div({}, {operand})", &text[last.clone()]);
        return habit(last.end..last.end + rest.len(), "// begins a comment", help);
    }
    None
}

/// Whether a comment's text looks like the right side of a division.
pub fn is_operand(comment: &str) -> bool {
    let ended = comment.ends_with(';');
    let inside = comment.trim_end_matches([';', ')', ' ']);
    let number = inside.starts_with(|c: char| c.is_ascii_digit()) && inside.parse::<f64>().is_ok();
    let name = !inside.is_empty()
        && inside.chars().all(|c| tokens::is_word(c) || c == '.')
        && inside.starts_with(|c: char| c.is_alphabetic());
    number || (ended && name)
}
