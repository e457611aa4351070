//! Base64 (RFC 4648, with padding), for pictures inside an SVG.

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Appends `bytes` to `to`.
pub fn encode(to: &mut String, bytes: &[u8]) {
    to.reserve(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let at = |i: usize| u32::from(three.get(i).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..4 {
            // n bytes make n + 1 digits; the rest is padding.
            match digit <= three.len() {
                true => to.push(DIGITS[(bits >> (18 - 6 * digit) & 63) as usize] as char),
                false => to.push('='),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn rfc_4648_test_vectors() {
        let vectors = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (bytes, expected) in vectors {
            let mut text = String::new();
            super::encode(&mut text, bytes.as_bytes());
            assert_eq!(text, expected);
        }
    }
}
