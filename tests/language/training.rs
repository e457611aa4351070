//! Recipes and the options of a training as scripts use them.

use std::path::Path;

use cpsd::script::session::Session;

use crate::common::{SMALL, alone_on_the_cpu, eval, files, session};

fn run(session: &mut Session, code: &str) {
    let _ = eval(session, code);
}

fn failure(session: &mut Session, code: &str) -> String {
    session.eval(code, "test").err().unwrap_or_else(|| panic!("it passes: {code}")).render(false, 100)
}

#[test]
fn a_recipe_is_printed_changed_and_trained() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(folder.path());
    run(&mut session, SMALL);
    let code = "
        let r = recipe(\"cpsd-coco-r101\", #{reading: \"as-released\"});
        let counts = cooccurrence(data.train);
        let ensembles = [];
        let toy = |options| { options.epochs = 1; options.batch = 16; options.threads = 1; options.model = o.model + #{normalise: \"none\"}; options };
        for branch in r.branches {
            let p = spectral_partition(affinity(counts, branch, r.affinity[branch]), 2, r.partition);
            ensembles.push(merge(train_teachers(data, p, toy.call(r.teacher))));
        }
        let student = distill(data, ensembles, toy.call(r.student));
        let report = evaluate(student, data.test, r.evaluate);
        report.mAP >= 0.0";
    assert!(eval(&mut session, code).as_bool().unwrap());
    // The authors' code selects on test, and the report tells so.
    let shown = eval(&mut session, "report.to_string()").into_string().unwrap();
    assert!(shown.contains("selected on the test split"), "{shown}");
    assert_eq!(eval(&mut session, "r.student.teacher_mode + r.student.weights.len()").into_string().unwrap(), "train2");
    // The peak that OneCycleLR sets, not the optimiser's own rate.
    let lr = eval(&mut session, "recipe(\"cpsd-coco-q2l\").teacher.lr").as_float().unwrap();
    assert!((lr - 1e-4).abs() < 1e-18, "{lr}");
    let system = eval(&mut session, "let s = recipe(\"ml-gcn-coco\"); s.train.optimiser + s.graph + s.dataset.val");
    assert_eq!(system.into_string().unwrap(), "sgdcooccurrence0.0");
    let wrong = failure(&mut session, "recipe(\"cpsd-coco-r102\")");
    assert!(wrong.contains("cpsd-coco-r101"), "{wrong}");
    let wrong = failure(&mut session, "recipe(\"cpsd-coco-r101\", #{reading: \"papers\"})");
    assert!(wrong.contains("did you mean \"paper\"?"), "{wrong}");
}

#[test]
fn models_on_all_labels_train_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(folder.path());
    run(&mut session, SMALL);
    let code = "
        let alone = train_teacher(data, data.train.names, o + #{seed: 2, epochs: 1});
        let models = train_all(data, [#{seed: 1}, #{seed: 2, epochs: 1}], o);
        [models.len() == 2, models[1].id == alone.id, models[0].id != alone.id, models[0].run.spec.options.epochs == 2,
            models[0].labels == data.train.names, train_all(data, []).is_empty()].all(|right| right)";
    assert!(eval(&mut session, code).as_bool().unwrap());
    // A plan knows what is there.
    let code = "
        let p = plan(|| train_all(data, [#{seed: 1}, #{seed: 3}], o), #{timing: false});
        [p.len(), p.to_do]";
    assert_eq!(eval(&mut session, code).into_typed_array::<i64>().unwrap(), [2, 1]);
    for (list, said) in [
        ("[3]", "training 1 is an integer"),
        ("[#{}, #{epoch: 3}]", "did you mean \"epochs\""),
        ("[#{}, #{on_epoch: |line| ()}]", "option \"on_epoch\" of training 2 is a closure"),
        ("[#{workers: \"threads\"}]", "option \"workers\" of training 1 says where trainings run"),
    ] {
        let wrong = failure(&mut session, &format!("train_all(data, {list}, o)")).replace("\n  │ ", " ");
        assert!(wrong.contains(said), "{list}: {wrong}");
    }
}

#[test]
fn epochs_are_told_to_a_closure() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(folder.path());
    run(&mut session, SMALL);
    run(
        &mut session,
        "let seen = []; let teacher = train_teacher(data, some, o + #{on_epoch: |line| seen.push(line)});",
    );
    assert_eq!(eval(&mut session, "seen.map(|l| l.epoch)").into_typed_array::<i64>().unwrap(), [1, 2]);
    assert!(eval(&mut session, "seen[1].val_mAP >= 0.0 && seen[0].loss > 0.0").as_bool().unwrap());
    // The store answers with the same lines.
    run(&mut session, "let replayed = []; train_teacher(data, some, o + #{on_epoch: |line| replayed.push(line)});");
    assert!(eval(&mut session, "replayed.len() == 2 && replayed[0].loss == seen[0].loss").as_bool().unwrap());
    // What it throws comes out where it was thrown, and the training goes on from there.
    let thrown = failure(
        &mut session,
        "train_teacher(data, some, o + #{seed: 5, on_epoch: |line| if line.epoch == 1 { throw \"enough\" }})",
    );
    assert!(thrown.contains("enough"), "{thrown}");
    run(
        &mut session,
        "let rest = []; distill(data, train_teacher(data, data.train.names, o), o + #{on_epoch: |line| rest.push(line.epoch)}); ",
    );
    assert_eq!(eval(&mut session, "rest").into_typed_array::<i64>().unwrap(), [1, 2]);
    let itself = failure(
        &mut session,
        "fn again(data, some, o) { train_teacher(data, some, o) } train_teacher(data, some, o + #{seed: 6, on_epoch: |line| again(data, some, o + #{seed: 6})})",
    );
    assert!(itself.contains("is being trained by the very call that asks for it"), "{itself}");
    let wrong = failure(&mut session, "train_teacher(data, some, o + #{on_epoch: 3})");
    assert!(wrong.contains("must be a closure of one argument"), "{wrong}");
}

#[test]
fn a_thrown_epoch_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(folder.path());
    run(&mut session, SMALL);
    failure(&mut session, "train_teacher(data, some, o + #{on_epoch: |line| throw \"stop\"})");
    run(
        &mut session,
        "let lines = []; let stopped = train_teacher(data, some, o + #{on_epoch: |line| lines.push(line)});",
    );
    assert_eq!(eval(&mut session, "lines.map(|l| l.epoch)").into_typed_array::<i64>().unwrap(), [1, 2]);
    // The same as a training of another store that nobody stopped.
    let other = tempfile::tempdir().unwrap();
    *session.host.runs.borrow_mut() = other.path().to_path_buf();
    run(&mut session, "let whole = []; train_teacher(data, some, o + #{on_epoch: |line| whole.push(line)});");
    assert!(
        eval(&mut session, "lines[1].loss == whole[1].loss && lines[1].val_mAP_ema == whole[1].val_mAP_ema")
            .as_bool()
            .unwrap()
    );
}

#[test]
fn teachers_in_training_mode_teach_otherwise_and_stay_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(folder.path());
    run(&mut session, SMALL);
    run(
        &mut session,
        "let teacher = train_teacher(data, data.train.names, o); let before = evaluate(teacher, data.test).mAP;",
    );
    run(
        &mut session,
        "let calm = distill(data, teacher, o); let noisy = distill(data, teacher, o + #{teacher_mode: \"train\"});",
    );
    let differ = eval(
        &mut session,
        "{ let d = calm.predict(data.test).scores - noisy.predict(data.test).scores; (d * d).sum().item() > 0.0 }",
    );
    assert!(differ.as_bool().unwrap());
    assert!(eval(&mut session, "evaluate(teacher, data.test).mAP == before").as_bool().unwrap());
    // A student of half the weight on labels is another one.
    assert!(eval(&mut session, "distill(data, teacher, o + #{label_weight: 0.5}).id != calm.id").as_bool().unwrap());
    let wrong =
        failure(&mut session, "distill(data, teacher, o + #{model: #{backbone: \"small_cnn\", image_size: 48}})");
    assert!(wrong.contains("image_size and normalise"), "{wrong}");
}

#[test]
fn all_pictures_are_trained_on_without_a_validation_split() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(folder.path());
    run(&mut session, SMALL);
    run(&mut session, "let whole = #{ train: data.train, val: data.val.take(0), test: data.test };");
    let wrong = failure(&mut session, "train_teacher(whole, some, o)");
    assert!(wrong.contains("the validation split has no images") && wrong.contains("select: \"last\""), "{wrong}");
    let wrong = failure(&mut session, "train_teacher(whole, some, o + #{ select: \"last\", patience: 2 })");
    assert!(wrong.contains("patience stops a training"), "{wrong}");
    let lines = "let lines = []; let m = train_teacher(whole, some, o + #{ select: \"last\", on_epoch: |line| lines.push(line) });";
    run(&mut session, lines);
    assert!(
        eval(&mut session, "lines.len() == 2 && !(\"val_mAP\" in lines[1]) && lines[1].loss > 0.0").as_bool().unwrap()
    );
    assert!(eval(&mut session, "evaluate(m, data.test).mAP >= 0.0").as_bool().unwrap());
    // A student too, whose teachers are weighed evenly.
    run(&mut session, "let all = train_teacher(whole, data.train.names, o + #{ select: \"last\" });");
    run(&mut session, "let s = distill(whole, all, o + #{ select: \"last\" });");
    let wrong = failure(&mut session, "distill(whole, all, o + #{ select: \"last\", teacher_weights: \"val_AP\" })");
    assert!(wrong.contains("\"val_AP\" weighs teachers"), "{wrong}");
}

#[test]
fn pictures_that_cannot_be_read_are_left_out_by_path() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(&folder.path().join("runs"));
    let root = folder.path().join("own").display().to_string();
    run(
        &mut session,
        &format!("{SMALL} write_scenes(\"{root}\", #{{train: 20, val: 4, test: 4, test_shifted: 4, size: 32}});"),
    );
    let first =
        files(Path::new(&root)).into_iter().find(|p| p.extension().is_some_and(|e| e == "jpg" || e == "png")).unwrap();
    let before = eval(&mut session, &format!("let whole = dataset(\"coco2014\", #{{root: \"{root}\"}}); let n = 0; for split in whole.values() {{ n += split.len(); }} n")).as_int().unwrap();
    std::fs::write(&first, b"not a picture").unwrap();
    let code = format!(
        "let kept = dataset(\"coco2014\", #{{root: \"{root}\", on_bad_image: \"skip\"}}); n = 0; for split in kept.values() {{ n += split.len(); }} n"
    );
    assert_eq!(eval(&mut session, &code).as_int().unwrap(), before - 1);
    let wrong = failure(&mut session, &format!("dataset(\"coco2014\", #{{root: \"{root}\", on_bad_image: \"skp\"}})"));
    assert!(wrong.contains("did you mean \"skip\"?"), "{wrong}");
}

#[test]
fn a_run_store_that_cannot_be_written_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a file");
    std::fs::write(&file, b"").unwrap();
    let mut session = session(&file);
    run(&mut session, SMALL);
    let said = failure(&mut session, "train_teacher(data, some, o)");
    assert!(said.contains("a file"), "{said}");
}

