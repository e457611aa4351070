//! The id of a run: its kind and a hash of its specification.

use serde_json::Value;

/// `train-3f29c0a81b52`. The same specification always gives the same id, whatever the order of its keys.
pub fn id_of(kind: &str, spec: &Value) -> String {
    let mut hasher = blake3::Hasher::new();
    feed(&mut hasher, spec);
    format!("{kind}-{}", &hasher.finalize().to_hex()[..12])
}

/// Whether a text is an id as [`id_of`] makes them: `[a-z]+-[0-9a-f]{12}`. Texts from scripts, command lines and files become paths
/// only if they are.
pub fn is_id(text: &str) -> bool {
    kind_of(text).is_some()
}

/// The kind in an id, `train` of `train-3f29c0a81b52`; None if the text is no id.
pub fn kind_of(text: &str) -> Option<&str> {
    let (kind, hash) = text.split_once('-')?;
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let is =
        !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_lowercase()) && hash.len() == 12 && hash.bytes().all(hex);
    is.then_some(kind)
}

/// Hashes a canonical form: keys sorted, every value tagged with its type and length.
fn feed(hasher: &mut blake3::Hasher, value: &Value) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            hasher.update(format!("{{{}", keys.len()).as_bytes());
            for key in keys {
                hasher.update(format!("k{}:{key}", key.len()).as_bytes());
                feed(hasher, &map[key]);
            }
        }
        Value::Array(items) => {
            hasher.update(format!("[{}", items.len()).as_bytes());
            for item in items {
                feed(hasher, item);
            }
        }
        Value::String(s) => {
            hasher.update(format!("s{}:{s}", s.len()).as_bytes());
        }
        // 1 and 1.0 are the same option.
        Value::Number(n) => {
            hasher.update(format!("n{:?};", n.as_f64()).as_bytes());
        }
        Value::Bool(b) => {
            hasher.update(if *b { b"T" } else { b"F" });
        }
        Value::Null => {
            hasher.update(b"0");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn order_of_keys_does_not_matter_and_everything_else_does() {
        let id = |v| id_of("train", &v);
        assert_eq!(id(json!({"a": 1, "b": 2})), id(json!({"b": 2, "a": 1.0})));
        assert_ne!(id(json!({"a": 1})), id(json!({"a": 2})));
        assert_ne!(id(json!(["ab", "c"])), id(json!(["a", "bc"])));
        assert_ne!(id(json!([[1], 2])), id(json!([[1, 2]])));
    }
    #[test]
    fn ids_are_told_from_paths() {
        assert_eq!(kind_of(&id_of("train", &json!({}))), Some("train"));
        for text in [
            "",
            "train",
            "train-",
            "../../x",
            "train-0123456789ab/..",
            "train-0123456789aB",
            "Train-0123456789ab",
            "-0123456789ab",
            "train-0123456789abc",
            "train-0123456789a",
            "tra/in-0123456789ab",
            "train-0123456789ab\n",
            "é-0123456789ab",
        ] {
            assert!(!is_id(text), "{text}");
        }
    }
}
