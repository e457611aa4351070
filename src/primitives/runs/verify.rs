//! `runs().verify()`: whether runs are what was written.

use crate::error::{Error, Result};
use crate::primitives::values::table::TableValue;
use crate::script::call::Call;
use crate::tables::Cell;
use crate::training::verify::{State, verify as verified};

/// One row per run of a table that `runs()` gives.
pub fn verify(call: &Call, runs: &TableValue) -> Result<TableValue> {
    let ids = runs.0.column("id").map_err(|_| {
        Error::argument("verify takes the Table that runs() gives; this one has no column \"id\"")
            .with_help("runs().verify(), or runs().filter(...).verify()")
    })?;
    let ids: Vec<String> = ids.into_iter().map(|id| id.to_string()).collect();
    let store = call.store();
    let verdicts = call.unlocked(|| verified(&store, &ids))?;
    let rows = verdicts.into_iter().map(|verdict| {
        let problem = match &verdict.state {
            State::Damaged(error) => Cell::Text(error.message.clone()),
            _ => Cell::Null,
        };
        vec![
            Cell::Text(verdict.id),
            Cell::Text(verdict.state.name().into()),
            Cell::Int(i64::try_from(verdict.bytes).unwrap_or(i64::MAX)),
            problem,
        ]
    });
    TableValue::from_rows(&["id", "state", "bytes", "problem"], rows.collect())
}
