//! The operations of policy "uda" held to the package randaugment. `goldens/training/randaugment_uda.py` writes the reference.

use std::collections::{BTreeMap, BTreeSet};

use cpsd::images::randaugment::Pixels;
use cpsd::images::randaugment_uda::{OPERATIONS, STRONGEST, apply, op, randaugment};
use cpsd::random::numbered;

use crate::common::golden;
use crate::randaugment::picture;

#[test]
fn every_operation_equals_the_package() {
    let goldens = golden("training/randaugment_uda.json");
    let size = |key: &str| goldens[key].as_u64().unwrap() as usize;
    let (height, width) = (size("height"), size("width"));
    let centre = |i: usize| goldens["centre"][i].as_u64().unwrap() as usize;
    let mut largest: BTreeMap<&str, u8> = BTreeMap::new();
    let mut changing = BTreeSet::new();
    for case in goldens["cases"].as_array().unwrap() {
        let (index, level) = (case["index"].as_u64().unwrap() as usize, case["level"].as_u64().unwrap() as usize);
        assert_eq!(case["name"], OPERATIONS[index]);
        let mut rgb = picture(height, width);
        let operation = op(index, level, case["negative"].as_bool().unwrap(), (centre(0), centre(1)));
        apply(&mut Pixels { rgb: &mut rgb, width, height }, operation);
        let hex = case["bytes"].as_str().unwrap();
        let expected: Vec<u8> =
            (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect();
        assert_eq!(rgb.len(), expected.len());
        let difference = rgb.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        let most = largest.entry(OPERATIONS[index]).or_default();
        *most = difference.max(*most);
        if rgb != picture(height, width) {
            changing.insert(index);
        }
    }
    // An operation that changes nothing would test nothing.
    assert_eq!(changing, (0..OPERATIONS.len()).collect());
    assert!(largest.len() == 15 && largest.values().all(|difference| *difference == 0), "{largest:?}");
}

#[test]
fn a_quarter_of_the_pictures_stays_as_it_is() {
    // Two operations with probability ½ each; a few change nothing on this picture, such as Posterize to 8 bits.
    let mut rng = numbered("test", &[5]);
    let before = picture(18, 20);
    let same = (0..2000)
        .filter(|_| {
            let mut rgb = before.clone();
            randaugment(&mut Pixels { rgb: &mut rgb, width: 20, height: 18 }, 2, &mut rng);
            rgb == before
        })
        .count();
    assert!((430..590).contains(&same), "{same}");
    assert_eq!(STRONGEST, 9);
}
