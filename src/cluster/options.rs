//! The options of a queue.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::options::Range;

crate::options! {
    /// The options of `slurm` and of a table of `cpsd.toml`. None is part of a run's id.
    pub struct ClusterOptions {
        /// partition, as sbatch's; () takes the site's default, as all that is left out
        pub partition: Option<String> = None;
        /// account that is charged
        pub account: Option<String> = None;
        /// quality of service
        pub qos: Option<String> = None;
        /// generic resources of a task, as "gpu:1"; with "gpu:4" one task trains four models side by side
        pub gres: Option<String> = None;
        /// features that a node must have
        pub constraint: Option<String> = None;
        /// nodes that are not used
        pub exclude: Option<String> = None;
        /// nodes that are asked for
        pub nodelist: Option<String> = None;
        /// cores of a task; () takes the site's default
        pub cpus: Option<usize> = None, in Range::FromTo(1.0, 4096.0);
        /// memory of a task, as "32G"
        pub memory: Option<String> = None;
        /// time limit of a task, as "8:00:00"; what it does not finish goes on from its checkpoint, see requeues
        pub time: Option<String> = None;
        /// tasks that run at once at most; 0 sets no bound
        pub parallel: usize = 0;
        /// how often one task may be put back into the queue
        pub requeues: u32 = 5, in Range::FromTo(0.0, 1000.0);
        /// seconds before the time limit at which a task writes its checkpoint and puts itself back
        pub signal_before: u64 = 120, in Range::FromTo(1.0, 65_535.0);
        /// lines of shell that a task runs first, as "module load cuda"
        pub setup: Vec<String> = vec![];
        /// further options of sbatch by their long names without dashes, as #{"mail-type": "FAIL"}; () for one without a value
        pub sbatch: BTreeMap<String, Option<String>> = BTreeMap::new();
        /// trainings that one task makes side by side; 0: one per GPU of gres, else one
        pub trainings: usize = 0, in Range::FromTo(0.0, 1024.0);
        /// wait for the results; false ends the call with an error that names the job, and the same call later takes its results
        pub wait: bool = true;
        /// Ctrl-C while waiting: "leave" the tasks in the queue, where the same call finds them, or "cancel" them
        pub on_interrupt: OnInterrupt = OnInterrupt::Leave;
        /// a node's own disk, where kept features are copied before they are read; () reads them from the store
        pub local: Option<String> = None;
    }
}

/// What becomes of tasks in the queue when the user stops waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnInterrupt {
    Leave,
    Cancel,
}
