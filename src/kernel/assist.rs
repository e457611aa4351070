//! What a notebook asks about code that is not run: help at a place, and whether an input is complete.

use std::ops::Range;

use jupyter_protocol::IsCompleteReply;
use rhai::{EvalAltResult, ParseErrorType};

use crate::repl::commands;
use crate::repl::completion::Names;
use crate::repl::context::context;
use crate::repl::input::{ending, last_word, open_brackets};
use crate::repl::piped::with_ends;
use crate::repl::prompt::Prompt;
use crate::script::docs;
use crate::script::parsing::parse;
use crate::script::session::Session;
use crate::script::tokens::{Piece, is_word, pieces};

/// The byte at which the character number `at` begins, or the end of the text.
pub fn byte(text: &str, at: usize) -> usize {
    text.char_indices().nth(at).map_or(text.len(), |(byte, _)| byte)
}

/// The help on the name at a byte of `code`, else on the call around it; with `source`, what `??` shows too. None if neither is known.
pub fn inspected(prompt: &Prompt, names: &Names, code: &str, at: usize, source: bool) -> Option<String> {
    let rest = &code[at..];
    let begun = ending(&code[..at], |c| is_word(c) || c == '.' || c == ':');
    let end = at + rest.len() - rest.trim_start_matches(is_word).len();
    let name = code[at - begun.len()..end].trim_matches(['.', ':']);
    let call = context(&code[..at - last_word(&code[..at]).len()]).call;
    for name in [Some(name), call].into_iter().flatten().filter(|name| !name.is_empty()) {
        let member = || {
            let (receiver, member) = name.rsplit_once('.')?;
            let before = code[..end].strip_suffix(member)?.strip_suffix('.')?;
            let kind = names.kind(before);
            let of_kind = kind.and_then(|kind| docs::doc(Some(&format!("{kind}.{member}"))).ok());
            of_kind.or_else(|| if receiver.is_empty() { None } else { docs::doc(Some(member)).ok() })
        };
        if let Some(mut text) = commands::explained(prompt, name).ok().or_else(member) {
            if source && let Ok(source) = commands::source(prompt, name) {
                text = format!("{}\n\n{source}", text.trim_end());
            }
            return Some(text.trim_end().to_string());
        }
    }
    None
}

/// Whether an input can be run as it is.
pub fn is_complete(session: &Session, code: &str) -> IsCompleteReply {
    let of_shell = |line| commands::of_shell(line, |word| session.scope.contains(word)).is_some();
    if commands::is_command(code.trim()) || of_shell(code.trim()) {
        return IsCompleteReply::complete();
    }
    // A string in quotes ends on its line.
    let is_open =
        |(range, piece): &(Range<usize>, Piece)| *piece == Piece::Open && code[range.clone()].starts_with('"');
    if pieces(code).iter().any(is_open) {
        return IsCompleteReply::invalid();
    }
    let open = open_brackets(code);
    if open > 0 {
        return IsCompleteReply::incomplete("    ".repeat(open as usize));
    }
    match parse(&session.engine, &session.scope, &with_ends(session, code)) {
        Ok(_) => IsCompleteReply::complete(),
        Err(error) => match *error {
            // An operator or a name is missing, which may stand on the next line.
            EvalAltResult::ErrorParsing(ParseErrorType::UnexpectedEOF, _) => IsCompleteReply::incomplete(String::new()),
            _ => IsCompleteReply::invalid(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jupyter_protocol::IsCompleteReplyStatus::{Complete, Incomplete, Invalid};

    #[test]
    fn characters_are_counted_and_not_bytes() {
        assert_eq!([0, 1, 2, 3, 9].map(|at| byte("ä🐈b", at)), [0, 2, 6, 7, 7]);
    }

    #[test]
    fn open_inputs_are_told_from_wrong_ones() {
        let mut session = crate::primitives::session();
        let _ = session.eval("fn f(x) { x }", "test").unwrap();
        for (code, expected) in [
            ("1 + 2", Complete),
            ("", Complete),
            ("?train_teacher", Complete),
            (":vars", Complete),
            ("!ls -l \"my file", Complete),
            ("let a = [1, 2]; a[0]", Complete),
            ("let a = [1, 2]\na[0]", Complete),
            ("train_teacher?", Complete),
            ("if true {\n    1", Incomplete),
            ("f(1,", Incomplete),
            ("let s = `a", Incomplete),
            ("1 + /* not yet", Incomplete),
            ("let x =", Incomplete),
            ("1 +", Incomplete),
            ("let 1 = 2", Invalid),
            ("f(1))", Invalid),
            ("print(\"a)", Invalid),
        ] {
            assert_eq!(is_complete(&session, code).status, expected, "{code}");
        }
        assert_eq!(is_complete(&session, "fn g() { f(").indent, " ".repeat(8));
    }

    #[test]
    fn help_is_on_the_name_or_on_the_call_around() {
        let mut session = crate::primitives::session();
        let code = "let part = random_partition([\"a\", \"b\"], 2); let m = #{inner: part}; /// Twice x.\nfn twice(x) { 2 * x }";
        let _ = session.eval(code, "test").unwrap();
        let mut names = Names::default();
        names.refresh(&session);
        let prompt = Prompt::new(&mut session);
        let at = |code: &str, source: bool| {
            let place = code.find('|').unwrap();
            let text = inspected(&prompt, &names, &code.replace('|', ""), place, source);
            console::strip_ansi_codes(&text.unwrap_or_default()).to_string()
        };
        assert!(at("let a = spectral_par|tition(x, 2)", false).starts_with("spectral_partition(affinity, k)"));
        assert!(at("spectral_partition(|", false).starts_with("spectral_partition(affinity, k)"));
        assert!(at("spectral_partition(nothing_known, |2)", false).starts_with("spectral_partition(affinity, k)"));
        assert!(at("print(par|t)", false).starts_with("part  Partition"));
        assert!(at("part.task|s", false).contains("Partition.tasks"), "{}", at("part.task|s", false));
        assert!(at("m.inner.si|zes", false).contains("Partition.sizes"), "{}", at("m.inner.si|zes", false));
        assert!(at("random_partition([\"a\"], 1).ta|sks", false).contains("Partition.tasks"));
        assert_eq!(at("nothing_known|", false), "");
        assert_eq!(at("|", false), "");
        // The source on demand.
        let word = at("spectral_partition|", true);
        assert!(word.contains("is built in"), "{word}");
    }
}
