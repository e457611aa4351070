//! Metrics held to scikit-learn's and scipy's values; `goldens/metrics/generate.py` makes them.

use cpsd::metrics::{
    self, BootstrapOptions, Correction, Evaluation, MetricOptions, PermutationOptions, PowerOptions, Ranked, adjust_p,
    average_precision, evaluate, mean_average_precision, mean_error, paired_bootstrap, paired_permutation,
    power_t_test, voc_average_precision,
};
use serde_json::{Value, json};

use crate::common::{golden, labels, numbers};

struct Case {
    value: Value,
    n: usize,
    m: usize,
    scores: Vec<f32>,
    targets: Vec<u8>,
}

fn cases() -> Vec<Case> {
    let golden = golden("metrics/golden.json");
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() >= 4);
    cases
        .iter()
        .map(|value| Case {
            n: value["images"].as_u64().unwrap() as usize,
            m: value["labels"].as_u64().unwrap() as usize,
            scores: numbers(&value["scores"]).iter().map(|&s| s as f32).collect(),
            targets: numbers(&value["targets"]).iter().map(|&t| t as u8).collect(),
            value: value.clone(),
        })
        .collect()
}

impl Case {
    fn report(&self, options: Value) -> Evaluation {
        let options: MetricOptions = serde_json::from_value(options).unwrap();
        evaluate(&self.scores, &self.targets, self.n, self.m, &[], &options).unwrap()
    }

    fn k(&self) -> usize {
        self.value["k"].as_u64().unwrap() as usize
    }

    /// In how many images each label is among the `k` highest scores and has at least 0.5.
    fn predicted(&self, k: usize) -> Vec<usize> {
        let mut predicted = vec![0; self.m];
        for scores in self.scores.chunks_exact(self.m) {
            let mut order: Vec<usize> = (0..self.m).collect();
            order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
            order.into_iter().take(k).filter(|&label| scores[label] >= 0.5).for_each(|label| predicted[label] += 1);
        }
        predicted
    }

    fn column<T: Copy>(&self, matrix: &[T], label: usize) -> Vec<T> {
        matrix.iter().skip(label).step_by(self.m).copied().collect()
    }
}

#[track_caller]
fn close(came: f64, expected: &Value, what: &str) {
    let expected = expected.as_f64().unwrap();
    assert!((came - expected).abs() < 1e-12 * expected.abs().max(1.0), "{what}: got {came}, expected {expected}");
}

#[test]
fn ap_of_each_label_is_that_of_scikit_learn() {
    for case in cases() {
        let report = case.report(json!({ "top_k": null }));
        let mut absent = Vec::new();
        for label in 0..case.m {
            let (scores, truth) = (case.column(&case.scores, label), case.column(&case.targets, label));
            let expected = &case.value["ap"][label];
            if expected.is_null() {
                assert_eq!(average_precision(&scores, &truth), None);
                assert_eq!(report.per_label[label].ap, None);
                absent.push(label.to_string());
                continue;
            }
            close(average_precision(&scores, &truth).unwrap(), expected, "ap");
            close(report.per_label[label].ap.unwrap() / 100.0, expected, "ap of the report");
            close(voc_average_precision(&scores, &truth).unwrap(), &case.value["voc_ap"][label], "voc ap");
            let wide: Vec<f64> = scores.iter().map(|&s| f64::from(s)).collect();
            let bools: Vec<bool> = truth.iter().map(|&t| t == 1).collect();
            close(average_precision(&wide, &bools).unwrap(), expected, "ap of f64 scores");
        }
        assert_eq!(report.left_out, absent);
        close(report.map / 100.0, &case.value["mAP"], "mAP");
        close(
            mean_average_precision(&case.scores, &case.targets, case.m).unwrap() / 100.0,
            &case.value["mAP"],
            "mAP alone",
        );
    }
}

