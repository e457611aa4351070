//! XML of annotation files, read by roxmltree, with errors in our own sentences.

use std::path::Path;

use roxmltree::{Document, Error, Node, ParsingOptions};

use crate::error::{self, Error as FileError};
use crate::files;
use crate::tables::TextFile;

/// A mistake: its line and a sentence.
pub type Fault = (usize, String);

/// Limits that no annotation reaches.
const MOST_NODES: u32 = 1 << 20;
const MOST_ATTRIBUTES: usize = 1000;
const MOST_NAMESPACES: usize = 1000;

/// Reads a file in the encoding of its byte-order mark, in the given one, or in that of its XML declaration; in UTF-8
/// where there is none.
///
/// Errors: Io; an unknown encoding; text in another encoding.
pub fn read(path: &Path, encoding: Option<&str>) -> error::Result<TextFile> {
    let bytes = files::read(path)?;
    if encoding.is_some() {
        return TextFile::decoded(path, bytes, encoding);
    }
    let declared = declared(&bytes);
    TextFile::decoded(path, bytes, declared.as_deref()).map_err(|error| match (&declared, error.about.as_ref()) {
        (Some(name), Some(error::About::Name(_))) => {
            let what = format!("the XML declaration names the unknown encoding \"{name}\"");
            FileError { help: error.help, ..FileError::data(format!("{}, line 1: {what}", path.display())) }
                .about_file(path)
        }
        _ => error,
    })
}

/// The encoding that the XML declaration names, if it is not UTF-8. A declaration that can be read as ASCII is not
/// UTF-16, whatever it says.
fn declared(bytes: &[u8]) -> Option<String> {
    if bytes.starts_with(b"<\0?\0x\0") {
        return Some("utf-16le".into());
    }
    if bytes.starts_with(b"\0<\0?\0x") {
        return Some("utf-16be".into());
    }
    let head = &bytes[..bytes.len().min(256)];
    let head = head.strip_prefix(b"<?xml")?;
    let end = head.windows(2).position(|w| w == b"?>")?;
    let declaration = std::str::from_utf8(&head[..end]).ok()?;
    let (_, value) = declaration.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|q| matches!(q, '"' | '\''))?;
    let name = value[1..].split(quote).next()?.trim().to_string();
    let lower = name.to_ascii_lowercase();
    let other = !["utf-8", "utf8"].contains(&lower.as_str()) && !lower.starts_with("utf-16");
    other.then_some(name)
}

/// Errors: text that is not well-formed XML, that declares entities, or that exceeds a limit; a reference to no character.
pub fn parse(text: &str) -> Result<Document<'_>, Fault> {
    if let Some((at, what)) = bomb(text).or_else(|| no_character(text)) {
        return Err((1 + text[..at].matches('\n').count(), what));
    }
    let options = ParsingOptions { allow_dtd: true, nodes_limit: MOST_NODES, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|error| fault(text, &error))
}

/// The child element of that name.
///
/// Errors: two of them, of which neither is known to be the right one.
pub fn child<'a, 'input>(element: Node<'a, 'input>, name: &str) -> Result<Option<Node<'a, 'input>>, Fault> {
    let mut children = element.children().filter(|c| c.has_tag_name(name));
    match (children.next(), children.next()) {
        (Some(first), Some(second)) => {
            let what = format!(
                "the <{}> of line {} has a second <{name}>, \"{}\"; its first is \"{}\"",
                element.tag_name().name(),
                line(element),
                text(second),
                text(first)
            );
            Err((line(second), what))
        }
        (only, _) => Ok(only),
    }
}

/// The text directly inside an element, trimmed.
pub fn text(element: Node) -> String {
    let texts: String = element.children().filter(Node::is_text).filter_map(|n| n.text()).collect();
    texts.trim().to_string()
}

/// The line that an element starts on, from 1. For errors only: each call passes over the text.
pub fn line(element: Node) -> usize {
    element.document().text_pos_at(element.range().start).row as usize
}

