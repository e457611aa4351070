//! Which stage or head each parameter of a model belongs to.

use std::cell::RefCell;
use std::collections::HashMap;

use tch::Device;

use super::Model;
use crate::error::Result;
use crate::models::ModelSpec;
use crate::models::heads::SECOND;
use crate::models::params::{FirstValues, Params, Scope};

/// The part of a model that a parameter belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// From 1.
    Stage(usize),
    Head,
}

impl Model {
    /// Number of the backbone's stages that are used.
    pub fn num_stages(&self) -> usize {
        self.stages
    }

    /// The part of every parameter by name. A head's second backbone has the stages of the first.
    pub fn parts(&self) -> Result<HashMap<String, Part>> {
        let backbone = self.params.list[..self.backbone_params].iter();
        let mut stages: HashMap<&str, usize> = backbone.map(|p| (p.name.as_str(), self.stages)).collect();
        // Backbones tell their stages by freezing them: a parameter's stage is the first that takes it along.
        for stage in (1..self.stages).rev() {
            for name in self.frozen_at(stage)? {
                if let Some(of) = stages.get_mut(name.as_str()) {
                    *of = stage;
                }
            }
        }
        let part = |name: &str| match stages.get(name.strip_prefix(SECOND).unwrap_or(name)) {
            Some(stage) => Part::Stage(*stage),
            None => Part::Head,
        };
        Ok(self.params.list.iter().map(|p| (p.name.clone(), part(&p.name))).collect())
    }

    /// Names of the backbone's parameters that `freeze` stages keep.
    fn frozen_at(&self, freeze: usize) -> Result<Vec<String>> {
        let params = RefCell::new(Params::new(FirstValues::None));
        let spec = ModelSpec { freeze, ..self.spec.clone() };
        (self.kind.build)(&Scope::root(&params, 0, Device::Cpu), &spec)?;
        let frozen = params.into_inner().list.into_iter().filter(|p| p.frozen);
        Ok(frozen.map(|p| p.name).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_take_their_parameters_and_the_head_the_rest() {
        let spec =
            |backbone: &str| ModelSpec { backbone: backbone.into(), image_size: Some(32), ..ModelSpec::default() };
        let model = |spec: &ModelSpec| Model::new(spec, &["a".into(), "b".into()], 0, Device::Cpu).unwrap();
        let small = model(&ModelSpec { freeze: 1, ..spec("small_cnn") });
        let parts = small.parts().unwrap();
        assert_eq!(parts.len(), small.state().len());
        for (name, part) in &parts {
            let stage = (1..=4).find(|s| name.starts_with(&format!("stage{s}.")));
            assert_eq!(*part, stage.map_or(Part::Head, Part::Stage), "{name}");
        }
        // The stem goes with the first stage.
        let parts = model(&ModelSpec { stages: Some(3), ..spec("resnet18") }).parts().unwrap();
        assert_eq!(parts["conv1.weight"], Part::Stage(1));
        assert_eq!(parts["layer1.0.conv1.weight"], Part::Stage(1));
        assert_eq!(parts["layer3.1.bn2.running_var"], Part::Stage(3));
        assert_eq!(parts.values().filter(|part| **part == Part::Head).count(), 2);
    }
}
