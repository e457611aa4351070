//! Co-occurrence counted by shards, as tasks of a queue.

use std::path::PathBuf;

use super::batch::{Task, Work};
use super::engine::Cluster;
use super::{task_file, waiting};
use crate::error::Result;
use crate::graph::Cooccurrence;
use crate::labels::shards::{Shard, Shards};
use crate::runs::RunStore;

/// Has a queue count Parquet files in `n` shards, and adds their counts. It equals
/// [`count_files`](crate::labels::count_files) bit by bit.
///
/// Errors: those of [`Shards::deal`], [`waiting::run`] and [`Shards::sum`]; the first failure among the shards, when all have ended.
pub fn count_files(store: &RunStore, cluster: &Cluster, paths: &[PathBuf], n: usize) -> Result<Cooccurrence> {
    let shards = Shards::deal(paths, n)?;
    let of = shards.shards().len();
    let task = |shard: &Shard| {
        let name = format!("shard {}/{of}", shard.number);
        Ok(Task { runs: vec![shard.id()], name, job: task_file::complete(store, shard.job())? })
    };
    let stages = vec![shards.shards().iter().map(task).collect::<Result<_>>()?];
    let outcomes = waiting::run(store, cluster, Work { stages, ..Work::default() }, &mut |_| Ok(()))?;
    outcomes.into_iter().collect::<Result<Vec<()>>>()?;
    shards.sum(store)
}
