//! Paints the layout of a scene.

use std::sync::LazyLock;

use rand::RngExt;

use super::catalogue::pictures;
use super::layout::{Object, Scene};
use crate::images::picture::Picture;
use crate::random::numbered;

/// An emoji's pixels at several scales, each half of the one before; red, green, blue times alpha, and alpha, 0 to 1.
struct Sprite {
    levels: Vec<(usize, Vec<[f32; 4]>)>,
}

/// Every emoji in use, decoded once.
static SPRITES: LazyLock<Vec<Sprite>> = LazyLock::new(|| pictures().map(Sprite::decode).collect());

impl Sprite {
    fn decode(png: &[u8]) -> Sprite {
        // The files are compiled in and a test decodes them all; an empty sprite would show in every picture.
        let rgba = image::load_from_memory(png).map(|i| i.to_rgba8()).unwrap_or_default();
        let side = rgba.width().min(rgba.height()) as usize;
        let pixels = rgba
            .pixels()
            .map(|p| {
                let alpha = f32::from(p[3]) / 255.0;
                [f32::from(p[0]) * alpha, f32::from(p[1]) * alpha, f32::from(p[2]) * alpha, alpha]
            })
            .collect();
        let mut levels: Vec<(usize, Vec<[f32; 4]>)> = vec![(side, pixels)];
        while levels[levels.len() - 1].0 >= 18 {
            let (side, pixels) = &levels[levels.len() - 1];
            let half = side / 2;
            let smaller = (0..half * half)
                .map(|at| {
                    let (x, y) = (at % half * 2, at / half * 2);
                    let four = [(x, y), (x + 1, y), (x, y + 1), (x + 1, y + 1)].map(|(x, y)| pixels[y * side + x]);
                    [0, 1, 2, 3].map(|c| four.iter().map(|p| p[c]).sum::<f32>() / 4.0)
                })
                .collect();
            levels.push((half, smaller));
        }
        Sprite { levels }
    }

    /// The smallest level that is not smaller than `side`, or the largest level.
    fn level(&self, side: f32) -> (usize, &[[f32; 4]]) {
        let best = self.levels.iter().rfind(|(s, _)| *s as f32 >= side).unwrap_or(&self.levels[0]);
        (best.0, &best.1)
    }
}

/// The scene as `size` × `size` pixels.
pub fn paint(scene: &Scene, size: u32) -> Picture {
    let n = size as usize;
    let mut canvas = background(scene, n);
    for object in &scene.objects {
        draw(&mut canvas, n, object);
    }
    let mut rng = numbered("noise", &[scene.texture]);
    let rgb = canvas
        .iter()
        .flat_map(|pixel| {
            let noise = (rng.random::<f32>() - 0.5) * 10.0;
            pixel.map(|c| (c + noise).round().clamp(0.0, 255.0) as u8)
        })
        .collect();
    Picture { width: size, height: size, rgb }
}

/// Two colours that meet at a horizon, under soft spots.
fn background(scene: &Scene, n: usize) -> Vec<[f32; 3]> {
    let mut rng = numbered("texture", &[scene.texture]);
    let blots: Vec<(f32, f32, f32, [f32; 3])> = (0..rng.random_range(4..14))
        .map(|_| {
            let light = (rng.random::<f32>() - 0.5) * 90.0;
            let colour = [0; 3].map(|_| light + (rng.random::<f32>() - 0.5) * 40.0);
            (rng.random(), rng.random(), 0.05 + 0.2 * rng.random::<f32>(), colour)
        })
        .collect();
    let tilt = (rng.random::<f64>() - 0.5) * 0.3;
    let mut canvas = Vec::with_capacity(n * n);
    for y in 0..n {
        for x in 0..n {
            let (u, v) = ((x as f64 + 0.5) / n as f64, (y as f64 + 0.5) / n as f64);
            let below = (((v - scene.horizon - tilt * (u - 0.5)) * 12.0) + 0.5).clamp(0.0, 1.0);
            let mut pixel = [0, 1, 2].map(|c| (scene.above[c] * (1.0 - below) + scene.below[c] * below) as f32);
            for (bx, by, radius, colour) in &blots {
                let (dx, dy) = (u as f32 - bx, v as f32 - by);
                let strength = 1.0 - (dx * dx + dy * dy) / (radius * radius);
                if strength > 0.0 {
                    pixel = [0, 1, 2].map(|c| pixel[c] + colour[c] * strength);
                }
            }
            canvas.push(pixel);
        }
    }
    canvas
}

/// Draws one object over the canvas: each pixel is sampled from the emoji.
fn draw(canvas: &mut [[f32; 3]], n: usize, object: &Object) {
    let Some(sprite) = SPRITES.get(object.look) else { return };
    let side = (object.side * n as f64) as f32;
    let (level, pixels) = sprite.level(side);
    let scale = level as f32 / side.max(1.0);
    let (cx, cy) = ((object.x * n as f64) as f32, (object.y * n as f64) as f32);
    let (sin, cos) = (object.angle as f32).sin_cos();
    // A turned square reaches further than its side.
    let reach = side * 0.5 * (sin.abs() + cos.abs()) + 1.0;
    let range =
        |centre: f32| (centre - reach).floor().max(0.0) as usize..((centre + reach).ceil().max(0.0) as usize).min(n);
    let tint = object.tint.map(|t| t as f32);
    for y in range(cy) {
        for x in range(cx) {
            let (dx, dy) = (x as f32 + 0.5 - cx, y as f32 + 0.5 - cy);
            let mut u = (cos * dx + sin * dy) * scale;
            let v = (cos * dy - sin * dx) * scale;
            if object.mirrored {
                u = -u;
            }
            let [r, g, b, alpha] = sample(pixels, level, u + level as f32 / 2.0 - 0.5, v + level as f32 / 2.0 - 0.5);
            if alpha > 0.0 {
                let pixel = &mut canvas[y * n + x];
                let over = [r, g, b];
                *pixel = [0, 1, 2].map(|c| pixel[c] * (1.0 - alpha) + (over[c] * tint[c]).min(255.0 * alpha));
            }
        }
    }
}

/// Bilinear; transparent outside.
fn sample(pixels: &[[f32; 4]], side: usize, u: f32, v: f32) -> [f32; 4] {
    let (u0, v0) = (u.floor(), v.floor());
    let (fu, fv) = (u - u0, v - v0);
    let at = |x: f32, y: f32| {
        let inside = x >= 0.0 && y >= 0.0 && x < side as f32 && y < side as f32;
        if inside { pixels[y as usize * side + x as usize] } else { [0.0; 4] }
    };
    let (a, b, c, d) = (at(u0, v0), at(u0 + 1.0, v0), at(u0, v0 + 1.0), at(u0 + 1.0, v0 + 1.0));
    [0, 1, 2, 3].map(|i| (a[i] * (1.0 - fu) + b[i] * fu) * (1.0 - fv) + (c[i] * (1.0 - fu) + d[i] * fu) * fv)
}
