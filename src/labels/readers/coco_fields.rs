//! Fields of COCO records as tools write them: ids as numbers, texts and floats; names.

use std::collections::HashMap;
use std::fmt;

use crate::json;

/// An id. Texts that are no number have ids of their own from [`Ids::TEXTS`] down to `i64::MIN`.
pub type Id = i64;

/// The ids that are texts.
#[derive(Default)]
pub struct Ids {
    places: HashMap<String, Id>,
    texts: Vec<String>,
}

impl Ids {
    /// Numbers up to this one are places in the list of texts.
    const TEXTS: i64 = i64::MIN + u32::MAX as i64;

    /// The id that a value is. `Err` is the reason why it is none.
    pub fn of(&mut self, came: &Came) -> Result<Id, String> {
        match *came {
            Came::Int(n) if n > Self::TEXTS => Ok(n),
            Came::Int(n) => self.text(&n.to_string()),
            Came::Large(n) => self.text(&n.to_string()),
            // Above 2^53 a float does not hold every whole number.
            Came::Float(x) if x.fract() == 0.0 && x.abs() <= 9_007_199_254_740_992.0 => Ok(x as i64),
            Came::Float(x) if x.fract() == 0.0 => {
                Err(format!("an id this large must be an integer of at most 64 bits or a text; got {came}"))
            }
            Came::Text(text) if json::not_finite(text).is_none() => match text.trim() {
                "" => Err("an id must not be empty".into()),
                text => self.text(text),
            },
            _ => Err(format!("an id must be a whole number or a text; got {came}")),
        }
    }

    /// The number that the text is, as `17` or `17.0`, or else its place in the list of texts.
    fn text(&mut self, text: &str) -> Result<Id, String> {
        let whole = text.split_once('.').filter(|(_, zeros)| !zeros.is_empty() && zeros.bytes().all(|b| b == b'0'));
        let digits = whole.map_or(text, |(digits, _)| digits);
        // Digits as a number is printed: "007" is a text.
        if let Some(n) = digits.parse::<i64>().ok().filter(|n| *n > Self::TEXTS && n.to_string() == digits) {
            return Ok(n);
        }
        if let Some(&id) = self.places.get(text) {
            return Ok(id);
        }
        if self.texts.len() >= u32::MAX as usize {
            return Err(format!("more than {} ids are texts", u32::MAX));
        }
        let id = i64::MIN + self.texts.len() as i64;
        self.places.insert(text.to_string(), id);
        self.texts.push(text.to_string());
        Ok(id)
    }

    /// The id as its file has it.
    pub fn show(&self, id: Id) -> String {
        match self.texts.get(id.wrapping_sub(i64::MIN) as u64 as usize) {
            Some(text) if id <= Self::TEXTS => text.clone(),
            _ => id.to_string(),
        }
    }

    /// A text that the number would be without its leading zeros, as `000000000139` for 139.
    pub fn padded(&self, id: Id) -> Option<&str> {
        let number = (id > Self::TEXTS).then(|| id.to_string())?;
        self.texts.iter().map(String::as_str).find(|text| text.trim_start_matches('0') == number)
    }
}

/// The value of a field that is read.
pub enum Came<'a> {
    Int(i64),
    /// A whole number above `i64::MAX`.
    Large(u64),
    Float(f64),
    Text(&'a str),
    Bool(bool),
    Null,
    List,
    Object,
}

impl fmt::Display for Came<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Came::Int(n) => write!(f, "{n}"),
            Came::Large(n) => write!(f, "{n}"),
            Came::Float(x) => write!(f, "{x:?}"),
            Came::Text(text) => match json::not_finite(text) {
                Some(number) => f.write_str(number),
                None => write!(f, "\"{}\"", text.chars().take(60).collect::<String>()),
            },
            Came::Bool(b) => write!(f, "{b}"),
            Came::Null => f.write_str("null"),
            Came::List => f.write_str("a list"),
            Came::Object => f.write_str("an object"),
        }
    }
}

/// The name of an image or category.
pub fn name(came: &Came) -> Result<String, String> {
    match came {
        Came::Int(n) => Ok(n.to_string()),
        Came::Large(n) => Ok(n.to_string()),
        Came::Text(text) if json::not_finite(text).is_none() => match text.trim() {
            "" => Err("a name must not be empty".into()),
            text => Ok(text.to_string()),
        },
        _ => Err(format!("expected a text; got {came}")),
    }
}
