//! Properties of counts, affinities and partitions on random label tables.

use cpsd::graph::{
    Affinity, AffinityOptions, Assign, Branch, Cooccurrence, Embedding, Partition, PartitionOptions, compare, ncut,
    random_partition, spectral_partition,
};
use proptest::prelude::*;

fn labels(m: usize) -> Vec<String> {
    // Not in alphabetical order, so that order by name and by position differ.
    (0..m).map(|i| format!("label {:03}", (i * 37 + 11) % 101)).collect()
}

/// Each image as a set of labels, one bit per label.
fn images(m: usize) -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(0u32..1 << m, 0..200)
}

fn csr(images: &[u32]) -> (Vec<u64>, Vec<u32>) {
    let (mut offsets, mut indices) = (vec![0], Vec::new());
    for image in images {
        indices.extend((0..32).filter(|j| image >> j & 1 == 1));
        offsets.push(indices.len() as u64);
    }
    (offsets, indices)
}

fn count(m: usize, images: &[u32]) -> Cooccurrence {
    let (offsets, indices) = csr(images);
    Cooccurrence::count(&labels(m), &offsets, &indices).unwrap()
}

fn names(counts: &Cooccurrence, order: &[usize]) -> Vec<String> {
    order.iter().map(|&i| counts.labels()[i].clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn counts_are_symmetric_bounded_and_those_of_the_definition(images in images(9)) {
        let c = count(9, &images);
        for i in 0..9 {
            prop_assert_eq!(c.counts()[i], images.iter().filter(|x| *x >> i & 1 == 1).count() as u64);
            prop_assert_eq!(c.pair(i, i), 0);
            for j in 0..9 {
                prop_assert_eq!(c.pair(i, j), c.pair(j, i));
                prop_assert!(c.pair(i, j) <= c.counts()[i].min(c.counts()[j]));
                let both = images.iter().filter(|x| *x >> i & *x >> j & 1 == 1).count() as u64;
                prop_assert!(i == j || c.pair(i, j) == both);
            }
        }
        prop_assert_eq!(c.top_pairs(usize::MAX).len(), c.num_pairs());
        let rebuilt = Cooccurrence::from_parts(c.labels(), c.counts().to_vec(), c.dense()).unwrap();
        prop_assert_eq!(rebuilt.with_num_images(images.len() as u64).unwrap(), c);
    }

    #[test]
    fn shards_add_up_to_the_whole(images in images(9), at in 0usize..200) {
        let (a, b) = images.split_at(at.min(images.len()));
        prop_assert_eq!((&count(9, a) + &count(9, b)).unwrap(), count(9, &images));
    }

    #[test]
    fn permuting_labels_permutes_everything(
        images in images(12),
        order in Just((0..12usize).collect::<Vec<_>>()).prop_shuffle(),
        k in 1usize..=12,
        seed in 0u64..1000,
        refine: bool,
        dis: bool,
        assign in prop::sample::select(vec![Assign::Kmeans, Assign::Discretize, Assign::ClusterQr]),
    ) {
        let counts = count(12, &images);
        let permuted = counts.take_labels(&names(&counts, &order)).unwrap();
        let branch = if dis { Branch::Dis } else { Branch::Co };
        let affinities = [&counts, &permuted].map(|c| Affinity::new(c, branch, &AffinityOptions::default()).unwrap());
        let options = PartitionOptions { seed, refine, assign, restarts: 8, ..Default::default() };
        let [p, q] = affinities.clone().map(|a| spectral_partition(&a, k, &options).unwrap());
        prop_assert_eq!(p.ari(&q).unwrap(), 1.0);
        prop_assert_eq!(p.ncut().map(f64::to_bits), q.ncut().map(f64::to_bits));
        prop_assert!(compare(&p, &q).unwrap().moved.is_empty());
        for (i, &o) in order.iter().enumerate() {
            for (j, &r) in order.iter().enumerate() {
                prop_assert_eq!(affinities[1].weight(i, j), affinities[0].weight(o, r));
            }
        }
    }

    #[test]
    fn partitions_use_every_task_and_cuts_keep_their_bounds(
        images in images(10),
        k in 1usize..=10,
        seed: u64,
        embedding in prop::sample::select(vec![Embedding::Rw, Embedding::Njw, Embedding::Sym]),
    ) {
        let counts = count(10, &images);
        for branch in [Branch::Co, Branch::Dis] {
            let a = Affinity::new(&counts, branch, &AffinityOptions::default()).unwrap();
            let options = PartitionOptions { seed, embedding, restarts: 4, ..Default::default() };
            let p = spectral_partition(&a, k, &options).unwrap();
            prop_assert_eq!(p.k(), k);
            prop_assert!(p.sizes().iter().all(|&n| n > 0));
            prop_assert_eq!(p.assignment()[0], 0);
            let cut = ncut(&a, &p).unwrap();
            let bound: f64 = a.eigenvalues().unwrap()[..k].iter().sum();
            prop_assert!(cut >= bound - 1e-9 && cut <= k as f64 + 1e-9, "{} {} {}", bound, cut, k);
            let refined = spectral_partition(&a, k, &PartitionOptions { refine: true, ..options }).unwrap();
            prop_assert!(refined.ncut().unwrap() <= cut + 1e-9);
            prop_assert_eq!(refined.k(), k);
            let values = a.eigenvalues().unwrap();
            prop_assert!(values.iter().all(|v| (-1e-9..=2.0 + 1e-9).contains(v)));
        }
    }

    #[test]
    fn partitions_survive_their_file_and_their_task_lists(m in 1usize..40, other in 0usize..40, seed: u64) {
        let k = 1 + other % m;
        let names = labels(m);
        let p = random_partition(&names, k, seed).unwrap();
        prop_assert!(p.sizes().iter().max().unwrap() - p.sizes().iter().min().unwrap() <= 1);
        let again = Partition::from_tasks(&names, &p.tasks()).unwrap();
        prop_assert_eq!(again.assignment(), p.assignment());
        let folder = tempfile::tempdir().unwrap();
        p.save(folder.path().join("p.json")).unwrap();
        let loaded = Partition::load(folder.path().join("p.json"), &names).unwrap();
        prop_assert_eq!(loaded.tasks(), p.tasks());
    }

    #[test]
    fn agreement_is_symmetric_and_one_for_the_same(a in prop::collection::vec(0usize..4, 2..30), seed: u64) {
        let names = labels(a.len());
        let mut tasks = vec![Vec::new(); 4];
        a.iter().zip(&names).for_each(|(&t, name)| tasks[t].push(name.clone()));
        tasks.retain(|t| !t.is_empty());
        let p = Partition::from_tasks(&names, &tasks).unwrap();
        let q = random_partition(&names, 2, seed).unwrap();
        prop_assert_eq!((p.ari(&p).unwrap(), compare(&p, &p).unwrap().moved.len()), (1.0, 0));
        prop_assert!((p.nmi(&p).unwrap() - 1.0).abs() < 1e-12);
        prop_assert!((p.ari(&q).unwrap() - q.ari(&p).unwrap()).abs() < 1e-12);
        prop_assert!((p.nmi(&q).unwrap() - q.nmi(&p).unwrap()).abs() < 1e-12);
        prop_assert_eq!(compare(&p, &q).unwrap().moved.len(), compare(&q, &p).unwrap().moved.len());
    }
}

/// The dense solver, which nothing interrupts, would take minutes.
#[test]
fn of_large_graphs_few_eigenvectors_are_found() {
    let m = 2100;
    let names: Vec<String> = (0..m).map(|i| i.to_string()).collect();
    let offsets: Vec<u64> = (0..=m).map(|i| 2 * i).collect();
    let pairs: Vec<u32> = (0..m as u32).flat_map(|i| if i + 1 < m as u32 { [i, i + 1] } else { [0, i] }).collect();
    let counts = Cooccurrence::count(&names, &offsets, &pairs).unwrap();
    let affinity = Affinity::new(&counts, Branch::Co, &AffinityOptions::default()).unwrap();
    let with = |k: usize| spectral_partition(&affinity, k, &PartitionOptions { restarts: 1, ..Default::default() });
    assert_eq!(with(3).unwrap().sizes().len(), 3);
    let error = with(1000).unwrap_err().message;
    assert!(
        error.starts_with("of the graph of 2100 labels at most ") && error.ends_with(" 1000 are needed"),
        "{error}"
    );
}

/// All eigenvalues but one are the same.
#[test]
fn labels_that_never_meet_are_divided_by_dis_occurrence() {
    for m in [600_usize, 1000, 2100] {
        let names: Vec<String> = (0..m).map(|i| i.to_string()).collect();
        let offsets: Vec<u64> = (0..=m as u64).collect();
        let counts = Cooccurrence::count(&names, &offsets, &(0..m as u32).collect::<Vec<_>>()).unwrap();
        let affinity = Affinity::new(&counts, Branch::Dis, &AffinityOptions::default()).unwrap();
        let options = PartitionOptions { restarts: 1, ..Default::default() };
        let sizes = spectral_partition(&affinity, 4, &options).unwrap().sizes();
        assert_eq!((sizes.len(), sizes.iter().sum::<usize>()), (4, m));
    }
}
