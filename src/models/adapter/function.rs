//! A function from elsewhere, as a closure of a script, that changes a vision transformer's tokens before each block.

use tch::Tensor;

use super::{Adapted, Tokens};
use crate::error::{Error, Result};
use crate::models::ModelSpec;
use crate::models::backbones::Backbone;
use crate::models::functions::{Built, DRY_RUN, Facts, Given, Input, Purpose};
use crate::models::params::Scope;
use crate::models::pass::Pass;
use crate::random::mixed;

/// The name of the mask in an answer.
const MASK: &str = "mask";

/// Adds the specification's function to the backbone; its parameters' names begin with "adapter.".
///
/// Errors: those of the function; one that this process does not have; a backbone that is no vision transformer.
pub fn add(p: &Scope, spec: &ModelSpec, labels: &[String], backbone: &mut dyn Backbone) -> Result<()> {
    let Some(code) = &spec.adapter else { return Ok(()) };
    let function = code.function().ok_or_else(|| {
        Error::argument("the model's adapter is a closure, which this process was not given").with_help(
            "load_model(path, #{adapter: |block, x, p| ...}) gives it; so does a training or model(...) with the same closure in this script",
        )
    })?;
    let facts = Facts::new(spec, labels, vec![]);
    let built = Built::new(p, "adapter", function.clone(), facts, &[], |call| {
        backbone.rehearse(DRY_RUN, &mut |block, tokens| adapted(call(&inputs(block, &tokens))?))
    })?;
    backbone.adapt(Box::new(move |block, tokens, pass| {
        let pass = Pass { key: mixed(pass.key ^ mixed(BEFORE_BLOCKS ^ block as u64)), ..pass };
        adapted(built.call(&inputs(block, &tokens), Purpose { pass, earlier: &[], tokens: &[], wants: &[] })?)
    }));
    Ok(())
}

/// Makes the dropouts before a block others than those before another, and than a head's.
const BEFORE_BLOCKS: u64 = 0x7072_6f6d_7074_0000;

fn inputs(block: usize, tokens: &Tokens) -> [Input<'_>; 2] {
    [Input::Number(block as i64), Input::Named(tokens.named())]
}

/// The answer of the function. Errors: no tokens, a name that means nothing.
fn adapted(given: Given) -> Result<Adapted> {
    let lost = || {
        Error::argument("option \"adapter\": the closure must give the tokens, as the map that it got")
            .about_option("adapter")
            .with_help("end it with the map: |block, x, p| { x.prompts = ...; x }")
    };
    let Given::Named(mut named) = given else { return Err(lost()) };
    let mut take = |name: &str| -> Option<Tensor> { named.remove(name) };
    let [class_token, registers, prompts, patches] = Tokens::NAMES.map(&mut take);
    let mask = take(MASK);
    if let Some(name) = named.keys().next() {
        let known = Tokens::NAMES.into_iter().chain([MASK]);
        let mut error = Error::unknown("group", name, known);
        error.message = format!("the answer of an adapter has no \"{name}\"");
        return Err(Error { about: None, ..error }.about_option("adapter"));
    }
    let patches = patches.ok_or_else(lost)?;
    Ok(Adapted { tokens: Tokens { class_token, registers, prompts, patches }, mask })
}
