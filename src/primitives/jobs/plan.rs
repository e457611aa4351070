//! `plan`: what a closure would train, without training it.

use std::rc::Rc;

use rhai::{Dynamic, Engine, FnPtr, Map, NativeCallContext};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::primitives::values::plan::PlanValue;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::host::Host;
use crate::script::options;
use crate::script::word::{Chapter, Example, OptionDocs, Word};
use crate::training::Plan;

pub const WORD: Word = Word {
    name: "plan",
    chapter: Chapter::Jobs,
    signatures: &["plan(closure) -> Plan", "plan(closure, #{options}) -> Plan"],
    summary: "Calls a closure without training: every training that it asks for, whether the run store has it, and how long and how large the rest is.",
    details: "Inside, train_teacher, train_teachers, distill and distill_all put their trainings down and give a stand-in (the model from the store, or one at \
its initial weights under the id that the trained one will have); evaluate gives a report of NaN; predict and spawn are errors. Everything else runs as it is, so what the \
closure writes is written. Each kind of training is timed for two epochs on a few of its pictures, on the device and the cores that training would use; hours are \
those of one training after the other. Evaluation on test splits is not counted.",
    options: Some(OptionDocs {
        defaults: options::defaults::<PlanOptions>,
        docs: || crate::options::list(&[("timing", "time each kind of training; false lists them at once")]),
    }),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 32, val: 16, test: 16, test_shifted: 8, size: 48});\nlet o = #{model: #{backbone: \"small_cnn\", head: \"gap\", image_size: 48}, epochs: 7, batch: 16};\nlet p = plan(|| distill(data, merge(train_teachers(data, random_partition(data.train.names, 3), o)), o), #{timing: false});\np.table.column(\"name\")",
        prints: "\"student\"",
    }],
    register: |r| register(r.engine, r.host),
};

#[derive(Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PlanOptions {
    timing: bool,
}

impl Default for PlanOptions {
    fn default() -> Self {
        PlanOptions { timing: true }
    }
}

fn register(engine: &mut Engine, host: &Rc<Host>) {
    let (a, b) = (host.clone(), host.clone());
    engine
        .register_fn("plan", move |call: NativeCallContext, closure: FnPtr| plan(&a, &call, &closure, &Map::new()))
        .register_fn("plan", move |call: NativeCallContext, closure: FnPtr, map: Map| plan(&b, &call, &closure, &map));
}

fn plan(host: &Host, call: &NativeCallContext, closure: &FnPtr, map: &Map) -> Fallible<PlanValue> {
    let options: PlanOptions = options::parse("plan", map).or_raise()?;
    if host.plan().is_some() {
        return Err(Error::argument("plan cannot be called inside plan(...)")).or_raise();
    }
    let (outcome, plan) = host.planned(Plan::new(options.timing), || closure.call_within_context::<Dynamic>(call, ()));
    outcome.map(|_| PlanValue(Rc::new(plan)))
}
