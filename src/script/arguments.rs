//! Finds the arguments that a script takes, without running it.

use rhai::{ASTNode, Expr, Scope, Stmt};

use super::errors::Failure;
use super::host::Declared;
use super::parsing;
use super::session::Session;

/// The arguments that a script takes, as far as its text tells.
pub struct Arguments {
    /// Those with a literal name, in order of appearance.
    pub declared: Vec<Declared>,
    /// It takes others, whose names it computes.
    pub computed: bool,
}

/// Finds every `arg("name", default, "help")` of a script.
///
/// Errors: the script cannot be read.
pub fn declared(session: &Session, text: &str, name: &str) -> Result<Arguments, Failure> {
    session.sources.add(name, text);
    let ast = parsing::parse(&session.engine, &Scope::new(), text)
        .map_err(|e| Failure::from_rhai(*e, name, &session.sources, &[]))?;
    let mut found: Vec<(rhai::Position, Declared)> = Vec::new();
    let mut computed = false;
    ast.walk(&mut |path: &[ASTNode]| {
        let call = match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, pos))) => Some((call, *pos)),
            Some(ASTNode::Stmt(Stmt::FnCall(call, pos))) => Some((call, *pos)),
            _ => None,
        };
        if let Some((call, pos)) = call
            && call.name == "arg"
        {
            let Some(Expr::StringConstant(name, _)) = call.args.first() else {
                computed = true;
                return true;
            };
            let default = call.args.get(1).map_or(String::new(), written);
            let help = match call.args.get(2) {
                Some(Expr::StringConstant(help, _)) => help.to_string(),
                _ => String::new(),
            };
            if !found.iter().any(|(_, d)| d.name == name.as_str()) {
                found.push((pos, Declared { name: name.to_string(), default, help }));
            }
        }
        true
    });
    found.sort_by_key(|(pos, _)| *pos);
    Ok(Arguments { declared: found.into_iter().map(|(_, d)| d).collect(), computed })
}

/// The parts of an argument between commas; one within brackets or quotes parts nothing. A quotation mark inside a word is a letter as any other.
pub fn parts(text: &str) -> Vec<&str> {
    let (mut parts, mut begin) = (Vec::new(), 0);
    let (mut depth, mut quoted, mut last) = (0_usize, false, ',');
    for (at, c) in text.char_indices() {
        match c {
            '"' if quoted => quoted = false,
            _ if quoted => {}
            '"' if matches!(last, ',' | '[') => quoted = true,
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&text[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
        if !c.is_whitespace() {
            last = c;
        }
    }
    parts.push(&text[begin..]);
    parts
}

/// A default as written on the command line. () is that of an argument which is a text, or not given.
fn written(expr: &Expr) -> String {
    match expr.get_literal_value(None) {
        Some(value) if value.is_unit() => String::new(),
        Some(value) => match value.as_array_ref() {
            Ok(array) => array.iter().map(super::show::plain).collect::<Vec<_>>().join(","),
            Err(_) => super::show::plain(&value),
        },
        None => match expr {
            Expr::Array(items, _) => items.iter().map(written).collect::<Vec<_>>().join(","),
            _ => "...".into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_brackets_and_quotes_part_nothing() {
        for (text, expected) in [
            ("2,3", "2|3"),
            ("[1,2]", "[1,2]"),
            ("[1,2],[3]", "[1,2]|[3]"),
            ("[[1,2],[3]],4", "[[1,2],[3]]|4"),
            ("\"a,b\",c", "\"a,b\"|c"),
            ("[\"a]\", \"b,c\"] , d", "[\"a]\", \"b,c\"] | d"),
            // Inches.
            ("5\",6\"", "5\"|6\""),
            ("a],b", "a]|b"),
            ("[1,2", "[1,2"),
            ("é,,ü", "é||ü"),
            ("", ""),
        ] {
            assert_eq!(parts(text).join("|"), expected, "{text}");
        }
    }
}
