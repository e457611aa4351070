//! The real COCO 2014 labels, written in every format, read back and measured.

use std::io::Read;

use cpsd::labels::{Choice, LabelTable, LoadOptions, Statistics, load, stratified_split};
use cpsd::tables::Table;

use crate::common::shared;

/// Names and train2014 counts, as published; the training pictures of COCO 2014 that have labels.
fn coco() -> Option<(Vec<u64>, LabelTable)> {
    let nums = std::fs::read_to_string(shared("coco_nums.csv")?).unwrap();
    let (names, counts): (Vec<String>, Vec<u64>) = nums
        .lines()
        .skip(1)
        .filter(|l| !l.is_empty())
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            (fields[1].to_string(), fields[2].parse::<u64>().unwrap())
        })
        .unzip();
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(shared("coco14_labels.tsv.gz")?).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    let (mut images, mut lists) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let mut fields = line.split('\t');
        if fields.next() == Some("t") {
            images.push(fields.next().unwrap().to_string());
            lists.push(fields.next().unwrap().split(' ').map(|l| l.parse().unwrap()).collect());
        }
    }
    Some((counts, LabelTable::from_lists(names, images, &lists).unwrap()))
}

fn same(a: &LabelTable, b: &LabelTable) {
    assert_eq!((a.labels(), a.images()), (b.labels(), b.images()));
    assert!(a.csr() == b.csr());
}

#[test]
fn every_format_gives_the_table_back() {
    let Some((counts, table)) = coco() else { return };
    assert_eq!(table.num_images(), 82_081);
    assert_eq!(table.counts(), counts);
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str| load(&folder.path().join(name), &LoadOptions::default()).unwrap();

    let long = Table::of(table.to_frame_long().unwrap());
    long.write_csv(folder.path().join("long.csv")).unwrap();
    long.write_parquet(folder.path().join("long.parquet")).unwrap();
    let wide = Table::of(table.to_frame_wide().unwrap());
    wide.write_csv(folder.path().join("wide.csv")).unwrap();
    wide.write_parquet(folder.path().join("wide.parquet")).unwrap();
    for name in ["long.csv", "long.parquet", "wide.csv", "wide.parquet"] {
        same(&read(name), &table);
    }

    // COCO JSON with category ids in an order that is not the names', two objects of each kind, polygons, and one more
    // picture without objects.
    let ids: Vec<usize> = (0..80).map(|l| (l * 37) % 80 + 1).collect();
    let mut json = String::from("{\"images\":[{\"id\":0,\"file_name\":\"empty.jpg\"}");
    for name in table.images() {
        json += &format!(",{{\"license\":3,\"id\":{name},\"file_name\":\"{name}\"}}");
    }
    json += "],\"annotations\":[";
    let mut first = true;
    for i in 0..table.num_images() {
        for &l in table.row(i) {
            for object in 0..2 {
                let comma = if std::mem::take(&mut first) { "" } else { "," };
                let (image, category) = (&table.images()[i], ids[l as usize]);
                json += &format!(
                    "{comma}{{\"segmentation\":[[{object}.5,2.25,3,4]],\"image_id\":{image},\"category_id\":{category}}}"
                );
            }
        }
    }
    json += "],\"categories\":[";
    let categories: Vec<String> =
        (0..80).rev().map(|l| format!("{{\"id\":{},\"name\":\"{}\"}}", ids[l], table.labels()[l])).collect();
    json += &format!("{}]}}", categories.join(","));
    std::fs::write(folder.path().join("instances.json"), json).unwrap();
    assert_eq!(read("instances.json").num_unlabelled(), 1);
    let labelled = LoadOptions { unlabelled: Choice::Drop, ..Default::default() };
    same(&load(&folder.path().join("instances.json"), &labelled).unwrap(), &table);
}

#[test]
fn statistics_are_the_published_ones() {
    let Some((counts, table)) = coco() else { return };
    let s = Statistics::of(&table);
    // 241,035 pairs over 82,081 pictures; person 45,174 of them, hair drier 128.
    let pairs: u64 = counts.iter().sum();
    assert_eq!(s.cardinality, pairs as f64 / 82_081.0);
    assert!((s.cardinality - 2.94).abs() < 0.01, "{}", s.cardinality);
    assert_eq!(s.density, s.cardinality / 80.0);
    assert_eq!(s.imbalance_ratio, *counts.iter().max().unwrap() as f64 / *counts.iter().min().unwrap() as f64);
    let printed = table.to_string();
    assert!(printed.starts_with("LabelTable: 82,081 images, 80 labels\n"), "{printed}");
    assert!(printed.contains("most frequent    person 45,174, "), "{printed}");
    assert!(printed.lines().all(|l| l.chars().count() <= 120), "{printed}");
}

#[test]
fn a_stratified_split_spreads_every_label() {
    let Some((counts, table)) = coco() else { return };
    let split = stratified_split(&table, &[0.9, 0.1], 0).unwrap();
    assert_eq!(split[0].len() + split[1].len(), table.num_images());
    assert!((split[1].len() as f64 / table.num_images() as f64 - 0.1).abs() < 0.002);
    for (label, (held, all)) in table.take_images(&split[1]).unwrap().counts().iter().zip(counts).enumerate() {
        let share = *held as f64 / all as f64;
        assert!((share - 0.1).abs() < 0.01, "{} has {share} of its {all} images there", table.labels()[label]);
    }
}
