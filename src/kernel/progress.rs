//! All that is under way in a cell, as one display that changes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jupyter_protocol::{Media, MediaType};
use maud::{Markup, html};

use crate::activity::progress::short;
use crate::activity::update::ProgressUpdate;

/// Between two changes of a display.
const EVERY: Duration = Duration::from_millis(200);
/// What takes less is not shown.
const MOMENT: Duration = Duration::from_millis(300);
/// What is done so soon was done before, as by the earlier attempt of a training.
const AT_ONCE: Duration = Duration::from_millis(50);
/// So many pieces under way are shown, and as many that have ended.
const SHOWN: usize = 12;
const ENDED: usize = 4;

/// The progress of one cell.
#[derive(Default)]
pub struct Progress {
    pieces: BTreeMap<u64, Piece>,
    /// Those that ended last, oldest first.
    ended: Vec<Piece>,
    /// How many ended before those.
    before: usize,
    /// When the display was changed last, once there is one.
    shown: Option<Instant>,
    changed: bool,
}

struct Piece {
    update: ProgressUpdate,
    /// Where it began, of which the rate is none.
    from: u64,
    begun: Instant,
    took: Duration,
}

/// What is sent.
pub enum Step {
    Begin(Media),
    Update(Media),
}

impl Progress {
    /// Takes an update of a piece.
    pub fn take(&mut self, number: u64, update: ProgressUpdate, now: Instant) {
        self.changed = true;
        let finished = update.finished;
        let begun = || Piece { update: update.clone(), from: update.done, begun: now, took: Duration::ZERO };
        let piece = self.pieces.entry(number).or_insert_with(begun);
        piece.took = now.saturating_duration_since(piece.begun);
        if piece.took < AT_ONCE {
            piece.from = update.done;
        }
        piece.update = update;
        if finished && let Some(piece) = self.pieces.remove(&number).filter(|piece| piece.took >= MOMENT) {
            self.ended.push(piece);
            if self.ended.len() > ENDED {
                self.ended.remove(0);
                self.before += 1;
            }
        }
    }

    /// The name of the display of a cell.
    pub fn display(&self, cell: u64) -> String {
        format!("{}-progress-{cell}", super::info::session())
    }

    /// What is to be sent now, if anything; at the end of the cell whatever has changed.
    pub fn step(&mut self, at_end: bool, now: Instant) -> Option<Step> {
        let due = match self.shown {
            None => {
                let lasts = |piece: &Piece| now.saturating_duration_since(piece.begun) >= MOMENT;
                !self.ended.is_empty() || self.pieces.values().any(lasts)
            }
            Some(last) => self.changed && (at_end || now.saturating_duration_since(last) >= EVERY),
        };
        if !due {
            return None;
        }
        let media = Media::new(vec![MediaType::Plain(self.text()), MediaType::Html(self.html().into_string())]);
        self.changed = false;
        match self.shown.replace(now) {
            None => Some(Step::Begin(media)),
            Some(_) => Some(Step::Update(media)),
        }
    }

    fn text(&self) -> String {
        let line = |mark: &str, piece: &Piece| format!("{mark} {}", piece.line());
        let ended = self.ended.iter().map(|piece| line(if piece.is_whole() { "✓" } else { "✗" }, piece));
        let active = self.pieces.values().take(SHOWN).map(|piece| line("…", piece));
        let lines = self.more().into_iter().chain(ended).chain(active).chain(self.further());
        lines.collect::<Vec<_>>().join("\n")
    }

    fn html(&self) -> Markup {
        const STYLE: &str = "font-family: var(--jp-code-font-family, monospace); font-size: var(--jp-code-font-size, 13px); white-space: pre-wrap";
        html! {
            div style=(STYLE) {
                @if let Some(more) = self.more() { div { (more) } }
                @for piece in &self.ended {
                    div style="opacity: .7" { (if piece.is_whole() { "✓ " } else { "✗ " }) (piece.line()) }
                }
                @for piece in self.pieces.values().take(SHOWN) {
                    div {
                        progress value=(piece.update.done) max=(piece.update.total.max(1)) style="width: 12em" {}
                        " " (piece.line())
                    }
                }
                @if let Some(further) = self.further() { div { (further) } }
            }
        }
    }

    /// Of those that ended and are not shown.
    fn more(&self) -> Option<String> {
        (self.before > 0).then(|| format!("✓ {} more that ended", self.before))
    }

    /// Of those that are under way and are not shown.
    fn further(&self) -> Option<String> {
        let further = self.pieces.len().saturating_sub(SHOWN);
        (further > 0).then(|| format!("… {further} more"))
    }
}

