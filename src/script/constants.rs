//! The constants at the top of texts, which functions read as `global::NAME`: from one text of a session to the next, and of libraries.
//!
//! Rhai forgets them at the end of a text, and shows those of a library to its functions alone. So statements that no text can contain
//! run before each text of a session and at the end of each library.

use std::cell::RefCell;
use std::collections::BTreeMap;

use rhai::{
    AST, CustomExpr, Dynamic, Engine, EvalContext, Expr, GlobalRuntimeState, ImmutableString, Locked, Module, Position,
    Scope, Shared, Stmt,
};

/// The constants of a text, by name.
pub type Constants = Shared<Locked<BTreeMap<ImmutableString, Dynamic>>>;

/// The statement before a text of a session, which gives it those of the earlier ones.
const EARLIER: &str = "the constants of earlier texts";
/// The statement at the end of a library.
const LAST: &str = "the constants of a library";

thread_local! {
    /// The constants of the library that was run last.
    static LIBRARY: RefCell<Option<Constants>> = const { RefCell::new(None) };
}

/// Gives `engine` the two statements. `session`: the constants of the session's texts.
pub fn install(engine: &mut Engine, session: Constants) {
    statement(engine, EARLIER, move |context| {
        // A copy: what runs on beside later texts keeps those of its own.
        context.global_runtime_state_mut().constants = Some(copy(&session));
    });
    statement(engine, LAST, |context| {
        LIBRARY.set(context.global_runtime_state().constants.clone());
    });
}

fn statement(engine: &mut Engine, key: &str, run: impl Fn(&mut EvalContext) + 'static) {
    engine.register_custom_syntax_with_state_raw(
        key,
        |_, _, _| Ok(None),
        false,
        move |context, _, _| {
            run(context);
            Ok(Dynamic::UNIT)
        },
    );
}

/// A text of one such statement.
fn text(key: &str) -> AST {
    let expression = CustomExpr {
        inputs: Default::default(),
        tokens: [ImmutableString::from(key)].into_iter().collect(),
        state: Dynamic::UNIT,
        scope_may_be_changed: false,
        self_terminated: true,
    };
    AST::new([Stmt::Expr(Box::new(Expr::Custom(Box::new(expression), Position::NONE)))], Module::new())
}

/// What runs before a text of a session.
pub fn earlier() -> AST {
    text(EARLIER)
}

/// What runs at the end of a library.
pub fn last() -> AST {
    text(LAST)
}

/// The constants of the library that was run to its end just now.
pub fn of_library() -> Option<Constants> {
    LIBRARY.take()
}

/// The constants as they are now.
fn copy(constants: &Constants) -> Constants {
    Shared::new(Locked::new(constants.borrow().clone()))
}

/// Fixes the constants that a closure reads which runs later or beside its text: its text may make others of the same name.
pub fn fix(state: &mut GlobalRuntimeState) {
    state.constants = state.constants.as_ref().map(copy);
}

/// Keeps the constants of a session's variables, of one name the newest. Rhai notes them itself where a text has functions.
pub fn keep(scope: &Scope, constants: &Constants) {
    let newest_first: Vec<_> = scope.iter_raw().filter(|(_, is_constant, _)| *is_constant).collect();
    let oldest_first = newest_first.into_iter().rev().map(|(name, _, value)| (name.into(), value.clone()));
    constants.borrow_mut().extend(oldest_first);
}
