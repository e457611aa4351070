//! Crops from a fixed list of sizes, as several published systems train: a rectangle of whole pixels.

use rand::RngExt;

/// A rectangle of whole pixels inside a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rectangle {
    pub left: u32,
    pub top: u32,
    pub width: u32,
    pub height: u32,
}

/// Sides of [`multi_scale`] as shares of the picture's shorter side.
const SCALES: [f64; 5] = [1.0, 0.875, 0.75, 0.66, 0.5];
/// Width and height are at most this many scales apart.
const DISTORTION: usize = 2;
/// Sides of [`squares`] as tenths of the picture's shorter side: 640, 576, 512, 384 and 320 of 640.
const TENTHS: [u32; 5] = [10, 9, 8, 6, 5];

/// The crop that ML-GCN, ADD-GCN, DSDL, CPCL and MGTN train with (`MultiScaleCrop` of their code): width and height from five
/// shares of the shorter side, at 13 places. A side within two pixels of `size` is `size`.
///
/// `width` and `height` are at least 1.
pub fn multi_scale(width: u32, height: u32, size: u32, rng: &mut impl rand::Rng) -> Rectangle {
    let shorter = width.min(height);
    let sides = SCALES.map(|share| {
        let side = (f64::from(shorter) * share) as u32;
        // Where the picture is smaller than `size`, the reference would look outside of it.
        if side.abs_diff(size) < 3 { size.min(shorter) } else { side.max(1) }
    });
    let pairs: Vec<(u32, u32)> = (0..SCALES.len())
        .flat_map(|h| (0..SCALES.len()).map(move |w| (w, h)))
        .filter(|(w, h)| w.abs_diff(*h) <= DISTORTION)
        .map(|(w, h)| (sides[w], sides[h]))
        .collect();
    let (w, h) = pairs[rng.random_range(0..pairs.len())];
    let (step_x, step_y) = ((width - w) / 4, (height - h) / 4);
    let (x, y) = PLACES[rng.random_range(0..PLACES.len())];
    Rectangle { left: x * step_x, top: y * step_y, width: w, height: h }
}

/// Corners, middle, middles of the edges, middles of the quarters, in quarters of what the crop leaves free.
const PLACES: [(u32, u32); 13] =
    [(0, 0), (4, 0), (0, 4), (4, 4), (2, 2), (0, 2), (4, 2), (2, 4), (2, 0), (1, 1), (3, 1), (1, 3), (3, 3)];

/// The crop that SSGRL and C-Tran train with: a square of one of five sides, anywhere.
///
/// `width` and `height` are at least 1.
pub fn squares(width: u32, height: u32, rng: &mut impl rand::Rng) -> Rectangle {
    let shorter = width.min(height);
    let side = (u64::from(shorter) * u64::from(TENTHS[rng.random_range(0..TENTHS.len())]) / 10).max(1) as u32;
    let (left, top) = (rng.random_range(0..=width - side), rng.random_range(0..=height - side));
    Rectangle { left, top, width: side, height: side }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::random::numbered;

    #[test]
    fn multi_scale_crops_have_the_sides_and_places_of_the_reference() {
        let mut rng = numbered("test", &[0]);
        let drawn: BTreeSet<_> = (0..20_000)
            .map(|_| multi_scale(512, 512, 448, &mut rng))
            .map(|r| (r.width, r.height, r.left, r.top))
            .collect();
        let sides: BTreeSet<u32> = drawn.iter().map(|r| r.0).collect();
        // int(512 · share); 448 is 512 · 0.875.
        assert_eq!(sides, BTreeSet::from([512, 448, 384, 337, 256]));
        // 19 of 25 pairs are at most two scales apart.
        assert_eq!(drawn.iter().map(|r| (r.0, r.1)).collect::<BTreeSet<_>>().len(), 19);
        assert!(!drawn.iter().any(|r| (r.0, r.1) == (512, 256) || (r.0, r.1) == (512, 337)));
        // A step is (512 - 337) / 4 = 43 in whole pixels: the right place is 172, not 175.
        let places: BTreeSet<_> = drawn.iter().filter(|r| (r.0, r.1) == (337, 337)).map(|r| (r.2, r.3)).collect();
        assert_eq!(places.len(), 13);
        assert!(places.contains(&(172, 172)) && places.contains(&(43, 129)) && !places.contains(&(0, 43)));
    }

    #[test]
    fn crops_lie_inside_of_pictures_of_any_size() {
        let mut rng = numbered("test", &[1]);
        for (width, height, size) in [(1, 1, 448), (2, 300, 448), (447, 446, 448), (640, 480, 448), (5, 5, 4)] {
            for _ in 0..500 {
                for r in [multi_scale(width, height, size, &mut rng), squares(width, height, &mut rng)] {
                    assert!(r.width >= 1 && r.height >= 1, "{r:?}");
                    assert!(r.left + r.width <= width && r.top + r.height <= height, "{r:?}");
                }
            }
        }
    }

    #[test]
    fn squares_have_the_sides_of_the_reference() {
        let mut rng = numbered("test", &[2]);
        let sides: BTreeSet<u32> = (0..500).map(|_| squares(640, 640, &mut rng).width).collect();
        assert_eq!(sides, BTreeSet::from([640, 576, 512, 384, 320]));
    }
}
