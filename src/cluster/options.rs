//! The options of a queue.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
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
        /// memory of a task on its node, as "32G"; plain numbers are megabytes
        pub memory: Option<String> = None;
        /// time limit of a task, as "8:00:00" or "2-12" (days-hours), plain numbers are minutes; what it does not finish goes on from its checkpoint, see requeues
        pub time: Option<String> = None;
        /// tasks that run at once at most; 0 sets no bound
        pub parallel: usize = 0;
        /// how often one task may be put back into the queue; 0 also tells Slurm not to do so when a node fails
        pub requeues: u32 = 5, in Range::FromTo(0.0, 1000.0);
        /// seconds before the time limit at which a task writes its checkpoint and puts itself back
        pub signal_before: u64 = 120, in Range::FromTo(1.0, 65_535.0);
        /// lines of shell that a task runs first, as "module load cuda"
        pub setup: Vec<String> = vec![];
        /// further options of sbatch by their long names without dashes, as #{"mail-type": "FAIL"}; () for one without a value, as #{exclusive: ()}
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

/// Options that are texts and may be given as whole numbers, as sbatch takes them: megabytes and minutes.
pub(crate) const OR_NUMBERS: [&str; 2] = ["memory", "time"];

/// Options of sbatch that are ours: what is submitted and how it is followed depends on them.
const OURS: &[&str] = &[
    "array",
    "clusters",
    "dependency",
    "error",
    "help",
    "job-name",
    "no-requeue",
    "open-mode",
    "output",
    "parsable",
    "requeue",
    "signal",
    "test-only",
    "usage",
    "version",
    "wait",
    "wrap",
];

/// Options of sbatch that have a name here.
const NAMED: &[(&str, &str)] = &[
    ("partition", "partition"),
    ("account", "account"),
    ("qos", "qos"),
    ("gres", "gres"),
    ("constraint", "constraint"),
    ("exclude", "exclude"),
    ("nodelist", "nodelist"),
    ("cpus-per-task", "cpus"),
    ("mem", "memory"),
    ("time", "time"),
];

impl ClusterOptions {
    /// Checks what [`check`](crate::options::Options::check) cannot: the formats of texts. `word` is named in errors.
    ///
    /// Errors: names the first option that Slurm would refuse or that would change how tasks are followed.
    pub fn check_further(&self, word: &str) -> Result<()> {
        let texts = [
            ("partition", &self.partition),
            ("account", &self.account),
            ("qos", &self.qos),
            ("gres", &self.gres),
            ("constraint", &self.constraint),
            ("exclude", &self.exclude),
            ("nodelist", &self.nodelist),
            ("memory", &self.memory),
            ("time", &self.time),
            ("local", &self.local),
        ];
        for (key, text) in texts {
            if let Some(text) = text
                && (text.trim().is_empty() || text.chars().any(char::is_control))
            {
                return Err(Error::option(
                    key,
                    word,
                    "a text of one line, or () for the site's default",
                    format!("{text:?}"),
                ));
            }
        }
        if let Some(memory) = &self.memory
            && megabytes(memory).is_none()
        {
            let expected = "a whole number with K, M, G or T behind it, as \"32G\" (without it: megabytes)";
            return Err(Error::option("memory", word, expected, format!("\"{memory}\"")));
        }
        if let Some(gres) = &self.gres
            && !gres.split(',').all(is_gres)
        {
            let expected = "names with counts, as \"gpu:1\" or \"gpu:a100:2\", with commas between";
            return Err(Error::option("gres", word, expected, format!("\"{gres}\"")));
        }
        if let Some(time) = &self.time {
            let Some(limit) = seconds(time) else {
                let expected = "minutes, \"hours:minutes:seconds\", \"days-hours\" or \"days-hours:minutes\"";
                return Err(Error::option("time", word, expected, format!("\"{time}\"")));
            };
            // It would be put back before it has begun, again and again.
            if limit.is_some_and(|limit| limit <= self.signal_before) {
                let text = format!(
                    "option \"time\" of {word} is \"{time}\", {} s, and signal_before has a task stop {} s before its end",
                    limit.unwrap_or_default(),
                    self.signal_before
                );
                return Err(Error::argument(text)
                    .about_option("time")
                    .with_help("a longer time, or a smaller signal_before"));
            }
        }
        self.sbatch.iter().try_for_each(|(key, value)| check_sbatch(key, value.as_deref(), word))
    }
}

