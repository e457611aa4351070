//! Positions of labels: next to points where there is room, and in a column without overlap.

use super::text;

/// A rectangle in px.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rect {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

impl Rect {
    /// The area that two rectangles share.
    pub fn overlap(&self, other: &Rect) -> f64 {
        let x = (self.x + self.width).min(other.x + other.width) - self.x.max(other.x);
        let y = (self.y + self.height).min(other.y + other.height) - self.y.max(other.y);
        x.max(0.0) * y.max(0.0)
    }
}

/// A point with a name: its centre and radius in px.
#[derive(Clone, Copy, Debug)]
pub struct Point<'a> {
    pub x: f64,
    pub y: f64,
    pub radius: f64,
    pub name: &'a str,
    pub font: f64,
}

impl Point<'_> {
    fn disc(&self) -> Rect {
        let r = self.radius;
        Rect { x: self.x - r, y: self.y - r, width: 2.0 * r, height: 2.0 * r }
    }

    /// Below, above, right, left, then the four corners.
    fn candidates(&self) -> [Rect; 8] {
        let (w, h, r) = (text::width(self.name, self.font, false), self.font * 1.05, self.radius);
        let (near, corner) = (r + 2.0, r * 0.7 + 1.0);
        [
            (-w / 2.0, near),
            (-w / 2.0, -near - h),
            (near + 1.0, -h / 2.0),
            (-near - 1.0 - w, -h / 2.0),
            (corner, corner),
            (corner, -corner - h),
            (-corner - w, corner),
            (-corner - w, -corner - h),
        ]
        .map(|(x, y)| Rect { x: self.x + x, y: self.y + y, width: w, height: h })
    }
}

/// The rectangle of each point's label, within `field`. Earlier points choose first. A label that covers another label
/// or point in every position is kept if `crowded` is true, and left out otherwise.
pub fn labels(points: &[Point<'_>], field: Rect, crowded: bool) -> Vec<Option<Rect>> {
    let discs: Vec<Rect> = points.iter().map(Point::disc).collect();
    let mut placed: Vec<Rect> = Vec::new();
    let outside = |r: &Rect| r.width * r.height - r.overlap(&field);
    points
        .iter()
        .enumerate()
        .map(|(i, point)| {
            let cost = |r: &Rect| {
                let others = discs.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, d)| r.overlap(d)).sum::<f64>();
                2.0 * placed.iter().map(|p| r.overlap(p)).sum::<f64>() + others + 4.0 * outside(r)
            };
            // Of equal costs the first candidate is taken: below the point if nothing is in the way.
            let costs = point.candidates().into_iter().map(|r| (cost(&r), r));
            let best = costs.reduce(|a, b| if b.0 < a.0 - 1e-9 { b } else { a });
            let (cost, rect) = best?;
            if cost > 0.04 * rect.width * rect.height && !crowded {
                return None;
            }
            placed.push(rect);
            Some(rect)
        })
        .collect()
}

/// The centres of labels of `height` px, as near to `wanted` as possible without overlap, from `top` to `bottom` if
/// there is room. In the order of `wanted`.
pub fn column(wanted: &[f64], height: f64, top: f64, bottom: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]).then(a.cmp(b)));
    // Runs of labels that touch, each centred on the mean of its wanted centres (pool adjacent violators).
    let mut runs: Vec<(f64, usize)> = Vec::new();
    let start = |sum: f64, count: usize| {
        let middle = sum / count as f64 - (count - 1) as f64 * height / 2.0;
        middle.min(bottom - height / 2.0 - (count - 1) as f64 * height).max(top + height / 2.0)
    };
    for i in &order {
        runs.push((wanted[*i], 1));
        while let [.., a, b] = runs[..]
            && start(a.0, a.1) + a.1 as f64 * height > start(b.0, b.1)
        {
            runs.truncate(runs.len() - 2);
            runs.push((a.0 + b.0, a.1 + b.1));
        }
    }
    let mut centres = vec![0.0; wanted.len()];
    let places = runs.iter().flat_map(|(sum, count)| (0..*count).map(move |i| start(*sum, *count) + i as f64 * height));
    for (i, place) in order.iter().zip(places) {
        centres[*i] = place;
    }
    centres
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_moves_as_little_as_it_must() {
        assert_eq!(column(&[10.0, 50.0], 12.0, 0.0, 100.0), [10.0, 50.0]);
        assert_eq!(column(&[50.0, 50.0], 10.0, 0.0, 100.0), [45.0, 55.0]);
        assert_eq!(column(&[99.0, 99.0, 1.0], 10.0, 0.0, 100.0), [85.0, 95.0, 5.0]);
        let many = column(&[20.0; 5], 10.0, 0.0, 100.0);
        assert!(many.windows(2).all(|w| (w[1] - w[0] - 10.0).abs() < 1e-9) && many[0] >= 0.0, "{many:?}");
    }

    #[test]
    fn labels_do_not_cover_each_other() {
        let field = Rect { x: 0.0, y: 0.0, width: 300.0, height: 300.0 };
        let point = |x: f64, y: f64| Point { x, y, radius: 4.0, name: "some label", font: 11.0 };
        let points: Vec<Point> =
            (0..12).map(|i| point(60.0 + 60.0 * f64::from(i % 4), 60.0 + 30.0 * f64::from(i / 4))).collect();
        let rects: Vec<Rect> = labels(&points, field, false).into_iter().flatten().collect();
        assert!(rects.len() >= 10, "{}", rects.len());
        for (i, a) in rects.iter().enumerate() {
            assert!(rects[..i].iter().all(|b| a.overlap(b) < 0.05 * a.width * a.height));
        }
        let same = vec![point(100.0, 100.0); 30];
        assert_eq!(labels(&same, field, true).iter().flatten().count(), 30);
        assert!(labels(&same, field, false).iter().flatten().count() < 30);
    }
}
