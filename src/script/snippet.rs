//! The text that an error shows, with long lines cut behind the part that it underlines.

/// Bytes of a line that is not cut.
const LINE: usize = 400;
/// Bytes that are kept of a longer one, if nothing in it is underlined, and behind what is.
const KEPT: usize = 300;
const BEHIND: usize = 60;
/// Bytes of a part that are underlined.
const UNDERLINED: usize = 200;
/// A line is shown from its beginning, so that its columns are right; a place further on is not shown.
const FURTHEST: usize = 2000;

/// A part of a text: byte offset and length.
pub type Part = (usize, usize);

/// The text with its long lines cut, and where its parts are then. None if a part is too far from the beginning of its line. Lines keep
/// their numbers, and what is before a part keeps its length.
pub fn narrowed(text: &str, parts: &[Part]) -> Option<(String, Vec<Part>)> {
    let mut parts = parts.to_vec();
    if text.lines().all(|line| line.len() <= LINE) {
        return Some((text.to_string(), parts));
    }
    let mut short = String::new();
    let mut moved = parts.clone();
    let mut begin = 0;
    for line in text.split_inclusive('\n') {
        let end = begin + line.len();
        let content = line.trim_end_matches('\n');
        let here: Vec<usize> = (0..parts.len()).filter(|i| (begin..end).contains(&parts[*i].0)).collect();
        let mut keep = KEPT;
        for &i in &here {
            let within = parts[i].0 - begin;
            if within > FURTHEST {
                return None;
            }
            keep = keep.max(within + parts[i].1.min(UNDERLINED) + BEHIND);
        }
        let long = content.len() > LINE && content.len() > keep;
        let keep =
            if long { (0..=keep).rev().find(|at| content.is_char_boundary(*at)).unwrap_or(0) } else { content.len() };
        for &i in &here {
            let within = parts[i].0 - begin;
            let length = if long { parts[i].1.min(UNDERLINED).min(keep.saturating_sub(within)) } else { parts[i].1 };
            // Not in the middle of a character.
            let length = (0..=length).rev().find(|n| !long || content.is_char_boundary(within + n)).unwrap_or(0);
            moved[i] = (short.len() + within, length);
        }
        short.push_str(&content[..keep]);
        if long {
            short.push_str(" ...");
        }
        short.push_str(&line[content.len()..]);
        begin = end;
    }
    // A part at the very end of the text is in no line.
    for (i, part) in parts.iter_mut().enumerate() {
        *part = if part.0 >= begin { (short.len(), 0) } else { moved[i] };
        part.1 = part.1.min(short.len() - part.0);
    }
    Some((short, parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_cut_behind_what_is_underlined() {
        let name = "x".repeat(60_000);
        let text = format!("let a = 1;\nlet b = \"{name}\"; f(b);\n// {name}\ng(a)");
        let at = |part: &str| (text.find(part).unwrap(), part.len());
        let quoted = format!("\"{name}\"");
        let (short, parts) = narrowed(&text, &[at("let a"), at(&quoted), at("g(a)"), (text.len(), 0)]).unwrap();
        assert!(short.len() < 1000 && short.lines().count() == 4, "{short}");
        let of = |part: Part| &short[part.0..part.0 + part.1];
        assert_eq!([of(parts[0]), of(parts[2]), of(parts[3])], ["let a", "g(a)", ""]);
        assert_eq!((of(parts[1]).len(), &of(parts[1])[..3], parts[1].0), (UNDERLINED, "\"xx", at(&quoted).0));
        // Behind so many characters there is nothing to show; what is short stays.
        assert!(narrowed(&text, &[at("f(b)")]).is_none());
        assert_eq!(narrowed("f(1)\n", &[(2, 1)]).unwrap(), ("f(1)\n".to_string(), vec![(2, 1)]));
        let wide = format!("f(\"{}\")", "ä".repeat(60_000));
        let (short, parts) = narrowed(&wide, &[(2, wide.len() - 3)]).unwrap();
        assert!(short[parts[0].0..parts[0].0 + parts[0].1].starts_with("\"ää"));
    }
}
