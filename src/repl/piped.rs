//! Standard input that is no terminal: run input by input, as at the prompt, without the prompt's signs.

use std::borrow::Cow;
use std::io::Read;
use std::ops::Range;
use std::sync::mpsc;
use std::time::Duration;

use colored::Colorize;

use super::commands::{self, Next};
use super::last_values;
use super::prompt::Prompt;
use crate::activity::interrupt;
use crate::error::{Error, Result};
use crate::files;
use crate::say_error;
use crate::script::errors::{Failure, part_from};
use crate::script::parsing;
use crate::script::session::Session;
use crate::script::tokens::{Piece, is_word, pieces, with_comments};

/// The name of a script that is read from standard input.
pub const STANDARD_INPUT: &str = "standard input";

/// So many bytes are read from standard input.
const LONGEST_INPUT: u64 = 256 << 20;

/// All of standard input, which may come late or never. Errors: not UTF-8; too long; Interrupted.
pub fn standard_input() -> Result<String> {
    stream(STANDARD_INPUT, || Ok(std::io::stdin()))
}

/// All of a stream, such as a pipe, that `open` opens. Errors: Io; not UTF-8; too long; Interrupted.
pub fn stream<R: Read>(name: &str, open: impl FnOnce() -> std::io::Result<R> + Send + 'static) -> Result<String> {
    let (send, read) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let read = open().and_then(|stream| stream.take(LONGEST_INPUT + 1).read_to_string(&mut text));
        let _ = send.send(read.map(|_| text));
    });
    loop {
        match read.recv_timeout(Duration::from_millis(20)) {
            Ok(Ok(text)) if text.len() as u64 > LONGEST_INPUT => {
                return Err(Error::data(format!("{name} has more than {} MB", LONGEST_INPUT >> 20)));
            }
            Ok(Ok(text)) => return Ok(files::without_mark(&text).to_string()),
            Ok(Err(error)) => return Err(Error::data(format!("{name} cannot be read: {error}"))),
            Err(mpsc::RecvTimeoutError::Timeout) => interrupt::check()?,
            Err(_) => return Err(Error::internal(format!("the thread that read {name} ended"))),
        }
    }
}

/// Runs standard input to its end or to the first input that fails. Returns the exit code, which `exit(3)` chooses.
///
/// Errors: the failure of an input, or of a background job at the end.
pub fn run(session: &mut Session) -> Result<u8, Failure> {
    let text = standard_input().map_err(Failure::plain)?;
    let mut prompt = Prompt::new(session);
    prompt.piped = true;
    let doubtful = doubtful(&text);
    for (number, input) in inputs(&text) {
        let input = input.trim_end();
        if let Some(sign) = doubtful.iter().find(|(at, _)| *at == number).map(|(_, sign)| sign) {
            warn(number, sign);
        }
        let outcome = match commands::run(&mut prompt, input.trim()) {
            Next::Leave => break,
            Next::Stay => Ok(()),
            Next::Evaluate => prompt.run(input, &part_from(STANDARD_INPUT, number)),
        };
        if outcome.is_err() || prompt.code.is_some() {
            prompt.session.host.background.stop_all();
        }
        outcome?;
        if let Some(code) = prompt.code {
            return Ok(code);
        }
        if prompt.session.has_exited {
            break;
        }
    }
    prompt.session.finish(STANDARD_INPUT)?;
    Ok(0)
}

/// The inputs of a text, each with the number of its first line; comments between them are left out. One goes on while something is open, and where the next line cannot
/// begin an input.
fn inputs(text: &str) -> Vec<(usize, &str)> {
    parts(text).into_iter().map(|(number, part)| (number, &text[part])).collect()
}

