//! The parts of a cell: commands, a line each, and the code behind them.

use std::ops::Range;

/// Commands whose code may have several lines.
const OF_CODE: [&str; 3] = [":time", ":profile", ":type"];

/// The part of a cell at the byte `at` and behind: a command, or code to the end of the cell. Blank lines before it are no part, nor
/// comments before a command. None at the end.
pub fn next(cell: &str, at: usize, is_command: impl Fn(&str) -> bool) -> Option<Range<usize>> {
    let line_at = |begin: usize| begin..begin + cell[begin..].find('\n').map_or(cell.len() - begin, |end| end + 1);
    // The lines from `begin` on that are neither blank nor a comment.
    let first_from = |begin: usize| {
        let mut line = line_at(begin);
        while !line.is_empty() && is_passed_over(cell[line.clone()].trim()) {
            line = line_at(line.end);
        }
        line
    };
    let is_command = |line: &Range<usize>| is_command(cell[line.clone()].trim());
    let mut first = first_from(at);
    if first.is_empty() || !is_command(&first) {
        let blank = cell[at..].len() - cell[at..].trim_start().len();
        let begin = cell[at..at + blank].rfind('\n').map_or(at, |newline| at + newline + 1);
        return (at + blank < cell.len()).then_some(begin..cell.len());
    }
    let text = cell[first.clone()].trim();
    if text.starts_with('!') || text.starts_with(":sh ") {
        // As in a shell.
        while cell[first.clone()].trim_end().ends_with('\\') && first.end < cell.len() {
            first.end = line_at(first.end).end;
        }
    } else if OF_CODE.contains(&text.split(' ').next().unwrap_or_default()) {
        let behind = first_from(first.end);
        if !behind.is_empty() && !is_command(&behind) {
            first.end = cell.len();
        }
    }
    Some(first)
}

fn is_passed_over(line: &str) -> bool {
    line.is_empty() || (line.starts_with("//") && !line.starts_with("///"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(cell: &str) -> Vec<&str> {
        let (mut parts, mut at) = (Vec::new(), 0);
        while let Some(part) = next(cell, at, |line| line.starts_with(['?', ':', '!'])) {
            at = part.end;
            parts.push(&cell[part]);
        }
        parts.iter().map(|part| part.trim_end()).collect()
    }

    #[test]
    fn commands_are_run_line_by_line_and_the_rest_is_code() {
        assert_eq!(parts("let a = 1;\na"), ["let a = 1;\na"]);
        assert_eq!(parts("!ls\n\nlet a = 1;\n!a"), ["!ls", "let a = 1;\n!a"]);
        assert_eq!(parts("// Files.\n!ls -l \\\n  out\n?print\n"), ["!ls -l \\\n  out", "?print"]);
        assert_eq!(parts(":allow write out\n// Twice.\n  f(2)"), [":allow write out", "// Twice.\n  f(2)"]);
        assert_eq!(parts(":time f(\n  1\n)"), [":time f(\n  1\n)"]);
        assert_eq!(parts(":time f(1)\n:vars"), [":time f(1)", ":vars"]);
        assert_eq!(parts("// nothing else"), ["// nothing else"]);
        assert!(parts("").is_empty() && parts(" \n\n").is_empty());
    }
}
