//! Evaluations of bad input and on several threads, and their printed form.

use cpsd::metrics::{Companions, MetricOptions, best_threshold, evaluate, evaluate_with, mean_average_precision};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

fn options(value: serde_json::Value) -> MetricOptions {
    serde_json::from_value(value).unwrap()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|n| n.to_string()).collect()
}

/// Scores around their targets; labels get rarer from left to right.
fn drawn(n: usize, m: usize, seed: u64) -> (Vec<f32>, Vec<u8>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut scores = Vec::with_capacity(n * m);
    let mut targets = Vec::with_capacity(n * m);
    for _ in 0..n {
        for label in 0..m {
            let truth = rng.random::<f64>() < 0.5 / (1 + label) as f64;
            targets.push(u8::from(truth));
            scores.push((0.3 * f32::from(u8::from(truth)) + 0.7 * rng.random::<f32>()).clamp(0.0, 1.0));
        }
    }
    (scores, targets)
}

#[test]
fn bad_scores_name_row_and_label() {
    let labels = names(&["cat", "dog", "cow"]);
    let targets = [1_u8, 0, 1, 0, 1, 0];
    for (bad, shown) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
        let mut scores = [0.5_f32; 6];
        scores[4] = bad;
        let error = evaluate(&scores, &targets, 2, 3, &labels, &MetricOptions::default()).unwrap_err();
        assert_eq!(error.message, format!("scores must be finite numbers; got {shown} for image row 1, label \"dog\""));
    }
    let error = evaluate(&[0.5_f64; 6], &[1.0_f32, 0.0, 0.5, 0.0, 1.0, 0.0], 2, 3, &labels, &MetricOptions::default());
    assert_eq!(error.unwrap_err().message, "targets must be 0 or 1; got 0.5 for image row 0, label \"cow\"");
}

/// `drawn` with a third of the targets unknown, as -1.
fn partly_unknown(n: usize, m: usize, seed: u64) -> (Vec<f32>, Vec<i8>) {
    let (scores, targets) = drawn(n, m, seed);
    let mut rng = ChaCha8Rng::seed_from_u64(seed + 100);
    let hidden = targets.iter().map(|&t| if rng.random::<f64>() < 0.33 { -1 } else { t as i8 }).collect();
    (scores, hidden)
}

#[test]
fn unknown_targets_are_refused_unless_an_option_says_what_they_are() {
    let labels = names(&["cat", "dog"]);
    let scores = [0.9_f32, 0.2, 0.1, 0.8];
    let go = |targets: &[f32], value: serde_json::Value| evaluate(&scores, targets, 2, 2, &labels, &options(value));
    for (bad, shown) in [(-1.0, "-1"), (f32::NAN, "NaN")] {
        for value in [json!({}), json!({ "unknown": "error" })] {
            let error = go(&[1.0, 0.0, 0.0, bad], value).unwrap_err();
            assert_eq!(error.message, format!("targets must be 0 or 1; got {shown} for image row 1, label \"dog\""));
            assert!(error.help.unwrap().contains("unknown: \"masked\""));
        }
    }
    // Other numbers are no targets under any option, and a broken score is one wherever it is.
    let error = go(&[1.0, -1.0, 0.0, 2.0], json!({ "unknown": "masked" })).unwrap_err();
    assert_eq!(error.message, "targets must be 0 or 1; got 2 for image row 1, label \"dog\"");
    assert_eq!(error.help, None);
    let broken =
        evaluate(&[0.9_f32, f32::NAN], &[1.0_f32, -1.0], 1, 2, &labels, &options(json!({ "unknown": "masked" })));
    assert_eq!(broken.unwrap_err().message, "scores must be finite numbers; got NaN for image row 0, label \"dog\"");
    assert!(options_error(json!({ "unknown": "maybe" })).contains("`masked`"));
}

fn options_error(value: serde_json::Value) -> String {
    serde_json::from_value::<MetricOptions>(value).unwrap_err().to_string()
}

