//! How values are printed by `print`, the prompt and error messages.

use rhai::{Dynamic, FnPtr};

use super::{explain, vocabulary};
use crate::activity::width::LONGEST;

/// The name of a value's type as a user knows it: `Partition`, `array`, `integer`.
pub fn type_name(value: &Dynamic) -> String {
    vocabulary::user_name(value.type_name())
}

/// The same with its article: `a Partition`, `an integer`.
pub fn a_type(value: &Dynamic) -> String {
    vocabulary::a_user_name(value.type_name())
}

/// A value as `print` shows it: strings as they are.
pub fn plain(value: &Dynamic) -> String {
    match value.as_immutable_string_ref() {
        Ok(text) => text.to_string(),
        Err(_) => show(value),
    }
}

/// A value as the prompt shows it: strings in quotes, numbers short, arrays and maps laid out to be read.
pub fn show(value: &Dynamic) -> String {
    if value.is_unit() {
        return "()".into();
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return quoted(text.as_str());
    }
    if let Ok(x) = value.as_float() {
        return number(x);
    }
    if let Ok(array) = value.as_array_ref() {
        let items: Vec<String> = array.iter().take(MOST).map(show).collect();
        let more = array.len().saturating_sub(MOST);
        return lay_out("[", items, "]", more);
    }
    if let Ok(map) = value.as_map_ref() {
        if let Some((error, _)) = explain::caught(&map) {
            return explain::alone(error).message;
        }
        let items: Vec<String> = map.iter().take(MOST).map(|(k, v)| format!("{k}: {}", show(v))).collect();
        let more = map.len().saturating_sub(MOST);
        return lay_out("#{", items, "}", more);
    }
    if let Some(closure) = value.read_lock::<FnPtr>().and_then(|held| explain::written_closure(&held)) {
        return closure;
    }
    if let Some(kind) = vocabulary::kind_of(value) {
        // Whoever prints it ends the line.
        return (kind.show)(value).trim_end_matches('\n').to_string();
    }
    value.to_string()
}

/// A text as a script would write it, on one line: `"a\n"`. What cannot be seen is an escape.
pub fn quoted(text: &str) -> String {
    let written = format!("{text:?}");
    // Rust writes \0 and \u{1b}, which the language does not know.
    let mut out = String::with_capacity(written.len());
    let mut rest = &written[..];
    while let Some(at) = rest.find('\\') {
        let escape = &rest[at + 1..];
        out.push_str(&rest[..at]);
        let code = escape.strip_prefix("u{").and_then(|code| code.split_once('}'));
        let number = code.and_then(|(code, _)| u32::from_str_radix(code, 16).ok());
        let (number, length) = match (number, code) {
            (Some(number), Some((code, _))) => (Some(number), code.len() + 3),
            _ if escape.starts_with('0') => (Some(0), 1),
            _ => (None, 1),
        };
        match number {
            Some(code @ 0..0x80) => out.push_str(&format!("\\x{code:02x}")),
            Some(code @ 0x80..0x1_0000) => out.push_str(&format!("\\u{code:04x}")),
            Some(code) => out.push_str(&format!("\\U{code:08x}")),
            None => out.push_str(&rest[at..at + 1 + length]),
        }
        rest = &escape[length..];
    }
    out.push_str(rest);
    out
}

/// The first line of `show`'s text, at most `most` characters of it.
pub fn short(value: &Dynamic, most: usize) -> String {
    let text = show(value);
    let line: String = text.lines().next().unwrap_or_default().chars().take(most).collect();
    if line.len() < text.len() { format!("{line} ...") } else { line }
}

/// An array of ten thousand names is summarised, not printed.
const MOST: usize = 200;

/// On one line when it fits in [`LONGEST`] columns, otherwise one item per line.
fn lay_out(open: &str, items: Vec<String>, close: &str, more: usize) -> String {
    let mut items = items;
    if more > 0 {
        items.push(format!("... {more} more"));
    }
    let one_line = items.join(", ");
    if one_line.chars().count() <= LONGEST && !one_line.contains('\n') {
        return format!("{open}{one_line}{close}");
    }
    if items.iter().all(|i| i.chars().count() <= 30 && !i.contains('\n')) {
        return format!("{open}{}{close}", wrap(&items, LONGEST));
    }
    let indented: Vec<String> = items.iter().map(|i| format!("  {}", i.trim_end().replace('\n', "\n  "))).collect();
    format!("{open}\n{}\n{close}", indented.join(",\n"))
}

