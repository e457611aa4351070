//! The label graph at COCO's size: counting, partition, metrics, split.

#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // benches touch files and print as they like

use std::hint::black_box;

use cpsd::graph::{Affinity, AffinityOptions, Branch, Cooccurrence, PartitionOptions, spectral_partition};
use cpsd::labels::stratified_split;
use cpsd::labels::synthetic::{Synthetic, SyntheticOptions};
use criterion::{Criterion, criterion_group, criterion_main};

fn graph(c: &mut Criterion) {
    let options = SyntheticOptions { images: 82_081, labels: 80, per_image: 3.3, ..Default::default() };
    let table = Synthetic::new(&options).and_then(|s| s.table()).expect("a table");
    let (offsets, indices) = table.csr();
    let count = || Cooccurrence::count(table.labels(), offsets, indices).expect("counts");
    c.bench_function("co-occurrence of 82,081 images, 80 labels", |b| b.iter(|| black_box(count())));
    let counts = count();
    for branch in [Branch::Co, Branch::Dis] {
        let affinity = Affinity::new(&counts, branch, &AffinityOptions::default()).expect("an affinity");
        c.bench_function(&format!("partition of 80 labels, {branch}, k = 5, 50 restarts, z score"), |b| {
            b.iter(|| black_box(spectral_partition(&affinity, 5, &PartitionOptions::default())))
        });
    }
    let mut group = c.benchmark_group("slow");
    group.sample_size(10);
    group.bench_function("stratified split of 82,081 images", |b| {
        b.iter(|| black_box(stratified_split(&table, &[0.9, 0.1], 0)))
    });
    group.finish();
}

criterion_group!(benches, graph);
criterion_main!(benches);
