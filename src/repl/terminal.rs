//! The terminal's width, and failures rendered for it.

use std::io::IsTerminal;

use crate::script::errors::Failure;

/// Columns of the terminal, 100 where there is none.
pub fn width() -> usize {
    // A pseudo-terminal without a size has 0 columns.
    comfy_table::Table::new()
        .width()
        .map(usize::from)
        .filter(|width| *width > 0)
        .map_or(100, |width| width.clamp(40, 200))
}

/// A failure as it is printed on standard error.
pub fn rendered(failure: &Failure) -> String {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    failure.render(colour, width())
}
