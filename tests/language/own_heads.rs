//! Heads that are closures: the heads of three papers as scripts, equal to the built-in ones; and all that is done with a model.

use cpsd::error::Result;
use cpsd::models::heads::Truth;
use cpsd::models::{Model, Pass};
use cpsd::primitives::values::model::ModelValue;
use cpsd::script::errors::Failure;
use cpsd::script::session::Session;
use rhai::Dynamic;
use tch::{Device, Kind, Tensor};

use crate::common::{SMALL, root, session};

/// Imports of the libraries under examples/heads, and data.
fn imports() -> String {
    let import = |name: &str| {
        let path = root(&format!("examples/heads/{name}")).display().to_string();
        format!("import {path:?} as {name};\n")
    };
    ["csra", "ml_gcn", "query2label"].map(import).concat()
        + "let labels = [\"a\", \"b\", \"c\", \"d\", \"e\"];\n\
           let counts = cooccurrence(synthetic_labels(#{images: 60, labels: 5, seed: 3}));\n"
}

fn model(session: &mut Session, options: &str) -> ModelValue {
    let code = format!("model(\"small_cnn\", #{{labels: counts.labels, image_size: 64, seed: 4, {options}}})");
    session.eval(&code, "test").unwrap_or_else(|e| panic!("{}", e.render(false, 100))).cast()
}

/// The largest difference, relative to the largest number.
fn gap(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.size(), b.size());
    let largest = f64::try_from(b.abs().max()).unwrap().max(1e-9);
    f64::try_from((a - b).abs().max()).unwrap() / largest
}

/// Logits and the gradients of all weights by name, of one pass.
fn step(model: &Model, images: &Tensor, pass: Pass) -> Result<(Tensor, Vec<(String, Tensor)>)> {
    let targets = Tensor::zeros([images.size()[0], 5], (Kind::Float, Device::Cpu));
    let answer = model.answer(images, pass, Some(Truth { targets: &targets, known: None }))?;
    (answer.logits.sin() * &answer.logits).sum(Kind::Float).backward();
    let gradients = model.trainable().into_iter().map(|(name, tensor)| (name, tensor.grad())).collect();
    Ok((answer.logits.detach(), gradients))
}

/// A head of a library and the built-in one with its weights: outputs, gradients and class maps.
fn same(name: &str, options: &str, own: &str, built_in: &str, renamed: fn(&str) -> String, with_maps: bool) {
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(folder.path());
    let _ = session.eval(&imports(), "imports").unwrap();
    let own = model(&mut session, &format!("head: |maps, p| {name}::head(maps, p, {own}), {options}"));
    let theirs = model(&mut session, &format!("{built_in}, {options}"));
    let (own, mut theirs) = (own.0.model(), theirs.0.model());
    // Perturbed, so that nothing is equal because it is 0 or 1 at first.
    let moved = |(name, tensor): (String, Tensor)| {
        let noise = cpsd::torch::normal(7, &name, &tensor.size(), 0.05).unwrap();
        (renamed(&name), tensor + noise.abs())
    };
    let state: Vec<(String, Tensor)> = own.state().into_iter().map(moved).collect();
    let loaded = theirs.load_state(&state).unwrap();
    assert_eq!((loaded.missing.len(), loaded.unexpected.len(), loaded.mismatched.len()), (0, 0, 0), "{loaded}");
    for (name, tensor) in own.state() {
        let given = state.iter().find(|(known, _)| *known == renamed(&name)).unwrap();
        tch::no_grad(|| tensor.detach().copy_(&given.1));
    }
    let images = cpsd::torch::normal(1, "images", &[3, 3, 64, 64], 1.0).unwrap();
    for pass in [Pass::EVAL, Pass::step(5, 1, 2)] {
        let (a, own_gradients) = step(&own, &images, pass).unwrap();
        let (b, their_gradients) = step(&theirs, &images, pass).unwrap();
        assert!(gap(&a, &b) < 1e-6, "{name}, {pass:?}: {}", gap(&a, &b));
        let scale = their_gradients.iter().map(|(_, g)| f64::try_from(g.abs().max()).unwrap()).fold(0.0, f64::max);
        for (name, gradient) in own_gradients {
            let other = &their_gradients.iter().find(|(known, _)| *known == renamed(&name)).unwrap().1;
            let most = f64::try_from((gradient - other).abs().max()).unwrap() / scale;
            assert!(most < 1e-6, "{name}: {most}");
        }
    }
    if with_maps {
        let [a, b] = [&*own, &*theirs].map(|model| model.class_maps(&images).unwrap().unwrap());
        assert!(gap(&a, &b) < 1e-6, "{name}: {}", gap(&a, &b));
    }
    let lines = std::fs::read_to_string(root(&format!("examples/heads/{name}.rhai"))).unwrap().lines().count();
    assert!(lines < 40, "{name} has {lines} lines");
}

