//! The names and colours of series, in rows between title and data.

use super::colours::qualitative;
use super::svg::{Style, Svg, Text};
use super::{text, theme};

pub struct Legend {
    names: Vec<String>,
    places: Vec<(f64, f64)>,
    first_colour: usize,
    pub height: f64,
}

impl Legend {
    /// Names for a figure `width` px wide; nothing for fewer than two.
    pub fn new(names: &[&str], width: f64, first_colour: usize) -> Self {
        if names.len() < 2 {
            return Legend { names: Vec::new(), places: Vec::new(), first_colour, height: 0.0 };
        }
        let (mut x, mut y) = (theme::MARGIN, 0.0);
        let mut places = Vec::new();
        let names: Vec<String> = names.iter().map(|n| text::fit(n, theme::LABEL, false, width * 0.7)).collect();
        for name in &names {
            let wide = 16.0 + text::width(name, theme::LABEL, false) + 18.0;
            if x + wide > width - theme::MARGIN && x > theme::MARGIN {
                (x, y) = (theme::MARGIN, y + theme::LABEL * 1.6);
            }
            places.push((x, y));
            x += wide;
        }
        Legend { names, places, first_colour, height: y + theme::LABEL * 1.6 + 4.0 }
    }

    pub fn draw(&self, svg: &mut Svg, top: f64) {
        for (s, (x, y)) in self.places.iter().enumerate() {
            let y = top + y + theme::LABEL * 0.6;
            svg.rect(*x, y - 5.0, 10.0, 10.0, Style::fill(qualitative(self.first_colour + s)).round(2.0));
            svg.text(x + 15.0, y, Text::new(&self.names[s], theme::LABEL).centred());
        }
    }
}
