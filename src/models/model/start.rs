//! Another model's weights as the first weights of this one.

use std::cell::RefCell;
use std::collections::HashMap;

use tch::{Device, Tensor};

use super::load::log_once;
use super::{FirstValues, HeadSetup, Model, Params, Scope, backbones, heads};
use crate::error::{Error, Result, counted};
use crate::models::ModelSpec;

impl Model {
    /// Takes over the weights and batch statistics of `other`, whose `name` errors and notes say: the whole backbone, and of the head what
    /// fits. Tensors with numbers per label take those of the labels that both models have; all else of the head keeps its values, which
    /// is said once per process.
    ///
    /// Errors: another backbone, normalisation of pixels or shape of a tensor of the backbone.
    pub fn start_from(&mut self, other: &Model, name: &str) -> Result<()> {
        self.check_backbone(other, name)?;
        let there: HashMap<&str, &Tensor> = other.params.list.iter().map(|p| (p.name.as_str(), &p.tensor)).collect();
        let dims = if self.labels == other.labels { HashMap::new() } else { self.label_dims()? };
        let pairs: Vec<(i64, i64)> = self
            .labels
            .iter()
            .enumerate()
            .filter_map(|(here, label)| Some((here as i64, other.labels.iter().position(|l| l == label)? as i64)))
            .collect();
        let mut fresh = Vec::new();
        let mut by_label = false;
        for (at, param) in self.params.list.iter().enumerate() {
            let Some(given) = there.get(param.name.as_str()) else {
                fresh.push(param.name.as_str());
                continue;
            };
            let none = Vec::new();
            let dims = if at < self.backbone_params { &none } else { dims.get(param.name.as_str()).unwrap_or(&none) };
            let mut fitting = param.tensor.size();
            for dim in dims {
                fitting[*dim as usize] = other.labels.len() as i64;
            }
            if given.size() != fitting {
                fresh.push(param.name.as_str());
                continue;
            }
            by_label |= !dims.is_empty();
            tch::no_grad(|| copy_labels(&param.tensor.f_detach()?, &given.f_detach()?, dims, &pairs))?;
        }
        if !fresh.is_empty() {
            let (n, first) = (fresh.len(), fresh[..fresh.len().min(3)].join(", "));
            let more = if n > 3 { ", ..." } else { "" };
            let head = &self.spec.head;
            log_once(&format!(
                "start {name}: random weights for {} of head \"{head}\": {first}{more}",
                counted(n, "tensor")
            ));
        }
        let new = self.labels.iter().filter(|label| !other.labels.contains(label)).count();
        if by_label && new > 0 {
            let m = self.labels.len();
            log_once(&format!("start {name}: it has {} of the {m} labels; {new} start from random weights", m - new));
        }
        Ok(())
    }

