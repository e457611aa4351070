//! Figures in the terminal.

use std::io::IsTerminal;
use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::plots::Figure;

/// How figures are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Off,
    /// The best that the terminal is known to support.
    Auto,
    Blocks,
    Kitty,
    Iterm,
    Sixel,
}

impl Mode {
    pub const ALL: [(&'static str, Mode); 6] = [
        ("auto", Mode::Auto),
        ("blocks", Mode::Blocks),
        ("kitty", Mode::Kitty),
        ("iterm", Mode::Iterm),
        ("sixel", Mode::Sixel),
        ("off", Mode::Off),
    ];

    /// Errors: an unknown name.
    pub fn named(name: &str) -> Result<Mode> {
        let found = Mode::ALL.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, mode)| *mode)
            .ok_or_else(|| Error::unknown("way to draw figures", name, Mode::ALL.iter().map(|(name, _)| *name)))
    }

    pub fn name(self) -> &'static str {
        Mode::ALL.iter().find(|(_, mode)| *mode == self).map_or("", |(name, _)| name)
    }

    /// The mode that `Auto` means in a terminal with these environment variables.
    fn settled(self, variable: impl Fn(&str) -> String) -> Mode {
        if self != Mode::Auto {
            return self;
        }
        let (term, program) = (variable("TERM"), variable("TERM_PROGRAM"));
        if !variable("TMUX").is_empty() || term.starts_with("screen") {
            // Multiplexers let pictures pass only if configured to.
            return Mode::Blocks;
        }
        if !variable("KITTY_WINDOW_ID").is_empty() || term.contains("kitty") || term.contains("ghostty") {
            return Mode::Kitty;
        }
        if matches!(program.as_str(), "iTerm.app" | "WezTerm" | "vscode" | "mintty") {
            return Mode::Iterm;
        }
        if term.contains("sixel") || term.starts_with("foot") || term.starts_with("mlterm") {
            return Mode::Sixel;
        }
        Mode::Blocks
    }
}

/// Draws a figure if standard output is a terminal, and saves it in any case. Returns the line with its path.
///
/// Errors: those of drawing and saving.
pub fn show(figure: &Figure, mode: Mode, columns: usize) -> Result<String> {
    let mode = mode.settled(|name| std::env::var(name).unwrap_or_default());
    if mode != Mode::Off && std::io::stdout().is_terminal() {
        draw(figure, mode, columns.min(120) as u32)?;
    }
    let path = free_name();
    figure.save(&path)?;
    Ok(format!("saved as {}", path.display()))
}

#[allow(clippy::disallowed_macros)] // a picture is nothing but sequences for the terminal
fn draw(figure: &Figure, mode: Mode, columns: u32) -> Result<()> {
    if mode == Mode::Blocks {
        print!("{}", figure.half_blocks(columns)?);
        return Ok(());
    }
    // About ten pixels per character, as terminals have.
    let (width, height, pixels) = figure.pixels(columns * 10, 4000)?;
    let picture = image::RgbImage::from_raw(width, height, pixels)
        .ok_or_else(|| Error::internal("a figure of another size than it declares"))?;
    let config = viuer::Config {
        absolute_offset: false,
        width: Some(columns),
        use_kitty: mode == Mode::Kitty,
        use_iterm: mode == Mode::Iterm,
        use_sixel: mode == Mode::Sixel,
        ..viuer::Config::default()
    };
    viuer::print(&image::DynamicImage::ImageRgb8(picture), &config)
        .map_err(|e| Error::internal(format!("the terminal cannot draw it: {e}")))?;
    println!();
    Ok(())
}

/// The first `out/figure-N.png` that does not exist.
fn free_name() -> PathBuf {
    (1..).map(|n| PathBuf::from(format!("out/figure-{n}.png"))).find(|path| !path.exists()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_terminal_says_how_figures_are_drawn() {
        let with = |pairs: &[(&str, &str)]| {
            Mode::Auto
                .settled(|name| pairs.iter().find(|(n, _)| *n == name).map_or(String::new(), |(_, v)| v.to_string()))
        };
        assert_eq!(with(&[("TERM", "xterm-256color")]), Mode::Blocks);
        assert_eq!(with(&[("TERM", "xterm-kitty")]), Mode::Kitty);
        assert_eq!(with(&[("KITTY_WINDOW_ID", "1"), ("TERM", "xterm")]), Mode::Kitty);
        assert_eq!(with(&[("TERM_PROGRAM", "iTerm.app")]), Mode::Iterm);
        assert_eq!(with(&[("TERM", "foot")]), Mode::Sixel);
        assert_eq!(with(&[("KITTY_WINDOW_ID", "1"), ("TMUX", "/tmp/x")]), Mode::Blocks);
        assert_eq!(Mode::Off.settled(|_| "kitty".into()), Mode::Off);
        assert!(Mode::named("kity").unwrap_err().help.unwrap().contains("kitty"));
    }
}
