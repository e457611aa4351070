//! Lists of label names: looking up, matching two of them, and the order in which results are computed.

use std::collections::HashMap;

use crate::error::{Error, Result};

/// The position of each name. Errors: a name that occurs twice.
pub fn index(labels: &[String]) -> Result<HashMap<&str, usize>> {
    let mut places = HashMap::with_capacity(labels.len());
    for (i, label) in labels.iter().enumerate() {
        if let Some(first) = places.insert(label.as_str(), i) {
            return Err(Error::data(format!("label \"{label}\" appears twice, at positions {first} and {i}")));
        }
    }
    Ok(places)
}

/// For each label of `ours`, its position in `theirs`. Errors: lists that do not hold the same names, in any order.
pub fn matching(ours: &[String], theirs: &[String], what: &str) -> Result<Vec<usize>> {
    if ours == theirs {
        return Ok((0..ours.len()).collect());
    }
    let there = index(theirs)?;
    let mut places = Vec::with_capacity(ours.len());
    for label in ours {
        match there.get(label.as_str()) {
            Some(&place) => places.push(place),
            None => {
                let mut error = Error::unknown("label", label, theirs.iter().map(String::as_str));
                error.message = format!("{what} must have the same labels; only the first has \"{label}\"");
                return Err(error);
            }
        }
    }
    if theirs.len() > ours.len() {
        let here = index(ours)?;
        let extra = theirs.iter().find(|l| !here.contains_key(l.as_str())).map_or("", String::as_str);
        return Err(Error::argument(format!("{what} must have the same labels; only the second has \"{extra}\"")));
    }
    Ok(places)
}

/// Positions in alphabetical order of the names.
///
/// Everything random or sensitive to rounding is computed in this order, so that the same labelled graph gives the
/// same tasks whatever the order of its labels.
pub fn canonical(labels: &[String]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by(|&a, &b| labels[a].cmp(&labels[b]));
    order
}

/// Names as part of a sentence: all of a few, the first ones of many.
pub fn listed(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    if names.len() > SHOWN { format!("{shown} and {} more", names.len() - SHOWN) } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(of: &[&str]) -> Vec<String> {
        of.iter().map(|s| s.to_string()).collect()
    }

    #[test]
    fn matching_is_by_name() {
        assert_eq!(matching(&names(&["a", "b", "c"]), &names(&["c", "a", "b"]), "both").unwrap(), vec![1, 2, 0]);
        let error = matching(&names(&["zebra"]), &names(&["zebras"]), "both graphs").unwrap_err();
        assert_eq!(error.message, "both graphs must have the same labels; only the first has \"zebra\"");
        assert_eq!(error.help.as_deref(), Some("did you mean \"zebras\"?"));
        let error = matching(&names(&["a"]), &names(&["a", "b"]), "both graphs").unwrap_err();
        assert!(error.message.ends_with("only the second has \"b\""));
    }

    #[test]
    fn a_name_stands_once() {
        assert!(index(&names(&["a", "b", "a"])).unwrap_err().message.contains("positions 0 and 2"));
    }
}
