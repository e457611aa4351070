//! Published systems behind heads: their code, and the layouts of their checkpoints.

use crate::models::label_order::LabelOrder;

/// The source of a head.
#[derive(Clone, Copy)]
pub struct Published {
    /// Repository, commit and class that the head is held to: `github.com/SlongLiu/query2labels 55eb050, Qeruy2Label`;
    /// empty if no code was published.
    pub code: &'static str,
    /// The differences that remain between this head and its source, and for a head without public code, the
    /// parts that the paper does not determine; empty if there are none.
    pub differs: &'static str,
    /// Checkpoints of whole models with this head.
    pub layouts: &'static [Layout],
}

impl Published {
    pub const NONE: Published = Published { code: "", differs: "", layouts: &[] };
}

/// The names of a published state dict of backbone and head.
pub struct Layout {
    /// Whose checkpoints these are, and which files: `Query2Label (Q2L-R101-448.pth)`.
    pub system: &'static str,
    /// The name here of a tensor of that name; none for a name that is not of this system, [`useless`] for a tensor of the
    /// system that has no place here. Tensors of the backbone get the names that
    /// [`PublishedWeights::rename`](crate::models::backbones::PublishedWeights::rename) knows or this crate's; `classifier` is
    /// the name of the last layer.
    pub rename: fn(name: &str, classifier: &str) -> Option<String>,
    /// The order of the labels in its checkpoints of COCO.
    pub labels: LabelOrder,
}

/// For a tensor that checkpoints of a system hold and this crate does not need: a constant, a layer without use.
pub fn useless() -> Option<String> {
    Some(String::new())
}

/// The name with the beginning `from` replaced by `to`; none if it begins otherwise.
pub fn moved(name: &str, from: &str, to: &str) -> Option<String> {
    name.strip_prefix(from).map(|rest| format!("{to}{rest}"))
}

/// The names of a torchvision ResNet for those of `nn.Sequential` over its children: `0.weight` is `conv1.weight`,
/// `4.0.conv1.weight` is `layer1.0.conv1.weight`.
pub fn resnet_children(name: &str) -> Option<String> {
    let (child, rest) = name.split_once('.')?;
    let module = match child {
        "0" => "conv1",
        "1" => "bn1",
        "4" => "layer1",
        "5" => "layer2",
        "6" => "layer3",
        "7" => "layer4",
        _ => return None,
    };
    Some(format!("{module}.{rest}"))
}

/// The name after one of the beginnings, with the beginning that belongs to it here put before it.
pub fn moved_one_of(name: &str, beginnings: &[(&str, &str)]) -> Option<String> {
    beginnings.iter().find_map(|(from, to)| moved(name, from, to))
}
