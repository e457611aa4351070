//! Valid files of every kind that a word reads, small, and the lines that read them.
//!
//! They come from the program's own writers, from short texts, from the picture crate, and from the goldens that PyTorch
//! wrote. Data cards are left out: they are part of the program, and no word reads one from a file.

use std::path::Path;

use base64::Engine;
use cpsd::images::Dataset;
use cpsd::runs::{Begun, RunStore};
use cpsd::script::session::Session;
use cpsd::tables::Table;
use cpsd::training::{Job, job_file};
use polars::prelude::*;
use serde_json::{Value, json};

use super::archive;
use crate::common::{eval, files, root, session};

/// Files of one kind, in the working folder of an input.
pub struct Case {
    /// The kind, under which findings are counted.
    pub kind: String,
    /// Paths relative to the working folder, with contents.
    pub files: Vec<(String, Vec<u8>)>,
    /// Which of them are changed.
    pub targets: Vec<usize>,
    /// One of them reads the files. BYTES stands for the size of the changed file.
    pub codes: Vec<String>,
}

/// Checks after reading tensors: no file holds more numbers than bytes.
const COUNTED: &str = "let n = 0; for v in read.values() { let e = 1; for s in v.shape { e *= s; } n += e; } \
                       if n > BYTES { throw `FUZZ: ${n} numbers in a file of BYTES bytes` } read";

/// Kinds and a name for text in one file each, with options of `load_labels`.
const LABELS: &[(&str, &str, &str, &str)] = &[
    ("csv", "x.csv", "image,label\na.jpg,cat\na.jpg,dog\nb.jpg,\"sea, lion\"\nc.jpg,cat\n", ""),
    ("csv", "x.csv", "image,label,value\na.jpg,cat,1\na.jpg,dog,-1\nb.jpg,dog,0\n", "#{unknown: \"masked\"}"),
    ("csv", "x.tsv", "file_name\tlabels\na.jpg\tcat|dog\nb.jpg\tdog\nc.jpg\t\n", "#{separator: \"|\"}"),
    ("csv", "x.csv", "image;labels\na.jpg;['cat', 'dog']\nb.jpg;[]\nc.jpg;['dog']\n", "#{delimiter: \";\"}"),
    ("csv", "x.csv", "a.jpg,0,1,0\nb.jpg,1,0,0\nc.jpg,1,1,0\n", "#{header: false}"),
    (
        "csv",
        "x.csv",
        "image,labels\na.jpg,\"0,1,0\"\nb.jpg,\"1,1,0\"\nc.jpg,\"0,0,1\"\n",
        "#{labels: [\"p\", \"q\", \"r\"]}",
    ),
    ("csv wide", "x.csv", "image,cat,dog,sea lion\na.jpg,1,0,0\nb.jpg,0,1,1\nc.jpg,1,1,0\n", ""),
    (
        "csv wide",
        "x.csv",
        "Path,Sex,Age,Edema,Mass\np1/a.jpg,F,61,1.0,-1.0\np2/b.jpg,M,40,,0.0\n",
        "#{labels: [\"Edema\", \"Mass\"], unknown: \"masked\", empty: \"negative\"}",
    ),
    ("csv wide", "x.csv", ",image,cat,dog\n0,a.jpg,True,False\n1,b.jpg,False,True\n", ""),
    (
        "json lines",
        "x.jsonl",
        "{\"file_name\": \"a.jpg\", \"labels\": [\"cat\", \"dog\"]}\n{\"file_name\": \"b.jpg\", \"labels\": []}\n{\"file_name\": \"c.jpg\", \"labels\": \"cat\", \"x\": [1.5]}\n",
        "",
    ),
    (
        "json lines",
        "metadata.jsonl",
        "{\"file_name\": \"a.jpg\", \"objects\": {\"bbox\": [[1, 2, 3, 4]], \"categories\": [3, 1]}}\n{\"file_name\": \"b.jpg\", \"objects\": {\"bbox\": [], \"categories\": []}}\n",
        "#{label: \"objects.categories\"}",
    ),
    ("list", "x.txt", "a.jpg cat dog\nb.jpg dog\nc.jpg\n", ""),
    ("list", "x.txt", "a.jpg 0 1 1\nb.jpg 1 0 0\nc.jpg 0 0 -1\n", "#{unknown: \"masked\"}"),
    ("list", "x.txt", "my dog.jpg\ttraffic light\tcat\nb.jpg\tcat\nc.jpg\n", ""),
    ("list", "x.txt", "a.jpg ['big cat', 'dog']\nb.jpg []\n", ""),
    ("list", "x.txt", "a.jpg 1:1 3:0.5\nb.jpg 2:1\n", "#{format: \"list\"}"),
    (
        "arff",
        "x.arff",
        "% comment\n@RELATION 'tiny: -C -3'\n@Attribute id string\n@attribute 'size, cm' NUMERIC\n@attribute \"sea lion\" {0,1}\n@attribute its {0, 1}\n@attribute beach {1,0}\n@DATA\n'a, 1.jpg',0.5,1,0,0\nb.jpg,?,0,1,1\nc.jpg,1e3, 0 ,0,0\n",
        "",
    ),
    (
        "coco",
        "x.json",
        "{\"images\": [{\"id\": 1, \"file_name\": \"a.jpg\", \"width\": 10, \"height\": 10}, {\"id\": 2, \"file_name\": \"b.jpg\"}, {\"id\": 9, \"file_name\": \"c.jpg\"}], \"annotations\": [{\"id\": 1, \"image_id\": 1, \"category_id\": 3, \"bbox\": [1, 2, 3.5, 4], \"iscrowd\": 0, \"segmentation\": [[1, 2, 3, 4, 5, 6]]}, {\"id\": 2, \"image_id\": 2, \"category_id\": 7, \"iscrowd\": 1}], \"categories\": [{\"id\": 3, \"name\": \"cat\"}, {\"id\": 7, \"name\": \"dog\", \"supercategory\": \"animal\"}]}",
        "",
    ),
];

