//! Tensors that a script makes of numbers, beside those of a model: on whatever device the tests run.

use cpsd::script::session::Session;

use crate::common::{SMALL, eval, session};

fn number(session: &mut Session, code: &str) -> f64 {
    eval(session, code).as_float().unwrap()
}

#[test]
fn losses_and_expressions_may_use_tensors_that_a_script_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(folder.path());
    let _ = eval(&mut session, SMALL);
    // Every operation on two tensors, with a matrix, a row and a single number of the script on either side.
    let code = "
        let weights = tensor([2.0, 1.0, 0.5]);
        let pairs = tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);
        let one = tensor(1.0);
        let loss = |l, t| {
            let rare = l.index(1, [0, 2]);
            let elements = (l - t) * weights + weights * (t - l) + (l - t) / weights + (one + l) * one - l;
            let mask = (weights > 0.6) * (l.abs() >= one) * (weights <= 2.0) * (one < l.cat(tensor([[9.0, 9.0, 9.0]]), 0).max());
            elements.sum() * 0.0 + (elements * mask).sum() * 0.0 + rare.pow(2).sum() + l.abs().clamp(0.001, 9.0).pow(weights).sum()
                + pairs.matmul(l.transpose(0, 1)).sum() * 0.0 + l.matmul(pairs).sum() * 0.0 + bce(l, t)
                + bce(l.index(0, [0]), tensor([[1.0, 0.0, 1.0]])) + mse().of(l.index(0, [1]), tensor([[1.0, 0.0, 1.0]]))
        };
        let model = train_teacher(data, some, o + #{loss: loss});
        let student = distill(data, train_teacher(data, data.train.names, o), o + #{distillation: |s, t| ((s - t) * tensor([0.1])).pow(2.0).sum()});
        let row = [];
        row.pad(32, 0.5);
        let square = [];
        square.pad(32, row);
        let logits = model.forward(tensor([[square, square, square]])) * weights;";
    let _ = eval(&mut session, code);
    assert!(number(&mut session, "model.run.summary.loss").is_finite());
    assert!(number(&mut session, "student.run.summary.loss").is_finite());
    assert_eq!(eval(&mut session, "logits.shape").to_string(), "[1, 3]");
}
