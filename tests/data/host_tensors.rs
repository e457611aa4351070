//! Backbones and heads make tensors from numbers of the CPU only when they are built, or once through `Constants`. In a forward
//! pass each would be a copy for which a GPU and the CPU wait.

use std::collections::BTreeMap;

use crate::common::{files, root};

/// How often each file makes a tensor from numbers or moves one to a device. Before a number here grows: the line is not in a
/// forward pass, or within `Constants::get`.
const MADE: [(&str, usize); 12] = [
    ("backbones/swin.rs", 2),
    ("backbones/tresnet.rs", 1),
    ("heads/c_tran.rs", 1),
    ("heads/cpcl.rs", 1),
    ("heads/known.rs", 2),
    ("heads/kssnet.rs", 1),
    ("heads/mgtn.rs", 3),
    ("heads/ml_gcn.rs", 1),
    ("heads/mod.rs", 1),
    ("heads/ms_cma.rs", 2),
    ("heads/ssgrl.rs", 1),
    ("model/mod.rs", 3),
];

#[test]
fn forward_passes_make_no_tensor_from_numbers() {
    let models = root("src/models");
    let mut found = BTreeMap::new();
    for folder in ["backbones", "heads", "model"] {
        for path in files(&models.join(folder)) {
            let text = std::fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap();
            let count = ["f_from_slice", "f_to_device"].iter().map(|name| text.matches(name).count()).sum::<usize>();
            if count > 0 {
                found.insert(path.strip_prefix(&models).unwrap().display().to_string(), count);
            }
        }
    }
    for file in ["layers.rs", "pass.rs", "precision.rs", "products.rs"] {
        let text = std::fs::read_to_string(models.join(file)).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap();
        assert!(!text.contains("from_slice") && !text.contains("to_device"), "{file}");
    }
    let expected: BTreeMap<String, usize> = MADE.iter().map(|(file, count)| (file.to_string(), *count)).collect();
    assert_eq!(found, expected);
}
