//! Rhai without cpsd: runs a script of `make bench-all`, beside which the language of cpsd is measured.
//!
//! `cargo bench --bench rhai_alone -- FILE`. Rhai has the features that Cargo.toml gives it, and its own limits.

#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // benches touch files and print as they like

fn main() -> Result<(), Box<dyn std::error::Error>> {
    match std::env::args().skip(1).find(|argument| argument != "--bench") {
        Some(file) => Ok(rhai::Engine::new().run_file(file.into())?),
        None => {
            println!("run by benches/peers/program.py: make bench-all ONLY=language");
            Ok(())
        }
    }
}
