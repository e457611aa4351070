//! Figures of any data, held to numpy, matplotlib and scikit-learn (`goldens/figures/figures.py` makes the numbers), and PDF.

use cpsd::metrics::{BinStrategy, Calibration, Confusion, ConfusionKind, PrecisionRecallCurve, Scored};
use cpsd::plots::*;
use cpsd::tables::{Cell, Table};
use serde_json::Value;

use crate::common::{golden, numbers};
use crate::figures::*;

fn close(a: &[f64], b: &[f64], tolerance: f64, about: &str) {
    assert_eq!(a.len(), b.len(), "{about}: {a:?} {b:?}");
    let far = a.iter().zip(b).position(|(x, y)| (x - y).abs() > tolerance * y.abs().max(1.0));
    assert_eq!(far, None, "{about}: {a:?} {b:?}");
}

fn column(table: &Table, name: &str) -> Vec<f64> {
    let number = |cell| match cell {
        Cell::Int(i) => i as f64,
        Cell::Float(x) => x,
        other => panic!("{name} has {other:?}"),
    };
    table.column(name).unwrap().into_iter().map(number).collect()
}

fn sample(golden: &Value, case: &Value) -> Vec<Sample> {
    let name = case["sample"].as_str().unwrap();
    vec![Sample { name: name.into(), values: numbers(&golden["samples"][name]) }]
}

#[test]
fn histograms_are_numpys() {
    let golden = golden("figures/figures.json");
    let cases = golden["histograms"].as_array().unwrap();
    assert!(cases.len() > 15);
    for case in cases {
        let about = format!("{} {}", case["sample"], case["bins"]);
        let options: HistogramOptions = serde_json::from_value(serde_json::json!({ "bins": case["bins"] })).unwrap();
        let figure = histogram(&sample(&golden, case), &options).unwrap();
        let table = figure.table().unwrap();
        assert_eq!(column(table, "count"), numbers(&case["counts"]), "{about}");
        let edges = numbers(&case["edges"]);
        close(&column(table, "from"), &edges[..edges.len() - 1], 1e-12, &about);
        close(&column(table, "to"), &edges[1..], 1e-12, &about);
        if case["density"].is_array() {
            let options = HistogramOptions { density: true, ..options };
            let figure = histogram(&sample(&golden, case), &options).unwrap();
            close(&column(figure.table().unwrap(), "density"), &numbers(&case["density"]), 1e-12, &about);
        }
    }
}

#[test]
fn boxes_are_matplotlibs() {
    let golden = golden("figures/figures.json");
    let cases = golden["boxes"].as_array().unwrap();
    assert!(cases.len() > 15);
    for case in cases {
        let about = format!("{} {}", case["sample"], case["whis"]);
        let options = BoxesOptions { whiskers: case["whis"].as_f64().unwrap(), ..Default::default() };
        let figure = boxes(&sample(&golden, case), &options).unwrap();
        let table = figure.table().unwrap();
        for key in ["q1", "median", "q3", "mean", "whisker_low", "whisker_high"] {
            close(&column(table, key), &[case[key].as_f64().unwrap()], 1e-12, &format!("{key} of {about}"));
        }
        let outliers = numbers(&case["outliers"]);
        assert_eq!(column(table, "outliers"), [outliers.len() as f64], "{about}");
        let values = &sample(&golden, case)[0].values;
        assert_eq!(box_statistics(values, options.whiskers).unwrap().outliers, outliers, "{about}");
    }
}

fn scored(golden: &Value) -> Scored {
    let of = |key: &str| numbers(&golden[key]).into_iter().map(|x| x as f32).collect::<Vec<_>>();
    let labels = ["0", "1", "2", "3"].map(String::from);
    let n = golden["n"].as_u64().unwrap() as usize;
    Scored::new(&of("scores"), &of("truth"), &labels, n, cpsd::labels::Unknown::Error).unwrap()
}

fn pairs(scored: &Scored, label: &str) -> Vec<(f64, bool)> {
    if label == "all" { scored.all() } else { scored.of_label(label.parse().unwrap()) }
}