#[test]
fn logits_rank_as_probabilities_do() {
    for case in cases() {
        // Exact in floating point, and through zero: halving and shifting by a power of two keep every tie and order.
        let shifted: Vec<f64> = case.scores.iter().map(|&s| 2.0 * f64::from(s) - 1.0).collect();
        close(
            mean_average_precision(&shifted, &case.targets, case.m).unwrap() / 100.0,
            &case.value["mAP"],
            "mAP of shifted scores",
        );
        let narrow: Vec<f32> = case.scores.iter().map(|&s| -1.0 / (s + 1e-3)).collect();
        let direct = metrics::mean_average_precision(&narrow, &case.targets, case.m).unwrap();
        assert!((direct / 100.0 - case.value["mAP"].as_f64().unwrap()).abs() < 1e-12);
    }
}

#[test]
fn precision_recall_and_f1_are_those_of_scikit_learn() {
    for case in cases() {
        for at in case.value["at"].as_array().unwrap() {
            let report = case.report(json!({ "threshold": at["threshold"], "top_k": null }));
            for (came, key) in [
                (report.decisions.cp, "CP"),
                (report.decisions.cr, "CR"),
                (report.decisions.cf1, "CF1"),
                (report.decisions.op, "OP"),
                (report.decisions.or, "OR"),
                (report.decisions.of1, "OF1"),
                (report.macro_f1, "macro_F1"),
            ] {
                close(came / 100.0, &at[key], &format!("{key} at {} of \"{}\"", at["threshold"], case.value["name"]));
            }
            for (label, row) in report.per_label.iter().enumerate() {
                close(row.precision / 100.0, &at["precision"][label], "precision");
                close(row.recall / 100.0, &at["recall"][label], "recall");
                close(row.f1 / 100.0, &at["f1"][label], "f1");
            }
        }
        let all: Vec<f64> =
            case.value["at"].as_array().unwrap().iter().map(|a| a["threshold"].as_f64().unwrap()).collect();
        if all.len() > 1 {
            let report = case.report(json!({ "threshold": all }));
            assert_eq!(report.thresholds.len(), all.len());
            for (row, at) in report.thresholds.iter().zip(case.value["at"].as_array().unwrap()) {
                close(row.decisions.cf1 / 100.0, &at["CF1"], "CF1 of a list of thresholds");
                close(row.decisions.op / 100.0, &at["OP"], "OP of a list of thresholds");
            }
        }
    }
}

#[test]
fn top_k_is_that_of_a_stable_sort() {
    for case in cases() {
        for (above, key) in [(false, "top"), (true, "top_passing")] {
            let threshold = &case.value["at"][0]["threshold"];
            let options = json!({ "threshold": threshold, "top_k": case.value["k"], "above_threshold": above });
            let top = case.report(options).top.unwrap();
            let expected = &case.value[key];
            for (came, name) in [
                (top.decisions.cp, "CP"),
                (top.decisions.cr, "CR"),
                (top.decisions.cf1, "CF1"),
                (top.decisions.op, "OP"),
                (top.decisions.or, "OR"),
                (top.decisions.of1, "OF1"),
            ] {
                close(came / 100.0, &expected[name], &format!("{key} {name} of \"{}\"", case.value["name"]));
            }
        }
    }
}

