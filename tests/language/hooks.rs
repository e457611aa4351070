//! What a script lets a training do: own schedules, augmentations, samplers; looking on and stopping; first weights; thawing.

use cpsd::script::session::Session;

use crate::common::{SMALL, alone_on_the_cpu, eval, files, golden, session};

fn failure(session: &mut Session, code: &str) -> String {
    session.eval(code, "test").err().unwrap_or_else(|| panic!("it passes: {code}")).render(false, 200)
}

fn small(folder: &std::path::Path) -> Session {
    let mut session = session(folder);
    let _ = eval(&mut session, SMALL);
    session
}

fn text(session: &mut Session, code: &str) -> String {
    cpsd::script::show::plain(&eval(session, code))
}

#[test]
fn a_schedule_of_two_parameters_gives_the_rate() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = small(folder.path());
    let code = "let rates = [];
        let m = train_teacher(data, some, o + #{schedule: |step, total| 0.001 * (step + 1) / total, on_batch: |line| rates.push(line.lr)});
        rates.map(|lr| round(lr * 6000, 6))";
    assert_eq!(text(&mut session, code), "[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]");
    // A factor on lr, by one parameter; the code of either counts.
    let other = "let factor = train_teacher(data, some, o + #{schedule: |now| 0.001 * (now.update + 1) / now.updates, lr: 1.0}); factor.id != m.id";
    assert_eq!(text(&mut session, other), "true");
    let same = "let d = m.predict(data.test).scores - factor.predict(data.test).scores; d.abs().max().item() < 1e-4";
    assert_eq!(text(&mut session, same), "true");
    let mut wrong = |options: &str| failure(&mut session, &format!("train_teacher(data, some, o + #{{{options}}})"));
    assert!(wrong("schedule: |a, b, c| 1.0").contains("of two parameters, |step, total|"));
    assert!(wrong("schedule: |step, total| 0.1, lr: 0.5").contains("\"lr\" of train_teacher has no effect"));
    assert!(wrong("schedule: |step, total| -0.1").contains("must give the learning rate, 0 or above; it gave -0.1"));
    assert!(wrong("schedule: |step, total| throw \"no rate\"").contains("no rate"));
}

#[test]
fn a_schedule_of_nothing_but_0_is_said_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let said = |schedule: &str| {
        let code =
            format!("{}train_teacher(data, some, o + #{{epochs: 2, schedule: {schedule}}}); 1", crate::common::SMALL);
        let output = std::process::Command::new(crate::common::CPSD)
            .args(["eval", &code])
            .env("CPSD_RUNS", folder.path().join("runs"))
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", crate::common::err(&output));
        crate::common::err(&output)
    };
    // Division of integers: 0 at every step but none.
    let warned = "the schedule gives 0 at every step of the first epoch";
    let nothing = said("|step, total| step / total");
    assert_eq!(nothing.matches(warned).count(), 1, "{nothing}");
    assert!(nothing.contains("1.0 * step / total"), "{nothing}");
    let factor = said("|now| 0.0");
    assert_eq!(factor.matches(warned).count(), 1, "{factor}");
    assert!(!said("|step, total| if step == 0 { 0.0 } else { 0.001 }").contains(warned));
}