    fn check_backbone(&self, other: &Model, name: &str) -> Result<()> {
        let wrong = |message: String| {
            Err(Error::argument(format!("option \"start\": {message}"))
                .about_option("start")
                .with_help("without the option model, a training has the architecture of its start"))
        };
        if self.kind.name != other.kind.name {
            return wrong(format!("{name} has backbone \"{}\", this model \"{}\"", other.kind.name, self.kind.name));
        }
        if self.spec.normalise != other.spec.normalise {
            return wrong(format!("{name} was trained with another normalise than this model's"));
        }
        let there: HashMap<&str, Vec<i64>> =
            other.params.list[..other.backbone_params].iter().map(|p| (p.name.as_str(), p.tensor.size())).collect();
        for param in &self.params.list[..self.backbone_params] {
            let here = param.tensor.size();
            match there.get(param.name.as_str()) {
                None => return wrong(format!("{name} has no tensor \"{}\": it uses fewer stages", param.name)),
                Some(size) if *size != here => {
                    return wrong(format!(
                        "tensor \"{}\" is {size:?} in {name} and {here:?} in this model",
                        param.name
                    ));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// The dimensions of the head's tensors that have one number per label, found by a head for one label less (or more, of one).
    fn label_dims(&self) -> Result<HashMap<String, Vec<i64>>> {
        let m = self.labels.len();
        let fewer = match m {
            1 => vec![self.labels[0].clone(), format!("not {}", self.labels[0])],
            _ => self.labels[..m - 1].to_vec(),
        };
        let params = RefCell::new(Params::new(FirstValues::None));
        let root = Scope::root(&params, 0, Device::Cpu);
        let classifier = backbones::find(&self.spec.backbone)?.classifier;
        let spec = ModelSpec { download: false, ..self.spec.clone() };
        let setup = HeadSetup::new(&spec, self.channels, &fewer, classifier)?;
        (heads::find(&self.spec.head)?.build)(&root, &setup)?;
        let others: HashMap<String, Vec<i64>> =
            params.into_inner().list.into_iter().map(|p| (p.name, p.tensor.size())).collect();
        let dims = |name: &str, size: Vec<i64>| -> Vec<i64> {
            let Some(other) = others.get(name).filter(|other| other.len() == size.len()) else { return vec![] };
            let of_labels = |(here, there): (&i64, &i64)| *here == m as i64 && *there == fewer.len() as i64;
            (0..).zip(size.iter().zip(other)).filter(|(_, pair)| of_labels(*pair)).map(|(dim, _)| dim).collect()
        };
        let head = self.params.list[self.backbone_params..].iter();
        Ok(head.map(|p| (p.name.clone(), dims(&p.name, p.tensor.size()))).collect())
    }
}

/// Copies `from` into `into`, which share storage with models: all of it, or along `dims` what belongs to `pairs` of positions (here,
/// there).
fn copy_labels(into: &Tensor, from: &Tensor, dims: &[i64], pairs: &[(i64, i64)]) -> Result<()> {
    let Some((&dim, rest)) = dims.split_first() else {
        into.shallow_clone().f_copy_(from)?;
        return Ok(());
    };
    for &(here, there) in pairs {
        // The dimensions behind the one that is gone.
        let rest: Vec<i64> = rest.iter().map(|d| d - 1).collect();
        copy_labels(&into.f_select(dim, here)?, &from.f_select(dim, there)?, &rest, pairs)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(spec: &ModelSpec, labels: &[&str], seed: u64) -> Model {
        let labels: Vec<String> = labels.iter().map(|l| l.to_string()).collect();
        Model::new(spec, &labels, seed, Device::Cpu).unwrap()
    }

    fn tensors(model: &Model) -> HashMap<String, Tensor> {
        model.state().into_iter().collect()
    }

    #[test]
    fn shared_labels_are_copied_and_the_others_keep_their_first_values() {
        crate::activity::console::set_quiet(true);
        let spec = ModelSpec { backbone: "small_cnn".into(), image_size: Some(32), ..ModelSpec::default() };
        let other = model(&spec, &["cat", "dog", "sun"], 1);
        for labels in [&["sun", "car", "cat"][..], &["sun", "car"], &["dog"], &["moon"]] {
            let (before, mut new) = (tensors(&model(&spec, labels, 2)), model(&spec, labels, 2));
            new.start_from(&other, "train-1").unwrap();
            let (after, given) = (tensors(&new), tensors(&other));
            for (name, tensor) in &after {
                if !name.starts_with("fc.") {
                    assert_eq!(tensor, &given[name], "{name}");
                    continue;
                }
                for (row, label) in labels.iter().enumerate() {
                    let there = other.labels.iter().position(|l| l == label);
                    let expected = match there {
                        Some(there) => given[name].get(there as i64),
                        None => before[name].get(row as i64),
                    };
                    assert_eq!(tensor.get(row as i64), expected, "{name} {label}");
                }
            }
        }
    }

    #[test]
    fn equal_labels_copy_everything_and_another_head_nothing_of_it() {
        crate::activity::console::set_quiet(true);
        for head in ["gap", "q2l", "csra", "ml_decoder"] {
            let spec = ModelSpec { head: head.into(), image_size: Some(32), ..ModelSpec::default() };
            let (other, mut new) = (model(&spec, &["a", "b"], 1), model(&spec, &["a", "b"], 2));
            new.start_from(&other, "x").unwrap();
            assert_eq!(new.initial_fingerprint().unwrap(), other.initial_fingerprint().unwrap(), "{head}");
            // In another order, the same function up to the order of its outputs.
            let mut turned = model(&spec, &["b", "a"], 3);
            turned.start_from(&other, "x").unwrap();
            let x = crate::torch::normal(1, "x", &[2, 3, 32, 32], 1.0).unwrap();
            let (a, b) = (other.forward(&x, false).unwrap(), turned.forward(&x, false).unwrap());
            assert!((a - b.flip([1])).abs().max().double_value(&[]) < 1e-5, "{head}");
        }
        let gap = ModelSpec { image_size: Some(32), ..ModelSpec::default() };
        let csra = ModelSpec { head: "csra".into(), ..gap.clone() };
        let (before, mut new) = (tensors(&model(&csra, &["a", "b"], 2)), model(&csra, &["a", "b"], 2));
        new.start_from(&model(&gap, &["a", "b"], 1), "x").unwrap();
        assert!(new.state().iter().filter(|(name, _)| !new.is_of_backbone(name)).any(|(name, t)| *t == before[name]));
    }

    #[test]
    fn another_backbone_is_refused() {
        let small = ModelSpec { image_size: Some(32), ..ModelSpec::default() };
        let error = |spec: ModelSpec| {
            let mut new = model(&small, &["a"], 0);
            new.start_from(&model(&spec, &["a"], 0), "train-1").unwrap_err().message
        };
        assert_eq!(
            error(ModelSpec { backbone: "resnet18".into(), ..small.clone() }),
            "option \"start\": train-1 has backbone \"resnet18\", this model \"small_cnn\""
        );
        assert!(error(ModelSpec { stages: Some(2), ..small.clone() }).contains("it uses fewer stages"));
        let plain = ModelSpec { normalise: crate::models::Normalise::None, ..small.clone() };
        assert!(error(plain).contains("another normalise"));
    }
}