fn check_sbatch(key: &str, value: Option<&str>, word: &str) -> Result<()> {
    let error = |text: String| Error::argument(text).about_option("sbatch");
    if let Some((_, ours)) = NAMED.iter().find(|(theirs, _)| *theirs == key) {
        let text = format!("option \"sbatch\" of {word} has \"{key}\", which is the option {ours}");
        return Err(error(text).with_help(format!("give {ours} beside sbatch, not in it")));
    }
    if OURS.contains(&key) {
        return Err(error(format!("option \"sbatch\" of {word} has \"{key}\", which cpsd sets itself")));
    }
    let is_long = key.len() > 1 && key.starts_with(|c: char| c.is_ascii_lowercase());
    if !is_long || !key.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') {
        let text =
            format!("option \"sbatch\" of {word} has \"{key}\"; it takes long names of sbatch without dashes in front");
        return Err(error(text).with_help("as #{\"mail-type\": \"FAIL\"} for --mail-type=FAIL"));
    }
    let of_named = NAMED.iter().map(|(theirs, ours)| (*theirs, format!("which is the option {ours}")));
    let of_ours = OURS.iter().map(|theirs| (*theirs, "which cpsd sets itself".to_string()));
    if let Some((theirs, why)) = of_named.chain(of_ours).find(|(theirs, _)| theirs.starts_with(key)) {
        let text = format!("option \"sbatch\" of {word} has \"{key}\", the beginning of \"{theirs}\", {why}");
        return Err(
            error(text).with_help("sbatch takes the beginning of a name for the name, so names are given in full")
        );
    }
    match value {
        Some(value) if value.contains('\0') => {
            Err(error(format!("option \"sbatch\" of {word}: \"{key}\" has a zero byte")))
        }
        _ => Ok(()),
    }
}

/// `gpu`, `gpu:2`, `gpu:a100:2`.
fn is_gres(part: &str) -> bool {
    let words: Vec<&str> = part.split(':').collect();
    let name = |word: &&str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    words.len() <= 3 && words.iter().all(name) && (words.len() < 3 || words[2].parse::<u32>().is_ok())
}

/// A time limit as Slurm writes it: minutes, minutes:seconds, hours:minutes:seconds, days-hours, days-hours:minutes,
/// days-hours:minutes:seconds. `Some(None)` is no limit; None is another text.
pub(super) fn seconds(time: &str) -> Option<Option<u64>> {
    if ["unlimited", "infinite", "0"].iter().any(|none| time.eq_ignore_ascii_case(none)) {
        return Some(None);
    }
    let number = |text: &str| -> Option<u64> {
        let fits = (1..=9).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        fits.then(|| text.parse().ok()).flatten()
    };
    let (days, rest) = match time.split_once('-') {
        Some((days, rest)) => (Some(number(days)?), rest),
        None => (None, time),
    };
    let parts: Vec<u64> = rest.split(':').map(number).collect::<Option<_>>()?;
    let sum = match (days, parts.as_slice()) {
        (None, [minutes]) => 60 * minutes,
        (None, [minutes, seconds]) => 60 * minutes + seconds,
        (None, [hours, minutes, seconds]) => 3600 * hours + 60 * minutes + seconds,
        (Some(days), [hours, rest @ ..]) if rest.len() <= 2 => {
            let [minutes, seconds] = [rest.first(), rest.get(1)].map(|part| part.copied().unwrap_or(0));
            86_400 * days + 3600 * hours + 60 * minutes + seconds
        }
        _ => return None,
    };
    Some(Some(sum))
}

