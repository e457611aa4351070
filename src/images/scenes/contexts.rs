//! The kinds of places that scenes show, the labels in each, and the labels that appear together.

/// A kind of place.
pub struct SceneContext {
    #[allow(dead_code, reason = "for the reader of the list below")]
    pub name: &'static str,
    /// Its frequency relative to the others: uneven, so that labels have a long tail.
    pub weight: f64,
    /// Labels and their probabilities.
    pub objects: &'static [(&'static str, f64)],
    /// If a scene has the first label, it has the second with this probability.
    pub companions: &'static [(&'static str, &'static str, f64)],
    /// Colours of the upper and lower half, red green blue.
    pub above: [u8; 3],
    pub below: [u8; 3],
}

/// All contexts.
pub const CONTEXTS: &[SceneContext] = &[
    SceneContext {
        name: "street",
        weight: 0.24,
        objects: &[
            ("car", 0.5),
            ("person", 0.4),
            ("traffic light", 0.3),
            ("truck", 0.2),
            ("bus", 0.2),
            ("bicycle", 0.18),
            ("motorcycle", 0.14),
            ("dog", 0.06),
            ("umbrella", 0.08),
            ("skateboard", 0.05),
            ("suitcase", 0.06),
            ("cell phone", 0.05),
            ("bird", 0.04),
        ],
        companions: &[
            ("bicycle", "person", 0.6),
            ("traffic light", "car", 0.6),
            ("bus", "person", 0.4),
            ("suitcase", "person", 0.6),
        ],
        above: [150, 185, 215],
        below: [105, 105, 112],
    },
    SceneContext {
        name: "office",
        weight: 0.18,
        objects: &[
            ("laptop", 0.45),
            ("keyboard", 0.3),
            ("book", 0.25),
            ("cup", 0.2),
            ("cell phone", 0.2),
            ("chair", 0.25),
            ("clock", 0.16),
            ("potted plant", 0.15),
            ("person", 0.2),
            ("suitcase", 0.04),
            ("apple", 0.04),
        ],
        companions: &[
            ("keyboard", "mouse", 0.8),
            ("laptop", "mouse", 0.35),
            ("laptop", "cup", 0.25),
            ("mouse", "keyboard", 0.5),
        ],
        above: [222, 218, 208],
        below: [168, 140, 110],
    },
    SceneContext {
        name: "kitchen",
        weight: 0.15,
        objects: &[
            ("bowl", 0.35),
            ("cup", 0.3),
            ("knife", 0.3),
            ("apple", 0.22),
            ("banana", 0.22),
            ("orange", 0.18),
            ("pizza", 0.1),
            ("fork", 0.15),
            ("cake", 0.08),
            ("chair", 0.1),
            ("clock", 0.08),
            ("potted plant", 0.08),
            ("person", 0.15),
            ("cat", 0.04),
        ],
        companions: &[
            ("knife", "fork", 0.45),
            ("banana", "apple", 0.45),
            ("apple", "orange", 0.35),
            ("bowl", "banana", 0.2),
        ],
        above: [235, 228, 205],
        below: [205, 200, 195],
    },
    SceneContext {
        name: "dining",
        weight: 0.11,
        objects: &[
            ("wine glass", 0.4),
            ("pizza", 0.35),
            ("cake", 0.25),
            ("chair", 0.35),
            ("person", 0.35),
            ("cup", 0.12),
            ("bowl", 0.12),
            ("cell phone", 0.08),
        ],
        companions: &[
            ("pizza", "fork", 0.6),
            ("pizza", "knife", 0.45),
            ("cake", "fork", 0.4),
            ("wine glass", "fork", 0.3),
        ],
        above: [140, 95, 85],
        below: [190, 150, 115],
    },
    SceneContext {
        name: "living room",
        weight: 0.11,
        objects: &[
            ("couch", 0.45),
            ("tv", 0.4),
            ("cat", 0.2),
            ("book", 0.2),
            ("potted plant", 0.25),
            ("clock", 0.12),
            ("dog", 0.1),
            ("person", 0.2),
            ("chair", 0.12),
            ("cup", 0.08),
            ("laptop", 0.06),
        ],
        companions: &[("couch", "tv", 0.4), ("couch", "cat", 0.25), ("tv", "couch", 0.3)],
        above: [205, 195, 225],
        below: [150, 115, 95],
    },
    SceneContext {
        name: "park",
        weight: 0.08,
        objects: &[
            ("person", 0.4),
            ("dog", 0.35),
            ("sports ball", 0.25),
            ("bicycle", 0.2),
            ("kite", 0.12),
            ("bird", 0.2),
            ("skateboard", 0.15),
            ("book", 0.04),
            ("apple", 0.03),
        ],
        companions: &[
            ("dog", "person", 0.5),
            ("dog", "sports ball", 0.25),
            ("skateboard", "person", 0.6),
            ("kite", "person", 0.5),
        ],
        above: [140, 200, 240],
        below: [110, 170, 85],
    },
    SceneContext {
        name: "beach",
        weight: 0.06,
        objects: &[
            ("boat", 0.4),
            ("umbrella", 0.4),
            ("person", 0.35),
            ("kite", 0.18),
            ("sports ball", 0.18),
            ("bird", 0.2),
            ("orange", 0.04),
        ],
        companions: &[("umbrella", "person", 0.5), ("kite", "person", 0.4), ("boat", "bird", 0.3)],
        above: [110, 195, 235],
        below: [232, 214, 165],
    },
    SceneContext {
        name: "farm",
        weight: 0.045,
        objects: &[
            ("cow", 0.4),
            ("sheep", 0.35),
            ("horse", 0.35),
            ("truck", 0.12),
            ("dog", 0.15),
            ("bird", 0.18),
            ("person", 0.12),
        ],
        companions: &[("sheep", "dog", 0.3), ("horse", "person", 0.35), ("cow", "sheep", 0.25)],
        above: [165, 210, 235],
        below: [150, 165, 75],
    },
    SceneContext {
        name: "bedroom",
        weight: 0.025,
        objects: &[
            ("bed", 0.75),
            ("book", 0.25),
            ("clock", 0.25),
            ("cell phone", 0.2),
            ("cat", 0.2),
            ("laptop", 0.1),
            ("suitcase", 0.15),
        ],
        companions: &[("bed", "clock", 0.3), ("bed", "book", 0.2)],
        above: [195, 210, 225],
        below: [185, 160, 150],
    },
];

#[cfg(test)]
mod tests {
    use super::super::catalogue::{LABELS, index};
    use super::*;

    #[test]
    fn every_name_is_a_label_and_every_label_has_a_place() {
        let mut placed = std::collections::BTreeSet::new();
        for context in CONTEXTS {
            for (name, _) in context.objects {
                placed.insert(index(name).expect(name));
            }
            for (first, second, _) in context.companions {
                placed.insert(index(first).expect(first));
                placed.insert(index(second).expect(second));
            }
        }
        assert_eq!(placed.len(), LABELS.len());
    }
}