#[test]
fn conventions_differ_where_they_should() {
    let mut nowhere = 0;
    for case in cases() {
        let names = ["field", "ml-gcn", "cpsd", "asl", "srn", "q2l"];
        let report = case.report(json!({ "convention": names, "top_k": case.value["k"] }));
        assert!(report.conventions.iter().map(|r| r.name.as_str()).eq(names));
        let at = &case.value["at"][0];
        assert_eq!(at["threshold"], 0.5);
        let [field, mlgcn, cpsd, asl, srn, q2l] = &report.conventions[..] else { panic!("six rows") };
        close(field.rows.decisions.cf1 / 100.0, &at["CF1"], "field CF1");
        close(mlgcn.rows.decisions.cf1 / 100.0, &at["CF1"], "ml-gcn CF1");
        close(srn.rows.decisions.cf1 / 100.0, &at["macro_F1"], "srn CF1");
        close(q2l.rows.decisions.cf1 / 100.0, &at["CF1"], "q2l CF1");
        for (row, key) in
            [(field, "mAP"), (mlgcn, "mAP"), (cpsd, "mAP"), (asl, "mAP"), (srn, "voc_mAP"), (q2l, "voc_mAP")]
        {
            close(row.map / 100.0, &case.value[key], &format!("{key} of {}", row.name));
        }
        let (top, expected) = (mlgcn.top.as_ref().unwrap().decisions, &case.value["top_passing"]);
        close(top.cf1 / 100.0, &expected["CF1"], "ml-gcn top CF1");
        close(top.or / 100.0, &expected["OR"], "ml-gcn top OR");
        // A label that is never predicted counts as one prediction in OP, so it is lower than scikit-learn's there.
        for (op, scikit, k) in [(mlgcn.rows.decisions.op, &at["OP"], case.m), (top.op, &expected["OP"], case.k())] {
            let predicted = case.predicted(k);
            let (all, never) = (predicted.iter().sum::<usize>(), predicted.iter().filter(|&&n| n == 0).count());
            let share = all as f64 / (all + never) as f64;
            close(op / 100.0, &json!(scikit.as_f64().unwrap() * share), &format!("ml-gcn OP among the top {k}"));
            nowhere += never;
        }
        assert_eq!((cpsd.rows.threshold, asl.rows.threshold), (0.8, 0.8));
        assert_eq!(asl.rows.decisions.cf1, asl.rows.macro_f1);
        if let Some(high) = case.value["at"].as_array().unwrap().iter().find(|a| a["threshold"] == 0.8) {
            close(cpsd.rows.decisions.cf1 / 100.0, &high["CF1"], "cpsd CF1");
            if !case.scores.contains(&0.8) {
                close(asl.rows.decisions.cf1 / 100.0, &high["macro_F1"], "asl CF1");
            }
        }
    }
    // Of one label of one case, in both rows.
    assert_eq!(nowhere, 2);
}

/// Numbers of the authors' own `AveragePrecisionMeter`, on scores of which five are the threshold itself and one label's are all
/// below it.
#[test]
fn the_convention_of_cpsd_is_the_authors_meter() {
    let golden = golden("metrics/cpsd_meter.json");
    let size = |key: &str| golden[key].as_u64().unwrap() as usize;
    let (n, m) = (size("images"), size("labels"));
    let scores: Vec<f32> = numbers(&golden["scores"]).iter().map(|&s| s as f32).collect();
    let targets: Vec<u8> = numbers(&golden["targets"]).iter().map(|&t| t as u8).collect();
    assert_eq!(scores.iter().filter(|s| **s == 0.8).count(), 5);
    let options: MetricOptions = serde_json::from_value(json!({ "convention": "cpsd", "top_k": golden["k"] })).unwrap();
    let report = evaluate(&scores, &targets, n, m, &[], &options).unwrap();
    // The authors average in single precision.
    assert!((report.map / 100.0 - golden["mAP"].as_f64().unwrap()).abs() < 1e-6, "{}", report.map);
    for (rows, key) in [(&report.decisions, "all"), (&report.top.unwrap().decisions, "top")] {
        for (came, name) in
            [(rows.cp, "CP"), (rows.cr, "CR"), (rows.cf1, "CF1"), (rows.op, "OP"), (rows.or, "OR"), (rows.of1, "OF1")]
        {
            close(came / 100.0, &golden[key][name], &format!("{name} of {key}"));
        }
    }
}