#[test]
fn precision_recall_curves_are_scikit_learns() {
    let golden = golden("figures/figures.json");
    let scored = scored(&golden);
    let mut areas = Vec::new();
    let mut curves = Vec::new();
    for case in golden["curves"].as_array().unwrap() {
        let label = case["label"].as_str().unwrap();
        let curve = PrecisionRecallCurve::of(pairs(&scored, label)).unwrap();
        // The reference runs the other way, and ends in a point without a threshold.
        let reversed = |key: &str| numbers(&case[key]).into_iter().rev().collect::<Vec<_>>();
        close(&curve.thresholds, &reversed("thresholds"), 1e-7, label);
        close(&curve.precision, &reversed("precision")[1..], 1e-12, label);
        close(&curve.recall, &reversed("recall")[1..], 1e-12, label);
        close(&[curve.average_precision()], &[case["AP"].as_f64().unwrap()], 1e-12, label);
        if label != "all" {
            areas.push(case["AP"].as_f64().unwrap());
            curves.push(curve);
        }
    }
    let mean = PrecisionRecallCurve::macro_average(&curves.iter().collect::<Vec<_>>());
    close(
        &[mean.average_precision()],
        &[areas.iter().sum::<f64>() / areas.len() as f64],
        1e-12,
        "the macro curve's area",
    );
}

#[test]
fn calibration_curves_are_scikit_learns() {
    let golden = golden("figures/figures.json");
    let scored = scored(&golden);
    for case in golden["curves"].as_array().unwrap() {
        let label = case["label"].as_str().unwrap();
        for (name, strategy) in [("uniform", BinStrategy::Uniform), ("quantile", BinStrategy::Quantile)] {
            let calibration = Calibration::of(&pairs(&scored, label), 8, strategy);
            let of = |key: &str| numbers(&case[name][key]);
            let bins = calibration.bins.iter();
            close(&bins.clone().map(|b| b.observed).collect::<Vec<_>>(), &of("observed"), 1e-12, label);
            close(&bins.map(|b| b.predicted).collect::<Vec<_>>(), &of("predicted"), 1e-12, label);
        }
    }
}

#[test]
fn confusion_of_one_label_per_image_is_scikit_learns() {
    let golden = golden("figures/figures.json");
    let single = &golden["single"];
    let mut confusion = Confusion::new(5);
    for (truth, predicted) in numbers(&single["true"]).into_iter().zip(numbers(&single["predicted"])) {
        let predicted: Vec<bool> = (0..5).map(|j| f64::from(j) == predicted).collect();
        let truth: Vec<Option<bool>> = (0..5).map(|j| Some(f64::from(j) == truth)).collect();
        confusion.add(&predicted, &truth);
    }
    close(&confusion.matrix(ConfusionKind::Predicted), &numbers(&single["matrix"]), 1e-12, "single");
}

#[test]
fn confusion_of_several_labels_is_a_conditional_mean() {
    let golden = golden("figures/figures.json");
    let scored = scored(&golden);
    let threshold = golden["threshold"].as_f64().unwrap() as f32;
    let mut confusion = Confusion::new(4);
    for (scores, truth) in scored.rows() {
        confusion.add(&scores.iter().map(|s| *s >= threshold).collect::<Vec<_>>(), truth);
    }
    close(&confusion.matrix(ConfusionKind::Predicted), &numbers(&golden["conditional"]), 1e-12, "predicted");
    close(&confusion.matrix(ConfusionKind::Wrong), &numbers(&golden["wrong"]), 1e-12, "wrong");
}

