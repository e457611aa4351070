//! `Fill`: a rectangle of one colour, which Cutout lays over a picture.

use super::randaugment::Pixels;

/// Rows `top..bottom` and columns `left..right` become `colour`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    pub top: usize,
    pub bottom: usize,
    pub left: usize,
    pub right: usize,
    pub colour: [u8; 3],
}

impl Fill {
    /// From `half` pixels before the centre (x, y) to `half` + `more` behind it, cut off at the border of the picture of `width` ×
    /// `height` pixels.
    pub fn around(
        (x, y): (usize, usize),
        half: usize,
        more: usize,
        width: usize,
        height: usize,
        colour: [u8; 3],
    ) -> Self {
        let range = |centre: usize, size: usize| (centre.saturating_sub(half), (centre + half + more).min(size));
        let ((top, bottom), (left, right)) = (range(y, height), range(x, width));
        Fill { top, bottom, left, right, colour }
    }

    pub fn apply(&self, picture: &mut Pixels) {
        for y in self.top..self.bottom {
            for x in self.left..self.right {
                picture.rgb[(y * picture.width + x) * 3..][..3].copy_from_slice(&self.colour);
            }
        }
    }
}
