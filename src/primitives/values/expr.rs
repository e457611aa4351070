//! `Expr` in scripts: polars expressions under polars' names.

use std::fmt;

use polars::prelude as pl;
use polars::prelude::{Expr, NamedFrom};
use rhai::{Array, Dynamic};

use crate::error::{Error, ErrorKind, Result};
use crate::primitives::parameters::numbers;
use crate::script::call::{Call, MemberRegistrar, Number, Parameter};
use crate::script::kind::{KindOfValue, Member, kind_value};
use crate::script::show;
use crate::tables::polars_error;

/// A column, or something computed of columns.
#[derive(Clone)]
pub struct ExprValue(pub Expr);

impl KindOfValue for ExprValue {
    const NAME: &'static str = "Expr";
    const SUMMARY: &'static str = "Something computed of the columns of a Table, as col(\"a\") > 1.";
    const MEMBERS: &'static [Member] = &[
        Member::new("a + b", "with -, *, /, %, **: arithmetic, with another Expr or a plain value"),
        Member::new("a > b", "with >=, <, <=, ==, !=: a condition"),
        Member::new("a & b", "both conditions; a | b: one of them; !a: not"),
        Member::new("alias(name)", "the same under another name"),
        Member::new("sum()", "the sum of all rows, or of each group"),
        Member::new("mean()", "their mean"),
        Member::new("median()", "their median"),
        Member::new("min()", "the least"),
        Member::new("max()", "the greatest"),
        Member::new("std()", "the standard deviation (n - 1)"),
        Member::new("var()", "the variance (n - 1)"),
        Member::new("quantile(q)", "the value below which the part q lies, linearly interpolated"),
        Member::new("count()", "how many are not empty"),
        Member::new("n_unique()", "how many different values"),
        Member::new("first()", "the first"),
        Member::new("last()", "the last"),
        Member::new("abs()", "without the sign"),
        Member::new("sqrt()", "the square root"),
        Member::new("exp()", "e to the power"),
        Member::new("log()", "the natural logarithm"),
        Member::new("round(digits)", "rounded to so many decimals"),
        Member::new("rank()", "1 for the least, equal ones share the mean of their ranks"),
        Member::new("diff()", "the difference to the row before"),
        Member::new("cum_sum()", "the sum of this row and all before; so cum_count(), cum_min(), cum_max()"),
        Member::new("shift(n)", "the value n rows before"),
        Member::new("over(columns)", "computed in each group of these columns, and put beside every row"),
        Member::new("is_null()", "whether the cell is empty"),
        Member::new("is_not_null()", "whether it is not"),
        Member::new("fill_null(value)", "this value in place of empty cells"),
        Member::new("is_in(values)", "whether it is one of these"),
        Member::new("is_between(low, high)", "whether it lies between, ends included"),
        Member::new("contains(text)", "whether a string has this in it"),
        Member::new("starts_with(text)", "whether a string begins so"),
        Member::new("ends_with(text)", "whether a string ends so"),
        Member::new("cast(kind)", "as \"integer\", \"number\", \"string\" or \"boolean\""),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        for &(name, operator) in OPERATORS {
            members
                .method(name, move |a: &Self, b: Self| bounded(operator(a.0.clone(), b.0)))
                .method(name, move |a: &Self, b: Operand| bounded(operator(a.0.clone(), b.0)))
                .function(name, move |a: Operand, b: Self| bounded(operator(a.0, b.0)));
        }
        for &(name, method) in METHODS {
            members.method(name, move |e: &Self| bounded(method(e.0.clone())));
        }
        members
            .method("-", |e: &Self| bounded(pl::lit(0) - e.0.clone()))
            .method("alias", |e: &Self, name: String| bounded(e.0.clone().alias(name)))
            .method("quantile", quantile)
            .method("round", round)
            .method("shift", |e: &Self, n: i64| bounded(e.0.clone().shift(pl::lit(n))))
            .method("over", |call: &Call, e: &Self, columns: Expressions| over(call, e, columns.0))
            .method("over", |call: &Call, e: &Self, column: String| over(call, e, vec![pl::col(column)]))
            .method("fill_null", |e: &Self, value: Operand| bounded(e.0.clone().fill_null(value.0)))
            .method("is_in", is_in)
            .method("is_between", is_between)
            .method("contains", |e: &Self, text: String| bounded(e.0.clone().str().contains_literal(pl::lit(text))))
            .method("starts_with", |e: &Self, text: String| bounded(e.0.clone().str().starts_with(pl::lit(text))))
            .method("ends_with", |e: &Self, text: String| bounded(e.0.clone().str().ends_with(pl::lit(text))))
            .method("cast", cast);
    }

    fn fingerprint(&self) -> Option<String> {
        Some(format!("{:?}", self.0))
    }
}

