//! The option `executor`: where trainings run.

use serde::de::{Deserializer, Error as _};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::engine::Cluster;
use crate::error::Result;

/// Where the trainings of a call run. No part of a run's id.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Executor {
    /// On this machine, or in the queue of a sweep around the call: `null`.
    #[default]
    Unset,
    /// On this machine: `"here"`.
    Here,
    /// In a queue of `cpsd.toml`: `"slurm"`, or the name of another engine.
    Named(String),
    /// In this queue.
    Cluster(Box<Cluster>),
}

/// The name of [`Executor::Here`].
const HERE: &str = "here";
/// The key of a queue in JSON.
const CLUSTER: &str = "cluster";

impl Executor {
    /// The queue; None on this machine. Errors: those of [`Cluster::named`].
    pub fn cluster(&self) -> Result<Option<Cluster>> {
        match self {
            Executor::Unset | Executor::Here => Ok(None),
            Executor::Named(name) => Cluster::named(name).map(Some),
            Executor::Cluster(cluster) => Ok(Some((**cluster).clone())),
        }
    }
}

impl Serialize for Executor {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Executor::Unset => serializer.serialize_unit(),
            Executor::Here => HERE.serialize(serializer),
            Executor::Named(name) => name.serialize(serializer),
            Executor::Cluster(cluster) => json!({ CLUSTER: cluster }).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Executor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Executor, D::Error> {
        let value = Value::deserialize(deserializer)?;
        match (value.as_str(), value.get(CLUSTER)) {
            _ if value.is_null() => Ok(Executor::Unset),
            (Some(HERE), _) => Ok(Executor::Here),
            (Some(name), _) if !name.is_empty() => Ok(Executor::Named(name.to_string())),
            (None, Some(cluster)) => serde_json::from_value(cluster.clone())
                .map(|cluster| Executor::Cluster(Box::new(cluster)))
                .map_err(D::Error::custom),
            _ => Err(D::Error::custom("\"here\", \"slurm\", the name of an engine in cpsd.toml, or a Cluster")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::ClusterOptions;

    #[test]
    fn it_is_a_name_or_a_cluster() {
        let cluster = Cluster::slurm(ClusterOptions { gres: Some("gpu:4".into()), ..ClusterOptions::default() });
        assert_eq!(cluster.trainings_per_task(), 4);
        for executor in
            [Executor::Unset, Executor::Here, Executor::Named("pbs".into()), Executor::Cluster(Box::new(cluster))]
        {
            let json = serde_json::to_value(&executor).unwrap();
            assert_eq!(serde_json::from_value::<Executor>(json).unwrap(), executor);
        }
        let refused = serde_json::from_value::<Executor>(json!(3)).unwrap_err();
        assert!(refused.to_string().contains("\"here\", \"slurm\""), "{refused}");
    }
}