#[test]
fn missing_values_are_said() {
    let nan = f64::NAN;
    let says = |figure: Figure, what: &str| assert!(figure.svg().contains(what), "{what} in {}", figure.svg());
    let one = |values: &[f64]| [Sample { name: "s".into(), values: values.to_vec() }];
    says(histogram(&one(&[1.0, nan, 2.0]), &Default::default()).unwrap(), "1 value is missing");
    let cut = HistogramOptions { x_max: Some(1.5), ..Default::default() };
    says(histogram(&one(&[1.0, 0.0, 2.0, 3.0]), &cut).unwrap(), "2 values lie outside the bins");
    says(boxes(&one(&[1.0, nan, nan]), &Default::default()).unwrap(), "2 values are missing");
    let series = [BarSeries { name: "s".into(), values: vec![1.0, nan], errors: None }];
    says(bars(&names(&["a", "b"]), &series, &Default::default()).unwrap(), "1 value is missing");
    let limits = ScatterOptions { x_max: Some(2.5), ..Default::default() };
    says(scatter(&[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0], PointData::default(), &limits).unwrap(), "1 point has no place");
}

#[test]
fn stacks_add_up() {
    let series = |name: &str, values: &[f64]| BarSeries { name: name.into(), values: values.to_vec(), errors: None };
    let options = BarsOptions { stacked: true, numbers: false, ..Default::default() };
    let heights = |series: &[BarSeries], options: &BarsOptions| -> Vec<f64> {
        let figure = bars(&names(&["a"]), series, options).unwrap();
        let tree = roxmltree(figure.svg());
        // The first rectangle is the paper, those with rounded corners are the legend's.
        tree.into_iter().skip(1).filter(|r| !r.1).map(|r| r.0).collect()
    };
    let stacked = heights(&[series("x", &[30.0]), series("y", &[10.0]), series("z", &[-10.0])], &options);
    assert!((stacked[0] / stacked[1] - 3.0).abs() < 0.01 && (stacked[1] - stacked[2]).abs() < 0.02, "{stacked:?}");
    let refused = bars(&names(&["a"]), &[series("x", &[1.0])], &BarsOptions { log_y: true, ..options }).unwrap_err();
    assert!(refused.message.contains("cannot stack on a logarithmic axis"), "{refused}");
}

/// Height, and whether its corners are round, of each rectangle.
fn roxmltree(svg: &str) -> Vec<(f64, bool)> {
    svg.lines()
        .filter(|l| l.starts_with("<rect"))
        .map(|l| {
            let height = l.split(" height=\"").nth(1).unwrap().split('"').next().unwrap();
            (height.parse().unwrap(), l.contains(" rx="))
        })
        .collect()
}

#[test]
fn many_points_are_one_picture() {
    let x: Vec<f64> = (0..100_000).map(|i| f64::from(i % 997)).collect();
    let y: Vec<f64> = (0..100_000).map(|i| f64::from(i % 991)).collect();
    let groups: Vec<usize> = (0..100_000).map(|i| i % 2).collect();
    let data = PointData { groups: Some(&groups), ..Default::default() };
    let figure = scatter(&x, &y, data, &Default::default()).unwrap();
    assert_eq!(figure.svg().matches("<image").count(), 1);
    assert!(figure.svg().matches("<circle").count() < 10 && figure.svg().len() < 8_000_000, "{figure:?}");
    assert!(figure.svg().contains("part 2"), "the legend remains text");
}

#[test]
fn pdf_has_text_as_text_and_no_date() {
    for (name, figure) in all() {
        let pdf = figure.pdf().unwrap();
        // Hash maps have another order each time.
        assert!((0..6).all(|_| figure.pdf().unwrap() == pdf), "{name}");
        let text = String::from_utf8_lossy(&pdf);
        assert!(text.starts_with("%PDF-") && text.trim_end().ends_with("%%EOF"), "{name}");
        assert!(!text.contains("CreationDate") && !text.contains("ModDate"), "{name}");
        // One page, 72 points per inch where the figure has 96 px.
        let points = |px: u32| format!("{}", f64::from(px) * 0.75);
        let size = format!("/MediaBox [0 0 {} {}]", points(figure.width()), points(figure.height()));
        assert!(text.contains(&size), "{name}: {size}");
        assert!(
            text.contains("DejaVuSans") && text.contains("/ToUnicode"),
            "{name}: embedded fonts, text that can be copied"
        );
    }
}