/// The text with a `;` behind each of its inputs but the last, where it has several. What reads the whole text at once then takes the ends of
/// lines as they are taken here.
fn ended(text: &str) -> Option<String> {
    let parts = parts(text);
    let (_, but_last) = parts.split_last().filter(|(_, others)| !others.is_empty())?;
    let mut ended = String::with_capacity(text.len() + but_last.len());
    let mut at = 0;
    for (_, part) in but_last {
        let Some((last, _)) = pieces(&text[part.clone()]).pop() else { continue };
        let end = part.start + last.end;
        if !text[..end].ends_with(';') {
            ended.push_str(&text[at..end]);
            ended.push(';');
            at = end;
        }
    }
    ended.push_str(&text[at..]);
    Some(ended)
}

/// Signs that may begin an input, and that go on with what stands before in a script.
const DOUBTFUL: [&str; 5] = ["+", "-", "[", "(", ".."];

/// The inputs that begin with such a sign and would go on with the one before in a script: the number of the line, and the sign.
fn doubtful(text: &str) -> Vec<(usize, &'static str)> {
    let inputs = inputs(text);
    let ends = |input: &str| pieces(input).pop().is_none_or(|(last, _)| [";", "}"].contains(&&input[last]));
    let of = |pair: &[(usize, &str)]| {
        let [(_, before), (number, input)] = pair else { return None };
        let sign = DOUBTFUL.into_iter().find(|sign| input.trim_start().starts_with(sign))?;
        let is_command = before.trim_start().starts_with([':', '?', '%']);
        (!is_command && !ends(before)).then_some((*number, sign))
    };
    inputs.windows(2).filter_map(of).collect()
}

fn warn(number: usize, sign: &str) {
    let line = format!(
        "warning: line {number} begins with {sign} and is taken for an input of its own; indented, it goes on with the line before, as in a script (a ; at the end of \
         that line says that it ends)"
    );
    say_error!("{}", line.yellow());
}

/// Warns of lines that [`with_ends`] has taken for statements of their own, and that a script goes on with.
pub fn warn_of_ends(typed: &str) {
    doubtful(typed).into_iter().for_each(|(number, sign)| warn(number, sign));
}

/// The text with a `;` behind statements that end with their lines, as where each input is read by itself. A text that can be read as it is
/// stays so, unless it would be read otherwise: `x` and below it `-1` are two statements whether or not a `;` is missing elsewhere.
pub fn with_ends<'t>(session: &Session, typed: &'t str) -> Cow<'t, str> {
    let is_read = |text: &str| parsing::parse(&session.engine, &session.scope, &last_values::with_ans(text)).is_ok();
    match ended(typed) {
        Some(ended) if (!doubtful(typed).is_empty() || !is_read(typed)) && is_read(&ended) => Cow::Owned(ended),
        _ => Cow::Borrowed(typed),
    }
}

/// The failure of `ended`, which is `typed` with [`with_ends`], as one of `typed`.
pub fn without_ends(failure: Failure, name: &str, typed: &str, ended: &str) -> Failure {
    if typed.len() == ended.len() {
        return failure;
    }
    let mut letters = typed.bytes().peekable();
    let added: Vec<usize> =
        (0..ended.len()).filter(|&at| letters.next_if_eq(&ended.as_bytes()[at]).is_none()).collect();
    let at = |byte: usize| byte - added.partition_point(|&added| added < byte);
    failure.of_text(name, typed, at, str::to_string)
}

/// The inputs as bytes of the text.
fn parts(text: &str) -> Vec<(usize, Range<usize>)> {
    let (mut found, mut at, mut number) = (Vec::new(), 0, 1);
    loop {
        // Blanks before the line that begins an input.
        let rest = text[at..].trim_start();
        if rest.is_empty() {
            return found;
        }
        // A comment between inputs, but not the documentation of a function. A command may follow it.
        let is_comment = rest.starts_with("//") && !rest.starts_with("///");
        let blank = &text[at..text.len() - rest.len()];
        number += blank.matches('\n').count();
        let begin = blank.rfind('\n').map_or(at, |newline| at + newline + 1);
        let is_line = is_comment || rest.starts_with([':', '?', '%']) || (begin == 0 && rest.starts_with("#!"));
        let indent = text.len() - rest.len() - begin;
        let length =
            if is_line { rest.find('\n').map_or(rest.len(), |newline| newline + 1) } else { input(rest, indent) };
        at = text.len() - rest.len() + length;
        if !is_comment && !rest.starts_with("#!") {
            found.push((number, begin..at));
        }
        number += rest[..length].matches('\n').count();
    }
}

