//! The kinds of values that are Rhai's own, with their members as they are here: for `?string` and `cpsd doc array`.
//!
//! A test runs every example.

/// A kind of value that is Rhai's own.
pub struct OwnType {
    pub name: &'static str,
    /// Other names that people look for.
    pub also: &'static [&'static str],
    pub summary: &'static str,
    pub members: &'static [OwnMember],
}

/// A method, field or operator.
pub struct OwnMember {
    /// As it is written after the dot; an operator as it is written.
    pub usage: &'static str,
    pub doc: &'static str,
    /// Code and what `print` shows of its value.
    pub example: (&'static str, &'static str),
}

impl OwnMember {
    /// The bare name, without parameters.
    pub fn name(&self) -> &'static str {
        self.usage.split('(').next().unwrap_or(self.usage)
    }
}

/// The type of that name.
pub fn find(name: &str) -> Option<&'static OwnType> {
    OWN_TYPES.iter().find(|own| own.name == name || own.also.contains(&name))
}

const fn m(usage: &'static str, doc: &'static str, code: &'static str, prints: &'static str) -> OwnMember {
    OwnMember { usage, doc, example: (code, prints) }
}

/// All of them.
pub const OWN_TYPES: &[OwnType] = &[
    OwnType {
        name: "string",
        also: &["str", "String", "text"],
        summary: "A text in UTF-8: \"a\\n\", or in backticks over several lines and with ${code} inside. Positions count letters from 0, and from \
                  the end below 0. Methods marked \"in place\" change the variable and give nothing; to_upper and its like give a new text.",
        members: &[
            m("a + b", "joins texts; a value that is none is shown as print shows it", "\"k = \" + 3", "k = 3"),
            m("`${code}`", "the values of code inside a text in backticks", "let k = 3; `k is ${k + 1}`", "k is 4"),
            m(
                "[i], [i..j]",
                "the letter at a position, or a part",
                "let s = \"abcd\"; [s[0], s[-1], s[1..3]]",
                "[a, d, \"bc\"]",
            ),
            m("x in text", "whether a text has a part", "\"bc\" in \"abcd\"", "true"),
            m("len()", "number of letters", "\"größe\".len()", "5"),
            m("bytes", "number of bytes", "\"größe\".bytes", "7"),
            m("is_empty()", "whether it has no letters", "\"\".is_empty()", "true"),
            m("contains(part)", "whether it has a part", "\"abc\".contains(\"b\")", "true"),
            m("starts_with(part)", "whether it begins so", "\"abc\".starts_with(\"ab\")", "true"),
            m("ends_with(part)", "whether it ends so", "\"a.png\".ends_with(\".png\")", "true"),
            m("index_of(part)", "the first place of a part, or -1", "\"abcb\".index_of(\"b\")", "1"),
            m("sub_string(from, n)", "n letters from a place on, or all", "\"abcd\".sub_string(1, 2)", "bc"),
            m(
                "split(separator)",
                "an array of the parts between separators; without one, at white space",
                "\"a, b\".split(\", \")",
                "[\"a\", \"b\"]",
            ),
            m(
                "split_by(pattern)",
                "the same by a regular expression",
                "\"a1b22c\".split_by(`\\d+`)",
                "[\"a\", \"b\", \"c\"]",
            ),
            m("matches(pattern)", "whether a regular expression matches", "\"run 12\".matches(`\\d`)", "true"),
            m(
                "find_all(pattern)",
                "what a regular expression matches",
                "\"a1b22\".find_all(`\\d+`)",
                "[\"1\", \"22\"]",
            ),
            m(
                "replace_all(pattern, with)",
                "a new text with something else for all matches",
                "\"a1b2\".replace_all(`\\d`, \"-\")",
                "a-b-",
            ),
            m(
                "replace(part, with)",
                "all of a part replaced, in place",
                "let s = \"a-b\"; s.replace(\"-\", \"+\"); s",
                "a+b",
            ),
            m("trim()", "without white space at both ends, in place", "let s = \" a \"; s.trim(); s", "a"),
            m("to_upper()", "a new text in capitals", "\"ab\".to_upper()", "AB"),
            m("to_lower()", "a new text in small letters", "\"AB\".to_lower()", "ab"),
            m(
                "pad(n, letter)",
                "letters at the end up to a length, in place",
                "let s = \"7\"; s.pad(3, \"0\"); s",
                "700",
            ),
            m("repeat(n)", "the text n times", "\"ab\".repeat(2)", "abab"),
            m("crop(from, n)", "only n letters from a place on, in place", "let s = \"abcd\"; s.crop(1, 2); s", "bc"),
            m("truncate(n)", "the first n letters, in place", "let s = \"abcd\"; s.truncate(2); s", "ab"),
            m("remove(part)", "without a part, in place", "let s = \"abab\"; s.remove(\"a\"); s", "bb"),
            m("pop()", "takes the last letter away and gives it, in place", "let s = \"abc\"; s.pop()", "c"),
            m("clear()", "takes all letters away, in place", "let s = \"abc\"; s.clear(); s.len()", "0"),
            m("chars()", "its letters, for a loop", "let n = 0; for c in \"abc\".chars() { n += 1; } n", "3"),
            m("to_chars()", "an array of its letters", "\"ab\".to_chars().len()", "2"),
            m("parse_int(), to_int()", "the integer that it says, an error if none", "\"12\".parse_int() + 1", "13"),
            m("parse_float(), to_float()", "the number that it says, an error if none", "\"1.5\".parse_float()", "1.5"),
        ],
    },
    OwnType {
        name: "array",
        also: &["list", "Array", "vec"],
        summary: "Values in order, of any kinds: [1, \"a\", [2]]. Positions count from 0, and from the end below 0. A copy is independent: let b = a. \
                  Methods marked \"in place\" change the variable and give nothing.",
        members: &[
            m("[i]", "the item at a position; a part is a.extract(1..3)", "let a = [5, 6, 7]; [a[0], a[-1]]", "[5, 7]"),
            m("a + b", "both in one array", "[1] + [2, 3]", "[1, 2, 3]"),
            m("x in a", "whether an item equals x", "2 in [1, 2]", "true"),
            m("len()", "number of items", "[5, 6].len()", "2"),
            m("is_empty()", "whether it has none", "[].is_empty()", "true"),
            m("map(closure)", "the closure's value of each item; |x| or |x, i|", "[1, 2].map(|x| x * 10)", "[10, 20]"),
            m("filter(closure)", "the items of which it is true", "[1, 2, 3].filter(|x| x > 1)", "[2, 3]"),
            m("reduce(closure, first)", "one value from all: |sum, x|", "[1, 2, 3].reduce(|s, x| s + x, 0)", "6"),
            m(
                "for_each(closure)",
                "calls it with each item: |x| or |x, i|",
                "let n = 0; [1, 2].for_each(|x| n += x); n",
                "3",
            ),
            m("find(closure)", "the first item of which it is true, or ()", "[1, 5, 9].find(|x| x > 2)", "5"),
            m("find_map(closure)", "the first value that is not ()", "[1, 5].find_map(|x| if x > 2 { x * 2 })", "10"),
            m("some(closure)", "whether it is true of one", "[1, 5].some(|x| x > 2)", "true"),
            m("all(closure)", "whether it is true of all", "[1, 5].all(|x| x > 2)", "false"),
            m(
                "zip(other, closure)",
                "the closure's value of each pair",
                "[1, 2].zip([10, 20], |a, b| a + b)",
                "[11, 22]",
            ),
            m("contains(x)", "whether an item equals x", "[1, 2].contains(2)", "true"),
            m("index_of(x)", "the first place of x, or -1; also of a closure", "[5, 6].index_of(6)", "1"),
            m("join(separator)", "the items as one text", "[1, 2].join(\"-\")", "1-2"),
            m("sum(), mean(), median(), std()", "of numbers", "[1, 2, 6].mean()", "3.0"),
            m("max(), min()", "of numbers", "[3, 9, 4].max()", "9"),
            m("push(x)", "x at the end, in place", "let a = [1]; a.push(2); a", "[1, 2]"),
            m("insert(i, x)", "x before a position, in place", "let a = [1, 3]; a.insert(1, 2); a", "[1, 2, 3]"),
            m(
                "append(other)",
                "the items of another at the end, in place",
                "let a = [1]; a.append([2, 3]); a",
                "[1, 2, 3]",
            ),
            m("pop()", "takes the last item away and gives it", "let a = [1, 2]; a.pop()", "2"),
            m("shift()", "takes the first item away and gives it", "let a = [1, 2]; a.shift()", "1"),
            m("remove(i)", "takes an item away and gives it", "let a = [5, 6, 7]; a.remove(1)", "6"),
            m(
                "sort()",
                "in ascending order, in place; also by |a, b| a number below, at or above 0",
                "let a = [3, 1, 2]; a.sort(); a",
                "[1, 2, 3]",
            ),
            m(
                "sort(closure)",
                "in an order of your own, in place",
                "let a = [1, 3, 2]; a.sort(|a, b| b - a); a",
                "[3, 2, 1]",
            ),
            m("reverse()", "in the other order, in place", "let a = [1, 2]; a.reverse(); a", "[2, 1]"),
            m(
                "dedup()",
                "without items that equal the one before, in place",
                "let a = [1, 1, 2]; a.dedup(); a",
                "[1, 2]",
            ),
            m(
                "extract(from, n)",
                "n items from a place on, or all, as a new array",
                "[1, 2, 3, 4].extract(1, 2)",
                "[2, 3]",
            ),
            m(
                "retain(closure)",
                "keeps the items of which it is true, in place",
                "let a = [1, 2, 3]; a.retain(|x| x > 1); a",
                "[2, 3]",
            ),
            m(
                "drain(closure)",
                "takes the items away of which it is true, and gives them",
                "let a = [1, 2, 3]; a.drain(|x| x > 1)",
                "[2, 3]",
            ),
            m("truncate(n)", "the first n items, in place", "let a = [1, 2, 3]; a.truncate(2); a", "[1, 2]"),
            m("chop(n)", "the last n items, in place", "let a = [1, 2, 3]; a.chop(2); a", "[2, 3]"),
            m("pad(n, x)", "x at the end up to a length, in place", "let a = [1]; a.pad(3, 0); a", "[1, 0, 0]"),
            m("clear()", "takes all items away, in place", "let a = [1]; a.clear(); a", "[]"),
        ],
    },
    OwnType {
        name: "map",
        also: &["dict", "object", "Map"],
        summary: "Values by name: #{epochs: 3, \"a b\": 4}. Options are maps. m.key and m[\"key\"] read and write; a key that is not there is an error when it is \
                  read. Keys are in the order of the alphabet. A copy is independent.",
        members: &[
            m("m.key, m[\"key\"]", "a value by its key", "let m = #{a: 1}; m.b = 2; [m.a, m[\"b\"]]", "[1, 2]"),
            m(
                "a + b",
                "both in one; where both have a key, the second's value",
                "#{a: 1, b: 1} + #{b: 2}",
                "#{a: 1, b: 2}",
            ),
            m("key in m", "whether it has a key", "\"a\" in #{a: 1}", "true"),
            m("len()", "number of keys", "#{a: 1, b: 2}.len()", "2"),
            m("is_empty()", "whether it has none", "#{}.is_empty()", "true"),
            m("keys()", "an array of the keys", "#{b: 1, a: 2}.keys()", "[\"a\", \"b\"]"),
            m("values()", "an array of the values, in the order of the keys", "#{b: 1, a: 2}.values()", "[2, 1]"),
            m("contains(key)", "whether it has a key", "#{a: 1}.contains(\"a\")", "true"),
            m("get(key)", "the value, or () where the key is not there", "#{a: 1}.get(\"b\") == ()", "true"),
            m("set(key, x)", "sets a value, in place", "let m = #{}; m.set(\"a\", 1); m", "#{a: 1}"),
            m("remove(key)", "takes a key away and gives its value", "let m = #{a: 1}; m.remove(\"a\")", "1"),
            m(
                "mixin(other)",
                "takes over all keys of another, in place; as +=",
                "let m = #{a: 1}; m.mixin(#{a: 2}); m",
                "#{a: 2}",
            ),
            m(
                "fill_with(other)",
                "takes over the keys that it lacks, in place",
                "let m = #{a: 1}; m.fill_with(#{a: 2, b: 3}); m",
                "#{a: 1, b: 3}",
            ),
            m(
                "filter(closure)",
                "the keys and values of which |key| or |key, value| is true",
                "#{a: 1, b: 2}.filter(|k, v| v > 1)",
                "#{b: 2}",
            ),
            m("to_json()", "the map as JSON text", "#{a: 1}.to_json()", "{\"a\":1}"),
            m("clear()", "takes all keys away, in place", "let m = #{a: 1}; m.clear(); m.len()", "0"),
        ],
    },
    OwnType {
        name: "integer",
        also: &["int", "i64"],
        summary: "A whole number of 64 bits. Arithmetic of two integers gives one: 7 / 2 is 3, and a result that does not fit is an error.",
        members: &[
            m("a / b", "division without the rest; 7.0 / 2 or 7 / 2.0 divides numbers", "[7 / 2, 7.0 / 2]", "[3, 3.5]"),
            m("a % b", "the rest", "7 % 3", "1"),
            m("a ** b", "a power", "2 ** 10", "1024"),
            m(
                "a..b, a..=b",
                "a range without and with its end",
                "(1..4).to_array() + (1..=2).to_array()",
                "[1, 2, 3, 1, 2]",
            ),
            m("to_float()", "as a number", "7.to_float() / 2", "3.5"),
            m("abs(), sign()", "without sign; -1, 0 or 1", "(-7).abs() + (-7).sign()", "6"),
            m("to_string()", "as text", "7.to_string() + \"!\"", "7!"),
            m("to_hex(), to_binary()", "in base 16 or 2", "255.to_hex()", "ff"),
        ],
    },
    OwnType {
        name: "number",
        also: &["float", "f64"],
        summary: "A number with a fraction, of 64 bits: 0.5, 3e-3. Between an integer and a number arithmetic gives a number. print shows six digits.",
        members: &[
            m(
                "round(x), round(x, digits)",
                "to the nearest, halves to even; floor, ceiling and int round otherwise",
                "round(1.255, 1)",
                "1.3",
            ),
            m("to_int()", "the integer towards 0", "2.9.to_int()", "2"),
            m("is_nan(), is_infinite()", "whether it is no number, or infinite", "(0.0 / 0.0).is_nan()", "true"),
            m("sqrt(x), exp(x), log(x), ...", "words of numbers: ? lists them", "sqrt(16)", "4.0"),
        ],
    },
    OwnType {
        name: "boolean",
        also: &["bool", "true", "false"],
        summary: "true or false. There is no truth of other values: if a.len() > 0, not if a.",
        members: &[
            m("a && b, a || b, !a", "and, or, not; the second is evaluated only if needed", "true && !false", "true"),
            m(
                "a == b, a != b, <, <=",
                "comparisons; values of different kinds are never equal",
                "[1 == 1.0, 1 == \"1\"]",
                "[true, false]",
            ),
        ],
    },
    OwnType {
        name: "nothing",
        also: &["()", "none", "None", "null", "nil", "unit"],
        summary: "(): the value of what gives none, and of options that are left open. x == () asks for it.",
        members: &[
            m("a ?? b", "b where a is ()", "let x = (); x ?? 5", "5"),
            m("a?.member", "() where a is ()", "let x = (); x?.len", ""),
        ],
    },
    OwnType {
        name: "range",
        also: &["slice"],
        summary: "Integers from one to another: 0..3 is 0, 1, 2 and 0..=3 has 3 too. For loops, for parts of arrays and texts, and with the methods of arrays \
                  below.",
        members: &[
            m("for i in 0..n", "a loop", "let s = 0; for i in 0..4 { s += i; } s", "6"),
            m(
                "range(a, b, step)",
                "with a step, which may be negative",
                "let a = []; for i in range(6, 0, -2) { a.push(i); } a",
                "[6, 4, 2]",
            ),
            m(
                "map, filter, reduce, some, all, find, zip, sum, mean",
                "as an array's",
                "(0..4).map(|i| i * i)",
                "[0, 1, 4, 9]",
            ),
            m("to_array()", "its integers as an array", "(1..=3).to_array()", "[1, 2, 3]"),
            m("contains(i)", "whether i is in it", "(0..3).contains(2)", "true"),
        ],
    },
    OwnType {
        name: "function",
        also: &["closure", "lambda", "Fn", "FnPtr"],
        summary: "A closure, |x| x * 2 or |a, b| { ... }, or the name of a function, Fn(\"f\"). A closure sees the variables around it, and shares them.",
        members: &[
            m("call(arguments)", "calls it", "let f = |x| x * 2; f.call(4)", "8"),
            m("f(arguments)", "the same of a variable that holds one", "let double = |x| x * 2; double.call(5)", "10"),
            m(
                "curry(arguments)",
                "one with its first arguments given",
                "let add = |a, b| a + b; add.curry(1).call(2)",
                "3",
            ),
        ],
    },
    OwnType {
        name: "timestamp",
        also: &["timer", "duration"],
        summary: "A moment: let t = timestamp(); now() gives date and time as a text.",
        members: &[m("elapsed", "seconds since then", "let t = timestamp(); t.elapsed < 60.0", "true")],
    },
];
