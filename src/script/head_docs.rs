//! The documentation of heads as text.

use colored::Colorize;

use super::docs::wrap;
use crate::models::heads::{HEADS, HeadKind, HeadOption, Takes};
use crate::models::label_order::LabelOrder;

/// Column at which the text about a head begins, and the one of its options.
const ABOUT: usize = 13;
const OPTION: usize = 29;

/// Every head: summary and paper, source, checkpoints, needs, options.
pub fn heads_text() -> String {
    let mut out = wrap(
        "A head turns the feature maps of a backbone into one logit per label. Every head works on every backbone:",
        0,
    );
    out.push_str("\n  model: #{backbone: \"resnet101\", head: \"q2l\", head_options: #{decoder_layers: 1}}\n\n");
    for (name, text) in [
        ("code", "the published class that the head equals: repository, commit, class"),
        ("differs", "differences that remain; without published code, the guesses"),
        ("weights", "checkpoints of whole models that weights: \"FILE\" reads"),
        ("needs", "options of the model without which it cannot be made"),
    ] {
        out.push_str(&about(name, text));
    }
    out.push_str(&wrap(
        "Then its head_options, each with its default. Defaults are the published values, but where \"differs\" says otherwise.",
        0,
    ));
    out.push('\n');
    out.push_str(&wrap(
        "A head of your own is a closure of the maps [N, C, h, w] and of Layers p, which make its parameters by name: see `cpsd doc Layers` and examples/heads.",
        0,
    ));
    out.push_str(
        "\n\n  model: #{backbone: \"resnet101\", head: |maps, p| p.linear(\"fc\", maps.mean([2, 3]), p.labels)}\n",
    );
    for head in HEADS {
        out.push('\n');
        out.push_str(&head_text(head));
    }
    out
}

/// One head.
pub fn head_text(head: &HeadKind) -> String {
    let paper = if head.paper.is_empty() { String::new() } else { format!(" ({})", head.paper) };
    let mut out = format!("{}\n  {}\n", head.name.cyan().bold(), wrap(&format!("{}{paper}", head.summary), 2));
    out.push_str(&about("code", head.published.code));
    out.push_str(&about("differs", head.published.differs));
    for layout in head.published.layouts {
        let labels = match layout.labels {
            LabelOrder::Unknown => "",
            order => &format!("; labels {}", order.text()),
        };
        out.push_str(&about("weights", &format!("{}{labels}", layout.system)));
    }
    if head.needs_words {
        out.push_str(&about("needs", "word_vectors: a file in GloVe's form, or \"learned\""));
    }
    if head.needs_graph {
        let which = if head.needs_shares { "cooccurrence(data.train)" } else { "a co-occurrence or an affinity" };
        out.push_str(&about("needs", &format!("graph: {which}")));
    }
    if let Some(width) = head.default_width {
        out.push_str(&option("head_width", &width.to_string(), "width of its hidden layers, an option of the model"));
    }
    for o in head.options {
        out.push_str(&option(o.name, &o.default().to_string(), &text_of(o)));
    }
    out
}

/// What an option of a head is, with its values.
pub(super) fn text_of(option: &HeadOption) -> String {
    format!("{} ({})", option.doc, values(option))
}

/// `from 1 to 64`, `true or false`, `"a", "b" or "c"`.
fn values(option: &HeadOption) -> String {
    match &option.takes {
        Takes::Integer { range, .. } => format!("an integer {range}"),
        Takes::Number { range, .. } => range.to_string(),
        Takes::Flag { .. } => "true or false".into(),
        Takes::OneOf(names) => match names.split_last() {
            Some((last, [])) => format!("\"{last}\""),
            Some((last, others)) => {
                let others: Vec<String> = others.iter().map(|name| format!("\"{name}\"")).collect();
                format!("{} or \"{last}\"", others.join(", "))
            }
            None => String::new(),
        },
    }
}

fn about(name: &str, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("  {name:<10} {}\n", wrap(text, ABOUT)) }
}

fn option(name: &str, default: &str, text: &str) -> String {
    format!("  {:<15} {:<10} {}\n", name.green(), default.dimmed(), wrap(text, OPTION))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::width::LONGEST;

    #[test]
    fn every_head_says_where_it_comes_from() {
        for head in HEADS.iter().filter(|head| !head.paper.is_empty()) {
            // Without published code, the text names its source.
            assert!(!head.published.code.is_empty() || head.published.differs.contains("paper"), "{}", head.name);
            assert!(
                head.published.code.is_empty() || head.published.code.starts_with("github.com/"),
                "{}: {}",
                head.name,
                head.published.code
            );
        }
        let text = heads_text();
        for words in ["chosen here", "hoices of this implementation"] {
            assert!(!text.contains(words), "{words}");
        }
    }

    #[test]
    fn options_have_their_defaults_and_values_and_lines_fit() {
        let text = heads_text();
        for head in HEADS {
            let own = head_text(head);
            assert!(text.contains(&own), "{}", head.name);
            for o in head.options {
                let (start, default) = (format!("  {} ", o.name), o.default().to_string());
                let found = own.lines().any(|line| line.starts_with(&start) && line.contains(&default));
                assert!(found, "{}: {}", head.name, o.name);
            }
        }
        // Ends of lines that no space can break are excepted.
        assert!(text.lines().all(|line| line.chars().count() <= LONGEST || line.trim_start().split(' ').count() <= 3));
        let of = |takes| HeadOption { name: "o", takes, doc: "" };
        assert_eq!(values(&of(Takes::OneOf(&["a"]))), "\"a\"");
        assert_eq!(values(&of(Takes::OneOf(&["a", "b", "c"]))), "\"a\", \"b\" or \"c\"");
        assert_eq!(values(&of(Takes::Flag { default: true })), "true or false");
    }
}
