//! Rules of merge, given targets, features and mutual learning as scripts write them.

use cpsd::script::session::Session;

use crate::common::{SMALL, eval, session};

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