kind_value!(ExprValue);

/// Columns, values and operations of one expression at most. polars goes through each part once per place where it is used.
const PARTS: usize = 5000;

/// Errors: more parts than polars goes through in reasonable time and stack.
fn bounded(e: Expr) -> Result<ExprValue> {
    match e.into_iter().take(PARTS + 1).count() {
        n if n > PARTS => Err(Error::argument(format!("an Expr may have {PARTS} parts at most"))
            .with_help("with_columns keeps a part as a column of its own")),
        _ => Ok(ExprValue(e)),
    }
}

type Binary = fn(Expr, Expr) -> Expr;
type Unary = fn(Expr) -> Expr;

/// Operators, with an expression on either side.
const OPERATORS: &[(&str, Binary)] = &[
    ("+", |a, b| a + b),
    ("-", |a, b| a - b),
    ("*", |a, b| a * b),
    // A quotient of integers is a number, as in polars.
    ("/", |a, b| a.cast(pl::DataType::Float64) / b),
    ("%", |a, b| a % b),
    ("**", |a, b| a.cast(pl::DataType::Float64).pow(b)),
    (">", Expr::gt),
    (">=", Expr::gt_eq),
    ("<", Expr::lt),
    ("<=", Expr::lt_eq),
    ("==", Expr::eq),
    ("!=", Expr::neq),
    ("&", Expr::and),
    ("|", Expr::or),
];

/// Methods without an argument.
const METHODS: &[(&str, Unary)] = &[
    ("sum", Expr::sum),
    ("mean", Expr::mean),
    ("median", Expr::median),
    ("min", Expr::min),
    ("max", Expr::max),
    ("std", |e| e.std(1)),
    ("var", |e| e.var(1)),
    ("count", |e| e.count().cast(pl::DataType::Int64)),
    ("n_unique", |e| e.n_unique().cast(pl::DataType::Int64)),
    ("first", Expr::first),
    ("last", Expr::last),
    ("abs", Expr::abs),
    ("sqrt", |e| e.cast(pl::DataType::Float64).pow(pl::lit(0.5))),
    ("exp", Expr::exp),
    ("log", |e| e.cast(pl::DataType::Float64).log(pl::lit(std::f64::consts::E))),
    ("rank", |e| e.rank(pl::RankOptions { method: pl::RankMethod::Average, descending: false }, None)),
    ("cum_sum", |e| e.cum_sum(false)),
    ("cum_count", |e| e.cum_count(false).cast(pl::DataType::Int64)),
    ("cum_min", |e| e.cum_min(false)),
    ("cum_max", |e| e.cum_max(false)),
    ("diff", |e| e.diff(pl::lit(1), Default::default())),
    ("is_null", Expr::is_null),
    ("is_not_null", Expr::is_not_null),
    ("!", Expr::not),
];

/// An expression, or a plain value as one.
pub struct Operand(pub Expr);

impl Parameter for Operand {
    type Value = Dynamic;

    fn read(value: Dynamic, call: &Call) -> Result<Self> {
        operand(&value, call).map(Operand)
    }
}

/// An array of expressions; a string is the column of that name.
pub struct Expressions(pub Vec<Expr>);

impl Parameter for Expressions {
    type Value = Array;

    fn read(value: Dynamic, call: &Call) -> Result<Self> {
        several(&value, call).map(Expressions)
    }
}

/// An array of expressions and names of columns, or one of them.
pub fn several(value: &Dynamic, call: &Call) -> Result<Vec<Expr>> {
    match value.as_array_ref() {
        Ok(array) => array.iter().map(|item| expression(item, call)).collect(),
        Err(_) => Ok(vec![expression(value, call)?]),
    }
}

