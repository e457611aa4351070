//! The label graph of COCO train2014 against the golden file and the authors' published partitions.

use std::io::{BufRead, BufReader};

use cpsd::graph::{
    Affinity, AffinityOptions, Assign, Branch, Cooccurrence, Embedding, Partition, PartitionOptions, Preset,
    lloyd_mismatches, ncut, spectral_partition, stability, z_score,
};
use serde_json::Value;

use crate::common::{numbers, shared};

const KS: [usize; 5] = [2, 3, 5, 8, 13];

struct Golden {
    file: Value,
    counts: Cooccurrence,
}

impl Golden {
    fn load() -> Option<Self> {
        let file = serde_json::from_str(&std::fs::read_to_string(shared("golden_coco.json")?).unwrap()).unwrap();
        let counts = Cooccurrence::load_csv(shared("coco_cooccurrence.csv")?, None).unwrap();
        Some(Golden { file, counts })
    }

    fn affinity(&self, branch: Branch) -> Affinity {
        Affinity::new(&self.counts, branch, &AffinityOptions::default()).unwrap()
    }

    fn authors_affinity(&self, branch: Branch) -> Affinity {
        let options = AffinityOptions { preset: Some(Preset::Authors), ..Default::default() };
        Affinity::new(&self.counts, branch, &options).unwrap()
    }

    fn branch(&self, branch: Branch) -> &Value {
        &self.file["branches"][branch.name()]
    }

    fn part(&self, branch: Branch, k: usize) -> &Value {
        &self.branch(branch)["parts"][k.to_string()]
    }

    fn partition(&self, assignment: &Value) -> Partition {
        let assignment: Vec<usize> = numbers(assignment).iter().map(|&t| t as usize).collect();
        let mut tasks = vec![Vec::new(); assignment.iter().max().unwrap() + 1];
        for (label, &task) in self.counts.labels().iter().zip(&assignment) {
            tasks[task].push(label);
        }
        let partition = Partition::from_tasks(self.counts.labels(), &tasks).unwrap();
        assert_eq!(partition.assignment(), assignment);
        partition
    }

    fn official(&self, branch: Branch, k: usize) -> Partition {
        self.partition(&self.part(branch, k)["official"]["labels"])
    }
}

fn close(came: &[f64], expected: &Value, within: f64, what: &str) {
    let expected = numbers(expected);
    assert_eq!(came.len(), expected.len(), "{what}");
    for (i, (c, e)) in came.iter().zip(&expected).enumerate() {
        assert!((c - e).abs() <= within, "{what}[{i}]: {c}, expected {e}");
    }
}

fn authors(seed: u64) -> PartitionOptions {
    PartitionOptions { seed, preset: Some(Preset::Authors), ..Default::default() }
}

#[test]
fn counts_are_the_published_ones() {
    let Some(g) = Golden::load() else { return };
    let c = &g.counts;
    assert_eq!(c.len(), 80);
    assert_eq!(Some(c.counts().iter().sum()), g.file["sum_nums"].as_u64());
    let mut sum = 0;
    c.for_each_pair(|_, _, e| sum += e);
    assert_eq!(Some(sum), g.file["sum_pairs_unordered"].as_u64());
    let labels: Vec<&str> = g.file["labels"].as_array().unwrap().iter().map(|l| l.as_str().unwrap()).collect();
    assert!(c.labels().iter().map(String::as_str).eq(labels));
    let rows = g.file["S_rows_0_4"].as_array().unwrap();
    for (i, row) in rows.iter().enumerate() {
        let came: Vec<f64> = (0..80).map(|j| c.conditional(i, j)).collect();
        close(&came, row, 1e-12, "S");
    }
    let top = &c.top_pairs(1)[0];
    assert_eq!(c.pair(40, 41).max(top.count), top.count);
    assert_eq!(
        2 * c.never_pairs(usize::MAX).len(),
        g.file["P_plus_checks"]["zero_offdiag_entries"].as_u64().unwrap() as usize
    );
}

