//! `GroupBy` in scripts: rows of a table in groups, waiting for an aggregation.

use std::fmt;

use polars::prelude as pl;
use rhai::{Array, Engine};

use super::expr::expressions;
use super::table::TableValue;
use crate::script::call::MemberRegistrar;
use crate::script::errors::{Fallible, OrRaise};
use crate::script::kind::{KindOfValue, Member, kind_value};
use crate::tables::Table;

/// A table and what its rows are grouped by.
#[derive(Clone)]
pub struct GroupBy {
    pub table: Table,
    pub keys: Vec<pl::Expr>,
}

impl KindOfValue for GroupBy {
    const NAME: &'static str = "GroupBy";
    const SUMMARY: &'static str = "The rows of a Table in groups.";
    const MEMBERS: &'static [Member] = &[
        Member::new("agg(expressions)", "a Table with one row a group: the keys and these aggregations"),
        Member::new("len()", "a Table with the number of rows of each group"),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        register(members.engine)
    }
}

kind_value!(GroupBy);

fn register(engine: &mut Engine) {
    engine
        .register_fn("agg", |g: &mut GroupBy, array: Array| -> Fallible<TableValue> {
            g.agg(expressions("agg", &array).or_raise()?)
        })
        .register_fn("agg", |g: &mut GroupBy, one: super::expr::ExprValue| -> Fallible<TableValue> {
            g.agg(vec![one.0])
        })
        .register_fn("len", |g: &mut GroupBy| -> Fallible<TableValue> {
            g.agg(vec![pl::len().cast(pl::DataType::Int64).alias("len")])
        });
}

impl GroupBy {
    fn agg(&self, aggregations: Vec<pl::Expr>) -> Fallible<TableValue> {
        self.table.group_by_agg(self.keys.clone(), aggregations).map(TableValue).or_raise()
    }
}

impl fmt::Display for GroupBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<String> = self.keys.iter().map(|k| k.to_string()).collect();
        write!(f, "{} rows grouped by {}; agg([...]) makes a Table of it", self.table.height(), keys.join(", "))
    }
}
