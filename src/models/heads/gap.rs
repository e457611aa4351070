//! Global average pooling and a linear layer.

use tch::Tensor;

use super::published::{Layout, Published, resnet_children};
use super::{COMMON, Head, HeadKind, HeadSetup};
use crate::error::Result;
use crate::models::label_order::LabelOrder;
use crate::models::layers::{Linear, average_pool};
use crate::models::params::Scope;
use crate::models::pass::Pass;

pub const GAP: HeadKind = HeadKind {
    name: "gap",
    summary: "global average pooling and one linear layer",
    published: Published {
        code: "github.com/Robbie-Xu/CPSD bf8784b, Resnet101 (model/model_101.py) and TResNet (tresnet/tresnet.py); \
               github.com/Alibaba-MIIL/ASL 8c9e0bd, TResNet (src/models/tresnet/tresnet.py)",
        differs: "",
        layouts: &[
            Layout {
                system: "CPSD with a ResNet (CPSD-R101-448-COCO, CPSD-ResNeXt-448-COCO)",
                rename: rename_cpsd,
                labels: LabelOrder::Alphabetical,
            },
            Layout {
                system: "ASL or CPSD with TResNet (MS_COCO_TRresNet_L_448_86.6.pth, CPSD-TResNet-448-COCO, CPSD-TResNet-448-NUS)",
                rename: rename_tresnet,
                // ASL's are by category id, CPSD's alphabetical, and their files have the same names.
                labels: LabelOrder::Unknown,
            },
        ],
    },
    build: |p, setup| Ok(Box::new(Gap(last(p, setup)?))),
    ..COMMON
};

/// `features.4.0.conv1.weight` → `layer1.0.conv1.weight`, `classify.weight` → `fc.weight`.
fn rename_cpsd(name: &str, classifier: &str) -> Option<String> {
    match name.split_once('.')? {
        ("features", rest) => resnet_children(rest),
        ("classify", leaf) => Some(format!("{classifier}.{leaf}")),
        _ => None,
    }
}

/// `head.fc.weight` is the last layer; the body's names are those of the backbone's authors.
fn rename_tresnet(name: &str, classifier: &str) -> Option<String> {
    match name.strip_prefix("head.fc.") {
        Some(leaf) => Some(format!("{classifier}.{leaf}")),
        None => name.starts_with("body.").then(|| name.to_string()),
    }
}

/// PyTorch's first weights, but for a TResNet, whose code draws those of linear layers from a normal distribution.
fn last(p: &Scope, setup: &HeadSetup) -> Result<Linear> {
    let (p, inputs, outputs) = (p.at(setup.classifier), setup.inputs, setup.num_labels());
    if !setup.spec.backbone.starts_with("tresnet") {
        return Linear::new(&p, inputs, outputs);
    }
    let weight = p.normal("weight", &[outputs, inputs], 0.01)?;
    Ok(Linear { weight, bias: p.uniform("bias", &[outputs], 1.0 / (inputs as f64).sqrt())? })
}

struct Gap(Linear);

impl Head for Gap {
    fn logits(&self, features: &Tensor, _: Pass) -> Result<Tensor> {
        self.0.forward(&average_pool(features)?)
    }

    fn class_maps(&self, features: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(self.0.on_maps(features)?))
    }
}
