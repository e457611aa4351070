//! `plan`: the trainings that a closure would run, without running them.

use std::rc::Rc;

use rhai::FnPtr;

use crate::cluster::Executor;
use crate::error::Error;
use crate::models::draws;
use crate::options;
use crate::primitives::values::plan::PlanValue;
use crate::script::call::Call;
use crate::script::errors::Fallible;
use crate::script::word::{Chapter, Example, OptionDocs, Word};
use crate::training::Plan;

pub const WORD: Word = Word {
    name: "plan",
    chapter: Chapter::Jobs,
    signatures: &["plan(closure) -> Plan", "plan(closure, #{options}) -> Plan"],
    summary: "Calls a closure without training: every training that it asks for, whether the run store has it, and how long and how large the rest is.",
    details: "Inside, train_teacher, train_teachers, train_all, distill and distill_all put their trainings down and give a stand-in (the model from the store, or one at \
its initial weights under the id that the trained one will have); evaluate gives an Evaluation of NaN; predict and spawn are errors. Everything else runs as it is, so files that \
the closure writes are written. Each kind of training is timed for two epochs on a few of its pictures, on the device and the cores that training would use; hours are \
those of one training after the other. Evaluation on test splits is not counted. With the option executor the last line says how many tasks of trainings \
they are in the queue, stage by stage (features and teachers' outputs come before them), and the hours if as much runs at once as its options allow; nothing is submitted.",
    options: Some(OptionDocs::of::<PlanOptions>()),
    examples: &[Example {
        code: "let data = dataset(\"emoji-scenes\", #{train: 32, val: 16, test: 16, test_shifted: 8, size: 48});\nlet o = #{model: #{backbone: \"small_cnn\", head: \"gap\", image_size: 48}, epochs: 7, batch: 16};\nlet p = plan(|| distill(data, merge(train_teachers(data, random_partition(data.train.names, 3), o)), o), #{timing: false});\np.table.column(\"name\")",
        prints: "\"student\"",
    }],
    register: |word| {
        word.form(plan);
    },
};

options! {
    /// The options of `plan`.
    struct PlanOptions {
        /// time each kind of training; false lists them at once
        pub timing: bool = true;
        /// where they would run: "here", or the queue of a cluster, as for trainings; then also their tasks, and the time there
        pub executor: Executor = Executor::Here;
    }
}

fn plan(call: &Call, closure: FnPtr, options: PlanOptions) -> Fallible<PlanValue> {
    if call.host.plan().is_some() {
        return Err(Error::argument("plan cannot be called inside plan(...)").into());
    }
    let mut plan = Plan::new(options.timing);
    plan.cluster = options.executor.cluster()?;
    let _keeping = draws::keep();
    let (outcome, plan) = call.host.planned(plan, || call.closure(&closure, ()));
    outcome.map(|_| PlanValue(Rc::new(plan)))
}
