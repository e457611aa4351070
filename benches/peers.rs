//! cpsd's side of `make bench-peers`: writes the data and does the same work as each peer, timed from inside.
//!
//! `prepare FOLDER [small]` writes the data; `TASK FOLDER REPEATS` prints one line of JSON: the seconds of each repeat,
//! the peak memory of the process (MB), and the result, to be compared with the peer's.

#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // benches touch files and print as they like

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use cpsd::graph::{Affinity, AffinityOptions, Branch, Cooccurrence, Embedding, PartitionOptions, spectral_partition};
use cpsd::labels::synthetic::{Synthetic, SyntheticOptions};
use cpsd::labels::{LabelTable, LoadOptions, count_files, load, stratified_split};
use cpsd::metrics::{MetricOptions, evaluate};
use serde_json::{Value, json};

type Anything<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Anything<()> {
    cpsd::activity::console::set_quiet(true);
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["prepare", folder] => prepare(Path::new(folder), false),
        ["prepare", folder, "small"] => prepare(Path::new(folder), true),
        [task, folder, repeats] => {
            println!("{}", run(task, Path::new(folder), repeats.parse()?)?);
            Ok(())
        }
        _ => {
            println!("run by benches/peers/run.py: make bench-peers");
            Ok(())
        }
    }
}

/// COCO's size, Open Images' size, and a graph of 5,000 labels.
fn tables(small: bool) -> Vec<(&'static str, SyntheticOptions)> {
    let table = |images, labels, groups, per_image| SyntheticOptions {
        images,
        labels,
        groups,
        per_image,
        ..Default::default()
    };
    let large = if small { table(90_000, 2_000, 50, 11.0) } else { table(9_000_000, 20_000, 50, 11.0) };
    let graph = if small { table(50_000, 2_500, 8, 8.0) } else { table(500_000, 5_000, 8, 8.0) };
    vec![("coco", table(82_081, 80, 5, 3.3)), ("openimages", large), ("graph", graph)]
}

fn prepare(folder: &Path, small: bool) -> Anything<()> {
    std::fs::create_dir_all(folder)?;
    for (name, options) in tables(small) {
        let data = Synthetic::new(&options)?;
        if name == "openimages" {
            data.write_parquet(&folder.join("openimages.parquet"))?;
        }
        let (offsets, indices) = data.rows(0, options.images)?;
        write(&folder.join(format!("{name}_offsets.u64")), offsets.iter().flat_map(|x| x.to_le_bytes()))?;
        write(&folder.join(format!("{name}_indices.u32")), indices.iter().flat_map(|x| x.to_le_bytes()))?;
        std::fs::write(
            folder.join(format!("{name}.json")),
            json!({ "images": options.images, "labels": options.labels }).to_string(),
        )?;
    }
    // Scores of 40,137 images by 80 labels, a third of them rounded so that some tie.
    let n = if small { 4_000 } else { 40_137 };
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32
    };
    let (mut scores, mut targets) = (Vec::new(), Vec::new());
    for i in 0..n * 80 {
        let x = next();
        scores.push(if i % 3 == 0 { (x * 1000.0).round() / 1000.0 } else { x });
        targets.push(u8::from(next() < 0.02 + 0.1 * x));
    }
    write(&folder.join("scores.f32"), scores.iter().flat_map(|x| x.to_le_bytes()))?;
    write(&folder.join("targets.u8"), targets.into_iter())?;
    instances(&folder.join("instances.json"), if small { 4_000 } else { 82_000 })
}

fn write(path: &Path, bytes: impl Iterator<Item = u8>) -> Anything<()> {
    let mut out = std::io::BufWriter::new(std::fs::File::create(path)?);
    for byte in bytes {
        out.write_all(&[byte])?;
    }
    Ok(out.flush()?)
}

/// A COCO instances file with segmentations nobody reads here: 339 MB for 82,000 images, as train2014 has.
fn instances(path: &Path, images: usize) -> Anything<()> {
    let mut out = std::io::BufWriter::new(std::fs::File::create(path)?);
    write!(out, "{{\"info\": {{}}, \"licenses\": [], \"images\": [")?;
    for i in 0..images {
        let comma = if i > 0 { ", " } else { "" };
        write!(
            out,
            "{comma}{{\"license\": 1, \"file_name\": \"COCO_train2014_{i:012}.jpg\", \"height\": 480, \"width\": 640, \"id\": {i}}}"
        )?;
    }
    write!(out, "], \"annotations\": [")?;
    for a in 0..images * 7 {
        let comma = if a > 0 { ", " } else { "" };
        write!(out, "{comma}{{\"segmentation\": [[")?;
        for p in 0..56 {
            write!(out, "{}{}.{:02}", if p > 0 { ", " } else { "" }, (a * 31 + p * 17) % 640, (a + p) % 100)?;
        }
        let (image, category) = (a / 7, 1 + (a * 2_654_435_761) % 90);
        write!(
            out,
            "]], \"area\": {}.5, \"iscrowd\": 0, \"image_id\": {image}, \"bbox\": [1.5, 2.25, 30.0, 40.75], \"category_id\": {category}, \"id\": {a}}}",
            a % 9999
        )?;
    }
    write!(out, "], \"categories\": [")?;
    for c in 1..=90 {
        write!(
            out,
            "{}{{\"supercategory\": \"x\", \"id\": {c}, \"name\": \"category {c:02}\"}}",
            if c > 1 { ", " } else { "" }
        )?;
    }
    write!(out, "]}}")?;
    Ok(out.flush()?)
}

