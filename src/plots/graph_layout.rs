//! Positions of the vertices of a label graph: parts on a circle, forces within and between them, no overlap.
//!
//! Forces as in Fruchterman and Reingold, "Graph drawing by force-directed placement", 1991.

use rand::RngExt;

use crate::activity::interrupt;
use crate::error::Result;
use crate::random;

/// An edge between two vertices, its weight from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edge {
    pub from: usize,
    pub to: usize,
    pub weight: f64,
}

/// The extent of a vertex with its label around its centre, in px.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    pub left: f64,
    pub right: f64,
    pub up: f64,
    pub down: f64,
}

/// The centres of all vertices in a field of `size` px. Per vertex, `parts` holds the index of its part and `rooms` its
/// extent. The same seed gives the same layout.
pub fn place(edges: &[Edge], parts: &[usize], rooms: &[Room], size: (f64, f64), seed: u64) -> Result<Vec<(f64, f64)>> {
    let n = parts.len();
    let mut rng = random::seeded(seed ^ 0x6c61_796f_7574);
    let homes = homes(edges, parts, size);
    let mut at: Vec<(f64, f64)> = (0..n)
        .map(|i| {
            let (x, y, radius) = homes[parts[i]];
            let (r, turn) = (radius * rng.random::<f64>().sqrt(), rng.random::<f64>() * std::f64::consts::TAU);
            (x + r * turn.cos(), y + r * turn.sin())
        })
        .collect();
    attract(&mut at, edges, parts, &homes, size)?;
    fill(&mut at, rooms, size);
    separate(&mut at, rooms, size)?;
    Ok(at)
}

/// The centre and radius of each part, on an ellipse; parts that share much weight are neighbours.
fn homes(edges: &[Edge], parts: &[usize], (w, h): (f64, f64)) -> Vec<(f64, f64, f64)> {
    let k = parts.iter().max().map_or(0, |p| p + 1);
    let mut sizes = vec![0.0f64; k];
    parts.iter().for_each(|p| sizes[*p] += 1.0);
    let n = parts.len() as f64;
    let radius = |size: f64| 0.42 * w.min(h) * (size / n).sqrt();
    if k == 1 {
        return vec![(w / 2.0, h / 2.0, radius(n))];
    }
    let mut shared = vec![0.0; k * k];
    for e in edges {
        let (a, b) = (parts[e.from], parts[e.to]);
        shared[a * k + b] += e.weight;
        shared[b * k + a] += e.weight;
    }
    // The largest part first; then always the part that shares most weight with the last one, relative to its size.
    let mut order = vec![(0..k).max_by(|a, b| sizes[*a].total_cmp(&sizes[*b]).then(b.cmp(a))).unwrap_or(0)];
    let mut seated = vec![false; k];
    while order.len() < k {
        let last = order[order.len() - 1];
        seated[last] = true;
        let pull = |p: usize| shared[last * k + p] / sizes[p].sqrt();
        let next = (0..k).filter(|p| !seated[*p]).max_by(|a, b| pull(*a).total_cmp(&pull(*b)).then(b.cmp(a)));
        order.push(next.unwrap_or(0));
    }
    // The arc of a part is proportional to its radius.
    let total: f64 = sizes.iter().map(|s| s.sqrt()).sum();
    let mut homes = vec![(0.0, 0.0, 0.0); k];
    let mut turn = -std::f64::consts::PI * 0.75;
    for p in order {
        let arc = sizes[p].sqrt() / total * std::f64::consts::TAU;
        let middle = turn + arc / 2.0;
        turn += arc;
        homes[p] = (w / 2.0 + 0.33 * w * middle.cos(), h / 2.0 + 0.33 * h * middle.sin(), radius(sizes[p]));
    }
    homes
}

const STEPS: usize = 350;

fn attract(
    at: &mut [(f64, f64)],
    edges: &[Edge],
    parts: &[usize],
    homes: &[(f64, f64, f64)],
    (w, h): (f64, f64),
) -> Result<()> {
    let n = at.len();
    let ideal = 0.75 * (w * h / n as f64).sqrt();
    for step in 0..STEPS {
        interrupt::check()?;
        let mut force = vec![(0.0f64, 0.0f64); n];
        for i in 0..n {
            for j in 0..i {
                let (dx, dy) = (at[i].0 - at[j].0, at[i].1 - at[j].1);
                let square = (dx * dx + dy * dy).max(1.0);
                if square < 36.0 * ideal * ideal {
                    // Vertices of different parts keep more distance.
                    let push = ideal * ideal / square * if parts[i] == parts[j] { 1.0 } else { 1.5 };
                    force[i] = (force[i].0 + dx * push, force[i].1 + dy * push);
                    force[j] = (force[j].0 - dx * push, force[j].1 - dy * push);
                }
            }
        }
        for e in edges {
            let (dx, dy) = (at[e.to].0 - at[e.from].0, at[e.to].1 - at[e.from].1);
            let within = if parts[e.from] == parts[e.to] { 1.0 } else { 0.12 };
            let pull = (dx * dx + dy * dy).sqrt() / ideal * (0.2 + 0.8 * e.weight) * within * 0.5;
            force[e.from] = (force[e.from].0 + dx * pull, force[e.from].1 + dy * pull);
            force[e.to] = (force[e.to].0 - dx * pull, force[e.to].1 - dy * pull);
        }
        let heat = 0.1 * w.min(h) * (1.0 - step as f64 / STEPS as f64).powi(2) + 0.2;
        for i in 0..n {
            let (x, y, _) = homes[parts[i]];
            let (fx, fy) = (force[i].0 + (x - at[i].0) * 0.9, force[i].1 + (y - at[i].1) * 0.9);
            let length = (fx * fx + fy * fy).sqrt().max(1e-9);
            let reach = length.min(heat) / length;
            at[i] = (at[i].0 + fx * reach, at[i].1 + fy * reach);
        }
    }
    Ok(())
}

