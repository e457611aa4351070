//! The content of figures: colours follow values, parts are adjacent, labels are legible, on COCO's label graph too.

use cpsd::plots::*;
use image::{GenericImageView, RgbImage};

use crate::common::{numbers, shared};
use crate::figures::*;

fn pixels(figure: &Figure) -> RgbImage {
    let (w, h, rgb) = figure.pixels(figure.width(), figure.height()).unwrap();
    RgbImage::from_raw(w, h, rgb).unwrap()
}

fn brightness(image: &RgbImage, x: f32, y: f32) -> i32 {
    image.get_pixel(x as u32, y as u32).0.iter().map(|c| i32::from(*c)).sum()
}

#[test]
fn greater_values_are_darker_and_nan_is_grey() {
    let l = names(&["a", "b", "c"]);
    let values = [0.07, 0.12, 0.21, 0.33, 0.41, 0.52, 0.66, 0.87, f64::NAN];
    let options = HeatmapOptions { cell_text: Some(true), ..Default::default() };
    let figure = heatmap(&values, &l, &l, None, &options).unwrap();
    let image = pixels(&figure);
    // A cell is where its number is; a little beside the digits is its colour.
    let numbers: Vec<_> = texts(&parse(&figure)).into_iter().filter(|t| t.0.len() == 4 && t.0.contains('.')).collect();
    let shown: Vec<f64> = numbers.iter().map(|t| t.0.parse().unwrap()).collect();
    assert_eq!(shown, values[..8], "a number in every cell that has one");
    let mut last = i32::MAX;
    for (i, (_, b)) in numbers.iter().enumerate() {
        let now = brightness(&image, (b.left() + b.right()) / 2.0, b.top() - 6.0);
        assert!(now < last, "number {i} is not darker than the one before");
        last = now;
    }
    assert!(figure.svg().contains("Grey: no value."));
}

#[test]
fn log_spreads_small_values_and_leaves_zero_white() {
    let l = names(&["a", "b"]);
    let options = HeatmapOptions { log: true, ..Default::default() };
    let figure = heatmap(&[0.0, 1.0, 100.0, 10_000.0], &l, &l, None, &options).unwrap();
    let said: Vec<String> = texts(&parse(&figure)).into_iter().map(|t| t.0).collect();
    for tick in ["1", "100", "10,000"] {
        assert!(said.iter().any(|t| t == tick), "{tick} in {said:?}");
    }
    assert!(said.contains(&"White: 0 or less.".to_string()));
}

#[test]
fn parts_stand_together() {
    let l = names(&["a", "b", "c", "d"]);
    let figure = heatmap(&[0.5; 16], &l, &l, Some(&[5, 2, 5, 2]), &HeatmapOptions::default()).unwrap();
    let said: Vec<String> = texts(&parse(&figure)).into_iter().map(|t| t.0).filter(|t| l.contains(t)).collect();
    assert_eq!(said[..4].join(""), "bdac", "rows in the order of their parts, then in their own");
    assert_eq!(said[4..].join(""), "bdac", "columns too");
    let strong = [0.0, 0.1, 0.0, 0.0, 0.1, 0.0, 0.0, 0.3, 0.0, 0.0, 0.0, 0.0, 0.0, 0.3, 0.0, 0.0];
    let options = HeatmapOptions { strongest_first: true, ..Default::default() };
    let figure = heatmap(&strong, &l, &l, Some(&[0; 4]), &options).unwrap();
    let said: Vec<String> = texts(&parse(&figure)).into_iter().map(|t| t.0).filter(|t| l.contains(t)).collect();
    assert_eq!(said[..4].join(""), "bdac");
}

#[test]
fn big_matrices_are_averaged_into_a_bounded_figure() {
    let n = 2100;
    let l: Vec<String> = (0..n).map(|i| i.to_string()).collect();
    let values: Vec<f64> = (0..n * n).map(|at| (at % n) as f64).collect();
    let figure = heatmap(&values, &l, &l, None, &HeatmapOptions::default()).unwrap();
    assert!(figure.svg().len() < 5_000_000 && figure.width() < 2000, "{figure:?}");
    assert!(figure.svg().contains("mean of 3 × 3 values"));
}

