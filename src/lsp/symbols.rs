//! The outline of a text: its libraries, functions, and the variables and constants of its top level.

use lsp_types::{DocumentSymbol, SymbolKind};

use super::document::Document;
use super::names::{Definition, Kind};

/// The outline of a document.
pub fn of(document: &Document) -> Vec<DocumentSymbol> {
    let names = document.names();
    let shown = names.definitions.iter().enumerate().filter(|(_, d)| d.inside.is_none() && !d.name.is_empty());
    let shown = shown.filter_map(|(number, definition)| {
        let (kind, detail) = match definition.kind {
            Kind::Function => (SymbolKind::FUNCTION, definition.signature.clone()),
            Kind::Library => (SymbolKind::MODULE, document.text().get(definition.value.clone())?.to_string()),
            Kind::Variable | Kind::Constant if definition.is_top => {
                let of = document.kinds().kind(number);
                let kind = match (of, definition.kind) {
                    ("function", _) => SymbolKind::FUNCTION,
                    (_, Kind::Constant) => SymbolKind::CONSTANT,
                    _ => SymbolKind::VARIABLE,
                };
                (kind, of.to_string())
            }
            _ => return None,
        };
        Some(symbol(document, definition, kind, detail))
    });
    shown.collect()
}

fn symbol(document: &Document, definition: &Definition, kind: SymbolKind, detail: String) -> DocumentSymbol {
    // The name is inside the whole, or an editor refuses the outline.
    let whole = definition.whole.start.min(definition.at.start)..definition.whole.end.max(definition.at.end);
    #[allow(deprecated)] // a field that the type still has
    DocumentSymbol {
        name: definition.name.clone(),
        detail: (!detail.is_empty()).then_some(detail),
        kind,
        tags: None,
        deprecated: None,
        range: document.range(whole),
        selection_range: document.range(definition.at.clone()),
        children: None,
    }
}
