//! `cpsd doc executor`: where trainings run.

use colored::Colorize;

/// The values of the option `executor`, the words that have it, and a `cpsd.toml`.
pub fn executor_text() -> String {
    format!(
        "{}\n{VALUES}\n{}\n{WORDS}\n{}\n{TOML}\n{}\n{MORE}",
        "The option executor".bold(),
        "Words that have it".bold(),
        "cpsd.toml, of the project or in ~/.config/cpsd".bold(),
        "A queue".bold()
    )
}

const VALUES: &str = "  executor: \"here\"                this machine, the default
  executor: \"slurm\"               Slurm, with the options of [slurm] in cpsd.toml
  executor: \"pbs\"                 the queue of [engine.pbs] in cpsd.toml
  executor: slurm(#{...})         Slurm, with options given here on top of those
  executor: cluster(\"pbs\", #{...}) the same for another queue

  Nothing of it is part of a run's id: the same call without it finds the runs. On a CPU the bits are
  those of the same call with as many threads as a task has cores (the option threads).
";

const WORDS: &str =
    "  train_teacher, train_teachers, train_all, distill, distill_all   each training is a task; the call waits for all
  sweep          the trainings of all points at once, teachers before students
  plan           how many tasks there would be, and how long they take; nothing is submitted
  cooccurrence   of files, in so many shards
  mutual_learning   on this machine alone, since its students hear each other at every step
  scripts/reproduce_coco.rhai, ablation_components.rhai and the others that train take executor=slurm
";

const TOML: &str = "  [slurm]
  partition = \"gpu\"
  gres = \"gpu:1\"
  cpus = 8
  memory = \"32G\"
  time = \"8:00:00\"
";

const MORE: &str = "  Ctrl-C stops the waiting; the tasks stay, and the same call waits for them again. cluster.jobs shows them, cluster.stop() cancels them,
  cluster.check() tries what the nodes and the file system can do. All nodes must see the run store under the same path. ?slurm lists the options.
";