/// Finds contents on which roxmltree would spend minutes or all memory: it expands entities without a limit on their
/// length, and its time grows with the square of the attributes of a tag and the cube of nested namespaces.
fn bomb(text: &str) -> Option<(usize, String)> {
    if let Some(at) = text.find("<!ENTITY") {
        return Some((at, "an annotation cannot declare entities".into()));
    }
    if let Some((at, _)) = text.match_indices("xmlns").nth(MOST_NAMESPACES) {
        return Some((at, format!("expected at most {MOST_NAMESPACES} namespaces")));
    }
    let mut attributes = 0;
    let many = text.bytes().position(|byte| {
        match byte {
            b'<' => attributes = 0,
            b'=' => attributes += 1,
            _ => {}
        }
        attributes > MOST_ATTRIBUTES
    });
    many.map(|at| (at, format!("expected at most {MOST_ATTRIBUTES} attributes in a tag")))
}

/// Finds a reference by a number that no character has: roxmltree takes some of them for U+FFFD.
fn no_character(text: &str) -> Option<(usize, String)> {
    // What stands between these is no reference.
    const VERBATIM: [(&str, &str); 3] = [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")];
    if !text.contains("&#") {
        return None;
    }
    let mut at = 0;
    while let Some(next) = text[at..].find(['<', '&']) {
        at += next;
        let rest = &text[at..];
        if let Some((open, close)) = VERBATIM.iter().find(|(open, _)| rest.starts_with(open)) {
            at += open.len() + rest[open.len()..].find(close)? + close.len();
            continue;
        }
        let inside = rest.strip_prefix("&#").unwrap_or("");
        let end = inside.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(inside.len());
        let reference = &inside[..end];
        if inside[end..].starts_with(';') && is_no_character(reference) {
            return Some((at, format!("&#{reference}; stands for no character")));
        }
        at += 1;
    }
    None
}

/// Whether the number of a reference, as `233` or `xE9`, is that of no character which XML may have.
fn is_no_character(reference: &str) -> bool {
    let (digits, radix) = reference.strip_prefix('x').map_or((reference, 10), |digits| (digits, 16));
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        // The parser says that it is no reference.
        return false;
    }
    let character = u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
    character.is_none_or(|c| c < ' ' && !matches!(c, '\t' | '\n' | '\r') || matches!(c, '\u{fffe}' | '\u{ffff}'))
}

fn fault(text: &str, error: &Error) -> Fault {
    let place = error.pos();
    let line = place.row as usize;
    let line_of = |at: Option<usize>| 1 + text[..at.unwrap_or(0)].matches('\n').count();
    match error {
        Error::UnexpectedCloseTag(expected, actual, _) => {
            let open = open_elements(text).last().map_or(1, |(_, line)| *line);
            (line, format!("</{actual}> where </{expected}> (open since line {open}) was expected"))
        }
        Error::InvalidString("-->", _) => (line_of(text.rfind("<!--")), "a comment is not closed".into()),
        Error::InvalidString("]]>", _) => (line_of(text.rfind("<![CDATA[")), "a CDATA section is not closed".into()),
        Error::UnclosedRootNode | Error::UnexpectedEndOfStream | Error::NoRootNode => {
            let last = text.rfind('<');
            if last.is_some_and(|tag| !text[tag..].contains('>')) {
                return (line_of(last), "a tag is not closed: the file ends in the middle".into());
            }
            match open_elements(text).last() {
                Some((name, line)) => (*line, format!("<{name}> is not closed: the file ends in the middle")),
                None => (1, "expected one root element; got 0".into()),
            }
        }
        Error::InvalidName(_) | Error::UnknownToken(_) => {
            let there = text.split('\n').nth(line - 1).unwrap_or("");
            let there = there.char_indices().nth(place.col as usize - 1).map_or("", |(at, _)| &there[at..]);
            // An invalid name is placed behind its "<".
            let tag = there.strip_prefix('<').or(matches!(error, Error::InvalidName(_)).then_some(there));
            match tag.map(|tag| (tag.strip_prefix('/'), name_of(tag))) {
                Some((Some(closing), _)) => (line, format!("</{}> closes nothing", name_of(closing))),
                Some((None, "")) => (line, "a tag has no name".into()),
                Some((None, name)) if matches!(error, Error::InvalidName(_)) => {
                    (line, format!("\"{name}\" is no name"))
                }
                Some((None, name)) if name.starts_with(['!', '?']) => (line, format!("<{name} is not allowed here")),
                Some(_) => (1, "expected one root element; got 2".into()),
                None => (line, "text outside of the root element".into()),
            }
        }
        Error::MalformedEntityReference(_) => (line, "a & must begin a reference, as in &amp;".into()),
        Error::UnknownEntityReference(name, _) => (line, format!("the entity &{name}; is not declared")),
        Error::NodesLimitReached => (1, format!("expected at most {MOST_NODES} elements and texts")),
        other => (line, format!("not well-formed XML: {}", other.to_string().replace(&format!(" at {place}"), ""))),
    }
}