#[test]
fn nan_makes_a_gap_in_a_line() {
    let polylines = |y: Vec<f64>| {
        let x = (0..y.len()).map(|i| i as f64).collect();
        let figure = lines(&[Series { name: "s".into(), x, y, band: None }], &LinesOptions::default()).unwrap();
        figure.svg().matches("<polyline").count()
    };
    assert_eq!(polylines(vec![1.0, 2.0, 3.0, 4.0, 5.0]), 1);
    assert_eq!(polylines(vec![1.0, 2.0, f64::NAN, 4.0, 5.0]), 2);
    assert_eq!(polylines(vec![1.0, 2.0, f64::INFINITY, f64::NEG_INFINITY, 5.0, 6.0]), 2);
}

#[test]
fn names_at_the_ends_of_lines_do_not_cover_each_other() {
    let series: Vec<Series> = (0..12)
        .map(|i| Series {
            name: format!("run {i}"),
            x: vec![0.0, 1.0],
            y: vec![0.0, 90.0 + f64::from(i) * 0.01],
            band: None,
        })
        .collect();
    let figure = lines(&series, &LinesOptions::default()).unwrap();
    let ends: Vec<_> = texts(&parse(&figure)).into_iter().filter(|t| t.0.starts_with("run ")).collect();
    assert_eq!(ends.len(), 12);
    for (i, a) in ends.iter().enumerate() {
        assert!(ends[..i].iter().all(|b| overlap(&a.1, &b.1) < 1.0), "{}", a.0);
    }
}

#[test]
fn bars_are_as_long_as_their_values() {
    let s = BarSeries { name: "s".into(), values: vec![10.0, 20.0, -5.0], errors: None };
    let figure = bars(&names(&["a", "b", "c"]), &[s], &BarsOptions::default()).unwrap();
    let document = resvg::usvg::roxmltree::Document::parse(figure.svg()).unwrap();
    let heights: Vec<f64> = document
        .descendants()
        .filter(|n| n.has_tag_name("rect") && n.attribute("fill") == Some(qualitative(0).hex().as_str()))
        .map(|n| n.attribute("height").unwrap().parse().unwrap())
        .collect();
    assert_eq!(heights.len(), 3);
    assert!(
        (heights[1] / heights[0] - 2.0).abs() < 0.01 && (heights[0] / heights[2] - 2.0).abs() < 0.01,
        "{heights:?}"
    );
    let cut = BarsOptions { y_min: Some(5.0), ..Default::default() };
    let s = BarSeries { name: "s".into(), values: vec![10.0, 20.0, 7.0], errors: None };
    let figure = bars(&names(&["a", "b", "c"]), &[s], &cut).unwrap();
    assert!(figure.svg().contains("The bars begin at 5, not at 0."));
}

#[test]
fn the_gap_after_k_is_named() {
    let figure = eigenvalues(&[0.0, 0.1, 0.2, 0.85, 0.9], Some(3), &EigenvaluesOptions::default()).unwrap();
    assert!(figure.svg().contains("k = 3: gap 0.650"), "{}", figure.svg());
}

#[test]
fn heat_reddens_where_it_is_hot() {
    let picture = plain(60, 60, [80, 80, 80]);
    let heat = Heat::new(2, 2, vec![1.0, 0.0, 0.0, 0.0]).unwrap();
    let cell = |heat| CamCell { picture: picture.clone(), heat, caption: String::new() };
    let rows = [CamRow { title: String::new(), cells: vec![cell(None), cell(Some(heat))] }];
    let figure = cam_panel(&rows, &names(&["picture", "map"]), &CamPanelOptions::default()).unwrap();
    let image = pixels(&figure);
    let titles: Vec<_> = texts(&parse(&figure)).into_iter().filter(|t| t.0 == "picture" || t.0 == "map").collect();
    let (left, right) = (titles[0].1, titles[1].1);
    let at = |x: f32, y: f32| image.view(x as u32, y as u32, 1, 1).get_pixel(0, 0).0;
    let middle = |b: resvg::usvg::Rect| (b.left() + b.right()) / 2.0;
    assert_eq!(at(middle(left) - 60.0, left.bottom() + 40.0), [80, 80, 80], "no heat, no change");
    let hot = at(middle(right) - 80.0, right.bottom() + 30.0);
    assert!(hot[0] > 140 && hot[0] > hot[1] + 60 && hot[0] > hot[2] + 60, "{hot:?}");
    let cold = at(middle(right) + 80.0, right.bottom() + 170.0);
    assert!(cold.iter().all(|c| c.abs_diff(80) < 12), "{cold:?}");
}

