//! Blocks of vectors, to which an operator is applied at once.

/// The number of vectors in a block. The weights are read once for all of them.
pub const BLOCK: usize = 8;

/// One coordinate of each vector: a row of an m × [`BLOCK`] table.
pub type Row = [f64; BLOCK];

/// Column sums.
pub fn sum(x: &[Row]) -> Row {
    let mut total = [0.0; BLOCK];
    x.iter().for_each(|row| add_scaled(&mut total, 1.0, row));
    total
}

/// Adds w x to a row.
#[inline]
pub fn add_scaled(sum: &mut Row, w: f64, x: &Row) {
    for b in 0..BLOCK {
        sum[b] += w * x[b];
    }
}
