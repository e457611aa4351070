//! What each name is, for editors that colour by it: so a word of the language has its colour although no grammar lists the words.

use lsp_types::{SemanticToken, SemanticTokenModifier, SemanticTokenType, SemanticTokensLegend};

use super::document::Document;
use super::names::{Kind, Of};
use crate::script::vocabulary;

/// In the order of [`legend`].
const FUNCTION: u32 = 0;
const VARIABLE: u32 = 1;
const PARAMETER: u32 = 2;
const NAMESPACE: u32 = 3;
const PROPERTY: u32 = 4;
/// The bits of [`legend`]'s modifiers.
const DECLARATION: u32 = 1;
const OF_LANGUAGE: u32 = 2;
const READONLY: u32 = 4;

pub fn legend() -> SemanticTokensLegend {
    SemanticTokensLegend {
        token_types: vec![
            SemanticTokenType::FUNCTION,
            SemanticTokenType::VARIABLE,
            SemanticTokenType::PARAMETER,
            SemanticTokenType::NAMESPACE,
            SemanticTokenType::PROPERTY,
        ],
        token_modifiers: vec![
            SemanticTokenModifier::DECLARATION,
            SemanticTokenModifier::DEFAULT_LIBRARY,
            SemanticTokenModifier::READONLY,
        ],
    }
}

/// The names of a document, each with its place relative to the one before.
pub fn of(document: &Document) -> Vec<SemanticToken> {
    let names = document.names();
    let of_kind = |kind: Kind| match kind {
        Kind::Function => (FUNCTION, 0),
        Kind::Library => (NAMESPACE, 0),
        Kind::Parameter => (PARAMETER, 0),
        Kind::Constant => (VARIABLE, READONLY),
        _ => (VARIABLE, 0),
    };
    let mut all: Vec<(usize, usize, u32, u32)> = Vec::new();
    for definition in names.definitions.iter().filter(|definition| !definition.at.is_empty()) {
        let (kind, bits) = of_kind(definition.kind);
        all.push((definition.at.start, definition.at.end, kind, bits | DECLARATION));
    }
    for used in &names.uses {
        let name = &document.text()[used.at.clone()];
        let (kind, bits) = match used.of {
            Of::Symbol(symbol) => match names.definitions.get(symbol) {
                Some(definition) => of_kind(definition.kind),
                None => continue,
            },
            Of::InLibrary(_) => (FUNCTION, 0),
            Of::Member | Of::Key => (PROPERTY, 0),
            Of::OtherFunction if vocabulary::find(name).is_some() => (FUNCTION, OF_LANGUAGE),
            Of::OtherFunction => (FUNCTION, 0),
            Of::Other => continue,
        };
        all.push((used.at.start, used.at.end, kind, bits));
    }
    all.sort_unstable();
    all.dedup_by_key(|(start, ..)| *start);
    let (mut line, mut column) = (0, 0);
    let mut tokens = Vec::with_capacity(all.len());
    for (start, end, token_type, token_modifiers_bitset) in all {
        let (from, to) = (document.place(start), document.place(end));
        let delta_start = if from.line == line { from.character - column } else { from.character };
        tokens.push(SemanticToken {
            delta_line: from.line - line,
            delta_start,
            length: to.character - from.character,
            token_type,
            token_modifiers_bitset,
        });
        (line, column) = (from.line, from.character);
    }
    tokens
}