#[test]
fn label_lists_of_the_train_images_give_the_published_counts() {
    let Some(g) = Golden::load() else { return };
    let Some(path) = shared("coco14_labels.tsv.gz") else { return };
    let lines = BufReader::new(flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap())).lines();
    let (mut offsets, mut indices) = (vec![0u64], Vec::new());
    for line in lines {
        let line = line.unwrap();
        let fields: Vec<&str> = line.split('\t').collect();
        if fields[0] == "t" {
            indices.extend(fields[2].split_whitespace().map(|i| i.parse::<u32>().unwrap()));
            offsets.push(indices.len() as u64);
        }
    }
    let counted = Cooccurrence::count(g.counts.labels(), &offsets, &indices).unwrap();
    assert_eq!(counted.num_images(), Some(82_081));
    assert_eq!(counted.counts(), g.counts.counts());
    assert_eq!(counted.dense(), g.counts.dense());

    // Two shards add up to the whole.
    let half = 40_000;
    let cut = offsets[half];
    let rest: Vec<u64> = offsets[half..].iter().map(|o| o - cut).collect();
    let (a, b) = indices.split_at(cut as usize);
    let a = Cooccurrence::count(g.counts.labels(), &offsets[..=half], a).unwrap();
    let b = Cooccurrence::count(g.counts.labels(), &rest, b).unwrap();
    assert_eq!((&a + &b).unwrap(), counted);
}

#[test]
fn affinities_and_degrees() {
    let Some(g) = Golden::load() else { return };
    let co = g.affinity(Branch::Co);
    for (i, row) in g.file["P_plus"].as_array().unwrap().iter().enumerate() {
        close(co.matrix().unwrap().column(i).as_slice(), row, 1e-12, "P+");
    }
    let checks = &g.file["P_plus_checks"];
    assert!((co.matrix().unwrap().sum() - checks["sum"].as_f64().unwrap()).abs() < 1e-9);
    assert!((co.matrix().unwrap().norm() - checks["frobenius"].as_f64().unwrap()).abs() < 1e-12);
    for branch in [Branch::Co, Branch::Dis] {
        close(g.affinity(branch).degrees(), &g.branch(branch)["degree"], 1e-11, "degree");
    }
}

#[test]
fn eigenvalues_and_projectors() {
    let Some(g) = Golden::load() else { return };
    for branch in [Branch::Co, Branch::Dis] {
        let affinity = g.affinity(branch);
        close(&affinity.eigenvalues().unwrap(), &g.branch(branch)["eigenvalues"], 1e-9, "eigenvalues");
        let at_third = AffinityOptions { power: 1.0 / 3.0, ..Default::default() };
        let at_third = Affinity::new(&g.counts, branch, &at_third).unwrap();
        let expected = &g.file["eigenvalues_at_p"][format!("{branch}_p0.333333")];
        close(&at_third.eigenvalues().unwrap(), expected, 1e-9, "eigenvalues at p = 1/3");
        for k in KS {
            let vectors = affinity.smallest(k).unwrap().vectors;
            let row0 = &vectors * vectors.row(0).transpose();
            let expected = &g.branch(branch)["projector_row0"][k.to_string()];
            close(row0.as_slice(), expected, 1e-9, "projector");
        }
    }
}

#[test]
fn cuts_of_the_authors_partitions() {
    let Some(g) = Golden::load() else { return };
    for branch in [Branch::Co, Branch::Dis] {
        let affinity = g.affinity(branch);
        for k in KS {
            let part = g.part(branch, k);
            let official = g.official(branch, k);
            let sizes: Vec<f64> = {
                let mut sizes = official.sizes();
                sizes.sort_unstable_by(|a, b| b.cmp(a));
                sizes.into_iter().map(|n| n as f64).collect()
            };
            close(&sizes, &part["official"]["sizes"], 0.0, "sizes");
            let cut = ncut(&affinity, &official).unwrap();
            close(&[cut], &Value::from(vec![part["official"]["ncut"].as_f64().unwrap()]), 1e-9, "ncut");
            let cut = ncut(&g.authors_affinity(branch), &official).unwrap();
            close(&[cut], &Value::from(vec![part["official"]["ncut_at_identified_p"].as_f64().unwrap()]), 1e-9, "ncut");
            let bound: f64 = affinity.eigenvalues().unwrap()[..k].iter().sum();
            assert!((bound - part["relaxed_bound"].as_f64().unwrap()).abs() < 1e-9);
            // The mean cut of random partitions of the same sizes is known to a few standard errors only.
            let z = z_score(&affinity, &official, 0, 200).unwrap().unwrap();
            let mean = part["random_partition_ncut_mean"].as_f64().unwrap();
            assert!((z.mean - mean).abs() < 0.02, "{branch} {k}: {} {mean}", z.mean);
            assert!(z.z < -2.0, "{branch} {k}: z {}", z.z);
        }
    }
}

