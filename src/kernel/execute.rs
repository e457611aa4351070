//! A cell: its commands or its code, its result or its failure.

use std::collections::HashMap;
use std::time::Instant;

use jupyter_protocol::{
    DisplayData, ErrorOutput, ExecuteInput, ExecuteReply, ExecuteRequest, ExecuteResult, ExecutionCount,
    ExpressionResult, JupyterMessage, ReplyError, ReplyStatus,
};

use super::serve::Kernel;
use super::{media, question};
use crate::activity::console;
use crate::repl::{allow_typed, commands};
use crate::say_error;
use crate::script::errors::Failure;
use crate::script::show;

/// Columns of an error.
const WIDTH: usize = 100;

impl Kernel<'_> {
    /// Runs a cell. Its outputs are published before this returns.
    pub(super) fn execute(&mut self, message: &JupyterMessage, cell: &ExecuteRequest) -> ExecuteReply {
        let code = cell.code.as_str();
        let kept = cell.store_history && !cell.silent;
        if kept && !code.trim().is_empty() {
            self.count += 1;
            self.history.add(self.count, code);
        }
        let execution_count = ExecutionCount::new(self.count);
        let below = self.outputs.begin(message);
        if !cell.silent {
            self.outputs.publish(below, ExecuteInput { code: code.to_string(), execution_count });
        }
        self.show_below(below, execution_count);
        console::set_asker(cell.allow_stdin.then(|| question::asker(&self.sender, message, &self.answers)));
        allow_typed(code);
        let outcome = match cell.silent {
            true => self.prompt.session.eval(code, "a silent cell").map(drop),
            false => self.evaluate(code),
        };
        console::set_asker(None);
        self.prompt.shows = None;
        if let Some(captured) = &self.captured {
            captured.wait();
        }
        let outcome = outcome.map(|()| self.expressions(cell.user_expressions.as_ref()));
        let reply = match outcome {
            Ok(user_expressions) => {
                let user_expressions = Some(user_expressions);
                ExecuteReply { execution_count, user_expressions, ..Default::default() }
            }
            Err(failure) => {
                let error = self.failure(&failure);
                if !cell.silent {
                    let ReplyError { ename, evalue, traceback } = error.clone();
                    self.outputs.publish(below, ErrorOutput { ename, evalue, traceback });
                }
                if cell.stop_on_error {
                    self.failed = Some(Instant::now());
                }
                let (status, error) = (ReplyStatus::Error, Some(Box::new(error)));
                ExecuteReply {
                    status,
                    execution_count,
                    user_expressions: Some(HashMap::new()),
                    error,
                    ..Default::default()
                }
            }
        };
        self.outputs.end(below);
        reply
    }

    /// Values that the prompt shows go below the cell.
    fn show_below(&mut self, below: u64, count: ExecutionCount) {
        self.prompt.number(count.value());
        let (outputs, history) = (self.outputs.clone(), self.history.clone());
        self.prompt.shows = Some(Box::new(move |text, value| {
            history.shown(text);
            for figure in media::figures(value) {
                if let Ok((data, metadata)) = media::of_figure(figure.title(), &figure) {
                    outputs.publish(below, DisplayData { data, metadata, transient: None });
                }
            }
            match media::of(text, value) {
                Ok((data, metadata)) => {
                    let result =
                        ExecuteResult { execution_count: count, data, metadata, transient: Some(Default::default()) };
                    outputs.publish(below, result);
                }
                Err(error) => say_error!("{error}"),
            }
        }));
    }

    /// Runs code, or commands as `?word`. Errors: those of code.
    fn evaluate(&mut self, code: &str) -> Result<(), Failure> {
        let lines = || code.lines().map(str::trim).filter(|line| !line.is_empty());
        if !lines().next().is_some_and(commands::is_command) {
            return match self.prompt.run(code, &format!("cell {}", self.count)) {
                Err(failure) if failure.exit.is_some() => {
                    let status = failure.exit.unwrap_or_default();
                    say_error!("exit({status}) ends a script; the session of a notebook goes on");
                    Ok(())
                }
                outcome => outcome,
            };
        }
        // A command may itself have several lines, as :time of a long expression.
        let all = if lines().all(commands::is_command) { lines().collect() } else { vec![code.trim()] };
        for line in all {
            if commands::run(&mut self.prompt, line) == commands::Next::Leave {
                say_error!("the session of a notebook ends when its kernel is shut down");
            }
        }
        Ok(())
    }

    /// The values of expressions that the client asks for beside the cell.
    fn expressions(&mut self, asked: Option<&HashMap<String, String>>) -> HashMap<String, ExpressionResult> {
        let mut values = HashMap::new();
        for (name, code) in asked.into_iter().flatten() {
            let value = self.prompt.session.eval(code, "expression");
            let value = match value.map(|value| media::of(&show::show(&value), &value)) {
                Ok(Ok((data, metadata))) => ExpressionResult::Ok { data, metadata },
                Ok(Err(error)) => of_failure(&Failure::plain(error)),
                Err(failure) => of_failure(&failure),
            };
            values.insert(name.clone(), value);
        }
        values
    }

    /// A failure as a notebook shows it, which `:why` shows again.
    fn failure(&mut self, failure: &Failure) -> ReplyError {
        if failure.interrupted() {
            let what = failure.interruption().unwrap_or("variables are kept, and the same call goes on from there");
            let evalue = format!("interrupted; {what}");
            let traceback = vec![format!("\u{1b}[33m{evalue}\u{1b}[0m")];
            return ReplyError { ename: failure.kind.code().into(), evalue, traceback };
        }
        self.prompt.failure = Some(rendered(failure));
        error(failure)
    }
}

fn rendered(failure: &Failure) -> String {
    failure.render(std::env::var_os("NO_COLOR").is_none(), WIDTH)
}

fn error(failure: &Failure) -> ReplyError {
    let traceback = rendered(failure).trim_end().lines().map(str::to_string).collect();
    ReplyError { ename: failure.kind.code().into(), evalue: failure.message.clone(), traceback }
}

fn of_failure(failure: &Failure) -> ExpressionResult {
    let ReplyError { ename, evalue, traceback } = error(failure);
    ExpressionResult::Error { ename, evalue, traceback }
}
