//! Every figure: valid SVG, PNG of the right size, text on the page and as given, the same bytes every time.

use cpsd::plots::*;
use resvg::usvg;

use crate::figures::*;

#[test]
fn every_figure_is_valid_svg_of_its_size() {
    for (name, figure) in all() {
        let tree = parse(&figure);
        assert_eq!(
            (tree.size().width(), tree.size().height()),
            (figure.width() as f32, figure.height() as f32),
            "{name}"
        );
        assert!(texts(&tree).len() >= 2, "{name} has text");
        let document = usvg::roxmltree::Document::parse(figure.svg()).unwrap();
        let number = |v: &str| v.parse::<f64>().is_ok_and(f64::is_finite);
        for node in document.descendants().filter(|n| n.is_element()) {
            for key in ["x", "y", "width", "height", "cx", "cy", "r", "x1", "y1", "x2", "y2", "font-size"] {
                assert!(node.attribute(key).is_none_or(number), "{name}: {key} of {node:?}");
            }
        }
    }
}

#[test]
fn all_text_stands_on_the_page() {
    for (name, figure) in all() {
        let (w, h) = (figure.width() as f32, figure.height() as f32);
        for (text, b) in texts(&parse(&figure)) {
            let inside = b.left() >= -1.0 && b.top() >= -1.0 && b.right() <= w + 1.0 && b.bottom() <= h + 1.0;
            assert!(inside, "{name}: \"{text}\" at {b:?} leaves {w} × {h}");
        }
    }
}

#[test]
fn png_has_two_pixels_a_px_and_svg_is_written_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    for (name, figure) in all() {
        let png = folder.path().join(format!("new/{name}.PNG"));
        figure.save(&png).unwrap();
        let image = image::load_from_memory(&std::fs::read(&png).unwrap()).unwrap();
        assert_eq!((image.width(), image.height()), (2 * figure.width(), 2 * figure.height()), "{name}");
        let svg = folder.path().join(format!("{name}.svg"));
        figure.save(&svg).unwrap();
        assert_eq!(std::fs::read_to_string(&svg).unwrap(), figure.svg());
    }
}

#[test]
fn another_ending_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let figure = &all()[0].1;
    for path in ["a/x.eps", "a/x", "a/.png"] {
        let error = figure.save(folder.path().join(path)).unwrap_err();
        assert_eq!(error.kind, cpsd::error::ErrorKind::Argument);
        assert!(error.message.contains(".png, .svg or .pdf") && error.help.is_some(), "{error}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let blocked = folder.path().join("file");
    std::fs::write(&blocked, "x").unwrap();
    let error = figure.save(blocked.join("x.svg")).unwrap_err();
    assert_eq!(error.kind, cpsd::error::ErrorKind::Io);
}

#[test]
fn the_same_input_is_the_same_bytes_on_any_number_of_threads() {
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| all().into_iter().map(|(_, f)| f.svg().to_string()).collect::<Vec<_>>())
    };
    assert_eq!(run(1), run(4));
    let figure = &all()[0].1;
    assert_eq!(figure.png(1.0).unwrap(), figure.png(1.0).unwrap());
}

#[test]
fn names_come_back_as_they_were_given() {
    let odd = names(&["a<b", "c & d", "\"quoted\"", "it's", "größe λ"]);
    let n = odd.len();
    let heat =
        heatmap(&vec![0.5; n * n], &odd, &odd, None, &HeatmapOptions { title: odd[0].clone(), ..Default::default() });
    let graph = label_graph(&odd, &vec![0.5; n * n], &[1.0; 5], None, &Default::default());
    let named = |name: &String| Series { name: name.clone(), x: vec![0.0, 1.0], y: vec![0.0, 1.0], band: None };
    let curves = lines(&odd.iter().map(named).collect::<Vec<_>>(), &LinesOptions::default());
    let bar = BarSeries { name: "<>".into(), values: vec![1.0; n], errors: None };
    let groups = bars(&odd, &[bar], &Default::default());
    for figure in [heat, graph, curves, groups] {
        let figure = figure.unwrap();
        let said: Vec<String> = texts(&parse(&figure)).into_iter().map(|t| t.0).collect();
        for name in &odd {
            // Names of groups may be broken into lines.
            assert!(said.contains(name) || name.split(' ').all(|w| said.iter().any(|s| s == w)), "{name} in {said:?}");
        }
    }
}

