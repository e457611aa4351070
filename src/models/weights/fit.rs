//! Maps the names in checkpoints of torchvision, timm and authors of papers to this crate's names.

use std::collections::{BTreeMap, HashMap, HashSet};

use tch::Tensor;

use crate::activity::interrupt;
use crate::error::Result;
use crate::models::backbones::PublishedWeights;
use crate::models::heads::Layout;

/// Prefixes that some tools put before every name.
const WRAPPERS: &[&str] = &["module.", "_orig_mod.", "model.", "ema.", "net.", "network."];

/// `given` under the names in `own` (name → shape), and the system whose checkpoint it is, if it has one of `layouts`.
///
/// The backbone may be part of a larger model (`module.`, `backbone.0.body.`): of all prefixes that names in the file
/// share, the one under which most names are known is removed; and of this crate's names, those of the backbone's publisher
/// and those of `layouts`, the ones that match more are used. Names without that prefix are kept, except for prefixes of
/// tools. `classifier` is the name of the last layer.
pub fn fit(
    given: Vec<(String, Tensor)>,
    own: &HashMap<String, Vec<i64>>,
    published: &PublishedWeights,
    layouts: &'static [Layout],
    classifier: &str,
) -> Result<Fitted> {
    let given = (published.arrange)(given)?;
    let of_backbone = |name: &str, shape: &[i64]| (published.rename)(name, shape).filter(|n| own.contains_key(n));
    let renamed = |name: &str, shape: &[i64], names: Names| match names {
        Names::Own => own.contains_key(name).then(|| name.to_string()),
        Names::Backbone => of_backbone(name, shape),
        Names::Layout(at) => {
            let name = (layouts[at].rename)(name, classifier)?;
            // An empty name stands for a tensor that is known and not needed.
            if name.is_empty() || own.contains_key(&name) { Some(name) } else { of_backbone(&name, shape) }
        }
    };
    let shapes: Vec<(&str, Vec<i64>)> = given.iter().map(|(n, t)| (n.as_str(), t.size())).collect();
    // Weights of the backbone alone have the same names in some systems; with a last layer of this model's shape it is the system's.
    let of_system = |prefix: &str, names: Names| {
        let last = format!("{classifier}.weight");
        let fits = |name: &str, shape: &[i64]| renamed(name, shape, names).as_deref() == Some(&*last);
        shapes.iter().any(|(n, s)| n.strip_prefix(prefix).is_some_and(|n| fits(n, s)) && own.get(&last) == Some(s))
    };
    let all: Vec<Names> =
        [Names::Own, Names::Backbone].into_iter().chain((0..layouts.len()).map(Names::Layout)).collect();
    // For each prefix that leaves a known name, how many it leaves by whose names; in one pass, as a file may have many prefixes.
    let mut known: HashMap<&str, Vec<usize>> = HashMap::new();
    for (name, shape) in &shapes {
        interrupt::check()?;
        for prefix in prefixes(name) {
            for (i, theirs) in all.iter().enumerate() {
                if renamed(&name[prefix.len()..], shape, *theirs).is_some() {
                    known.entry(prefix).or_insert_with(|| vec![0; all.len()])[i] += 1;
                }
            }
        }
    }
    let (mut best, mut prefix, mut names) = (0, String::new(), Names::Own);
    for (candidate, covered) in beginnings(&shapes) {
        if covered <= best {
            break;
        }
        let Some(known) = known.get(candidate.as_str()) else { continue };
        interrupt::check()?;
        for (&theirs, &n) in all.iter().zip(known) {
            let same =
                n == best && prefix == candidate && matches!((names, theirs), (Names::Backbone, Names::Layout(_)));
            if n > best || (n > 0 && same && of_system(&candidate, theirs)) {
                (best, prefix, names) = (n, candidate.clone(), theirs);
            }
        }
    }
    let mut fitted = Vec::new();
    for (name, tensor) in given {
        let shape = tensor.size();
        let rest = name.strip_prefix(&prefix).and_then(|rest| renamed(rest, &shape, names).map(|to| (rest, to)));
        match rest {
            Some((_, to)) if to.is_empty() => {}
            Some((from, to)) => {
                let tensor = match own.get(&to) {
                    Some(wanted) => (published.convert)(from, &to, tensor, wanted)?,
                    None => tensor,
                };
                fitted.push((to, tensor));
            }
            None => fitted.push((unwrapped(&name).to_string(), tensor)),
        }
    }
    // One name under two prefixes (a model and its average): the first is used.
    let mut seen = HashSet::new();
    fitted.retain(|(name, _)| seen.insert(name.clone()));
    let layout = match names {
        Names::Layout(at) => layouts.get(at),
        Names::Own | Names::Backbone => None,
    };
    Ok(Fitted { tensors: fitted, layout })
}

/// Whose names a file has.
#[derive(Clone, Copy)]
enum Names {
    /// This crate's.
    Own,
    /// The publisher's of the backbone.
    Backbone,
    /// Those of one of the layouts.
    Layout(usize),
}

/// Tensors under this crate's names.
pub struct Fitted {
    pub tensors: Vec<(String, Tensor)>,
    /// The layout that they had.
    pub layout: Option<&'static Layout>,
}

fn unwrapped(name: &str) -> &str {
    let mut name = name;
    while let Some(rest) = WRAPPERS.iter().find_map(|w| name.strip_prefix(w)) {
        name = rest;
    }
    name
}

/// The empty prefix, and those up to the first dots.
fn prefixes(name: &str) -> impl Iterator<Item = &str> {
    std::iter::once("").chain(name.match_indices('.').take(6).map(|(at, _)| &name[..=at]))
}

/// Every prefix up to a dot, including the empty one, with the number of names that have it; the most frequent first,
/// and of equally frequent ones the shorter.
fn beginnings(names: &[(&str, Vec<i64>)]) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, _) in names {
        prefixes(name).for_each(|prefix| *counts.entry(prefix).or_default() += 1);
    }
    let mut all: Vec<(String, usize)> = counts.into_iter().map(|(prefix, n)| (prefix.to_string(), n)).collect();
    all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.len().cmp(&b.0.len())).then(a.0.cmp(&b.0)));
    all
}
