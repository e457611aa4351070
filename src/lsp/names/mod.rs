//! What each name of a text stands for, found from its tokens, so that a text which is half typed has names too.
//!
//! - `flat`: the tokens of a text with those inside its strings
//! - `walker`: what is open and what is seen at each token; `statements`: what makes names
//! - `late`: what is used before it is made

mod flat;
mod late;
mod statements;
mod walker;

use std::collections::BTreeMap;
use std::ops::Range;

use walker::Walker;

/// How a name is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Variable,
    Constant,
    /// Of a function or a closure.
    Parameter,
    /// The item or the counter of a loop.
    Loop,
    /// A caught error.
    Caught,
    Function,
    /// The name that an import gives.
    Library,
}

/// A place that makes a name.
#[derive(Debug)]
pub struct Definition {
    pub name: String,
    pub kind: Kind,
    /// Where the name is written.
    pub at: Range<usize>,
    /// Where it is seen. A function is seen everywhere, and a library of the top level in all functions too.
    pub seen: Range<usize>,
    /// The whole function, from `fn` to its last bracket; of others from the keyword to the end of the statement.
    pub whole: Range<usize>,
    /// The value of a variable, what a loop goes over, the path of a library.
    pub value: Range<usize>,
    /// `mean(a, b)` of a function.
    pub signature: String,
    /// The function in which it is made.
    pub inside: Option<usize>,
    /// It is directly in the text, in no block and no function.
    pub is_top: bool,
    /// It is one of the items of a loop; false for the counter.
    pub is_item: bool,
    /// A function that is called as a method: it reads `this`, or is made for one kind of value.
    pub is_method: bool,
    /// Definitions of one number are one thing: functions of one name.
    pub symbol: usize,
}

/// A place that uses a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    pub at: Range<usize>,
    pub of: Of,
}

/// What is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Of {
    /// What the text itself makes, by its symbol.
    Symbol(usize),
    /// A function or constant of a library, by the symbol of the library's name.
    InLibrary(usize),
    /// A member, behind a dot.
    Member,
    /// A key of a map.
    Key,
    /// A variable or, with a bracket behind it, a function that the text does not make.
    Other,
    OtherFunction,
}

/// The names of a text.
#[derive(Debug, Default)]
pub struct Names {
    /// In the order of the text.
    pub definitions: Vec<Definition>,
    pub uses: Vec<Use>,
}

/// Words that are no names.
pub const KEYWORDS: &[&str] = &[
    "let", "const", "fn", "private", "if", "else", "switch", "do", "while", "until", "loop", "for", "in", "continue",
    "break", "return", "throw", "try", "catch", "import", "export", "as", "true", "false", "this", "global",
];

impl Names {
    pub fn of(text: &str) -> Names {
        let mut walker = Walker::of(text);
        walker.walk();
        walker.finish()
    }

    /// The definition whose name is at a byte, or the symbol that is used there, with the bytes of the name.
    pub fn at(&self, byte: usize) -> Option<(Range<usize>, Of)> {
        let touches = |range: &Range<usize>| range.start <= byte && byte <= range.end;
        let made = self.definitions.iter().find(|d| touches(&d.at)).map(|d| (d.at.clone(), Of::Symbol(d.symbol)));
        made.or_else(|| self.uses.iter().find(|used| touches(&used.at)).map(|used| (used.at.clone(), used.of.clone())))
    }

    /// The definitions of a symbol.
    pub fn made(&self, symbol: usize) -> impl Iterator<Item = &Definition> {
        self.definitions.iter().filter(move |definition| definition.symbol == symbol)
    }

    /// The places where a symbol is used.
    pub fn used(&self, symbol: usize) -> impl Iterator<Item = &Use> {
        self.uses.iter().filter(move |used| used.of == Of::Symbol(symbol))
    }