/// `goldens/metrics/unknown.py` makes the values.
#[test]
fn unknown_targets_are_left_out_as_scikit_learn_leaves_out_rows() {
    let golden = golden("metrics/unknown.json");
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() >= 2);
    for case in cases {
        let [n, m, k, few] = ["images", "labels", "k", "few"].map(|key| case[key].as_u64().unwrap() as usize);
        let scores: Vec<f32> = numbers(&case["scores"]).iter().map(|&s| s as f32).collect();
        let targets: Vec<i8> = numbers(&case["targets"]).iter().map(|&t| t as i8).collect();
        let report = |mut options: Value| {
            options["unknown"] = json!("masked");
            let options: MetricOptions = serde_json::from_value(options).unwrap();
            let report = evaluate(&scores, &targets, n, m, &[], &options).unwrap();
            // NaN is another form of the same.
            let floats: Vec<f64> = targets.iter().map(|&t| if t < 0 { f64::NAN } else { f64::from(t) }).collect();
            assert_eq!(report, evaluate(&scores, &floats, n, m, &[], &options).unwrap());
            report
        };
        let column = |label: usize| -> (Vec<f32>, Vec<i8>) {
            let at = |i: usize| i * m + label;
            ((0..n).map(|i| scores[at(i)]).collect(), (0..n).map(|i| targets[at(i)]).collect())
        };
        for at in case["at"].as_array().unwrap() {
            let options = json!({ "threshold": at["threshold"], "top_k": k, "convention": ["field", "srn"] });
            let report = report(options);
            for (came, key) in [
                (report.decisions.cp, "CP"),
                (report.decisions.cr, "CR"),
                (report.decisions.cf1, "CF1"),
                (report.decisions.op, "OP"),
                (report.decisions.or, "OR"),
                (report.decisions.of1, "OF1"),
                (report.macro_f1, "macro_F1"),
            ] {
                close(came / 100.0, &at[key], &format!("{key} at {} of \"{}\"", at["threshold"], case["name"]));
            }
            close(report.map / 100.0, &case["mAP"], "mAP");
            close(report.conventions[1].map / 100.0, &case["voc_mAP"], "VOC mAP");
            for (label, row) in report.per_label.iter().enumerate() {
                close(row.precision / 100.0, &at["precision"][label], "precision");
                close(row.recall / 100.0, &at["recall"][label], "recall");
                close(row.f1 / 100.0, &at["f1"][label], "f1");
                assert_eq!(row.unknown as u64, case["unknown"][label].as_u64().unwrap());
                let (scores, truth) = column(label);
                match row.ap {
                    Some(ap) => {
                        close(ap / 100.0, &case["ap"][label], "AP");
                        close(average_precision(&scores, &truth).unwrap(), &case["ap"][label], "AP alone");
                        close(voc_average_precision(&scores, &truth).unwrap(), &case["voc_ap"][label], "VOC AP");
                    }
                    None => {
                        assert!(case["ap"][label].is_null());
                        assert_eq!(average_precision(&scores, &truth), None);
                    }
                }
            }
            assert_eq!(report.unknown, report.per_label.iter().map(|row| row.unknown).sum::<usize>());
            let notes = report.notes.join("\n");
            let left_out =
                format!("{} of {} targets are of unknown truth: left out of every metric", report.unknown, n * m);
            assert!(notes.contains(&left_out), "{notes}");
            let all = format!("in {few} of {n} images at most {k} labels are of known truth");
            assert!(notes.contains(&all), "{notes}");
        }
        for (above, key) in [(false, "top"), (true, "top_passing")] {
            let threshold = &case["at"][0]["threshold"];
            let top = report(json!({ "threshold": threshold, "top_k": k, "above_threshold": above })).top.unwrap();
            for (came, name) in [
                (top.decisions.cp, "CP"),
                (top.decisions.cr, "CR"),
                (top.decisions.cf1, "CF1"),
                (top.decisions.op, "OP"),
                (top.decisions.or, "OR"),
                (top.decisions.of1, "OF1"),
            ] {
                close(came / 100.0, &case[key][name], &format!("{key} {name} of \"{}\"", case["name"]));
            }
        }
        let alone = mean_average_precision(&scores, &targets, m).unwrap();
        close(alone / 100.0, &case["mAP"], "mAP alone");
    }
}

#[test]
fn standard_error_and_bootstrap_are_those_of_scipy() {
    let golden = golden("metrics/golden.json");
    let paired = &golden["paired"];
    let (a, b) = (numbers(&paired["a"]), numbers(&paired["b"]));
    let m = mean_error(&a).unwrap();
    close(m.mean, &paired["mean"], "mean");
    close(m.error.unwrap(), &paired["sem"], "standard error");
    let level = paired["level"].as_f64().unwrap();
    let options = BootstrapOptions { resamples: 100_000, level, seed: 3, ..Default::default() };
    let interval = paired_bootstrap(&a, &b, &options).unwrap();
    close(interval.difference, &paired["difference"], "difference");
    // Both are Monte Carlo: a quantile of 100,000 draws is sure to about sd × 0.007.
    let slack = 0.05 * paired["sd"].as_f64().unwrap();
    assert!((interval.low - paired["low"].as_f64().unwrap()).abs() < slack, "{interval:?}");
    assert!((interval.high - paired["high"].as_f64().unwrap()).abs() < slack, "{interval:?}");
}

