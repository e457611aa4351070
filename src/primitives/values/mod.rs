//! The kinds of value that words pass around: their fields and methods, one file each.

pub mod affinity;
pub mod as_json;
pub mod background_call;
pub mod cluster;
pub mod cooccurrence;
pub mod dataset;
pub mod ensemble;
pub mod error;
pub mod evaluation;
pub mod expr;
pub mod figure;
pub mod group_by;
pub mod label_table;
pub mod layers;
pub mod loss;
pub mod model;
pub mod partition;
pub mod plan;
pub mod predictions;
pub mod random;
pub mod run;
pub mod suggested_k;
pub mod table;
pub mod tensor;