/// An expression, or the name of a column.
fn expression(value: &Dynamic, call: &Call) -> Result<Expr> {
    if let Some(e) = value.read_lock::<ExprValue>() {
        return Ok(e.0.clone());
    }
    match value.as_immutable_string_ref() {
        Ok(name) => Ok(pl::col(name.as_str())),
        Err(_) => {
            let came = show::a_type(value);
            Err(Error::argument(format!("{} takes column names and expressions; got {came}", call.name)))
        }
    }
}

/// A plain value or an expression, as one side of an operator.
fn operand(value: &Dynamic, call: &Call) -> Result<Expr> {
    if let Some(e) = value.read_lock::<ExprValue>() {
        return Ok(e.0.clone());
    }
    if value.is_unit() {
        return Ok(pl::lit(pl::NULL));
    }
    if let Ok(b) = value.as_bool() {
        return Ok(pl::lit(b));
    }
    if let Ok(i) = value.as_int() {
        return Ok(pl::lit(i));
    }
    if let Ok(x) = value.as_float() {
        return Ok(pl::lit(x));
    }
    if let Ok(s) = value.as_immutable_string_ref() {
        return Ok(pl::lit(s.as_str()));
    }
    let came = show::a_type(value);
    Err(Error::argument(format!("{} takes an Expr, a number, a string or a boolean; got {came}", call.name)))
}

fn quantile(call: &Call, e: &ExprValue, q: Dynamic) -> Result<ExprValue> {
    let expected =
        |expected: &str, came: String| Error::argument(format!("{}: q must be {expected}; got {came}", call.name));
    let q = Number::of(&q).ok_or_else(|| expected("a number", show::a_type(&q)))?;
    if !(0.0..=1.0).contains(&q) {
        return Err(expected("from 0 to 1", q.to_string()));
    }
    bounded(e.0.clone().quantile(pl::lit(q), pl::QuantileMethod::Linear))
}

fn round(call: &Call, e: &ExprValue, digits: i64) -> Result<ExprValue> {
    let digits = u32::try_from(digits).ok().filter(|d| *d <= 18).ok_or_else(|| {
        Error::argument(format!("{}: digits must be an integer from 0 to 18; got {digits}", call.name))
    })?;
    bounded(e.0.clone().round(digits, pl::RoundMode::HalfToEven))
}

fn over(call: &Call, e: &ExprValue, columns: Vec<Expr>) -> Result<ExprValue> {
    let over = e.0.clone().over(columns);
    bounded(over.map_err(|e| Error { kind: ErrorKind::Argument, ..polars_error(call.name, e) })?)
}

fn is_between(e: &ExprValue, low: Operand, high: Operand) -> Result<ExprValue> {
    bounded(e.0.clone().gt_eq(low.0).and(e.0.clone().lt_eq(high.0)))
}

fn is_in(call: &Call, e: &ExprValue, values: Array) -> Result<ExprValue> {
    let e = e.0.clone();
    // Long lists of one kind as a set; short ones as comparisons, which may be of several kinds.
    if values.len() > 100 {
        let among = |series: pl::Series| pl::lit(series).implode(false);
        let names: Option<Vec<String>> =
            values.iter().map(|v| v.as_immutable_string_ref().ok().map(|s| s.to_string())).collect();
        if let Some(names) = names {
            return bounded(e.is_in(among(pl::Series::new("values".into(), names)), false));
        }
        let numbers = numbers(&values, call, "a list of more than 100 values, unless of strings,")?;
        let numbers = among(pl::Series::new("values".into(), numbers));
        return bounded(e.cast(pl::DataType::Float64).is_in(numbers, false));
    }
    let mut any = pl::lit(false);
    for value in &values {
        any = any.or(e.clone().eq(operand(value, call)?));
    }
    bounded(any)
}

fn cast(e: &ExprValue, kind: String) -> Result<ExprValue> {
    let kinds = [
        ("integer", pl::DataType::Int64),
        ("number", pl::DataType::Float64),
        ("string", pl::DataType::String),
        ("boolean", pl::DataType::Boolean),
    ];
    match kinds.iter().find(|(name, _)| *name == kind) {
        Some((_, kind)) => bounded(e.0.clone().cast(kind.clone())),
        None => Err(Error::unknown("kind", &kind, kinds.iter().map(|k| k.0))),
    }
}

impl fmt::Display for ExprValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