#[test]
fn authors_partitions_are_fixed_points_where_they_are() {
    let Some(g) = Golden::load() else { return };
    for branch in [Branch::Co, Branch::Dis] {
        for k in KS {
            let expected = &g.part(branch, k)["official"]["lloyd_mismatches_rw"];
            let official = g.official(branch, k);
            let half = lloyd_mismatches(&g.affinity(branch), &official, Embedding::Rw).unwrap();
            assert_eq!(Some(half as u64), expected["p_half"].as_u64(), "{branch} {k}");
            let theirs = lloyd_mismatches(&g.authors_affinity(branch), &official, Embedding::Rw).unwrap();
            assert_eq!(Some(theirs as u64), expected["identified_p"].as_u64(), "{branch} {k}");
        }
    }
}

#[test]
fn co_occurrence_partitions_are_the_authors() {
    let Some(g) = Golden::load() else { return };
    let affinity = g.affinity(Branch::Co);
    for seed in 0..5 {
        for k in [2, 3, 5] {
            let options = PartitionOptions { seed, ..Default::default() };
            let p = spectral_partition(&affinity, k, &options).unwrap();
            assert_eq!(p.ari(&g.official(Branch::Co, k)).unwrap(), 1.0, "k {k} seed {seed}");
            assert!((p.ncut().unwrap() - g.part(Branch::Co, k)["official"]["ncut"].as_f64().unwrap()).abs() < 1e-9);
        }
        let p = spectral_partition(&affinity, 8, &authors(seed)).unwrap();
        let ari = p.ari(&g.official(Branch::Co, 8)).unwrap();
        println!("co, k 8, preset authors, seed {seed}: ARI {ari:.4}");
        assert!(ari >= 0.95, "k 8 seed {seed}: {ari}");
    }
}

#[test]
fn dis_occurrence_partitions_under_the_authors_preset() {
    let Some(g) = Golden::load() else { return };
    let affinity = g.authors_affinity(Branch::Dis);
    for k in KS {
        let aris: Vec<f64> = (0..5)
            .map(|seed| {
                let p = spectral_partition(&affinity, k, &authors(seed)).unwrap();
                p.ari(&g.official(Branch::Dis, k)).unwrap()
            })
            .collect();
        println!("dis, preset authors, k {k}: ARI to the authors' at seeds 0..5 {aris:.3?}");
        if k == 2 {
            assert_eq!(aris, [1.0; 5]);
        }
    }
    // k-means has many optima of nearly the same inertia here; theirs is one of those that come out at k = 3.
    let official = g.official(Branch::Dis, 3);
    let found = (0..40)
        .filter(|&seed| spectral_partition(&affinity, 3, &authors(seed)).unwrap().ari(&official).unwrap() == 1.0);
    let found: Vec<u64> = found.collect();
    println!("dis, preset authors, k 3: the authors' partition itself at seeds {found:?} of 40");
    assert!(!found.is_empty());
}

