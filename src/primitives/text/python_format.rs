//! Python's format specification: `[[fill]align][sign][#][0][width][grouping][.precision][type]`, as in its documentation
//! (Format Specification Mini-Language). Digits are those of Python: correctly rounded, halves to even.

/// A value to format.
pub enum Value<'a> {
    Integer(i64),
    Number(f64),
    Text(&'a str),
}

/// What stands behind the colon.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spec {
    fill: Option<char>,
    align: Option<char>,
    sign: Option<char>,
    alternate: bool,
    zero: bool,
    width: usize,
    grouping: Option<char>,
    precision: Option<usize>,
    kind: Option<char>,
}

/// Widths and precisions end here.
const MOST: usize = 1_000_000;

impl Spec {
    /// Errors: a sentence about the first part that is no specification.
    pub fn read(text: &str) -> Result<Spec, String> {
        let mut spec = Spec::default();
        let all: Vec<char> = text.chars().collect();
        let is_align = |i: usize| all.get(i).is_some_and(|c| "<>^=".contains(*c));
        let mut at = 0;
        if is_align(1) {
            (spec.fill, spec.align) = (Some(all[0]), Some(all[1]));
            at = 2;
        } else if is_align(0) {
            spec.align = Some(all[0]);
            at = 1;
        }
        let one_of = |at: &mut usize, signs: &str| {
            let found = all.get(*at).copied().filter(|c| signs.contains(*c));
            *at += usize::from(found.is_some());
            found
        };
        spec.sign = one_of(&mut at, "+- ");
        spec.alternate = one_of(&mut at, "#").is_some();
        spec.zero = one_of(&mut at, "0").is_some();
        let number = |at: &mut usize| {
            let digits: String = all[*at..].iter().take_while(|c| c.is_ascii_digit()).collect();
            *at += digits.len();
            (!digits.is_empty())
                .then(|| digits.parse::<usize>().ok().filter(|n| *n <= MOST).ok_or("the number is too large"))
        };
        spec.width = number(&mut at).transpose()?.unwrap_or(0);
        spec.grouping = one_of(&mut at, ",_");
        if one_of(&mut at, ".").is_some() {
            spec.precision = Some(number(&mut at).transpose()?.ok_or("the digits behind the point are missing")?);
        }
        spec.kind = one_of(&mut at, "bcdeEfFgGosxX%");
        match all.get(at) {
            None => Ok(spec),
            Some(c) => {
                let known = "a format is [[fill]align][sign][#][0][width][, or _][.digits][type], as :+.2f";
                Err(format!("\"{c}\" is not understood; {known}"))
            }
        }
    }

    pub fn width(&self) -> usize {
        self.width
    }

    pub fn digits(&self) -> usize {
        self.precision.unwrap_or(0)
    }

    /// Only where and how wide, if anything.
    pub fn is_plain(&self) -> bool {
        let Spec { sign, alternate, zero, grouping, precision, kind, .. } = self;
        sign.is_none() && !alternate && !zero && grouping.is_none() && precision.is_none() && kind.is_none()
    }

    /// Whether only numbers have such a format.
    pub fn is_of_numbers(&self) -> bool {
        self.sign.is_some() || self.grouping.is_some() || self.alternate || self.kind.is_some_and(|kind| kind != 's')
    }

    /// The value in this format. Errors: a sentence why it has none.
    pub fn show(&self, value: &Value) -> Result<String, String> {
        match value {
            Value::Text(text) => self.text(text),
            Value::Integer(n) => match self.kind {
                Some('e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%') => self.number(*n as f64),
                Some('c') => self.character(*n),
                Some('s') => Err("s is the format of strings; got an integer".into()),
                _ => self.integer(*n),
            },
            Value::Number(x) => match self.kind {
                Some('s') => Err("s is the format of strings; got a number".into()),
                Some(kind @ ('b' | 'c' | 'd' | 'o' | 'x' | 'X')) => {
                    Err(format!("{kind} is a format of integers; got a number: .0f shows no digits behind the point"))
                }
                _ => self.number(*x),
            },
        }
    }

    fn text(&self, text: &str) -> Result<String, String> {
        match self.kind {
            None | Some('s') => {}
            Some(kind) => return Err(format!("{kind} is a format of numbers; got a string")),
        }
        if self.sign.is_some() || self.grouping.is_some() || self.alternate || self.align == Some('=') {
            return Err("signs, groups and = are for numbers; got a string".into());
        }
        let cut: String = text.chars().take(self.precision.unwrap_or(usize::MAX)).collect();
        Ok(self.padded(&cut, false))
    }

