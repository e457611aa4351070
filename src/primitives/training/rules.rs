//! The closures that are rules of ensembles, where a word asks teachers.

use std::cell::RefCell;

use rhai::{EvalAltResult, FnPtr};
use tch::Tensor;

use crate::error::{Error, Result};
use crate::losses::Script;
use crate::primitives::values::ensemble::EnsembleValue;
use crate::primitives::values::tensor::TensorValue;
use crate::script::call::Call;
use crate::script::errors::Fallible;
use crate::script::show;
use crate::training::merge_rule::RuleFunction;

/// Closures by the fingerprints of their code.
#[derive(Clone, Default)]
pub struct Rules(Vec<(String, FnPtr)>);

impl Rules {
    pub fn of<'a>(ensembles: impl IntoIterator<Item = &'a EnsembleValue>) -> Rules {
        let rule = |EnsembleValue(ensemble, closure): &EnsembleValue| {
            Some((ensemble.rule.as_ref()?.script()?.code.clone(), closure.clone()?))
        };
        Rules(ensembles.into_iter().filter_map(rule).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Calls the closure of that code on outputs `[T, N, g]`. The script's lock is held. `stop` keeps what the closure has thrown.
    pub fn call(
        &self,
        call: &Call,
        script: &Script,
        outputs: &Tensor,
        stop: impl Fn(Box<EvalAltResult>) -> Error,
    ) -> Result<Tensor> {
        let known = self.0.iter().find(|(code, _)| *code == script.code);
        let (_, closure) = known.ok_or_else(|| Error::internal("a rule of merge without its closure"))?;
        let value = call.closure(closure, (TensorValue::from(outputs.shallow_clone()),)).map_err(stop)?;
        match value.clone().try_cast::<TensorValue>() {
            Some(tensor) => Ok(tensor.0.shallow_clone()),
            None => Err(Error::argument(format!(
                "the rule of merge: the closure must give a Tensor [images, labels]; it gave {}",
                show::a_type(&value)
            ))
            .about_option("rule")),
        }
    }

    /// Runs `work`, which may call the closures. Other threads of the session run meanwhile. An error of a closure is thrown on with its
    /// place in the script. `work` must touch no value of a script.
    pub fn during<R>(&self, call: &Call, work: impl FnOnce(Option<RuleFunction>) -> Result<R>) -> Fallible<R> {
        let lock = &call.host.background.lock;
        let thrown: RefCell<Option<Box<EvalAltResult>>> = RefCell::new(None);
        let stop = |failure: Box<EvalAltResult>| {
            *thrown.borrow_mut() = Some(failure);
            Error::interrupted()
        };
        let function = |script: &Script, outputs: &Tensor| lock.held(|| self.call(call, script, outputs, stop));
        let done = lock.released(|| work(if self.is_empty() { None } else { Some(&function) }));
        match thrown.take() {
            Some(failure) => Err(failure),
            None => Ok(done?),
        }
    }
}