fn run(task: &str, folder: &Path, repeats: usize) -> Anything<Value> {
    let (name, what) = task.split_once('.').ok_or("a task is called data.work")?;
    match (name, what) {
        ("coco" | "openimages" | "graph", "cooccurrence") => {
            let (names, offsets, indices) = rows(folder, name)?;
            timed(repeats, || Cooccurrence::count(&names, &offsets, &indices), |c| json!(c.num_pairs()))
        }
        ("coco" | "graph" | "openimages", "co" | "dis" | "both") => {
            let (names, offsets, indices) = rows(folder, name)?;
            let counts = Cooccurrence::count(&names, &offsets, &indices)?;
            let branches = match what {
                "both" => vec![Branch::Co, Branch::Dis],
                one => vec![one.parse()?],
            };
            // The peer clusters the random-walk embedding, on both branches.
            let options = PartitionOptions { embedding: Embedding::Rw, ..Default::default() };
            let k = if name == "coco" { 5 } else { 8 };
            let affinities = branches.iter().map(|branch| Affinity::new(&counts, *branch, &AffinityOptions::default()));
            let affinities = affinities.collect::<cpsd::error::Result<Vec<_>>>()?;
            timed(
                repeats,
                || {
                    affinities
                        .iter()
                        .map(|affinity| spectral_partition(affinity, k, &options))
                        .collect::<Result<Vec<_>, _>>()
                },
                |made| {
                    let mut all: Vec<Value> =
                        made.iter().map(|p| json!({ "ncut": p.ncut(), "sizes": p.sizes() })).collect();
                    if all.len() == 1 { all.remove(0) } else { json!(all) }
                },
            )
        }
        ("openimages", "parquet") => {
            let path = folder.join("openimages.parquet");
            timed(repeats, || count_files(std::slice::from_ref(&path)), |c| json!(c.num_pairs()))
        }
        ("coco", "split") => {
            let (names, offsets, indices) = rows(folder, name)?;
            let images = (0..offsets.len() - 1).map(|i| i.to_string()).collect();
            let table = LabelTable::from_csr(names, images, offsets, indices)?;
            timed(repeats, || stratified_split(&table, &[0.9, 0.1], 0), |parts| json!(parts[1].len()))
        }
        ("scores", "metrics") => {
            let scores: Vec<f32> = std::fs::read(folder.join("scores.f32"))?
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect();
            let targets = std::fs::read(folder.join("targets.u8"))?;
            let n = targets.len() / 80;
            timed(repeats, || evaluate(&scores, &targets, n, 80, &[], &MetricOptions::default()), |r| json!(r.map))
        }
        ("instances", "load") => {
            let path = folder.join("instances.json");
            timed(repeats, || load(&path, &LoadOptions::default()), |t| json!(t.csr().1.len()))
        }
        _ => Err(format!("no task {task}").into()),
    }
}

fn rows(folder: &Path, name: &str) -> Anything<(Vec<String>, Vec<u64>, Vec<u32>)> {
    let sizes: Value = serde_json::from_str(&std::fs::read_to_string(folder.join(format!("{name}.json")))?)?;
    let m = sizes["labels"].as_u64().ok_or("no labels")?;
    let offsets = std::fs::read(folder.join(format!("{name}_offsets.u64")))?;
    let offsets =
        offsets.chunks_exact(8).map(|b| u64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]])).collect();
    let indices = std::fs::read(folder.join(format!("{name}_indices.u32")))?;
    let indices = indices.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    Ok(((0..m).map(|i| format!("{i:05}")).collect(), offsets, indices))
}

fn timed<T>(
    repeats: usize,
    mut work: impl FnMut() -> cpsd::error::Result<T>,
    describe: impl Fn(&T) -> Value,
) -> Anything<Value> {
    let mut seconds = Vec::new();
    let mut result = Value::Null;
    for _ in 0..repeats {
        let start = Instant::now();
        let made = work()?;
        seconds.push(start.elapsed().as_secs_f64());
        result = describe(&made);
    }
    Ok(json!({ "seconds": seconds, "peak_mb": peak_mb(), "result": result }))
}

/// The peak memory of this process, where the system tells it.
fn peak_mb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kb| kb / 1024)
}