    fn character(&self, n: i64) -> Result<String, String> {
        if self.sign.is_some() || self.precision.is_some() || self.grouping.is_some() || self.alternate {
            return Err("c takes no sign, digits or groups".into());
        }
        let c = u32::try_from(n).ok().and_then(char::from_u32).ok_or(format!("{n} is the number of no character"))?;
        Ok(self.padded(&c.to_string(), true))
    }

    fn integer(&self, n: i64) -> Result<String, String> {
        if self.precision.is_some() {
            return Err("an integer has no digits behind the point: f shows it as a number".into());
        }
        let magnitude = n.unsigned_abs();
        let (prefix, digits) = match self.kind {
            Some('b') => ("0b", format!("{magnitude:b}")),
            Some('o') => ("0o", format!("{magnitude:o}")),
            Some('x') => ("0x", format!("{magnitude:x}")),
            Some('X') => ("0X", format!("{magnitude:X}")),
            _ => ("", magnitude.to_string()),
        };
        let every = if prefix.is_empty() { 3 } else { 4 };
        if every == 4 && self.grouping == Some(',') {
            return Err("groups of this type are separated by _, not by a comma".into());
        }
        let prefix = if self.alternate { prefix } else { "" };
        Ok(self.signed(n < 0, prefix, &digits, "", every))
    }

    fn number(&self, x: f64) -> Result<String, String> {
        let negative = x.is_sign_negative() && !x.is_nan();
        let upper = matches!(self.kind, Some('E' | 'F' | 'G'));
        let percent = if self.kind == Some('%') { "%" } else { "" };
        if !x.is_finite() {
            let name = if x.is_nan() { "nan" } else { "inf" };
            let name = if upper { name.to_uppercase() } else { name.to_string() };
            return Ok(self.signed(negative, "", "", &format!("{name}{percent}"), 3));
        }
        let magnitude = x.abs();
        let precision = self.precision.unwrap_or(6);
        let written = match self.kind {
            Some('f' | 'F') => fixed(magnitude, precision, self.alternate),
            Some('%') => fixed(magnitude * 100.0, precision, self.alternate),
            Some('e' | 'E') => scientific(magnitude, precision, self.alternate),
            Some('g' | 'G') => general(magnitude, precision.max(1), self.alternate, false),
            _ => match self.precision {
                Some(precision) => general(magnitude, precision.max(1), self.alternate, true),
                None => shortest(magnitude, self.alternate),
            },
        };
        let written = if upper { written.to_uppercase() } else { written };
        let end = written.find(|c: char| !c.is_ascii_digit()).unwrap_or(written.len());
        let (digits, rest) = written.split_at(end);
        Ok(self.signed(negative, "", digits, &format!("{rest}{percent}"), 3))
    }

    /// Sign, prefix, whole digits in groups of `every`, and what follows, at the width.
    fn signed(&self, negative: bool, prefix: &str, digits: &str, rest: &str, every: usize) -> String {
        let sign = match (negative, self.sign) {
            (true, _) => "-",
            (false, Some('+')) => "+",
            (false, Some(' ')) => " ",
            (false, _) => "",
        };
        let fill = self.fill.unwrap_or(if self.zero { '0' } else { ' ' });
        let align = self.align.unwrap_or(if self.zero { '=' } else { '>' });
        let head = format!("{sign}{prefix}");
        let mut digits = digits.to_string();
        // Zeros that fill the width belong to the groups.
        if fill == '0' && align == '=' && !digits.is_empty() {
            let room = self.width.saturating_sub(head.len() + rest.chars().count());
            while self.grouped(&digits, every).len() < room {
                digits.insert(0, '0');
            }
        }
        let body = format!("{}{rest}", self.grouped(&digits, every));
        let missing = self.width.saturating_sub(head.chars().count() + body.chars().count());
        let filler = |n: usize| fill.to_string().repeat(n);
        match align {
            '<' => format!("{head}{body}{}", filler(missing)),
            '^' => format!("{}{head}{body}{}", filler(missing / 2), filler(missing - missing / 2)),
            '=' => format!("{head}{}{body}", filler(missing)),
            _ => format!("{}{head}{body}", filler(missing)),
        }
    }

