//! Figures of any data from scripts: what their words take, and the sentences for what they do not.

use crate::common::{SMALL, session};

fn eval(code: &str) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(&folder.path().join("runs"));
    let code = code.replace("OUT", folder.path().to_str().unwrap());
    session
        .eval(&code, "test")
        .map(|value| cpsd::script::show::plain(&value))
        .map_err(|failure| failure.render(false, 200))
}

#[track_caller]
fn gives(code: &str, expected: &str) {
    assert_eq!(eval(code).unwrap_or_else(|e| panic!("{e}")), expected, "{code}");
}

#[track_caller]
fn refuses(code: &str, says: &[&str]) {
    let error = eval(code).expect_err(code);
    for part in says {
        assert!(error.contains(part), "{code}\n{error}\ndoes not say {part}");
    }
}

#[test]
fn arrays_tensors_and_columns_are_the_same_data() {
    let of = |data: &str| eval(&format!("{data}.svg")).unwrap_or_else(|e| panic!("{e}"));
    let t = "let t = table([#{x: 1, y: 4.5}, #{x: 2, y: 1.5}, #{x: 4, y: 2.0}]); ";
    let labels = "#{x_label: \"x\", y_label: \"y\"}";
    let array = of(&format!("scatter([1, 2, 4], [4.5, 1.5, 2.0], {labels})"));
    assert_eq!(of(&format!("scatter(tensor([1.0, 2.0, 4.0]), tensor([4.5, 1.5, 2.0]), {labels})")), array);
    assert_eq!(of(&format!("{t}scatter(t.column(\"x\"), t.column(\"y\"), {labels})")), array);
    assert_eq!(of(&format!("{t}scatter(t, \"x\", \"y\")")), array, "a column names its axis");
    assert_eq!(of("plot(0..3, [1, 2, 5])"), of("plot([1, 2, 5])"));
    assert_eq!(of("plot(tensor([1.0, 2.0, 5.0]))"), of("plot([#{x: [0, 1, 2], y: [1, 2, 5]}])"));
    assert_eq!(of("bar(#{a: 1, b: 2})"), of("bar([\"a\", \"b\"], tensor([1.0, 2.0]))"));
    assert_eq!(of("histogram([[1, 2], [2, 3]].map(|a| #{name: \"s\", values: a}))"), {
        of("histogram([#{name: \"s\", values: [1, 2]}, #{name: \"s\", values: tensor([2.0, 3.0])}])")
    });
}

#[test]
fn a_column_groups_boxes_and_names_errors() {
    gives(
        "let t = table([#{g: \"b\", x: 1}, #{g: \"a\", x: 3}, #{g: \"b\", x: 2}]);
         let f = box_plot(t, \"x\", \"g\").table; [f.column(\"series\"), f.column(\"median\")]",
        "[[\"b\", \"a\"], [1.5, 3.0]]",
    );
    let t = "let t = table([#{l: \"a\", x: 10.0, s: 1.0}, #{l: \"b\", x: 20.0, s: 2.0}]); ";
    let by_column = eval(&format!("{t}bar(t, \"l\", \"x\", #{{errors: \"s\"}}).svg")).unwrap();
    assert_eq!(eval("bar([\"a\", \"b\"], [10, 20], #{errors: [1, 2]}).svg").unwrap(), by_column);
    refuses(&format!("{t}bar(t, \"l\", \"l\")"), &["column \"l\" must have numbers", "\"a\""]);
}

#[test]
fn a_model_and_its_predictions_give_the_same_curves() {
    let code = format!(
        "{SMALL}let model = train_teacher(data, some, o);
         let p = predict(model, data.test);
         assert(precision_recall_plot(p, data.test).svg == precision_recall_plot(model, data.test).svg, \"of a model\");
         let f = precision_recall_plot(p, data.test);
         let ap = evaluate(p, data.test).per_label.filter(col(\"AP\").is_not_null()).column(\"AP\").mean();
         let macro = f.table.filter(col(\"curve\") == \"macro\").column(\"AP\")[0];
         assert((100.0 * macro - ap).abs() < 1e-9, \"the area of macro is mAP\");
         let names = confusion_plot(p, data.test, #{{threshold: 0.0}}).table;
         names.column(\"share\").min()"
    );
    gives(&code, "1.0");
}

#[test]
fn unknown_truth_is_left_out_where_asked() {
    refuses("reliability_diagram([0.2, 0.6, 0.7], [0, -1, 1])", &["targets must be 0 or 1", "masked"]);
    gives(
        "reliability_diagram([0.2, 0.6, 0.7], [0, -1, 1], #{unknown: \"masked\", bins: 2}).table.column(\"count\")",
        "[1, 1]",
    );
}

#[test]
fn a_pdf_is_written_and_is_the_same_each_time() {
    gives(
        "let f = bar([\"a\"], [1]); f.save(\"OUT/one.pdf\"); f.save(\"OUT/two.pdf\");
         list_files(\"OUT\", \"*.pdf\").len()",
        "2",
    );
}

#[test]
fn what_cannot_be_drawn_is_one_sentence() {
    refuses("bar([\"a\"], [1, 2])", &["needs 1 values", "got 2"]);
    refuses("bar([\"a\"], [\"x\"])", &["bar: the values must be an array of numbers or a Tensor; got a string in it"]);
    refuses("bar([\"a\"], [#{name: \"s\", value: [1]}])", &["a series of bar has no option \"value\"", "values"]);
    refuses("bar([\"a\"], [1], #{errors: \"s\"})", &["names a column, but the data is no Table"]);
    refuses("scatter([1], [1], #{sizes: [\"a\"]})", &["\"sizes\"", "array of numbers"]);
    refuses("histogram([])", &["finite number among its values"]);
    refuses("histogram([1, 2], #{bins: \"fd\"})", &["\"auto\", a number of bins or an array of their edges"]);
    refuses("histogram([1, 2], #{bins: 1000000000})", &["from 1 to 10000"]);
    refuses("histogram([1, 2], #{bins: [2, 1]})", &["ascending"]);
    refuses("box_plot(#{a: [1], b: [()]})", &["at least one finite number", "\"b\""]);
    refuses("reliability_diagram([2.5], [1])", &["probabilities from 0 to 1", "sigmoid"]);
    refuses("precision_recall_plot([0.5], [0])", &["no label has a positive image"]);
    refuses("precision_recall_plot([0.5], [0, 1])", &["one shape", "[1, 1]", "[2, 1]"]);
    refuses("confusion_plot([[0.5, 0.1]], [[0, 1]], [\"a\"])", &["a name for each of 2 labels; got 1"]);
    refuses(
        "confusion_plot([[0.5, 0.1]], [[0, 1]], [\"dog\", \"cat\"], #{labels: [\"dug\"]})",
        &["\"dug\"", "\"dog\""],
    );
    refuses("plot([1, 2], [1])", &["same length", "2 and 1"]);
}
