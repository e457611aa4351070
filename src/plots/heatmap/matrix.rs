//! The values of a heat map as they are drawn: in order, and averaged in blocks if there are too many.

use super::options::HeatmapOptions;
use crate::activity::interrupt;
use crate::error::Result;

/// More rows or columns than this are averaged in blocks.
const MOST_CELLS: usize = 1000;

/// An n × m matrix with its labels.
pub struct Matrix {
    pub n: usize,
    pub m: usize,
    pub values: Vec<f64>,
    pub rows: Vec<String>,
    pub cols: Vec<String>,
    /// The index of the part of each row and column; empty without parts.
    pub part_of: Vec<usize>,
    /// How many rows and columns are averaged into one cell.
    pub block: usize,
}

impl Matrix {
    pub fn new(
        values: &[f64],
        rows: &[String],
        cols: &[String],
        parts: &[Vec<usize>],
        options: &HeatmapOptions,
    ) -> Result<Self> {
        let (n, m) = (rows.len(), cols.len());
        let strength = |i: usize| (0..m).map(|j| values[i * m + j]).filter(|v| v.is_finite()).sum::<f64>();
        let (order, columns): (Vec<usize>, Vec<usize>) = if parts.is_empty() {
            ((0..n).collect(), (0..m).collect())
        } else {
            let mut order = Vec::with_capacity(n);
            for part in parts {
                let mut part = part.clone();
                if options.strongest_first {
                    part.sort_by(|a, b| strength(*b).total_cmp(&strength(*a)).then(a.cmp(b)));
                }
                order.extend(part);
            }
            (order.clone(), order)
        };
        let mut part_of = vec![0; n];
        let mut next = 0;
        for (p, part) in parts.iter().enumerate() {
            part_of[next..next + part.len()].fill(p);
            next += part.len();
        }
        let value = |i: usize, j: usize| match options.hide_diagonal && n == m && order[i] == columns[j] {
            true => f64::NAN,
            false => values[order[i] * m + columns[j]],
        };
        let block = n.max(m).div_ceil(MOST_CELLS);
        let (blocks_n, blocks_m) = (n.div_ceil(block), m.div_ceil(block));
        let mut averaged = Vec::with_capacity(blocks_n * blocks_m);
        for i in 0..blocks_n {
            interrupt::check()?;
            for j in 0..blocks_m {
                let (mut sum, mut count) = (0.0, 0.0);
                for a in i * block..((i + 1) * block).min(n) {
                    for b in j * block..((j + 1) * block).min(m) {
                        let v = value(a, b);
                        if v.is_finite() {
                            (sum, count) = (sum + v, count + 1.0);
                        }
                    }
                }
                averaged.push(if count > 0.0 { sum / count } else { f64::NAN });
            }
        }
        Ok(Matrix {
            n: blocks_n,
            m: blocks_m,
            values: averaged,
            rows: order.iter().map(|i| rows[*i].clone()).collect(),
            cols: columns.iter().map(|j| cols[*j].clone()).collect(),
            part_of: if parts.is_empty() { Vec::new() } else { part_of },
            block,
        })
    }
}
