//! `SymmetricRows`: a sparse symmetric table, row by row.

/// A symmetric m × m table with a zero diagonal, of which only the entries of pairs seen are held.
#[derive(Clone, Debug, PartialEq)]
pub struct SymmetricRows {
    offsets: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f64>,
}

impl SymmetricRows {
    /// The table of the pairs i < j that `visit` gives, in order of i and then of j; it is called twice.
    pub fn new(m: usize, visit: impl Fn(&mut dyn FnMut(usize, usize, f64))) -> Self {
        let mut offsets = vec![0usize; m + 1];
        visit(&mut |i, j, _| {
            offsets[i + 1] += 1;
            offsets[j + 1] += 1;
        });
        (1..=m).for_each(|i| offsets[i] += offsets[i - 1]);
        let mut next = offsets[..m].to_vec();
        let (mut columns, mut values) = (vec![0u32; offsets[m]], vec![0.0; offsets[m]]);
        visit(&mut |i, j, value| {
            for (row, column) in [(i, j), (j, i)] {
                columns[next[row]] = column as u32;
                values[next[row]] = value;
                next[row] += 1;
            }
        });
        SymmetricRows { offsets, columns, values }
    }

    /// The held entries of row i at their columns, ascending.
    pub fn row(&self, i: usize) -> (&[u32], &[f64]) {
        let range = self.offsets[i]..self.offsets[i + 1];
        (&self.columns[range.clone()], &self.values[range])
    }

    /// The number of held entries.
    pub fn num_held(&self) -> usize {
        self.values.len()
    }

    /// m, the number of rows.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    pub fn get(&self, i: usize, j: usize) -> f64 {
        let (columns, values) = self.row(i);
        columns.binary_search(&(j as u32)).map_or(0.0, |at| values[at])
    }

    /// The same table with label `order[i]` at i.
    pub fn reordered(&self, order: &[usize]) -> Self {
        let m = self.len();
        let mut place = vec![0u32; m];
        order.iter().enumerate().for_each(|(new, &old)| place[old] = new as u32);
        let mut offsets = Vec::with_capacity(m + 1);
        offsets.push(0);
        let mut end = 0;
        for &old in order {
            end += self.row(old).0.len();
            offsets.push(end);
        }
        let mut next = offsets[..m].to_vec();
        let (mut columns, mut values) = (vec![0u32; end], vec![0.0; end]);
        // Columns are added to all rows in the new order, so that every row is ascending.
        for (new, &old) in order.iter().enumerate() {
            let (row, row_values) = self.row(old);
            for (&j, &value) in row.iter().zip(row_values) {
                let at = &mut next[place[j as usize] as usize];
                columns[*at] = new as u32;
                values[*at] = value;
                *at += 1;
            }
        }
        SymmetricRows { offsets, columns, values }
    }
}