/// Signs after which something must follow.
const UNFINISHED: &str = "=+-*/%<>&|^,:";

/// Words that begin what a bracket on the next line belongs to.
const HEADS: [&str; 11] = ["fn", "private", "if", "else", "for", "while", "loop", "do", "switch", "try", "catch"];

/// The length of the input that a text begins with, whose first line is indented by so many blanks.
fn input(text: &str, indent: usize) -> usize {
    let (mut head, mut last, mut depth) = ("", "", 0);
    let mut pieces = with_comments(text).peekable();
    while let Some((range, piece)) = pieces.next() {
        // A comment belongs to what follows: it may be the documentation of a function.
        if piece != Piece::Comment {
            last = &text[range.clone()];
            head = if head.is_empty() { last } else { head };
            depth += match (piece, last) {
                (Piece::Sign, "(" | "[" | "{") => 1,
                (Piece::Sign, ")" | "]" | "}") => -1,
                _ => 0,
            };
        }
        let next = pieces.peek().map_or(text.len(), |(next, _)| next.start);
        if let Some(newline) = text[range.end..next].find('\n')
            && depth <= 0
            && !head.is_empty()
            && !goes_on(head, last, indent, &text[range.end + newline..])
        {
            return range.end + newline + 1;
        }
    }
    text.len()
}

/// Signs with which no input begins.
const BINARY: [&str; 8] = ["*", "&", "==", "!=", "<", ">", "^", "/ "];

/// Signs that go on with something in a script, and may begin an input.
const BOTH: [&str; 9] = ["+", "-", "[", "(", "..", "|", "%", "/", "?"];

/// Words after which something must follow.
const OPEN_WORDS: [&str; 6] = ["else", "catch", "try", "loop", "do", "in"];