fn wrap(items: &[String], width: usize) -> String {
    let (mut out, mut column) = (String::new(), 0);
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(',');
            column += 1;
            if column + item.chars().count() > width {
                out.push_str("\n ");
                column = 1;
            } else {
                out.push(' ');
                column += 1;
            }
        }
        out.push_str(item);
        column += item.chars().count();
    }
    out
}

/// Six significant digits, and always visibly a float.
pub fn number(x: f64) -> String {
    if !x.is_finite() {
        return x.to_string();
    }
    if x != 0.0 && !(1e-4..1e9).contains(&x.abs()) {
        return format!("{x:.5e}");
    }
    let digits = (6 - x.abs().max(1.0).log10().floor() as i32 - 1).max(1) as usize;
    let text = format!("{x:.digits$}");
    let trimmed = text.trim_end_matches('0');
    if trimmed.ends_with('.') { format!("{trimmed}0") } else { trimmed.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_look_like_floats() {
        assert_eq!(number(1.0), "1.0");
        assert_eq!(number(0.1 + 0.2), "0.3");
        assert_eq!(number(82.345678), "82.3457");
        assert_eq!(number(1.5e-7), "1.50000e-7");
    }

    #[test]
    fn a_caught_error_says_what_an_uncaught_one_does() {
        let mut session = crate::primitives::session();
        for (code, says) in [
            (
                "let w = 2; let f = |a, b| a * w + b; f.call(1)",
                "the closure |a, b| takes 2 arguments; it is called with 1 (integer)",
            ),
            ("[1].map(|a, b, c| a)", "the closure |a, b, c| takes 3 arguments; it is called with 2 (integer, integer)"),
            ("[1].map(|a| a.foo())", "there is no function foo(integer)"),
            ("[1].map(|a| { let t = tensor([1.0]); t.shpe })", "a Tensor has no \"shpe\""),
            ("[1].map(|a| { let m = #{k: a}; m.l })", "there is no key \"l\" in this map"),
        ] {
            assert_eq!(session.eval(code, "test").unwrap_err().message, says);
            for said in ["`${e}`", "e.to_string()", "\"\" + e"] {
                let text = format!("let s = (); try {{ {code} }} catch (e) {{ s = {said}; }} s");
                assert_eq!(plain(&session.eval(&text, "test").unwrap()), says, "{text}");
            }
            let again = format!("try {{ {code} }} catch (e) {{ throw e; }}");
            assert_eq!(session.eval(&again, "test").unwrap_err().message, says);
        }
    }

    #[test]
    fn closures_are_shown_by_their_parameters() {
        let mut session = crate::primitives::session();
        let code = "let w = 2; let f = |a, b| a * w + b; fn g(x) { x } [f, #{k: || 1}, Fn(\"g\"), `${f}`, f.curry(1)]";
        let value = session.eval(code, "test").unwrap();
        assert_eq!(show(&value), r#"[|a, b| ..., #{k: || ...}, Fn(g), "|a, b| ...", |b| ...]"#);
        assert_eq!(session.function_signatures(), ["g(x)"]);
    }

    #[test]
    fn texts_are_written_as_the_language_reads_them() {
        for (text, written) in [
            ("a \"b\" \\ 'c'", r#""a \"b\" \\ 'c'""#),
            ("one\ntwo\tthree\r", r#""one\ntwo\tthree\r""#),
            ("\u{1b}[31m\0", r#""\x1b[31m\x00""#),
            ("\u{200b}\u{e0001}größe 🐈", r#""\u200b\U000e0001größe 🐈""#),
            ("`${a}` // \\u{41}", r#""`${a}` // \\u{41}""#),
        ] {
            assert_eq!(quoted(text), written);
            assert_eq!(rhai::Engine::new().eval::<String>(written).unwrap(), text, "{written}");
        }
        assert_eq!(show(&vec![Dynamic::from("a\u{7}")].into()), r#"["a\x07"]"#);
    }

    #[test]
    fn long_arrays_wrap() {
        let names: rhai::Array = (0..40).map(|i| Dynamic::from(format!("label {i}"))).collect();
        let text = show(&names.into());
        assert!(text.lines().count() > 3 && text.lines().all(|l| l.len() <= LONGEST + 4), "{text}");
    }
}
