//! Indentation and blanks of a text, as the scripts of this repository have them.
//!
//! Lines stay as they are broken; each is indented by the brackets that are open. One blank stands between what had any, and behind
//! commas; none before commas and at the ends of lines; one empty line where there were several. Comments and strings stay.

use std::ops::Range;

use super::tokens::{self, Piece};

/// The text with its indentation and blanks put right. No token is another one afterwards; where that cannot be had, the text is as it was.
/// `unit` is one step of indentation.
pub fn format(text: &str, unit: &str) -> String {
    let all: Vec<(Range<usize>, Piece)> = tokens::with_comments(text).collect();
    let formatted = Formatter::new(text, unit, &all).run();
    if same(text, &formatted) { formatted } else { text.to_string() }
}

/// Whether two texts have the same tokens and comments. The blanks at the end of a comment do not count.
fn same(a: &str, b: &str) -> bool {
    fn all(text: &str) -> impl Iterator<Item = (&str, Piece)> {
        tokens::with_comments(text).map(|(range, piece)| match piece {
            Piece::Comment => (text[range].trim_end(), piece),
            _ => (&text[range], piece),
        })
    }
    // The first line of a script that is a program is no token of the language.
    first_line(a) == first_line(b) && all(a).eq(all(b)) && touching(a).eq(touching(b))
}

/// `#!/usr/bin/env cpsd`, if the text begins so.
fn first_line(text: &str) -> &str {
    if text.starts_with("#!") { text.split('\n').next().unwrap_or_default() } else { "" }
}

/// The pairs of signs between which there is nothing: `=` and `=` is another operator than `==`. Blanks around commas and semicolons
/// make no difference.
fn touching(text: &str) -> impl Iterator<Item = usize> + '_ {
    let all: Vec<(Range<usize>, Piece)> = tokens::with_comments(text).collect();
    let separates = move |range: &Range<usize>| matches!(&text[range.clone()], "," | ";");
    let found: Vec<usize> = all
        .windows(2)
        .enumerate()
        .filter(|(_, pair)| pair[0].0.end == pair[1].0.start && !separates(&pair[0].0) && !separates(&pair[1].0))
        .map(|(i, _)| i)
        .collect();
    found.into_iter()
}

/// A bracket that is open.
struct Open {
    /// The indentation of the line that opened it, to which its end returns.
    outside: usize,
    /// The line that opened it.
    line: usize,
}

struct Formatter<'t> {
    text: &'t str,
    unit: &'t str,
    all: &'t [(Range<usize>, Piece)],
    out: String,
    open: Vec<Open>,
    /// The number of the line that is being written, its indentation, and that of its statement.
    line: usize,
    level: usize,
    base: usize,
    /// The line goes on with an operator.
    operator: bool,
    /// The last token that is no comment, and the next one.
    last: Option<usize>,
    code: usize,
}

impl<'t> Formatter<'t> {
    fn new(text: &'t str, unit: &'t str, all: &'t [(Range<usize>, Piece)]) -> Self {
        Formatter {
            text,
            unit,
            all,
            out: String::with_capacity(text.len()),
            open: vec![],
            line: 0,
            level: 0,
            base: 0,
            operator: false,
            last: None,
            code: 0,
        }
    }