/// Names and lines of the elements that are open at the end or at the first closing tag that does not match.
///
/// For errors only: the text was parsed up to there. A tag inside a comment counts as one.
fn open_elements(text: &str) -> Vec<(&str, usize)> {
    let (mut open, mut line) = (Vec::new(), 1);
    for (i, piece) in text.split('<').enumerate() {
        let tag = piece.split('>').next().unwrap_or("");
        match tag.strip_prefix('/') {
            _ if i == 0 || tag.starts_with(['!', '?']) || tag.ends_with('/') => {}
            Some(name) if open.last().is_none_or(|(last, _)| *last != name_of(name)) => break,
            Some(_) => drop(open.pop()),
            None => open.push((name_of(tag), line)),
        }
        line += piece.matches('\n').count();
    }
    open
}

/// The name at the start of the inside of a tag.
fn name_of(tag: &str) -> &str {
    tag.split(|c: char| c.is_whitespace() || "/>".contains(c)).next().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_and_their_text() {
        let document = parse("<?xml version=\"1.0\"?>\n<!-- <x> -->\n<a k=\"v\">\n <b>one &amp; <![CDATA[<two>]]></b><c/>\n <b>x</b>\n</a>\n").unwrap();
        let root = document.root_element();
        assert_eq!((root.tag_name().name(), line(root)), ("a", 3));
        assert_eq!(root.children().filter(Node::is_element).map(text).collect::<Vec<_>>(), ["one & <two>", "", "x"]);
        assert_eq!(child(root, "c").unwrap().map(line), Some(4));
        assert_eq!(child(root, "d").unwrap(), None);
        let twice = "the <a> of line 3 has a second <b>, \"x\"; its first is \"one & <two>\"";
        assert_eq!(child(root, "b").unwrap_err(), (5, twice.to_string()));
    }

    #[test]
    fn references_are_characters() {
        let document = parse("<!DOCTYPE a SYSTEM 'a.dtd'>\n<a>caf&#233; &#xE9;&lt;&quot;</a>").unwrap();
        assert_eq!(text(document.root_element()), "café é<\"");
        let document = parse("<a>&#xFFFD;&#x1F98A;<![CDATA[&#0;]]></a>").unwrap();
        assert_eq!(text(document.root_element()), "\u{fffd}\u{1f98a}&#0;");
    }

    #[test]
    fn mistakes_have_lines() {
        let fault = |text: &str| parse(text).map(|_| ()).unwrap_err();
        let at = |line: usize, what: &str| (line, what.to_string());
        assert_eq!(fault("<a>\n<b>\n</a>"), at(3, "</a> where </b> (open since line 2) was expected"));
        assert_eq!(fault("<a>\n<b>x"), at(2, "<b> is not closed: the file ends in the middle"));
        assert_eq!(fault("<a>\n<b"), at(2, "a tag is not closed: the file ends in the middle"));
        assert_eq!(fault(""), at(1, "expected one root element; got 0"));
        assert_eq!(fault("<a/>\n<b/>"), at(1, "expected one root element; got 2"));
        assert_eq!(fault("<a/>\nb"), at(2, "text outside of the root element"));
        assert_eq!(fault("</a>"), at(1, "</a> closes nothing"));
        assert_eq!(fault("<a>\n<></a>"), at(2, "a tag has no name"));
        assert_eq!(fault("<a>\n<1/></a>"), at(2, "\"1\" is no name"));
        assert_eq!(fault("<a>\n<!-- x"), at(2, "a comment is not closed"));
        assert_eq!(fault("<a>\n<![CDATA[x"), at(2, "a CDATA section is not closed"));
        assert_eq!(fault("<a>\nR&B</a>"), at(2, "a & must begin a reference, as in &amp;"));
        for none in ["&#x110000;", "&#xD800;", "&#0;", "&#xFFFF;", "&#99999999999999;", "&#8;"] {
            let what = format!("{none} stands for no character");
            assert_eq!(fault(&format!("<a>\n<?p &#0;?><!-- &#0; -->\n{none}</a>")), at(3, &what));
            assert_eq!(fault(&format!("<a>\n<b k='{none}'/></a>")), at(2, &what));
        }
        assert_eq!(fault("<a>\n&#;</a>"), at(2, "a & must begin a reference, as in &amp;"));
        assert_eq!(fault("<a>\n&#1</a>"), at(2, "a & must begin a reference, as in &amp;"));
        assert_eq!(fault("<a>\n&nbsp;</a>"), at(2, "the entity &nbsp; is not declared"));
        assert_eq!(fault("<a>\n<b k=1/></a>"), at(2, "not well-formed XML: expected a quote not '1'"));
    }

    #[test]
    fn encodings_that_declarations_name() {
        let of = |text: &str| declared(text.as_bytes());
        assert_eq!(of("<?xml version='1.0' encoding='ISO-8859-1'?><a/>").as_deref(), Some("ISO-8859-1"));
        assert_eq!(of("<?xml version=\"1.0\" encoding = \"gbk\" standalone=\"yes\"?>\n<a/>").as_deref(), Some("gbk"));
        for none in
            ["<?xml version='1.0' encoding='UTF-8'?>", "<?xml encoding='utf-16'?>", "<?xml version='1.0'?>", "<a/>", ""]
        {
            assert_eq!(of(none), None, "{none}");
        }
        assert_eq!(declared(b"<\0?\0x\0m\0l\0").as_deref(), Some("utf-16le"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.xml");
        std::fs::write(&path, b"<?xml version='1.0' encoding='iso-8859-1'?>\n<a>B\xe4r</a>").unwrap();
        let file = super::read(&path, None).unwrap();
        assert_eq!(text(parse(file.content()).unwrap().root_element()), "Bär");
        std::fs::write(&path, b"<?xml version='1.0' encoding='iso-8859-99'?>\n<a/>").unwrap();
        let error = super::read(&path, None).unwrap_err();
        assert!(
            error.message.ends_with("x.xml, line 1: the XML declaration names the unknown encoding \"iso-8859-99\"")
        );
        assert!(error.help.is_some());
    }

    #[test]
    fn bombs_are_refused() {
        let what = |text: &str| parse(text).map(|_| ()).unwrap_err().1;
        let entities = "<!DOCTYPE a [<!ENTITY e 'boom'>]><a>&e;</a>";
        assert_eq!(parse(entities).unwrap_err(), (1, "an annotation cannot declare entities".into()));
        let nested: String = (0..2000).map(|i| format!("<a xmlns:n{i}='{i}'>")).collect();
        assert_eq!(what(&nested), "expected at most 1000 namespaces");
        let attributes: String = (0..2000).map(|i| format!(" k{i}=''")).collect();
        assert_eq!(what(&format!("<a{attributes}/>")), "expected at most 1000 attributes in a tag");
        assert_eq!(what(&"<a>".repeat(100_000)), "<a> is not closed: the file ends in the middle");
        let elements = "<b/>".repeat(MOST_NODES as usize);
        assert_eq!(what(&format!("<a>{elements}</a>")), "expected at most 1048576 elements and texts");
    }
}
