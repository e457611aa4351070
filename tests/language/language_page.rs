//! docs/language.md: every line of code on it runs, and every comment on it is the value of its line.

use cpsd::script::show;

use crate::common::root;

#[test]
fn the_page_of_the_language_says_what_happens() {
    let page = std::fs::read_to_string(root("docs/language.md")).unwrap();
    let (mut compared, mut wrong) = (0, Vec::new());
    for block in page.split("```rust\n").skip(1).map(|rest| rest.split("```").next().unwrap()) {
        let mut session = cpsd::primitives::session();
        let mut text = String::new();
        for line in block.lines() {
            let (code, expected) = match line.split_once(" // ") {
                Some((code, expected)) => (code, Some(expected)),
                None => (line, None),
            };
            text += &format!("{code}\n");
            let Some(expected) = expected else { continue };
            compared += 1;
            let said = match session.eval(&std::mem::take(&mut text), "language.md") {
                Ok(value) => show::plain(&value),
                Err(failure) => format!("error: {}", failure.message),
            };
            let agrees = match expected.starts_with("error: ") {
                true => said.starts_with(expected),
                false => said == expected,
            };
            if !agrees {
                wrong.push(format!("{code}\n  page: {expected}\n  here: {said}"));
            }
        }
        if let Err(failure) = session.eval(&text, "language.md") {
            wrong.push(format!("{text}  here: {}", failure.message));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared > 30, "{compared} values are compared");
}
