//! The functions of the engine, with the kinds of their parameters and results.

use std::collections::HashMap;

use rhai::Engine;

use crate::script::vocabulary;

/// Rhai's own kinds, as users know them, of which a value is one or not.
const OWN: &[&str] = &["integer", "number", "boolean", "string", "character", "array", "map", "function", "nothing"];

/// One way of calling a function.
#[derive(Debug)]
pub struct Form {
    /// The kind of each parameter; None where it takes several.
    pub parameters: Vec<Option<String>>,
    /// The kind of the result; None where it may be of several, or of none.
    pub answer: Option<String>,
}

impl Form {
    /// Whether it takes arguments of these kinds, as far as they are known.
    pub fn takes(&self, kinds: &[Option<String>]) -> bool {
        self.wrong(kinds).next().is_none()
    }

    /// The places of the arguments that it does not take.
    pub fn wrong(&self, kinds: &[Option<String>]) -> impl Iterator<Item = usize> {
        let pairs = self.parameters.iter().zip(kinds).enumerate();
        pairs.filter(|(_, (takes, came))| takes.is_some() && came.is_some() && takes != came).map(|(i, _)| i)
    }
}

/// The functions of an engine by name.
pub struct Natives(HashMap<String, Vec<Form>>);

impl Natives {
    pub fn of(engine: &Engine) -> Natives {
        let json = engine.gen_fn_metadata_to_json(true).unwrap_or_default();
        let value: serde_json::Value = serde_json::from_str(&json).unwrap_or_default();
        let mut all: HashMap<String, Vec<Form>> = HashMap::new();
        for function in value["functions"].as_array().into_iter().flatten() {
            let Some(name) = function["baseName"].as_str().or(function["name"].as_str()) else { continue };
            let number = function["numParams"].as_u64().unwrap_or(0) as usize;
            let written = function["params"].as_array().map(Vec::as_slice).unwrap_or_default();
            let mut parameters: Vec<_> = written.iter().map(|p| p["type"].as_str().and_then(kind)).collect();
            parameters.resize(number, None);
            let answer = function["returnType"].as_str().and_then(kind);
            all.entry(name.to_string()).or_default().push(Form { parameters, answer });
        }
        Natives(all)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The ways of calling a function with so many arguments, the receiver of a method among them.
    pub fn forms(&self, name: &str, arguments: usize) -> impl Iterator<Item = &Form> {
        self.0.get(name).into_iter().flatten().filter(move |form| form.parameters.len() == arguments)
    }
}

/// The kind that a type of a function stands for, if it is one and no other: a type that takes anything is none.
fn kind(type_name: &str) -> Option<String> {
    let name = vocabulary::user_name(type_name);
    (OWN.contains(&name.as_str()) || vocabulary::find_kind(&name).is_some()).then_some(name)
}
