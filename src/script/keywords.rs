//! The language's keywords and Rhai's own functions, documented: for `?for` and `cpsd doc import`.
//!
//! A test runs every example.

/// A keyword, an operator or a function of Rhai's own.
pub struct Keyword {
    pub name: &'static str,
    /// Other names that people look for.
    pub also: &'static [&'static str],
    /// How it is written, one form per line.
    pub usage: &'static str,
    pub text: &'static str,
    /// Code and what `print` shows of its value.
    pub example: (&'static str, &'static str),
}

/// The keyword of that name.
pub fn find(name: &str) -> Option<&'static Keyword> {
    KEYWORDS.iter().find(|keyword| keyword.name == name || keyword.also.contains(&name))
}

const fn k(
    name: &'static str,
    also: &'static [&'static str],
    usage: &'static str,
    text: &'static str,
    example: (&'static str, &'static str),
) -> Keyword {
    Keyword { name, also, usage, text, example }
}

/// All of them.
pub const KEYWORDS: &[Keyword] = &[
    k(
        "let",
        &["var", "="],
        "let x = 3;\nx = 4;\nx += 1;",
        "Makes a variable, which holds values of any kind. It lives until the end of its block. Assigning to a name without let is an error if there is no such \
         variable.",
        ("let x = 3; x += 1; x", "4"),
    ),
    k(
        "const",
        &["global"],
        "const N = 3;",
        "Makes a constant. Functions see none of the variables around them; a constant at the top of a text they see as global::N.",
        ("const N = 3; N + 1", "4"),
    ),
    k(
        "fn",
        &["def", "func", "private", "lambda"],
        "fn f(x, y) { x + y }\nprivate fn f() { }\n|x, y| x + y",
        "Defines a function at the top of a text. Its last expression without a semicolon is its value; return gives one earlier. It sees its parameters and \
         constants as global::N, no variables; arguments are copies. In a library a comment of /// lines documents it, and private hides it. A closure |x| ... sees \
         the variables around it and is called as f.call(1). A function can be called as a method too: inside it this is the value before the dot.",
        ("let f = |x, y| x + y; f.call(1, 2)", "3"),
    ),
    k(
        "if",
        &["else", "elif", "?:"],
        "if a > 3 { ... } else if a > 1 { ... } else { ... }\nlet b = if a > 3 { 1 } else { 2 };",
        "A choice; also an expression. The condition must be true or false, not a number or an array.",
        ("let a = 5; if a > 3 { \"large\" } else { \"small\" }", "large"),
    ),
    k(
        "switch",
        &["case", "match", "_"],
        "switch x { 1 => ..., 2 | 3 => ..., 4..8 => ..., _ if y > 0 => ..., _ => ... }",
        "A choice by value: constants, several with |, ranges of integers, conditions behind if, and _ for all else. Also an expression. Without _ it is () where \
         nothing fits.",
        ("switch 2 { 1 => \"one\", 2 | 3 => \"few\", _ => \"many\" }", "few"),
    ),
    k(
        "for",
        &["in", "enumerate", "foreach"],
        "for x in array { ... }\nfor (x, i) in array { ... }\nfor i in 0..n { ... }\nfor key in map.keys() { ... }",
        "A loop over an array, a range, the letters of text.chars() or the keys of a map. The second name counts from 0. continue goes on with the next item, break \
         ends the loop.",
        ("let s = \"\"; for (x, i) in [\"a\", \"b\"] { s += x + i; } s", "a0b1"),
    ),
    k(
        "while",
        &["do", "until"],
        "while a < 3 { ... }\ndo { ... } while a < 3;\ndo { ... } until a >= 3;",
        "A loop as long as a condition is true. With do the body runs at least once.",
        ("let a = 0; while a < 3 { a += 1; } a", "3"),
    ),
    k(
        "loop",
        &[],
        "loop { ... break; }\nlet x = loop { ... break 5; };",
        "A loop until break, which may give the loop's value. Ctrl-C stops it too.",
        ("let a = 1; loop { a *= 2; if a > 50 { break a; } }", "64"),
    ),
    k(
        "break",
        &["continue"],
        "break;\nbreak value;\ncontinue;",
        "break ends the innermost loop, with a value if one is given; continue goes on with its next item.",
        ("let n = 0; for i in 0..10 { if i % 2 == 0 { continue; } if i > 6 { break; } n += i; } n", "9"),
    ),
    k(
        "return",
        &[],
        "return;\nreturn value;",
        "Ends the function, or at the top the text, with a value. The last expression of a function needs no return.",
        ("let f = |x| { if x < 0 { return 0; } x }; f.call(-3)", "0"),
    ),
    k(
        "import",
        &["as", "export", "use", "require", "library", "module", "::"],
        "import \"method\" as m;\nm::defaults()",
        "Reads a library: one of cpsd's own (? lists them), a file NAME.rhai beside the script, or one in a folder of CPSD_PATH. Its functions are m::f(...). At the prompt \
         ?m shows them, ?m::f one of them and ??m the source. export in a library makes a variable of its top visible as m::x.",
        ("import \"method\" as m; type_of(m::defaults())", "map"),
    ),
    k(
        "try",
        &["catch", "except", "finally", "error", "exception"],
        "try { ... } catch (error) { ... }",
        "Runs a block, and the second one if an error ends the first. `${error}` is the sentence of \
         any error. Of one of cpsd, error.message is it too, and error.help says how to mend it; of throw, error is the thrown value. Ctrl-C is not caught.",
        ("let said = \"\"; try { throw \"no\"; } catch (error) { said = \"caught: \" + error; } said", "caught: no"),
    ),
    k(
        "throw",
        &["raise"],
        "throw \"what is wrong\";",
        "Ends the text with an error, unless a try around it catches it. The value may be of any kind. #{argument: \"k\", message: \"k= is 2 or above; got 0\"} \
         says what is wrong with an argument of the command line: it is shown where the script asks for it (?arg), also if a library throws it.",
        ("let code = 0; try { throw #{code: 3}; } catch (error) { code = error.code; } code", "3"),
    ),
    k(
        "this",
        &["self"],
        "fn double() { this * 2 }\n5.double()",
        "In a function that is called as a method, the value before the dot; assigning to it changes the variable. In a closure without parameters of for_each, the item.",
        ("let a = [1, 2]; a.for_each(|| this *= 10); a", "[10, 20]"),
    ),
    k(
        "print",
        &["puts", "println", "echo", "display"],
        "print(value)\nprint(a, b, c)",
        "Writes values on standard output, several with a blank between them, and ends the line. Numbers are shown with six digits; format(\"{:.2f}\", x) decides otherwise. \
         At the prompt an expression shows its value without print.",
        ("print(\"x\"); 1", "1"),
    ),
    k(
        "debug",
        &[],
        "debug(value)",
        "Writes a value on standard error, with its place in the script.",
        ("debug(1); 2", "2"),
    ),
    k(
        "type_of",
        &["typeof", "isinstance", "class"],
        "type_of(value)\nvalue.type_of()",
        "The kind of a value as text: \"string\", \"i64\", \"f64\", \"array\", \"map\", \"Dataset\".",
        ("type_of(\"a\")", "string"),
    ),
    k(
        "eval",
        &["exec"],
        "eval(text)",
        "Runs a text as code in the middle of a script, with its variables. A function or a map of closures is nearly always clearer.",
        ("eval(\"1 + 2\")", "3"),
    ),
    k(
        "is_def_var",
        &["is_def_fn", "defined"],
        "is_def_var(\"x\")\nis_def_fn(\"f\", 2)",
        "Whether there is a variable of that name, or a function of that name with so many parameters.",
        ("let x = 1; is_def_var(\"x\")", "true"),
    ),
    k(
        "//",
        &["comment", "#", "///", "/*"],
        "// to the end of the line\n/* over several lines */\n/// documents the function below it",
        "Comments. 7 // 2 is 7 and a comment: division of integers is 7 / 2.",
        ("1 + /* one */ 2 // three", "3"),
    ),
    k(
        "??",
        &["?."],
        "a ?? b\na?.member",
        "a ?? b is b where a is (), as a map's get or find may give. a?.member is () where a is (). (At the prompt, ??NAME shows the source of a function.)",
        ("#{a: 1}.get(\"b\") ?? 7", "7"),
    ),
];
