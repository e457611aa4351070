//! `Expr` in scripts: polars expressions under polars' names.

use std::fmt;

use polars::prelude as pl;
use polars::prelude::{Expr, NamedFrom};
use rhai::{Array, Dynamic, Engine};

use super::super::glue;
use crate::error::{Error, Result};
use crate::script::call::MemberRegistrar;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::kind::{KindOfValue, Member, kind_value};
use crate::script::show;

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
        register(members.engine)
    }
}

kind_value!(ExprValue);

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

fn register(engine: &mut Engine) {
    for &(name, operator) in OPERATORS {
        engine
            .register_fn(name, move |a: ExprValue, b: ExprValue| ExprValue(operator(a.0, b.0)))
            .register_fn(name, move |a: ExprValue, b: Dynamic| -> Fallible<ExprValue> {
                Ok(ExprValue(operator(a.0, operand(name, &b).or_raise()?)))
            })
            .register_fn(name, move |a: Dynamic, b: ExprValue| -> Fallible<ExprValue> {
                Ok(ExprValue(operator(operand(name, &a).or_raise()?, b.0)))
            });
    }
    for &(name, method) in METHODS {
        engine.register_fn(name, move |e: ExprValue| ExprValue(method(e.0)));
    }
    engine
        .register_fn("-", |e: ExprValue| ExprValue(pl::lit(0) - e.0))
        .register_fn("alias", |e: ExprValue, name: &str| ExprValue(e.0.alias(name)))
        .register_fn("quantile", |e: ExprValue, q: Dynamic| -> Fallible<ExprValue> {
            let q = glue::number("quantile", "q", &q).or_raise()?;
            if !(0.0..=1.0).contains(&q) {
                return Err(crate::script::errors::raise(Error::argument(format!(
                    "quantile: q must be from 0 to 1; got {q}"
                ))));
            }
            Ok(ExprValue(e.0.quantile(pl::lit(q), pl::QuantileMethod::Linear)))
        })
        .register_fn("round", |e: ExprValue, digits: i64| -> Fallible<ExprValue> {
            let digits = u32::try_from(digits).ok().filter(|d| *d <= 18).ok_or_else(|| {
                crate::script::errors::raise(Error::argument(format!(
                    "round: digits must be an integer from 0 to 18; got {digits}"
                )))
            })?;
            Ok(ExprValue(e.0.round(digits, pl::RoundMode::HalfToEven)))
        })
        .register_fn("shift", |e: ExprValue, n: i64| ExprValue(e.0.shift(pl::lit(n))))
        .register_fn("over", |e: ExprValue, columns: Array| -> Fallible<ExprValue> {
            let columns = expressions("over", &columns).or_raise()?;
            e.0.over(columns)
                .map(ExprValue)
                .map_err(|e| crate::script::errors::raise(Error::argument(format!("over: {e}"))))
        })
        .register_fn("over", |e: ExprValue, column: &str| -> Fallible<ExprValue> {
            e.0.over([pl::col(column)])
                .map(ExprValue)
                .map_err(|e| crate::script::errors::raise(Error::argument(format!("over: {e}"))))
        })
        .register_fn("fill_null", |e: ExprValue, value: Dynamic| -> Fallible<ExprValue> {
            Ok(ExprValue(e.0.fill_null(operand("fill_null", &value).or_raise()?)))
        })
        .register_fn("is_in", |e: ExprValue, values: Array| -> Fallible<ExprValue> {
            one_of(e.0, &values).map(ExprValue).or_raise()
        })
        .register_fn("is_between", |e: ExprValue, low: Dynamic, high: Dynamic| -> Fallible<ExprValue> {
            let (low, high) = (operand("is_between", &low).or_raise()?, operand("is_between", &high).or_raise()?);
            Ok(ExprValue(e.0.clone().gt_eq(low).and(e.0.lt_eq(high))))
        })
        .register_fn("contains", |e: ExprValue, text: &str| ExprValue(e.0.str().contains_literal(pl::lit(text))))
        .register_fn("starts_with", |e: ExprValue, text: &str| ExprValue(e.0.str().starts_with(pl::lit(text))))
        .register_fn("ends_with", |e: ExprValue, text: &str| ExprValue(e.0.str().ends_with(pl::lit(text))))
        .register_fn("cast", |e: ExprValue, kind: &str| -> Fallible<ExprValue> {
            cast(e.0, kind).map(ExprValue).or_raise()
        });
}

/// A plain value or an expression, as one side of an operator.
pub fn operand(word: &str, value: &Dynamic) -> Result<Expr> {
    if let Some(e) = value.clone().try_cast::<ExprValue>() {
        return Ok(e.0);
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
    Err(Error::argument(format!("{word} takes an Expr, a number, a string or a boolean; got {}", show::a_type(value))))
}

/// An array of expressions; a string stands for the column of that name.
pub fn expressions(word: &str, array: &Array) -> Result<Vec<Expr>> {
    array.iter().map(|item| expression(word, item)).collect()
}

/// An expression, or the name of a column.
pub fn expression(word: &str, value: &Dynamic) -> Result<Expr> {
    if let Some(e) = value.clone().try_cast::<ExprValue>() {
        return Ok(e.0);
    }
    match value.as_immutable_string_ref() {
        Ok(name) => Ok(pl::col(name.as_str())),
        Err(_) => {
            Err(Error::argument(format!("{word} takes column names and expressions; got {}", show::a_type(value))))
        }
    }
}

fn one_of(e: Expr, values: &Array) -> Result<Expr> {
    // Long lists of one kind as a set; short ones as comparisons, which may be of several kinds.
    if values.len() > 100 {
        let names: Option<Vec<String>> =
            values.iter().map(|v| v.as_immutable_string_ref().ok().map(|s| s.to_string())).collect();
        if let Some(names) = names {
            return Ok(e.is_in(pl::lit(pl::Series::new("values".into(), names)).implode(false), false));
        }
        let numbers =
            super::super::glue::numbers("is_in", "a list of more than 100 values, unless of strings,", values)?;
        return Ok(e
            .cast(pl::DataType::Float64)
            .is_in(pl::lit(pl::Series::new("values".into(), numbers)).implode(false), false));
    }
    let mut any = pl::lit(false);
    for value in values {
        any = any.or(e.clone().eq(operand("is_in", value)?));
    }
    Ok(any)
}

fn cast(e: Expr, kind: &str) -> Result<Expr> {
    let kinds = [
        ("integer", pl::DataType::Int64),
        ("number", pl::DataType::Float64),
        ("string", pl::DataType::String),
        ("boolean", pl::DataType::Boolean),
    ];
    match kinds.iter().find(|(name, _)| *name == kind) {
        Some((_, kind)) => Ok(e.cast(kind.clone())),
        None => Err(Error::unknown("kind", kind, kinds.iter().map(|k| k.0))),
    }
}

impl fmt::Display for ExprValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
