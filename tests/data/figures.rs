//! Figures that several tests draw, and their text as it is laid out.

use std::sync::Arc;

use cpsd::plots::*;
use resvg::usvg;

pub fn names(of: &[&str]) -> Vec<String> {
    of.iter().map(|s| s.to_string()).collect()
}

pub fn title<T: serde::de::DeserializeOwned>(title: &str) -> T {
    serde_json::from_value(serde_json::json!({ "title": title })).unwrap()
}

/// A picture of one colour.
pub fn plain(w: u32, h: u32, rgb: [u8; 3]) -> Picture {
    Picture::new(w, h, rgb.repeat((w * h) as usize)).unwrap()
}

/// One figure of each kind.
pub fn all() -> Vec<(&'static str, Figure)> {
    let labels = names(&["person", "dog", "cat", "car", "truck", "traffic light"]);
    let n = labels.len();
    let weights: Vec<f64> = (0..n * n).map(|at| ((at / n * 5 + at % n * 3) % 7) as f64 / 7.0).collect();
    let groups = [0, 1, 1, 2, 2, 2];
    let x: Vec<f64> = (0..30).map(f64::from).collect();
    let y: Vec<f64> = x.iter().map(|x| if *x == 7.0 { f64::NAN } else { 90.0 - 50.0 * (-x / 5.0).exp() }).collect();
    let band = Some((y.iter().map(|y| y - 1.0).collect(), y.iter().map(|y| y + 1.0).collect()));
    let curves = ["baseline", "SD", "CPSD"].map(|name| Series {
        name: name.into(),
        x: x.clone(),
        y: y.clone(),
        band: band.clone(),
    });
    let bar = |name: &str, v: f64| BarSeries {
        name: name.into(),
        values: vec![v, v + 1.0, f64::NAN],
        errors: Some(vec![0.5, 0.0, 1.0]),
    };
    let heat = Heat::new(2, 2, vec![0.0, 1.0, 0.2, 0.4]).unwrap();
    let cell = |heat: Option<Heat>| CamCell { picture: plain(40, 30, [90, 120, 60]), heat, caption: "dog 0.93".into() };
    let points = PointData { names: Some(&labels), groups: Some(&groups), sizes: Some(&x[1..=n]) };
    let samples = ["baseline", "CPSD"].map(|name| Sample { name: name.into(), values: y.clone() });
    let reliable = ReliabilityCurve {
        name: "all".into(),
        predicted: vec![0.1, 0.5, 0.9],
        observed: vec![0.2, 0.4, 0.8],
        counts: vec![100, 7, 1],
    };
    let look = ReliabilityOptions { title: "reliability".into(), ..Default::default() };
    let rows = [CamRow { title: "dog".into(), cells: vec![cell(None), cell(Some(heat))] }];
    let pictures = [plain(30, 20, [200, 0, 0]), plain(20, 30, [0, 200, 0]), plain(600, 5, [0, 0, 200])];
    let captions = names(&[
        "person, dog",
        "",
        "a caption that is so long that it has to be broken into more than three lines to be shown in whole, and is cut",
    ]);
    vec![
        ("heatmap", heatmap(&weights, &labels, &labels, Some(&groups), &title("heat")).unwrap()),
        (
            "label_graph",
            label_graph(&labels, &weights, &[9.0, 4.0, 4.0, 1.0, 0.0, 2.0], Some(&groups), &title("graph")).unwrap(),
        ),
        ("lines", lines(&curves, &title("curves")).unwrap()),
        ("bars", bars(&names(&["one", "two", "three"]), &[bar("a", 3.0), bar("b", -2.0)], &title("bars")).unwrap()),
        ("eigenvalues", eigenvalues(&[0.0, 0.4, 0.5, 0.9, 0.95], Some(3), &title("eigen")).unwrap()),
        ("scatter", scatter(&x[..n], &y[..n], points, &title("scatter")).unwrap()),
        ("histogram", histogram(&samples, &title("histogram")).unwrap()),
        ("boxes", boxes(&samples, &title("boxes")).unwrap()),
        ("reliability", reliability(&[reliable], &look).unwrap()),
        ("cam_panel", cam_panel(&rows, &names(&["picture", "CPSD"]), &title("cam")).unwrap()),
        ("picture_grid", picture_grid(&pictures, &captions, &title("grid")).unwrap()),
    ]
}

pub fn parse(figure: &Figure) -> usvg::Tree {
    let mut fonts = usvg::fontdb::Database::new();
    for font in [dejavu::sans::regular(), dejavu::sans::bold()] {
        fonts.load_font_data(font.to_vec());
    }
    let options = usvg::Options { fontdb: Arc::new(fonts), ..Default::default() };
    usvg::Tree::from_str(figure.svg(), &options).unwrap_or_else(|e| panic!("{e}: {}", figure.svg()))
}

/// Every text with the rectangle that its letters fill.
pub fn texts(tree: &usvg::Tree) -> Vec<(String, usvg::Rect)> {
    fn walk(group: &usvg::Group, found: &mut Vec<(String, usvg::Rect)>) {
        for node in group.children() {
            match node {
                usvg::Node::Group(g) => walk(g, found),
                usvg::Node::Text(t) => {
                    let text: String = t.chunks().iter().map(|c| c.text()).collect();
                    found.push((text, t.abs_bounding_box()));
                }
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    walk(tree.root(), &mut found);
    found
}

/// The area that two rectangles share.
pub fn overlap(a: &usvg::Rect, b: &usvg::Rect) -> f32 {
    let x = a.right().min(b.right()) - a.left().max(b.left());
    let y = a.bottom().min(b.bottom()) - a.top().max(b.top());
    x.max(0.0) * y.max(0.0)
}
