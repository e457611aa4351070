//! Colours: single colours, ramps for numbers, and a palette for parts that colour-blind readers can tell apart.

use serde::{Deserialize, Serialize};

/// sRGB, 0 to 255 each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour(pub u8, pub u8, pub u8);

impl Colour {
    /// `#rrggbb`.
    pub fn hex(self) -> String {
        format!("#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }

    /// From this colour (`t` = 0) to `other` (`t` = 1), perceptually uniform: a straight line in OKLab
    /// (Ottosson, "A perceptual color space for image processing", 2020).
    pub fn mix(self, other: Colour, t: f64) -> Colour {
        let (a, b) = (self.oklab(), other.oklab());
        Colour::from_oklab(std::array::from_fn(|i| a[i] + (b[i] - a[i]) * t))
    }

    /// The same hue, dark enough to read as text on white.
    pub fn as_ink(self) -> Colour {
        let [l, a, b] = self.oklab();
        if l <= 0.55 { self } else { Colour::from_oklab([0.55, a, b]) }
    }

    /// 0 is black, 1 white, perceptually uniform.
    pub fn lightness(self) -> f64 {
        self.oklab()[0]
    }

    fn oklab(self) -> [f64; 3] {
        let [r, g, b] = [self.0, self.1, self.2].map(|c| {
            let c = f64::from(c) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        });
        let l = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b).cbrt();
        let m = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b).cbrt();
        let s = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b).cbrt();
        [
            0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
            1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
            0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s,
        ]
    }

    fn from_oklab([lightness, a, b]: [f64; 3]) -> Colour {
        let l = (lightness + 0.3963377774 * a + 0.2158037573 * b).powi(3);
        let m = (lightness - 0.1055613458 * a - 0.0638541728 * b).powi(3);
        let s = (lightness - 0.0894841775 * a - 1.2914855480 * b).powi(3);
        let [r, g, b] = [
            4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
            -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
            -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s,
        ]
        .map(|c| {
            let c = if c <= 0.0031308 { 12.92 * c } else { 1.055 * c.max(0.0).powf(1.0 / 2.4) - 0.055 };
            (c * 255.0).round().clamp(0.0, 255.0) as u8
        });
        Colour(r, g, b)
    }
}

/// A colour scale for numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ramp {
    /// White through blue-green to deep purple: low values look like paper, high ones like ink.
    #[default]
    Paper,
    /// Dark purple through green to yellow.
    Viridis,
    /// Black through purple and orange to pale yellow.
    Magma,
    /// Black through red and orange to pale yellow, brighter than magma.
    Inferno,
    /// Blue, green, yellow, red: the rainbow of class activation maps.
    Jet,
    /// Blue through white to red, white in the middle.
    Diverging,
}

impl Ramp {
    /// Evenly spaced stops.
    fn stops(self) -> &'static [Colour] {
        match self {
            Ramp::Paper => &[
                Colour(0xff, 0xff, 0xff),
                Colour(0xe3, 0xf0, 0xe6),
                Colour(0xb4, 0xdc, 0xcb),
                Colour(0x74, 0xbf, 0xb9),
                Colour(0x3b, 0x9a, 0xad),
                Colour(0x28, 0x70, 0x9c),
                Colour(0x2c, 0x48, 0x80),
                Colour(0x2d, 0x25, 0x5c),
                Colour(0x1c, 0x0c, 0x33),
            ],
            Ramp::Viridis => &[
                Colour(0x44, 0x01, 0x54),
                Colour(0x47, 0x2d, 0x7b),
                Colour(0x3b, 0x52, 0x8b),
                Colour(0x2c, 0x72, 0x8e),
                Colour(0x21, 0x91, 0x8c),
                Colour(0x28, 0xae, 0x80),
                Colour(0x5e, 0xc9, 0x62),
                Colour(0xad, 0xdc, 0x30),
                Colour(0xfd, 0xe7, 0x25),
            ],
            Ramp::Magma => &[
                Colour(0x00, 0x00, 0x04),
                Colour(0x1d, 0x11, 0x47),
                Colour(0x51, 0x12, 0x7c),
                Colour(0x83, 0x26, 0x81),
                Colour(0xb7, 0x37, 0x79),
                Colour(0xe6, 0x51, 0x64),
                Colour(0xfb, 0x88, 0x61),
                Colour(0xfe, 0xc2, 0x87),
                Colour(0xfc, 0xfd, 0xbf),
            ],
            Ramp::Inferno => &[
                Colour(0x00, 0x00, 0x04),
                Colour(0x21, 0x0c, 0x4a),
                Colour(0x57, 0x10, 0x6e),
                Colour(0x8a, 0x22, 0x6a),
                Colour(0xbc, 0x37, 0x54),
                Colour(0xe3, 0x59, 0x33),
                Colour(0xf9, 0x8c, 0x0a),
                Colour(0xf9, 0xc9, 0x32),
                Colour(0xfc, 0xff, 0xa4),
            ],
            Ramp::Jet => &[
                Colour(0x20, 0x2c, 0x9b),
                Colour(0x1f, 0x6f, 0xe0),
                Colour(0x22, 0xb5, 0xd8),
                Colour(0x5a, 0xd1, 0x7e),
                Colour(0xc8, 0xdd, 0x3a),
                Colour(0xfb, 0xc0, 0x25),
                Colour(0xf7, 0x83, 0x1b),
                Colour(0xe9, 0x3c, 0x1c),
                Colour(0xc4, 0x0f, 0x1c),
            ],
            Ramp::Diverging => &[
                Colour(0x0b, 0x3c, 0x78),
                Colour(0x2a, 0x71, 0xb2),
                Colour(0x76, 0xae, 0xd4),
                Colour(0xc6, 0xde, 0xed),
                Colour(0xfa, 0xfa, 0xfa),
                Colour(0xf9, 0xd3, 0xc1),
                Colour(0xec, 0x95, 0x77),
                Colour(0xca, 0x4a, 0x42),
                Colour(0x86, 0x10, 0x28),
            ],
        }
    }

    /// The colour of `t`, 0 to 1; outside, the colour of the nearer end.
    pub fn at(self, t: f64) -> Colour {
        let stops = self.stops();
        let place = if t.is_nan() { 0.0 } else { t.clamp(0.0, 1.0) } * (stops.len() - 1) as f64;
        let before = (place as usize).min(stops.len() - 2);
        stops[before].mix(stops[before + 1], place - before as f64)
    }
}

