//! Counting many labels: first the places of each label in the images, then one row of counts per label.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use rayon::prelude::*;

use super::image_rows::Rows;
use super::pair_list::PairList;
use crate::activity;
use crate::activity::interrupt;
use crate::error::{Error, Result};
use crate::memory;

/// Marks the last label of an image.
const LAST: u32 = 1 << 31;
/// How many places ahead memory is prefetched: without it half of the time is spent waiting for memory.
const AHEAD: usize = 16;
/// Images whose labels are renumbered together.
const PIECE: usize = 1 << 15;
/// Places of a label whose pairs are collected one by one.
const FEW: usize = 64;
/// Bytes per pair while it is counted, sorted and held.
const PAIR_BYTES: u64 = 32;

/// n_i and all pairs seen.
///
/// Labels are renumbered by falling n_i. A pair is then counted from its more frequent label: the places of that label
/// in the row-by-row list of labels are visited in order, and the labels that follow in the same row are its pairs. So
/// a frequent label reads memory nearly in sequence, and a rare one is mostly the last of its rows and reads nothing.
/// Each thread holds a single row of m counts and no table.
pub fn count(rows: &Rows) -> Result<(Vec<u64>, PairList)> {
    let counts = label_counts(rows)?;
    let m = rows.m;
    let mut order: Vec<u32> = (0..m as u32).collect();
    order.sort_by(|&a, &b| counts[b as usize].cmp(&counts[a as usize]));
    let mut rank = vec![0u32; m];
    order.iter().enumerate().for_each(|(r, &label)| rank[label as usize] = r as u32);
    let ranked = renumbered(rows, &rank)?;
    let (starts, places) = places(&ranked, m)?;
    let seen = AtomicUsize::new(0);
    // A line of many labels stands for the square of their number in pairs.
    let (pairs, most) = (AtomicU64::new(0), memory::left() / PAIR_BYTES);
    let activity = activity::current();
    let by_rank = (0..m)
        .into_par_iter()
        .with_max_len(1 + m / 512)
        .map_init(
            || vec![0u32; m],
            |row, r| {
                if seen.fetch_add(1, Ordering::Relaxed).is_multiple_of(64) {
                    activity.check()?;
                }
                let mine = &places[starts[r]..starts[r + 1]];
                if mine.len() <= FEW {
                    let found = of_few(&ranked, mine, row);
                    return fits(&pairs, found.0.len(), most).map(|()| found);
                }
                for (at, place) in mine.iter().enumerate() {
                    if let Some(later) = mine.get(at + AHEAD) {
                        prefetch(&ranked, later.load(Ordering::Relaxed) as usize + 1);
                    }
                    for &label in &ranked[place.load(Ordering::Relaxed) as usize + 1..] {
                        row[(label & !LAST) as usize] += 1;
                        if label & LAST != 0 {
                            break;
                        }
                    }
                }
                let found = taken(row, r + 1);
                fits(&pairs, found.0.len(), most).map(|()| found)
            },
        )
        .collect::<Result<Vec<_>>>()?;
    drop((ranked, places));
    let row = |r: usize| (&by_rank[r].0[..], &by_rank[r].1[..]);
    Ok((counts, PairList::relabelling(m, row, &order, m)))
}

/// Prefetches the memory of `list[at]`, which need not exist, without waiting for it.
#[inline]
fn prefetch(list: &[u32], at: usize) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch never faults, whatever the address.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(list.as_ptr().wrapping_add(at).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (list, at);
}

/// n_i. Errors: the first row found that breaks the rules.
fn label_counts(rows: &Rows) -> Result<Vec<u64>> {
    let pieces = rayon::current_num_threads().max(1);
    let piece_len = rows.len().div_ceil(pieces).max(1);
    let activity = activity::current();
    let counted: Vec<Vec<u64>> = (0..pieces)
        .into_par_iter()
        .map(|piece| {
            let mut counts = vec![0u64; rows.m];
            for image in (piece * piece_len).min(rows.len())..((piece + 1) * piece_len).min(rows.len()) {
                if image.is_multiple_of(PIECE) {
                    activity.check()?;
                }
                for &label in rows.checked(image)? {
                    counts[label as usize] += 1;
                }
            }
            Ok(counts)
        })
        .collect::<Result<_>>()?;
    Ok((0..rows.m).map(|i| counted.iter().map(|c| c[i]).sum()).collect())
}