/// Whether an input in which nothing is open, and whose first line is indented by so many blanks, goes on with `rest`, which begins with the end
/// of a line. As people write it, what goes on is indented; in a script it need not be.
fn goes_on(head: &str, last: &str, indent: usize, rest: &str) -> bool {
    // Comments may stand between, but the documentation of a function begins something.
    let is_comment = |line: &str| line.starts_with("//") && !line.starts_with("///");
    let mut lines =
        rest.split_inclusive('\n').skip_while(|line| line.trim().is_empty() || is_comment(line.trim_start()));
    let Some(line) = lines.next() else { return false };
    let begun = line.trim_start();
    let is_deeper = line.len() - begun.len() > indent;
    let begins = |signs: &[&str]| signs.iter().any(|sign| begun.starts_with(sign));
    let is_whole = [";", "}"].contains(&last);
    let next = begun.split(|c| !is_word(c)).next().unwrap_or_default();
    let member = begun.starts_with('.') && !begun.starts_with("..") && last != ";";
    let block = begun.starts_with('{') && HEADS.contains(&head) && !is_whole;
    let operator = !is_whole && !begun.starts_with("//") && (begins(&BINARY) || is_deeper && begins(&BOTH));
    UNFINISHED.contains(last)
        || OPEN_WORDS.contains(&last)
        || ["else", "catch"].contains(&next)
        || (head == "do" && ["while", "until"].contains(&next))
        || member
        || block
        || operator
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_end_where_nothing_is_open_and_the_next_line_can_begin_one() {
        let of =
            |text: &str| inputs(text).into_iter().map(|(n, input)| (n, input.trim().to_string())).collect::<Vec<_>>();
        let is = |text: &str, parts: &[(usize, &str)]| {
            let parts: Vec<_> = parts.iter().map(|(n, part)| (*n, part.to_string())).collect();
            assert_eq!(of(text), parts, "{text}");
        };
        is("1 + 2", &[(1, "1 + 2")]);
        is("let x = 1\n\nx + 1\n", &[(1, "let x = 1"), (3, "x + 1")]);
        is("fn f(x) {\n\n  2 * x\n}\nf(2)\n", &[(1, "fn f(x) {\n\n  2 * x\n}"), (5, "f(2)")]);
        is("/// Twice x.\nfn f(x)\n{ 2 * x }\nf(2)", &[(1, "/// Twice x.\nfn f(x)\n{ 2 * x }"), (4, "f(2)")]);
        is("if a { 1 }\nelse { 2 }\nelsewhere", &[(1, "if a { 1 }\nelse { 2 }"), (3, "elsewhere")]);
        is("let a =\n  1 + // one\n  2\n[a]\n  .len()", &[(1, "let a =\n  1 + // one\n  2"), (4, "[a]\n  .len()")]);
        // What goes on is indented, or begins with what begins no input.
        is("let a = 1\n  + 2\na", &[(1, "let a = 1\n  + 2"), (3, "a")]);
        is("let a = 1\n+ 2\na", &[(1, "let a = 1"), (2, "+ 2"), (3, "a")]);
        is("  let a = b\n  [1]\n    [2]", &[(1, "let a = b"), (2, "[1]\n    [2]")]);
        is("let ok = c\n&& d\n  || e\nok;\n  -1", &[(1, "let ok = c\n&& d\n  || e"), (4, "ok;"), (5, "-1")]);
        is("let f = |v| v\n  - 1\nif a { 1 }\n  [2]", &[(1, "let f = |v| v\n  - 1"), (3, "if a { 1 }"), (4, "[2]")]);
        // Comments stand between.
        is("let b = a\n// c\n  .sum()\nb", &[(1, "let b = a\n// c\n  .sum()"), (4, "b")]);
        is("if a { 1 }\n// c\nelse { 2 }\n// d\n3", &[(1, "if a { 1 }\n// c\nelse { 2 }"), (5, "3")]);
        is(
            "do { a }\nwhile b\ntry { a } catch\n(e)\n{ 1 }",
            &[(1, "do { a }\nwhile b"), (3, "try { a } catch\n(e)\n{ 1 }")],
        );
        is(":vars (\n?merge\n// exit\nexit", &[(1, ":vars ("), (2, "?merge"), (4, "exit")]);
        is("#!/usr/bin/env cpsd\n1", &[(2, "1")]);
        is("f(\n1\n", &[(1, "f(\n1")]);
        is("\n// nothing\n", &[]);
        is("\n\n", &[]);
    }

    #[test]
    fn lines_that_a_script_reads_otherwise_are_told() {
        assert_eq!(doubtful("let a = 1\n+ 2\n[a]\na;\n-1\n:vars\n(2)\nfn f() { 1 }\n[3]"), [(2, "+"), (3, "[")]);
        assert_eq!(doubtful("let a = 1\n  + 2\na"), []);
    }

    #[test]
    fn a_text_gets_the_ends_of_its_inputs() {
        let of = |text: &str| ended(text).unwrap_or_default();
        assert_eq!(of("let x = 1 // one\n\nlet y = [\n  2\n]\nx"), "let x = 1; // one\n\nlet y = [\n  2\n];\nx");
        assert_eq!(of("let x = 1;\nfn f() {\n  2\n}\nf()\n// end"), "let x = 1;\nfn f() {\n  2\n};\nf()\n// end");
        assert_eq!(ended("let x = [\n1\n]\n"), None);
        // What goes on in the next line is one input.
        assert_eq!(ended("let x = a\n  .b(1)"), None);
        assert_eq!(of("let x = a\n  + b\nx"), "let x = a\n  + b;\nx");
    }
}