    fn of(&self, i: usize) -> &'t str {
        self.all.get(i).map_or("", |(range, _)| &self.text[range.clone()])
    }

    fn sign(&self, i: usize) -> &'t str {
        if self.all.get(i).is_some_and(|(_, piece)| *piece == Piece::Sign) { self.of(i) } else { "" }
    }

    fn run(mut self) -> String {
        let end_of_line = if self.text.contains("\r\n") { "\r\n" } else { "\n" };
        let mut end = first_line(self.text).trim_end().len();
        self.out.push_str(&self.text[..end]);
        let first = self.all.partition_point(|(range, _)| range.start < end);
        for i in first..self.all.len() {
            let (range, piece) = &self.all[i];
            let gap = &self.text[end.min(range.start)..range.start];
            let lines = gap.matches('\n').count();
            if i == first && end == 0 {
                self.begin_line(i);
            } else if lines > 0 {
                (0..lines.min(2)).for_each(|_| self.out.push_str(end_of_line));
                self.begin_line(i);
            } else {
                let blanks = self.blanks(i, gap);
                self.out.push_str(&blanks);
            }
            let token = self.of(i);
            let is_line_comment = *piece == Piece::Comment && token.starts_with("//");
            self.out.push_str(if is_line_comment { token.trim_end() } else { token });
            self.brackets(i);
            if *piece != Piece::Comment {
                self.last = Some(i);
            }
            end = range.end;
        }
        // What nothing closes goes on to the end of the text.
        let is_open = match self.all.last() {
            Some((range, Piece::Open)) => range.end == self.text.len() && self.text[range.start..].starts_with('`'),
            Some((range, Piece::Comment)) => {
                self.text[range.clone()].starts_with("/*") && tokens::open_comment(self.text).is_some()
            }
            _ => false,
        };
        if !self.out.is_empty() && !is_open {
            self.out.push_str(end_of_line);
        }
        self.out
    }

    /// The blanks between token `i` and the one before it on its line.
    fn blanks(&self, i: usize, gap: &str) -> String {
        let before = i.wrapping_sub(1);
        let is_comment = |i: usize| self.all.get(i).is_some_and(|(_, piece)| *piece == Piece::Comment);
        // People align comments.
        if is_comment(i) {
            return gap.to_string();
        }
        let some = if gap.is_empty() { "" } else { " " };
        let blanks = match (self.sign(before), self.sign(i)) {
            (_, "," | ";") if !is_comment(before) => "",
            ("," | ";", ")" | "]" | "}") => some,
            ("," | ";", _) => " ",
            _ => some,
        };
        blanks.to_string()
    }

    /// Writes the indentation of a line that begins with token `i`.
    fn begin_line(&mut self, i: usize) {
        self.line += 1;
        // A comment is where the code behind it will be, but inside what that code closes.
        self.code = self.code.max(i);
        while self.all.get(self.code).is_some_and(|(_, piece)| *piece == Piece::Comment) {
            self.code += 1;
        }
        let is_comment = self.all[i].1 == Piece::Comment;
        let closes = |i: usize| matches!(self.sign(i), ")" | "]" | "}");
        let inside = self.open.last().map_or(0, |open| open.outside + 1);
        let closing = match !is_comment && closes(i) {
            // With those that follow on the line.
            true => 1 + (i + 1..self.all.len()).take_while(|&i| closes(i) && !self.begins_line(i)).count(),
            false => 0,
        };
        let goes_on = !closes(self.code) && self.continues(self.code);
        self.base = match closing {
            0 => inside,
            n => self.open.get(self.open.len().saturating_sub(n)).map_or(0, |open| open.outside),
        };
        self.level = self.base + usize::from(closing == 0 && goes_on);
        self.operator = self.level > self.base && self.sign(i) != ".";
        (0..self.level).for_each(|_| self.out.push_str(self.unit));
    }

    /// Whether token `i` is on another line than the one before it.
    fn begins_line(&self, i: usize) -> bool {
        self.text[self.all[i - 1].0.end..self.all[i].0.start].contains('\n')
    }

    /// Whether token `i`, which begins a line, goes on with the expression before it.
    fn continues(&self, i: usize) -> bool {
        const OPERATORS: [&str; 12] = ["=", "+", "-", "*", "/", "%", "<", ">", "&", "|", "?", "^"];
        let Some(last) = self.last else { return false };
        match self.sign(last) {
            ";" | "{" | "}" | "," | "(" | "[" => return false,
            sign if OPERATORS.contains(&sign) || sign == "!" || sign == ":" => return true,
            _ => {}
        }
        let is_range = self.sign(i) == "." && self.sign(i + 1) == ".";
        OPERATORS.contains(&self.sign(i)) || (self.sign(i) == "." && !is_range)
    }

    fn brackets(&mut self, i: usize) {
        match self.sign(i) {
            sign @ ("(" | "[" | "{") => {
                let is_block = sign == "{" && self.sign(i.wrapping_sub(1)) != "#";
                let alone = self.open.last().is_none_or(|open| open.line < self.line);
                // The block of `if a` and, on the next line, `&& b {`.
                let outside = if is_block && alone && self.operator { self.base } else { self.level };
                self.open.push(Open { outside, line: self.line });
            }
            ")" | "]" | "}" => drop(self.open.pop()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::path::Path;
    use std::rc::Rc;

    use super::*;

    fn is(text: &str, formatted: &str) {
        assert_eq!(format(text, "    "), formatted);
        assert_eq!(format(formatted, "    "), formatted, "it is not the same a second time");
    }

    /// The tokens as Rhai's parser gets them.
    fn of_rhai(text: &str) -> Vec<String> {
        let mut engine = rhai::Engine::new_raw();
        let all = Rc::new(RefCell::new(Vec::new()));
        let seen = all.clone();
        #[allow(deprecated)]
        engine.on_parse_token(move |token, _, _| {
            seen.borrow_mut().push(format!("{token:?}"));
            token
        });
        let _ = engine.compile(text);
        drop(engine);
        all.take()
    }

    #[test]
    fn lines_are_indented_by_what_is_open() {
        is("if a {\nb;\n  if c { d }\n      }\n", "if a {\n    b;\n    if c { d }\n}\n");
        is("f(a, #{\nb: 1,\nc: [\n2\n]\n});", "f(a, #{\n    b: 1,\n    c: [\n        2\n    ]\n});\n");
        is(
            "let x =\n1 +\n2;\nx\n.map(|a| {\na\n})\n.len()",
            "let x =\n    1 +\n    2;\nx\n    .map(|a| {\n        a\n    })\n    .len()\n",
        );
        is("if a\n&& b {\nc\n}", "if a\n    && b {\n    c\n}\n");
        is("switch a {\n1 => b,\n_ => {\nc\n}\n}", "switch a {\n    1 => b,\n    _ => {\n        c\n    }\n}\n");
        is("f(a,\nb)\n// c\n", "f(a,\n    b)\n// c\n");
        is("{\n// a\n}", "{\n    // a\n}\n");
        assert_eq!(format("if a {\nb\n}", "\t"), "if a {\n\tb\n}\n");
    }

    #[test]
    fn blanks_are_one_or_none() {
        is("\n\nlet  a=f( b ,c ) ;\n\n\n\na  \n\n", "let a=f( b, c );\n\na\n");
        is("a   // b  \nlonger  // c\n", "a   // b\nlonger  // c\n");
        is("t[ .. ,3]; [1,]; [,]", "t[ .., 3]; [1,]; [,]\n");
        is("", "");
        is("  \n ", "");
    }

    #[test]
    fn strings_and_comments_stay() {
        is("{\nlet a = `\n  b  \n c`  ;\n}", "{\n    let a = `\n  b  \n c`;\n}\n");
        is("{\n/* a\n  b */\nc\n}", "{\n    /* a\n  b */\n    c\n}\n");
        is("#!/usr/bin/env cpsd\nf( a)", "#!/usr/bin/env cpsd\nf( a)\n");
        is("a;\r\n\r\n\r\n  b; \r\n", "a;\r\n\r\nb;\r\n");
        is("'\"' ;  '}'", "'\"'; '}'\n");
        for open in ["f(`a  \n ", "f(\"a  ", "/* a  \n b ", "a ' b"] {
            let formatted = format(open, "    ");
            assert!(formatted.trim_end() == open.trim_end(), "{formatted:?}");
        }
    }

    #[test]
    fn scripts_of_this_repository_have_the_same_tokens_and_are_as_they_are() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut seen = 0;
        for folder in ["scripts", "stdlib", "examples", "examples/heads", "examples/libraries", "tests/errors"] {
            for entry in std::fs::read_dir(root.join(folder)).unwrap().flatten() {
                let path = entry.path();
                if path.extension().is_none_or(|extension| extension != "rhai") {
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                let formatted = format(&text, "    ");
                let name = path.display();
                assert!(same(&text, &formatted), "{name}");
                assert_eq!(format(&formatted, "    "), formatted, "{name}: it is not the same a second time");
                assert_eq!(of_rhai(&formatted), of_rhai(&text), "{name}");
                if folder != "tests/errors" {
                    assert_eq!(formatted, text, "{name} would be changed");
                }
                // Without its indentation it gets it back.
                if !text.contains('`') && !text.contains("/*") {
                    let flat: Vec<&str> = text.lines().map(str::trim_start).collect();
                    assert_eq!(format(&flat.join("\n"), "    "), formatted, "{name}");
                }
                seen += 1;
            }
        }
        assert!(seen > 100, "{seen}");
    }
}
