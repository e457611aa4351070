//! Whose names are in a file: checkpoints of torchvision, timm and of papers' authors under this crate's names.

use std::collections::{BTreeMap, HashMap};

use tch::Tensor;

use crate::error::Result;
use crate::models::backbones::PublishedWeights;

/// Wrappers that some tools put before every name.
const WRAPPERS: &[&str] = &["module.", "_orig_mod.", "model.", "ema.", "net.", "network."];

/// `given` under the names in `own` (name → shape).
///
/// The backbone's names may stand anywhere in a larger model (`module.`, `backbone.0.body.`): of all the beginnings that
/// names in the file share, the one under which most of them are known is taken off; and of our own names and the
/// publisher's, those that are known to more. What is not under that beginning keeps its name, without a wrapper's.
pub fn fit(
    given: Vec<(String, Tensor)>,
    own: &HashMap<String, Vec<i64>>,
    published: &PublishedWeights,
) -> Result<Vec<(String, Tensor)>> {
    // The publisher's rename or none.
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
    // Two wrappers of one name (a model and its average side by side): the first stands.
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

/// Every beginning up to a dot that names share, the empty one too, with how many names have it; the most shared first,
/// of equally many the shorter.
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
