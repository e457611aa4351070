//! Counting the pairs of many labels: where each label stands first, then one row of counts a label.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use rayon::prelude::*;

use super::count::Rows;
use super::pairs::PairList;
use crate::activity;
use crate::activity::interrupt;
use crate::error::{Error, Result};

/// On the last label of an image.
const LAST: u32 = 1 << 31;
/// Places that are asked for before they are read: without it half of the time goes into waiting for memory.
const AHEAD: usize = 16;
/// Images whose labels are renumbered together.
const A_PIECE: usize = 1 << 15;

/// n_i and all pairs seen.
///
/// Labels are renumbered by falling n_i. A pair is then counted from its more frequent label: that label's places in
/// the row-by-row list of labels are visited in order, and what follows in the same row is its pairs. So a frequent
/// label reads memory nearly in sequence, a rare one mostly ends its rows and reads nothing, and one row of m counts a
/// thread is all the table there is.
pub(super) fn count(rows: &Rows) -> Result<(Vec<u64>, PairList)> {
    let counts = label_counts(rows)?;
    let m = rows.m;
    let mut order: Vec<u32> = (0..m as u32).collect();
    order.sort_by(|&a, &b| counts[b as usize].cmp(&counts[a as usize]));
    let mut rank = vec![0u32; m];
    order.iter().enumerate().for_each(|(r, &label)| rank[label as usize] = r as u32);
    let ranked = renumbered(rows, &rank)?;
    let (starts, places) = places(&ranked, m)?;
    let seen = AtomicUsize::new(0);
    let task = activity::current();
    let by_rank = (0..m)
        .into_par_iter()
        .with_max_len(1 + m / 512)
        .map_init(
            || vec![0u32; m],
            |row, r| {
                if seen.fetch_add(1, Ordering::Relaxed).is_multiple_of(64) {
                    task.check()?;
                }
                let mine = &places[starts[r]..starts[r + 1]];
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
                Ok(taken(row, r + 1))
            },
        )
        .collect::<Result<Vec<_>>>()?;
    drop((ranked, places));
    let row = |r: usize| (&by_rank[r].0[..], &by_rank[r].1[..]);
    Ok((counts, PairList::relabelling(m, row, &order, m)))
}

/// Asks for the memory that holds `list[at]`, which need not exist, without waiting for it.
#[inline]
fn prefetch(list: &[u32], at: usize) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads nothing, at whatever address.
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
    let a_piece = rows.len().div_ceil(pieces).max(1);
    let task = activity::current();
    let counted: Vec<Vec<u64>> = (0..pieces)
        .into_par_iter()
        .map(|piece| {
            let mut counts = vec![0u64; rows.m];
            for image in (piece * a_piece).min(rows.len())..((piece + 1) * a_piece).min(rows.len()) {
                if image.is_multiple_of(A_PIECE) {
                    task.check()?;
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

/// All rows one after the other in the new numbers, ascending, the last of each marked.
fn renumbered(rows: &Rows, rank: &[u32]) -> Result<Vec<u32>> {
    let mut ranked = vec![0u32; rows.indices.len()];
    let mut pieces = Vec::with_capacity(rows.len() / A_PIECE + 1);
    let mut rest = ranked.as_mut_slice();
    for first in (0..rows.len()).step_by(A_PIECE) {
        let last = (first + A_PIECE).min(rows.len());
        let (piece, others) = rest.split_at_mut((rows.offsets[last] - rows.offsets[first]) as usize);
        pieces.push((first, last, piece));
        rest = others;
    }
    let task = activity::current();
    pieces.into_par_iter().try_for_each(|(first, last, mut piece)| {
        task.check()?;
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

/// Where each label stands in `ranked` without being the last of its row, ascending; label r has `starts[r]..starts[r+1]`.
fn places(ranked: &[u32], m: usize) -> Result<(Vec<usize>, Vec<AtomicU32>)> {
    let a_piece = ranked.len().div_ceil(rayon::current_num_threads().max(1)).max(1);
    // How many of each label every piece holds, then where each piece puts its first one.
    let mut next: Vec<Vec<usize>> = ranked
        .par_chunks(a_piece)
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
    ranked.par_chunks(a_piece).zip(next).enumerate().for_each(|(p, (piece, mut next))| {
        for (at, &label) in piece.iter().enumerate() {
            if label & LAST == 0 {
                let slot = &mut next[label as usize];
                places[*slot].store((p * a_piece + at) as u32, Ordering::Relaxed);
                *slot += 1;
            }
        }
    });
    Ok((starts, places))
}

/// What a row of counts holds from `first` on, which is left all zero.
fn taken(row: &mut [u32], first: usize) -> (Vec<u32>, Vec<u32>) {
    let seen = row[first..].iter().filter(|&&n| n != 0).count();
    let (mut columns, mut counts) = (Vec::with_capacity(seen), Vec::with_capacity(seen));
    for (j, n) in row.iter_mut().enumerate().skip(first).filter(|(_, n)| **n != 0) {
        columns.push(j as u32);
        counts.push(std::mem::take(n));
    }
    (columns, counts)
}
