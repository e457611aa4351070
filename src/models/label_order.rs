//! The order of labels in published checkpoints of COCO, and the reading of their tensors by the names of labels.

use tch::Tensor;

use crate::error::Result;

/// The order of the labels in checkpoints of one layout that were trained on COCO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelOrder {
    /// By name.
    Alphabetical,
    /// By COCO's category ids.
    CategoryIds,
    /// Files of the layout differ, or it is not known.
    Unknown,
}

/// The 80 labels of COCO by category id, as torchvision has them in the metadata of its detection weights.
const BY_ID: [&str; 80] = [
    "person",
    "bicycle",
    "car",
    "motorcycle",
    "airplane",
    "bus",
    "train",
    "truck",
    "boat",
    "traffic light",
    "fire hydrant",
    "stop sign",
    "parking meter",
    "bench",
    "bird",
    "cat",
    "dog",
    "horse",
    "sheep",
    "cow",
    "elephant",
    "bear",
    "zebra",
    "giraffe",
    "backpack",
    "umbrella",
    "handbag",
    "tie",
    "suitcase",
    "frisbee",
    "skis",
    "snowboard",
    "sports ball",
    "kite",
    "baseball bat",
    "baseball glove",
    "skateboard",
    "surfboard",
    "tennis racket",
    "bottle",
    "wine glass",
    "cup",
    "fork",
    "knife",
    "spoon",
    "bowl",
    "banana",
    "apple",
    "sandwich",
    "orange",
    "broccoli",
    "carrot",
    "hot dog",
    "pizza",
    "donut",
    "cake",
    "chair",
    "couch",
    "potted plant",
    "bed",
    "dining table",
    "toilet",
    "tv",
    "laptop",
    "mouse",
    "remote",
    "keyboard",
    "cell phone",
    "microwave",
    "oven",
    "toaster",
    "sink",
    "refrigerator",
    "book",
    "clock",
    "vase",
    "scissors",
    "teddy bear",
    "hair drier",
    "toothbrush",
];

impl LabelOrder {
    /// The place of each label among the 80 of a checkpoint of COCO. None if a label is not COCO's, or the order is unknown.
    pub fn places(self, labels: &[String]) -> Option<Vec<i64>> {
        let mut order = BY_ID;
        match self {
            LabelOrder::CategoryIds => {}
            LabelOrder::Alphabetical => order.sort_unstable(),
            LabelOrder::Unknown => return None,
        }
        labels.iter().map(|label| order.iter().position(|known| known == label).map(|at| at as i64)).collect()
    }

    /// For the end of a sentence about a checkpoint's labels.
    pub fn text(self) -> &'static str {
        match self {
            LabelOrder::Alphabetical => "in the alphabetical order of COCO's labels",
            LabelOrder::CategoryIds => "in the order of COCO's category ids",
            LabelOrder::Unknown => "in an order that the file does not tell",
        }
    }
}

/// The number of labels of COCO.
pub const COCO: i64 = BY_ID.len() as i64;

/// A tensor of a checkpoint of COCO for the labels at `places`: along every dimension that has 80 numbers there and one per label
/// here, those of the labels. None if it has no such dimension.
pub fn for_labels(tensor: &Tensor, shape: &[i64], places: &[i64]) -> Result<Option<Tensor>> {
    let given = tensor.size();
    if given.len() != shape.len() {
        return Ok(None);
    }
    let index = Tensor::f_from_slice(places)?.f_to_device(tensor.device())?;
    let mut taken = None;
    for (dim, (there, here)) in given.iter().zip(shape).enumerate() {
        if *there == COCO && *here == places.len() as i64 {
            taken = Some(taken.as_ref().unwrap_or(tensor).f_index_select(dim as i64, &index)?);
        }
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::card;

    #[test]
    fn labels_are_found_in_both_orders() {
        let names = |labels: &[&str]| labels.iter().map(|l| l.to_string()).collect::<Vec<_>>();
        assert_eq!(LabelOrder::CategoryIds.places(&names(&["person", "toothbrush", "zebra"])), Some(vec![0, 79, 22]));
        let card = &card("coco2014").unwrap().labels;
        assert_eq!(LabelOrder::Alphabetical.places(card), Some((0..80).collect()));
        assert_eq!(LabelOrder::CategoryIds.places(&names(&["person", "unicorn"])), None);
        assert_eq!(LabelOrder::Unknown.places(card), None);
        let square = Tensor::arange(6400, (tch::Kind::Float, tch::Device::Cpu)).view([80, 80]);
        let part = for_labels(&square, &[2, 2], &[79, 1]).unwrap().unwrap();
        assert_eq!(Vec::<f32>::try_from(part.view(-1)).unwrap(), [6399.0, 6321.0, 159.0, 81.0]);
        // A dimension that is not of labels stays.
        assert_eq!(for_labels(&square, &[2, 80], &[79, 1]).unwrap().unwrap().size(), [2, 80]);
        assert!(for_labels(&square, &[3, 80], &[79, 1]).unwrap().is_none());
    }
}