    fn grouped(&self, digits: &str, every: usize) -> String {
        let Some(separator) = self.grouping else { return digits.to_string() };
        let mut grouped = String::new();
        for (i, c) in digits.chars().enumerate() {
            if i > 0 && (digits.len() - i).is_multiple_of(every) {
                grouped.push(separator);
            }
            grouped.push(c);
        }
        grouped
    }

    /// A text at the width: to the right if `right`, unless an alignment is given.
    pub fn padded(&self, text: &str, right: bool) -> String {
        let fill = self.fill.unwrap_or(if self.zero { '0' } else { ' ' });
        let missing = self.width.saturating_sub(text.chars().count());
        let filler = |n: usize| fill.to_string().repeat(n);
        match self.align.unwrap_or(if right { '>' } else { '<' }) {
            '<' => format!("{text}{}", filler(missing)),
            '^' => format!("{}{text}{}", filler(missing / 2), filler(missing - missing / 2)),
            '=' if text.starts_with('-') => format!("-{}{}", filler(missing), &text[1..]),
            _ => format!("{}{text}", filler(missing)),
        }
    }
}

fn fixed(x: f64, precision: usize, point: bool) -> String {
    let written = format!("{x:.precision$}");
    if precision == 0 && point { format!("{written}.") } else { written }
}

/// Digits and exponent of `x` with so many digits behind the point.
fn parts(x: f64, precision: usize) -> (String, i32) {
    let written = format!("{x:.precision$e}");
    let (digits, exponent) = written.split_once('e').unwrap_or((&written, "0"));
    (digits.to_string(), exponent.parse().unwrap_or(0))
}

fn with_exponent(digits: &str, exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}

fn scientific(x: f64, precision: usize, point: bool) -> String {
    let (digits, exponent) = parts(x, precision);
    let digits = if precision == 0 && point { format!("{digits}.") } else { digits };
    with_exponent(&digits, exponent)
}

/// `precision` significant digits. Without a type, one digit behind the point stays.
fn general(x: f64, precision: usize, alternate: bool, untyped: bool) -> String {
    let (digits, exponent) = parts(x, precision - 1);
    let most = precision as i32 - i32::from(untyped);
    let trim = |text: String| match text.contains('.') && !alternate {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text,
    };
    let pointed = |text: String| if alternate && !text.contains('.') { format!("{text}.") } else { text };
    if exponent < -4 || exponent >= most {
        return with_exponent(&pointed(trim(digits)), exponent);
    }
    let behind = (precision as i32 - 1 - exponent).max(0) as usize;
    let written = pointed(trim(format!("{x:.behind$}")));
    if untyped && !written.contains('.') { format!("{written}.0") } else { written }
}

/// As Python's repr: the fewest digits that give the same number.
fn shortest(x: f64, alternate: bool) -> String {
    let written = format!("{x:e}");
    let (digits, exponent) = written.split_once('e').unwrap_or((&written, "0"));
    match exponent.parse::<i32>().unwrap_or(0) {
        exponent if x != 0.0 && !(-4..16).contains(&exponent) => match alternate && !digits.contains('.') {
            true => with_exponent(&format!("{digits}."), exponent),
            false => with_exponent(digits, exponent),
        },
        _ => {
            let written = format!("{x}");
            if written.contains('.') { written } else { format!("{written}.0") }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Specifications and values, each with what Python says, written by python_format.py beside the file.
    #[test]
    fn every_format_is_pythons() {
        let golden: Vec<(String, serde_json::Value, Option<String>)> =
            serde_json::from_str(include_str!("../../../tests/goldens/python_format.json")).unwrap();
        assert!(golden.len() > 2000);
        for (spec, value, expected) in golden {
            let text = value.as_str().unwrap_or_default().to_string();
            let number = text.strip_prefix("float:").map(|x| match x {
                "nan" => f64::NAN,
                "inf" => f64::INFINITY,
                "-inf" => f64::NEG_INFINITY,
                x => x.parse().unwrap(),
            });
            let value = match (value.as_i64(), number) {
                (Some(n), _) => Value::Integer(n),
                (_, Some(x)) => Value::Number(x),
                _ => Value::Text(&text),
            };
            let came = Spec::read(&spec).and_then(|spec| spec.show(&value)).ok();
            assert_eq!(came, expected, "format({text} {:?}, \"{spec}\")", matches!(value, Value::Integer(_)));
        }
    }
}
