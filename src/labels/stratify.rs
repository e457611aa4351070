//! Iterative stratified split: every label is spread over the parts in their shares, the rarest label first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rand::RngExt;

use super::label_table::LabelTable;
use crate::activity::interrupt;
use crate::error::{Error, Result, counted};
use crate::random::{self, Generator};

/// The images (positions, ascending) of each part, so that every part has its share of the images and of every label.
///
/// Sechidis, Tsoumakas & Vlahavas, "On the stratification of multi-label data", ECML PKDD 2011, algorithm 1. Images
/// without a label are assigned last, to the parts that lack most. The seed breaks ties and decides the order of the
/// images of a label. Entries of unknown truth are not spread. A part whose share is too small for an image gets one all
/// the same: no part is empty. Errors: fewer than two shares, a share that is not above 0, shares that do not sum to 1,
/// fewer images than parts.
pub fn stratified_split(table: &LabelTable, shares: &[f64], seed: u64) -> Result<Vec<Vec<usize>>> {
    let (n, m, parts) = (table.num_images(), table.num_labels(), shares.len());
    if parts < 2 {
        return Err(Error::argument(format!("a split needs at least two shares; got {parts}")));
    }
    if let Some(bad) = shares.iter().find(|s| !(s.is_finite() && **s > 0.0)) {
        return Err(Error::argument(format!("the shares of a split must be above 0; got {bad}")));
    }
    let sum: f64 = shares.iter().sum();
    if (sum - 1.0).abs() > 1e-6 {
        return Err(Error::argument(format!("the shares of a split must sum to 1; got {sum}")));
    }
    if n < parts {
        return Err(Error::argument(format!(
            "{} cannot be split into {}",
            counted(n, "image"),
            counted(parts, "part")
        )));
    }
    let mut rng = random::seeded(seed);
    let mut order: Vec<usize> = (0..n).collect();
    random::shuffle(&mut order, &mut rng);
    let mut by_label: Vec<Vec<usize>> = vec![Vec::new(); m];
    for &image in &order {
        table.row(image).iter().for_each(|&l| by_label[l as usize].push(image));
    }
    let counts = table.counts();
    let mut left: Vec<u64> = counts.clone();
    // The rarest label that is left comes first. An entry whose number has fallen since is passed over: there is a newer one.
    let mut by_name: Vec<usize> = (0..m).collect();
    by_name.sort_by_key(|&label| &table.labels()[label]);
    let mut ranks: Vec<u32> = vec![0; m];
    by_name.into_iter().zip(0..).for_each(|(label, rank)| ranks[label] = rank);
    let mut rarest: BinaryHeap<Reverse<(u64, u32, usize)>> =
        (0..m).filter(|&l| left[l] > 0).map(|l| Reverse((left[l], ranks[l], l))).collect();
    // How many images, and images per label, every part still lacks.
    let mut wanted: Vec<f64> = shares.iter().map(|s| s * n as f64).collect();
    let mut wanted_of: Vec<Vec<f64>> = counts.iter().map(|&c| shares.iter().map(|s| s * c as f64).collect()).collect();
    let mut part_of: Vec<Option<usize>> = vec![None; n];

    while let Some(Reverse((number, _, label))) = rarest.pop() {
        if number != left[label] {
            continue;
        }
        interrupt::check()?;
        for &image in &by_label[label] {
            if part_of[image].is_some() {
                continue;
            }
            let part = neediest(&wanted_of[label], &wanted, &mut rng);
            part_of[image] = Some(part);
            wanted[part] -= 1.0;
            for &l in table.row(image) {
                wanted_of[l as usize][part] -= 1.0;
                left[l as usize] -= 1;
                if left[l as usize] > 0 && l as usize != label {
                    rarest.push(Reverse((left[l as usize], ranks[l as usize], l as usize)));
                }
            }
        }
    }
    for &image in &order {
        if part_of[image].is_none() {
            let part = neediest(&wanted, &wanted, &mut rng);
            part_of[image] = Some(part);
            wanted[part] -= 1.0;
        }
    }
    let mut split = vec![Vec::new(); parts];
    for (image, part) in part_of.into_iter().enumerate() {
        split[part.unwrap_or(0)].push(image);
    }
    fill_empty_parts(&mut split, &counts, table, &wanted);
    Ok(split)
}

/// Gives every empty part an image of the part with most images above its share: the image whose rarest label is the
/// most frequent, which the donor misses least. `wanted` is how many images each part lacks.
fn fill_empty_parts(split: &mut [Vec<usize>], counts: &[u64], table: &LabelTable, wanted: &[f64]) {
    let mut lacking = wanted.to_vec();
    while let Some(empty) = split.iter().position(Vec::is_empty) {
        let donors = (0..split.len()).filter(|&part| split[part].len() > 1);
        let Some(donor) = donors.min_by(|&a, &b| lacking[a].total_cmp(&lacking[b])) else { return };
        let rarest = |image: usize| table.row(image).iter().map(|&l| counts[l as usize]).min().unwrap_or(u64::MAX);
        let Some(at) = (0..split[donor].len()).max_by_key(|&at| rarest(split[donor][at])) else { return };
        let image = split[donor].remove(at);
        split[empty].push(image);
        lacking[donor] += 1.0;
        lacking[empty] -= 1.0;
    }
}