#[test]
fn csra_in_a_script_is_the_built_in_one() {
    let options = "head: \"csra\", head_options: #{heads: 4, lambda: 0.3}";
    same("csra", "", "#{temperatures: [1, 2, 4, 99], lambda: 0.3}", options, |n| n.replace("head.fc.", "fc."), true);
}

#[test]
fn ml_gcn_in_a_script_is_the_built_in_one() {
    let options = "head: \"ml_gcn\", head_options: #{hidden: 12, threshold: 0.2}";
    let given = "graph: counts, word_vectors: \"learned\"";
    same("ml_gcn", given, "#{hidden: 12, threshold: 0.2}", options, str::to_string, true);
}

#[test]
fn query2label_in_a_script_is_the_built_in_one() {
    let sizes = "width: 16, heads: 2, feed_forward: 24, encoder_layers: 2";
    let renamed = |name: &str| match name.strip_prefix("head.") {
        Some(rest) if rest.starts_with("encoder.") || rest.starts_with("decoder.") => {
            format!("head.transformer.{rest}")
        }
        Some(rest) if rest.starts_with("fc.") => rest.to_string(),
        _ => name.to_string(),
    };
    let options = format!("head: \"q2l\", head_options: #{{{sizes}}}");
    same("query2label", "", &format!("#{{{sizes}}}"), &options, renamed, false);
}

fn eval(session: &mut Session, code: &str) -> Result<Dynamic, Failure> {
    session.eval(code, "test")
}

fn ok(session: &mut Session, code: &str) -> Dynamic {
    eval(session, code).unwrap_or_else(|e| panic!("{code}: {}", e.render(false, 120)))
}

fn refusal(session: &mut Session, code: &str) -> (String, String) {
    let failure = eval(session, code).unwrap_err();
    (failure.message.clone(), failure.help.unwrap_or_default())
}

