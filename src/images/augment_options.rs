//! The options of training views, and which of them have no effect.

use serde::{Deserialize, Serialize};

crate::options! {
    /// Options of training views. `TrainOptions` checks their ranges, since errors name them as keys of `augment`.
    ///
    /// The options that came later are left out of JSON at their defaults, since the ids of earlier runs do not contain them.
    pub struct AugmentOptions {
        /// which part of the picture is taken: "resized", "multi_scale" or "squares"
        #[serde(skip_serializing_if = "CropName::is_resized")]
        pub crop: CropName = CropName::Resized;
        /// side in pixels of a square to which the picture is resized before the crop; 0 crops the picture as it is
        #[serde(skip_serializing_if = "is_zero")]
        pub resize_first: u32 = 0;
        /// range of the share of the picture's area that a random resized crop keeps; (1, 1) keeps all
        pub resized_crop_scale: (f64, f64) = (0.6, 1.0);
        /// range of the crop's width over height
        pub resized_crop_ratio: (f64, f64) = (3.0 / 4.0, 4.0 / 3.0);
        /// probability of a left-right flip
        pub flip: f64 = 0.5;
        /// brightness, contrast and saturation are each multiplied by a factor from 1 - color_jitter to 1 + color_jitter, in
        /// random order, as by torchvision's ColorJitter; 0 turns it off
        #[serde(skip_serializing_if = "is_zero")]
        pub color_jitter: f64 = 0.0;
        /// probability of Cutout: one square set to a random colour (DeVries and Taylor 2017)
        pub cutout: f64 = 0.5;
        /// side of that square as a share of the picture's
        pub cutout_factor: f64 = 0.3;
        /// the square as in the authors' code of ASL, ML-Decoder and CPSD: its side is rounded, not truncated, and Pillow draws one
        /// more row and column
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        pub cutout_inclusive: bool = false;
        /// operations of RandAugment per view; 0 turns it off
        pub randaugment: usize = 0;
        /// strength of these operations, from 0 to 30; policy "uda" draws it
        pub randaugment_level: usize = 9;
        /// whose operations: "torchvision" or "uda"
        #[serde(skip_serializing_if = "Policy::is_torchvision")]
        pub randaugment_policy: Policy = Policy::Torchvision;
        /// a hash of the code of a closure that makes the views in place of all this ([`ViewFunction`](super::ViewFunction))
        #[serde(skip_serializing_if = "Option::is_none")]
        pub script: Option<String> = None;
    }
}

/// Which part of a picture a view shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CropName {
    /// Area and ratio from the ranges `resized_crop_scale` and `resized_crop_ratio`, as torchvision's RandomResizedCrop.
    Resized,
    /// [`fixed_crops::multi_scale`].
    MultiScale,
    /// [`fixed_crops::squares`].
    Squares,
}

impl CropName {
    fn is_resized(&self) -> bool {
        *self == CropName::Resized
    }
}

/// Whose RandAugment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// Torchvision's: 14 operations, all at one strength, black outside, nearest pixels.
    Torchvision,
    /// That of UDA, from the package randaugment 1.0.2: 15 operations, each applied with probability ½ at a random strength, grey
    /// outside, bicubic shears.
    Uda,
}

impl Policy {
    fn is_torchvision(&self) -> bool {
        *self == Policy::Torchvision
    }
}

