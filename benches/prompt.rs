//! Costs of the prompt: Tab in a rich scope, a line that does almost nothing, and a new session.

#![allow(clippy::disallowed_methods, clippy::disallowed_macros)] // benches touch files and print as they like

use criterion::{Criterion, criterion_group, criterion_main};

use cpsd::repl::completions;

fn prompt(criterion: &mut Criterion) {
    let mut session = cpsd::primitives::session();
    let mut text = String::from(
        "let data = dataset(\"emoji-scenes\", #{train: 32, val: 16, test: 16, test_shifted: 8, size: 48});\nimport \"method\" as method;\n",
    );
    for i in 0..200 {
        text.push_str(&format!(
            "let variable_{i} = #{{a: {i}, b: [data.train, data.test]}};\nfn helper_{i}(x) {{ x + {i} }}\n"
        ));
    }
    let _ = session.eval(&text, "scope").expect("the scope is made");
    let mut tab = |name: &str, line: &str| {
        assert!(!completions(&session, line).is_empty(), "{line} completes to nothing");
        criterion.bench_function(name, |b| b.iter(|| completions(&session, line)));
    };
    tab("Tab after a name's beginning", "let t = tr");
    tab("Tab after a chained receiver", "variable_150.b[0].labels.head(3).");
    tab("Tab inside an option's map", "train_teacher(data, data.train.names, #{epochs: 3, ");
    criterion.bench_function("a line that does next to nothing", |b| {
        b.iter(|| drop(session.eval("variable_7.a + 1", "line").expect("it runs")))
    });
    criterion.bench_function("a session from nothing", |b| b.iter(cpsd::primitives::session));
}

criterion_group!(benches, prompt);
criterion_main!(benches);