/// Okabe and Ito's colours ("Color Universal Design", 2008) without black and without yellow, which is invisible on
/// white; then violet and nine more, chosen to maximise the least difference between any two, also as people without
/// red or without green cones see them.
const PALETTE: [Colour; 16] = [
    Colour(0x00, 0x72, 0xb2), // blue
    Colour(0xd5, 0x5e, 0x00), // vermilion
    Colour(0x00, 0x9e, 0x73), // bluish green
    Colour(0xcc, 0x79, 0xa7), // reddish purple
    Colour(0xe6, 0x9f, 0x00), // orange
    Colour(0x56, 0xb4, 0xe9), // sky blue
    Colour(0x6b, 0x3f, 0xa0), // violet
    Colour(0x9a, 0x54, 0x0f), // brown
    Colour(0x6a, 0xc9, 0x68), // light green
    Colour(0x83, 0x00, 0x6c), // plum
    Colour(0x6b, 0x89, 0xd7), // periwinkle
    Colour(0xff, 0x48, 0x7e), // pink
    Colour(0x00, 0x3e, 0x3e), // dark teal
    Colour(0x8a, 0x00, 0x0a), // dark red
    Colour(0x20, 0x26, 0x92), // indigo
    Colour(0x9d, 0x3b, 0x5f), // rose
];

/// The colour of part or series `index`; from the seventeenth on, lighter and darker variants of the first sixteen.
pub fn qualitative(index: usize) -> Colour {
    let base = PALETTE[index % PALETTE.len()];
    match index / PALETTE.len() % 3 {
        0 => base,
        1 => base.mix(Colour(255, 255, 255), 0.4),
        _ => base.mix(Colour(0, 0, 0), 0.4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // White: Ottosson's page gives (1, 0, 0). Red: computed by color.js.
    #[test]
    fn oklab_of_known_colours() {
        let close = |a: [f64; 3], b: [f64; 3]| a.iter().zip(b).all(|(x, y)| (x - y).abs() < 1e-3);
        assert!(close(Colour(255, 255, 255).oklab(), [1.0, 0.0, 0.0]));
        assert!(close(Colour(255, 0, 0).oklab(), [0.6280, 0.2249, 0.1258]));
        for c in [Colour(1, 2, 3), Colour(200, 30, 90), Colour(0, 255, 0), Colour(17, 99, 254)] {
            assert_eq!(Colour::from_oklab(c.oklab()), c, "there and back");
        }
    }

    #[test]
    fn sequential_ramps_only_get_lighter_or_only_darker() {
        for ramp in [Ramp::Paper, Ramp::Viridis, Ramp::Magma, Ramp::Inferno] {
            let l: Vec<f64> = (0..=100).map(|i| ramp.at(f64::from(i) / 100.0).lightness()).collect();
            let sign = (l[100] - l[0]).signum();
            assert!(l.windows(2).all(|w| (w[1] - w[0]) * sign > -0.006), "{ramp:?} {l:?}");
        }
    }

    #[test]
    fn the_diverging_ramp_is_lightest_in_the_middle() {
        let l = |t: f64| Ramp::Diverging.at(t).lightness();
        assert!(l(0.5) > 0.97 && (l(0.0) - l(1.0)).abs() < 0.08 && l(0.25) < l(0.5) && l(0.75) < l(0.5));
        assert_eq!(Ramp::Diverging.at(f64::NAN), Ramp::Diverging.at(0.0));
        assert_eq!(Ramp::Diverging.at(7.0), Ramp::Diverging.at(1.0));
    }

    /// A colour as a dichromat sees it, in linear sRGB (Viénot, Brettel, Mollon 1999: the missing cone response is
    /// replaced by a mixture of the others).
    fn seen_by(missing: usize, c: Colour) -> [f64; 3] {
        let [r, g, b] = [c.0, c.1, c.2].map(|c| (f64::from(c) / 255.0).powf(2.2));
        match missing {
            0 => {
                let rg = 0.11238 * r + 0.88762 * g;
                [rg, rg, 0.00401 * r - 0.00401 * g + b]
            }
            _ => {
                let rg = 0.29275 * r + 0.70725 * g;
                [rg, rg, -0.02234 * r + 0.02234 * g + b]
            }
        }
    }

    #[test]
    fn sixteen_parts_differ_to_a_dichromat_too() {
        let lab = |[r, g, b]: [f64; 3]| {
            let c = |x: f64| (x.clamp(0.0, 1.0).powf(1.0 / 2.2) * 255.0).round() as u8;
            Colour(c(r), c(g), c(b)).oklab()
        };
        for missing in [0, 1] {
            for i in 0..16 {
                for j in 0..i {
                    let (a, b) = (lab(seen_by(missing, qualitative(i))), lab(seen_by(missing, qualitative(j))));
                    let distance = (0..3).map(|k| (a[k] - b[k]).powi(2)).sum::<f64>().sqrt();
                    // 0.02 is about the least difference that can be seen.
                    assert!(distance > 0.06, "{i} and {j} look alike without cone {missing}: {distance:.3}");
                }
            }
        }
    }
}
