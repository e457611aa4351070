//! RandAugment's operations held to torchvision. `goldens/training/randaugment.py` writes the reference.

use cpsd::images::randaugment::{Pixels, apply, op};

use crate::common::golden;

pub fn picture(height: usize, width: usize) -> Vec<u8> {
    let mut rgb = Vec::new();
    for y in 0..height {
        for x in 0..width {
            for c in 0..3 {
                let value = (y * 7 + x * 5 + c * 40 + (x * y) % 11 * 6) % 256;
                rgb.push(if c == 2 { 60 + value / 3 } else { value } as u8);
            }
        }
    }
    rgb
}

#[test]
fn every_operation_equals_torchvision() {
    let goldens = golden("training/randaugment.json");
    let size = |key: &str| goldens[key].as_u64().unwrap() as usize;
    let (height, width) = (size("height"), size("width"));
    let cases = goldens["cases"].as_array().unwrap();
    let mut changing = std::collections::BTreeSet::new();
    for case in cases {
        let (index, level) = (case["index"].as_u64().unwrap() as usize, case["level"].as_u64().unwrap() as usize);
        let operation = op(index, level, case["negative"].as_bool().unwrap(), width, height);
        let mut rgb = picture(height, width);
        apply(&mut Pixels { rgb: &mut rgb, width, height }, operation);
        let hex = case["bytes"].as_str().unwrap();
        let expected: Vec<u8> =
            (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect();
        let different = rgb.iter().zip(&expected).filter(|(a, b)| a != b).count();
        assert!(
            rgb.len() == expected.len() && different == 0,
            "{operation:?} ({}): {different} bytes differ",
            case["name"]
        );
        if rgb != picture(height, width) {
            changing.insert(index);
        }
    }
    // An operation that changes nothing would test nothing; the first is the identity.
    assert_eq!(changing, (1..14).collect());
}