/// All rows in sequence in the new numbers, each ascending, with its last label marked.
fn renumbered(rows: &Rows, rank: &[u32]) -> Result<Vec<u32>> {
    let mut ranked = vec![0u32; rows.indices.len()];
    let mut pieces = Vec::with_capacity(rows.len() / PIECE + 1);
    let mut rest = ranked.as_mut_slice();
    for first in (0..rows.len()).step_by(PIECE) {
        let last = (first + PIECE).min(rows.len());
        let (piece, others) = rest.split_at_mut((rows.offsets[last] - rows.offsets[first]) as usize);
        pieces.push((first, last, piece));
        rest = others;
    }
    let activity = activity::current();
    pieces.into_par_iter().try_for_each(|(first, last, mut piece)| {
        activity.check()?;
        for image in first..last {
            let row = &rows.indices[rows.offsets[image] as usize..rows.offsets[image + 1] as usize];
            let (out, others) = piece.split_at_mut(row.len());
            out.iter_mut().zip(row).for_each(|(out, &label)| *out = rank[label as usize]);
            out.sort_unstable();
            if let Some(end) = out.last_mut() {
                *end |= LAST;
            }
            piece = others;
        }
        Ok::<(), Error>(())
    })?;
    Ok(ranked)
}

/// The positions of each label in `ranked` where it is not the last of its row, ascending; those of label r are
/// `starts[r]..starts[r + 1]`.
fn places(ranked: &[u32], m: usize) -> Result<(Vec<usize>, Vec<AtomicU32>)> {
    let piece_len = ranked.len().div_ceil(rayon::current_num_threads().max(1)).max(1);
    // The number of each label in each piece, then the place of the first one of each piece.
    let mut next: Vec<Vec<usize>> = ranked
        .par_chunks(piece_len)
        .map(|piece| {
            let mut counts = vec![0usize; m];
            piece.iter().filter(|&&label| label & LAST == 0).for_each(|&label| counts[label as usize] += 1);
            counts
        })
        .collect();
    let mut starts = vec![0usize; m + 1];
    let mut total = 0;
    for r in 0..m {
        for counts in &mut next {
            total += std::mem::replace(&mut counts[r], total);
        }
        starts[r + 1] = total;
    }
    interrupt::check()?;
    let places: Vec<AtomicU32> = (0..total).into_par_iter().map(|_| AtomicU32::new(0)).collect();
    ranked.par_chunks(piece_len).zip(next).enumerate().for_each(|(p, (piece, mut next))| {
        for (at, &label) in piece.iter().enumerate() {
            if label & LAST == 0 {
                let slot = &mut next[label as usize];
                places[*slot].store((p * piece_len + at) as u32, Ordering::Relaxed);
                *slot += 1;
            }
        }
    });
    Ok((starts, places))
}

/// The counts of a label with few places: those that are not zero are collected, since looking for them among m labels
/// for each label would take m² steps. Leaves `row` all zero.
fn of_few(ranked: &[u32], mine: &[AtomicU32], row: &mut [u32]) -> (Vec<u32>, Vec<u32>) {
    let mut columns = Vec::new();
    for place in mine {
        for &label in &ranked[place.load(Ordering::Relaxed) as usize + 1..] {
            let count = &mut row[(label & !LAST) as usize];
            if *count == 0 {
                columns.push(label & !LAST);
            }
            *count += 1;
            if label & LAST != 0 {
                break;
            }
        }
    }
    columns.sort_unstable();
    let counts = columns.iter().map(|&label| std::mem::take(&mut row[label as usize])).collect();
    (columns, counts)
}

/// Errors: there are more pairs than fit into memory.
fn fits(pairs: &AtomicU64, more: usize, most: u64) -> Result<()> {
    let pairs = pairs.fetch_add(more as u64, Ordering::Relaxed) + more as u64;
    match pairs > most {
        true => Err(Error::data(format!("the pairs of labels that are seen do not fit into memory: more than {most}"))
            .with_help("take_labels or drop_rare leaves fewer labels")),
        false => Ok(()),
    }
}

/// Takes the counts of a row from `first` on, and leaves it all zero.
fn taken(row: &mut [u32], first: usize) -> (Vec<u32>, Vec<u32>) {
    let seen = row[first..].iter().filter(|&&n| n != 0).count();
    let (mut columns, mut counts) = (Vec::with_capacity(seen), Vec::with_capacity(seen));
    for (j, n) in row.iter_mut().enumerate().skip(first).filter(|(_, n)| **n != 0) {
        columns.push(j as u32);
        counts.push(std::mem::take(n));
    }
    (columns, counts)
}
