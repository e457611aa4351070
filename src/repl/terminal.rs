//! The terminal's width, and failures rendered for it.

use std::io::IsTerminal;

use crate::activity::width;
use crate::script::errors::Failure;

/// Columns of the terminal behind standard output, [`width::LONGEST`] where there is none.
pub fn width() -> usize {
    bounded(width::of_output())
}

fn bounded(columns: Option<usize>) -> usize {
    columns.map_or(width::LONGEST, |columns| columns.clamp(40, 200))
}

/// A failure as it is printed on standard error.
pub fn rendered(failure: &Failure) -> String {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    failure.render(colour, bounded(width::of_errors()))
}