#[test]
fn a_loss_written_in_a_script_trains_as_the_one_it_copies() {
    alone_on_the_cpu!();
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(folder.path());
    run(&mut session, SMALL);
    let code = "
        fn squared(s, t) { let d = s - t; (d * d).sum() }
        let a = train_teacher(data, some, o + #{loss: \"bce\"});
        let b = train_teacher(data, some, o + #{loss: |logits, targets| bce(logits, targets)});
        let c = train_teacher(data, some, o + #{loss: |x, y| (((x * -1.0).exp() + 1.0).log() + x - x * y).sum()});
        let p = random_partition(some, 2);";
    run(&mut session, code);
    let apart = |session: &mut Session, one: &str, other: &str| {
        eval(session, &format!("{{ let d = {one}.predict(data.test).scores - {other}.predict(data.test).scores; (d * d).sum().item() }}")).as_float().unwrap()
    };
    assert_eq!(apart(&mut session, "a", "b"), 0.0, "the same operations, the same bits");
    let c = apart(&mut session, "a", "c");
    assert!(c < 1e-6, "the same formula otherwise written: {c}");
    assert_ne!(
        eval(&mut session, "a.run.id").into_string().unwrap(),
        eval(&mut session, "b.run.id").into_string().unwrap()
    );

    let students = "
        let teacher = train_teacher(data, data.train.names, o);
        let x = distill(data, teacher, o + #{distillation: mse()});
        let y = distill(data, teacher, o + #{distillation: |s, t| squared(s, t)});
        let z = distill(data, teacher, o + #{distillation: |s, t| squared(s, t) * 2.0});";
    run(&mut session, students);
    assert!(apart(&mut session, "x", "y") < 1e-6);
    assert!(apart(&mut session, "x", "z") > 1e-6);
    // Another line, the same code: the run is found again. Another helper behind it: another run.
    let before = eval(&mut session, "y.run.id").into_string().unwrap();
    run(&mut session, "\n\nlet y = distill(data, teacher, o + #{distillation: |s, t|   squared(s, t) });");
    assert_eq!(before, eval(&mut session, "y.run.id").into_string().unwrap());
    run(
        &mut session,
        "fn squared(s, t) { let d = s - t; (d * d).mean() } let y = distill(data, teacher, o + #{distillation: |s, t| squared(s, t)});",
    );
    assert_ne!(before, eval(&mut session, "y.run.id").into_string().unwrap());

    // Teachers with a loss of the script's, one after the other; every epoch is told of.
    run(
        &mut session,
        "let told = []; let both = train_teachers(data, p, o + #{loss: |l, t| asl(l, t), on_epoch: |line| told.push(line.name)}); ",
    );
    assert_eq!(eval(&mut session, "both.len() + told.len()").as_int().unwrap(), 2 + 4);
    run(&mut session, "told = []; train_teachers(data, p, o + #{seed: 5, on_epoch: |line| told.push(line.name)});");
    assert_eq!(eval(&mut session, "told.len()").as_int().unwrap(), 4, "side by side too");

    for (loss, says) in [
        ("|l, t| l - t", "one number"),
        ("|l, t| 3", "must give a Tensor"),
        ("|l, t| tensor(1.0)", "no gradient"),
        ("|l, t| (l - t.nothing()).sum()", "nothing"),
        ("|l, t| throw \"enough\"", "enough"),
        ("|l, t| (l * 0.0 / 0.0).sum()", "no longer a number"),
    ] {
        let wrong = failure(&mut session, &format!("train_teacher(data, some, o + #{{loss: {loss}}})"));
        assert!(wrong.contains(says), "{loss}: {wrong}");
    }
}
