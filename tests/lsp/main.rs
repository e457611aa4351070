//! The language server: the program `cpsd lsp`, spoken to as editors do, and its extension for VS Code.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // tests touch files and print as they like

mod asking;
mod changing;
mod client;
mod leaving;
mod others;
