//! Models on pretended GPUs (`tests/pretended_gpu/lib.cpp`): every head and every family of backbones has the numbers of the CPU, to the bit, and no operation gets tensors of two devices.

use cpsd::losses::{Bce, LossSpec, Reduction};
use cpsd::models::heads::{HEADS, Known, LabelLoss, Truth};
use cpsd::models::{Model, ModelSpec, Pass, Precision};
use cpsd::training::optimiser::Form;
use tch::{Device, Kind, Tensor};

use crate::common::labels;
use crate::common::pretended_gpu::runs_on;
use crate::formula::{formula, scattered};
use crate::fused::{cases, twenty_updates};
use crate::heads::spec;

const LABELS: usize = 4;
const GPU: Device = Device::Cuda(1);

/// What one training step computes before its update, and an evaluation after it: names and tensors.
fn step(spec: &ModelSpec, device: Device, precision: Precision) -> Vec<(String, Tensor)> {
    let model = Model::new(spec, &labels(LABELS), 1, device).unwrap();
    let side = model.image_size();
    let pixels = (scattered("pixels", &[3, side, side, 3], 127.0) + 128.0).to_kind(Kind::Uint8);
    let targets = formula("targets", &[3, LABELS as i64], 1.0).gt(0.0).to_kind(Kind::Float).to_device(device);
    let known = (&targets + formula("known", &[3, LABELS as i64], 1.0).to_device(device)).gt(-0.5);
    let known = Known::of_mask(&known).unwrap();
    let bce = LossSpec::from(Bce { reduction: Reduction::Mean });
    let images = model.normalise(&pixels).unwrap();
    let input = model.frozen_features(&images).unwrap();
    let pass = Pass::step(1, 2, 3).within(precision);
    let mut came = Vec::new();
    for known in [None, Some(&known)] {
        // A head with a loss of its own may compare the labels of a picture with each other.
        if known.is_some() && spec.head != "gap" {
            continue;
        }
        let answer = model.answer(&input, pass, Some(Truth { targets: &targets, known })).unwrap();
        let mut loss = answer.loss(LabelLoss { spec: &bce, function: None, known }, &targets).unwrap();
        if let Some(more) = model.auxiliary().unwrap() {
            loss += more;
        }
        loss.backward();
        came.push(("logits in training".into(), answer.logits.detach()));
        came.push(("loss".into(), loss.detach()));
    }
    for (name, leaf) in model.trainable() {
        came.push((format!("gradient of {name}"), leaf.grad()));
    }
    came.extend(model.buffers());
    came.push(("logits".into(), tch::no_grad(|| model.forward(&images, Pass::EVAL)).unwrap()));
    if let Some(maps) = model.class_maps(&images).unwrap() {
        came.push(("class maps".into(), maps));
    }
    came
}

/// Compares a step on the CPU with one on the GPU. Most have the same bits, as the kernels are the same. libtorch's `matmul` may fold its
/// batch on GPUs where it does not on CPUs (the last layer of `tf`), and attention has a fused form on GPUs alone, which round otherwise.
fn compare(what: &str, spec: &ModelSpec, precision: Precision) {
    let here = step(spec, Device::Cpu, precision);
    let there = step(spec, GPU, precision);
    assert_eq!(here.len(), there.len(), "{what}");
    let mut differ = Vec::new();
    for ((name, here), (_, there)) in here.iter().zip(&there) {
        assert_eq!(here.defined(), there.defined(), "{what}: {name}");
        if here.defined() {
            assert_eq!(there.device(), GPU, "{what}: {name}");
            let there = there.to_device(Device::Cpu);
            if *here != there {
                let gap = f64::try_from((here - there).abs().max().to_kind(Kind::Double)).unwrap();
                let largest = f64::try_from(here.abs().max().to_kind(Kind::Double)).unwrap();
                let share = if precision == Precision::BFloat16 { 1e-2 } else { 3e-6 };
                if gap > share * largest.max(1e-3) {
                    differ.push(format!("{name} by {gap:e}"));
                }
            }
        }
    }
    assert!(differ.is_empty(), "{what}: {}", differ.join(", "));
}

#[test]
#[ignore = "run by the next on a pretended GPU"]
fn heads_here() {
    tch::set_num_threads(1);
    for kind in HEADS {
        let spec = ModelSpec { backbone: "small_cnn".into(), image_size: Some(32), ..spec(kind.name, LABELS) };
        compare(kind.name, &spec, Precision::Float32);
    }
}

#[test]
fn heads_on_a_pretended_gpu() {
    runs_on("cuda:1", "pretended_gpu::heads_here");
}

