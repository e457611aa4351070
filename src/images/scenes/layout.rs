//! The objects of a scene and their places. The labels of a scene follow without painting it.

use rand::{Rng, RngExt};

use super::Split;
use super::catalogue::{CLUTTER, LABELS, first_look, index};
use super::contexts::{CONTEXTS, SceneContext};
use crate::random::{numbered, shuffle};

/// One emoji in a scene. Lengths are shares of the picture's side.
#[derive(Clone, Debug)]
pub struct Object {
    /// None for clutter.
    pub label: Option<u32>,
    /// Position among [`super::catalogue::pictures`].
    pub look: usize,
    pub x: f64,
    pub y: f64,
    pub side: f64,
    /// Radians.
    pub angle: f64,
    pub mirrored: bool,
    /// Factors of red, green and blue.
    pub tint: [f64; 3],
}

/// One scene: objects from the back to the front.
#[derive(Clone, Debug)]
pub struct Scene {
    pub objects: Vec<Object>,
    pub above: [f64; 3],
    pub below: [f64; 3],
    /// The height at which the upper colour ends.
    pub horizon: f64,
    /// Key of the background's texture and of the noise.
    pub texture: u64,
}

impl Scene {
    /// The visible labels, ascending, each once.
    pub fn labels(&self) -> Vec<u32> {
        let mut all: Vec<u32> = self.objects.iter().filter_map(|o| o.label).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// No picture has more objects with a label.
const MOST_OBJECTS: usize = 6;
/// Least visible share of a placed object.
const LEAST_VISIBLE: f64 = 0.55;
/// Cells per side of the grid on which visibility is measured.
const GRID: usize = 40;

/// Scene `i` of a split, of whose pictures so large a share has a context.
pub fn scene(seed: u64, split: Split, i: usize, contexts: f64) -> Scene {
    let key = [seed, split as u64, i as u64];
    // Drawn apart, so that a picture that keeps its context is the same at every share.
    let broken = split == Split::TestShifted || contexts < 1.0 && numbered("context", &key).random::<f64>() >= contexts;
    let mut rng = numbered("scene", &key);
    let context = draw_context(&mut rng);
    let mut labels = if broken { any_labels(&mut rng) } else { context_labels(context, &mut rng) };
    shuffle(&mut labels, &mut rng);
    labels.truncate(MOST_OBJECTS);
    // A fifth of the backgrounds are any place's, so that the background does not give the labels away.
    let place =
        if broken || rng.random::<f64>() < 0.2 { &CONTEXTS[rng.random_range(0..CONTEXTS.len())] } else { context };
    let mut wanted: Vec<Option<u32>> = Vec::new();
    for label in labels {
        let copies = if rng.random::<f64>() < 0.15 { 2 } else { 1 };
        wanted.extend(std::iter::repeat_n(Some(label), copies));
    }
    wanted.extend(std::iter::repeat_n(None, rng.random_range(1..4)));
    shuffle(&mut wanted, &mut rng);
    let mut placed = Placement::default();
    for label in wanted {
        placed.place(label, &mut rng);
    }
    Scene {
        objects: placed.objects,
        above: jitter(place.above, &mut rng),
        below: jitter(place.below, &mut rng),
        horizon: 0.3 + 0.4 * rng.random::<f64>(),
        texture: rng.next_u64(),
    }
}

fn draw_context(rng: &mut impl Rng) -> &'static SceneContext {
    let total: f64 = CONTEXTS.iter().map(|c| c.weight).sum();
    let mut at = rng.random::<f64>() * total;
    for context in CONTEXTS {
        at -= context.weight;
        if at < 0.0 {
            return context;
        }
    }
    &CONTEXTS[0]
}

/// The labels of a scene in a context: each by its own probability, then companions; at least one.
fn context_labels(context: &SceneContext, rng: &mut impl Rng) -> Vec<u32> {
    let mut names: Vec<&str> = Vec::new();
    while names.is_empty() {
        for &(name, p) in context.objects {
            if rng.random::<f64>() < p {
                names.push(name);
            }
        }
    }
    for &(first, second, p) in context.companions {
        if names.contains(&first) && !names.contains(&second) && rng.random::<f64>() < p {
            names.push(second);
        }
    }
    names.into_iter().filter_map(index).collect()
}

/// Two to five labels, uniform and independent of each other.
fn any_labels(rng: &mut impl Rng) -> Vec<u32> {
    let count = rng.random_range(2..6);
    let mut all: Vec<u32> = (0..LABELS.len() as u32).collect();
    shuffle(&mut all, rng);
    all.truncate(count);
    all
}

fn jitter(colour: [u8; 3], rng: &mut impl Rng) -> [f64; 3] {
    let light = 0.75 + 0.5 * rng.random::<f64>();
    colour.map(|c| (f64::from(c) * light + 36.0 * (rng.random::<f64>() - 0.5)).clamp(0.0, 255.0))
}

/// The objects placed so far, and the front object at each cell.
#[derive(Default)]
struct Placement {
    objects: Vec<Object>,
    /// Cells that each object covers, inside the picture or not.
    whole: Vec<usize>,
    owner: Vec<Option<usize>>,
}

impl Placement {
    /// Tries random places until every object, the new one included, is visible enough. Gives up after 24 tries.
    fn place(&mut self, label: Option<u32>, rng: &mut impl Rng) {
        if self.owner.is_empty() {
            self.owner = vec![None; GRID * GRID];
        }
        let look = match label {
            Some(label) => first_look(label as usize) + rng.random_range(0..LABELS[label as usize].looks.len()),
            None => first_look(LABELS.len()) + rng.random_range(0..CLUTTER.len()),
        };
        let new = self.objects.len();
        for _ in 0..24 {
            // Small objects are common, large ones rare.
            let side = 0.17 + 0.22 * rng.random::<f64>().powf(1.5);
            let (x, y) = (rng.random::<f64>(), rng.random::<f64>());
            let (covered, whole) = cells(x, y, side);
            let mut owner = self.owner.clone();
            covered.iter().for_each(|&cell| owner[cell] = Some(new));
            let mut seen = vec![0; new + 1];
            owner.iter().flatten().for_each(|&o| seen[o] += 1);
            let enough = |o: usize, whole: usize| seen[o] as f64 >= LEAST_VISIBLE * whole as f64;
            let older = (0..new).all(|o| self.objects[o].label.is_none() || enough(o, self.whole[o]));
            if older && enough(new, whole) {
                let tint = 0.8 + 0.35 * rng.random::<f64>();
                let hue = 0.12;
                self.objects.push(Object {
                    label,
                    look,
                    x,
                    y,
                    side,
                    angle: (rng.random::<f64>() + rng.random::<f64>() - 1.0) * 0.9,
                    mirrored: rng.random(),
                    tint: [0; 3].map(|_| tint * (1.0 + hue * (rng.random::<f64>() - 0.5))),
                });
                self.whole.push(whole);
                self.owner = owner;
                return;
            }
        }
    }
}

/// The cells that a disc of an emoji's extent covers, and their number with those outside the picture.
fn cells(x: f64, y: f64, side: f64) -> (Vec<usize>, usize) {
    let radius = side * 0.5;
    let (mut covered, mut whole) = (Vec::new(), 0);
    let grid = GRID as f64;
    let range = |centre: f64| ((centre - radius) * grid).floor() as i64..=((centre + radius) * grid).ceil() as i64;
    for cy in range(y) {
        for cx in range(x) {
            let (dx, dy) = ((cx as f64 + 0.5) / grid - x, (cy as f64 + 0.5) / grid - y);
            if dx * dx + dy * dy > radius * radius {
                continue;
            }
            whole += 1;
            if (0..GRID as i64).contains(&cx) && (0..GRID as i64).contains(&cy) {
                covered.push(cy as usize * GRID + cx as usize);
            }
        }
    }
    (covered, whole.max(1))
}