/// Stretches the drawing over the whole field.
fn fill(at: &mut [(f64, f64)], rooms: &[Room], (w, h): (f64, f64)) {
    let bounds = |value: &dyn Fn(usize) -> (f64, f64)| {
        (0..at.len()).map(value).fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), (a, b)| (lo.min(a), hi.max(b)))
    };
    let (left, right) = bounds(&|i| (at[i].0 - rooms[i].left, at[i].0 + rooms[i].right));
    let (top, bottom) = bounds(&|i| (at[i].1 - rooms[i].up, at[i].1 + rooms[i].down));
    let (sx, sy) = (w / (right - left).max(1.0), h / (bottom - top).max(1.0));
    // Limited, so that clusters do not become stripes.
    let (sx, sy) = (sx.min(sy * 1.5), sy.min(sx * 1.5));
    let middle = ((left + right) / 2.0, (top + bottom) / 2.0);
    for p in at.iter_mut() {
        *p = (w / 2.0 + (p.0 - middle.0) * sx, h / 2.0 + (p.1 - middle.1) * sy);
    }
}

const PUSHES: usize = 400;

/// Pushes vertices apart until no two rooms overlap, or as far as the field allows.
fn separate(at: &mut [(f64, f64)], rooms: &[Room], (w, h): (f64, f64)) -> Result<()> {
    let n = at.len();
    for _ in 0..PUSHES {
        interrupt::check()?;
        let mut moved = false;
        for i in 0..n {
            for j in 0..i {
                let (a, b) = (rooms[i], rooms[j]);
                let (right, left) = (at[i].0 + a.right - at[j].0 + b.left, at[j].0 + b.right - at[i].0 + a.left);
                let (down, up) = (at[i].1 + a.down - at[j].1 + b.up, at[j].1 + b.down - at[i].1 + a.up);
                let (x, y) = (right.min(left), down.min(up));
                if x <= 0.0 || y <= 0.0 {
                    continue;
                }
                moved = true;
                // Along the shorter way out; each vertex moves half of it.
                if x < y {
                    let push = (x / 2.0 + 0.01) * if left < right { 1.0 } else { -1.0 };
                    (at[i].0, at[j].0) = (at[i].0 + push, at[j].0 - push);
                } else {
                    let push = (y / 2.0 + 0.01) * if up < down { 1.0 } else { -1.0 };
                    (at[i].1, at[j].1) = (at[i].1 + push, at[j].1 - push);
                }
            }
        }
        for (p, room) in at.iter_mut().zip(rooms) {
            p.0 = p.0.min(w - room.right).max(room.left);
            p.1 = p.1.min(h - room.down).max(room.up);
        }
        if !moved {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Room = Room { left: 25.0, right: 25.0, up: 6.0, down: 18.0 };

    fn two_cliques() -> (Vec<Edge>, Vec<usize>) {
        let parts: Vec<usize> = (0..20).map(|i| i / 10).collect();
        let edges = (0..20)
            .flat_map(|i| (0..i).map(move |j| (i, j)))
            .filter(|(i, j)| i / 10 == j / 10)
            .map(|(from, to)| Edge { from, to, weight: 1.0 })
            .collect();
        (edges, parts)
    }

    #[test]
    fn parts_stand_apart_and_nothing_overlaps() {
        let (edges, parts) = two_cliques();
        let at = place(&edges, &parts, &[ROOM; 20], (800.0, 600.0), 3).unwrap();
        for i in 0..20 {
            assert!((25.0..=775.0).contains(&at[i].0) && (6.0..=582.0).contains(&at[i].1), "within the field");
            for j in 0..i {
                let apart = (at[i].0 - at[j].0).abs() >= 49.9 || (at[i].1 - at[j].1).abs() >= 23.9;
                assert!(apart, "{i} and {j} overlap: {:?} {:?}", at[i], at[j]);
            }
        }
        let middle = |of: &[(f64, f64)]| {
            let n = of.len() as f64;
            (of.iter().map(|p| p.0).sum::<f64>() / n, of.iter().map(|p| p.1).sum::<f64>() / n)
        };
        let (a, b) = (middle(&at[..10]), middle(&at[10..]));
        let distance = |p: (f64, f64), q: (f64, f64)| (p.0 - q.0).hypot(p.1 - q.1);
        let at_home = (0..20).filter(|&i| (distance(at[i], a) < distance(at[i], b)) == (i < 10)).count();
        assert_eq!(at_home, 20, "every vertex is nearer to its own part");
    }

    #[test]
    fn the_seed_decides() {
        let (edges, parts) = two_cliques();
        let run = |seed| place(&edges, &parts, &[ROOM; 20], (800.0, 600.0), seed).unwrap();
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn one_vertex_and_many_on_a_small_field() {
        assert_eq!(place(&[], &[0], &[ROOM], (100.0, 100.0), 0).unwrap().len(), 1);
        let at = place(&[], &[0; 200], &[ROOM; 200], (200.0, 200.0), 0).unwrap();
        assert!(at.iter().all(|p| p.0.is_finite() && p.1.is_finite()));
    }
}