#[test]
#[ignore = "run by the next on a pretended GPU"]
fn backbones_here() {
    tch::set_num_threads(1);
    for (backbone, stages, freeze, side) in [
        ("small_cnn", 4, 0, 32),
        ("small_cnn", 4, 2, 32),
        ("resnet18", 3, 0, 32),
        ("resnext50_32x4d", 2, 0, 32),
        ("tresnet_m", 3, 0, 32),
        ("efficientnet_lite0", 4, 1, 32),
        ("convnext_tiny", 2, 0, 32),
        ("vit_b_16", 1, 0, 32),
        ("vit_small_patch14_reg4_dinov2", 2, 0, 28),
        ("vit_base_patch16_clip_quickgelu_224", 1, 0, 32),
        ("vit_base_patch16_siglip_224", 1, 0, 32),
        ("swin_t", 2, 0, 64),
    ] {
        let spec = ModelSpec {
            backbone: backbone.into(),
            stages: Some(stages),
            freeze,
            image_size: Some(side),
            ..ModelSpec::default()
        };
        for precision in [Precision::Float32, Precision::BFloat16] {
            compare(&format!("{backbone} in {precision:?}"), &spec, precision);
        }
    }
}

#[test]
fn backbones_on_a_pretended_gpu() {
    runs_on("cuda:1", "pretended_gpu::backbones_here");
}

#[test]
#[ignore = "run by the next on a pretended GPU"]
fn updates_here() {
    tch::set_num_threads(1);
    assert_eq!(Form::of(GPU).unwrap(), Form::Fused);
    for (name, options) in cases() {
        let here = twenty_updates(&options, |_| Form::Fused, Device::Cpu);
        let there = twenty_updates(&options, |_| Form::of(GPU).unwrap(), GPU);
        for ((what, here), (_, there)) in here.tensors.iter().zip(&there.tensors) {
            assert_eq!(there.device(), GPU, "{name}: {what}");
            assert_eq!(*here, there.to_device(Device::Cpu), "{name}: {what}");
        }
    }
}

#[test]
fn fused_updates_on_a_pretended_gpu() {
    runs_on("cuda:1", "pretended_gpu::updates_here");
}

#[test]
#[ignore = "run by the next on a pretended GPU"]
fn refusals_here() {
    let here = Tensor::from_slice(&[1.0f32, 2.0, 3.0]);
    let (first, second) = (here.to_device(Device::Cuda(0)), here.to_device(GPU));
    let refused = |answer: Result<Tensor, tch::TchError>| {
        let said = answer.unwrap_err().to_string();
        assert!(said.contains("Expected all tensors to be on the same device"), "{said}");
    };
    // Element by element, of other kinds, of lists, in place, by "out".
    refused(first.f_add(&here));
    refused(here.f_mul(&first));
    refused(first.f_add(&second));
    refused(first.f_dot(&here));
    refused(Tensor::f_cat(&[&first, &here], 0));
    refused(first.f_index_select(0, &Tensor::from_slice(&[0i64])));
    refused(first.f_where_self(&here.gt(0.0), &first));
    refused(first.shallow_clone().f_add_(&second));
    // A single number from the CPU is allowed, one of another GPU is not.
    assert_eq!((&first * &here.select(0, 1)).device(), Device::Cuda(0));
    refused(first.f_mul(&second.select(0, 1)));
    // What CUDA's indexing moves itself.
    assert_eq!(first.index(&[Some(Tensor::from_slice(&[2i64]))]).to_device(Device::Cpu), here.narrow(0, 2, 1));

    // Views share memory, copies do not; what is made larger keeps its numbers.
    let view = first.narrow(0, 1, 2).view([2, 1]);
    let _ = view.shallow_clone().fill_(7.0);
    assert_eq!(first.to_device(Device::Cpu), Tensor::from_slice(&[1.0f32, 7.0, 7.0]));
    assert_eq!(second.to_device(Device::Cpu), here);
    let grown = second.copy().resize_([6]);
    assert_eq!((grown.size(), grown.narrow(0, 0, 3).to_device(Device::Cpu)), (vec![6], here.shallow_clone()));
    assert_eq!(grown.device(), GPU);
    let moved = first.to_device(GPU);
    assert_eq!((moved.device(), moved.to_device(Device::Cpu)), (GPU, first.to_device(Device::Cpu)));
    assert_eq!(f64::try_from(second.sum(Kind::Float)).unwrap(), 6.0);
}

#[test]
fn pretended_gpus_refuse_what_real_ones_refuse() {
    runs_on("cuda:0", "pretended_gpu::refusals_here");
}