#[test]
fn scikit_learn_agrees() {
    let Some(g) = Golden::load() else { return };
    let theirs: Value = serde_json::from_str(include_str!("graph_sklearn.json")).unwrap();
    let official = |of: &Value| g.official(of[0].as_str().unwrap().parse().unwrap(), of[1].as_u64().unwrap() as usize);
    for case in theirs["agreement"].as_array().unwrap() {
        let (p, q) = (official(&case["p"]), official(&case["q"]));
        assert!((p.ari(&q).unwrap() - case["ari"].as_f64().unwrap()).abs() < 1e-12);
        assert!((p.nmi(&q).unwrap() - case["nmi"].as_f64().unwrap()).abs() < 1e-12);
    }
    for branch in [Branch::Co, Branch::Dis] {
        let affinity = g.affinity(branch);
        for k in KS {
            let theirs = &theirs["partitions"][branch.name()][k.to_string()];
            let cut = |assign| {
                let options = PartitionOptions { assign, embedding: Embedding::Rw, ..Default::default() };
                spectral_partition(&affinity, k, &options).unwrap()
            };
            let worst = |assign: &str| numbers(&theirs[assign]["ncut_of_seeds"]).into_iter().fold(0.0, f64::max);
            let qr = cut(Assign::ClusterQr);
            assert_eq!(qr.ari(&g.partition(&theirs["cluster_qr"]["labels"])).unwrap(), 1.0, "cluster_qr {branch} {k}");
            // Random starts: ours, the best of more of them, must not cut worse than the worst of five of theirs.
            for (assign, name) in [(Assign::Kmeans, "kmeans"), (Assign::Discretize, "discretize")] {
                let ours = cut(assign).ncut().unwrap();
                println!("{branch}, k {k}, {name}: cut {ours:.4}, scikit-learn's worst of 5 {:.4}", worst(name));
                assert!(ours <= worst(name) * 1.002, "{name} {branch} {k}: {ours} {}", worst(name));
            }
        }
    }
}

#[test]
fn refinement_reaches_the_best_known_cuts() {
    let Some(g) = Golden::load() else { return };
    for branch in [Branch::Co, Branch::Dis] {
        let affinity = g.affinity(branch);
        for k in KS {
            let known = &g.part(branch, k)["best_known_ncut_with_single_move_refinement"];
            let best = known["ncut"].as_f64().unwrap();
            assert!((ncut(&affinity, &g.partition(&known["labels"])).unwrap() - best).abs() < 1e-9);
            for seed in 0..3 {
                let options = PartitionOptions { seed, refine: true, ..Default::default() };
                let cut = spectral_partition(&affinity, k, &options).unwrap().ncut().unwrap();
                println!(
                    "{branch}, k {k}, seed {seed}: refined {cut:.4}, best known {best:.4} ({:+.3} %)",
                    (cut / best - 1.0) * 100.0
                );
                assert!(cut <= best * 1.002, "{branch} k {k} seed {seed}: {cut} {best}");
                let plain = spectral_partition(&affinity, k, &PartitionOptions { seed, ..Default::default() }).unwrap();
                assert!(cut <= plain.ncut().unwrap());
            }
        }
    }
}

#[test]
fn what_the_default_partitions_look_like() {
    let Some(g) = Golden::load() else { return };
    // 20 seeds, one partition.
    let seeds: Vec<u64> = (0..20).collect();
    let options = PartitionOptions::default();
    let co = stability(&g.affinity(Branch::Co), 5, &options, &seeds).unwrap();
    assert_eq!((co.mean_ari, co.distinct), (1.0, 1));
    // Nearly degenerate: even parts, another each time, under `njw`.
    let dis = stability(&g.affinity(Branch::Dis), 5, &options, &seeds).unwrap();
    println!("dis, k 5, 20 seeds: {dis:?}");
    assert!(dis.distinct > 1 && dis.mean_ari < 0.95);
    let rw = PartitionOptions { embedding: Embedding::Rw, ..Default::default() };
    let p = spectral_partition(&g.affinity(Branch::Dis), 2, &rw).unwrap();
    assert_eq!(p.sizes().iter().min(), Some(&1));
    assert!(p.warnings()[0].contains("a single label"));
    let njw = spectral_partition(&g.affinity(Branch::Dis), 2, &options).unwrap();
    let mut sizes = njw.sizes();
    sizes.sort_unstable();
    assert_eq!(sizes, [37, 43]);
    println!("{}", spectral_partition(&g.affinity(Branch::Co), 5, &options).unwrap());
    println!("{njw}");
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let Some(g) = Golden::load() else { return };
    let on_threads = |n| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        pool.install(|| {
            let mut all = Vec::new();
            for branch in [Branch::Co, Branch::Dis] {
                for refine in [false, true] {
                    let options = PartitionOptions { seed: 7, refine, ..Default::default() };
                    all.push(spectral_partition(&g.affinity(branch), 13, &options).unwrap());
                }
            }
            all
        })
    };
    assert_eq!(on_threads(1), on_threads(3));
}