#[test]
fn unknown_targets_count_as_the_option_says() {
    let (scores, targets) = partly_unknown(300, 7, 5);
    let number = targets.iter().filter(|&&t| t < 0).count();
    let go = |targets: &[i8], unknown: &str| {
        let options = json!({ "unknown": unknown, "context": true, "convention": ["field", "cpsd", "srn"] });
        evaluate(&scores, targets, 300, 7, &[], &self::options(options)).unwrap()
    };
    for (name, value) in [("negative", 0), ("positive", 1)] {
        let told: Vec<i8> = targets.iter().map(|&t| if t < 0 { value } else { t }).collect();
        let (mut counted, plain) = (go(&targets, name), go(&told, "error"));
        let note = format!("{number} of 2100 targets are of unknown truth: counted as {name}");
        assert!(counted.notes.contains(&note), "{:?}", counted.notes);
        counted.notes.retain(|n| *n != note);
        assert_eq!(counted, plain);
        // Where nothing is unknown, the option changes nothing, and there is no word of it.
        assert_eq!(go(&told, "masked"), plain);
        assert!(serde_json::to_value(plain).unwrap().get("unknown").is_none());
    }
    let masked = go(&targets, "masked");
    assert_eq!(masked.unknown, number);
    assert_eq!(masked.raw()["unknown"], number);
    assert!(masked.raw()["per_label"][0]["unknown"].as_u64().unwrap() > 0);
}

#[test]
fn the_scores_of_unknown_targets_do_not_matter() {
    for seed in 0..5 {
        let (n, m) = (200, 6);
        let (mut scores, targets) = partly_unknown(n, m, seed);
        scores.iter_mut().for_each(|s| *s = (*s * 20.0).round() / 20.0); // ties
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let other: Vec<f32> = (scores.iter().zip(&targets))
            .map(|(&s, &t)| if t < 0 { rng.random::<f32>() * 10.0 - 5.0 } else { s })
            .collect();
        assert_ne!(scores, other);
        let value = json!({ "unknown": "masked", "context": true, "top_k": 2, "threshold": [0.5, 0.3],
                            "convention": ["field", "ml-gcn", "asl", "q2l"] });
        let of = |scores: &[f32], threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| evaluate(scores, &targets, n, m, &[], &options(value.clone())).unwrap())
        };
        assert_eq!(of(&scores, 1), of(&other, 3));
        let best = |scores: &[f32]| best_threshold(scores, &targets, n, m).unwrap();
        assert_eq!(best(&scores), best(&other));
        assert_eq!(of(&scores, 1).map, mean_average_precision(&other, &targets, m).unwrap());
    }
}

#[test]
fn bad_shapes_name_both_sizes() {
    let go = |scores: usize, targets: usize, labels: &[&str]| {
        evaluate(&vec![0.5_f32; scores], &vec![1_u8; targets], 2, 3, &names(labels), &MetricOptions::default())
            .unwrap_err()
            .message
    };
    assert_eq!(go(5, 6, &[]), "scores must have the shape [2, 3], which is 6 values; got 5");
    assert_eq!(go(6, 8, &[]), "targets must have the shape [2, 3], which is 6 values; got 8");
    assert_eq!(go(6, 6, &["a", "b"]), "scores have 3 columns, one per label; got 2 names");
    let empty = evaluate::<f32, u8>(&[], &[], 0, 3, &[], &MetricOptions::default()).unwrap_err();
    assert_eq!(empty.message, "nothing to evaluate: there are 0 images and 3 labels");
    let none = evaluate(&[0.5_f32; 6], &[0_u8; 6], 2, 3, &[], &MetricOptions::default()).unwrap_err();
    assert_eq!(none.message, "none of the 3 labels has a positive among the 2 images: mAP is not defined");
}

