//! A cell: its commands or its code, its result or its failure.

use std::collections::HashMap;
use std::time::Instant;

use jupyter_protocol::{
    DisplayData, ErrorOutput, ExecuteInput, ExecuteReply, ExecuteRequest, ExecuteResult, ExecutionCount,
    ExpressionResult, JupyterMessage, Payload, ReplyError, ReplyStatus,
};

use super::colours::readable;
use super::serve::Kernel;
use super::{media, parts, question};
use crate::activity::console;
use crate::repl::prompt::{KEPT, VARIABLES_KEPT};
use crate::repl::{allow_typed, commands};
use crate::script::errors::Failure;
use crate::script::show;
use crate::{say, say_error};

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
        let outcome = match cell.silent {
            true => {
                allow_typed(code);
                self.prompt.session.eval(code, "a silent cell").map(|_| false)
            }
            false => self.evaluate(code),
        };
        console::set_asker(None);
        self.prompt.shows = None;
        if let Some(captured) = &self.captured {
            captured.wait();
        }
        let reply = match outcome {
            Ok(leaves) => {
                let user_expressions = Some(self.expressions(cell.user_expressions.as_ref()));
                let payload = if leaves { vec![Payload::AskExit { keepkernel: false }] } else { vec![] };
                ExecuteReply { execution_count, user_expressions, payload, ..Default::default() }
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

    /// Runs commands as `?word` and `!ls`, and the code behind them. Returns whether one asks to leave. Errors: those of code and commands.
    fn evaluate(&mut self, cell: &str) -> Result<bool, Failure> {
        let (mut at, mut leaves) = (0, false);
        while let Some(part) = {
            let scope = &self.prompt.session.scope;
            let of_shell = |line: &str| commands::of_shell(line, |word| scope.contains(word)).is_some();
            parts::next(cell, at, |line| commands::is_command(line) || of_shell(line))
        } {
            at = part.end;
            let text = cell[part.clone()].trim();
            allow_typed(text);
            match commands::attempt(&mut self.prompt, text)? {
                commands::Next::Stay => {}
                commands::Next::Leave => leaves = true,
                commands::Next::Evaluate => {
                    // Errors count the lines of the cell.
                    let lines = "\n".repeat(cell[..part.start].matches('\n').count());
                    self.prompt.run(&format!("{lines}{}", &cell[part]), &format!("cell {}", self.count))?;
                }
            }
        }
        if leaves {
            say!("asked to leave: a console ends now; the session of a notebook goes on until its kernel is shut down");
        }
        Ok(leaves)
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
        if let Some(code) = failure.exit {
            let evalue = format!("exit({code}) ended cell {}; the session goes on", self.count);
            return ReplyError { ename: "cpsd::exit".into(), traceback: vec![evalue.clone()], evalue };
        }
        if failure.interrupted() {
            let evalue = failure.interruption(KEPT, VARIABLES_KEPT);
            let traceback = vec![format!("\u{1b}[1m{evalue}\u{1b}[0m")];
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
    let traceback = readable(rendered(failure).trim_end()).lines().map(str::to_string).collect();
    ReplyError { ename: failure.kind.code().into(), evalue: failure.message.clone(), traceback }
}

fn of_failure(failure: &Failure) -> ExpressionResult {
    let ReplyError { ename, evalue, traceback } = error(failure);
    ExpressionResult::Error { ename, evalue, traceback }
}
