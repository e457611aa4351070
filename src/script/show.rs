//! How values are printed by `print`, the prompt and error messages.

use rhai::Dynamic;

use super::{explain, vocabulary};

/// The name of a value's type as a user knows it: `Partition`, `array`, `integer`.
pub fn type_name(value: &Dynamic) -> String {
    vocabulary::user_name(value.type_name())
}

/// The same with its article: `a Partition`, `an integer`.
pub fn a_type(value: &Dynamic) -> String {
    vocabulary::a_user_name(value.type_name())
}

/// A value as `print` shows it: strings as they are.
pub fn plain(value: &Dynamic) -> String {
    match value.as_immutable_string_ref() {
        Ok(text) => text.to_string(),
        Err(_) => show(value),
    }
}

/// A value as the prompt shows it: strings in quotes, numbers short, arrays and maps laid out to be read.
pub fn show(value: &Dynamic) -> String {
    if value.is_unit() {
        return "()".into();
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return format!("{:?}", text.as_str());
    }
    if let Ok(x) = value.as_float() {
        return number(x);
    }
    if let Ok(array) = value.as_array_ref() {
        let items: Vec<String> = array.iter().take(MOST).map(show).collect();
        let more = array.len().saturating_sub(MOST);
        return lay_out("[", items, "]", more);
    }
    if let Ok(map) = value.as_map_ref() {
        if let Some((error, _)) = explain::caught(&map) {
            return explain::alone(error).message;
        }
        let items: Vec<String> = map.iter().take(MOST).map(|(k, v)| format!("{k}: {}", show(v))).collect();
        let more = map.len().saturating_sub(MOST);
        return lay_out("#{", items, "}", more);
    }
    if let Some(kind) = vocabulary::kind_of(value) {
        // Whoever prints it ends the line.
        return (kind.show)(value).trim_end_matches('\n').to_string();
    }
    value.to_string()
}

/// The first line of `show`'s text, at most `most` characters of it.
pub fn short(value: &Dynamic, most: usize) -> String {
    let text = show(value);
    let line: String = text.lines().next().unwrap_or_default().chars().take(most).collect();
    if line.len() < text.len() { format!("{line} ...") } else { line }
}

/// An array of ten thousand names is summarised, not printed.
const MOST: usize = 200;

/// On one line when it fits in 100 columns, otherwise one item per line.
fn lay_out(open: &str, items: Vec<String>, close: &str, more: usize) -> String {
    let mut items = items;
    if more > 0 {
        items.push(format!("... {more} more"));
    }
    let one_line = items.join(", ");
    if one_line.chars().count() <= 100 && !one_line.contains('\n') {
        return format!("{open}{one_line}{close}");
    }
    if items.iter().all(|i| i.chars().count() <= 30 && !i.contains('\n')) {
        return format!("{open}{}{close}", wrap(&items, 100));
    }
    let indented: Vec<String> = items.iter().map(|i| format!("  {}", i.trim_end().replace('\n', "\n  "))).collect();
    format!("{open}\n{}\n{close}", indented.join(",\n"))
}

fn wrap(items: &[String], width: usize) -> String {
    let (mut out, mut column) = (String::new(), 0);
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(',');
            column += 1;
            if column + item.chars().count() > width {
                out.push_str("\n ");
                column = 1;
            } else {
                out.push(' ');
                column += 1;
            }
        }
        out.push_str(item);
        column += item.chars().count();
    }
    out
}

/// Six significant digits, and always visibly a float.
pub fn number(x: f64) -> String {
    if !x.is_finite() {
        return x.to_string();
    }
    if x != 0.0 && !(1e-4..1e9).contains(&x.abs()) {
        return format!("{x:.5e}");
    }
    let digits = (6 - x.abs().max(1.0).log10().floor() as i32 - 1).max(1) as usize;
    let text = format!("{x:.digits$}");
    let trimmed = text.trim_end_matches('0');
    if trimmed.ends_with('.') { format!("{trimmed}0") } else { trimmed.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_look_like_floats() {
        assert_eq!(number(1.0), "1.0");
        assert_eq!(number(0.1 + 0.2), "0.3");
        assert_eq!(number(82.345678), "82.3457");
        assert_eq!(number(1.5e-7), "1.50000e-7");
    }

    #[test]
    fn long_arrays_wrap() {
        let names: rhai::Array = (0..40).map(|i| Dynamic::from(format!("label {i}"))).collect();
        let text = show(&names.into());
        assert!(text.lines().count() > 3 && text.lines().all(|l| l.len() <= 104), "{text}");
    }
}