#[test]
fn options_out_of_range_are_refused() {
    let (scores, targets) = drawn(10, 5, 0);
    let go = |value| evaluate(&scores, &targets, 10, 5, &[], &options(value)).unwrap_err().message;
    assert_eq!(go(json!({ "top_k": 0 })), "option top_k must be at least 1; got 0");
    assert_eq!(go(json!({ "threshold": 50 })), "option threshold must be a probability from 0 to 1; got 50");
    assert!(go(json!({ "threshold": [] })).contains("at least one"));
    assert!(go(json!({ "threshold": "best_CF1" })).contains("validation split"));
    assert!(go(json!({ "context": true, "companions": 0 })).contains("companions"));
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let (scores, targets) = drawn(3000, 37, 1);
    let options = options(json!({ "context": true, "convention": ["field", "cpsd", "srn"], "threshold": [0.5, 0.3] }));
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| evaluate(&scores, &targets, 3000, 37, &[], &options).unwrap())
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(5));
    assert_eq!(one.map, mean_average_precision(&scores, &targets, 37).unwrap());
}

#[test]
fn the_order_of_images_does_not_matter() {
    let (n, m) = (500, 9);
    let (mut scores, targets) = drawn(n, m, 2);
    scores.iter_mut().for_each(|s| *s = (*s * 10.0).round() / 10.0); // many ties
    let report =
        |s: &[f32], t: &[u8]| evaluate(s, t, n, m, &[], &options(json!({ "convention": ["field", "srn"] }))).unwrap();
    let reversed = |x: &[f32]| x.chunks(m).rev().flatten().copied().collect::<Vec<_>>();
    let turned: Vec<u8> = targets.chunks(m).rev().flatten().copied().collect();
    assert_eq!(report(&scores, &targets), report(&reversed(&scores), &turned));
}

#[test]
fn notes_say_what_is_unusual() {
    let note = |scores: &[f32], targets: &[u8], m: usize| {
        evaluate(scores, targets, scores.len() / m, m, &[], &MetricOptions::default()).unwrap().notes.join("\n")
    };
    assert_eq!(note(&[0.9, 0.1, 0.2, 0.3, 0.8, 0.6, 0.7, 0.5], &[1, 1, 1, 1, 1, 0, 0, 0], 4), "");
    assert!(note(&[0.5; 8], &[1, 1, 1, 1, 1, 0, 0, 0], 4).contains("in 2 of 2 images scores tie at rank 3"));
    assert!(note(&[2.5, 0.1, 0.2, -3.0], &[1, 0, 0, 1], 2).contains("2 scores are not from 0 to 1"));
    assert!(note(&[0.5, 0.1, 0.2, 0.4], &[1, 0, 1, 0], 2).contains("1 of 2 labels has no positive"));
    assert!(note(&[0.5, 0.1, 0.2, 0.4], &[1, 0, 1, 0], 2).contains("no top-3 metrics: there are only 2 labels"));
}

#[test]
fn the_best_threshold_has_the_best_cf1() {
    let (scores, targets) = drawn(400, 6, 3);
    let best = best_threshold(&scores, &targets, 400, 6).unwrap();
    let all: Vec<f64> = (1..100).map(|t| f64::from(t) / 100.0).collect();
    let report = evaluate(&scores, &targets, 400, 6, &[], &options(json!({ "threshold": all }))).unwrap();
    let top = report.thresholds.iter().map(|r| r.decisions.cf1).fold(0.0, f64::max);
    let at_best = report.thresholds.iter().find(|r| r.threshold == best).unwrap().decisions.cf1;
    assert_eq!(at_best, top);
    assert!(best > 0.05 && best < 0.95);
}

