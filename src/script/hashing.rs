//! One seed for Rhai's hashes, in every process.
//!
//! Of the cases of a `switch` Rhai keeps hashes alone, so two closures that differ in a case are told apart by them, and a closure's
//! fingerprint is looked for by later processes.

use std::sync::Once;

const SEED: [u64; 4] = [0x6370_7364, 0x7377_6974, 0x6368_6361, 0x7365_7300];

/// Fixes the seed. Called before each engine is made: hashes of before would not fit those of after.
pub fn fix() {
    static FIXED: Once = Once::new();
    FIXED.call_once(|| {
        // Fails if someone has set another seed, which is then the same in every process too.
        let _ = rhai::config::hashing::set_hashing_seed(Some(SEED));
    });
}

/// An engine of Rhai alone.
#[cfg(test)]
pub fn engine() -> rhai::Engine {
    fix();
    rhai::Engine::new()
}
