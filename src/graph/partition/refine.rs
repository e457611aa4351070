//! Refinement of a partition: single-label moves as long as the normalised cut falls.

use super::normalised_cut::Graph;
use crate::activity::interrupt;
use crate::error::Result;

/// The least fall of a cut that counts: anything less is rounding.
const LEAST_GAIN: f64 = 1e-12;

/// An assignment that changes. Ncut = Σ_t (1 - inside_t / volume_t), so a move is evaluated from sums per task.
struct Moves<'a> {
    graph: &'a Graph<'a>,
    k: usize,
    /// The largest number of labels of a task.
    most: usize,
    assignment: Vec<usize>,
    sizes: Vec<usize>,
    volume: Vec<f64>,
    inside: Vec<f64>,
    /// m × k: the weight between each label and each task, without the label itself.
    links: Vec<f64>,
}

impl<'a> Moves<'a> {
    fn new(graph: &'a Graph<'a>, assignment: &[usize], k: usize, most: usize) -> Self {
        let m = graph.len();
        let (mut sizes, mut volume, mut inside) = (vec![0; k], vec![0.0; k], vec![0.0; k]);
        let mut links = vec![0.0; m * k];
        for (i, &t) in assignment.iter().enumerate() {
            sizes[t] += 1;
            volume[t] += graph.degrees[i];
            let into = &mut links[i * k..][..k];
            graph.weights.for_row(i, |j, w| into[assignment[j]] += w);
            inside[t] += graph.own + into[t];
        }
        Moves { graph, k, most, assignment: assignment.to_vec(), sizes, volume, inside, links }
    }

    fn part(inside: f64, volume: f64) -> f64 {
        // A task without weight is not cut.
        if volume > 0.0 { inside / volume } else { 1.0 }
    }

    /// The fall of the cut when label `i` moves to task `to`.
    fn gain(&self, i: usize, to: usize) -> f64 {
        let from = self.assignment[i];
        let (own, degree) = (self.graph.own, self.graph.degrees[i]);
        let into = &self.links[i * self.k..][..self.k];
        let before = Self::part(self.inside[from], self.volume[from]) + Self::part(self.inside[to], self.volume[to]);
        let left = Self::part(self.inside[from] - 2.0 * into[from] - own, self.volume[from] - degree);
        let joined = Self::part(self.inside[to] + 2.0 * into[to] + own, self.volume[to] + degree);
        left + joined - before
    }

    /// The move that lowers the cut most and empties no task.
    fn best(&self) -> Option<(usize, usize)> {
        let mut best = (LEAST_GAIN, None);
        for (i, &from) in self.assignment.iter().enumerate() {
            if self.sizes[from] == 1 {
                continue;
            }
            for to in (0..self.k).filter(|&to| to != from && self.sizes[to] < self.most) {
                let gain = self.gain(i, to);
                if gain > best.0 {
                    best = (gain, Some((i, to)));
                }
            }
        }
        best.1
    }

    fn move_label(&mut self, i: usize, to: usize) {
        let from = std::mem::replace(&mut self.assignment[i], to);
        let (own, degree, k) = (self.graph.own, self.graph.degrees[i], self.k);
        self.inside[from] -= 2.0 * self.links[i * k + from] + own;
        self.inside[to] += 2.0 * self.links[i * k + to] + own;
        self.volume[from] -= degree;
        self.volume[to] += degree;
        self.sizes[from] -= 1;
        self.sizes[to] += 1;
        let links = &mut self.links;
        self.graph.weights.for_row(i, |j, w| {
            links[j * k + from] -= w;
            links[j * k + to] += w;
        });
    }

    /// Steepest descent to a partition that no single move improves.
    fn descend(&mut self) -> Result<()> {
        while let Some((i, to)) = self.best() {
            interrupt::check()?;
            self.move_label(i, to);
        }
        Ok(())
    }
}

/// The end of the steepest descent from `assignment`, with at most `most` labels per task, and its cut.
pub fn refine(graph: &Graph, assignment: &[usize], k: usize, most: usize) -> Result<(Vec<usize>, f64)> {
    let mut moves = Moves::new(graph, assignment, k, most);
    moves.descend()?;
    // Computed anew, without the rounding of many small changes.
    let cut = graph.ncut(&moves.assignment, k);
    Ok((moves.assignment, cut))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::spectral::Weights;
    use nalgebra::DMatrix;

    fn matrix(m: usize) -> DMatrix<f64> {
        let weight = |i: usize, j: usize| ((i * j + i + j) as f64 * 0.7).sin().abs();
        DMatrix::from_fn(m, m, |i, j| if i == j { 0.0 } else { weight(i, j) })
    }

    #[test]
    fn a_gain_is_what_the_cut_falls_by() {
        let matrix = matrix(12);
        for own in [0.0, 1.0] {
            let degrees: Vec<f64> = matrix.column_iter().map(|c| own + c.sum()).collect();
            let graph = Graph { weights: &Weights::Dense(matrix.clone()), degrees: &degrees, own };
            let mut moves = Moves::new(&graph, &[0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2], 3, 12);
            for (i, to) in [(0, 1), (4, 2), (7, 0), (0, 2), (11, 1)] {
                let before = graph.ncut(&moves.assignment, 3);
                let gain = moves.gain(i, to);
                moves.move_label(i, to);
                assert!((before - gain - graph.ncut(&moves.assignment, 3)).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn no_single_move_betters_the_end() {
        let matrix = matrix(15);
        let degrees: Vec<f64> = matrix.column_iter().map(|c| c.sum()).collect();
        let graph = Graph { weights: &Weights::Dense(matrix.clone()), degrees: &degrees, own: 0.0 };
        let start: Vec<usize> = (0..15).map(|i| i % 4).collect();
        let (end, cut) = refine(&graph, &start, 4, 15).unwrap();
        assert!(cut < graph.ncut(&start, 4));
        for i in 0..15 {
            for to in 0..4 {
                let mut other = end.clone();
                other[i] = to;
                let empty = (0..4).any(|t| !other.contains(&t));
                assert!(empty || graph.ncut(&other, 4) > cut - 1e-11);
            }
        }
    }
}