    /// The variables and libraries that are seen at a byte, each name once, by their numbers.
    pub fn seen(&self, byte: usize) -> Vec<usize> {
        let function = self.function_at(byte);
        let mut found: BTreeMap<&str, usize> = BTreeMap::new();
        for (i, definition) in self.definitions.iter().enumerate() {
            let here = match definition.kind {
                Kind::Function => false,
                Kind::Library if definition.inside.is_none() && function.is_some() => true,
                _ => definition.inside == function && definition.seen.start <= byte && byte <= definition.seen.end,
            };
            // The latest of one name hides those before it.
            if here && !definition.name.is_empty() {
                let latest = found.entry(&definition.name).or_insert(i);
                if self.definitions[*latest].seen.start <= definition.seen.start {
                    *latest = i;
                }
            }
        }
        found.into_values().collect()
    }

    /// The function around a byte.
    fn function_at(&self, byte: usize) -> Option<usize> {
        let around = |d: &Definition| d.kind == Kind::Function && d.whole.start <= byte && byte < d.whole.end;
        self.definitions.iter().rposition(around)
    }

    /// The functions of the text.
    pub fn functions(&self) -> impl Iterator<Item = &Definition> {
        self.definitions.iter().filter(|d| d.kind == Kind::Function && !d.name.is_empty())
    }

