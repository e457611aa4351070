//! Maps the names in checkpoints of torchvision, timm and authors of papers to this crate's names.

use std::collections::{BTreeMap, HashMap};

use tch::Tensor;

use crate::error::Result;
use crate::models::backbones::PublishedWeights;

/// Prefixes that some tools put before every name.
const WRAPPERS: &[&str] = &["module.", "_orig_mod.", "model.", "ema.", "net.", "network."];

/// `given` under the names in `own` (name → shape).
///
/// The backbone may be part of a larger model (`module.`, `backbone.0.body.`): of all prefixes that names in the file
/// share, the one under which most names are known is removed; and of this crate's names and the publisher's, the ones
/// that match more are used. Names without that prefix are kept, except for prefixes of tools.
pub fn fit(
    given: Vec<(String, Tensor)>,
    own: &HashMap<String, Vec<i64>>,
    published: &PublishedWeights,
) -> Result<Vec<(String, Tensor)>> {
    let given = (published.arrange)(given)?;
    // Renamed as the publisher's names, or not at all.
    let renamed = |name: &str, shape: &[i64], rename: bool| match rename {
        true => (published.rename)(name, shape).filter(|n| own.contains_key(n)),
        false => own.contains_key(name).then(|| name.to_string()),
    };
    let shapes: Vec<(&str, Vec<i64>)> = given.iter().map(|(n, t)| (n.as_str(), t.size())).collect();
    let known = |prefix: &str, rename: bool| {
        shapes.iter().filter(|(n, s)| n.strip_prefix(prefix).is_some_and(|n| renamed(n, s, rename).is_some())).count()
    };
    let (mut best, mut prefix, mut rename) = (0, String::new(), false);
    for (candidate, covered) in beginnings(&shapes) {
        if covered <= best {
            break;
        }
        for theirs in [false, true] {
            let n = known(&candidate, theirs);
            if n > best {
                (best, prefix, rename) = (n, candidate.clone(), theirs);
            }
        }
    }
    let mut fitted = Vec::new();
    for (name, tensor) in given {
        let shape = tensor.size();
        let rest = name.strip_prefix(&prefix).and_then(|rest| renamed(rest, &shape, rename).map(|to| (rest, to)));
        match rest {
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
    let mut seen = std::collections::HashSet::new();
    fitted.retain(|(name, _)| seen.insert(name.clone()));
    Ok(fitted)
}

fn unwrapped(name: &str) -> &str {
    let mut name = name;
    while let Some(rest) = WRAPPERS.iter().find_map(|w| name.strip_prefix(w)) {
        name = rest;
    }
    name
}

/// Every prefix up to a dot, including the empty one, with the number of names that have it; the most frequent first,
/// and of equally frequent ones the shorter.
fn beginnings(names: &[(&str, Vec<i64>)]) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, _) in names {
        *counts.entry("").or_default() += 1;
        for (at, _) in name.match_indices('.').take(6) {
            *counts.entry(&name[..=at]).or_default() += 1;
        }
    }
    let mut all: Vec<(String, usize)> = counts.into_iter().map(|(prefix, n)| (prefix.to_string(), n)).collect();
    all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.len().cmp(&b.0.len())).then(a.0.cmp(&b.0)));
    all
}