/// Megabytes of `32G` or `32GB`, rounded up; None for another text.
pub(super) fn megabytes(memory: &str) -> Option<u64> {
    let digits = memory.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 =
        digits.parse().ok().filter(|_| digits.len() <= 12 && digits.bytes().all(|b| b.is_ascii_digit()))?;
    match memory[digits.len()..].to_ascii_uppercase().as_str() {
        "K" | "KB" => Some(number.div_ceil(1024)),
        "" | "M" | "MB" => Some(number),
        "G" | "GB" => Some(number << 10),
        "T" | "TB" => Some(number << 20),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(change: impl FnOnce(&mut ClusterOptions)) -> Option<String> {
        let mut options = ClusterOptions::default();
        change(&mut options);
        options.check_further("slurm").err().map(|error| error.message)
    }

    /// Those that sbatch 22.05 takes, and those that it refuses.
    #[test]
    fn times_are_slurms() {
        let limits = [
            ("5", 300),
            ("5:30", 330),
            ("90:00", 5400),
            ("8:00:00", 28_800),
            ("2-0", 172_800),
            ("2-12:30", 217_800),
            ("2-0:0:1", 172_801),
        ];
        for (time, limit) in limits {
            assert_eq!(seconds(time), Some(Some(limit)), "{time}");
            assert_eq!(problem(|o| o.time = Some(time.into())), None);
        }
        assert_eq!([seconds("UNLIMITED"), seconds("infinite"), seconds("0")], [Some(None); 3]);
        for time in ["1h", "5 ", "1-1:1:1:1", "1:2:3:4", "-1", "1-", ":5", "8h30", "9999999999999"] {
            assert_eq!(seconds(time), None, "{time}");
        }
        assert_eq!(
            problem(|o| o.time = Some("8h".into())).unwrap(),
            "option \"time\" of slurm must be minutes, \"hours:minutes:seconds\", \"days-hours\" or \"days-hours:minutes\"; got \"8h\""
        );
        assert_eq!(
            problem(|o| o.time = Some("2:00".into())).unwrap(),
            "option \"time\" of slurm is \"2:00\", 120 s, and signal_before has a task stop 120 s before its end"
        );
        assert_eq!(problem(|o| (o.time, o.signal_before) = (Some("1".into()), 30)), None);
    }

    #[test]
    fn memory_and_gres_are_slurms() {
        let sizes =
            [("32G", 32_768), ("32g", 32_768), ("32GB", 32_768), ("100", 100), ("5K", 1), ("2T", 2 << 20), ("0", 0)];
        for (memory, size) in sizes {
            assert_eq!(megabytes(memory), Some(size), "{memory}");
        }
        for memory in ["1.5G", "32Gi", "G", "-1G", "32 G", "³2G"] {
            assert_eq!(megabytes(memory), None, "{memory}");
        }
        let said = problem(|o| o.memory = Some("32Gi".into())).unwrap();
        assert!(said.starts_with("option \"memory\" of slurm must be a whole number with K, M, G or T"), "{said}");
        for gres in ["gpu", "gpu:4", "gpu:a100:2", "gpu:a100", "gpu:1,shard:2", "none"] {
            assert_eq!(problem(|o| o.gres = Some(gres.into())), None, "{gres}");
        }
        for gres in ["gpu=1", "gres/gpu:1", "gpu:a100:x", "gpu:", "gpu:1,", "1 gpu"] {
            assert!(problem(|o| o.gres = Some(gres.into())).is_some(), "{gres}");
        }
        assert!(problem(|o| o.partition = Some("".into())).unwrap().contains("a text of one line"));
    }

    #[test]
    fn options_of_sbatch_do_not_clash_with_ours() {
        let with =
            |key: &str, value: Option<&str>| problem(|o| drop(o.sbatch.insert(key.into(), value.map(String::from))));
        assert_eq!(
            [with("mail-type", Some("FAIL")), with("exclusive", None), with("comment", Some(""))],
            [None, None, None]
        );
        assert_eq!(
            with("mem", Some("1G")).unwrap(),
            "option \"sbatch\" of slurm has \"mem\", which is the option memory"
        );
        for key in ["array", "requeue", "signal", "output", "parsable", "job-name", "open-mode", "dependency"] {
            let said = format!("option \"sbatch\" of slurm has \"{key}\", which cpsd sets itself");
            assert_eq!(with(key, None).unwrap(), said);
        }
        let beginnings =
            [("arr", "array"), ("outp", "output"), ("wra", "wrap"), ("test-onl", "test-only"), ("wa", "wait")];
        for (key, name) in beginnings {
            let said = format!(
                "option \"sbatch\" of slurm has \"{key}\", the beginning of \"{name}\", which cpsd sets itself"
            );
            assert_eq!(with(key, None).unwrap(), said);
        }
        assert!(with("part", None).unwrap().ends_with("the beginning of \"partition\", which is the option partition"));
        // Names of their own that begin with one of ours.
        for key in ["mem-per-gpu", "time-min", "wait-all-nodes", "export"] {
            assert_eq!(with(key, Some("1")), None, "{key}");
        }
        for key in ["--mail-type", "p", "Mail", "mail type", "mail=x", ""] {
            assert!(with(key, None).unwrap().contains("long names of sbatch"), "{key}");
        }
    }
}