/// A closure as head of a training, its teachers, their student, and everything after it.
#[test]
fn the_whole_method_with_a_closure_as_head() {
    let folder = tempfile::tempdir().unwrap();
    let mut s = session(folder.path());
    let path = folder.path().join("m.safetensors").display().to_string();
    let _ = ok(
        &mut s,
        &format!(
            "{SMALL} let head = |maps, p| {{
                 let f = p.dropout(maps.mean([2, 3]), 0.1);
                 #{{logits: p.linear(\"fc\", f, p.labels), maps: || p.conv(\"maps\", maps, p.labels)}}
             }};
             o.model.head = head; let path = {path:?};"
        ),
    );
    // Its name is that of its code: the run is found again, and another code is another run.
    let _ = ok(&mut s, "let a = train_teacher(data, some, o);");
    assert_eq!(ok(&mut s, "a.id == train_teacher(data, some, o).id").as_bool(), Ok(true));
    let other = "let other = o; other.model.head = |maps, p| p.linear(\"fc\", maps.amax([2, 3]), p.labels);
                 a.id != train_teacher(data, some, other).id";
    assert_eq!(ok(&mut s, other).as_bool(), Ok(true));
    // A value that it captured counts as it was when the closure was given.
    let captured = "let by = 1.0; let f = |maps, p| p.linear(\"fc\", maps.mean([2, 3]) * by, p.labels);
         let one = model(\"small_cnn\", #{labels: some, image_size: 32, head: f}); let x = randn([2, 3, 32, 32], 0);
         let before = one.forward(x).to_array(); by = 2.0;
         let two = model(\"small_cnn\", #{labels: some, image_size: 32, head: f});
         one.forward(x).to_array() == before && two.forward(x).to_array() != before && one.id != two.id";
    assert_eq!(ok(&mut s, captured).as_bool(), Ok(true));
    // Teachers side by side in threads, merged, distilled, planned, in jobs, frozen.
    let _ = ok(
        &mut s,
        "let ts = train_teachers(data, random_partition(data.train.names, 2), o);
         let student = distill(data, merge(ts), o);
         let planned = plan(|| distill(data, merge(ts), o));
         let jobs = sweep(#{seed: [1, 2]}, |c| evaluate(train_teacher(data, some, o + #{seed: c.seed}), data.test).mAP, #{jobs: 2});
         let frozen = o; frozen.model.frozen = true; train_teacher(data, some, frozen);
         cam(student, data.test);",
    );
    assert!(ok(&mut s, "planned.to_string()").to_string().contains("train-"));
    // Saved and read again, here and elsewhere.
    let same = "student.save(path); load_model(path).forward(x).to_array() == student.forward(x).to_array()";
    assert_eq!(ok(&mut s, same).as_bool(), Ok(true));
    assert_eq!(ok(&mut s, "load_model(path, #{head: head}).labels == student.labels").as_bool(), Ok(true));
    let (said, help) =
        refusal(&mut s, "load_model(path, #{head: |maps, p| p.linear(\"fc\", maps.mean([2, 3]), p.labels)})");
    assert!(said.contains("its head is another closure"), "{said}");
    assert!(help.starts_with("the code, the functions"), "{help}");
    // Other processes cannot have it.
    for option in ["workers: \"processes\"", "nproc: 2", "executor: slurm()"] {
        let (said, help) =
            refusal(&mut s, &format!("train_teachers(data, random_partition(some, 2), o + #{{seed: 8, {option}}})"));
        assert!(said.contains("a head of the script's own"), "{option}: {said}");
        assert!(help.contains("trains"), "{option}: {help}");
    }
}

#[test]
fn what_a_closure_does_wrong_is_told_at_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let mut s = session(folder.path());
    let _ = ok(&mut s, SMALL);
    let mut tried = |head: &str| {
        let code = format!("train_teacher(data, some, o + #{{model: o.model + #{{head: {head}}}}})");
        let failure = eval(&mut s, &code).unwrap_err();
        (failure.message.clone(), failure.place().unwrap_or_default())
    };
    let linear = "p.linear(\"fc\", maps.mean([2, 3]), p.labels)";
    for (head, message) in [
        ("|maps, p| 3", "the closure must give a Tensor, or a map of Tensors; it gave an integer"),
        ("|maps, p| maps", "one logit per picture and label, a Tensor [2, 3] here; the closure gave [2, 192, 2, 2]"),
        ("|maps, p| #{logit: maps}", "the answer of a head has no \"logit\""),
        (&format!("|maps, p| {linear}.detach()"), "the logits of a head must depend on its parameters"),
        (&format!("|maps, p| #{{logits: {linear}, maps: maps}}"), "maps must be one map per picture and label"),
        (&format!("|maps, p| #{{logits: {linear}, auxiliary_loss: maps}}"), "auxiliary_loss must be one number"),
        ("|maps, p| p.linear(\"a b\", maps, 3)", "the name of a layer is made of letters"),
        ("|maps, p| p.linear(\"fc\", maps, 0)", "outputs must be an integer from 1"),
        ("|maps, p| p.conv(\"fc\", maps, 4, #{groups: 5})", "groups must divide the 192 channels"),
        ("|maps, p| p.conv(\"fc\", maps, 4, #{kernel: 5})", "a kernel of 5 is larger than maps of 2 × 2"),
        ("|maps, p| p.conv(\"fc\", maps, 4, #{kernal: 5})", "conv has no option \"kernal\""),
        ("|maps, p| p.attention(\"at\", maps, maps, maps)", "takes queries [N, T, d]"),
        ("|maps, p| p.parameter(\"x\", [9, 9], #{init: \"unifrm\"})", "unknown init \"unifrm\""),
        ("|maps, p| p.parameter(\"x\", [9], #{init: \"xavier_uniform\"})", "needs a shape of two dimensions"),
        ("|maps, p| p.parameter(\"x\", [9], #{init: ones([8])})", "must be a Tensor of the parameter's shape [9]"),
        ("|maps, p| p.parameter(\"x\", [1000000, 1000000])", "at most 2147483648 numbers"),
        ("|maps, p| p.words", "the model has no word vectors"),
        ("|maps, p| p.graph", "the model has no label graph"),
        ("|maps, p| p.earlier(9)", "from 1 to 3. Got 9"),
        ("|maps, p| p.dropout(maps, 1.0)", "from 0 to below 1"),
        (
            "|maps, p| { let f = maps.mean([2, 3]); p.linear(\"fc\", f, 3); p.linear(\"fc\", f, 3, #{init: \"ones\"}) }",
            "\"fc\" began with the layer's own init already; now init 1.0 is asked for under this name",
        ),
        (
            "|maps, p| { p.parameter(\"x\", [2, 3], #{init: zeros([2, 3])}); p.parameter(\"x\", [2, 3], #{init: ones([2, 3])}) }",
            "\"x\" began with a Tensor [2, 3] as init already; now a Tensor [2, 3] as init is asked for",
        ),
        (
            "|maps, p| { let f = maps.mean([2, 3]); p.linear(\"fc\", f, 4); p.linear(\"fc\", f, 3) }",
            "\"fc\" is another layer already (linear layer of sizes",
        ),
        ("|maps, p| throw \"no\"", "no"),
    ] {
        let (said, place) = tried(head);
        assert!(said.contains(message), "{head}: {said}");
        assert!(place.starts_with("test:1:"), "{head}: {place}");
    }
    // In a step, and not when the model is built.
    for (wrong, message) in [
        ("p.linear(\"other\", maps.mean([2, 3]), p.labels)", "is asked for now, and was not when the model was built"),
        ("p.linear(\"fc\", maps.mean([2, 3]), 9)", "is another layer already"),
        ("maps.nothing()", "there is no function nothing for (Tensor)"),
    ] {
        let code = format!("|maps, p| {{\n  if maps.shape[0] > 2 {{\n    {wrong};\n  }}\n  {linear}\n}}");
        let (said, place) = tried(&code);
        assert!(said.contains(message), "{wrong}: {said}");
        assert!(place.starts_with("test:3:"), "{wrong}: {place}");
    }
}

/// A name stands for the same parameters: a layer used twice is one layer.
#[test]
fn layers_are_shared_by_name_and_seeded() {
    let folder = tempfile::tempdir().unwrap();
    let mut s = session(folder.path());
    let code = "let make = |head| model(\"small_cnn\", #{labels: [\"a\", \"b\"], image_size: 32, seed: 1, head: head});
        let twice = make.call(|maps, p| { let f = maps.mean([2, 3]); p.linear(\"fc\", f, p.labels) + p.linear(\"fc\", f, 2) });
        let once = make.call(|maps, p| p.linear(\"fc\", maps.mean([2, 3]), p.labels) * 2);
        let x = randn([2, 3, 32, 32], 0);
        twice.parameters == once.parameters && (twice.forward(x) - once.forward(x)).abs().max().item() < 1e-6";
    assert_eq!(ok(&mut s, code).as_bool(), Ok(true));
    // A parameter may be a single number.
    let scaled = "let scaled = make.call(|maps, p| p.linear(\"fc\", maps.mean([2, 3]), p.labels) * p.parameter(\"scale\", [], #{init: 2.0}));
        scaled.parameters == once.parameters + 1 && (scaled.forward(x) - once.forward(x)).abs().max().item() < 1e-6";
    assert_eq!(ok(&mut s, scaled).as_bool(), Ok(true));
    // The same init, or none, is the same layer.
    let inits = "let same = make.call(|maps, p| { let f = maps.mean([2, 3]);
            let w = p.parameter(\"w\", [2, f.shape[1]], #{init: \"xavier_normal\"}); let v = p.parameter(\"w\", [2, f.shape[1]], #{init: \"xavier_normal\"});
            let z = p.parameter(\"z\", [2], #{init: tensor([1.0, 2.0])}) + p.parameter(\"z\", [2], #{init: tensor([1.0, 2.0])}) + p.parameter(\"z\", [2]);
            f.matmul((w + v).t()) + z });
        same.forward(x).shape";
    assert_eq!(ok(&mut s, inits).into_array().unwrap().len(), 2);
    // Layers of another call are closed.
    let kept = "let kept = []; let f = |maps, p| { if kept.len() > 0 { kept[0].linear(\"fc\", maps, 2) } else { kept.push(p); p.linear(\"fc\", maps.mean([2, 3]), p.labels) } };
        make.call(f).forward(x).shape";
    assert_eq!(ok(&mut s, kept).into_array().unwrap().len(), 2);
}

/// Another thread may have the model and wait for the script, while the script waits for the model.
#[test]
fn a_job_that_computes_with_the_model_does_not_stop_the_script() {
    let folder = tempfile::tempdir().unwrap();
    let mut s = session(folder.path());
    let code = format!(
        "{SMALL} let m = model(\"small_cnn\", #{{labels: some, image_size: 32,
             head: |maps, p| {{ for i in 0..3000 {{ }} p.linear(\"fc\", maps.mean([2, 3]), p.labels) }}}});
         let job = spawn(|| {{ for i in 0..10 {{ predict(m, data.train); }} 1 }});
         for i in 0..200 {{ m.to_string(); m.parameters; for j in 0..2000 {{ }} }}
         wait(job)"
    );
    assert_eq!(ok(&mut s, &code).as_int(), Ok(1));
}
