//! Blocks of vectors, to which an operator is applied at once, and loops over them for the processor that is here.

/// Compiles a function for every processor and once more for those with AVX2, and calls the one that fits. Both give the same bits: sums
/// keep their order, and no product is fused with a sum.
///
/// Loops in them go over indices: the parts of iterators are functions of their own, which are called and not inlined where they are
/// compiled in another unit.
macro_rules! for_wide_vectors {
    ($(#[$meta:meta])* $vis:vis fn $name:ident$(<const $n:ident: usize>)?($($argument:ident: $type:ty),* $(,)?) $(-> $answer:ty)? $body:block) => {
        $(#[$meta])*
        $vis fn $name$(<const $n: usize>)?($($argument: $type),*) $(-> $answer)? {
            #[inline(always)]
            #[allow(clippy::needless_range_loop)]
            fn plain$(<const $n: usize>)?($($argument: $type),*) $(-> $answer)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn wide$(<const $n: usize>)?($($argument: $type),*) $(-> $answer)? {
                    plain($($argument),*)
                }
                if is_x86_feature_detected!("avx2") {
                    // SAFETY: the processor has AVX2.
                    return unsafe { wide($($argument),*) };
                }
            }
            plain($($argument),*)
        }
    };
}
pub(in crate::graph) use for_wide_vectors;

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

for_wide_vectors! {
    /// Σ w x over the rows of `x` at `columns`.
    pub fn sum_at(columns: &[u32], values: &[f64], x: &[Row]) -> Row {
        let mut total = [0.0; BLOCK];
        for at in 0..columns.len() {
            add_scaled(&mut total, values[at], &x[columns[at] as usize]);
        }
        total
    }
}

for_wide_vectors! {
    /// Σ w x over all rows of `x`.
    pub fn sum_of(values: &[f64], x: &[Row]) -> Row {
        let mut total = [0.0; BLOCK];
        for at in 0..values.len() {
            add_scaled(&mut total, values[at], &x[at]);
        }
        total
    }
}

for_wide_vectors! {
    /// Qᵀ X: entry (r, c) belongs to column r of Q and column c of X.
    pub fn products(q: &[Row], x: &[Row]) -> [Row; BLOCK] {
        let mut products = [[0.0; BLOCK]; BLOCK];
        for at in 0..q.len() {
            for r in 0..BLOCK {
                add_scaled(&mut products[r], q[at][r], &x[at]);
            }
        }
        products
    }
}

for_wide_vectors! {
    /// Adds Q C to X.
    pub fn add_combined(x: &mut [Row], q: &[Row], c: &[Row; BLOCK]) {
        for at in 0..x.len() {
            for r in 0..BLOCK {
                add_scaled(&mut x[at], q[at][r], &c[r]);
            }
        }
    }
}

/// Adds w x to a row.
#[inline(always)]
pub fn add_scaled(sum: &mut Row, w: f64, x: &Row) {
    for b in 0..BLOCK {
        sum[b] += w * x[b];
    }
}