impl Piece {
    fn is_whole(&self) -> bool {
        !self.update.stopped
    }

    /// What, how far, how fast and how much longer.
    fn line(&self) -> String {
        let ProgressUpdate { what, unit, done, total, note, finished, stopped } = &self.update;
        let seconds = self.took.as_secs_f64();
        let rate = done.saturating_sub(self.from) as f64 / seconds.max(1e-9);
        let took = time(seconds);
        let text = match finished {
            true if *stopped => format!("{what}: stopped at {done}/{total} {unit}"),
            // What is reported by others ends without its last position.
            true if *done == 0 => format!("{what}: {took}"),
            true => format!("{what}: {done} {unit} in {took}"),
            false if *total > 0 && rate > 0.0 && done < total => {
                let left = time((total - done) as f64 / rate);
                let percent = 100.0 * *done as f64 / *total as f64;
                format!("{what}: {percent:.0}% of {total} {unit}, {}/s, {left} left  {note}", short(rate))
            }
            false => format!("{what}: {done}/{total} {unit}  {note}"),
        };
        text.trim_end().to_string()
    }
}

fn time(seconds: f64) -> String {
    match seconds {
        s if s < 9.95 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(what: &str, done: u64, finished: bool) -> ProgressUpdate {
        let (unit, note) = ("images".into(), "epoch 1".into());
        let stopped = finished && done < 100;
        ProgressUpdate { what: what.into(), unit, done, total: 100, note, finished, stopped }
    }

    fn plain(step: Option<Step>) -> Option<(bool, String)> {
        let (begins, media) = match step? {
            Step::Begin(media) => (true, media),
            Step::Update(media) => (false, media),
        };
        let text = media.content.into_iter().find_map(|form| match form {
            MediaType::Plain(text) => Some(text),
            _ => None,
        });
        Some((begins, text.unwrap()))
    }

    #[test]
    fn one_display_changes_five_times_a_second_and_keeps_its_end() {
        let begun = Instant::now();
        let at = |ms: u64| begun + Duration::from_millis(ms);
        let mut progress = Progress::default();
        let mut sent = Vec::new();
        for ms in (0..3000).step_by(10) {
            // From 20 on, where an earlier attempt ended.
            let done = 20 + 80 * ms / 3000;
            progress.take(1, update("train <a>", done, false), at(ms));
            sent.extend(plain(progress.step(false, at(ms))));
        }
        assert!((10..=15).contains(&sent.len()), "{}", sent.len());
        assert!(sent[0].0 && sent[1..].iter().all(|(begins, _)| !begins));
        assert!(sent[5].1.contains("% of 100 images, 25.") && sent[5].1.contains(" s left  epoch 1"), "{}", sent[5].1);
        assert!(progress.html().into_string().contains("train &lt;a&gt;"));
        progress.take(1, update("train <a>", 100, true), at(3000));
        let (begins, last) = plain(progress.step(true, at(3001))).unwrap();
        assert!(!begins);
        assert_eq!(last, "✓ train <a>: 100 images in 3.0 s");
        assert!(progress.step(true, at(3002)).is_none());
    }

    #[test]
    fn what_takes_a_moment_is_not_shown_and_what_stops_says_where() {
        let begun = Instant::now();
        let at = |ms: u64| begun + Duration::from_millis(ms);
        let mut progress = Progress::default();
        for piece in 0..1000 {
            progress.take(piece, update("short", 0, false), at(piece));
            progress.take(piece, update("short", 100, true), at(piece + 1));
            assert!(progress.step(false, at(piece + 1)).is_none());
        }
        assert!(progress.step(true, at(1002)).is_none());
        progress.take(5000, update("long", 0, false), at(2000));
        progress.take(5000, update("long", 37, true), at(3000));
        let (begins, text) = plain(progress.step(true, at(3000))).unwrap();
        assert!(begins);
        assert_eq!(text, "✗ long: stopped at 37/100 images");
        // A call that is refused.
        let mut refused = Progress::default();
        refused.take(1, update("writing", 0, false), at(0));
        refused.take(1, update("writing", 0, true), at(1000));
        assert_eq!(plain(refused.step(true, at(1000))).unwrap().1, "✗ writing: stopped at 0/100 images");
        // Of many, the last ones.
        for piece in 6000..6010 {
            progress.take(piece, update("more", 0, false), at(4000));
            progress.take(piece, update("more", 100, true), at(5000));
        }
        let (_, text) = plain(progress.step(true, at(5000))).unwrap();
        assert_eq!(text.lines().count(), 1 + ENDED);
        assert!(text.starts_with("✓ 7 more that ended\n"), "{text}");
    }
}
