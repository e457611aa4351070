//! Counting by shards, held to polars' joins.

use std::collections::BTreeMap;

use cpsd::labels::shards::Shards;
use cpsd::labels::synthetic::{Synthetic, SyntheticOptions};
use cpsd::runs::RunStore;
use cpsd::tables::Table;
use polars::prelude::*;

/// How many images hold each pair of labels, and each label (as a pair with itself).
fn joined(frame: &DataFrame) -> BTreeMap<(String, String), u64> {
    let pairs = frame.clone().lazy().filter(col("label").is_not_null()).unique(None, UniqueKeepStrategy::Any);
    let both = pairs.clone().join(pairs, [col("image")], [col("image")], JoinArgs::new(JoinType::Inner));
    let counts = both.group_by([col("label"), col("label_right")]).agg([len().alias("n")]).collect().unwrap();
    let text = |name: &str| counts.column(name).unwrap().str().unwrap().clone();
    let n = counts.column("n").unwrap().cast(&DataType::UInt64).unwrap();
    let (a, b) = (text("label"), text("label_right"));
    let names = a.iter().zip(b.iter()).map(|(a, b)| (a.unwrap().to_string(), b.unwrap().to_string()));
    names.zip(n.u64().unwrap().iter().map(Option::unwrap)).collect()
}

#[test]
fn shards_count_what_polars_joins() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("table");
    std::fs::create_dir(&table).unwrap();
    let all = folder.path().join("all.parquet");
    Synthetic::new(&SyntheticOptions { images: 900, labels: 40, ..SyntheticOptions::default() })
        .unwrap()
        .write_parquet(&all)
        .unwrap();
    let frame = Table::read_parquet(&all).unwrap().frame;
    // Images come one after the other: the table is cut where one begins.
    let images = frame.column("image").unwrap().str().unwrap().clone();
    let begins: Vec<usize> = (1..images.len()).filter(|&i| images.get(i) != images.get(i - 1)).collect();
    let mut cuts: Vec<usize> = [100, 130, 400, 800].map(|image| begins[image - 1]).to_vec();
    cuts.push(frame.height());
    let mut from = 0;
    for (part, &to) in cuts.iter().enumerate() {
        let part = table.join(format!("{part}.parquet"));
        Table::of(frame.slice(from as i64, to - from)).write_parquet(&part).unwrap();
        from = to;
    }
    let expected = joined(&frame);
    for n in [1, 3, 5] {
        let store = RunStore::new(folder.path().join(format!("runs {n}")));
        let shards = Shards::deal(std::slice::from_ref(&table), n).unwrap();
        shards.count_here(&store).unwrap();
        let sum = shards.sum(&store).unwrap();
        assert_eq!(sum.num_images(), Some(begins.len() as u64 + 1));
        let labels = sum.labels().to_vec();
        for (i, a) in labels.iter().enumerate() {
            for (j, b) in labels.iter().enumerate() {
                let counted = if i == j { sum.counts()[i] } else { sum.pair(i, j) };
                assert_eq!(counted, expected.get(&(a.clone(), b.clone())).copied().unwrap_or(0), "{a}, {b}");
            }
        }
        assert!(labels.is_sorted() && expected.keys().all(|(a, _)| labels.contains(a)));
    }
}