const VOC: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<annotation><folder>VOC2007</folder><filename>000005.jpg</filename><size><width>500</width><height>375</height><depth>3</depth></size><object><name>chair</name><pose>Rear</pose><difficult>0</difficult><bndbox><xmin>263</xmin><ymin>211</ymin><xmax>324</xmax><ymax>339</ymax></bndbox></object><object><name>cat &amp; dog</name><difficult>1</difficult></object></annotation>\n";

/// Kinds of several text files, and the lines that read them.
const FOLDERS: &[(&str, &[(&str, &str)], &str)] = &[
    (
        "voc",
        &[
            ("Annotations/000005.xml", VOC),
            ("Annotations/000007.xml", "<annotation><object><name>chair</name></object></annotation>"),
            ("ImageSets/Main/train.txt", "000005\n000007\n"),
        ],
        "load_labels(\".\", #{split: \"train\", difficult: \"mask\"})",
    ),
    (
        "voc lists",
        &[
            ("ImageSets/Main/cat_train.txt", "000012 -1\n000017  1\n000023  0\n"),
            ("ImageSets/Main/sea_train.txt", "000012  1\n000017 -1\n000023 -1\n"),
            ("ImageSets/Main/train.txt", "000012\n000017\n000023\n"),
        ],
        "load_labels(\".\", #{split: \"train\", difficult: \"mask\"})",
    ),
    (
        "yolo",
        &[
            (
                "data.yaml",
                "path: ../datasets/x  # root\ntrain: images/train\nval: images/val\nnc: 3\nnames:\n  0: cat\n  1: no\n  2: 'sea, lion'\n",
            ),
            ("images/train/a.jpg", ""),
            ("images/val/b.jpg", ""),
            ("labels/train/a.txt", "1 0.5 0.5 0.2 0.2\n0 0.1 0.1 0.1 0.1 0.9\n"),
            ("labels/val/b.txt", "2.0 0.1 0.1 0.2 0.1\r\n"),
        ],
        "load_labels(\".\")",
    ),
    (
        "yolo",
        &[
            ("x.yaml", "train: train.txt\nnames: [cat, \"dog\", 'a b']\nmore: {a: [1, 2], b: |\n  text\n}\n"),
            ("train.txt", "./images/1.jpg\n./images/2.jpg\n"),
            ("labels/1.txt", "1 0.5 0.5 0.2 0.2\n"),
        ],
        "load_labels(\"x.yaml\")",
    ),
    (
        "nus-wide",
        &[
            ("ImageList/ImageList/TrainImagelist.txt", "sky\\1.jpg\nsky\\2.jpg\n"),
            ("Groundtruth/TrainTestLabels/Labels_sky_Train.txt", "1\n0\n"),
            ("Groundtruth/TrainTestLabels/Labels_sea_Train.txt", "0\n1\n"),
        ],
        "load_labels(\".\", #{split: \"train\"})",
    ),
    (
        "arff",
        &[
            (
                "x-train.arff",
                "@relation x\n@attribute a {0,1}\n@attribute f numeric\n@attribute b {0,1}\n@attribute c {1,0}\n@data\n{0 1,1 0.5}\n{2 1, 3 0}\n{}\n",
            ),
            (
                "x.xml",
                "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<labels xmlns=\"http://mulan.sourceforge.net/labels\">\n<label name=\"c\"></label>\n<label name=\"a\"><label name=\"b\"/></label>\n</labels>\n",
            ),
        ],
        "load_labels(\"x-train.arff\")",
    ),
    (
        "json lines",
        &[
            ("train/metadata.jsonl", "{\"file_name\": \"1.jpg\", \"labels\": [\"dog\"]}\n"),
            ("test/metadata.csv", "file_name,label\n1.jpg,cat\n2.jpg,dog\n"),
        ],
        "load_labels(\".\")",
    ),
    ("list", &[("x.txt", "a.jpg 0 2\nb.jpg 1\n"), ("classes.txt", "cat\ndog\nsea lion\n")], "load_labels(\"x.txt\")"),
    (
        "counts",
        &[
            ("x_cooccurrence.csv", "cat,dog,sea lion\n5,2,1\n2,9,0\n1,0,4\n"),
            ("x_nums.csv", "index,label,count\n0,cat,5\n1,dog,9\n2,sea lion,4\n"),
        ],
        "let c = load_cooccurrence(\"x_cooccurrence.csv\"); spectral_partition(affinity(c, \"co\"), 2)",
    ),
    (
        "counts",
        &[("x.csv", ",cat,dog,owl\ncat,5,2,0\ndog,2,9,1\nowl,0,1,3\n")],
        "let c = load_cooccurrence(\"x.csv\"); c.save(\"y.csv\"); suggest_k(affinity(c, \"dis\"))",
    ),
    (
        "partition",
        &[("x.json", "[{\"0\": 0, \"3\": 1}, {\"1\": 0, \"2\": 1}]\n")],
        "let p = load_partition(\"x.json\", [\"a\", \"b\", \"c\", \"d\"]); p.save(\"y.json\"); p",
    ),
    (
        "word vectors",
        &[("v.txt", "cat 0.1 0.2 -0.3 4e-1\ndog 1 2 3 4\nthe 0 0 0 1\nsea 0.5 0.5 0.5 0.5\n")],
        "model(\"small_cnn\", #{labels: [\"cat\", \"dog\", \"sea\"], image_size: 32, stages: 1, head: \"tf\", word_vectors: \"v.txt\"})",
    ),
    (
        "table",
        &[("x.csv", "a,b,c,when\n1,0.5,x,2024-01-31\n2,,\"y, z\",2024-02-01\n3,-1e300,,\n")],
        "let t = load_table(\"x.csv\"); t.write_csv(\"y.csv\"); t.write_parquet(\"y.parquet\"); t",
    ),
    (
        "library",
        &[
            (
                "lib.rhai",
                "// A library.\nimport \"other\" as o;\n/// Doubles.\nfn twice(x) { x * 2 }\nfn all(xs) { let s = 0; for x in xs { s += o::once(x); } s }\nconst NAMES = [\"a\", #{b: `c ${1 + 1}`}];\nexport NAMES;\n",
            ),
            (
                "other.rhai",
                "private fn f(x) { switch x { 0 => 1, 3 if x > 2 => x, _ => { let y = |z| z + x; y.call(1) } } }\nfn once(x) { try { f(x) } catch (e) { throw `no ${e}` } }\n",
            ),
        ],
        "import \"lib\" as l; l::all([1, 2, 3]) + l::twice(4)",
    ),
    (
        "library",
        &[
            ("lib.rhai", "import \"other\" as o; fn twice(x) { o::once(x) }"),
            ("other.rhai", "import \"third\" as t; fn once(x) { t::f(x) }"),
            ("third.rhai", "fn f(x) { if x <= 0 { 0 } else { f(x - 1) } }"),
        ],
        "import \"lib\" as l; l::twice(40)",
    ),
];

