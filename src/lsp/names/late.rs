//! What is used before it is made: functions, and the constants and libraries of functions.

use std::collections::BTreeMap;

use super::walker::Walker;
use super::{Kind, Names, Of, Use};
use crate::script::tokens::Piece;

impl Walker<'_> {
    /// Closes what is open, and finds what is used before it is made: functions, and constants and libraries of functions.
    pub fn finish(mut self) -> Names {
        let end = self.text.len();
        while self.frames.len() > 1 {
            self.close(end);
        }
        self.end_lets(1, end);
        for number in std::mem::take(&mut self.frames[0].names) {
            self.names.definitions[number].seen.end = end;
        }
        let names = &mut self.names;
        let mut functions: BTreeMap<String, usize> = BTreeMap::new();
        for (number, definition) in names.definitions.iter_mut().enumerate() {
            if definition.kind == Kind::Function {
                definition.symbol = *functions.entry(definition.name.clone()).or_insert(number);
                definition.seen = 0..end;
            }
        }
        let mut top: BTreeMap<(String, bool), usize> = BTreeMap::new();
        for (number, definition) in names.definitions.iter().enumerate() {
            if matches!(definition.kind, Kind::Constant | Kind::Library) && definition.inside.is_none() {
                top.entry((definition.name.clone(), definition.kind == Kind::Library)).or_insert(number);
            }
        }
        let methods: Vec<usize> = names.functions().filter(|d| d.is_method).map(|d| d.symbol).collect();
        let mut library = None;
        for used in &mut names.uses {
            let name = &self.text[used.at.clone()];
            let before = self.text[..used.at.start].trim_end();
            let is_global = before.strip_suffix("::").is_some_and(|before| before.trim_end().ends_with("global"));
            let late = |is_library| top.get(&(name.to_string(), is_library)).copied();
            let before_colons = self.text[used.at.end..].trim_start().starts_with("::");
            match (&used.of, functions.get(name)) {
                (Of::OtherFunction, Some(&function)) => used.of = Of::Symbol(function),
                (Of::Member, Some(&function)) if methods.contains(&function) => used.of = Of::Symbol(function),
                (Of::Other, _) if is_global => used.of = late(false).map_or(Of::Other, Of::Symbol),
                (Of::Other, _) if before_colons => {
                    library = late(true);
                    used.of = library.map_or(Of::Other, Of::Symbol);
                }
                (Of::Other, _) if before.ends_with("::") => used.of = library.map_or(Of::Other, Of::InLibrary),
                _ => {}
            }
        }
        // The name of a function as a text: Fn("name").
        for (i, token) in self.tokens.iter().enumerate() {
            let is_pointer = i > 1 && self.is(i - 1, "(") && self.token(i - 2) == "Fn";
            if is_pointer && token.piece == Piece::Text && token.range.len() > 2 {
                let inside = token.range.start + 1..token.range.end - 1;
                if let Some(&function) = functions.get(&self.text[inside.clone()]) {
                    self.names.uses.push(Use { at: inside, of: Of::Symbol(function) });
                }
            }
        }
        self.names.uses.sort_by_key(|used| used.at.start);
        self.names
    }
}
