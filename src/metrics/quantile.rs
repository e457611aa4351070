//! Quantiles.

/// The quantile `q`, 0 to 1, of ascending `sorted`, linear between its values: numpy's default (type 7 of Hyndman and
/// Fan, "Sample quantiles in statistical packages", 1996). NaN for no value.
pub fn quantile(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = q * last as f64;
    let below = (place.floor() as usize).min(last);
    let (a, b) = (sorted[below], sorted[(below + 1).min(last)]);
    let t = place - below as f64;
    // From the nearer of both, as numpy does.
    if t >= 0.5 { b - (b - a) * (1.0 - t) } else { a + (b - a) * t }
}
