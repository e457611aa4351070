//! As much XML as annotation files need: elements and their text. Attributes, comments and declarations are passed over.

/// An element, its own text (trimmed) and the elements in it.
#[derive(Debug, Default, PartialEq)]
pub struct Element {
    pub name: String,
    pub text: String,
    pub children: Vec<Element>,
    /// The line that it starts on, from 1.
    pub line: usize,
}

/// A mistake: its line, and what it is.
pub type Fault = (usize, String);

/// No annotation is nested like this; a file that is would exhaust the stack.
const DEEPEST: usize = 64;

impl Element {
    /// The first child of that name.
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|c| c.name == name)
    }
}

/// The root element. Errors name the line.
pub fn parse(text: &str) -> Result<Element, Fault> {
    let mut open: Vec<Element> = vec![Element::default()];
    let mut rest = text;
    let line_at = |rest: &str| super::text::line_of(&text.as_bytes()[..text.len() - rest.len()]);
    while let Some(start) = rest.find('<') {
        let Some(current) = open.last_mut() else { break };
        let own = rest[..start].trim();
        if !own.is_empty() {
            current.text += &unescape(own);
        }
        rest = &rest[start..];
        let line = line_at(rest);
        if let Some(inside) = rest.strip_prefix("<!--") {
            rest = after(inside, "-->").ok_or((line, "a comment is not closed".to_string()))?.1;
        } else if let Some(inside) = rest.strip_prefix("<![CDATA[") {
            let (data, behind) = after(inside, "]]>").ok_or((line, "a CDATA section is not closed".to_string()))?;
            current.text += data;
            rest = behind;
        } else {
            let (tag, behind) =
                after(&rest[1..], ">").ok_or((line, "a tag is not closed: the file ends in the middle".to_string()))?;
            rest = behind;
            if tag.starts_with(['?', '!']) {
                continue;
            }
            if let Some(name) = tag.strip_prefix('/') {
                let (name, closed) = (name.trim(), open.pop());
                match (closed, open.last_mut()) {
                    (Some(closed), Some(parent)) if closed.name == name => parent.children.push(closed),
                    (Some(closed), Some(_)) => {
                        return Err((
                            line,
                            format!(
                                "</{name}> where </{}> (open since line {}) was expected",
                                closed.name, closed.line
                            ),
                        ));
                    }
                    _ => return Err((line, format!("</{name}> closes nothing"))),
                }
                continue;
            }
            let (tag, alone) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
            let name = tag.split_whitespace().next().unwrap_or("").to_string();
            if name.is_empty() {
                return Err((line, "a tag has no name".into()));
            }
            let element = Element { name, line, ..Default::default() };
            if alone {
                current.children.push(element);
            } else if open.len() > DEEPEST {
                return Err((line, format!("elements are nested more than {DEEPEST} deep")));
            } else {
                open.push(element);
            }
        }
    }
    match (open.pop(), open.is_empty()) {
        (Some(mut whole), true) => match whole.children.len() {
            1 => Ok(whole.children.remove(0)),
            n => Err((1, format!("expected one root element; got {n}"))),
        },
        (Some(last), false) => Err((last.line, format!("<{}> is not closed: the file ends in the middle", last.name))),
        (None, _) => Err((1, "expected one root element; got none".into())),
    }
}

/// What stands before and after the first `end`.
fn after<'a>(text: &'a str, end: &str) -> Option<(&'a str, &'a str)> {
    text.split_once(end)
}

fn unescape(text: &str) -> String {
    if !text.contains('&') {
        return text.into();
    }
    // The ampersand last, so that what it uncovers is not read again.
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_text_and_what_is_passed_over() {
        let root = parse("<?xml version=\"1.0\"?>\n<!-- <x> -->\n<a k=\"v\">\n <b>one &amp; <![CDATA[<two>]]></b><c/>\n <b>x</b>\n</a>\n").unwrap();
        assert_eq!((root.name.as_str(), root.line, root.children.len()), ("a", 3, 3));
        assert_eq!(root.child("b").unwrap().text, "one &<two>");
        assert_eq!(root.children[2].text, "x");
    }

    #[test]
    fn mistakes_have_lines() {
        assert_eq!(
            parse("<a>\n<b>\n</a>").unwrap_err(),
            (3, "</a> where </b> (open since line 2) was expected".into())
        );
        assert_eq!(parse("<a>\n<b>x").unwrap_err(), (2, "<b> is not closed: the file ends in the middle".into()));
        assert_eq!(parse("<a>\n<b").unwrap_err().0, 2);
        assert_eq!(parse("").unwrap_err().1, "expected one root element; got 0");
        assert_eq!(parse("</a>").unwrap_err().1, "</a> closes nothing");
        assert!(parse(&"<a>".repeat(1000)).unwrap_err().1.contains("nested"));
    }
}
