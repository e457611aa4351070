//! Tensors: PyTorch's functions under its names, indices, files, and what data, models and predictions give as tensors.

use std::path::Path;

use cpsd::primitives::values::tensor::TensorValue;
use cpsd::script::session::Session;
use cpsd::script::show;
use serde_json::Value;
use tch::Kind;

use crate::common::root;

fn eval(session: &mut Session, text: &str) -> rhai::Dynamic {
    session.eval(text, "test").unwrap_or_else(|f| panic!("{text}\n{}", f.render(false, 100)))
}

fn shown(text: &str) -> String {
    show::plain(&eval(&mut cpsd::primitives::session(), text))
}

fn refused(text: &str) -> String {
    match cpsd::primitives::session().eval(text, "test") {
        Ok(value) => panic!("{text} is {}", show::plain(&value)),
        Err(failure) => failure.message,
    }
}

fn golden() -> Value {
    let text = std::fs::read_to_string(root("tests/goldens/torch_calls.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn number(value: &Value) -> f64 {
    match value.as_str() {
        Some("inf") => f64::INFINITY,
        Some("-inf") => f64::NEG_INFINITY,
        Some(_) => f64::NAN,
        None => value.as_f64().unwrap(),
    }
}

/// Type, shape and numbers of PyTorch 2.13 for the same calls; numbers of single precision to 2 parts in a million.
#[test]
fn calls_give_what_pytorch_gives() {
    let golden = golden();
    let mut session = cpsd::primitives::session();
    let _ = eval(&mut session, golden["prelude"].as_str().unwrap());
    let calls = golden["calls"].as_array().unwrap();
    assert!(calls.len() > 250);
    let mut wrong = vec![];
    for call in calls {
        let code = call["code"].as_str().unwrap();
        let value = match session.eval(code, "test") {
            Ok(value) => value,
            Err(failure) => {
                wrong.push(format!("{code}: {}", failure.message));
                continue;
            }
        };
        let Some(value) = value.clone().try_cast::<TensorValue>() else {
            wrong.push(format!("{code} is {}", show::plain(&value)));
            continue;
        };
        let t = &value.0;
        let dtype = show::plain(&eval(&mut session, &format!("({code}).dtype")));
        let shape: Vec<i64> = serde_json::from_value(call["shape"].clone()).unwrap();
        if dtype != call["dtype"].as_str().unwrap() || t.size() != shape {
            wrong.push(format!("{code}: {dtype} {:?} in place of {} {shape:?}", t.size(), call["dtype"]));
            continue;
        }
        let values = Vec::<f64>::try_from(&t.detach().to_kind(Kind::Double).contiguous().view([-1])).unwrap();
        let expected: Vec<f64> = call["values"].as_array().unwrap().iter().map(number).collect();
        let tolerance = if t.is_floating_point() { 2e-6 } else { 0.0 };
        let near =
            |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * b.abs().max(0.5);
        if !values.iter().zip(&expected).all(|(a, b)| near(*a, *b)) {
            wrong.push(format!("{code}: {values:?} in place of {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), calls.len(), wrong.join("\n"));
}

/// The numbers as PyTorch 2.13 prints them, behind shape and type.
#[test]
fn tensors_are_printed_as_pytorch_prints_them() {
    let golden = golden();
    let mut session = cpsd::primitives::session();
    let _ = eval(&mut session, golden["prelude"].as_str().unwrap());
    for row in golden["shown"].as_array().unwrap() {
        let (code, expected) = (row[0].as_str().unwrap(), row[1].as_str().unwrap());
        let text = show::plain(&eval(&mut session, code));
        let kind = show::plain(&eval(&mut session, &format!("({code}).dtype")));
        let (head, numbers) = text.split_once(&format!("] {kind}")).unwrap();
        assert!(head.starts_with("Tensor ["), "{text}");
        assert_eq!(numbers.trim_start(), expected, "{code}");
    }
    assert_eq!(shown("[tensor([1.0, 2.0])]"), "[Tensor [2] float32 [1., 2.]]");
}

#[test]
fn several_positions_are_an_index_wherever_a_value_is_indexed() {
    for (text, expected) in [
        // In functions, closures, interpolations, libraries of values, behind calls, over lines.
        ("fn f(t) { t[.., 1] } f(arange(4).reshape([2, 2])).to_array()", "[1, 3]"),
        ("let t = arange(6).reshape([2, 3]); let n = 1; [0, 1].map(|i| t[i, n..].sum().item())", "[3.0, 9.0]"),
        ("let t = arange(6).reshape([2, 3]); `${t[1, 0].item()} and ${[1, 2].len()}`", "3.0 and 2"),
        ("let m = #{t: arange(6).reshape([2, 3])}; m.t[1,\n  // all\n  ..].to_array()", "[3, 4, 5]"),
        ("arange(6).reshape([2, 3])[.., [0, 2]].to_array()", "[[0, 2], [3, 5]]"),
        ("let m = #{t: zeros([2, 2])}; m.t[0, 1] = 3.0; m.t[1, ..] += 1; m.t.to_array()", "[[0.0, 3.0], [1.0, 1.0]]"),
        ("let t = arange(4); let s = 0; for x in t { s += x.item(); } s", "6.0"),
        (
            "let t = arange(6).reshape([3, 2]); let rows = []; for (row, i) in t { rows.push(row.sum().item() + i); } rows",
            "[1.0, 6.0, 11.0]",
        ),
    ] {
        assert_eq!(shown(text), expected, "{text}");
    }
}

#[test]
fn an_assignment_changes_one_variable_alone() {
    assert_eq!(shown("let a = zeros(3); let b = a; b[1] = 5.0; [a.sum().item(), b.sum().item()]"), "[0.0, 5.0]");
    assert_eq!(shown("let a = zeros([2, 2]); let row = a[0]; a[0, 0] = 1.0; row.sum().item()"), "0.0");
    assert_eq!(shown("let a = ones(2); let f = || a.sum().item(); a[0] = 4.0; f.call()"), "5.0");
    let gradient = "grad(|w| { let t = zeros(3); t[1..] = w * 2.0; t[2] *= 3.0; t.sum() }, ones(2)).to_array()";
    assert_eq!(shown(gradient), "[2.0, 6.0]");
}

#[test]
fn what_does_not_fit_is_one_clear_sentence() {
    for (text, said) in [
        ("zeros([2, 3])[2]", "index: there is no position 2 along dimension 0 of a Tensor [2, 3]"),
        ("zeros([2, 3])[0, -4]", "index: there is no position -4 along dimension 1 of a Tensor [2, 3]"),
        ("zeros([2, 3])[0, 0, 0]", "index: a Tensor [2, 3] has 2 dimensions; got 3 positions"),
        ("zeros([2, 3])[[0, 5]]", "index: there is no position 5 along dimension 0 of a Tensor [2, 3]"),
        ("zeros(3)[ones(2) > 0]", "index: a mask [2] does not suit the dimensions [3] of a Tensor [3]"),
        (
            "zeros(3)[0.5]",
            "index: a position is an integer, a range, .., ..., (), a Tensor of integers or booleans, or an array of them; got a number",
        ),
        ("zeros(3)[ones(3)]", "index: positions are integers or a mask; got a Tensor of float32"),
        (
            "let t = zeros([2, 3]); t[0] = ones(2);",
            "index: the part of a Tensor [2, 3] has the shape [3]; got a Tensor [2]",
        ),
        ("let t = arange(3); t[0] = 0.5;", "index: a Tensor of int64 cannot hold 0.5"),
        ("let t = arange(3); t[0..2] = rand(2, 0);", "index: float32 does not fit into a Tensor of int64"),
        ("let t = zeros(3).to(\"uint8\"); t[0] = 256;", "index: a Tensor of uint8 cannot hold 256"),
        ("tensor([1]).to(\"int8\") + 300", "+: a Tensor of int8 cannot hold 300"),
        (
            "ones([2, 3]) + ones([2, 2])",
            "+ of Tensors [2, 3] and [2, 2]: the shapes do not broadcast, sizes from the right must be equal or 1",
        ),
        ("where(ones(2), 1, 0)", "where: the mask must be a Tensor of booleans; got float32"),
        ("stack([ones(2), ones(3)])", "stack of Tensors [2] and [3]: all must have one shape"),
        ("ones(3).topk(4)", "topk: k must be at most 3, the size of dimension -1 of a Tensor [3]; got 4"),
        ("arange(3) ** -1", "**: integers have no negative integer powers; got a Tensor of int64"),
        ("arange(3) % 0", "%: an integer cannot be divided by 0"),
        ("ones(3).to(\"float\" + \"33\")", "to: there is no dtype \"float33\""),
        ("ones(3).slice(0, 0, 3, -1)", "slice: step must be an integer from 1; got -1"),
        ("zeros([1000000, 1000000, 1000])", ""),
        ("ones(100000).outer(ones(100000)).outer(ones(2))", ""),
        ("randn([4000000000, 400], 1)", ""),
        ("arange(0, 1, 1e-18)", ""),
        ("zeros([-1])", "zeros: a size must be 0 or more; got -1"),
        ("arange(0, 5, -1)", "arange: steps of -1 do not lead from 0 to 5"),
        ("arange(3).mean(1)", "mean: a Tensor [3] has no dimension 1"),
        ("ones([2, 2]).sum([0, 0])", "sum: dimension 0 is there twice"),
        ("zeros(0).max()", "max: a Tensor [0] has no elements"),
        ("zeros([2, 0]).max(1)", "max: a Tensor [2, 0] has no elements"),
        ("zeros(0).norm(1.0 / 0.0)", "norm: no elements have no norm of p = inf; got a Tensor [0]"),
        ("zeros([3, 0]).norm(-1.0, 1)", "norm: no elements have no norm of p = -1; got a Tensor [3, 0]"),
        ("let t = zeros(2).to(\"uint8\"); t[..] = tensor(-5);", "index: a Tensor of uint8 cannot hold -5"),
        (
            "let t = zeros(2).to(\"int32\"); t[0] = tensor([3000000000]);",
            "index: a Tensor of int32 cannot hold 3000000000",
        ),
        ("let t = zeros(2).to(\"float16\"); t[0] = 70000;", "index: a Tensor of float16 cannot hold 70000"),
        ("let t = zeros(2); t[0] = 1e300;", "index: a Tensor of float32 cannot hold 1.00000e300"),
        (
            "let t = zeros(2); t[..] = full(2, 1e300, #{dtype: \"float64\"});",
            "index: a Tensor of float32 cannot hold every number",
        ),
        (
            "zeros(2).to(\"float16\").masked_fill(ones(2) > 0, 1e6)",
            "masked_fill: a Tensor of float16 cannot hold 1000000.0",
        ),
        ("full(2, 0.5, #{dtype: \"int64\"})", "full: a Tensor of int64 cannot hold 0.5"),
        ("full(2, 300, #{dtype: \"uint8\"})", "full: a Tensor of uint8 cannot hold 300"),
        ("full(2, 1e300)", "full: a Tensor of float32 cannot hold 1.00000e300"),
        ("arange(3).to(\"uint8\").clamp(300, 400)", "clamp: a Tensor of uint8 cannot hold 300"),
        ("arange(3).to(\"uint8\").clamp(-9, -5)", "clamp: a Tensor of uint8 cannot hold -5"),
        ("arange(0, 1e39, 1e38)", "arange: a Tensor of float32 cannot hold 1.00000e39"),
        ("linspace(0, -1e39, 3)", "linspace: a Tensor of float32 cannot hold -1.00000e39"),
        ("ones(2) + ()", "\"+\" does not take a Tensor and ()"),
        ("() * ones(2)", "\"*\" does not take () and a Tensor"),
        ("ones(2).sum(())", "sum: the dimension must be an integer or an array of integers; got ()"),
        ("ones(2).dot(arange(2))", "dot of Tensors of float32 and int64: they must be of one dtype"),
        (
            "ones([2, 2]).matmul(arange(4).reshape([2, 2]))",
            "matmul of Tensors of float32 and int64: they must be of one dtype",
        ),
        ("ones([2, 3]).matmul(tensor(2.0))", "matmul of Tensors [2, 3] and []: a single number has no rows or columns"),
        ("-tensor([true])", "-: it is not defined for booleans"),
        ("tensor([true]) - tensor([true])", "-: it is not defined for booleans"),
        // To look at so many elements would take hours.
        ("ones(1).expand([10000000000000]).logsumexp(0)", "logsumexp would take 40000.0 GB of memory"),
        ("ones(1).expand([10000000000000]).sum()", "sum would take 40000.0 GB of memory"),
        ("ones(1).expand([10000000000000]).norm(3, 0)", "norm would take 40000.0 GB of memory"),
        ("(ones(1) > 0).expand([10000000000000]).count_nonzero(0)", "count_nonzero would take 10000.0 GB of memory"),
        ("let t = ones(1).expand([10000000000000]); t.dot(t)", "dot would take 40000.0 GB of memory"),
        (
            "ones([1, 1]).expand([1, 10000000000000]).matmul(ones([1, 1]).expand([10000000000000, 1]))",
            "matmul would take",
        ),
        ("let t = ones(1).expand([10000000000000]); einsum(\"i,i\", t, t)", "einsum would take"),
        ("ones(2)[tensor([0]).expand([10000000000000])]", "index would take"),
        ("ones(2).gather(0, tensor([0]).expand([10000000000000]))", "gather would take"),
        ("tensor([0]).expand([10000000000000]).one_hot(2)", "one_hot would take"),
        ("let t = ones(1).expand([1, 10000000000000]); bce(t, t)", "bce would take"),
        ("tensor([5]).one_hot(3)", "one_hot: the integers must be from 0 to 2; got 5"),
        ("grad(|x| x, ones(2))", "grad: the closure must give a Tensor of one number; it gave the shape [2]"),
        ("grad(|x| x.sum().item(), ones(2))", "grad: the closure must give a Tensor of one number; it gave a number"),
        (
            "label_table(tensor([[0, 2]]), [\"a\", \"b\"])",
            "label_table: entries must be 1, 0 or -1; that of image 0 and label \"b\" is 2.0",
        ),
    ] {
        let message = refused(text);
        assert!(!message.contains('\n') && message.starts_with(said), "{text}: {message}");
    }
}

/// A caught refusal of libtorch leaves the script as it was, also where tch panics.
#[test]
fn what_libtorch_refuses_is_caught_by_try() {
    for call in ["zeros([3, 0]).norm(1.0 / 0.0, 1)", "arange(0, 1e39, 1e38)", "ones([2, 3]).matmul(ones([2, 3]))"] {
        let text = format!(
            "let t = ones(2); let said = \"\"; try {{ {call}; }} catch (error) {{ said = error.message; }} [said, t.sum().item()]"
        );
        let value = shown(&text);
        let after = value.trim_end_matches(']').trim_end().ends_with(" 2.0");
        assert!(after && !value.contains("a fault inside") && !value.contains("[\"\""), "{value}");
    }
}

/// Types, shapes and numbers of PyTorch 2 beyond the goldens: what its documentation says, and what follows from its rules of types.
#[test]
fn types_and_edges_are_those_of_pytorch() {
    for (code, expected) in [
        // Integers between integers stay integers; of a number with a decimal point float32.
        ("arange(4).clamp(1, 2)", "Tensor [4] int64 [1, 1, 2, 2]"),
        ("arange(4).to(\"uint8\").clamp(1, 2)", "Tensor [4] uint8 [1, 1, 2, 2]"),
        ("arange(4).to(\"uint8\").clamp(-5, 300)", "Tensor [4] uint8 [0, 1, 2, 3]"),
        ("arange(4).clamp(0.5, 2)", "Tensor [4] float32 [0.5000, 1.0000, 2.0000, 2.0000]"),
        ("arange(4).clamp(1, 2.0)", "Tensor [4] float32 [1., 1., 2., 2.]"),
        ("tensor([true, false]).clamp(0, 5)", "Tensor [2] int64 [1, 0]"),
        ("arange(4).clamp(3, 1)", "Tensor [4] int64 [1, 1, 1, 1]"),
        (
            "tensor([9007199254740993, -9007199254740993]).clamp(-9007199254740993, 9007199254740993).to_array()",
            "[9007199254740993, -9007199254740993]",
        ),
        ("tensor([0.5, 0.0 / 0.0]).clamp(0, 1)", "Tensor [2] float32 [0.5000,    nan]"),
        ("tensor([0.5, 2.0]).clamp(-1e300, 1)", "Tensor [2] float32 [0.5000, 1.0000]"),
        ("tensor([0.5, 2.0]).to(\"float16\").clamp(0.0, 1e6)", "Tensor [2] float16 [0.5000, 2.0000]"),
        // Every digit of an integer.
        ("tensor([1, 9007199254740993]).max().item()", "9007199254740993"),
        ("tensor([1, -9007199254740993]).min().item()", "-9007199254740993"),
        ("tensor([9007199254740992, 1]).sum().item()", "9007199254740993"),
        ("tensor([3, 4]).sum().item()", "7.0"),
        ("tensor([9223372036854775807]).item()", "9223372036854775807"),
        ("arange(2).masked_fill(arange(2) == 0, 9007199254740993).to_array()", "[9007199254740993, 1]"),
        ("let t = arange(2); t[0] = 9007199254740993; t.to_array()", "[9007199254740993, 1]"),
        ("full(1, 9007199254740993).to_array()", "[9007199254740993]"),
        // Sizes of 1 in front of a part are none.
        ("let t = zeros([2, 2]); t[1, 1] = tensor([[-1]]); t.to_array()", "[[0.0, 0.0], [0.0, -1.0]]"),
        ("let t = zeros(3); t[ones(3) > 0] = tensor([[0.25]]); t", "Tensor [3] float32 [0.2500, 0.2500, 0.2500]"),
        ("let t = zeros([2, 2]); t[[0, 1], [1, 0]] = tensor([[[1.0, 2.0]]]); t.to_array()", "[[0.0, 1.0], [2.0, 0.0]]"),
        ("let t = zeros([2, 3]); t[.., 1] = tensor([[5.0, 6.0]]); t.to_array()", "[[0.0, 5.0, 0.0], [0.0, 6.0, 0.0]]"),
        ("let t = zeros(2).to(\"uint8\"); t[..] = tensor([0, 255]); t", "Tensor [2] uint8 [  0, 255]"),
        (
            "let t = zeros(2); t[..] = tensor([1.0 / 0.0, 0.0 / 0.0]).to(\"float64\"); t",
            "Tensor [2] float32 [inf, nan]",
        ),
        // A spread of one is not known; nor is it written to standard error.
        ("ones(1).std()", "Tensor [] float32 nan"),
        ("ones(1).var()", "Tensor [] float32 nan"),
        ("ones([2, 1]).std(1)", "Tensor [2] float32 [nan, nan]"),
        ("ones([2, 1]).var(1, #{keepdim: true}).shape", "[2, 1]"),
        ("zeros(0).std()", "Tensor [] float32 nan"),
        ("zeros([0, 3]).var(1).shape", "[0]"),
        ("tensor([1.0, 2.0]).var(#{correction: 2})", "Tensor [] float32 inf"),
        ("tensor(3.0).std(#{correction: 0})", "Tensor [] float32 0."),
        // Of no elements.
        ("zeros([0, 3]).max(1).values.shape", "[0]"),
        ("zeros([0, 3]).amax(1).shape", "[0]"),
        ("zeros([0, 3]).argmin(1).shape", "[0]"),
        ("zeros([3, 0]).norm(2, 1)", "Tensor [3] float32 [0., 0., 0.]"),
        ("zeros([0, 3]).norm(1.0 / 0.0, 1).shape", "[0]"),
        ("zeros([3, 0]).logsumexp(1)", "Tensor [3] float32 [-inf, -inf, -inf]"),
        ("tensor([1.0, -3.0]).norm(1.0 / 0.0)", "Tensor [] float32 3."),
        ("tensor([1.0, -3.0]).norm(-1.0 / 0.0)", "Tensor [] float32 1."),
        ("tensor([1.0, 0.0, -3.0]).norm(0)", "Tensor [] float32 2."),
    ] {
        assert_eq!(shown(code), expected, "{code}");
    }
}

#[test]
fn random_tensors_follow_from_their_seed() {
    assert_eq!(shown("(randn([3, 4], 7) == randn([3, 4], 7)).all().item()"), "true");
    assert_eq!(shown("(rand(9, 7) == rand(9, 8)).any().item()"), "false");
    assert_eq!(
        shown(
            "let r = random(1); let s = random(1); [(rand(5, r) == rand(5, s)).all().item(), (rand(5, r) == rand(5, 1)).any().item()]"
        ),
        "[true, false]"
    );
    assert_eq!(
        shown("let x = randn(20000, 3); [x.mean().abs().item() < 0.03, (x.std() - 1.0).abs().item() < 0.02]"),
        "[true, true]"
    );
    assert_eq!(
        shown(
            "let x = rand([100, 200], 3); [(x.mean() - 0.5).abs().item() < 0.01, (x.var() * 12.0 - 1.0).abs().item() < 0.03]"
        ),
        "[true, true]"
    );
}

/// Of an array and of a tensor, std has one convention.
#[test]
fn std_of_arrays_and_of_tensors_agree() {
    assert_eq!(shown("let a = [1.0, 2.0, 4.0]; abs(a.std() - tensor(a).std().item()) < 1e-6"), "true");
    assert_eq!(shown("let a = [1.0, 2.0, 4.0]; abs(a.std(0) - tensor(a).std(#{correction: 0}).item()) < 1e-6"), "true");
}

#[test]
fn files_keep_names_types_and_shapes() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    for file in ["a.npz", "a.safetensors"] {
        let file = path(file);
        let code = format!(
            "let all = #{{h: ones(2).to(\"float16\"), d: ones([1, 2]).to(\"float64\"), f: randn([2, 3], 1), b: tensor([true, false]), u: arange(3).to(\"uint8\"), \
             i8: arange(3).to(\"int8\"), i16: arange(3).to(\"int16\"), i32: arange(3).to(\"int32\"), i64: arange(6).reshape([3, 2]).t(), s: tensor(2.5), e: zeros([0, 3])}};\n\
             save_tensors(all, \"{file}\"); let back = load_tensors(\"{file}\");\n\
             all.keys().filter(|k| back[k].dtype != all[k].dtype || back[k].shape != all[k].shape || !(back[k] == all[k]).all().item())"
        );
        assert_eq!(shown(&code), "[]", "{file}");
    }
    let npy = path("a.npy");
    assert_eq!(
        shown(&format!("save_tensors(arange(3), \"{npy}\"); load_tensors(\"{npy}\").array.to_array()")),
        "[0, 1, 2]"
    );
    assert!(
        refused(&format!("save_tensors(arange(3), \"{}\")", path("a.npz")))
            .starts_with("save_tensors writes one Tensor as .npy")
    );
    // Cut, and with one byte changed: never another tensor in silence.
    let whole = std::fs::read(path("a.npz")).unwrap();
    for at in (0..whole.len()).step_by(97) {
        let cut = path("cut.npz");
        std::fs::write(&cut, &whole[..at]).unwrap();
        refused(&format!("load_tensors(\"{cut}\")"));
    }
}

const DATA: &str = "let data = dataset(\"emoji-scenes\", #{train: 12, val: 4, test: 6, test_shifted: 4, size: 48});\n\
                    let m = model(\"small_cnn\", #{labels: data.test.names, image_size: 48});\n";

#[test]
fn data_and_labels_are_tensors() {
    for (code, expected) in [
        ("data.test.targets.shape == [6, data.test.names.len()]", "true"),
        ("data.test.targets.sum(1).to_array() == (0..6).map(|i| data.test.labels.row(i).len().to_float())", "true"),
        ("(data.test.targets == data.test.labels.to_tensor()).all().item()", "true"),
        (
            "let t = label_table(data.test.targets, data.test.names, data.test.labels.images); [t.images == data.test.labels.images, (t.to_tensor() == data.test.targets).all().item()]",
            "[true, true]",
        ),
        (
            "let t = label_table(tensor([[1, -1], [0, 1]]), [\"a\", \"b\"]); [t.unknown, t.to_tensor().to_array(), t.images]",
            "[1, [[1.0, -1.0], [0.0, 1.0]], [\"0\", \"1\"]]",
        ),
        ("let p = data.test.pictures(1..3); [p.shape, p.dtype]", "[[2, 3, 48, 48], \"uint8\"]"),
        ("(data.test.pictures(1..3)[0] == data.test.take([1]).pictures([0])[0]).all().item()", "true"),
        (
            "[data.test.pictures(4..).shape[0], data.test.pictures(-1..).shape[0], data.test.pictures(0..=1, #{size: 20}).shape]",
            "[2, 1, [2, 3, 20, 20]]",
        ),
    ] {
        assert_eq!(shown(&format!("{DATA}{code}")), expected, "{code}");
    }
    assert!(refused(&format!("{DATA}data.test.pictures(3..3)")).starts_with("pictures: no picture is meant"));
    assert!(
        refused(&format!("{DATA}data.test.pictures([6])"))
            .starts_with("pictures: positions must be integers from 0 to 5")
    );
}

#[test]
fn models_and_predictions_are_tensors() {
    for (code, expected) in [
        // Pictures, normalised, give the logits of an evaluation.
        (
            "let x = m.normalise(data.test.pictures(0..6, #{size: m.image_size})); (m.forward(x).sigmoid() - predict(m, data.test).scores).abs().max().item() < 1e-6",
            "true",
        ),
        ("m.features(data.test).shape == [6, m.features(data.test, #{pool: true}).shape[1], 3, 3]", "true"),
        (
            "(m.features(data.test).mean([2, 3]) - m.features(data.test, #{pool: true})).abs().max().item() < 1e-6",
            "true",
        ),
        (
            "let x = m.normalise(data.test.pictures(0..6)); (m.features(x, 2) - m.features(data.test, 2)).abs().max().item() < 1e-5",
            "true",
        ),
        (
            "let named = m.named_parameters(); named.values().map(|t| t.numel()).sum() == m.parameters && m.state_dict().len() >= named.len()",
            "true",
        ),
        (
            "let p = predict(m, data.test); let q = predictions(p.scores, data.test); [p.scores.shape == q.scores.shape, evaluate(p, data.test).mAP == evaluate(q, data.test).mAP]",
            "[true, true]",
        ),
        ("evaluate(predictions(data.test.targets, data.test), data.test).mAP", "100.0"),
    ] {
        assert_eq!(shown(&format!("{DATA}{code}")), expected, "{code}");
    }
    for (code, said) in [
        ("m.features(data.test, 9)", "the backbone \"small_cnn\" of this model has stages 1 to"),
        ("m.forward(ones([2, 2]))", "forward takes normalised pictures [N, 3, H, W]; got a Tensor [2, 2]"),
        ("m.normalise(ones([1, 3, 48, 48]))", "normalise: pictures must be a Tensor of uint8; got float32"),
        ("predictions(zeros([2, 2]), data.test)", "predictions: test of emoji-scenes has 6 pictures and"),
        (
            "predictions(data.test.targets * 3.0, data.test)",
            "predictions: scores must be probabilities from 0 to 1; that of picture",
        ),
        ("m.gradients(data.test, \"bcee\")", "unknown loss \"bcee\""),
    ] {
        let message = refused(&format!("{DATA}{code}"));
        assert!(message.contains(said), "{code}: {message}");
    }
}

/// The gradient is that of the loss of all pictures, whatever it is: it predicts the change of the loss by a small step.
#[test]
fn gradients_of_a_model_are_those_of_the_loss() {
    let same = "let of = m.gradients(data.train, \"bce\"); let by = m.gradients(data.train, |l, t| bce(l, t));\n\
                of.keys() == by.keys() && of.keys().all(|k| (of[k] == by[k]).all().item())";
    assert_eq!(shown(&format!("{DATA}{same}")), "true");
    let keys = "m.gradients(data.test, asl()).keys() == m.named_parameters().keys()";
    assert_eq!(shown(&format!("{DATA}{keys}")), "true");
    // The gradient of the head's last bias is the mean of sigmoid minus target, for this loss of the mean.
    let bias = "let g = m.gradients(data.train, |l, t| (l.softplus() - l * t).mean());\n\
                let s = predict(m, data.train).scores - data.train.targets;\n\
                let bias = g.keys().filter(|k| g[k].shape == [data.train.names.len()] && k.ends_with(\"bias\"));\n\
                bias.some(|k| (g[k] - s.sum(0) / s.numel()).abs().max().item() < 1e-6)";
    assert_eq!(shown(&format!("{DATA}{bias}")), "true");
    let thrown = refused(&format!("{DATA}m.gradients(data.train, |l, t| throw \"mine\")"));
    assert!(thrown.contains("mine"), "{thrown}");
    let none = refused(&format!("{DATA}m.gradients(data.train, |l, t| l.sum().item())"));
    assert_eq!(none, "gradients: the closure must give a Tensor of one number; it gave a number");
}

/// `numpy.savez(a=np.asfortranarray(np.arange(6, dtype="i2").reshape(2, 3)), b=np.array([True, False]), c=np.float16(0.5))`.
#[test]
fn an_archive_of_numpy_is_read() {
    let path = root("tests/goldens/numpy_savez.npz");
    assert!(Path::new(&path).exists());
    let code = format!(
        "let t = load_tensors(\"{}\"); [t.a.dtype, t.a.to_array(), t.b.to_array(), t.c.dtype, t.c.item()]",
        path.display()
    );
    assert_eq!(shown(&code), "[\"int16\", [[0, 1, 2], [3, 4, 5]], [1, 0], \"float16\", 0.5]");
}
