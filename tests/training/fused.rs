//! Updates in one pass, with the bits of separate operations; PyTorch's fused optimisers, which GPUs use, on the CPU: the numbers of separate
//! operations, to rounding. optimisers.rs and parity.rs hold all forms to PyTorch, pretended_gpu.rs runs the fused one on a pretended GPU.

use cpsd::images::scenes::{SceneOptions, splits};
use cpsd::models::ModelSpec;
use cpsd::runs::RunStore;
use cpsd::torch::fused;
use cpsd::torch::one_pass;
use cpsd::training::optimiser::{Average, CopyOf, Flat, Form, Groups, UpdateRule, rounding};
use cpsd::training::options::{Optimiser, ScheduleKind};
use cpsd::training::schedule::Schedule;
use cpsd::training::{Job, TrainOptions, Trained, run};
use tch::{Device, Kind, Tensor};

use crate::common::alone_on_the_cpu;
use crate::formula::scattered;

/// Those that this build has.
pub fn forms() -> impl Iterator<Item = Form> {
    let fused = Some(Form::Fused).filter(|_| fused::AVAILABLE);
    std::iter::once(Form::Separate).chain(rounding().map(Form::OnePass)).chain(fused)
}

/// Optimisers with cosine rates and weights that decay, once with clipped gradients and once with rates by part.
pub fn cases() -> Vec<(String, TrainOptions)> {
    let sgd = |momentum, nesterov, lr| TrainOptions {
        optimiser: Optimiser::Sgd,
        momentum,
        nesterov,
        lr,
        ..TrainOptions::default()
    };
    let of = |optimiser| TrainOptions { optimiser, lr: 0.02, ..TrainOptions::default() };
    let optimisers = [
        ("adam", of(Optimiser::Adam)),
        ("adamw", of(Optimiser::AdamW)),
        ("sgd", sgd(0.9, false, 0.02)),
        ("sgd, nesterov", sgd(0.9, true, 0.02)),
        ("sgd without momentum", sgd(0.0, false, 0.1)),
    ];
    let mut all = Vec::new();
    for (name, optimiser) in optimisers {
        let with = |clip, backbone_lr| TrainOptions {
            epochs: 2,
            schedule: ScheduleKind::Cosine,
            weight_decay: 0.1,
            clip,
            backbone_lr,
            ..optimiser.clone()
        };
        all.push((format!("{name}, clipped"), with(2.0, 1.0)));
        all.push((format!("{name}, rates by part"), with(0.0, 0.25)));
    }
    all
}

/// What twenty updates gave.
pub struct Came {
    /// Values, their average and the optimiser's state, with their names.
    pub tensors: Vec<(String, Tensor)>,
    /// The values before.
    start: Tensor,
    /// Whether every update left the gradients as they were, as the fused kernels do.
    gradients_kept: bool,
}

/// Twenty updates in f32 of a function of three weights and three biases; `form` is asked at each update.
pub fn twenty_updates(options: &TrainOptions, form: impl Fn(u64) -> Form, device: Device) -> Came {
    let shapes: [(&str, &[i64]); 6] = [
        ("backbone.a.weight", &[7, 30]),
        ("backbone.b.weight", &[16, 8]),
        ("head.weight", &[3, 50]),
        ("backbone.a.bias", &[7]),
        ("head.bias", &[3]),
        ("last.bias", &[130]),
    ];
    let leaf = |(name, shape): (&str, &[i64])| {
        let values = scattered(name, shape, 1.0).to_device(device);
        (name.to_string(), values.set_requires_grad(true))
    };
    let leaves = shapes.map(leaf);
    let copies = leaves.iter().map(|(name, tensor)| (name.clone(), tensor.shallow_clone())).collect();
    let mut flat = Flat::of(copies, vec![]).unwrap();
    let start = flat.values.f_copy_of().unwrap();
    let mut groups = Groups::new(&flat, options.weight_decay, options.decay_on);
    if options.backbone_lr != 1.0 {
        let factor = |name: &str| if name.starts_with("backbone") { options.backbone_lr } else { 1.0 };
        groups.set_factors(&flat, factor);
    }
    let schedule = Schedule::new(options, 10);
    let mut rule = UpdateRule::new(&flat, options, groups).unwrap();
    let mut average = Average::new(&flat, 0.9, false).unwrap();
    let mut gradients_kept = true;
    for update in 0..20 {
        flat.zero_gradients().unwrap();
        let loss = |(name, leaf): &(String, Tensor)| {
            let target = scattered(&format!("{name} {update}"), &leaf.size(), 1.5).to_device(device);
            (leaf * 1.3 - target).square().sum(Kind::Float)
        };
        leaves.iter().map(loss).sum::<Tensor>().backward();
        if options.clip > 0.0 {
            flat.clip_gradients(options.clip).unwrap();
        }
        let before = flat.gradients.f_copy_of().unwrap();
        rule = rule.with_form(form(update));
        rule.update(&mut flat, schedule.lr(update, None).unwrap(), schedule.momentum(update)).unwrap();
        gradients_kept &= before.to_device(Device::Cpu) == flat.gradients.to_device(Device::Cpu);
        average.update(&flat, update + 1).unwrap();
    }
    let mut tensors =
        vec![("values".to_string(), flat.values.shallow_clone()), ("average".to_string(), average.values)];
    tensors.extend(rule.state().into_iter().map(|(name, tensor)| (name.to_string(), tensor.shallow_clone())));
    Came { tensors, start, gradients_kept }
}

fn largest(tensor: &Tensor) -> f64 {
    f64::try_from(tensor.abs().max().to_kind(Kind::Double)).unwrap()
}

