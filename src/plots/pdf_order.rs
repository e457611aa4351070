//! The objects of a PDF in one order. The converter keeps fonts and resources in hash maps, so that their numbers and places
//! change from call to call; here they are numbered by the way from the catalogue to them.

use std::collections::HashMap;

/// An object: what is before its stream, with references, and its stream and end, without.
struct Object {
    head: String,
    rest: Vec<u8>,
}

/// `pdf` with its objects and resources in an order that follows from its content. `None` if it is not written as the
/// converter writes.
pub fn ordered(pdf: &[u8]) -> Option<Vec<u8>> {
    let trailer_at = find_last(pdf, b"trailer\n")?;
    let trailer = std::str::from_utf8(pdf.get(trailer_at..)?).ok()?;
    let objects = objects(pdf, trailer)?;
    // The catalogue and the information are in the trailer.
    let mut order: Vec<u32> = references(trailer);
    let mut numbers: HashMap<u32, u32> = HashMap::new();
    let mut next = 0;
    while let Some(&old) = order.get(next) {
        next += 1;
        if numbers.contains_key(&old) {
            continue;
        }
        numbers.insert(old, numbers.len() as u32 + 1);
        order.extend(references(&objects.get(&old)?.head));
    }
    let mut old_by_new: Vec<(u32, u32)> = numbers.iter().map(|(old, new)| (*new, *old)).collect();
    old_by_new.sort_unstable();

    let first = pdf.windows(5).position(|w| w == b" obj\n")?;
    // Before the line of the first object, which begins with its number.
    let header = pdf.get(..pdf.get(..first)?.iter().rposition(|b| *b == b'\n')? + 1)?;
    let mut out = header.to_vec();
    let mut offsets = Vec::with_capacity(old_by_new.len());
    for (new, old) in &old_by_new {
        let object = objects.get(old)?;
        offsets.push(out.len());
        let (_, body) = object.head.split_once(" 0 obj\n")?;
        out.extend(format!("{new} 0 obj\n").bytes());
        out.extend(renumbered(body, &numbers)?.bytes());
        out.extend(&object.rest);
    }
    let start = out.len();
    out.extend(format!("xref\n0 {}\n0000000000 65535 f\r\n", offsets.len() + 1).bytes());
    for offset in &offsets {
        out.extend(format!("{offset:010} 00000 n\r\n").bytes());
    }
    let (root, info) = (references(trailer).first().copied()?, references(trailer).get(1).copied()?);
    let (root, info) = (numbers.get(&root)?, numbers.get(&info)?);
    let size = offsets.len() + 1;
    out.extend(
        format!("trailer\n<<\n  /Size {size}\n  /Root {root} 0 R\n  /Info {info} 0 R\n>>\nstartxref\n{start}\n%%EOF")
            .bytes(),
    );
    Some(out)
}

/// The objects by number, at the offsets of the cross-reference table.
fn objects(pdf: &[u8], trailer: &str) -> Option<HashMap<u32, Object>> {
    let table_at: usize = trailer.split_once("startxref\n")?.1.lines().next()?.trim().parse().ok()?;
    let table = std::str::from_utf8(pdf.get(table_at..find_last(pdf, b"trailer\n")?)?).ok()?;
    let mut offsets: Vec<(usize, u32)> = Vec::new();
    for (number, line) in table.lines().skip(2).enumerate() {
        let mut fields = line.split_whitespace();
        let offset: usize = fields.next()?.parse().ok()?;
        if fields.nth(1)? == "n" {
            offsets.push((offset, number as u32));
        }
    }
    offsets.sort_unstable();
    let ends = offsets.iter().skip(1).map(|o| o.0).chain([table_at]);
    let object = |((from, number), to): (&(usize, u32), usize)| {
        let bytes = pdf.get(*from..to)?;
        let stream = bytes.windows(8).position(|w| w == b"\nstream\n").unwrap_or(bytes.len());
        let head = sorted(std::str::from_utf8(&bytes[..stream]).ok()?);
        Some((*number, Object { head, rest: bytes[stream..].to_vec() }))
    };
    offsets.iter().zip(ends).map(object).collect()
}

/// The text with neighbouring entries of resources, lines such as `/fo0 1 0 R`, in the order of their names.
fn sorted(head: &str) -> String {
    let mut lines: Vec<&str> = head.split('\n').collect();
    let is_resource = |line: &str| {
        let mut words = line.split_whitespace();
        let name = words.next().and_then(|w| w.strip_prefix('/'));
        name.is_some_and(|n| n.ends_with(|c: char| c.is_ascii_digit())) && line.ends_with(" 0 R") && words.count() == 3
    };
    for run in lines.chunk_by_mut(|a, b| is_resource(a) && is_resource(b)) {
        // Longer numbers are greater.
        run.sort_by(|a, b| {
            let name = |line: &str| line.split_whitespace().next().map_or((0, String::new()), |n| (n.len(), n.into()));
            name(a).cmp(&name(b))
        });
    }
    lines.join("\n")
}

/// The numbers of the objects that a text refers to as `12 0 R`, in order.
fn references(text: &str) -> Vec<u32> {
    pieces(text).filter_map(|(_, number)| number).collect()
}

/// The text with new numbers in its references.
fn renumbered(text: &str, numbers: &HashMap<u32, u32>) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    for (before, number) in pieces(text) {
        out.push_str(before);
        if let Some(old) = number {
            out.push_str(&format!("{} 0 R", numbers.get(&old)?));
        }
    }
    Some(out)
}

/// The text in pieces, each before a reference and with its number; the last without one.
fn pieces(text: &str) -> impl Iterator<Item = (&str, Option<u32>)> {
    let parts: Vec<&str> = text.split(" 0 R").collect();
    let last = parts.len() - 1;
    parts.into_iter().enumerate().map(move |(i, part)| {
        let digits = part.len() - part.bytes().rev().take_while(u8::is_ascii_digit).count();
        match part[digits..].parse() {
            Ok(number) if i < last => (&part[..digits], Some(number)),
            _ => (part, None),
        }
    })
}

fn find_last(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).rposition(|w| w == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_and_renumbered() {
        let text = "<<\n  /Kids [5 0 R 12 0 R]\n  /Count 2\n>>";
        assert_eq!(references(text), [5, 12]);
        let numbers = HashMap::from([(5, 1), (12, 30)]);
        assert_eq!(renumbered(text, &numbers).unwrap(), "<<\n  /Kids [1 0 R 30 0 R]\n  /Count 2\n>>");
    }

    #[test]
    fn resources_are_sorted_and_other_entries_stay() {
        let text =
            "  /Parent 4 0 R\n  /Font <<\n    /fo10 1 0 R\n    /fo2 9 0 R\n    /fo1 3 0 R\n  >>\n  /Contents 6 0 R";
        let expected =
            "  /Parent 4 0 R\n  /Font <<\n    /fo1 3 0 R\n    /fo2 9 0 R\n    /fo10 1 0 R\n  >>\n  /Contents 6 0 R";
        assert_eq!(sorted(text), expected);
    }
}
