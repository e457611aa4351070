//! A figure in characters: two pixels per character (▀, 24-bit colour), and its words as text.

use std::collections::HashMap;
use std::fmt::Write as _;

use resvg::usvg;

type Rgb = [u8; 3];

/// Samples per pixel in each direction.
pub(super) const SAMPLES: u32 = 6;
/// Colours that differ by less than this in every channel count as equal.
const SAME: u8 = 24;
/// A line that covers a third of a pixel fills it, so that thin lines remain visible.
const FILLS: f64 = 1.0 / 3.0;

/// One character of text.
#[derive(Clone, Copy)]
struct Letter {
    character: char,
    colour: Rgb,
}

/// The document without the words that [`Words::of`] finds.
pub(super) fn without_words(svg: &str) -> String {
    let mut rest = svg;
    let mut out = String::with_capacity(svg.len());
    while let Some(at) = rest.find("<text") {
        let end = rest[at..].find("</text>").map_or(rest.len(), |end| at + end + "</text>".len());
        let tag = rest[at..end].split('>').next().unwrap_or_default();
        out.push_str(&rest[..at]);
        if tag.contains(" transform=") {
            out.push_str(&rest[at..end]);
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// The words of a figure in a grid of `columns` × `rows` characters: those that are level and have room.
pub(super) struct Words {
    letters: Vec<Option<Letter>>,
    columns: usize,
}

impl Words {
    pub(super) fn of(tree: &usvg::Tree, columns: usize, rows: usize) -> Words {
        let mut words = Words { letters: vec![None; columns * rows], columns };
        let (width, height) = (f64::from(tree.size().width()), f64::from(tree.size().height()));
        words.collect(tree.root(), columns as f64 / width, rows as f64 / height);
        words
    }

    fn collect(&mut self, group: &usvg::Group, across: f64, down: f64) {
        for node in group.children() {
            match node {
                usvg::Node::Group(group) => self.collect(group, across, down),
                usvg::Node::Text(text) if text.abs_transform().ky == 0.0 => self.place(text, across, down),
                _ => {}
            }
        }
    }

    fn place(&mut self, text: &usvg::Text, across: f64, down: f64) {
        let said: String = text.chunks().iter().map(|chunk| chunk.text()).collect();
        let area = text.abs_bounding_box();
        let row = (f64::from(area.top() + area.bottom()) / 2.0 * down) as usize;
        let (left, right) = (f64::from(area.left()) * across, f64::from(area.right()) * across);
        let anchor = text.chunks().first().map(|chunk| chunk.anchor());
        // Names of rows end where their row begins, so only the columns before it are free.
        let room = if anchor == Some(usvg::TextAnchor::End) { (right.round() as usize).max(3) } else { self.columns };
        let said =
            if said.chars().count() <= room { said } else { said.chars().take(room - 1).chain(['…']).collect() };
        let length = said.chars().count();
        let begin = match anchor {
            Some(usvg::TextAnchor::End) => right - length as f64,
            Some(usvg::TextAnchor::Middle) => (left + right - length as f64) / 2.0,
            _ => left,
        };
        let most = self.columns.saturating_sub(length);
        let begin = (begin.round().max(0.0) as usize).min(most);
        let colour = text.chunks().iter().flat_map(|chunk| chunk.spans()).find_map(|span| match span.fill()?.paint() {
            usvg::Paint::Color(c) => Some([c.red, c.green, c.blue]),
            _ => None,
        });
        let from = row * self.columns + begin;
        // A space on both sides keeps words apart.
        let around = from.saturating_sub(1)..(from + length + 1).min(self.letters.len());
        if length > self.columns
            || from + length > self.letters.len()
            || self.letters[around].iter().any(Option::is_some)
        {
            return;
        }
        for (cell, character) in self.letters[from..].iter_mut().zip(said.chars()) {
            *cell = Some(Letter { character, colour: colour.unwrap_or_default() });
        }
    }
}

/// The text of all rows; `samples` are the RGB bytes of a picture of `columns * SAMPLES` by `2 * rows * SAMPLES`.
pub(super) fn blocks(samples: &[u8], words: &Words, rows: usize) -> String {
    let columns = words.columns;
    let mut text = String::with_capacity(columns * rows * 8);
    for row in 0..rows {
        let mut last = None;
        for column in 0..columns {
            let (above, below) =
                (pixel(samples, columns, column, 2 * row), pixel(samples, columns, column, 2 * row + 1));
            let (front, back, character) = match words.letters[row * columns + column] {
                Some(letter) => (letter.colour, mean([above, below].iter()), letter.character),
                None => (above, below, '▀'),
            };
            if last != Some((front, back)) {
                let _ = write!(
                    text,
                    "\x1b[38;2;{};{};{}m\x1b[48;2;{};{};{}m",
                    front[0], front[1], front[2], back[0], back[1], back[2]
                );
                last = Some((front, back));
            }
            text.push(character);
        }
        text += "\x1b[0m\n";
    }
    text
}

/// The colour of a pixel. On a plain background, the drawn colour is strengthened so that thin lines do not fade.
fn pixel(samples: &[u8], columns: usize, x: usize, y: usize) -> Rgb {
    let n = SAMPLES as usize;
    let all: Vec<Rgb> = (0..n * n)
        .map(|i| {
            let at = ((y * n + i / n) * columns * n + x * n + i % n) * 3;
            [samples[at], samples[at + 1], samples[at + 2]]
        })
        .collect();
    let mut counts: HashMap<Rgb, usize> = HashMap::new();
    all.iter().for_each(|c| *counts.entry(c.map(|v| v / 16)).or_default() += 1);
    let most = counts.into_iter().max_by_key(|&(colour, count)| (count, colour)).map_or([0; 3], |(colour, _)| colour);
    let near = |c: &&Rgb| c.iter().zip(most).all(|(v, m)| v.abs_diff(m * 16 + 8) < SAME);
    let (ground, ink): (Vec<&Rgb>, Vec<&Rgb>) = all.iter().partition(near);
    if ink.is_empty() || 2 * ground.len() < all.len() {
        return mean(all.iter());
    }
    let (under, over) = (mean(ground.iter().copied()), mean(ink.iter().copied()));
    let strength = (ink.len() as f64 / all.len() as f64 / FILLS).min(1.0);
    std::array::from_fn(|i| (f64::from(under[i]) * (1.0 - strength) + f64::from(over[i]) * strength).round() as u8)
}

fn mean<'a>(colours: impl Iterator<Item = &'a Rgb>) -> Rgb {
    let (mut sum, mut n) = ([0u32; 3], 0);
    for colour in colours {
        (0..3).for_each(|i| sum[i] += u32::from(colour[i]));
        n += 1;
    }
    sum.map(|s| (s / n.max(1)) as u8)
}