#[test]
fn fused_updates_are_separate_ones_to_rounding() {
    if !fused::AVAILABLE {
        println!("skipped: this build has no fused optimisers");
        return;
    }
    for (name, options) in cases() {
        let separate = twenty_updates(&options, |_| Form::Separate, Device::Cpu);
        let fused = twenty_updates(&options, |_| Form::Fused, Device::Cpu);
        // A training may go on in the other form.
        let mixed = twenty_updates(&options, |i| if i % 7 < 3 { Form::Separate } else { Form::Fused }, Device::Cpu);
        // Decay that is added to gradients shows which form it was.
        let adds = options.optimiser != Optimiser::AdamW;
        assert!(fused.gradients_kept && separate.gradients_kept != adds, "{name}: the form");
        let moved = largest(&(&separate.tensors[0].1 - &separate.start));
        assert!(moved > 0.05, "{name}: moved by {moved}");
        for other in [&fused, &mixed] {
            for ((what, one), (_, other)) in separate.tensors.iter().zip(&other.tensors) {
                // Without momentum the fused form keeps no velocity, which nothing reads.
                if what == "sgd.velocity" && options.momentum == 0.0 {
                    continue;
                }
                let (gap, scale) = (largest(&(one - other)), largest(one));
                assert!(gap <= 5e-6 * scale, "{name}: {what} differs by {gap:e} of {scale:e}");
            }
        }
    }
}

fn bits(tensor: &Tensor) -> Tensor {
    tensor.contiguous().view_dtype(Kind::Int)
}

#[test]
fn updates_in_one_pass_have_the_bits_of_separate_ones() {
    if !one_pass::AVAILABLE {
        println!("skipped: this build has no updates in one pass");
        return;
    }
    let form = Form::OnePass(rounding().expect("libtorch rounds in a way that is not known here"));
    assert_eq!(Form::of(Device::Cpu).unwrap(), form);
    for (name, options) in cases() {
        let separate = twenty_updates(&options, |_| Form::Separate, Device::Cpu);
        let one = twenty_updates(&options, |_| form, Device::Cpu);
        let mixed = twenty_updates(&options, |i| if i % 7 < 3 { Form::Separate } else { form }, Device::Cpu);
        let adds = options.optimiser != Optimiser::AdamW;
        assert!(one.gradients_kept && separate.gradients_kept != adds, "{name}: the form");
        assert!(largest(&(&separate.tensors[0].1 - &separate.start)) > 0.05, "{name}");
        for other in [&one, &mixed] {
            for ((what, one), (_, other)) in separate.tensors.iter().zip(&other.tensors) {
                assert!(bits(one).equal(&bits(other)), "{name}: {what}");
            }
        }
    }
}

#[test]
fn threads_that_share_a_large_buffer_change_no_bits_of_updates_in_one_pass() {
    alone_on_the_cpu!();
    let Some(form) = rounding().map(Form::OnePass) else {
        println!("skipped: this build has no updates in one pass");
        return;
    };
    let leaf = || scattered("large", &[3, 100_003], 1.0).set_requires_grad(true);
    let gradients = scattered("gradients", &[3, 100_003], 2.0).view([-1]);
    for (name, options) in cases() {
        let of = |form: Form, threads: i32| {
            tch::set_num_threads(threads);
            let mut flat = Flat::of(vec![("large.weight".into(), leaf())], vec![]).unwrap();
            let groups = Groups::new(&flat, options.weight_decay, options.decay_on);
            let mut rule = UpdateRule::new(&flat, &options, groups).unwrap().with_form(form);
            for _ in 0..3 {
                flat.gradients.narrow(0, 0, gradients.numel() as i64).copy_(&gradients);
                rule.update(&mut flat, 0.01, None).unwrap();
            }
            flat.values
        };
        let separate = bits(&of(Form::Separate, 1));
        for threads in [1, 2, 3] {
            assert!(bits(&of(form, threads)).equal(&separate), "{name}: {threads} threads");
        }
    }
}

#[test]
fn the_summary_of_a_run_says_that_its_optimiser_was_fused() {
    alone_on_the_cpu!();
    cpsd::activity::console::set_quiet(true);
    let scenes = SceneOptions { train: 32, val: 8, test: 1, test_shifted: 1, size: 32, ..SceneOptions::default() };
    let data: Vec<_> = splits(&scenes).unwrap().into_iter().map(|(_, data)| data).collect();
    let model = ModelSpec { backbone: "small_cnn".into(), image_size: Some(32), ..ModelSpec::default() };
    let job = Job {
        name: "test".into(),
        train: data[0].clone(),
        val: Some(data[1].clone()),
        labels: data[0].labels.labels()[..4].to_vec(),
        options: TrainOptions { model, epochs: 1, batch: 16, threads: 1, views: 0, ..TrainOptions::default() },
        distillation: None,
    };
    let folder = tempfile::tempdir().unwrap();
    let trained = |place: &str| run(&RunStore::new(folder.path().join(place)), &job);
    let summary = |trained: &Trained| trained.run.as_ref().unwrap().summary().unwrap();
    // SAFETY: the test is alone in its process, and no training runs.
    let set = |value: &str| unsafe { std::env::set_var("CPSD_FUSED", value) };
    let separate = trained("separate").unwrap();
    assert_eq!(summary(&separate).get("fused_optimiser"), None);
    set("1");
    if fused::AVAILABLE {
        let fused = trained("fused").unwrap();
        assert_eq!(summary(&fused)["fused_optimiser"], true);
        assert_eq!(fused.id, separate.id);
    }
    // What makes no sense is said, and is no choice.
    set("perhaps");
    assert_eq!(summary(&trained("neither").unwrap()).get("fused_optimiser"), None);
}
