//! Counting few labels: one square table per piece of the images, added up at the end.

use rayon::prelude::*;

use super::image_rows::Rows;
use crate::activity;
use crate::error::Result;

/// Images between two checks of the stop flag.
const IMAGES_PER_CHECK: usize = 1 << 16;

/// n_i, and the e_ij as an m × m table with a zero diagonal. Errors: the first row found that breaks the rules.
pub fn count(rows: &Rows) -> Result<(Vec<u64>, Vec<u64>)> {
    let (m, n) = (rows.m, rows.len());
    // Enough pieces to even out, not so many that clearing and adding tables costs more than counting.
    let pieces = (rayon::current_num_threads() * 2).min(n / 4096 + 1);
    let piece_len = n.div_ceil(pieces).max(1);
    let activity = activity::current();
    let tables: Vec<Vec<u32>> = (0..pieces)
        .into_par_iter()
        .map(|piece| {
            // Row i holds n_i at i, and the pairs of label i after it.
            let mut table = vec![0u32; m * m];
            for image in (piece * piece_len).min(n)..((piece + 1) * piece_len).min(n) {
                if image.is_multiple_of(IMAGES_PER_CHECK) {
                    activity.check()?;
                }
                if add_few(&mut table, rows, image) {
                    continue;
                }
                let row = rows.checked(image)?;
                for (at, &i) in row.iter().enumerate() {
                    let of_i = &mut table[i as usize * m..][..m];
                    for &j in &row[at..] {
                        of_i[j as usize] += 1;
                    }
                }
            }
            Ok(table)
        })
        .collect::<Result<_>>()?;
    let mut counts = vec![0; m];
    let mut pairs = vec![0; m * m];
    for i in 0..m {
        counts[i] = tables.iter().map(|t| u64::from(t[i * m + i])).sum();
        for j in i + 1..m {
            let e = tables.iter().map(|t| u64::from(t[i * m + j])).sum();
            pairs[i * m + j] = e;
            pairs[j * m + i] = e;
        }
    }
    Ok((counts, pairs))
}

/// Counts an image of one to eight labels, most of any data set, without a loop: the processor guesses the ends of loops this short
/// wrongly, which takes longer than counting. False for other images and for rows that break the rules.
#[inline]
fn add_few(table: &mut [u32], rows: &Rows, image: usize) -> bool {
    let (from, to) = (rows.offsets[image] as usize, rows.offsets[image + 1] as usize);
    let Some(row) = rows.indices.get(from..to) else { return false };
    match row.len() {
        1 => add::<1>(table, rows.m, row),
        2 => add::<2>(table, rows.m, row),
        3 => add::<3>(table, rows.m, row),
        4 => add::<4>(table, rows.m, row),
        5 => add::<5>(table, rows.m, row),
        6 => add::<6>(table, rows.m, row),
        7 => add::<7>(table, rows.m, row),
        8 => add::<8>(table, rows.m, row),
        _ => false,
    }
}

/// Counts an image of so many labels. False for a row that breaks the rules.
#[inline(always)]
fn add<const LABELS: usize>(table: &mut [u32], m: usize, row: &[u32]) -> bool {
    let Ok(row) = <&[u32; LABELS]>::try_from(row) else { return false };
    let mut keeps_rules = (row[LABELS - 1] as usize) < m;
    for at in 1..LABELS {
        keeps_rules &= row[at - 1] < row[at];
    }
    if !keeps_rules {
        return false;
    }
    for first in 0..LABELS {
        for second in first..LABELS {
            table[row[first] as usize * m + row[second] as usize] += 1;
        }
    }
    true
}
