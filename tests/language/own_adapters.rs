//! Adapters that are closures, and low-rank updates, in trainings: all that is done with a model.

use cpsd::script::session::Session;
use rhai::Dynamic;

use crate::common::session;

/// A small frozen transformer and its options of a training.
const VIT: &str = "let data = dataset(\"emoji-scenes\", #{train: 48, val: 16, test: 16, test_shifted: 8, size: 32});
let some = [\"person\", \"dog\", \"car\"];
let vit = #{backbone: \"vit_small_patch14_dinov2\", image_size: 28, stages: 1, frozen: true};
let o = #{epochs: 1, batch: 16, views: 0, threads: 1, lr: 0.01, model: vit};
let deep = |block, x, p| { x.prompts = p.dropout(p.parameter(`prompts${block}`, [4, 384]), 0.1); x };
let reading = |maps, p| p.linear(\"fc\", p.tokens.prompts.mean(1), p.labels);
let tuned = |model| o + #{model: vit + model};
";

fn ok(session: &mut Session, code: &str) -> Dynamic {
    session.eval(code, "test").unwrap_or_else(|e| panic!("{code}: {}", e.render(false, 120)))
}

fn truth(session: &mut Session, code: &str) {
    assert_eq!(ok(session, code).as_bool(), Ok(true), "{code}");
}

/// Teachers with prompts, merged, a student with prompts and low-rank updates, saved and read.
#[test]
fn the_whole_method_with_prompts_on_a_frozen_transformer() {
    let folder = tempfile::tempdir().unwrap();
    let mut s = session(folder.path());
    let path = folder.path().join("m.safetensors").display().to_string();
    let _ = ok(&mut s, &format!("{VIT} let path = {path:?}; let x = randn([2, 3, 28, 28], 1);"));
    let _ = ok(&mut s, "let a = train_teacher(data, some, tuned.call(#{adapter: deep, head: reading}));");
    // Its name is that of its code and of what it captured.
    truth(&mut s, "a.id == train_teacher(data, some, tuned.call(#{adapter: deep, head: reading})).id");
    let other = "let k = 4; let other = |block, x, p| { x.prompts = p.parameter(`prompts${block}`, [k, 384]); x };
         let b = train_teacher(data, some, tuned.call(#{adapter: other, head: reading})); a.id != b.id && a.parameters == b.parameters";
    truth(&mut s, other);
    // The backbone stays as it was, the prompts learn.
    let moved = "a.save(path); let first = path + \".safetensors\";
         let options = vit + #{labels: some, seed: 0, adapter: deep, head: reading}; options.remove(\"backbone\");
         model(\"vit_small_patch14_dinov2\", options).save(first);
         let after = load_tensors(path); let before = load_tensors(first);";
    let _ = ok(&mut s, moved);
    let changed = "let changed = []; for name in after.keys() { if !(after[name] == before[name]).all().item() { changed.push(name); } } changed.sort(); changed";
    assert_eq!(ok(&mut s, changed).to_string(), "[\"adapter.prompts0\", \"head.fc.bias\", \"head.fc.weight\"]");
    let _ = ok(
        &mut s,
        "let lora = #{rank: 2, on: [\"qkv\", \"fc2\"]};
         let ts = train_teachers(data, random_partition(data.train.names, 2), tuned.call(#{adapter: deep}));
         let student = distill(data, merge(ts), tuned.call(#{adapter: deep, lora: lora}));
         let planned = plan(|| distill(data, merge(ts), tuned.call(#{adapter: deep, lora: lora})));
         cam(student, data.test);",
    );
    assert!(ok(&mut s, "planned.to_string()").to_string().contains("1 in the run store"));
    truth(&mut s, "student.save(path); load_model(path).forward(x).to_array() == student.forward(x).to_array()");
    truth(&mut s, "load_model(path, #{adapter: deep}).labels == student.labels");
    let refusal = |s: &mut Session, code: &str| {
        let failure = s.eval(code, "test").unwrap_err();
        (failure.message.clone(), failure.help.unwrap_or_default())
    };
    let (said, _) = refusal(&mut s, "load_model(path, #{adapter: |block, x, p| x})");
    assert!(said.contains("its adapter is another closure"), "{said}");
    for option in ["workers: \"processes\"", "nproc: 2", "executor: slurm()"] {
        let code = format!(
            "train_teachers(data, random_partition(some, 2), tuned.call(#{{adapter: deep}}) + #{{seed: 8, {option}}})"
        );
        let (said, help) = refusal(&mut s, &code);
        assert!(said.contains("of the script's own"), "{option}: {said}");
        assert!(help.contains("trains"), "{option}: {help}");
    }
}

/// The loss of a head that gives several logits is the sum of the losses of each.
#[test]
fn logits_of_a_loss_are_summed() {
    let folder = tempfile::tempdir().unwrap();
    let mut s = session(folder.path());
    let _ = ok(&mut s, VIT);
    let code = "let once = |maps, p| { let y = p.linear(\"fc\", maps.mean([2, 3]), p.labels); #{logits: y, loss_logits: stack([y])} };
        let plain = |maps, p| p.linear(\"fc\", maps.mean([2, 3]), p.labels);
        let twice = |maps, p| { let y = p.linear(\"fc\", maps.mean([2, 3]), p.labels); #{logits: y, loss_logits: stack([y, y])} };
        let losses = [plain, once, twice].map(|head| train_teacher(data, some, tuned.call(#{head: head}) + #{epochs: 1, lr: 1e-9}).run.metrics.rows[0].loss);
        losses";
    let losses: Vec<f64> = ok(&mut s, code).into_typed_array().unwrap();
    assert_eq!(losses[0], losses[1]);
    assert!((losses[2] / losses[0] - 2.0).abs() < 1e-4, "{losses:?}");
}

#[test]
fn what_an_adapter_does_wrong_is_told_at_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let mut s = session(folder.path());
    let _ = ok(&mut s, VIT);
    for (model, message) in [
        ("#{adapter: |block, x, p| 3}", "the closure must give a Tensor, or a map of Tensors; it gave an integer"),
        ("#{adapter: |block, x, p| x.patches}", "the closure must give the tokens, as the map that it got"),
        ("#{adapter: |block, x, p| #{prompts: x.patches}}", "the closure must give the tokens"),
        ("#{adapter: |block, x, p| { x.promts = x.patches; x }}", "the answer of an adapter has no \"promts\""),
        (
            "#{adapter: |block, x, p| { x.prompts = zeros([2, 5]); x }}",
            "prompts of the tokens must be [k, 384] or [N, k, 384]. Got [2, 5]",
        ),
        (
            "#{adapter: |block, x, p| { x.patches = x.patches.narrow(1, 0, 2); x }}",
            "patches of the tokens must be [2, 4, 384]. Got [2, 2, 384]",
        ),
        (
            "#{adapter: |block, x, p| { x.remove(\"class_token\"); x }}",
            "class_token of the tokens must be [2, 1, 384]. Got absent",
        ),
        ("#{adapter: |block, x, p| { x.mask = zeros([4, 4]); x }}", "mask of the tokens must be [5, 5]. Got [4, 4]"),
        (
            "#{adapter: |block, x, p| { x.mask = zeros([5, 5]) > 1; x }}",
            "the mask before block 0 lets token 0 look at no token",
        ),
        (
            "#{adapter: |block, x, p| { x.mask = tensor([[1, 1, 1, 1, 1]]).expand([5, 5]); x }}",
            "must be true and false, or numbers with a fraction",
        ),
        (
            "#{adapter: |block, x, p| { x.mask = ones([5, 5]).tril(); x }}",
            "has only 0.0 and 1.0, which would be added to the scores and hide no token",
        ),
        (
            "#{adapter: |block, x, p| { x.mask = zeros([5, 5]) / 0.0; x }}",
            "must have numbers that can be added to the scores; it has NaN at [0, 0]",
        ),
        ("#{adapter: |block, x, p| x.nothing()}", "there is no function nothing"),
        ("#{adapter: 3}", "option \"adapter\" of train_teacher must be a closure"),
        (
            "#{lora: #{alpha: 0.0 / 0.0}}",
            "option \"model.lora.alpha\" of train_teacher must be a finite number; got NaN",
        ),
        ("#{lora: #{rank: 0}}", "option \"rank\" of lora must be from 1 to 4096; got 0"),
        ("#{lora: #{on: [\"qk\"]}}", "qkv"),
        ("#{backbone: \"small_cnn\", image_size: 32, lora: #{}}", "option \"lora\" is for a vision transformer"),
        (
            "#{backbone: \"small_cnn\", image_size: 32, head: |maps, p| p.tokens.patches}",
            "tokens are those of a vision transformer",
        ),
    ] {
        let failure = s.eval(&format!("train_teacher(data, some, tuned.call({model}))"), "test").unwrap_err();
        assert!(failure.message.contains(message), "{model}: {}", failure.message);
    }
}