#[test]
fn the_context_probe_sees_a_score_that_leans_on_a_companion() {
    // "mouse" is present with "keyboard" nine times in ten. One scorer sees the mouse, the other only the keyboard.
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let n = 4000;
    let (mut targets, mut seeing, mut leaning) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..n {
        let keyboard = rng.random::<f64>() < 0.3;
        let mouse = rng.random::<f64>() < if keyboard { 0.9 } else { 0.04 };
        targets.extend([u8::from(keyboard), u8::from(mouse)]);
        let score = |present: bool, x: f32| if present { 0.55 + 0.4 * x } else { 0.45 * x };
        let x = [rng.random::<f32>(), rng.random::<f32>(), rng.random::<f32>()];
        seeing.extend([score(keyboard, x[0]), if x[2] < 0.1 { x[1] } else { score(mouse, x[1]) }]);
        leaning.extend([score(keyboard, x[0]), score(keyboard, x[1])]);
    }
    let labels = names(&["keyboard", "mouse"]);
    let options = options(json!({ "context": true, "companions": 1, "top_k": null }));
    let context = |scores: &[f32]| evaluate(scores, &targets, n, 2, &labels, &options).unwrap().context.unwrap();
    let (seeing, leaning_report) = (context(&seeing), context(&leaning));
    let (seen, leant) = (&seeing.per_label[1], &leaning_report.per_label[1]);
    assert!(leant.gap_same_share.unwrap() > 30.0, "{leant:?}");
    assert!(seen.gap_same_share.unwrap().abs() < 10.0, "{seen:?}");
    assert!(leant.false_positives_with.unwrap() > 90.0 && leant.false_positives_without.unwrap() < 1.0);
    assert!(seen.false_positives_with.unwrap() < 20.0);
    assert_eq!(leaning_report.source, "evaluated images");

    // The same companions, counted elsewhere.
    let companions = Companions::from_counts(&labels, &[0, 10, 10, 0], 1).unwrap();
    let given = evaluate_with(&leaning, &targets, n, 2, &labels, &options, Some(&companions)).unwrap().context.unwrap();
    assert_eq!(given.source, "training images");
    assert_eq!(given.per_label, leaning_report.per_label);
    let other = Companions::from_counts(&labels[..1], &[0], 1).unwrap();
    assert!(evaluate_with(&leaning, &targets, n, 2, &labels, &options, Some(&other)).is_err());
}

#[test]
fn raw_values_are_shares() {
    let (scores, targets) = drawn(200, 5, 5);
    let report = evaluate(&scores, &targets, 200, 5, &[], &options(json!({ "context": true }))).unwrap();
    let raw = report.raw();
    assert_eq!(raw["mAP"].as_f64().unwrap(), report.map / 100.0);
    assert_eq!(raw["top"]["OF1"].as_f64().unwrap(), report.top.as_ref().unwrap().decisions.of1 / 100.0);
    assert_eq!(raw["per_label"][2]["AP"].as_f64().unwrap(), report.per_label[2].ap.unwrap() / 100.0);
    assert_eq!(raw["per_label"][2]["positives"].as_u64().unwrap() as usize, report.per_label[2].positives);
    assert_eq!(raw["conventions"][0]["threshold"], 0.5);
    assert_eq!((&raw["images"], &raw["top"]["k"], &raw["context"]["companions"]), (&json!(200), &json!(3), &json!(3)));
}

#[test]
fn a_report_prints_as_a_table() {
    let scores = [0.9_f32, 0.1, 0.2, 0.8, 0.3, 0.6, 0.7, 0.7, 0.1, 0.4, 0.2, 0.9];
    let targets = [1_u8, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0];
    let labels = names(&["cat", "dog", "cow", "owl"]);
    let report =
        evaluate(&scores, &targets, 3, 4, &labels, &options(json!({ "top_k": 1, "convention": ["field", "srn"] })))
            .unwrap();
    let printed = report.to_string();
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines[0], "3 images, 4 labels; in percent, convention field, threshold 0.5");
    assert!(lines[1].trim_start().starts_with("mAP     CP     CR    CF1     OP     OR    OF1  macro F1"), "{printed}");
    assert!(lines[2].starts_with("all"), "{printed}");
    assert!(lines[3].starts_with("top-1"), "{printed}");
    assert!(lines.iter().any(|l| l.starts_with("srn at 0.5")), "{printed}");
    assert!(printed.contains("lowest AP (images): "), "{printed}");
    let table: Vec<usize> = lines[1..3].iter().map(|l| l.chars().count()).collect();
    assert_eq!(table[0], table[1], "{printed}");
}
