//! Published systems behind heads: their code, and the layouts of their checkpoints.

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
    /// The name here of a tensor of that name; empty for a tensor without use here, none for one of another layout. Tensors of the backbone get the names that
    /// [`PublishedWeights::rename`](crate::models::backbones::PublishedWeights::rename) knows or this crate's; `classifier` is
    /// the name of the last layer.
    pub rename: fn(name: &str, classifier: &str) -> Option<String>,
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
