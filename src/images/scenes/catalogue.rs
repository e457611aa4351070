//! The labels and the emoji that show them; emoji without a label.
//!
//! Only the emoji named here are linked into the binary.

use twemoji_assets::png::codes::*;

/// A label and the emoji that show it.
pub struct Label {
    pub name: &'static str,
    /// COCO's category id (of 91) and supercategory.
    pub id: u32,
    pub supercategory: &'static str,
    /// PNG files of 72 × 72 pixels.
    pub looks: &'static [&'static [u8]],
}

macro_rules! label {
    ($name:literal, $id:literal, $super:literal, $($code:ident),+) => {
        Label { name: $name, id: $id, supercategory: $super, looks: &[$($code.data.0),+] }
    };
}

/// All labels, in alphabetical order.
pub const LABELS: &[Label] = &[
    label!("apple", 53, "food", U_1F34E, U_1F34F),
    label!("banana", 52, "food", U_1F34C),
    label!("bed", 65, "furniture", U_1F6CF),
    label!("bicycle", 2, "vehicle", U_1F6B2),
    label!("bird", 16, "animal", U_1F426),
    label!("boat", 9, "vehicle", U_26F5, U_1F6A4),
    label!("book", 84, "indoor", U_1F4D6, U_1F4D5),
    label!("bowl", 51, "kitchen", U_1F963),
    label!("bus", 6, "vehicle", U_1F68C, U_1F68D),
    label!("cake", 61, "food", U_1F370, U_1F382),
    label!("car", 3, "vehicle", U_1F697, U_1F699, U_1F695),
    label!("cat", 17, "animal", U_1F408, U_1F408_200D_2B1B),
    label!("cell phone", 77, "electronic", U_1F4F1),
    label!("chair", 62, "furniture", U_1FA91),
    label!("clock", 85, "indoor", U_1F570, U_23F0),
    label!("couch", 63, "furniture", U_1F6CB),
    label!("cow", 21, "animal", U_1F404),
    label!("cup", 47, "kitchen", U_2615, U_1F375),
    label!("dog", 18, "animal", U_1F415, U_1F415_200D_1F9BA, U_1F429),
    label!("fork", 48, "kitchen", U_1F374),
    label!("horse", 19, "animal", U_1F40E),
    label!("keyboard", 76, "electronic", U_2328),
    label!("kite", 38, "sports", U_1FA81),
    label!("knife", 49, "kitchen", U_1F52A),
    label!("laptop", 73, "electronic", U_1F4BB),
    label!("motorcycle", 4, "vehicle", U_1F3CD),
    label!("mouse", 74, "electronic", U_1F5B1),
    label!("orange", 55, "food", U_1F34A),
    label!("person", 1, "person", U_1F9D1, U_1F6B6, U_1F9CD),
    label!("pizza", 59, "food", U_1F355),
    label!("potted plant", 64, "furniture", U_1FAB4),
    label!("sheep", 20, "animal", U_1F411, U_1F40F),
    label!("skateboard", 41, "sports", U_1F6F9),
    label!("sports ball", 37, "sports", U_26BD, U_1F3C0, U_1F3D0),
    label!("suitcase", 33, "accessory", U_1F9F3),
    label!("traffic light", 10, "outdoor", U_1F6A6, U_1F6A5),
    label!("truck", 8, "vehicle", U_1F69A, U_1F69B),
    label!("tv", 72, "electronic", U_1F4FA),
    label!("umbrella", 28, "accessory", U_2602, U_1F302),
    label!("wine glass", 46, "kitchen", U_1F377),
];

/// Emoji that scenes show and that have no label. Many look like a label's.
pub const CLUTTER: &[&[u8]] = &[
    U_1F416.data.0, // pig
    U_1F410.data.0, // goat
    U_1F413.data.0, // rooster
    U_1F986.data.0, // duck
    U_1F98A.data.0, // fox
    U_1F407.data.0, // rabbit
    U_1F42B.data.0, // camel
    U_1F69C.data.0, // tractor
    U_1F691.data.0, // ambulance
    U_1F692.data.0, // fire engine
    U_1F6F5.data.0, // motor scooter
    U_1F681.data.0, // helicopter
    U_1F349.data.0, // watermelon
    U_1F347.data.0, // grapes
    U_1F354.data.0, // hamburger
    U_1F35E.data.0, // bread
    U_1F345.data.0, // tomato
    U_1F95B.data.0, // glass of milk
    U_1F3B8.data.0, // guitar
    U_1F388.data.0, // balloon
    U_1F511.data.0, // key
    U_1F4A1.data.0, // light bulb
    U_1F381.data.0, // gift
    U_1F3A9.data.0, // top hat
    U_1F335.data.0, // cactus
    U_1F332.data.0, // tree
    U_1F33B.data.0, // sunflower
    U_1F4FB.data.0, // radio
    U_1F4F7.data.0, // camera
    U_1F9EF.data.0, // fire extinguisher
    U_1F6AA.data.0, // door
    U_1F3AE.data.0, // game controller
];

/// Every emoji in use: all looks of all labels in order, then clutter.
pub fn pictures() -> impl Iterator<Item = &'static [u8]> {
    LABELS.iter().flat_map(|l| l.looks).chain(CLUTTER).copied()
}

/// The position of the first look of label number `label` among [`pictures`]. For `LABELS.len()`, that of the first
/// clutter.
pub fn first_look(label: usize) -> usize {
    LABELS[..label].iter().map(|l| l.looks.len()).sum()
}

/// The position of the label of that name.
pub fn index(name: &str) -> Option<u32> {
    LABELS.iter().position(|l| l.name == name).map(|i| i as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_sorted_and_unique_and_every_look_is_a_picture() {
        assert!(LABELS.windows(2).all(|w| w[0].name < w[1].name));
        for png in pictures() {
            assert!(crate::images::Picture::decode(png, "an emoji").is_ok());
        }
    }
}