    /// The library that is imported under this name.
    pub fn library(&self, name: &str) -> Option<&Definition> {
        self.definitions.iter().find(|d| d.kind == Kind::Library && d.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text with each name that the text makes marked by the number of its symbol, those that it uses without making by `?`.
    fn marked(text: &str) -> String {
        let names = Names::of(text);
        let mut marks: Vec<(usize, String)> = Vec::new();
        let mut symbols: Vec<usize> = names.definitions.iter().map(|d| d.symbol).collect();
        symbols.sort_unstable();
        symbols.dedup();
        let number = |symbol: usize| symbols.iter().position(|s| *s == symbol).unwrap();
        marks.extend(names.definitions.iter().map(|d| (d.at.end, format!("₁{}", number(d.symbol)))));
        marks.extend(names.uses.iter().filter_map(|used| match used.of {
            Of::Symbol(symbol) => Some((used.at.end, format!("₂{}", number(symbol)))),
            Of::InLibrary(symbol) => Some((used.at.end, format!("₃{}", number(symbol)))),
            Of::Other | Of::OtherFunction => Some((used.at.end, "?".to_string())),
            Of::Member | Of::Key => None,
        }));
        marks.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        let mut out = text.to_string();
        marks.into_iter().for_each(|(at, mark)| out.insert_str(at, &mark));
        out
    }

    #[test]
    fn variables_are_seen_behind_their_statement_to_the_end_of_their_block() {
        assert_eq!(marked("let a = a; a; b"), "let a₁0 = a?; a₂0; b?");
        assert_eq!(marked("let a = 1; { let a = a; a } a"), "let a₁0 = 1; { let a₁1 = a₂0; a₂1 } a₂0");
        assert_eq!(marked("let a = 1; let a = a + 1; a"), "let a₁0 = 1; let a₁1 = a₂0 + 1; a₂1");
        assert_eq!(marked("const A = 1; if A > 0 { A = 2 }"), "const A₁0 = 1; if A₂0 > 0 { A₂0 = 2 }");
        assert_eq!(marked("for (x, i) in x { x; i } i"), "for (x₁0, i₁1) in x? { x₂0; i₂1 } i?");
        assert_eq!(marked("for x in f(|a| { a }, #{b: 1}) { x }"), "for x₁0 in f?(|a₁1| { a₂1 }, #{b: 1}) { x₂0 }");
        assert_eq!(marked("try { e } catch (e) { e } e"), "try { e? } catch (e₁0) { e₂0 } e?");
        assert_eq!(marked("let x; x"), "let x₁0; x₂0");
        assert_eq!(marked("x.a.x; 0..x; a?.x; 1.x5; 'x'"), "x?.a.x; 0..x?; a??.x; 1.x5; 'x'");
        assert_eq!(marked("let a = 1; #{a: a, b: [a]}"), "let a₁0 = 1; #{a: a₂0, b: [a₂0]}");
        assert_eq!(marked("switch a { 1 | 2 => a, b => |c| c }"), "switch a? { 1 | 2 => a?, b? => |c₁0| c₂0 }");
    }

    #[test]
    fn closures_see_what_is_around_them() {
        assert_eq!(marked("let w = 1; |a, b| a * w + b; a"), "let w₁0 = 1; |a₁1, b₁2| a₂1 * w₂0 + b₂2; a?");
        assert_eq!(marked("f(|a| a, a); a || b"), "f?(|a₁0| a₂0, a?); a? || b?");
        assert_eq!(marked("|| 1; |a| |b| a + b"), "|| 1; |a₁0| |b₁1| a₂0 + b₂1");
        assert_eq!(marked("let f = |a| { let b = a; b }; b"), "let f₁0 = |a₁1| { let b₁2 = a₂1; b₂2 }; b?");
        assert_eq!(marked("(a | b) | c"), "(a? | b?) | c?");
    }

    #[test]
    fn functions_see_their_parameters_and_libraries() {
        let text = "import \"m\" as m; let x = 1; const C = 2; fn f(a) { a + x + C + global::C + m::g(n::h) } f(x); f";
        assert_eq!(
            marked(text),
            "import \"m\" as m₁0; let x₁1 = 1; const C₁2 = 2; fn f₁3(a₁4) { a₂4 + x? + C? + global::C₂2 + m₂0::g₃0(n?::h?) } \
             f₂3(x₂1); f?"
        );
        // Functions are known before they are made, and so are the libraries that they use.
        assert_eq!(marked("f(1); fn f(a) { l::g(a) } import \"l\" as l;"), {
            "f₂0(1); fn f₁0(a₁1) { l₂2::g₃2(a₂1) } import \"l\" as l₁2;"
        });
        assert_eq!(marked("fn f() {} fn f(a) { a } f(Fn(\"f\"))"), "fn f₁0() {} fn f₁0(a₁1) { a₂1 } f₂0(Fn?(\"f₂0\"))");
        // Called as a method only if they are made for that.
        assert_eq!(marked("fn up() { this + 1 } fn no() { 1 } 1.up(); a.no()"), {
            "fn up₁0() { this + 1 } fn no₁1() { 1 } 1.up₂0(); a?.no()"
        });
    }

    #[test]
    fn code_in_strings_has_names_too() {
        assert_eq!(marked("let a = 1; `a ${a} ${`b ${a}`} a` + a"), "let a₁0 = 1; `a ${a₂0} ${`b ${a₂0}`} a` + a₂0");
        assert_eq!(marked("let a = 1; `x ${let b = a; b} ${b}`"), "let a₁0 = 1; `x ${let b₁1 = a₂0; b₂1} ${b?}`");
        assert_eq!(marked("\"a ${a}\" // a\n/* a */"), "\"a ${a}\" // a\n/* a */");
    }

    #[test]
    fn half_typed_statements_do_not_swallow_the_next() {
        assert_eq!(marked("let a = f(b, [\nlet c = a; c"), "let a₁0 = f?(b?, [\nlet c₁1 = a₂0; c₂1");
        assert_eq!(marked("if x {\nlet a = 1;\nfn f(b) { b }\nf(a"), {
            "if x? {\nlet a₁0 = 1;\nfn f₁1(b₁2) { b₂2 }\nf₂1(a?"
        });
        assert_eq!(marked("let a = 1; a."), "let a₁0 = 1; a₂0.");
        assert_eq!(marked("let\nlet a = `${a"), "let\nlet a₁0 = `${a?");
        assert_eq!(marked("let a = 1 )]} a"), "let a₁0 = 1 )]} a?");
    }

    #[test]
    fn what_is_seen_at_a_place() {
        let text = "let a = 1; import \"m\" as m; fn f(b) { let c = 2; @ } let a = 3; for x in a { ^ } $";
        let names = Names::of(text);
        let at = |mark: &str| {
            let seen = names.seen(text.find(mark).unwrap());
            let mut seen: Vec<(&str, usize)> =
                seen.into_iter().map(|i| (names.definitions[i].name.as_str(), names.definitions[i].at.start)).collect();
            seen.sort_unstable();
            seen
        };
        let only = |mark: &str| at(mark).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(only("@"), ["b", "c", "m"]);
        assert_eq!(only("^"), ["a", "m", "x"]);
        assert_eq!(at("$")[0], ("a", text.rfind("a = 3").unwrap()));
    }
}
