//! The program on pretended GPUs (`tests/pretended_gpu/lib.cpp`): whole trainings have the weights and scores of the CPU, to the bit, when the
//! CPU too uses the fused optimisers, as GPUs do.

use std::path::Path;
use std::process::{Command, Output};

use crate::common::pretended_gpu::{environment, library};
use crate::common::{CPSD, err, out};

const DATA: &str = "let data = dataset(\"emoji-scenes\", #{train: 32, val: 16, test: 16, test_shifted: 1, size: 32});
let o = #{epochs: 1, batch: 16, views: 0, threads: 1, model: #{backbone: \"small_cnn\", image_size: 32}};
let some = [\"person\", \"dog\", \"car\"];
";

/// Runs `code` after [`DATA`] on the CPU (no device) or on pretended GPUs, in a run store of its own.
fn call(folder: &Path, device: Option<&str>, code: &str, more: &[(&str, &str)]) -> Output {
    let place = folder.join(device.unwrap_or("cpu").replace([':', ','], "-"));
    std::fs::create_dir_all(&place).unwrap();
    let mut command = Command::new(CPSD);
    command.args(["-q", "--runs", "runs", "eval", &format!("{DATA}{code}")]).current_dir(&place);
    // The threads of autograd are others on GPUs, and would have other numbers of threads of their own.
    command.env("OMP_NUM_THREADS", "1").env("CPSD_DEVICE", "cpu").env("CPSD_FUSED", "1").envs(more.iter().copied());
    if let Some(device) = device {
        command.envs(environment(library().unwrap(), device));
    }
    command.output().unwrap()
}

/// `code` prints the same on the CPU and on each of `devices`, writes the same models, and nothing to standard error.
fn same(devices: &[&str], code: &str) {
    if library().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let of_cpu = call(folder.path(), None, code, &[]);
    assert!(of_cpu.status.success(), "{code}\n{}", err(&of_cpu));
    for device in devices {
        let of_gpu = call(folder.path(), Some(device), code, &[]);
        assert!(of_gpu.status.success(), "{code}\non {device}\n{}", err(&of_gpu));
        assert_eq!(out(&of_gpu), out(&of_cpu), "{code}\non {device}");
        assert_eq!(err(&of_gpu), err(&of_cpu), "{code}\non {device}");
        let read = |place: &str| std::fs::read(folder.path().join(place).join("m.safetensors")).unwrap();
        assert!(read(&device.replace([':', ','], "-")) == read("cpu"), "{code}\non {device}: other weights");
    }
}

#[test]
fn a_training_is_that_of_the_cpu() {
    same(
        &["cuda:0", "cuda:1"],
        "let t = train_teacher(data, some, o + #{epochs: 2, known: 0.7, patience: 3}); t.save(\"m.safetensors\"); \
         print(evaluate(load_model(\"m.safetensors\"), data.test).mAP);",
    );
}

#[test]
fn frozen_stages_and_lower_precision_too() {
    same(
        &["cuda:1"],
        "let m = o.model + #{freeze: 2}; let t = train_teacher(data, some, o + #{views: 2, model: m}); print(evaluate(t, data.test).mAP); \
         let t = train_teacher(data, some, o + #{precision: \"bfloat16\", accumulate: 2, optimiser: \"sgd\"}); \
         print(evaluate(t, data.test).mAP); t.save(\"m.safetensors\");",
    );
}

const TEACHERS: &str =
    "let teachers = |w| merge(train_teachers(data, random_partition(data.train.labels, 3), o + #{workers: w})); ";

#[test]
fn live_teachers_answer_on_the_students_gpu() {
    same(
        &["cuda:0,cuda:1"],
        &format!(
            "{TEACHERS} let s = distill(data, [teachers.call(\"threads\")], o + #{{teacher_mode: \"train\"}}); \
             print(evaluate(s, data.test).mAP); s.save(\"m.safetensors\");"
        ),
    );
}

#[test]
fn teachers_of_processes_on_two_gpus_are_those_of_the_cpu() {
    same(
        &["cuda:0,cuda:1"],
        &format!(
            "{TEACHERS} let s = distill(data, [teachers.call(\"processes\")], o + #{{views: 2, teacher_weights: \"val_AP\"}}); \
             print(evaluate(s, data.test).mAP); s.save(\"m.safetensors\");"
        ),
    );
}

#[test]
fn a_scripts_loss_uses_tensors_of_the_script_on_a_gpu() {
    same(
        &["cuda:1"],
        "let w = tensor([1.0, 2.0, 0.5]); let one = tensor([[1.0], [0.5], [2.0]]); let row = tensor([[1.0, 0.0, 1.0]]); \
         let loss = |x, y| bce(x.index(1, [0, 2]), y.index(1, [0, 2])) + (x * w).mean() + x.matmul(one).mean() + x.cat(row, 0).mean() + asl(x, tensor(y.to_array())); \
         let t = train_teacher(data, some, o + #{loss: loss}); print(evaluate(t, data.test).mAP); t.save(\"m.safetensors\");",
    );
}

#[test]
fn a_gpu_without_memory_is_an_error_that_says_so() {
    if library().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let full =
        call(folder.path(), Some("cuda:0"), "train_teacher(data, some, o)", &[("PRETENDED_GPU_MEMORY", "12000000")]);
    assert!(full.status.code() == Some(1) && err(&full).contains("memory"), "{:?} {}", full.status, err(&full));
    assert!(!err(&full).contains("a fault inside cpsd"), "{}", err(&full));
}

/// What the CPU does in training steps: it sends pictures and targets through pinned memory, and reads back the loss now and then. (Larger
/// tensors are read back for checkpoints, which are made by the clock.)
#[test]
fn steps_do_not_wait_for_the_gpu() {
    if library().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let events = |batch: usize| {
        let trace = folder.path().join(format!("trace-{batch}"));
        let code = format!("train_teacher(data, some, o + #{{batch: {batch}}})");
        let output = call(folder.path(), Some("cuda:0"), &code, &[("PRETENDED_GPU_TRACE", trace.to_str().unwrap())]);
        assert!(output.status.success(), "{}", err(&output));
        let text = std::fs::read_to_string(trace).unwrap();
        assert!(text.lines().any(|line| line == "operation aten::_fused_adam_"), "another optimiser");
        let bytes = |line: &str| line.strip_prefix("read back ")?.split(' ').next()?.parse::<usize>().ok();
        let waits = |line: &&str| {
            (line.starts_with("wait") || line.ends_with("the CPU waits")) && bytes(line).is_none_or(|n| n <= 64)
        };
        let pictures = format!("upload {} bytes, no wait", batch * 32 * 32 * 3);
        (text.lines().filter(waits).count(), text.lines().filter(|line| **line == pictures).count())
    };
    // Two steps and eight, of other sizes than the batches of evaluations.
    let ((two, _), (eight, sent)) = (events(16), events(4));
    assert_eq!(sent, 8);
    assert!(eight <= two + 2, "{two} waits in two steps, {eight} in eight");
}