#[test]
fn half_blocks_are_as_many_as_asked_for() {
    for (name, figure) in all() {
        let text = figure.half_blocks(60).unwrap();
        let rows: Vec<&str> = text.lines().collect();
        // The words that have room can be read.
        assert!(figure.title().split(' ').all(|word| text.contains(word)), "{name}: {text}");
        let high = (60.0 * f64::from(figure.height()) / f64::from(figure.width()) / 2.0).round() as usize;
        assert!(rows.len().abs_diff(high) <= 1, "{name}: {} rows, {high} expected", rows.len());
        for row in rows {
            assert!(row.starts_with("\x1b[38;2;") && row.ends_with("\x1b[0m"), "{name}");
            let shown: String = row.split('\x1b').map(|s| s.split_once('m').map_or("", |(_, after)| after)).collect();
            assert_eq!(shown.chars().count(), 60, "nothing but characters and colours");
        }
    }
    let figure = &all()[0].1;
    assert!(figure.half_blocks(0).is_err() && figure.half_blocks(100_000).is_err());
}

#[test]
fn pixels_fit_and_keep_the_proportions() {
    let figure = &all()[0].1;
    for (max_w, max_h) in [(300, 1000), (1000, 120), (1, 1), (3000, 3000)] {
        let (w, h, rgb) = figure.pixels(max_w, max_h).unwrap();
        assert!(w <= max_w && h <= max_h && (w == max_w || h == max_h), "{w} × {h} in {max_w} × {max_h}");
        assert_eq!(rgb.len(), (w * h * 3) as usize);
    }
    assert!(figure.pixels(0, 5).is_err());
    for scale in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e5] {
        assert!(figure.png(scale).is_err(), "{scale}");
    }
}

#[test]
fn options_go_through_json_and_refuse_what_they_do_not_know() {
    fn check<T: serde::Serialize + serde::de::DeserializeOwned + Default + PartialEq + std::fmt::Debug>(ramp: &str) {
        let default = serde_json::to_value(T::default()).unwrap();
        assert_eq!(serde_json::from_value::<T>(default).unwrap(), T::default());
        assert_eq!(serde_json::from_str::<T>("{}").unwrap(), T::default());
        assert!(serde_json::from_str::<T>(r#"{"titel": "x"}"#).unwrap_err().to_string().contains("unknown field"));
        assert!(serde_json::from_str::<T>(r#"{"title": "x", "width": 500}"#).is_ok());
        if !ramp.is_empty() {
            assert!(serde_json::from_str::<T>(&format!(r#"{{"colours": "{ramp}"}}"#)).is_ok());
            assert!(serde_json::from_str::<T>(r#"{"colours": "beige"}"#).unwrap_err().to_string().contains("viridis"));
        }
    }
    check::<HeatmapOptions>("viridis");
    check::<CamPanelOptions>("inferno");
    check::<LabelGraphOptions>("");
    check::<LinesOptions>("");
    check::<BarsOptions>("");
    check::<EigenvaluesOptions>("");
    check::<ScatterOptions>("");
    check::<PictureGridOptions>("");
}

#[test]
fn a_figure_says_what_it_is() {
    let figure = &all()[0].1;
    assert_eq!(figure.to_string(), format!("Figure {} × {} px: heat", figure.width(), figure.height()));
    let document = usvg::roxmltree::Document::parse(figure.svg()).unwrap();
    let title = document.descendants().find(|n| n.has_tag_name("title")).unwrap();
    assert_eq!(title.text(), Some("heat"), "for screen readers");
}