/// The part with the highest first value. Ties are broken by the second value, then at random.
fn neediest(first: &[f64], second: &[f64], rng: &mut Generator) -> usize {
    let mut best = vec![0];
    for part in 1..first.len() {
        let order = first[part].total_cmp(&first[best[0]]).then(second[part].total_cmp(&second[best[0]]));
        if order.is_gt() {
            best.clear();
        }
        if order.is_ge() {
            best.push(part);
        }
    }
    if best.len() == 1 { best[0] } else { best[rng.random_range(0..best.len())] }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Labels that get rarer, drawn independently; the last images have none.
    fn table(n: usize, m: usize) -> LabelTable {
        let mut rng = random::seeded(1);
        let lists: Vec<Vec<u32>> = (0..n)
            .map(|_| (0..m as u32).filter(|&l| rng.random::<f64>() < 0.5 / f64::from(l + 1).powf(1.5)).collect())
            .collect();
        let names = |k: usize| (0..k).map(|i| format!("{i:04}")).collect();
        LabelTable::from_lists(names(m), names(n), &lists).unwrap()
    }

    #[test]
    fn every_image_is_in_one_part_and_parts_have_their_size() {
        let t = table(1000, 20);
        let split = stratified_split(&t, &[0.7, 0.2, 0.1], 0).unwrap();
        let mut all: Vec<usize> = split.concat();
        all.sort_unstable();
        assert_eq!(all, (0..1000).collect::<Vec<_>>());
        for (part, share) in split.iter().zip([700, 200, 100]) {
            assert!(part.len().abs_diff(share) <= 15, "{} of {share}", part.len());
        }
        assert_eq!(split, stratified_split(&t, &[0.7, 0.2, 0.1], 0).unwrap());
        assert_ne!(split, stratified_split(&t, &[0.7, 0.2, 0.1], 1).unwrap());
    }

    #[test]
    fn labels_are_spread_better_than_at_random() {
        let t = table(2000, 30);
        let shares = [0.8, 0.2];
        // Mean over labels of |share in the second part − 0.2|, the paper's label distribution measure up to odds.
        let deviation = |part: &[usize]| {
            let whole = t.counts();
            let counts = t.take_images(part).unwrap().counts();
            let off = counts.iter().zip(&whole).filter(|c| *c.1 > 0).map(|(&c, &w)| (c as f64 / w as f64 - 0.2).abs());
            off.sum::<f64>() / whole.iter().filter(|&&w| w > 0).count() as f64
        };
        let stratified = deviation(&stratified_split(&t, &shares, 0).unwrap()[1]);
        let random: Vec<usize> = (0..2000).step_by(5).collect();
        assert!(stratified < 0.5 * deviation(&random), "{stratified} {}", deviation(&random));
        assert!(stratified < 0.02, "{stratified}");
    }

    #[test]
    fn the_rarest_label_reaches_every_part_it_can() {
        let t = table(500, 25);
        let counts = t.counts();
        let rarest = (0..25).filter(|&l| counts[l] >= 4).min_by_key(|&l| counts[l]).unwrap();
        let split = stratified_split(&t, &[0.25; 4], 3).unwrap();
        let held: Vec<u64> = split.iter().map(|p| t.take_images(p).unwrap().counts()[rarest]).collect();
        assert!(held.iter().max().unwrap() - held.iter().min().unwrap() <= 1, "{held:?}");
    }

    #[test]
    fn no_part_is_empty() {
        let t = table(60, 8);
        for (shares, seed) in [(&[0.99, 0.01][..], 0), (&[0.001, 0.998, 0.001][..], 1), (&[0.01; 100][..60], 2)] {
            let sum: f64 = shares.iter().sum();
            let shares: Vec<f64> = shares.iter().map(|s| s / sum).collect();
            let split = stratified_split(&t, &shares, seed).unwrap();
            assert!(split.iter().all(|part| !part.is_empty() && part.is_sorted()), "{shares:?}: {split:?}");
            let mut all = split.concat();
            all.sort_unstable();
            assert_eq!(all, (0..60).collect::<Vec<_>>());
        }
    }

    #[test]
    fn bad_shares_are_refused() {
        let t = table(10, 3);
        let message = |shares: &[f64]| stratified_split(&t, shares, 0).unwrap_err().message;
        assert_eq!(message(&[1.0]), "a split needs at least two shares; got 1");
        assert_eq!(message(&[0.5, 0.4]), "the shares of a split must sum to 1; got 0.9");
        assert_eq!(message(&[1.5, -0.5]), "the shares of a split must be above 0; got -0.5");
        assert!(message(&[1.0 / 11.0; 11]).contains("10 images cannot be split into 11 parts"));
    }
}