#[test]
fn a_graph_shows_the_strongest_edges_only() {
    let n = 30usize;
    let l: Vec<String> = (0..n).map(|i| format!("label {i}")).collect();
    let weights: Vec<f64> = (0..n * n).map(|at| 1.0 / (1.0 + (at / n).abs_diff(at % n) as f64)).collect();
    let count = |edges| {
        let options = LabelGraphOptions { edges, ..Default::default() };
        let figure = label_graph(&l, &weights, &vec![1.0; n], None, &options).unwrap();
        figure.svg().matches("<line").count()
    };
    assert_eq!(count(0), 0);
    // Each inner label's two strongest are its neighbours; the two ends add one each.
    assert_eq!(count(2), 29 + 2);
    let bounded = LabelGraphOptions { edges: 5, min_weight: 0.4, ..Default::default() };
    let figure = label_graph(&l, &weights, &vec![1.0; n], None, &bounded).unwrap();
    assert_eq!(figure.svg().matches("<line").count(), 29, "1/2 between neighbours, 1/3 beyond");
}

/// COCO's labels, affinity (as the golden file has it), counts, and the authors' partition into k parts.
struct Coco {
    labels: Vec<String>,
    affinity: Vec<f64>,
    counts: Vec<f64>,
    parts: Vec<usize>,
}

fn coco(k: usize) -> Option<Coco> {
    let read = |name: &str| Some(std::fs::read_to_string(shared(name)?).unwrap());
    let golden: serde_json::Value = serde_json::from_str(&read("golden_coco.json")?).unwrap();
    let nums = read("coco_nums.csv")?;
    let parts = &golden["branches"]["co"]["parts"][k.to_string()]["official"]["labels"];
    Some(Coco {
        labels: golden["labels"].as_array().unwrap().iter().map(|l| l.as_str().unwrap().to_string()).collect(),
        affinity: golden["P_plus"].as_array().unwrap().iter().flat_map(numbers).collect(),
        counts: nums.lines().skip(1).map(|l| l.rsplit(',').next().unwrap().parse().unwrap()).collect(),
        parts: numbers(parts).iter().map(|p| *p as usize).collect(),
    })
}

#[test]
fn cocos_heat_map_can_be_read() {
    let Some(c) = coco(5) else { return };
    let figure = heatmap(&c.affinity, &c.labels, &c.labels, Some(&c.parts), &HeatmapOptions::default()).unwrap();
    let found: Vec<_> = texts(&parse(&figure)).into_iter().filter(|t| c.labels.contains(&t.0)).collect();
    assert_eq!(found.len(), 160, "80 rows and 80 columns have names");
    for (i, a) in found.iter().enumerate() {
        // Boxes are as high as the font's tallest letters; 8.5 px and more can be read.
        let short = a.1.width().min(a.1.height());
        assert!(short >= 8.5, "{} is {short} px high", a.0);
        for b in &found[..i] {
            let shared = overlap(&a.1, &b.1) / (a.1.width() * a.1.height()).min(b.1.width() * b.1.height());
            assert!(shared < 0.25, "{} lies on {}", a.0, b.0);
        }
    }
}

#[test]
fn cocos_graph_can_be_read() {
    for k in [5, 13] {
        let Some(c) = coco(k) else { return };
        let figure =
            label_graph(&c.labels, &c.affinity, &c.counts, Some(&c.parts), &LabelGraphOptions::default()).unwrap();
        let found: Vec<_> = texts(&parse(&figure)).into_iter().filter(|t| c.labels.contains(&t.0)).collect();
        assert_eq!(found.len(), 80, "every label is named");
        for (i, a) in found.iter().enumerate() {
            for b in &found[..i] {
                let shared = overlap(&a.1, &b.1) / (a.1.width() * a.1.height()).min(b.1.width() * b.1.height());
                assert!(shared < 0.1, "k = {k}: {} lies on {}", a.0, b.0);
            }
        }
        let other = LabelGraphOptions { seed: 1, ..Default::default() };
        let moved = label_graph(&c.labels, &c.affinity, &c.counts, Some(&c.parts), &other).unwrap();
        assert_ne!(moved.svg(), figure.svg(), "another seed, another layout");
    }
}
