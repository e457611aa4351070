//! The names that a text may give.

use rhai::Engine;

/// Whether a variable or a function may have this name: it is one word, and no keyword, also none that Rhai keeps for later.
pub fn is_free(name: &str) -> bool {
    let is_word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.trim_start_matches('_').starts_with(|c: char| c.is_ascii_alphabetic());
    let engine = Engine::new_raw();
    is_word && engine.compile(format!("let {name} = 1;")).is_ok() && engine.compile(format!("fn {name}() {{}}")).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_and_signs_are_no_names() {
        for name in ["a", "_a", "a_1", "__a", "data"] {
            assert!(is_free(name), "{name}");
        }
        for name in [
            "", "_", "1", "1a", "_1", "a b", "a;b", "größe", "let", "fn", "this", "match", "static", "eval", "print(",
            "a.b",
        ] {
            assert!(!is_free(name), "{name}");
        }
    }
}
