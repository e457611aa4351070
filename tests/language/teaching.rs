//! Rules of merge, given targets, features and mutual learning as scripts write them.

use cpsd::script::session::Session;

use crate::common::{SMALL, alone_on_the_cpu, eval, files, session};

fn run(session: &mut Session, code: &str) {
    let _ = eval(session, code);
}

fn holds(session: &mut Session, code: &str) {
    assert!(eval(session, code).as_bool().unwrap(), "{code}");
}

fn failure(session: &mut Session, code: &str) -> String {
    session.eval(code, "test").err().unwrap_or_else(|| panic!("it passes: {code}")).render(false, 200)
}

#[track_caller]
fn fails(session: &mut Session, code: &str, expected: &str) {
    let failure = failure(session, code);
    assert!(failure.contains(expected), "{failure}");
}

/// Models at their initial weights are enough to combine outputs.
const MODELS: &str = "
    let names = data.train.names;
    let a = model(\"small_cnn\", #{labels: names, image_size: 32});
    let b = model(\"small_cnn\", #{labels: names, image_size: 32, seed: 1});
    let scores = |m| predict(m, data.test).scores;
    let logits = |m| { let p = scores.call(m); (p / (1.0 - p)).log() };
    let near = |x, y| (x - y).abs().max().item() < 1e-5;
";

#[test]
fn rules_of_merge_combine_what_teachers_say() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(folder.path());
    run(&mut session, SMALL);
    run(&mut session, MODELS);
    run(&mut session, "let x = logits.call(merge([a])); let y = logits.call(merge([b]));");
    holds(&mut session, "near.call(logits.call(merge([a, b], #{rule: \"mean\"})), (x + y) / 2.0)");
    holds(
        &mut session,
        "near.call(scores.call(merge([a, b], #{rule: \"mean\", of: \"probabilities\"})), (x.sigmoid() + y.sigmoid()) / 2.0)",
    );
    holds(&mut session, "near.call(logits.call(merge([a, b], #{rule: |o| o.sum(0)})), x + y)");
    // The closure sees teachers in their order, and all labels that equally many know.
    run(&mut session, "let w = tensor([0.25, 0.75]).reshape([2, 1, 1]); let first = |o| (o * w).sum(0);");
    holds(&mut session, "near.call(logits.call(merge([a, b], #{rule: first})), x * 0.25 + y * 0.75)");
    run(
        &mut session,
        "let part = model(\"small_cnn\", #{labels: [names[3], names[0]], image_size: 32, seed: 2});
         let z = logits.call(merge([part], #{labels: [names[3], names[0]]}));
         let some = merge([part, a], #{labels: names, rule: \"max\"});
         let came = logits.call(some);",
    );
    holds(&mut session, "near.call(came.index(1, [1, 2, 4]), x.index(1, [1, 2, 4]))");
    holds(
        &mut session,
        "let p = x.index(1, [3]); let q = z.index(1, [0]); near.call(came.index(1, [3]), p + (q - p).clamp(0.0, 1e9))",
    );
    // Evaluated as a model is; a rule that combines nothing is no other ensemble.
    holds(&mut session, "evaluate(merge([a, b], #{rule: \"mean\"}), data.test).mAP > 0.0");
    assert_eq!(
        eval(&mut session, "merge([a], #{rule: \"mean\"}).to_string()").into_string().unwrap(),
        eval(&mut session, "merge([a]).to_string()").into_string().unwrap()
    );

    fails(&mut session, "merge([a, b])", "rule: \"mean\", \"max\" or a closure |outputs|");
    fails(&mut session, "merge([part], #{labels: names, rule: \"mean\"})", "no teacher answers for");
    fails(&mut session, "merge([a, b], #{rule: \"median\"})", "must be \"mean\" or \"max\"");
    fails(&mut session, "merge([a], #{of: \"logits\"})", "has no effect without the option \"rule\"");
    fails(&mut session, "evaluate(merge([a, b], #{rule: |o| o}), data.test)", "must give [16, 40]");
    fails(&mut session, "evaluate(merge([a, b], #{rule: |o| o.mean(0).item()}), data.test)", "item");
    fails(&mut session, "evaluate(merge([a, b], #{rule: |o| throw \"no rule\"}), data.test)", "no rule");
    fails(&mut session, "evaluate([a, b], data.test)", "merge(models, #{rule: \"mean\"})");
    fails(
        &mut session,
        "distill(data, merge([a, b], #{rule: |o| o.mean(0)}), o + #{nproc: 2})",
        "of the script's own belongs to this process",
    );
}

#[test]
fn a_rule_teaches_and_is_part_of_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(folder.path());
    run(&mut session, SMALL);
    run(&mut session, MODELS);
    run(
        &mut session,
        "let options = o + #{epochs: 1, views: 1};
         let by = |rule| distill(data, merge([a, b], #{rule: rule}), options).id;
         let mean = by.call(\"mean\");",
    );
    holds(&mut session, "mean != by.call(\"max\") && mean == by.call(\"mean\")");
    run(&mut session, "let closure = by.call(|o| o.mean(0));");
    holds(&mut session, "closure != mean && closure == by.call(|o|   o.mean( 0 )) && closure != by.call(|o| o.sum(0))");
    // Given logits: in the place of the ensemble, or beside it.
    run(
        &mut session,
        "let t = (predict(merge([a, b], #{rule: \"mean\"}), data.train).scores * 0.9 + 0.05);
         let t = (t / (1.0 - t)).log();
         let given = distill(data, t, options).id;
         let both = distill(data, [merge([a]), t], options).id;",
    );
    holds(
        &mut session,
        "given == distill(data, t, options).id && given != distill(data, t * 2.0, options).id && both != given",
    );
    fails(&mut session, "distill(data, t.index(0, [0, 1]), options)", "must be a Tensor [48, 40]");
    fails(&mut session, "distill(data, t, options + #{teacher_weights: \"val_AP\"})", "which a Tensor does not have");
    // Targets in place of the labels.
    run(
        &mut session,
        "let soft = t.sigmoid(); let refined = train_teacher(data, names, options + #{targets: soft}).id;",
    );
    holds(&mut session, "refined != train_teacher(data, names, options).id");
    holds(&mut session, "refined == train_teacher(data, names, options + #{targets: t.sigmoid()}).id");
    holds(
        &mut session,
        "train_teacher(data, names, options).id == train_teacher(data, names, options + #{targets: ()}).id",
    );
    // A teacher of some labels takes their columns.
    holds(&mut session, "train_teacher(data, some, options + #{targets: soft}).labels == some");
    fails(
        &mut session,
        "train_teacher(data, names, options + #{targets: t})",
        "must be from 0 to 1, as the loss asl needs them",
    );
    fails(&mut session, "train_teacher(data, names, options + #{targets: 3})", "must be a Tensor [images, labels]");
    fails(&mut session, "train_teacher(data, names, options + #{targets: soft, known: 0.5})", "option \"known\"");
}

#[test]
fn a_distillation_of_three_parameters_sees_features() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(folder.path());
    run(&mut session, SMALL);
    run(&mut session, MODELS);
    run(
        &mut session,
        "let shapes = []; let weight = 0.5;
         let loss = |student, teacher, features| {
             let gap = features.student.stage2 - features.teacher.stage2;
             (gap * gap).mean() * weight + (student - teacher).pow(2.0).sum() * 0.0
         };
         let options = o + #{epochs: 1, distillation: loss};
         let student = distill(data, merge([a]), options);",
    );
    holds(&mut session, "student.run.summary.loss > 0.0");
    run(&mut session, "weight = 0.25;");
    fails(&mut session, "distill(data, merge([a, b], #{rule: \"mean\"}), options)", "teacher");
    run(
        &mut session,
        "let several = |s, t, f| { let d = f.student.stage4 - f.teachers[1].stage4; (d * d).mean() };
         distill(data, merge([a, b], #{rule: \"mean\"}), o + #{epochs: 1, distillation: several})",
    );
    fails(
        &mut session,
        "distill(data, merge([a]), o + #{distillation: |s, t, f| (f.student.stage9 - t).sum()})",
        "stage9",
    );
    fails(
        &mut session,
        "distill(data, merge([a]), o + #{distillation: |s, t, f| t.sum()})",
        "a loss must depend on the logits",
    );
}

#[test]
fn a_distillation_of_four_parameters_has_layers_of_its_own() {
    alone_on_the_cpu!();
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(folder.path());
    run(&mut session, SMALL);
    run(
        &mut session,
        "let names = data.train.names;
         let teacher = model(\"resnet18\", #{labels: names, image_size: 32, stages: 2});
         let second = model(\"resnet18\", #{labels: names, image_size: 32, stages: 1});
         let options = o + #{lr: 1e-3};
         let hint = |student, teacher, features, p| {
             let theirs = features.teachers[0].stage1.mean([2, 3]);
             let ours = p.batch_norm(\"norm\", p.conv(\"hint\", features.student.stage1, theirs.shape[1])).mean([2, 3]);
             (ours - theirs).pow(2.0).sum()
         };
         let same = distill(data, teacher, options + #{distillation: hint});",
    );
    // The parameters are no part of the student, and its name is that of the code.
    holds(&mut session, "same.parameters == model(\"small_cnn\", #{labels: names, image_size: 32}).parameters");
    holds(&mut session, "same.id == distill(data, teacher, options + #{distillation: hint}).id");
    holds(
        &mut session,
        "let other = |s, t, f, p| { let a = f.teacher.stage1.mean([2, 3]); (p.linear(\"hint\", f.student.stage1.mean([2, 3]), 64) - a).pow(2.0).sum() };
         same.id != distill(data, teacher, options + #{distillation: other}).id",
    );
    // They learn: the distance falls by them alone, the student's own rate being 0.
    run(
        &mut session,
        "let losses = [];
         let still = o + #{epochs: 8, lr: 0.03, label_weight: 0.0, lr_factors: #{stage1: 0.0, stage2: 0.0, stage3: 0.0, stage4: 0.0},
             distillation: other, on_epoch: |line| losses.push(line.loss)};
         distill(data, teacher, still);",
    );
    holds(&mut session, "losses[7] < 0.7 * losses[0]");
    // One set of parameters for each ensemble, since teachers differ.
    run(&mut session, "distill(data, [teacher, second], o + #{epochs: 1, distillation: hint});");
    // From other seeds, and with an average that starts from another head.
    run(
        &mut session,
        "distill(data, teacher, o + #{epochs: 1, seed: 5, ema_start: \"another_head\", distillation: hint});",
    );
    fails(
        &mut session,
        "distill(data, teacher, o + #{distillation: |s, t, f, p| { p.linear(\"a\", s, 4); (p.linear(\"a\", s, 3) - 1.0).sum() }})",
        "is another layer already",
    );
    fails(&mut session, "distill(data, teacher, o + #{distillation: |s| s.sum()})", "two, three or four parameters");
    fails(&mut session, "train_teacher(data, some, o + #{loss: |s, t, f, p| s.sum()})", "of two parameters");
    fails(
        &mut session,
        "mutual_learning(data, [#{}, #{}], o + #{distillation: |s, t, f, p| s.sum()})",
        "of two parameters, |student, other|",
    );
}

#[test]
fn a_stopped_training_goes_on_with_the_layers_of_its_distance() {
    alone_on_the_cpu!();
    let [whole, stopped] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let code = |then: &str| {
        format!(
            "{SMALL} let teacher = model(\"resnet18\", #{{labels: data.train.names, image_size: 32, stages: 2}});
             distill(data, teacher, o + #{{lr: 1e-3, on_batch: |line| {then}, distillation: |s, t, f, p| {{
                 let theirs = f.teacher.stage2.mean([2, 3]);
                 let ours = p.linear(\"b\", p.batch_norm(\"norm\", p.linear(\"a\", f.student.stage2.mean([2, 3]), 16)), theirs.shape[1]);
                 (ours - theirs).pow(2.0).sum() + (s - t).pow(2.0).sum() * 0.02
             }}}}).id"
        )
    };
    let id = |session: &mut Session| eval(session, &code("0")).into_string().unwrap();
    let mut first = session(stopped.path());
    let failure = first.eval(&code("if line.update == 4 { exit(3) }"), "test").unwrap_err();
    assert_eq!(failure.exit, Some(3), "{}", failure.render(false, 100));
    let updates = files(stopped.path()).into_iter().find(|file| file.to_string_lossy().contains("checkpoint"));
    assert_eq!(cpsd::training::checkpoint::updates(&updates.unwrap()).unwrap(), 4);
    let [mut again, mut other] = [session(stopped.path()), session(whole.path())];
    let bytes = |folder: &std::path::Path, id: &str| std::fs::read(folder.join(id).join("model.safetensors")).unwrap();
    let (resumed, uninterrupted) = (id(&mut again), id(&mut other));
    assert_eq!(resumed, uninterrupted);
    assert!(bytes(stopped.path(), &resumed) == bytes(whole.path(), &resumed));
}

#[test]
fn students_have_the_callbacks_of_one_training() {
    alone_on_the_cpu!();
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(folder.path());
    run(&mut session, SMALL);
    run(
        &mut session,
        "let lines = []; let asked = [];
         let two = [#{}, #{lr: 1e-3}];
         let plain = mutual_learning(data, two, o);
         let seen = mutual_learning(data, two, o + #{seed: 1, on_batch: |line| lines.push(`${line.name} ${line.update}`)});",
    );
    assert_eq!(
        eval(&mut session, "lines.sort(); lines").into_typed_array::<String>().unwrap(),
        (1..=2).flat_map(|i| (1..=6).map(move |update| format!("student {i}/2 {update}"))).collect::<Vec<_>>()
    );
    // Who only looks on is no part of the name.
    holds(&mut session, "mutual_learning(data, two, o + #{seed: 1})[0].id == seen[0].id");
    // What one of them says ends all, at the same place.
    run(
        &mut session,
        "let a = mutual_learning(data, two, o + #{on_epoch: |line| if line.name == \"student 2/2\" { \"stop\" }});
         let b = mutual_learning(data, two, o + #{on_batch: |line| if line.name == \"student 1/2\" && line.update == 4 { \"stop\" }});",
    );
    holds(
        &mut session,
        "a.map(|m| m.run.summary.stopped.epoch) == [1, 1] && a.map(|m| m.run.summary.updates) == [3, 3]",
    );
    holds(
        &mut session,
        "b.map(|m| m.run.summary.stopped.step) == [1, 1] && b.map(|m| m.run.summary.updates) == [4, 4]",
    );
    holds(&mut session, "a[0].id != plain[0].id && b[0].id != plain[0].id");
    // The views and images of the built-in way by closures: the same students.
    run(
        &mut session,
        "let no_change = #{flip: 0.0, cutout: 0.0};
         let built_in = mutual_learning(data, two, o + #{augment: no_change});
         let own = mutual_learning(data, two, o + #{augment: |picture, random| picture.random_resized_crop(random, 32, [0.6, 1.0])});
         let frozen = o + #{views: 2, model: o.model + #{freeze: 2}};
         let kept = mutual_learning(data, two, frozen + #{augment: |picture, random| picture.hflip()});
         let sampled = mutual_learning(data, two, o + #{sampler: |epoch| { asked.push(epoch); arange(32) + epoch }});",
    );
    holds(
        &mut session,
        "(built_in[1].predict(data.test).scores - own[1].predict(data.test).scores).abs().max().item() == 0.0",
    );
    holds(&mut session, "sampled.map(|m| m.run.summary.updates) == [4, 4] && asked == [0, 1]");
    // An error of a callback is thrown on, and the group goes on from where it was.
    fails(
        &mut session,
        "mutual_learning(data, two, o + #{seed: 3, on_batch: |line| if line.update == 4 { throw \"far enough\" }})",
        "far enough",
    );
    let checkpoints = files(&folder.path().join(".work")).into_iter();
    let checkpoints = checkpoints.filter(|file| file.to_string_lossy().contains("checkpoint"));
    let updates = checkpoints.map(|file| cpsd::training::checkpoint::updates(&file).unwrap()).collect::<Vec<_>>();
    assert_eq!(updates, [4, 4]);
    run(&mut session, "mutual_learning(data, two, o + #{seed: 3});");
    fails(&mut session, "mutual_learning(data, two, o + #{workers: \"processes\"})", "option \"workers\"");
    fails(&mut session, "mutual_learning(data, two, o + #{augment: |picture, random| 3})", "must give a picture");
}

#[test]
fn students_have_the_names_that_they_are_given() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(folder.path());
    run(&mut session, SMALL);
    run(&mut session, "o.epochs = 1; let one = train_teacher(data, data.train.names, o);");
    let mut names = |list: &str, options: &str| {
        let code = format!(
            "plan(|| distill_all(data, {list}, o + #{{{options}}}), #{{timing: false}}).table.column(\"name\")"
        );
        eval(&mut session, &code).into_typed_array::<String>().unwrap()
    };
    let list = "[#{name: \"SD\", teachers: one}, [one, one]]";
    assert_eq!(names(list, ""), ["SD", "student 2/2"]);
    assert_eq!(names(list, "name: \"study\""), ["study, SD", "study, student 2/2"]);
    assert_eq!(names("[#{teachers: one}]", ""), ["student 1/1"]);
    // In the store too, and the name is no part of the run.
    holds(
        &mut session,
        "let of = |list| distill_all(data, list, o)[0];
         let named = of.call([#{name: \"SD\", teachers: [one]}]);
         named.id == of.call([one]).id && runs().filter(col(\"id\") == named.id).column(\"name\") == [\"SD\"]",
    );
    holds(&mut session, "of.call([#{name: \"+ SD\", teachers: one}]); runs().column(\"name\").contains(\"+ SD\")");
    fails(&mut session, "of.call([#{nam: \"SD\", teachers: one}])", "unknown key of a student \"nam\"");
    fails(&mut session, "of.call([#{name: \"SD\"}])", "the map of a student has no teachers");
    fails(&mut session, "of.call([#{name: 3, teachers: one}])", "the name of a student must be a text");
}

#[test]
fn students_teach_one_another() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(folder.path());
    run(&mut session, SMALL);
    run(
        &mut session,
        "let told = [];
         let options = o + #{epochs: 1};
         let pair = mutual_learning(data, [#{}, #{lr: 1e-3}], options + #{on_epoch: |line| told.push(line.name)});",
    );
    assert_eq!(
        eval(&mut session, "told.sort(); told").into_typed_array::<String>().unwrap(),
        ["student 1/2", "student 2/2"]
    );
    holds(
        &mut session,
        "pair[0].id != pair[1].id && pair[0].id != mutual_learning(data, [#{}, #{lr: 2e-3}], options)[0].id",
    );
    // Closures run here, whichever student asks.
    run(
        &mut session,
        "let calls = 0; let near = |student, other| { let d = student - other; (d * d).sum() };
         let by_hand = mutual_learning(data, [#{}, #{}], options + #{distillation: near});
         let built_in = mutual_learning(data, [#{}, #{}], options + #{distillation: mse()});",
    );
    holds(&mut session, "(by_hand[1].run.summary.loss - built_in[1].run.summary.loss).abs() < 1e-3");
    holds(&mut session, "by_hand[1].id != built_in[1].id");
    let planned = eval(&mut session, "plan(|| { mutual_learning(data, [#{}, #{}, #{}], options); }).to_string()");
    assert!(planned.into_string().unwrap().contains("student 3/3"));
    fails(
        &mut session,
        "mutual_learning(data, [#{}, #{}], options + #{distillation: |s, t| throw \"no distance\"})",
        "no distance",
    );
    fails(&mut session, "mutual_learning(data, [#{}], options)", "at least two students; got 1");
    fails(&mut session, "mutual_learning(data, [#{}, #{epochs: 3}], options)", "option \"epochs\" of student 2");
    fails(&mut session, "mutual_learning(data, [#{}, #{loss: |l, t| l.sum()}], options)", "is a closure");
    fails(&mut session, "mutual_learning(data, [#{}, 3], options)", "student 2 is");
    fails(&mut session, "mutual_learning(data, [#{}, #{}], options + #{patience: 2})", "option \"patience\"");
    fails(&mut session, "mutual_learning(data, [#{}, #{}], options + #{nproc: 2})", "option \"nproc\"");
}
