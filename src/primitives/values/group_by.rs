//! `GroupBy` in scripts: rows of a table in groups, before an aggregation.

use std::fmt;

use polars::prelude as pl;

use super::expr::{ExprValue, Expressions};
use super::table::TableValue;
use crate::error::{Result, counted};
use crate::script::call::MemberRegistrar;
use crate::script::kind::{KindOfValue, Member, kind_value};
use crate::tables::Table;

/// A table and the columns that group its rows.
#[derive(Clone)]
pub struct GroupBy {
    pub table: Table,
    pub keys: Vec<pl::Expr>,
}

impl KindOfValue for GroupBy {
    const NAME: &'static str = "GroupBy";
    const SUMMARY: &'static str = "The rows of a Table in groups.";
    const MEMBERS: &'static [Member] = &[
        Member::new("agg(expressions)", "a Table with one row per group: the keys and these aggregations"),
        Member::new("len()", "a Table with the number of rows of each group"),
    ];

    fn register(members: &mut MemberRegistrar<Self>) {
        members
            .method("agg", |g: &Self, expressions: Expressions| g.agg(expressions.0))
            .method("agg", |g: &Self, one: ExprValue| g.agg(vec![one.0]))
            .method("len", |g: &Self| g.agg(vec![pl::len().cast(pl::DataType::Int64).alias("len")]));
    }
}

kind_value!(GroupBy);

impl GroupBy {
    fn agg(&self, aggregations: Vec<pl::Expr>) -> Result<TableValue> {
        self.table.group_by_agg(self.keys.clone(), aggregations).map(TableValue)
    }
}

impl fmt::Display for GroupBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<String> = self.keys.iter().map(|k| k.to_string()).collect();
        write!(
            f,
            "{} grouped by {}; agg([...]) makes a Table of it",
            counted(self.table.height(), "row"),
            keys.join(", ")
        )
    }
}