impl AugmentOptions {
    /// The first option that differs from its default and changes nothing beside the others, and what it needs.
    pub fn without_effect(&self) -> Option<(&'static str, &'static str)> {
        let usual = AugmentOptions::default();
        let resized = self.crop == CropName::Resized;
        if !resized && self.resized_crop_scale != usual.resized_crop_scale {
            return Some(("resized_crop_scale", "crop: \"resized\""));
        }
        if !resized && self.resized_crop_ratio != usual.resized_crop_ratio {
            return Some(("resized_crop_ratio", "crop: \"resized\""));
        }
        if resized && self.resized_crop_scale.0 >= 1.0 && self.resized_crop_ratio != usual.resized_crop_ratio {
            return Some(("resized_crop_ratio", "a resized_crop_scale that begins below 1"));
        }
        if self.cutout == 0.0 && self.cutout_factor != usual.cutout_factor {
            return Some(("cutout_factor", "a cutout above 0"));
        }
        if self.cutout == 0.0 && self.cutout_inclusive {
            return Some(("cutout_inclusive", "a cutout above 0"));
        }
        if self.randaugment == 0 && self.randaugment_policy != usual.randaugment_policy {
            return Some(("randaugment_policy", "a randaugment above 0"));
        }
        if self.randaugment == 0 && self.randaugment_level != usual.randaugment_level {
            return Some(("randaugment_level", "a randaugment above 0"));
        }
        if self.randaugment_policy == Policy::Uda && self.randaugment_level != usual.randaugment_level {
            return Some(("randaugment_level", "randaugment_policy: \"torchvision\"; \"uda\" draws the strength"));
        }
        None
    }
}

fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_without_effect_are_named() {
        let none = AugmentOptions::default();
        assert_eq!(none.without_effect(), None);
        let uda = Policy::Uda;
        let cases: [(&str, AugmentOptions); 8] = [
            (
                "resized_crop_scale",
                AugmentOptions { crop: CropName::Squares, resized_crop_scale: (0.5, 1.0), ..none.clone() },
            ),
            (
                "resized_crop_ratio",
                AugmentOptions { crop: CropName::Squares, resized_crop_ratio: (0.5, 1.0), ..none.clone() },
            ),
            (
                "resized_crop_ratio",
                AugmentOptions { resized_crop_scale: (1.0, 1.0), resized_crop_ratio: (0.5, 1.0), ..none.clone() },
            ),
            ("cutout_factor", AugmentOptions { cutout: 0.0, cutout_factor: 0.5, ..none.clone() }),
            ("cutout_inclusive", AugmentOptions { cutout: 0.0, cutout_inclusive: true, ..none.clone() }),
            ("randaugment_policy", AugmentOptions { randaugment_policy: uda, ..none.clone() }),
            ("randaugment_level", AugmentOptions { randaugment_level: 5, ..none.clone() }),
            (
                "randaugment_level",
                AugmentOptions { randaugment: 2, randaugment_policy: uda, randaugment_level: 5, ..none.clone() },
            ),
        ];
        for (key, options) in cases {
            assert_eq!(options.without_effect().map(|found| found.0), Some(key), "{options:?}");
        }
        let all = AugmentOptions {
            resized_crop_scale: (0.9, 1.0),
            resized_crop_ratio: (0.5, 1.0),
            cutout: 0.1,
            cutout_factor: 0.5,
            cutout_inclusive: true,
            randaugment: 1,
            randaugment_level: 5,
            ..none.clone()
        };
        assert_eq!(all.without_effect(), None);
        let turned_off = AugmentOptions { cutout: 0.0, resized_crop_scale: (1.0, 1.0), ..none };
        assert_eq!(turned_off.without_effect(), None);
    }

    #[test]
    fn later_options_are_in_the_json_of_a_run_only_where_they_are_used() {
        let json = serde_json::to_value(AugmentOptions::default()).unwrap();
        let keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(
            keys,
            [
                "resized_crop_scale",
                "resized_crop_ratio",
                "flip",
                "cutout",
                "cutout_factor",
                "randaugment",
                "randaugment_level"
            ]
        );
        let read: AugmentOptions =
            serde_json::from_str(r#"{"crop": "multi_scale", "randaugment_policy": "uda", "resize_first": 512}"#)
                .unwrap();
        let json = serde_json::to_value(&read).unwrap();
        assert_eq!((&json["crop"], &json["randaugment_policy"]), (&"multi_scale".into(), &"uda".into()));
        assert_eq!(serde_json::from_value::<AugmentOptions>(json).unwrap(), read);
    }
}