#[test]
fn permutation_tests_are_those_of_scipy() {
    let golden = golden("metrics/comparisons.json");
    for case in golden["permutation"].as_array().unwrap() {
        let (a, b) = (numbers(&case["a"]), numbers(&case["b"]));
        let test = paired_permutation(&a, &b, &PermutationOptions::default()).unwrap();
        assert!(test.exact, "{test:?}");
        close(test.difference, &case["difference"], "difference");
        close(test.p, &case["p"], &format!("p of {} pairs", a.len()));
        assert!(test.p >= test.least, "{test:?}");
    }
    // Both are Monte Carlo: shares of 100,000 and a million draws.
    let case = &golden["drawn"];
    let test = paired_permutation(&numbers(&case["a"]), &numbers(&case["b"]), &PermutationOptions::default()).unwrap();
    let p = case["p"].as_f64().unwrap();
    assert!(!test.exact && (test.p - p).abs() < 8.0 * (p / 100_000.0).sqrt(), "{test:?}, scipy: {p}");
}

#[test]
fn map_of_resampled_pictures_is_that_of_sklearn() {
    for case in golden("metrics/resampled.json")["resampled"].as_array().unwrap() {
        let floats = |key: &str| numbers(&case[key]).into_iter().map(|x| x as f32).collect::<Vec<f32>>();
        let (n, m) = (case["n"].as_u64().unwrap() as usize, case["labels"].as_u64().unwrap() as usize);
        let ranked = Ranked::new(&floats("scores"), &floats("targets"), n, &labels(m)).unwrap();
        for draw in case["draws"].as_array().unwrap() {
            let counts: Vec<u16> = numbers(&draw["counts"]).into_iter().map(|count| count as u16).collect();
            let (found, expected) = (ranked.mean_average_precision(&counts), draw["map"].as_f64().unwrap());
            assert!((found - expected).abs() < 1e-10, "{n} pictures: {found}, scikit-learn: {expected}");
        }
    }
}

#[test]
fn power_is_that_of_statsmodels() {
    let golden = golden("metrics/resampled.json");
    let of = |case: &serde_json::Value, key: &str| case[key].as_f64().unwrap();
    for case in golden["pairs"].as_array().unwrap() {
        let options = PowerOptions { alpha: of(case, "alpha"), power: of(case, "power"), n: None };
        let found = power_t_test(3.0 * of(case, "effect"), 3.0, &options).unwrap();
        let expected = of(case, "n");
        assert!((found.exact - expected).abs() < 1e-5 * expected, "{found:?}, statsmodels: {expected}");
        assert_eq!(found.n as f64, expected.ceil());
        assert!(found.power >= options.power);
    }
    for case in golden["powers"].as_array().unwrap() {
        let options = PowerOptions { n: case["n"].as_u64(), ..Default::default() };
        let found = power_t_test(of(case, "effect"), 1.0, &options).unwrap();
        assert!((found.power - of(case, "power")).abs() < 1e-9, "{found:?}, statsmodels: {}", of(case, "power"));
    }
}

#[test]
fn corrected_p_values_are_those_of_statsmodels() {
    for case in golden("metrics/comparisons.json")["corrections"].as_array().unwrap() {
        let ps = numbers(&case["ps"]);
        for (name, correction) in [
            ("holm", Correction::Holm),
            ("bonferroni", Correction::Bonferroni),
            ("benjamini_hochberg", Correction::BenjaminiHochberg),
        ] {
            let adjusted = adjust_p(&ps, correction).unwrap();
            assert_eq!(adjusted.len(), ps.len());
            for (i, p) in adjusted.into_iter().enumerate() {
                close(p, &case[name][i], &format!("{name} {i} of {ps:?}"));
            }
        }
    }
    assert!(adjust_p(&[0.5, 1.5], Correction::Holm).unwrap_err().message.contains("got 1.5 at position 1"));
    assert_eq!(adjust_p(&[], Correction::Holm).unwrap(), [0.0; 0]);
}
