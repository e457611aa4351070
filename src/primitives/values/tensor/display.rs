//! A tensor as text: shape and element type, then its numbers as PyTorch prints them (`torch.set_printoptions`, its defaults).

use std::fmt;

use tch::{Device, Kind as Element, Tensor};

use super::TensorValue;
use super::checks::work;
use super::conversions::{dtype_name, item};
use crate::error::{Error, Result};
use crate::script::show;

/// Larger tensors show so many slices at each end of a dimension.
const THRESHOLD: usize = 1000;
const EDGE: i64 = 3;
const LINE: usize = 80;
const PRECISION: usize = 4;
/// Beyond so many numbers, as a tensor of many small dimensions has, there is a summary.
const MOST: usize = 10_000;

impl fmt::Display for TensorValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size: Vec<String> = self.0.size().iter().map(i64::to_string).collect();
        write!(f, "Tensor [{}] {}", size.join(", "), dtype_name(self.0.kind()))?;
        if let Device::Cuda(i) = self.0.device() {
            write!(f, " on cuda:{i}")?;
        }
        match numbers(&self.0) {
            Ok(Some(text)) if self.0.dim() > 1 || text.contains('\n') => write!(f, "\n{text}"),
            Ok(Some(text)) => write!(f, " {text}"),
            // Of elements that are repeated without end there is none.
            Ok(None) if work("print", &self.0).is_err() => Ok(()),
            Ok(None) => {
                let summary = |op: fn(&Tensor) -> Result<Tensor, tch::TchError>| {
                    op(&self.0).map_err(Error::from).and_then(|t| item(&t)).map_or("?".into(), show::number)
                };
                let (min, max) = (summary(Tensor::f_min), summary(Tensor::f_max));
                write!(f, " (min {min}, mean {}, max {max})", summary(|t| t.f_to_kind(Element::Double)?.f_mean(None)))
            }
            Err(_) => Ok(()),
        }
    }
}

/// The numbers as PyTorch prints them; none if they are too many.
pub fn numbers(t: &Tensor) -> Result<Option<String>> {
    if t.numel() == 0 {
        return Ok(Some("[]".into()));
    }
    let summarised = t.numel() > THRESHOLD;
    let mut shown = t.f_detach()?;
    // Whether a dimension is cut.
    let mut cut = vec![];
    for (dim, n) in t.size().into_iter().enumerate() {
        cut.push(summarised && n > 2 * EDGE);
        if summarised && n > 2 * EDGE {
            let ends = [shown.f_narrow(dim as i64, 0, EDGE)?, shown.f_narrow(dim as i64, n - EDGE, EDGE)?];
            shown = Tensor::f_cat(&ends, dim as i64)?;
        }
    }
    if shown.numel() > MOST {
        return Ok(None);
    }
    let flat = shown.f_to_device(Device::Cpu)?.f_contiguous()?.f_reshape([-1])?;
    let (items, width): (Vec<String>, usize) = if t.is_floating_point() {
        floats(&Vec::<f64>::try_from(&flat.f_to_kind(Element::Double)?)?)
    } else {
        let whole = Vec::<i64>::try_from(&flat.f_to_kind(Element::Int64)?)?;
        let boolean = t.kind() == Element::Bool;
        let text = |i: &i64| if boolean { (*i != 0).to_string() } else { i.to_string() };
        let items: Vec<String> = whole.iter().map(text).collect();
        let width = items.iter().map(String::len).max().unwrap_or(1);
        (items, width)
    };
    let mut items = items.into_iter().map(|item| format!("{item:>width$}"));
    Ok(Some(nested(&shown.size(), &cut, 0, width, &mut items)))
}

/// The texts of floats, all whole, all with four decimals or all with an exponent, and their width: zeros and what is not finite do not
/// count in it.
fn floats(values: &[f64]) -> (Vec<String>, usize) {
    let finite = || values.iter().copied().filter(|x| x.is_finite() && *x != 0.0);
    let (least, most) =
        finite().map(f64::abs).fold((f64::INFINITY, 0.0), |(least, most): (f64, f64), x| (least.min(x), most.max(x)));
    let any = most > 0.0;
    let whole = finite().all(|x| x.fract() == 0.0);
    let exponents = any && (most / least > 1000.0 || most > 1e8 || least < 1e-4);
    let one = |x: &f64| match x {
        x if x.is_nan() => "nan".to_string(),
        x if x.is_infinite() => if *x > 0.0 { "inf" } else { "-inf" }.to_string(),
        x if exponents => with_exponent(*x),
        x if whole => format!("{x:.0}."),
        x => format!("{x:.PRECISION$}"),
    };
    let width = finite().map(|x| one(&x).len()).max().unwrap_or(1);
    (values.iter().map(one).collect(), width)
}

/// As C prints it: at least two digits of exponent.
fn with_exponent(x: f64) -> String {
    let text = format!("{x:.PRECISION$e}");
    match text.split_once('e') {
        Some((digits, exponent)) => {
            let exponent: i32 = exponent.parse().unwrap_or(0);
            format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
        }
        None => text,
    }
}

fn nested(
    shape: &[i64],
    cut: &[bool],
    indent: usize,
    width: usize,
    items: &mut impl Iterator<Item = String>,
) -> String {
    let Some((&n, rest)) = shape.split_first() else {
        return items.next().unwrap_or_default().trim_start().to_string();
    };
    let is_cut = cut.first().copied().unwrap_or(false);
    if rest.is_empty() {
        let mut line: Vec<String> = items.by_ref().take(n as usize).collect();
        if is_cut {
            line.insert(EDGE as usize, " ...".into());
        }
        let per_line = (LINE.saturating_sub(indent) / (width + 2)).max(1);
        let lines: Vec<String> = line.chunks(per_line).map(|part| part.join(", ")).collect();
        return format!("[{}]", lines.join(&format!(",\n{}", " ".repeat(indent + 1))));
    }
    let mut slices: Vec<String> = (0..n).map(|_| nested(rest, &cut[1..], indent + 1, width, items)).collect();
    if is_cut {
        slices.insert(EDGE as usize, "...".into());
    }
    let between = format!(",{}{}", "\n".repeat(rest.len()), " ".repeat(indent + 1));
    format!("[{}]", slices.join(&between))
}