/// Lines that read a label file.
fn label_codes(path: &str, options: &str) -> Vec<String> {
    let call = |options: &str| match options {
        "" => format!("load_labels(\"{path}\")"),
        _ => format!("load_labels(\"{path}\", {options})"),
    };
    let then = "let c = cooccurrence(read); read.write_csv(\"back.csv\"); load_labels(\"back.csv\"); read";
    vec![
        format!("let read = {}; {then}", call(options)),
        format!("let read = {}; {then}", call(options)),
        call(options),
        call("#{unknown: \"masked\"}"),
        call("#{header: false}"),
        call("#{encoding: \"latin1\"}"),
        call("#{separator: \",\"}"),
        call("#{unlabelled: \"drop\", labels: [\"cat\"]}"),
        call("#{image: \"image\", label: \"labels\"}"),
        format!("load_table(\"{path}\")"),
    ]
}

/// Text of the lines that make the files which the program itself writes.
const WRITTEN: &str = r#"
let ten = tensor([[0.1, 0.9, 0.5], [0.2, 0.3, 0.7]]);
save_tensors(#{ a: ten, b: tensor([[0, 1, 1], [1, 0, 0]]), c: tensor([1.0]) }, "tensors/x.safetensors");
save_tensors(#{ array: ten }, "npy/x.npy");
model("small_cnn", #{ labels: ["cat", "dog"], image_size: 32, head: "gap", stages: 1 }).save("model/x.safetensors");
synthetic_labels(#{ images: 40, labels: 6, groups: 2 }).write_csv("synthetic.csv");
synthetic_labels(#{ images: 40, labels: 6, groups: 2 }).write_parquet("long/x.parquet");
load_labels("synthetic.csv").to_wide_table().write_parquet("wide/x.parquet");
for name in ["coco2014", "voc2007", "nuswide", "openimages", "visual-genome-500"] {
    write_miniature(name, `miniature/${name}`, #{ train: 4, test: 2, size: 32 });
}
"#;

/// What the lines of cases need.
pub const VALUES: &str = r#"
let data = dataset("emoji-scenes", #{ train: 12, val: 4, test: 4, test_shifted: 1, size: 32 });
for split in data.keys() { data[split] = data[split].take_labels(["dog", "person"]); }
let o = #{ model: #{ backbone: "small_cnn", head: "gap", stages: 2, image_size: 32, freeze: 1 }, epochs: 2, batch: 4, views: 2, threads: 1 };
let m = model("small_cnn", #{ labels: ["a"], image_size: 32, head: "gap", stages: 1 });
let px = []; px.pad(3072, 0.5); let ones = tensor(px).reshape([1, 3, 32, 32]);
let counts = cooccurrence(synthetic_labels(#{ images: 40, labels: 3, groups: 2 }));
"#;

/// Trainings so small that a run store with all kinds of runs is made in a second.
const TRAININGS: &str = r#"
let t = train_teacher(data, ["dog", "person"], o);
let s = distill(data, merge([t]), o);
let cached = dataset("emoji-scenes", #{ train: 12, val: 4, test: 4, test_shifted: 1, size: 48, cache: 32 });
"#;

const CACHE: &str = r#"
let cached = dataset("emoji-scenes", #{ train: 12, val: 4, test: 4, test_shifted: 1, size: 48, cache: 32 });
predict(m, cached.test)
"#;

/// A training that is stopped after its first epoch.
const UNFINISHED: &str = r#"train_teacher(data, ["dog"], o + #{ epochs: 3 })"#;

/// Makes all cases in `folder`, which is empty and the working folder.
pub fn make(folder: &Path) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut add = |kind: &str, files: Vec<(String, Vec<u8>)>, codes: Vec<String>| {
        // Pictures, and the table beside them, have kinds of their own.
        let fixed = |path: &str| if kind == "picture" { path != "p.jpg" } else { path.ends_with(".jpg") };
        let targets = (0..files.len()).filter(|&i| !fixed(&files[i].0)).collect();
        cases.push(Case { kind: kind.into(), files, targets, codes });
    };
    for (kind, path, text, options) in LABELS {
        add(kind, vec![(path.to_string(), text.as_bytes().to_vec())], label_codes(path, options));
    }
    let utf16 = "\u{feff}a.jpg Bär 猫\r\nb.jpg 猫\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    add("list", vec![("x.txt".into(), utf16)], label_codes("x.txt", ""));
    for (kind, texts, code) in FOLDERS {
        let files = texts.iter().map(|(path, text)| (path.to_string(), text.as_bytes().to_vec())).collect();
        let mut codes = vec![code.to_string()];
        match *kind {
            "counts" => codes.push("load_cooccurrence(\"x.csv\", #{nums: \"x_nums.csv\"})".into()),
            "library" => codes.extend(["!check lib.rhai".into(), "!check other.rhai".into()]),
            _ => {}
        }
        add(kind, files, codes);
    }
    let mut session = session(&folder.join("runs"));
    for inner in ["tensors", "npy", "model", "long", "wide"] {
        std::fs::create_dir(folder.join(inner)).unwrap();
    }
    drop(eval(&mut session, WRITTEN));
    let read = |path: &str| std::fs::read(folder.join(path)).unwrap();
    let one = |path: &str, bytes: Vec<u8>| vec![(path.to_string(), bytes)];

    let parquet = |options: &str| {
        let mut codes = label_codes("x.parquet", options);
        if !options.is_empty() {
            codes.insert(0, "load_table(\"x.parquet\")".into());
        }
        codes.push("cooccurrence(\"x.parquet\")".into());
        codes.push(
            "let t = load_table(\"x.parquet\"); t.write_csv(\"y.csv\"); t.sort(t.columns[0]); t.describe()".into(),
        );
        codes.push("let t = load_table(\"x.parquet\"); t.write_parquet(\"y.parquet\"); t.to_markdown()".into());
        codes
    };
    add("parquet", one("x.parquet", read("long/x.parquet")), parquet(""));
    add("parquet", one("x.parquet", read("wide/x.parquet")), parquet(""));
    for (frame, options) in frames() {
        let path = folder.join("frame.parquet");
        Table::of(frame).write_parquet(&path).unwrap();
        add("parquet", one("x.parquet", std::fs::read(&path).unwrap()), parquet(options));
    }

    let tensors = format!("let read = load_tensors(\"x.safetensors\"); {COUNTED}");
    add("safetensors", one("x.safetensors", read("tensors/x.safetensors")), vec![tensors]);
    let model = read("model/x.safetensors");
    let codes = [
        "load_model(\"x.safetensors\").forward(ones)",
        "model(\"small_cnn\", #{labels: [\"cat\", \"dog\"], image_size: 32, head: \"gap\", stages: 1, weights: \"x.safetensors\"})",
        "load_tensors(\"x.safetensors\")",
    ];
    add("model", one("x.safetensors", model), codes.map(String::from).to_vec());

    let npy = format!("let read = load_tensors(\"x.npy\"); {COUNTED}");
    add("npy", one("x.npy", read("npy/x.npy")), vec![npy.clone()]);
    for (dtype, width) in [("<f8", 8), (">i4", 4), ("|u1", 1), ("|b1", 1), ("<f2", 2), ("<u2", 2), (">u8", 8)] {
        for order in ["False", "True"] {
            add("npy", one("x.npy", npy_of(dtype, order, &[3, 4], 12 * width)), vec![npy.clone()]);
        }
    }
    let arrays = || {
        vec![
            ("a.npy".to_string(), npy_of("<f4", "False", &[2, 3], 24)),
            ("b/c.npy".into(), npy_of("<i8", "True", &[4], 32)),
        ]
    };
    let npz = "let read = load_tensors(\"x.npz\"); read".to_string();
    add(
        "npz",
        one("x.npz", archive::zip(&arrays(), false)),
        vec![format!("let read = load_tensors(\"x.npz\"); {COUNTED}")],
    );
    add("npz", one("x.npz", archive::zip(&arrays(), true)), vec![npz]);

    for name in [
        "forms.pth",
        "forms_legacy.pth",
        "stage1.pth",
        "stage1_legacy.pth",
        "stage1.ckpt",
        "nan.pth",
        "whole_model.pth",
        "evil_legacy.pth",
        "traced.pt",
        "scripted.pt",
    ] {
        let bytes = std::fs::read(root("tests/goldens/models").join(name)).unwrap();
        let kind = if name.ends_with(".pt") {
            "torchscript"
        } else if bytes.starts_with(b"PK") {
            "pth"
        } else {
            "pickle"
        };
        let path = format!("x.{}", name.rsplit('.').next().unwrap());
        let code = format!(
            "model(\"efficientnet_lite0\", #{{labels: [\"a\", \"b\"], stages: 1, image_size: 32, weights: \"{path}\"}})"
        );
        let mut codes = vec![code];
        if kind == "torchscript" {
            // Named or not, it is a program, which nobody allowed to run.
            codes.push(format!(
                "model(\"torchscript\", #{{labels: [\"a\", \"b\"], path: \"{path}\", image_size: 32}}); throw \"FUZZ: a TorchScript file ran\""
            ));
        }
        add(kind, one(&path, bytes), codes);
    }

    // A model whose metadata name a TorchScript file that exists.
    let golden = root("tests/goldens/models/traced.pt").display().to_string();
    let _ = eval(
        &mut session,
        &format!(
            "model(\"torchscript\", #{{labels: [\"a\", \"b\"], path: \"{golden}\", image_size: 32}}).save(\"model/script.safetensors\")"
        ),
    );
    let ran = "load_model(\"x.safetensors\"); throw \"FUZZ: a TorchScript file ran\"".to_string();
    add("torchscript", one("x.safetensors", read("model/script.safetensors")), vec![ran]);

    for name in ["coco2014", "voc2007", "nuswide", "openimages", "visual-genome-500"] {
        let base = folder.join("miniature").join(name);
        let inside = files(&base).into_iter().map(|path| {
            let inner = path.strip_prefix(&base).unwrap().display().to_string();
            (inner, std::fs::read(&path).unwrap())
        });
        let codes = [", val: 0", "", ", val: 0, on_bad_image: \"skip\""]
            .map(|more| format!("dataset(\"{name}\", #{{root: \".\"{more}}})"));
        add(&format!("data set {name}"), inside.collect(), codes.to_vec());
    }

    for picture in pictures() {
        let files = vec![("p.jpg".into(), picture), ("labels.csv".into(), b"image,label\np.jpg,a\n".to_vec())];
        let codes = [
            "predict(m, [\"p.jpg\"])",
            "dataset(\"folder\", #{root: \".\", val: 0, test: 0, on_bad_image: \"skip\"})",
            "pictures(dataset(\"folder\", #{root: \".\", val: 0, test: 0}).train)",
        ];
        add("picture", files, codes.map(String::from).to_vec());
    }
    store_cases(folder, &mut session, &mut add);
    cases
}

/// A run store with trainings, features, teachers' outputs and a cache of pictures, whole and in parts; a job file.
fn store_cases(folder: &Path, session: &mut Session, add: &mut impl FnMut(&str, Vec<(String, Vec<u8>)>, Vec<String>)) {
    drop(eval(session, VALUES));
    drop(eval(session, TRAININGS));
    let store = |name: &str, kept: &dyn Fn(&str) -> bool| -> Vec<(String, Vec<u8>)> {
        let base = folder.join(name);
        let inside = files(&base).into_iter().map(|path| {
            let inner = path.strip_prefix(&base).unwrap().display().to_string();
            (format!("runs/{inner}"), std::fs::read(&path).unwrap())
        });
        inside.filter(|(path, _)| kept(path)).collect()
    };
    let trained = |path: &str| path.starts_with("runs/train-");
    let looks = [
        "runs()",
        "for id in runs().column(\"id\") { let r = run(id); r.spec; r.summary; }",
        "for id in runs().column(\"id\") { let r = run(id); try { r.metrics } catch (e) { if e.kind == \"internal\" { throw e } } }",
        "for id in runs().column(\"id\") { if id.starts_with(\"train\") { run(id).model.forward(ones) } }",
        "report(runs(), \"r.html\")",
    ];
    let mut codes: Vec<String> = looks.map(String::from).to_vec();
    codes.push(TRAININGS.into());
    add("run store", store("runs", &|_| true), codes);
    add("kept rows", store("runs", &|path| !trained(path)), vec![TRAININGS.into()]);
    add("kept pictures", store("runs", &|path| path.contains("/pictures-")), vec![CACHE.into()]);

    // Counts of a table that no change touches: the time of its file is part of their name.
    let table = root("tests/data/parquet/labels.parquet").display().to_string();
    let count = format!("cooccurrence(\"{table}\", #{{shards: 2}})");
    *session.host.runs.borrow_mut() = folder.join("counted");
    drop(eval(session, &count));
    add("kept counts", store("counted", &|_| true), vec![count]);

    // Features whose maker was stopped behind their first batch.
    let features = RunStore::new(folder.join("runs")).list().into_iter().filter(|run| run.id.starts_with("features-"));
    let features = features.max_by_key(|run| run.summary().unwrap()["rows"].as_u64()).unwrap();
    let (summary, spec, name) = (features.summary().unwrap(), features.spec().unwrap(), "data.f16");
    let shape: Vec<u64> = serde_json::from_value(summary["shape"].clone()).unwrap();
    let (total, batch) = (summary["rows"].as_u64().unwrap(), 16);
    let begun = RunStore::new(folder.join("growing")).begin(&features.id, &spec).unwrap();
    let Begun::Work(work) = begun else { panic!("it is finished") };
    let bytes = std::fs::read(features.path(name)).unwrap();
    let mut out = work.grow(name, total, json!({ "device": "cpu", "batch": batch })).unwrap();
    out.append(batch, &shape, &bytes[..bytes.len() * batch as usize / total as usize]).unwrap();
    drop(out);
    drop(work);
    let growing = store("growing", &|path| path.contains(".work"));
    assert!(growing.iter().any(|(path, _)| path.ends_with("growing.json")), "no marker was left");
    add("growing rows", growing, vec![TRAININGS.into()]);

    // Stopped after the first epoch.
    *session.host.runs.borrow_mut() = folder.join("stopped");
    let stopped = UNFINISHED.replace("o + #{", "o + #{ on_epoch: |line| if line.epoch == 1 { throw \"stop\" },");
    let _ = session.eval(&stopped, "test");
    let unfinished = store("stopped", &|path| path.contains(".work"));
    assert!(unfinished.iter().any(|(path, _)| path.contains("checkpoint")), "no checkpoint was left");
    add("checkpoint", unfinished, vec![UNFINISHED.into()]);

    let data = session.scope.get_value::<rhai::Map>("data").unwrap();
    let split = |name: &str| data[name].clone().cast::<Dataset>();
    let options = json!({
        "model": { "backbone": "small_cnn", "head": "gap", "stages": 2, "image_size": 32 }, "epochs": 1, "batch": 4, "views": 0, "threads": 1,
    });
    let job = Job {
        name: "job".into(),
        train: split("train"),
        val: Some(split("val")),
        labels: vec!["dog".into()],
        options: serde_json::from_value(options).unwrap(),
        distillation: None,
    };
    let path = folder.join("job.json");
    job_file::write(&RunStore::new("runs"), &job, job_file::Task::Train, &path).unwrap();
    add("job file", vec![("job.json".into(), std::fs::read(&path).unwrap())], vec!["!job job.json".into()]);
}

/// Tables with columns of many types, and the options with which they are label tables.
fn frames() -> Vec<(DataFrame, &'static str)> {
    let texts = Column::new("image".into(), ["a.jpg", "b.jpg", "c.jpg", "a.jpg"]);
    let labels = Column::new("label".into(), [Some("cat"), None, Some("dog"), Some("dog")]);
    let days = Series::new("day".into(), [0i32, 19_000, -5, 3]).cast(&DataType::Date).unwrap().into_column();
    let times = Series::new("time".into(), [0i64, 1_700_000_000_000, -5, 3])
        .cast(&DataType::Datetime(TimeUnit::Milliseconds, None))
        .unwrap()
        .into_column();
    let span = Series::new("span".into(), [0i64, 17, -5, 3])
        .cast(&DataType::Duration(TimeUnit::Microseconds))
        .unwrap()
        .into_column();
    let numbers = Column::new("n".into(), [Some(1.5f64), None, Some(f64::NAN), Some(-0.0)]);
    let wide: Vec<Column> = ["cat", "dog", "sea"].map(|name| Column::new(name.into(), [0i32, 1, 1, 0])).to_vec();
    let flags = Column::new("flag".into(), [Some(true), None, Some(false), Some(true)]);
    let lists = Column::new(
        "labels".into(),
        [vec!["cat"], vec![], vec!["cat", "dog"], vec!["dog"]].map(|names| Series::new("".into(), names)),
    );
    let ids = Column::new("image_id".into(), [1i64, i64::MAX, -3, 2]);
    let bytes = Column::new("bytes".into(), [b"ab".as_slice(), b"", b"c", b"d"]);
    let categories = Series::new("label".into(), ["cat", "dog", "cat", "cat"])
        .cast(&DataType::from_categories(Categories::global()))
        .unwrap()
        .into_column();
    let of = |columns: Vec<Column>| DataFrame::new(4, columns).unwrap();
    vec![
        (of(vec![texts.clone(), labels.clone(), numbers, flags]), ""),
        (of(vec![texts.clone(), lists]), ""),
        (of(vec![texts, labels, days, times, span, bytes]), "#{image: \"image\", label: \"label\"}"),
        (of([vec![ids.clone()], wide].concat()), ""),
        (of(vec![ids, categories]), ""),
    ]
}

/// A .npy file of that many bytes of numbers.
fn npy_of(dtype: &str, fortran: &str, shape: &[usize], bytes: usize) -> Vec<u8> {
    let shape: Vec<String> = shape.iter().map(usize::to_string).collect();
    let header = format!("{{'descr': '{dtype}', 'fortran_order': {fortran}, 'shape': ({},), }}", shape.join(", "));
    let header = format!("{header:<width$}\n", width = 117);
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.bytes());
    file.extend((0..bytes).map(|i| (i % 2) as u8));
    file
}

/// Small pictures of every format.
fn pictures() -> Vec<Vec<u8>> {
    let listed: Vec<Value> = serde_json::from_str(include_str!("../../data/pictures_pil.json")).unwrap();
    let decoded = |case: &Value| base64::engine::general_purpose::STANDARD.decode(case["file"].as_str().unwrap());
    // One of the eight orientations is enough.
    let chosen =
        listed.iter().filter(|case| !"2345678".contains(case["name"].as_str().unwrap().chars().last().unwrap()));
    let mut all: Vec<Vec<u8>> = chosen.map(|case| decoded(case).unwrap()).collect();
    let rgb = (0..12 * 9 * 3).map(|i| (i * 7 % 251) as u8).collect();
    let picture = image::DynamicImage::from(image::RgbImage::from_raw(12, 9, rgb).unwrap());
    for format in [image::ImageFormat::Jpeg, image::ImageFormat::Png] {
        let mut bytes = Vec::new();
        picture.write_to(&mut std::io::Cursor::new(&mut bytes), format).unwrap();
        all.push(bytes);
    }
    all
}