#[test]
fn an_augmentation_is_a_closure_of_words() {
    alone_on_the_cpu!();
    let folder = tempfile::tempdir().unwrap();
    let mut session = small(folder.path());
    // The built-in crop and RandAugment in words, of the same generator and so the same views.
    let code = "let shapes = [];
        let plain = #{flip: 0.0, cutout: 0.0};
        let built_in = train_teacher(data, some, o + #{augment: plain});
        let own = train_teacher(data, some, o + #{augment: |picture, random| picture.random_resized_crop(random, 32, [0.6, 1.0])});
        let d = built_in.predict(data.test).scores - own.predict(data.test).scores;
        [own.id != built_in.id, d.abs().max().item()]";
    assert_eq!(text(&mut session, code), "[true, 0.0]");
    let kept = "let frozen = o + #{views: 2, model: o.model + #{freeze: 2}};
        let a = train_teacher(data, some, frozen + #{augment: plain});
        let b = train_teacher(data, some, frozen + #{augment: |picture, random| picture.random_resized_crop(random, 32, [0.6, 1.0])});
        let d = a.predict(data.test).scores - b.predict(data.test).scores; d.abs().max().item()";
    assert_eq!(text(&mut session, kept), "0.0");
    let taught = "let teacher = train_teacher(data, data.train.names, o + #{epochs: 1});
        distill(data, teacher, o + #{views: 2, epochs: 1, augment: |picture, random| picture.hflip()}).labels.len() == data.train.names.len()";
    assert_eq!(text(&mut session, taught), "true");
    let mut wrong =
        |closure: &str| failure(&mut session, &format!("train_teacher(data, some, o + #{{augment: {closure}}})"));
    assert!(wrong("|picture| picture").contains("must be a closure of two parameters"));
    assert!(
        wrong("|picture, random| 3")
            .contains("must give a picture, a Tensor [3, height, width] of uint8; it gave an integer")
    );
    assert!(
        wrong("|picture, random| picture * 0.5").contains("the view that the augmentation gave: a picture is a Tensor")
    );
    assert!(wrong("|picture, random| picture.posterize(9)").contains("bits must be an integer from 0 to 8; got 9"));
    let elsewhere = "train_teacher(data, some, o + #{nproc: 2, augment: |picture, random| picture})";
    assert!(
        failure(&mut session, elsewhere)
            .contains("option \"augment\": an augmentation of the script's own belongs to this process")
    );
    let elsewhere = "train_teacher(data, some, o + #{executor: slurm(#{}), augment: |picture, random| picture})";
    assert!(failure(&mut session, elsewhere).contains("an augmentation of the script's own cannot leave this process"));
}

#[test]
fn words_of_pictures_equal_torchvision() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(folder.path());
    let goldens = golden("training/randaugment.json");
    let (h, w) = (goldens["height"].as_u64().unwrap(), goldens["width"].as_u64().unwrap());
    // The formula of the golden's picture.
    let code = format!(
        "fn value(y, x, c) {{ let v = (y * 7 + x * 5 + c * 40 + (x * y) % 11 * 6) % 256; if c == 2 {{ 60 + v.div(3) }} else {{ v }} }}
         let rows = (0..3).map(|c| (0..{h}).map(|y| (0..{w}).map(|x| value(y, x, c))));
         let picture = tensor(rows).to(\"uint8\"); picture.shape"
    );
    assert_eq!(text(&mut session, &code), format!("[3, {h}, {w}]"));
    let mut seen = std::collections::BTreeSet::new();
    for case in goldens["cases"].as_array().unwrap() {
        let level = case["level"].as_f64().unwrap();
        let sign = if case["negative"].as_bool().unwrap() { -1.0 } else { 1.0 };
        let name = case["name"].as_str().unwrap();
        let signed = |most: f64| sign * f64::from(most as f32 / 30.0 * level as f32);
        let factor = |_: ()| 1.0 + signed(0.9);
        let call = match name {
            "ShearX" => format!("shear_x({:?})", signed(0.3)),
            "ShearY" => format!("shear_y({:?})", signed(0.3)),
            "TranslateX" => format!("translate_x({:?})", signed(150.0 / 331.0 * w as f64)),
            "TranslateY" => format!("translate_y({:?})", signed(150.0 / 331.0 * h as f64)),
            "Rotate" => format!("rotate({:?})", signed(30.0)),
            "Brightness" => format!("adjust_brightness({:?})", factor(())),
            "Color" => format!("adjust_saturation({:?})", factor(())),
            "Contrast" => format!("adjust_contrast({:?})", factor(())),
            "Sharpness" => format!("adjust_sharpness({:?})", factor(())),
            "Posterize" => format!("posterize({})", 8 - (level / 7.5).round_ties_even() as i64),
            "Solarize" => format!("solarize({:?})", 255.0 - 255.0 / 30.0 * level),
            "AutoContrast" => "autocontrast()".into(),
            "Equalize" => "equalize()".into(),
            _ => continue,
        };
        let shown = eval(&mut session, &format!("picture.{call}.to_array()")).into_array().unwrap();
        let flat = |value: rhai::Dynamic| -> Vec<i64> {
            let rows = value.into_array().unwrap();
            rows.into_iter().flat_map(|row| row.into_typed_array::<i64>().unwrap()).collect()
        };
        let channels: Vec<Vec<i64>> = shown.into_iter().map(flat).collect();
        let hex = case["bytes"].as_str().unwrap();
        let expected = (0..hex.len() / 2).map(|i| i64::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap());
        let different = expected.enumerate().filter(|(i, byte)| channels[i % 3][i / 3] != *byte).count();
        assert_eq!(different, 0, "{name} {call}: {different} bytes differ");
        seen.insert(name);
    }
    assert_eq!(seen.len(), 13);
    assert_eq!(text(&mut session, "(picture.hflip().hflip() == picture).to(\"float32\").mean().item()"), "1.0");
    assert_eq!(text(&mut session, "picture.crop(2, 3, 4, 5).vflip().shape"), "[3, 4, 5]");
    for (code, says) in [
        ("picture.crop(2, 3, 40, 5)", "does not lie inside a picture of 18 × 20"),
        ("tensor([1.0]).hflip()", "hflip: a picture is a Tensor [3, height, width] of uint8; got [1] of float"),
        ("picture.resize([0, 5])", "height must be from 1 to 16384 pixels; got 0"),
        ("picture.rotate(0.0 / 0.0)", "degrees must be a finite number"),
        (
            "picture.random_resized_crop(random(1), 8, [0.5, 2])",
            "scale must be two numbers above 0, the smaller first, at most 1",
        ),
        ("picture.erase(1, 2)", "erase takes a picture, the integers top, left, height and width, and a colour"),
    ] {
        assert!(failure(&mut session, code).contains(says), "{code}");
    }
}

#[test]
fn updates_are_looked_on_and_trainings_are_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = small(folder.path());
    let code = "let plain = train_teacher(data, some, o);
        let lines = [];
        let seen = train_teacher(data, some, o + #{seed: 1, on_batch_every: 2, on_batch_outputs: true, on_batch: |line| lines.push(line)});
        [lines.map(|l| [l.epoch, l.step, l.update]), lines[0].outputs.shape, lines[0].targets.shape, lines.all(|l| l.grad_norm > 0.0 && l.loss > 0.0 && l.lr > 0.0)]";
    assert_eq!(text(&mut session, code), "[[[1, 2, 2], [2, 1, 4], [2, 3, 6]], [16, 3], [16, 3], true]");
    // Who only looks on is no part of the name.
    assert_eq!(text(&mut session, "train_teacher(data, some, o + #{seed: 1}).id == seen.id"), "true");
    let code = "let stopped = train_teacher(data, some, o + #{on_epoch: |line| if line.epoch == 1 { \"stop\" }});
        [stopped.id != plain.id, stopped.run.summary.stopped.by, stopped.run.summary.stopped.epoch, stopped.run.summary.updates, stopped.run.summary.best_epoch]";
    assert_eq!(text(&mut session, code), "[true, \"on_epoch\", 1, 3, 1]");
    // The store answers, and passes the lines.
    let code = "let again = []; let same = train_teacher(data, some, o + #{on_epoch: |line| if line.epoch == 1 { \"stop\" }}); same.id == stopped.id";
    assert_eq!(text(&mut session, code), "true");
    let code = "let b = train_teacher(data, some, o + #{on_batch: |line| if line.update == 4 { \"stop\" }});
        [b.run.summary.stopped.by, b.run.summary.stopped.epoch, b.run.summary.stopped.step, b.run.summary.updates]";
    assert_eq!(text(&mut session, code), "[\"on_batch\", 2, 1, 4]");
    // A text that is put together is not known before: an error, and no unnamed result.
    let wrong = failure(
        &mut session,
        "let st = \"st\"; train_teacher(data, some, o + #{seed: 7, on_epoch: |line| st + \"op\"})",
    );
    assert!(wrong.contains("gave \"stop\", which is not written in its code as \"stop\""), "{wrong}");
    let wrong = failure(&mut session, "train_teacher(data, some, o + #{nproc: 2, on_epoch: |line| \"stop\"})");
    assert!(
        wrong.contains("option \"on_epoch\": a stopping callback of the script's own belongs to this process"),
        "{wrong}"
    );
    let wrong = failure(&mut session, "train_teacher(data, some, o + #{on_batch_every: 2})");
    assert!(wrong.contains("it needs a closure on_batch"), "{wrong}");
    let wrong =
        failure(&mut session, "train_teacher(data, some, o + #{seed: 8, on_batch: |line| throw \"far enough\"})");
    assert!(wrong.contains("far enough"), "{wrong}");
    // Each of several by itself.
    let code = "let p = random_partition(some, 2);
        let both = train_teachers(data, p, o + #{on_epoch: |line| if line.epoch == 1 { \"stop\" }});
        both.map(|m| m.run.summary.stopped.epoch)";
    assert_eq!(text(&mut session, code), "[1, 1]");
}

#[test]
fn samplers_name_the_images_of_an_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = small(folder.path());
    let code = "let asked = [];
        let part = train_teacher(data, some, o + #{sampler: |epoch| { asked.push(epoch); (0..32).map(|i| i + epoch).to_array() }});
        [part.run.summary.updates, asked]";
    let shown = text(&mut session, &code.replace(".to_array()", ""));
    assert!(shown.starts_with("[4, [0, 0, 1"), "{shown}");
    let code = "let w = (0..48).map(|i| if i < 24 { 1.0 } else { 0.0 });
        let weighted = train_teacher(data, some, o + #{sampler: w}); [weighted.run.summary.updates, weighted.id != part.id]";
    assert_eq!(text(&mut session, code), "[6, true]");
    // A Tensor of positions is as good as an array of them.
    let code = "let array = train_teacher(data, some, o + #{seed: 2, sampler: |epoch| (0..48).map(|i| 47 - i)});
        let tensor = train_teacher(data, some, o + #{seed: 2, sampler: |epoch| 47 - arange(48)});
        (array.predict(data.test).scores - tensor.predict(data.test).scores).abs().max().item() < 1e-4";
    assert_eq!(text(&mut session, code), "true");
    let mut wrong = |options: &str| failure(&mut session, &format!("train_teacher(data, some, o + #{{{options}}})"));
    let of_nan = "option \"sampler[1]\" of train_teacher must be a finite number; got NaN";
    assert!(wrong("sampler: [1.0, 0.0 / 0.0]").contains(of_nan));
    assert!(wrong("sampler: |epoch| arange(48) * 1.0").contains("it gave a Tensor [48] of float32"));
    assert!(wrong("sampler: |epoch| arange(48).reshape([2, 24])").contains("it gave a Tensor [2, 24] of int64"));
    assert!(wrong("sampler: [1.0, 2.0]").contains("one weight per training image, 48; got 2"));
    assert!(
        wrong("sampler: \"weights\"").contains("\"shuffle\", an array of one weight per training image, or a closure")
    );
    assert!(wrong("sampler: |epoch| 3").contains("positions of images, or a Tensor [n] of int64; it gave an integer"));
    assert!(wrong("sampler: |epoch| [48]").contains("gave image 48 for epoch 0; the training split has 0 to 47"));
    assert!(wrong("sampler: |epoch| [1], images: \"containing\"").contains("of which the training leaves out"));
}

#[test]
fn trainings_start_from_models_and_thaw() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = small(folder.path());
    // The architecture comes along; a rate of almost 0 leaves the weights as they were.
    let code = "let teacher = train_teacher(data, some, o);
        let still = #{epochs: 1, batch: 16, views: 0, threads: 1, lr: 1e-12, weight_decay: 0.0, select: \"last\", ema: 0.0, freeze: [[0, 4]]};
        let two = train_teacher(data, [\"car\", \"cup\", \"person\"], still + #{start: teacher});
        let theirs = teacher.predict(data.test).scores; let ours = two.predict(data.test).scores;
        let d = (ours.index(1, [0, 2]) - theirs.index(1, [2, 0])).abs().max().item();
        [two.image_size, d < 1e-5, two.run.spec.options.start == teacher.id]";
    assert_eq!(text(&mut session, code), "[32, true, true]");
    // A plan knows the names before the start is trained.
    let code =
        "let chain = || train_teacher(data, some, o + #{epochs: 1, start: train_teacher(data, some, o + #{seed: 3})});
        let planned = plan(chain); let made = chain.call(); `${planned}`.contains(made.id)";
    assert_eq!(text(&mut session, code), "true");
    let code = "let by_closure = train_teacher(data, some, o + #{freeze: |epoch| if epoch < 1 { 3 } else { 1 }});
        let by_pairs = train_teacher(data, some, o + #{freeze: [[0, 3], [1, 1]]}); by_closure.id == by_pairs.id";
    assert_eq!(text(&mut session, code), "true");
    let mut wrong = |options: &str| failure(&mut session, &format!("train_teacher(data, some, o + #{{{options}}})"));
    assert!(wrong("start: 3").contains("option \"start\" of train_teacher must be a Model; got an integer"));
    assert!(wrong("start: teacher, model: o.model + #{weights: \"imagenet\"}").contains("both give the first weights"));
    assert!(
        wrong("start: teacher, model: #{backbone: \"resnet18\"}")
            .contains("has backbone \"small_cnn\", this model \"resnet18\"")
    );
    assert!(wrong("freeze: |epoch| -1").contains("an integer from 0; it gave -1 for epoch 0"));
    assert!(wrong("freeze: |epoch| throw \"no stages\"").contains("no stages"));
    assert!(wrong("freeze: 3").contains("pairs of finished epochs and frozen stages"));
    assert!(wrong("freeze: [[0, 9]]").contains("at most the model's stages, 4; got 9"));
}

/// All options of a training that take a closure which decides its result; `EXIT` stands for what it does beside its work.
const CLOSURES: [&str; 9] = [
    "loss: |logits, targets| { EXIT (logits - targets).pow(2).sum() }",
    "schedule: |now| { EXIT 1.0 }",
    "augment: |picture, random| { EXIT picture }",
    "model: o.model + #{head: |maps, p| { EXIT p.linear(\"fc\", maps.mean([2, 3]), p.labels) }}",
    "sampler: |epoch| { EXIT arange(48) }",
    "on_epoch: |line| { EXIT if line.epoch == 9 { \"stop\" } }",
    "on_batch: |line| { EXIT if line.update == 99 { \"stop\" } }",
    "on_batch: |line| { EXIT }",
    "on_epoch: |line| { EXIT }",
];

#[test]
fn closures_that_decide_a_result_are_refused_wherever_a_training_would_be_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = small(folder.path());
    let _ = eval(&mut session, "let teacher = model(\"small_cnn\", #{labels: data.train.names, image_size: 32});");
    let vit = "model: #{backbone: \"vit_small_patch14_dinov2\", image_size: 28, stages: 1, adapter: |block, x, p| x}";
    // The last one only looks on: its lines are sent.
    let closures = CLOSURES[..8].iter().copied().chain([vit]);
    let places = ["workers: \"processes\"", "nproc: 2", "executor: slurm()"];
    for closure in closures.map(|closure| closure.replace("EXIT", "")) {
        for place in places {
            let call =
                format!("train_teachers(data, random_partition(some, 2), o + #{{seed: 8, {place}}} + #{{{closure}}})");
            for code in [call.clone(), format!("plan(|| {{ {call}; }})")] {
                let failure = session.eval(&code, "test").err().unwrap_or_else(|| panic!("it passes: {code}"));
                assert!(failure.message.contains("of the script's own"), "{code}: {}", failure.message);
                assert!(failure.help.unwrap_or_default().contains("trains"), "{code}");
            }
        }
    }
    for (options, teachers) in [
        ("distillation: |student, teacher| (student - teacher).pow(2).sum()", "teacher"),
        ("distillation: |s, t, f| (s - t).pow(2).sum()", "teacher"),
        ("distillation: |s, t, f, p| (p.linear(\"fc\", s, 40) - t).pow(2).sum()", "teacher"),
        ("seed: 1", "merge([teacher, teacher], #{rule: |outputs| outputs.mean(0)})"),
    ] {
        for place in ["nproc: 2", "executor: slurm()"] {
            let code = format!("distill(data, {teachers}, o + #{{{place}, {options}}})");
            let failure = session.eval(&code, "test").err().unwrap_or_else(|| panic!("it passes: {code}"));
            assert!(failure.message.contains("of the script's own"), "{code}: {}", failure.message);
        }
    }
}

#[test]
fn exit_in_a_closure_ends_the_script_and_keeps_what_was_trained() {
    alone_on_the_cpu!();
    // After these updates the flag is there; the checkpoint is that of the last one before the closure has seen it.
    let after = |closure: &str| match closure {
        closure if closure.starts_with("sampler") || closure.starts_with("on_epoch") => 3,
        _ => 4,
    };
    let (flag, wanted) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = flag.path().join("flag").display().to_string();
    // Callbacks look at folders, so that their code is the same in both calls.
    let raise = format!("if list_files({:?}).len() > 0 {{ write_text({path:?}, \"\"); }}", wanted.path());
    for closure in CLOSURES {
        let leaving = closure.replace("EXIT", &format!("if list_files({:?}).len() > 0 {{ exit(3) }}", flag.path()));
        // A callback that only looks on is no part of the name.
        let raises = match closure.starts_with("on_batch") {
            true => leaving.replace("|line| {", &format!("|line| {{ if line.update == 4 {{ {raise} }} ")),
            false => format!("{leaving}, on_batch: |line| if line.update == {} {{ {raise} }}", after(closure)),
        };
        let train = format!("let m = train_teacher(data, some, o + #{{{raises}}}); m.id");
        let [whole, folder] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        std::fs::write(wanted.path().join("wanted"), "").unwrap();
        let mut session = small(folder.path());
        let failure = session.eval(&train, "test").unwrap_err();
        assert_eq!(failure.exit, Some(3), "{closure}: {}", failure.render(false, 100));
        let checkpoints = files(folder.path());
        let checkpoint = checkpoints.iter().find(|file| file.to_string_lossy().contains("checkpoint"));
        let checkpoint = checkpoint.unwrap_or_else(|| panic!("{closure}: no checkpoint among {checkpoints:?}"));
        assert_eq!(cpsd::training::checkpoint::updates(checkpoint).unwrap(), after(closure), "{closure}");
        // It goes on as if it had never been left.
        std::fs::remove_file(&path).unwrap();
        std::fs::remove_file(wanted.path().join("wanted")).unwrap();
        let mut other = small(whole.path());
        let model = |session: &mut Session, folder: &std::path::Path| {
            let id = text(session, &train);
            std::fs::read(folder.join(id).join("model.safetensors")).unwrap()
        };
        assert!(model(&mut session, folder.path()) == model(&mut other, whole.path()), "{closure}");
    }
}

#[test]
fn what_is_thrown_in_a_closure_keeps_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = small(folder.path());
    for closure in CLOSURES {
        let closure = closure.replace("EXIT", "throw \"enough\";");
        let code = format!("train_teacher(data, some, o + #{{seed: 9}} + #{{{closure}}})");
        let failure = session.eval(&code, "test").unwrap_err();
        assert_eq!((failure.message.as_str(), failure.exit), ("enough", None), "{closure}");
        let place = failure.place().unwrap_or_default();
        // The call of the word is at 1:1.
        assert!(place.starts_with("test:1:") && place != "test:1:1", "{closure}: {place}");
    }
}

#[test]
fn a_part_of_a_model_trains_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = small(folder.path());
    let nested = "train_teacher(data, some, o + #{seed: 3});";
    let _ = eval(&mut session, "let teacher = model(\"small_cnn\", #{labels: data.train.names, image_size: 32});");
    for (code, option) in [
        (
            format!(
                "train_teacher(data, some, o + #{{model: o.model + #{{head: |maps, p| {{ {nested} p.linear(\"fc\", maps.mean([2, 3]), p.labels) }}}}}})"
            ),
            "head",
        ),
        (
            format!("distill(data, teacher, o + #{{distillation: |s, t, f, p| {{ {nested} (s - t).pow(2).sum() }}}})"),
            "distillation",
        ),
    ] {
        let failure = session.eval(&code, "test").unwrap_err();
        let expected = format!("train_teacher trains a model, which the closure of option \"{option}\" cannot do");
        assert!(failure.message.starts_with(&expected), "{}", failure.message);
        assert!(!failure.message.contains('\n') && failure.place().is_some(), "{}", failure.message);
    }
}
