//! Bad input to figures: one clear sentence, never a panic; extreme input: a figure or one clear sentence.

use cpsd::error::{ErrorKind, Result};
use cpsd::plots::*;

use crate::figures::*;

fn refused(figure: Result<Figure>, says: &[&str]) {
    let error = figure.expect_err(&format!("expected an error that says {says:?}"));
    assert_eq!(error.kind, ErrorKind::Argument, "{error}");
    for word in says {
        assert!(error.message.contains(word), "\"{error}\" does not say \"{word}\"");
    }
}

#[test]
fn heatmap() {
    let l = names(&["a", "b"]);
    let none: Vec<String> = Vec::new();
    let with = |json: &str| serde_json::from_str::<HeatmapOptions>(json).unwrap();
    let square = |v: &[f64], o: &HeatmapOptions| cpsd::plots::heatmap(v, &l, &l, None, o);
    refused(square(&[1.0; 3], &with("{}")), &["needs 4 values", "got 3"]);
    refused(cpsd::plots::heatmap(&[], &none, &none, None, &with("{}")), &["at least one row"]);
    refused(square(&[f64::NAN; 4], &with("{}")), &["finite"]);
    refused(square(&[f64::INFINITY; 4], &with("{}")), &["finite"]);
    refused(square(&[0.0, -1.0, 0.0, -2.0], &with(r#"{"log": true}"#)), &["greater than 0"]);
    refused(square(&[1.0; 4], &with(r#"{"vmin": 2.0, "vmax": 1.0}"#)), &["vmin", "below"]);
    refused(square(&[1.0; 4], &with(r#"{"log": true, "vmin": 0}"#)), &["vmin", "above 0"]);
    refused(square(&[1.0; 4], &with(r#"{"width": 5}"#)), &["width of heatmap", "120 to 8000", "5"]);
    let grouped = |g: &[usize], o: &HeatmapOptions| cpsd::plots::heatmap(&[1.0; 4], &l, &l, Some(g), o);
    refused(grouped(&[0], &with("{}")), &["needs 2 part numbers", "got 1"]);
    refused(grouped(&[0, 7], &with(r#"{"group_names": ["x"]}"#)), &["needs 2 group names", "got 1"]);
    refused(cpsd::plots::heatmap(&[1.0; 2], &l, &l[..1], Some(&[0, 0]), &with("{}")), &["square"]);
}

#[test]
fn label_graph() {
    let l = names(&["a", "b"]);
    let graph = |w: &[f64], s: &[f64], g: Option<&[usize]>| cpsd::plots::label_graph(&l, w, s, g, &Default::default());
    refused(graph(&[1.0; 3], &[1.0; 2], None), &["needs 4 weights"]);
    refused(graph(&[1.0; 4], &[1.0; 3], None), &["needs 2 sizes"]);
    refused(graph(&[0.0, f64::NAN, 0.0, 0.0], &[1.0; 2], None), &["finite", "\"a\"", "\"b\""]);
    refused(graph(&[1.0; 4], &[1.0, -1.0], None), &["0 or more", "\"b\""]);
    refused(graph(&[1.0; 4], &[1.0; 2], Some(&[1])), &["part numbers"]);
    refused(cpsd::plots::label_graph(&[], &[], &[], None, &Default::default()), &["at least one label"]);
    let many: Vec<String> = (0..1001).map(|i| i.to_string()).collect();
    refused(cpsd::plots::label_graph(&many, &[], &[], None, &Default::default()), &["at most 1000", "1001"]);
}

#[test]
fn lines() {
    let series = |x: &[f64], y: &[f64]| Series { name: "s".into(), x: x.to_vec(), y: y.to_vec(), band: None };
    let draw = |s: &[Series], o: &str| cpsd::plots::lines(s, &serde_json::from_str(o).unwrap());
    refused(draw(&[], "{}"), &["at least one series"]);
    refused(draw(&[series(&[1.0], &[1.0, 2.0])], "{}"), &["needs 2 x values", "\"s\"", "got 1"]);
    refused(draw(&[series(&[], &[])], "{}"), &["at least one point"]);
    refused(draw(&[series(&[1.0, 2.0], &[f64::NAN; 2])], "{}"), &["finite"]);
    refused(draw(&[series(&[1.0, 2.0], &[0.0, -5.0])], r#"{"log_y": true}"#), &["finite number among its points"]);
    refused(draw(&[series(&[1.0, 2.0], &[1.0, 2.0])], r#"{"y_min": 3, "y_max": 1}"#), &["y_min", "below"]);
    refused(draw(&[series(&[1.0, 2.0], &[1.0, 2.0])], r#"{"y_min": -3, "log_y": true}"#), &["above 0"]);
    refused(draw(&[series(&[1.0, 2.0], &[1.0, 2.0])], r#"{"width": 1e9}"#), &["width"]);
    let mut banded = series(&[1.0, 2.0], &[1.0, 2.0]);
    banded.band = Some((vec![0.0], vec![1.0, 2.0]));
    refused(draw(&[banded], "{}"), &["lower band"]);
    refused(draw(&vec![series(&[1.0], &[1.0]); 41], "{}"), &["at most 40"]);
}

#[test]
fn bars() {
    let g = names(&["a", "b"]);
    let one =
        |values: &[f64], errors: Option<Vec<f64>>| [BarSeries { name: "s".into(), values: values.to_vec(), errors }];
    let draw = |s: &[BarSeries]| cpsd::plots::bars(&g, s, &Default::default());
    refused(draw(&[]), &["at least one series"]);
    refused(cpsd::plots::bars(&[], &one(&[], None), &Default::default()), &["at least one group"]);
    refused(draw(&one(&[1.0], None)), &["needs 2 values", "\"s\""]);
    refused(draw(&one(&[1.0, 2.0], Some(vec![1.0]))), &["needs 2 errors"]);
    refused(draw(&one(&[1.0, 2.0], Some(vec![1.0, -1.0]))), &["0 or more"]);
    refused(draw(&one(&[f64::NAN; 2], None)), &["finite"]);
}

#[test]
fn eigenvalues() {
    let draw = |v: &[f64], k| cpsd::plots::eigenvalues(v, k, &Default::default());
    refused(draw(&[0.0], None), &["at least two", "got 1"]);
    refused(draw(&[0.0, f64::NAN], None), &["finite", "number 2"]);
    refused(draw(&[0.0, 0.5, 0.2], None), &["ascending", "0.5 before 0.2"]);
    refused(draw(&[0.0, 0.5, 0.7], Some(3)), &["from 1 to 2", "got 3"]);
    refused(draw(&[0.0, 0.5, 0.7], Some(0)), &["from 1 to 2", "got 0"]);
}

#[test]
fn scatter() {
    let draw = |x: &[f64], y: &[f64]| cpsd::plots::scatter(x, y, PointData::default(), &Default::default());
    refused(draw(&[], &[]), &["at least one point"]);
    refused(draw(&[1.0], &[1.0, 2.0]), &["needs 1 y values"]);
    refused(draw(&[1.0, f64::NAN], &[f64::NAN, 2.0]), &["finite"]);
    let one = names(&["a"]);
    let one_name = PointData { names: Some(&one), ..Default::default() };
    let short = cpsd::plots::scatter(&[1.0, 2.0], &[1.0, 2.0], one_name, &Default::default());
    refused(short, &["needs 2 names"]);
}

#[test]
fn pictures() {
    let picture = plain(4, 4, [0; 3]);
    refused(picture_grid(&[], &[], &Default::default()), &["at least one picture"]);
    refused(
        picture_grid(std::slice::from_ref(&picture), &names(&["a", "b"]), &Default::default()),
        &["1 captions", "got 2"],
    );
    let none = PictureGridOptions { columns: Some(0), ..Default::default() };
    refused(picture_grid(std::slice::from_ref(&picture), &[], &none), &["columns", "got 0"]);
    let cell = CamCell { picture, heat: None, caption: String::new() };
    let row = CamRow { title: String::new(), cells: vec![cell] };
    refused(
        cam_panel(std::slice::from_ref(&row), &names(&["a", "b"]), &Default::default()),
        &["needs 2 cells", "row 0, counted from 0", "got 1"],
    );
    refused(cam_panel(&[], &names(&["a"]), &Default::default()), &["at least one row"]);
    let loud = CamPanelOptions { opacity: 2.0, ..Default::default() };
    refused(cam_panel(&[row], &names(&["a"]), &loud), &["opacity", "0 to 1", "2"]);
}

/// Any numbers, finite or not, give a figure that can be drawn or an Argument error.
#[test]
fn extreme_numbers_never_panic() {
    let extremes = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        5e-324,
        1e-300,
        1e300,
        -1e300,
        f64::MAX,
        f64::MIN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        1e16,
        1e16 + 2.0,
        0.1 + 0.2,
    ];
    let l = names(&["a", "b"]);
    let fine = |figure: Result<Figure>| match figure {
        Ok(figure) => {
            parse(&figure);
            assert!(!figure.svg().contains("NaN") && !figure.svg().contains("inf\""), "{}", figure.svg());
            figure.png(0.2).unwrap();
        }
        Err(error) => assert_eq!(error.kind, ErrorKind::Argument),
    };
    for a in extremes {
        for b in extremes {
            for log in [false, true] {
                let o = HeatmapOptions { log, ..Default::default() };
                fine(cpsd::plots::heatmap(&[a, b, b, a], &l, &l, Some(&[3, 9]), &o));
                let o = LinesOptions { log_y: log, log_x: log, markers: true, ..Default::default() };
                let band = Some((vec![b, a], vec![a, b]));
                fine(cpsd::plots::lines(&[Series { name: "s".into(), x: vec![a, b], y: vec![b, a], band }], &o));
                let o = ScatterOptions { log_x: log, diagonal: !log, ..Default::default() };
                fine(cpsd::plots::scatter(&[a, b], &[b, a], PointData { names: Some(&l), ..Default::default() }, &o));
                let mark = if log { Mark::Dot } else { Mark::Bar };
                let s = BarSeries { name: "s".into(), values: vec![a, b], errors: Some(vec![a.abs(), b.abs()]) };
                fine(cpsd::plots::bars(&l, &[s], &BarsOptions { mark, ..Default::default() }));
            }
            fine(cpsd::plots::label_graph(&l, &[a, b, b, a], &[b, a], None, &Default::default()));
            fine(cpsd::plots::eigenvalues(&[a, b], Some(1), &Default::default()));
        }
    }
}

#[test]
fn extreme_shapes_never_panic() {
    let long: Vec<String> = (0..3).map(|i| "W".repeat(10_000) + i.to_string().as_str()).collect();
    let o = HeatmapOptions { title: long[0].clone(), subtitle: "word ".repeat(50), ..Default::default() };
    parse(&cpsd::plots::heatmap(&[1.0; 9], &long, &long, Some(&[0, 1, 2]), &o).unwrap());
    parse(&cpsd::plots::label_graph(&long, &[1.0; 9], &[1.0; 3], Some(&[0, 1, 2]), &Default::default()).unwrap());
    let s = |name: &String| Series { name: name.clone(), x: vec![1.0], y: vec![1.0], band: None };
    parse(&cpsd::plots::lines(&long.iter().map(s).collect::<Vec<_>>(), &Default::default()).unwrap());
    let b = |name: &String| BarSeries { name: name.clone(), values: vec![1.0; 3], errors: None };
    parse(&cpsd::plots::bars(&long, &long.iter().map(b).collect::<Vec<_>>(), &Default::default()).unwrap());
    for (n, m) in [(1, 1), (1, 1500), (1500, 1), (3, 400), (150, 150), (1001, 1001)] {
        let (rows, cols): (Vec<String>, Vec<String>) =
            ((0..n).map(|i| format!("row {i}")).collect(), (0..m).map(|i| format!("column {i}")).collect());
        let values: Vec<f64> = (0..n * m).map(|i| (i % 17) as f64).collect();
        for o in
            ["{}", r#"{"width": 500}"#, r#"{"height": 500}"#, r#"{"width": 700, "height": 600, "cell_text": true}"#]
        {
            let figure = cpsd::plots::heatmap(&values, &rows, &cols, None, &serde_json::from_str(o).unwrap());
            let figure = figure.unwrap_or_else(|e| panic!("{n} × {m} {o}: {e}"));
            assert!(figure.width() < 2500 && figure.height() < 2500, "{n} × {m} {o}: {figure}");
            parse(&figure);
        }
    }
    let thin = [plain(5000, 1, [9; 3]), plain(1, 5000, [9; 3]), plain(1, 1, [9; 3])];
    parse(&picture_grid(&thin, &[], &Default::default()).unwrap());
}
